"""Faults of the Metadata API: ZIPs that must not be trusted, and XML that must not be read."""

from __future__ import annotations

import base64
import io
import re
import stat
import warnings
import zipfile
from collections.abc import Callable

#: On the ZIP of a finished retrieve, or on the whole SOAP answer.
KINDS = frozenset(
    {
        "zip_truncated",
        "zip_bad_crc",
        "zip_dotdot",
        "zip_symlink",
        "zip_duplicate",
        "zip_bomb",
        "xml_dtd",
        "xml_entities",
    }
)
_ZIP = re.compile(rb"<zipFile>([^<]*)</zipFile>")


def spoiled(kind: str, answer: bytes) -> bytes:
    """A SOAP answer as a fault leaves it; unchanged where it has no ZIP."""
    if kind == "xml_dtd":
        dtd = b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/evil.dtd">'
        return answer.replace(b"?>", b"?>" + dtd, 1)
    if kind == "xml_entities":
        lol = b'<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        answer = answer.replace(b"?>", b"?>" + lol, 1)
        return answer.replace(b"<done>", b"<done>&b;", 1)
    found = _ZIP.search(answer)
    if found is None:
        return answer
    packed = spoiled_zip(kind, base64.b64decode(found.group(1)))
    return answer[: found.start(1)] + base64.b64encode(packed) + answer[found.end(1) :]


def spoiled_zip(kind: str, packed: bytes) -> bytes:
    """A ZIP as a fault leaves it."""
    return _SPOILS[kind](packed)


def _added(packed: bytes, entry: str | zipfile.ZipInfo, content: bytes) -> bytes:
    out = io.BytesIO(packed)
    with warnings.catch_warnings(), zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # a duplicate name, on purpose
        archive.writestr(entry, content)
    return out.getvalue()


def _bad_crc(packed: bytes) -> bytes:
    """The first entry's checksum is another one, in both places where it stands."""
    local, central = packed.index(b"PK\3\4") + 14, packed.index(b"PK\1\2") + 16
    out = bytearray(packed)
    for at in (local, central):
        out[at] ^= 0x10
    return bytes(out)


def _link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("classes/passwd.cls")
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def _duplicate(packed: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        name = archive.namelist()[0]
    return _added(packed, name, b"another content")


def _bomb(packed: bytes) -> bytes:
    """Some 700 MB of zeros in less than a megabyte."""
    out = io.BytesIO(packed)
    zeros = bytes(10_000_000)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for n in range(7):
            with archive.open(f"staticresources/Zeros{n}.resource", "w") as entry:
                for _ in range(10):
                    entry.write(zeros)
    return out.getvalue()


_SPOILS: dict[str, Callable[[bytes], bytes]] = {
    "zip_truncated": lambda packed: packed[: len(packed) * 2 // 3],
    "zip_bad_crc": _bad_crc,
    "zip_dotdot": lambda packed: _added(packed, "../../evil.txt", b"out of here"),
    "zip_symlink": lambda packed: _added(packed, _link(), b"/etc/passwd"),
    "zip_duplicate": _duplicate,
    "zip_bomb": _bomb,
}
