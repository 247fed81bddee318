from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
import responses

from sfexit.errors import (
    DamagedAnswer,
    Interrupted,
    OrgRefused,
    OutcomeUnknown,
    QuotaSpent,
    Transient,
)
from sfexit.salesforce import bulk
from sfexit.salesforce.bulk import Job

from .wire import ORG, Clock, Notes, Sleeps, WireServer, answer, client_for, reset

BASE = "/services/data/v57.0"
JOB_ID = "750Tn000004ZoR3IAK"
USER_ID = "0050900000Bf63SAAR"
JOBS = f"{ORG}/services/data/v66.0/jobs/query"
# As recorded, apart from the object.
CREATED: dict[str, Any] = {
    "id": JOB_ID,
    "operation": "queryAll",
    "object": "Account",
    "createdById": USER_ID,
    "createdDate": "2024-04-25T15:50:37.000+0000",
    "systemModstamp": "2024-04-25T15:50:37.000+0000",
    "state": "UploadComplete",
    "concurrencyMode": "Parallel",
    "contentType": "CSV",
    "apiVersion": 66.0,
    "lineEnding": "LF",
    "columnDelimiter": "COMMA",
}
JOB = Job(
    id=JOB_ID,
    state="JobComplete",
    object="Account",
    operation="queryAll",
    created_by=USER_ID,
    created=datetime(2024, 4, 25, 15, 50, 37, tzinfo=UTC),
    rows_processed=12,
    error="",
    api_version="66.0",
    raw_state="JobComplete",
)


def refused(code: str, message: str = "words") -> list[dict[str, str]]:
    return [{"errorCode": code, "message": message}]


# --- creating ---


def test_create(org: responses.RequestsMock) -> None:
    org.post(JOBS, json=CREATED)
    job = bulk.create(client_for(), "SELECT Id FROM Account")
    assert json.loads(org.calls[0].request.body) == {  # type: ignore[arg-type]
        "operation": "queryAll",
        "query": "SELECT Id FROM Account",
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    assert (job.id, job.state, job.rows_processed) == (JOB_ID, "UploadComplete", None)
    assert job.created == datetime(2024, 4, 25, 15, 50, 37, tzinfo=UTC)
    assert job.api_version == "66.0" and not job.finished


def test_a_lost_answer_goes_up_and_is_not_repeated() -> None:
    with (
        WireServer(lambda connection, _: reset(connection)) as server,
        client_for(server.url) as client,
    ):
        with pytest.raises(OutcomeUnknown):
            bulk.create(client, "SELECT Id FROM Account")
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body", [{}, [], {**CREATED, "id": "x"}, {**CREATED, "createdDate": "soon"}]
)
def test_an_answer_without_a_job_is_unknown(org: responses.RequestsMock, body: object) -> None:
    org.post(JOBS, json=body)
    with pytest.raises(OutcomeUnknown):
        bulk.create(client_for(), "SELECT Id FROM Account")
    assert len(org.calls) == 1


def test_a_certain_refusal_may_be_repeated(org: responses.RequestsMock) -> None:
    org.post(JOBS, status=429)
    org.post(JOBS, json=CREATED)
    assert bulk.create(client_for(), "SELECT Id FROM Account").id == JOB_ID


def test_refused_objects_and_spent_allowance(org: responses.RequestsMock) -> None:
    org.post(JOBS, status=400, json=refused("INVALIDENTITY", "Entity 'X' is not supported"))
    with pytest.raises(OrgRefused, match="INVALIDENTITY"):
        bulk.create(client_for(), "SELECT Id FROM X")
    org.replace("POST", JOBS, status=400, json=refused("LIMIT_EXCEEDED", "Max bulk v2 query jobs"))
    with pytest.raises(QuotaSpent):
        bulk.create(client_for(), "SELECT Id FROM X")


# --- finding again ---

SINCE = datetime(2024, 4, 25, 15, 50, 40, tzinfo=UTC)
OTHER_ID = "750Tn000004ZoR4IAK"


def listed(*records: dict[str, Any], following: str | None = None) -> dict[str, Any]:
    return {"done": following is None, "records": list(records), "nextRecordsUrl": following}


def find(org_answers: list[dict[str, Any]], org: responses.RequestsMock, **more: Any) -> Job | None:
    for page in org_answers:
        org.get(JOBS, json=page)
    known = more.pop("known", ())
    return bulk.find_lost(client_for(), "Account", USER_ID, SINCE, known)


def test_the_lost_job_is_found_on_a_later_page(org: responses.RequestsMock) -> None:
    following = "/services/data/v66.0/jobs/query?jobType=V2Query&queryLocator=abc"
    found = find([listed({"id": "nonsense"}, following=following), listed(CREATED)], org)
    assert found is not None and found.id == JOB_ID
    assert "queryLocator=abc" in str(org.calls[1].request.url)


