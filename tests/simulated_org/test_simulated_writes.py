"""Rows are made, changed and deleted: one, two hundred, and by a job."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from simple_salesforce import Salesforce
from simulated_client import Client, refused

from sfexit.simulated_org import SimulatedOrg, clerk, serve

BASE = "/services/data/v66.0"


@pytest.fixture
def open_org() -> Iterator[Client]:
    """An org that takes changes."""
    with serve(SimulatedOrg(seed=7, rows=2500, read_only=False)) as server:
        yield Client(server)
        assert server.crashes == []


def send(client: Client, method: str, path: str, **options: Any) -> requests.Response:
    more = options.pop("headers", {})
    url = f"{client.server.url}{BASE}/{path}"
    return requests.request(
        method, url, headers={**client.headers(), **more}, timeout=20, **options
    )


def ids(client: Client, name: str, count: int) -> list[str]:
    return [row["Id"] for row in client.records(f"SELECT Id FROM {name} LIMIT {count}")]


def test_a_row_is_changed_and_the_log_tells(open_org: Client) -> None:
    [account] = ids(open_org, "Account", 1)
    users = ids(open_org, "User", 5)
    before = open_org.records(f"SELECT OwnerId, Name FROM Account WHERE Id = '{account}'")[0]
    owner = next(u for u in users if u != before["OwnerId"])
    done = send(open_org, "PATCH", f"sobjects/Account/{account}", json={"OwnerId": owner[:15]})
    assert (done.status_code, done.content) == (204, b"")
    after = open_org.records(
        f"SELECT OwnerId, Name, LastModifiedById, SystemModstamp FROM Account WHERE Id='{account}'"
    )[0]
    assert after["OwnerId"] == owner and after["Name"] == before["Name"]
    assert after["LastModifiedById"] == open_org.org.user_id
    [change] = open_org.org.writes.log
    assert (change.action, change.object, change.id) == ("update", "Account", account)
    assert change.before == {"OwnerId": before["OwnerId"]}
    assert change.after == {"OwnerId": owner}
    counted = open_org.query(f"SELECT COUNT() FROM Account WHERE OwnerId = '{owner}'").json()
    assert counted["totalSize"] >= 1


def test_rows_come_and_go(open_org: Client) -> None:
    made = send(open_org, "POST", "sobjects/Account", json={"Name": 'A "new" one'})
    assert made.status_code == 201 and made.json()["success"] is True
    row = open_org.records(f"SELECT Id, Name, Phone FROM Account WHERE Id='{made.json()['id']}'")
    assert row[0]["Name"] == 'A "new" one' and row[0]["Phone"] is None
    assert send(open_org, "DELETE", f"sobjects/Account/{row[0]['Id']}").status_code == 204
    again = send(open_org, "DELETE", f"sobjects/Account/{row[0]['Id']}")
    refused(again, 404, "ENTITY_IS_DELETED", "deleted")
    [there] = open_org.records(
        f"SELECT IsDeleted FROM Account WHERE Id = '{row[0]['Id']}'", everything=True
    )
    assert there["IsDeleted"] is True


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"Nonsense": 1}, "INVALID_FIELD"),
        ({"CreatedDate": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"OwnerId": "005000000000000AAA"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"OwnerId": "nonsense"}, "MALFORMED_ID"),
        ({"Name": "x" * 300}, "STRING_TOO_LONG"),
    ],
)
def test_wrong_values(open_org: Client, values: dict[str, Any], code: str) -> None:
    [account] = ids(open_org, "Account", 1)
    answer = send(open_org, "PATCH", f"sobjects/Account/{account}", json=values)
    assert answer.json()[0]["errorCode"] == code
    assert open_org.org.writes.log == []


def test_a_reference_of_the_wrong_kind(open_org: Client) -> None:
    first, second = ids(open_org, "Account", 2)
    answer = send(open_org, "PATCH", f"sobjects/Account/{first}", json={"OwnerId": second})
    refused(answer, 400, "FIELD_INTEGRITY_EXCEPTION", "incorrect type")


def test_what_is_needed_and_what_cannot_be_written(open_org: Client) -> None:
    refused(
        send(open_org, "POST", "sobjects/Account", json={}), 400, "REQUIRED_FIELD_MISSING", "Name"
    )
    [user] = ids(open_org, "User", 1)
    refused(send(open_org, "DELETE", f"sobjects/User/{user}"), 400, "DELETE_FAILED", "User")


def test_two_hundred_at_a_time(open_org: Client) -> None:
    accounts = ids(open_org, "Account", 40)
    owner = ids(open_org, "User", 3)[2]
    records = [{"attributes": {"type": "Account"}, "id": i, "OwnerId": owner} for i in accounts]
    records[3]["id"] = "001000000000000AAA"
    records[5]["OwnerId"] = "005000000000000AAA"
    answer = send(open_org, "PATCH", "composite/sobjects", json={"records": records})
    told = answer.json()
    assert answer.status_code == 200
    assert [one["success"] for one in told].count(False) == 2
    assert told[3]["errors"][0]["statusCode"] == "INVALID_CROSS_REFERENCE_KEY"
    assert told[0] == {"id": accounts[0], "success": True, "errors": []}
    assert len(open_org.org.writes.log) == 38
    whole = send(
        open_org, "PATCH", "composite/sobjects", json={"records": records, "allOrNone": True}
    ).json()
    assert not any(one["success"] for one in whole)
    assert whole[0]["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert len(open_org.org.writes.log) == 38
    many = send(open_org, "PATCH", "composite/sobjects", json={"records": records * 6})
    refused(many, 400, "EXCEEDED_ID_LIMIT", "200")
    gone = send(
        open_org, "DELETE", "composite/sobjects", params={"ids": ",".join(accounts[:2])}
    ).json()
    assert [one["success"] for one in gone] == [True, True]


def test_setup_and_other_objects_do_not_mix(open_org: Client) -> None:
    records = [
        {"attributes": {"type": "Account"}, "id": ids(open_org, "Account", 1)[0], "Phone": "1"},
        {"attributes": {"type": "User"}, "id": ids(open_org, "User", 2)[1], "Phone": "1"},
    ]
    told = send(open_org, "PATCH", "composite/sobjects", json={"records": records}).json()
    assert {one["errors"][0]["statusCode"] for one in told} == {"MIXED_DML_OPERATION"}
    assert open_org.org.writes.log == []


def csv_of(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def test_a_job_changes_many_rows(open_org: Client) -> None:
    accounts = ids(open_org, "Account", 30)
    owner = ids(open_org, "User", 3)[2]
    job = send(
        open_org, "POST", "jobs/ingest", json={"object": "Account", "operation": "update"}
    ).json()
    assert job["state"] == "Open"
    rows = [["Id", "OwnerId", "Phone"], *([i, owner, "#N/A"] for i in accounts)]
    rows[4][1] = "005000000000000AAA"
    put = send(
        open_org,
        "PUT",
        f"jobs/ingest/{job['id']}/batches",
        data=csv_of(rows),
        headers={"Content-Type": "text/csv"},
    )
    assert put.status_code == 201
    closed = send(open_org, "PATCH", f"jobs/ingest/{job['id']}", json={"state": "UploadComplete"})
    assert closed.json()["state"] == "UploadComplete"
    while (told := open_org.get(f"jobs/ingest/{job['id']}").json())["state"] == "InProgress":
        pass
    while told["state"] != "JobComplete":
        told = open_org.get(f"jobs/ingest/{job['id']}").json()
    assert (told["numberRecordsProcessed"], told["numberRecordsFailed"]) == (30, 1)
    failed = list(
        csv.DictReader(io.StringIO(open_org.get(f"jobs/ingest/{job['id']}/failedResults").text))
    )
    assert failed[0]["Id"] == accounts[3]
    assert failed[0]["sf__Error"].startswith("INVALID_CROSS_REFERENCE_KEY:")
    done = open_org.get(f"jobs/ingest/{job['id']}/successfulResults").text
    assert {r["Id"] for r in csv.DictReader(io.StringIO(done))} == set(accounts) - {accounts[3]}
    moved = open_org.records(f"SELECT Id FROM Account WHERE OwnerId='{owner}' AND Phone = null")
    assert {r["Id"] for r in moved} >= set(accounts) - {accounts[3]}


def test_a_job_that_is_given_up_in_mid_work(open_org: Client) -> None:
    accounts = ids(open_org, "Account", 10)
    owner = ids(open_org, "User", 3)[2]
    open_org.org.ingest.abort_after = 4
    job = send(
        open_org, "POST", "jobs/ingest", json={"object": "Account", "operation": "update"}
    ).json()["id"]
    send(
        open_org,
        "PUT",
        f"jobs/ingest/{job}/batches",
        data=csv_of([["Id", "OwnerId"], *([i, owner] for i in accounts)]),
        headers={"Content-Type": "text/csv"},
    )
    send(open_org, "PATCH", f"jobs/ingest/{job}", json={"state": "UploadComplete"})
    states = [open_org.get(f"jobs/ingest/{job}").json()["state"] for _ in range(3)]
    assert states[-1] == "Aborted"
    left = open_org.get(f"jobs/ingest/{job}/unprocessedrecords").text
    assert [r["Id"] for r in csv.DictReader(io.StringIO(left))] == accounts[4:]
    assert len(open_org.org.writes.log) == 4


def test_who_may_not_write(open_org: Client) -> None:
    [account] = [
        r["Id"]
        for r in open_org.records("SELECT Id, OwnerId FROM Account LIMIT 30")
        if r["OwnerId"] != open_org.org.tables.tables["User"].ids.at(3)
    ][:1]
    token = open_org.org.sign_in(clerk())
    answer = requests.patch(
        f"{open_org.server.url}{BASE}/sobjects/Account/{account}",
        json={"Phone": "1"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=20,
    )
    assert answer.status_code in (400, 404)
    assert open_org.org.writes.log == []


def test_an_org_that_takes_no_changes(client: Client) -> None:
    answer = send(client, "PATCH", "sobjects/Account/001000000000000AAA", json={"Phone": "1"})
    refused(answer, 403, "INSUFFICIENT_ACCESS", "does not accept changes")
    answer = send(client, "POST", "jobs/ingest", json={"object": "Account", "operation": "update"})
    refused(answer, 403, "INSUFFICIENT_ACCESS", "does not accept changes")


def test_a_foreign_client_writes(open_org: Client) -> None:
    org = Salesforce(
        instance_url=open_org.server.url, session_id=open_org.org.access_token, version="66.0"
    )
    org.base_url = f"{open_org.server.url}{BASE}/"
    org.sf_instance = open_org.server.url.removeprefix("http://")
    account = org.Account
    account.base_url = f"{open_org.server.url}{BASE}/sobjects/Account/"
    made = account.create({"Name": "Made elsewhere"})
    assert account.update(made["id"], {"Phone": "0123"}) == 204
    assert account.get(made["id"])["Phone"] == "0123"
    assert account.delete(made["id"]) == 204
