"""The sealed bag as live verification reads it: standard `csv` and `json`, own counting.

Every file is read against the manifest's digest while it streams by, so that what is compared
with the org is what was sealed, whatever happens to the folder meanwhile.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sfexit.errors import ArchiveProblem

csv.field_size_limit(2**31 - 1)

_MANIFEST = "manifest-sha256.txt"
_TAG_MANIFEST = "tagmanifest-sha256.txt"
_LEDGER = "data/ledger.csv"
_PACKAGE = "data/datapackage.json"
_PAGES = "data/evidence/pages.csv"
_FILES = "data/files/index.csv.gz"
_SIGHT = "data/org/sight.json"
_SMALL_BYTES = 512 << 20


@dataclass(frozen=True)
class Archived:
    """What the archive says of one object. `rows` of all its pages; `columns` in their order."""

    name: str
    outcome: str
    route: str = ""
    rows: int = 0
    columns: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    not_exported: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[str, ...] = ()
    started: str = ""
    finished: str = ""
    reason: str = ""
    remedy: str = ""
    key_prefix: str = ""
    csv_bytes: int = 0
    stored_bytes: int = 0


class Bag:
    """One sealed bag. Raises ArchiveProblem for what cannot be read or is not as sealed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digests = self._manifest()
        labels = dict(
            line.split(": ", 1)
            for line in self._plain("bag-info.txt").decode("utf-8", "replace").splitlines()
            if ": " in line and not line[:1].isspace()
        )
        self.organization_id = labels.get("External-Identifier", "").strip()
        self.api_version = labels.get("Sfexit-Api-Version", "").strip()

    @cached_property
    def root_digest(self) -> str:
        """SHA-256 of the tag manifest: the bag's name."""
        return hashlib.sha256(self._plain(_TAG_MANIFEST)).hexdigest()

    def _plain(self, relative: str) -> bytes:
        try:
            with self._path(relative).open("rb") as handle:
                return handle.read(_SMALL_BYTES)
        except OSError as error:
            raise ArchiveProblem(
                f"{self.root / relative} cannot be read ({error.strerror}): verify the archive "
                "offline first"
            ) from error

    def _path(self, relative: str) -> Path:
        pure = PurePosixPath(relative)
        if pure.is_absolute() or ".." in pure.parts or "\\" in relative or "\0" in relative:
            raise ArchiveProblem(
                "a file of the archive is named by a path that leads outside of it"
            )
        return self.root.joinpath(*pure.parts)

    def _manifest(self) -> dict[str, str]:
        lines = self._plain(_MANIFEST).decode("utf-8", "replace").splitlines()
        found = {}
        for line in lines:
            told, _, path = line.partition("  ")
            found[path] = told.lower()
        return found

    # ---- files -------------------------------------------------------------------------------

    def has(self, relative: str) -> bool:
        """Whether the seal covers this file."""
        return relative in self.digests

    def small(self, relative: str) -> bytes:
        """A file that fits in memory, proven against the manifest."""
        data = self._plain(relative)
        if hashlib.sha256(data).hexdigest() != self.digests.get(relative):
            raise _altered(relative)
        return data

    def rows_of_file(self, relative: str, *, packed: bool) -> Iterator[list[str]]:
        """The rows of a CSV file, header first, proven against the manifest at its end."""
        try:
            with self._path(relative).open("rb") as handle:
                hashed = _Hashed(handle)
                source: Any = gzip.GzipFile(fileobj=hashed) if packed else hashed
                text = io.TextIOWrapper(io.BufferedReader(source, 1 << 18), "utf-8-sig", newline="")
                yield from csv.reader(text, strict=True)
                while hashed.read(1 << 18):
                    pass  # what stands behind the end counts too
                if hashed.hexdigest() != self.digests.get(relative):
                    raise _altered(relative)
        except (OSError, EOFError, csv.Error, UnicodeDecodeError, gzip.BadGzipFile) as error:
            raise ArchiveProblem(
                f"{relative} of the archive cannot be read ({type(error).__name__}): verify the "
                "archive offline first"
            ) from error

    def proven(self, relative: str) -> Path:
        """Where a file of the archive lies, once it is proven against the manifest."""
        told = hashlib.sha256()
        path = self._path(relative)
        try:
            with path.open("rb") as handle:
                while piece := handle.read(1 << 20):
                    told.update(piece)
        except OSError as error:
            raise ArchiveProblem(f"{relative} of the archive cannot be read") from error
        if told.hexdigest() != self.digests.get(relative):
            raise _altered(relative)
        return path

    def body_sha256(self, relative: str) -> str:
        """SHA-256 of a stored body as it lies on the disk now."""
        told = hashlib.sha256()
        try:
            with self._path(f"data/{relative}").open("rb") as handle:
                while piece := handle.read(1 << 20):
                    told.update(piece)
        except OSError as error:
            raise ArchiveProblem(f"data/{relative} of the archive cannot be read") from error
        return told.hexdigest()

    # ---- what the archive says -----------------------------------------------------------------

    def _table(self, relative: str) -> Iterator[dict[str, str]]:
        rows = csv.reader(
            io.StringIO(self.small(relative).decode("utf-8-sig"), newline=""), strict=True
        )
        header = next(rows, [])
        for row in rows:
            yield dict(zip(header, row, strict=False))

    @cached_property
    def objects(self) -> dict[str, Archived]:
        """Every line of the ledger, with the pages and columns of its table."""
        package = json.loads(self.small(_PACKAGE))
        resources = {
            str(one.get("title")): one
            for one in package.get("resources", ())
            if one.get("name") not in ("ledger", "files")
        }
        sizes: dict[str, list[int]] = {}
        for page in self._table(_PAGES):
            both = sizes.setdefault(page.get("object", ""), [0, 0])
            both[0] += _number(page.get("csv_bytes"))
            both[1] += _number(page.get("bytes"))
        found: dict[str, Archived] = {}
        for line in self._table(_LEDGER):
            name = line.get("object", "")
            one = resources.get(name, {})
            fields = one.get("schema", {}).get("fields", ())
            paths = one.get("path", ())
            csv_bytes, stored = sizes.get(name, (0, 0))
            if name in found:
                raise ArchiveProblem(f"{_LEDGER} has two lines for one object: verify offline")
            found[name] = Archived(
                name=name,
                outcome=line.get("outcome", ""),
                route=line.get("route", ""),
                rows=_number(line.get("rows")),
                columns=tuple(str(one["name"]) for one in fields),
                types={str(one["name"]): str(one.get("sfexit:type", "")) for one in fields},
                not_exported=_reasons(line.get("fields_not_exported", "")),
                pages=tuple([paths] if isinstance(paths, str) else paths),
                started=line.get("started", ""),
                finished=line.get("finished", ""),
                reason=line.get("reason", ""),
                remedy=line.get("remedy", ""),
                key_prefix=str(one.get("sfexit:keyPrefix") or ""),
                csv_bytes=csv_bytes,
                stored_bytes=stored,
            )
        return found

    def rows(self, one: Archived) -> Iterator[list[str]]:
        """All rows of an object, without headers; each page's header must be its columns."""
        for page in one.pages:
            rows = self.rows_of_file(f"data/{page}", packed=True)
            header = next(rows, None)
            if header is None or tuple(header) != one.columns:
                raise ArchiveProblem(
                    f"data/{page} has other columns than its schema: verify the archive offline"
                )
            width = len(header)
            for row in rows:
                if len(row) != width:
                    raise ArchiveProblem(
                        f"data/{page} has a row of {len(row)} cells in {width} columns: verify "
                        "the archive offline"
                    )
                yield row

    def files(self) -> Iterator[dict[str, str]]:
        """The lines of the index of file bodies; none when the archive has no index."""
        if not self.has(_FILES):
            return
        rows = self.rows_of_file(_FILES, packed=True)
        header = next(rows, [])
        for row in rows:
            yield dict(zip(header, row, strict=False))

    def sight(self) -> dict[str, Any] | None:
        """What the exporting user could not see, as the archive tells; None: it does not."""
        if not self.has(_SIGHT):
            return None
        told = json.loads(self.small(_SIGHT))
        return told if isinstance(told, dict) else None


class _Hashed(io.RawIOBase):
    """Passes bytes on and takes their SHA-256."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._told = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(len(buffer))
        self._told.update(data)
        buffer[: len(data)] = data
        return len(data)

    def hexdigest(self) -> str:
        return self._told.hexdigest()


def _altered(relative: str) -> ArchiveProblem:
    return ArchiveProblem(
        f"{relative} is not what was sealed: restore the archive from another copy, or export again"
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() else 0


def _reasons(text: str) -> dict[str, str]:
    """`Field: reason; Field: reason` as a mapping."""
    parts = (part.partition(": ") for part in text.split(";") if part.strip())
    return {name.strip(): why.strip() for name, _, why in parts}
