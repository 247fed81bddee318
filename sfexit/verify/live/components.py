"""Which components the org names now, against what the archive has of its configuration.

A sample of what the archive holds cannot show what it lacks. So the Metadata API's own lists are
asked for anew, by own messages: names, and when each was last changed. That goes for profiles and
translations too, of which two ZIPs cannot be compared. Sources: Metadata API Developer Guide,
"describeMetadata()", "listMetadata()" (three queries a call; folders by the name of the type and
"Folder", but EmailFolder), "FileProperties".
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sfexit.errors import ArchiveProblem, OrgRefused, Transient
from sfexit.redaction import printable
from sfexit.salesforce.soap import Call
from sfexit.verify.finding import Finding, not_made
from sfexit.verify.live.archived import Bag
from sfexit.verify.live.retrieve import Member, ask
from sfexit.verify.live.wire import Wire

CHECK = "configuration"
INDEX = "data/metadata/index.csv"
LISTED = "data/metadata/listed.json.gz"
THERE = ("retrieved", "hidden")
ALL = "*"
_QUERIES_A_CALL = 3
_FOLDERS_OF = {"EmailTemplate": "EmailFolder"}
#: Folders that no list of folders has; their contents are listed by this name.
_UNFILED = {"Report": "unfiled$public", "EmailTemplate": "unfiled$public"}
_BYTES_A_NAME, _BYTES_A_CALL = 60, 300  # on the wire, packed
_TOLD = 200
_SILENT_AFTER = 5  # lists in a row that the org does not answer
_LISTED_LIMIT = 1 << 28
_NO_LIST = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Held:
    """A line of the archive's index of components."""

    outcome: str
    packages: tuple[str, ...]
    bytes: int
    reason: str


@dataclass(frozen=True)
class Known:
    """What the archive says: its index, and when the org's list then said each was changed."""

    index: Mapping[Member, Held] = field(default_factory=dict)
    modified: Mapping[Member, str] = field(default_factory=dict)
    types: int = 0
    folders: int = 0

    @property
    def calls(self) -> int:
        """API calls that asking for the lists takes, about."""
        return 3 + (self.types + self.folders) // _QUERIES_A_CALL

    @property
    def bytes(self) -> int:
        """On the wire, about."""
        return _BYTES_A_NAME * len(self.modified) + _BYTES_A_CALL * self.calls


@dataclass(frozen=True)
class Named:
    """What the org names now: when each was last changed; and (type, folder) not listed, why."""

    modified: Mapping[Member, str]
    unlisted: Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Compared:
    """`changed`: in the archive, and changed since by the org's word. `gone`: named no more."""

    findings: tuple[Finding, ...] = ()
    listed: int = 0
    changed: Mapping[Member, str] = field(default_factory=dict)
    gone: frozenset[Member] = frozenset()


# ---- the archive ---------------------------------------------------------------------------------


def known(bag: Bag) -> Known:
    """What the archive has of the org's configuration. Raises ArchiveProblem."""
    if not bag.has(INDEX):
        return Known()
    rows = bag.rows_of_file(INDEX, packed=False)
    at = {name: place for place, name in enumerate(next(rows, []))}
    index: dict[Member, Held] = {}
    for row in rows:
        try:
            size = row[at["bytes"]]
            index[row[at["type"]], row[at["full_name"]]] = Held(
                row[at["outcome"]],
                tuple(row[at["packages"]].split()),
                int(size) if size.isdecimal() else 0,
                row[at["reason"]],
            )
        except (KeyError, IndexError):
            raise ArchiveProblem(f"{INDEX} has other columns: verify the archive offline") from None
    if not bag.has(LISTED):
        return Known(index)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(bag.small(LISTED))) as packed:
            told = json.loads(packed.read(_LISTED_LIMIT))
        kinds = {str(one["name"]): one["in_folder"] is True for one in told["types"]}
        modified = {
            (str(one[0]), str(one[1])): str(one[5])
            for one in told["components"]
            if not (kinds.get(str(one[0])) and _a_folder_of_all(str(one[1])))
        }
    except (OSError, EOFError, *_NO_LIST):
        raise ArchiveProblem(f"{LISTED} cannot be read: verify the archive offline") from None
    folders = sum(kinds.get(kind, False) and "/" not in name for kind, name in modified)
    return Known(index, modified, len(kinds), folders)


def _a_folder_of_all(name: str) -> bool:
    """`unfiled$public`: its contents are components, it is none."""
    return "$" in name and "/" not in name


# ---- the org -------------------------------------------------------------------------------------


def named(wire: Wire) -> Named:
    """All lists of the org. Raises OrgRefused when this user may see none of them."""
    kinds = {
        one["xmlName"]: one.get("inFolder") == "true"
        for one in ask(
            wire, Call("describeMetadata", {"asOfVersion": wire.client.version}),
            record="metadataObjects",
        ).records
        if one.get("xmlName")
    }  # fmt: skip
    modified: dict[Member, str] = {}
    unlisted: dict[tuple[str, str], str] = {}
    folder_types = {_FOLDERS_OF.get(kind, f"{kind}Folder"): kind
                    for kind, in_folder in kinds.items() if in_folder}  # fmt: skip
    queries = [(kind, "") for kind, in_folder in kinds.items() if not in_folder]
    for one in _listed(wire, [(kind, "") for kind in folder_types], unlisted):
        kind, name = folder_types.get(one["type"], one["type"]), one["fullName"]
        queries.append((kind, name))
        if not _a_folder_of_all(name):
            modified[kind, name] = one.get("lastModifiedDate", "")
    queries += [(kind, folder) for kind, folder in _UNFILED.items() if kind in kinds]
    for one in _listed(wire, list(dict.fromkeys(queries)), unlisted):
        modified[one["type"], one["fullName"]] = one.get("lastModifiedDate", "")
    of_type = {(folder_types.get(kind, kind), folder): why
               for (kind, folder), why in unlisted.items()}  # fmt: skip
    return Named(modified, of_type)


