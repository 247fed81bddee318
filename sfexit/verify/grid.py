"""Where the values of a CSV text stand, found in its bytes all at once.

In a text in which every value is quoted (Bulk API 2.0 gives no other, and the archive writes no
other) the quotes say all: counted from the start, each one with an even number opens, each with an
odd number closes. What closes is followed by a comma, by a line end, or, where a value holds a
quote of its own, at once by the next that opens. So a few comparisons of whole arrays both prove
the form and give the place of every value; a text of any other form is no grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]

_QUOTE, _COMMA, _LF = 0x22, 0x2C, 0x0A


@dataclass(frozen=True, eq=False)
class Column:
    """The values of one column: where each begins and how many bytes it has, still escaped."""

    text: bytes
    starts: Places
    sizes: Places

    def of_size(self, size: int) -> tuple[Places, Bytes]:
        """The values of `size` bytes: their rows, and a matrix (values x bytes)."""
        which = np.flatnonzero(self.sizes == size)
        return which, self.first(size, which)

    def of_other_sizes(self, *sizes: int) -> Places:
        """The rows whose value is there, and has none of these sizes."""
        other = self.sizes != 0
        for size in sizes:
            other &= self.sizes != size
        return np.flatnonzero(other)

    def first(self, size: int, which: Places) -> Bytes:
        """The first `size` bytes from where values begin, whatever stands there; the text must be
        that long."""
        view = np.ndarray(
            (max(len(self.text) - size + 1, 0),), f"V{size}", buffer=self.text, strides=(1,)
        )
        starts = self.starts if len(which) == len(self.starts) else self.starts[which]
        return view[starts].view(np.uint8).reshape(len(which), size)

    def value(self, row: int) -> str:
        """One value as it is meant."""
        start = int(self.starts[row])
        raw = self.text[start : start + int(self.sizes[row])]
        return raw.decode("utf-8", "replace").replace('""', '"')

    def values(self, which: Places) -> list[str]:
        return [self.value(row) for row in which.tolist()]


@dataclass(frozen=True, eq=False)
class Grid:
    """The rows of a text; `starts` and `ends` are matrices (rows x columns) of places."""

    text: bytes
    starts: Places
    ends: Places

    @property
    def rows(self) -> int:
        return len(self.starts)

    def column(self, at: int) -> Column:
        starts = self.starts[:, at]
        return Column(self.text, starts, self.ends[:, at] - starts)


def grid(text: bytes, width: int) -> Grid | None:
    """The grid of whole rows of `width` values; None for a text of any other form."""
    data = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(data == _QUOTE)
    if not len(quotes) or len(quotes) & 1 or quotes[0] != 0 or quotes[-1] != len(text) - 2:
        return None
    opens, closes = quotes[0::2], quotes[1::2]
    after = data[closes + 1]
    ends = after != _QUOTE
    if not np.array_equal(opens[1:] - closes[:-1], 1 + ends[:-1]):
        return None
    if not ends.all():
        opens = opens[np.concatenate(([True], ends[:-1]))]
        closes, after = closes[ends], after[ends]
    if len(closes) % width:
        return None
    after = after.reshape(-1, width)
    if (after[:, -1] != _LF).any() or (after[:, :-1] != _COMMA).any():
        return None
    return Grid(text, (opens + 1).reshape(-1, width), closes.reshape(-1, width))


def written(rows: Sequence[Sequence[str]]) -> bytes:
    """Rows in the form that makes a grid."""
    lines = ['"' + '","'.join([v.replace('"', '""') for v in row]) + '"\n' for row in rows]
    return "".join(lines).encode()
