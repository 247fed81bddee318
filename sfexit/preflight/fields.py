"""Fields that an org defines and that one user's describe leaves out.

FieldDefinition has parity with the metadata of fields, EntityParticle only with describe, so it
is FieldDefinition that tells (Tooling API guide, "FieldDefinition", "EntityParticle").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfexit.catalog import Description
from sfexit.preflight.needs import BY_NAME
from sfexit.preflight.questions import Questions, Reply, answered, query, text
from sfexit.preflight.sight import CERTAIN, HELD, LIKELY, MISSING, UNKNOWN, BlindSpot
from sfexit.redaction import printable
from sfexit.salesforce.describe import API_NAME

WANTED = (
    "DurableId", "QualifiedApiName", "EntityDefinitionId", "IsFlsEnabled", "IsEverApiAccessible",
)  # fmt: skip
_NEEDED = ("DurableId", "QualifiedApiName")
_ENTITY = "EntityDefinition.QualifiedApiName"

CATALOGUE_PAGE = 2_000  # rows; catalogues have no queryMore ("SOQL Operation Limitations")
_FIELDS_A_QUERY = 1_200  # visible ones, so that hidden ones still fit in a page
_OBJECTS_A_QUERY = 40
_PAGES = 50


@dataclass
class FieldLook:
    """What came of comparing fields: rows by object, and why an object could not be compared."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    unchecked: dict[str, str] = field(default_factory=dict)


def columns_of(description: Description | None) -> tuple[str, ...]:
    """The columns of FieldDefinition to ask for; the documented ones when it is not described."""
    if description is None:
        return WANTED
    return tuple(name for name in WANTED if name in _NEEDED or description.has(name))


def look(
    questions: Questions,
    names: Sequence[str],
    columns: Sequence[str],
    *,
    entity_names: Mapping[str, str],
    tooling: bool = False,
) -> FieldLook:
    """All FieldDefinition rows of the objects; their descriptions must have been learned.

    `entity_names` are the objects' names by their DurableId.

    One query takes several objects by IN, which clients of all kinds use; whether an org takes it
    shows by the answer. An object that has no row in such an answer is asked for alone with
    equals, the one comparison that the guide promises.
    """
    found = FieldLook()
    usable = [name for name in names if API_NAME.fullmatch(name)]
    alone: list[str] = []
    if not tooling:
        groups = list(_groups(usable, questions.descriptions))
        wheres = [_among(group) for group in groups]
        for group, reply in zip(groups, _all(questions, columns, wheres, False), strict=True):
            rows = _by_object(reply.rows, entity_names) if reply.ok else {}
            for name in group:
                if rows.get(name):
                    found.rows[name] = rows[name]
                else:
                    alone.append(name)
    else:
        alone = usable
    wheres = [f"{_ENTITY} = '{name}'" for name in alone]
    for name, reply in zip(alone, _all(questions, columns, wheres, tooling), strict=True):
        if reply.ok and reply.rows:
            found.rows[name] = reply.rows
        elif reply.ok:
            found.unchecked[name] = "the org's list of field definitions names no field of it"
        else:
            found.unchecked[name] = f"the org refused its field definitions ({reply.refusal})"
    return found


def hidden_fields(
    description: Description, rows: Iterable[Mapping[str, Any]], *, view_all_fields: str
) -> tuple[BlindSpot, ...]:
    """The defined fields of an object that its description lacks."""
    visible = {one.name.lower() for one in description.fields}
    spots = []
    for row in rows:
        name = row.get("QualifiedApiName")
        if not isinstance(name, str) or not name or name.lower() in visible:
            continue
        if row.get("IsEverApiAccessible") is False:
            continue  # not describable for anybody
        visible.add(name.lower())
        spots.append(_spot(description.name, name, row, view_all_fields))
    return tuple(spots)


def masked(descriptions: Iterable[Description], state: str) -> list[BlindSpot]:
    """The classic encrypted fields, which come masked without View Encrypted Data."""
    if state == HELD:
        return []
    need = BY_NAME["ViewEncryptedData"]
    return [
        BlindSpot(
            "masked",
            one.name,
            column.name,
            f"{one.name}.{column.name} comes masked",
            need.label,
            f"give the user {need.label}",
            f"type encryptedstring; {need.column} is {'false' if state == MISSING else 'unknown'}",
            CERTAIN if state == MISSING else UNKNOWN,
        )
        for one in descriptions
        for column in one.fields
        if column.type.lower() == "encryptedstring"
    ]


