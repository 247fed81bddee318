"""The org's configuration: does each ZIP hold what the index and the org's own list say?"""

from __future__ import annotations

import json
import os
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sfexit.redaction import printable
from sfexit.verify.bag import open_file
from sfexit.verify.contents import UNREADABLE, number
from sfexit.verify.finding import Finding
from sfexit.verify.unpack import BAD_ZIP, STEP, Broken, content, table

KIND = "metadata"
INDEX = "data/metadata/index.csv"
LISTED = "data/metadata/listed.json.gz"
PACKAGES = "data/metadata/packages/"
OUTCOMES = frozenset({"retrieved", "hidden", "partly", "missing", "failed", "left_out"})
THERE = frozenset({"retrieved", "hidden", "partly"})
_COLUMNS = ("type", "full_name", "packages", "managed", "outcome", "files", "bytes", "reason")
_JSON_LIMIT = 1 << 28
_TOLD = 200
_EVERYTHING = ("*", "*")  # the only line of an archive without any metadata
#: Salesforce packs no more into one answer of `retrieve` (Metadata API Developer Guide, "Metadata
#: Limits": 629,145,600 bytes unpacked).
UNPACKED = 629_145_600

_Member = tuple[str, str]


@dataclass
class _Package:
    """A ZIP and what was noted beside it. `entries`: plain name → bytes unpacked."""

    entries: dict[str, int] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    counts: dict[_Member, tuple[int, int]] = field(default_factory=dict)  # files, bytes
    asked: frozenset[_Member] = frozenset()

    def size_of(self, path: str) -> int | None:
        """Bytes of a component's own file; -1 when it is a folder; None when it is not there."""
        if path in self.entries:
            return self.entries[path]
        # Folders, bundles of components; of a folder its description alone may be there.
        a_folder = "." not in path.rpartition("/")[2] and f"{path}-meta.xml" in self.entries
        return -1 if path in self.folders or a_folder else None


def check_metadata(bag: Path, paths: Sequence[str], findings: list[Finding]) -> int:
    """Compare index, packages and ZIPs below data/metadata/. Returns how many lines the index has.

    `paths`: the files of the bag, as listed. An archive without metadata has none of them.
    """
    mine = [path for path in paths if path.startswith("data/metadata/")]
    if not mine:
        return 0
    check = _Check(bag, findings)
    packages = check.packages([path for path in mine if path.startswith(PACKAGES)])
    if INDEX not in mine:
        check.find(INDEX, "a file", "none")
    index = check.index(packages) if INDEX in mine else {}
    if LISTED in mine:
        if INDEX in mine:
            check.listed(index, packages)
    elif index.get(_EVERYTHING, {}).get("outcome") != "left_out":  # then nobody asked for a list
        check.find(LISTED, "a file", "none")
    return len(index)


