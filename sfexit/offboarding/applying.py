"""Carrying a plan out: re-read, contain, strip, hand over, deactivate, verify.

Nothing is done that the plan does not name. Each wave of people goes through every phase before
the next begins. A run that was killed goes on from its journal and from what the org has.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sfexit
from sfexit.errors import Blocked, Interrupted, OrgRefused, PlanStale
from sfexit.offboarding import ownership, undoing
from sfexit.offboarding import steps as doing
from sfexit.offboarding.journal import Journal
from sfexit.offboarding.looking import IDS, by_ids, chunks, rows, text
from sfexit.offboarding.ownership import Group, Handing
from sfexit.offboarding.plan import PHASES, Person, Plan, Step, Transfer, soql_list
from sfexit.progress import SILENT, Progress
from sfexit.salesforce import describe
from sfexit.salesforce import org as orgs
from sfexit.salesforce.client import Client

_SHOWN = 8


@dataclass(frozen=True)
class Caps:
    """What stops a run before it does more harm than it was meant to."""

    users: int = 25
    records: int = 50_000
    failures: int = 10


@dataclass(frozen=True)
class Failed:
    """A change that the org refused, in its own words."""

    place: str
    record_id: str
    code: str
    message: str


@dataclass(frozen=True)
class Left:
    """What is still there of a leaver."""

    user_id: str
    username: str
    active: bool
    frozen: bool | None  # None: the org keeps no sign-in of theirs
    sessions: int
    tokens: int
    rows: Mapping[str, int]  # object.field → rows

    @property
    def gone(self) -> bool:
        """Nothing is left."""
        return not (self.active or self.sessions or self.tokens or any(self.rows.values()))


@dataclass(frozen=True)
class Applied:
    """What a run came to."""

    plan: str
    journal: Path
    changes: int
    moved: int
    failed: tuple[Failed, ...]
    left: tuple[Left, ...]
    administrators: int
    resumed: bool
    complete: bool
    calls: int


def check(
    client: Client, plan: Plan, *, caps: Caps, now: datetime | None = None, begun: bool = False
) -> tuple[str, ...]:
    """Whether the plan still fits the org; what changed that does not forbid it, in sentences.

    `begun`: the plan was begun before, so what it did is no change. Raises Blocked for what no
    new plan would lift, PlanStale for what one would.
    """
    now = now or datetime.now(UTC)
    identity = orgs.identity(client)
    if identity.organization_id[:15] != plan.organization_id[:15]:
        raise Blocked(
            f"the plan is for org {plan.organization_id}, you are signed in to "
            f"{identity.organization_id}: sign in to the org of the plan"
        )
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
    if drift:
        more = f" and {len(drift) - _SHOWN} more" if len(drift) > _SHOWN else ""
        raise PlanStale(
            f"the org has changed since the plan: {'; '.join(drift[:_SHOWN])}{more}: make a new one"
        )
    return _differences(client, plan)


def administrators(client: Client, leavers: Sequence[str] = ()) -> int:
    """Active users whose profile may modify all data and manage users, `leavers` left out."""
    soql = (
        "SELECT Id FROM User WHERE IsActive = true AND Profile.PermissionsModifyAllData = true "
        "AND Profile.PermissionsManageUsers = true"
    )
    found = {str(row["Id"]) for row in rows(client, soql)} - set(leavers)
    logins = by_ids(client, "UserLogin", ["UserId", "IsFrozen"], found, key="UserId")
    return len(found - {str(row["UserId"]) for row in logins if text(row["IsFrozen"]) == "true"})


def _enough_administrators(client: Client, plan: Plan, leavers: set[str]) -> None:
    least = max(1, int(plan.rules.get("min_admins", 2)))
    left = administrators(client, sorted(leavers))
    if any(one.kind == "administrator" for one in plan.people) and left < least:
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
    if plan.purpose == "undo":
        return ()
    for group in ownership.groups(plan.transfers):
        counts = owned_by(client, group, list(group.holders))
        for holder, one in group.holders.items():
            count = counts.get(holder, 0)
            if count > one.most:
                raise PlanStale(
                    f"{group.name} of {holder} has {count:,} rows now, the plan allows "
                    f"{one.most:,}: make a new one"
                )
            planned = one.count + one.archived * (group.object in ownership.ARCHIVED)
            if count != planned:
                told.append(f"{group.name}: {count:,} rows now, {planned:,} when planned")
    return tuple(told)


def apply(
    client: Client,
    plan: Plan,
    journal: Journal,
    *,
    caps: Caps,
    gate: str,
    ticket: str = "",
    freeze_only: bool = False,
    stop: threading.Event | None = None,
    progress: Progress = SILENT,
) -> Applied:
    """Carry out a plan that `check` let pass. `gate` says what allowed it, for the journal.

    Raises Interrupted after the request in hand; the same plan and journal go on. Raises Blocked
    when more changes failed than `caps` allow.
    """
    run = _Run(client, plan, journal, caps, stop or threading.Event(), progress)
    return run.go(gate, ticket, freeze_only=freeze_only)


class _Run:
    def __init__(
        self,
        client: Client,
        plan: Plan,
        journal: Journal,
        caps: Caps,
        stop: threading.Event,
        progress: Progress,
    ) -> None:
        self._client = client
        self._plan = plan
        self._journal = journal
        self._caps = caps
        self._stop = stop
        self._progress = progress

    def go(self, gate: str, ticket: str, *, freeze_only: bool) -> Applied:
        known = self._journal.progress
        resumed = bool(known.plan)
        made_by = f"sfexit {sfexit.__version__}"
        if resumed and known.plan != self._plan.digest:
            raise Blocked(f"{self._journal.path} is the journal of another plan: name another")
        if resumed:
            self._journal.record("resumed", made_by=made_by, gate=gate)
        else:
            self._journal.record(
                "begun",
                journal=1,
                plan=self._plan.digest,
                purpose=self._plan.purpose,
                org=self._plan.organization_id,
                runner=orgs.identity(self._client).user_id,
                ticket=ticket,
                gate=gate,
                made_by=made_by,
            )
        for wave in sorted({one.wave for one in self._plan.people} or {1}):
            self._wave(wave, freeze_only=freeze_only)
        return self._end(resumed)

    def _wave(self, wave: int, *, freeze_only: bool) -> None:
        people = [one for one in self._plan.people if one.wave == wave]
        contained = {one.user_id for one in people}
        whole = {one.user_id for one in people if one.mode == "full"} if not freeze_only else set()
        for phase in PHASES:
            self._progress.phase(f"Wave {wave}: {phase}")
            who = contained if phase == "contain" else whole
            steps = [
                one for one in self._plan.phase(phase) if one.user_id in who and not self._done(one)
            ]
            doing.carry_out(self._client, self._journal, steps, check=self._check)
            if phase == "ownership":
                undo = self._plan.purpose == "undo"
                self._hand_over([one for one in self._plan.transfers if undo or one.user_id in who])

    def _done(self, step: Step) -> bool:
        told = self._journal.progress.steps.get(step.id)
        return bool(told and told["ok"])

    def _hand_over(self, transfers: Sequence[Transfer]) -> None:
        if not transfers:
            return
        _, entries = describe.describe_global(self._client)
        handing = Handing(
            self._client, self._journal, frozenset(one.name for one in entries), self._check
        )
        for group in ownership.groups(transfers):
            self._check()
            if self._plan.purpose == "undo":
                given = undoing.rows_back(self._plan, group.transfers[0])
                group = replace(group, name=f"back {group.name}", given=given)
            self._progress.object_started(group.name, sum(one.count for one in group.transfers))
            handing.hand_over(group)
            moved = self._journal.progress.moved.get(group.name, 0)
            self._progress.object_finished(group.name, "handed over", moved)
            refused = len(self._journal.progress.failed.get(group.name, {}))
            if refused:
                self._progress.note(f"{group.name}: {refused:,} rows were refused")

    def _check(self) -> None:
        if self._stop.is_set():
            raise Interrupted("the run was asked to stop")
        failed = sum(not one["ok"] for one in self._journal.progress.steps.values())
        failed += sum(len(rows) for rows in self._journal.progress.failed.values())
        if failed > self._caps.failures:
            raise Blocked(
                f"{failed:,} changes were refused, --max-failures is {self._caps.failures:,}: read "
                f"them in {self._journal.path}, cure the cause, then run the same command again"
            )

    def _end(self, resumed: bool) -> Applied:
        self._progress.phase("Looking at what is left")
        left = remains(self._client, self._plan)
        known = self._journal.progress
        failed = [
            Failed(step, event.get("record", ""), event["code"], event["message"])
            for step, event in known.steps.items()
            if not event["ok"]
        ]
        failed += [
            Failed(transfer, row, code, message)
            for transfer, refused in known.failed.items()
            for row, (code, message) in refused.items()
        ]
        complete = not failed
        if self._plan.purpose == "offboard":
            whole = {one.user_id for one in self._plan.people if one.mode == "full"}
            complete = complete and all(one.gone for one in left if one.user_id in whole)
        self._journal.record(
            "verified",
            left={
                one.user_id: {
                    "active": one.active,
                    "sessions": one.sessions,
                    "rows": dict(one.rows),
                }
                for one in left
            },
        )
        self._journal.record("finished", complete=complete)
        return Applied(
            self._plan.digest,
            self._journal.path,
            sum(one["ok"] and not one["found"] for one in known.steps.values()),
            sum(known.moved.values()),
            tuple(failed),
            left,
            administrators(self._client),
            resumed,
            complete,
            self._client.budget.used,
        )


def remains(client: Client, plan: Plan) -> tuple[Left, ...]:
    """What is still there of each leaver, read from the org."""
    ids = [one.user_id for one in plan.people]
    if not ids:
        return ()
    active = {r["Id"]: text(r["IsActive"]) for r in by_ids(client, "User", ["IsActive"], ids)}
    frozen = {
        str(r["UserId"]): text(r["IsFrozen"]) == "true"
        for r in by_ids(client, "UserLogin", ["UserId", "IsFrozen"], ids, key="UserId")
    }
    sessions = _counted(client, "AuthSession", "UsersId", ids)
    tokens = _counted(client, "OauthToken", "UserId", ids)
    owned: dict[str, dict[str, int]] = {one: {} for one in ids}
    for group in ownership.groups(plan.transfers):
        for user, count in owned_by(client, group, ids).items():
            owned[user][group.name] = count
    return tuple(_left(one, active, frozen, sessions, tokens, owned) for one in plan.people)


def _left(
    one: Person,
    active: Mapping[str, Any],
    frozen: Mapping[str, bool],
    sessions: Mapping[str, int],
    tokens: Mapping[str, int],
    owned: Mapping[str, Mapping[str, int]],
) -> Left:
    return Left(
        one.user_id,
        one.username,
        active.get(one.user_id) == "true",
        frozen.get(one.user_id),
        sessions.get(one.user_id, 0),
        tokens.get(one.user_id, 0),
        owned.get(one.user_id, {}),
    )


def _counted(client: Client, name: str, field: str, ids: Sequence[str]) -> dict[str, int]:
    out: dict[str, int] = {}
    try:
        for row in by_ids(client, name, [field], ids, key=field):
            out[str(row[field])] = out.get(str(row[field]), 0) + 1
    except OrgRefused:
        return {}
    return out


def owned_by(client: Client, group: Group, ids: Sequence[str]) -> dict[str, int]:
    """Rows by user, in one query for many users."""
    out: dict[str, int] = {}
    wide = group.object in ownership.ARCHIVED
    narrowed = f" AND ({group.where})" if group.where else ""
    narrowed += " AND IsDeleted = false" if wide else ""
    for part in chunks(ids, IDS):
        soql = (
            f"SELECT {group.field}, COUNT(Id) n FROM {group.object} "  # noqa: S608
            f"WHERE {group.field} IN {soql_list(part)}{narrowed} GROUP BY {group.field}"
        )
        for row in rows(client, soql, all_rows=wide):
            out[str(row[group.field])] = int(row["n"])
    return out
