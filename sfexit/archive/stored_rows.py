"""The rows of stored pages, and whether a page still is what was written."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from sfexit.archive.row_starts import RowStarts
from sfexit.errors import ArchiveProblem, DamagedAnswer, DiskTrouble
from sfexit.gzipped import Gunzip

READ_BYTES = 1 << 20
_FIELD_LIMIT = 2**31 - 1


class PageDamaged(ArchiveProblem):
    """A stored page is not what was written; `what` says in what.

    An export that meets one goes on: reading the archive back finds the page, too, and mends it.
    """

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} is damaged ({what}): verify the archive")
        self.what = what


def unpacked(path: Path, facts: dict[str, Any] | None = None) -> Iterator[bytes]:
    """The CSV text of a page in pieces.

    With `facts` (its journal line) digest and size of the file are checked on the way; the same
    bytes unpack to the same text. Raises PageDamaged, at the latest behind the last piece, and
    DiskTrouble.
    """
    stored = hashlib.sha256()
    size = 0
    gunzip = Gunzip()
    try:
        with path.open("rb") as handle:
            while piece := handle.read(READ_BYTES):
                size += len(piece)
                if facts is not None:
                    stored.update(piece)
                yield from gunzip.feed(piece)
        yield from gunzip.finish()
    except FileNotFoundError:
        raise PageDamaged(path, "the file is gone") from None
    except DamagedAnswer as error:
        raise PageDamaged(path, str(error)) from error
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be read: {error.strerror}") from error
    if facts is not None and (size != facts["bytes"] or stored.hexdigest() != facts["sha256"]):
        raise PageDamaged(path, "its bytes changed since it was written")


def whole_rows(
    path: Path, header: Sequence[str], facts: dict[str, Any] | None = None
) -> Iterator[list[str]]:
    """The rows of a page whose columns are `header`, one after another; `facts` as above.

    Raises PageDamaged, at the latest behind the last row, and DiskTrouble.
    """
    wide = len(header)
    rows = _parsed(path, facts)
    if next(rows, None) != list(header):
        raise PageDamaged(path, "its header is not the object's")
    for number, row in enumerate(rows, start=1):
        if len(row) != wide:
            raise PageDamaged(path, f"row {number:,} has {len(row)} columns, not {wide}")
        yield row


def column_values(
    path: Path, columns: Sequence[str], *, or_empty: bool = False
) -> Iterator[tuple[str, ...]]:
    """The values of `columns`, in that order, of every row of a page. Memory: one row.

    A column that the page lacks is damage, or with `or_empty` empty. Raises PageDamaged,
    DiskTrouble.
    """
    rows = _parsed(path, None)
    header = next(rows, [])
    lacking = [name for name in columns if name not in header]
    if lacking and not or_empty:
        raise PageDamaged(path, f"it has no column {lacking[0]}")
    wide = len(header)
    places = [wide if name in lacking else header.index(name) for name in columns]
    pick = itemgetter(*places)
    for number, row in enumerate(rows, start=1):
        if len(row) != wide:
            raise PageDamaged(path, f"row {number:,} has {len(row)} columns, not {wide}")
        if lacking:
            row.append("")
        yield (pick(row),) if len(places) == 1 else pick(row)


def ids(path: Path, header: Sequence[str]) -> list[str]:
    """The ids of a page whose first column is Id, found without parsing the rest.

    Raises PageDamaged, DiskTrouble.
    """
    starts = RowStarts(header, keep_ids=True)
    for piece in unpacked(path):
        starts.feed(piece)
    starts.finish()
    return [one.decode("ascii") for one in starts.ids or []]


def mentions(path: Path, word: bytes) -> bool:
    """True when the text of a page holds `word` somewhere. Raises PageDamaged, DiskTrouble."""
    tail = b""
    for piece in unpacked(path):
        if word in tail + piece[: len(word)] or word in piece:
            return True
        tail = piece[-len(word) + 1 :]
    return False


def _parsed(path: Path, facts: dict[str, Any] | None) -> Iterator[list[str]]:
    """All rows, the header among them."""
    csv.field_size_limit(_FIELD_LIMIT)
    text = io.TextIOWrapper(
        io.BufferedReader(_Stream(unpacked(path, facts)), 1 << 16),
        encoding="utf-8-sig",
        newline="",
    )
    try:
        yield from csv.reader(text, strict=True)
    except (csv.Error, UnicodeDecodeError) as error:
        raise PageDamaged(path, f"it cannot be parsed: {error}") from error


class _Stream(io.RawIOBase):
    """Pieces of bytes as a readable stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
