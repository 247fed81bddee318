"""What the archive says about itself: ledger, package, evidence, schema; and whether that adds up.

Own readers of the files that docs/archive-format.md describes. What does not fit becomes a
finding; what cannot be read at all leaves the checks that need it unmade.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfexit.redaction import printable
from sfexit.verify.bag import BAG_INFO, labels
from sfexit.verify.finding import Finding
from sfexit.verify.pages import Columns, Told
from sfexit.verify.unpack import Broken, content, table

LEDGER = "data/ledger.csv"
PACKAGE = "data/datapackage.json"
PAGES = "data/evidence/pages.csv"
JOBS = "data/evidence/jobs.csv"
SOBJECTS = "data/schema/sobjects.json.gz"
SIGHT = "data/org/sight.json"
FILES = "data/files/index.csv.gz"
EXCEPTIONS = "data/evidence/body_exceptions.csv"
JOURNAL = "data/evidence/journal.jsonl"

OUTCOMES = frozenset({"exported", "empty", "covered", "no_data", "not_exported", "failed"})
WITH_ROWS = frozenset({"exported", "failed"})
_JSON_LIMIT = 1 << 29
_FORMAT = "sfexit-archive/1"
_LEDGER_COLUMNS = (
    "object", "label", "outcome", "route", "rows", "deleted_rows", "witnesses", "fields_exported",
    "fields_not_exported", "reason", "evidence", "remedy", "started", "finished",
)  # fmt: skip
_PAGE_COLUMNS = (
    "path", "object", "reading", "route", "origin", "rows", "declared_rows", "bytes", "sha256",
    "csv_bytes", "csv_sha256",
)  # fmt: skip

UNREADABLE = (Broken, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Resource:
    """A table of the data package."""

    columns: Columns
    paths: tuple[str, ...]  # relative to the bag
    rows: int
    refers_to: Mapping[str, tuple[str, ...]]  # column → objects


@dataclass
class Contents:
    """Everything that could be read. `missing` names the files that could not."""

    info: dict[str, str] = field(default_factory=dict)
    ledger: dict[str, dict[str, str]] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    pages: dict[str, Told] = field(default_factory=dict)
    prefixes: dict[str, list[str]] = field(default_factory=dict)  # key prefix → objects
    sobjects: frozenset[str] = frozenset()
    sight: dict[str, Any] | None = None
    jobs: dict[tuple[str, int], int] = field(default_factory=dict)  # (object, reading) → rows
    files: int | None = None  # lines of the index, as declared
    digests: dict[str, str] = field(default_factory=dict)  # of the files read here, as stored
    missing: set[str] = field(default_factory=set)

    def bodies(self) -> dict[str, dict[str, int]]:
        """By object, the ledger's witnesses that speak of file bodies."""
        told: dict[str, dict[str, int]] = {}
        for name, line in self.ledger.items():
            for part in line["witnesses"].split(";"):
                witness, _, count = part.partition("=")
                if witness in ("bodies", "bodies_listed"):
                    told.setdefault(name, {})[witness] = number(count)
        return told

    def claimed(self) -> frozenset[str]:
        """The pages that belong to a table."""
        return frozenset(path for one in self.resources.values() for path in one.paths)


def number(text: object) -> int:
    """A count written in digits, else -1."""
    told = str(text)
    return int(told) if told.isascii() and told.isdigit() and len(told) < 19 else -1


def read_contents(bag: Path, findings: list[Finding]) -> Contents:
    """Read all that says what is in the archive."""
    told = Contents()
    steps: tuple[tuple[str, Callable[[Path, Contents, list[Finding]], None]], ...] = (
        (BAG_INFO, _info),
        (LEDGER, _ledger),
        (PACKAGE, _package),
        (PAGES, _pages),
        (SOBJECTS, _sobjects),
        (SIGHT, _sight),
        (JOBS, _jobs),
    )
    for path, step in steps:
        try:
            step(bag, told, findings)
        except FileNotFoundError:
            told.missing.add(path)  # the manifest lists it, or does not: either is told elsewhere
        except UNREADABLE as error:
            told.missing.add(path)
            why = error.found if isinstance(error, Broken) else printable(repr(error), 160)
            code = error.code if isinstance(error, Broken) else "evidence-wrong"
            found = f"cannot be read as what it should be: {why}"
            findings.append(Finding(code, "contents", path=path, found=found))
    return told


