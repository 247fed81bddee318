"""A small simulated org behind a real socket, the real client, and checks of what came out."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sfexit.archive import bagit, layout, signing
from sfexit.archive.durable import Disk
from sfexit.archive.journal import good_prefix
from sfexit.archive.ledger import OUTCOMES, LedgerLine
from sfexit.export.means import Tuning
from sfexit.export.result import ExportResult
from sfexit.export.run import export
from sfexit.progress import Silent
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment
from sfexit.salesforce.org import ORGANIZATION_FIELDS
from sfexit.simulated_org import Fault, FaultPlan, SimulatedOrg, serve
from sfexit.simulated_org.schema import SObject, make

csv.field_size_limit(2**31 - 1)

# Hundreds of homes, each flushed to the disk hundreds of times: in memory where that is possible.
# The promises about flushing are tested with doubles of the disk, not by waiting for one.
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None

BULK_FROM = 100  # rows; so that a small org is read by both roads


def small_objects() -> list[SObject]:
    """Item__c goes by Bulk in several pages, Memo__c by REST in several pages, and some more."""
    return [
        make(
            "Organization",
            "00D",
            "Name string(80) gen=const:Northwater name required\n"
            + "\n".join(
                f"{name} string(80) gen=null"
                for name in ORGANIZATION_FIELDS
                if name not in ("Id", "Name", "CreatedDate")
            ),
            system="nodelete",
            fixed=1,
            flags=("replicateable", "updateable"),
        ),
        make(
            "User",
            "005",
            "Username string(80) gen=username required\nName string(121) gen=person name required\n"
            "FirstName string(40) gen=first\nLastName string(80) gen=last required\n"
            "Email email(128) gen=email required",
            system="nodelete",
            weight=0.0001,
        ),
        make(
            "Item__c",
            "a01",
            "Name string(80) gen=seq:I- name auto required\nPrice__c currency(18,2)\n"
            "Text__c textarea(32768)\nWhen__c datetime\nExtra__c string(80) gen=title",
            weight=1.0,
        ),
        make("Memo__c", "a02", "Name string(80) name\nBody__c textarea(32768)", fixed=48),
        make("Empty__c", "a03", "Name string(80) name", fixed=0),
    ]


class Notes(Silent):
    """Keeps what the run says; safe for threads because lists are."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.costs: list[str] = []  # what files were said to cost

    def files_planned(self, count: int, cost: str = "") -> None:
        if cost:
            self.costs.append(cost)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def said(self, words: str) -> bool:
        return any(words in note for note in self.notes)


