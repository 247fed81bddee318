"""Records sorted by id, however many: kept on disk in sorted runs, given back merged.

Records are rows of a numpy array whose field `id` comes first. Pages of an org mostly come in the
order of their ids, and then there is nothing to merge; where they do not, sorting and merging are
done for thousands of records at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ID = "S18"
_MOST = 1 << 16  # records read at a time, from all runs together
_FEWEST = 1 << 9  # from each run

Records = NDArray[Any]


class Runs:
    """Records of one kind. Add batches, then ask for the blocks once they are all there; memory
    holds a batch, or a block of each run."""

    def __init__(self, path: Path, kind: np.dtype[Any]) -> None:
        self._path = path
        self._kind = kind
        self._runs: list[list[tuple[int, int]]] = []  # each a chain of (offset, records)
        self._last: list[bytes] = []  # last id of each chain
        self._end = 0

    def add(self, records: Records) -> None:
        """Take a batch, in any order."""
        if not len(records):
            return
        records = _in_order(records)
        with self._path.open("ab") as handle:
            handle.write(records.tobytes())
        extent = (self._end, len(records))
        self._end += len(records) * self._kind.itemsize
        first, last = bytes(records["id"][0]), bytes(records["id"][-1])
        for number, before in enumerate(self._last):
            if before < first:
                self._runs[number].append(extent)
                self._last[number] = last
                return
        self._runs.append([extent])
        self._last.append(last)

    def blocks(self) -> Iterator[Records]:
        """All records, sorted by id, in blocks of any size but none."""
        most = max(_FEWEST, _MOST // max(1, len(self._runs)))
        chains = [self._chain(extents, most) for extents in self._runs]
        if len(chains) == 1:
            yield from chains[0]
            return
        heads = [next(chain) for chain in chains]
        while heads:
            # Up to the least of the last ids everything is in memory.
            bound = min(bytes(head["id"][-1]) for head in heads)
            taken, left, going = [], [], []
            for head, chain in zip(heads, chains, strict=True):
                cut = _through(head, bound)
                taken.append(head[:cut])
                rest = head[cut:] if cut < len(head) else next(chain, None)
                if rest is not None:
                    left.append(rest)
                    going.append(chain)
            heads, chains = left, going
            yield _in_order(np.concatenate(taken))

    def _chain(self, extents: list[tuple[int, int]], most: int) -> Iterator[Records]:
        size = self._kind.itemsize
        for offset, count in extents:
            for at in range(0, count, most):
                # Opened anew each time: there may be more runs than files a process may open.
                with self._path.open("rb") as handle:
                    handle.seek(offset + at * size)
                    block = handle.read(min(most, count - at) * size)
                yield np.frombuffer(block, dtype=self._kind)


def _in_order(records: Records) -> Records:
    ids = records["id"]
    if (ids[1:] > ids[:-1]).all():
        return records
    # An id that comes more than once stands in an order that does not depend on the pages.
    rest = [records[name] for name in reversed(records.dtype.names or ()) if name != "id"]
    ordered: Records = records[np.lexsort([*rest, ids])]
    return ordered


def _through(records: Records, bound: bytes) -> int:
    """How many of sorted records have an id up to `bound`."""
    return int(np.searchsorted(records["id"], np.array(bound, dtype=ID), side="right"))


def join(left: Runs, right: Runs) -> Iterator[tuple[Records, Records, NDArray[np.int64]]]:
    """Both side by side: stretches of records that hold the same range of ids, and for each record
    on the left the place of its id on the right, -1 where there is none."""
    none_left, none_right = np.empty(0, left._kind), np.empty(0, right._kind)
    ones, others = left.blocks(), right.blocks()
    a, b = next(ones, None), next(others, None)
    while a is not None and b is not None:
        bound = min(bytes(a["id"][-1]), bytes(b["id"][-1]))
        i, j = _through(a, bound), _through(b, bound)
        yield a[:i], b[:j], _places(a["id"][:i], b["id"][:j])
        a = a[i:] if i < len(a) else next(ones, None)
        b = b[j:] if j < len(b) else next(others, None)
    while a is not None:
        yield a, none_right, np.full(len(a), -1)
        a = next(ones, None)
    while b is not None:
        yield none_left, b, np.empty(0, np.int64)
        b = next(others, None)


def _places(ids: NDArray[np.bytes_], among: NDArray[np.bytes_]) -> NDArray[np.int64]:
    if len(ids) == len(among) and (ids == among).all():
        return np.arange(len(ids))
    if not len(among):
        return np.full(len(ids), -1)
    places = np.searchsorted(among, ids)
    if len(ids) and (ids[1:] == ids[:-1]).any():
        # The second row of an id belongs to the second there.
        places += np.arange(len(ids)) - np.searchsorted(ids, ids)
    near = np.minimum(places, len(among) - 1)
    return np.where((places < len(among)) & (among[near] == ids), places, -1)


def among(ids: NDArray[np.bytes_], listed: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Which ids stand on a sorted list."""
    places = np.minimum(np.searchsorted(listed, ids), len(listed) - 1)
    found: NDArray[np.bool_] = listed[places] == ids
    return found


def unmatched(right: Records, places: NDArray[np.int64]) -> Records:
    """The records of the right that no record of the left has a place at."""
    alone = np.ones(len(right), dtype=np.bool_)
    alone[places[places >= 0]] = False
    rest: Records = right[alone]
    return rest


class Lists:
    """Ids dealt out to numbered lists on disk, so that each list can be had by itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, numbers: NDArray[Any], ids: NDArray[np.bytes_]) -> None:
        """Put each id on the list of its number."""
        if not len(ids):
            return
        order = np.argsort(numbers, kind="stable")
        numbers, ids = numbers[order], ids[order]
        found, starts = np.unique(numbers, return_index=True)
        for number, part in zip(found.tolist(), np.split(ids, starts[1:]), strict=True):
            with self._path(number).open("ab") as handle:
                handle.write(part.tobytes())

    def take(self, number: int) -> NDArray[np.bytes_]:
        """All ids on a list, sorted."""
        path = self._path(number)
        data = path.read_bytes() if path.exists() else b""
        return np.sort(np.frombuffer(data, dtype=ID))

    def _path(self, number: int) -> Path:
        return self._folder / f"list-{number}"