@pytest.mark.parametrize(
    "changed",
    [
        {"object": "Contact"},
        {"operation": "query"},
        {"jobType": "Classic"},
        {"createdById": "0050900000Bf63TAAR"},
        {"createdDate": "2024-04-25T15:50:34.000+0000"},
    ],
)
def test_jobs_that_are_not_ours(org: responses.RequestsMock, changed: dict[str, str]) -> None:
    assert find([listed({**CREATED, **changed})], org) is None


def test_known_jobs_are_not_taken_and_two_are_too_many(org: responses.RequestsMock) -> None:
    second = {**CREATED, "id": OTHER_ID}
    assert find([listed(CREATED)], org, known=[JOB_ID]) is None
    org.reset()
    assert find([listed(CREATED, second)], org) is None
    org.reset()
    found = find([listed(CREATED, second)], org, known=[JOB_ID[:15]])
    assert found is not None and found.id == OTHER_ID
    org.reset()
    assert find([listed(CREATED, CREATED)], org) is not None  # the same one twice


def test_a_list_that_goes_round(org: responses.RequestsMock) -> None:
    following = "/services/data/v66.0/jobs/query?jobType=V2Query"
    with pytest.raises(OrgRefused, match="repeats"):
        find([listed(CREATED, following=following)], org)


# --- waiting ---


def states(org: responses.RequestsMock, *found: dict[str, Any]) -> None:
    for change in found:
        org.get(f"{JOBS}/{JOB_ID}", json={**CREATED, **change})


def test_waiting_grows_with_the_job_up_to_half_a_minute(org: responses.RequestsMock) -> None:
    states(
        org,
        *[{"state": "InProgress", "numberRecordsProcessed": n} for n in range(25)],
        {"state": "JobComplete", "numberRecordsProcessed": 99},
    )
    sleeps = Sleeps()
    job = bulk.wait(client_for(sleep=sleeps), JOB_ID)
    assert job.complete and job.rows_processed == 99
    assert sleeps[:4] == [0.2, 0.2, 0.2, pytest.approx(0.2)] and sleeps[-1] == 30.0
    assert all(now >= before for before, now in pairwise(sleeps))


@pytest.mark.parametrize("state", ["Failed", "Aborted"])
def test_an_end_without_result_is_returned(org: responses.RequestsMock, state: str) -> None:
    states(org, {"state": state, "errorMessage": "InvalidBatch\x1b[2J : no"})
    job = bulk.wait(client_for(), JOB_ID)
    assert job.state == state and job.finished and not job.complete
    assert job.error == "InvalidBatch[2J : no"


def test_an_unknown_state_is_an_error(org: responses.RequestsMock) -> None:
    states(org, {"state": "Meditating"})
    with pytest.raises(OrgRefused, match="Meditating"):
        bulk.wait(client_for(), JOB_ID)


def test_standstill(org: responses.RequestsMock) -> None:
    states(org, {"state": "InProgress", "numberRecordsProcessed": 5})
    clock, notes = Clock(step=200), Notes()
    with pytest.raises(bulk.JobStuck, match="has not moved for 120 minutes"):
        bulk.wait(client_for(), JOB_ID, clock=clock, sleep=Sleeps(), progress=notes)
    assert len(org.calls) == 37 and len(notes.notes) == 1


def test_a_laptop_that_slept_is_no_standstill(org: responses.RequestsMock) -> None:
    states(org, *[{"state": "InProgress"}] * 5, {"state": "JobComplete"})
    assert bulk.wait(client_for(), JOB_ID, clock=Clock(step=9 * 3600), sleep=Sleeps()).complete


def test_moving_jobs_are_never_stuck(org: responses.RequestsMock) -> None:
    moving = [{"state": "InProgress", "numberRecordsProcessed": n} for n in range(60)]
    states(org, *moving, {"state": "JobComplete"})
    assert bulk.wait(client_for(), JOB_ID, clock=Clock(step=250), sleep=Sleeps()).complete


def test_a_job_that_is_gone(org: responses.RequestsMock) -> None:
    org.get(f"{JOBS}/{JOB_ID}", status=404, json=refused("NOT_FOUND"))
    with pytest.raises(bulk.JobLost, match="seven days"):
        bulk.wait(client_for(), JOB_ID)


def test_the_version_of_the_job_is_used(org: responses.RequestsMock) -> None:
    old = f"{ORG}{BASE}/jobs/query/{JOB_ID}"
    org.get(old, json={**CREATED, "apiVersion": 57.0})
    client = client_for()
    job = bulk.poll(client, JOB_ID, api_version="57.0")
    assert job.api_version == "57.0"
    assert bulk.poll(client, job).id == JOB_ID
    org.get(f"{old}/results", body="", content_type="text/csv")
    with bulk.open_page(client, job):
        pass
    org.patch(old, json={})
    bulk.abort(client, job)
    with pytest.raises(OrgRefused, match=r"began with 58\.0"):
        list(bulk.result_links(client, job))


