"""From the index of files in a bag to a tree by record or by folder.

Everything is streamed: the index, the links and the pages with the names of records; what has to
be looked up lies in a database beside the tree, which is removed at the end. The names come out the
same every time, so a tree that was cut off is gone on with.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import itertools
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfexit.archive import bagit, bodies, layout
from sfexit.archive.stored_rows import column_values
from sfexit.archive.tables import newest_bag
from sfexit.errors import ArchiveProblem, Blocked, DiskTrouble
from sfexit.materialize.names import folded, safe_name
from sfexit.progress import SILENT, Progress

SCHEMA = "sfexit-tree/1"
MARK = ".sfexit-tree.json"
_LOOKUP = ".sfexit-tree.db"
_PART = ".sfexit-part"
_EXAMPLES = 20
_COLUMNS = {
    "object", "path", "bytes", "sha256", "title", "parent_id", "version_number", "is_latest",
    "content_type",
}  # fmt: skip
RECORD, FOLDER = "record", "folder"
_NAMES = ("Name", "Title", "Subject", "CaseNumber", "DeveloperName", "MasterLabel")
_TABLES = """
CREATE TABLE wanted (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE link (document TEXT, record TEXT, PRIMARY KEY (document, record)) WITHOUT ROWID;
CREATE TABLE named (id TEXT PRIMARY KEY, object TEXT, name TEXT, parent TEXT) WITHOUT ROWID;
CREATE TABLE taken (path TEXT PRIMARY KEY, owner TEXT) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Tree:
    """What came of it. `files` are in the tree now, `made` of them by this run; `bytes` of all.
    `damaged` are not, because the archive does not hold the bytes that its index tells of;
    `examples`: the first of those in the archive."""

    folder: Path
    bag: Path
    files: int
    made: int
    bytes: int
    damaged: int
    examples: tuple[Path, ...]


@dataclass(frozen=True)
class Placed:
    """A body of the bag and its path in the tree; `bytes` and `sha256` as the index has them."""

    source: Path
    path: str
    bytes: int
    sha256: str


def materialize(
    place: Path,
    folder: Path,
    *,
    by: str,
    link: bool = False,
    progress: Progress = SILENT,
) -> Tree:
    """Make the tree of a home's current bag (or of the bag `place` itself) in `folder`.

    `by` is RECORD or FOLDER. `link` makes hard links instead of copies. A file that the archive
    holds damaged, or not at all, is left out. Raises Blocked for a folder that is not
    ours or lies in the home, ArchiveProblem, DiskTrouble.
    """
    bag = newest_bag(place)
    try:
        _claim(folder, bag, place, {"schema": SCHEMA, "root": bagit.root_digest(bag), "by": by})
        return _make(bag, folder, by, link, progress)
    except (OSError, sqlite3.OperationalError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise DiskTrouble(
            f"the tree cannot be written ({why}): make room, then run this again"
        ) from error


def _make(bag: Path, folder: Path, by: str, link: bool, progress: Progress) -> Tree:
    progress.phase("Looking up names")
    database = folder / _LOOKUP
    database.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(database, isolation_level=None)) as lookup:
            lookup.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
            lookup.execute("BEGIN")
            _look_up(lookup, bag, by)
            progress.phase("Making the tree")
            files = made = size = damaged = 0
            examples: dict[Path, None] = {}  # not once for each record that one belongs to
            for one in _places(lookup, bag, by):
                new = _place(one, folder / one.path, link=link)
                if new is None:
                    damaged += 1
                    if len(examples) < _EXAMPLES:
                        examples[one.source] = None
                    continue
                files, made, size = files + 1, made + new, size + one.bytes
                if new:
                    progress.file_stored(one.bytes)
    finally:
        database.unlink(missing_ok=True)
    return Tree(folder, bag, files, made, size, damaged, tuple(examples))


def _claim(folder: Path, bag: Path, place: Path, told: dict[str, str]) -> None:
    """Make the folder ours, or see that it is."""
    inside = folder.resolve()
    if any(inside.is_relative_to(other.resolve()) for other in (bag, place)):
        raise Blocked(f"{folder} lies in the home: choose a folder outside of it")
    mark = folder / MARK
    if mark.is_file() and not mark.is_symlink():
        try:
            found = json.loads(mark.read_bytes())
        except ValueError:
            found = None
        if found != told:
            raise Blocked(
                f"{folder} holds the tree of another archive or of another kind: name a new folder"
            )
        return
    part = folder / (MARK + ".part")  # all there is when a run ended in its first moment
    if folder.is_symlink() or (
        folder.exists() and (not folder.is_dir() or set(folder.iterdir()) - {part})
    ):
        raise Blocked(f"{folder} is not empty and was not made by this command: name a new folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    part.write_text(json.dumps(told), "utf-8")
    part.replace(mark)


# ---- looking up --------------------------------------------------------------------------------


def _index(bag: Path) -> Iterator[dict[str, str]]:
    csv.field_size_limit(2**31 - 1)
    try:
        with gzip.open(bag / layout.FILES_INDEX, "rt", encoding="utf-8", newline="") as handle:
            for line in csv.DictReader(handle, restval=""):
                if not line.keys() >= _COLUMNS or not line["bytes"].isdecimal():
                    raise ValueError("no line of an index")
                yield line
    except (OSError, EOFError, csv.Error, ValueError) as error:
        raise _damaged(bag / layout.FILES_INDEX) from error


def _damaged(path: Path) -> ArchiveProblem:
    return ArchiveProblem(f"{path} is damaged: verify the archive")


def _resources(bag: Path) -> dict[str, dict[str, Any]]:
    try:
        package = json.loads((bag / layout.DATAPACKAGE).read_bytes())
        return {one["title"]: one for one in package["resources"] if "title" in one}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(bag / layout.DATAPACKAGE) from error


def _rows(bag: Path, resource: dict[str, Any] | None, *columns: str) -> Iterator[tuple[str, ...]]:
    """Rows of a table, if it has these columns."""
    if resource is None:
        return
    there = {one["name"] for one in resource["schema"]["fields"]}
    if not there.issuperset(columns):
        return
    paths = resource["path"] if isinstance(resource["path"], list) else [resource["path"]]
    for path in paths:
        yield from column_values(layout.within(bag, f"{layout.DATA}/{path}"), columns)


def _look_up(lookup: sqlite3.Connection, bag: Path, by: str) -> None:
    resources = _resources(bag)
    want = "INSERT OR IGNORE INTO wanted VALUES (?)"
    for line in _index(bag):
        lookup.execute(want, (line["parent_id"],))
    if by == RECORD:
        pairs = _rows(
            bag, resources.get("ContentDocumentLink"), "ContentDocumentId", "LinkedEntityId"
        )
    else:
        pairs = _rows(
            bag, resources.get("ContentFolderMember"), "ChildRecordId", "ParentContentFolderId"
        )
    for document, record in pairs:
        if lookup.execute("SELECT 1 FROM wanted WHERE id = ?", (document,)).fetchone():
            lookup.execute("INSERT OR IGNORE INTO link VALUES (?, ?)", (document, record))
    lookup.execute("INSERT OR IGNORE INTO wanted SELECT record FROM link")
    if by == FOLDER:  # folders stand in folders; there are few of them
        for found, name, parent in _rows(
            bag, resources.get("ContentFolder"), "Id", "Name", "ParentContentFolderId"
        ):
            values = (found, "Libraries", name, parent)
            lookup.execute("INSERT OR IGNORE INTO named VALUES (?, ?, ?, ?)", values)
    for title, resource in resources.items():
        there = [one["name"] for one in resource["schema"]["fields"]]
        name = next((one for one in _NAMES if one in there), "")
        if not name or title.endswith(("History", "Share", "Feed", "__History", "__Share")):
            continue
        for found, called in _rows(bag, resource, "Id", name):
            if lookup.execute("SELECT 1 FROM wanted WHERE id = ?", (found,)).fetchone():
                values = (found, title, called, "")
                lookup.execute("INSERT OR IGNORE INTO named VALUES (?, ?, ?, ?)", values)


# ---- where each file goes ----------------------------------------------------------------------


def _places(lookup: sqlite3.Connection, bag: Path, by: str) -> Iterator[Placed]:
    """Each body of the bag where it stands in the tree, in the order of the index; a file that is
    linked to several records stands in several places."""
    for line in _index(bag):
        source = layout.within(bag, f"{layout.DATA}/{line['path']}")
        owners = [line["parent_id"]]
        if line["object"] == "ContentVersion":
            found = lookup.execute(
                "SELECT record FROM link WHERE document = ? ORDER BY record", (line["parent_id"],)
            )
            owners = [row[0] for row in found] or [""]
        extension = line["path"].rpartition(".")[2]
        if line["content_type"] == "text/html" and extension == "snote":
            extension = "html"
        old = line["version_number"] not in ("", "1") or line["is_latest"] == "false"
        mark = f" (v{safe_name(line['version_number'])})" if old else ""
        key = line["path"].rpartition("/")[2].partition(".")[0]
        name = safe_name(line["title"], extension, mark=mark)
        for owner in owners:
            folder = _folder(lookup, owner, line["object"], by)
            path = _claimed(lookup, folder, name, key, extension, mark)
            yield Placed(source, path, int(line["bytes"]), line["sha256"])


def _folder(lookup: sqlite3.Connection, owner: str, kind: str, by: str) -> str:
    """The folder of what belongs to this record or folder."""
    names: list[tuple[str, str]] = []
    found = owner
    top = _top(kind)
    while found and len(names) < 30:
        row = lookup.execute("SELECT * FROM named WHERE id = ?", (found,)).fetchone()
        if row is None:
            break
        names.append((row[0], row[2]))
        top, found = _top(row[1]), row[3]
    if not names:
        return f"{top}/{safe_name(owner)}" if owner and by == RECORD else f"{top}/Without a {by}"
    path = top
    for found, name in reversed(names):
        path = _claimed(lookup, path, safe_name(name), found, "", "")
    return path


def _top(object_name: str) -> str:
    """The folder of an object: its API name, in the form in which it may be a path."""
    return layout.safe_names([object_name]).get(object_name) or safe_name(object_name)


def _claimed(
    lookup: sqlite3.Connection, folder: str, name: str, owner: str, extension: str, mark: str
) -> str:
    """`folder`/`name`, or with the id behind it when that is another's already. Nobody gets what is
    another's: the later file would take the place of the first."""
    for path in _candidates(folder, name, owner, extension, mark):
        row = lookup.execute("SELECT owner FROM taken WHERE path = ?", (folded(path),)).fetchone()
        if row is None:
            lookup.execute("INSERT INTO taken VALUES (?, ?)", (folded(path), owner))
        if row is None or row[0] == owner:
            return path
    raise AssertionError


def _candidates(folder: str, name: str, owner: str, extension: str, mark: str) -> Iterator[str]:
    """The name; with the id behind it, which somebody's title may hold too; and with a number."""
    yield f"{folder}/{name}"
    stem = name.removesuffix(f"{mark}.{extension}") if extension else name
    yield f"{folder}/{safe_name(stem, extension, mark=f' ({owner}){mark}')}"
    for number in itertools.count(2):
        yield f"{folder}/{safe_name(stem, extension, mark=f' ({owner}) {number}{mark}')}"


def _place(one: Placed, target: Path, *, link: bool) -> bool | None:
    """Put a file into the tree; False when it is there from an earlier run, None when the archive
    does not hold it as it was sealed: nobody takes a damaged file for the one there was."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if target.is_file() and not target.is_symlink():
        if target.stat().st_size == one.bytes:
            return False
        target.unlink()
    if link:
        seen = bodies.look(one.source, md5=False)
        if seen is None or (seen.size, seen.sha256) != (one.bytes, one.sha256):
            return None
        try:
            os.link(one.source, target)
            return True
        except OSError:
            pass  # another file system, or one without links
    part = target.with_name(_PART)
    part.unlink(missing_ok=True)
    if not _copied(one, part):
        part.unlink()
        return None
    part.replace(target)
    return True


def _copied(one: Placed, part: Path) -> bool:
    """Copy a body; False when it is not what the index says."""
    digest = hashlib.sha256()
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as taking:
        for piece in bodies.pieces(one.source):
            if piece is None:
                return False
            digest.update(piece)
            taking.write(piece)
    return digest.hexdigest() == one.sha256
