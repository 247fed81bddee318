"""The org's configuration: its lists are asked for anew, and components retrieved again.

Drawn by chance, or all, and whatever the org says was changed since.

In other packages than the export's, in the other layout of a ZIP, by own messages. Files must be
the same byte for byte, or the same elements in another order: the Metadata API promises none.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any
from xml.etree import ElementTree

from sfexit.errors import ArchiveProblem, OrgRefused, Transient
from sfexit.redaction import printable
from sfexit.verify.finding import Finding, not_made
from sfexit.verify.live import components
from sfexit.verify.live.archived import Bag
from sfexit.verify.live.components import Compared, Held, Known, shown
from sfexit.verify.live.retrieve import UNPACKAGED, Member, Property, retrieve
from sfexit.verify.live.wire import Wire
from sfexit.verify.unpack import BAD_ZIP

CHECK, INDEX = components.CHECK, components.INDEX
_PACKAGES = "data/metadata/packages/"
#: What a ZIP has of these depends on what else is in it, so two ZIPs rightly differ (Metadata API
#: Developer Guide, "Profile", "Translations", "CustomObjectTranslation"). Permission sets come
#: whole since API version 40 ("PermissionSet").
_DEPENDENT = frozenset({"Profile", "Translations", "CustomObjectTranslation"})
_TOGETHER, _BYTES_TOGETHER = 500, 20 << 20  # of one retrieve; the limits are 10,000 and 629 MB
_LARGEST_FILE = 629_145_600  # unpacked ("Metadata Limits")
_LARGEST_XML = 16 << 20
_KEPT_IN_MEMORY = 8 << 20
_TOLD = 20
_MOST_CHANGED = 1_000  # retrieved again because the org says that they were changed
_RIGHT = "give the user Modify Metadata Through Metadata API Functions, then verify again"
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

    known: Known = field(default_factory=Known)
    drawn: tuple[Drawn, ...] = ()
    population: int = 0

    def parts(self, told: Compared) -> tuple[list[list[Drawn]], list[Member]]:
        """The packages to ask for: what was drawn and is still named, and what was changed.

        And what was changed of which only the date can be compared: ZIPs that rightly differ, and
        what is more than `_MOST_CHANGED`.
        """
        wanted = {one.member: one for one in self.drawn if one.member not in told.gone}
        by_date: list[Member] = []
        for number, member in enumerate(sorted(set(told.changed) - wanted.keys())):
            one = _comparable(member, self.known.index[member])
            if one is None or number >= _MOST_CHANGED:
                by_date.append(member)
            else:
                wanted[member] = one
        return _parts(wanted.values()), by_date

    @property
    def calls(self) -> int:
        """API calls, about: the lists; of each retrieve a start, looks at the state, the ZIP."""
        return self.known.calls + 5 * len(_parts(self.drawn))

    @property
    def bytes(self) -> int:
        """On the wire, about: packed, then written as base64."""
        return self.known.bytes + sum(one.bytes // 3 + 600 for one in self.drawn)


def _parts(wanted: Iterable[Drawn]) -> list[list[Drawn]]:
    found: list[list[Drawn]] = []
    size = 0
    for one in wanted:
        if not found or len(found[-1]) >= _TOGETHER or size + one.bytes > _BYTES_TOGETHER:
            found.append([])
            size = 0
        found[-1].append(one)
        size += one.bytes
    return found


@dataclass(frozen=True)
class Configuration:
    """How the configuration compares."""

    population: int = 0
    compared: int = 0
    files: int = 0
    listed: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def words(self) -> str:
        if not self.population:
            return "the archive has none"
        return (
            f"{self.listed:,} components by name and date; {self.compared:,} of "
            f"{self.population:,} retrieved again, {self.files:,} files"
        )


def plan(known: Known, *, sample: int, deep: bool, chance: random.Random) -> Plan:
    """Draw components, each as likely; `deep`: all."""
    drawn: list[Drawn] = []
    population = 0
    for member, held in known.index.items():
        one = _comparable(member, held)
        if one is None:
            continue
        population += 1
        if deep or len(drawn) < sample:
            drawn.append(one)
        elif (place := chance.randrange(population)) < sample:
            drawn[place] = one
    return Plan(known, tuple(drawn), population)


def _comparable(member: Member, held: Held) -> Drawn | None:
    kind, name = member
    if held.outcome not in components.THERE or kind in _DEPENDENT or components.ALL in (kind, name):
        return None
    return Drawn(member, held.packages, held.bytes) if held.packages else None


def compare(wire: Wire, bag: Bag, planned: Plan, started: str) -> Configuration:
    """Compare the org's lists with the archive's; retrieve and compare what was planned, and what
    the org says was changed. `started`: when the export began, by the ledger."""
    tally = _Tally(bag, started)
    try:
        told = components.compare(planned.known, components.named(wire), started)
    except (OrgRefused, Transient) as trouble:
        if isinstance(trouble, Transient):
            wire.try_get("/limits")  # when nothing is answered any more, the run pauses
        told = components.Compared()
        why = f"the org does not list its components ({trouble.message})"
        remedy = _RIGHT if isinstance(trouble, OrgRefused) else ""
        tally.findings.append(not_made(CHECK, why, remedy=remedy))
    tally.findings += told.findings
    tally.listed = told.listed
    for member in sorted(told.gone):
        tally.differs(member, "", "the org does not name it any more", "")
    parts, by_date = planned.parts(told)
    for member in by_date:
        tally.differs(member, "", "changed, by the org's word", told.changed[member])
    for part in parts:
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
    return tally.result(planned)


@dataclass
class _Tally:
    bag: Bag
    started: str
    compared: int = 0
    files: int = 0
    listed: int = 0
    wrong: int = 0
    findings: list[Finding] = field(default_factory=list)
    _open: tuple[str, zipfile.ZipFile] | None = None

    def result(self, planned: Plan) -> Configuration:
        if self.wrong > _TOLD:
            expected = f"{self.wrong:,} in all; the first {_TOLD} stand by name"
            self.findings.append(
                Finding("metadata-differs", CHECK, count=self.wrong - _TOLD, expected=expected)
            )
        return Configuration(
            planned.population, self.compared, self.files, self.listed, tuple(self.findings)
        )

    def compare(
        self, part: Sequence[Drawn], found: dict[Member, Property], store: IO[bytes]
    ) -> None:
        with zipfile.ZipFile(store) as theirs:
            named = _names(theirs, UNPACKAGED)
            # By package, so that each ZIP of the archive is opened once.
            for one in sorted(part, key=lambda one: one.packages[0]):
                told = found.get(one.member)
                if told is None:
                    self.differs(one.member, "", "the org does not give it any more", "")
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
                    self.differs(one.member, name, "no such file", told.modified)
                elif name not in wanted:
                    self.differs(
                        one.member, name, "a file that the org does not have", told.modified
                    )
                elif not _same(theirs, named[name], mine, here[name]):
                    self.differs(one.member, name, "another content", told.modified)
        except (ArchiveProblem, OSError) as problem:
            self.findings.append(not_made(CHECK, str(problem), object=shown(one.member)))

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

    def differs(self, member: Member, name: str, found: str, modified: str) -> None:
        self.wrong += 1
        if self.wrong > _TOLD:
            return
        since = bool(self.started) and modified[:19] > self.started[:19]
        detail = f"changed since the export ({printable(modified, 30)})" if since else ""
        self.findings.append(
            Finding(
                "metadata-differs", CHECK, object=shown(member), path=printable(name, 200),
                expected="what the org gives now", found=found, detail=detail,
                witness="the Metadata API, asked again",
            )
        )  # fmt: skip


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
