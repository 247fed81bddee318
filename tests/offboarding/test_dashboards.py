"""Dashboards that run as a leaver: named, let run as somebody else, and put back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sfexit.offboarding import dashboards, planning, undoing
from sfexit.offboarding.flags import DASHBOARDS, FLAGS
from sfexit.offboarding.plan import Plan, Step
from sfexit.offboarding.rehearsing import rehearse
from sfexit.offboarding.remaining import remains
from sfexit.offboarding.successors import Rules
from sfexit.offboarding.wanted import Leaver, Wanted
from sfexit.simulated_org import Staff
from sfexit.simulated_org.doubts import Doubts
from tests.offboarding.running import Killed, Mortal, Office, office

# Of whom each dashboard of the simulated org runs, by the place among its people.
SALES, TEAM, CASES, OWN, PACKAGE, DELETED, PRIVATE = range(7)
STAFF = Staff(people=10, things=1, blockers=(), teams=4, shares=4)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path, rows=60, staff=STAFF) as made:
        made.org.metadata.polls = 0
        yield made


def person(place: Office, number: int) -> str:
    assert place.org.employed is not None
    return place.user(place.org.employed.people[number])


def planned(
    place: Office,
    *leavers: int,
    lift: tuple[str, ...] = (DASHBOARDS,),
    objects: dict[str, str] | None = None,
    heir: bool = True,
) -> Plan:
    return planning.make(
        place.client(),
        Wanted(tuple(Leaver(person(place, one)) for one in leavers or range(7))),
        Rules(fallback=person(place, -1) if heir else "", objects=objects or {}),
        planning.Options(accepted=tuple(flag for flag, _ in FLAGS.values()), lift=lift),
    )


def run_as(plan: Plan) -> list[Step]:
    return [one for one in plan.steps if one.kind == "run_as"]


def runners(place: Office) -> dict[str, str]:
    """Whom each dashboard runs as, by its title."""
    return {str(r["Title"]): str(r["RunningUserId"]) for r in place.org.truth("Dashboard")}


def held(place: Office) -> dict[str, bytes]:
    """The files of dashboards, by their paths."""
    return {
        path: content
        for (kind, _), one in place.org.metadata.truth().items()
        if kind == "Dashboard"
        for path, content in one.files
    }


def test_they_run_as_the_successor_and_are_put_back(place: Office) -> None:
    before, whose = held(place), runners(place)
    plan = planned(place)
    heir = person(place, -1)
    texts = {one.text for one in run_as(plan)}
    old = place.rows("User", Id=person(place, CASES))[0]["Username"]
    new = place.rows("User", Id=heir)[0]["Username"]
    assert (
        f"Let the dashboard Cases & <returns> (folder Weekly) run as {new} instead of {old}"
        in texts
    )
    assert {one.user_id for one in run_as(plan)} == {person(place, n) for n in (SALES, TEAM, CASES)}
    done = place.apply(plan)
    assert done.complete, done.failed
    changed = {title for title, user in runners(place).items() if user != whose[title]}
    assert changed == {"Sales this quarter", "My team", "Cases & <returns>"}
    assert all(runners(place)[title] == heir for title in changed)
    for path, content in held(place).items():
        if content != before[path]:  # one element and nothing else, not even the same name in it
            assert content.count(str(new).encode()) == 1
            element = b"<runningUser>" + str(new).encode() + b"</runningUser>"
            start, _, rest = before[path].partition(b"<runningUser>")
            assert content == start + element + rest.partition(b"</runningUser>")[2]
    left = remains(place.client(), plan)
    told = {one.user_id: one.dashboards for one in left.people}
    assert told == {person(place, n): int(n == PACKAGE) for n in range(7)}
    back = undoing.plan_back(done.journal, plan, datetime.now(UTC), (place.org.user_id, "a")).plan
    shown = [one for one in rehearse(place.client(), back, freeze_only=False)
             if one.path == "/metadata/deployRequest"]  # fmt: skip
    assert sum(len(one.body) for one in shown) == 3, "they will be active by then"
    undone = place.apply(back, "undo.jsonl")
    assert undone.complete, undone.failed
    assert (held(place), runners(place)) == (before, whose)


def test_without_leave_each_is_named_and_nothing_is_changed(place: Office) -> None:
    plan = planned(place, lift=())
    assert run_as(plan) == []
    told = {one.text for one in plan.hazards if one.code == "dashboards"}
    assert len(told) == 5 and not any("Everybody's own" in one for one in told)
    heir = place.rows("User", Id=person(place, -1))[0]["Username"]
    for title, why in {
        "Sales this quarter (folder Board Room)": f"--lift dashboards to let {heir} run it",
        "Health (folder Board Room)": "managed package",
        "Mine alone (folder Private Dashboards)": "private folder",
    }.items():
        assert [why in one for one in told if title in one] == [True]
    assert "dashboards" in {one.code for one in planned(place, PACKAGE).hazards}, "not lifted"
    alone = planned(place, SALES)
    assert "--accept-dashboards" not in {one.flag for one in alone.hazards}
    assert [one.flag for one in alone.hazards if one.code == "dashboards_change"] == [""]


def test_somebody_else_than_the_heir_may_be_named(place: Office) -> None:
    plan = planned(place, objects={"Dashboard": person(place, -2)})
    assert {one.after["RunningUserId"] for one in run_as(plan)} == {person(place, -2)}
    assert place.apply(plan).complete
    assert runners(place)["My team"] == person(place, -2)


def test_what_the_metadata_api_does_not_list_stays_a_hazard(place: Office) -> None:
    place.org.metadata.components.removed.add(("Dashboard", "Board_Room/Sales_Quarter"))
    plan = planned(place, SALES)
    assert run_as(plan) == []
    [one] = [one for one in plan.hazards if one.code == "dashboards"]
    assert "does not list it" in one.text


def test_an_org_that_lists_without_ids(place: Office) -> None:
    added = place.org.metadata.components.added
    added[:] = [replace(one, id="") if one.is_folder else one for one in added]
    plan = planned(place, TEAM, CASES)
    assert len(run_as(plan)) == 2
    named = dashboards.located(
        place.client(),
        [dashboards.Board(s.record_id, "", "", "", f, "", "") for s in run_as(plan)
         for f in {str(r["FolderId"]) for r in place.rows("Dashboard", Id=s.record_id)}],
    )  # fmt: skip
    assert set(named.values()) == {"Board_Room/Weekly/My_Team", "Board_Room/Weekly/Cases_Returns"}


def test_who_may_not_list_them_is_told(place: Office) -> None:
    place.org.metadata.unlistable.add("Dashboard")
    plan = planned(place, SALES)
    assert run_as(plan) == []
    assert any("where dashboards lie could not be read" in one for one in plan.unknown)


def test_one_that_somebody_gave_to_another_is_left_alone(place: Office) -> None:
    plan = planned(place, SALES, CASES)
    done = place.apply(plan)
    assert done.complete, done.failed
    other = person(place, -3)
    [row] = [n for n, r in enumerate(place.org.truth("Dashboard"))
             if r["Title"] == "Sales this quarter"]  # fmt: skip
    place.org.update_rows("Dashboard", [row], {"RunningUserId": other})
    back = undoing.plan_back(done.journal, plan, datetime.now(UTC), (place.org.user_id, "a")).plan
    undone = place.apply(back, "undo.jsonl")
    assert [one.code for one in undone.failed] == ["CHANGED"]
    assert runners(place)["Sales this quarter"] == other
    assert runners(place)["Cases & <returns>"] == person(place, CASES)


def test_a_plan_is_stale_when_one_runs_as_another_by_now(place: Office) -> None:
    plan = planned(place, SALES)
    place.org.update_rows("Dashboard", [0], {"RunningUserId": person(place, -3)})
    with pytest.raises(Exception, match=r"Sales this quarter.*no longer as planned"):
        place.apply(plan)
    assert place.org.writes.log == []


def test_an_edit_of_the_dashboard_since_the_plan_is_kept(place: Office) -> None:
    plan = planned(place, SALES)
    added = place.org.metadata.components.added
    [spot] = [n for n, one in enumerate(added) if one.full_name == "Board_Room/Sales_Quarter"]
    [(path, content)] = added[spot].files
    edited = content.replace(b"#FFFFFF", b"#00FF00")
    added[spot] = replace(added[spot], files=((path, edited),))
    assert place.apply(plan).complete
    assert held(place)[path].count(b"#00FF00") == 2
    assert runners(place)["Sales this quarter"] == person(place, -1)


def test_a_file_that_names_another_than_its_row_is_not_touched(place: Office) -> None:
    plan = planned(place, SALES, CASES)
    added = place.org.metadata.components.added
    [spot] = [n for n, one in enumerate(added) if one.full_name == "Board_Room/Sales_Quarter"]
    [(path, content)] = added[spot].files
    before, _, rest = content.partition(b"<runningUser>")
    gone = before + rest.partition(b"</runningUser>")[2]
    added[spot] = replace(added[spot], files=((path, gone),))
    done = place.apply(plan)
    assert [(one.code, "does not say" in one.message) for one in done.failed] == [("CHANGED", True)]
    assert held(place)[path] == gone
    assert runners(place)["Cases & <returns>"] == person(place, -1)


def test_nobody_inactive_is_put_in_and_the_deployer_never_by_accident(place: Office) -> None:
    """Salesforce takes the deploying user where the file names nobody valid."""
    plan = planned(place, SALES, CASES, objects={"Dashboard": person(place, -2)})
    assert place.org.employed is not None
    place.org.update_rows("User", [place.org.employed.people[-2]], {"IsActive": "false"})
    client = place.client()
    for one in dashboards.run_as(client, run_as(plan)):
        assert (one.ok, one.code) == (False, "INACTIVE_USER")
    assert place.org.writes.log == []


@pytest.mark.parametrize("lost", [False, True])
def test_whom_the_org_did_not_take_is_put_back(
    place: Office, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """The heir becomes inactive after the look and before the deployment."""
    plan = planned(place, SALES)
    assert place.org.employed is not None
    rows = {one: place.org.employed.people[n] for one, n in (("heir", -1), ("leaver", SALES))}
    looked = dashboards.files

    def late(*given: object) -> object:
        found = looked(*given)  # type: ignore[arg-type]
        place.org.update_rows("User", [rows["heir"]], {"IsActive": "false"})
        if lost:  # so that nothing can be put back either
            place.org.update_rows("User", [rows["leaver"]], {"IsActive": "false"})
        return found

    monkeypatch.setattr(dashboards, "files", late)
    [outcome] = dashboards.run_as(place.client(), run_as(plan))
    assert (outcome.ok, outcome.code) == (False, "NOT_TAKEN")
    assert ("ANOTHER RUNNING USER NOW" in outcome.message) == lost
    expected = place.org.user_id if lost else person(place, SALES)
    assert runners(place)["Sales this quarter"] == expected


def test_an_org_that_refuses_them_says_so_and_the_others_go_on(tmp_path: Path) -> None:
    with office(
        tmp_path, rows=60, staff=STAFF, doubts=Doubts(unknown_running_user_refused=True)
    ) as place:
        place.org.metadata.polls = 0
        plan = planned(place, SALES, CASES)
        steps = run_as(plan)
        made = dashboards.files(place.client(), steps)
        spoilt = {
            one.id: replace(made[one.id], after=made[one.id].after.replace(b".example<", b".no<"))
            if n == 0 else made[one.id]
            for n, one in enumerate(steps)
        }  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dashboards, "files", lambda *_: spoilt)
            first, second = dashboards.run_as(place.client(), steps)
        assert (first.ok, first.code) == (
            False,
            "DEPLOY_REFUSED",
        ) and "runningUser" in first.message
        assert second.ok


def test_killed_at_any_request_it_ends_alike_and_nothing_goes_twice(tmp_path: Path) -> None:
    ends = set()
    for due in (1, 2):
        for after in (False, True):
            with office(tmp_path / f"{due}{after}", rows=60, staff=STAFF) as place:
                place.folder.mkdir()
                place.org.metadata.polls = 0
                plan = planned(place, SALES, TEAM, CASES)
                plan = replace(plan, steps=tuple(run_as(plan)), transfers=())
                Mortal.sent, Mortal.dies_at, Mortal.after = 0, due, after
                try:
                    place.apply(plan, client=place.client(Mortal))
                except Killed:
                    place.apply(plan)
                ends.add((tuple(sorted(runners(place).items())), len(place.org.writes.log)))
                assert {one.id for one in place.org.writes.log} == {
                    one.record_id for one in plan.steps
                }
    assert [changes for _, changes in ends] == [3]


def test_a_rehearsal_shows_the_files(place: Office) -> None:
    plan = planned(place, SALES, CASES)
    shown = [one for one in rehearse(place.client(), plan, freeze_only=False)
             if one.path == "/metadata/deployRequest"]  # fmt: skip
    heir = place.rows("User", Id=person(place, -1))[0]["Username"]
    assert [sorted(one.body) for one in shown] == [
        ["dashboards/Board_Room/Sales_Quarter.dashboard"],
        ["dashboards/Board_Room/Weekly/Cases_Returns.dashboard"],
    ] or [sorted(one.body) for one in shown] == [
        ["dashboards/Board_Room/Sales_Quarter.dashboard",
         "dashboards/Board_Room/Weekly/Cases_Returns.dashboard"],
    ]  # fmt: skip
    assert all(f"<runningUser>{heir}</runningUser>" in text
               for one in shown for text in one.body.values())  # fmt: skip
    assert place.org.writes.log == []


def test_jobs_are_named_with_where_to_end_them(place: Office) -> None:
    told = [one.text for one in planned(place, 0, lift=()).hazards if one.code == "jobs"
            and one.object == "CronTrigger"]  # fmt: skip
    assert len(told) == 1
    assert "Nightly clean-up (scheduled Apex)" in told[0] and "Setup > Scheduled Jobs" in told[0]
