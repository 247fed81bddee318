"""A simulated org that renders each result page once and then serves it from the disk.

Benchmarks are to measure clients, not how fast made-up rows can be rendered. Run as a process:

    python bench/warm_org.py --cache DIR --rows 2000000 --one-object Contact [--real]

Prints one JSON line (url, tls_url, ca, access_token) and serves until its stdin closes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import trustme

from sfexit.simulated_org import SimulatedOrg, bulk, serve, server
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.pace import REAL, Pace

_render = bulk.ResultPage.body
_pack = server.gzipped
_PIECE = 1 << 16


class _Keyed:
    """A page's text that knows what it is a page of."""

    def __init__(self, page: bulk.ResultPage) -> None:
        text = f"{page.job.selection.query!r} {page.ordinal} {page.count}"
        self.key = hashlib.sha256(text.encode()).hexdigest()
        self.parts = _render(page)

    def __iter__(self) -> Iterator[bytes]:
        return self.parts


def warm(cache: Path) -> None:
    """From now on, packed pages are kept in `cache`."""
    locks: dict[str, threading.Lock] = {}

    def packed(parts: Any) -> Iterator[bytes]:
        if not isinstance(parts, _Keyed):
            yield from _pack(parts)
            return
        path = cache / parts.key
        with locks.setdefault(parts.key, threading.Lock()):
            if not path.exists():
                part = path.with_suffix(".part")
                with part.open("wb") as handle:
                    for piece in _pack(iter(parts)):
                        handle.write(piece)
                part.replace(path)
        with path.open("rb") as handle:
            while piece := handle.read(_PIECE):
                yield piece

    bulk.ResultPage.body = lambda page: _Keyed(page)  # type: ignore[assignment,return-value]
    server.gzipped = packed


def main() -> None:
    """Serve until stdin closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--one-object")
    parser.add_argument("--shape", default="crm")
    parser.add_argument("--each", type=lambda text: text.split(","), help="objects, each of:")
    parser.add_argument("--each-rows", type=int, default=50_000, help="rows")
    parser.add_argument("--real", action="store_true", help="latency, job time and line speed")
    given = parser.parse_args()
    given.cache.mkdir(parents=True, exist_ok=True)
    warm(given.cache)
    more: dict[str, Any] = {} if given.shape == "crm" else {"shape": given.shape}
    if given.each:
        more["objects"] = [
            replace(one, fixed=given.each_rows) if one.name in given.each else one
            for one in standard_objects()
        ]
    org = SimulatedOrg(seed=7, rows=given.rows, one_object=given.one_object, **more)
    pace = REAL if given.real else Pace()
    authority = trustme.CA()
    with tempfile.NamedTemporaryFile(suffix=".pem") as ca:
        authority.cert_pem.write_to_path(ca.name)
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        with serve(org, pace=pace) as plain, serve(org, tls=context, pace=pace) as secure:
            told = {
                "url": plain.url,
                "tls_url": secure.url,
                "ca": ca.name,
                "access_token": org.access_token,
            }
            print(json.dumps(told), flush=True)
            for _ in sys.stdin:  # each line asks how many calls were made so far
                print(json.dumps({"calls": org.calls}), flush=True)


if __name__ == "__main__":
    main()
