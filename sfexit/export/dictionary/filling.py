"""How often each column of an object's table is filled: counted in the pages of the bag."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sfexit.archive.row_blocks import blocks
from sfexit.archive.stored_rows import whole_rows

# Counting unpacks and parses, which costs more than everything else that is done with a row. So
# beyond this many rows of one object only so many are counted, at places spread evenly.
MOST_ROWS = 20_000
_PLACES = 10


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

    Raises PageDamaged for a page that is not what was written (the reading back will tell),
    DiskTrouble, and what `go_on` raises, which is called before each page.
    """
    filled = np.zeros(len(header), np.int64)
    seen = 0
    for page, most in chosen(pages, most_rows):
        go_on()
        here = 0
        for block in blocks(bag / page["path"], None, header):
            filled += block.filled(most - here)
            here += min(block.rows, most - here)
            if here >= most:
                break
        seen += here
    return Filled(seen, dict(zip(header, filled.tolist(), strict=True)))


def rows(bag: Path, pages: Sequence[dict[str, Any]], header: Sequence[str]) -> Iterator[list[str]]:
    """All rows of an object, as text; raises as `count` does."""
    for page in pages:
        yield from whole_rows(bag / page["path"], header)


def chosen(pages: Sequence[dict[str, Any]], most_rows: int) -> list[tuple[dict[str, Any], int]]:
    """Pages with how many of their first rows to count: all of all, or a part of a few pages that
    are spread evenly, at most `most_rows` together."""
    if sum(page["rows"] for page in pages) <= most_rows:
        return [(page, page["rows"]) for page in pages]
    wanted = min(_PLACES, len(pages), most_rows)
    return [(pages[at * len(pages) // wanted], most_rows // wanted) for at in range(wanted)]
