"""The home: whose exit it is, who works in it now, which bags it holds.

Opening a home for an export takes its lock, so two runs never share one. The lock is the
operating system's (`flock`, on Windows `msvcrt.locking`): it ends with the process that holds it,
however that process ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from sfexit.archive import layout
from sfexit.archive.durable import Disk, telling
from sfexit.archive.layout import HomeLayout
from sfexit.errors import ArchiveProblem, Blocked, Locked
from sfexit.redaction import printable

_LONGEST_PARENT = 100  # below 260 (Windows) with the longest path inside a bag


# What an administrator may have put into a folder before it becomes a home.
_PREPARED = frozenset(
    {
        "sfexit.toml",
        "contract.toml",
        "assessment.json",
        "assess.html",  # reports under the names that their pages suggest
        "contract.html",
        "deadlines.ics",
        "cancellation",  # a notice that could not wait for the export
        ".made-by-sfexit-demo",
        layout.HOME_MARK + layout.PART_SUFFIX,  # killed while it made the home
    }
)


def check_place(root: Path) -> None:
    """Refuse a home that could not be worked in, before anything is asked of the org.

    A folder is a home only if it holds our mark. Anything else that is there belongs to somebody:
    a folder named `work` or `bags` is no reason to think it ours. Leaves nothing behind. Raises
    Blocked with one sentence.
    """
    if root.is_symlink():
        raise Blocked(f"{root} is a link: name the folder itself")
    _refuse_files_above(root)
    if (root / "bagit.txt").exists():
        raise Blocked(f"{root} is a bag, not a home: name the folder that holds its `bags` folder")
    if root.is_dir() and home_org(root) is None:
        strangers = sorted({entry.name for entry in root.iterdir()} - _PREPARED)
        if strangers:
            shown = ", ".join(printable(name, 40) for name in strangers[:3])
            raise Blocked(
                f"{root} holds other files ({shown}{' …' if len(strangers) > 3 else ''}) and is "
                "not a home of sfexit: choose a new or empty folder"
            )
    if os.name == "nt" and len(str(root.absolute())) > _LONGEST_PARENT:
        raise Blocked(f"{root.absolute()} is too long for Windows: choose a shorter path")
    nearest = root
    while not nearest.exists():
        nearest = nearest.parent
    for folder in (nearest, HomeLayout(root).work, HomeLayout(root).work_bag):
        if folder.is_dir():
            _probe(folder)


def _refuse_files_above(root: Path) -> None:
    for folder in (root, *root.parents):
        try:
            is_file = folder.exists() and not folder.is_dir()
        except OSError as error:
            raise Blocked(f"{root} cannot be used: {error.strerror}") from error
        if is_file:
            raise Blocked(f"{folder} is a file, not a folder: choose another name for the home")


def home_org(root: Path) -> str | None:
    """The org whose home `root` is, or None when it is no home.

    Raises ArchiveProblem when the mark is damaged, Blocked when another version made it.
    """
    path = root / layout.HOME_MARK
    if not path.is_file() or path.is_symlink():
        return None
    try:
        told = json.loads(path.read_bytes())
        schema, org = str(told["schema"]), str(told["org"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArchiveProblem(
            f"{path} is damaged: name another home, or put the file back from a backup"
        ) from error
    if schema != layout.HOME_SCHEMA:
        raise Blocked(
            f"{path} was made by another version of sfexit ({printable(schema, 40)!r}, this one "
            f"knows {layout.HOME_SCHEMA!r}): use that version, or name another home"
        )
    return org


def claim(root: Path, organization_id: str, disk: Disk) -> None:
    """Make `root` the home of an org: a private folder (0700) with our mark in it.

    A folder that is a home already stays as it is. Call `check_place` first; it is asked again
    here, because nothing below may ever touch a folder that is not ours.
    """
    check_place(root)
    if home_org(root) is not None:
        return
    disk.make_folder(root)
    if os.name != "nt":
        with contextlib.suppress(OSError):
            root.chmod(0o700)
    told = {"schema": layout.HOME_SCHEMA, "org": organization_id}
    disk.write_whole(root / layout.HOME_MARK, json.dumps(told).encode() + b"\n")


def _probe(folder: Path) -> None:
    probe = folder / f".sfexit-probe-{os.getpid()}{layout.PART_SUFFIX}"
    try:
        with probe.open("xb") as handle:
            handle.write(b"probe")
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise Blocked(
            f"{folder} cannot be written ({error.strerror}): choose another folder, make room or "
            "get write access to it"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


@contextlib.contextmanager
def locked(home: HomeLayout, disk: Disk) -> Iterator[None]:
    """Hold the home's lock. Raises Locked, naming the process that holds it."""
    disk.make_folder(home.work)
    path = home.work / layout.WORK_LOCK
    with telling(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as handle:
        if not _try_lock(handle):
            raise Locked(_holder(handle, home))
        handle.seek(0)
        handle.truncate()
        about = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        with contextlib.suppress(OSError):  # only words for others; a full disk may refuse them
            handle.write(json.dumps(about).encode())
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                handle.truncate(0)
            _unlock(handle)


def _holder(handle: IO[bytes], home: HomeLayout) -> str:
    told = "another run"
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        handle.seek(0)
        about = json.loads(handle.read(4096))
        told = (
            f"process {int(about['pid'])} on {str(about['host'])[:64]!r}, "
            f"since {str(about['since'])[:32]}"
        )
    return f"{home.root} is in use by {told}: wait for it, or stop it, then run this again"


if os.name == "nt":  # pragma: no cover - not reachable on the test machines
    import msvcrt

    # A lock on Windows bars others from reading the bytes, so a byte far behind the text is locked.
    _FAR = 1 << 30

    def _try_lock(handle: IO[bytes]) -> bool:
        handle.seek(_FAR)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True

    def _unlock(handle: IO[bytes]) -> None:
        handle.seek(_FAR)
        with contextlib.suppress(OSError):
            msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]

