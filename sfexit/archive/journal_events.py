"""What each event of a journal does to the tables of its index.

`apply` is a pure function of the tables and an event, so that catching up, replaying and rebuilding
all come to the same state.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from sfexit.archive.layout import body_folder
from sfexit.errors import ArchiveProblem

Event = dict[str, Any]

SCHEMA = 1
TABLES = """
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

_Handler = Callable[[sqlite3.Connection, Event], object]
_HANDLERS: dict[str, _Handler] = {}


def apply(index: sqlite3.Connection, entry: Event) -> None:
    """Bring the tables up to an event. Must stay a pure function of table state and event."""
    handler = _HANDLERS.get(entry["event"])
    if handler is not None:  # some are for people alone
        handler(index, entry)


def newer(what: str, version: int) -> str:
    """What to say of a journal or index that only a newer version can read."""
    return (
        f"{what} was made by a newer sfexit (journal version {version}, this one knows "
        f"{SCHEMA}): install the newer version and run the same command again"
    )


def _on(*kinds: str) -> Callable[[_Handler], _Handler]:
    def told(handler: _Handler) -> _Handler:
        _HANDLERS.update(dict.fromkeys(kinds, handler))
        return handler

    return told


@_on("begun", "sealing", "sealed")
def _milestone(index: sqlite3.Connection, entry: Event) -> None:
    kind = entry["event"]
    if kind == "begun" and entry["journal"] > SCHEMA:
        raise ArchiveProblem(newer("the journal of this export", entry["journal"]))
    facts = [(f"fact:{k}", str(v)) for k, v in entry.items() if k not in ("seq", "prev")]
    facts.append((f"fact:{kind}", entry["at"]))
    index.executemany(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", facts
    )


@_on("planned")
def _planned(index: sqlite3.Connection, entry: Event) -> None:
    index.executemany(
        "INSERT INTO object (name, position, hint) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET position = excluded.position, hint = excluded.hint",
        [(name, number, entry["hints"].get(name)) for number, name in enumerate(entry["objects"])],
    )
    index.execute("INSERT OR REPLACE INTO meta VALUES ('fact:planned', ?)", (entry["at"],))


@_on("described")
def _described(index: sqlite3.Connection, entry: Event) -> None:
    index.execute(
        "UPDATE object SET fields = ?, left_out = ? WHERE name = ?",
        (json.dumps(entry["fields"]), json.dumps(entry["left_out"]), entry["object"]),
    )


@_on("reading")
def _reading(index: sqlite3.Connection, entry: Event) -> None:
    index.execute(
        "DELETE FROM meta WHERE key IN ('fact:compared:' || :object, 'fact:adopted:' || :object)",
        entry,
    )
    index.execute(
        "UPDATE object SET reading = ?, route = ?, started = coalesce(started, ?) WHERE name = ?",
        (entry["reading"], entry["route"], entry["at"], entry["object"]),
    )
    _add_slices(index, entry, {"0": ""})


@_on("slice_split")
def _slice_split(index: sqlite3.Connection, entry: Event) -> None:
    place = (entry["object"], entry["reading"], entry["slice"])
    index.execute(
        "UPDATE slice SET state = 'split' WHERE object = ? AND reading = ? AND slice = ?", place
    )
    index.execute("DELETE FROM page WHERE object = ? AND reading = ? AND slice = ?", place)
    _add_slices(index, entry, entry["into"])


@_on("again")
def _again(index: sqlite3.Connection, entry: Event) -> None:
    index.execute("UPDATE object SET outcome = NULL WHERE name = ?", (entry["object"],))
    if entry["fresh"]:
        # Without a route no reading is under way.
        index.execute("UPDATE object SET route = NULL WHERE name = ?", (entry["object"],))


@_on("outcome")
def _outcome(index: sqlite3.Connection, entry: Event) -> None:
    index.execute(
        "UPDATE object SET outcome = ? WHERE name = ?",
        (json.dumps(entry, ensure_ascii=False), entry["object"]),
    )


@_on("page")
def _page(index: sqlite3.Connection, entry: Event) -> None:
    index.execute(
        "INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry["path"], entry["object"], entry["reading"], entry["slice"], entry["page"],
            entry["rows"], entry["declared_rows"], entry.get("total_size"), entry["bytes"],
            entry["locator"], entry["next"], json.dumps(entry, ensure_ascii=False),
        ),
    )  # fmt: skip