def _info(bag: Path, told: Contents, findings: list[Finding]) -> None:
    told.info = labels(bag)
    made = told.info.get("Sfexit-Archive-Format", "")
    if made != _FORMAT and not made.startswith(_FORMAT + "."):
        found = printable(made, 40) or "none"
        findings.append(
            Finding("format-unknown", "contents", path=BAG_INFO, expected=_FORMAT, found=found)
        )


def _lines(
    bag: Path, path: str, wanted: tuple[str, ...], findings: list[Finding]
) -> Iterator[dict[str, str]]:
    found = table(bag, path)
    header = next(found, [])
    absent = [name for name in wanted if name not in header]
    if absent or len(set(header)) != len(header):
        raise Broken("header-wrong", f"lacks the columns {absent}" if absent else "columns twice")
    for at, row in enumerate(found, 1):
        if len(row) == len(header):
            yield dict(zip(header, row, strict=True))
        else:
            text = f"row {at} has {len(row)} values for {len(header)} columns"
            findings.append(Finding("text-broken", "contents", path=path, found=text))


def _ledger(bag: Path, told: Contents, findings: list[Finding]) -> None:
    for line in _lines(bag, LEDGER, _LEDGER_COLUMNS, findings):
        name = line["object"]
        if name in told.ledger:
            findings.append(_sum(name, "one line", "two lines"))
        if line["outcome"] not in OUTCOMES:
            findings.append(_sum(name, "a known outcome", line["outcome"]))
        told.ledger[name] = line


def _json(bag: Path, path: str, told: Contents) -> Any:
    data, told.digests[path] = content(bag, path, limit=_JSON_LIMIT)
    return json.loads(data)


def _package(bag: Path, told: Contents, findings: list[Finding]) -> None:
    own = set()
    for resource in _json(bag, PACKAGE, told)["resources"]:
        paths = resource["path"] if isinstance(resource["path"], list) else [resource["path"]]
        paths = [f"data/{path}" for path in paths]
        if not any(path.startswith("data/records/") for path in paths):
            own.add(resource["name"])
            if resource["name"] == "files":
                told.files = int(resource["rows"])
            continue
        name = str(resource["title"])
        fields = resource["schema"]["fields"]
        refers = {
            str(one["name"]): tuple(map(str, one.get("sfexit:referenceTo", ())))
            for one in fields
            if one.get("sfexit:referenceTo") or one.get("sfexit:type") == "reference"
        }
        columns = Columns(
            name,
            tuple(str(one["name"]) for one in fields),
            tuple(str(one["type"]) for one in fields),
            tuple(refers),
            tuple(str(one["name"]) for one in fields if one.get("sfexit:type") == "textarea"),
        )
        if name in told.resources or len(set(paths)) != len(paths):
            findings.append(_package_wrong(name, "stands twice, or one of its pages does"))
        told.resources[name] = Resource(columns, tuple(paths), int(resource["rows"]), refers)
    if not {"ledger", "files"} <= own:
        findings.append(_package_wrong("", "lacks the resource ledger or files"))
    count = sum(len(one.paths) for one in told.resources.values())
    if len(told.claimed()) != count:
        findings.append(_package_wrong("", "two tables name one page"))


def _package_wrong(name: str, found: str) -> Finding:
    return Finding("evidence-wrong", "contents", object=name, path=PACKAGE, found=found)


