"""What the running user cannot see: in the ledger, in the archive, and as a reason not to begin."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rig import Rig, archive_rows, assert_complete, journal_events, ledger_of
from rig import problems_of_bag as problems

from sfexit.archive import layout
from sfexit.archive.ledger import LedgerLine
from sfexit.errors import Blocked, Paused, QuotaSpent, SessionLost
from sfexit.export import seeing
from sfexit.export.means import Means
from sfexit.export.plan import Selection
from sfexit.preflight import Sight, rights
from sfexit.preflight.sight import BlindSpot
from sfexit.reports import export as report
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.visibility import SimulatedUser, clerk

NAMES = (
    "Organization", "User", "Account", "Contact", "Opportunity", "Empty__c", "AccountChangeEvent",
    "Profile", "EntityDefinition", "FieldDefinition", "EntityParticle", "PermissionSet",
    "PermissionSetAssignment", "UserPermissionAccess", "ObjectPermissions",
    "FieldPermissions", "TransactionSecurityPolicy",
)  # fmt: skip


@pytest.fixture
def crm(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig(objects=[one for one in standard_objects() if one.name in NAMES], seed=7)


@pytest.fixture
def in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look is over before the first row is asked for."""

    def at_once(_: Means, work: Callable[[], None]) -> Future[None]:
        work()
        done: Future[None] = Future()
        done.set_result(None)
        return done

    monkeypatch.setattr(Means, "aside", at_once)


def sign_in(rig: Rig, user: SimulatedUser) -> None:
    rig.environment["SFEXIT_ACCESS_TOKEN"] = rig.org.sign_in(user)


def sight_of(bag: Path) -> Sight:
    return Sight.from_json(json.loads((bag / layout.SIGHT).read_bytes()))


