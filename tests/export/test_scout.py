"""Looking ahead by composite requests: the same archive for few calls, whatever goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from rig import Rig, archive_rows, ledger_of, problems_of_bag

from sfexit.catalog import ObjectEntry
from sfexit.errors import Interrupted, Paused, QuotaSpent
from sfexit.export import scout
from sfexit.salesforce import describe as describing
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment
from sfexit.simulated_org.catalogue import standard_objects

NEVER = threading.Event()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig(rows=1500, objects=standard_objects(), bulk_page_rows=200, rest_page_rows=2000)


def assert_like_the_org(rig: Rig, result: Any) -> None:
    bag = result.bag.path
    assert problems_of_bag(bag) == []
    lines = ledger_of(bag)
    assert set(lines) == set(rig.org.objects)
    for line in lines.values():
        assert line.outcome != "failed", line
        if line.outcome == "exported":
            assert archive_rows(bag, line.object) == rig.given(line.object), line.object
    assert rig.server.crashes == []


def requests_to(rig: Rig, part: str) -> int:
    return sum(part in entry.path for entry in rig.server.requests)


def requests_refused(rig: Rig) -> int:
    """Files that were asked for and are in the recycle bin."""
    return sum(one.status == 404 and one.path.count("/") >= 7 for one in rig.server.requests)


def test_the_same_archive_for_a_quarter_of_the_calls(
    rig: Rig, make_rig: Callable[..., Rig]
) -> None:
    ahead = rig.run(tuning=rig.tuning(bulk_from_rows=2000))
    assert_like_the_org(rig, ahead)
    plain = make_rig(rows=1500, objects=standard_objects(), rest_page_rows=2000)
    alone = plain.run(tuning=plain.tuning(scout=False, bulk_from_rows=2000))
    assert_like_the_org(plain, alone)
    # Files, definitions and metadata cost the same by either road.
    same = ahead.files_fetched + requests_refused(rig) + requests_to(rig, "/services/Soap/")
    same += requests_to(rig, "/analytics/")
    assert (ahead.calls - same) * 4 < alone.calls - same
    one, other = ledger_of(ahead.bag.path), ledger_of(alone.bag.path)  # type: ignore[union-attr]
    assert {n: (x.outcome, x.rows) for n, x in one.items()} == {
        n: (x.outcome, x.rows) for n, x in other.items()
    }
    assert requests_to(rig, "/describe") <= 1  # the preflight asks for one of its own


FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("status", {"status": 503}),
    ("status", {"code": 500}),
    ("gzip_short", {}),
    ("bit_flip", {}),
    ("reset", {"after": 200}),
    ("close_short", {}),
    ("html", {}),
    ("empty", {}),
    ("session_expired", {"really": False}),
    ("concurrent", {}),
]


@pytest.mark.parametrize(("kind", "more"), FAULTS, ids=[kind for kind, _ in FAULTS])
def test_passing_faults_of_composites(rig: Rig, kind: str, more: dict[str, Any]) -> None:
    more = {"code": more.pop("status"), **more} if "status" in more else more
    if kind == "session_expired":
        rig.renewable()
    # Two refusals in a row would be a session that cannot be renewed.
    for nth in (3,) if kind == "session_expired" else (1, 3, 5):
        rig.fail(kind, "composite", nth=nth, **more)
    result = rig.run()
    assert rig.fired(kind)
    assert_like_the_org(rig, result)


def test_without_composites_everything_is_asked_for_alone(rig: Rig) -> None:
    rig.fail(
        "status", "composite", times=None, code=403, error_code="FUNCTIONALITY_NOT_ENABLED",
        message="composite is not enabled",
    )  # fmt: skip
    assert_like_the_org(rig, rig.run())
    assert requests_to(rig, "/describe") > 20


def test_a_spent_quota_stops_and_goes_on(rig: Rig) -> None:
    rig.fail("quota", "composite", nth=4, really=False)
    with pytest.raises(QuotaSpent):
        rig.run()
    assert_like_the_org(rig, rig.run())


def test_a_stop_between_two_requests(rig: Rig) -> None:
    stop = threading.Event()
    rig.org.after_calls(7, stop.set)
    with pytest.raises((Interrupted, Paused)):
        rig.run(stop=stop)
    assert_like_the_org(rig, rig.run())


def test_each_object_exactly_once_and_refusals_among_them(rig: Rig) -> None:
    with Client(credential_from_environment(rig.environment)) as client:
        _, entries = describing.describe_global(client)
        entries = (*entries, ObjectEntry("Nope__c", "not there"))
        found = list(scout.scout(client, entries, big=lambda e: e.name == "Task", stop=NEVER))
    assert sorted(entry.name for entry, _ in found) == sorted(entry.name for entry in entries)
    by_name = {entry.name: one for entry, one in found}
    assert by_name["Nope__c"] == scout.NOTHING
    assert by_name["Task"].describe and by_name["Task"].page is None
    vote = by_name["Vote"]
    assert vote.refusal is not None and vote.page is None
    account = by_name["Account"]
    assert account.page is not None
    assert account.page.total_size == len(rig.truth("Account"))
    assert account.columns[:2] == ("Id", "IsDeleted")
    assert by_name["Wide__c"].page is None  # too wide for an address
