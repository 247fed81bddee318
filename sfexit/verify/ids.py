"""Record ids: are they well-formed, is each there once, and does what refers to them find them?

Flat in memory at any number of rows: ids go to the disk in sorted runs, and are then walked
through range by range, all objects and all relations side by side.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sfexit.verify.unpack import STEP

_WIDTH = 19  # an id and a line end
_EVERY = 256  # ids between two samples that are kept in memory
_RANGE = 200_000  # ids looked at together
_HELD = 200_000  # ids of a worker before they go to the disk

_UPPER = bytes(1 if 65 <= code <= 90 else 0 for code in range(256))
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345" + bytes(224)


def malformed(ids: Sequence[str]) -> list[str]:
    """Those that are not 18-character ids with the right check characters.

    The last 3 characters say which of the first 15 are upper-case letters
    (https://help.salesforce.com/s/articleView?id=000383751). Done for all ids at once: each
    step handles one character of every id.
    """
    together = "".join(ids)
    sizes = set(map(len, ids))
    if sizes - {18} or not (together.isascii() and (together.isalnum() or not together)):
        good = [i for i in ids if len(i) == 18 and i.isascii() and i.isalnum()]
        bad = [i for i in ids if not (len(i) == 18 and i.isascii() and i.isalnum())]
        return bad + malformed(good)
    data = together.encode("ascii")
    upper = data.translate(_UPPER)
    wrong: set[int] = set()
    for group in range(3):
        # Bytes added as one long number: no byte ever exceeds 31, so none runs over.
        total = sum(int.from_bytes(upper[5 * group + at :: 18], "little") << at for at in range(5))
        right = total.to_bytes(len(ids), "little").translate(_LETTERS)
        found = data[15 + group :: 18]
        if right != found:
            wrong.update(at for at, (a, b) in enumerate(zip(right, found, strict=True)) if a != b)
    return [ids[at] for at in sorted(wrong)]


@dataclass(frozen=True)
class Run:
    """Sorted ids in a file. `key` says whose: `Account` its own, `Contact.AccountId` a relation."""

    key: str
    file: str
    offset: int
    count: int
    last: str
    samples: tuple[str, ...]  # the first id, and every 256th after it


class RunWriter:
    """Collects ids and writes them as sorted runs into one file."""

    def __init__(self, path: Path) -> None:
        self.runs: list[Run] = []
        self._path, self._size = path, 0
        self._held: dict[str, list[str]] = {}
        self._refs: dict[str, set[str]] = {}
        self._count = 0

    def own(self, name: str, ids: Iterable[str]) -> None:
        """Ids of an object's rows: each one counts."""
        held = self._held.setdefault(name, [])
        before = len(held)
        held.extend(ids)
        self._more(len(held) - before)

    def refers(self, relation: str, ids: set[str]) -> None:
        """Ids that a column refers to: each one once."""
        held = self._refs.setdefault(relation, set())
        before = len(held)
        held |= ids
        self._more(len(held) - before)

    def _more(self, count: int) -> None:
        self._count += count
        if self._count >= _HELD:
            self.flush()

    def flush(self) -> None:
        """Write what is held. Raises OSError when there is no room."""
        if not self._count:
            return
        with self._path.open("ab", STEP) as file:
            for key, ids in (*self._held.items(), *self._refs.items()):
                found = sorted(ids)
                if not found:
                    continue
                file.write("\n".join(found).encode("ascii") + b"\n")
                samples = tuple(found[::_EVERY])
                self.runs.append(
                    Run(key, self._path.name, self._size, len(found), found[-1], samples)
                )
                self._size += _WIDTH * len(found)
        self._held, self._refs, self._count = {}, {}, 0


class Runs:
    """All runs together."""

    def __init__(self, folder: Path, runs: Sequence[Run]) -> None:
        self._runs = sorted(runs, key=lambda run: run.samples[0])
        self._files = {
            name: os.open(folder / name, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            for name in {run.file for run in runs}
        }

    def close(self) -> None:
        for file in self._files.values():
            os.close(file)

    def ranges(self) -> Iterator[dict[str, list[str]]]:
        """Range after range of the ids: key → the ids of that key in the range, unsorted."""
        samples = sorted(sample for run in self._runs for sample in run.samples)
        pivots = samples[:: max(1, _RANGE // _EVERY)]
        pivots = sorted(set(pivots))
        active: list[Run] = []
        waiting = iter(self._runs)
        coming = next(waiting, None)
        for at, low in enumerate(pivots):
            high = pivots[at + 1] if at + 1 < len(pivots) else None
            while coming is not None and (high is None or coming.samples[0] < high):
                active.append(coming)
                coming = next(waiting, None)
            found: dict[str, list[str]] = {}
            for run in active:
                ids = self._slice(run, low, high)
                if ids:
                    found.setdefault(run.key, []).extend(ids)
            active = [run for run in active if high is not None and run.last >= high]
            yield found

    def _slice(self, run: Run, low: str, high: str | None) -> list[str]:
        first = max(0, bisect_right(run.samples, low) - 1)
        # Equal ids may stand before the sample as well.
        while first > 0 and run.samples[first] >= low:
            first -= 1
        end = len(run.samples) if high is None else bisect_left(run.samples, high)
        start, stop = first * _EVERY, min(end * _EVERY, run.count)
        if stop <= start:
            return []
        size = (stop - start) * _WIDTH
        data = _read(self._files[run.file], size, run.offset + start * _WIDTH)
        ids = data.decode("ascii").split("\n")
        ids.pop()
        return ids[bisect_left(ids, low) : len(ids) if high is None else bisect_left(ids, high)]


def _read(file: int, size: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(file, size, offset)
    os.lseek(file, offset, os.SEEK_SET)  # pragma: no cover - Windows
    return os.read(file, size)  # pragma: no cover - Windows
