"""What a look at the org adds to the ledger."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sfexit.archive.ledger import LedgerLine
from sfexit.preflight import (
    BlindSpot,
    HiddenObject,
    Permission,
    Sight,
    annotate,
    ledger_lines,
    refusals_for_strict,
)

HELD = Permission("ViewAllData", "View All Data", "rows", (), "always", "held", "")
CLEAR = Sight("005", (HELD,), ())
LINE = LedgerLine("Account", "Account", "exported", route="rest", rows=3)


def spot(kind: str, owner: str, field: str = "", certainty: str = "certain") -> BlindSpot:
    return BlindSpot(
        kind, owner, field, f"{kind} of {owner}", "View X", "give X", "seen", certainty
    )


def test_nothing_hidden_changes_nothing() -> None:
    assert annotate(LINE, CLEAR) is LINE
    assert CLEAR.clear
    assert refusals_for_strict(CLEAR) == []


def test_hidden_field() -> None:
    found = annotate(LINE, replace(CLEAR, blind_spots=(spot("field_hidden", "Account", "S__c"),)))
    assert found.fields_not_exported == {"S__c": "hidden from this user"}
    assert "1 fields are hidden" in found.reason
    assert found.remedy.startswith("give X; ")
    assert found.incomplete
    assert found.rows == 3


def test_what_stood_there_stays() -> None:
    line = replace(
        LINE, reason="old", evidence="older", remedy="do", fields_not_exported={"A": "b"}
    )
    found = annotate(line, replace(CLEAR, blind_spots=(spot("masked", "Account"),)))
    assert found.reason.startswith("old; ")
    assert found.evidence.startswith("older; ")
    assert found.remedy.startswith("do; ")
    assert found.fields_not_exported == {"A": "b"}


def test_unknown_is_named_and_asks_for_nothing() -> None:
    sight = replace(CLEAR, blind_spots=(spot("policy", "Account", certainty="unknown"),))
    found = annotate(LINE, sight)
    assert "not checked" in found.reason
    assert not found.incomplete
    unchecked = annotate(LINE, replace(CLEAR, fields_unchecked={"Account": "refused"}))
    assert "refused" in unchecked.reason
    assert not unchecked.incomplete


@pytest.mark.parametrize("outcome", ["exported", "empty"])
def test_rows_hidden_without_view_all_data(outcome: str) -> None:
    missing = replace(HELD, state="missing")
    sight = Sight("005", (missing,), (spot("rows_hidden", "", certainty="likely"),))
    line = replace(LINE, outcome=outcome)
    assert annotate(line, sight).incomplete
    with_view_all = replace(sight, all_rows_of=frozenset({"Account"}))
    assert annotate(line, with_view_all) is line


@pytest.mark.parametrize("outcome", ["no_data", "covered", "not_exported"])
def test_other_outcomes_are_left_alone(outcome: str) -> None:
    line = replace(LINE, outcome=outcome, rows=None)
    sight = replace(CLEAR, blind_spots=(spot("masked", "Account"),))
    assert annotate(line, sight) is line


def test_lines_of_hidden_objects() -> None:
    hidden = HiddenObject("S__c", "Secret", True, "not_exported", "why", "seen", "give X")
    [line] = ledger_lines(replace(CLEAR, hidden_objects=(hidden,)))
    assert line == LedgerLine(
        "S__c", "Secret", "not_exported", reason="why", evidence="seen", remedy="give X"
    )
    assert line.incomplete


def test_strict_says_each_reason_once() -> None:
    spots = (
        *(spot("field_hidden", f"O{i}", "F__c") for i in range(3)),
        spot("policy", "", certainty="unknown"),
    )
    first, second = refusals_for_strict(replace(CLEAR, blind_spots=spots))
    assert "(and 2 more): give X." in first
    assert second.startswith("could not be checked: ")


def test_sight_as_json_and_back() -> None:
    sight = replace(
        CLEAR,
        blind_spots=(spot("masked", "Account", "F"),),
        hidden_objects=(HiddenObject("S", "S", None, "no_data", "", "", ""),),
        all_rows_of=frozenset({"A"}),
        fields_checked=frozenset({"B"}),
        fields_unchecked={"C": "why"},
        known_permissions=frozenset({"ViewAllData"}),
        dependencies={"A": ("B",)},
        api_calls=7,
    )
    assert Sight.from_json(json.loads(json.dumps(sight.as_json()))) == sight


@pytest.mark.parametrize("document", [{}, {"schema": "other/1"}, {"schema": "sfexit-sight/1"}])
def test_other_documents_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="sfexit-sight"):
        Sight.from_json(document)
