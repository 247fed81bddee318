from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.errors import (
    OrgLocked,
    OrgRefused,
    QuotaSpent,
    SentElsewhere,
    SessionLost,
    SfexitError,
    SignInProblem,
    Transient,
)
from sfexit.salesforce import refusals
from sfexit.salesforce.refusals import (
    PassingRefusal,
    Refused,
    SessionExpired,
    read_error,
    refusal,
    retry_after_seconds,
)


def error(code: str, message: str = "some words") -> bytes:
    return json.dumps([{"errorCode": code, "message": message}]).encode()


def classified(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None, **more: Any
) -> SfexitError:
    what = more.pop("what", "GET /services/data/v66.0/query")
    return refusal(Refused(status, headers or {}, body, what), **more)


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        (error("INVALID_FIELD", "No such column 'X'"), "INVALID_FIELD", "No such column 'X'"),
        (b'{"errorCode":"NOT_FOUND","message":"gone"}', "NOT_FOUND", "gone"),
        (b'{"error":"invalid_grant","error_description":"bad"}', "invalid_grant", "bad"),
        (b'{"exceptionCode":"InvalidSessionId","exceptionMessage":"x"}', "InvalidSessionId", "x"),
        (b"<html><body>down</body></html>", "", "a web page came instead of an explanation"),
        (b"", "", "no explanation given"),
        (b"[]", "", "no explanation given"),
        (b"[1]", "", "no explanation given"),
        (b"null", "", "no explanation given"),
        (b'"CustomNotAcceptable"', "", "CustomNotAcceptable"),
        (b"CustomNotAcceptable", "", "CustomNotAcceptable"),
        (b'[{"message":"cut', "", '[{"message":"cut'),
        (error("X", "\x1b[2J\u202eevil"), "X", "[2Jevil"),
        (error("INVALID_TYPE", "\nSELECT Id FROM A\n  ^\nERROR at Row:1:Column:3\nNo type 'A'"),
         "INVALID_TYPE", "No type 'A'"),
        (error("X", "token 00D5g0000000001EAA!CANARY seen"), "X", "token *** seen"),
    ],
)  # fmt: skip
def test_error_bodies(body: bytes, code: str, reason: str) -> None:
    found = read_error(body)
    assert (found.code, found.reason) == (code, reason)


@given(st.binary(max_size=200))
def test_any_body_can_be_read(body: bytes) -> None:
    found = read_error(body)
    assert len(found.reason) <= 300 and found.reason


@given(st.integers(300, 599), st.binary(max_size=50), st.text(max_size=20))
def test_any_answer_has_a_meaning(status: int, body: bytes, wish: str) -> None:
    assert isinstance(classified(status, body, {"Retry-After": wish}), SfexitError)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error("MALFORMED_QUERY"), OrgRefused),
        (400, error("INVALID_TYPE"), OrgRefused),
        (400, error("QUERY_TIMEOUT"), OrgRefused),
        (400, error("INVALID_QUERY_LOCATOR"), OrgRefused),
        (400, error("LIMIT_EXCEEDED"), OrgRefused),
        (403, error("INSUFFICIENT_ACCESS"), OrgRefused),
        (403, error("FUNCTIONALITY_NOT_ENABLED"), OrgRefused),
        (404, error("NOT_FOUND"), OrgRefused),
        (409, b"", OrgRefused),
        (410, b"", OrgRefused),
        (414, b"", OrgRefused),
        (431, b"", OrgRefused),
        (304, b"", OrgRefused),
        (300, b'["/a", "/b"]', OrgRefused),
        (401, error("INVALID_SESSION_ID"), SessionExpired),
        (401, b"", SessionExpired),
        (403, b"Bad_OAuth_Token", SessionExpired),
        (401, error("INVALID_SESSION_ID", "Session not valid for use with the REST API"),
         SignInProblem),
        (401, error("X", "Connected app is not attached to Agent"), SignInProblem),
        (401, error("INVALID_AUTH_HEADER"), SignInProblem),
        (403, error("API_DISABLED_FOR_ORG"), SignInProblem),
        (403, error("ORG_LOCKED"), OrgLocked),
        (403, error("LOGIN_DURING_RESTRICTED_DOMAIN"), SignInProblem),
        (403, error("TXN_SECURITY_NO_ACCESS"), SignInProblem),
        (400, error("TXN_SECURITY_METERING_ERROR"), SignInProblem),
        (301, b"", SentElsewhere),
        (302, b"", SentElsewhere),
        (307, b"", SentElsewhere),
    ],
)  # fmt: skip
def test_lasting_refusals(status: int, body: bytes, kind: type[SfexitError]) -> None:
    found = classified(status, body)
    assert type(found) is kind
    assert not isinstance(found, Transient | SessionLost)


