"""An object while it is read, and what may cut a reading short."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sfexit.archive.journal import Journal
from sfexit.catalog import Description, ObjectEntry
from sfexit.errors import OrgRefused
from sfexit.export import plan
from sfexit.export.walks import Walk
from sfexit.salesforce import query
from sfexit.salesforce.object_rules import Rule

VANISHED = "it vanished while the object was read"


@dataclass
class Work:
    """One object while it is read."""

    entry: ObjectEntry
    rule: Rule | None
    description: Description
    columns: list[str]
    left_out: dict[str, str]
    reading: int
    route: str
    refused: set[str] = field(default_factory=set)  # routes that the org refused
    first: query.QueryPage | None = None  # the answer to its plain query, if it came ahead
    walk: Walk | None = None  # by which values it is asked for, on the filtered road
    tried: set[str] = field(default_factory=set)  # fields that were no good to ask by
    alone: bool = False  # nothing else is left to wait for
    gaps: list[str] = field(default_factory=list)  # what could not be asked for there

    @property
    def name(self) -> str:
        return self.entry.name


@dataclass(frozen=True)
class Totals:
    """Sums over a whole reading, each from its own witness."""

    counted: int
    declared: int | None
    job_total: int | None
    parents: int | None = None  # values that were asked for, on the filtered road


class Reread(Exception):
    """The reading is spoilt; the reason is told to the user if it stays so."""


class NotYet(Exception):
    """The object is given only by the rows of others, and those are not there yet."""


class GivenUp(Exception):
    """No road is left for this object."""

    def __init__(self, answer: plan.GiveUp, refusal: OrgRefused) -> None:
        super().__init__(answer.reason)
        self.answer = answer
        self.refusal = refusal


def pages_there(journal: Journal, work: Work, number: int) -> dict[int, Any]:
    """The pages of a slice that are in the bag, by their ordinal."""
    found = journal.rows(
        "SELECT page, rows, locator, next, total_size FROM page "
        "WHERE object = ? AND reading = ? AND slice = ? ORDER BY page",
        (work.name, work.reading, number),
    )
    return {row["page"]: row for row in found}


def insist_on_row(have: dict[int, Any]) -> None:
    """Pages that came one after another can only be gone on with behind the last one."""
    if sorted(have) != list(range(1, len(have) + 1)):
        raise Reread("a page in the middle was lost, and pages came one after another")
