"""Ownership alone: the plan of an offboarding, without everything but the handing over."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sfexit.errors import Blocked, OrgRefused, UsageProblem
from sfexit.offboarding import finding
from sfexit.offboarding.flags import OF_OWNERSHIP
from sfexit.offboarding.plan import Hazard, Plan
from sfexit.offboarding.remaining import owned_by
from sfexit.redaction import printable
from sfexit.salesforce.client import Client

_WHOEVER = ("sharing", "frozen_successor")  # of no object, or of whoever inherits


def _concerns(one: Hazard, moved: Collection[str]) -> bool:
    return one.code in OF_OWNERSHIP and (one.code in _WHOEVER or one.object in moved)


def only_ownership(
    client: Client, made: Plan, *, objects: Collection[str] = (), where: str = ""
) -> Plan:
    """What a plan hands over, cut to `objects` and to the rows that fulfil `where` (SOQL).

    Raises Blocked when the user was refused, or nothing is left to hand over, UsageProblem for a
    `where` that an object does not take.
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
        try:
            found = owned_by(client, groups)
        except OrgRefused as refusal:
            raise UsageProblem(
                f"--where cannot be asked of {', '.join(sorted({one.object for one in kept}))}: "
                f"{refusal.code}, {printable(refusal.reason, 300)}; correct it, or name with "
                "--objects only those that have these fields"
            ) from refusal
        for group, counts in zip(groups, found, strict=True):
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
        hazards=tuple(one for one in made.hazards if _concerns(one, moved)),
        owned=tuple(one for one in made.owned if one.get("object") in moved),
    )
