"""From settings to a session: the ways to sign in that an export can use unattended.

Offered: an access token given by hand or kept in a file by another program, and the OAuth 2.0
client credentials flow. Not offered: user name and password, the device flow and SOAP login,
which Salesforce blocks by default or is taking away.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

import requests

from sfexit.errors import (
    DamagedAnswer,
    SessionLost,
    SignInProblem,
    Transient,
    UsageProblem,
)
from sfexit.redaction import Secret, printable
from sfexit.salesforce import refusals
from sfexit.salesforce.origin import NoAuth, Origin
from sfexit.salesforce.transport import (
    NETWORK_FAULTS,
    network_fault,
    new_session,
    raw_answer,
    transmit,
)

# A token minted a moment ago by another thread is not renewed again, even when it is refused:
# clients that did so renewed for ever.
SETTLE_SECONDS = 10.0

_TOKEN = re.compile(r"[\x21-\x7e]{8,8192}")
_TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - an address
_ANSWER_LIMIT_BYTES = 1024 * 1024
_GENERIC_HOSTS = ("login.salesforce.com", "test.salesforce.com")

_WHAT_TO_SET = (
    "Set SFEXIT_INSTANCE_URL (https://mycompany.my.salesforce.com) and one of: "
    "SFEXIT_ACCESS_TOKEN; SFEXIT_ACCESS_TOKEN_FILE; SFEXIT_CLIENT_ID with SFEXIT_CLIENT_SECRET."
)


class Credential(Protocol):
    """A way to be signed in to one org. Safe for several threads."""

    @property
    def origin(self) -> Origin:
        """Where the org is; may sign in to learn it."""

    @property
    def kind(self) -> str:
        """For people: "access token", "access token file", "client credentials"."""

    @property
    def renewable(self) -> bool:
        """Whether a long run survives the end of its session without anybody's help."""

    def token(self) -> Secret:
        """The token in use. Raises SignInProblem, Transient."""

    def renew(self, stale: Secret) -> Secret:
        """A token other than `stale`, which the org refused.

        Several threads may ask at once; one renewal serves them all. Raises SessionLost when no
        new token can be had, SignInProblem, Transient.
        """


class GivenToken:
    """A token set by hand. It ends with its session (two hours by default)."""

    kind = "access token"
    renewable = False

    def __init__(self, origin: Origin, token: Secret) -> None:
        self.origin = origin
        self._token = token

    def token(self) -> Secret:
        return self._token

    def renew(self, stale: Secret) -> Secret:  # noqa: ARG002 - there is no other one
        raise SessionLost(
            "The session of SFEXIT_ACCESS_TOKEN has ended or is not valid; get a new token and run "
            "the same command again. Progress is kept."
        )


class TokenFile:
    """A token in a file that another program may replace at any time."""

    kind = "access token file"
    renewable = False

    def __init__(self, origin: Origin, path: Path) -> None:
        """Reads the file at once. Raises SignInProblem."""
        self.origin = origin
        self._path = path
        self._lock = threading.Lock()
        self._token = read_token_file(path)

    def token(self) -> Secret:
        return self._token

    def renew(self, stale: Secret) -> Secret:
        with self._lock:
            if self._token != stale:
                return self._token
            found = read_token_file(self._path)
            if found == stale:
                raise SessionLost(
                    f"The session in {self._path} has ended or is not valid; put a new token "
                    "there and run the same command again. Progress is kept."
                )
            self._token = found
            return found


