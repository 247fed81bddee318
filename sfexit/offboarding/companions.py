"""Teams and manual shares, which an owner change over REST or Bulk takes away.

Salesforce Help 000390190 and "Transfer Account Ownership": the header that keeps them exists in
SOAP alone. So they are saved before, and what is missing afterwards is made again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sfexit.catalog import Description
from sfexit.errors import Blocked, OrgRefused, OutcomeUnknown
from sfexit.offboarding.journal import Journal
from sfexit.offboarding.looking import Row, by_ids, chunks, text
from sfexit.preflight.questions import Questions
from sfexit.salesforce import writing
from sfexit.salesforce.client import Client
from sfexit.salesforce.writing import Outcome


@dataclass(frozen=True)
class Companion:
    """An object whose rows hang on an owned record. `where` names those that can be made again."""

    name: str
    parent_field: str
    keys: tuple[str, ...]  # what tells two rows of one parent apart
    fields: tuple[str, ...]
    relation: str  # how a query reaches the parent
    where: str = ""


_TEAMS = {"Account": "AccountTeamMember", "Opportunity": "OpportunityTeamMember"}
_SHARED = ("UserOrGroupId", "RowCause")
MANUAL = "RowCause = 'Manual'"


def share_of(name: str) -> str:
    """The object that holds the shares of an object (Object Reference, "StandardObjectNameShare":
    the field for the record is either the object's name with Id, or ParentId)."""
    return f"{name[:-3]}__Share" if name.endswith("__c") else f"{name}Share"


def parent_of(name: str, share: Description) -> str:
    """The field of a share that names the record; "" when there is none."""
    return next((one for one in (f"{name}Id", "ParentId") if share.has(one)), "")


def companions(questions: Questions, name: str, objects: frozenset[str]) -> tuple[Companion, ...]:
    """What may be lost when rows of `name` get another owner. `objects`: those of the org.

    Raises Blocked for one that is there and cannot be described: it could not be put back.
    """
    team, share = _TEAMS.get(name, ""), share_of(name)
    known = [one for one in (team, share) if one in objects]
    questions.learn(known)
    out = []
    for companion in known:
        about = questions.descriptions.get(companion)
        parent = parent_of(name, about) if about is not None else ""
        if about is None or not parent:
            raise Blocked(
                f"{companion} could not be described, so what Salesforce takes away from {name} "
                "with the old owner could not be put back: give this user Read on it, or leave "
                f"{name} out of the plan"
            )
        writable = tuple(one.name for one in about.fields if one.createable)
        keys, where = (("UserId",), "") if companion == team else (_SHARED, MANUAL)
        relation = parent.removesuffix("Id")
        fields = tuple(sorted({*writable, parent, *keys}))
        out.append(Companion(companion, parent, keys, fields, relation, where))
    return tuple(out)


def save_of_owners(
    client: Client, one: Companion, owners: Sequence[str], parents: Collection[str]
) -> list[Row]:
    """The rows of `parents`, found by their owners: few queries, whatever the number of parents."""
    found: list[Row] = []
    try:
        for row in by_ids(
            client, one.name, one.fields, owners, key=f"{one.relation}.OwnerId", where=one.where
        ):
            if str(row[one.parent_field]) in parents:
                found.append({name: text(row.get(name)) for name in one.fields})
    except OrgRefused:
        return save(client, one, sorted(parents))  # its parent cannot be reached in a filter
    return found


def save(client: Client, one: Companion, parents: Sequence[str]) -> list[Row]:
    """The rows of these parents, as they could be made again."""
    found = by_ids(client, one.name, one.fields, parents, key=one.parent_field, where=one.where)
    return [{name: text(row.get(name)) for name in one.fields} for row in found]


def restore(
    client: Client,
    journal: Journal,
    one: Companion,
    about: str,
    transfer: str,
    batch: int,
    saved: list[Row],
) -> None:
    """Make again what is missing of `saved`; the journal tells how many were. Who owns the record
    (of the object `about`) by now needs neither a share nor a place in its team."""
    refused: list[tuple[Row, Outcome]] = []
    made = 0
    missing = _missing(client, one, saved)
    for part in chunks(missing, writing.MOST):
        values = [_values(row) for row in part]
        try:
            outcomes = writing.create(client, one.name, values)
        except OutcomeUnknown:
            # Look what came of it; what is still missing is asked for once more.
            left = _missing(client, one, part)
            made += len(part) - len(left)
            if not left:
                continue
            part = left
            outcomes = writing.create(client, one.name, [_values(row) for row in left])
        except OrgRefused as refusal:
            outcomes = [Outcome("", False, refusal.code, refusal.reason) for _ in part]
        for row, outcome in zip(part, outcomes, strict=True):
            if outcome.ok:
                made += 1
            else:
                refused.append((row, outcome))
    owners: dict[str, str] = {}
    if refused:
        parents = {str(row[one.parent_field]) for row, _ in refused}
        owners = {
            str(row["Id"]): str(row["OwnerId"])
            for row in by_ids(client, about, ["OwnerId"], sorted(parents), all_rows=True)
        }
    failed = [
        [_key(one, row), outcome.code, outcome.message]
        for row, outcome in refused
        if owners.get(str(row[one.parent_field])) != row.get(one.keys[0])
    ]
    journal.record(
        "restored",
        transfer=transfer,
        batch=batch,
        object=one.name,
        made=made,
        kept=len(saved) - len(missing),
        failed=failed,
    )


def _missing(client: Client, one: Companion, saved: list[Row]) -> list[Row]:
    parents = {str(row[one.parent_field]) for row in saved}
    there = {_key(one, row) for row in save(client, one, sorted(parents))}
    return [row for row in saved if _key(one, row) not in there]


def _key(one: Companion, row: Row) -> str:
    return "/".join(str(row.get(name)) for name in (one.parent_field, *one.keys))


def _values(row: Row) -> dict[str, Any]:
    known = {"true": True, "false": False}
    return {k: known.get(v, v) for k, v in row.items() if v is not None}


def unrestored(journal: Journal, transfer: str) -> Iterator[tuple[int, str, list[Row]]]:
    """Batches of a transfer whose teams or shares were saved and not looked after since."""
    for (name, batch, companion), event in sorted(journal.progress.unrestored.items()):
        if name == transfer:
            yield batch, companion, event["rows"]