def _pages(bag: Path, told: Contents, findings: list[Finding]) -> None:
    for line in _lines(bag, PAGES, _PAGE_COLUMNS, findings):
        path = f"data/{line['path']}"
        if path in told.pages:
            findings.append(_page_wrong(path, "one line", "two lines"))
        declared = number(line["declared_rows"]) if line["declared_rows"] else None
        page = Told(
            path,
            line["object"],
            number(line["rows"]),
            number(line["bytes"]),
            line["sha256"],
            number(line["csv_bytes"]),
            line["csv_sha256"],
            declared,
            line["route"],
            line["origin"],
            number(line["reading"]),
            line.get("from_sha256", ""),
        )
        told.pages[path] = page
        # Pages of a refresh that lost rows on purpose have fewer than Salesforce declared.
        if declared is not None and page.origin == "received" and declared != page.rows:
            findings.append(_page_wrong(path, f"{declared} rows, as declared", str(page.rows)))


def _page_wrong(path: str, expected: str, found: str) -> Finding:
    return Finding(
        "evidence-wrong", "contents", path=path, expected=expected, found=found, witness=PAGES
    )


def _sobjects(bag: Path, told: Contents, _: list[Finding]) -> None:
    entries = _json(bag, SOBJECTS, told)["sobjects"]
    told.sobjects = frozenset(str(one["name"]) for one in entries)
    for one in entries:
        if one.get("keyPrefix"):
            told.prefixes.setdefault(str(one["keyPrefix"]), []).append(str(one["name"]))


def _sight(bag: Path, told: Contents, findings: list[Finding]) -> None:
    sight = _json(bag, SIGHT, told)
    if sight["schema"] != "sfexit-sight/1":
        found = f"schema {sight['schema']!r:.40}"
        findings.append(Finding("sight-wrong", "contents", path=SIGHT, found=found))
    told.sight = sight


def _jobs(bag: Path, told: Contents, findings: list[Finding]) -> None:
    wanted = ("object", "job_id")
    for line in _lines(bag, JOBS, wanted, findings):
        if "rows_processed" in line and number(line["rows_processed"]) >= 0:
            key = (line["object"], number(line.get("reading", "1")))
            told.jobs[key] = told.jobs.get(key, 0) + number(line["rows_processed"])


def _sum(name: str, expected: str, found: str, witness: str = LEDGER) -> Finding:
    return Finding(
        "ledger-wrong", "contents", object=printable(name, 80), path=LEDGER, expected=expected,
        found=printable(found, 80), witness=witness,
    )  # fmt: skip


def check_sums(told: Contents) -> Iterator[Finding]:
    """Whether ledger, package, evidence, describeGlobal and sight add up (archive-format.md 4.3).

    Pure: works on what was read. What could not be read is not compared.
    """
    if LEDGER in told.missing:
        return
    for name, line in sorted(told.ledger.items()):
        yield from _line_sums(told, name, line)
    if PACKAGE not in told.missing:
        for name in sorted(set(told.resources) - set(told.ledger)):
            yield _sum(name, "a line for its table", "none", PACKAGE)
    if SOBJECTS not in told.missing:
        for name in sorted(told.sobjects - set(told.ledger)):
            yield _sum(name, "a line, since describeGlobal names it", "none", SOBJECTS)
    yield from _sight_sums(told)
    if PACKAGE not in told.missing and PAGES not in told.missing:
        for path in sorted(set(told.pages) - told.claimed()):
            yield _page_wrong(path, "a table that it belongs to", "none")


