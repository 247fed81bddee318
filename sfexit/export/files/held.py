"""Bodies that an earlier bag of the home holds: linked into the next one instead of fetched."""

from __future__ import annotations

import contextlib
import csv
import gzip
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from sfexit.archive import bodies, layout
from sfexit.archive.bodies import StoredBody
from sfexit.errors import ArchiveProblem
from sfexit.export.files.fetching import Outcome, mismatch
from sfexit.export.files.listing import Body
from sfexit.export.means import Means

_COLUMNS = (
    "path", "bytes", "sha256", "salesforce_md5", "salesforce_bytes", "modified", "reference",
)  # fmt: skip


def unchanged(body: Body, told: dict[str, str]) -> bool:
    """True when a line of an earlier index speaks of the same bytes as a body listed now. Pure.

    The same version with the same size and checksum is the same file. Where the org gives no
    checksum, only a row that was not touched since is believed; an image in rich text never changes
    under its reference.
    """
    if body.reference:
        return True
    if str("" if body.size is None else body.size) != told["salesforce_bytes"]:
        return False
    if body.md5 or told["salesforce_md5"]:
        return body.md5 == told["salesforce_md5"]
    return bool(body.modified) and body.modified == told["modified"]


class Held:
    """The index of a sealed bag, for look-ups from several threads."""

    def __init__(self, bag: Path, database: Path) -> None:
        self._bag = bag
        self._path = database
        self._lock = threading.Lock()
        self._db = sqlite3.connect(database, isolation_level=None, check_same_thread=False)

    @classmethod
    def open(cls, bag: Path, folder: Path) -> Held:
        """Read the index of `bag` into a database in `folder`. Raises ArchiveProblem."""
        database = folder / layout.WORK_HELD
        with contextlib.suppress(FileNotFoundError):
            database.unlink()
        held = cls(bag, database)
        held._db.execute("PRAGMA journal_mode = OFF")
        held._db.execute("PRAGMA synchronous = OFF")
        columns = ", ".join(f"{name} TEXT" for name in _COLUMNS)
        held._db.execute(f"CREATE TABLE held (key TEXT PRIMARY KEY, {columns}) WITHOUT ROWID")
        held._db.execute("BEGIN")
        places = ", ".join("?" for _ in ("key", *_COLUMNS))
        insert = f"INSERT OR IGNORE INTO held VALUES ({places})"  # noqa: S608 - question marks
        held._db.executemany(insert, _rows(bag))
        held._db.execute("COMMIT")
        return held

    @property
    def files(self) -> int:
        """How many bodies that bag has, pictures aside."""
        with self._lock:
            row = self._db.execute("SELECT count(*) FROM held WHERE reference = ''").fetchone()
        return int(row[0])

    def find(self, key: str) -> dict[str, str] | None:
        """The line of the index that this key's body has."""
        with self._lock:
            row = self._db.execute("SELECT * FROM held WHERE key = ?", (key,)).fetchone()
        return dict(zip(("key", *_COLUMNS), row, strict=True)) if row else None

    def fits(self, body: Body) -> bool:
        """True when that bag has this body, as its row is now."""
        told = self.find(body.key)
        return told is not None and unchanged(body, told)

    def link(self, means: Means, body: Body) -> Outcome | None:
        """Give the body of the earlier bag a name in this one; None when there is none that fits.

        The bytes are looked at first: a damaged file of an old bag is not carried on. What is not
        what its row says is said of this bag as well. Durable only after `bodies.make_durable`.
        Copied where the file system has no links. Raises DiskTrouble, Transient.
        """
        told = self.find(body.key)
        if told is None or not unchanged(body, told):
            return None
        source = layout.within(self._bag, f"{layout.DATA}/{told['path']}")
        found = bodies.look(source)
        if found is None or (str(found.size), found.sha256) != (told["bytes"], told["sha256"]):
            text = f"{told['path']} of the bag before is damaged; it is fetched anew"
            means.note(body.object, "files", text)
            return None
        ending = told["path"].rpartition(".")[2]
        stored = StoredBody(body.object, body.key, ending, found.size, found.sha256)
        final = layout.within(means.bag, stored.path)
        means.disk.make_folder(final.parent)
        means.disk.remove(final)
        try:
            os.link(source, final)
        except OSError:
            if not bodies.copy(means.disk, source, final, found):
                return None
        kind, reason = mismatch(body, found) or ("", "")
        return Outcome(body, stored, kind, reason, found.size, found.md5, taken_over=True)

    def close(self) -> None:
        """Let go and remove the database."""
        self._db.close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


def _rows(bag: Path) -> Iterator[tuple[str, ...]]:
    csv.field_size_limit(2**31 - 1)
    try:
        with gzip.open(bag / layout.FILES_INDEX, "rt", encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                key = row["path"].rpartition("/")[2].rpartition(".")[0]
                yield (key, *(row.get(name) or "" for name in _COLUMNS))
    except (OSError, EOFError, csv.Error, UnicodeDecodeError, KeyError) as error:
        raise ArchiveProblem(
            f"{bag / layout.FILES_INDEX} is damaged: verify the archive"
        ) from error
