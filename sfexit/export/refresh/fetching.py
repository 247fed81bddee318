"""Deciding what of an object is asked for again, and in which pieces. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sfexit.archive.ledger import LedgerLine
from sfexit.catalog import Description, Field
from sfexit.export.refresh.marks import STAMP

# A row is stamped by one server, the answer dated by another: rows stamped so shortly before a
# reading are asked for again.
MARGIN = timedelta(minutes=10)

# Values that the platform keeps without a new SystemModstamp. Formulas and roll-ups are marked
# `calculated` in the describe (SOAP API guide, DescribeSObjectResult, Field); these are not:
# activity dates ("Object Reference", Account, LastActivityDate: "the due date of an event … or
# task"), what a user looked at last (System Fields: LastViewedDate, LastReferencedDate), log-ins
# (Object Reference, User, LastLoginDate), the archiving of activities (Task, IsArchived), what an
# opportunity says of its activities, its stage's settings and the fiscal year (Opportunity), what a
# case shows of its contact (Case, ContactEmail …), and whether a status counts as closed.
KEPT_BY_THE_PLATFORM = frozenset(
    {
        "LastActivityDate", "LastViewedDate", "LastReferencedDate", "LastLoginDate", "IsArchived",
        "HasOpenActivity", "HasOverdueTask", "HasOpportunityLineItem", "IsClosed", "IsWon",
        "ForecastCategory", "Fiscal", "FiscalQuarter", "FiscalYear",
        "ContactEmail", "ContactPhone", "ContactMobile", "ContactFax",
    }
)  # fmt: skip
# No user writes these, and they do not change but with the stamp (System Fields; merging).
_STAMPED = frozenset(
    {
        "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "MasterRecordId",
        "Name",
    }
)  # fmt: skip

IDS_A_JOB = 4_000  # 21 characters each: a statement may have 100,000 (SOQL and SOSL limits)
MOST_IDS = 10 * IDS_A_JOB  # more than so many rows by id cost more calls than the whole object
ID_URI_BYTES = 27  # of an id in a URI, with its quotes and comma escaped


def scanned_columns(description: Description, columns: Sequence[str]) -> list[str]:
    """What is read of every row to see whether it changed: id, stamp, and whatever changes
    without a stamp."""
    told = {"Id", "IsDeleted", STAMP}
    for name in columns:
        field = description.field(name)
        if name in KEPT_BY_THE_PLATFORM or (field is not None and _kept(description, field)):
            told.add(name)
    return [name for name in columns if name in told]


def _kept(description: Description, field: Field) -> bool:
    """Whether the platform writes a field: it says so of formulas, and of other standard fields
    that it lets nobody write. To users who may not write the object it says that of every field."""
    if field.calculated:
        return True
    writable = field.createable or field.updateable
    return description.updateable and not (field.custom or writable or field.name in _STAMPED)


def can_be_compared(
    description: Description, columns: Sequence[str], old: LedgerLine, fields: Sequence[str]
) -> bool:
    """Whether an object's rows can be taken over from the bag before where they did not change.

    Its columns must be the same, and a row must have an id and a stamp to ask for.
    """
    stamp = description.field(STAMP)
    return (
        old.outcome == "exported"
        and old.has_rows
        and old.route == "bulk"
        and list(fields) == list(columns)
        and columns[0] == "Id"
        and stamp is not None
        and STAMP in columns
        and stamp.filterable
    )


def moment(when: datetime) -> str:
    """A moment as a date-time literal of SOQL, rounded down to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def since_of(read_since: datetime) -> tuple[str, str]:
    """From when on stamps prove nothing: as SOQL has it, and as a CSV cell has it."""
    text = moment(read_since - MARGIN)
    return text, f"{text[:-1]}.000Z"


@dataclass(frozen=True)
class Fetch:
    """The pieces in which rows are asked for again, as conditions; `road` reads them all."""

    road: str
    conditions: tuple[str, ...]


def fetch(
    *,
    since: str,
    in_window: int,
    ids: Sequence[str],
    live: int,
    bulk_from_rows: int,
    room_for_ids: int,
) -> Fetch | None:
    """How to ask for the rows stamped from `since` on (`in_window` of them) and for `ids` besides.

    `live` are all rows of the object; `room_for_ids` fit into the address of one REST query. None:
    it costs less to read the whole object.
    """
    wanted = in_window + len(ids)
    if wanted * 2 > live or len(ids) > MOST_IDS:
        return None
    road = "rest"
    if wanted >= bulk_from_rows or room_for_ids < 1:
        road = "bulk"
    window = (f"{STAMP} >= {since}",) if in_window else ()
    return Fetch(road, (*window, *_chunks(ids, IDS_A_JOB if road == "bulk" else room_for_ids)))


def _chunks(ids: Sequence[str], size: int) -> Iterator[str]:
    for start in range(0, len(ids), size):
        yield by_ids(ids[start : start + size])


def by_ids(ids: Sequence[str]) -> str:
    """The condition that names rows by their ids."""
    return "Id IN (" + ",".join(f"'{one}'" for one in ids) + ")"
