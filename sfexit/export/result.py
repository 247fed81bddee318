"""What an export came to."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from sfexit.archive import bagit, home, layout
from sfexit.archive.layout import HomeLayout
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.sealing import SealedBag
from sfexit.errors import ArchiveProblem
from sfexit.export.metadata.index import Summary, summary
from sfexit.export.refresh.marks import Counts
from sfexit.preflight import Sight


@dataclass(frozen=True)
class Refreshed:
    """How an org differs from the bag before, `generation`.

    `counts` are by object, in the order of names. `unchanged`: nothing that a new bag would be
    made for; `traces` then names objects that differ by what signing in leaves behind. Times UTC.
    """

    generation: int
    counts: tuple[tuple[str, Counts], ...]
    unchanged: bool
    traces: tuple[str, ...]
    rows_kept: int
    since: str = ""
    looked: str = ""
    damaged: int = 0  # files of that bag which are not what was sealed; counted on a quiet day

    @property
    def total(self) -> Counts:
        """All objects together."""
        return sum((counts for _, counts in self.counts), Counts())


@dataclass(frozen=True)
class ExportResult:
    """What an export came to. `seconds` is wall time of this run, `calls` its API calls."""

    home: Path
    organization_id: str
    organization: str
    bag: SealedBag | None
    lines: tuple[LedgerLine, ...]
    rows_read: int
    csv_bytes_read: int
    calls: int
    seconds: float
    resumed: bool
    set_aside: tuple[str, ...]
    already_sealed: bool = False
    files_fetched: int = 0  # by this run
    file_bytes_fetched: int = 0
    files_taken_over: int = 0  # from the bag before, by this run
    sight: Sight | None = None  # None: a bag from before there was a look
    metadata: Summary | None = None  # None: a bag from before metadata were taken
    refreshed: Refreshed | None = None
    page_bytes: int = 0  # of pages of rows, as they came or are stored

    @property
    def complete(self) -> bool:
        """Whether nothing that may be data is missing."""
        return not self.incomplete and not (self.metadata and self.metadata.incomplete)

    @property
    def incomplete(self) -> tuple[LedgerLine, ...]:
        """The objects of which something may be missing."""
        return tuple(line for line in self.lines if line.incomplete)


def already_sealed(
    place: HomeLayout, organization_id: str, *, calls: int, seconds: float
) -> ExportResult:
    """Nothing is under way and a bag is there: say what it is. Raises ArchiveProblem."""
    generation = place.generations()[-1]
    bag = place.bag(generation)
    info = home.bag_info(bag)
    lines = ledger_of(bag)
    size, _, count = info.get("Payload-Oxum", "0.0").partition(".")
    sealed = SealedBag(
        bag,
        generation,
        bagit.root_digest(bag),
        info.get("Sfexit-Signing-Key", ""),
        int(count or 0),
        int(size or 0),
    )
    return ExportResult(
        place.root,
        organization_id,
        info.get("Source-Organization", ""),
        sealed,
        lines,
        rows_read=0,
        csv_bytes_read=0,
        calls=calls,
        seconds=seconds,
        resumed=False,
        set_aside=(),
        already_sealed=True,
        sight=sight_of(bag),
        metadata=_metadata_of(bag),
    )


def _metadata_of(bag: Path) -> Summary | None:
    """The figures of the sealed bag's index of metadata; None when it has none."""
    try:
        with (bag / layout.METADATA_INDEX).open(encoding="utf-8", newline="") as handle:
            return summary(csv.DictReader(handle))
    except (OSError, ValueError, KeyError):
        return None


def ledger_of(bag: Path) -> tuple[LedgerLine, ...]:
    """The ledger of a sealed bag. Raises ArchiveProblem."""
    try:
        with (bag / layout.LEDGER).open(encoding="utf-8", newline="") as handle:
            return tuple(LedgerLine.from_cells(row) for row in csv.DictReader(handle))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArchiveProblem(f"{bag / layout.LEDGER} is damaged: verify the archive") from error


def sight_of(bag: Path) -> Sight | None:
    """The sight that a sealed bag tells of; None when it has none that can be understood."""
    try:
        return Sight.from_json(json.loads((bag / layout.SIGHT).read_bytes()))
    except (OSError, ValueError):
        return None
