from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses

from sfexit.errors import DamagedAnswer, OrgRefused
from sfexit.salesforce import org as salesforce_org

from .wire import ORG, client_for

BASE = f"{ORG}/services/data/v66.0"
USERINFO = f"{ORG}/services/oauth2/userinfo"


def test_versions(org: responses.RequestsMock) -> None:
    org.get(f"{ORG}/services/data", json=[{"version": "31.0"}, {"version": "66.0"}, {}])
    assert salesforce_org.versions(client_for()) == ("31.0", "66.0")


def test_identity(org: responses.RequestsMock) -> None:
    org.get(
        USERINFO,
        json={
            "user_id": "005dM00000awSFJQA2",
            "organization_id": "00DdM00000vfgTu",
            "preferred_username": "integration.user@example.com",
        },
    )
    client = client_for()
    found = salesforce_org.identity(client)
    assert found.organization_id == "00DdM00000vfgTuUAI"
    assert found.user_id == "005dM00000awSFJQA2"
    assert found.username == "integration.user@example.com"
    assert client.budget.used == 0


@pytest.mark.parametrize("readable", [True, False])
def test_identity_without_the_userinfo_service(org: responses.RequestsMock, readable: bool) -> None:
    org.get(USERINFO, status=403, body="Wrong_Scope", content_type="text/plain")
    org.get(
        BASE,
        json={
            "identity": "https://login.salesforce.com/id/00DdM00000vfgTuUAI/005dM00000awSFJQA2",
            "sobjects": "/x",
        },
    )
    if readable:
        rows = {"totalSize": 1, "done": True, "records": [{"Username": "me@x.example"}]}
        org.get(f"{BASE}/query", json=rows)
    else:
        org.get(f"{BASE}/query", status=400, json=[{"errorCode": "INVALID_TYPE", "message": "x"}])
    found = salesforce_org.identity(client_for())
    assert found.organization_id == "00DdM00000vfgTuUAI"
    assert found.username == ("me@x.example" if readable else "")


@pytest.mark.parametrize("answer", [[], {}, {"user_id": "x", "organization_id": "y"}])
def test_identity_that_is_none(org: responses.RequestsMock, answer: object) -> None:
    org.get(USERINFO, json=answer)
    with pytest.raises(DamagedAnswer):
        salesforce_org.identity(client_for())


def refusing(*missing: str) -> Any:
    """An org whose Organization lacks these fields, naming one at a time."""

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        soql = parse_qs(urlsplit(str(request.url)).query)["q"][0]
        names = re.findall(r"\w+", soql.split("FROM")[0])[1:]
        for name in missing:
            if name in names:
                return 400, {}, (
                    '[{"errorCode": "INVALID_FIELD", "message": '
                    f'"No such column \'{name}\' on entity \'Organization\'."}}]'
                )  # fmt: skip
        row = ", ".join(f'"{name}": "v"' for name in names if name != "Id")
        return (
            200,
            {},
            (
                '{"totalSize": 1, "done": true, "records": [{"attributes": {}, '
                f'"Id": "00DdM00000vfgTu"{", " + row if row else ""}}}]}}'
            ),
        )

    return answer


def test_organization_does_without_missing_fields(org: responses.RequestsMock) -> None:
    org.add_callback(
        "GET",
        f"{BASE}/query",
        callback=refusing("PrimaryContact", "FiscalYearStartMonth"),
        content_type="application/json",
    )
    row = salesforce_org.organization(client_for())
    assert row["Id"] == "00DdM00000vfgTuUAI" and "InstanceName" in row and "attributes" not in row
    assert "PrimaryContact" not in row and "FiscalYearStartMonth" not in row
    assert len(org.calls) == 3


def test_organization_that_is_refused(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/query", status=400, json=[{"errorCode": "INVALID_FIELD", "message": "?"}])
    with pytest.raises(OrgRefused):
        salesforce_org.organization(client_for())
    assert len(org.calls) == 3  # all fields, Id and Name, Id


def test_organization_must_be_one_row(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/query", json={"totalSize": 0, "done": True, "records": []})
    with pytest.raises(DamagedAnswer):
        salesforce_org.organization(client_for())


def test_limits(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/limits", json={"DailyApiRequests": {"Max": 15000, "Remaining": 14976}})
    assert salesforce_org.limits(client_for())["DailyApiRequests"]["Remaining"] == 14976
