"""Which objects are looked at together, and which rows chance chose. Pure."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TypeVar

from sfexit.verify.live import asking
from sfexit.verify.live.archived import Archived

T = TypeVar("T")


def cut(values_: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Parts of at most `size`."""
    for at in range(0, len(values_), size):
        yield values_[at : at + size]


def groups(todo: Sequence[Archived]) -> list[tuple[Archived, ...]]:
    """Large objects alone, largest first; small ones five together, as one call takes them."""
    large = sorted((one for one in todo if one.rows > asking.SMALL_ROWS), key=lambda one: -one.rows)
    small = [one for one in todo if one.rows <= asking.SMALL_ROWS]
    return [(one,) for one in large] + [tuple(part) for part in cut(small, 5)]


def drawn(todo: Sequence[Archived], sample: int, seed: int) -> dict[str, tuple[int, ...]]:
    """Which rows of which object chance chose: every row of the archive is as likely."""
    eligible = sorted((one.name, one.rows) for one in todo if one.rows and "Id" in one.columns)
    total = sum(rows_ for _, rows_ in eligible)
    if total <= sample:
        return {name: tuple(range(rows_)) for name, rows_ in eligible}
    numbers = sorted(random.Random(seed).sample(range(total), sample))
    found: dict[str, tuple[int, ...]] = {}
    start = 0
    for name, rows_ in eligible:
        low, high = bisect_left(numbers, start), bisect_left(numbers, start + rows_)
        if high > low:
            found[name] = tuple(number - start for number in numbers[low:high])
        start += rows_
    return found
