"""Whether the values of a column look as their type says: many at once, one by one only in doubt.

What values look like: Bulk API 2.0 Developer Guide, "Valid Data Types".
"""

from __future__ import annotations

import contextlib
import re

import numpy as np

from sfexit.verify.grid import Bytes, Column, Places

_DIGITS = bytes(48 if 48 <= code <= 57 else code for code in range(256))
_NUMBERS = frozenset({"integer", "number"})
_NUMBER = re.compile(r"[-+0-9.eE]+")
_LONGEST_NUMBER = 40  # none of Salesforce's is longer in the usual form
#: With every digit as 0, the usual form first.
_SHAPES = {
    "date": (b"0000-00-00",),
    "datetime": (b"0000-00-00T00:00:00.000Z", b"0000-00-00T00:00:00.000+0000"),
    "time": (b"00:00:00.000Z", b"00:00:00.000"),
}
CHECKED = frozenset({"boolean", *_NUMBERS, *_SHAPES})


def odd(column: Column, kind: str) -> set[str]:
    """The values that are not of a type in `CHECKED`. No value at all is right for every type."""
    if kind == "boolean":
        return _booleans(column)
    return _numbers(column) if kind in _NUMBERS else _moments(column, kind)


def count_true(column: Column) -> int:
    """How many values say true."""
    which, _ = column.of_size(4)
    return len(which) - len(_unlike(column, b"true"))


def _letters(text: bytes) -> Bytes:
    return np.frombuffer(text, np.uint8)


def _unlike(column: Column, text: bytes) -> Places:
    """Rows whose value is as long as `text` but another."""
    which, found = column.of_size(len(text))
    return _others(which, found.tobytes(), text)


def _others(which: Places, found: bytes, text: bytes) -> Places:
    """Of values as long as `text`, joined in `found`, the rows of those that are another."""
    if found == text * len(which):
        return which[:0]
    unlike = _letters(found).reshape(-1, len(text)) != _letters(text)
    return which[np.flatnonzero(unlike.any(axis=1))]


def _booleans(column: Column) -> set[str]:
    wrong = [_unlike(column, b"true"), _unlike(column, b"false"), column.of_other_sizes(4, 5)]
    return set(column.values(np.concatenate(wrong)))


def _moments(column: Column, kind: str) -> set[str]:
    shapes = _SHAPES[kind]
    wrong = [column.of_other_sizes(*map(len, shapes))]
    for shape in shapes:
        which, found = column.of_size(len(shape))
        wrong.append(_others(which, found.tobytes().translate(_DIGITS), shape))
    return set(column.values(np.concatenate(wrong)))


def _numbers(column: Column) -> set[str]:
    """Digits with at most one point and perhaps a sign before them are numbers; what else looks
    like one is asked of `float`."""
    longest = int(column.sizes.max(initial=0))
    present = np.flatnonzero(column.sizes > 0)
    doubtful = present
    if 0 < longest <= _LONGEST_NUMBER and len(present):
        room = len(column.text) - longest
        near = column.starts[present] <= room  # the others stand at the very end of the text
        doubtful, present = present[~near], present[near]
        sizes = column.sizes[present]
        found = np.ascontiguousarray(column.first(longest, present).T)  # (bytes x values)
        beyond = np.arange(longest)[:, None] >= sizes
        digits = (found - np.uint8(48)) < 10
        points = (found == 46) & ~beyond
        plain = digits | points | beyond
        plain[0] |= (found[0] == 45) & (sizes > 1)
        good = plain.all(axis=0) & (np.add.reduce(points, axis=0, dtype=np.uint8) <= 1)
        good &= digits[sizes - 1, np.arange(len(sizes))]
        doubtful = np.concatenate((doubtful, present[~good]))
    return {value for value in column.values(doubtful) if not _is_number(value)}


def _is_number(value: str) -> bool:
    if _NUMBER.fullmatch(value):
        with contextlib.suppress(ValueError):
            float(value)
            return True
    return False
