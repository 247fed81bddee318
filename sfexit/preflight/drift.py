"""What administrators changed in the org while it was read. Pure, but for `look_again`.

An export takes hours, and an org that is being left is still worked on. A field or an object made
after its describe was read is in no page, and nothing else would ever tell.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from sfexit.catalog import Description, ObjectEntry
from sfexit.errors import DamagedAnswer
from sfexit.preflight.questions import Question, Questions
from sfexit.preflight.sight import Change, HiddenObject, Sight
from sfexit.salesforce.client import Client
from sfexit.salesforce.composite import MOST_PARTS
from sfexit.salesforce.describe import parse_global, selectable
from sfexit.salesforce.object_rules import rule_for

NEW_OBJECT = "it was made after this export had listed the objects of the org"
AGAIN = "export again into a new bag (`sfexit export HOME --anew`)"
_OUTCOMES = {"no_data": "no_data", "covered": "covered"}


def look_again(
    client: Client,
    sight: Sight,
    names: Sequence[str],
    read_by: Callable[[str], Description],
    planned: Collection[str],
    *,
    new_objects: bool,
) -> Sight:
    """`sight` with what changed since: `names` are the objects whose rows were read, `read_by`
    gives the describe that they were read by.

    One call for the list of objects and one for each 25 describes, of which no more are held at
    a time. `planned` are the objects that were listed at the start; with `new_objects` false those
    made since are of no interest. Raises what the client raises, but no OrgRefused; DamagedAnswer
    when the list of objects cannot be had.
    """
    changes: list[Change] = []
    for at in range(0, len(names), MOST_PARTS):
        some = names[at : at + MOST_PARTS]
        fresh = Questions(client)  # what was described before is just what must be asked anew
        fresh.learn(some)
        for name in some:
            changes += changed(read_by(name), fresh.descriptions.get(name))
    hidden = tuple(one for one in sight.hidden_objects if one.reason != NEW_OBJECT)
    if new_objects:
        reply = Questions(client).one(Question("/sobjects"))
        if not reply.ok:
            raise DamagedAnswer(f"The list of objects was refused ({reply.refusal}).")
        known = {*planned, *(one.name for one in hidden)}
        hidden += made_since(parse_global(reply.content), known)
    return replace(sight, changes=tuple(changes), hidden_objects=hidden)


def changed(before: Description, now: Description | None) -> list[Change]:
    """How an object's fields differ from those that its rows were read by."""
    name = before.name
    if now is None:
        return [Change(name, "", "it can no longer be described, and had rows when it was read")]
    old = {field.name: field.type for field in selectable(before)[0]}
    new = {field.name: field.type for field in selectable(now)[0]}
    added = [
        Change(name, field, "made after its rows were read", True)
        for field in new.keys() - old.keys()
    ]
    gone = [
        Change(name, field, "removed from the org after it was read")
        for field in old.keys() - new.keys()
    ]
    other = [
        Change(name, field, f"became {new[field]} instead of {old[field]} while it was read", True)
        for field in old.keys() & new.keys()
        if old[field] != new[field]
    ]
    return sorted([*added, *gone, *other], key=lambda change: change.field)


def made_since(
    entries: Iterable[ObjectEntry], planned: Collection[str]
) -> tuple[HiddenObject, ...]:
    """The objects of `entries` that the export did not know when it began."""
    found = []
    for entry in entries:
        if entry.name in planned:
            continue
        rule = rule_for(entry)
        outcome = _OUTCOMES.get(rule.kind if rule is not None else "", "not_exported")
        found.append(
            HiddenObject(
                entry.name,
                entry.label,
                entry.queryable,
                outcome,
                NEW_OBJECT,
                "describeGlobal, asked at the start and before the seal",
                AGAIN if outcome == "not_exported" else "",
            )
        )
    return tuple(found)
