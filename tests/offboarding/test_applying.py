"""Plans carried out on an org that keeps its own log of what was changed."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from sfexit.errors import ArchiveProblem, Blocked, PlanStale
from sfexit.offboarding import checking, finding, steps, undoing
from sfexit.offboarding import journal as journals
from sfexit.offboarding import plan as plans
from sfexit.offboarding.checking import Caps
from sfexit.offboarding.remaining import remains
from sfexit.simulated_org import Staff
from sfexit.simulated_org.writes import Deed, Refused, Writes
from tests.offboarding.running import NOW, Killed, Mortal, Office, office, plan_for

COMPARED = (
    "Account", "Contact", "Opportunity", "Case", "Lead", "Task", "Thing_00__c", "User", "UserLogin",
)  # fmt: skip
BAGS = (
    "PermissionSetAssignment", "PermissionSetLicenseAssign", "UserPackageLicense", "GroupMember",
    "AccountTeamMember", "OpportunityTeamMember", "AccountShare", "OpportunityShare",
    "ContactShare",
)  # fmt: skip


def leavers_of(place: Office, count: int) -> tuple[list[int], int]:
    assert place.org.employed is not None
    people = place.org.employed.people
    return people[:count], people[-1]


def test_people_leave_and_nothing_of_theirs_is_orphaned(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 4)
        plan = plan_for(place, leavers, heir)
        teams = {name: place.bag_of(name) for name in BAGS[4:]}
        owned = {t.object: t.count for t in plan.transfers}
        assert owned
        done = place.apply(plan)
        assert done.complete, (done.failed, done.remains.people)
        assert done.moved == sum(t.count for t in plan.transfers)
        for row in leavers:
            user = place.user(row)
            [about] = place.rows("User", Id=user)
            assert about["IsActive"] == "false"
            assert not place.rows("AuthSession", UsersId=user)
            assert not place.rows("OauthToken", UserId=user)
            assert not place.rows("GroupMember", UserOrGroupId=user)
            for name in ("Account", "Case", "Task", "Opportunity"):
                assert not place.rows(name, OwnerId=user)
        for name in BAGS[4:]:  # teams and manual shares are all there again
            assert place.bag_of(name) == [
                row
                for row in teams[name]
                if "RowCause=Team" not in row or row in place.bag_of(name)
            ]
        assert {one.by for one in place.org.writes.log} == {place.org.user_id}


def test_every_change_stands_in_the_journal(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 3)
        plan = plan_for(place, leavers, heir)
        done = place.apply(plan)
        assert unexplained(place, done.journal) == []


def unexplained(place: Office, path: Path) -> list[object]:
    """Changes that the org saw requested and the journal does not announce."""
    known: set[tuple[str, str]] = set()
    made: dict[str, int] = {}
    for event in journals.read(path):
        if event["event"] == "intent" and "step" in event:
            known.add((event["object"], event["record"]))
            if event["kind"] == "create":
                made[event["object"]] = made.get(event["object"], 0) + 1
        elif event["event"] == "intent":
            rows = (row for move in event["moves"] for row in move[2])
            known.update((event["object"], row) for row in rows)
        elif event["event"] == "saved":
            made[event["object"]] = made.get(event["object"], 0) + len(event["rows"])
    out: list[object] = []
    for change in place.org.writes.log:
        if change.cause != "request":
            continue
        if change.action == "create" and made.get(change.object, 0) > 0:
            made[change.object] -= 1
            continue
        if (change.object, change.id) not in known:
            out.append(change)
    return out


def test_undo_brings_everything_back_but_what_it_says(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 3)
        plan = plan_for(place, leavers, heir)
        before = place.truth(*COMPARED)
        bags = {name: place.bag_of(name) for name in BAGS}
        done = place.apply(plan)
        assert place.truth(*COMPARED) != before
        back = undoing.plan_back(done.journal, plan, NOW, (place.org.user_id, "admin"))
        undone = place.apply(plans.read(back.plan.to_bytes()), "undo.jsonl")
        assert undone.complete, undone.failed
        assert place.truth(*COMPARED) == before
        for name in BAGS[:6]:
            assert place.bag_of(name) == bags[name], name
        manual = [[r for r in rows if "RowCause=Manual" in r] for rows in
                  (place.bag_of("AccountShare"), bags["AccountShare"])]  # fmt: skip
        assert manual[0] == manual[1]
        assert any("sign in again" in one for one in back.not_undone)


def test_undo_leaves_alone_what_somebody_changed_since(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        [leaver], heir = leavers_of(place, 1)
        plan = plan_for(place, [leaver], heir, ("Account",))
        mine = [str(r["Id"]) for r in place.rows("Account", OwnerId=place.user(leaver))]
        done = place.apply(plan)
        table = place.org.tables.tables["Account"]
        third = place.user(place.org.employed.people[5])  # type: ignore[union-attr]
        row = table.ids.row(mine[0])
        assert row is not None
        place.org.update_rows("Account", [row], {"OwnerId": third})
        back = undoing.plan_back(done.journal, plan, NOW, (place.org.user_id, "admin"))
        place.apply(back.plan, "undo.jsonl")
        owners = {str(r["Id"]): r["OwnerId"] for r in place.rows("Account")}
        assert owners[mine[0]] == third
        assert {owners[one] for one in mine[1:]} <= {place.user(leaver)}


@pytest.mark.parametrize("seed", range(6))
def test_killed_anywhere_the_end_is_the_same(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    staff = Staff(blockers=(), lock_every=7)
    with office(tmp_path, rows=800, staff=staff) as place:
        leavers, heir = leavers_of(place, 3)
        plan = plan_for(place, leavers, heir)
        runs = 0
        while True:
            runs += 1
            assert runs < 200
            Mortal.sent, Mortal.dies_at = 0, rng.randint(1, 12) if runs < 40 else -1
            Mortal.after = rng.random() < 0.5
            try:
                done = place.apply(plan, client=place.client(Mortal))
            except Killed:
                if rng.random() < 0.3:  # the last line was only half on the disk
                    path = tmp_path / "journal.jsonl"
                    with path.open("ab") as handle:
                        handle.write(b'{"seq":9,"event":"out')
                continue
            break
        assert runs > 2
        assert done.complete, (done.failed, done.remains.people)
        assert unexplained(place, done.journal) == []
        seen: dict[tuple[str, str, str], int] = {}
        for change in place.org.writes.log:  # nothing was applied twice
            if change.cause == "request" and change.action != "create" and change.after != {}:
                key = (change.object, change.id, str(sorted(change.after.items())))
                seen[key] = seen.get(key, 0) + 1
        assert [key for key, count in seen.items() if count > 1] == []


def test_many_rows_go_by_a_job_with_few_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "JOB_FROM", 100)
    with office(tmp_path, rows=15_000, staff=Staff(people=3, blockers=(), teams=3)) as place:
        leavers, heir = leavers_of(place, 1)
        plan = plan_for(place, leavers, heir, ("Contact",))
        assert plan.transfers[0].count > 100
        calls = place.org.calls
        done = place.apply(plan)
        assert not done.failed
        assert not done.complete  # what the plan does not hand over is told as left
        assert place.org.calls - calls < 70
        assert not place.rows("Contact", OwnerId=place.user(leavers[0]))


def test_locked_rows_are_tried_again_in_smaller_batches(tmp_path: Path) -> None:
    with office(tmp_path, staff=Staff(blockers=(), lock_every=3)) as place:
        leavers, heir = leavers_of(place, 2)
        done = place.apply(plan_for(place, leavers, heir), caps=Caps(10, 10_000, 1000))
        assert done.complete, done.failed


def test_rows_that_a_trigger_refuses_are_told_one_by_one(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        [leaver], heir = leavers_of(place, 1)
        table = place.org.tables.tables["Contact"]
        mine = [
            table.ids.row(str(r["Id"])) for r in place.rows("Contact", OwnerId=place.user(leaver))
        ]
        place.org.staff_rules.staff = replace(
            place.org.staff_rules.staff,
            refusing={"Contact": tuple(r for r in mine[:1] if r is not None)},
        )
        done = place.apply(plan_for(place, [leaver], heir))
        assert not done.complete
        [failed] = done.failed
        assert failed.code == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
        assert done.remains.people[0].rows["Contact.OwnerId"] == 1


def test_too_many_failures_stop_the_run(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 3)
        plan = plan_for(place, leavers, heir)
        place.org.staff_rules.staff = replace(
            place.org.staff_rules.staff, refusing={"Task": tuple(range(10_000))}
        )
        with pytest.raises(Blocked, match="--max-failures is 3"):
            place.apply(plan, caps=Caps(10, 10_000, 3))
        for row in leavers:  # nobody was deactivated over rows left behind
            assert place.rows("User", Id=place.user(row))[0]["IsActive"] == "true"


def test_a_blocker_that_nobody_saw_is_told_in_the_orgs_words(tmp_path: Path) -> None:
    staff = Staff(blockers=("default_workflow_user",))
    with office(tmp_path, staff=staff) as place:
        [leaver], heir = leavers_of(place, 1)
        done = place.apply(plan_for(place, [leaver], heir))
        assert not done.complete
        assert done.failed[0].message == "You cannot deactivate the Default Workflow User"
        place.org.staff_rules.lift("default_workflow_user")
        assert place.apply(plan_for(place, [leaver], heir), "second.jsonl").complete


# ---- what is refused before anything is changed ------------------------------------------------


def test_refused_before_anything_is_changed(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 2)
        plan = plan_for(place, leavers, heir)
        me = replace(plan.people[0], user_id=place.org.user_id)
        admins = tuple(
            replace(plan.people[0], user_id=place.user(row), kind="administrator", state={})
            for row in place.org.employed.administrators[1:]  # type: ignore[union-attr]
        )
        hazard = plans.Hazard("skew", "", "Account", 1, "…", "--accept-skew")
        for changed, kind, told in (
            (replace(plan, organization_id="00D000000000009AAA"), Blocked, "sign in to the org"),
            (replace(plan, people=(me,)), Blocked, "you are among the leavers"),
            (replace(plan, expires="2020-01-01T00:00:00Z"), PlanStale, "expired"),
            (replace(plan, hazards=(hazard,)), Blocked, "--accept-skew"),
            (replace(plan, people=admins), Blocked, "active administrators would be left"),
        ):
            with pytest.raises(kind, match=told):
                place.apply(changed)
        with pytest.raises(Blocked, match="--max-users is 1"):
            place.apply(plan, caps=Caps(1, 10_000, 1))
        with pytest.raises(Blocked, match="--max-records is 1"):
            place.apply(plan, caps=Caps(10, 1, 1))
        assert place.org.writes.log == []


def test_an_org_that_moved_on_is_told(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 1)
        plan = plan_for(place, leavers, heir)
        place.org.update_rows("User", [leavers[0]], {"IsActive": "false"})
        with pytest.raises(PlanStale, match="IsActive is 'false', was 'true'"):
            place.apply(plan)
        assert place.org.writes.log == []


def test_another_plans_journal_is_refused(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 2)
        place.apply(plan_for(place, leavers[:1], heir))
        with pytest.raises(Blocked, match="journal of another plan"):
            place.apply(plan_for(place, leavers[1:], heir))


def test_freeze_only_contains_and_no_more(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 2)
        plan = plan_for(place, leavers, heir)
        place.apply(plan, freeze_only=True)
        changed = {one.object for one in place.org.writes.log}
        assert changed <= {"UserLogin", "AuthSession", "OauthToken"}
        again = place.apply(plan)  # the rest, later
        assert again.complete and again.resumed


class _TakesBack:
    """A trigger that gives a contact back to whom it belonged."""

    def before(self, writes: Writes, deed: Deed) -> None:
        self.owner = deed.old("OwnerId") if deed.object == "Contact" else None

    def after(self, writes: Writes, deed: Deed) -> None:
        if deed.object == "Contact":
            values = {"OwnerId": self.owner}
            writes.follow(Deed("update", deed.view, deed.table, deed.row, deed.id, values), "a")


def test_rows_that_the_org_takes_back_are_told_and_end_the_search(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        [leaver], heir = leavers_of(place, 1)
        plan = plan_for(place, [leaver], heir)
        mine = {str(r["Id"]) for r in place.rows("Contact", OwnerId=place.user(leaver))}
        place.org.writes.rules.append(_TakesBack())
        done = place.apply(plan, caps=Caps(10, 10_000, 1000))
        assert {one.record_id for one in done.failed if one.code == "CAME_BACK"} == mine
        assert len(done.failed) == len(mine) and not done.complete
        assert done.moved == sum(t.count for t in plan.transfers if t.object != "Contact")


def test_a_journal_that_was_edited_is_not_gone_on_with(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 1)
        plan = plan_for(place, leavers, heir)
        place.apply(plan, freeze_only=True)
        path = tmp_path / "journal.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:2] + lines[3:]))
        held = path.read_bytes()
        with pytest.raises(ArchiveProblem, match="restore it from a copy"):
            place.apply(plan)
        assert path.read_bytes() == held


def test_what_the_org_does_not_tell_is_not_called_gone(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 1)
        plan = plan_for(place, leavers, heir)
        place.org.remove_object("AuthSession")
        left = remains(place.client(), plan)
        assert any("AuthSession" in one for one in left.unknown)
        assert left.people[0].active and left.administrators == 3


def test_a_permission_set_for_a_time_comes_back_with_its_end(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        given = place.rows("PermissionSetAssignment")
        limited = {row["AssigneeId"] for row in given if row["ExpirationDate"]}
        people, heir = leavers_of(place, 20)
        leaver = next(one for one in people if place.user(one) in limited)
        plan = plan_for(place, [leaver], heir)
        held = place.bag_of("PermissionSetAssignment")
        done = place.apply(plan)
        back = undoing.plan_back(done.journal, plan, NOW, (place.org.user_id, "admin")).plan
        undone = place.apply(back, "undo.jsonl")
        assert undone.complete, undone.failed
        assert place.bag_of("PermissionSetAssignment") == held
        creates = [one for one in back.steps if one.kind == "create"]
        states = steps.state(place.client(), creates)
        assert set(states.values()) == {steps.DONE}  # found again, whatever its end is written like
        later = undoing.plan_back(
            done.journal, plan, NOW.replace(year=2100), (place.org.user_id, "admin")
        )
        assert any("would have ended on 2099-12-31" in one for one in later.not_undone)
        assert len(later.plan.steps) == len(back.steps) - 1


def test_undo_goes_on_where_somebody_changed_a_row_of_it(tmp_path: Path) -> None:
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 2)
        plan = plan_for(place, leavers, heir)
        done = place.apply(plan)
        [login] = [n for n, row in enumerate(place.org.truth("UserLogin"))
                   if row["UserId"] == place.user(leavers[0])]  # fmt: skip
        place.org.update_rows("UserLogin", [login], {"IsFrozen": None})
        back = undoing.plan_back(done.journal, plan, NOW, (place.org.user_id, "admin")).plan
        told = checking.check(place.client(), back, caps=Caps(100, 100_000, 10))
        assert [one for one in told if "left alone" in one] == list(told) and len(told) == 1
        undone = place.apply(back, "undo.jsonl")
        assert [one.code for one in undone.failed] == ["CHANGED"] and not undone.complete
        users = place.truth("User")["User"]
        assert all(users[place.user(one)]["IsActive"] == "true" for one in leavers)


def test_without_a_free_licence_an_undo_waits_and_goes_on(tmp_path: Path) -> None:
    with office(tmp_path, staff=Staff(people=10, things=1, blockers=(), spare_seats=0)) as place:
        leavers, heir = leavers_of(place, 2)
        plan = plan_for(place, leavers, heir)
        before = place.truth("User", "Account")
        done = place.apply(plan)
        [row] = [n for n, r in enumerate(place.org.truth("UserLicense")) if r["Name"] == "SFDC"]
        seats = int(place.rows("UserLicense", Name="SFDC")[0]["TotalLicenses"] or 0)
        place.org.update_rows("UserLicense", [row], {"TotalLicenses": str(seats - 1)})
        back = undoing.plan_back(done.journal, plan, NOW, (place.org.user_id, "admin")).plan
        changed = len(place.org.writes.log)
        with pytest.raises(Blocked, match=r"no licence is free for 1 of the people .*run the same"):
            place.apply(back, "undo.jsonl")
        new = place.org.writes.log[changed:]
        assert [(one.object, one.after) for one in new if one.cause == "request"] == [
            ("User", {"IsActive": "true"})
        ]
        place.org.update_rows("UserLicense", [row], {"TotalLicenses": str(seats)})
        undone = place.apply(back, "undo.jsonl")
        assert undone.complete, undone.failed
        assert place.truth("User", "Account") == before


class _NoShares:
    """The org refuses manual shares of contacts: for everybody, or for one user."""

    def __init__(self, user: str = "") -> None:
        self.user = user

    def before(self, writes: Writes, deed: Deed) -> None:
        made = deed.object == "ContactShare" and deed.action == "create"
        if made and self.user in ("", deed.values["UserOrGroupId"]):
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "no share for this one")

    def after(self, writes: Writes, deed: Deed) -> None:
        pass


@pytest.mark.parametrize("of_owner", [False, True])
def test_a_share_that_cannot_be_put_back_is_told(tmp_path: Path, of_owner: bool) -> None:
    """And one that its owner does not need by now is not missed."""
    with office(tmp_path) as place:
        leavers, heir = leavers_of(place, 1)
        mine = [r["Id"] for r in place.rows("Contact", OwnerId=place.user(leavers[0]))]
        assert len(mine) > 1
        place.org.tables.tables["ContactShare"].give([
            {"ContactId": one, "UserOrGroupId": place.user(heir if n == 0 else 0),
             "ContactAccessLevel": "Edit", "RowCause": "Manual", "IsDeleted": "false"}
            for n, one in enumerate(mine)
        ])  # fmt: skip
        saved = len(place.rows("ContactShare"))
        place.org.writes.rules.append(_NoShares(place.user(heir) if of_owner else ""))
        done = place.apply(plan_for(place, leavers, heir, ("Contact",)))
        told = [one for one in done.failed if one.place == "put back ContactShare"]
        assert len(told) == (0 if of_owner else saved - 1)
        assert bool(done.failed) != of_owner
        assert len(place.rows("ContactShare")) == (saved - 1 if of_owner else 0)
