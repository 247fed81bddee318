"""Whatever the org and whoever is named: what an offboarding never does, and that it can be taken
back. Judged by the org's own truth and log."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from sfexit.offboarding import planning, undoing
from sfexit.offboarding.flags import FLAGS, LIFTABLE, LIFTED
from sfexit.offboarding.plan import Plan
from sfexit.offboarding.successors import MANAGER, NAMED, ROUND_ROBIN, Rules
from sfexit.offboarding.wanted import FREEZE_ONLY, FULL, Leaver, Wanted
from sfexit.simulated_org import Staff
from tests.offboarding.running import Office, office, owned_objects

JOINS = (
    "PermissionSetAssignment", "PermissionSetLicenseAssign", "UserPackageLicense", "GroupMember",
    "UserTerritory2Association", "UserTeamMember", "UserAccountTeamMember", "AccountTeamMember",
    "OpportunityTeamMember", "ProcessInstanceWorkitem", "CaseTeamTemplateMember",
)  # fmt: skip
#: Made by the plan's leave beside what it names: teams and shares that the org took away.
PUT_BACK = {
    "AccountTeamMember",
    "OpportunityTeamMember",
    "AccountShare",
    "OpportunityShare",
    "ContactShare",
}


@dataclass(frozen=True)
class Case:
    """An org, and who is named in it by their places; places go round."""

    seed: int
    people: int
    administrators: int
    named: tuple[int, ...]
    rule: str
    least: int
    freeze: bool
    lock_every: int


CASES = st.builds(
    Case,
    seed=st.integers(1, 10_000),
    people=st.integers(4, 12),
    administrators=st.integers(1, 3),
    named=st.lists(st.integers(0, 40), min_size=1, max_size=8).map(tuple),
    rule=st.sampled_from([NAMED, MANAGER, ROUND_ROBIN]),
    least=st.integers(0, 4),
    freeze=st.booleans(),
    lock_every=st.sampled_from([0, 3]),
)


@settings(max_examples=4, deadline=None, derandomize=True,
          phases=[Phase.explicit, Phase.generate],
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(CASES)
@example(Case(1, 5, 2, tuple(range(10)), NAMED, 2, False, 3))  # among them all who may not leave
def test_whoever_is_named(case: Case) -> None:
    staff = Staff(
        people=case.people, administrators=case.administrators, integrations=1, portal=1,
        things=1, teams=10, shares=10, blockers=LIFTED, lock_every=case.lock_every,
    )  # fmt: skip
    with (
        tempfile.TemporaryDirectory() as folder,
        office(Path(folder), rows=250, seed=case.seed, staff=staff) as place,
    ):
        place.org.metadata.polls = 0
        plan = planned(place, case)
        before = everything(place)
        done = place.apply(plan)
        assert done.complete, (done.failed, done.remains)
        check_log(place, plan)
        assert working_administrators(place) >= min(
            max(1, case.least), case.administrators + 1
        ) or not any(one.kind == "administrator" for one in plan.people)
        runner = (place.org.user_id, "admin")
        back = undoing.plan_back(done.journal, plan, datetime.now(UTC), runner).plan
        undone = place.apply(back, "undo.jsonl")
        assert undone.complete, undone.failed
        assert everything(place) == before


def planned(place: Office, case: Case) -> Plan:
    """A plan of the users at these places, whoever they are."""
    assert place.org.employed is not None
    who = place.org.employed
    total = sum(1 for _ in place.org.truth("User"))
    heir, second = place.user(who.people[-1]), place.user(who.people[-2])
    leavers = {place.user(n % total) for n in case.named} - {heir, second}
    mode = FREEZE_ONLY if case.freeze else FULL
    listed = tuple(Leaver(one, mode=mode) for one in sorted(leavers))
    plan = planning.make(
        place.client(),
        Wanted(listed or (Leaver(place.user(who.people[0])),)),
        Rules(case.rule, fallback=heir, pool=(heir, second) if case.rule == ROUND_ROBIN else ()),
        planning.Options(
            min_admins=case.least,
            include_portal=True,
            accepted=tuple(flag for flag, _ in FLAGS.values()),
            lift=LIFTABLE,
        ),
    )
    leaving = {one.user_id for one in plan.people}
    never = {place.org.user_id, *(place.user(n) for n in (*who.system, *who.integrations))}
    assert not leaving & never and leaving <= leavers | {place.user(who.people[0])}
    assert {one.to for one in plan.transfers}.isdisjoint(leaving)
    assert working_administrators(place, without=leaving) >= min(
        max(1, case.least), case.administrators + 1
    ) or not any(one.kind == "administrator" for one in plan.people)
    return plan


def check_log(place: Office, plan: Plan) -> None:
    """Every change that was asked for is one of the plan."""
    leaving = {one.user_id for one in plan.people}
    rows = {one.record_id for one in plan.steps}
    moved = {(one.object, one.user_id, one.to) for one in plan.transfers}
    for one in place.org.writes.log:
        if one.cause != "request" or one.id in rows:
            continue
        if one.action == "create":
            assert one.object in PUT_BACK, one
        else:
            change = (one.object, one.before.get("OwnerId"), one.after.get("OwnerId"))
            assert one.action == "update" and set(one.after) == {"OwnerId"}, one
            assert change in moved, one
    people = [one for one in place.org.writes.log if one.object in ("User", "UserLogin")]
    assert {one.id for one in people} <= rows
    assert leaving >= {one.id for one in people if "IsActive" in one.after}


def working_administrators(place: Office, without: set[str] | None = None) -> int:
    """Active, not frozen, with an administrator's profile, as the org has it."""
    frozen = {row["UserId"] for row in place.rows("UserLogin", IsFrozen="true")}
    wide = {row["Id"] for row in place.rows("Profile", PermissionsModifyAllData="true")}
    return sum(
        row["ProfileId"] in wide and row["Id"] not in frozen and row["Id"] not in (without or ())
        for row in place.rows("User", IsActive="true")
    )


def everything(place: Office) -> dict[str, object]:
    """Owners and people with their ids; what joins them without, since it may be made again."""
    names = (*owned_objects(place.org), "User", "UserLogin", "Dashboard")
    shares = {
        name: [row for row in place.bag_of(name) if "RowCause=Manual" in row]
        for name in ("AccountShare", "OpportunityShare", "ContactShare")
    }
    return {**place.truth(*names), **{name: place.bag_of(name) for name in JOINS}, **shares}
