"""The rows of a stored page, and whether the page still is what was written."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sfexit.errors import DamagedAnswer, DiskTrouble
from sfexit.gzipped import Gunzip

READ_BYTES = 1 << 20


class PageDamaged(Exception):
    """A stored page is not what the journal recorded; the text says in what."""


def unpacked(path: Path, facts: dict[str, Any] | None) -> Iterator[bytes]:
    """The CSV text of a page in pieces; with `facts`, digests and sizes are checked on the way."""
    stored, text = hashlib.sha256(), hashlib.sha256()
    size = 0
    gunzip = Gunzip()
    try:
        with path.open("rb") as handle:
            while piece := handle.read(READ_BYTES):
                stored.update(piece)
                size += len(piece)
                for out in gunzip.feed(piece):
                    text.update(out)
                    yield out
        for out in gunzip.finish():
            text.update(out)
            yield out
    except FileNotFoundError:
        raise PageDamaged("the file is gone") from None
    except DamagedAnswer as error:
        raise PageDamaged(str(error)) from error
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be read: {error.strerror}") from error
    if facts is not None:
        if size != facts["bytes"] or stored.hexdigest() != facts["sha256"]:
            raise PageDamaged("its bytes changed since it was written")
        if text.hexdigest() != facts["csv_sha256"]:
            raise PageDamaged("its text is not what was written")


def parsed(path: Path, facts: dict[str, Any] | None, header: Sequence[str]) -> Iterator[list[str]]:
    """The rows of a page whose columns are `header`, one after another.

    With `facts` (its journal line) its digests are checked on the way. Raises PageDamaged, at the
    latest behind the last row, and DiskTrouble.
    """
    csv.field_size_limit(2**31 - 1)
    text = io.TextIOWrapper(
        io.BufferedReader(_Stream(unpacked(path, facts))), encoding="utf-8-sig", newline=""
    )
    reader = csv.reader(text, strict=True)
    wide = len(header)
    try:
        if next(reader, None) != list(header):
            raise PageDamaged("its header is not the object's")
        for number, row in enumerate(reader, start=1):
            if len(row) != wide:
                raise PageDamaged(f"row {number:,} has {len(row)} columns, not {wide}")
            yield row
    except (csv.Error, UnicodeDecodeError) as error:
        raise PageDamaged(f"it cannot be parsed: {error}") from error


class _Stream(io.RawIOBase):
    """Pieces of bytes as a readable stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left:
            self._left = next(self._pieces, b"")
        taken = self._left[: len(buffer)]
        buffer[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)
