"""Counting CSV rows by where they end, while they stream past.

A row ends at each LF that has an even number of quotes before it. Only whether that number is odd
matters, so the quotes between two LFs are folded by XOR, and these bits once more along the LFs.
All of it happens in numpy, which lets other threads run meanwhile.
"""

from __future__ import annotations

import numpy as np

_QUOTE, _LF = 0x22, 0x0A
_BOM = b"\xef\xbb\xbf"


class RowCounter:
    """Counts rows (the header among them) of a CSV text fed in arbitrary pieces."""

    def __init__(self) -> None:
        self.rows = 0
        self.bytes = 0
        self._inside = 0
        self._last = b""

    def feed(self, piece: bytes) -> None:
        """Count the row ends in `piece`."""
        if not piece:
            return
        self.bytes += len(piece)
        self._last = piece[-1:]
        text = np.frombuffer(piece, dtype=np.uint8)
        ends = np.flatnonzero(text == _LF)
        # Each stretch begins at the LF before it, which is no quote.
        stretches = np.concatenate(([0], ends))
        odd = np.bitwise_xor.reduceat((text == _QUOTE).view(np.uint8), stretches)
        odd[0] ^= self._inside
        inside = np.bitwise_xor.accumulate(odd)
        self.rows += len(ends) - int(np.count_nonzero(inside[:-1]))
        self._inside = int(inside[-1])

    @property
    def open_quote(self) -> bool:
        """True while the text so far ends inside a quoted value."""
        return bool(self._inside)

    @property
    def ends_with_newline(self) -> bool:
        """True when the last byte so far is LF."""
        return self._last == b"\n"


class HeaderReader:
    """Picks the first row out of a stream; the header holds API names, never line breaks.

    `names` is None until the whole first line went by. A byte-order mark is skipped. A header
    line that ends in CR LF tells in `crlf` that the page does not have the line ends asked for.
    """

    _LIMIT_BYTES = 1 << 20  # 800 columns of 80 characters are 66 kB

    def __init__(self) -> None:
        self.names: tuple[str, ...] | None = None
        self.crlf = False
        self.bom = False
        self.too_long = False
        self._held = bytearray()

    def feed(self, piece: bytes) -> None:
        """Look at `piece` until the first line is complete."""
        if self.names is not None or self.too_long:
            return
        end = piece.find(b"\n")
        self._held += piece if end < 0 else piece[: end + 1]
        if end < 0:
            self.too_long = len(self._held) > self._LIMIT_BYTES
            return
        line = bytes(self._held[:-1])
        self._held.clear()
        if line.startswith(_BOM):
            self.bom, line = True, line[len(_BOM) :]
        if line.endswith(b"\r"):
            self.crlf, line = True, line[:-1]
        cells = line.decode("utf-8", "replace").split(",")
        self.names = tuple(cell[1:-1] if cell[:1] == cell[-1:] == '"' else cell for cell in cells)
