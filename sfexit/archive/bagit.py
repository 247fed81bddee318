"""The four tag files that turn a folder into a BagIt 1.0 bag (docs/archive-format.md, section 3).

The digests come from the caller, who computed them while writing and again while reading back;
nothing is read here, so sealing a terabyte costs as much as sealing a kilobyte.
"""

from __future__ import annotations

import hashlib
import heapq
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sfexit.archive.durable import Disk
from sfexit.errors import ArchiveProblem

MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
BAG_INFO = "bag-info.txt"
BAGIT = "bagit.txt"

_DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
# `~` stands only in names that had to be told apart from another case of themselves.
_PAYLOAD_PATH = re.compile(r"data(?:/[A-Za-z0-9._~-]+)+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_COMPUTED = frozenset({"payload-oxum", "bag-size"})
# Control and format characters (among them those that reverse the direction of text), lone
# surrogates, and the line ends that only Unicode knows: Python's readers split lines at them.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def write_manifests(
    bag: Path,
    payload: Iterable[tuple[str, str, int]],
    info: Mapping[str, str | list[str]],
    *,
    disk: Disk | None = None,
    ordered: Iterable[tuple[str, str, int]] = (),
) -> str:
    """Write manifest, bagit.txt, bag-info.txt and tag manifest; returns the root digest.

    `payload` has one (path relative to the bag, SHA-256 in lower-case hex, bytes) for every file
    below data/, in any order; `ordered` has more of them, in the order of their paths. `info` has
    the lines of bag-info.txt in order (a list repeats its key; values without a printable character
    are left out); Payload-Oxum and Bag-Size are added here. The same input gives the same bytes: no
    clock is read.

    Each file is written under a temporary name, flushed and renamed, the tag manifest last, so a
    bag with a tag manifest has the rest too. Memory: about 150 bytes for each file of `payload`,
    which sorting needs; `ordered` and the manifest itself are streamed.

    Raises ArchiveProblem for a path that may not stand in a bag, a path named twice, a digest
    that is none, or a line that bag-info.txt cannot hold; DiskTrouble when the disk refuses.
    """
    disk = disk or Disk()
    information = _clean_lines(info)
    sums = _Sums()
    # One small object for each file. The blank sorts before all characters of a path, so the order
    # of these is the order of the paths.
    packed = sorted(sums.packed(payload))
    entries = heapq.merge(packed, sums.packed(ordered))
    manifest = disk.write_pieces(bag / MANIFEST, _manifest_lines(entries))[0]
    information += [
        f"Payload-Oxum: {sums.bytes}.{sums.files}\n",
        f"Bag-Size: {_readable_size(sums.bytes)}\n",
    ]
    told = [line.encode("utf-8") for line in information]
    digests = {
        MANIFEST: manifest,
        BAGIT: disk.write_pieces(bag / BAGIT, [_DECLARATION])[0],
        BAG_INFO: disk.write_pieces(bag / BAG_INFO, told)[0],
    }
    tags = [f"{digests[name]}  {name}\n".encode("ascii") for name in sorted(digests)]
    return disk.write_pieces(bag / TAG_MANIFEST, tags)[0]


def root_digest(bag: Path) -> str:
    """SHA-256 of the bag's tag manifest in lower-case hex: the bag's name for good.

    Raises ArchiveProblem when there is no tag manifest.
    """
    try:
        return hashlib.sha256((bag / TAG_MANIFEST).read_bytes()).hexdigest()
    except OSError as error:
        raise ArchiveProblem(
            f"{bag / TAG_MANIFEST} cannot be read ({error.strerror}): this is not a sealed archive"
        ) from error


class _Sums:
    """Payload files and their bytes, added up while they pass."""

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0

    def packed(self, payload: Iterable[tuple[str, str, int]]) -> Iterator[bytes]:
        """Path, blank and digest of each file in one piece."""
        for path, digest, size in payload:
            _check_entry(path, digest, size)
            self.files += 1
            self.bytes += size
            yield path.encode("ascii") + b" " + bytes.fromhex(digest)


def _check_entry(path: str, digest: str, size: int) -> None:
    parts = path.split("/")
    if not _PAYLOAD_PATH.fullmatch(path) or "." in parts or ".." in parts:
        raise ArchiveProblem(f"{path!r} is not a name that may stand in an archive")
    if not _SHA256.fullmatch(digest):
        raise ArchiveProblem(f"{path}: {digest!r} is not a SHA-256 in lower-case hex")
    if size < 0:
        raise ArchiveProblem(f"{path}: a file cannot have {size} bytes")


def _manifest_lines(packed: Iterable[bytes]) -> Iterator[bytes]:
    before = b""
    for entry in packed:
        path, digest = entry[:-33], entry[-32:]
        if path <= before:
            raise ArchiveProblem(f"{path.decode('ascii')} was named twice for the manifest")
        before = path
        yield digest.hex().encode("ascii") + b"  " + path + b"\n"
    if not before:
        raise ArchiveProblem("this archive has no file below data/, so there is nothing to seal")


def _clean_lines(info: Mapping[str, str | list[str]]) -> list[str]:
    lines = []
    for key, given in info.items():
        if not _KEY.fullmatch(key) or key.lower() in _COMPUTED:
            raise ArchiveProblem(f"bag-info.txt cannot have a line {key!r} from outside")
        for value in [given] if isinstance(given, str) else given:
            printable = (" " if unicodedata.category(c) in _UNPRINTABLE else c for c in value)
            # One line whatever its length: readers disagree on what a folded line means.
            text = " ".join("".join(printable).split())
            if text:
                lines.append(f"{key}: {text}\n")
    return lines


def _readable_size(size: int) -> str:
    if size < 1000:
        return f"{size} bytes"
    amount = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 999.95 or unit == "TB":
            break
    return f"{amount:.1f} {unit}"