def _listed(
    wire: Wire, queries: Sequence[tuple[str, str]], unlisted: dict[tuple[str, str], str]
) -> Iterator[dict[str, str]]:
    """Components of some (type, folder), three a call; one by one where the three are refused."""
    waiting = [list(queries[at : at + _QUERIES_A_CALL])
               for at in range(0, len(queries), _QUERIES_A_CALL)]  # fmt: skip
    waiting.reverse()
    silent = 0
    while waiting:
        some = waiting.pop()
        asked = [{"folder": folder, "type": kind} if folder else {"type": kind}
                 for kind, folder in some]  # fmt: skip
        call = Call("listMetadata", {"queries": asked, "asOfVersion": wire.client.version})
        try:
            records = ask(wire, call, record="result").records
        except (OrgRefused, Transient) as trouble:
            if len(some) > 1:
                waiting += [[one] for one in reversed(some)]
                continue
            silent = silent + 1 if isinstance(trouble, Transient) else 0
            if silent >= _SILENT_AFTER:
                raise
            unlisted[some[0]] = printable(trouble.message, 200)
            continue
        silent = 0
        yield from (one for one in records if one.get("type") and one.get("fullName"))


# ---- the two -------------------------------------------------------------------------------------


def compare(known: Known, now: Named, started: str) -> Compared:
    """The org's lists against the archive. `started`: when the export began, by its ledger. Pure.

    What was changed since is only told, for its files can be compared; what cannot be found in
    the archive is a finding, whether it was there then or is new.
    """
    findings: list[Finding] = []
    told = 0

    def left_out(kind: str, name: str, found: str, detail: str, count: int = 1) -> None:
        nonlocal told
        told += 1
        if told <= _TOLD:
            findings.append(
                Finding(
                    "metadata-left-out", CHECK, object=shown((kind, name)), count=count,
                    expected="in the archive", found=printable(found, 240), detail=detail,
                    witness="listMetadata",
                )
            )  # fmt: skip

    if not known.index:
        left_out(ALL, ALL, "the archive has nothing of the configuration", "", len(now.modified))
        return Compared(tuple(findings), len(now.modified))
    gaps = {member: one for member, one in known.index.items() if one.outcome not in THERE}
    whole = {member for member in gaps if member[1] == ALL or member[1].endswith(f"/{ALL}")}
    missing = [member for member in sorted(now.modified) if member not in known.index]
    for member in sorted(gaps):
        deleted = member in known.modified and member not in now.modified
        if member in whole:
            inside = sum(_within(one, member) for one in missing)
            left_out(*member, f"{gaps[member].outcome}: {gaps[member].reason}", "", max(inside, 1))
        elif not deleted or _not_listed(member, now):
            left_out(*member, f"{gaps[member].outcome}: {gaps[member].reason}", "")
    for member in missing:
        if not any(_within(member, one) for one in whole):
            since = _later(now.modified[member], started)
            left_out(
                *member, "no line in its index",
                "new or changed since the export" if since else "it was there before the export",
            )  # fmt: skip
    if told > _TOLD:
        findings.append(
            Finding("metadata-left-out", CHECK, count=told - _TOLD,
                    expected=f"{told:,} in all; the first {_TOLD} stand by name")
        )  # fmt: skip
    for (kind, folder), why in sorted(now.unlisted.items()):
        where = f"{kind} in {folder}" if folder else kind
        findings.append(
            not_made(CHECK, f"the org does not list its components: {why}",
                     object=printable(where, 160))
        )  # fmt: skip
    gone = frozenset(
        member
        for member in known.modified
        if member not in now.modified
        and member in known.index
        and member not in gaps
        and not _not_listed(member, now)
    )
    changed = {
        member: when
        for member, when in now.modified.items()
        if member in known.index
        and member not in gaps
        and _later(when, started)
        and when != known.modified.get(member)
    }
    return Compared(tuple(findings), len(now.modified), changed, gone)


def shown(member: Member) -> str:
    """A component's name in a finding."""
    return printable(" ".join(member), 160)


def _later(when: str, started: str) -> bool:
    return bool(started) and when[:19] > started[:19]


def _within(member: Member, whole: Member) -> bool:
    """Whether a component belongs to what a line with `*` stands for."""
    kind, name = whole
    return kind == ALL or (
        member[0] == kind and (name == ALL or member[1].startswith(name.removesuffix(ALL)))
    )


def _not_listed(member: Member, now: Named) -> bool:
    kind, name = member
    folder = name.rpartition("/")[0]
    places = ("", folder, _UNFILED.get(kind, ""))
    return any((kind, place) in now.unlisted for place in places)
