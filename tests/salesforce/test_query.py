from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from sfexit.errors import DamagedAnswer, OrgRefused, UsageProblem
from sfexit.salesforce import query

from .wire import ORG, client_for

BASE = f"{ORG}/services/data/v66.0"


def asked(org: responses.RequestsMock, number: int = 0) -> str:
    return parse_qs(urlsplit(str(org.calls[number].request.url)).query)["q"][0]


def test_pages_are_followed_and_numbers_stay_text(org: responses.RequestsMock) -> None:
    following = "/services/data/v66.0/query/0r8xx5R2yF2gs3VASQ-2"
    org.get(
        f"{BASE}/queryAll",
        body='{"totalSize": 3, "done": false, "records": ['
        '{"attributes": {"type": "A"}, "Id": "1", "N": 10.50, "B": true, "Z": null},'
        f'{{"Id": "2", "N": 1.0E7}}], "nextRecordsUrl": "{following}"}}',
        content_type="application/json",
    )
    org.get(ORG + following, json={"totalSize": 3, "done": True, "records": [{"Id": "3"}]})
    client = client_for()
    page = query.first_page(client, "SELECT Id, N FROM A WHERE X = 'a+b & c'")
    assert asked(org) == "SELECT Id, N FROM A WHERE X = 'a+b & c'"
    assert page.total_size == 3 and page.next_path == following
    assert page.records[0]["N"] == "10.50" and page.records[1]["N"] == "1.0E7"
    assert page.records[0]["B"] is True and page.records[0]["Z"] is None
    last = query.next_page(client, page.next_path)
    assert last.next_path is None and last.records == [{"Id": "3"}]


def test_without_deleted_rows(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/query", json={"totalSize": 0, "done": True, "records": []})
    page = query.first_page(client_for(), "SELECT Id FROM A", all_rows=False)
    assert page == query.QueryPage([], 0, None)


def test_a_link_is_followed_even_on_a_page_that_says_done(org: responses.RequestsMock) -> None:
    link = "/services/data/v66.0/query/01g-2000"
    org.get(
        f"{BASE}/queryAll",
        json={"totalSize": 9, "done": True, "records": [], "nextRecordsUrl": link},
    )
    assert query.first_page(client_for(), "SELECT Id FROM A").next_path == link


@pytest.mark.parametrize(
    "link",
    ["@evil.example/services/x", ".evil.example/", "//evil.example/", "https://evil.example/x",
     "/services/../x", 7],
)  # fmt: skip
def test_links_to_elsewhere_are_not_followed(org: responses.RequestsMock, link: object) -> None:
    org.get(
        f"{BASE}/queryAll",
        json={"totalSize": 9, "done": False, "records": [], "nextRecordsUrl": link},
    )
    with pytest.raises(DamagedAnswer):
        query.first_page(client_for(), "SELECT Id FROM A")
    if isinstance(link, str):
        with pytest.raises(DamagedAnswer):
            query.next_page(client_for(), link)
    assert len(org.calls) == 1


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"totalSize": 1, "done": True},
        {"totalSize": 1, "done": True, "records": [1]},
        {"totalSize": "x", "done": True, "records": []},
        {"totalSize": -1, "done": True, "records": []},
        {"done": True, "records": []},
        {"totalSize": 1, "done": False, "records": []},
        {"totalSize": 1, "records": []},
    ],
)
def test_answers_that_are_no_pages(org: responses.RequestsMock, answer: object) -> None:
    org.get(f"{BASE}/queryAll", json=answer)
    with pytest.raises(DamagedAnswer):
        query.first_page(client_for(), "SELECT Id FROM A")


def test_count(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/queryAll", json={"totalSize": 1234, "done": True, "records": []})
    org.get(f"{BASE}/query", json={"totalSize": 12, "done": True, "records": []})
    client = client_for()
    assert query.count(client, "Account") == 1234
    assert query.count(client, "Account", "Name = 'x'", all_rows=False) == 12
    assert asked(org) == "SELECT COUNT() FROM Account"
    assert asked(org, 1) == "SELECT COUNT() FROM Account WHERE Name = 'x'"
    with pytest.raises(UsageProblem):
        query.count(client, "Account WHERE x")


def test_refusals_keep_the_orgs_code(org: responses.RequestsMock) -> None:
    org.get(
        f"{BASE}/queryAll",
        status=400,
        json=[{"errorCode": "INVALID_FIELD", "message": "No such column 'X' on entity 'A'"}],
    )
    with pytest.raises(OrgRefused) as caught:
        query.first_page(client_for(), "SELECT X FROM A")
    assert caught.value.code == "INVALID_FIELD" and len(org.calls) == 1


def test_length_of_the_address(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/queryAll", json={"totalSize": 0, "done": True, "records": []})
    client = client_for()
    soql = "SELECT Id,Naïve__c FROM Account WHERE Name = 'é, 日本'"
    query.first_page(client, soql)
    assert query.uri_length(client, soql) == len(str(org.calls[0].request.url).encode())
    wide = f"SELECT {','.join(f'Field_number_{n}__c' for n in range(1000))} FROM A"
    assert query.uri_length(client, wide) > query.URI_LIMIT > query.uri_length(client, soql)
