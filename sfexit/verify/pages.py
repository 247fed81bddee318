"""One page of records, read to its end and compared with what the archive says about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Protocol

from sfexit.verify import ids, images, shapes
from sfexit.verify.finding import Finding
from sfexit.verify.grid import Grid, grid, written
from sfexit.verify.runs import RunWriter
from sfexit.verify.unpack import Broken, Inside, Stored, blocks, rows_of

KIND = "pages"
_TOLD = 5  # findings of one sort about one page that are spelled out


@dataclass(frozen=True)
class Columns:
    """What the pages of one object hold, by the data package."""

    object: str
    names: tuple[str, ...]
    types: tuple[str, ...]  # of the Table Schema
    references: tuple[str, ...]  # columns that refer to other objects
    texts: tuple[str, ...] = ()  # long texts, which may show images

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
            pieces = blocks(inside)
            first = next(pieces, b"")
            line = first[: first.find(b"\n") + 1] or first
            header = next(iter(rows_of(line, 0)), None)
            if header != list(columns.names):
                find("header-wrong", ",".join(columns.names)[:200], _difference(header, columns))
            else:
                _rows(chain((first[len(line) :],), pieces), columns, read, find, runs)
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
    pieces: Iterable[bytes], columns: Columns, read: Read, find: _Find, runs: RunWriter
) -> None:
    at = {name: place for place, name in enumerate(columns.names)}
    checked = [
        (name, kind, at[name])
        for name, kind in zip(columns.names, columns.types, strict=True)
        if kind in shapes.CHECKED
    ]
    texts = {at[name]: name for name in columns.texts}
    #: By relation, values that are no ids: how many, and one of them.
    strangers: dict[str, tuple[int, str]] = {}
    for piece in pieces:
        here = _grid(piece, len(columns.names), read, find) if piece else None
        if here is None:
            continue
        if columns.has_ids:
            keys, bad = ids.of_column(here.column(at["Id"]), optional=False)
            for one in bad[:_TOLD]:
                find("id-malformed", "an 18-character id", f"{one!r:.40}")
            runs.own(columns.object, keys)
        if "IsDeleted" in at:
            read.deleted += shapes.count_true(here.column(at["IsDeleted"]))
        for name in columns.references:
            keys, bad = ids.of_column(here.column(at[name]), optional=True)
            runs.refers(f"{columns.object}.{name}", keys)
            if bad:
                before, example = strangers.get(name, (0, bad[0]))
                strangers[name] = before + len(bad), example
        if texts and images.MARK in piece:
            for name, shown in images.in_grid(here, texts).items():
                keys = ids.keys_of(sorted(shown))
                runs.refers(f"{images.NAMED}{columns.object}.{name}", keys)
        for name, kind, place in checked:
            for value in sorted(shapes.odd(here.column(place), kind))[:_TOLD]:
                find("value-malformed", kind, f"{value!r:.60}", field=name)
    for name, (count, example) in strangers.items():
        # A value that is no id refers to nothing: it is counted there and is no damage by itself.
        find("lookup-elsewhere", "record ids", f"{count} other values, such as {example!r:.40}",
             field=name)  # fmt: skip


def _grid(piece: bytes, width: int, read: Read, find: _Find) -> Grid | None:
    """The rows of a piece of text. What is quoted otherwise is read by `csv` first, which also
    says what is wrong with it. Raises Broken."""
    found = grid(piece, width)
    if found is None:
        lines = rows_of(piece, read.rows)
        for place, line in enumerate(lines, read.rows + 1):
            if len(line) != width:
                find("text-broken", f"{width} values", f"row {place} has {len(line)}")
        read.rows += len(lines)
        return grid(written([line for line in lines if len(line) == width]), width)
    read.rows += found.rows
    return found
