"""Composite answers taken apart without touching a byte of their bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.errors import DamagedAnswer, OrgRefused, Transient
from sfexit.salesforce import composite
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment
from sfexit.simulated_org import SimulatedOrg, serve

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(documents, max_size=4), st.sampled_from([None, 1, 3]), st.booleans())
def test_bodies_keep_their_bytes(bodies: list[Any], indent: int | None, ascii_only: bool) -> None:
    answer = {
        "compositeResponse": [
            {
                "body": body,
                "httpHeaders": {"x": "]}"},
                "httpStatusCode": 200,
                "referenceId": f"r{n}",
            }
            for n, body in enumerate(bodies)
        ]
    }
    text = json.dumps(answer, indent=indent, ensure_ascii=ascii_only)
    found = composite.parts(text.encode())
    assert [json.loads(found[f"r{n}"].body) for n in range(len(bodies))] == bodies
    assert all(part.body.decode() in text for part in found.values())


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"{}", b"[]", b'{"compositeResponse":[', b'{"compositeResponse":{}}',
        b'{"compositeResponse":[{"body":1}]}', b'{"compositeResponse":[{"body":1,}]}',
        b'{"compositeResponse":[{"body":{},"httpStatusCode":"x","referenceId":"r0"}]}',
        b'{"compositeResponse":[]} and more', b"\xff", b"<html>",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_damaged(answer: bytes) -> None:
    with pytest.raises(DamagedAnswer):
        composite.parts(answer)


def test_statuses_are_errors_of_their_own() -> None:
    body = b'[{"errorCode":"INVALID_TYPE","message":"sObject type X is not supported"}]'
    refusal = composite.Part(400, body).refusal("a query")
    assert isinstance(refusal, OrgRefused) and refusal.code == "INVALID_TYPE"
    assert isinstance(composite.Part(503, b"").refusal("a query"), Transient)
    assert composite.Part(200, b"{}").refusal("a query") is None


def test_one_call_for_many_questions_against_an_org() -> None:
    org = SimulatedOrg(rows=1000)
    with serve(org) as server:
        told = {"SFEXIT_INSTANCE_URL": server.url, "SFEXIT_ACCESS_TOKEN": org.access_token}
        with Client(credential_from_environment(told)) as client:
            paths = [f"{client.base}/sobjects/{n}/describe" for n in ("Account", "Nope", "Task")]
            paths.append(f"{client.base}/queryAll?q=SELECT+Id+FROM+Vote")
            before = client.budget.used
            account, nope, task, vote = composite.ask(client, paths)
            assert client.budget.used == before + 1
            alone = client.get_bytes(paths[0])
    assert json.loads(account.body) == json.loads(alone)
    assert json.loads(task.body)["name"] == "Task"
    assert nope.status == 404
    assert isinstance(vote.refusal("a query"), OrgRefused)
    assert server.crashes == []
