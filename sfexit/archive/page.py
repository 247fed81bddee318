"""One page of records: bytes come in, and only a page that is provably whole is published.

Writing a page is four steps that the caller sees: feed, check, publish, and then the journal's
line. Nothing is ever kept of a page that fails a check.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfexit.archive.durable import Disk, Handle, close
from sfexit.archive.layout import PART_SUFFIX
from sfexit.archive.row_starts import RowStarts
from sfexit.archive.rows import HeaderReader, RowCounter
from sfexit.errors import DamagedAnswer, DiskTrouble
from sfexit.gzipped import Gunzip, Gzip

# Salesforce serves no result file above 1 GB (limits of Bulk API 2.0); a page that unpacks to more
# than this is an attack or a fault, not data.
LIMIT_CSV_BYTES = 4 << 30

# Bytes of the wire that are worked on at a time. Hashing, unpacking and counting let other threads
# run, but only a large piece makes that worth the change.
_AT_ONCE = 256 << 10


@dataclass(frozen=True)
class PageIds:
    """What the ids of a page look like. None in PageFacts: unknown, the page must be parsed."""

    first: str
    last: str
    ascending: bool  # then none comes twice
    deleted: int  # rows with IsDeleted = true; 0 where there is no such column


@dataclass(frozen=True)
class PageFacts:
    """What is known of a page once it passed its checks."""

    rows: int
    bytes: int
    sha256: str
    csv_bytes: int
    csv_sha256: str
    wire_encoding: str
    ids: PageIds | None = None
    remarks: tuple[str, ...] = ()


class PageWriter:
    """Takes one page under a temporary name. Use as a context manager: leaving it without
    `publish` removes what was written.

    `wire_encoding` is "gzip" (bytes are stored as they come) or "identity" (they are packed here).
    `declared_rows` is what the org said this page holds, None if it said nothing. `turn` is held
    while bytes are worked on, so that not all pages under way do that at once.
    """

    def __init__(
        self,
        disk: Disk,
        final: Path,
        *,
        wire_encoding: str,
        header: Sequence[str],
        declared_rows: int | None,
        limit_csv_bytes: int = LIMIT_CSV_BYTES,
        turn: AbstractContextManager[Any] | None = None,
    ) -> None:
        self._turn = turn or contextlib.nullcontext()
        self._disk = disk
        self._final = final
        self._part = final.with_name(final.name + PART_SUFFIX)
        self._encoding = wire_encoding
        self._expected = tuple(header)
        self._declared = declared_rows
        self._limit = limit_csv_bytes
        self._stored = hashlib.sha256()
        self._stored_bytes = 0
        self._csv = hashlib.sha256()
        self._rows = RowCounter()
        self._starts = RowStarts(header) if tuple(header[:1]) == ("Id",) else None
        self._header = HeaderReader()
        self._gunzip = Gunzip(limit_bytes=limit_csv_bytes) if wire_encoding == "gzip" else None
        self._gzip = Gzip() if wire_encoding != "gzip" else None
        self._handle: Handle | None = None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._checked = False

    def __enter__(self) -> PageWriter:
        self._disk.remove(self._part)
        self._handle = self._disk.create(self._part)
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            close(self._handle)
            self._handle = None
        with contextlib.suppress(DiskTrouble):
            self._disk.remove(self._part)  # absent after `publish`

    def feed(self, piece: bytes) -> None:
        """Take bytes as they came over the wire. Raises DamagedAnswer, DiskTrouble."""
        self._waiting.append(piece)
        self._waiting_bytes += len(piece)
        if self._waiting_bytes >= _AT_ONCE:
            with self._turn:
                self._work()

    def _work(self) -> None:
        """Store, unpack and count what has come."""
        piece = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        if self._gunzip is not None:
            self._store(piece)
            for text in self._gunzip.feed(piece):
                self._look(text)
        else:
            assert self._gzip is not None
            self._look(piece)
            self._store(self._gzip.feed(piece))

    def check(self) -> PageFacts:
        """End of input: insist that the page is whole, then flush it to the disk."""
        with self._turn:
            self._work()
            if self._gunzip is not None:
                for text in self._gunzip.finish():
                    self._look(text)
            else:
                assert self._gzip is not None
                self._store(self._gzip.finish())
        rows = self._insist()
        assert self._handle is not None
        self._disk.sync(self._handle)
        self._handle.close()
        self._handle = None
        self._checked = True
        remarks = []
        if self._header.bom:
            remarks.append("the page begins with a byte-order mark")
        if self._encoding != "gzip":
            remarks.append("the org sent the page uncompressed although gzip was asked for")
        return PageFacts(
            rows=rows,
            bytes=self._stored_bytes,
            sha256=self._stored.hexdigest(),
            csv_bytes=self._rows.bytes,
            csv_sha256=self._csv.hexdigest(),
            wire_encoding=self._encoding,
            ids=self._ids(rows),
            remarks=tuple(remarks),
        )

    def _ids(self, rows: int) -> PageIds | None:
        """Known only where row starts and row ends give the same count."""
        starts = self._starts
        if starts is None:
            return None
        starts.finish()
        if starts.rows != rows or not rows:
            return None
        first, last = starts.first_id.decode(), starts.last_id.decode()
        return PageIds(first, last, starts.ascending, starts.deleted)

    def publish(self) -> None:
        """Give the checked page its final name."""
        assert self._checked, "only a checked page is published"
        self._disk.publish(self._part, self._final)

    def _store(self, piece: bytes) -> None:
        if piece:
            assert self._handle is not None
            self._stored.update(piece)
            self._stored_bytes += len(piece)
            self._disk.write(self._handle, piece)

    def _look(self, text: bytes) -> None:
        self._csv.update(text)
        self._header.feed(text)
        self._rows.feed(text)
        if self._starts is not None:
            self._starts.feed(text)
        if self._rows.bytes > self._limit:
            raise DamagedAnswer(f"the page is larger than the {self._limit:,} bytes allowed")

    def _insist(self) -> int:
        """The checks of a whole CSV text; returns its data rows."""
        if self._rows.bytes == 0:
            raise DamagedAnswer("the page is empty: not even a header came")
        if self._rows.open_quote:
            raise DamagedAnswer("the page ends inside a quoted value")
        if not self._rows.ends_with_newline:
            raise DamagedAnswer("the page does not end with a line end: it may be cut short")
        if self._header.crlf:
            raise DamagedAnswer("the page has CR LF line ends although LF was asked for")
        if self._header.names != self._expected:
            raise DamagedAnswer(_header_difference(self._expected, self._header.names or ()))
        rows = self._rows.rows - 1
        if self._declared is not None and rows != self._declared:
            raise DamagedAnswer(
                f"the page holds {rows:,} rows, but the org declared {self._declared:,}"
            )
        return rows


def _header_difference(expected: Sequence[str], found: Sequence[str]) -> str:
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    told = []
    if missing:
        told.append("missing: " + ", ".join(missing[:5]) + (" …" if len(missing) > 5 else ""))
    if extra and len(extra) <= len(expected):
        shown = [name[:40] if name.isascii() and name.isprintable() else "?" for name in extra[:5]]
        told.append("not asked for: " + ", ".join(shown) + (" …" if len(extra) > 5 else ""))
    if not told:
        told.append("the order of the columns differs")
    return "the page's header is not the one asked for (" + "; ".join(told) + ")"


def csv_rows(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows in the dialect of Bulk API 2.0: every value quoted, LF, UTF-8.

    Raises DamagedAnswer for text that UTF-8 cannot hold (half of a surrogate pair, which JSON can
    smuggle in): better a named failure than a character changed in silence.
    """
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    try:
        return text.getvalue().encode("utf-8")
    except UnicodeEncodeError as error:
        raise DamagedAnswer("the answer holds text that is not valid Unicode") from error
