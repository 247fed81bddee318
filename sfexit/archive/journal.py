"""What a running export has done, so that any kill leaves a run that goes on.

The journal is a text file of JSON lines, each flushed to the disk before anything relies on it and
each chained to the one before by its SHA-256. It is the truth. Beside it stands an index in SQLite,
made by applying each event to tables, so that a start does not read millions of lines. Both ways
run the same `_apply`: an index that lags behind (a kill between line and commit) catches up
from the file, and `rebuild` makes a lost or damaged one anew.

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
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sfexit.archive.durable import Disk, close, telling
from sfexit.archive.layout import body_folder
from sfexit.errors import ArchiveProblem, DiskTrouble, SfexitError

Event = dict[str, Any]

_SCHEMA = 1
_PAGES_AT_ONCE = 1000
RECOVER = "run `sfexit recover` on this home, then the same export again"
_FIRST = "0" * 64
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE object (
  name TEXT PRIMARY KEY, position INTEGER, hint INTEGER, fields TEXT, left_out TEXT,
  reading INTEGER NOT NULL DEFAULT 0, route TEXT, started TEXT, outcome TEXT
) WITHOUT ROWID;
CREATE TABLE slice (
  object TEXT, reading INTEGER, slice INTEGER, condition TEXT NOT NULL, since TEXT,
  job_id TEXT, query TEXT, created TEXT, rows INTEGER, state TEXT NOT NULL,
  PRIMARY KEY (object, reading, slice)
) WITHOUT ROWID;
CREATE TABLE page (
  path TEXT PRIMARY KEY, object TEXT, reading INTEGER, slice INTEGER, page INTEGER,
  rows INTEGER, declared INTEGER, total_size INTEGER, bytes INTEGER, locator TEXT, next TEXT,
  event TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX page_of ON page (object, reading, slice, page);
CREATE TABLE file (path TEXT PRIMARY KEY, sha256 TEXT, bytes INTEGER) WITHOUT ROWID;
CREATE TABLE body (
  folder TEXT, key TEXT, object TEXT, extension TEXT, bytes INTEGER, sha256 TEXT,
  PRIMARY KEY (folder, key)
) WITHOUT ROWID;
CREATE TABLE body_exception (
  object TEXT, key TEXT, kind TEXT, kept INTEGER, event TEXT, PRIMARY KEY (object, key)
) WITHOUT ROWID;
CREATE TABLE note (seq INTEGER PRIMARY KEY, at TEXT, object TEXT, kind TEXT, text TEXT);
"""


class Index:
    """What a journal told, as tables (`_TABLES`). Methods may be called from any thread."""

    def __init__(self, index: sqlite3.Connection, path: Path) -> None:
        self._index = index
        self._path = path
        self._lock = threading.RLock()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._index.close()

    def _meta(self, key: str, default: str) -> str:
        row = self._index.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else default

    def fact(self, key: str) -> str | None:
        """A value of the `begun` event, or `planned`/`sealing` ("" or a number)."""
        with self._lock:
            return self._meta(f"fact:{key}", "") or None

    def told(self, event: str, object_name: str) -> Event | None:
        """The last `compared`, `adopted` or `differs` of an object that still counts."""
        found = self.fact(f"{event}:{object_name}")
        return None if found is None else dict(json.loads(found))

    def rows(
        self, sql: str, parameters: tuple[Any, ...] | dict[str, Any] = ()
    ) -> list[sqlite3.Row]:
        """Read from the index (tables in this module's `_TABLES`)."""
        with self._lock:
            try:
                return self._index.execute(sql, parameters).fetchall()
            except sqlite3.DatabaseError as error:
                raise _told(error, self._path) from error

    def pages(self, object_name: str | None = None) -> Iterator[Event]:
        """The `page` events that count (of the current readings), by object and order.

        Events may be recorded while this is read; memory stays small.
        """
        which = "" if object_name is None else "AND p.object = :object"
        sql = (
            "SELECT p.object, p.slice, p.page, p.event FROM page p "  # noqa: S608 - fixed parts
            "JOIN object o ON o.name = p.object AND o.reading = p.reading "
            "WHERE (p.object, p.slice, p.page) > (:after, :slice, :page) "
            f"{which} ORDER BY p.object, p.slice, p.page LIMIT {_PAGES_AT_ONCE}"
        )
        place = {"after": object_name or "", "slice": -1, "page": -1, "object": object_name}
        while True:
            found = self.rows(sql, place)
            for row in found:
                yield json.loads(row["event"])
            if len(found) < _PAGES_AT_ONCE:
                return
            last = found[-1]
            place |= {"after": last["object"], "slice": last["slice"], "page": last["page"]}


