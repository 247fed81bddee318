"""Deciding, before and after the org's answers, by which road an object is read. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sfexit.archive.ledger import LedgerLine
from sfexit.catalog import Description, Field, ObjectEntry
from sfexit.errors import OrgRefused
from sfexit.salesforce.object_rules import Rule

# "Bulk API 2.0 … more than 2,000 records is a good candidate" (Bulk API 2.0 guide, introduction).
BULK_FROM_ROWS = 2_000

_SETTLED = {
    "no_data": "no_data",
    "covered": "covered",
    "by_metadata": "covered",
    "external": "not_exported",
}
REPORT_IT = (
    "nothing you can do now: report the object and this text, so that a later version of sfexit "
    "knows its road"
)
RUN_AGAIN = "export again into a new bag (`sfexit export HOME --anew`)"


NOT_NAMED = "not among the objects named by --objects"


@dataclass(frozen=True)
class Selection:
    """Which objects the user wants, and whether the bytes of files too. Empty `objects` means all;
    `external` objects are those whose rows live in another system, `report_results` what reports
    show when they are run."""

    objects: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    external: bool = False
    files: bool = True
    report_results: bool = False

    def left_out(self, name: str) -> str | None:
        """Why an object is left out by the user's choice, or None."""
        if name in self.exclude:
            return "left out by --exclude"
        if self.objects and name not in self.objects:
            return NOT_NAMED
        return None

    def as_text(self) -> str:
        """A stable text by which two selections are compared."""
        named = f"objects={','.join(sorted(self.objects))};exclude={','.join(sorted(self.exclude))}"
        named += ";external" if self.external else ""
        named += ";report-results" if self.report_results else ""
        return named + ("" if self.files else ";files=no")

    @classmethod
    def from_text(cls, text: str) -> Selection:
        """The selection that `as_text` told of. Raises ValueError for anything else."""
        objects, _, rest = text.removeprefix("objects=").partition(";exclude=")
        exclude, *more = rest.split(";")
        found = cls(
            frozenset(filter(None, objects.split(","))),
            frozenset(filter(None, exclude.split(","))),
            external="external" in more,
            files="files=no" not in more,
            report_results="report-results" in more,
        )
        if found.as_text() != text:
            raise ValueError(text)
        return found


def settled(entry: ObjectEntry, rule: Rule | None, selection: Selection) -> LedgerLine | None:
    """The ledger line of an object that is not to be read, or None when it is."""
    if rule is not None and _is_settled(rule, entry, selection):
        # Whatever the choice: what is by design not data cannot be left out by it.
        return LedgerLine(
            entry.name,
            entry.label,
            _SETTLED.get(rule.kind, "not_exported"),
            reason=rule.reason,
            evidence=rule.source,
            remedy=rule.remedy,
        )
    chosen = selection.left_out(entry.name)
    if chosen is not None:
        return LedgerLine(
            entry.name,
            entry.label,
            "not_exported",
            reason=chosen,
            evidence="your choice",
            remedy="export again without that choice",
        )
    if not entry.queryable and not (rule is not None and rule.kind == "by_feed"):
        return LedgerLine(
            entry.name,
            entry.label,
            "not_exported",
            reason="the org says that this object cannot be queried, and no rule explains it",
            evidence="describeGlobal: queryable = false",
            remedy=REPORT_IT,
        )
    return None


def _is_settled(rule: Rule, entry: ObjectEntry, selection: Selection) -> bool:
    if rule.kind == "external":
        return not (selection.external and entry.queryable)
    return rule.kind in _SETTLED or (rule.kind == "by_parent" and not rule.field)


def columns_of(
    selectable: Iterable[Field], left_out: Iterable[tuple[Field, str]]
) -> tuple[list[str], dict[str, str]]:
    """Column names in the archive's order, and what is left out with its reason.

    `Id` comes first and `IsDeleted` second, so that rows can be checked without parsing.
    """
    names = [field.name for field in selectable]
    first = [name for name in ("Id", "IsDeleted") if name in names]
    return first + [name for name in names if name not in first], {
        field.name: why for field, why in left_out
    }


