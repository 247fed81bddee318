"""Rows of stored pages, one at a time and only the columns that are wanted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from sfexit.errors import ArchiveProblem, DamagedAnswer, DiskTrouble
from sfexit.gzipped import Gunzip


class PageUnreadable(ArchiveProblem):
    """A stored page is gone or damaged: the reading back finds it, and it is fetched again."""


_READ_BYTES = 1 << 18
_FIELD_LIMIT = 2**31 - 1


def page_rows(page: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The values of `columns`, in that order, of every row of a page. Memory: one row.

    Raises PageUnreadable for a page that is gone, damaged or lacks a column, DiskTrouble.
    """
    csv.field_size_limit(_FIELD_LIMIT)
    text = io.TextIOWrapper(
        io.BufferedReader(_Stream(_unpacked(page)), 1 << 16), encoding="utf-8-sig", newline=""
    )
    reader = csv.reader(text, strict=True)
    try:
        header = next(reader, [])
        places = [header.index(name) for name in columns]
        if len(places) == 1:
            for row in reader:
                yield (row[places[0]],)
            return
        pick = itemgetter(*places)
        for row in reader:
            yield pick(row)
    except (csv.Error, UnicodeDecodeError, ValueError, IndexError) as error:
        raise PageUnreadable(f"{page} is damaged: run the same command again") from error


def mentions(page: Path, word: bytes) -> bool:
    """True when the text of a page holds `word` somewhere. Raises as `page_rows` does."""
    tail = b""
    for piece in _unpacked(page):
        if word in tail + piece[: len(word)] or word in piece:
            return True
        tail = piece[-len(word) + 1 :]
    return False


def _unpacked(page: Path) -> Iterator[bytes]:
    gunzip = Gunzip()
    try:
        with page.open("rb") as handle:
            while piece := handle.read(_READ_BYTES):
                yield from gunzip.feed(piece)
        yield from gunzip.finish()
    except (FileNotFoundError, DamagedAnswer) as error:
        raise PageUnreadable(f"{page} is gone or damaged: run the same command again") from error
    except OSError as error:
        raise DiskTrouble(f"{page} cannot be read: {error.strerror}") from error


class _Stream(io.RawIOBase):
    """Pieces of bytes as a readable stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = piece
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
