"""The plan of an offboarding: who leaves, what they hold and own, what stands in the way.

Asks only; nothing is changed. The order of the questions does not matter to the result, and the
same org at the same moment gives the same plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sfexit.errors import UsageProblem
from sfexit.offboarding import (
    blockers,
    dashboards,
    hazards,
    holdings,
    inheriting,
    lifting,
    naming,
    owned,
    people,
)
from sfexit.offboarding.asking import Asking, Look, value
from sfexit.offboarding.hazard_kinds import Seen
from sfexit.offboarding.people import Signs, User, Users
from sfexit.offboarding.plan import (
    PHASES,
    VALID_HOURS,
    Blocker,
    Person,
    Plan,
    Refusal,
    Step,
    Transfer,
    stamp,
)
from sfexit.offboarding.refusing import refused_leavers, too_few_administrators
from sfexit.offboarding.successors import Rules
from sfexit.offboarding.wanted import FREEZE_ONLY, FULL, Leaver, Wanted
from sfexit.redaction import printable
from sfexit.salesforce import org as orgs
from sfexit.salesforce.client import Client


@dataclass(frozen=True)
class Options:
    """What the administrator decided. `fields` are `Object.Field` to hand over besides owners."""

    min_admins: int = 2
    include_integration: tuple[str, ...] = ()
    include_portal: bool = False
    fields: tuple[str, ...] = ()
    lift: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    open_activities_only: bool = False
    certificate: str = ""


def make(
    client: Client,
    wanted: Wanted,
    rules: Rules,
    options: Options,
    *,
    identity: orgs.Identity | None = None,
    now: datetime | None = None,
) -> Plan:
    """Look at the org and make a plan. Raises UsageProblem for a rule that names nobody, and what
    the client raises; what speaks against single users stands in the plan's refusals."""
    moment = now or datetime.now(UTC)
    identity = identity or orgs.identity(client)
    organization = orgs.organization(client)
    asking = Asking(client)
    users = Users(asking)
    rules = inheriting.resolved(asking, users, rules)
    leavers, refusals = _leavers(users, wanted, rules, moment)
    signs = people.signs(asking, list(leavers), moment)
    admins, certain = people.administrators(asking)
    kinds = {one: people.kind_of(users.by_id[one], signs[one], admins) for one in leavers}
    included = {one.id for one in users.find(options.include_integration).values()}
    known = {one: users.by_id[one] for one in leavers}
    no, staying = refused_leavers(known, kinds, signs, identity.user_id, included, options)
    refusals += no
    leavers = {one: leaver for one, leaver in leavers.items() if one not in staying}
    no, staying = too_few_administrators(known, leavers, certain, options.min_admins)
    refusals += no
    leavers = _in_waves(
        {one: leaver for one, leaver in leavers.items() if one not in staying}, kinds
    )
    plan = Plan(
        organization_id=identity.organization_id,
        organization=printable(str(organization.get("Name") or ""), 120),
        instance=str(client.origin),
        api_version=client.version,
        runner_id=identity.user_id,
        runner=identity.username,
        created=stamp(moment),
        expires=stamp(moment + timedelta(hours=VALID_HOURS)),
        purpose="offboard",
        certificate=options.certificate,
        rules=_told(rules, options),
        accepted=tuple(sorted(set(options.accepted))),
        administrators_left=len(certain - set(leavers)),
    )
    return _filled(plan, asking, users, leavers, kinds, signs, rules, options, refusals)


