"""The preflight: what the running user holds, and what that leaves unseen.

Asks few and cheap questions and decides by pure functions. A check that could not be made ends as
a blind spot of certainty "unknown"; it never counts as passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sfexit.catalog import Description, ObjectEntry
from sfexit.errors import OrgRefused, Transient
from sfexit.preflight import fields as fielding
from sfexit.preflight.held import dependencies, objects_with_all_rows, permissions
from sfexit.preflight.needs import ALWAYS, HARMFUL, MODIFY
from sfexit.preflight.objects import hidden_objects, is_custom, named_by_metadata
from sfexit.preflight.questions import Question, Questions, Reply, objects, text
from sfexit.preflight.rows import has_knowledge, hidden_rows, may_have_rows
from sfexit.preflight.sight import (
    HELD,
    MISSING,
    UNKNOWN,
    BlindSpot,
    HiddenObject,
    Permission,
    Sight,
    unknown_spot,
)
from sfexit.redaction import printable
from sfexit.salesforce import org as orgs
from sfexit.salesforce.client import Client
from sfexit.salesforce.describe import API_NAME
from sfexit.salesforce.object_rules import rule_for

_ENTITY_COLUMNS = (
    "DurableId", "QualifiedApiName", "Label", "IsQueryable", "IsFlsEnabled", "IsCustomSetting",
    "IsDeprecatedAndHidden", "DeploymentStatus",
)  # fmt: skip
#: Catalogues whose columns differ between orgs: described first, by one call.
DESCRIBED = (
    "UserPermissionAccess", "PermissionSet", "EntityDefinition", "FieldDefinition",
    "TransactionSecurityPolicy", "User",
)  # fmt: skip
_SETUP = "View Setup and Configuration"
_SETUP_REMEDY = "give the user View Setup and Configuration and look again"
_FIRST_FEW, _MOST_AT_ONCE = 20, 400  # objects of a closer look
# What the rules read elsewhere or not at all: their fields need no look.
_NOT_READ = frozenset({"no_data", "covered", "by_metadata", "external"})


@dataclass
class _Findings:
    """What is gathered on the way to a Sight."""

    spots: list[BlindSpot] = field(default_factory=list)
    hidden: tuple[HiddenObject, ...] = ()
    secured: dict[str, bool] = field(default_factory=dict)  # object → can fields be hidden
    entity_names: dict[str, str] = field(default_factory=dict)  # by DurableId
    checked: set[str] = field(default_factory=set)
    unchecked: dict[str, str] = field(default_factory=dict)


def look(
    client: Client,
    entries: Sequence[ObjectEntry],
    *,
    deep: bool = True,
    rows: Mapping[str, int] | None = None,
    questions: Questions | None = None,
) -> Sight:
    """What this user sees of the org whose describeGlobal is `entries`.

    `deep` compares fields too: of every object whose fields can be hidden and that has rows by
    `rows` (the org's approximate counts; asked for when not given). `questions` lets the caller
    share what is learned. Reads only. Raises what the client raises, but no OrgRefused.
    """
    asking = questions or Questions(client)
    before = asking.calls
    # A name that is none gets its line in the ledger and into no question.
    entries = [entry for entry in entries if API_NAME.fullmatch(entry.name)]
    names = {entry.name for entry in entries}
    user_id = _user_id(client)
    described = describe_catalogues(asking, names)
    held, known = permissions(asking, user_id, described)
    states = {one.api_name: one.state for one in held}
    # Without any count every object is compared: no count must not look like no rows.
    rows = (record_counts(asking) if rows is None else rows) or None
    found = _Findings()
    _look_at_objects(asking, entries, described, states, found)
    found.spots += hidden_rows(asking, names, states, rows, described)
    all_rows_of: frozenset[str] = frozenset()
    if states["ViewAllData"] != HELD:
        all_rows_of = objects_with_all_rows(asking, user_id)
    later: list[str] = []
    if deep:
        now, later = _candidates(entries, found, rows)
        _look_at_fields(asking, now, described, states, found)
    else:
        found.spots.append(_unchecked_fields("fields were not compared, as asked"))
    applicable = tuple(one for one in held if _applies(one, names, found, rows))
    return Sight(
        user_id=user_id,
        permissions=applicable,
        blind_spots=tuple(found.spots),
        hidden_objects=found.hidden,
        all_rows_of=all_rows_of,
        fields_checked=frozenset(found.checked),
        fields_unchecked=found.unchecked,
        fields_later=frozenset(later),
        known_permissions=known,
        dependencies=dependencies(asking, states, applicable),
        api_calls=asking.calls - before,
    )


def with_objects(sight: Sight, names: Iterable[str], entries: Iterable[ObjectEntry]) -> Sight:
    """`sight` with those of the Metadata API's custom objects that no other list names."""
    known = {entry.name for entry in entries} | {one.name for one in sight.hidden_objects}
    hidden, spots = named_by_metadata(names, known, sight.state("ViewAllData"))
    if not hidden:
        return sight
    return replace(
        sight,
        hidden_objects=(*sight.hidden_objects, *hidden),
        blind_spots=(*sight.blind_spots, *spots),
    )


def look_closer(
    client: Client, sight: Sight, names: Iterable[str], *, questions: Questions | None = None
) -> Sight:
    """`sight` with the fields of these objects compared too, where they were not yet.

    For objects that turn out to have rows although the org's approximate counts said otherwise.
    """
    asking = questions or Questions(client)
    before = asking.calls
    wanted = [name for name in dict.fromkeys(names) if name not in sight.fields_checked]
    if not wanted:
        return sight
    described = describe_catalogues(asking, {"FieldDefinition"})
    found = _Findings()
    states = {one.api_name: one.state for one in sight.permissions}
    _look_at_fields(asking, wanted, described, states, found)
    kept = {k: v for k, v in sight.fields_unchecked.items() if k not in found.checked}
    return replace(
        sight,
        blind_spots=sight.blind_spots + tuple(found.spots),
        fields_checked=sight.fields_checked | found.checked,
        fields_unchecked={**kept, **found.unchecked},
        fields_later=sight.fields_later.difference(wanted),
        api_calls=sight.api_calls + asking.calls - before,
    )


def look_closer_within(
    client: Client,
    sight: Sight,
    names: Sequence[str],
    *,
    most_calls: int,
    questions: Questions | None = None,
) -> Sight:
    """`look_closer`, ended when about `most_calls` are spent; the rest of `names` stays unknown.

    How many objects fit into one call depends on what the org lets be packed together, so a few go
    first and the next ones are as many as those promise to fit.
    """
    asking = questions or Questions(client)
    before = asking.calls
    left, size = list(names), _FIRST_FEW
    while left and asking.calls - before < most_calls:
        some, left = left[:size], left[size:]
        start = asking.calls
        sight = look_closer(client, sight, some, questions=asking)
        spent = max(1, asking.calls - start)
        room = most_calls - (asking.calls - before)
        size = max(1, min(_MOST_AT_ONCE, room * len(some) // spent))
    if not left:
        return sight
    why = f"it would have taken more than {most_calls:,} calls"
    return replace(
        sight,
        blind_spots=(*sight.blind_spots, _unchecked_fields(_some(left), why)),
        fields_unchecked={**sight.fields_unchecked, **dict.fromkeys(left, why)},
        fields_later=sight.fields_later.difference(left),
    )


def not_looked(why: str) -> Sight:
    """The sight of a look that could not be made: nothing is known, and it says why."""
    objects_ = "whether objects are hidden from this user is unknown"
    rows = "whether rows of others are hidden from this user is unknown"
    return Sight(
        user_id="",
        permissions=(),
        blind_spots=(
            unknown_spot("objects_unchecked", objects_, _SETUP, _SETUP_REMEDY, why),
            unknown_spot("rows_hidden", rows, "View All Data", "give the user View All Data", why),
            _unchecked_fields("all objects", why),
        ),
    )


def record_counts(questions: Questions) -> dict[str, int] | None:
    """The org's own approximate row counts; None when it does not give them.

    Cached, and without deleted, archived and companion rows: a hint, never a count ("Record
    Count"; needs View Setup and Configuration).
    """
    reply = questions.one(Question("/limits/recordCount"))
    if not reply.ok or not isinstance(reply.body.get("sObjects"), list):
        return None
    return {
        text(one, "name"): one["count"]
        for one in objects(reply.body["sObjects"])
        if isinstance(one.get("count"), int)
    }


def _user_id(client: Client) -> str:
    try:
        return orgs.identity(client).user_id
    except (OrgRefused, Transient):
        return ""


def describe_catalogues(asking: Questions, names: set[str]) -> Mapping[str, Description]:
    """The describes of catalogues whose columns differ between orgs; one call."""
    asking.learn([name for name in DESCRIBED if name in names])
    return asking.descriptions


def _applies(
    one: Permission, names: set[str], found: _Findings, rows: Mapping[str, int] | None
) -> bool:
    """Whether a permission matters in this org."""
    present = names | {hidden.name for hidden in found.hidden}
    if one.kind == ALWAYS:
        return True
    if one.kind == HARMFUL:
        return one.state == HELD
    if one.kind == MODIFY:
        return not one.objects or any(
            may_have_rows(name, rows) for name in one.objects if name in present
        )
    if any(spot.permission == one.label for spot in found.spots):
        return True
    if one.api_name in ("ViewDraftArticles", "ViewArchivedArticles"):
        return has_knowledge(present)
    if one.api_name in (
        "TransactionSecurityExempt", "ViewRestrictionAndScopingRules", "ViewUserPII",
    ):  # fmt: skip
        return False  # only where something was seen that it lifts
    return any(name in names for name in one.objects)


# ---- objects ---------------------------------------------------------------------------------


def _look_at_objects(
    asking: Questions,
    entries: Sequence[ObjectEntry],
    described: Mapping[str, Description],
    states: Mapping[str, str],
    found: _Findings,
) -> None:
    description = described.get("EntityDefinition")
    wanted = [
        name
        for name in _ENTITY_COLUMNS
        if description is None or name in ("DurableId", "QualifiedApiName") or description.has(name)
    ]
    reply = Reply(0)
    if any(entry.name == "EntityDefinition" for entry in entries):
        reply = fielding.catalogue(asking, wanted, "EntityDefinition", [""])[0]
    if not reply.rows:
        listed = fielding.catalogue(asking, _ENTITY_COLUMNS, "EntityDefinition", [""], tooling=True)
        reply = listed[0]
    if not reply.ok or not reply.rows:
        found.spots.append(
            unknown_spot(
                "objects_unchecked",
                "the list of all objects of the org could not be read, so hidden objects stay "
                "unknown",
                _SETUP,
                _SETUP_REMEDY,
                f"EntityDefinition: {reply.refusal or 'no rows'}",
            )
        )
        return
    if states["ViewSetup"] == MISSING:
        found.spots.append(
            unknown_spot(
                "objects_unchecked",
                "the list of all objects may itself be cut for this user",
                _SETUP,
                _SETUP_REMEDY,
                "Tooling EntityDefinition is for users with View Setup and Configuration",
            )
        )
    for row in reply.rows:
        found.entity_names[text(row, "DurableId")] = text(row, "QualifiedApiName")
        flag = row.get("IsFlsEnabled")
        if isinstance(flag, bool):
            found.secured[text(row, "QualifiedApiName")] = flag
    names = {entry.name for entry in entries}
    doubtful = any(
        row.get("IsQueryable") is not False and not is_custom(text(row, "QualifiedApiName"))
        for row in reply.rows
        if text(row, "QualifiedApiName") not in names
    )
    tooling = (asking.tooling_objects() or frozenset()) if doubtful else frozenset()
    found.hidden, spots = hidden_objects(
        reply.rows, entries, tooling=tooling, view_all_data=states["ViewAllData"]
    )
    found.spots += spots


# ---- fields ----------------------------------------------------------------------------------


def _candidates(
    entries: Sequence[ObjectEntry], found: _Findings, rows: Mapping[str, int] | None
) -> tuple[list[str], list[str]]:
    """The objects whose fields are worth a look, those with most rows first; and those that would
    be if they had rows."""
    now: list[str] = []
    later: list[str] = []
    for entry in entries:
        rule = rule_for(entry)
        if not entry.queryable or (rule is not None and rule.kind in _NOT_READ):
            continue
        secured = found.secured.get(entry.name)
        if secured is None:  # field-level security is for objects that people fill in
            secured = entry.custom or (entry.createable and entry.layoutable)
        if entry.associate_entity_type is not None or not secured:
            continue
        seems_empty = rows is not None and not rows.get(entry.name)
        (later if seems_empty else now).append(entry.name)
    return sorted(now, key=lambda name: (-(rows or {}).get(name, 0), name)), later


def _look_at_fields(
    asking: Questions,
    names: Sequence[str],
    described: Mapping[str, Description],
    states: Mapping[str, str],
    found: _Findings,
) -> None:
    asking.learn(names)
    ready = [name for name in names if name in asking.descriptions]
    for name in names:
        if name not in asking.descriptions:
            found.unchecked[name] = "the org refused its describe"
    chosen = fielding.columns_of(described.get("FieldDefinition"))
    known = found.entity_names
    result = fielding.FieldLook()
    if "FieldDefinition" in described:
        result = fielding.look(asking, ready, chosen, entity_names=known)
    if ready and not result.rows:
        # Not by the data API: the Tooling API takes one question a call, so ask once and see.
        probe = fielding.look(asking, ready[:1], fielding.WANTED, entity_names=known, tooling=True)
        if probe.rows:
            result = fielding.look(asking, ready, fielding.WANTED, entity_names=known, tooling=True)
        elif not result.unchecked:
            result.unchecked.update(dict.fromkeys(ready, next(iter(probe.unchecked.values()), "")))
    found.unchecked.update(result.unchecked)
    view_all_fields = states.get("ViewAllFieldsGlobal", UNKNOWN)
    for name, rows in result.rows.items():
        found.checked.add(name)
        found.spots += fielding.hidden_fields(
            asking.descriptions[name], rows, view_all_fields=view_all_fields
        )
    found.spots += fielding.masked(
        (asking.descriptions[name] for name in ready), states.get("ViewEncryptedData", UNKNOWN)
    )
    if found.unchecked:
        why = next(iter(found.unchecked.values()))
        found.spots.append(_unchecked_fields(_some(sorted(found.unchecked)), why))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(printable(name, 60) for name in names[:5]) + more


def _unchecked_fields(of: str, why: str = "") -> BlindSpot:
    return unknown_spot(
        "fields_unchecked",
        f"whether fields are hidden could not be checked: {of}",
        _SETUP,
        _SETUP_REMEDY,
        why or "not asked",
    )
