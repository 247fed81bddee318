"""Many requests in one: composite, batch, graph and collections."""

from __future__ import annotations

from typing import Any

import requests
from simulated_client import refused

BASE = "/services/data/v66.0"


def post(client: Any, path: str, body: Any) -> requests.Response:
    url = f"{client.server.url}{BASE}/{path}"
    return requests.post(url, json=body, headers=client.headers(), timeout=20)


def part(reference: str, url: str, **more: Any) -> dict[str, Any]:
    return {"method": "GET", "url": f"{BASE}/{url}", "referenceId": reference, **more}


def composite(client: Any, *parts: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    answer = post(client, "composite", {"compositeRequest": list(parts), **more})
    assert answer.status_code == 200, answer.text
    return {p["referenceId"]: p for p in answer.json()["compositeResponse"]}


def test_a_400_inside_a_200_and_one_call(client: Any) -> None:
    used = client.org.used()
    got = composite(
        client,
        part("good", "query?q=SELECT+COUNT()+FROM+Account"),
        part("bad", "query/?q=SELECT COUNT() FROM XYZZY"),
        part("about", "sobjects/Case/describe"),
    )
    assert client.org.used() == used + 1
    assert got["good"]["httpStatusCode"] == 200 and got["good"]["httpHeaders"] == {}
    assert got["bad"]["httpStatusCode"] == 400
    assert got["bad"]["body"][0]["errorCode"] == "INVALID_TYPE"
    assert got["about"]["body"]["name"] == "Case"


def test_pages_go_on_from_inside(client: Any) -> None:
    got = composite(client, part("wide", "query?q=SELECT+Id+FROM+Contact"))
    body = got["wide"]["body"]
    count = body["totalSize"]
    rows = list(body["records"])
    while not body["done"]:
        body = client.get(body["nextRecordsUrl"]).json()
        rows += body["records"]
    assert len(rows) == count


def test_limits_of_a_composite(client: Any) -> None:
    many = [part(f"r{n}", "sobjects/Account/describe") for n in range(26)]
    refused(post(client, "composite", {"compositeRequest": many}), 400, "PROCESSING_HALTED", "25")
    queries = [part(f"q{n}", "query?q=SELECT+Id+FROM+Lead+LIMIT+1") for n in range(6)]
    refused(post(client, "composite", {"compositeRequest": queries}), 400, "PROCESSING_HALTED", "5")
    assert len(composite(client, *queries[:5], *many[:20])) == 25
    twice = [part("same", "sobjects/Lead/describe")] * 2
    refused(
        post(client, "composite", {"compositeRequest": twice}), 400, "JSON_PARSER_ERROR", "same"
    )
    tools = composite(client, part("t", "tooling/query?q=SELECT+Id+FROM+EntityDefinition"))
    assert tools["t"]["body"][0]["errorCode"] == "PROCESSING_HALTED"


def test_references_between_parts(client: Any) -> None:
    got = composite(
        client,
        part("first", "query?q=SELECT+Id,+Name+FROM+Account+LIMIT+2"),
        part("row", "sobjects/Account/@{first.records[1].Id}?fields=Id,Name"),
        part("lost", "sobjects/Account/@{first.records[9].Id}"),
        part("late", "sobjects/Account/@{lost.Id}"),
    )
    assert got["row"]["body"]["Id"] == got["first"]["body"]["records"][1]["Id"]
    for name in ("lost", "late"):
        assert got[name]["body"][0]["errorCode"] == "PROCESSING_HALTED"


def test_all_or_none(client: Any) -> None:
    parts = [
        part("a", "query?q=SELECT+Id+FROM+Account+LIMIT+1"),
        part("b", "query?q=SELECT+Nope+FROM+Account"),
        part("c", "sobjects/Account/describe"),
    ]
    got = composite(client, *parts, allOrNone=True)
    assert {p["httpStatusCode"] for p in got.values()} == {400}
    assert got["b"]["body"][0]["errorCode"] == "INVALID_FIELD"
    assert "rolled back" in got["a"]["body"][0]["message"]


def test_batch_counts_each(client: Any) -> None:
    used = client.org.used()
    parts = [
        {"method": "GET", "url": "v66.0/sobjects/Account/describe"},
        {"method": "GET", "url": "v66.0/query?q=SELECT+Nope+FROM+Account"},
        {"method": "GET", "url": "v66.0/limits"},
    ]
    body = post(client, "composite/batch", {"batchRequests": parts}).json()
    assert client.org.used() == used + 3
    assert body["hasErrors"] is True
    assert [r["statusCode"] for r in body["results"]] == [200, 400, 200]
    halted = post(client, "composite/batch", {"batchRequests": parts, "haltOnError": True}).json()
    assert [r["statusCode"] for r in halted["results"]] == [200, 400, 412]
    newer = [{"method": "GET", "url": "v67.0/limits"}]
    assert post(client, "composite/batch", {"batchRequests": newer}).json()["hasErrors"]
    tools = [{"method": "GET", "url": "v66.0/tooling/query?q=SELECT+Label+FROM+EntityDefinition"}]
    rows = post(client, "composite/batch", {"batchRequests": tools}).json()["results"][0]["result"]
    assert set(rows["records"][0]) == {"attributes"}


def test_graph(client: Any) -> None:
    graph = {"graphId": "1", "compositeRequest": [part("x", "sobjects/Lead/describe")]}
    answer = post(client, "composite/graph", {"graphs": [graph]}).json()["graphs"][0]
    assert answer["isSuccessful"] and answer["graphId"] == "1"
    assert answer["graphResponse"]["compositeResponse"][0]["referenceId"] == "x"


def test_rows_by_id(client: Any) -> None:
    ids = [r["Id"] for r in client.records("SELECT Id FROM Account LIMIT 3")]
    asked = [ids[2], "001000000000001AAA", ids[0][:15]]
    rows = post(client, "composite/sobjects/Account", {"ids": asked, "fields": ["Id", "Name"]})
    assert [r and r["Id"] for r in rows.json()] == [ids[2], None, ids[0]]
    path = "composite/sobjects/Account"
    got = client.get(path, params={"ids": ",".join(asked), "fields": "Name"}).json()
    assert got[1] is None and got[0]["Name"]
    refused(post(client, path, {"ids": ids}), 400, "REQUIRED_FIELD_MISSING")
    refused(post(client, path, {"ids": ids * 700, "fields": ["Id"]}), 400, "EXCEEDED_ID_LIMIT")