def _line_sums(told: Contents, name: str, line: Mapping[str, str]) -> Iterator[Finding]:
    rows, outcome = number(line["rows"]), line["outcome"]
    resource = told.resources.get(name)
    if outcome in WITH_ROWS and (outcome == "exported" or line["rows"]) and rows < 0:
        yield _sum(name, "a number of rows", line["rows"])
        return
    if outcome not in WITH_ROWS and line["rows"] not in ("", "0"):
        yield _sum(name, f"no rows, since it is {outcome}", line["rows"])
    if outcome == "exported":
        yield from _witnesses(told, name, line, rows)
    if PACKAGE in told.missing:
        return
    if resource is None:
        if outcome == "exported" or (outcome == "failed" and rows > 0):
            yield _sum(name, f"a table, since it is {outcome} with {rows} rows", "none", PACKAGE)
        return
    if outcome not in WITH_ROWS:
        yield _sum(name, f"no table, since it is {outcome}", "a table", PACKAGE)
        return
    if resource.rows != rows:
        yield _sum(name, f"{rows} rows", f"{resource.rows} rows declared", PACKAGE)
    if number(line["fields_exported"]) != len(resource.columns.names):
        found = f"{len(resource.columns.names)} columns"
        yield _sum(name, f"{line['fields_exported']} fields", found, PACKAGE)
    if PAGES in told.missing:
        return
    pages = [told.pages[path] for path in resource.paths if path in told.pages]
    if len(pages) != len(resource.paths) or any(page.object != name for page in pages):
        yield _sum(name, "exactly the pages of its table", "others", PAGES)
    elif sum(page.rows for page in pages) != rows:
        found = f"{sum(page.rows for page in pages)} rows in its pages"
        yield _sum(name, f"{rows} rows", found, PAGES)


def _witnesses(told: Contents, name: str, line: Mapping[str, str], rows: int) -> Iterator[Finding]:
    # After a refresh these speak of what was fetched anew, not of the whole (section 4.4).
    refreshed = "Sfexit-Previous-Root" in told.info
    names = {"parsed", "distinct_ids"}
    if not refreshed:
        names |= {"job_total", "declared", "counted"}
    for part in filter(None, line["witnesses"].split(";")):
        witness, _, count = part.partition("=")
        if witness in names and number(count) != rows:
            yield _sum(name, f"{rows} rows", f"{count} by the witness {witness}")
        if witness == "job_total" and not refreshed and JOBS not in told.missing:
            readings = {told.pages[p].reading for p in _paths(told, name) if p in told.pages}
            found = sum(told.jobs.get((name, reading), 0) for reading in readings)
            if len(readings) == 1 and told.jobs and found != number(count):
                yield _sum(name, f"{count} rows by its jobs", str(found), JOBS)


def _paths(told: Contents, name: str) -> tuple[str, ...]:
    resource = told.resources.get(name)
    return resource.paths if resource is not None else ()


def _sight_sums(told: Contents) -> Iterator[Finding]:
    if told.sight is None:
        return
    hidden = {str(one.get("name", "") if isinstance(one, dict) else one)
              for one in told.sight.get("hidden_objects") or ()}  # fmt: skip
    for name in sorted(hidden - set(told.ledger)):
        yield Finding(
            "sight-wrong", "contents", object=printable(name, 80), path=SIGHT,
            expected="a line of the ledger for the hidden object", found="none", witness=LEDGER,
        )  # fmt: skip
    if SOBJECTS not in told.missing:
        for name in sorted(set(told.ledger) - told.sobjects - hidden):
            yield _sum(name, "an object that the org names", "named nowhere", SOBJECTS)
    for spot in told.sight.get("blind_spots") or ():
        name, certainty = str(spot.get("object", "")), spot.get("certainty")
        line = told.ledger.get(name)
        if line is None or certainty not in ("certain", "likely"):
            continue
        # A field that comes masked is exported as it came, with a word in the line's reason.
        field_name = str(spot.get("field", "")) if spot.get("kind") == "field_hidden" else ""
        told_there = field_name in line["fields_not_exported"] if field_name else line["remedy"]
        # What is no table here (views, streams) has no rows that could be hidden.
        if not told_there and line["outcome"] in ("exported", "empty"):
            yield Finding(
                "sight-wrong", "contents", object=printable(name, 80), path=SIGHT,
                field=printable(field_name, 80), witness=LEDGER,
                expected="the ledger says what is hidden", found="it does not",
            )  # fmt: skip
