"""What one run works with: every stage of it gets the same `Means`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sfexit.archive import sealing
from sfexit.archive.durable import Disk
from sfexit.archive.earlier import Earlier
from sfexit.archive.journal import Journal
from sfexit.archive.layout import HomeLayout
from sfexit.archive.page import LIMIT_CSV_BYTES, PageFacts
from sfexit.archive.stored_rows import PageDamaged
from sfexit.errors import Interrupted
from sfexit.export import plan
from sfexit.export.plan import Selection
from sfexit.export.tally import Tally
from sfexit.salesforce import bulk
from sfexit.salesforce.client import Client
from sfexit.salesforce.org import Identity


@dataclass(frozen=True)
class Tuning:
    """What is fixed in daily use, and set otherwise by tests and by odd orgs."""

    page_csv_bytes: int = LIMIT_CSV_BYTES  # a page that unpacks to more is refused
    bulk_from_rows: int = plan.BULK_FROM_ROWS
    scan_from_bytes: int = 500_000  # of an object in the bag before: smaller ones are read whole
    scout: bool = True  # look ahead by composite requests
    metadata_weight: int = 5_000  # about as many files in a retrieve
    job_stuck_seconds: float = bulk.STUCK_AFTER_SECONDS
    body_resume_bytes: int = 8 << 20  # so much of a file is worth going on with
    clock: Callable[[], float] = time.monotonic


class Halt:
    """The first thing that stops a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.error: BaseException | None = None

    def take(self, error: BaseException) -> None:
        """Remember an error, unless there is one already."""
        with self._lock:
            self.error = self.error or error


@dataclass(frozen=True)
class Means:
    """The org, the home, the journal and the threads of one run. For use from any thread.

    `streams` fetch what is big, a few at once; `verifying` bounds how many of them unpack and
    count at the same time; `names` are the file-safe names of all objects, known once the
    catalogue is there; `earlier` is the bag that a refresh builds on.
    """

    client: Client
    home: HomeLayout
    disk: Disk
    journal: Journal
    tally: Tally
    stop: threading.Event
    streams: ThreadPoolExecutor
    verifying: threading.Semaphore
    identity: Identity
    selection: Selection
    tuning: Tuning
    names: dict[str, str] = field(default_factory=dict)
    halted: Halt = field(default_factory=Halt)
    earlier: Earlier | None = None

    @property
    def bag(self) -> Path:
        """The bag under way."""
        return self.home.work_bag

    def go_on(self) -> None:
        """Raises Interrupted when the run is to stop."""
        if self.stop.is_set():
            raise Interrupted("the run was asked to stop")

    def halt(self, error: BaseException) -> None:
        """Stop the run because of an error, from whatever thread."""
        self.halted.take(error)
        self.stop.set()

    def insist(self) -> None:
        """Raises what halted the run, and Interrupted when it is to stop for no such reason."""
        if self.halted.error is not None:
            raise self.halted.error
        self.go_on()

    def aside(self, work: Callable[[], None]) -> Future[None]:
        """Do something beside the stages that follow. What fails there halts the run."""

        def watched() -> None:
            try:
                work()
            except BaseException as error:
                self.halt(error)

        return self.streams.submit(watched)

    def note(self, object_name: str, kind: str, text: str) -> None:
        """Tell the user and the archive's notes about an object."""
        self.journal.record("note", object=object_name, kind=kind, text=text)
        self.tally.note(f"{object_name}: {text}" if object_name else text)

    def publish(self, relative: str, data: bytes) -> None:
        """Publish and journal a payload file that is no page; `.gz` names are packed."""
        sealing.publish_file(self.disk, self.journal, self.bag, relative, data, self.earlier)

    def publish_json(self, relative: str, document: Any) -> None:
        """Publish a document in a form that does not depend on the order of its making."""
        data = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
        self.publish(relative, data)

    def linked(self, object_name: str, final: Path, facts: PageFacts) -> PageFacts:
        """A published page, as the page of the bag before that has the same text, if there is one:
        then the disk holds it once."""
        if self.earlier is None:
            return facts
        same = self.earlier.page_like(object_name, facts.csv_sha256)
        if same is None:
            return facts
        with suppress(PageDamaged):
            self.earlier.take_page(same, final)
            return replace(facts, bytes=same["bytes"], sha256=same["sha256"])
        return facts

    def has(self, relative: str) -> bool:
        """True when the journal says that this file, which is no page, is in the bag."""
        return bool(self.journal.rows("SELECT 1 FROM file WHERE path = ?", (relative,)))

    def sha256(self, relative: str) -> str:
        """Digest of a published file as it was written; empty when there is none."""
        found = self.journal.rows("SELECT sha256 FROM file WHERE path = ?", (relative,))
        return found[0]["sha256"] if found else ""

    def stored(self, relative: str) -> bytes | None:
        """A published file, unpacked; None unless it is there just as it was written."""
        return sealing.stored_file(self.journal, self.bag, relative)

    def stored_json(self, relative: str) -> dict[str, Any] | None:
        """A published document; None unless it is there just as it was written."""
        stored = self.stored(relative)
        if stored is None:
            return None
        told: dict[str, Any] = json.loads(stored)
        return told

    def planned(self) -> list[str]:
        """Every object that the org named, in the order of reading."""
        return [
            row["name"] for row in self.journal.rows("SELECT name FROM object ORDER BY position")
        ]
