"""Blockers in metadata files: lifted by a deployment, and put back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.offboarding import planning, steps, undoing
from sfexit.offboarding.files import CONTENT, rewritten
from sfexit.offboarding.flags import FLAGS, IN_FILES, LIFTED
from sfexit.offboarding.plan import Plan
from sfexit.offboarding.successors import Rules
from sfexit.offboarding.wanted import Leaver, Wanted
from sfexit.simulated_org import Staff
from tests.offboarding.running import Office, office

STAFF = Staff(people=14, things=1, blockers=LIFTED)


def planned(place: Office, lift: tuple[str, ...] = LIFTED) -> Plan:
    place.org.metadata.polls = 0
    assert place.org.employed is not None
    people = place.org.employed.people
    return planning.make(
        place.client(),
        Wanted(tuple(Leaver(place.user(row)) for row in people[:-1])),
        Rules(fallback=place.user(people[-1])),
        planning.Options(accepted=tuple(flag for flag, _ in FLAGS.values()), lift=lift),
    )


def files(place: Office) -> dict[tuple[str, str], object]:
    return {key: one.files for key, one in place.org.metadata.truth().items()}


def test_every_blocker_in_a_file_is_lifted_and_put_back(tmp_path: Path) -> None:
    with office(tmp_path, rows=400, staff=STAFF) as place:
        before = files(place)
        plan = planned(place)
        assert {one.code for one in plan.blockers if one.step} == set(LIFTED)
        deploys = [one for one in plan.steps if one.kind == "deploy"]
        assert {one.record_id for one in deploys} == {
            "settings/Case.settings", "assignmentRules/Case.assignmentRules",
            "assignmentRules/Lead.assignmentRules", "workflows/Opportunity.workflow",
            "autoResponseRules/Case.autoResponseRules", "escalationRules/Case.escalationRules",
        }  # fmt: skip
        done = place.apply(plan)
        assert done.complete, done.failed
        changed = {key for key, held in files(place).items() if held != before[key]}
        assert len(changed) == len(deploys)
        runner = (place.org.user_id, "admin")
        back = undoing.plan_back(done.journal, plan, datetime.now(UTC), runner).plan
        undone = place.apply(back, "undo.jsonl")
        assert undone.complete, undone.failed
        assert files(place) == before


def test_without_leave_they_are_told_and_nothing_is_deployed(tmp_path: Path) -> None:
    with office(tmp_path, rows=400, staff=STAFF) as place:
        plan = planned(place, lift=("case_assignment",))
        assert [one.record_id for one in plan.steps if one.kind == "deploy"] == [
            "assignmentRules/Case.assignmentRules"
        ]
        fixes = {one.code: one.fix for one in plan.blockers if one.seen and not one.step}
        assert all(f"plan with --lift {code}" in fixes[code] for code in IN_FILES & set(fixes))


def test_a_file_that_somebody_edited_is_left_alone(tmp_path: Path) -> None:
    with office(tmp_path, rows=400, staff=STAFF) as place:
        plan = planned(place, lift=("case_assignment",))
        [step] = [one for one in plan.steps if one.kind == "deploy"]
        added = place.org.metadata.components.added
        place_of = next(n for n, one in enumerate(added) if step.record_id in dict(one.files))
        held = dict(added[place_of].files)[step.record_id]
        from dataclasses import replace

        edited = ((step.record_id, held.replace(b"Standard", b"Theirs")),)
        added[place_of] = replace(added[place_of], files=edited)
        assert steps.state(place.client(), [step]) == {step.id: steps.ODD}
        with pytest.raises(Exception, match="no longer as planned"):
            place.apply(plan)
        assert place.org.writes.log == []


def test_a_deployment_that_the_org_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    with office(tmp_path, rows=400, staff=STAFF) as place:
        plan = planned(place, lift=("workflow_task",))
        [step] = [one for one in plan.steps if one.kind == "deploy"]
        assert place.org.employed is not None
        place.org.update_rows("User", [place.org.employed.people[8]], {"IsActive": "false"})
        names = place.rows("User", IsActive="false")
        told = [one for one in names if str(one["Username"]) in (step.before[CONTENT] or "")]
        assert told  # an alert of the same file still names this one
        outcome = steps._send(place.client(), "deploy", "Workflow", [step])[0]
        assert not outcome.ok and outcome.code == "DEPLOY_REFUSED"
        assert f"no User named {told[0]['Username']} found" in outcome.message
        assert place.org.writes.log == []


NAMES = st.text(st.sampled_from("ab&<'.@é"), min_size=1, max_size=6).map(str.strip).filter(bool)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["u", "v"]), NAMES), max_size=6), NAMES, NAMES)
def test_only_whole_texts_in_the_wanted_places_change(
    leaves: list[tuple[str, str]], old: str, new: str
) -> None:
    from xml.etree import ElementTree
    from xml.sax.saxutils import escape

    inner = "".join(f"<{tag}> {escape(text)} </{tag}><!-- > -->" for tag, text in leaves)
    content = f'<?xml version="1.0"?>\n<R xmlns="x">{inner}<e/></R>'.encode()
    text, hit = rewritten(content, {old: new}, lambda path, _: path == "u")
    tree = ElementTree.fromstring(text)
    found = [(one.tag.removeprefix("{x}"), (one.text or "").strip()) for one in tree][:-1]
    wanted = [(tag, new if (tag, told) == ("u", old) else told) for tag, told in leaves]
    assert found == wanted
    assert bool(hit) == (("u", old) in leaves)
    if not hit:
        assert text.encode() == content
