"""Whether a plan still fits the org: asked before anything is changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from sfexit.errors import Blocked, PlanStale
from sfexit.offboarding import finding, people
from sfexit.offboarding import steps as doing
from sfexit.offboarding.asking import Asking
from sfexit.offboarding.looking import by_ids, text
from sfexit.offboarding.plan import Plan
from sfexit.offboarding.remaining import owned_by
from sfexit.salesforce import org as orgs
from sfexit.salesforce.client import Client

_SHOWN = 8


@dataclass(frozen=True)
class Caps:
    """What stops a run before it does more harm than it was meant to."""

    users: int = 25
    records: int = 50_000
    failures: int = 10


def same_org(client: Client, plan: Plan) -> orgs.Identity:
    """Who is signed in. Raises Blocked when the plan is for another org."""
    identity = orgs.identity(client)
    if identity.organization_id[:15] != plan.organization_id[:15]:
        raise Blocked(
            f"the plan is for org {plan.organization_id}, you are signed in to "
            f"{identity.organization_id}: sign in to the org of the plan"
        )
    return identity


def check(
    client: Client, plan: Plan, *, caps: Caps, now: datetime | None = None, begun: bool = False
) -> tuple[str, ...]:
    """Whether the plan still fits the org; what changed that does not forbid it, in sentences.

    `begun`: the plan was begun before, so what it did is no change. Raises Blocked for what no
    new plan would lift, PlanStale for what one would.
    """
    now = now or datetime.now(UTC)
    identity = same_org(client, plan)
    leavers = {one.user_id for one in plan.people}
    if identity.user_id in leavers:
        raise Blocked("you are among the leavers: let another administrator carry it out")
    if plan.expired(now) and not begun:
        raise PlanStale(f"the plan expired at {plan.expires}: make a new one")
    if plan.unaccepted:
        raise Blocked(
            "hazards of this plan were not accepted: make it again with "
            f"{' '.join(plan.unaccepted)}, or without what they concern"
        )
    if len(plan.people) > caps.users:
        raise Blocked(f"the plan has {len(plan.people):,} people, --max-users is {caps.users:,}")
    expected = sum(one.count for one in plan.transfers)
    if expected > caps.records:
        raise Blocked(f"the plan hands over {expected:,} rows, --max-records is {caps.records:,}")
    if plan.purpose == "offboard":
        _enough_administrators(client, plan, leavers)
    if begun:
        return ()
    drift = _drift(client, plan)
    if plan.purpose == "undo":  # what somebody changed since is left alone, the rest goes back
        return tuple(f"{one}, so it is left alone" for one in drift)
    if drift:
        more = f" and {len(drift) - _SHOWN} more" if len(drift) > _SHOWN else ""
        raise PlanStale(
            f"the org has changed since the plan: {'; '.join(drift[:_SHOWN])}{more}: make a new one"
        )
    return _differences(client, plan)


def _enough_administrators(client: Client, plan: Plan, leavers: Collection[str]) -> None:
    """Counted as the plan counted them: a set that ends or waits for a session does not count."""
    _, certain = people.administrators(Asking(client))
    least = max(1, int(plan.rules.get("min_admins", 2)))
    left = len(certain.difference(leavers))
    if certain.intersection(leavers) and left < least:
        raise Blocked(
            f"only {left} active administrators would be left, at least {least} must stay: keep "
            "some of them, or make another administrator first"
        )


def _drift(client: Client, plan: Plan) -> list[str]:
    """What is no longer as planned."""
    found = []
    fields = sorted({name for one in plan.people for name in one.state})
    live = {
        row["Id"]: row
        for row in by_ids(client, "User", fields, (one.user_id for one in plan.people))
    }
    for one in plan.people:
        row = live.get(one.user_id)
        if row is None:
            found.append(f"{one.username} is not there any more")
            continue
        found += [
            f"{one.username}: {name} is {text(row.get(name))!r}, was {value!r}"
            for name, value in sorted(one.state.items())
            if text(row.get(name)) != value
        ]
    states = doing.state(client, plan.steps)
    found += [
        f"{one.text}: no longer as planned"
        for one in plan.steps
        # What is gone already needs no step; what was to be changed and is odd does.
        if states[one.id] == doing.ODD
    ]
    return found


def _differences(client: Client, plan: Plan) -> tuple[str, ...]:
    """Rows that came or went since the plan, within its rules."""
    told = []
    groups = finding.groups(plan.transfers)
    for group, counts in zip(groups, owned_by(client, groups), strict=True):
        for holder, one in group.holders.items():
            count = counts.get(holder, 0)
            if count > one.most:
                raise PlanStale(
                    f"{group.name} of {holder} has {count:,} rows now, the plan allows "
                    f"{one.most:,}: make a new one"
                )
            planned = one.count + one.archived * (group.object in finding.ARCHIVED)
            if count != planned:
                told.append(f"{group.name}: {count:,} rows now, {planned:,} when planned")
    return tuple(told)
