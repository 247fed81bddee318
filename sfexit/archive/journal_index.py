"""The tables that a journal's events make: an index to it, which can always be made anew."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sfexit.archive.durable import Disk
from sfexit.archive.journal_events import SCHEMA, TABLES, Event, newer
from sfexit.errors import ArchiveProblem, DiskTrouble, SfexitError

_PAGES_AT_ONCE = 1000
RECOVER = "run `sfexit recover` on this home, then the same export again"


class Index:
    """What a journal told, as tables (`TABLES`). Methods may be called from any thread."""

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
        """Read from the index (tables in this module's `TABLES`)."""
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
            raise ArchiveProblem(newer(str(index), found))
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
                connection.executescript(TABLES)
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


def sidecars(index: Path) -> tuple[Path, Path]:
    """The files that SQLite keeps beside an index that is open."""
    return index.with_name(index.name + "-wal"), index.with_name(index.name + "-shm")
