"""What any Salesforce org does, simulated or real; every test reads only."""

from __future__ import annotations

import csv
import io
import re
import time
from typing import Any

import pytest

ID = re.compile(r"[a-zA-Z0-9]{18}")


def error(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert isinstance(body, list) and body[0]["errorCode"] == code, body
    assert isinstance(body[0]["message"], str)
    first: dict[str, Any] = body[0]
    return first


def test_versions_need_no_session(place: Any) -> None:
    answer = place.get("/services/data", headers={"Authorization": ""})
    versions = answer.json()
    assert [set(v) for v in versions] == [{"label", "url", "version"}] * len(versions)
    numbers = [float(v["version"]) for v in versions]
    assert numbers == sorted(numbers) and 62.0 in numbers
    assert "Sforce-Limit-Info" not in answer.headers


def test_a_wrong_session_is_refused(place: Any) -> None:
    answer = place.get("sobjects", headers={"Authorization": "Bearer 00D000000000000!nonsense"})
    error(answer, 401, "INVALID_SESSION_ID")


def test_describe_global(place: Any) -> None:
    answer = place.get("sobjects")
    assert re.search(r"api-usage=\d+/\d+", answer.headers["Sforce-Limit-Info"])
    body = answer.json()
    assert (body["encoding"], body["maxBatchSize"]) == ("UTF-8", 200)
    names = [o["name"] for o in body["sobjects"]]
    assert len(names) == len(set(names)) > 1000
    assert {"Account", "AccountHistory", "Organization", "User"} <= set(names)
    keys = [set(o) for o in body["sobjects"]]
    assert all(k == keys[0] for k in keys)
    queryable = sum(o["queryable"] for o in body["sobjects"])
    assert 0.75 < queryable / len(names) < 0.95
    assert any(o["queryable"] and not o["retrieveable"] for o in body["sobjects"])
    for kind in ("Share", "History", "Feed", "ChangeEvent"):
        assert any(o["associateEntityType"] == kind for o in body["sobjects"])


def test_describe(place: Any) -> None:
    body = place.get("sobjects/Account/describe").json()
    fields = {f["name"]: f for f in body["fields"]}
    assert fields["Id"]["type"] == "id" and fields["Id"]["length"] == 18
    assert fields["Name"]["compoundFieldName"] == "Name" and fields["Name"]["nameField"]
    assert fields["BillingAddress"]["type"] == "address"
    assert fields["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert fields["OwnerId"]["referenceTo"] == ["User"]
    assert "queryable" not in fields["Name"]
    children = {(c["childSObject"], c["field"]) for c in body["childRelationships"]}
    assert ("Contact", "AccountId") in children
    assert {"everything", "mine"} <= {s["name"] for s in body["supportedScopes"]}
    error(place.get("sobjects/Nothing_Of_That_Name__c/describe"), 404, "NOT_FOUND")


def test_query_pages(place: Any) -> None:
    options = {"Sforce-Query-Options": "batchSize=200"}
    body = place.query("SELECT Id FROM ListView", headers=options).json()
    total, rows = body["totalSize"], list(body["records"])
    while not body["done"]:
        assert re.fullmatch(r"/services/data/v62\.0/query/\S+", body["nextRecordsUrl"])
        body = place.get(body["nextRecordsUrl"]).json()
        assert body["totalSize"] == total
        rows += body["records"]
    assert "nextRecordsUrl" not in body
    assert len(rows) == total == len({r["Id"] for r in rows})
    for row in rows[:3]:
        assert ID.fullmatch(row["Id"])
        path = f"/services/data/v62.0/sobjects/ListView/{row['Id']}"
        assert row["attributes"] == {"type": "ListView", "url": path}


def test_query_all_has_at_least_the_rows_of_query(place: Any) -> None:
    counts = {v: place.query("SELECT COUNT() FROM Task", v).json() for v in ("query", "queryAll")}
    for body in counts.values():
        assert body["done"] is True and body["records"] == []
    assert counts["queryAll"]["totalSize"] >= counts["query"]["totalSize"]
    counted = place.query("SELECT COUNT(Id) FROM User").json()
    assert counted["totalSize"] == 1
    assert counted["records"][0]["attributes"]["type"] == "AggregateResult"
    assert counted["records"][0]["expr0"] == place.query(
        "SELECT COUNT() FROM User"
    ).json()["totalSize"]  # fmt: skip


def test_values(place: Any) -> None:
    row = place.query("SELECT Id, Name, CreatedDate, IsSandbox FROM Organization").json()
    [record] = row["records"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", record["CreatedDate"])
    assert isinstance(record["IsSandbox"], bool)


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Nothing_Of_That_Name__c", "INVALID_TYPE"),
        ("SELECT Nothing_Of_That_Name__c FROM Account", "INVALID_FIELD"),
        ("SELECT Id FORM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM AccountChangeEvent", "INVALID_TYPE_FOR_OPERATION"),
        ("SELECT Id FROM UserFieldAccess", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY"),
        ("SELECT COUNT(), Id FROM Account", "MALFORMED_QUERY"),
    ],
)
def test_refused_statements(place: Any, soql: str, code: str) -> None:
    error(place.query(soql), 400, code)


def test_limits_and_counts(place: Any) -> None:
    limits = place.get("limits").json()
    assert len(limits) > 50
    for name in ("DailyApiRequests", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB"):
        assert 0 <= limits[name]["Remaining"] <= limits[name]["Max"]
    counts = place.get("limits/recordCount", params={"sObjects": "Account,User,Nope__c"}).json()
    assert {c["name"] for c in counts["sObjects"]} <= {"Account", "User"}
    assert all(isinstance(c["count"], int) for c in counts["sObjects"])


def test_composite(place: Any) -> None:
    base = "/services/data/v62.0"
    parts = [
        ("good", f"{base}/query?q=SELECT+COUNT()+FROM+User"),
        ("bad", f"{base}/query?q=SELECT+COUNT()+FROM+XYZZY"),
        ("about", f"{base}/sobjects/Account/describe"),
    ]
    request = [{"method": "GET", "url": u, "referenceId": n} for n, u in parts]
    answer = place.ask("POST", "composite", json={"compositeRequest": request})
    assert answer.status_code == 200
    got = {p["referenceId"]: p for p in answer.json()["compositeResponse"]}
    assert set(got["good"]) == {"body", "httpHeaders", "httpStatusCode", "referenceId"}
    assert [got[n]["httpStatusCode"] for n, _ in parts] == [200, 400, 200]
    assert got["bad"]["body"][0]["errorCode"] == "INVALID_TYPE"
    assert got["about"]["body"]["name"] == "Account"


def test_definitions_by_tooling(place: Any) -> None:
    soql = "SELECT QualifiedApiName FROM FieldDefinition"
    where = " WHERE EntityDefinition.QualifiedApiName = 'Account'"
    error(place.query(soql, "tooling/query"), 400, "MALFORMED_QUERY")
    found = place.query(soql + where, "tooling/query").json()["records"]
    assert {"Id", "Name", "OwnerId"} <= {r["QualifiedApiName"] for r in found}


def test_life_of_a_query_job(place: Any) -> None:
    request = {"operation": "queryAll", "query": "SELECT Id, Username, CreatedDate FROM User"}
    made = place.ask("POST", "jobs/query", json=request)
    assert made.status_code == 200, made.text
    job = made.json()
    assert job["id"].startswith("750") and job["state"] == "UploadComplete"
    assert (job["operation"], job["object"]) == ("queryAll", "User")
    assert (job["contentType"], job["lineEnding"], job["columnDelimiter"]) == ("CSV", "LF", "COMMA")
    path = f"jobs/query/{job['id']}"
    try:
        deadline = time.monotonic() + 300
        while (info := place.get(path).json())["state"] in ("UploadComplete", "InProgress"):
            assert time.monotonic() < deadline
            time.sleep(0.2 if place.name == "live" else 0)
        assert info["state"] == "JobComplete" and info["jobType"] == "V2Query"
        rows: list[list[str]] = []
        locator = ""
        while locator != "null":
            params = {"maxRecords": "5", **({"locator": locator} if locator else {})}
            page = place.get(f"{path}/results", params=params, headers={"Accept": "text/csv"})
            assert page.headers["Content-Type"].startswith("text/csv")
            head, *more = csv.reader(io.StringIO(page.content.decode("utf-8"), newline=""))
            assert head == ["Id", "Username", "CreatedDate"]
            assert len(more) == int(page.headers["Sforce-NumberOfRecords"])
            rows += more
            locator = page.headers.get("Sforce-Locator", "null")
            if len(rows) > 60:
                break
        else:
            assert len(rows) == info["numberRecordsProcessed"]
        assert all(ID.fullmatch(r[0]) for r in rows)
        assert all(re.fullmatch(r"[\d-]{10}T[\d:.]{12}(Z|\+0000)", r[2]) for r in rows)
        error(place.ask("PATCH", path, json={"state": "Aborted"}), 400, "INVALIDJOBSTATE")
    finally:
        assert place.ask("DELETE", path).status_code in (204, 400)
    assert place.get(path).status_code == 404


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id, BillingAddress FROM Account",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT COUNT(Id) FROM Account",
        "SELECT Id FROM CaseStatus",
        "SELECT Id FROM AccountChangeEvent",
    ],
)
def test_statements_bulk_refuses(place: Any, soql: str) -> None:
    answer = place.ask("POST", "jobs/query", json={"operation": "query", "query": soql})
    assert answer.status_code == 400, answer.text
    assert {"errorCode", "message"} <= set(answer.json()[0])
