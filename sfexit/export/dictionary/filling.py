"""How often each column of an object's table is filled: counted in the pages of the bag."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sfexit.errors import DamagedAnswer, DiskTrouble
from sfexit.gzipped import Gunzip

# Counting unpacks and parses, which costs more than everything else that is done with a row. So
# beyond this many rows of one object only so many are counted, at places spread evenly.
MOST_ROWS = 20_000
_PLACES = 10
_READ_BYTES = 1 << 18
_CELLS_AT_ONCE = 20_000  # and not rows: a row may have 800 columns, and a cell 100 kB


@dataclass(frozen=True)
class Filled:
    """In how many of `seen` rows each column holds something."""

    seen: int
    columns: dict[str, int]


def count(
    bag: Path,
    pages: Sequence[dict[str, Any]],
    header: Sequence[str],
    *,
    most_rows: int = MOST_ROWS,
    go_on: Callable[[], None] = lambda: None,
) -> Filled:
    """Count the columns of `header` in pages as the journal tells them (`path`, `rows`).

    Raises DamagedAnswer for a page that is not what was written (the reading back will tell),
    DiskTrouble, and what `go_on` raises, which is called before each page.
    """
    filled = [0] * len(header)
    seen = 0
    for page, most in chosen(pages, most_rows):
        go_on()
        here = 0
        for batch in _batches(bag / page["path"], header):
            some = batch[: most - here]
            here += len(some)
            for at, cells in enumerate(zip(*some, strict=True)):
                filled[at] += len(cells) - cells.count("")
            if here >= most:
                break
        seen += here
    return Filled(seen, dict(zip(header, filled, strict=True)))


def rows(bag: Path, pages: Sequence[dict[str, Any]], header: Sequence[str]) -> Iterator[list[str]]:
    """All rows of an object, as text; raises as `count` does."""
    for page in pages:
        for batch in _batches(bag / page["path"], header):
            yield from batch


def chosen(pages: Sequence[dict[str, Any]], most_rows: int) -> list[tuple[dict[str, Any], int]]:
    """Pages with how many of their first rows to count: all of all, or a part of a few pages that
    are spread evenly, at most `most_rows` together."""
    if sum(page["rows"] for page in pages) <= most_rows:
        return [(page, page["rows"]) for page in pages]
    wanted = min(_PLACES, len(pages), most_rows)
    return [(pages[at * len(pages) // wanted], most_rows // wanted) for at in range(wanted)]


def _batches(path: Path, header: Sequence[str]) -> Iterator[list[list[str]]]:
    csv.field_size_limit(2**31 - 1)
    text = io.TextIOWrapper(
        io.BufferedReader(_Stream(_unpacked(path)), 1 << 20), encoding="utf-8-sig", newline=""
    )
    reader = csv.reader(text, strict=True)
    at_once = max(1, _CELLS_AT_ONCE // max(1, len(header)))
    try:
        if next(reader, None) != list(header):
            raise DamagedAnswer(f"{path.name} does not begin with the object's columns")
        while batch := list(islice(reader, at_once)):
            if any(len(row) != len(header) for row in batch):
                raise DamagedAnswer(f"a row of {path.name} has more or fewer columns")
            yield batch
    except (csv.Error, UnicodeDecodeError) as error:
        raise DamagedAnswer(f"{path.name} cannot be parsed: {error}") from error


def _unpacked(path: Path) -> Iterator[bytes]:
    gunzip = Gunzip()
    try:
        with path.open("rb") as handle:
            while piece := handle.read(_READ_BYTES):
                yield from gunzip.feed(piece)
        yield from gunzip.finish()
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be read: {error.strerror or error}") from error


class _Stream(io.RawIOBase):
    """Pieces of bytes as a readable stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = memoryview(next(self._pieces, b""))
        taken = self._left[: len(buffer)]
        buffer[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)