class Journal(Index):
    """The open journal of one running export. Methods may be called from any thread.

    Threads that record at the same time share a flush: each writes its line, and whoever comes
    first flushes for all. What the index holds (`_seq`, `_digest`, `_offset`) is always flushed.
    """

    def __init__(self, disk: Disk, lines: Path, index: Path) -> None:
        super().__init__(_connect(index), index)
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
        _replace_index(disk, index)
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
            raise _told(error, index) from error

    @classmethod
    def rebuild(cls, disk: Disk, lines: Path, index: Path) -> tuple[Journal, int]:
        """Make the index anew from the lines; returns it and how many damaged bytes were cut.

        Only the longest run of lines with an unbroken chain counts; what follows is cut off, and
        the pages it spoke of are read again.
        """
        good, size = good_prefix(lines)
        # Without an index no export begins, so a kill in here leads back to here.
        for leftover in (index, *_sidecars(index)):
            disk.remove(leftover)
        if good < size:
            with telling(lines), lines.open("r+b") as handle:
                handle.truncate(good)
                disk.sync(handle)
        _replace_index(disk, index)
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
                data = {"journal": _SCHEMA, **data}
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
            told = _told(error, self._path)
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
                    _apply(self._index, entry)
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
    _replace_index(disk, index)
    connection = _connect(index)
    try:
        connection.execute("PRAGMA synchronous = OFF")  # it is thrown away, never relied on
        connection.execute("BEGIN")
        seq, digest = 0, _FIRST
        with telling(lines), lines.open("rb") as handle:
            for line in handle:
                entry = _read_line(line, seq + 1, digest)
                if entry is None:
                    raise ArchiveProblem(f"{lines} is damaged behind line {seq:,}")
                _apply(connection, entry)
                seq, digest = seq + 1, hashlib.sha256(line.rstrip(b"\n")).hexdigest()
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return Index(connection, index)