def _filled(
    plan: Plan,
    asking: Asking,
    users: Users,
    leavers: Mapping[str, Leaver],
    kinds: Mapping[str, str],
    signs: Mapping[str, Signs],
    rules: Rules,
    options: Options,
    refusals: list[Refusal],
) -> Plan:
    """The plan with everything that concerns these leavers."""
    going = sorted(
        (users.by_id[one] for one in leavers), key=lambda one: (leavers[one.id].wave, one.username)
    )
    full = {one for one, leaver in leavers.items() if leaver.mode == FULL}
    estate = owned.count(asking, [one.id for one in going]) if going else owned.Estate(())
    heirs = inheriting.heirs_of(users, leavers, estate, rules)
    movable = inheriting.to_move(estate, options.fields)
    refusals = refusals + inheriting.without_heir(users, leavers, heirs, movable, full, rules)
    stuck = {one.user for one in refusals if one.code in ("no_successor", "successor_cannot_own")}
    going = [one for one in going if one.username not in stuck]
    full -= {one.id for one in users.by_id.values() if one.username in stuck}
    ids = {one.id for one in going}
    estate = replace(estate, rows=tuple(one for one in estate.rows if one.user_id in ids))
    movable = [one for one in movable if one.user_id in full]
    held = holdings.hold(asking, going, full.__contains__)
    transfers = inheriting.transfers(
        asking,
        movable,
        heirs,
        rules,
        estate,
        open_activities_only=options.open_activities_only,
    )
    files: dict[str, bytes] = {}
    mentions = naming.mentions(asking, going, files) if going else []
    named, others = blockers.of_metadata(mentions)
    in_rows, in_steps = (
        blockers.of_rows(asking, [one for one in going if one.id in full], heirs, options.lift)
        if going else ([], [])
    )  # fmt: skip
    in_files = lifting.of_files(
        mentions, files, users.by_id, heirs, [one.id for one in going if one.id in full],
        options.lift, len(in_steps) + 1,
    )  # fmt: skip
    deploys = {step.id: step for _, step in in_files}
    named = lifting.with_steps(named, in_files)
    found: list[Blocker] = [one for one in (*named, *in_rows) if one.user_id in full]
    leaving = [one for one in going if one.id in full]
    boards, run_as = (
        dashboards.planned(asking, leaving, users.by_id, heirs, rules, options.lift)
        if leaving else ([], [])
    )  # fmt: skip
    work = [*_approvals(asking, leaving, heirs), *run_as]
    last = [_deactivation(one) for one in going if one.id in full and one.active]
    named_ids = {*heirs.values(), *(one.to for one in transfers), *(one.to for one in boards)}
    called = {one: users.by_id[one].username for one in named_ids if one in users.by_id}
    called |= asking.names
    # Who is only frozen keeps everything, so only what containment itself does is a hazard.
    taken = replace(estate, rows=tuple(one for one in estate.rows if one.user_id in full))
    named_full = [one for one in others if one.user_id in full]
    seen = Seen(users.by_id, going, heirs, transfers, taken, held, named_full, boards, full)
    return replace(
        plan,
        rules={**plan.rules, "names": called},
        people=tuple(
            Person(one.id, one.username, one.name, kinds[one.id], leavers[one.id].mode,
                   leavers[one.id].wave, heirs.get(one.id, ""), dict(one.state),
                   dict(sorted(signs[one.id].logins.items())))
            for one in going
        ),
        steps=holdings.numbered(
            [*held.steps, *in_steps, *deploys.values(), *work, *last],
            PHASES,
        ),
        transfers=transfers,
        blockers=blockers.merged([*found, *(blockers.unseen() if full else ())]),
        hazards=hazards.look(asking, seen) if going else (),
        refusals=tuple(sorted(refusals, key=lambda one: (one.code, one.user))),
        unknown=tuple(asking.unknown),
        owned=tuple(_matrix(estate, transfers, held)),
    )  # fmt: skip


# ---- who ----------------------------------------------------------------------------------------


def _leavers(
    users: Users, wanted: Wanted, rules: Rules, now: datetime
) -> tuple[dict[str, Leaver], list[Refusal]]:
    """Each leaver once, with what the lists say of them; and names that nobody has."""
    found = users.find(
        [one.name for one in wanted.leavers] + [one.successor for one in wanted.leavers
                                                if one.successor]
    )  # fmt: skip
    leavers: dict[str, Leaver] = {}
    refusals: list[Refusal] = []
    for one in wanted.leavers:
        user = found.get(one.name)
        if user is None:
            refusals.append(Refusal("unknown_user", printable(one.name, 80), _unknown(one.source)))
            continue
        heir = ""
        if one.successor:
            named = found.get(one.successor)
            heir = named.id if named is not None else f"?{one.successor}"
        before = leavers.get(user.id)
        if before is not None and before.successor and heir and before.successor != heir:
            raise UsageProblem(
                f"{printable(user.username, 80)} is named twice with different successors "
                f"({before.source}; {one.source}): keep one of the lines"
            )
        if before is None:
            leavers[user.id] = replace(one, successor=heir)
        else:  # the earlier wave and the milder mode
            mode = FREEZE_ONLY if FREEZE_ONLY in (before.mode, one.mode) else FULL
            leavers[user.id] = replace(before, successor=before.successor or heir, mode=mode)
    query = wanted.query
    if not query.empty:
        stay = users.find(query.all_except)
        missing = [one for one in query.all_except if one not in stay]
        if missing:  # a misspelt name would lose somebody who is to stay
            raise UsageProblem(
                f"--all-except: there is no user {printable(missing[0], 80)!r}"
                + (f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else "")
                + ", so nobody was planned: correct the list of those who stay"
            )
        heirs = {rules.fallback, *rules.pool, *rules.objects.values()}
        for user in users.picked(query, {one.id for one in stay.values()} | heirs, now):
            leavers.setdefault(user.id, Leaver(user.username, mode=wanted.mode, source="query"))
    if not wanted.leavers and query.empty:
        raise UsageProblem("nobody is named: name users, give --file, --waves or a query")
    return leavers, refusals


