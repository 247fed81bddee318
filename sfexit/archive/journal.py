"""What a running export has done, so that any kill leaves a run that goes on.

The journal is a text file of JSON lines, each flushed to the disk before anything relies on it and
each chained to the one before by its SHA-256. It is the truth. Beside it stands an index in SQLite,
made by applying each event to tables, so that a start does not read millions of lines. Both ways
run the same `journal_index.apply`: an index that lags behind (a kill between line and commit)
catches up from the file, and `rebuild` makes a lost or damaged one anew.

Event kinds and their data (all names of objects are API names):

    begun              journal (version of this list), org, api_version, selection, made_by
    resumed            made_by
    recovered          made_by, bytes_cut, pages_lost, files_lost
    planned            objects: [names] in order, hints: {name: approximate rows}
    described          object, fields: [names], left_out: {field: reason}
    reading            object, reading, route          a (new) reading, with slice 0 for it all
    job_intent         object, reading, slice, since    server time before the job is created
    job                object, reading, slice, job_id, query, created
    job_done           object, reading, slice, rows     numberRecordsProcessed
    page               object, reading, slice, page, path, route, locator, next, rows, declared, …
    page_lost          path, object, reading, slice     found damaged or gone; is to be read again
    compared           object, reading, route, into: {slice: where}   the live ids (reading 0) were
                       compared with the bag before; these slices bring what differs; + plan
    adopted            object, reading, pages: [page events], without: [paths], + tallies: pages of
                       the bag before that stand in this one, pages that are not needed after all
    differs            object, + how many rows differ from the bag before, by what happened
    slice_done         object, reading, slice
    slice_split        object, reading, slice, into: {slice: where}   it was too much; its pages go
    outcome            object, + the ledger's columns
    again              object, fresh                    its outcome does not count; `fresh`: nor do
                                                        the pages of its reading
    file               path, sha256, bytes              any other published payload file
    file_lost          path                             found damaged or gone; is made again
    bodies             items: [[object, key, extension, bytes, sha256], …]   in the bag, durable
    bodies_lost        keys: [key, …]                   found damaged, gone or of no row any more
    body_exceptions    items: [{object, key, kind, kept, …}, …]   missing, or not as the org says
    bodies_again       exceptions without a body, but for `deleted`, do not count: tried again
    note               object, kind, text
    sealing            generation, root                 before the rename
    sealed             generation, root

What must be true together is one event: a kill between two would leave half of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sfexit.archive.durable import Disk, close, telling
from sfexit.archive.journal_events import SCHEMA, Event, apply
from sfexit.archive.journal_index import (
    RECOVER,
    Index,
    connect,
    replace_index,
    sidecars,
    trouble,
)
from sfexit.errors import ArchiveProblem, DiskTrouble, SfexitError

_FIRST = "0" * 64


class Journal(Index):
    """The open journal of one running export. Methods may be called from any thread.

    Threads that record at the same time share a flush: each writes its line, and whoever comes
    first flushes for all. What the index holds (`_seq`, `_digest`, `_offset`) is always flushed.
    """

    def __init__(self, disk: Disk, lines: Path, index: Path) -> None:
        super().__init__(connect(index), index)
        self._disk = disk
        self._lines = lines
        self._broken: SfexitError | None = None
        try:
            self._seq = int(self._meta("seq", "0"))
            self._digest = self._meta("digest", _FIRST)
            self._offset = int(self._meta("offset", "0"))
            self._catch_up()
            self._handle = disk.append(lines)
            # Taken in this order, and before the lock of the index.
            self._flushing, self._writing = threading.Lock(), threading.Lock()
            self._waiting: list[tuple[Event, bytes]] = []  # written, and not flushed yet
            self._written = (self._seq, self._digest)
        except BaseException:
            self._index.close()
            raise

    # -- opening -----------------------------------------------------------------------------

    @classmethod
    def create(cls, disk: Disk, lines: Path, index: Path) -> Journal:
        """Begin an empty journal in place of whatever lies there."""
        disk.write_whole(lines, b"")
        replace_index(disk, index)
        return cls(disk, lines, index)

    @classmethod
    def open(cls, disk: Disk, lines: Path, index: Path) -> Journal:
        """Open the journal of an interrupted run.

        Raises ArchiveProblem when the index is damaged, missing or newer than this program.
        """
        if not index.exists():
            raise ArchiveProblem(f"{index} is missing, so the run cannot simply go on: {RECOVER}")
        try:
            return cls(disk, lines, index)
        except sqlite3.Error as error:
            raise trouble(error, index) from error

    @classmethod
    def rebuild(cls, disk: Disk, lines: Path, index: Path) -> tuple[Journal, int]:
        """Make the index anew from the lines; returns it and how many damaged bytes were cut.

        Only the longest run of lines with an unbroken chain counts; what follows is cut off, and
        the pages it spoke of are read again.
        """
        good, size = good_prefix(lines)
        # Without an index no export begins, so a kill in here leads back to here.
        for leftover in (index, *sidecars(index)):
            disk.remove(leftover)
        if good < size:
            with telling(lines), lines.open("r+b") as handle:
                handle.truncate(good)
                disk.sync(handle)
        replace_index(disk, index)
        return cls(disk, lines, index), size - good

    def close(self) -> None:
        """Let go of both files."""
        with self._flushing, self._writing, self._lock:
            close(self._handle)
            self._index.close()

    # -- writing -----------------------------------------------------------------------------

    def record(self, event: str, **data: Any) -> Event:
        """Append an event, durable when this returns. Raises DiskTrouble.

        After a failed append nothing more is taken: what is on the disk is known, what came after
        would stand behind a torn line.
        """
        entry = self._write(event, data)
        with self._flushing:
            if self._seq < entry["seq"]:
                self._flush()
        return entry

    def _write(self, event: str, data: dict[str, Any]) -> Event:
        """Append the line of an event, not flushed yet."""
        with self._writing:
            if self._broken is not None:
                raise self._broken
            if event == "begun":
                data = {"journal": SCHEMA, **data}
            seq, digest = self._written
            entry: Event = {"seq": seq + 1, "at": _now(), "event": event, **data, "prev": digest}
            line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            try:
                self._disk.write(self._handle, line)
            except BaseException as error:
                self._broken = _for_the_others(error)
                failure = error
            else:
                self._written = (seq + 1, _digest_of(line))
                self._waiting.append((entry, line))
                return entry
        with self._flushing:  # not while another flushes: lines of its own stand
            self._cut()
        raise failure

    def _flush(self) -> None:
        """Flush what waits and bring the index up to it. Raises what stops the journal."""
        with self._writing:
            if self._broken is not None:
                raise self._broken
            batch, self._waiting = self._waiting, []
        try:
            self._disk.sync(self._handle)
        except BaseException as error:
            self._stop(_for_the_others(error))
            self._cut()
            raise
        try:
            self._take(batch)
        except sqlite3.Error as error:
            # The lines stand; the next start takes them.
            told = trouble(error, self._path)
            self._stop(told)
            raise told from error
        except BaseException as error:
            self._stop(_for_the_others(error))
            raise

    def _stop(self, why: SfexitError) -> None:
        with self._writing:
            self._broken = self._broken or why

    def _cut(self) -> None:
        """What a failed append or flush left may be readable and yet not on the disk: nobody is to
        find it there and believe it."""
        with self._writing, contextlib.suppress(OSError):
            self._waiting = []
            os.truncate(self._lines, self._offset)

    def _take(self, batch: Iterable[tuple[Event, bytes]]) -> None:
        """Bring the index up to events whose lines are on the disk."""
        seq, digest, offset = self._seq, self._digest, self._offset
        with self._lock:
            with self._index:
                self._index.execute("BEGIN IMMEDIATE")
                for entry, line in batch:
                    apply(self._index, entry)
                    seq, digest = entry["seq"], _digest_of(line)
                    offset += len(line)
                self._index.executemany(
                    "INSERT INTO meta VALUES (?, ?) "
                    "ON CONFLICT DO UPDATE SET value = excluded.value",
                    [("seq", str(seq)), ("digest", digest), ("offset", str(offset))],
                )
            self._seq, self._digest, self._offset = seq, digest, offset

    def _catch_up(self) -> None:
        """Apply lines that the index has not seen; cut a torn last line."""
        size = self._lines.stat().st_size if self._lines.exists() else 0
        if size < self._offset:
            raise ArchiveProblem(f"{self._lines} is gone or shorter than it was: {RECOVER}")
        if size == 0:
            return
        with self._lines.open("rb") as handle:
            handle.seek(self._offset)
            for line in handle:
                entry = _read_line(line, self._seq + 1, self._digest)
                if entry is None:
                    break
                self._take([(entry, line)])
        if size > self._offset:
            with telling(self._lines), self._lines.open("r+b") as tail:
                tail.truncate(self._offset)
                self._disk.sync(tail)

    @property
    def head(self) -> str:
        """SHA-256 of the last line: the digest of everything so far."""
        return self._digest

    def is_whole(self) -> bool:
        """True when the file still is what was recorded: nothing altered, cut or added."""
        with self._flushing, self._writing:
            there = self._offset + sum(len(line) for _, line in self._waiting)
            return good_prefix(self._lines) == (there, there)


def replayed(disk: Disk, lines: Path, index: Path) -> Index:
    """The index of a finished journal that nobody writes to any more, made anew as `index`.

    Raises ArchiveProblem when its chain is broken.
    """
    replace_index(disk, index)
    connection = connect(index)
    try:
        connection.execute("PRAGMA synchronous = OFF")  # it is thrown away, never relied on
        connection.execute("BEGIN")
        seq, digest = 0, _FIRST
        with telling(lines), lines.open("rb") as handle:
            for line in handle:
                entry = _read_line(line, seq + 1, digest)
                if entry is None:
                    raise ArchiveProblem(f"{lines} is damaged behind line {seq:,}")
                apply(connection, entry)
                seq, digest = seq + 1, hashlib.sha256(line.rstrip(b"\n")).hexdigest()
        # Pages are looked for by their text, and an object may have 100,000 of them.
        connection.execute(
            "CREATE INDEX page_text ON page (object, json_extract(event, '$.csv_sha256'))"
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return Index(connection, index)


def _for_the_others(error: BaseException) -> SfexitError:
    """What threads hear that come to a journal which another one could not write."""
    if isinstance(error, ArchiveProblem):
        return error
    why = error.message if isinstance(error, SfexitError) else type(error).__name__
    return DiskTrouble(f"the journal cannot be written any more: {why}")


def _digest_of(line: bytes) -> str:
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def _read_line(line: bytes, seq: int, previous: str) -> Event | None:
    """The event of a line, or None when it is torn, altered or out of place."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or entry.get("seq") != seq or entry.get("prev") != previous:
        return None
    return entry


def good_prefix(lines: Path) -> tuple[int, int]:
    """Bytes of the unbroken beginning, and the size of the whole file."""
    if not lines.exists():
        return 0, 0
    before, good, seq, digest = 0, 0, 0, _FIRST
    with lines.open("rb") as handle:
        for line in handle:
            if _read_line(line, seq + 1, digest) is None:
                # Of two whole lines that do not fit together either may be the altered one. A torn
                # line says nothing against the one before.
                good = before if line.endswith(b"\n") else good
                break
            before, good = good, good + len(line)
            seq += 1
            digest = hashlib.sha256(line.rstrip(b"\n")).hexdigest()
    return good, lines.stat().st_size


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