def _apply(index: sqlite3.Connection, entry: Event) -> None:
    """Bring the tables up to an event. Must stay a pure function of table state and event."""
    kind = entry["event"]
    if kind == "begun" and entry["journal"] > _SCHEMA:
        raise ArchiveProblem(_newer("the journal of this export", entry["journal"]))
    if kind in ("begun", "sealing", "sealed"):
        facts = [(f"fact:{k}", str(v)) for k, v in entry.items() if k not in ("seq", "prev")]
        facts.append((f"fact:{kind}", entry["at"]))
        index.executemany(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", facts
        )
    elif kind == "planned":
        index.executemany(
            "INSERT INTO object (name, position, hint) VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET position = excluded.position, hint = excluded.hint",
            [
                (name, number, entry["hints"].get(name))
                for number, name in enumerate(entry["objects"])
            ],
        )
        index.execute("INSERT OR REPLACE INTO meta VALUES ('fact:planned', ?)", (entry["at"],))
    elif kind == "described":
        index.execute(
            "UPDATE object SET fields = ?, left_out = ? WHERE name = ?",
            (json.dumps(entry["fields"]), json.dumps(entry["left_out"]), entry["object"]),
        )
    elif kind == "reading":
        index.execute(
            "DELETE FROM meta "
            "WHERE key IN ('fact:compared:' || :object, 'fact:adopted:' || :object)",
            entry,
        )
        index.execute(
            "UPDATE object SET reading = ?, route = ?, started = coalesce(started, ?) "
            "WHERE name = ?",
            (entry["reading"], entry["route"], entry["at"], entry["object"]),
        )
        _add_slices(index, entry, {"0": ""})
    elif kind == "slice_split":
        place = (entry["object"], entry["reading"], entry["slice"])
        index.execute(
            "UPDATE slice SET state = 'split' WHERE object = ? AND reading = ? AND slice = ?", place
        )
        index.execute("DELETE FROM page WHERE object = ? AND reading = ? AND slice = ?", place)
        _add_slices(index, entry, entry["into"])
    elif kind == "again":
        index.execute("UPDATE object SET outcome = NULL WHERE name = ?", (entry["object"],))
        if entry["fresh"]:
            # Without a route no reading is under way.
            index.execute("UPDATE object SET route = NULL WHERE name = ?", (entry["object"],))
    elif kind == "outcome":
        index.execute(
            "UPDATE object SET outcome = ? WHERE name = ?",
            (json.dumps(entry, ensure_ascii=False), entry["object"]),
        )
    elif kind == "page":
        _add_page(index, entry)
    elif kind == "compared":
        index.execute(
            "UPDATE object SET reading = ?, route = ?, started = coalesce(started, ?) "
            "WHERE name = ?",
            (entry["reading"], entry["route"], entry["at"], entry["object"]),
        )
        _add_slices(index, entry, entry["into"])
        _add_fact(index, entry, ("into",))
    elif kind == "adopted":
        for path in entry["without"]:
            index.execute("DELETE FROM page WHERE path = ?", (path,))
        for page in entry["pages"]:
            _add_page(index, page)
        _add_fact(index, entry, ("pages", "without"))
    elif kind == "differs":
        _add_fact(index, entry, ())
    elif kind == "page_lost":
        index.execute("DELETE FROM page WHERE path = ?", (entry["path"],))
        index.execute(
            "UPDATE slice SET state = CASE WHEN rows IS NULL THEN 'planned' ELSE 'job_done' END "
            "WHERE object = ? AND reading = ? AND slice = ?",
            (entry["object"], entry["reading"], entry["slice"]),
        )
        index.execute("UPDATE object SET outcome = NULL WHERE name = ?", (entry["object"],))
    elif kind == "file_lost":
        index.execute("DELETE FROM file WHERE path = ?", (entry["path"],))
    elif kind == "file":
        index.execute(
            "INSERT OR REPLACE INTO file VALUES (?, ?, ?)",
            (entry["path"], entry["sha256"], entry["bytes"]),
        )
    elif kind == "bodies":
        index.executemany(
            "INSERT OR REPLACE INTO body VALUES (?, ?, ?, ?, ?, ?)",
            [
                (body_folder(key), key, name, extension, size, digest)
                for name, key, extension, size, digest in entry["items"]
            ],
        )
    elif kind == "bodies_lost":
        keys = [(body_folder(key), key) for key in entry["keys"]]
        index.executemany("DELETE FROM body WHERE folder = ? AND key = ?", keys)
        index.executemany(
            "DELETE FROM body_exception WHERE key = ? AND kept", [(key,) for _, key in keys]
        )
    elif kind == "body_exceptions":
        index.executemany(
            "INSERT OR REPLACE INTO body_exception VALUES (?, ?, ?, ?, ?)",
            [
                (one["object"], one["key"], one["kind"], one["kept"], json.dumps(one))
                for one in entry["items"]
            ],
        )
    elif kind == "bodies_again":
        index.execute("DELETE FROM body_exception WHERE NOT kept AND kind <> 'deleted'")
    elif kind == "note":
        index.execute(
            "INSERT INTO note VALUES (?, ?, ?, ?, ?)",
            (entry["seq"], entry["at"], entry["object"], entry["kind"], entry["text"]),
        )
    elif kind in _SLICE_EVENTS:
        index.execute(_SLICE_EVENTS[kind], entry)


def _add_page(index: sqlite3.Connection, entry: Event) -> None:
    index.execute(
        "INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry["path"], entry["object"], entry["reading"], entry["slice"], entry["page"],
            entry["rows"], entry["declared_rows"], entry.get("total_size"), entry["bytes"],
            entry["locator"], entry["next"], json.dumps(entry, ensure_ascii=False),
        ),
    )  # fmt: skip


