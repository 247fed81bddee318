r"""Counting rows by where they start, and looking at their ids on the way.

In the dialect of Bulk API 2.0 every value is quoted, quotes inside are doubled, and `Id` is the
first column. So a row starts with `\n"`, 18 letters and digits, `",` (`"\n` where there is no other
column). No text can look like that: inside a value a quote never stands alone, so `\n"` there is
followed by another quote, and where a value ends in LF, the closing quote is followed by a comma or
a line end. Nothing is known of quotes before or behind, so this count can only agree with the one
by row ends (`rows.py`) if both are right.

For text in another dialect the count comes out too low; where the two counts differ, the ids of the
page are not known and it has to be parsed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_LF, _QUOTE, _COMMA = 0x0A, 0x22, 0x2C
_ID = slice(2, 20)
_DELETED = slice(22, 28)  # behind `\n"001…AAA",`
_HEAD = 28  # bytes of a row that are looked at, with the LF before it
_TRUE = np.frombuffer(b'"true"', dtype=np.uint8)
_LETTER_OR_DIGIT = np.array([bytes([byte]).isalnum() for byte in range(256)])


class RowStarts:
    """Counts rows of a CSV text fed in arbitrary pieces. The header is not counted.

    `rows`, `deleted` (IsDeleted is true; only with `deleted_second`), `first_id` and `last_id`, and
    `ascending`: every id is greater than the one before, so no id comes twice. `ids`, where they
    are to be kept (18 bytes each), holds them in order.
    """

    def __init__(self, header: Sequence[str], *, keep_ids: bool = False) -> None:
        self.ids: list[bytes] | None = [] if keep_ids else None
        self._deleted_second = tuple(header[1:2]) == ("IsDeleted",)
        self._behind = _LF if len(header) == 1 else _COMMA
        self.rows = 0
        self.deleted = 0
        self.first_id = b""
        self.last_id = b""
        self.ascending = True
        self._tail = b""

    def feed(self, piece: bytes) -> None:
        """Look at `piece`."""
        text = self._tail + piece
        self._look(text)
        self._tail = text[-(_HEAD - 1) :]  # a row start in here is not complete

    def finish(self) -> None:
        """The text is over: nothing follows the last row."""
        self._look(self._tail + bytes(_HEAD - 1))
        self._tail = b""

    def _look(self, text: bytes) -> None:
        """Take every row start that is wholly within `text`."""
        places = len(text) - _HEAD + 1
        if places <= 0:
            return
        seen = np.frombuffer(text, dtype=np.uint8)
        at = np.flatnonzero(seen[:places] == _LF)
        at = at[seen[at + 1] == _QUOTE]
        # The head of a row at each place of the text, without copying any.
        every = np.ndarray((places,), dtype=f"V{_HEAD}", buffer=text, strides=(1,))
        heads = every[at].view(np.uint8).reshape(-1, _HEAD)
        right = (
            (heads[:, 20] == _QUOTE)
            & (heads[:, 21] == self._behind)
            & _LETTER_OR_DIGIT[heads[:, _ID]].all(axis=1)
        )
        if not right.all():
            heads = heads[right]
        if len(heads):
            self._take(heads)

    def _take(self, heads: NDArray[np.uint8]) -> None:
        ids = np.ascontiguousarray(heads[:, _ID]).view("S18").ravel()
        self.rows += len(ids)
        if self.ids is not None:
            self.ids += ids.tolist()
        if self._deleted_second:
            self.deleted += int((heads[:, _DELETED] == _TRUE).all(axis=1).sum())
        if self.ascending:
            self.ascending = self.last_id < bytes(ids[0]) and bool((ids[1:] > ids[:-1]).all())
        if not self.first_id:
            self.first_id = bytes(ids[0])
        self.last_id = bytes(ids[-1])
