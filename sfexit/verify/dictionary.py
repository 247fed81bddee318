"""The data dictionary, which is made for people: is it of these objects, fields and counts?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from sfexit.redaction import printable
from sfexit.verify.contents import UNREADABLE, Contents, number
from sfexit.verify.finding import Finding
from sfexit.verify.unpack import Broken, content, table

KIND = "schema"
TABLE = "data/schema/dictionary.csv"
PAGE = "data/schema/dictionary.html"
COUNTS = "data/schema/filled.json.gz"
DESCRIBES = "data/schema/objects/"
_COLUMNS = ("object", "field", "type", "length", "in_archive", "rows_seen", "filled")
_LIMIT = 1 << 28
_TOLD = 100


def check_dictionary(
    bag: Path, told: Contents, paths: Sequence[str], findings: list[Finding]
) -> int:
    """Compare data/schema/dictionary.csv and filled.json.gz with describes and tables.

    `paths`: the files of the bag, as listed. Returns how many fields the dictionary has; an
    archive may be without one.
    """
    here = {path for path in paths if path.startswith("data/schema/")}
    if not here & {TABLE, PAGE, COUNTS}:
        return 0
    check = _Check(bag, told, findings)
    for path in sorted({TABLE, PAGE, COUNTS} - here):
        check.find("", path, "a file", "none")
    return check.table(here, check.counts()) if TABLE in here else 0


class _Check:
    def __init__(self, bag: Path, told: Contents, findings: list[Finding]) -> None:
        self.bag, self.told, self.findings, self.count = bag, told, findings, 0

    def find(
        self, name: str, path: str, expected: str, found: str, field: str = "", witness: str = ""
    ) -> None:
        self.count += 1
        if self.count <= _TOLD:
            self.findings.append(
                Finding(
                    "schema-wrong", KIND, object=printable(name, 80), field=printable(field, 80),
                    path=path, expected=printable(expected, 120), found=printable(found, 120),
                    witness=witness,
                )
            )  # fmt: skip

    def counts(self) -> Mapping[str, Any]:
        """What filled.json.gz says: object → rows seen and filled fields."""
        try:
            told = json.loads(content(self.bag, COUNTS, limit=_LIMIT)[0])
            if told["schema"] == "sfexit-filled/1":
                return dict(told["objects"])
            self.find("", COUNTS, "sfexit-filled/1", str(told["schema"]))
        except FileNotFoundError:
            pass  # told already
        except UNREADABLE as error:
            self.find("", COUNTS, "a document", repr(error))
        return {}

    def table(self, here: set[str], counts: Mapping[str, Any]) -> int:
        rows = table(self.bag, TABLE)
        header = next(rows, [])
        if not set(_COLUMNS) <= set(header):
            raise Broken("schema-wrong", f"{TABLE} lacks {sorted(set(_COLUMNS) - set(header))}")
        width = len(header)
        pick = itemgetter(*(header.index(name) for name in _COLUMNS))
        total, described = 0, set()
        for name, lines in groupby(self.whole(rows, width, pick), key=itemgetter(0)):
            own = list(lines)
            total += len(own)
            path = next((p for p in _places(name, here) if self.is_of(p, name)), None)
            if path is None or path in described:
                self.find(name, TABLE, "an object that is described here, once", "another")
                continue
            described.add(path)
            self.object(name, path, own, counts.get(name))
        for path in sorted(here - described):
            if path.startswith(DESCRIBES):
                self.find("", TABLE, f"the fields of {path}", "none")
        return total

    def whole(
        self, rows: Iterator[list[str]], width: int, pick: itemgetter[Any]
    ) -> Iterator[tuple[str, ...]]:
        for at, row in enumerate(rows, 1):
            if len(row) == width:
                yield pick(row)
            else:
                self.find("", TABLE, f"{width} values", f"row {at} has {len(row)}")

    def describe(self, path: str) -> Any:
        try:
            return json.loads(content(self.bag, path, limit=_LIMIT)[0])
        except UNREADABLE:
            return {}

    def is_of(self, path: str, name: str) -> bool:
        self._last = self.describe(path)
        return isinstance(self._last, dict) and self._last.get("name") == name

    def object(self, name: str, path: str, lines: list[tuple[str, ...]], counts: Any) -> None:
        try:
            fields = [
                (str(one["name"]), str(one.get("type") or ""), str(one.get("length") or ""))
                for one in self._last["fields"]
            ]
        except UNREADABLE as error:
            self.find(name, path, "a description", repr(error))
            return
        shown = [(line[1], line[2], line[3]) for line in lines]
        if shown != fields:
            odd = next((a for a, b in zip(shown, fields, strict=False) if a != b), ("", "", ""))
            self.find(name, TABLE, f"{len(fields)} fields as described",
                      f"{len(shown)} fields, not the same", odd[0], witness=path)  # fmt: skip
        resource = self.told.resources.get(name)
        columns = set(resource.columns.names) if resource is not None else set()
        rows = resource.rows if resource is not None else 0
        by_counts = counts.get("columns") if isinstance(counts, dict) else None
        for _, field, _, _, there, seen, filled in lines:
            if resource is not None and (there == "true") != (field in columns):
                self.find(name, TABLE, "true for a column, else false", there, field)
            if there != "true":
                continue
            if not 0 <= number(filled) <= number(seen) <= rows:
                expected = f"of {rows} rows at most that many filled"
                self.find(name, TABLE, expected, f"{filled} of {seen}", field)
            elif isinstance(by_counts, dict) and (
                number(by_counts.get(field)) != number(filled)
                or number(counts.get("seen")) != number(seen)
            ):
                self.find(name, TABLE, f"{by_counts.get(field)} of {counts.get('seen')}",
                          f"{filled} of {seen}", field, witness=COUNTS)  # fmt: skip


def _places(name: str, here: set[str]) -> Iterator[str]:
    """Where the description of an object may lie (archive-format.md, section 3)."""
    if not name.isascii() or not name.replace("_", "").isalnum():
        return
    for stem in (name, f"_{name}", *(f"{name}~{at}" for at in range(2, 10))):
        if f"{DESCRIBES}{stem}.json.gz" in here:
            yield f"{DESCRIBES}{stem}.json.gz"
