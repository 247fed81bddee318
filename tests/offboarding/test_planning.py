"""Plans of a whole office: everything that was placed is found, nothing is written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sfexit.errors import UsageProblem
from sfexit.offboarding.plan import read
from sfexit.offboarding.successors import MANAGER, ROUND_ROBIN, Rules
from sfexit.offboarding.wanted import FREEZE_ONLY, Leaver
from sfexit.simulated_org import BLOCKERS, UNSEEN, Staff

from .desk import Office, codes, office


@pytest.fixture(scope="module")
def org() -> Iterator[Office]:
    """An office that no test changes."""
    with office() as opened:
        yield opened


def everybody(org: Office) -> list[str]:
    return [org.get(row) for row in org.who.people[:-1]]


def test_every_blocker_is_found_on_the_one_it_lies_on(org: Office) -> None:
    plan = org.plan(everybody(org))
    found = {(one.code, one.user_id) for one in plan.blockers if one.seen}
    placed = {(kind, org.id(row)) for kind, row in org.who.blockers.items() if kind not in UNSEEN}
    assert found == placed
    hidden = [one for one in plan.blockers if not one.seen]
    assert {one.code for one in hidden} >= UNSEEN
    assert all(one.setup_path and one.fix for one in plan.blockers)
    assert codes(plan.blockers) >= set(BLOCKERS)


def test_what_they_own_is_counted_as_the_org_has_it(org: Office) -> None:
    plan = org.plan(everybody(org))
    leavers = {one.user_id for one in plan.people}
    counted = {
        (row["user"], row["object"]): row
        for row in plan.owned
        if row["field"] == "OwnerId" and not row["scope"]
    }
    seen = 0
    for name in ("Account", "Task", "Event", "Case", "Thing_01__c", "EmailTemplate"):
        table = org.org.tables.tables[name]
        truth: dict[str, list[int]] = {}
        for place, row in enumerate(org.org.truth(name)):
            states = truth.setdefault(row["OwnerId"] or "", [0, 0, 0, 0])
            gone = row.get("IsDeleted") == "true"
            old = place < table.archived
            closed = row.get("IsClosed") == "true"
            states[3 if gone else 2 if old else 1 if closed else 0] += 1
        for user, states in truth.items():
            if user in leavers:
                told = counted[user, name]
                shown = [told[one] for one in ("open", "closed", "archived", "deleted")]
                assert shown == states, (user, name)
                seen += sum(states)
    assert seen > 200
    moved = sum(one.count + one.archived for one in plan.transfers if one.object == "Task")
    told = [row for row in plan.owned if row["object"] == "Task"]
    assert moved == sum(row["open"] + row["closed"] + row["archived"] for row in told)
    assert all(one.most > one.count + one.archived for one in plan.transfers)


def test_what_they_hold_can_be_made_again(org: Office) -> None:
    plan = org.plan(everybody(org))
    leavers = {one.user_id for one in plan.people}
    for name, key in (
        ("PermissionSetLicenseAssign", "AssigneeId"),
        ("UserPackageLicense", "UserId"),
        ("GroupMember", "UserOrGroupId"),
        ("UserTerritory2Association", "UserId"),
        ("AuthSession", "UsersId"),
        ("OauthToken", "UserId"),
        ("UserTeamMember", "UserId"),
        ("CaseTeamTemplateMember", "MemberId"),
    ):
        held = {row["Id"] for row in org.org.truth(name) if row[key] in leavers}
        steps = [one for one in plan.steps if one.object == name]
        assert {one.record_id for one in steps} == held and held, name
        rows = {row["Id"]: row for row in org.org.truth(name)}
        for one in steps:
            assert one.user_id == one.before[key]
            assert all(one.before[k] == rows[one.record_id][k] for k in one.before if k in rows)
    sets = [one for one in plan.steps if one.object == "PermissionSetAssignment"]
    assert {"PermissionSetGroupId" in one.before for one in sets} == {True, False}
    order = [one.object for one in plan.phase("strip")]
    assert max(k for k, v in enumerate(order) if v == "PermissionSetAssignment") < order.index(
        "PermissionSetLicenseAssign"
    )
    flags = [one for one in plan.phase("strip") if one.object == "User"]
    assert flags and all(set(one.before.values()) == {"true"} for one in flags)
    assert "DeleteToken" not in plan.to_bytes().decode()
    assert f"del-{org.org.seed}-" not in plan.to_bytes().decode()


def test_a_plan_is_what_can_be_read_back(org: Office) -> None:
    plan = org.plan(org.people(0, 1))
    assert read(plan.to_bytes()) == plan
    assert org.plan(org.people(1, 0)).digest == plan.digest
    assert plan.rules["names"][plan.people[0].successor] == org.people(-1)[0]


def test_hazards_each_with_a_flag_of_its_own(org: Office) -> None:
    plan = org.plan(everybody(org))
    assert codes(plan.hazards) >= {
        "teams", "manual_shares", "sharing", "tokens", "jobs", "dashboards", "approvals",
        "interviews", "identity_provider", "left_behind", "recycle_bin", "archived",
        "mixed_operations",
    }  # fmt: skip
    flags: dict[str, str] = {one.code: one.flag for one in plan.hazards}
    named = [flag for flag in flags.values() if flag]
    assert len(set(named)) == len(named) and "--force" not in named
    accepted = org.plan(everybody(org), accepted=tuple(plan.unaccepted))
    assert accepted.unaccepted == ()


def test_the_runner_the_platform_and_programs_are_refused(org: Office) -> None:
    who = org.who
    rows = [0, who.system[0], who.integrations[0], who.portal[0], who.people[3]]
    plan = org.plan([org.get(row) for row in rows] + ["nobody@x.example"])
    assert {(one.code, one.user) for one in plan.refusals} == {
        ("running_user", org.get(0)),
        ("system_user", org.get(who.system[0])),
        ("integration_user", org.get(who.integrations[0])),
        ("portal_user", org.get(who.portal[0])),
        ("unknown_user", "nobody@x.example"),
    }
    assert [one.user_id for one in plan.people] == [org.id(who.people[3])]
    assert all(one.user_id == org.id(who.people[3]) for one in (*plan.steps, *plan.transfers))


def test_programs_and_portal_users_by_name(org: Office) -> None:
    who = org.who
    program, portal = org.get(who.integrations[0]), org.get(who.portal[0])
    plan = org.plan(
        [org.get(who.people[2]), org.get(who.administrators[1]), program, portal],
        include_integration=(program,), include_portal=True,
    )  # fmt: skip
    assert [(one.kind, one.wave) for one in plan.people] == [
        ("person", 1), ("portal", 1), ("administrator", 2), ("integration", 3),
    ] or [(one.kind, one.wave) for one in plan.people] == [
        ("portal", 1), ("person", 1), ("administrator", 2), ("integration", 3),
    ]  # fmt: skip
    assert plan.administrators_left == len(who.administrators) - 1


def test_administrators_are_never_too_few(org: Office) -> None:
    admins = [org.get(row) for row in org.who.administrators[1:]]
    plan = org.plan([*admins, *org.people(4)])
    assert codes(plan.refusals) == {"min_admins"}
    assert {one.user for one in plan.refusals} == set(admins)
    assert len(plan.people) == 1 and plan.administrators_left == len(admins) + 1
    one = org.plan(admins, min_admins=1)
    assert one.administrators_left == 1 and one.refusals == ()
    assert codes(org.plan(admins, min_admins=0).refusals) == set()  # the runner is left


def test_a_successor_who_leaves_or_cannot_own_is_no_successor(org: Office) -> None:
    first, second, third, fourth = org.people(3, 4, 5, 6)
    portal = org.get(org.who.portal[0])
    plan = org.plan([
        Leaver(first, successor=second), Leaver(second), Leaver(third, successor=third),
        Leaver(fourth, successor=portal), Leaver(org.people(7)[0], successor="gone@x.example"),
    ])  # fmt: skip
    told = {one.user: one.text for one in plan.refusals if one.code == "successor_cannot_own"}
    assert set(told) == {first, third, fourth, org.people(7)[0]}
    assert "leaves as well" in told[first] and "is the leaver" in told[third]
    assert "portal user" in told[fourth]
    assert [one.username for one in plan.people] == [second]


def test_nobody_is_left_without_an_heir(org: Office) -> None:
    plan = org.plan(org.people(3), Rules(), heir=None)
    assert codes(plan.refusals) == {"no_successor"} and plan.people == ()
    frozen = org.plan([Leaver(org.people(3)[0], mode=FREEZE_ONLY)], Rules(), heir=None)
    assert [one.mode for one in frozen.people] == [FREEZE_ONLY]
    assert {one.phase for one in frozen.steps} == {"contain"}
    assert frozen.transfers == () and frozen.blockers == ()
    # Containment must not wait for decisions about what it does not touch.
    assert codes(frozen.hazards) <= {"tokens", "identity_provider", "user_automation", "licences"}


def test_managers_inherit_and_those_who_leave_are_passed_over(org: Office) -> None:
    people = org.who.people
    rules = Rules(MANAGER, fallback=org.get(people[-1]))
    plan = org.plan([org.get(people[0]), org.get(people[1]), org.get(people[9])], rules)
    heirs = {one.user_id: one.successor for one in plan.people}
    assert heirs[org.id(people[0])] == org.id(people[-1])  # at the top of all
    assert heirs[org.id(people[1])] == org.id(people[-1])  # the manager leaves, and has none
    assert heirs[org.id(people[9])] == org.id(people[2])


def test_round_robin_objects_and_queues(org: Office) -> None:
    heirs = org.people(-1, -2)
    one = org.people(-3)[0]
    rules = Rules(ROUND_ROBIN, pool=tuple(heirs), objects={"Case": "queue:Case_Queue", "Lead": one})
    plan = org.plan(org.people(*range(3, 12)), rules)
    by_object: dict[str, set[str]] = {}
    for transfer in plan.transfers:
        by_object.setdefault(transfer.object, set()).add(transfer.to)
    assert by_object["Case"] == {org.org.tables.tables["Group"].ids.at(0)}
    assert by_object["Lead"] == {org.id(org.who.people[-3])}
    assert by_object["Account"] == {org.id(org.who.people[-1]), org.id(org.who.people[-2])}
    with pytest.raises(UsageProblem, match="no queue 'Case_Queue' takes Lead"):
        org.plan(org.people(3), Rules(objects={"Lead": "queue:Case_Queue"}))
    with pytest.raises(UsageProblem, match="is no user of this org"):
        org.plan(org.people(3), Rules(fallback="o'nobody@x.example"))
    with pytest.raises(UsageProblem, match="leaves as well"):
        org.plan(org.people(3), Rules(objects={"Lead": org.people(3)[0]}))


def test_lookups_besides_the_owner_only_by_name(org: Office) -> None:
    plain = org.plan(everybody(org))
    assert {one.field for one in plain.transfers} == {"OwnerId"}
    more = org.plan(everybody(org), fields=("Thing_00__c.Responsible__c",))
    assert {one.object for one in more.transfers if one.field == "Responsible__c"} == {
        "Thing_00__c"
    }
    with pytest.raises(UsageProblem, match="no lookup to a user"):
        org.plan(everybody(org), fields=("Account.Nobody__c",))


def test_open_activities_only(org: Office) -> None:
    plan = org.plan(everybody(org), open_activities_only=True)
    tasks = [one for one in plan.transfers if one.object == "Task"]
    assert {one.where for one in tasks} == {"IsClosed = false AND IsArchived = false"}
    assert {one.archived for one in tasks} == {0}


def test_approved_blockers_get_a_step(org: Office) -> None:
    plan = org.plan(everybody(org), lift=("delegated_approver", "hierarchy_field"))
    lifted = {one.code: one for one in plan.blockers if one.step}
    assert set(lifted) == {"delegated_approver", "hierarchy_field"}
    [step] = plan.phase("blockers")  # both lie on one user, and a request names a row once
    assert {one.step for one in lifted.values()} == {step.id}
    heir = org.id(org.who.people[-1])
    assert step.record_id == org.id(0)
    assert step.before == {
        "DelegatedApproverId": lifted["delegated_approver"].user_id,
        "Mentor__c": lifted["hierarchy_field"].user_id,
    }
    assert step.after == {"DelegatedApproverId": heir, "Mentor__c": heir}
    leaving = [one.user_id for one in plan.people]
    assert step.user_id == min(step.before.values(), key=lambda one: leaving.index(str(one)))


def test_ids_of_both_lengths_letters_of_both_cases_and_twice_is_once(org: Office) -> None:
    long = org.id(org.who.people[3])
    name = org.people(3)[0]
    plan = org.plan([long, long[:15], name, name.upper()])
    assert [one.user_id for one in plan.people] == [long]
    broken = long[:15] + ("AAA" if not long.endswith("AAA") else "BBB")
    assert codes(org.plan([broken]).refusals) == {"unknown_user"}
    with pytest.raises(UsageProblem, match="named twice with different successors"):
        org.plan([Leaver(name, successor=org.people(8)[0], source="list.csv, line 2"),
                  Leaver(long, successor=org.people(9)[0], source="list.csv, line 7")])  # fmt: skip


def test_an_apostrophe_is_a_letter(org: Office) -> None:
    names = [name for name in everybody(org) if "'" in name]
    assert names
    hostile = "x' OR Username LIKE '%"
    plan = org.plan([*names, hostile, "back\\slash@x.example"])
    assert {one.username for one in plan.people} == set(names)
    assert {one.user for one in plan.refusals} == {hostile, "back\\slash@x.example"}


def test_calls_do_not_grow_with_the_users(org: Office) -> None:
    before = org.org.used()
    org.plan(org.people(3))
    one = org.org.used() - before
    org.plan(everybody(org))
    assert org.org.used() - before - one < one + 8


def test_two_hundred_users_over_sixty_objects_take_few_calls() -> None:
    with office(Staff(people=201, things=40), rows=8_000) as place:
        before = place.org.used()
        plan = place.plan([place.get(row) for row in place.who.people[:-1]])
        objects = {row["object"] for row in plan.owned if row["scope"] != "held"}
        assert len(plan.people) == 200 and len(objects) >= 60
        assert place.org.used() - before <= 70
        assert len(plan.transfers) > 500
