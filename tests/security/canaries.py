"""Secrets that are looked for, in every form in which they could slip into an artefact."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus


def forms(secret: str) -> dict[str, bytes]:
    """The secret as it is, and as it looks in addresses, JSON, hexadecimal and base64.

    Base64 depends on what stands before: of the three shifts the middle part is the same wherever
    the secret stands in a longer text.
    """
    raw = secret.encode()
    found = {
        "plain": raw,
        "quoted": quote(secret, safe="").encode(),
        "form": quote_plus(secret).encode(),
        "json": json.dumps(secret)[1:-1].encode(),
        "hex": raw.hex().encode(),
    }
    for shift in range(3):
        packed = base64.b64encode(b"\0" * shift + raw)
        middle = packed[4 * bool(shift) : len(packed) // 4 * 4 - 4]
        found[f"base64+{shift}"] = middle
        found[f"base64url+{shift}"] = middle.translate(bytes.maketrans(b"+/", b"-_"))
    assert all(len(form) >= 12 for form in found.values())
    return found


def of_key(pem: str) -> list[str]:
    """The lines of a private key's body: any one of them would be too much."""
    return [line for line in pem.splitlines() if line and "-----" not in line]


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder, packed ones unpacked too, and every name."""
    for path in sorted(folder.rglob("*")):
        yield f"the name {path}", str(path).encode()
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            yield str(path), data
            if data[:2] == b"\x1f\x8b":
                yield f"{path} unpacked", _unpacked(data)


def _unpacked(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return b""


def leaks(secrets: Mapping[str, str], artefacts: Iterable[tuple[str, bytes]]) -> list[str]:
    """Where a secret was found, by name of secret and artefact."""
    wanted = [(name, how, form) for name, s in secrets.items() for how, form in forms(s).items()]
    return [
        f"{name} ({how}) in {where}"
        for where, data in artefacts
        for name, how, form in wanted
        if form in data
    ]
