"""Reading stored files to their end: digests, gzip, CSV. The verifier's own way of doing it."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sfexit.verify.bag import open_file

try:
    import isal.isal_zlib as _isal
except ImportError:  # pragma: no cover - a machine for which there is no build of it
    _isal = None  # type: ignore[assignment,unused-ignore]

_zlib: Any = _isal or zlib
_ERRORS: tuple[type[Exception], ...] = (zlib.error, _zlib.error)

STEP = 1 << 20  # bytes read at a time
#: No text of Salesforce comes near: a long text area ends at 131,072 characters.
LONGEST_VALUE = 64 << 20
#: For packed files of which nothing says how large they are.
LARGEST_UNPACKED = 4 << 30


class Broken(Exception):
    """A file is not, to its end, what it should be. `code` is that of the finding."""

    def __init__(self, code: str, found: str, expected: str = "") -> None:
        super().__init__(found)
        self.code, self.found, self.expected = code, found, expected


class Stored:
    """The bytes of a file as they are stored; digested on the way."""

    def __init__(self, bag: Path, relative: str, *, md5: bool = False) -> None:
        """Raises OSError, ValueError."""
        self._file = open_file(bag, relative)
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False) if md5 else None
        self.bytes = 0

    def read(self, size: int = STEP) -> bytes:
        piece = os.read(self._file, size)
        self.sha256.update(piece)
        if self.md5 is not None:
            self.md5.update(piece)
        self.bytes += len(piece)
        return piece

    def finish(self) -> str:
        """The SHA-256 over everything, read to the end whatever was found inside."""
        while self.read():
            pass
        return self.sha256.hexdigest()

    def close(self) -> None:
        os.close(self._file)

    def __enter__(self) -> Stored:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Inside(io.RawIOBase):
    """What is inside a file: exactly one whole gzip member, or the bytes themselves.

    Raises Broken when the data is damaged, ends too early, goes on behind its end, or gives more
    than `limit` bytes.
    """

    def __init__(self, stored: Stored, *, packed: bool, limit: int = LARGEST_UNPACKED) -> None:
        super().__init__()
        self._stored, self._limit = stored, limit
        self._gzip: Any = _zlib.decompressobj(31) if packed else None
        self._waiting = b""
        self.sha256 = hashlib.sha256()
        self.bytes = 0
        self.last = b""

    def readable(self) -> bool:
        return True

    def _piece(self, size: int) -> bytes:
        if self._gzip is None:
            return self._stored.read(size)
        while not self._gzip.eof:
            fed = self._waiting or self._stored.read()
            try:
                out: bytes = self._gzip.decompress(fed, size)
            except _ERRORS as error:
                raise Broken("gzip-broken", f"the gzip data is damaged ({error})") from error
            self._waiting = self._gzip.unconsumed_tail
            if out:
                return out
            if not fed:
                raise Broken("gzip-broken", "the gzip data ends before its end mark")
        if self._gzip.unused_data or self._stored.read():
            raise Broken("gzip-broken", "there is something behind the end of the gzip data")
        return b""

    def readinto(self, buffer: Any) -> int:
        out = self._piece(len(buffer))
        self.bytes += len(out)
        if self.bytes > self._limit:
            raise Broken("bomb", f"unpacks to more than {self._limit:,} bytes")
        buffer[: len(out)] = out
        self.sha256.update(out)
        self.last = out[-1:] or self.last
        return len(out)


def rows(inside: Inside) -> Iterator[list[str]]:
    """The rows of a CSV text, header first, by Python's own reader. Raises Broken.

    Lines end at LF alone, so that a CR stays data; the reader is strict.
    """
    csv.field_size_limit(LONGEST_VALUE)
    text = io.TextIOWrapper(
        io.BufferedReader(inside, STEP), "utf-8-sig", errors="strict", newline="\n"
    )
    reader = csv.reader(text, strict=True)
    try:
        yield from reader
    except UnicodeDecodeError as error:
        text_ = f"near line {reader.line_num}: not UTF-8 ({error.reason})"
        raise Broken("text-broken", text_) from error
    except csv.Error as error:
        code = "bomb" if "field limit" in str(error) else "text-broken"
        raise Broken(code, f"near line {reader.line_num}: {error}") from error


def table(bag: Path, relative: str, *, limit: int = LARGEST_UNPACKED) -> Iterator[list[str]]:
    """The rows of a whole CSV file, packed or not. Raises Broken, OSError, ValueError."""
    with Stored(bag, relative) as stored:
        yield from rows(Inside(stored, packed=relative.endswith(".gz"), limit=limit))


def content(bag: Path, relative: str, *, limit: int) -> tuple[bytes, str]:
    """What is inside a file that fits into memory, and the SHA-256 of the file as stored.

    Raises Broken, OSError, ValueError.
    """
    with Stored(bag, relative) as stored:
        inside = Inside(stored, packed=relative.endswith(".gz"), limit=limit)
        data = inside.readall() or b""
        return data, stored.finish()
