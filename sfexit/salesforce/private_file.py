"""Small files that belong to one user alone: read with care, replaced in one go, locked."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sfexit.errors import DiskTrouble, SignInProblem, Transient
from sfexit.redaction import printable

_WAIT_SECONDS = 120.0  # a renewal under way elsewhere ends with its network time-outs
_POLL_SECONDS = 0.05
_WINDOWS_TRIES = 20  # virus scanners hold fresh files for moments


def read_private(path: Path, setting: str, limit_bytes: int = 64 * 1024) -> bytes:
    """What a file holds that is closed to other people; `setting` is what names it.

    Raises SignInProblem.
    """
    shown = printable(str(path), 200)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise SignInProblem(f"{setting} ({shown}) is not a file.")
            # Windows keeps no such bits; its files belong to the user's own profile.
            if sys.platform != "win32" and mode & 0o077:
                raise SignInProblem(
                    f"Other users of this computer can read {shown}; run chmod 600 on it, and "
                    "replace what it holds if it was open for long."
                )
            return file.read(limit_bytes)
    except OSError as error:
        raise SignInProblem(
            f"The file {shown} cannot be read ({error.strerror}); check {setting}."
        ) from None


def make_folder(folder: Path) -> None:
    """Make a folder with mode 0700. Raises DiskTrouble, SignInProblem when others may write it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        mode = folder.stat().st_mode
    except OSError as error:
        raise _trouble(folder, error) from None
    if sys.platform != "win32" and mode & 0o022:
        raise SignInProblem(
            f"Other users of this computer can change the folder {printable(str(folder), 200)}, "
            "where stored sign-ins are; run chmod 700 on it."
        )


def write_private(path: Path, data: bytes) -> None:
    """Replace a file, mode 0600: it is the old one or the new one, whatever happens.

    Returns when the new one is on the disk. Raises DiskTrouble. Hold a lock: two writers at once
    are not foreseen.
    """
    part = path.with_name(path.name + ".part")
    try:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        for tries_left in reversed(range(_WINDOWS_TRIES)):
            try:
                part.replace(path)
                break
            except PermissionError:
                if os.name != "nt" or not tries_left:
                    raise
                time.sleep(_POLL_SECONDS)
        if os.name != "nt":  # makes the new name durable; NTFS keeps a log of its own
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise _trouble(path, error) from None


def remove(path: Path) -> None:
    """Remove a file if it is there. Raises DiskTrouble."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _trouble(path, error) from None


@contextlib.contextmanager
def locked(
    path: Path,
    *,
    wait_seconds: float = _WAIT_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the lock file `path`: one process, and one thread in it, at a time.

    The system frees it when its holder dies, so no lock is ever left behind. Raises Transient
    when another one holds it too long, DiskTrouble when this file system knows no locks.
    """
    flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise _trouble(path, error) from None
    try:
        until = time.monotonic() + wait_seconds
        while not _try_lock(descriptor, path):
            if time.monotonic() >= until:
                raise Transient(
                    "Another run of sfexit has been renewing this sign-in for too long; try again "
                    "when it is done."
                )
            sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            _unlock(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, path: Path) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return False
        raise DiskTrouble(
            f"The file system of {printable(str(path.parent), 200)} has no file locks "
            f"({error.strerror}), without which two runs could spoil a stored sign-in; set "
            "SFEXIT_CONFIG_DIR to a folder on a local disk."
        ) from None
    return True


def _unlock(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # closing the file frees it in any case
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _trouble(path: Path, error: OSError) -> DiskTrouble:
    return DiskTrouble(
        f"{printable(str(path), 200)} cannot be written ({error.strerror or error}), so the "
        "sign-in cannot be kept; make room or rights there, or set SFEXIT_CONFIG_DIR."
    )
