"""Salesforce's token endpoint: one request for every grant, and what its refusals mean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import requests

from sfexit.errors import DamagedAnswer, OrgLocked, SignInProblem, Transient, UsageProblem
from sfexit.redaction import Secret
from sfexit.salesforce import refusals
from sfexit.salesforce.credential import is_token
from sfexit.salesforce.ids import full_id
from sfexit.salesforce.origin import NoAuth, Origin
from sfexit.salesforce.transport import (
    NETWORK_FAULTS,
    network_fault,
    new_session,
    raw_answer,
    transmit,
)

PRODUCTION = "https://login.salesforce.com"
SANDBOX = "https://test.salesforce.com"
GENERIC_HOSTS = ("login.salesforce.com", "test.salesforce.com")

_TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - an address
_REVOKE_PATH = "/services/oauth2/revoke"
_ANSWER_LIMIT_BYTES = 1024 * 1024
# The identity URL ends in the ids of org and user ("Identity URLs", Salesforce Help).
_IDENTITY = re.compile(r"/id/(00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?)/(005[A-Za-z0-9]{12,15})\b")


@dataclass(frozen=True)
class TokenAnswer:
    """What a sign-in brought. `organization_id` is "" when the answer does not name it."""

    access_token: Secret
    origin: Origin
    organization_id: str
    refresh_token: Secret | None
    scope: str


@dataclass(frozen=True)
class Cause:
    """What a refusal means: for this `code` ("" = any), when its words match `words`."""

    code: str
    words: str
    meaning: str

    def fits(self, code: str, reason: str) -> bool:
        return (not self.code or self.code == code) and re.search(self.words, reason, re.I) is not (
            None
        )


class GrantRefused(SignInProblem):
    """Salesforce said no to a sign-in. `code` and `reason` are its words, `cause` the place of
    the matching cause in the list that was given (past its end when none fits)."""

    def __init__(
        self, message: str, code: str, reason: str, cause: int, server_time: datetime | None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.cause = cause
        self.server_time = server_time


class OrgShut(GrantRefused, OrgLocked):
    """The sign-in was refused because of the org, not because of the user or the app."""


# What a locked, closed or suspended org answers ("OAuth 2.0 error codes", Salesforce Help). Flows
# that trade something say so in the words of invalid_grant.
_SHUT = frozenset({"inactive_org", "org_locked"})
_SHUT_WORDS = re.compile(
    r"\b(?:inactive|locked|closed|suspended) org(?:anization)?\b"
    r"|\borg(?:anization)? (?:is |has been )?(?:inactive|locked|closed|suspended)\b",
    re.I,
)


# Refusals that mean the same whatever the flow ("OAuth 2.0 error codes", Salesforce Help).
COMMON_CAUSES = (
    Cause("invalid_client_id", "", "the client id is not known in this org"),
    Cause("invalid_client", "", "the client id and the client secret do not belong together"),
    Cause("app_not_found", "", "the client id is not known in this org"),
    Cause("invalid_scope", "", "the app lacks the scope for the API"),
    Cause("inactive_user", "", "the user is not active"),
    Cause("inactive_org", "", "the org is not active"),
    Cause("org_locked", "", "the org is locked"),
    Cause("rate_limit_exceeded", "", "too many sign-ins in a short time; wait some minutes"),
    # Spring '26 and later: an app that is not installed in the org is refused to people without
    # "Approve Uninstalled Connected Apps" (Salesforce Help 005132365).
    Cause(
        "invalid_app_access",
        "",
        "the user is not approved for the app; give the app to the user's profile or a permission "
        "set in the app's policies",
    ),
    Cause("OAUTH_APP_BLOCKED", "", "an administrator has blocked the app"),
    Cause("OAUTH_APP_ACCESS_DENIED", "", "the user may not use the app"),
)


class TokenEndpoint:
    """The sign-in service of one host, with the network settings to reach it."""

    def __init__(
        self,
        origin: Origin,
        *,
        allow_hosts: Collection[str] = (),
        http: Callable[[], requests.Session] = new_session,
        ca_bundle: str | None = None,
    ) -> None:
        """`allow_hosts` are hosts besides Salesforce's where an org may be."""
        self.origin = origin
        self._allow_hosts = tuple(allow_hosts)
        self._http = http
        self._ca_bundle = ca_bundle

    def at(self, origin: Origin) -> TokenEndpoint:
        """The same service of another host."""
        return TokenEndpoint(
            origin, allow_hosts=self._allow_hosts, http=self._http, ca_bundle=self._ca_bundle
        )

    def ask(
        self,
        form: Mapping[str, str | Secret],
        *,
        causes: Sequence[Cause] = COMMON_CAUSES,
        hint: str = "",
    ) -> TokenAnswer:
        """Trade what `form` holds for a token.

        `causes` explain refusals, the first that fits; `hint` says what to check when none does.
        Raises GrantRefused, SignInProblem, Transient.
        """
        what = f"the sign-in at {self.origin.host}"
        status, headers, body = self._post(_TOKEN_PATH, form, what)
        if status != 200:
            raise _refused(status, headers, body, what, causes, hint)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise DamagedAnswer(f"The answer to {what} is not what a sign-in answers.")
        token = answer.get("access_token")
        if not isinstance(token, str) or not is_token(token):
            raise DamagedAnswer("The sign-in answer of the org holds no usable token.")
        refresh = answer.get("refresh_token")
        scope = answer.get("scope")
        return TokenAnswer(
            Secret(token),
            self.org_at(answer.get("instance_url")),
            _organization_id(answer.get("id")),
            Secret(refresh) if isinstance(refresh, str) and is_token(refresh) else None,
            scope if isinstance(scope, str) else "",
        )

    def revoke(self, token: Secret) -> bool:
        """End a session or a stored sign-in in the org; False when it had ended before.

        Raises SignInProblem, Transient.
        """
        what = f"the sign-out at {self.origin.host}"
        status, headers, body = self._post(_REVOKE_PATH, {"token": token}, what)
        if status == 200:
            return True
        if status == 400:  # unsupported_token_type, invalid_token: nothing there to be revoked
            return False
        raise _refused(status, headers, body, what, COMMON_CAUSES, "")

    def org_at(self, instance_url: object) -> Origin:
        """Where the org says it is; the address can change when Salesforce moves an org.

        Raises SignInProblem for an address that cannot be the org's.
        """
        if not isinstance(instance_url, str):
            raise SignInProblem("The sign-in answer does not say where the org is.")
        try:
            origin = Origin.parse(instance_url, allow_hosts=self._allow_hosts)
        except UsageProblem as problem:
            raise SignInProblem(
                f"The sign-in answer names an address that cannot be used: {problem.message}"
            ) from None
        # An org on this computer is the one that was asked: any other port is another program.
        if origin.loopback and origin != self.origin:
            raise SignInProblem(
                "The sign-in answer points to this computer instead of the org; the session was "
                "not used."
            )
        return origin

    def _post(
        self, path: str, form: Mapping[str, str | Secret], what: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        request = requests.Request(
            "POST",
            self.origin.url(path),
            headers={"Accept": "application/json"},
            data={
                name: value.reveal() if isinstance(value, Secret) else value
                for name, value in form.items()
            },
            auth=NoAuth(),
        )
        with self._http() as session:
            try:
                response = transmit(session, request, self.origin, ca_bundle=self._ca_bundle)
            except NETWORK_FAULTS as error:
                raise network_fault(error, what) from None
            with response:
                body = b"".join(raw_answer(response, what).unpacked(_ANSWER_LIMIT_BYTES))
        return response.status_code, response.headers, body


def _organization_id(identity_url: object) -> str:
    found = _IDENTITY.search(identity_url) if isinstance(identity_url, str) else None
    if found is None:
        return ""
    try:
        return full_id(found[1])
    except DamagedAnswer:
        return ""


def _refused(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    what: str,
    causes: Sequence[Cause],
    hint: str,
) -> SignInProblem | Transient:
    if status in (420, 429) or status >= 500:
        fault = refusals.refusal(refusals.Refused(status, headers, body, what))
        if isinstance(fault, Transient):
            return fault
    found = refusals.read_error(body, headers.get("Content-Type", ""))
    if 300 <= status < 400:
        found = refusals.ErrorBody("", "it points to another address; use the My Domain address")
    place = next(
        (at for at, cause in enumerate(causes) if cause.fits(found.code, found.reason)),
        len(causes),
    )
    words = f"{found.code}: {found.reason}" if found.code else f"HTTP {status}, {found.reason}"
    if place < len(causes):
        message = f"Salesforce refused {what} ({words}): {causes[place].meaning}."
    else:
        message = f"Salesforce refused {what} ({words})" + (f"; {hint}." if hint else ".")
    shut = found.code in _SHUT or (
        found.code == "invalid_grant" and _SHUT_WORDS.search(found.reason) is not None
    )
    return (OrgShut if shut else GrantRefused)(
        message, found.code, found.reason, place, refusals.http_date(headers.get("Date", ""))
    )
