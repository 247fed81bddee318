"""What reports and dashboards are: a definition for each of their rows, and each the right one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sfexit.redaction import printable
from sfexit.verify.contents import UNREADABLE, Contents, number
from sfexit.verify.finding import Finding
from sfexit.verify.unpack import Broken, content, table

KIND = "metadata"
FOLDER = "data/definitions/"
INDEX = FOLDER + "index.csv"
OBJECTS = ("Report", "Dashboard")
_COLUMNS = ("object", "id", "title", "definition", "result", "result_state", "refused")
_LIMIT = 1 << 28
_TOLD = 200


def check_definitions(
    bag: Path, told: Contents, paths: Sequence[str], findings: list[Finding]
) -> int:
    """Compare data/definitions/ with the rows of Report and Dashboard and with the ledger.

    `paths`: the files of the bag, as listed. Returns how many lines the index has.
    """
    check = _Check(bag, told, findings)
    mine = {path for path in paths if path.startswith(FOLDER)}
    living = check.living()
    if INDEX not in mine:
        if living:
            check.find(
                "", INDEX, f"a line for each of {len(living)} reports and dashboards", "none"
            )
        return 0
    return check.index(mine, living)


class _Check:
    def __init__(self, bag: Path, told: Contents, findings: list[Finding]) -> None:
        self.bag, self.contents, self.findings, self.count = bag, told, findings, 0

    def find(self, name: str, path: str, expected: str, found: str, record: str = "") -> None:
        self.count += 1
        if self.count <= _TOLD:
            self.findings.append(
                Finding(
                    "metadata-wrong", KIND, object=printable(name, 80), path=printable(path, 200),
                    record_id=printable(record, 18), expected=expected, found=printable(found, 200),
                )
            )  # fmt: skip

    def living(self) -> set[tuple[str, str]]:
        """Reports and dashboards that are here as rows and not in the recycle bin."""
        found = set()
        for name in OBJECTS:
            resource = self.contents.resources.get(name)
            if resource is None or "Id" not in resource.columns.names:
                continue
            columns = resource.columns.names
            at = columns.index("Id")
            gone = columns.index("IsDeleted") if "IsDeleted" in columns else None
            for path in resource.paths:
                for place, row in enumerate(self.rows(path)):
                    if place and len(row) == len(columns) and (gone is None or row[gone] != "true"):
                        found.add((name, row[at]))
        return found

    def rows(self, path: str) -> list[list[str]]:
        try:
            return list(table(self.bag, path))
        except (Broken, OSError, ValueError):
            return []  # told where pages are read

    def index(self, mine: set[str], living: set[tuple[str, str]]) -> int:
        rows = table(self.bag, INDEX)
        header = next(rows, [])
        if not set(_COLUMNS) <= set(header):
            raise Broken("metadata-wrong", f"{INDEX} lacks {sorted(set(_COLUMNS) - set(header))}")
        seen: set[tuple[str, str]] = set()
        here = {(name, kind): 0 for name in OBJECTS for kind in ("definitions", "results")}
        named = {INDEX}
        for at, row in enumerate(rows, 1):
            if len(row) != len(header):
                self.find("", INDEX, f"{len(header)} values", f"row {at} has {len(row)}")
                continue
            line = dict(zip(header, row, strict=True))
            key = line["object"], line["id"]
            if key in seen:
                self.find(key[0], INDEX, "one line", "two lines", key[1])
            seen.add(key)
            if key not in living:
                self.find(key[0], INDEX, "a row of it that is not deleted", "none", key[1])
            if not line["definition"] and not line["refused"]:
                self.find(key[0], INDEX, "a definition, or why there is none", "neither", key[1])
            for column, kind in (("definition", "definitions"), ("result", "results")):
                path = f"data/{line[column]}"
                if not line[column]:
                    continue
                if path not in mine:
                    self.find(key[0], path, "a file, since the index names it", "none", key[1])
                    continue
                named.add(path)
                if key[0] in OBJECTS:
                    here[key[0], kind] += 1
                self.document(line, path, column)
        for name, record in sorted(living - seen):
            self.find(name, INDEX, "a line, since its row is here", "none", record)
        for path in sorted(mine - named):
            self.find("", path, "a line of the index that names it", "none")
        self.witnesses(here)
        return len(seen)

    def document(self, line: dict[str, str], path: str, column: str) -> None:
        name, record = line["object"], line["id"]
        try:
            told = json.loads(content(self.bag, path, limit=_LIMIT)[0])
        except UNREADABLE as error:
            why = error.found if isinstance(error, Broken) else repr(error)
            self.find(name, path, "a document", f"cannot be read: {why}", record)
            return
        owner = _owner(told, name)
        if owner is not None and owner[:15] != record[:15]:
            self.find(name, path, f"the {column} of {record}", f"that of {owner}", record)
        if column == "result":
            whole = isinstance(told, dict) and told.get("allData") is True
            if (line["result_state"] == "complete") != whole:
                said = "allData: true" if whole else "not allData"
                self.find(name, INDEX, f"the state of a result that says {said}",
                          line["result_state"], record)  # fmt: skip

    def witnesses(self, here: dict[tuple[str, str], int]) -> None:
        for (name, kind), count in here.items():
            for part in self.contents.ledger.get(name, {}).get("witnesses", "").split(";"):
                witness, _, said = part.partition("=")
                if witness == kind and number(said) != count:
                    self.find(name, INDEX, f"{kind}={said}, as the ledger says", str(count))


def _owner(told: Any, name: str) -> str | None:
    """The id of the report or dashboard that a document says it is of; None where it has none.

    Reports and Dashboards REST API Developer Guide: `reportMetadata.id` of a report's description
    and of its result; `id` of a dashboard's description.
    """
    if not isinstance(told, dict):
        return None
    part = told if name == "Dashboard" else told.get("reportMetadata")
    owner = part.get("id") if isinstance(part, dict) else None
    return owner if isinstance(owner, str) and len(owner) in (15, 18) else None
