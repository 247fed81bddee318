"""What was decided, sent and answered: one line each, never changed, in `records.jsonl`.

Each line holds the SHA-256 of the line before, so that nothing can be taken out or put in unseen,
and is on the disk before the command that wrote it ends.

Events:
    override    reason, open: [gate, …]                  letters without a proven backup
    prepared    package, sums, languages, letters        a package of letters was written
    sent        date, channel, tracking, document        the notice left
    confirmed   date, channel, document, end             the supplier confirmed the end
    refused     date, channel, document, because         the supplier said no
    attested    item, person, said                       somebody answers for a place or a task
    waived      item, person, said                       somebody goes without it, and says why
    custody     copies, keys, successor, …               who keeps what, as far as it was said
    checked     sign_in, locked, renewal, evidence       what the org answered after the notice
    closed      package, sums                            the final package was written

`document` is {name, sha256, stored} or null; dates are ISO 8601.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sfexit.archive.durable import Disk, close
from sfexit.archive.home import locked
from sfexit.archive.layout import HomeLayout
from sfexit.errors import ArchiveProblem, Blocked

FOLDER = "cancellation"
NAME = "records.jsonl"
_FIRST = "0" * 64
_LIMIT = 64 << 20


@dataclass(frozen=True)
class Entry:
    """A line of the file. `at` is when it was written (UTC); `data` is the event's own."""

    seq: int
    at: datetime
    event: str
    data: dict[str, Any]

    def day(self, key: str = "date") -> date:
        """A date of the event. Raises ArchiveProblem for a line that has none."""
        try:
            return date.fromisoformat(self.data[key])
        except (KeyError, TypeError, ValueError) as error:
            raise ArchiveProblem(f"record {self.seq} of {NAME} has no {key}") from error


def path_of(home: Path) -> Path:
    """Where the records of a home lie."""
    return home / FOLDER / NAME


@contextmanager
def writing(home: Path, disk: Disk) -> Iterator[None]:
    """Only one command at a time writes there. Raises Locked."""
    folder = home / FOLDER
    if folder.is_symlink():
        raise Blocked(f"{folder} is a link: put a folder there")
    with locked(HomeLayout(folder), disk):
        yield


def read(home: Path) -> tuple[Entry, ...]:
    """Every record, oldest first; a line that a power cut broke off at the end does not count.

    Raises ArchiveProblem when the file was changed after it was written.
    """
    return tuple(entry for entry, _ in _lines(path_of(home)))


def append(home: Path, event: str, data: dict[str, Any], disk: Disk | None = None) -> Entry:
    """Write one record, durable when this returns. Hold `writing`. Raises DiskTrouble."""
    disk = disk or Disk()
    path = path_of(home)
    disk.make_folder(path.parent)
    good, digest, seq = 0, _FIRST, 0
    for entry, line in _lines(path):
        good, digest, seq = good + len(line) + 1, hashlib.sha256(line).hexdigest(), entry.seq
    if path.exists() and path.stat().st_size > good:
        with path.open("r+b") as broken:
            broken.truncate(good)
            os.fsync(broken.fileno())
    at = datetime.now(UTC).replace(microsecond=0)
    told = {"seq": seq + 1, "at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "event": event}
    text = json.dumps({**data, **told, "prev": digest}, ensure_ascii=False, sort_keys=True)
    handle = disk.append(path)
    try:
        disk.write(handle, text.encode() + b"\n")
        disk.sync(handle)
    finally:
        close(handle)
    disk.sync_folder(path.parent)
    return Entry(seq + 1, at, event, data)


def _lines(path: Path) -> Iterator[tuple[Entry, bytes]]:
    if path.is_symlink():
        raise Blocked(f"{path} is a link: put the file itself there")
    if not path.exists():
        return
    if path.stat().st_size > _LIMIT:
        raise ArchiveProblem(f"{path} is too large to be what sfexit wrote: look at it")
    *lines, _ = path.read_bytes().split(b"\n")
    digest = _FIRST
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
            at = datetime.strptime(told.pop("at"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            if told.pop("prev") != digest or told.pop("seq") != number:
                raise ValueError
            entry = Entry(number, at, str(told.pop("event")), told)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArchiveProblem(
                f"{path} was changed after it was written (line {number}): restore it from a copy"
            ) from error
        yield entry, line
        digest = hashlib.sha256(line).hexdigest()
