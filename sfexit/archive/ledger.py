"""The ledger: one line for every object of the org, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sfexit.archive.page import csv_rows

OUTCOMES = ("exported", "empty", "covered", "no_data", "not_exported", "failed")

COLUMNS = (
    "object", "label", "outcome", "route", "rows", "deleted_rows", "witnesses", "fields_exported",
    "fields_not_exported", "reason", "evidence", "remedy", "started", "finished",
)  # fmt: skip

# Witnesses that speak of the bytes in the bag: they may not differ (format, section 4.4).
_EXACT = ("job_total", "declared", "counted", "parsed", "distinct_ids")


@dataclass(frozen=True)
class LedgerLine:
    """What became of one object. Times are UTC, `2026-11-22T01:02:03.000Z`."""

    object: str
    label: str
    outcome: str
    route: str = ""
    rows: int | None = None
    deleted_rows: int | None = None
    witnesses: Mapping[str, int] = field(default_factory=dict)
    fields_exported: int | None = None
    fields_not_exported: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    evidence: str = ""
    remedy: str = ""
    started: str = ""
    finished: str = ""

    @property
    def incomplete(self) -> bool:
        """True when something that should be data may be missing from the bag."""
        return self.outcome in ("not_exported", "failed") or bool(self.remedy)

    @property
    def has_rows(self) -> bool:
        """True when the bag holds rows of this object."""
        return bool(self.rows) and self.outcome in ("exported", "failed")

    def as_event(self) -> dict[str, Any]:
        """The journal's form."""
        return asdict(self)

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> LedgerLine:
        """Back from the journal's form."""
        return cls(**{one.name: event[one.name] for one in fields(cls) if one.name in event})

    def cells(self) -> list[str]:
        """The line as it stands in ledger.csv."""
        raw = asdict(self)
        raw["witnesses"] = ";".join(f"{name}={count}" for name, count in self.witnesses.items())
        raw["fields_not_exported"] = ";".join(
            f"{name}: {why.replace(';', ',')}" for name, why in self.fields_not_exported.items()
        )
        return ["" if raw[column] is None else str(raw[column]) for column in COLUMNS]

    @classmethod
    def from_cells(cls, row: Mapping[str, str]) -> LedgerLine:
        """Back from a row of ledger.csv. Raises ValueError, KeyError."""
        numbers = ("rows", "deleted_rows", "fields_exported")
        told: dict[str, Any] = {
            column: (int(row[column]) if row[column] else None)
            if column in numbers
            else row[column]
            for column in COLUMNS
        }
        witnesses = (one.partition("=") for one in row["witnesses"].split(";") if one)
        told["witnesses"] = {name: int(count) for name, _, count in witnesses}
        left_out = (one.partition(": ") for one in row["fields_not_exported"].split(";") if one)
        told["fields_not_exported"] = {name: why for name, _, why in left_out}
        return cls(**told)


def to_csv(lines: Iterable[LedgerLine]) -> bytes:
    """ledger.csv: header and lines, ordered by name."""
    ordered = sorted(lines, key=lambda line: line.object)
    return csv_rows([COLUMNS, *(line.cells() for line in ordered)])


def disagreements(
    lines: Sequence[LedgerLine], *, named: Iterable[str], page_rows: Mapping[str, int]
) -> list[str]:
    """Where the ledger does not add up; an empty list when it does.

    `named` are the objects that the org names, `page_rows` the rows in the bag's pages by object.
    """
    found = []
    counts = Counter(line.object for line in lines)
    expected = set(named)
    found += [f"{name}: {n} lines in the ledger" for name, n in counts.items() if n > 1]
    found += [f"{name}: no line in the ledger" for name in sorted(expected - set(counts))]
    found += [f"{name}: the org names no such object" for name in sorted(set(counts) - expected)]
    for line in lines:
        if line.outcome not in OUTCOMES:
            found.append(f"{line.object}: unknown outcome {line.outcome!r}")
        in_pages = page_rows.get(line.object, 0)
        claimed = line.rows or 0
        if in_pages != claimed:
            found.append(f"{line.object}: {claimed:,} rows claimed, {in_pages:,} in its pages")
        if line.outcome == "exported":
            wrong = {
                name: line.witnesses[name]
                for name in _EXACT
                if name in line.witnesses and line.witnesses[name] != claimed
            }
            if wrong or not claimed:
                found.append(f"{line.object}: {claimed:,} rows, but its witnesses say {wrong}")
        elif line.outcome not in ("failed", "empty") and line.rows is not None:
            found.append(f"{line.object}: {line.outcome} and yet a number of rows")
    return found
