"""Comparing two sets of pages of one object, row by row, in little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sfexit.archive import layout
from sfexit.archive.page import csv_rows
from sfexit.archive.row_blocks import Block, blocks
from sfexit.archive.stored_rows import whole_rows
from sfexit.errors import DiskTrouble
from sfexit.export.arriving import Arriving
from sfexit.export.means import Means
from sfexit.export.refresh import marks
from sfexit.export.refresh.marks import MARK, Difference, Marker
from sfexit.export.refresh.runs import Records, Runs, join
from sfexit.gzipped import Gzip

COLUMNS = ("id", "what", "page", "before")
_BATCH = 50_000  # rows whose marks are held at a time
_LINES = 2_000

Page = dict[str, Any]


def scratch(means: Means) -> AbstractContextManager[str]:
    """A folder for marks inside the home, never /tmp: ids are the customer's data."""
    # A run that finds such a folder of one before it removes it.
    return TemporaryDirectory(dir=means.home.work, prefix="ids-")


def marks_of(
    path: Path,
    kind: np.dtype[Any],
    bag: Path,
    pages: Iterable[Page],
    header: Sequence[str],
    mark: Callable[[Block, int], Records],
    means: Means,
) -> Runs:
    """The marks of all rows of `pages`, to be had sorted by id. Few objects do that at a time.

    Raises PageDamaged, DiskTrouble; NotComparable.
    """
    runs = Runs(path, kind)
    try:
        for number, page in enumerate(pages):
            means.go_on()
            batch: list[Records] = []
            with means.verifying:
                for block in blocks(layout.within(bag, page["path"]), page, header):
                    batch.append(mark(block, number))
                    if sum(map(len, batch)) >= _BATCH:
                        runs.add(np.concatenate(batch))
                        batch = []
                if batch:
                    runs.add(np.concatenate(batch))
    except OSError as error:
        raise DiskTrouble(f"{path.parent} cannot be written: {error.strerror}") from error
    return runs


def compared(
    means: Means,
    folder: Path,
    old: tuple[Path, Sequence[Page], Sequence[str], Marker],
    new: tuple[Path, Sequence[Page], Sequence[str], Marker],
) -> Iterator[tuple[Difference, bool]]:
    """The rows that differ, by id, each with whether its stamp in the org is a settled one.

    `old` and `new` are each the bag, its pages, their header and what marks their rows.
    """
    before = marks_of(folder / "old", MARK, *old[:3], old[3].marks, means)
    after = marks_of(folder / "new", MARK, *new[:3], new[3].marks, means)
    for a, b, places in join(before, after):
        yield from marks.differences(a, b, places)


def publish_differences(
    means: Means,
    object_name: str,
    pages: Sequence[Page],
    differences: Iterable[Difference],
) -> str:
    """Write the differences of an object into the bag's evidence, and journal the file."""
    relative = layout.differences_path(means.names[object_name])
    arriving = Arriving(means, relative)
    try:
        take = arriving.begin()
        for piece in _pieces(pages, differences):
            take(piece)
        arriving.written()
        arriving.publish()
    except BaseException:
        arriving.discard()
        raise
    return relative


def _pieces(pages: Sequence[Page], differences: Iterable[Difference]) -> Iterator[bytes]:
    packer = Gzip()
    yield packer.feed(csv_rows([COLUMNS]))
    lines: list[list[str]] = []
    for one in differences:
        page = "" if one.page is None else str(pages[one.page]["path"])
        lines.append([one.id, one.what, page.removeprefix(f"{layout.DATA}/"), one.before])
        if len(lines) >= _LINES:
            yield packer.feed(csv_rows(lines))
            lines = []
    yield packer.feed(csv_rows(lines))
    yield packer.finish()


def stored_differences(means: Means, relative: str, pages: Sequence[Page]) -> Iterator[Difference]:
    """The differences that were published. Raises PageDamaged, DiskTrouble."""
    numbers = {
        str(page["path"]).removeprefix(f"{layout.DATA}/"): number
        for number, page in enumerate(pages)
    }
    for row in whole_rows(layout.within(means.bag, relative), COLUMNS):
        yield Difference(row[0], row[1], numbers.get(row[2]), row[3])
