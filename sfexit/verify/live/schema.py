"""What the org has, asked anew: its objects by two lists, and their fields by two lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfexit.errors import DamagedAnswer, OrgRefused
from sfexit.verify.live.wire import Reply, Wire

API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
#: Types that no row can hold as text: bodies are compared as files, compounds by their parts
#: (Object Reference, "Compound Fields"; "Base64 Field Type").
COMPOUND = frozenset({"address", "location"})
BASE64 = "base64"
_CATALOGUE_ROWS = 2_000  # Tooling catalogues have no further page ("SOQL Operation Limitations")


@dataclass(frozen=True)
class FieldFact:
    """One field as the org describes it now."""

    name: str
    type: str
    filterable: bool = False
    sortable: bool = False
    calculated: bool = False
    formula: str = ""
    reference_to: tuple[str, ...] = ()
    length: int = 0


@dataclass(frozen=True)
class Shape:
    """One object as the org describes it now. `fields` by name, in the org's order."""

    name: str
    fields: Mapping[str, FieldFact]
    queryable: bool = True
    scopes: frozenset[str] = frozenset()  # in lower case

    def has(self, name: str) -> bool:
        """Whether the object has this field."""
        return name in self.fields

    def comparable(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of `columns` whose values can be compared as text."""
        return tuple(
            name
            for name in columns
            if (one := self.fields.get(name)) is not None
            and one.type not in COMPOUND
            and one.type != BASE64
        )

    def bodies(self) -> tuple[str, ...]:
        """Fields that hold files."""
        return tuple(one.name for one in self.fields.values() if one.type == BASE64)


@dataclass
class Named:
    """The objects that the org names: describeGlobal's flag, and EntityDefinition's."""

    visible: dict[str, bool] = field(default_factory=dict)  # name → queryable
    defined: dict[str, bool | None] = field(default_factory=dict)  # name → IsQueryable
    defined_unread: str = ""  # why EntityDefinition could not be read

    def queryable(self, name: str) -> bool | None:
        """What the org says; describeGlobal first."""
        return self.visible.get(name, self.defined.get(name))


def named(wire: Wire) -> Named:
    """describeGlobal, and all rows of Tooling EntityDefinition. Raises DamagedAnswer."""
    told = wire.get("/sobjects")
    listed = told.get("sobjects") if isinstance(told, dict) else None
    if not isinstance(listed, list) or not listed:
        raise DamagedAnswer("The org's list of objects is not a list.")
    found = Named()
    for one in listed:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise DamagedAnswer("The org's list of objects holds something without a name.")
        found.visible[one["name"]] = one.get("queryable") is True
    rows, found.defined_unread = catalogue(
        wire, "EntityDefinition", ("DurableId", "QualifiedApiName", "IsQueryable"), ""
    )
    for row in rows:
        name, flag = row.get("QualifiedApiName"), row.get("IsQueryable")
        if isinstance(name, str) and name:
            found.defined[name] = flag if isinstance(flag, bool) else None
    if not found.defined and not found.defined_unread:
        found.defined_unread = "it has no rows for this user"
    return found


def catalogue(
    wire: Wire, name: str, columns: Sequence[str], where: str
) -> tuple[list[dict[str, Any]], str]:
    """All rows of a Tooling catalogue, and why not, when not all could be read.

    By the Tooling API, going on behind the last DurableId: these objects know neither queryMore
    nor LIMIT (Tooling API guide, "SOQL Operation Limitations").
    """
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    last = ""
    for _ in range(200):
        behind = f"DurableId > '{last}'" if last else ""
        conditions = " AND ".join(one for one in (where, behind) if one)
        soql = f"SELECT {','.join(columns)} FROM {name}"  # noqa: S608 - SOQL of constants
        soql += f" WHERE {conditions}" if conditions else ""
        soql += " ORDER BY DurableId"
        try:
            page: list[dict[str, Any]] = []
            total = None
            first = Reply(200, wire.get("/tooling" + wire.address(soql, everything=False)))
            total = first.total
            page += first.rows
            following = first.more
            while following:
                more = Reply(200, wire.get(wire.client.anchor(following)))
                page += more.rows
                following = more.more
        except OrgRefused as refused:
            return rows, f"{refused.code}: {refused.reason}"
        fresh = [row for row in page if str(row.get("DurableId")) not in seen]
        rows += fresh
        seen.update(str(row.get("DurableId")) for row in fresh)
        whole = len(page) < _CATALOGUE_ROWS and (total is None or len(page) >= total)
        if whole or not page:
            return rows, ""
        if not fresh:
            return rows, "the list is longer than the org gives"
        last = str(page[-1].get("DurableId", ""))
        if not re.fullmatch(r"[A-Za-z0-9_.]{1,200}", last):
            return rows, "the list is longer than the org gives"
    return rows, "the list does not end"


def shapes(wire: Wire, names: Sequence[str]) -> tuple[dict[str, Shape], dict[str, str]]:
    """The describes of objects, 25 a call; and the refusals by object."""
    good = [name for name in names if API_NAME.fullmatch(name)]
    found: dict[str, Shape] = {}
    refused: dict[str, str] = {}
    replies = wire.many([f"/sobjects/{name}/describe" for name in good])
    for name, reply in zip(good, replies, strict=True):
        if not reply.ok:
            refused[name] = reply.refusal
            continue
        found[name] = _shape(name, reply.body)
    return found, refused


def _shape(name: str, told: Any) -> Shape:
    listed = told.get("fields") if isinstance(told, dict) else None
    if not isinstance(listed, list):
        raise DamagedAnswer(f"The description of {name} has no fields.")
    fields = {}
    for one in listed:
        if not isinstance(one, dict) or not API_NAME.fullmatch(str(one.get("name"))):
            raise DamagedAnswer(f"The description of {name} has a field without a name.")
        references = one.get("referenceTo")
        length = str(one.get("length"))
        fields[one["name"]] = FieldFact(
            name=one["name"],
            type=str(one.get("type", "")).lower(),
            filterable=one.get("filterable") is True,
            sortable=one.get("sortable") is True,
            calculated=one.get("calculated") is True,
            formula=str(one.get("calculatedFormula") or ""),
            reference_to=tuple(map(str, references)) if isinstance(references, list) else (),
            length=int(length) if length.isascii() and length.isdecimal() else 0,
        )
    listed_scopes = told.get("supportedScopes")
    scopes = frozenset(
        str(one.get("name")).lower()
        for one in (listed_scopes if isinstance(listed_scopes, list) else [])
        if isinstance(one, dict)
    )
    return Shape(name, fields, told.get("queryable") is not False, scopes)


def defined_fields(wire: Wire, names: Sequence[str]) -> tuple[dict[str, set[str]], dict[str, str]]:
    """The fields that FieldDefinition names, by object; and why not, where it could not be read.

    FieldDefinition knows fields that field-level security hides from describe (Tooling API guide,
    "FieldDefinition"). Five objects a call, each alone with equals, the one comparison that the
    guide promises.
    """
    found: dict[str, set[str]] = {}
    unread: dict[str, str] = {}
    soql = "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName="
    paths = [wire.address(f"{soql}'{name}'", everything=False) for name in names]
    for name, reply in zip(names, wire.many(paths), strict=True):
        if not reply.ok:
            unread[name] = reply.refusal
        elif reply.total is None or len(reply.rows) < reply.total:
            unread[name] = "the list of fields is longer than the org gives in one answer"
        elif not reply.rows:
            unread[name] = "FieldDefinition names no field of it"
        else:
            found[name] = {
                told for row in reply.rows if isinstance(told := row.get("QualifiedApiName"), str)
            }
    return found, unread
