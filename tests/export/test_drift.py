"""Fault 29: administrators change the org between the plan of an export and its end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from rig import Notes, Rig, ledger_of
from rig import problems_of_bag as problems

from sfexit.archive import layout
from sfexit.catalog import Description, Field
from sfexit.export.plan import Selection
from sfexit.preflight import Sight, drift
from sfexit.preflight.sight import Change
from sfexit.simulated_org.schema import make


class Meanwhile(Notes):
    """Does something when the last row has been read."""

    def __init__(self, *actions: Callable[[], None]) -> None:
        super().__init__()
        self.actions = list(actions)

    def phase(self, name: str) -> None:
        if name == "Looking for changes in the org":
            while self.actions:
                self.actions.pop()()


def described(*fields: tuple[str, str]) -> Description:
    return Description(
        name="Item__c",
        label="Item",
        fields=tuple(Field(name=name, label=name, type=kind) for name, kind in fields),
    )


def test_29_a_field_made_meanwhile_makes_its_object_incomplete(rig: Rig) -> None:
    rig.notes = Meanwhile(lambda: rig.org.add_field("Item__c", "Late__c string(80) gen=title"))
    result = rig.run()
    assert result.bag is not None
    bag = result.bag.path
    assert problems(bag) == []
    lines = ledger_of(bag)
    assert [line.object for line in result.incomplete] == ["Item__c"]
    line = lines["Item__c"]
    assert line.outcome == "exported"
    assert line.fields_not_exported["Late__c"] == "made after its rows were read"
    assert "Late__c" in line.reason and "--anew" in line.remedy
    again = Sight.from_json(json.loads((bag / layout.SIGHT).read_bytes()))
    assert again.changes == (
        Change("Item__c", "Late__c", "made after its rows were read", lost=True),
    )
    later = rig.run(anew=True)
    assert not later.incomplete


def test_29_a_field_removed_after_it_was_read_is_told_and_nothing_is_lost(rig: Rig) -> None:
    rig.notes = Meanwhile(lambda: rig.org.drop_field("Memo__c", "Body__c"))
    result = rig.run()
    assert not result.incomplete and result.bag is not None
    line = ledger_of(result.bag.path)["Memo__c"]
    assert "Body__c removed from the org after it was read" in line.reason
    assert problems(result.bag.path) == []


def test_29_an_object_made_meanwhile_gets_its_line(rig: Rig) -> None:
    made = make("Late__c", "a09", "Name string(80) name", fixed=3)
    rig.notes = Meanwhile(lambda: rig.org.add_object(made, 3))
    result = rig.run()
    assert result.bag is not None
    line = ledger_of(result.bag.path)["Late__c"]
    assert (line.outcome, line.reason) == ("not_exported", drift.NEW_OBJECT)
    assert "--anew" in line.remedy
    assert {line.object for line in result.incomplete} == {"Late__c"}
    assert problems(result.bag.path) == []


def test_29_who_named_the_objects_wants_no_new_ones(rig: Rig) -> None:
    made = make("Late__c", "a09", "Name string(80) name", fixed=3)
    rig.notes = Meanwhile(lambda: rig.org.add_object(made, 3))
    result = rig.run(selection=Selection(frozenset({"Item__c"})))
    assert result.bag is not None
    assert "Late__c" not in ledger_of(result.bag.path)


def test_29_an_object_that_vanished_with_its_rows_read_is_told(rig: Rig) -> None:
    rig.notes = Meanwhile(lambda: rig.org.remove_object("Memo__c"))
    result = rig.run()
    assert result.bag is not None
    line = ledger_of(result.bag.path)["Memo__c"]
    assert line.outcome == "exported" and "no longer be described" in line.reason
    assert not line.incomplete


def test_29_a_look_that_fails_stops_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Sight:
        raise TypeError("odd")

    monkeypatch.setattr("sfexit.preflight.look_again", broken)
    result = rig.run()
    assert not result.incomplete
    assert rig.notes.said("was not checked")


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ([("Id", "id"), ("A", "string")], []),
        ([("Id", "id"), ("A", "double")], [("A", True)]),
        ([("Id", "id"), ("A", "string"), ("B", "base64")], []),  # files travel by another road
        ([("Id", "id"), ("A", "string"), ("B", "int")], [("B", True)]),
        ([("Id", "id")], [("A", False)]),
    ],
)
def test_what_counts_as_a_change(
    now: Sequence[tuple[str, str]], found: list[tuple[str, bool]]
) -> None:
    before = described(("Id", "id"), ("A", "string"))
    changes = drift.changed(before, described(*now))
    assert [(one.field, one.lost) for one in changes] == found