def verdict(bag: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-I", bag / "data/tools/verify.py"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def bag_of(result: Any) -> Path:
    assert result.bag is not None
    path: Path = result.bag.path
    assert problems(path) == []
    assert "INTACT" in verdict(path)
    return path


# ---- who sees everything -------------------------------------------------------------------------


def test_who_sees_everything_has_nothing_to_read_about_it(crm: Rig) -> None:
    result = crm.run(strict=True)
    bag = bag_of(result)
    assert not result.incomplete
    assert result.sight is not None
    assert result.sight.clear
    assert sight_of(bag) == result.sight
    assert set(ledger_of(bag)) == set(crm.org.objects)
    assert not any("hidden" in line.reason for line in result.lines)
    text = "\n".join(report.summary(result))
    assert "cannot see" not in text
    assert report.document(result)["sight"]["clear"] is True
    assert crm.run().sight == result.sight  # nothing to do, and still told


def test_strict_stops_where_files_of_others_are_hidden(make_rig: Callable[..., Rig]) -> None:
    names = (*NAMES, "ContentDocument", "ContentVersion")
    rig = make_rig(objects=[one for one in standard_objects() if one.name in names], seed=7)
    sign_in(rig, SimulatedUser("No library of others", query_all_files=False))
    with pytest.raises(Blocked, match="Query All Files"):
        rig.run(strict=True)
    assert not (rig.root / "bags").exists()
    sign_in(rig, SimulatedUser("All of them"))
    assert rig.run(strict=True).bag is not None


def test_the_look_takes_few_calls(crm: Rig) -> None:
    result = crm.run()
    assert result.sight is not None
    assert 0 < result.sight.api_calls < 20
    assert crm.org.objects
    counts = [one for one in crm.server.requests if one.path.endswith("/limits/recordCount")]
    assert len(counts) == 1


# ---- what is hidden ------------------------------------------------------------------------------


def test_hidden_objects_are_lines_and_hidden_fields_name_their_permission(crm: Rig) -> None:
    sign_in(
        crm,
        SimulatedUser(
            "Nearly",
            view_all_fields=False,
            hidden_objects=("Opportunity", "Empty__c"),
            hidden_fields={"Account": ("Industry",)},
        ),
    )
    result = crm.run()
    lines = ledger_of(bag_of(result))
    assert set(lines) == set(crm.org.objects)
    for name in ("Opportunity", "Empty__c"):
        assert lines[name].outcome == "not_exported"
        assert "no read access" in lines[name].reason
        assert f"Read and View All Records on {name}" in lines[name].remedy
    account = lines["Account"]
    assert account.outcome == "exported"
    assert account.fields_not_exported["Industry"] == "hidden from this user"
    assert "View All Fields (Global)" in account.remedy
    assert len(archive_rows(bag_of(result), "Account")) == len(crm.truth("Account"))
    assert lines["AccountChangeEvent"].outcome == "no_data"
    incomplete = {line.object for line in result.incomplete}
    assert incomplete == {"Opportunity", "Empty__c", "Account"}
    text = "\n".join(report.summary(result))
    assert text.index("What this user cannot see") < text.index("Org  ")
    assert "View All Fields (Global)" in text
    assert "Account: partly exported" not in text  # said above, once
    told = report.document(result)["sight"]
    assert told["blind_spots"]["certain"] + told["blind_spots"]["likely"] >= 3
    assert json.loads(json.dumps(told)) == told


def test_rows_hidden_by_sharing_make_their_objects_incomplete(crm: Rig) -> None:
    sign_in(crm, clerk(own_rows_only=("Account", "Contact")))
    result = crm.run()
    lines = ledger_of(bag_of(result))
    assert lines["Account"].outcome in ("exported", "empty")
    assert "View All Data" in lines["Account"].remedy
    assert lines["Empty__c"].outcome == "empty"
    assert "View All Data" in lines["Empty__c"].remedy
    text = "\n".join(report.summary(result))
    assert text.startswith("INCOMPLETE")
    assert "View All Data" in text.partition("Org  ")[0]


@pytest.mark.parametrize("calls", [9, 20, 33])
def test_a_permission_removed_in_mid_run_hides_rows_and_is_named(crm: Rig, calls: int) -> None:
    """The queries that follow succeed and give fewer rows; no count of the org would tell."""
    user = SimulatedUser("Export", 3)
    token = crm.environment["SFEXIT_ACCESS_TOKEN"] = crm.org.sign_in(user)

    def take_away() -> None:
        less = replace(user, view_all_data=False, modify_all_data=False,
                       own_rows_only=("Account", "Contact", "Opportunity"))  # fmt: skip
        crm.org.change_user(token, less)

    crm.org.after_calls(calls, take_away)
    result = crm.run()
    bag = bag_of(result)
    lines = ledger_of(bag)
    for name in ("Account", "Contact", "Opportunity"):
        assert lines[name].incomplete and "View All Data" in lines[name].remedy
    sight = sight_of(bag)
    assert sight.state("ViewAllData") == "missing" and not sight.clear
    assert all("when this export began" in one.evidence for one in sight.blind_spots) or calls == 9
    assert "\n".join(report.summary(result)).startswith("INCOMPLETE")


def test_a_second_look_that_fails_is_not_taken_for_a_good_one(
    crm: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Sight:
        raise ValueError("an odd answer")

    monkeypatch.setattr("sfexit.preflight.rights_again", broken)
    result = crm.run()
    assert crm.notes.said("whether permissions were taken away was not checked")
    [spot] = sight_of(bag_of(result)).blind_spots
    assert spot.certainty == "unknown" and "ValueError" in spot.evidence


def test_permissions_that_the_org_does_not_tell_again_are_unknown(
    crm: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = rights.permissions

    def untold(*given: Any) -> Any:
        held, known = real(*given)
        return tuple(replace(one, state="unknown") for one in held), known

    monkeypatch.setattr(rights, "permissions", untold)
    [spot] = sight_of(bag_of(crm.run())).blind_spots
    assert spot.certainty == "unknown" and "View All Data" in spot.evidence


def test_what_is_by_design_no_data_stays_so_when_it_is_hidden(crm: Rig) -> None:
    sign_in(crm, SimulatedUser("Nearly", hidden_objects=("AccountChangeEvent",)))
    result = crm.run(strict=True)
    assert ledger_of(bag_of(result))["AccountChangeEvent"].outcome == "no_data"
    assert not result.incomplete


def test_hidden_objects_that_show_themselves_later_have_one_line() -> None:
    hidden = Sight.from_json(
        {**_empty().as_json(), "hidden_objects": [
            {"name": "Late__c", "label": "Late", "queryable": True, "outcome": "not_exported",
             "reason": "hidden", "evidence": "seen", "remedy": "do"},
        ]}
    )  # fmt: skip
    line = LedgerLine("Late__c", "Late", "exported", rows=1)
    assert seeing.ledger([line], hidden, ["Late__c"]) == (line,)
    [alone] = seeing.ledger([], hidden, [])
    assert (alone.object, alone.outcome) == ("Late__c", "not_exported")


# ---- --strict ------------------------------------------------------------------------------------


def test_strict_refuses_before_anything_is_made(crm: Rig) -> None:
    sign_in(crm, clerk(hidden_objects=("Opportunity",)))
    with pytest.raises(Blocked) as caught:
        crm.run(strict=True)
    for words in ("View All Data", "sfexit assess", "nothing was created"):
        assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert not crm.root.exists()


def test_strict_refuses_what_could_not_be_checked(rig: Rig) -> None:
    with pytest.raises(Blocked):
        rig.run(strict=True)  # this org has no list of its objects
    assert not rig.root.exists()


def test_strict_minds_only_the_objects_that_are_wanted(crm: Rig) -> None:
    sign_in(crm, SimulatedUser("Nearly", hidden_objects=("Opportunity",)))
    assert crm.run(strict=True, selection=Selection(frozenset({"Account"}))).bag
    with pytest.raises(Blocked):
        crm.run(strict=True, anew=True)


def test_strict_refuses_to_go_on_with_what_was_read_half_blind(crm: Rig) -> None:
    sign_in(crm, SimulatedUser("Nearly", hidden_objects=("Opportunity",)))
    crm.fail("session_expired", "queryall", nth=3)
    with pytest.raises(SessionLost):
        crm.run()
    sign_in(crm, SimulatedUser("Nearly", hidden_objects=("Opportunity",)))
    with pytest.raises(Blocked, match="begin anew"):
        crm.run(strict=True)
    assert crm.run().resumed  # progress is kept


# ---- going on ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_turn")
def test_a_run_that_goes_on_keeps_its_sight(crm: Rig) -> None:
    user = SimulatedUser("Nearly", hidden_objects=("Opportunity",))
    sign_in(crm, user)
    crm.fail("session_expired", "queryall", nth=3)
    with pytest.raises(SessionLost):
        crm.run()
    before = sight_of(crm.root / "work/bag")
    asked = len(crm.server.requests)
    sign_in(crm, user)
    result = crm.run()
    assert result.resumed
    assert result.sight == before
    assert sight_of(bag_of(result)) == before
    again = [one.path for one in crm.server.requests[asked:]]
    assert not any(path.endswith("/limits/recordCount") for path in again)
    assert ledger_of(bag_of(result))["Opportunity"].outcome == "not_exported"


@pytest.mark.usefixtures("in_turn")
def test_a_run_of_a_version_that_had_no_look_gets_one(crm: Rig) -> None:
    crm.fail("session_expired", "queryall", nth=3)
    with pytest.raises(SessionLost):
        crm.run()
    (crm.root / "work/bag" / layout.SIGHT).unlink()
    crm.environment["SFEXIT_ACCESS_TOKEN"] = crm.org.new_session()
    result = crm.run()
    assert sight_of(bag_of(result)).clear


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"schema": "sfexit-sight/1"}'])
def test_a_sealed_sight_that_cannot_be_understood_is_left_alone(crm: Rig, content: bytes) -> None:
    bag = bag_of(crm.run())
    (bag / layout.SIGHT).chmod(0o600)
    (bag / layout.SIGHT).write_bytes(content)
    again = crm.run()
    assert again.already_sealed
    assert again.sight is None


# ---- objects that seemed empty -------------------------------------------------------------------


def test_objects_that_seemed_empty_are_looked_at_before_the_seal(
    crm: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeing, "record_counts", lambda _: {"Contact": 5})
    sign_in(
        crm,
        SimulatedUser("Nearly", view_all_fields=False, hidden_fields={"Account": ("Industry",)}),
    )
    result = crm.run()
    assert result.sight is not None
    assert "Account" in result.sight.fields_checked
    assert "Account" not in result.sight.fields_later
    bag = bag_of(result)
    assert sight_of(bag) == result.sight
    assert "Industry" in ledger_of(bag)["Account"].fields_not_exported
    written = [one for one in journal_events(bag) if one.get("path") == layout.SIGHT]
    assert [one["event"] for one in written] == ["file", "file_lost", "file"]


def test_a_closer_look_that_costs_too_much_ends_as_unknown(
    crm: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeing, "record_counts", lambda _: {"Contact": 5})
    monkeypatch.setattr(seeing, "CLOSER_CALLS", 0)
    result = crm.run()
    assert result.sight is not None
    assert not result.incomplete
    line = ledger_of(bag_of(result))["Account"]
    assert "not checked: it would have taken more than 0 calls" in line.reason
    assert line.remedy == ""


# ---- looks that fail -----------------------------------------------------------------------------


def test_an_org_that_tells_nothing_is_exported_and_unknown(rig: Rig) -> None:
    result = rig.run()
    assert_complete(rig, result)
    assert result.sight is not None
    assert {spot.certainty for spot in result.sight.blind_spots} == {"unknown"}
    bag_of(result)
    lines = list(report.summary(result))
    assert lines[0].startswith("COMPLETE")
    assert "What could not be checked" in lines


@pytest.mark.parametrize(
    "fault", [ValueError("odd"), TypeError("odder"), RecursionError(), KeyError("x")]
)
def test_a_look_that_breaks_does_not_stop_an_export(
    crm: Rig, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise fault

    monkeypatch.setattr("sfexit.preflight.look", broken)
    result = crm.run()
    assert crm.notes.said("could not be checked")
    assert result.bag is not None
    assert not result.incomplete
    assert "not checked" in ledger_of(bag_of(result))["Account"].reason
    with pytest.raises(Blocked, match="could not be checked"):
        crm.run(strict=True, anew=True)


def test_a_closer_look_that_breaks_does_not_stop_an_export(
    crm: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise TypeError("odd")

    monkeypatch.setattr(seeing, "record_counts", lambda _: {"Contact": 5})
    monkeypatch.setattr("sfexit.preflight.look_closer_within", broken)
    result = crm.run()
    assert not result.incomplete
    assert "not checked" in ledger_of(bag_of(result))["Account"].reason


def test_an_org_that_vanishes_during_the_look_is_not_called_unknown(crm: Rig) -> None:
    crm.org.after_calls(8, crm.server.refuse_connections)
    with pytest.raises(Paused, match="Progress is kept"):
        crm.run()
    assert not (crm.root / "work/bag" / layout.SIGHT).exists()
    crm.server.accept_connections()
    result = crm.run()
    assert result.sight is not None
    assert result.sight.clear


def test_a_quota_spent_during_the_look_stops_the_run(crm: Rig) -> None:
    crm.fail("quota", "query", nth=1)
    with pytest.raises(QuotaSpent):
        crm.run()
    assert not (crm.root / "bags").exists()
    crm.org.restore_quota()
    assert not crm.run().incomplete


# ---- words ---------------------------------------------------------------------------------------


def _empty() -> Sight:
    return Sight("005", (), ())


def test_words_of_the_org_are_cleaned_in_the_refusal() -> None:
    spot = BlindSpot("rows_hidden", "", "", "rows", "Evil\x1b[31m\nlabel", "do", "", "certain")
    with pytest.raises(Blocked) as caught:
        seeing.refuse_blind_spots(replace(_empty(), blind_spots=(spot,)), Selection(), begun=False)
    assert not any(mark in caught.value.message for mark in "\x1b\n")
