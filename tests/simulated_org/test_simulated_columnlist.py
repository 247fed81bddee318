"""`columns=true`: what a query would select, as the Salesforce CLI asks before it prints rows."""

from __future__ import annotations

from typing import Any

import pytest
from simulated_client import Client, refused

from sfexit.simulated_org import SimulatedOrg, serve


@pytest.fixture(scope="module")
def lively() -> Any:
    with serve(SimulatedOrg(rows=500)) as server:
        yield Client(server)
        assert server.crashes == []


def columns(client: Any, soql: str) -> Any:
    return client.get("query", params={"q": soql, "columns": "true"})


def test_fields_parents_and_aggregates(lively: Any) -> None:
    told = columns(lively, "SELECT Id, Account.Owner.Name, Account.Name FROM Contact").json()
    assert (told["entityName"], told["idSelected"], told["keyPrefix"]) == ("Contact", True, "003")
    first, parent = told["columnMetadata"]
    assert first["columnName"] == "Id" and first["joinColumns"] == []
    assert parent["columnName"] == "Account"
    owner, name = parent["joinColumns"]
    assert [owner["columnName"], owner["joinColumns"][0]["columnName"]] == ["Owner", "Name"]
    assert name["columnName"] == "Name"
    counted = columns(lively, "SELECT COUNT(Id), MAX(CreatedDate) newest FROM Contact").json()
    assert [(c["columnName"], c["aggregate"]) for c in counted["columnMetadata"]] == [
        ("expr0", True),
        ("newest", True),
    ]


def test_a_wrong_statement_is_refused_as_ever(lively: Any) -> None:
    refused(columns(lively, "SELECT Nope FROM Contact"), 400, "INVALID_FIELD")