@_on("compared")
def _compared(index: sqlite3.Connection, entry: Event) -> None:
    index.execute(
        "UPDATE object SET reading = ?, route = ?, started = coalesce(started, ?) WHERE name = ?",
        (entry["reading"], entry["route"], entry["at"], entry["object"]),
    )
    _add_slices(index, entry, entry["into"])
    _add_fact(index, entry, ("into",))


@_on("adopted")
def _adopted(index: sqlite3.Connection, entry: Event) -> None:
    for path in entry["without"]:
        index.execute("DELETE FROM page WHERE path = ?", (path,))
    for page in entry["pages"]:
        _page(index, page)
    _add_fact(index, entry, ("pages", "without"))


@_on("differs")
def _differs(index: sqlite3.Connection, entry: Event) -> None:
    _add_fact(index, entry, ())


@_on("page_lost")
def _page_lost(index: sqlite3.Connection, entry: Event) -> None:
    index.execute("DELETE FROM page WHERE path = ?", (entry["path"],))
    index.execute(
        "UPDATE slice SET state = CASE WHEN rows IS NULL THEN 'planned' ELSE 'job_done' END "
        "WHERE object = ? AND reading = ? AND slice = ?",
        (entry["object"], entry["reading"], entry["slice"]),
    )
    index.execute("UPDATE object SET outcome = NULL WHERE name = ?", (entry["object"],))


@_on("file_lost")
def _file_lost(index: sqlite3.Connection, entry: Event) -> None:
    index.execute("DELETE FROM file WHERE path = ?", (entry["path"],))


@_on("file")
def _file(index: sqlite3.Connection, entry: Event) -> None:
    index.execute(
        "INSERT OR REPLACE INTO file VALUES (?, ?, ?)",
        (entry["path"], entry["sha256"], entry["bytes"]),
    )


@_on("bodies")
def _bodies(index: sqlite3.Connection, entry: Event) -> None:
    index.executemany(
        "INSERT OR REPLACE INTO body VALUES (?, ?, ?, ?, ?, ?)",
        [
            (body_folder(key), key, name, extension, size, digest)
            for name, key, extension, size, digest in entry["items"]
        ],
    )


@_on("bodies_lost")
def _bodies_lost(index: sqlite3.Connection, entry: Event) -> None:
    keys = [(body_folder(key), key) for key in entry["keys"]]
    index.executemany("DELETE FROM body WHERE folder = ? AND key = ?", keys)
    index.executemany(
        "DELETE FROM body_exception WHERE key = ? AND kept", [(key,) for _, key in keys]
    )


@_on("body_exceptions")
def _body_exceptions(index: sqlite3.Connection, entry: Event) -> None:
    index.executemany(
        "INSERT OR REPLACE INTO body_exception VALUES (?, ?, ?, ?, ?)",
        [
            (one["object"], one["key"], one["kind"], one["kept"], json.dumps(one))
            for one in entry["items"]
        ],
    )


@_on("bodies_again")
def _bodies_again(index: sqlite3.Connection, _: Event) -> None:
    index.execute("DELETE FROM body_exception WHERE NOT kept AND kind <> 'deleted'")


@_on("note")
def _note(index: sqlite3.Connection, entry: Event) -> None:
    index.execute(
        "INSERT INTO note VALUES (?, ?, ?, ?, ?)",
        (entry["seq"], entry["at"], entry["object"], entry["kind"], entry["text"]),
    )


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


def _of_slice(change: str) -> _Handler:
    which = "object = :object AND reading = :reading AND slice = :slice"
    sql = f"UPDATE slice SET {change} WHERE {which}"  # noqa: S608 - fixed parts

    def handle(index: sqlite3.Connection, entry: Event) -> None:
        index.execute(sql, entry)

    return handle


_HANDLERS |= {
    "job_intent": _of_slice("since = :since, job_id = NULL, rows = NULL, state = 'intended'"),
    "job": _of_slice("job_id = :job_id, query = :query, created = :created, state = 'job'"),
    "job_done": _of_slice("rows = :rows, state = 'job_done'"),
    "slice_done": _of_slice("state = 'done'"),
}