def test_stop_while_waiting(org: responses.RequestsMock) -> None:
    states(org, {"state": "InProgress"})

    def stopped(_: float) -> None:
        raise Interrupted("stop")

    with pytest.raises(Interrupted):
        bulk.wait(client_for(sleep=stopped), JOB_ID)


# --- the map of the result ---

RESULTS = f"/services/data/v66.0/jobs/query/{JOB_ID}/results"
PAGES = f"/services/data/v66.0/jobs/query/{JOB_ID}/resultPages"


@pytest.mark.parametrize("url", ["resultUrl", "resultLink"])
@pytest.mark.parametrize("following", ["nextRecordsUrl", "nextRecordUrl"])
@pytest.mark.parametrize("prefix", ["", ORG, "without services"])
def test_all_spellings(org: responses.RequestsMock, url: str, following: str, prefix: str) -> None:
    def link(path: str) -> str:
        return path.removeprefix("/services") if prefix == "without services" else prefix + path

    org.get(
        ORG + PAGES,
        json={
            "resultPages": [{url: link(f"{RESULTS}?locator={n}")} for n in range(5)],
            following: link(f"{PAGES}?locator=next"),
            "done": False,
        },
    )
    org.get(
        ORG + PAGES,
        json={"resultPages": [{url: link(f"{RESULTS}?locator=5")}], following: None, "done": True},
    )
    found = list(bulk.result_links(client_for(), JOB))
    assert found == [
        tuple(f"{RESULTS}?locator={n}" for n in range(5)),
        (f"{RESULTS}?locator=5",),
    ]


@pytest.mark.parametrize("end", [{"nextRecordsUrl": "null"}, {"nextRecordsUrl": ""}, {}])
def test_ends_of_the_map(org: responses.RequestsMock, end: dict[str, str]) -> None:
    org.get(ORG + PAGES, json={"resultPages": [], "done": True, **end})
    assert list(bulk.result_links(client_for(), JOB)) == []


def test_repeated_links_are_a_loop(org: responses.RequestsMock) -> None:
    page = {"resultUrl": f"{RESULTS}?locator=1"}
    again = {"resultPages": [page], "nextRecordsUrl": f"{PAGES}?locator=x", "done": False}
    org.get(ORG + PAGES, json=again)
    with pytest.raises(bulk.ResultLoop, match="repeats a result page"):
        list(bulk.result_links(client_for(), JOB))
    org.replace("GET", ORG + PAGES, json={"resultPages": [page, page], "done": True})
    with pytest.raises(bulk.ResultLoop):
        list(bulk.result_links(client_for(), JOB))
    empty = {"resultPages": [], "nextRecordsUrl": PAGES, "done": False}
    org.replace("GET", ORG + PAGES, json=empty)
    with pytest.raises(bulk.ResultLoop):
        list(bulk.result_links(client_for(), JOB))


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"resultPages": [{}], "done": True},
        {"resultPages": ["x"], "done": True},
        {"resultPages": [], "done": False},
        {"resultPages": [{"resultUrl": "https://evil.example/x"}], "done": True},
        {"resultPages": [{"resultUrl": "@evil.example/x"}], "done": True},
        {"resultPages": [{"resultUrl": RESULTS.replace(JOB_ID, OTHER_ID)}], "done": True},
        {"resultPages": [{"resultUrl": RESULTS.replace("66.0", "58.0")}], "done": True},
        {"resultPages": [], "nextRecordsUrl": "/services/data/v66.0/limits", "done": False},
    ],
)
def test_maps_that_are_none(org: responses.RequestsMock, body: object) -> None:
    org.get(ORG + PAGES, json=body)
    with pytest.raises(DamagedAnswer):
        list(bulk.result_links(client_for(), JOB))


# --- pages ---


def page_headers(locator: str | None, rows: str | None = "1") -> dict[str, str]:
    found = {"Sforce-Locator": locator, "Sforce-NumberOfRecords": rows}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ("locator", "following"),
    [("MTAwMDA", "MTAwMDA"), ("null", None), ("", None), (None, None)],
)
def test_pages_end_with_null_in_four_letters(
    org: responses.RequestsMock, locator: str | None, following: str | None
) -> None:
    org.get(
        ORG + RESULTS,
        body='"Id"\n"1"\n',
        content_type="text/csv; charset=UTF-8",
        headers=page_headers(locator),
    )
    with bulk.open_page(client_for(), JOB, max_records=50_000) as page:
        assert b"".join(page.answer.pieces()) == b'"Id"\n"1"\n'
    assert page.next_locator == following and page.declared_rows == 1
    request = org.calls[0].request
    assert str(request.url).endswith("/results?maxRecords=50000")
    assert request.headers["Accept"] == "text/csv"


