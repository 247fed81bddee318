"""Writing so that what is published survives a kill and a power cut.

All writing of archive and journal goes through a `Disk`. It is the one seam where tests
inject a full disk, a failing flush or a lost cache, and the one place that knows which promises an
operating system keeps. The order that everything relies on: write under a temporary name, flush
the file, rename, flush the folder.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Protocol, TypeVar

from sfexit.errors import DiskTrouble, MediumFault

T = TypeVar("T")

_NO_SPACE = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
# No hard links here, another file system, too many names, or somebody else's file (Linux,
# fs.protected_hardlinks).
_NO_LINKS = {
    errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EACCES, errno.EINVAL, errno.ENOSYS,
    getattr(errno, "EOPNOTSUPP", errno.EINVAL), getattr(errno, "ENOTSUP", errno.EINVAL),
}  # fmt: skip
_TRIES = 3  # on a disk that reports faults
_WINDOWS_RETRIES = 20  # virus scanners hold fresh files for moments


class Handle(Protocol):
    """An open file that takes bytes."""

    def write(self, data: bytes | memoryview, /) -> int: ...

    def close(self) -> None: ...

    def fileno(self) -> int: ...


class Disk:
    """The real file system."""

    def create(self, path: Path) -> Handle:
        """Open a new file for writing, mode 0600; never follows or reuses what is there."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with telling(path):
            return os.fdopen(os.open(path, flags, 0o600), "wb", buffering=1 << 18)

    def append(self, path: Path) -> Handle:
        """Open a file for appending, made with mode 0600 when it is not there."""
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with telling(path):
            return os.fdopen(os.open(path, flags, 0o600), "ab", buffering=0)

    def write(self, handle: Handle, data: bytes | memoryview) -> None:
        """Hand bytes to the system."""
        with telling(None):
            left = memoryview(data)
            while left:
                # An unbuffered file may take less than it was given, as on a disk all but full.
                left = left[handle.write(left) :]

    def sync(self, handle: Handle) -> None:
        """Return only when the bytes are on the disk, as far as the system knows.

        A handle whose flush failed is not usable any more: the kernel may have dropped the pages
        and a second flush would lie. Callers discard the file and begin anew.
        """
        with telling(None):
            flush = getattr(handle, "flush", None)
            if flush is not None:
                flush()
            os.fsync(handle.fileno())

    def publish(self, part: Path, final: Path) -> None:
        """Give a flushed file its final name, for good."""
        self.rename(part, final)
        self.sync_folder(final.parent)

    def rename(self, part: Path, final: Path) -> None:
        """Give a flushed file its final name; only `sync_folder` makes the name durable."""
        with telling(final):
            for attempt in range(_WINDOWS_RETRIES):
                try:
                    part.replace(final)
                    break
                except PermissionError:
                    if os.name != "nt" or attempt == _WINDOWS_RETRIES - 1:
                        raise
                    time.sleep(0.05)  # the scanner lets go by itself; nothing else to wait on

    def sync_folder(self, folder: Path) -> None:
        """Make names in `folder` durable. Windows has no such call and needs none (NTFS log)."""
        if os.name == "nt":
            return
        with telling(folder):
            _FLUSHES.flush(folder)

    def make_folder(self, folder: Path) -> None:
        """Make a folder with mode 0700 and its parents, durably."""
        if folder.is_dir():
            return
        self.make_folder(folder.parent)
        with telling(folder), contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        self.sync_folder(folder.parent)

    def remove(self, path: Path) -> None:
        """Remove a file if it is there."""
        with telling(path), contextlib.suppress(FileNotFoundError):
            if os.name == "nt":  # there a read-only file (of a seal cut short) cannot be removed
                path.chmod(0o600)
            path.unlink()

    def move(self, path: Path, target: Path) -> None:
        """Give a file another name on the same file system."""
        with telling(path):
            path.rename(target)

    def link(self, source: Path, final: Path) -> bool:
        """Give a file that never changes a second name, for good, in place of what was there.

        False where the file system has no such links, or no more of them for this file.
        """
        part = final.with_name(final.name + ".part")
        self.remove(part)
        try:
            os.link(source, part)
        except OSError as error:
            if error.errno in _NO_LINKS:
                return False
            with telling(final):
                raise
        # Renaming one of two names of the same file to the other does nothing and leaves both.
        self.remove(final)
        self.publish(part, final)
        return True

    def free_bytes(self, folder: Path) -> int:
        """Free space on the file system of `folder`."""
        return shutil.disk_usage(folder).free

    def write_whole(self, final: Path, data: bytes) -> None:
        """Publish a small file in one go, replacing what was there."""
        self.write_pieces(final, (data,))

    def write_pieces(self, final: Path, pieces: Iterable[bytes]) -> tuple[str, int]:
        """Publish a file of any size, replacing what was there; returns its SHA-256 and bytes."""
        part = final.with_name(final.name + ".part")
        self.remove(part)  # what a killed run left
        digest, size = hashlib.sha256(), 0
        handle = self.create(part)
        try:
            try:
                for piece in pieces:
                    digest.update(piece)
                    self.write(handle, piece)
                    size += len(piece)
                self.sync(handle)
            finally:
                close(handle)
            self.publish(part, final)
        except BaseException:
            with contextlib.suppress(DiskTrouble):
                self.remove(part)
            raise
        return digest.hexdigest(), size


