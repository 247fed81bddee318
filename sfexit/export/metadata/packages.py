"""Which components are retrieved together. Pure.

Limits: 10,000 files and 39 MB a retrieve (Salesforce Developer Limits, "Metadata Limits"). Sizes
are not known before, so packages stay well below, and one that is refused nevertheless is halved.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sfexit.archive import zipped
from sfexit.export.metadata.listing import Listed
from sfexit.salesforce.metadata_api import Component, MetadataType
from sfexit.salesforce.value_sets import standard_value_sets

Member = tuple[str, str]  # type, full name

MOST_WEIGHT = 5000  # about as many files
_BUNDLE = 8  # files of a folder of code, as far as anybody can tell before
# Types with contents of up to 5 MB each, or with long texts.
_HEAVY = {
    "StaticResource": 40, "Document": 40, "ContentAsset": 40, "ExperienceBundle": 100,
    "DigitalExperienceBundle": 100, "WaveDataflow": 20, "CustomObject": 4, "Profile": 10,
    "PermissionSet": 4, "CustomObjectTranslation": 4, "Translations": 40, "Flow": 3,
}  # fmt: skip
# A profile comes with settings of those components only that are retrieved with it (Metadata API
# guide, "Profile"), so profiles are retrieved again with each part of these.
_IN_PROFILES = (
    "ApexClass", "ApexPage", "CustomApplication", "CustomObject", "CustomPermission", "CustomTab",
    "ExternalDataSource", "Flow", "Layout",
)  # fmt: skip
PROFILE = "Profile"
_MOST_SUSPECT = 20  # packages for components with names that no ZIP may hold
# listMetadata names no standard value set, so they are asked for by their published names; those
# that the org does not find are not missing.
_VALUE_SET = "StandardValueSet"


@dataclass(frozen=True)
class Package:
    """Components to be retrieved together. `name` is that of its files."""

    name: str
    members: tuple[Member, ...]
    with_all: tuple[Member, ...] = ()  # go along with each part when it has to be divided

    @property
    def wanted(self) -> tuple[Member, ...]:
        """Everything to ask for."""
        return (*self.members, *self.with_all)

    def halves(self) -> tuple[Package, ...]:
        """Two packages for this one; none when nothing is left to divide.

        Members stand by type, so that types part company first.
        """
        if len(self.members) > 1:
            middle = len(self.members) // 2
            parts = [(self.members[:middle], self.with_all), (self.members[middle:], self.with_all)]
        elif self.members and self.with_all:
            parts = [(self.members, ()), (self.with_all, ())]
        else:
            return ()
        return tuple(Package(f"{self.name}.{n}", *part) for n, part in enumerate(parts, 1))


def guessed(member: Member) -> bool:
    """Whether a component is asked for without the org having named it."""
    return member[0] == _VALUE_SET


def members(listed: Listed) -> dict[Member, Component | None]:
    """Everything to retrieve, with what the org said of it; None: it was not named."""
    foldered = {one.name for one in listed.types if one.in_folder}
    found: dict[Member, Component | None] = {
        (one.type, one.full_name): one
        for one in listed.components
        # Folders of all: their contents can be retrieved, they themselves cannot.
        if one.type not in foldered or "$" not in one.full_name or "/" in one.full_name
    }
    if any(one.name == _VALUE_SET for one in listed.types):
        for name in standard_value_sets():
            found.setdefault((_VALUE_SET, name), None)
    return found


def plan(listed: Listed, most_weight: int = MOST_WEIGHT) -> list[Package]:
    """All packages, in the order in which they are retrieved.

    The same list gives the same packages. What belongs to managed packages comes late and by
    itself, so that it cannot disturb the org's own; last and nearly each alone what has a name
    that no ZIP may hold: the package that it comes in is refused.
    """
    types = {one.name: one for one in listed.types}
    wanted = members(listed)
    managed = {m for m, one in wanted.items() if one is not None and one.managed}
    suspect = sorted(m for m, one in wanted.items() if one is not None and _misnamed(one))
    everything: list[tuple[list[Member], list[Member]]] = []
    for some in (wanted.keys() - managed - set(suspect), managed - set(suspect)):
        parts: list[tuple[list[Member], list[Member]]] = []
        mine = sorted(some)
        profiles = [m for m in mine if m[0] == PROFILE]
        context = [m for m in mine if m[0] in _IN_PROFILES]
        rest = [m for m in mine if m[0] != PROFILE and m[0] not in _IN_PROFILES]
        for group in _chunks(profiles, types, most_weight // 2) or [[]]:
            room = most_weight - sum(weight_of(m, types) for m in group)
            chunks = _chunks(context, types, room) if group or context else []
            if group:
                parts += [(chunk, group) for chunk in chunks] or [(group, [])]
            else:
                parts += [(chunk, []) for chunk in chunks]
        for chunk in _chunks(rest, types, most_weight):
            last = sum(weight_of(m, types) for group in parts[-1] for m in group) if parts else 0
            if parts and last + sum(weight_of(m, types) for m in chunk) <= most_weight:
                parts[-1][0].extend(chunk)  # a small org is one retrieve
            else:
                parts.append((chunk, []))
        everything += parts
    step = -(-len(suspect) // _MOST_SUSPECT) or 1
    everything += [(suspect[at : at + step], []) for at in range(0, len(suspect), step)]
    return [
        Package(f"{number:04d}", tuple(some), tuple(along))
        for number, (some, along) in enumerate(everything, 1)
    ]


def _misnamed(one: Component) -> bool:
    """True for a component whose file could not be in a ZIP that is kept."""
    names = (unquote(one.full_name), unquote(one.file_name) or "-")
    return any(zipped.name_trouble(name) for name in names)


def _chunks(
    some: Iterable[Member], types: dict[str, MetadataType], most_weight: int
) -> list[list[Member]]:
    chunks: list[list[Member]] = []
    weight = most_weight + 1
    for member in some:
        one = weight_of(member, types)
        if weight + one > most_weight:
            chunks.append([])
            weight = 0
        chunks[-1].append(member)
        weight += one
    return chunks


def weight_of(member: Member, types: dict[str, MetadataType]) -> int:
    """About how many files a component is, more for those with much in them."""
    kind = types.get(member[0])
    heavy = _HEAVY.get(member[0])
    if heavy is not None:
        return heavy
    if kind is None or kind.in_folder:
        return 2
    if not kind.suffix:
        return _BUNDLE
    return 2 if kind.meta_file else 1


# ---- what became of a package -----------------------------------------------------------------

SCHEMA = "sfexit-metadata-package/1"
RETRIEVED, SPLIT, FAILED = "retrieved", "split", "failed"
SIZE, FAULT, DAMAGE, SLOW = "size", "fault", "damage", "slow"


@dataclass(frozen=True)
class Told:
    """What became of a package, as it is stored beside its ZIP.

    `files`: (type, full name, files in the ZIP, their bytes together) of each component that is
    there. `hidden`: components whose code the vendor hides. `problems`: the org's words about
    what it did not find, by (type, full name); ("", "") for words about nothing named.
    """

    outcome: str
    reason: str = ""
    cause: str = ""  # of a split or a failure: SIZE, FAULT of the org, DAMAGE on the way, or SLOW
    files: tuple[tuple[str, str, int, int], ...] = ()
    hidden: tuple[Member, ...] = ()
    problems: tuple[tuple[str, str, str], ...] = ()

    def as_json(self, package: Package) -> dict[str, Any]:
        """The stored form; stable within `sfexit-metadata-package/1`."""
        return {
            "schema": SCHEMA,
            "package": package.name,
            "outcome": self.outcome,
            "reason": self.reason,
            "cause": self.cause,
            "asked": list(package.wanted),
            "files": list(self.files),
            "hidden": list(self.hidden),
            "problems": list(self.problems),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any], package: Package) -> Told:
        """Back from the stored form. Raises ValueError for anything else, or another package."""
        if document.get("schema") != SCHEMA:
            raise ValueError(f"not a document of the kind {SCHEMA}")
        if [tuple(one) for one in document["asked"]] != list(package.wanted):
            raise ValueError("a package of another plan")
        return cls(
            outcome=document["outcome"],
            reason=document["reason"],
            cause=document["cause"],
            files=tuple((f[0], f[1], f[2], f[3]) for f in document["files"]),
            hidden=tuple((m[0], m[1]) for m in document["hidden"]),
            problems=tuple((p[0], p[1], p[2]) for p in document["problems"]),
        )


def leaves(package: Package, told: dict[str, Told]) -> Iterator[tuple[Package, Told]]:
    """The packages that this one ended as, each with what became of it."""
    mine = told.get(package.name)
    if mine is None:
        return
    if mine.outcome != SPLIT:
        yield package, mine
        return
    yield from itertools.chain.from_iterable(leaves(half, told) for half in package.halves())


def all_leaves(
    packages: Sequence[Package], told: dict[str, Told]
) -> Iterator[tuple[Package, Told]]:
    """`leaves` of all packages."""
    return itertools.chain.from_iterable(leaves(package, told) for package in packages)
