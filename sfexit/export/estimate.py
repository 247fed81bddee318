"""What an export of an org would cost: rows, bytes, calls, hours, days, disk.

Estimates, and marked as such: row counts are the org's own approximate ones where they were not
counted, widths come from types and from a small sample. The arithmetic of quotas is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfexit.catalog import Description, Field, ObjectEntry
from sfexit.export import other_calls, plan
from sfexit.export.other_calls import Configured
from sfexit.export.plan import Selection
from sfexit.export.quota import DAY, QuotaRow, quota_row
from sfexit.preflight.questions import Question, Questions, Reply, query
from sfexit.salesforce import photos
from sfexit.salesforce.describe import API_NAME, bulk_refuses, selectable
from sfexit.salesforce.object_rules import rule_for
from sfexit.salesforce.query import URI_LIMIT

FILTERED = "filtered"
_NOTHING = Configured()
COUNTED, ABOUT, UNKNOWN = "counted", "about", "unknown"

# Measured on simulated orgs (docs/scale.md): pages arrive packed to 37 % of their CSV, and an
# ordinary row has 466 bytes.
PACKED = 0.37
USUAL_ROW_BYTES = 466
# Requests that carry one file each: what an org's answer takes before its first byte, and how
# many are under way at once (docs/scale.md, "Requests at once").
LATENCY_SECONDS = 0.15
STREAMS = 8
REST_PAGE_ROWS = 2_000  # REST API guide, "Query Options Header"
BULK_PAGE_ROWS = 50_000
# Describes and the rows of small objects travel packed: 25 describes or 5 queries a call.
_CALLS_A_SMALL_OBJECT = 1 / 25 + 1 / 5
_CALLS_A_JOB = 12  # create, polls, list of pages, delete
DISK_MARGIN = 1.2
_AUDIT_BYTES_A_ROW = 24  # the Ids that are compared when everything is read back
_SAMPLED = 10
_SAMPLE_ROWS = 50
_COUNTED_UP_TO = 2_000_000  # rows; larger counts may run into the two minutes of a query


@dataclass(frozen=True)
class ObjectCost:
    """One object: what becomes of it, and what that costs. `rows` None: not known."""

    name: str
    label: str
    outcome: str  # "read", or a word of the ledger
    route: str  # bulk, rest, filtered or nested; "" when it is not read
    rows: int | None
    rows_are: str  # counted, about or unknown
    row_bytes: int
    csv_bytes: int
    calls: int
    reason: str = ""


@dataclass(frozen=True)
class FileCost:
    """The bodies of one object. None: not known."""

    name: str
    count: int | None
    bytes: int | None
    reason: str = ""


@dataclass(frozen=True)
class Quota:
    """An allowance of the org; None: the org does not tell."""

    name: str
    most: int | None
    left: int | None


@dataclass(frozen=True)
class Estimate:
    """The whole. `bounds` are the days that each limit alone would take; the largest decides."""

    objects: tuple[ObjectCost, ...]
    files: tuple[FileCost, ...]
    calibrated_by: int  # rows of the sample; 0: widths come from types alone
    calls_records: int
    calls_files: int
    calls_metadata: int
    calls_definitions: int
    calls_looking: int
    jobs: int
    csv_bytes: int
    wire_bytes: int
    file_bytes: int
    disk_bytes: int
    quotas: Mapping[str, Quota]
    share: float
    line_mbit: float
    line_is_assumed: bool
    bounds: Mapping[str, float]
    quota_row: QuotaRow | None
    notes: tuple[str, ...] = ()
    rows_known: bool = True  # False: the org gave no row counts, so rows and sizes are too small

    @property
    def calls(self) -> int:
        """All calls."""
        return (
            self.calls_records
            + self.calls_files
            + self.calls_metadata
            + self.calls_definitions
            + self.calls_looking
        )

    @property
    def days(self) -> float:
        """Days until everything is here, if nothing comes in between."""
        return max(self.bounds.values(), default=0.0)

    @property
    def bottleneck(self) -> str:
        """The limit that takes longest."""
        return max(self.bounds, key=lambda name: self.bounds[name], default="")

    @property
    def rows(self) -> int:
        """All rows that are known of."""
        return sum(one.rows or 0 for one in self.objects if one.outcome == "read")


@dataclass(frozen=True)
class Measured:
    """What was asked for the estimate: exact counts, widths of sampled rows, files, and how many
    reports and dashboards there are (None: not known)."""

    counts: Mapping[str, int] = field(default_factory=dict)
    widths: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # name → rows, bytes
    files: tuple[FileCost, ...] = ()
    definitions: int | None = 0


# ---- asking ----------------------------------------------------------------------------------

# Objects with bodies and the size of each (Object Reference). ContentSize is a 32-bit number, so
# files above 2 GB come short in it; from API 66.0 ContentSizeLong is right.
_FILES = (
    ("ContentVersion", ("ContentSizeLong", "ContentSize")),
    ("Attachment", ("BodyLength",)),
    ("Document", ("BodyLength",)),
    ("StaticResource", ("BodyLength",)),
    ("EventLogFile", ("LogFileLength",)),
)
FILE_OBJECTS = tuple(name for name, _ in _FILES)


def measure(
    questions: Questions, entries: Sequence[ObjectEntry], hints: Mapping[str, int]
) -> Measured:
    """Count and sample the largest objects and add up the files, all in a few calls.

    Sampled values are measured and forgotten.
    """
    names = {entry.name for entry in entries if entry.queryable}
    with_files = [(name, fields) for name, fields in _FILES if name in names]
    questions.learn(name for name, _ in with_files)
    questions.learn(name for name in other_calls.DEFINED if name in names)
    largest = sorted(
        (n for n in hints if n in names and hints[n] and n in questions.descriptions),
        key=lambda n: -hints[n] * width_by_type(questions.descriptions[n]),
    )[:_SAMPLED]
    counted = [name for name in largest[:5] if hints[name] <= _COUNTED_UP_TO]
    sampled = {
        name: columns for name in largest if (columns := _sample(questions.descriptions[name]))
    }
    asked: list[Question] = [
        *(query(f"SELECT COUNT() FROM {name}", all_rows=True) for name in counted),  # noqa: S608
        *(_file_question(name, fields, questions.descriptions.get(name))
          for name, fields in with_files),
        *(query(f"SELECT {','.join(columns)} FROM {name} LIMIT {_SAMPLE_ROWS}")  # noqa: S608
          for name, columns in sampled.items()),
        *other_calls.definition_questions(
            {name: questions.descriptions[name].supported_scopes
             for name in other_calls.DEFINED if name in questions.descriptions}
        ),
    ]  # fmt: skip
    replies = iter(questions.ask(asked))
    counts = {n: r.total for n, r in ((n, next(replies)) for n in counted) if r.ok}
    files = tuple(_files(name, next(replies)) for name, _ in with_files)
    widths = {
        name: (len(reply.rows), sum(_row_bytes(row) for row in reply.rows))
        for name, reply in ((name, next(replies)) for name in sampled)
        if reply.ok and reply.rows
    }
    known = {n: c for n, c in counts.items() if c is not None}
    return Measured(known, widths, files, other_calls.definitions(replies))


def _sample(description: Description) -> list[str]:
    """The columns of an export, if they fit an address; else none."""
    columns = [one.name for one in selectable(description)[0]]
    fits = sum(len(name) + 1 for name in columns) < URI_LIMIT // 2
    return columns if fits else []


def _row_bytes(row: Mapping[str, Any]) -> int:
    """Bytes of a row as CSV: each value in quotes and a comma or line end behind it."""
    return sum(
        3 + (0 if value is None else len(str(value).encode()))
        for name, value in row.items()
        if name != "attributes"
    )


def _file_question(name: str, sizes: Sequence[str], description: Description | None) -> Question:
    size = next((one for one in sizes if description is None or description.has(one)), sizes[-1])
    return query(f"SELECT COUNT(Id), SUM({size}) FROM {name}", all_rows=True)  # noqa: S608


def _files(name: str, reply: Reply) -> FileCost:
    row = reply.rows[0] if reply.ok and reply.rows else {}
    count, size = row.get("expr0"), row.get("expr1")
    if not isinstance(count, int):
        return FileCost(name, None, None, reply.refusal or "the org did not add them up")
    return FileCost(name, count, int(size) if isinstance(size, (int, float)) else 0)


# ---- widths ----------------------------------------------------------------------------------

# Bytes of a value as CSV, quotes and comma included, and how much of a text's length is used.
_FIXED = {
    "id": 21, "reference": 16, "boolean": 8, "date": 11, "datetime": 26, "time": 15, "int": 7,
    "long": 9, "double": 9, "currency": 10, "percent": 7, "picklist": 13, "combobox": 13,
    "multipicklist": 16, "phone": 14, "email": 22, "url": 20, "anytype": 15,
}  # fmt: skip


def width_by_type(description: Description) -> int:
    """Bytes of a row as CSV, guessed from the types of its fields."""
    return sum(_field_bytes(one) for one in selectable(description)[0])


def _field_bytes(one: Field) -> int:
    kind = one.type.lower()
    if kind in _FIXED:
        return _FIXED[kind]
    if kind == "textarea":
        return 3 + min(max(one.length // 60, 20), 400)
    return 3 + min(max(one.length // 8, 4), 25)


def _widths(
    descriptions: Mapping[str, Description], measured: Measured
) -> tuple[dict[str, int], float, int]:
    """Bytes a row by object, the factor by which types err, and rows sampled."""
    guessed = {name: max(width_by_type(one), 1) for name, one in descriptions.items()}
    rows = sum(count for count, _ in measured.widths.values())
    expected = sum(count * guessed[name] for name, (count, _) in measured.widths.items()
                   if name in guessed)  # fmt: skip
    seen = sum(size for name, (_, size) in measured.widths.items() if name in guessed)
    factor = min(max(seen / expected, 0.2), 5.0) if expected else 1.0
    found = {name: max(round(width * factor), 1) for name, width in guessed.items()}
    for name, (count, size) in measured.widths.items():
        found[name] = max(round(size / count), 1)
    return found, factor, rows


# ---- the sum ---------------------------------------------------------------------------------


def estimate(
    entries: Sequence[ObjectEntry],
    *,
    hints: Mapping[str, int] | None,
    descriptions: Mapping[str, Description],
    measured: Measured,
    limits: Mapping[str, Any],
    selection: Selection,
    share: float,
    line_mbit: float | None,
    configured: Configured = _NOTHING,
    sees_all_files: bool = False,
) -> Estimate:
    """What it would cost. Pure. `line_mbit` None: a slow line is assumed; `sees_all_files`: the
    user has Query All Files, so that links of files come plainly."""
    widths, factor, sampled = _widths(descriptions, measured)
    usual = round(USUAL_ROW_BYTES * factor) if sampled else USUAL_ROW_BYTES
    objects = tuple(
        _object(
            entry,
            selection,
            hints,
            descriptions.get(entry.name),
            measured,
            widths,
            usual,
            _in_parts(entry, entries, measured, hints or {}, sees_all_files),
        )
        for entry in entries
    )
    line = line_mbit or 20.0
    read = [one for one in objects if one.outcome == "read"]
    csv_bytes = sum(one.csv_bytes for one in read)
    wire_bytes = round(csv_bytes * PACKED)
    file_bytes, notes = _file_bytes(measured.files, limits)
    calls_files = sum(one.count or 0 for one in measured.files)
    calls_records = math.ceil(sum(one.calls for one in read) + len(read) * _CALLS_A_SMALL_OBJECT)
    jobs = sum(one.route == "bulk" for one in read)
    quotas = {name: _quota(limits, name) for name in (
        "DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB",
        "DataStorageMB", "FileStorageMB",
    )}  # fmt: skip
    defined = measured.definitions or 0
    wanted = [one for one in read if one.name in other_calls.DEFINED]
    calls_definitions = defined if wanted else 0
    # Metadata are of the whole org: a choice of objects leaves them out.
    calls_metadata = 0 if selection.objects else configured.calls(defined)
    calls = calls_records + calls_files + calls_metadata + calls_definitions + other_calls.LOOKING
    bounds = _bounds(quotas, share, calls, jobs, csv_bytes, wire_bytes + file_bytes, line)
    rows = sum(one.rows or 0 for one in read)
    unknown = sum(one.rows is None for one in read)
    if hints is None:
        notes.append(
            "the org does not tell this user its row counts (View Setup and Configuration does), "
            "so rows, sizes, calls and times are not known and the figures are too small"
            + _by_storage(quotas["DataStorageMB"])
        )
    elif unknown:
        notes.append(
            f"{unknown:,} objects have no approximate row count (history, sharing and feed rows "
            "among them); they come on top"
        )
    notes += _uncounted(read, descriptions)
    if configured.refused:
        notes.append(f"the metadata cannot be listed by this user ({configured.refused})")
    if measured.definitions is None:
        notes.append("reports and dashboards could not be counted: one call each comes on top")
    return Estimate(
        objects=objects,
        files=measured.files,
        calibrated_by=sampled,
        calls_records=calls_records,
        calls_files=calls_files,
        calls_metadata=calls_metadata,
        calls_definitions=calls_definitions,
        calls_looking=other_calls.LOOKING,
        jobs=jobs,
        csv_bytes=csv_bytes,
        wire_bytes=wire_bytes,
        file_bytes=file_bytes,
        disk_bytes=round((wire_bytes + file_bytes) * DISK_MARGIN) + rows * _AUDIT_BYTES_A_ROW,
        quotas=quotas,
        share=share,
        line_mbit=line,
        line_is_assumed=line_mbit is None,
        bounds=bounds,
        quota_row=quota_row(
            quotas["DailyApiRequests"].most,
            share,
            calls_files if all(one.count is not None for one in measured.files) else None,
        ),
        notes=tuple(notes),
        rows_known=hints is not None,
    )


def _object(
    entry: ObjectEntry,
    selection: Selection,
    hints: Mapping[str, int] | None,
    description: Description | None,
    measured: Measured,
    widths: Mapping[str, int],
    usual: int,
    in_parts: int | None,
) -> ObjectCost:
    """`in_parts`: the calls that it takes when it is given only in parts, else None."""
    rule = rule_for(entry)
    settled = plan.settled(entry, rule, selection)
    label = entry.label
    if settled is not None or not API_NAME.fullmatch(entry.name):
        outcome = settled.outcome if settled is not None else "not_exported"
        reason = settled.reason if settled is not None else "its name cannot be one"
        return ObjectCost(entry.name, label, outcome, "", None, UNKNOWN, 0, 0, 0, reason)
    if entry.name in measured.counts:
        rows, source = measured.counts[entry.name], COUNTED
    elif hints is not None and entry.name in hints:
        rows, source = hints[entry.name], ABOUT
    else:
        rows, source = None, UNKNOWN
    way = plan.route(
        rule=rule,
        bulk_refuses=bulk_refuses(description) if description is not None else None,
        count=rows if rows is not None else 0,
        uri_fits=True,
    )
    width = widths.get(entry.name, usual)
    known = rows or 0
    if in_parts is not None:
        way, calls = "nested" if rule is not None and rule.kind == "by_feed" else FILTERED, in_parts
    elif way == "bulk":
        calls = _CALLS_A_JOB + math.ceil(known / BULK_PAGE_ROWS)
    else:
        calls = max(math.ceil(known / REST_PAGE_ROWS) - 1, 0)  # the first page travels packed
    return ObjectCost(entry.name, label, "read", way, rows, source, width, known * width, calls)


def _in_parts(
    entry: ObjectEntry,
    entries: Sequence[ObjectEntry],
    measured: Measured,
    hints: Mapping[str, int],
    sees_all_files: bool,
) -> int | None:
    """Calls of an object that the org gives only in parts; None: a plain query gives it."""
    rule = rule_for(entry)
    if rule is None or rule.kind not in ("by_parent", "by_feed", "private_folders", "versions"):
        return None
    if entry.name == "ContentDocumentLink" and sees_all_files:
        return None

    def rows(name: str) -> int:
        return measured.counts.get(name, hints.get(name, 0))

    return other_calls.filtered(rule, entries, rows, rows(entry.name))


def _file_bytes(files: Iterable[FileCost], limits: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Bytes of all bodies; where the org does not add them up, its file storage in use."""
    listed = list(files)
    total = sum(one.bytes or 0 for one in listed)
    missing = [one.name for one in listed if one.bytes is None]
    if not missing:
        return total, []
    storage = _quota(limits, "FileStorageMB")
    note = f"the files of {', '.join(missing)} could not be added up"
    if storage.most is not None and storage.left is not None:
        used = (storage.most - storage.left) * 1_000_000
        return max(total, used), [f"{note}; the org's file storage in use stands in for them"]
    return total, [note]


