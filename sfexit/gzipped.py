"""Gzip that notices when it was cut short.

Every common HTTP library returns a gzip body that ends early as a success when the HTTP
framing closed cleanly. So bodies are read raw and unpacked here, where the end of the stream
and anything behind it are checked. ISA-L does the work where it is installed; zlib is the same
interface, slower.
"""

from __future__ import annotations

import zlib as _zlib
from collections.abc import Iterator
from typing import Any

from sfexit.errors import DamagedAnswer

try:
    from isal import isal_zlib as _fast

    _engine: Any = _fast
    _LEVEL = 2  # ISA-L's best trade: about zlib's level 1 in size, four times its speed
    _errors: tuple[Any, ...] = (_fast.error, _zlib.error)
except ImportError:  # pragma: no cover - depends on the platform
    _engine = _zlib
    _LEVEL = 1
    _errors = (_zlib.error,)

_GZIP_WINDOW = 16 + 15
STEP_BYTES = 1 << 20  # unpacked bytes handed out at a time, so a bomb never fills the memory


class Gunzip:
    """Unpacks one gzip member fed in pieces; refuses a missing end and bytes behind the end."""

    def __init__(self, *, limit_bytes: int | None = None) -> None:
        self._engine = _engine.decompressobj(_GZIP_WINDOW)
        self._limit = limit_bytes
        self.out_bytes = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Unpack `piece`; yields at most STEP_BYTES at a time. Raises DamagedAnswer."""
        if self._engine.eof:
            if piece:
                raise DamagedAnswer("the gzip stream has bytes after its end")
            return
        while piece:
            try:
                out = self._engine.decompress(piece, STEP_BYTES)
            except _errors as error:
                raise DamagedAnswer("the gzip stream is damaged") from error
            self.out_bytes += len(out)
            if self._limit is not None and self.out_bytes > self._limit:
                raise DamagedAnswer(
                    f"the answer unpacks to more than the {self._limit:,} bytes allowed for one"
                )
            if out:
                yield out
            if self._engine.eof:
                if self._engine.unused_data:
                    raise DamagedAnswer("the gzip stream has bytes after its end")
                return
            piece = self._engine.unconsumed_tail
            if not out and not piece:
                return

    def finish(self) -> Iterator[bytes]:
        """Yield what is still held back, then insist that the stream really ended."""
        while not self._engine.eof:
            try:
                out = self._engine.decompress(b"", STEP_BYTES)
            except _errors as error:
                raise DamagedAnswer("the gzip stream is damaged") from error
            if not out:
                break
            self.out_bytes += len(out)
            if self._limit is not None and self.out_bytes > self._limit:
                raise DamagedAnswer(
                    f"the answer unpacks to more than the {self._limit:,} bytes allowed for one"
                )
            yield out
        if not self._engine.eof:
            raise DamagedAnswer("the gzip stream ends before its end mark")
        if self._engine.unused_data:
            raise DamagedAnswer("the gzip stream has bytes after its end")


class Gzip:
    """Packs bytes into one gzip member; deterministic (no name, no time)."""

    def __init__(self) -> None:
        self._engine = _engine.compressobj(_LEVEL, _engine.DEFLATED, _GZIP_WINDOW)

    def feed(self, piece: bytes) -> bytes:
        """Bytes of the stream that are ready; may be empty."""
        packed: bytes = self._engine.compress(piece)
        return packed

    def finish(self) -> bytes:
        """The rest of the stream, with its end mark."""
        packed: bytes = self._engine.flush()
        return packed


def gunzip_all(data: bytes, *, limit_bytes: int) -> bytes:
    """Unpack a whole small body. Raises DamagedAnswer."""
    unpacker = Gunzip(limit_bytes=limit_bytes)
    parts = [*unpacker.feed(data), *unpacker.finish()]
    return b"".join(parts)