def _add_fact(index: sqlite3.Connection, entry: Event, without: tuple[str, ...]) -> None:
    """Keep what an event tells of one object: `Index.told`."""
    told = {key: value for key, value in entry.items() if key not in ("prev", *without)}
    index.execute(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)",
        (f"fact:{entry['event']}:{entry['object']}", json.dumps(told, ensure_ascii=False)),
    )


def _add_slices(index: sqlite3.Connection, entry: Event, conditions: dict[str, str]) -> None:
    index.executemany(
        "INSERT OR REPLACE INTO slice (object, reading, slice, condition, state) "
        "VALUES (?, ?, ?, ?, 'planned')",
        [
            (entry["object"], entry["reading"], int(number), condition)
            for number, condition in conditions.items()
        ],
    )


_SLICE_EVENTS = {
    "job_intent": (
        "UPDATE slice SET since = :since, job_id = NULL, rows = NULL, state = 'intended' "
        "WHERE object = :object AND reading = :reading AND slice = :slice"
    ),
    "job": (
        "UPDATE slice SET job_id = :job_id, query = :query, created = :created, state = 'job' "
        "WHERE object = :object AND reading = :reading AND slice = :slice"
    ),
    "job_done": (
        "UPDATE slice SET rows = :rows, state = 'job_done' "
        "WHERE object = :object AND reading = :reading AND slice = :slice"
    ),
    "slice_done": (
        "UPDATE slice SET state = 'done' "
        "WHERE object = :object AND reading = :reading AND slice = :slice"
    ),
}


def _connect(index: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        index, check_same_thread=False, isolation_level=None, timeout=30, uri=False
    )
    try:
        connection.row_factory = sqlite3.Row
        # Before anything is written: the file of a newer version is not to be touched.
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > _SCHEMA:
            raise ArchiveProblem(_newer(str(index), found))
        if found != _SCHEMA:
            raise sqlite3.DatabaseError("it holds no journal")
        damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise sqlite3.DatabaseError(str(damage))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _replace_index(disk: Disk, index: Path) -> None:
    """Put an empty index in place of whatever lies there."""
    # Built under another name: a kill in between must not leave an index without its tables.
    part = index.with_name(index.name + ".part")
    # The sidecars of another index would be taken for this one's.
    for leftover in (part, *_sidecars(part), index, *_sidecars(index)):
        disk.remove(leftover)
    try:
        try:
            connection = sqlite3.connect(part)
            with contextlib.closing(connection):
                connection.executescript(_TABLES)
                connection.execute(f"PRAGMA user_version = {_SCHEMA}")
                connection.commit()
            part.chmod(0o600)
        except sqlite3.Error as error:
            raise _told(error, index) from error
        disk.publish(part, index)
    except BaseException:
        for leftover in (part, *_sidecars(part)):
            with contextlib.suppress(SfexitError):
                disk.remove(leftover)
        raise


_DISK_CODES = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOLFS,
}  # fmt: skip


def _told(error: sqlite3.Error, index: Path) -> SfexitError:
    """What an error of SQLite means: trouble with the disk, or a damaged index."""
    words = " ".join(str(error).split())[:200]  # quick_check speaks in several lines
    code = getattr(error, "sqlite_errorcode", None)
    short = code == sqlite3.SQLITE_IOERR_SHORT_READ  # the file is cut, not the disk sick
    if code is not None and code & 0xFF in _DISK_CODES and not short:
        return DiskTrouble(f"the journal's index {index} cannot be used: {words}")
    return ArchiveProblem(f"{index} is damaged ({words}): {RECOVER}")


def _for_the_others(error: BaseException) -> SfexitError:
    """What threads hear that come to a journal which another one could not write."""
    if isinstance(error, ArchiveProblem):
        return error
    why = error.message if isinstance(error, SfexitError) else type(error).__name__
    return DiskTrouble(f"the journal cannot be written any more: {why}")


def _digest_of(line: bytes) -> str:
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def _newer(what: str, version: int) -> str:
    return (
        f"{what} was made by a newer sfexit (journal version {version}, this one knows "
        f"{_SCHEMA}): install the newer version and run the same command again"
    )


def _sidecars(index: Path) -> tuple[Path, Path]:
    return index.with_name(index.name + "-wal"), index.with_name(index.name + "-shm")


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