def _spot(owner: str, name: str, row: Mapping[str, Any], view_all_fields: str) -> BlindSpot:
    shown = f"{printable(owner, 90)}.{printable(name, 90)}"
    guarded = row.get("IsFlsEnabled")
    secured = guarded is True or (guarded is None and name.endswith(("__c", "__pc")))
    permission = "View All Fields (Global)"
    if secured and view_all_fields != HELD:
        remedy = "give the user View All Fields (Global), or Read on the field in a permission set"
    elif secured:
        remedy = (
            "this user holds View All Fields (Global) and yet the field is hidden: give Read on "
            "the field in a permission set (Object Settings > Fields)"
        )
        permission = f"Read on {shown}"
    else:
        remedy = (
            "give the user View All Fields (Global); if the field stays hidden, its feature is "
            "off and it holds nothing to see"
        )
    return BlindSpot(
        "field_hidden",
        owner,
        name,
        f"the field {shown} is hidden from this user",
        permission,
        remedy,
        "Tooling FieldDefinition names it; the describe of the object does not",
        CERTAIN if secured else LIKELY,
    )


def _groups(
    names: Sequence[str], descriptions: Mapping[str, Description]
) -> Iterator[tuple[str, ...]]:
    group: list[str] = []
    fields = 0
    for name in names:
        weight = len(descriptions[name].fields) if name in descriptions else 100
        if group and (fields + weight > _FIELDS_A_QUERY or len(group) == _OBJECTS_A_QUERY):
            yield tuple(group)
            group, fields = [], 0
        group.append(name)
        fields += weight
    if group:
        yield tuple(group)


def _among(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{_ENTITY} = '{names[0]}'"
    quoted = ",".join(f"'{name}'" for name in names)
    return f"{_ENTITY} IN ({quoted})"


def _all(
    questions: Questions, columns: Sequence[str], wheres: Sequence[str], tooling: bool
) -> list[Reply]:
    """Each condition's rows, all pages of them."""
    asked = (*columns, _ENTITY)
    return catalogue(questions, asked, "FieldDefinition", wheres, tooling=tooling)


def catalogue(
    questions: Questions,
    columns: Sequence[str],
    name: str,
    wheres: Sequence[str],
    *,
    tooling: bool = False,
) -> list[Reply]:
    """All rows of a metadata catalogue under each condition ("" for none).

    Catalogues give no further page and ignore LIMIT and OFFSET ("SOQL Operation Limitations"),
    so the next page begins behind the last DurableId, as long as that moves on.
    """

    def soql(where: str, last: str, ordered: bool = True) -> str:
        conditions = [one for one in (where, f"DurableId > '{last}'" if last else "") if one]
        told = f"SELECT {','.join(columns)} FROM {name}"  # noqa: S608 - SOQL, names checked
        told += f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return told + (" ORDER BY DurableId" if ordered else "")

    def asked(told: Sequence[str]) -> list[Reply]:
        if tooling:
            return [questions.tooling(one) for one in told]
        return questions.ask([query(one) for one in told])

    replies = asked([soql(where, "") for where in wheres])
    refused = [i for i, reply in enumerate(replies) if not reply.ok]
    unordered = asked([soql(wheres[i], "", False) for i in refused]) if refused else []
    for i, reply in zip(refused, unordered, strict=True):
        replies[i] = _first_only(questions.more(reply))
    for i, reply in enumerate(replies):
        if reply.ok and i not in refused:

            def behind(last: str, where: str = wheres[i]) -> Reply:
                return asked([soql(where, last)])[0]

            replies[i] = _further(questions, reply, behind)
    return replies


def _first_only(reply: Reply) -> Reply:
    """A reply whose order is unknown: good only if it is the whole."""
    if reply.ok and _full(reply):
        return Reply(0, reason="the list is longer than the org gives in one answer")
    return reply


def _full(reply: Reply) -> bool:
    rows = len(reply.rows)
    return rows >= CATALOGUE_PAGE or (reply.total or 0) > rows


def _further(questions: Questions, first: Reply, ask: Callable[[str], Reply]) -> Reply:
    page = questions.more(first)
    rows = list(page.rows)
    keys = {text(row, "DurableId") for row in rows}
    for _ in range(_PAGES):
        if not page.ok:
            return page
        last = text(page.rows[-1], "DurableId") if page.rows else ""
        if not _full(page) or not last:
            break
        page = questions.more(ask(last.replace("\\", "\\\\").replace("'", "\\'")))
        fresh = [row for row in page.rows if text(row, "DurableId") not in keys]
        if page.ok and not fresh:
            break
        rows += fresh
        keys.update(text(row, "DurableId") for row in fresh)
    else:
        return Reply(0, reason="the list does not end")
    return answered(rows)


def _by_object(
    rows: Iterable[dict[str, Any]], entity_names: Mapping[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """Rows by the object they belong to, which they name by a parent or by its DurableId."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        parent = row.get("EntityDefinition")
        name = parent.get("QualifiedApiName") if isinstance(parent, dict) else None
        key = text(row, "EntityDefinitionId")
        owner = name if isinstance(name, str) else entity_names.get(key, key)
        found.setdefault(owner, []).append(row)
    return found
