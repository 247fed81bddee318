from __future__ import annotations

from typing import Any

import pytest

from sfexit.errors import Blocked
from sfexit.salesforce import gate

BASE = "/services/data/v66.0"
JOB = f"{BASE}/jobs/query/750Tn000004ZoR3IAK"


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", f"{BASE}/anything?q=1", None),
        ("HEAD", f"{BASE}/anything", None),
        ("POST", f"{BASE}/jobs/query", {"operation": "queryAll"}),
        ("PATCH", JOB, {"state": "Aborted"}),
        ("DELETE", JOB, None),
        ("POST", f"{BASE}/composite", {"compositeRequest": [{"method": "GET", "url": "/x"}]}),
        ("POST", f"{BASE}/composite/batch", {"batchRequests": [{"method": "GET", "url": "x"}]}),
    ],
)
def test_reading_passes(method: str, target: str, body: Any) -> None:
    gate.check(method, target, body, writable=False)


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", f"{BASE}/sobjects/Account", {}),
        ("PATCH", f"{BASE}/sobjects/Account/001", {}),
        ("DELETE", f"{BASE}/sobjects/Account/001", None),
        ("PUT", f"{BASE}/jobs/query", {}),
        ("POST", f"{BASE}/jobs/ingest", {}),
        ("POST", f"{BASE}/jobs/query/../ingest", {}),
        ("POST", f"{BASE}/jobs/query?_HttpMethod=DELETE", {}),
        ("GET", f"{BASE}/sobjects/Account/001?_HttpMethod=DELETE", None),
        ("GET", f"{BASE}/sobjects/Account/001?a=1&%5FhttpMethod=PATCH", None),
        ("DELETE", f"{BASE}/jobs/query/", None),
        ("DELETE", f"{JOB}/results", None),
        ("POST", f"{BASE}/composite", None),
        ("POST", f"{BASE}/composite", {"compositeRequest": []}),
        ("POST", f"{BASE}/composite", {"compositeRequest": [{"method": "PATCH", "url": "/x"}]}),
        ("POST", f"{BASE}/composite", {"compositeRequest": [{"method": "GET"}, {"method": "PUT"}]}),
        (
            "POST",
            f"{BASE}/composite",
            {"compositeRequest": [{"method": "GET", "url": "/x?_HttpMethod=DELETE"}]},
        ),
        ("POST", f"{BASE}/composite", {"batchRequests": [{"method": "GET"}]}),
        ("POST", f"{BASE}/composite/sobjects", {"compositeRequest": [{"method": "GET"}]}),
        ("POST", f"{BASE}/composite/tree/Account", {}),
        ("POST", "/services/Soap/m/66.0", {}),
        ("POST", "/services/oauth2/revoke", {}),
        ("post", f"{BASE}/sobjects/Account", {}),
    ],
)
def test_changing_is_refused(method: str, target: str, body: Any) -> None:
    with pytest.raises(Blocked, match="not sent"):
        gate.check(method, target, body, writable=False)


def test_a_writable_client_may_change_but_not_in_disguise() -> None:
    gate.check("PATCH", f"{BASE}/sobjects/Account/001", {}, writable=True)
    with pytest.raises(Blocked):
        gate.check("GET", f"{BASE}/sobjects/A/1?_HttpMethod=DELETE", None, writable=True)


@pytest.mark.parametrize(
    ("target", "body", "calls"),
    [
        ("/services/data", None, 0),
        ("/services/data/", None, 0),
        ("/services/oauth2/userinfo", None, 0),
        (f"{BASE}/limits", None, 1),
        (f"{BASE}/composite/batch", {"batchRequests": [{}] * 25}, 25),
        (f"{BASE}/composite", {"compositeRequest": [{}] * 25}, 1),
    ],
)
def test_what_a_request_costs(target: str, body: Any, calls: int) -> None:
    assert gate.calls(target, body) == calls
