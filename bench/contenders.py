"""The clients that `bench/records.py` compares, each run as a process of its own.

    python bench/contenders.py floor  URL OUT QUERY…   honest floor: 8 threads, all checks
    python bench/contenders.py plain  URL OUT QUERY…   8 parallel downloads to disk, nothing else
    python bench/contenders.py simple URL OUT QUERY…   simple-salesforce's bulk2 download (TLS)

The token comes from BENCH_TOKEN, the certificate authority from REQUESTS_CA_BUNDLE.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

VERSION = "v66.0"
THREADS = 8


class Bulk:
    """As little of Bulk API 2.0 as gets the pages."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=4 * THREADS)
        self.session.mount("http://", adapter)
        self.session.headers["Authorization"] = f"Bearer {os.environ['BENCH_TOKEN']}"
        self.session.headers["Accept-Encoding"] = "gzip"

    def links(self, query: str) -> list[str]:
        """Create a job, wait for it, and list its pages."""
        base = f"{self.url}/services/data/{VERSION}/jobs/query"
        job = self.session.post(base, json={"operation": "queryAll", "query": query}).json()["id"]
        wait = 0.05
        while self.session.get(f"{base}/{job}").json()["state"] != "JobComplete":
            time.sleep(wait)
            wait = min(wait * 2, 1)
        found, path = [], f"/services/data/{VERSION}/jobs/query/{job}/resultPages"
        while path:
            answer = self.session.get(self.url + path).json()
            found += [page["resultUrl"] for page in answer["resultPages"]]
            path = answer.get("nextRecordsUrl")
        return found

    def fetch(self, link: str, take: Callable[[bytes], Any]) -> int:
        """Stream a page's bytes as they come; returns the declared rows."""
        with self.session.get(self.url + link, stream=True) as answer:
            while piece := answer.raw.read(1 << 16, decode_content=False):
                take(piece)
            return int(answer.headers["Sforce-NumberOfRecords"])


def over_pages(url: str, queries: list[str], page: Callable[[Bulk, int, str], None]) -> None:
    """Run `page` over all pages of all queries, 8 at a time."""
    org = Bulk(url)
    with ThreadPoolExecutor(THREADS) as pool, ThreadPoolExecutor(THREADS) as pages:
        running = []
        for links in pool.map(org.links, queries):
            start = len(running)
            running += [
                pages.submit(page, org, start + number, link) for number, link in enumerate(links)
            ]
        for one in running:
            one.result()


def plain(url: str, out: Path, queries: list[str]) -> None:
    """Bytes to disk."""

    def page(org: Bulk, number: int, link: str) -> None:
        with (out / f"{number}.gz").open("wb") as handle:
            org.fetch(link, handle.write)

    over_pages(url, queries, page)


def floor(url: str, out: Path, queries: list[str]) -> None:
    """Bytes to disk, inflated, hashed, rows counted by quote parity and checked."""
    import numpy as np
    from isal import isal_zlib

    def page(org: Bulk, number: int, link: str) -> None:
        digest, inflate = hashlib.sha256(), isal_zlib.decompressobj(31)
        rows, inside = 0, 0
        with (out / f"{number}.gz").open("wb") as handle:

            def take(piece: bytes) -> None:
                nonlocal rows, inside
                handle.write(piece)
                digest.update(piece)
                text = np.frombuffer(inflate.decompress(piece), dtype=np.uint8)
                quotes = np.flatnonzero(text == 0x22)
                ends = np.flatnonzero(text == 0x0A)
                before = np.searchsorted(quotes, ends) + inside
                rows += int((before % 2 == 0).sum())
                inside = (inside + len(quotes)) % 2

            declared = org.fetch(link, take)
            os.fsync(handle.fileno())
        if not inflate.eof or rows - 1 != declared:
            raise SystemExit(f"page {number}: {rows - 1} rows, {declared} declared")

    over_pages(url, queries, page)


def simple(url: str, out: Path, queries: list[str]) -> None:
    """simple-salesforce as its documentation shows it."""
    from simple_salesforce import Salesforce

    org = Salesforce(
        instance_url=url,
        session_id=os.environ["BENCH_TOKEN"],
        version=VERSION.removeprefix("v"),
    )
    for query in queries:
        name = query.rsplit("FROM ", 1)[1].split()[0]
        folder = out / name
        folder.mkdir()
        getattr(org.bulk2, name).download(query, path=str(folder), max_records=50_000)


def cli() -> list[str] | None:
    """How the Salesforce CLI is started here; None where it is not installed."""
    folder = os.environ.get("SFEXIT_SF_DIR", "")
    program = Path(folder) / "node_modules/@salesforce/cli/bin/run.js"
    node = shutil.which("node")
    if folder and program.is_file() and node is not None:
        return [node, str(program)]
    found = shutil.which("sf")
    return [found] if found is not None else None


def sf(url: str, out: Path, queries: list[str]) -> None:
    """`sf data export bulk`, one object after the other, as its help shows it."""
    words = cli()
    assert words is not None
    environment = {
        **os.environ,
        "HOME": str(out),
        "USERPROFILE": str(out),
        "NODE_EXTRA_CA_CERTS": os.environ["REQUESTS_CA_BUNDLE"],
        "SF_ACCESS_TOKEN": os.environ["BENCH_TOKEN"],
        "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
        "SF_DISABLE_TELEMETRY": "true",
        "SF_AUTOUPDATE_DISABLE": "true",
        "SF_SKIP_NEW_VERSION_CHECK": "true",
    }

    def run(*more: str) -> None:
        subprocess.run([*words, *more], cwd=out, env=environment, check=True, capture_output=True)

    run("org", "login", "access-token", "--instance-url", url, "--alias", "bench", "--no-prompt")
    for number, query in enumerate(queries):
        run(
            "data", "export", "bulk", "--query", query, "--output-file", str(out / f"{number}.csv"),
            "--result-format", "csv", "--wait", "60", "--target-org", "bench",
        )  # fmt: skip


if __name__ == "__main__":
    chosen = {"floor": floor, "plain": plain, "simple": simple, "sf": sf}[sys.argv[1]]
    chosen(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
