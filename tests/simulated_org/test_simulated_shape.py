"""The shape of a grown org: 1,400 objects, their describes and their refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from simulated_client import Client, refused

from sfexit.simulated_org import SimulatedOrg, serve
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.listed import with_features
from sfexit.simulated_org.refusals import BIG, REIFIED

UNSUPPORTED = "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION"
BIG_REFUSAL = "BIG_OBJECT_UNSUPPORTED_OPERATION"


@pytest.fixture(scope="module")
def full() -> Iterator[Client]:
    with serve(SimulatedOrg(rows=3000, shape="full")) as server:
        yield Client(server)
        assert server.crashes == []


def test_numbers_are_those_of_a_real_org() -> None:
    standard = [o for o in with_features(standard_objects(), features=False) if not o.custom]
    assert len(standard) == 1294
    assert sum(o.queryable for o in standard) == 1121
    assert sum(o.queryable and not o.retrieveable for o in standard) == 73
    for suffix, count in (("Share", 120), ("History", 141), ("Feed", 132), ("ChangeEvent", 107)):
        assert sum(o.name.endswith(suffix) for o in standard) == count


def test_describe_global_and_packages(full: Any) -> None:
    listed = {o["name"]: o for o in full.get("sobjects").json()["sobjects"]}
    assert len(listed) > 1400
    assert listed["AccountHistory"]["associateEntityType"] == "History"
    assert listed["AccountHistory"]["associateParentEntity"] == "Account"
    assert {n.split("__")[0] for n in listed if n.count("__") == 2} == {"npsp", "inksign"}
    assert listed["npsp__Contacts_And_Orgs_Settings__c"]["customSetting"] is True
    assert "eventSchema" in listed["AccountChangeEvent"]["urls"]


def test_every_describe_is_plausible(full: Any) -> None:
    names = full.org.objects
    seen = 0
    for start in range(0, len(names), 25):
        parts = [
            {
                "method": "GET",
                "url": f"/services/data/v66.0/sobjects/{n}/describe",
                "referenceId": n,
            }
            for n in names[start : start + 25]
        ]
        answer = full.session.post(
            f"{full.server.url}/services/data/v66.0/composite",
            json={"compositeRequest": parts},
            headers=full.headers(),
            timeout=20,
        ).json()
        for part in answer["compositeResponse"]:
            body = part["body"]
            assert part["httpStatusCode"] == 200 and body["name"] == part["referenceId"]
            fields = [f["name"] for f in body["fields"]]
            assert len(set(fields)) == len(fields) and fields
            seen += 1
    assert seen == len(names)


def test_every_object_answers_as_its_kind(full: Any) -> None:
    """Every object either gives rows and counts, or refuses in a documented way, by both APIs."""
    org = full.org
    known = {
        "INVALID_TYPE_FOR_OPERATION",
        "MALFORMED_QUERY",
        "INVALIDENTITY",
        "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION",
        "EXTERNAL_OBJECT_EXCEPTION",
        "DATACLOUD_API_DISABLED_EXCEPTION",
        "UNKNOWN_EXCEPTION",
        "INVALID_FIELD",
        "API_ERROR",
    }
    good = 0
    for name in org.objects[::3]:
        o = org.sobject(name)
        first = o.fields[0].name
        rest = full.query(f"SELECT {first} FROM {name}", everything=True)
        bulk = full.create(f"SELECT {first} FROM {name}")
        for answer in (rest, bulk):
            if answer.status_code != 200:
                assert answer.json()[0]["errorCode"] in known, answer.text
        if rest.status_code == 200:
            good += 1
            assert rest.json()["totalSize"] == org.count(name)
            assert (bulk.status_code == 200) == o.bulk, name
    assert good > 350


@pytest.mark.parametrize(
    ("soql", "code", "text"),
    [
        ("SELECT Id FROM DatacloudCompany", "DATACLOUD_API_DISABLED_EXCEPTION", "Data.com API"),
        ("SELECT Id FROM DataStatistics", UNSUPPORTED, "StatType"),
        ("SELECT Id FROM FlexQueueItem", UNSUPPORTED, "JobType field"),
        ("SELECT Id FROM PlatformAction", UNSUPPORTED, "Getting all"),
        ("SELECT Id FROM UserAppMenuItem", "EXTERNAL_OBJECT_EXCEPTION", "field is of type number"),
        ("SELECT COUNT() FROM EventBusSubscriber", UNSUPPORTED, "COUNT"),
        ("SELECT Id FROM ContentFolderMember", "MALFORMED_QUERY", "equals operator"),
        ("SELECT Id FROM SiteDetail", "MALFORMED_QUERY", "[DurableId]"),
        ("SELECT Id FROM FeedLike", "INVALID_TYPE_FOR_OPERATION", "does not support query"),
        ("SELECT COUNT() FROM LoginEvent", BIG_REFUSAL, "Aggregate"),
        ("SELECT Id FROM LoginEvent WHERE UserId = null", BIG_REFUSAL, "index"),
        ("SELECT At__c FROM Telemetry__b WHERE At__c > 2020-01-01T00:00:00Z", BIG_REFUSAL, "gap"),
        ("SELECT Id FROM Account USING SCOPE allPrivate", "MALFORMED_QUERY", "Scope"),
    ],
)  # fmt: skip
def test_refusals(full: Any, soql: str, code: str, text: str) -> None:
    refused(full.query(soql), 400, code, text)


def test_filters_lift_refusals_and_big_objects_answer(full: Any) -> None:
    refused(full.query("SELECT Id FROM RecordActionHistory"), 500, "UNKNOWN_EXCEPTION", "ErrorId")
    assert full.records("SELECT Id FROM RecordActionHistory WHERE ParentRecordId = 'x'") == []
    folder = full.org.tables.tables["ContentFolder"].ids.at(0)
    where = f"WHERE ParentContentFolderId = '{folder}'"
    assert full.query(f"SELECT Id FROM ContentFolderMember {where}").status_code == 200
    where = f"WHERE ParentContentFolderId IN ('{folder}')"
    assert full.query(f"SELECT Id FROM ContentFolderMember {where}").status_code == 400
    assert len(full.records("SELECT EventIdentifier FROM LoginEvent")) == 12
    rows = full.records("SELECT EventDate FROM LoginEvent WHERE EventDate > 2010-01-01T00:00:00Z")
    assert len(rows) == 12
    assert len(full.bulk("SELECT EventDate, Username FROM LoginEvent")) == 13
    first = full.records("SELECT Vehicle__c, At__c FROM Telemetry__b")[0]["Vehicle__c"]
    assert full.records(f"SELECT At__c FROM Telemetry__b WHERE Vehicle__c = '{first}'")
    refused(full.create("SELECT Id FROM CaseTeamMember"), 400, "INVALIDENTITY")
    assert full.query("SELECT Id FROM CaseTeamMember").status_code == 200


def test_lists_are_consistent() -> None:
    names = {o.name for o in with_features(standard_objects())}
    assert set(REIFIED) <= names and set(BIG) <= names
