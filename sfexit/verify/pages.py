"""One page of records, read to its end and compared with what the archive says about it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Protocol

from sfexit.verify.finding import Finding
from sfexit.verify.ids import RunWriter, malformed
from sfexit.verify.unpack import Broken, Inside, Stored, batches

KIND = "pages"
_TOLD = 5  # findings of one sort about one page that are spelled out

_DIGITS = bytes(48 if 48 <= code <= 57 else code for code in range(256))
_NUMBERS = frozenset({"integer", "number"})
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?|")
_NO_NUMBER = str.maketrans("", "", "0123456789+-.eE")
#: What values look like with every digit as 0, the usual form first (Bulk API 2.0 Developer Guide,
#: "Valid Data Types").
_SHAPES = {
    "date": (b"0000-00-00",),
    "datetime": (b"0000-00-00T00:00:00.000Z", b"0000-00-00T00:00:00.000+0000"),
    "time": (b"00:00:00.000Z", b"00:00:00.000"),
}
_IDS_TOGETHER = 20_000


@dataclass(frozen=True)
class Columns:
    """What the pages of one object hold, by the data package."""

    object: str
    names: tuple[str, ...]
    types: tuple[str, ...]  # of the Table Schema
    references: tuple[str, ...]  # columns that refer to other objects

    @property
    def has_ids(self) -> bool:
        return "Id" in self.names


@dataclass(frozen=True)
class Told:
    """What evidence/pages.csv says about a page."""

    path: str  # relative to the bag
    object: str
    rows: int
    bytes: int
    sha256: str
    csv_bytes: int
    csv_sha256: str
    declared: int | None
    route: str
    origin: str
    reading: int = 1
    source: str = ""  # SHA-256 of the page that a rewritten one came from


@dataclass
class Read:
    """What is in it."""

    sha256: str = ""
    rows: int = 0
    deleted: int = 0
    repacked: bool = False  # the CSV is right, the gzip around it is not the one that was sealed
    findings: list[Finding] = field(default_factory=list)


def read_page(bag: Path, told: Told, columns: Columns, digest: str | None, runs: RunWriter) -> Read:
    """Read a page. `digest` is that of the manifest. Never raises for what is inside.

    Raises OSError, ValueError when the file itself cannot be read, or when there is no room for
    temporary files.
    """
    read = Read()
    path = told.path

    def find(code: str, expected: str = "", found: str = "", **more: str) -> None:
        if sum(one.code == code for one in read.findings) < _TOLD:
            read.findings.append(
                Finding(
                    code, KIND, object=columns.object, path=path, expected=expected, found=found,
                    **more,  # type: ignore[arg-type]
                )
            )  # fmt: skip

    with Stored(bag, path) as stored:
        limit = max(told.csv_bytes, 0) + 1
        inside = Inside(stored, packed=True, limit=limit)
        whole = False
        try:
            table = batches(inside)
            first = next(table, [])
            header = first[0] if first else None
            if header != list(columns.names):
                find("header-wrong", ",".join(columns.names)[:200], _difference(header, columns))
            else:
                _rows(chain((first[1:],), table), columns, read, find, runs)
                whole = True
                if inside.last != b"\n":
                    find("text-broken", "a line end", "the last line has none")
        except Broken as broken:
            find(broken.code, broken.expected, broken.found)
        read.sha256 = stored.finish()
    altered = digest is not None and read.sha256 != digest
    if whole:
        same = inside.sha256.hexdigest() == told.csv_sha256
        read.repacked = altered and same
        if not same:
            find("evidence-wrong", "the csv_sha256 of evidence/pages.csv", "another text",
                 witness="evidence/pages.csv")  # fmt: skip
        if inside.bytes != told.csv_bytes:
            find("evidence-wrong", f"{told.csv_bytes} bytes of text", str(inside.bytes),
                 witness="evidence/pages.csv")  # fmt: skip
        if read.rows != told.rows:
            find("rows-wrong", str(told.rows), str(read.rows), witness="evidence/pages.csv")
    return read


def _difference(header: list[str] | None, columns: Columns) -> str:
    if header is None:
        return "no header"
    missing = [name for name in columns.names if name not in header]
    more = [name for name in header if name not in columns.names]
    if missing or more:
        return f"without {missing[:5]}, with {more[:5]}"
    return "the same columns in another order, or twice"


class _Find(Protocol):
    def __call__(self, code: str, expected: str = "", found: str = "", **more: str) -> None: ...


def _rows(
    table: Iterable[list[list[str]]], columns: Columns, read: Read, find: _Find, runs: RunWriter
) -> None:
    width = len(columns.names)
    at = {name: place for place, name in enumerate(columns.names)}
    references = [(f"{columns.object}.{name}", at[name]) for name in columns.references]
    seen: dict[str, set[str]] = {relation: set() for relation, _ in references}
    shapes = [
        (name, kind, at[name])
        for name, kind in zip(columns.names, columns.types, strict=True)
        if kind in _SHAPES or kind == "boolean" or kind in _NUMBERS
    ]
    an_id = at["Id"] if columns.has_ids else None
    is_deleted = at.get("IsDeleted")
    ids: list[str] = []
    for lines in table:
        if set(map(len, lines)) - {width}:
            for place, line in enumerate(lines, read.rows + 1):
                if len(line) != width:
                    find("text-broken", f"{width} values", f"row {place} has {len(line)}")
            read.rows += len(lines)
            lines = [line for line in lines if len(line) == width]
        else:
            read.rows += len(lines)
        if not lines:
            continue
        values = list(zip(*lines, strict=True))
        if an_id is not None:
            ids += values[an_id]
            if len(ids) >= _IDS_TOGETHER:
                _own(ids, columns.object, find, runs)
                ids = []
        if is_deleted is not None:
            read.deleted += values[is_deleted].count("true")
        for relation, place in references:
            seen[relation].update(values[place])
        for name, kind, place in shapes:
            _shape(values[place], name, kind, find)
    if an_id is not None:
        _own(ids, columns.object, find, runs)
    for relation, others in seen.items():
        others.discard("")
        # A value that is no id refers to nothing: it is counted there and is no damage by itself.
        bad = malformed(list(others))
        if bad:
            others.difference_update(bad)
            find("lookup-elsewhere", "record ids", f"{len(bad)} other values, such as {bad[0]!r}",
                 field=relation.rpartition(".")[2])  # fmt: skip
        runs.refers(relation, others)


def _own(ids: list[str], name: str, find: _Find, runs: RunWriter) -> None:
    bad = malformed(ids)
    if bad:
        for one in bad[:_TOLD]:
            find("id-malformed", "an 18-character id", f"{one!r:.40}")
        wrong = set(bad)
        ids = [one for one in ids if one not in wrong]
    runs.own(name, ids)


def _shape(values: Sequence[str], name: str, kind: str, find: _Find) -> None:
    """Whether values look as their type does; all of them at once, one by one only in doubt."""
    if kind == "boolean":
        odd = set(values) - {"true", "false", ""}
    elif kind in _NUMBERS:
        text = "".join(values)
        if text.isascii() and not text.translate(_NO_NUMBER):
            with contextlib.suppress(ValueError):
                list(map(float, filter(None, values)))
                return
        odd = {value for value in values if not _NUMBER.fullmatch(value)}
    else:
        shapes = _SHAPES[kind]
        text = "".join(values)
        present = len(values) - values.count("")
        if text.isascii() and text.encode().translate(_DIGITS) == shapes[0] * present:
            return
        odd = {one for one in values if one and one.encode().translate(_DIGITS) not in shapes}
    for value in sorted(odd)[:_TOLD]:
        find("value-malformed", kind, f"{value!r:.60}", field=name)