class ClientCredentials:
    """The OAuth 2.0 client credentials flow: runs as the one user that the app names."""

    kind = "client credentials"
    renewable = True

    def __init__(
        self,
        origin: Origin,
        client_id: str,
        client_secret: Secret,
        *,
        allow_hosts: Collection[str] = (),
        http: Callable[[], requests.Session] = new_session,
        ca_bundle: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`origin` is the My Domain address. Signs in when a token is first asked for."""
        if origin.host in _GENERIC_HOSTS:
            raise SignInProblem(
                f"Salesforce refuses the client credentials flow at {origin.host}; set "
                "SFEXIT_INSTANCE_URL to the org's My Domain address, "
                "https://mycompany.my.salesforce.com."
            )
        self._login_origin = origin
        self._client_id = client_id
        self._client_secret = client_secret
        self._allow_hosts = tuple(allow_hosts)
        self._http = http
        self._ca_bundle = ca_bundle
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Secret | None = None
        self._origin: Origin | None = None
        self._minted_at = 0.0

    @property
    def origin(self) -> Origin:
        self.token()
        assert self._origin is not None
        return self._origin

    def token(self) -> Secret:
        with self._lock:
            return self._token if self._token is not None else self._sign_in()

    def renew(self, stale: Secret) -> Secret:
        with self._lock:
            if self._token is not None:
                if self._token != stale:
                    return self._token
                if self._clock() - self._minted_at < SETTLE_SECONDS:
                    return self._token
            return self._sign_in()

    def _sign_in(self) -> Secret:
        answer = self._ask_for_token()
        token = answer.get("access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise DamagedAnswer("The sign-in answer of the org holds no usable token.")
        origin = self._origin_of(answer.get("instance_url"))
        if self._origin is not None and origin.host != self._origin.host:
            raise SignInProblem(
                f"After signing in again the org is at {origin.host} instead of "
                f"{self._origin.host}; check that it was moved, then run the same command again."
            )
        self._origin = origin
        self._token = Secret(token)
        self._minted_at = self._clock()
        return self._token

    def _origin_of(self, instance_url: object) -> Origin:
        """Where the org says it is; the address can change when Salesforce moves an org."""
        if not isinstance(instance_url, str):
            raise SignInProblem("The sign-in answer does not say where the org is.")
        try:
            origin = Origin.parse(instance_url, allow_hosts=self._allow_hosts)
        except UsageProblem as problem:
            raise SignInProblem(
                f"The sign-in answer names an address that cannot be used: {problem.message}"
            ) from None
        if origin.loopback and not self._login_origin.loopback:
            raise SignInProblem(
                "The sign-in answer points to this computer instead of the org; the session was "
                "not used."
            )
        return origin

    def _ask_for_token(self) -> dict[str, object]:
        what = f"the sign-in at {self._login_origin.host}"
        request = requests.Request(
            "POST",
            self._login_origin.url(_TOKEN_PATH),
            headers={"Accept": "application/json"},
            data={
                "grant_type": "client_credentials",
                "client_id": self._client_id,
                "client_secret": self._client_secret.reveal(),
            },
            auth=NoAuth(),
        )
        with self._http() as session:
            try:
                response = transmit(session, request, self._login_origin, ca_bundle=self._ca_bundle)
            except NETWORK_FAULTS as error:
                raise network_fault(error, what) from None
            with response:
                body = b"".join(raw_answer(response, what).unpacked(_ANSWER_LIMIT_BYTES))
        if response.status_code != 200:
            raise _sign_in_refused(response.status_code, response.headers, body, what)
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise DamagedAnswer(f"The answer to {what} is not what a sign-in answers.")
        return answer


# The token endpoint's own words ("OAuth 2.0 Client Credentials Flow", Salesforce Help).
_CAUSES = {
    "invalid_client_id": "the client id is not known in this org",
    "invalid_client": "the client id and the client secret do not belong together",
    "invalid_grant": (
        "the app names no user to run as, or that user may not use it; check the app's client "
        "credentials policy"
    ),
    "unsupported_grant_type": "the app does not allow the client credentials flow",
    "unauthorized_client": "the app does not allow the client credentials flow",
    "invalid_scope": "the app lacks the scope for the API",
    "inactive_user": "the user the app runs as is not active",
    "inactive_org": "the org is not active",
}


def _sign_in_refused(
    status: int, headers: Mapping[str, str], body: bytes, what: str
) -> SignInProblem | Transient:
    if status in (420, 429) or status >= 500:
        fault = refusals.refusal(refusals.Refused(status, headers, body, what))
        if isinstance(fault, Transient):
            return fault
    found = refusals.read_error(body, headers.get("Content-Type", ""))
    if 300 <= status < 400:
        found = refusals.ErrorBody("", "it points to another address; use the My Domain address")
    cause = _CAUSES.get(found.code)
    if cause is not None:
        return SignInProblem(f"Salesforce refused {what} ({found.code}: {found.reason}): {cause}.")
    words = f"{found.code}: {found.reason}" if found.code else f"HTTP {status}, {found.reason}"
    return SignInProblem(
        f"Salesforce refused {what} ({words}); check SFEXIT_CLIENT_ID and SFEXIT_CLIENT_SECRET."
    )


def read_token_file(path: Path) -> Secret:
    """The token in a file that nobody else may read. Raises SignInProblem."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise SignInProblem(f"SFEXIT_ACCESS_TOKEN_FILE ({path}) is not a file.")
            # Windows keeps no such bits; its files belong to the user's own profile.
            if sys.platform != "win32" and mode & 0o077:
                raise SignInProblem(
                    f"Other users of this computer can read {path}; run chmod 600 on it, and get "
                    "a new token if it was open for long."
                )
            data = file.read(16 * 1024)
    except OSError as error:
        raise SignInProblem(
            f"The token file {path} cannot be read ({error.strerror}); check "
            "SFEXIT_ACCESS_TOKEN_FILE."
        ) from None
    return _checked_token(data.decode("utf-8", "replace"), str(path))


def _checked_token(text: str, source: str) -> Secret:
    token = text.strip()
    if not _TOKEN.fullmatch(token):
        raise SignInProblem(
            f"What {source} holds is no access token: it is empty, too short, or has spaces in it."
        )
    return Secret(token)


def credential_from_environment(
    env: Mapping[str, str],
    *,
    http: Callable[[], requests.Session] = new_session,
    allow_hosts: Collection[str] = (),
    ca_bundle: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Credential:
    """The credential that the SFEXIT_… settings in `env` describe; sends nothing yet.

    `http` makes the session for signing in. Hosts of `SFEXIT_ALLOW_HOST` (separated by commas)
    and `allow_hosts` are accepted besides Salesforce's. Raises SignInProblem, UsageProblem.
    """
    given = {name: value for name, value in env.items() if value and value.strip()}
    hosts = (*allow_hosts, *given.get("SFEXIT_ALLOW_HOST", "").replace(",", " ").split())
    ways = [
        name
        for name in (
            "SFEXIT_ACCESS_TOKEN",
            "SFEXIT_ACCESS_TOKEN_FILE",
            "SFEXIT_CLIENT_SECRET",
            "SFEXIT_PRIVATE_KEY_FILE",
        )
        if name in given
    ]
    if "SFEXIT_PRIVATE_KEY_FILE" in ways:
        raise SignInProblem(
            "Signing in with SFEXIT_PRIVATE_KEY_FILE (JWT bearer) is not offered yet; use "
            "SFEXIT_CLIENT_ID with SFEXIT_CLIENT_SECRET, or an access token."
        )
    if len(ways) > 1:
        raise SignInProblem(f"Set only one of {' and '.join(ways)}; they are different sign-ins.")
    if not ways and "SFEXIT_CLIENT_ID" in given:
        raise SignInProblem("SFEXIT_CLIENT_ID is set, but SFEXIT_CLIENT_SECRET is not.")
    if not ways:
        raise SignInProblem(f"No way to sign in is set. {_WHAT_TO_SET}")
    if "SFEXIT_INSTANCE_URL" not in given:
        raise SignInProblem(f"SFEXIT_INSTANCE_URL is not set. {_WHAT_TO_SET}")
    origin = Origin.parse(given["SFEXIT_INSTANCE_URL"], allow_hosts=hosts)
    match ways[0]:
        case "SFEXIT_ACCESS_TOKEN":
            return GivenToken(origin, _checked_token(given[ways[0]], ways[0]))
        case "SFEXIT_ACCESS_TOKEN_FILE":
            return TokenFile(origin, Path(given[ways[0]].strip()))
        case _:
            if "SFEXIT_CLIENT_ID" not in given:
                raise SignInProblem("SFEXIT_CLIENT_SECRET is set, but SFEXIT_CLIENT_ID is not.")
            return ClientCredentials(
                origin,
                printable(given["SFEXIT_CLIENT_ID"], 500),
                Secret(given["SFEXIT_CLIENT_SECRET"].strip()),
                allow_hosts=hosts,
                http=http,
                ca_bundle=ca_bundle,
                clock=clock,
            )
