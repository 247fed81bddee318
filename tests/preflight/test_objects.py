"""Objects that only EntityDefinition names: what becomes of each, and what lifts it."""

from __future__ import annotations

from typing import Any

import pytest

from sfexit.catalog import ObjectEntry
from sfexit.preflight.objects import hidden_objects
from sfexit.preflight.sight import CERTAIN, HELD, LIKELY, MISSING

SEEN = [ObjectEntry("Account", "Account", queryable=True)]


def one(
    name: str, *, view_all_data: str = MISSING, tooling: tuple[str, ...] = (), **more: Any
) -> tuple[Any, Any]:
    row = {"QualifiedApiName": name, "Label": f"The {name}", "IsQueryable": True, **more}
    hidden, spots = hidden_objects([row], SEEN, tooling=tooling, view_all_data=view_all_data)
    assert len(hidden) == 1
    assert len(spots) <= 1
    return hidden[0], spots[0] if spots else None


def test_what_is_visible_is_not_hidden_and_names_come_once() -> None:
    rows = [{"QualifiedApiName": name} for name in ("Account", "X__c", "X__c", "", None)]
    hidden, spots = hidden_objects(rows, SEEN, view_all_data=HELD)
    assert [h.name for h in hidden] == ["X__c"]
    assert [s.object for s in spots] == ["X__c"]


@pytest.mark.parametrize(
    ("name", "more", "permission", "certainty"),
    [
        ("Secret__c", {}, "View All Data", CERTAIN),
        ("Secret__c", {"view_all_data": HELD}, "Read on Secret__c", CERTAIN),
        ("Secret__c", {"DeploymentStatus": "InDevelopment"}, "Customize Application", CERTAIN),
        ("Setting__c", {"IsCustomSetting": True}, "View All Custom Settings", CERTAIN),
        ("Type__mdt", {}, "Customize Application", LIKELY),
        ("Knowledge__kav", {}, "Knowledge User", LIKELY),
        ("ChatterMessage", {}, "Manage Chatter Messages and Direct Messages", LIKELY),
        ("Quote", {}, "View All Data", LIKELY),
        ("Quote", {"view_all_data": HELD}, "Read on Quote", LIKELY),
    ],
)
def test_permission_that_lifts(
    name: str, more: dict[str, Any], permission: str, certainty: str
) -> None:
    hidden, spot = one(name, **more)
    assert hidden.outcome == "not_exported"
    assert hidden.remedy
    assert (spot.permission, spot.certainty) == (permission, certainty)
    assert spot.kind == "object_hidden"
    assert "describeGlobal" in spot.evidence


@pytest.mark.parametrize(
    ("name", "more", "outcome", "words"),
    [
        ("AccountChangeEvent", {"IsQueryable": False}, "no_data", "change"),
        ("FieldDefinition", {}, "covered", "schema"),
        ("TraceFlag", {"tooling": ("TraceFlag",)}, "not_exported", "Tooling"),
        ("OldThing", {"IsDeprecatedAndHidden": True}, "not_exported", "retired"),
        ("FeedLike", {"IsQueryable": False}, "not_exported", "feeds of records"),
        ("Odd", {"IsQueryable": False}, "not_exported", "nobody"),
    ],
)
def test_no_blind_spot_where_no_permission_helps(
    name: str, more: dict[str, Any], outcome: str, words: str
) -> None:
    hidden, spot = one(name, **more)
    assert spot is None
    assert hidden.outcome == outcome
    assert words in hidden.reason
    assert hidden.evidence


def test_server_text_is_made_safe() -> None:
    hidden, spot = one("Bad\x1b[2J__c", Label="La\u202ebel\n")
    assert hidden.label == "Label"
    assert "\x1b" not in spot.what + spot.remedy
