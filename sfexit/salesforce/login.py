"""From settings to a session: the ways to sign in that an export can use unattended.

Offered here: an access token given by hand or kept in a file by another program, the OAuth 2.0
client credentials flow, and JWT bearer. For people there are `web_login` and `stored`, and the
Salesforce CLI's session in `cli_session`. What is not offered, and why, is in NOT_OFFERED.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import requests

from sfexit.errors import SessionLost, SignInProblem
from sfexit.redaction import Secret, printable
from sfexit.salesforce.credential import SETTLE_SECONDS, Credential, Minting, checked_token
from sfexit.salesforce.origin import Origin
from sfexit.salesforce.private_file import read_private
from sfexit.salesforce.token_endpoint import (
    COMMON_CAUSES,
    GENERIC_HOSTS,
    Cause,
    TokenAnswer,
    TokenEndpoint,
)
from sfexit.salesforce.transport import new_session

__all__ = [
    "NOT_OFFERED",
    "SETTLE_SECONDS",
    "ClientCredentials",
    "Credential",
    "GivenToken",
    "TokenFile",
    "credential_from_environment",
    "names_an_org",
]

# The settings that name an org and a session in it. SFEXIT_CLIENT_ID alone does not: it is also
# the app that `sfexit login` uses.
_NAMING = (
    "SFEXIT_INSTANCE_URL",
    "SFEXIT_ACCESS_TOKEN",
    "SFEXIT_ACCESS_TOKEN_FILE",
    "SFEXIT_CLIENT_SECRET",
    "SFEXIT_PRIVATE_KEY_FILE",
)
_WAYS = _NAMING[1:]

_WHAT_TO_SET = (
    "Set SFEXIT_INSTANCE_URL (https://mycompany.my.salesforce.com) and one of: "
    "SFEXIT_ACCESS_TOKEN; SFEXIT_ACCESS_TOKEN_FILE; SFEXIT_CLIENT_ID with SFEXIT_CLIENT_SECRET; "
    "SFEXIT_CLIENT_ID with SFEXIT_USERNAME and SFEXIT_PRIVATE_KEY_FILE."
)

# What people look for and do not find. Sources: Salesforce Help 005132365 (device flow and
# uninstalled apps), xcloud.remoteaccess_disable_username_password_flow_ca, 005132110 (SOAP
# login); release notes of the Salesforce CLI, 2.119.8.
NOT_OFFERED = {
    "device": (
        "The device flow is not offered: since September 2025 Salesforce blocks it for apps that "
        "are not installed in the org, and the Salesforce CLI dropped it in January 2026; use "
        "sfexit login --no-browser, or --method jwt on a computer without people."
    ),
    "password": (
        "Signing in with user name and password is not offered: Salesforce blocks that flow by "
        "default in orgs made since Summer '23 and external client apps do not have it; use "
        "sfexit login, or --method jwt or client-credentials on a computer without people."
    ),
    "soap": (
        "SOAP login() is not offered: it is gone from API version 65.0 on, off by default in new "
        "orgs, and ends for the older versions in Summer '27; use sfexit login, or --method jwt "
        "or client-credentials on a computer without people."
    ),
}


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
        self._token = _token_in(path)

    def token(self) -> Secret:
        return self._token

    def renew(self, stale: Secret) -> Secret:
        with self._lock:
            if self._token != stale:
                return self._token
            found = _token_in(self._path)
            if found == stale:
                raise SessionLost(
                    f"The session in {self._path} has ended or is not valid; put a new token "
                    "there and run the same command again. Progress is kept."
                )
            self._token = found
            return found


def _token_in(path: Path) -> Secret:
    data = read_private(path, "SFEXIT_ACCESS_TOKEN_FILE", 16 * 1024)
    return checked_token(data.decode("utf-8", "replace"), str(path))


# The token endpoint's own words ("OAuth 2.0 Client Credentials Flow", Salesforce Help).
_CAUSES = (
    Cause(
        "invalid_grant",
        "",
        "the app names no user to run as, or that user may not use it; check the app's client "
        "credentials policy",
    ),
    Cause("unsupported_grant_type", "", "the app does not allow the client credentials flow"),
    Cause("unauthorized_client", "", "the app does not allow the client credentials flow"),
    Cause("inactive_user", "", "the user the app runs as is not active"),
    *COMMON_CAUSES,
)


class ClientCredentials(Minting):
    """The OAuth 2.0 client credentials flow: runs as the one user that the app names."""

    kind = "client credentials"

    def __init__(
        self,
        endpoint: TokenEndpoint,
        client_id: str,
        client_secret: Secret,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`endpoint` is at the My Domain address. Signs in when a token is first asked for."""
        super().__init__(clock)
        if endpoint.origin.host in GENERIC_HOSTS:
            raise SignInProblem(
                f"Salesforce refuses the client credentials flow at {endpoint.origin.host}; set "
                "SFEXIT_INSTANCE_URL (or --instance-url) to the org's My Domain address, "
                "https://mycompany.my.salesforce.com."
            )
        self._endpoint = endpoint
        self._client_id = client_id
        self._client_secret = client_secret

    def _mint(self) -> TokenAnswer:
        return self._endpoint.ask(
            {
                "grant_type": "client_credentials",
                "client_id": self._client_id,
                "client_secret": self._client_secret,
            },
            causes=_CAUSES,
            hint="check SFEXIT_CLIENT_ID and SFEXIT_CLIENT_SECRET",
        )


