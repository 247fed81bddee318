"""Ownership alone: the plan of an offboarding, without everything but the handing over."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sfexit.errors import Blocked
from sfexit.offboarding import finding
from sfexit.offboarding.plan import Plan
from sfexit.offboarding.remaining import owned_by
from sfexit.salesforce.client import Client


def only_ownership(
    client: Client, made: Plan, *, objects: Collection[str] = (), where: str = ""
) -> Plan:
    """What a plan hands over, cut to `objects` and to the rows that fulfil `where` (SOQL).

    Raises Blocked when the user was refused, or nothing is left to hand over.
    """
    if made.refusals:
        raise Blocked("; ".join(one.text for one in made.refusals))
    known = {one.object for one in made.transfers}
    unknown = sorted(set(objects) - known)
    if unknown:
        raise Blocked(
            f"nothing of {', '.join(unknown)} is owned by them, so leave it out: objects with "
            "rows are "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    kept = [one for one in made.transfers if not objects or one.object in objects]
    if where:
        kept = [replace(one, where=where) for one in kept]
        counted = []
        groups = finding.groups(kept)
        for group, counts in zip(groups, owned_by(client, groups), strict=True):
            counted += [
                replace(one, count=counts.get(one.user_id, 0), archived=0)
                for one in group.transfers
                if counts.get(one.user_id, 0)
            ]
        kept = counted
    if not kept:
        raise Blocked("no record fits: nothing is to be handed over")
    moved = {one.object for one in kept}
    return replace(
        made,
        purpose="reassign",
        steps=(),
        blockers=(),
        unknown=(),
        transfers=tuple(kept),
        hazards=tuple(one for one in made.hazards if one.object in moved),
        owned=tuple(one for one in made.owned if one.get("object") in moved),
    )
