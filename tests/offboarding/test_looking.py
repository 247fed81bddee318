"""Many ids asked for in few calls, each address short enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfexit.errors import OrgRefused
from sfexit.offboarding import looking
from sfexit.offboarding.plan import soql_list
from sfexit.salesforce import composite, query
from sfexit.simulated_org import Staff
from tests.offboarding.running import office


def test_five_thousand_users_are_asked_for_in_four_calls(tmp_path: Path) -> None:
    with office(tmp_path, rows=300, staff=Staff(people=12, blockers=())) as place:
        ids = place.org.tables.tables["User"].ids
        wanted = [ids.at(n) for n in range(5_000)]
        client = place.client()
        assert client.version  # asked for once
        calls = place.org.calls
        found = {row["Id"] for row in looking.by_ids(client, "User", ["Username"], wanted)}
        assert found == {row["Id"] for row in place.rows("User")}
        assert place.org.calls - calls == 4
        longest = f"SELECT Id, Username FROM User WHERE Id IN {soql_list(wanted[: looking.IDS])}"
        assert query.uri_length(client, longest) < query.URI_LIMIT


def test_one_query_that_is_refused_is_told_and_the_others_are_not_lost(tmp_path: Path) -> None:
    with office(tmp_path, rows=300, staff=Staff(people=12, blockers=())) as place:
        good, bad = "SELECT Id FROM Profile", "SELECT Nothing__c FROM Profile"
        answers = looking.each(place.client(), [(good, False), (bad, False)])
        assert len(list(next(answers))) == 5
        with pytest.raises(OrgRefused, match="INVALID_FIELD"):
            list(next(answers))


def test_an_org_without_composite_requests_is_asked_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OrgRefused(404, "NOT_FOUND", "The requested resource does not exist")

    monkeypatch.setattr(composite, "ask", refuse)
    with office(tmp_path, rows=300, staff=Staff(people=12, blockers=())) as place:
        asked = [("SELECT Id FROM Profile", False), ("SELECT Id FROM UserRole", False)]
        assert [len(list(one)) for one in looking.each(place.client(), asked)] == [5, 3]
