"""The org's configuration: components drawn by chance, or all, are retrieved again and compared.

In other packages than the export's, in the other layout of a ZIP, by own messages. Files must be
the same byte for byte, or the same elements in another order: the Metadata API promises none.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any
from xml.etree import ElementTree

from sfexit.errors import ArchiveProblem, OrgRefused, Transient
from sfexit.redaction import printable
from sfexit.verify.finding import Finding, not_made
from sfexit.verify.live.archived import Bag
from sfexit.verify.live.retrieve import UNPACKAGED, Member, Property, retrieve
from sfexit.verify.live.wire import Wire
from sfexit.verify.unpack import BAD_ZIP

CHECK = "configuration"
INDEX = "data/metadata/index.csv"
_PACKAGES = "data/metadata/packages/"
_THERE = ("retrieved", "hidden")
#: What a ZIP has of these depends on what else is in it, so two ZIPs rightly differ (Metadata API
#: Developer Guide, "Profile", "Translations", "CustomObjectTranslation"). Permission sets come
#: whole since API version 40 ("PermissionSet").
_DEPENDENT = frozenset({"Profile", "Translations", "CustomObjectTranslation"})
_TOGETHER, _BYTES_TOGETHER = 500, 20 << 20  # of one retrieve; the limits are 10,000 and 629 MB
_LARGEST_FILE = 629_145_600  # unpacked ("Metadata Limits")
_LARGEST_XML = 16 << 20
_KEPT_IN_MEMORY = 8 << 20
_TOLD = 20
_STEP = 1 << 20


@dataclass(frozen=True)
class Drawn:
    """A component of the archive that is to be retrieved again."""

    member: Member
    packages: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class Plan:
    """What is to be compared; `population`: components of which that can be said."""

    drawn: tuple[Drawn, ...] = ()
    population: int = 0

    @property
    def parts(self) -> list[list[Drawn]]:
        """The packages to ask for."""
        found: list[list[Drawn]] = []
        size = 0
        for one in self.drawn:
            if not found or len(found[-1]) >= _TOGETHER or size + one.bytes > _BYTES_TOGETHER:
                found.append([])
                size = 0
            found[-1].append(one)
            size += one.bytes
        return found

    @property
    def calls(self) -> int:
        """API calls, about: a start, looks at the state, and the ZIP."""
        return 5 * len(self.parts)

    @property
    def bytes(self) -> int:
        """On the wire, about: packed, then written as base64."""
        return sum(one.bytes // 3 + 600 for one in self.drawn)


@dataclass(frozen=True)
class Configuration:
    """How the configuration compares."""

    population: int = 0
    compared: int = 0
    files: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def words(self) -> str:
        if not self.population:
            return "the archive has none"
        return (
            f"{self.compared:,} of {self.population:,} components retrieved again, "
            f"{self.files:,} files"
        )


def plan(bag: Bag, *, sample: int, deep: bool, chance: random.Random) -> Plan:
    """Draw components, each as likely; `deep`: all. Raises ArchiveProblem."""
    if not bag.has(INDEX):
        return Plan()
    rows = bag.rows_of_file(INDEX, packed=False)
    at = {name: place for place, name in enumerate(next(rows, []))}
    drawn: list[Drawn] = []
    population = 0
    for row in rows:
        try:
            kind, name = row[at["type"]], row[at["full_name"]]
            packages = tuple(row[at["packages"]].split())
            outcome, size = row[at["outcome"]], row[at["bytes"]]
        except (KeyError, IndexError):
            raise ArchiveProblem(f"{INDEX} has other columns: verify the archive offline") from None
        if outcome not in _THERE or kind in _DEPENDENT or "*" in (kind, name) or not packages:
            continue
        population += 1
        one = Drawn((kind, name), packages, int(size) if size.isdecimal() else 0)
        if deep or len(drawn) < sample:
            drawn.append(one)
        elif (place := chance.randrange(population)) < sample:
            drawn[place] = one
    return Plan(tuple(drawn), population)


def compare(wire: Wire, bag: Bag, planned: Plan, started: str) -> Configuration:
    """Retrieve what was planned and compare it. `started`: when the export began, by the ledger."""
    tally = _Tally(bag, started)
    for part in planned.parts:
        with tempfile.SpooledTemporaryFile(_KEPT_IN_MEMORY) as store:
            try:
                found = retrieve(wire, [one.member for one in part], store)
                tally.compare(part, found, store)
            except (OrgRefused, Transient) as trouble:
                why = f"the org did not give {len(part):,} components again: {trouble.message}"
                tally.findings.append(not_made(CHECK, why))
            except BAD_ZIP as error:
                why = f"the ZIP that the org gave is damaged ({type(error).__name__})"
                tally.findings.append(not_made(CHECK, why))
    return tally.result(planned.population)


@dataclass
class _Tally:
    bag: Bag
    started: str
    compared: int = 0
    files: int = 0
    wrong: int = 0
    findings: list[Finding] = field(default_factory=list)
    _open: tuple[str, zipfile.ZipFile] | None = None

    def result(self, population: int) -> Configuration:
        if self.wrong > _TOLD:
            expected = f"{self.wrong:,} in all; the first {_TOLD} stand by name"
            self.findings.append(
                Finding("metadata-differs", CHECK, count=self.wrong - _TOLD, expected=expected)
            )
        return Configuration(population, self.compared, self.files, tuple(self.findings))

    def compare(
        self, part: Sequence[Drawn], found: dict[Member, Property], store: IO[bytes]
    ) -> None:
        with zipfile.ZipFile(store) as theirs:
            named = _names(theirs, UNPACKAGED)
            # By package, so that each ZIP of the archive is opened once.
            for one in sorted(part, key=lambda one: one.packages[0]):
                told = found.get(one.member)
                if told is None:
                    self.differs(one, "", "the org does not give it any more", "")
                    continue
                self.compared += 1
                self.component(one, told, theirs, named)
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def component(
        self, one: Drawn, told: Property, theirs: zipfile.ZipFile, named: dict[str, zipfile.ZipInfo]
    ) -> None:
        try:
            mine, here = self.mine(one, told.file)
            wanted, present = _of(told.file, named), _of(told.file, here)
            self.files += len(wanted)
            for name in sorted(wanted | present):
                if name not in present:
                    self.differs(one, name, "no such file", told.modified)
                elif name not in wanted:
                    self.differs(one, name, "a file that the org does not have", told.modified)
                elif not _same(theirs, named[name], mine, here[name]):
                    self.differs(one, name, "another content", told.modified)
        except (ArchiveProblem, OSError) as problem:
            self.findings.append(not_made(CHECK, str(problem), object=_shown(one)))

    def mine(self, one: Drawn, file: str) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
        """The ZIP of the archive that holds this component, and the names in it."""
        for package in one.packages:
            if self._open is None or self._open[0] != package:
                if self._open is not None:
                    self._open[1].close()
                    self._open = None
                try:
                    path = self.bag.proven(f"{_PACKAGES}{package}.zip")
                    self._open = package, zipfile.ZipFile(path)
                except BAD_ZIP as error:
                    raise ArchiveProblem(
                        f"{_PACKAGES}{package}.zip of the archive cannot be read: verify offline"
                    ) from error
            names = _names(self._open[1], "")
            if _of(file, names):
                return self._open[1], names
        assert self._open is not None
        return self._open[1], {}

    def differs(self, one: Drawn, name: str, found: str, modified: str) -> None:
        self.wrong += 1
        if self.wrong > _TOLD:
            return
        since = bool(self.started) and modified[:19] > self.started[:19]
        detail = f"changed since the export ({printable(modified, 30)})" if since else ""
        self.findings.append(
            Finding(
                "metadata-differs", CHECK, object=_shown(one), path=printable(name, 200),
                expected="what the org gives now", found=found, detail=detail,
                witness="retrieved again by the Metadata API",
            )
        )  # fmt: skip


def _shown(one: Drawn) -> str:
    return printable(" ".join(one.member), 160)


def _names(packed: zipfile.ZipFile, below: str) -> dict[str, zipfile.ZipInfo]:
    return {
        one.filename.removeprefix(below): one
        for one in packed.infolist()
        if one.filename.startswith(below) and not one.is_dir()
    }


def _of(file: str, names: dict[str, zipfile.ZipInfo]) -> set[str]:
    """The files of a component: its own, the description beside it, and of a bundle all inside."""
    own = {file, f"{file}-meta.xml"} & names.keys()
    return own or {name for name in names if name.startswith(f"{file}/")}


def _same(
    theirs: zipfile.ZipFile, one: zipfile.ZipInfo, mine: zipfile.ZipFile, other: zipfile.ZipInfo
) -> bool:
    if one.file_size == other.file_size and _digest(theirs, one) == _digest(mine, other):
        return True
    if max(one.file_size, other.file_size) > _LARGEST_XML:
        return False
    first, second = _elements(theirs.read(one)), _elements(mine.read(other))
    return first is not None and first == second


def _digest(packed: zipfile.ZipFile, one: zipfile.ZipInfo) -> bytes:
    told, size = hashlib.sha256(), 0
    for piece in _pieces(packed, one):
        size += len(piece)
        if size > _LARGEST_FILE:
            raise ValueError("a file that unpacks to more than Salesforce ever sends")
        told.update(piece)
    return told.digest()


def _pieces(packed: zipfile.ZipFile, one: zipfile.ZipInfo) -> Iterator[bytes]:
    with packed.open(one) as file:
        while piece := file.read(_STEP):
            yield piece


def _elements(data: bytes) -> Any:
    """An XML file as a value in which the order of elements does not count; None: it is none."""
    if not data.lstrip().startswith(b"<?xml") or b"<!DOCTYPE" in data:
        return None
    try:
        return _element(ElementTree.fromstring(data))  # noqa: S314 (no declaration, so no entities)
    except (ElementTree.ParseError, RecursionError):
        return None


def _element(one: ElementTree.Element) -> tuple[Any, ...]:
    inner = sorted((_element(child) for child in one), key=repr)
    return one.tag, (one.text or "").strip(), sorted(one.attrib.items()), inner
