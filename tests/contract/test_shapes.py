"""Our answers beside recorded ones: the same keys, and values of the same types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sfexit.simulated_org import SimulatedOrg, serve

RECORDED = Path(__file__).parents[3] / "shared" / "recorded"
pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason=f"no recorded answers in {RECORDED.name}/ beside the repository"
)

Ask = Any


def recorded(name: str) -> Any:
    body = json.loads((RECORDED / name).read_text("utf-8-sig"))
    body = body["response"]["body"] if "response" in body else body
    return json.loads(body) if isinstance(body, str) else body


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    with serve(SimulatedOrg(rows=3000, shape="full")) as server:
        headers = {"Authorization": f"Bearer {server.org.access_token}"}

        def get(path: str, **options: Any) -> Any:
            base = "" if path.startswith("/") else "/services/data/v66.0/"
            method = "POST" if "json" in options else "GET"
            url = f"{server.url}{base}{path}"
            return requests.request(method, url, headers=headers, timeout=20, **options).json()

        yield get
        assert server.crashes == []


def kind(value: Any) -> str:
    return (
        "number"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else type(value).__name__
    )


def kinds(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The types seen under each key."""
    out: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.items():
            out.setdefault(key, set()).add(kind(value))
    return out


def alike(
    mine: list[dict[str, Any]], real: list[dict[str, Any]], rare: frozenset[str] = frozenset()
) -> None:
    """The same keys but for ``rare`` ones; no type that real answers do not have (null aside)."""
    ours, theirs = kinds(mine), kinds(real)
    assert set(ours) ^ set(theirs) <= rare
    for key, types in ours.items():
        if theirs[key] != {"NoneType"}:
            assert types - {"NoneType"} <= theirs[key], key


def test_describe_global(ask: Ask) -> None:
    mine, real = ask("sobjects"), recorded("rest-2026/describe-global.json")
    assert set(mine) == set(real)
    alike(mine["sobjects"], real["sobjects"])
    ours = {o["name"]: o for o in mine["sobjects"]}
    theirs = {o["name"]: o for o in real["sobjects"]}
    assert set(theirs) <= set(ours)
    for name, entry in theirs.items():
        for key in entry:
            if key not in ("label", "labelPlural", "urls"):
                assert ours[name][key] == entry[key], (name, key)


def test_describe(ask: Ask) -> None:
    mine = ask("sobjects/Account/describe")
    for name in ("rest-2026/describe-sobject.json", "describe/Account.v52.json"):
        real = recorded(name)
        lately = {"sobjectDescribeOption", "implementsInterfaces", "implementedBy", "isInterface",
                  "extendedBy", "extendsInterfaces", "defaultImplementation", "deepCloneable",
                  "associateEntityType", "associateParentEntity"}  # fmt: skip
        assert set(mine) ^ set(real) <= lately
        alike(mine["childRelationships"], real["childRelationships"])
        alike(mine["recordTypeInfos"], real["recordTypeInfos"])
        alike(mine["supportedScopes"], real["supportedScopes"])
        assert set(mine["fields"][0]) == set(real["fields"][0])
        ours = {f["name"]: f for f in mine["fields"]}
        same = 0
        for theirs in real["fields"]:
            f = ours.get(theirs["name"])
            if f is not None and not f["custom"]:
                assert (f["type"], f["soapType"]) == (theirs["type"], theirs["soapType"]), f["name"]
                assert f["referenceTo"] == theirs["referenceTo"]
                assert f["compoundFieldName"] == theirs["compoundFieldName"]
                same += 1
        assert same > 25


def test_limits(ask: Ask) -> None:
    mine, real = ask("limits"), recorded("rest-2026/get-limits.json")
    assert set(mine) == set(real)
    assert {k: set(v) for k, v in mine.items()} == {k: set(v) for k, v in real.items()}


def test_versions(ask: Ask) -> None:
    real = recorded("rest-2026/list-available-resources.json")
    mine = {v["version"]: v for v in ask("/services/data")}
    for version in real:
        label = version["label"].replace("’", "'")  # one of them is written so
        assert mine[version["version"]] == {**version, "label": label}


def test_rows_and_pages(ask: Ask) -> None:
    real = recorded("rest-2026/accounts.0.json")
    mine = ask("query", params={"q": "SELECT Id, Name FROM ListView"})
    assert set(mine) | {"nextRecordsUrl"} == set(real)
    assert set(mine["records"][0]["attributes"]) == set(real["records"][0]["attributes"])
    done = recorded("rest-2026/query-all-records.json")
    assert list(mine) == list(done)


def test_user_info_and_basic_information(ask: Ask) -> None:
    real = recorded("rest-2026/get-current-user.json")
    mine = ask("/services/oauth2/userinfo")
    alike([mine], [real])
    assert set(mine["urls"]) == set(real["urls"])
    basic = recorded("rest-2026/get-sobject-basic-info.json")
    assert set(ask("sobjects/Account")) == set(basic)


def test_a_job_as_created(ask: Ask) -> None:
    real = recorded("small/bulk2_query_job_created.json")
    mine = ask("jobs/query", json={"operation": "queryAll", "query": "SELECT Id FROM User"})
    assert list(mine) == list(real)
    alike([mine], [real])


@pytest.mark.parametrize("name", ["expired_session_response", "query_error_response"])
def test_error_bodies(ask: Ask, name: str) -> None:
    real = recorded(f"small/{name}.json")
    mine = ask("query", params={"q": "SELECT Nope FROM Account"})
    assert isinstance(real, list) and set(mine[0]) == set(real[0])


def test_refusals_of_single_objects(ask: Ask) -> None:
    for name, real in recorded("small/query_errors_by_object.json").items():
        mine = ask("query", params={"q": f"SELECT Id FROM {name}"})
        assert isinstance(mine, list), name
        assert mine[0]["errorCode"] == real[0]["errorCode"], name
        assert mine[0]["message"] == real[0]["message"], name


def test_composite(ask: Ask) -> None:
    url = "/services/data/v66.0/sobjects/Account/describe"
    part = {"method": "GET", "url": url, "referenceId": "a"}
    mine = ask("composite/graph", json={"graphs": [{"graphId": "g", "compositeRequest": [part]}]})
    real = recorded("rest-2026/composite-graph-request.json")
    assert set(mine["graphs"][0]) == set(real["graphs"][0])
    ours = mine["graphs"][0]["graphResponse"]["compositeResponse"][0]
    assert set(ours) == set(real["graphs"][0]["graphResponse"]["compositeResponse"][0])


def test_tooling_describe_global(ask: Ask) -> None:
    mine = ask("tooling/sobjects")["sobjects"]
    real = recorded("describe/toolingDescribeGlobal.json")["sobjects"]
    alike(mine, real, frozenset({"dataTranslationEnabled"}))
    assert {o["name"] for o in real} <= {o["name"] for o in mine}
