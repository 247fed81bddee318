"""A customer's description of a CSV that no label explains: which column is which."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from sfexit.billing import labels, written
from sfexit.billing.written import Habits
from sfexit.contract.currencies import CURRENCIES
from sfexit.contract.fields import Table
from sfexit.errors import UsageProblem


@dataclass(frozen=True)
class Mapping:
    """`columns` are folded headings to fields; `fixed` are values that stand in no column."""

    columns: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    encoding: str | None = None
    habits: Habits = field(default_factory=Habits)
    charges: str | None = None  # the sign of what is to be paid: NEGATIVE on lists of payments


POSITIVE, NEGATIVE = "positive", "negative"


def field_names() -> tuple[str, ...]:
    """Every field that a column can be."""
    return tuple(sorted(set(labels.fields_by_label().values())))


def load(path: Path) -> Mapping:
    """Read and check a mapping file. Raises UsageProblem that names every wrong field."""
    try:
        document = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageProblem(f"{path} is not valid TOML: {error}") from error
    top = Table(document, "")
    csv, columns, fixed = top.table("csv"), top.table("columns", needed=True), top.table("fixed")
    named = {name: columns.text(name) for name in field_names()}
    values = {name: fixed.text(name) for name in ("currency", "contract_no", "kind")}
    if values["currency"] and values["currency"].upper() not in CURRENCIES:
        fixed.wrong("currency", "is no ISO 4217 code such as EUR or USD")
    encoding = csv.text("encoding")
    try:
        "".encode(encoding or "utf-8")
    except LookupError:
        csv.wrong("encoding", "is unknown: write utf-8, cp1252, utf-16 or the like")
    delimiter = csv.choice("delimiter", (";", ",", "\t", "|"))
    habits = Habits(
        csv.choice("decimal", (written.POINT, written.COMMA)) or None,
        csv.choice("dates", (written.DMY, written.MDY)) or None,
    )
    charges = csv.choice("charges", (POSITIVE, NEGATIVE)) or None
    problems = top.problems()
    if problems:
        raise UsageProblem(f"{path} cannot be used: {'; '.join(problems[:20])}")
    return Mapping(
        {labels.folded(heading): name for name, heading in named.items() if heading},
        {name: value for name, value in values.items() if value},
        delimiter or None,
        encoding or None,
        habits,
        charges,
    )