def _unknown(source: str) -> str:
    where = f" ({source})" if source else ""
    return f"no user has this username or id{where}: look for a misspelling"


def _in_waves(leavers: Mapping[str, Leaver], kinds: Mapping[str, str]) -> dict[str, Leaver]:
    """People first, administrators in a wave after all of theirs, integration users in the last."""
    last = max((one.wave for one in leavers.values()), default=1)
    late = {people.ADMINISTRATOR: last + 1, people.INTEGRATION: last + 2}
    moved = {
        one: replace(leaver, wave=late.get(kinds[one], leaver.wave))
        for one, leaver in leavers.items()
    }
    numbers = {wave: n for n, wave in enumerate(sorted({one.wave for one in moved.values()}), 1)}
    return {one: replace(leaver, wave=numbers[leaver.wave]) for one, leaver in moved.items()}


# ---- what is done -------------------------------------------------------------------------------


def _approvals(asking: Asking, users: Sequence[User], heirs: Mapping[str, str]) -> list[Step]:
    [rows] = asking.look(
        [Look("ProcessInstanceWorkitem", ("ActorId", "ProcessInstance.TargetObjectId"), "ActorId")],
        [one.id for one in users],
    )
    steps = []
    names = {one.id: one.username for one in users}
    for row in rows or ():
        actor, item = value(row, "ActorId") or "", value(row, "Id") or ""
        heir = heirs.get(actor, "")
        if not heir:
            asking.note(f"the approval {item} waits for {printable(names.get(actor, actor), 80)}, "
                        "who has no successor: reassign it by hand")  # fmt: skip
            continue
        steps.append(
            Step(
                "",
                "work",
                "update",
                actor,
                "ProcessInstanceWorkitem",
                item,
                {"ActorId": actor},
                {"ActorId": heir},
                f"Hand over an approval of {printable(names.get(actor, actor), 80)}",
            )
        )
    return steps


def _deactivation(user: User) -> Step:
    return Step("", "deactivate", "update", user.id, "User", user.id, {"IsActive": "true"},
                {"IsActive": "false"}, f"Deactivate {printable(user.username, 80)}")  # fmt: skip


def _matrix(
    estate: owned.Estate, transfers: Sequence[Transfer], held: holdings.Held
) -> list[dict[str, Any]]:
    to = {(one.user_id, one.object, one.field): one.to for one in transfers}
    rows: list[dict[str, Any]] = [
        {
            "user": one.user_id, "object": one.object, "field": one.field, "scope": one.scope,
            "open": one.open, "closed": one.closed, "archived": one.archived,
            "deleted": one.deleted, "to": to.get((one.user_id, one.object, one.field), ""),
        }
        for one in estate.rows
    ]  # fmt: skip
    rows += [
        {
            "user": user, "object": what, "field": "", "scope": "held", "open": n, "closed": 0,
            "archived": 0, "deleted": 0, "to": "",
        }
        for user, counts in sorted(held.counts.items())
        for what, n in sorted(counts.items())
        if n
    ]  # fmt: skip
    return rows


def _told(rules: Rules, options: Options) -> dict[str, Any]:
    """The rules as the plan keeps them."""
    return {
        "successor": rules.rule,
        "fallback": rules.fallback,
        "pool": list(rules.pool),
        "objects": dict(rules.objects),
        "min_admins": options.min_admins,
        "include_integration": list(options.include_integration),
        "fields": list(options.fields),
        "lift": list(options.lift),
        "open_activities_only": options.open_activities_only,
    }