@pytest.mark.parametrize(
    ("status", "body", "patience"),
    [
        (403, error("API_CURRENTLY_DISABLED"), refusals.SWITCHED_OFF),
        (400, error("UNABLE_TO_LOCK_ROW"), refusals.LOCKED_ROW),
        (500, error("UNABLE_TO_LOCK_ROW"), refusals.LOCKED_ROW),
        (400, error("EXTERNAL_OBJECT_EXCEPTION"), refusals.OUTSIDE_SOURCE),
        (500, error("SERVER_UNAVAILABLE"), refusals.UNAVAILABLE),
        (500, error("UNKNOWN_EXCEPTION"), refusals.SERVER_FAULT),
        (406, b"", refusals.SERVER_FAULT),
        (420, b"<html>", refusals.NO_ROUTE),
        (429, b"", refusals.THROTTLED),
        (502, b"<html>", refusals.UNAVAILABLE),
        (503, b"<html>", refusals.UNAVAILABLE),
        (504, b"", refusals.UNAVAILABLE),
        (599, b"", refusals.SERVER_FAULT),
    ],
)
def test_passing_refusals(status: int, body: bytes, patience: refusals.Patience) -> None:
    found = classified(status, body)
    assert isinstance(found, PassingRefusal) and found.patience is patience


def test_tries_of_the_table() -> None:
    assert refusals.NO_ROUTE.tries == 2 and refusals.SERVER_FAULT.tries == 3


def limit(message: str, left: int | None) -> SfexitError:
    asked = []

    def daily() -> int | None:
        asked.append(1)
        return left

    found = classified(403, error("REQUEST_LIMIT_EXCEEDED", message), daily_calls_left=daily)
    found.asked = len(asked)  # type: ignore[attr-defined]
    return found


def test_request_limit_has_three_meanings() -> None:
    day = limit("TotalRequests Limit exceeded.", None)
    assert isinstance(day, QuotaSpent) and day.asked == 0
    for words in ("ConcurrentPerOrgLongTxn Limit exceeded.", "ConcurrentRequests Limit exceeded."):
        busy = limit(words, 0)
        assert isinstance(busy, PassingRefusal) and busy.patience is refusals.CONCURRENT
        assert busy.asked == 0
    assert isinstance(limit("Slow down", 0), QuotaSpent)
    for left in (10, None):
        pace = limit("Slow down", left)
        assert isinstance(pace, PassingRefusal) and pace.patience is refusals.THROTTLED


def test_spent_bulk_allowance() -> None:
    body = error("LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached")
    found = classified(400, body, what="POST /services/data/v66.0/jobs/query")
    assert isinstance(found, QuotaSpent) and "10000" in found.message


def test_redirect_message_names_no_address() -> None:
    found = classified(302, b"", {"Location": "https://evil.example/?sid=CANARY"})
    assert "evil" not in found.message and "redirects are refused" in found.message


def test_txn_security_names_the_permission() -> None:
    found = classified(403, error("TXN_SECURITY_NO_ACCESS"))
    assert "Exempt from Transaction Security" in found.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "86400"}, 120.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "soon"}, None),
        (
            {
                "Retry-After": "Sun, 22 Nov 2026 10:00:30 GMT",
                "Date": "Sun, 22 Nov 2026 10:00:00 GMT",
            },
            30.0,
        ),
        (
            {
                "Retry-After": "Sun, 22 Nov 2026 09:00:00 GMT",
                "Date": "Sun, 22 Nov 2026 10:00:00 GMT",
            },
            0.0,
        ),
        (
            {
                "Retry-After": "Mon, 23 Nov 2026 10:00:00 GMT",
                "Date": "Sun, 22 Nov 2026 10:00:00 GMT",
            },
            120.0,
        ),
        ({"Retry-After": "Sun, 22 Nov 1998 10:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


def test_retry_after_is_in_the_error() -> None:
    found = classified(503, b"", {"Retry-After": "11"})
    assert isinstance(found, Transient) and found.retry_after_seconds == 11.0
