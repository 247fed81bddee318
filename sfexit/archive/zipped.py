"""Is a ZIP what an archive may keep? Read in pieces, never unpacked to the disk.

ZIPs are kept as they were received, and whoever unpacks one years later does it with a program of
their own choice. So one that would leave its folder, follow a link, overwrite itself or fill a
disk is refused on arrival (APPNOTE 6.3, sections 4.3 to 4.5).
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sfexit.errors import DamagedAnswer, DiskTrouble

# A retrieve unpacks to at most 629,145,600 bytes and 10,000 files (Salesforce Developer Limits,
# "Metadata Limits"); packages of AppExchange have more files, which are not asked for.
MOST_BYTES = 629_145_600
MOST_FILES = 40_000
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_READ_BYTES = 1 << 18
_END = struct.Struct("<4s4H2LH")  # of the central directory (APPNOTE 4.3.16)
_PLAIN_TYPES = (0, stat.S_IFREG, stat.S_IFDIR)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Entry:
    """A file in a ZIP. `kept` holds its first bytes where it is small enough to be kept."""

    name: str
    size: int
    kept: bytes | None


def check(
    path: Path,
    *,
    most_bytes: int = MOST_BYTES,
    most_files: int = MOST_FILES,
    keep: int = 0,
    go_on: Callable[[], None] = lambda: None,
) -> tuple[Entry, ...]:
    """The files of a sound ZIP, each read to its end and compared with its checksum.

    Contents of up to `keep` bytes come with the entries. `go_on` is called between two files.
    Raises DamagedAnswer for a ZIP that is damaged or must not be unpacked, saying why;
    DiskTrouble when it cannot be read from the disk.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = _listed(path, archive, most_bytes, most_files)
            entries = []
            for one in found:
                go_on()
                if not one.is_dir():
                    entries.append(_read(archive, one, keep))
            return tuple(entries)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise DamagedAnswer(f"the ZIP is damaged ({words})") from None
    except (ValueError, IndexError, OverflowError):
        raise DamagedAnswer("the ZIP is damaged (its directory cannot be read)") from None
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be read: {error.strerror or error}") from error


def _listed(
    path: Path, archive: zipfile.ZipFile, most_bytes: int, most_files: int
) -> list[zipfile.ZipInfo]:
    found = archive.infolist()
    if not found:
        raise DamagedAnswer("the ZIP is empty")
    if len(found) > most_files:
        raise DamagedAnswer(f"the ZIP holds {len(found):,} files, more than {most_files:,}")
    total = sum(one.file_size for one in found)
    if total > most_bytes:
        raise DamagedAnswer(
            f"the ZIP unpacks to {total:,} bytes, more than the {most_bytes:,} that Salesforce "
            "ever sends"
        )
    names: set[str] = set()
    for one in found:
        wrong = _wrong(one)
        if wrong:
            raise DamagedAnswer(f"an entry of the ZIP {wrong}")
        if one.filename.rstrip("/") in names:
            raise DamagedAnswer("the ZIP names a file twice")
        names.add(one.filename.rstrip("/"))
    _insist_on_order(path, archive, found)
    return found


def name_trouble(name: str) -> str:
    """Why no entry may have this name; empty when one may."""
    if not name or _CONTROL.search(name):
        return "has no name or one with control characters"
    if "\\" in name or name.startswith("/") or _DRIVE.match(name):
        return "names a place outside of the ZIP"
    if {".", ".."} & set(name.split("/")):
        return "leads out of its folder (..)"
    return ""


def _wrong(one: zipfile.ZipInfo) -> str:
    """Why an entry must not be unpacked; empty when it may."""
    # What stands in the file, not what zipfile makes of it: it cuts names at a zero byte.
    trouble = name_trouble(one.orig_filename)
    if trouble:
        return trouble
    if not one.filename or _CONTROL.search(one.filename):
        return "has no name or one with control characters"
    # The upper half holds the mode of Unix, whatever system the entry claims to be from.
    if stat.S_IFMT(one.external_attr >> 16) not in _PLAIN_TYPES:
        return "is a link or a device, not a file"
    if one.flag_bits & 0x1:
        return "is encrypted"
    if one.compress_type not in _METHODS:
        return "is packed in a way that is not asked for"
    return ""


def _insist_on_order(path: Path, archive: zipfile.ZipFile, found: list[zipfile.ZipInfo]) -> None:
    """Entries stand one behind the other from the first byte on: overlapping ones make bombs, and
    what stands before or between them, other programs may read as another ZIP."""
    starts = sorted((one.header_offset, one.compress_size) for one in found)
    if starts[0][0] != 0 or archive.start_dir > path.stat().st_size:
        raise DamagedAnswer("the ZIP has something before its first entry")
    _insist_on_directory(path, archive, len(found))
    borders = [start for start, _ in starts[1:]] + [archive.start_dir]
    for (start, size), border in zip(starts, borders, strict=True):
        if start + 30 + size > border:
            raise DamagedAnswer("entries of the ZIP overlap")


def _insist_on_directory(path: Path, archive: zipfile.ZipFile, count: int) -> None:
    """The end of the directory says how long it is and how many entries it has: zipfile believes
    the one and never looks at the other, so that an entry could be lost without a word."""
    with path.open("rb") as handle:
        size = handle.seek(0, 2)
        end = size - _END.size - len(archive.comment)
        handle.seek(max(end, 0))
        told = handle.read(_END.size)
    if len(told) < _END.size or end < 0:
        raise DamagedAnswer("the ZIP is cut off")
    mark, disk, first, here, total, length, start, comment = _END.unpack(told)
    if (
        mark != b"PK\5\6"
        or (disk, first) != (0, 0)
        or here != total
        or total != count
        or (start, start + length) != (archive.start_dir, end)
        or comment != len(archive.comment)
    ):
        raise DamagedAnswer("the end of the ZIP does not agree with its directory")


def _read(archive: zipfile.ZipFile, one: zipfile.ZipInfo, keep: int) -> Entry:
    kept: list[bytes] | None = [] if one.file_size <= keep else None
    total = 0
    with archive.open(one) as content:
        while piece := content.read(_READ_BYTES):
            total += len(piece)
            if total > one.file_size:
                raise DamagedAnswer("an entry of the ZIP is larger than it says")
            if kept is not None:
                kept.append(piece)
    if total != one.file_size:
        raise DamagedAnswer("an entry of the ZIP is shorter than it says")
    return Entry(one.filename, total, b"".join(kept) if kept is not None else None)
