"""Ids on the disk: of every object, and of everything that refers to one.

Flat in memory at any number of rows: keys go to the disk in sorted runs, and are then walked
through range by range, all objects and all relations side by side.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sfexit.verify.ids import Keys, each_once, in_order, keys_of

_WIDTH = 16  # bytes of a key
_EVERY = 256  # ids between two samples that are kept in memory
_RANGE = 200_000  # ids looked at together
_HELD = 200_000  # ids of a worker before they go to the disk
_BUFFER = 1 << 20


@dataclass(frozen=True)
class Run:
    """Sorted keys in a file. `key` says whose: `Account` its own, `Contact.AccountId` a relation.

    Keys in memory are single numbers here: the first part times 2 to the 64, and the second.
    """

    key: str
    file: str
    offset: int
    count: int
    last: int
    samples: tuple[int, ...]  # the first key, and every 256th after it


class RunWriter:
    """Collects ids and writes them as sorted runs into one file."""

    def __init__(self, path: Path) -> None:
        self.runs: list[Run] = []
        self._path, self._size = path, 0
        self._held: dict[str, list[Keys]] = {}
        self._texts: dict[str, list[str]] = {}
        self._refs: dict[str, list[Keys]] = {}
        self._count = 0

    def own(self, name: str, keys: Keys) -> None:
        """Keys of an object's rows: each one counts."""
        self._held.setdefault(name, []).append(keys)
        self._more(len(keys))

    def own_id(self, name: str, record: str) -> None:
        """One well-formed id, as `own`."""
        self._texts.setdefault(name, []).append(record)
        self._more(1)

    def refers(self, relation: str, keys: Keys) -> None:
        """Keys that a column refers to: how often does not count."""
        if len(keys):
            keys = each_once(keys)
            self._refs.setdefault(relation, []).append(keys)
            self._more(len(keys))

    def _more(self, count: int) -> None:
        self._count += count
        if self._count >= _HELD:
            self.flush()

    def flush(self) -> None:
        """Write what is held. Raises OSError when there is no room."""
        if not self._count:
            return
        for name, ids in self._texts.items():
            self._held.setdefault(name, []).append(keys_of(ids))
        with self._path.open("ab", _BUFFER) as file:
            for key, parts in self._held.items():
                self._write(file, key, in_order(np.concatenate(parts)))
            for key, parts in self._refs.items():
                self._write(file, key, each_once(np.concatenate(parts)))
        self._held, self._texts, self._refs, self._count = {}, {}, {}, 0

    def _write(self, file: BinaryIO, key: str, keys: Keys) -> None:
        if not len(keys):
            return
        file.write(keys.tobytes())
        samples = tuple(map(_number, keys[::_EVERY]))
        run = Run(key, self._path.name, self._size, len(keys), _number(keys[-1]), samples)
        self.runs.append(run)
        self._size += _WIDTH * len(keys)


def _number(key: Keys) -> int:
    return int(key[0]) << 64 | int(key[1])


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

    def ranges(self) -> Iterator[dict[str, Keys]]:
        """Range after range of the ids: key → the keys of that in the range, unsorted."""
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
            found: dict[str, list[Keys]] = {}
            for run in active:
                keys = self._slice(run, low, high)
                if len(keys):
                    found.setdefault(run.key, []).append(keys)
            active = [run for run in active if high is not None and run.last >= high]
            yield {key: np.concatenate(parts) for key, parts in found.items()}

    def _slice(self, run: Run, low: int, high: int | None) -> Keys:
        first = max(0, bisect_right(run.samples, low) - 1)
        # Equal keys may stand before the sample as well.
        while first > 0 and run.samples[first] >= low:
            first -= 1
        end = len(run.samples) if high is None else bisect_left(run.samples, high)
        start, stop = first * _EVERY, min(end * _EVERY, run.count)
        if stop <= start:
            return np.empty((0, 2), np.uint64)
        size = (stop - start) * _WIDTH
        data = _read(self._files[run.file], size, run.offset + start * _WIDTH)
        keys = np.frombuffer(data, np.uint64).reshape(-1, 2)
        return keys[_place(keys, low) : len(keys) if high is None else _place(keys, high)]


def _place(keys: Keys, number: int) -> int:
    """How many of the sorted keys are smaller."""
    first, second = np.uint64(number >> 64), np.uint64(number & (1 << 64) - 1)
    start, end = np.searchsorted(keys[:, 0], first), np.searchsorted(keys[:, 0], first, "right")
    return int(start + np.searchsorted(keys[start:end, 1], second))


def _read(file: int, size: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(file, size, offset)
    os.lseek(file, offset, os.SEEK_SET)  # pragma: no cover - Windows
    return os.read(file, size)  # pragma: no cover - Windows