def _uncounted(read: Iterable[ObjectCost], descriptions: Mapping[str, Description]) -> list[str]:
    """What has bodies that no query counts: images stand inside the text of rows, and long text
    cannot be filtered by ("SOQL SELECT", fields of type textarea)."""
    there = [one for one in read if one.rows != 0 and one.name in descriptions]
    notes = []
    for words, wanted in (
        ("images in rich text", lambda one: one.extra_type_info == "richtextarea"),
        ("files", lambda one: one.type == "base64"),
        ("photos", lambda one: one.name == photos.FIELD),
    ):
        names = sorted(
            one.name
            for one in there
            if one.name not in FILE_OBJECTS and any(map(wanted, descriptions[one.name].fields))
        )
        if names:
            more = f" and {len(names) - 8:,} more objects" if len(names) > 8 else ""
            notes.append(
                f"{words} of {', '.join(names[:8])}{more} are not counted: they come on top, one "
                "call each"
            )
    return notes


def _by_storage(storage: Quota) -> str:
    """What data storage in use says of rows: most count as 2 kB each ("Data Storage")."""
    if storage.most is None or storage.left is None or storage.most <= storage.left:
        return ""
    rows = (storage.most - storage.left) * 1_000_000 // 2_000
    return f"; by its data storage in use there are about {rows:,} rows"


