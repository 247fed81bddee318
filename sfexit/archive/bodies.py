"""The bytes of files in a bag: written, made durable together, journaled and read back.

A body is written under a temporary name, flushed, read again, and given its final name; then the
folders of all that were finished meanwhile are flushed, and one line of the journal tells of them.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from sfexit.archive import layout
from sfexit.archive.durable import Disk, Handle, close
from sfexit.archive.journal import Journal
from sfexit.errors import DiskTrouble, MediumFault

_READ_BYTES = 1 << 19
_AT_ONCE = 1000
_BUFFERS = threading.local()


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


@dataclass(frozen=True)
class Seen:
    """What a file on the disk holds: its size in bytes, and digests in lower-case hex (MD5 empty
    where nobody asked for it)."""

    size: int
    sha256: str
    md5: str = ""


class BodyWriter:
    """Takes one body under a temporary name, and tells what of it arrived on the disk."""

    def __init__(self, disk: Disk, final: Path, *, witnessed: bool) -> None:
        """`final` gives the temporary name; the last word on the name is `publish`'s.

        `witnessed`: the org gave a checksum that will be compared with what lies on the disk, so
        nothing is worked out on the way there.
        """
        self._disk = disk
        self._part = final.with_name(final.name + layout.PART_SUFFIX)
        self._witnessed = witnessed
        self._handle: Handle | None = None
        self._there = False  # a file under the temporary name that is ours to remove
        self._seen: Seen | None = None
        self.size = 0
        self.etag = ""  # of the answer that the bytes came from
        self._fed = hashlib.sha256()

    def restart(self) -> None:
        """Forget what was taken."""
        self._let_go()
        self._forget_part()
        self.size = 0
        self.etag = ""
        self._seen = None
        self._fed = hashlib.sha256()

    def take_over(self, at_least: int) -> None:
        """Go on with what an earlier run wrote, if that is much, nobody else's too, and a checksum
        will judge it; else forget it."""
        self.restart()
        try:
            found = self._part.lstat()
        except OSError:
            return
        # A file of two names may be one of a sealed bag.
        ours = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        if self._witnessed and ours and found.st_size >= at_least:
            self._there = True
            self.size = found.st_size

    def feed(self, piece: bytes) -> None:
        """Take bytes. Raises DiskTrouble."""
        if self._handle is None:
            if self.size:
                self._handle = self._disk.append(self._part)
            else:
                self._disk.make_folder(self._part.parent)
                self._disk.remove(self._part)  # of a run that was killed
                self._there = True
                self._handle = self._disk.create(self._part)
        self._disk.write(self._handle, piece)
        if not self._witnessed:
            self._fed.update(piece)
        self._seen = None
        self.size += len(piece)

    def seen(self) -> Seen:
        """Flush what was taken and read it again.

        Raises DiskTrouble, as MediumFault when the disk does not give back what it was given.
        """
        if self._seen is None:
            if self._handle is None:
                self.feed(b"")  # an empty file is a file; so is one that was all there before
            assert self._handle is not None
            try:
                self._disk.sync(self._handle)
            except DiskTrouble:
                # What was not flushed may be lost, and read all the same: no run goes on with it.
                self.leave(keep=False)
                self.size = 0
                raise
            seen = look(self._part)
            if seen is None or seen.size != self.size:
                _altered(self._part)
            if not self._witnessed and seen.sha256 != self._fed.hexdigest():
                _altered(self._part)
            self._seen = seen
        return self._seen

    def publish(self, final: Path) -> None:
        """Give what was flushed and read again the name `final`, durable only after
        `make_durable`."""
        self.seen()
        self._let_go()
        self._disk.rename(self._part, final)
        self._there = False

    def leave(self, *, keep: bool) -> None:
        """End without publishing; `keep` what came for another run to go on with."""
        self._let_go()
        if not keep:
            with contextlib.suppress(DiskTrouble):
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


def look(path: Path, *, md5: bool = True) -> Seen | None:
    """What a file holds; None when there is none, or the medium does not give it back.

    Without `md5`, which takes twice as long as SHA-256, where only that will be compared.
    Raises DiskTrouble.
    """
    sha256, size = hashlib.sha256(), 0
    other = hashlib.md5(usedforsecurity=False) if md5 else None
    for piece in pieces(path):
        if piece is None:
            return None
        sha256.update(piece)
        if other is not None:
            other.update(piece)
        size += len(piece)
    return Seen(size, sha256.hexdigest(), other.hexdigest() if other is not None else "")


def pieces(path: Path) -> Iterator[memoryview | None]:
    """A file's bytes, each piece good until the next is asked for; None when there is no such
    file, or the medium does not give it back. Raises DiskTrouble."""
    buffer = getattr(_BUFFERS, "bytes", None)
    if buffer is None:
        buffer = _BUFFERS.bytes = memoryview(bytearray(_READ_BYTES))
    try:
        if path.is_symlink() or not path.is_file():
            yield None
            return
        with path.open("rb", buffering=0) as handle:
            while taken := handle.readinto(buffer):
                yield buffer[:taken]
    except FileNotFoundError:
        yield None
    except OSError as error:
        if error.errno == errno.EIO:
            yield None
            return
        raise DiskTrouble(f"{path} cannot be read: {error.strerror}") from error


def copy(disk: Disk, source: Path, final: Path, seen: Seen) -> bool:
    """Publish a copy of a file that was `seen`, durable only after `make_durable`; False when the
    copy is another. Raises DiskTrouble."""
    part = final.with_name(final.name + layout.PART_SUFFIX)
    disk.remove(part)
    handle = disk.create(part)
    try:
        for piece in pieces(source):
            disk.write(handle, piece or b"")
        disk.sync(handle)
    finally:
        close(handle)
    if look(part) != seen:
        disk.remove(part)
        return False
    disk.rename(part, final)
    return True


def _altered(path: Path) -> NoReturn:
    raise MediumFault(f"the disk gave back other bytes than it was given ({path})")


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
    return look(layout.within(bag, body.path), md5=False) == Seen(body.bytes, body.sha256)


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
