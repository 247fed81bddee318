"""What an error answer of the org means, and what to do about it.

Follows "Status Codes and Error Responses" of the REST API guide and the exception codes of the
SOAP API guide ("Core Data Types Used in API Calls"). A body is usually a list of
`{message, errorCode, fields}`; the token endpoint and some 404s send an object; the edge servers
send web pages or nothing. All are read without trust.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sfexit.errors import (
    OrgLocked,
    OrgRefused,
    QuotaSpent,
    SentElsewhere,
    SfexitError,
    SignInProblem,
    Transient,
    UsageProblem,
)
from sfexit.redaction import printable, redact
from sfexit.salesforce.soap import read_fault

LONGEST_WAIT_SECONDS = 120.0  # the most that a server's Retry-After is obeyed


@dataclass(frozen=True)
class Patience:
    """How long one kind of passing fault is borne. Waits in seconds, doubling."""

    kind: str
    tries: int
    first_wait: float
    longest_wait: float


NETWORK = Patience("network fault", 6, 1.0, 60.0)
# Nothing was ever heard from that host: more likely a wrong name than a passing fault.
FIRST_CONTACT = Patience("no connection", 2, 1.0, 2.0)
DAMAGED = Patience("damaged answer", 4, 1.0, 30.0)
UNAVAILABLE = Patience("service unavailable", 6, 2.0, 90.0)
THROTTLED = Patience("too many requests", 6, 5.0, 120.0)
# Long requests of other programs must end first; 25 at a time, 5 in a trial org
# (Limits and Allocations Quick Reference, "Concurrent API Request Limits").
CONCURRENT = Patience("too many long requests at once", 8, 20.0, 120.0)
# Some objects always answer so; more tries would only spend calls.
SERVER_FAULT = Patience("server fault", 3, 2.0, 30.0)
NO_ROUTE = Patience("no route to the org", 2, 60.0, 60.0)
LOCKED_ROW = Patience("record locked", 6, 2.0, 30.0)
OUTSIDE_SOURCE = Patience("fault of an external data source", 2, 5.0, 5.0)
SWITCHED_OFF = Patience("API switched off for the moment", 4, 30.0, 120.0)


class PassingRefusal(Transient):
    """The org said no, but may say yes later; `patience` says how long to go on asking."""

    def __init__(
        self,
        message: str,
        patience: Patience,
        *,
        status: int = 0,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.patience = patience
        self.status = status


class SessionExpired(SfexitError):
    """The session ended; a new token and the same request again are in order. Client-internal."""


@dataclass(frozen=True)
class ErrorBody:
    """The first error of a body: Salesforce's code (or "") and words fit for a terminal."""

    code: str
    reason: str


