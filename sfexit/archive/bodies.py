"""The bytes of files in a bag: written, made durable together, journaled and read back.

A body is written under a temporary name, flushed, and given its final name; then all that were
finished meanwhile are read again, their folders are flushed, and one line of the journal tells of
them.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sfexit.archive import layout
from sfexit.archive.durable import Disk, Handle, close
from sfexit.archive.journal import Journal
from sfexit.errors import DiskTrouble, Transient

_READ_BYTES = 1 << 20
_AT_ONCE = 1000


@dataclass(frozen=True)
class StoredBody:
    """A body in the bag. `key` is its name without extension (layout.body_path)."""

    object: str
    key: str
    extension: str
    bytes: int
    sha256: str

    @property
    def path(self) -> str:
        """Relative to the bag."""
        return layout.body_path(self.key, self.extension)


class BodyWriter:
    """Takes one body under a temporary name; knows size, SHA-256 and MD5 of what it took."""

    def __init__(self, disk: Disk, final: Path) -> None:
        """`final` gives the temporary name; the last word on the name is `publish`'s."""
        self._disk = disk
        self._part = final.with_name(final.name + layout.PART_SUFFIX)
        self._handle: Handle | None = None
        self._there = False  # a file under the temporary name that is ours to remove
        self.size = 0
        self.etag = ""  # of the answer that the bytes came from
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)

    @property
    def sha256(self) -> str:
        """Of everything taken so far, in lower-case hex."""
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str:
        """Likewise; Salesforce's Checksum is one."""
        return self._md5.hexdigest()

    def restart(self) -> None:
        """Forget what was taken."""
        self._let_go()
        self._forget_part()
        self.size = 0
        self.etag = ""
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)

    def take_over(self, at_least: int) -> None:
        """Go on with what an earlier run wrote, if that is much; else forget it."""
        try:
            found = self._part.stat().st_size if not self._part.is_symlink() else 0
            if found >= at_least:
                self._there = True
                with self._part.open("rb") as handle:
                    while piece := handle.read(_READ_BYTES):
                        self._look(piece)
        except OSError:
            self.size = 0
        if not self.size:
            self.restart()

    def feed(self, piece: bytes) -> None:
        """Take bytes. Raises DiskTrouble, Transient."""
        if self._handle is None:
            if self.size:
                self._handle = self._disk.append(self._part)
            else:
                self._disk.make_folder(self._part.parent)
                self._disk.remove(self._part)  # of a run that was killed
                self._there = True
                self._handle = self._disk.create(self._part)
        self._disk.write(self._handle, piece)
        self._look(piece)

    def _look(self, piece: bytes) -> None:
        self._sha256.update(piece)
        self._md5.update(piece)
        self.size += len(piece)

    def publish(self, final: Path) -> None:
        """Flush and give the name `final`, durable only after `make_durable`."""
        if self._handle is None:
            self.feed(b"")  # an empty file is a file; so is one that was all there before
        assert self._handle is not None
        self._disk.sync(self._handle)
        self._let_go()
        self._disk.rename(self._part, final)
        self._there = False

    def leave(self, *, keep: bool) -> None:
        """End without publishing; `keep` what came for another run to go on with."""
        self._let_go()
        if not keep:
            with contextlib.suppress(DiskTrouble, Transient):
                self._forget_part()

    def _forget_part(self) -> None:
        if self._there:
            self._disk.remove(self._part)
            self._there = False

    def _let_go(self) -> None:
        if self._handle is not None:
            close(self._handle)
            self._handle = None


def make_durable(
    disk: Disk,
    journal: Journal,
    bag: Path,
    bodies: Iterable[StoredBody],
    pool: ThreadPoolExecutor,
) -> None:
    """Flush the folders of published bodies, some at once, then journal them: one flush for all
    of a folder."""
    listed = list(bodies)
    if not listed:
        return
    folders = {layout.within(bag, one.path.rpartition("/")[0]) for one in listed}
    list(pool.map(disk.sync_folder, sorted(folders)))
    items = [[one.object, one.key, one.extension, one.bytes, one.sha256] for one in listed]
    journal.record("bodies", items=items)


def digests(path: Path) -> tuple[int, str, str] | None:
    """Size, SHA-256 and MD5 of a file; None when there is none. Raises DiskTrouble."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    try:
        if path.is_symlink() or not path.is_file():
            return None
        with path.open("rb") as handle:
            while piece := handle.read(_READ_BYTES):
                sha256.update(piece)
                md5.update(piece)
                size += len(piece)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be read: {error.strerror}") from error
    return size, sha256.hexdigest(), md5.hexdigest()


def is_there(bag: Path, body: StoredBody) -> bool:
    """True when there is a file of the right size. Raises DiskTrouble."""
    path = layout.within(bag, body.path)
    try:
        told = path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be read: {error.strerror}") from error
    return stat.S_ISREG(told.st_mode) and told.st_size == body.bytes


def is_as_written(bag: Path, body: StoredBody) -> bool:
    """True when the file still holds the bytes that were journaled. Raises DiskTrouble."""
    sha256, size = hashlib.sha256(), 0
    path = layout.within(bag, body.path)
    try:
        with path.open("rb") as handle:
            while piece := handle.read(_READ_BYTES):
                sha256.update(piece)
                size += len(piece)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be read: {error.strerror}") from error
    return (size, sha256.hexdigest()) == (body.bytes, body.sha256)


def find(journal: Journal, key: str) -> StoredBody | None:
    """The journaled body of this key."""
    found = journal.rows(
        "SELECT * FROM body WHERE folder = ? AND key = ?", (layout.body_folder(key), key)
    )
    return _body(found[0]) if found else None


def stored(journal: Journal) -> Iterator[StoredBody]:
    """All bodies in the order of their paths; memory stays small."""
    place = ("", "")
    while True:
        found = journal.rows(
            "SELECT * FROM body WHERE (folder, key) > (?, ?) ORDER BY folder, key LIMIT ?",
            (*place, _AT_ONCE),
        )
        for row in found:
            yield _body(row)
        if len(found) < _AT_ONCE:
            return
        place = (found[-1]["folder"], found[-1]["key"])


def _body(row: sqlite3.Row) -> StoredBody:
    return StoredBody(row["object"], row["key"], row["extension"], row["bytes"], row["sha256"])
