"""The tables that a journal's events make: an index to it, which can always be made anew.

`apply` is a pure function of the tables and an event, so that catching up, replaying and rebuilding
all come to the same state.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sfexit.archive.durable import Disk
from sfexit.archive.layout import body_folder
from sfexit.errors import ArchiveProblem, DiskTrouble, SfexitError

Event = dict[str, Any]

SCHEMA = 1
_PAGES_AT_ONCE = 1000
RECOVER = "run `sfexit recover` on this home, then the same export again"
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
                raise trouble(error, self._path) from error

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


def apply(index: sqlite3.Connection, entry: Event) -> None:
    """Bring the tables up to an event. Must stay a pure function of table state and event."""
    kind = entry["event"]
    if kind == "begun" and entry["journal"] > SCHEMA:
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


def connect(index: Path) -> sqlite3.Connection:
    """Open an index. Raises ArchiveProblem for that of a newer version, sqlite3.Error."""
    connection = sqlite3.connect(
        index, check_same_thread=False, isolation_level=None, timeout=30, uri=False
    )
    try:
        connection.row_factory = sqlite3.Row
        # Before anything is written: the file of a newer version is not to be touched.
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA:
            raise ArchiveProblem(_newer(str(index), found))
        if found != SCHEMA:
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


def replace_index(disk: Disk, index: Path) -> None:
    """Put an empty index in place of whatever lies there."""
    # Built under another name: a kill in between must not leave an index without its tables.
    part = index.with_name(index.name + ".part")
    # The sidecars of another index would be taken for this one's.
    for leftover in (part, *sidecars(part), index, *sidecars(index)):
        disk.remove(leftover)
    try:
        try:
            connection = sqlite3.connect(part)
            with contextlib.closing(connection):
                connection.executescript(_TABLES)
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
                connection.commit()
            part.chmod(0o600)
        except sqlite3.Error as error:
            raise trouble(error, index) from error
        disk.publish(part, index)
    except BaseException:
        for leftover in (part, *sidecars(part)):
            with contextlib.suppress(SfexitError):
                disk.remove(leftover)
        raise


_DISK_CODES = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOLFS,
}  # fmt: skip


def trouble(error: sqlite3.Error, index: Path) -> SfexitError:
    """What an error of SQLite means: trouble with the disk, or a damaged index."""
    words = " ".join(str(error).split())[:200]  # quick_check speaks in several lines
    code = getattr(error, "sqlite_errorcode", None)
    short = code == sqlite3.SQLITE_IOERR_SHORT_READ  # the file is cut, not the disk sick
    if code is not None and code & 0xFF in _DISK_CODES and not short:
        return DiskTrouble(f"the journal's index {index} cannot be used: {words}")
    return ArchiveProblem(f"{index} is damaged ({words}): {RECOVER}")


def _newer(what: str, version: int) -> str:
    return (
        f"{what} was made by a newer sfexit (journal version {version}, this one knows "
        f"{SCHEMA}): install the newer version and run the same command again"
    )


def sidecars(index: Path) -> tuple[Path, Path]:
    """The files that SQLite keeps beside an index that is open."""
    return index.with_name(index.name + "-wal"), index.with_name(index.name + "-shm")
