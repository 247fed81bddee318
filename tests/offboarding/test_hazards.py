"""Hazards: each is placed in an org, and found; what is no hazard is not told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sfexit.offboarding import hazard_kinds, successor_hazards
from sfexit.offboarding.hazard_kinds import FLAGS, TOLD
from sfexit.offboarding.plan import Hazard, Plan
from sfexit.offboarding.successors import Rules
from sfexit.offboarding.wanted import Leaver
from sfexit.simulated_org import Staff
from sfexit.simulated_org.visibility import SimulatedUser

from .desk import Office, codes, office


def told(plan: Plan, code: str) -> list[Hazard]:
    return [one for one in plan.hazards if one.code == code]


@pytest.fixture(scope="module")
def busy() -> Iterator[Office]:
    """Everything that can be placed."""
    with office(Staff(spare_seats=0, unreadable=("Thing_02__c",), locked_records=3)) as opened:
        yield opened


@pytest.fixture(scope="module")
def plan(busy: Office) -> Plan:
    return busy.plan([busy.get(row) for row in busy.who.people[:-1]])


def test_every_hazard_has_a_flag_or_needs_none(plan: Plan) -> None:
    for one in plan.hazards:
        assert one.code in TOLD if one.flag == "" else FLAGS[one.code][0] == one.flag
        assert one.text and one.text.isprintable()


def test_automation_that_an_owner_change_would_set_off_and_no_other(plan: Plan) -> None:
    found = {one.object: one.text for one in told(plan, "automation")}
    assert set(found) == {"Account", "Opportunity"}
    assert "trigger OnAccount" in found["Account"]
    assert "flow Opportunity_Saved" in found["Opportunity"]
    assert "validation rule Needs_Reason" in found["Opportunity"]
    [user] = told(plan, "user_automation")
    assert "OnUser" in user.text and "MIXED_DML" in user.text


def test_teams_and_manual_shares_as_many_as_the_org_has(busy: Office, plan: Plan) -> None:
    leavers = {one.user_id for one in plan.people}
    for name in ("Account", "Opportunity"):
        mine = {r["Id"] for r in busy.org.truth(name) if r["OwnerId"] in leavers}
        members = [r for r in busy.org.truth(f"{name}TeamMember") if r[f"{name}Id"] in mine
                   and r.get("IsDeleted") != "true"]  # fmt: skip
        shares = [r for r in busy.org.truth(f"{name}Share")
                  if r[f"{name}Id"] in mine and r["RowCause"] == "Manual"]  # fmt: skip
        assert {one.count for one in told(plan, "teams") if one.object == name} == {len(members)}
        counted = {one.count for one in told(plan, "manual_shares") if one.object == name}
        assert counted == {len(shares)}


def test_who_names_users_and_who_makes_them(busy: Office, plan: Plan) -> None:
    [flow] = told(plan, "flow_names_user")
    assert flow.user_id == busy.id(busy.who.people[len(busy.who.people) // 2])
    assert "Set_owner" in flow.text
    federated = {busy.id(row) for row in busy.who.people[:-1] if row % 5 == 0}
    found = told(plan, "identity_provider")
    assert {one.user_id for one in found} == federated | {""}


def test_what_runs_and_waits(busy: Office, plan: Plan) -> None:
    first = [busy.id(row) for row in busy.who.people[:3]]
    assert {one.user_id for one in told(plan, "jobs")} == set(first)
    boards = [busy.id(busy.who.people[n]) for n in (0, 1, 2, 4, 6)]  # the others run as who opens
    assert {one.user_id for one in told(plan, "dashboards")} == set(boards)
    assert {one.user_id for one in told(plan, "approvals")} == set(first)
    assert [one.user_id for one in told(plan, "interviews")] == first[:1]
    assert len(plan.phase("work")) == 3
    series = {
        row["OwnerId"]
        for name in ("Task", "Event")
        for row in busy.org.truth(name)
        if row["IsRecurrence"] == "true" and row["IsDeleted"] == "false"
    }
    leavers = {one.user_id for one in plan.people}
    assert {one.user_id for one in told(plan, "recurring")} <= series & leavers


def test_private_reports(busy: Office, plan: Plan) -> None:
    owners = {row["OwnerId"] for row in busy.org.truth("Report")}
    found = {one.user_id for one in told(plan, "private") if one.object == "Report"}
    assert found == owners & {one.user_id for one in plan.people}


def test_licences_without_a_spare_seat(plan: Plan) -> None:
    assert {one.text.split()[2] for one in told(plan, "licences")} >= {"SFDC"}


def test_an_heir_who_may_not_read(busy: Office, plan: Plan) -> None:
    [one] = told(plan, "successor_access")
    assert (one.object, one.user_id) == ("Thing_02__c", busy.id(busy.who.people[-1]))
    admin = busy.get(busy.who.administrators[1])
    wide = busy.plan(busy.people(3, 4), Rules(fallback=admin))
    assert told(wide, "successor_access") == []


def test_an_heir_with_too_much(busy: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    heir = busy.id(busy.who.people[-1])
    owned = sum(r["OwnerId"] == heir and r["IsDeleted"] == "false"
                for r in busy.org.truth("Contact"))  # fmt: skip
    small = busy.plan(busy.people(3))
    gain = sum(t.count for t in small.transfers if t.object == "Contact")
    assert gain and told(small, "skew") == []
    for edge, expected in ((owned + gain, 0), (owned + gain - 1, 1)):
        monkeypatch.setattr(successor_hazards, "SKEW", edge)
        plan = busy.plan(busy.people(3))
        assert len([one for one in told(plan, "skew") if one.object == "Contact"]) == expected
    assert hazard_kinds.SKEW == 10_000


def test_a_queue_that_is_left_to_nobody(busy: Office) -> None:
    members: dict[str, list[str]] = {}
    for row in busy.org.truth("GroupMember"):
        members.setdefault(row["GroupId"] or "", []).append(row["UserOrGroupId"] or "")
    queues = {r["Id"]: r["Name"] for r in busy.org.truth("Group") if r["Type"] == "Queue"}
    queue = next(one for one in members if one in queues)
    heir = busy.get(busy.who.people[0])
    leave = [one for one in members[queue] if one != busy.id(busy.who.people[0])]
    assert leave == members[queue], "the heir is in no queue"
    plan = busy.plan([Leaver(one) for one in leave], Rules(fallback=heir))
    assert [str(queues[queue]) in one.text for one in told(plan, "last_in_queue")] == [True]
    fewer = busy.plan([Leaver(one) for one in leave[1:]], Rules(fallback=heir))
    assert told(fewer, "last_in_queue") == []


def test_a_frozen_heir_and_an_heir_without_a_role() -> None:
    with office(Staff(people=12, blockers=())) as place:
        heir = place.who.people[-1]
        [login] = [n for n, row in enumerate(place.org.truth("UserLogin"))
                   if row["UserId"] == place.id(heir)]  # fmt: skip
        place.org.update_rows("UserLogin", [login], {"IsFrozen": "true"})
        place.set(heir, UserRoleId=None)
        account = place.get(place.who.portal[0], "AccountId")
        owner = place.who.people[2]
        row = place.org.tables.tables["Account"].ids.row(account)
        place.org.update_rows("Account", [row or 0], {"OwnerId": place.id(owner)})
        plan = place.plan([place.get(owner)])
        assert codes(plan.hazards) >= {"frozen_successor", "portal_account"}
        [one] = told(plan, "portal_account")
        assert one.count == 1
        assert "portal_account" not in codes(place.plan([place.get(place.who.people[3])]).hazards)


def test_the_inactive_give_away_and_never_get() -> None:
    with office(Staff(people=12, blockers=())) as place:
        gone, heir = place.who.people[2], place.who.people[3]
        place.set(gone, IsActive="false")
        plan = place.plan([place.get(gone)])
        assert plan.transfers and not plan.phase("deactivate")
        assert not [one for one in plan.steps if one.object == "UserLogin"]
        refused = place.plan([Leaver(place.get(heir), successor=place.get(gone))])
        assert codes(refused.refusals) == {"successor_cannot_own"}
        assert "inactive" in refused.refusals[0].text


def test_a_frozen_administrator_does_not_count() -> None:
    with office(Staff(people=6, administrators=3)) as place:
        before = place.plan(place.people(1)).administrators_left
        admin = place.id(place.who.administrators[1])
        [login] = [n for n, row in enumerate(place.org.truth("UserLogin"))
                   if row["UserId"] == admin]  # fmt: skip
        place.org.update_rows("UserLogin", [login], {"IsFrozen": "true"})
        assert place.plan(place.people(1)).administrators_left == before - 1


def test_what_cannot_be_read_is_unknown_and_never_clean() -> None:
    with office(Staff(people=8)) as place:
        org = place.org
        org.remove_object("FlowDefinitionView")
        org.remove_object("LoginHistory")
        org.metadata.breaking.add(("Workflow", "*"))
        plan = place.plan(place.people(1, 2))
        known = "\n".join(plan.unknown)
        assert "flows are active" in known and "LoginHistory" in known
        assert "type Workflow" in known
        assert "automated_case_user" in codes(plan.blockers), "the other types were searched"


def test_without_the_right_to_metadata_nothing_is_called_clean() -> None:
    with office(Staff(people=8)) as place:
        user = SimulatedUser("Helper", modify_all_data=False, lacks=("ModifyMetadata",))
        token = place.org.sign_in(user)
        from sfexit.salesforce.client import Client
        from sfexit.salesforce.login import credential_from_environment

        told = {"SFEXIT_INSTANCE_URL": place.server.url, "SFEXIT_ACCESS_TOKEN": token}
        with Client(credential_from_environment(told), budget_share=1.0) as client:
            place.client = client
            plan = place.plan(place.people(1))
        assert any("metadata could not be read" in one for one in plan.unknown)