@pytest.mark.parametrize(
    ("locator", "query"),
    [
        ("MTAw+/=", "?locator=MTAw%2B%2F%3D&maxRecords=7"),
        (f"{RESULTS}?locator=abc", "?locator=abc&maxRecords=7"),
        (f"{RESULTS}?locator=abc&maxRecords=9", "?locator=abc&maxRecords=9"),
        (f"{ORG}{RESULTS}?locator=abc", "?locator=abc&maxRecords=7"),
    ],
)
def test_a_page_by_locator_or_path(org: responses.RequestsMock, locator: str, query: str) -> None:
    org.get(ORG + RESULTS, body="", content_type="text/csv")
    with bulk.open_page(client_for(), JOB, locator=locator, max_records=7) as page:
        assert page.declared_rows is None
    assert str(org.calls[0].request.url) == ORG + RESULTS + query


@pytest.mark.parametrize(
    "locator",
    ["/services/data/v66.0/sobjects", "https://evil.example" + RESULTS, "//evil.example/x"],
)
def test_a_path_to_elsewhere(org: responses.RequestsMock, locator: str) -> None:
    with pytest.raises(DamagedAnswer), bulk.open_page(client_for(), JOB, locator=locator):
        pass
    assert not org.calls


@pytest.mark.parametrize("kind", ["text/html", "application/json", ""])
def test_a_page_that_is_no_csv(kind: str) -> None:
    with (
        WireServer(answer(b"<html>", content_type=kind)) as server,
        client_for(server.url) as client,
        pytest.raises(DamagedAnswer, match=r"instead of text/csv"),
        bulk.open_page(client, JOB),
    ):
        pass


@pytest.mark.parametrize("rows", ["-1", "x", "1.0", "²"])
def test_a_number_of_rows_that_is_none(rows: str) -> None:
    extra = f"Sforce-NumberOfRecords: {rows}\r\n".encode().decode("latin-1")
    with (
        WireServer(answer(b"", content_type="text/csv", extra=extra)) as server,
        client_for(server.url) as client,
        pytest.raises(DamagedAnswer),
        bulk.open_page(client, JOB),
    ):
        pass


def test_refused_pages(org: responses.RequestsMock) -> None:
    org.get(ORG + RESULTS, status=409, json=refused("", "version mismatch"))
    with (
        pytest.raises(OrgRefused, match=r"66\.0.*another one") as caught,
        bulk.open_page(client_for(version="67.0"), JOB),
    ):
        pass
    assert caught.value.status == 409 and "67.0" in caught.value.reason
    org.replace("GET", ORG + RESULTS, status=404, json=refused("NOT_FOUND"))
    with pytest.raises(bulk.JobLost), bulk.open_page(client_for(), JOB):
        pass


def test_a_page_is_read_again_as_a_whole(org: responses.RequestsMock) -> None:
    org.get(ORG + RESULTS, status=503)
    org.get(ORG + RESULTS, body='"Id"\n', content_type="text/csv")
    client = client_for()

    def once() -> bytes:
        with bulk.open_page(client, JOB) as page:
            return b"".join(page.answer.pieces())

    assert client.retried(once, "page 1") == b'"Id"\n'


# --- tidying up ---


def test_abort_and_delete_bear_what_is_done_already(org: responses.RequestsMock) -> None:
    url = f"{JOBS}/{JOB_ID}"
    org.patch(url, status=400, json=refused("INVALIDJOBSTATE"))
    org.delete(url, status=404, json=refused("NOT_FOUND"))
    bulk.abort(client_for(), JOB)
    bulk.delete(client_for(), JOB_ID)
    assert json.loads(org.calls[0].request.body) == {"state": "Aborted"}  # type: ignore[arg-type]
    org.replace("DELETE", url, status=400, json=refused("API_ERROR", "not finished"))
    bulk.delete(client_for(), JOB)
    org.replace("DELETE", url, status=403, json=refused("INSUFFICIENT_ACCESS"))
    with pytest.raises(OrgRefused):
        bulk.delete(client_for(), JOB)
    org.replace("PATCH", url, status=400, json=refused("API_ERROR"))
    with pytest.raises(OrgRefused):
        bulk.abort(client_for(), JOB)


def test_a_lost_answer_to_a_deletion_is_asked_again(org: responses.RequestsMock) -> None:
    url = f"{JOBS}/{JOB_ID}"
    org.delete(url, status=502)
    org.delete(url, status=404, json=refused("NOT_FOUND"))
    bulk.delete(client_for(), JOB)
    assert len(org.calls) == 2
    org.reset()
    org.delete(url, status=502)
    with pytest.raises(Transient):
        bulk.delete(client_for(), JOB)