def route(
    *,
    rule: Rule | None,
    bulk_refuses: str | None,
    count: int | None,
    uri_fits: bool,
    bulk_from_rows: int = BULK_FROM_ROWS,
) -> str:
    """ "bulk", "rest", "filtered" or "nested". `count` is None where the org would not count."""
    kind = rule.kind if rule is not None else ""
    if kind == "by_feed":
        return "nested"
    if kind in ("private_folders", "versions") or (kind == "by_parent" and count is None):
        return "filtered"
    if kind in ("rest", "external") or bulk_refuses is not None:
        return "rest"
    if not uri_fits:
        return "bulk"
    if count is not None and count < bulk_from_rows:
        return "rest"
    return "bulk"


def soql(object_name: str, columns: Sequence[str], condition: str = "") -> str:
    """The query for all rows of a slice. Names come from describe and are checked there.

    No ORDER BY and no LIMIT: either switches off the server's chunking (Bulk API 2.0 guide,
    Understanding Bulk API 2.0 Query).
    """
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT {','.join(columns)} FROM {object_name}{where}"  # noqa: S608


# ---- what a refusal means --------------------------------------------------------------------


@dataclass(frozen=True)
class DropField:
    """The field is gone or hidden: read on without it."""

    name: str


@dataclass(frozen=True)
class OtherRoute:
    """This API does not do this object; the other may."""

    route: str


@dataclass(frozen=True)
class Narrow:
    """Too much at once: divide by date."""


@dataclass(frozen=True)
class Afresh:
    """What was under way is lost on the server's side: begin a new reading."""


@dataclass(frozen=True)
class GiveUp:
    """The ledger line's outcome and remedy."""

    outcome: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class NeedsFilter:
    """The org gives its rows only to a query with a filter, which its words may name."""


Answer = DropField | OtherRoute | Narrow | Afresh | GiveUp | NeedsFilter
NO_ROAD = GiveUp(
    "not_exported", "the org does not give all rows of this object to a plain query", REPORT_IT
)

_NO_COLUMN = re.compile(r"No such column '([A-Za-z0-9_]+)' on entity")
_BULK_ONLY = ("not supported by the bulk api", "selecting compound data", "cannot serialize value")
_TOO_MUCH = (
    "retried more than", "query_timeout", "running for too long", "timeout", "operation_too_large",
    "exceeded 100000 distinct",
)  # fmt: skip
# "SOQL statements cannot be longer than 100000 characters." (SOQL and SOSL Limits)
_TOO_LONG = re.compile(r"\b(longer than|too long|too complicated)\b")
_NEEDS_FILTER = (
    "a filter on a reified column is required",
    "implementation restriction",
    "where clauses should",
    "must be specified in your query",
    "requires a filter",
    "you must filter",
    "getting all",
    "this query is not supported",
    "must contain a",
)  # fmt: skip
# The query is well formed, so an object that calls it malformed wants another one.
_WANT_ANOTHER_QUERY = ("EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION", "MALFORMED_QUERY")
REFUSED = GiveUp(
    "failed",
    "the org refused to give the rows",
    f"{RUN_AGAIN}; if it is refused again, report the object and this text",
)


