"""Making a damaged or lost journal index anew, from what is provably there."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path

import sfexit
from sfexit.archive import home, layout, sealing
from sfexit.archive.durable import Disk
from sfexit.archive.journal import Journal, good_prefix
from sfexit.archive.layout import HomeLayout
from sfexit.errors import ArchiveProblem, Blocked, DiskTrouble
from sfexit.progress import SILENT, Progress

_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class RecoverResult:
    """What was found whole, what has to be fetched again, and what was cut from the journal."""

    pages_kept: int
    pages_lost: int
    files_kept: int
    files_lost: int
    bytes_cut: int


def recover(root: Path, *, disk: Disk | None = None, progress: Progress = SILENT) -> RecoverResult:
    """Rebuild the index of the export under way in the home `root`; asks the org for nothing.

    The longest unbroken beginning of the journal counts. Every page and file that it names is read
    again; what is not as it was written is removed and fetched by the next export. Sealed bags are
    not touched. Raises Blocked when no export is under way or a newer sfexit made it, Locked,
    ArchiveProblem when nothing is left to go on from, DiskTrouble.
    """
    disk = disk or Disk()
    place = HomeLayout(root)
    if home.home_org(root) is None or not place.work.is_dir():
        raise Blocked(f"no export is under way in {root}: there is nothing to recover")
    with home.locked(place, disk):
        if home.work_about(place) is None:
            raise Blocked(f"no export is under way in {root}: there is nothing to recover")
        return _rebuilt(place, disk, progress)


def _rebuilt(place: HomeLayout, disk: Disk, progress: Progress) -> RecoverResult:
    lines, index = place.work / layout.WORK_JOURNAL, place.work / layout.WORK_STATE
    if good_prefix(lines)[0] == 0:
        raise ArchiveProblem(
            f"nothing is left of the journal {lines}, so nobody can tell which pages are whole: "
            f"remove {place.work} and export again; sealed bags are safe"
        )
    progress.phase("Rebuilding the journal's index")
    journal, cut = Journal.rebuild(disk, lines, index)
    try:
        if sealing.finish_interrupted(place, journal) is not None:
            return RecoverResult(0, 0, 0, 0, cut)  # sealed already; the next export tidies up
        result = _checked(place, disk, journal, progress, cut)
        journal.record(
            "recovered",
            made_by=f"sfexit {sfexit.__version__}, Python {platform.python_version()}",
            bytes_cut=result.bytes_cut,
            pages_lost=result.pages_lost,
            files_lost=result.files_lost,
        )
        return result
    finally:
        journal.close()


def _checked(
    place: HomeLayout, disk: Disk, journal: Journal, progress: Progress, cut: int
) -> RecoverResult:
    progress.phase("Reading every page and file again")
    pages_kept = pages_lost = files_kept = files_lost = 0
    for page in journal.pages():
        if _digest(layout.within(place.work_bag, page["path"])) == page["sha256"]:
            pages_kept += 1
            continue
        pages_lost += 1
        progress.note(f"{page['path']} is gone or damaged; the next export fetches it again")
        sealing.drop_page(place, disk, page["path"])
        journal.record(
            "page_lost",
            path=page["path"],
            object=page["object"],
            reading=page["reading"],
            slice=page["slice"],
        )
    for row in journal.rows("SELECT path FROM file ORDER BY path"):
        if sealing.stored_file(journal, place.work_bag, row["path"]) is not None:
            files_kept += 1
            continue
        files_lost += 1
        progress.note(f"{row['path']} is gone or damaged; the next export makes it again")
        disk.remove(layout.within(place.work_bag, row["path"]))
        journal.record("file_lost", path=row["path"])
    return RecoverResult(pages_kept, pages_lost, files_kept, files_lost, cut)


def _digest(path: Path) -> str | None:
    """SHA-256 of a file, or None when it is not there."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as handle:
            while piece := handle.read(_READ_BYTES):
                digest.update(piece)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()
