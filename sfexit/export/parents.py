"""The values that a walk filters by: gathered once for a reading, kept in work/ beside the journal.

A list holds each value once, in order, all lines of the same width, so that a slice's values are
read from their place however long the list is. It is made by merging sorted runs on the disk:
memory stays small with millions of parents.
"""

from __future__ import annotations

import hashlib
import heapq
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sfexit.archive import layout
from sfexit.archive.durable import Disk, telling
from sfexit.errors import ArchiveProblem

_RUN = 200_000  # values sorted at once, about 20 MB
_WRITE_LINES = 4_000


@dataclass(frozen=True)
class Values:
    """A list of values on the disk: how many, how wide its lines are, and its digest."""

    path: Path
    count: int
    width: int
    sha256: str

    def read(self, start: int, end: int) -> list[str]:
        """The values from `start` to before `end`. Raises ArchiveProblem."""
        try:
            with self.path.open("rb") as handle:
                handle.seek(start * self.width)
                data = handle.read((end - start) * self.width)
        except OSError as error:
            raise ArchiveProblem(f"{self.path} cannot be read: {error.strerror}") from error
        found = data.decode("utf-8").split("\n")[:-1]
        if len(data) != (end - start) * self.width:
            raise ArchiveProblem(f"{self.path} is shorter than it was")
        return [one.rstrip(" ") for one in found]

    def whole(self) -> set[str]:
        """All values at once, for short lists."""
        return set(self.read(0, self.count))


def place(work: Path, safe_name: str) -> Path:
    """Where the list of an object lies."""
    return work / layout.WORK_PARENTS / f"{safe_name}.txt"


def find(path: Path, sha256: str) -> Values | None:
    """The list that was made before, if it still is what it was."""
    digest, size, width = hashlib.sha256(), 0, 0
    try:
        with path.open("rb") as handle:
            first = handle.readline()
            width = len(first)
            handle.seek(0)
            while piece := handle.read(1 << 20):
                digest.update(piece)
                size += len(piece)
    except OSError:
        return None
    if digest.hexdigest() != sha256:
        return None
    return Values(path, size // width if width else 0, width or 1, sha256)


def make(disk: Disk, path: Path, values: Iterable[str], before: Values | None = None) -> Values:
    """Write a list of `values`, each once, in order; behind those of the list `before`, if any.

    Values that are longer than 255 bytes or hold line breaks must not come. Raises DiskTrouble.
    """
    disk.make_folder(path.parent)
    runs = path.with_name(path.name + ".runs")
    shutil.rmtree(runs, ignore_errors=True)
    with telling(runs):
        runs.mkdir(mode=0o700)
    try:
        made, width = _sorted_runs(runs, values)
        known = before.whole() if before is not None else frozenset[str]()
        width = max(width, before.width if before is not None else 0)
        return _merged(disk, path, made, width, before, known)
    finally:
        shutil.rmtree(runs, ignore_errors=True)


def _sorted_runs(folder: Path, values: Iterable[str]) -> tuple[list[Path], int]:
    made: list[Path] = []
    width = 1
    stream = iter(values)
    while run := sorted(set(islice(stream, _RUN))):
        width = max(width, 1 + max(len(one.encode()) for one in run))
        made.append(folder / f"{len(made):05d}")
        with telling(made[-1]):
            made[-1].write_text("".join(f"{one}\n" for one in run), "utf-8", newline="\n")
    return made, width


def _merged(
    disk: Disk,
    path: Path,
    runs: list[Path],
    width: int,
    before: Values | None,
    known: Iterable[str],
) -> Values:
    part = path.with_name(path.name + layout.PART_SUFFIX)
    disk.remove(part)
    digest, count = hashlib.sha256(), 0
    with ExitStack() as opened:
        handle = disk.create(part)
        opened.callback(handle.close)
        files = [opened.enter_context(run.open(encoding="utf-8")) for run in runs]
        lines: list[bytes] = []

        def flush() -> None:
            data = b"".join(lines)
            lines.clear()
            digest.update(data)
            disk.write(handle, data)

        for value in _all(files, before, frozenset(known)):
            raw = value.encode()
            lines.append(raw + b" " * (width - 1 - len(raw)) + b"\n")
            count += 1
            if len(lines) >= _WRITE_LINES:
                flush()
        flush()
        disk.sync(handle)
    disk.publish(part, path)
    return Values(path, count, width, digest.hexdigest())


def _value(line: str) -> str:
    return line.rstrip("\n")


def _all(
    files: Sequence[Iterable[str]], before: Values | None, known: frozenset[str]
) -> Iterator[str]:
    if before is not None:
        yield from before.read(0, before.count)
    last = None
    for value in heapq.merge(*(map(_value, lines) for lines in files)):
        if value != last and value not in known:
            yield value
        last = value