def meaning(refusal: OrgRefused, *, route: str, columns: Sequence[str]) -> Answer:
    """What to do about the org's refusal to give rows."""
    text = refusal.reason.lower()
    code = refusal.code.upper()
    gone = _NO_COLUMN.search(refusal.reason)
    if code == "INVALID_FIELD" and gone and gone[1] in columns and gone[1] != "Id":
        return DropField(gone[1])
    if route == "bulk" and (
        code in ("INVALIDENTITY", "FEATURENOTENABLED") or any(t in text for t in _BULK_ONLY)
    ):
        return OtherRoute("rest")
    if code in ("QUERY_TIMEOUT", "OPERATION_TOO_LARGE") or any(t in text for t in _TOO_MUCH):
        return Narrow()
    if code in ("INVALID_QUERY_LOCATOR", "JOB_LOST"):
        return Afresh()
    if refusal.status in (414, 431) and route == "rest":
        return OtherRoute("bulk")
    if route == "bulk" and code in ("JOB_FAILED", "INVALIDJOB"):
        return OtherRoute("rest")
    if route == "filtered" and (
        code in ("EXCEEDED_ID_LIMIT", "QUERY_TOO_COMPLICATED")
        or refusal.status in (414, 431)
        or _TOO_LONG.search(text)
    ):
        return Narrow()
    if code == "INVALID_TYPE":
        return GiveUp(
            "not_exported",
            "the object is not there for this user, although the org names it",
            "give the export user read access to the object, then " + RUN_AGAIN,
        )
    if "view all data" in text:  # EntitySubscription and others (Object Reference, each)
        return GiveUp(
            "not_exported",
            "the org gives all rows of this object only to users with View All Data",
            "give the export user View All Data, then " + RUN_AGAIN,
        )
    if code == "INVALID_TYPE_FOR_OPERATION":
        return NO_ROAD
    if code.startswith("INSUFFICIENT_ACCESS"):
        return GiveUp(
            "not_exported",
            "the org does not let this user read the object",
            "give the export user what the org's words ask for, then " + RUN_AGAIN,
        )
    needs_filter = any(t in text for t in _NEEDS_FILTER)
    if route == "bulk" and code == "MALFORMED_QUERY" and not needs_filter:
        return OtherRoute("rest")
    if needs_filter or code in _WANT_ANOTHER_QUERY:
        return NeedsFilter()
    return REFUSED


# ---- dividing by date ------------------------------------------------------------------------

_BOUND = re.compile(r"(\w+) (>=|<) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_OLDEST = datetime(1999, 1, 1, tzinfo=UTC)  # the platform has no older rows of its own making
DATE_FIELDS = ("CreatedDate", "LastModifiedDate", "SystemModstamp")


def date_field(description: Description) -> str | None:
    """The field to divide an object by: every row has it and it does not change (the first)."""
    for name in DATE_FIELDS:
        field = description.field(name)
        if field is not None and field.type == "datetime" and field.filterable:
            return name
    return None


def halves(
    condition: str, field: str, *, oldest: datetime | None, newest: datetime | None
) -> tuple[str, str] | None:
    """Two conditions that together hold exactly the rows of `condition`; None: not divisible.

    A condition is "" or bounds on one date field. The outer ends stay open, so no row can fall
    out at either end, whatever `oldest` and `newest` (hints) say.
    """
    low = high = None
    for name, operator, text in _BOUND.findall(condition):
        if name != field:
            return None
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if operator == ">=":
            low = moment
        else:
            high = moment
    start = low or oldest or _OLDEST
    end = high or newest or datetime.now(UTC)
    middle = (start + (end - start) / 2).replace(microsecond=0)
    if middle <= start or middle >= end:
        return None
    split = middle.strftime("%Y-%m-%dT%H:%M:%SZ")
    lower = [f"{field} < {split}"]
    upper = [f"{field} >= {split}"]
    if low is not None:
        lower.insert(0, f"{field} >= {low:%Y-%m-%dT%H:%M:%SZ}")
    if high is not None:
        upper.append(f"{field} < {high:%Y-%m-%dT%H:%M:%SZ}")
    return " AND ".join(lower), " AND ".join(upper)


def field_groups(object_name: str, columns: Sequence[str], *, limit_bytes: int) -> list[list[str]]:
    """Columns in groups whose SELECT stays below `limit_bytes`; each later group begins with Id."""
    groups: list[list[str]] = [[]]
    size = 0
    room = limit_bytes - len(object_name) - 40
    for name in columns:
        cost = len(name) + 1
        if size + cost > room and groups[-1]:
            groups.append(["Id"])
            size = 3
        groups[-1].append(name)
        size += cost
    return groups
