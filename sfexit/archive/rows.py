"""Counting CSV rows while they stream past, at the speed of the wire.

A row ends at each LF that has an even number of quotes before it. Instead of walking the text,
each chunk is boiled down with three C-speed steps: keep only quotes and LFs; drop the quotes in
pairs (a pair never changes the parity of what follows, and in this alphabet neighbours have no
LF between them); then every quote that is left toggles between inside and outside.
"""

from __future__ import annotations

_NEITHER_QUOTE_NOR_LF = bytes(b for b in range(256) if b not in (0x22, 0x0A))
_BOM = b"\xef\xbb\xbf"


class RowCounter:
    """Counts rows (the header among them) of a CSV text fed in arbitrary pieces."""

    def __init__(self) -> None:
        self.rows = 0
        self.bytes = 0
        self._inside = False
        self._last = b""

    def feed(self, piece: bytes) -> None:
        """Count the row ends in `piece`."""
        if not piece:
            return
        self.bytes += len(piece)
        self._last = piece[-1:]
        boiled = piece.translate(None, _NEITHER_QUOTE_NOR_LF).replace(b'""', b"")
        parts = boiled.split(b'"')
        outside = parts[1::2] if self._inside else parts[0::2]
        self.rows += sum(map(len, outside))
        if len(parts) % 2 == 0:
            self._inside = not self._inside

    @property
    def open_quote(self) -> bool:
        """True while the text so far ends inside a quoted value."""
        return self._inside

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