def _quota(limits: Mapping[str, Any], name: str) -> Quota:
    entry = limits.get(name)
    told = entry if isinstance(entry, dict) else {}
    most, left = told.get("Max"), told.get("Remaining")
    return Quota(
        name, most if isinstance(most, int) else None, left if isinstance(left, int) else None
    )


def _bounds(
    quotas: Mapping[str, Quota],
    share: float,
    calls: int,
    jobs: int,
    csv_bytes: int,
    line_bytes: int,
    line_mbit: float,
) -> dict[str, float]:
    """Days that each limit alone would take."""
    found = {
        "line speed": line_bytes * 8 / (line_mbit * 1e6) / DAY,
        "requests at once": calls * LATENCY_SECONDS / STREAMS / DAY,
    }
    daily = quotas["DailyApiRequests"]
    # What other programs use of a day they will use again tomorrow, so a day gives a share of
    # what is left now; an org whose calls are all spent at this moment gets its whole allowance.
    a_day = (daily.left or daily.most or 0) * share
    if a_day:
        found["API calls"] = calls / a_day if calls > a_day else 0.0
    for name, title, needed in (
        ("DailyBulkV2QueryJobs", "Bulk query jobs", float(jobs)),
        ("DailyBulkV2QueryFileStorageMB", "Bulk result volume", csv_bytes / 1e6),
    ):
        allowed = quotas[name].most
        if allowed:
            found[title] = needed / allowed if needed > allowed else 0.0
    return found