def names_an_org(env: Mapping[str, str]) -> bool:
    """Whether `env` says which org is meant, be it in full or in part."""
    return any(env.get(name, "").strip() for name in _NAMING)


def credential_from_environment(
    env: Mapping[str, str],
    *,
    http: Callable[[], requests.Session] = new_session,
    allow_hosts: Collection[str] = (),
    ca_bundle: str | None = None,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
) -> Credential:
    """The credential that the SFEXIT_… settings in `env` describe; sends nothing yet.

    `http` makes the session for signing in. Hosts of `SFEXIT_ALLOW_HOST` (separated by commas)
    and `allow_hosts` are accepted besides Salesforce's. Raises SignInProblem, UsageProblem.
    """
    given = {name: value.strip() for name, value in env.items() if value and value.strip()}
    hosts = (*allow_hosts, *allowed_hosts(given))
    ways = [name for name in _WAYS if name in given]
    if len(ways) > 1:
        raise SignInProblem(f"Set only one of {' and '.join(ways)}; they are different sign-ins.")
    if "SFEXIT_PASSWORD" in given:
        raise SignInProblem(NOT_OFFERED["password"])
    if not ways and "SFEXIT_CLIENT_ID" in given:
        raise SignInProblem(
            "SFEXIT_CLIENT_ID is set, but SFEXIT_CLIENT_SECRET is not, nor SFEXIT_PRIVATE_KEY_FILE."
        )
    if not ways:
        raise SignInProblem(f"No way to sign in is set. {_WHAT_TO_SET}")
    way = ways[0]
    by_app = way in ("SFEXIT_CLIENT_SECRET", "SFEXIT_PRIVATE_KEY_FILE")
    if by_app and "SFEXIT_CLIENT_ID" not in given:
        raise SignInProblem(f"{way} is set, but SFEXIT_CLIENT_ID is not.")
    place = given.get("SFEXIT_INSTANCE_URL")
    if way == "SFEXIT_PRIVATE_KEY_FILE":
        place = given.get("SFEXIT_LOGIN_URL", place)
    if place is None:
        raise SignInProblem(f"SFEXIT_INSTANCE_URL is not set. {_WHAT_TO_SET}")
    origin = Origin.parse(place, allow_hosts=hosts)
    if way == "SFEXIT_ACCESS_TOKEN":
        return GivenToken(origin, checked_token(given[way], way))
    if way == "SFEXIT_ACCESS_TOKEN_FILE":
        return TokenFile(origin, Path(given[way]))
    endpoint = TokenEndpoint(origin, allow_hosts=hosts, http=http, ca_bundle=ca_bundle)
    client_id = printable(given["SFEXIT_CLIENT_ID"], 500)
    if way == "SFEXIT_CLIENT_SECRET":
        return ClientCredentials(endpoint, client_id, Secret(given[way]), clock=clock)
    if "SFEXIT_USERNAME" not in given:
        raise SignInProblem(
            "SFEXIT_PRIVATE_KEY_FILE is set, but SFEXIT_USERNAME, the user to sign in as, is not."
        )
    from sfexit.salesforce.jwt_bearer import JwtBearer

    instance = given.get("SFEXIT_INSTANCE_URL")
    return JwtBearer(
        endpoint,
        client_id,
        printable(given["SFEXIT_USERNAME"], 200),
        Path(given[way]),
        audience=given.get("SFEXIT_JWT_AUDIENCE"),
        expected=Origin.parse(instance, allow_hosts=hosts) if instance else None,
        clock=clock,
        wall_clock=wall_clock,
    )


def allowed_hosts(env: Mapping[str, str]) -> list[str]:
    """The hosts that SFEXIT_ALLOW_HOST adds to Salesforce's own."""
    return env.get("SFEXIT_ALLOW_HOST", "").replace(",", " ").split()