class Time:
    """A clock that only sleeping moves, so that hours of waiting take no time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds

    def __call__(self) -> float:
        return self.now


class Rig:
    """One org, one home. `run` exports; faults are planned with `fail`."""

    def __init__(self, folder: Path, *, rows: int = 300, objects: Any = None, **org: Any) -> None:
        org = {"bulk_page_rows": 60, "rest_page_rows": 20, **org}
        self.org = SimulatedOrg(rows=rows, objects=objects or small_objects(), **org)
        self.plan = FaultPlan(seed=int(os.environ.get("SFEXIT_FAULT_SEED", "0")))
        self.server = serve(self.org, self.plan)
        self.folder = folder
        self.root = folder / "home"
        self.time = Time()
        self.notes = Notes()
        self.environment = {
            "SFEXIT_INSTANCE_URL": self.server.url,
            "SFEXIT_ACCESS_TOKEN": self.org.access_token,
        }

    def close(self) -> None:
        self.server.close()

    def fail(self, kind: str, endpoint: str = "*", **details: Any) -> Fault:
        return self.server.fail(kind, endpoint, **details)

    def fired(self, kind: str) -> int:
        return sum(1 for one in self.plan.fired if one.kind == kind)

    def renewable(self) -> None:
        """From now on the run can get new sessions by itself."""
        self.environment = {
            "SFEXIT_INSTANCE_URL": self.server.url,
            "SFEXIT_CLIENT_ID": self.org.client_id,
            "SFEXIT_CLIENT_SECRET": self.org.client_secret,
        }

    def key(self) -> signing.SigningKey:
        return signing.load_or_create(self.folder / "key")

    def run(
        self,
        *,
        disk: Disk | None = None,
        tuning: Tuning | None = None,
        stop: threading.Event | None = None,
        selection: Any = None,
        anew: bool = False,
        refresh: bool = False,
        strict: bool = False,
        root: Path | None = None,
        **client: Any,
    ) -> ExportResult:
        client = {"sleep": self.time.sleep, "clock": self.time, "budget_share": 1.0, **client}
        # A token counts as settled at once: in a test it is refused moments after it was made.
        ticks = itertools.count(step=60)
        credential = credential_from_environment(self.environment, clock=lambda: next(ticks))
        with Client(credential, progress=self.notes, stop=stop, **client) as opened:
            return export(
                opened,
                root or self.root,
                key=self.key,
                disk=disk,
                progress=self.notes,
                stop=stop,
                selection=selection,
                anew=anew,
                refresh=refresh,
                strict=strict,
                tuning=tuning or self.tuning(),
            )

    def tuning(self, **more: Any) -> Tuning:
        return Tuning(**{"bulk_from_rows": BULK_FROM, "clock": self.time, **more})

    def jobs(self) -> list[str]:
        """Query jobs that are still in the org."""
        return [job.object for job in self.org.jobs._jobs.values()]

    def truth(self, name: str) -> list[dict[str, str]]:
        rows = [{k: v or "" for k, v in row.items()} for row in self.org.truth(name)]
        return sorted(rows, key=sorted_key)

    def given(self, name: str) -> list[dict[str, str]]:
        """The rows that the org gives to anybody: links of deleted files it does not (a doubt)."""
        rows = self.truth(name)
        if name != "ContentDocumentLink" or self.org.doubts.links_of_deleted_files:
            return rows
        files = self.truth("ContentDocument")
        gone = {row["Id"] for row in files if row["IsDeleted"] == "true"}
        return [row for row in rows if row["ContentDocumentId"] not in gone]


def sorted_key(row: dict[str, str]) -> Any:
    return (row.get("Id", ""), sorted(row.items()))


def archive_rows(bag: Path, name: str) -> list[dict[str, str]]:
    """All rows of an object in a bag, read with nothing of ours: gzip and csv."""
    package = json.loads((bag / layout.DATAPACKAGE).read_bytes())
    found = [one for one in package["resources"] if one.get("title") == name]
    rows: list[dict[str, str]] = []
    for path in [path for one in found for path in one["path"]]:
        data = gzip.decompress((bag / "data" / path).read_bytes())
        text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
        rows += csv.DictReader(text, strict=True)
    return sorted(rows, key=sorted_key)


def ledger_of(bag: Path) -> dict[str, LedgerLine]:
    with (bag / layout.LEDGER).open(encoding="utf-8", newline="") as handle:
        lines = [LedgerLine.from_cells(row) for row in csv.DictReader(handle)]
    assert len({line.object for line in lines}) == len(lines)
    return {line.object: line for line in lines}


def journal_events(bag: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (bag / layout.JOURNAL).read_bytes().splitlines()]


def files_below(folder: Path) -> Iterator[Path]:
    for here, _, names in os.walk(folder):
        for name in names:
            yield Path(here) / name


def no_parts(root: Path) -> None:
    assert [path for path in files_below(root) if path.name.endswith(".part")] == []


def problems_of_bag(bag: Path) -> list[str]:
    """What is wrong with a sealed bag by itself: files, digests, seal, sums, journal."""
    wrong = []
    manifest = {}
    for line in (bag / bagit.MANIFEST).read_text("ascii").splitlines():
        digest, _, path = line.partition("  ")
        manifest[path] = digest
    present = {path.relative_to(bag).as_posix() for path in files_below(bag / "data")}
    if present != set(manifest):
        wrong.append(f"files and manifest differ: {sorted(present ^ set(manifest))[:3]}")
    for path in present & set(manifest):
        if hashlib.sha256((bag / path).read_bytes()).hexdigest() != manifest[path]:
            wrong.append(f"{path}: digest")
    if not signing.check_seal(bag).valid:
        wrong.append(f"seal: {signing.check_seal(bag).findings}")
    good, size = good_prefix(bag / layout.JOURNAL)
    if good != size:
        wrong.append("journal: chain")
    for here, folders, names in os.walk(bag):
        if not folders and not names:
            wrong.append(f"{here}: empty folder")
    with (bag / layout.PAGES).open(encoding="utf-8", newline="") as handle:
        pages = list(csv.DictReader(handle))
    if {f"data/{page['path']}" for page in pages} != {
        path for path in present if path.startswith("data/records/")
    }:
        wrong.append("pages.csv: not the pages that are there")
    for line in ledger_of(bag).values():
        counted = sum(int(page["rows"]) for page in pages if page["object"] == line.object)
        if line.outcome not in OUTCOMES or counted != (line.rows or 0):
            wrong.append(f"ledger: {line.object} {line.outcome} {line.rows}, pages {counted}")
        if line.has_rows != any(page["object"] == line.object for page in pages):
            wrong.append(f"ledger: {line.object} has pages without rows, or rows without pages")
        if len(archive_rows(bag, line.object)) != counted:
            wrong.append(f"{line.object}: not the rows that pages.csv counts")
        exact = ("job_total", "declared", "counted", "parsed", "distinct_ids")
        told = {name: line.witnesses[name] for name in exact if name in line.witnesses}
        if line.outcome == "exported" and set(told.values()) != {line.rows}:
            wrong.append(f"ledger: {line.object} {line.rows} {told}")
    return wrong


def assert_complete(rig: Rig, result: ExportResult, *, jobs: bool = True) -> None:
    """The archive holds every row of every object, field by field, and nothing else."""
    assert result.bag is not None
    bag = result.bag.path
    wrong = problems_of_bag(bag)
    assert not wrong, wrong
    lines = ledger_of(bag)
    assert set(lines) == set(rig.org.objects)
    for name, line in lines.items():
        expected = rig.truth(name)
        assert line.outcome == ("exported" if expected else "empty"), line
        assert not line.incomplete, line
        assert archive_rows(bag, name) == expected, name
    no_parts(rig.root)
    assert not result.incomplete
    if jobs:
        assert rig.jobs() == []