@dataclass
class _Check:
    bag: Path
    findings: list[Finding]
    told: int = 0

    def find(
        self, path: str, expected: str, found: str, name: str = "", *, witness: str = ""
    ) -> None:
        self.told += 1
        if self.told <= _TOLD:
            self.findings.append(
                Finding(
                    "metadata-wrong", KIND, path=printable(path, 200), object=printable(name, 160),
                    expected=expected, found=printable(found, 200), witness=witness,
                )
            )  # fmt: skip

    def json(self, path: str, schema: str) -> Any:
        """A document of the given schema, or None after a finding."""
        try:
            told = json.loads(content(self.bag, path, limit=_JSON_LIMIT)[0])
            if told["schema"] == schema:
                return told
            self.find(path, schema, str(told["schema"]))
        except UNREADABLE as error:
            why = error.found if isinstance(error, Broken) else repr(error)
            self.find(path, f"a document {schema}", f"cannot be read: {why}")
        return None

    # --- packages

    def packages(self, paths: Sequence[str]) -> dict[str, _Package]:
        """All packages of which the ZIP is there, by name."""
        zips = {path[len(PACKAGES) : -4] for path in paths if path.endswith(".zip")}
        noted = {path[len(PACKAGES) : -5] for path in paths if path.endswith(".json")}
        found: dict[str, _Package] = {}
        for name in sorted(zips | noted):
            package = _Package()
            document, path = f"{PACKAGES}{name}.json", f"{PACKAGES}{name}.zip"
            retrieved = name in noted and self._noted(document, package)
            if retrieved and name not in zips:
                self.find(path, "a ZIP, since it was retrieved", "none", witness=document)
            elif name in zips and not retrieved:
                self.find(path, "a note that it was retrieved", "none", witness=document)
            if name in zips:
                self._zip(path, package)
                found[name] = package
        return found

    def _noted(self, path: str, package: _Package) -> bool:
        told = self.json(path, "sfexit-metadata-package/1")
        if told is None:
            return True  # what it says is not known; that is a finding already
        try:
            package.asked = frozenset((str(one[0]), str(one[1])) for one in told["asked"])
            package.counts = {
                (str(one[0]), str(one[1])): (int(one[2]), int(one[3])) for one in told["files"]
            }
            return bool(told["outcome"] == "retrieved")
        except UNREADABLE as error:
            self.find(path, "what was asked for and what came", repr(error))
            return True

    def _zip(self, path: str, package: _Package) -> None:
        """A ZIP must be whole, and safe for whoever unpacks it."""
        try:
            with (
                os.fdopen(open_file(self.bag, path), "rb") as file,
                zipfile.ZipFile(file) as archive,
            ):
                entries = archive.infolist()
                if sum(one.file_size for one in entries) > UNPACKED:
                    self.find(path, f"at most {UNPACKED:,} bytes unpacked", "more")
                    return
                for one in entries:
                    odd = _odd(one, package.entries)
                    if odd:
                        self.find(path, "entries that are safe to unpack", f"{one!r}: {odd}")
                    with archive.open(one) as inside:
                        while inside.read(STEP):
                            pass
                    package.entries[_plain(one.orig_filename)] = one.file_size
        except BAD_ZIP as error:
            self.find(path, "a whole ZIP", str(error))
        package.folders = frozenset(
            name[:at] for name in package.entries for at, c in enumerate(name) if c == "/"
        )

    # --- index

    def index(self, packages: Mapping[str, _Package]) -> dict[_Member, dict[str, str]]:
        """The lines of the index, each compared with the packages that it names."""
        lines: dict[_Member, dict[str, str]] = {}
        named: set[str] = set()
        for line in self._lines():
            member = line["type"], line["full_name"]
            title = " ".join(member)
            if member in lines:
                self.find(INDEX, "one line", "two lines", title)
            lines[member] = line
            within = line["packages"].split()
            named.update(within)
            if line["outcome"] not in OUTCOMES:
                self.find(INDEX, "a known outcome", line["outcome"], title)
            elif (line["outcome"] in THERE) != bool(within):
                found = f"{line['outcome']}, in {len(within)} packages"
                self.find(INDEX, "an outcome that fits its packages", found, title)
            counts = (0, 0)
            for name in within:
                package = packages.get(name)
                if package is None:
                    self.find(INDEX, f"the package {name}", "none", title)
                else:
                    here = package.counts.get(member, (0, 0))
                    counts = max(counts[0], here[0]), max(counts[1], here[1])
            if within and counts != (number(line["files"]), number(line["bytes"])):
                found = f"{line['files']} files, {line['bytes']} bytes"
                expected = f"{counts[0]} files, {counts[1]} bytes"
                self.find(INDEX, expected, found, title, witness=PACKAGES)
        for name in sorted(packages):
            for member in sorted(packages[name].asked - set(lines)):
                count = packages[name].counts.get(member, (0, 0))
                if count[0] or count[1]:
                    self.find(INDEX, "a line, since a package holds it", "none", " ".join(member))
        return lines

    def _lines(self) -> Iterator[dict[str, str]]:
        rows = table(self.bag, INDEX)
        header = next(rows, [])
        if not set(_COLUMNS) <= set(header):
            raise Broken("metadata-wrong", f"{INDEX} lacks {sorted(set(_COLUMNS) - set(header))}")
        for at, row in enumerate(rows, 1):
            if len(row) == len(header):
                yield dict(zip(header, row, strict=True))
            else:
                self.find(INDEX, f"{len(header)} values", f"row {at} has {len(row)}")

    # --- the org's own list

    def listed(
        self, lines: Mapping[_Member, Mapping[str, str]], packages: Mapping[str, _Package]
    ) -> None:
        """What the org listed, against index and ZIPs.

        A component's file stands in the ZIP under the name that the list gives (Metadata API
        Developer Guide, "FileProperties": fileName).
        """
        told = self.json(LISTED, "sfexit-metadata-list/1")
        if told is None or told.get("refused") or _EVERYTHING in lines:
            return
        for one in told.get("components") or ():
            try:
                member, path = (str(one[0]), str(one[1])), _plain(str(one[2]))
            except UNREADABLE as error:
                self.find(LISTED, "a component", repr(error))
                continue
            # Folders of all have contents and are no components (`unfiled$public`).
            if "$" in member[1] and "/" not in member[1]:
                continue
            line, title = lines.get(member), " ".join(member)
            if line is None:
                self.find(INDEX, "a line, since the org lists it", "none", title, witness=LISTED)
                continue
            for name in line["packages"].split():
                package = packages.get(name)
                if package is None or not path:
                    continue
                size = package.size_of(path)
                where = f"{PACKAGES}{name}.zip"
                if size is None:
                    self.find(where, f"the file {printable(path, 120)}", "none", title,
                              witness=LISTED)  # fmt: skip
                elif (
                    size >= 0
                    and line["files"] == "1"
                    and line["packages"] == name
                    and size != number(line["bytes"])
                ):
                    expected = f"{line['bytes']} bytes"
                    self.find(where, expected, f"{size} bytes", title, witness=INDEX)


def _plain(name: str) -> str:
    return unquote(name).removeprefix("unpackaged/")


def _odd(one: zipfile.ZipInfo, seen: Mapping[str, int]) -> str:
    """Why an entry must not be unpacked; empty when it may."""
    name, kind = one.orig_filename, stat.S_IFMT(one.external_attr >> 16)
    if {".", ".."} & set(name.split("/")) or re.match(r"/|[A-Za-z]:", name):
        return "leads outside"
    if re.search(r"[\x00-\x1f\\]", name):
        return "has a name that no archive has"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if one.flag_bits & 1:
        return "is encrypted"
    return "stands twice" if _plain(name) in seen else ""
