"""Reading stored files to their end: digests, gzip, CSV. The verifier's own way of doing it."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import zipfile
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

#: What `zipfile` raises: no ZIP, a cut one, entries that are encrypted, packed in unknown ways, or
#: have names that are no text.
BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
STEP = 1 << 20  # bytes read at a time
PIECE = 1 << 19  # of text: so much is handled at once
_BOM = b"\xef\xbb\xbf"
#: Of a row. Nothing of Salesforce comes near: a long text area ends at 131,072 characters, all of
#: an object together at 1,638,400, in UTF-8 6.5 MB (Salesforce Help, "Rich Text Area Field
#: Considerations",
#: https://help.salesforce.com/s/articleView?id=platform.fields_rich_text_area_limitations.htm).
LONGEST_VALUE = 16 << 20
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
        out = self.piece(len(buffer))
        buffer[: len(out)] = out
        return len(out)

    def piece(self, size: int = PIECE) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        out = self._piece(size)
        self.bytes += len(out)
        if self.bytes > self._limit:
            raise Broken("bomb", f"unpacks to more than {self._limit:,} bytes")
        self.sha256.update(out)
        self.last = out[-1:] or self.last
        return out


def blocks(inside: Inside) -> Iterator[bytes]:
    """A CSV text in pieces of whole rows, valid UTF-8 without a byte-order mark. Raises Broken."""
    held, first = b"", True
    while True:
        piece = inside.piece()
        held = held + piece if held else piece
        if first and (len(held) >= len(_BOM) or not piece):
            held, first = held.removeprefix(_BOM), False
        if len(held) > LONGEST_VALUE:
            raise Broken("bomb", f"a row of more than {LONGEST_VALUE:,} bytes")
        end = _boundary(held) if piece else len(held)
        if end:
            yield _utf8(held[:end])
            held = held[end:]
        if not piece:
            return


def _utf8(text: bytes) -> bytes:
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise Broken("text-broken", f"not UTF-8 ({error.reason})") from error
    return text


def batches(inside: Inside) -> Iterator[list[list[str]]]:
    """The rows of a CSV text, some hundred at a time, header first. Raises Broken."""
    done = 0
    for text in blocks(inside):
        found = rows_of(text, done)
        done += len(found)
        yield found


def _boundary(text: bytes) -> int:
    """Where the last whole row ends: behind a line end with an even number of quotes before it."""
    at, odd, end = text.rfind(b"\n"), None, len(text)
    while at >= 0:
        if odd is None:
            odd = text.count(b'"', 0, at) & 1
        else:
            odd ^= text.count(b'"', at, end) & 1
        if not odd:
            return at + 1
        end = at
        at = text.rfind(b"\n", 0, at)
    return 0


def rows_of(text: bytes, done: int) -> list[list[str]]:
    """The rows of a text of whole rows; `done` rows stood before it. Raises Broken.

    Python's own reader, strict, with lines that end at LF alone, so that a CR stays data.
    """
    csv.field_size_limit(LONGEST_VALUE)
    reader = csv.reader(io.StringIO(text.decode(), newline="\n"), strict=True)
    try:
        return list(reader)
    except csv.Error as error:
        code = "bomb" if "field limit" in str(error) else "text-broken"
        place = f"behind row {done}, near line {reader.line_num} from there"
        raise Broken(code, f"{place}: {error}") from error


def rows(inside: Inside) -> Iterator[list[str]]:
    """The rows of a CSV text one by one, header first. Raises Broken."""
    for some in batches(inside):
        yield from some


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
