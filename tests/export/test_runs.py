"""Sorted runs on disk, merged and joined, against sorting in memory."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.export.refresh import runs
from sfexit.export.refresh.runs import ID, Lists, Runs, join, unmatched

KIND = np.dtype([("id", ID), ("value", "<i8")])
batches = st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=12),
                   max_size=6)  # fmt: skip


def ident(number: int) -> bytes:
    return b"a01%015d" % number


def filled(path: Path, given: list[list[tuple[int, int]]]) -> Runs:
    made = Runs(path, KIND)
    for batch in given:
        made.add(np.array([(ident(n), value) for n, value in batch], KIND))
    return made


@settings(max_examples=200, deadline=None)
@given(batches, batches, st.integers(1, 5))
def test_joined_as_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
    left: list[list[tuple[int, int]]],
    right: list[list[tuple[int, int]]],
    most: int,
) -> None:
    folder = tmp_path_factory.mktemp("r")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_MOST", most)
        patch.setattr(runs, "_FEWEST", most)
        one, other = filled(folder / "one", left), filled(folder / "other", right)
        merged = [tuple(row) for block in one.blocks() for row in block.tolist()]
        assert [row[0] for row in merged] == sorted(ident(n) for batch in left for n, _ in batch)
        assert sorted(merged) == sorted((ident(n), v) for batch in left for n, v in batch)
        both, only_left, only_right = [], [], []
        for a, b, places in join(one, other):
            for row, place in zip(a, places.tolist(), strict=True):
                if place < 0:
                    only_left.append(bytes(row["id"]))
                else:
                    assert row["id"] == b[place]["id"]
                    both.append(bytes(row["id"]))
            only_right += unmatched(b, places)["id"].tolist()
    first = {n for batch in left for n, _ in batch}
    second = {n for batch in right for n, _ in batch}
    assert set(both) == {ident(n) for n in first & second}
    # No row is lost or told twice, also where an id comes more than once.
    assert len(both) + len(only_left) == sum(map(len, left))
    assert len(both) + len(only_right) == sum(map(len, right))
    if len(first) == sum(map(len, left)) and len(second) == sum(map(len, right)):
        assert set(only_left) == {ident(n) for n in first - second}
        assert set(only_right) == {ident(n) for n in second - first}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 99)), max_size=9), max_size=4))
def test_lists(
    tmp_path_factory: pytest.TempPathFactory, dealt: list[list[tuple[int, int]]]
) -> None:
    lists = Lists(tmp_path_factory.mktemp("l"))
    for some in dealt:
        lists.add(
            np.array([n for n, _ in some], np.int64), np.array([ident(i) for _, i in some], ID)
        )
    every = sorted(pair for some in dealt for pair in some)
    by_number = {n: [ident(i) for _, i in found] for n, found in groupby(every, lambda p: p[0])}
    for number in range(5):
        assert lists.take(number).tolist() == by_number.get(number, [])