else:
    import fcntl

    def _try_lock(handle: IO[bytes]) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(handle: IO[bytes]) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)


def work_about(home: HomeLayout) -> dict[str, Any] | None:
    """What work/home.json says, or None when no export is under way.

    Raises ArchiveProblem when it is damaged, Blocked when a newer sfexit made it.
    """
    path = home.work / layout.WORK_HOME
    if not path.exists():
        return None
    try:
        about = json.loads(path.read_bytes())
        schema = str(about["schema"])
        org = str(about["org"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArchiveProblem(
            f"{path} is damaged: remove {home.work} to begin the export anew; "
            "sealed bags are not touched by that"
        ) from error
    if schema != layout.WORK_SCHEMA:
        raise Blocked(
            f"{path} was made by another version of sfexit ({schema[:40]!r}, this one knows "
            f"{layout.WORK_SCHEMA!r}): go on with that version, or remove {home.work} to begin anew"
        )
    return {**about, "org": org}


def bag_info(bag: Path) -> dict[str, str]:
    """The labels of a sealed bag. Raises ArchiveProblem, or Blocked for an unknown format."""
    path = bag / "bag-info.txt"
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ArchiveProblem(f"{path} cannot be read: the bag is damaged") from error
    pairs = (line.partition(":") for line in lines if ":" in line and not line[:1].isspace())
    info = {key.strip(): value.strip() for key, _, value in pairs}
    made = info.get("Sfexit-Archive-Format", "")
    if made != layout.FORMAT:
        raise Blocked(
            f"{bag} has the archive format {made[:40]!r}, this sfexit knows {layout.FORMAT!r}: "
            "use the version of sfexit that made it, or a newer one"
        )
    return info


def check_org(home: HomeLayout, organization_id: str) -> None:
    """Refuse to mix two orgs in one home. Raises Blocked, naming both."""
    org = home_org(home.root)
    if org is not None and org != organization_id:
        raise Blocked(_two_orgs(home.root, org, organization_id))
    about = work_about(home)
    if about is not None and about["org"] != organization_id:
        raise Blocked(_two_orgs(home.root, about["org"], organization_id))
    for generation in home.generations():
        found = bag_info(home.bag(generation)).get("External-Identifier", "")
        if found != organization_id:
            raise Blocked(_two_orgs(home.root, found, organization_id))


def _two_orgs(root: Path, theirs: str, ours: str) -> str:
    return (
        f"{root} belongs to the org {theirs[:18]}, but you are signed in to {ours}: "
        "choose another home, or sign in to the other org"
    )


# All that an export ever puts below work/, besides the lock and what it set aside.
_WORK_FILES = (
    layout.WORK_JOURNAL,
    layout.WORK_STATE,
    f"{layout.WORK_STATE}-wal",
    f"{layout.WORK_STATE}-shm",
    f"{layout.WORK_STATE}{layout.PART_SUFFIX}",
    layout.WORK_EARLIER,
    layout.WORK_HELD,
    f"{layout.WORK_EARLIER}-wal",
    f"{layout.WORK_EARLIER}-shm",
    f"{layout.WORK_EARLIER}{layout.PART_SUFFIX}",
)


def clear_work(home: HomeLayout) -> None:
    """Remove the remains of a finished export: what we made, by name, and nothing else.

    The lock file stays: it is held. home.json goes first: without it no export is under way,
    however little else was removed when a kill comes in between. Raises ArchiveProblem when the
    folder is not below a home.
    """
    if home_org(home.root) is None:
        raise ArchiveProblem(f"{home.root} is not a home of sfexit: nothing in it was removed")
    with contextlib.suppress(OSError):
        (home.work / layout.WORK_HOME).unlink(missing_ok=True)
    if home.work_bag.is_dir() and not home.work_bag.is_symlink():
        shutil.rmtree(home.work_bag, ignore_errors=True)
    parents = home.work / layout.WORK_PARENTS
    if parents.is_dir() and not parents.is_symlink():
        shutil.rmtree(parents, ignore_errors=True)
    for name in _WORK_FILES:
        with contextlib.suppress(OSError):
            (home.work / name).unlink(missing_ok=True)
