"""What a home tells of an exit: the contract, the archive, the proof, the users, the letters.

Reads the disk and nothing else. What cannot be read ends as a sentence that says why, so that a
status can always be shown.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from sfexit.archive.home import bag_info, home_org, work_about
from sfexit.archive.layout import SIGHT, HomeLayout
from sfexit.cancellation import records
from sfexit.cancellation.records import Entry
from sfexit.contract import terms
from sfexit.contract.outlook import Outlook, outlook
from sfexit.contract.terms import Contract
from sfexit.errors import SfexitError, UsageProblem
from sfexit.offboarding import journal as journals
from sfexit.verify.codes import Level
from sfexit.verify.standing import Standing, standing_certificate

OFFBOARDING = "offboarding"


@dataclass(frozen=True)
class Archive:
    """The newest sealed archive of a home. `looked`: the org was assessed for it."""

    folder: Path
    generation: int
    sealed: str
    looked: bool


@dataclass(frozen=True)
class Offboarding:
    """`done` when a plan was carried out wholly and not taken back."""

    done: bool
    evidence: str
    journals: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Situation:
    """A home as of `today`. Where something is None, its `…_problem` says why."""

    home: Path
    today: date
    org_id: str | None
    contract: Contract | None
    contract_problem: str
    outlook: Outlook | None
    archive: Archive | None
    archive_problem: str
    exporting: bool
    standing: Standing | None
    standing_problem: str
    offboarding: Offboarding
    records: tuple[Entry, ...]
    assessment: bool  # assessment.json lies in the home
    bills: bool  # bills.json does

    def last(self, event: str) -> Entry | None:
        """The newest record of a kind."""
        return next((one for one in reversed(self.records) if one.event == event), None)


def look(
    home: Path,
    today: date,
    *,
    trusted: Collection[str] = (),
    level: Level = Level.NORMAL,
    now: datetime | None = None,
) -> Situation:
    """Read a home. `level`: how closely the archive is read for its certificate.

    Raises UsageProblem for a home that is not there, ArchiveProblem for records that were changed
    after they were written.
    """
    if not home.is_dir():
        raise UsageProblem(f"{home} is no folder: name the exit's home")
    layout = HomeLayout(home)
    org, archive, problem = None, None, ""
    exporting = False
    try:
        org = home_org(home)
        exporting = work_about(layout) is not None
        archive = _archive(layout)
    except SfexitError as error:
        problem = error.message
    entries = records.read(home)
    contract, contract_problem, told = _contract(home, today, org, entries)
    standing, standing_problem = None, "no sealed archive yet"
    if archive is not None:
        try:
            standing = standing_certificate(home, trusted=trusted, level=level, now=now)
        except SfexitError as error:
            standing_problem = error.message
    return Situation(
        home, today, org, contract, contract_problem, told,
        archive, problem or "no sealed archive yet", exporting,
        standing, "" if standing else standing_problem,
        _offboarding(home / OFFBOARDING), entries, (home / "assessment.json").is_file(),
        (home / "bills.json").is_file(),
    )  # fmt: skip


def _contract(
    home: Path, today: date, org: str | None, entries: tuple[Entry, ...]
) -> tuple[Contract | None, str, Outlook | None]:
    try:
        contract = terms.load(home / terms.FILE_NAME)
        sent = any(one.event == "sent" for one in entries)
        told = outlook(contract, today, notice_sent=sent, home_org=org)
    except SfexitError as error:
        return None, error.message, None
    return contract, "", told


def _archive(layout: HomeLayout) -> Archive | None:
    generations = layout.generations()
    if not generations:
        return None
    bag = layout.bag(generations[-1])
    info = bag_info(bag)
    return Archive(bag, generations[-1], info.get("Bagging-Date", ""), (bag / SIGHT).is_file())


def _offboarding(folder: Path) -> Offboarding:
    if not folder.is_dir() or folder.is_symlink():
        return Offboarding(False, "no plan yet")
    found = sorted(folder.glob("*.journal.jsonl"))
    last = Offboarding(
        False, "planned, not carried out" if any(folder.iterdir()) else "no plan yet"
    )
    newest = datetime.min.replace(tzinfo=UTC)
    for path in found:
        try:
            purpose, complete, at = "", False, newest
            for event in journals.read(path):
                at = datetime.fromisoformat(str(event["at"]))
                if event["event"] == "begun":
                    purpose = str(event.get("purpose", ""))
                elif event["event"] in ("finished", "resumed"):
                    complete = bool(event.get("complete", False))
        except (SfexitError, ValueError, KeyError, TypeError):
            return Offboarding(False, f"{path.name} cannot be read or was changed", tuple(found))
        if purpose not in ("offboard", "undo") or at < newest:
            continue
        newest = at
        if purpose == "undo":
            last = Offboarding(False, f"taken back ({path.name}, {at:%Y-%m-%d})")
        elif complete:
            last = Offboarding(True, f"carried out wholly ({path.name}, {at:%Y-%m-%d})")
        else:
            last = Offboarding(False, f"begun, not finished ({path.name})")
    return Offboarding(last.done, last.evidence, tuple(found))