@dataclass(frozen=True)
class Refused:
    """An error answer: HTTP status, headers, body, and what was asked ("GET /services/…")."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    what: str


def clean(text: object) -> str:
    """Words of the org, fit for a message: one line, short, without credentials."""
    return printable(redact(str(text)))


# A refused query is shown again before the words that explain, with a mark below the place:
# "SELECT Id,Foo FROM Account", "          ^", "ERROR at Row:1:Column:11", "No such column 'Foo' …".
# Kept, it would push the words out of a short message.
_EXPLAINED = re.compile(r"\^\s{1,3}ERROR at Row:\d{1,9}:Column:\d{1,9}\s{1,3}(?=\S)")


def _reason(text: object) -> str:
    said = str(text)
    place = _EXPLAINED.search(said)
    return clean(said[place.end() :] if place else said) or "no explanation given"


def read_error(body: bytes, content_type: str = "") -> ErrorBody:
    """Find code and reason in any body; never raises."""
    text = body.decode("utf-8", "replace").strip()
    if not text:
        return ErrorBody("", "no explanation given")
    fault = read_fault(body) if "xml" in content_type.lower() else None
    if fault is not None:
        return ErrorBody(printable(redact(fault.code), 80), _reason(fault.reason))
    if "html" in content_type.lower() or text[:1] == "<":
        return ErrorBody("", "a web page came instead of an explanation")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return ErrorBody("", _reason(text))
    if isinstance(data, list):
        data = data[0] if data else {}
    if isinstance(data, str):
        return ErrorBody("", _reason(data))
    if not isinstance(data, dict):
        return ErrorBody("", "no explanation given")
    code = ""
    for key in ("errorCode", "exceptionCode", "statusCode", "error"):
        if isinstance(data.get(key), str) and data[key]:
            code = printable(redact(data[key]), 80)
            break
    reason = "no explanation given"
    for key in ("message", "exceptionMessage", "error_description"):
        if isinstance(data.get(key), str) and data[key]:
            reason = _reason(data[key])
            break
    return ErrorBody(code, reason)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The wait a server asks for, in seconds, at most LONGEST_WAIT_SECONDS; None if it does not.

    A date is measured against the server's own clock where the answer has one (RFC 9110, 10.2.3).
    """
    wish = headers.get("Retry-After", "").strip()
    if not wish:
        return None
    try:
        seconds = float(int(wish))
    except ValueError:
        until = http_date(wish)
        if until is None:
            return None
        now = http_date(headers.get("Date", "")) or datetime.now(UTC)
        seconds = (until - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def http_date(text: str) -> datetime | None:
    """The moment an HTTP date names, in UTC; None if it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


# 401 answers that no new token will cure: a client that renews on them renews for ever.
_WRONG_SESSION_KIND = ("not valid for use with the REST API", "not attached to Agent")

# The userinfo service refuses a dead token with 403 and this word as the body
# ("Identity URLs", Salesforce Help).
_DEAD_TOKEN = "Bad_OAuth_Token"  # noqa: S105 - a word of the protocol, not a password

_ORG_LOCKED = "ORG_LOCKED"  # SOAP API guide, "ExceptionCode"
_NOT_ALLOWED = {
    "API_DISABLED_FOR_ORG": (
        "the API is not switched on for this user or this edition; give the user the permission "
        "API Enabled"
    ),
    _ORG_LOCKED: "the org is locked; ask Salesforce Support to open it",
    "LOGIN_DURING_RESTRICTED_DOMAIN": (
        "this computer's address is outside of the user's login IP ranges"
    ),
    "LOGIN_DURING_RESTRICTED_TIME": "it is outside of the user's login hours",
    "INVALID_AUTH_HEADER": "the session has a form that the org does not know",
    "INVALID_SESSION_TYPE": "the session is of a kind that may not use the API",
}

# SOAP says everything with status 500; these are what REST would say with another one. The rest are
# refusals (SOAP API guide, "ExceptionCode").
_FAULT_STATUS = {
    "INVALID_SESSION_ID": 401,
    "UNKNOWN_EXCEPTION": 500,
    "SERVER_UNAVAILABLE": 503,
    "REQUEST_RUNNING_TOO_LONG": 503,
    "REQUEST_LIMIT_EXCEEDED": 403,
}

_BY_STATUS = {
    406: SERVER_FAULT,  # a passing fault seen on describe ("CustomNotAcceptable")
    408: UNAVAILABLE,
    420: NO_ROUTE,
    429: THROTTLED,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: UNAVAILABLE,
}


def refusal(
    answer: Refused, *, daily_calls_left: Callable[[], int | None] = lambda: None
) -> SfexitError:
    """The error to raise for an answer with status 300 or above.

    `daily_calls_left` is asked only where the org's words leave open whether the day's calls
    are spent; it returns None when it cannot tell.
    """
    status, what = answer.status, answer.what
    content_type = answer.headers.get("Content-Type", "")
    found = read_error(answer.body, content_type)
    code, reason = found.code, found.reason
    if status == 500 and code and "xml" in content_type.lower():
        status = _FAULT_STATUS.get(code, 400)
    wish = retry_after_seconds(answer.headers)

    def passing(patience: Patience) -> PassingRefusal:
        words = f"{code}: {reason}" if code else reason
        return PassingRefusal(
            f"The org did not answer {what} (HTTP {status}, {words}).",
            patience,
            status=status,
            retry_after_seconds=wish,
        )

    if 300 <= status < 400:
        return _redirect(answer)
    if status == 401 or (status == 403 and _DEAD_TOKEN in reason):
        return _unauthorized(code, reason)
    if code.startswith("TXN_SECURITY"):
        return SignInProblem(
            f"A transaction security policy of the org blocked {what} ({code}); give the user the "
            "permission Exempt from Transaction Security, then run the same command again."
        )
    if code == _ORG_LOCKED and status in (400, 401, 403):
        return OrgLocked(f"The org does not let anybody in ({code}): {_NOT_ALLOWED[code]}.")
    if status in (400, 403) and code in _NOT_ALLOWED:
        return SignInProblem(f"The org does not let this user in ({code}): {_NOT_ALLOWED[code]}.")
    if code == "API_CURRENTLY_DISABLED":
        return passing(SWITCHED_OFF)
    if code == "REQUEST_LIMIT_EXCEEDED":
        return _request_limit(reason, what, wish, status, daily_calls_left)
    if status == 400 and code == "LIMIT_EXCEEDED" and "/jobs/" in what:
        return QuotaSpent(
            f"The org's Bulk API allowance for 24 hours is used up ({reason}); run the same "
            "command again later. Progress is kept."
        )
    if code == "UNABLE_TO_LOCK_ROW":
        return passing(LOCKED_ROW)
    if code == "SERVER_UNAVAILABLE":
        return passing(UNAVAILABLE)
    if code == "EXTERNAL_OBJECT_EXCEPTION":
        return passing(OUTSIDE_SOURCE)
    if status in _BY_STATUS:
        return passing(_BY_STATUS[status])
    if status >= 500:
        return passing(SERVER_FAULT)
    if status == 410:
        return OrgRefused(
            410, code or "GONE", "this API version or address is retired; use a newer API version"
        )
    if status in (414, 431):
        return OrgRefused(
            status, code or "URI_TOO_LONG", "the request is longer than the 16,384 bytes allowed"
        )
    return OrgRefused(status, code, reason)


def cannot_go_on(refused: OrgRefused, kept: str) -> SfexitError:
    """The error for a refusal of what a command cannot do without, with what to do about it.

    `kept` says what became of the work so far: "nothing was changed".
    """
    said = f"{refused.code or f'HTTP {refused.status}'}: {refused.reason.rstrip('.')}"
    if refused.status in (404, 410):
        return UsageProblem(
            f"The org does not know what it was asked for ({said}): name an API version that it "
            f"has (--api-version), or none; {kept}"
        )
    return SignInProblem(
        f"The org refused this user what the command cannot do without ({said}): give the user API "
        f"Enabled and the permission that this text names, then run the same command again; {kept}"
    )


def _redirect(answer: Refused) -> SfexitError:
    if answer.status == 300:  # several rows fit an external id; a list of addresses follows
        return OrgRefused(300, "", "several records fit this address")
    if answer.status == 304:
        return OrgRefused(304, "NOT_MODIFIED", "nothing changed since the given time")
    return SentElsewhere(
        f"The org's server wants to send {answer.what} elsewhere (HTTP {answer.status}); redirects "
        "are refused to keep the session safe, so check the org's My Domain address."
    )


def _unauthorized(code: str, reason: str) -> SfexitError:
    if any(words in reason for words in _WRONG_SESSION_KIND):
        return SignInProblem(
            f"The org does not accept this kind of session for its API ({reason}); sign in "
            "through an app that may use the API."
        )
    if code in _NOT_ALLOWED:
        return SignInProblem(f"The org does not let this user in ({code}): {_NOT_ALLOWED[code]}.")
    return SessionExpired("The session ended or is not valid.")


def _request_limit(
    reason: str,
    what: str,
    wish: float | None,
    status: int,
    daily_calls_left: Callable[[], int | None],
) -> SfexitError:
    """One code, three meanings: the day's calls are spent, too many long requests, or a pace."""
    if "Concurrent" not in reason and (
        "TotalRequests Limit exceeded" in reason or daily_calls_left() == 0
    ):
        return QuotaSpent(
            "The org's API calls of the last 24 hours are used up, by all programs together; run "
            "the same command again later. Progress is kept."
        )
    patience = CONCURRENT if "Concurrent" in reason else THROTTLED
    return PassingRefusal(
        f"The org holds back {what} for the moment ({reason}).",
        patience,
        status=status,
        retry_after_seconds=wish,
    )
