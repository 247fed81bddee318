"""The two tables of files: what is in the bag, and what is missing or odd (format, section 5)."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sfexit.archive import layout
from sfexit.archive.bodies import StoredBody
from sfexit.archive.datapackage import FILES_COLUMNS
from sfexit.archive.journal import Journal
from sfexit.archive.page import csv_rows
from sfexit.export.files.listing import Body

EXCEPTION_COLUMNS = (
    "object", "record_id", "field", "reference", "title", "kind", "kept", "reason",
    "salesforce_bytes", "bytes", "salesforce_md5", "md5", "at",
)  # fmt: skip
_ROWS_AT_ONCE = 500


def index(found: Iterable[tuple[Body, StoredBody]]) -> Iterator[bytes]:
    """data/files/index.csv in pieces."""
    return _pieces(FILES_COLUMNS, (_index_row(body, stored) for body, stored in found))


def _index_row(body: Body, stored: StoredBody) -> list[str]:
    told = {
        "object": body.object,
        "record_id": body.record_id,
        "field": body.field,
        "title": body.title,
        "path": stored.path.removeprefix(f"{layout.DATA}/"),
        "bytes": str(stored.bytes),
        "sha256": stored.sha256,
        "salesforce_md5": body.md5,
        "salesforce_bytes": "" if body.size is None else str(body.size),
        "parent_id": body.parent_id,
        "version_number": body.version_number,
        "is_latest": body.is_latest,
        "is_deleted": "true" if body.deleted else "false",
        "content_type": body.content_type,
        "reference": body.reference,
        "modified": body.modified,
    }
    return [told[column] for column in FILES_COLUMNS]


def exceptions(
    journal: Journal,
    elsewhere: Iterable[Body],
    images: Iterable[tuple[Body, Mapping[str, Any]]],
) -> Iterator[bytes]:
    """data/evidence/body_exceptions.csv in pieces: what the journal tells, then what has no bytes
    in the org, then the places of images, which may be in the bag by another place."""
    return _pieces(EXCEPTION_COLUMNS, _exception_rows(journal, elsewhere, images))


def refusals(journal: Journal, body: Body, most: int) -> list[dict[str, Any]]:
    """What the journal tells of places in this object that did not give an image."""
    rows = journal.rows(
        "SELECT event FROM body_exception WHERE object = ? AND key > ? AND key < ? LIMIT ?",
        (body.object, f"{body.key}@", f"{body.key}A", most),  # the letter behind the sign
    )
    return [json.loads(row["event"]) for row in rows]


def told_of_image(journal: Journal, body: Body) -> dict[str, Any] | None:
    """What is told of a place that did not give an image, or was not asked since others did not;
    None: nothing yet."""
    rows = journal.rows(
        "SELECT event FROM body_exception WHERE object = ? AND key = ?", (body.object, body.place)
    )
    if rows:
        own: dict[str, Any] = json.loads(rows[0]["event"])
        return own
    others = refusals(journal, body, _ROWS_AT_ONCE)
    if not others:
        return None
    # Only what is in the recycle bin is named as such.
    fitting = [one for one in others if (one["kind"] == "deleted") == body.deleted]
    told = (fitting or others)[0]
    kind = told["kind"] if fitting else "deleted" if body.deleted else "gone"
    reason = f"not asked for: other records that show it did not give it ({told['reason']})"
    return {**told, "kind": kind, "reason": reason}


def _exception_rows(
    journal: Journal,
    elsewhere: Iterable[Body],
    images: Iterable[tuple[Body, Mapping[str, Any]]],
) -> Iterator[list[str]]:
    place = ("", "")
    while True:
        found = journal.rows(
            "SELECT object, key, event FROM body_exception WHERE (object, key) > (?, ?) "
            "AND instr(key, '@') = 0 ORDER BY object, key LIMIT ?",
            (*place, _ROWS_AT_ONCE),
        )
        for row in found:
            told = json.loads(row["event"])
            told["kept"] = "true" if told["kept"] else "false"
            yield ["" if told[one] is None else str(told[one]) for one in EXCEPTION_COLUMNS]
        if len(found) < _ROWS_AT_ONCE:
            break
        place = (found[-1]["object"], found[-1]["key"])
    for body in elsewhere:
        size = "" if body.size is None else str(body.size)
        kind = "browser" if body.banner else "elsewhere"
        yield [
            body.object, body.record_id, body.field, body.reference, body.title, kind, "false",
            body.elsewhere, size, "", body.md5, "", "",
        ]  # fmt: skip
    for body, told in images:
        yield [
            body.object, body.record_id, body.field, body.reference, body.title[:255],
            told["kind"], "false", told["reason"], "", "", "", "", told["at"],
        ]  # fmt: skip


def _pieces(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    yield csv_rows([header])
    held: list[Sequence[str]] = []
    for row in rows:
        held.append(row)
        if len(held) >= _ROWS_AT_ONCE:
            yield csv_rows(held)
            held = []
    if held:
        yield csv_rows(held)


class Found:
    """A set of keys of any size, on the disk beside the journal; gone when closed."""

    def __init__(self, folder: Path, name: str = "files-listed.db") -> None:
        self._path = folder / name
        self._remove()
        self._db = sqlite3.connect(self._path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("CREATE TABLE found (key TEXT PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def add(self, key: str) -> None:
        """Put in a key; again is no harm."""
        self._db.execute("INSERT OR IGNORE INTO found VALUES (?)", (key,))

    def has(self, key: str) -> bool:
        """True for a key that was put in."""
        return self._db.execute("SELECT 1 FROM found WHERE key = ?", (key,)).fetchone() is not None

    def close(self) -> None:
        """Let go and remove the file."""
        self._db.close()
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
