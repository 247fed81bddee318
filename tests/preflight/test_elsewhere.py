"""Signs of data outside the org: seen, not seen, unknown."""

from __future__ import annotations

from typing import Any

import pytest

from sfexit.catalog import ObjectEntry
from sfexit.preflight.elsewhere import NOT_SEEN, PLACES, SEEN, UNKNOWN, Evidence, Sign, signs

NOTHING = Evidence({}, frozenset(), (), (), {})


def state(place: str, evidence: Evidence = NOTHING, *names: str, **limits: Any) -> Sign:
    entries = [ObjectEntry(name, name) for name in names]
    [found] = [s for s in signs(evidence, entries, limits) if s.place.startswith(place)]
    return found


def test_nothing() -> None:
    found = signs(NOTHING, [], {})
    assert {sign.state for sign in found} == {NOT_SEEN}
    assert len(found) == len(PLACES) + 2
    assert all(sign.holds and sign.action for sign in found)


@pytest.mark.parametrize(
    ("place", "licence"),
    [
        ("Einstein Activity Capture", "Einstein Activity Capture Standard"),
        ("Account Engagement", "Pardot"),
        ("CRM Analytics", "CRM Analytics Plus"),
        ("Data 360", "Data Cloud"),
    ],
)
def test_licences(place: str, licence: str) -> None:
    found = state(place, Evidence({licence: 3}, frozenset(), (), (), {}))
    assert found.state == SEEN
    assert found.evidence == (f"licence {licence}: 3 in use",)


@pytest.mark.parametrize(
    ("place", "namespace"), [("Marketing Cloud", "et4ae5"), ("Files kept", "dsfs")]
)
def test_packages(place: str, namespace: str) -> None:
    found = state(place, Evidence({}, frozenset({namespace}), (), (), {}))
    assert found.state == SEEN
    assert namespace in found.evidence[0]


@pytest.mark.parametrize(
    ("place", "name"), [("External objects", "Remote__x"), ("Data 360", "Unified__dlm")]
)
def test_objects(place: str, name: str) -> None:
    assert state(place, NOTHING, name).state == SEEN


def test_limits() -> None:
    untouched = {"AnalyticsExternalDataSizeMB": {"Max": 40960, "Remaining": 40960}}
    assert state("CRM Analytics", NOTHING, **untouched).state == NOT_SEEN
    used = {"AnalyticsExternalDataSizeMB": {"Max": 40960, "Remaining": 40000}}
    found = state("CRM Analytics", NOTHING, **used)
    assert found.evidence == ("960 of the allowance AnalyticsExternalDataSizeMB used",)


def test_sandboxes_and_storage() -> None:
    seen = Evidence({}, frozenset(), ("Share (contenthubSharepoint)",), ("Full", "Dev"), {})
    assert state("Sandboxes", seen).evidence == ("2 sandboxes: Full, Dev",)
    assert state("Connected storage", seen).state == SEEN


def test_what_could_not_be_asked_is_unknown() -> None:
    refused = {
        "UserLicense": "INVALID_TYPE",
        "SandboxInfo": "INVALID_TYPE",
        "ExternalDataSource": "HTTP 500",
    }
    evidence = Evidence({}, frozenset(), (), None, refused)
    assert state("CRM Analytics", evidence).state == UNKNOWN
    assert "INVALID_TYPE" in state("Sandboxes", evidence).evidence[0]
    assert state("Connected storage", evidence).state == UNKNOWN
    assert state("External objects", evidence, "A__x").state == SEEN  # a sign beats a doubt
