"""The OAuth 2.0 JWT bearer flow: a signed assertion instead of a secret, for runs without people.

Facts: "OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration" (Salesforce Help,
remoteaccess_oauth_jwt_flow). There is no refresh token: each renewal signs a new assertion.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sfexit.errors import SignInProblem
from sfexit.redaction import Secret, printable
from sfexit.salesforce.credential import Minting
from sfexit.salesforce.origin import SALESFORCE_DOMAINS, Origin
from sfexit.salesforce.private_file import read_private
from sfexit.salesforce.token_endpoint import (
    COMMON_CAUSES,
    GENERIC_HOSTS,
    PRODUCTION,
    SANDBOX,
    Cause,
    GrantRefused,
    TokenAnswer,
    TokenEndpoint,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Salesforce takes an `exp` a few minutes ahead; 3 is what its page asks for.
_VALID_SECONDS = 180
_SKEW_SECONDS = 30  # a clock this far off is not the reason for a refusal
_MINIMUM_BITS = 2048

# The further up, the more it tells: when several host and audience pairs are refused, the refusal
# that stands first here is the one worth reading.
_CAUSES = (
    Cause(
        "",
        "approved this consumer|admin approved|not approved",
        "the user is not approved for the app, and this flow never asks; in the app's policies "
        "choose 'Admin approved users are pre-authorized' and add a permission set or profile of "
        "the user",
    ),
    Cause("invalid_app_access", "", "the user is not approved for the app in its policies"),
    Cause("", "inactive|locked", "the user SFEXIT_USERNAME is not active or locked"),
    Cause(
        "invalid_grant",
        "expired|assertion|signature",
        "the certificate in the app does not belong to this private key, the app was changed less "
        "than ten minutes ago, or the clocks disagree",
    ),
    Cause(
        "invalid_grant",
        "audience",
        "the host is not the right one; set SFEXIT_LOGIN_URL to the org's My Domain address, "
        f"{PRODUCTION} or (sandbox) {SANDBOX}",
    ),
    Cause(
        "invalid_grant", "", "check SFEXIT_USERNAME, and that the app's certificate fits the key"
    ),
    Cause(
        "unsupported_grant_type", "", "the app does not allow the JWT bearer flow: it has no "
        "certificate"
    ),
    Cause("invalid_client_id", "", "no app with this client id is known there"),
    Cause("invalid_client", "", "no app with this client id is known there, or it is new: wait "
          "ten minutes"),
    *COMMON_CAUSES,
)  # fmt: skip


class JwtBearer(Minting):
    """Signs in as one user with the private key of the app's certificate."""

    kind = "JWT bearer"

    def __init__(
        self,
        endpoint: TokenEndpoint,
        client_id: str,
        username: str,
        key_file: Path,
        *,
        audience: str | None = None,
        expected: Origin | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`endpoint` is at the org's My Domain, or at the host that people sign in at;
        `expected` is where the org must turn out to be, when that is known.

        Reads the key at once, and sends nothing yet. `wall_clock`: seconds since 1970. Raises
        SignInProblem when the key cannot be used.
        """
        super().__init__(clock)
        self._endpoint = endpoint
        self._client_id = client_id
        self._username = username
        self._key = read_private_key(key_file)
        self._pairs = pairs(endpoint.origin, audience)
        named = endpoint.origin
        self._expected = expected or (None if named.host in GENERIC_HOSTS else named)
        self._wall_clock = wall_clock
        self._ahead_seconds = 0.0  # how far the org's clock is ahead of ours

    def _mint(self) -> TokenAnswer:
        """Try each pair, the one that worked last first."""
        refused: list[GrantRefused] = []
        for pair in list(self._pairs):
            try:
                answer = self._ask(*pair)
            except GrantRefused as refusal:
                refused.append(refusal)
                continue
            self._check_place(pair[0], answer)
            self._pairs = [pair]  # a later refusal is then about the session, not the host
            return answer
        raise min(refused, key=lambda refusal: refusal.cause)

    def _ask(self, host: Origin, audience: str) -> TokenAnswer:
        endpoint = self._endpoint if host == self._endpoint.origin else self._endpoint.at(host)
        try:
            return self._send(endpoint, audience)
        except GrantRefused as refusal:
            if refusal.server_time is None:
                raise
            # The org's Date header tells its clock; a wrong one of ours makes assertions that
            # are over before they arrive, or not valid yet.
            ahead = refusal.server_time.timestamp() - self._wall_clock()
            if abs(ahead - self._ahead_seconds) < _SKEW_SECONDS:
                raise
            self._ahead_seconds = ahead
        return self._send(endpoint, audience)

    def _send(self, endpoint: TokenEndpoint, audience: str) -> TokenAnswer:
        claims: dict[str, str | int] = {
            "iss": self._client_id,
            "sub": self._username,
            "aud": audience,
            "exp": int(self._wall_clock() + self._ahead_seconds) + _VALID_SECONDS,
        }
        form: dict[str, str | Secret] = {
            "grant_type": GRANT,
            "assertion": signed(claims, self._key),
        }
        return endpoint.ask(
            form, causes=_CAUSES, hint="check SFEXIT_CLIENT_ID, SFEXIT_USERNAME and the key"
        )

    def _check_place(self, host: Origin, answer: TokenAnswer) -> None:
        """Another host than the org's own may only lead to the org that was named."""
        expected = self._expected
        if expected is not None and host != expected and answer.origin.host != expected.host:
            raise SignInProblem(
                f"The sign-in at {host.host} leads to the org at {answer.origin.host} instead of "
                f"{expected.host}; set SFEXIT_INSTANCE_URL to the org that is meant."
            )


def pairs(named: Origin, audience: str | None = None) -> list[tuple[Origin, str]]:
    """The (host, audience) pairs to try, likely ones first.

    Which audience an org wants cannot be told from its name any more, so the CLI tries several
    (sfdx-core, getLoginAudienceCombos). So do we, but at a host that was not named only when the
    named one is Salesforce's, and only to get to the org that was named (`_check_place`).
    """
    if audience is not None:
        return [(named, audience)]
    if named.host in GENERIC_HOSTS:
        return [(named, str(named))]  # production or sandbox was chosen; the other is not meant
    sandbox = ".sandbox." in named.host or "--" in named.host
    first, second = (SANDBOX, PRODUCTION) if sandbox else (PRODUCTION, SANDBOX)
    found = [(named, str(named)), (named, first), (named, second)]
    if any(named.host.endswith("." + domain) for domain in SALESFORCE_DOMAINS):
        found.insert(1, (Origin.parse(first), first))
        found.append((Origin.parse(second), second))
    return found


def signed(claims: Mapping[str, str | int], key: RSAPrivateKey) -> Secret:
    """A JSON Web Token over `claims`, RS256 (RFC 7515 and 7518: the only algorithm Salesforce
    takes here)."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    def packed(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    head = packed(b'{"alg":"RS256"}')
    body = head + b"." + packed(json.dumps(claims, separators=(",", ":")).encode())
    signature = key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    return Secret((body + b"." + packed(signature)).decode("ascii"))


def read_private_key(path: Path) -> RSAPrivateKey:
    """The RSA key in a PEM file that nobody else may read. Raises SignInProblem."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = read_private(path, "SFEXIT_PRIVATE_KEY_FILE")
    shown = printable(str(path), 200)
    if b"PRIVATE KEY-----" not in data:
        raise SignInProblem(f"{shown} holds no private key: {_instead(data)}.")
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:  # what `cryptography` raises for a key with a passphrase
        raise SignInProblem(
            f"The key {shown} has a passphrase, which nobody can type in a run without people; "
            f"make a copy without one (openssl pkey -in {shown} -out sfexit-key.pem, then chmod "
            "600) and protect it by the file's mode."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SignInProblem(f"The private key {shown} is damaged or of an unknown kind.") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _MINIMUM_BITS:
        raise SignInProblem(
            f"The key {shown} is not an RSA key of {_MINIMUM_BITS} bits or more, which Salesforce "
            "needs; make one with openssl req -x509 -newkey rsa:4096 (docs/external-client-app.md)."
        )
    return key


def _instead(data: bytes) -> str:
    if b"CERTIFICATE-----" in data:
        return "it is the certificate, which belongs into the app; name the key made with it"
    if b"PUBLIC KEY-----" in data:
        return "it is the public half; name the private one"
    if data[:1] == b"\x30":
        return (
            "it is not in PEM form; convert it (openssl pkcs12 -in FILE -nodes -nocerts, or "
            "openssl pkey -inform DER -in FILE)"
        )
    return "it should begin with -----BEGIN PRIVATE KEY-----"