class _Turn:
    """Flushes of one folder, one at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.begun = 0  # the tick at which the last good one began
        self.coming = 0  # threads that hold or want it


class _Flushes:
    """Threads that want the same folder flushed share a flush, if it began after they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ticks = count(1)
        self._turns: dict[str, _Turn] = {}

    def flush(self, folder: Path) -> None:
        """Return when all names that are in the folder now are on the disk. Raises OSError."""
        place = os.fspath(folder)
        with self._lock:
            turn = self._turns.setdefault(place, _Turn())
            turn.coming += 1
            came = next(self._ticks)
        try:
            with turn.lock:
                if turn.begun < came:
                    begun = next(self._ticks)
                    _flush_folder(place)
                    turn.begun = begun
        finally:
            with self._lock:
                turn.coming -= 1
                if not turn.coming:
                    del self._turns[place]


def _flush_folder(place: str) -> None:
    descriptor = os.open(place, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_FLUSHES = _Flushes()


def close(handle: Handle) -> None:
    """Close without hiding the error that is already on its way.

    Closing flushes Python's buffer; on a full disk that fails a second time, after the write or
    the flush already said so.
    """
    with contextlib.suppress(OSError):
        handle.close()


def written_anew(write: Callable[[], T], note: Callable[[str], None] = lambda _: None) -> T:
    """What `write` returns, begun anew a few times when the medium reports a fault.

    `write` leaves nothing half-written behind; `note` is told of each fault. Raises MediumFault
    when it goes on, and whatever else `write` raises.
    """
    for _ in range(_TRIES - 1):
        try:
            return write()
        except MediumFault as fault:
            note(fault.message)
    return write()


class telling:
    """Turns the system's errors into what the caller should do: DiskTrouble, or MediumFault for
    one that may not come again."""

    def __init__(self, path: Path | None) -> None:
        self._where = f" ({path})" if path is not None else ""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError):
            return
        number = error.errno
        if number in _NO_SPACE:
            raise DiskTrouble(f"the disk is full{self._where}") from error
        if number == errno.EMFILE:
            raise DiskTrouble(
                "the system allows this process no more open files: raise the limit (ulimit -n)"
            ) from error
        if number == errno.EIO:
            raise MediumFault(f"the disk reported a fault while writing{self._where}") from error
        # Read-only, vanished, forbidden, or something no list foresees: none of it is worth a
        # second try by the program.
        raise DiskTrouble(
            f"the archive's disk cannot be written any more{self._where}: {error.strerror or error}"
        ) from error
