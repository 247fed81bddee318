"""The sign-in flows of a person and of a signed assertion: authorize, PKCE, JWT bearer.

Words and codes follow Salesforce Help, "OAuth 2.0 Web Server Flow for Web App Integration",
"OAuth 2.0 JWT Bearer Flow for Server-to-Server Integration" and "OAuth 2.0 Authorization Errors".
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .errors import ApiError

if TYPE_CHECKING:
    from .org import SimulatedOrg

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CODE_GRANT = "authorization_code"
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
CODE_SECONDS = 15 * 60
LONGEST_ASSERTION_SECONDS = 5 * 60


@dataclass(frozen=True)
class _Code:
    client_id: str
    redirect_uri: str
    challenge: str
    issued: float
    scope: str


class Authorization:
    """An external client app of the org, and the page where its users sign in.

    ``redirect_uris`` is the app's list of callback URLs. The page signs in and approves by
    itself; with ``deny`` the person says no. ``require_secret`` is "Require secret for Web Server
    Flow". ``public_key`` is the certificate's key (PEM), ``users`` those pre-authorized,
    ``audiences`` what assertions may name besides the org's own address.
    """

    def __init__(self, org: SimulatedOrg) -> None:
        self.org = org
        self.redirect_uris = ["http://localhost:1717/OauthRedirect"]
        self.deny = False
        self.require_secret = False
        self.gives_refresh_tokens = True
        self.public_key: bytes | None = None
        self.users: set[str] = set()
        self.audiences = AUDIENCES
        self._codes: dict[str, _Code] = {}

    def page(self, params: Mapping[str, str]) -> str | ApiError:
        """``GET /services/oauth2/authorize``: where the browser goes on, or what it shows."""
        if params.get("client_id") != self.org.client_id:
            return ApiError(400, "invalid_client_id", "client identifier invalid")
        back = params.get("redirect_uri", "")
        if back not in self.redirect_uris:
            return ApiError(400, "redirect_uri_mismatch", "redirect_uri must match configuration")
        state = {"state": params["state"]} if "state" in params else {}

        def to(**told: str) -> str:
            return f"{back}?{urlencode(told | state)}"

        if params.get("response_type") != "code":
            return to(
                error="unsupported_response_type", error_description="response type not supported"
            )
        if params.get("code_challenge_method") != "S256" or not params.get("code_challenge"):
            return to(error="invalid_request", error_description="missing required code challenge")
        if self.deny:
            return to(error="access_denied", error_description="end-user denied authorization")
        code = f"aPrx{secrets.token_urlsafe(48)}=="
        self._codes[code] = _Code(
            self.org.client_id,
            back,
            params["code_challenge"],
            self.org.now(),
            params.get("scope", "api"),
        )
        return to(code=code)

    def exchange(self, form: Mapping[str, str]) -> str:
        """The scope that a code stands for; each code works once."""
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or self.org.now() - code.issued > CODE_SECONDS:
            raise ApiError(400, "invalid_grant", "expired authorization code")
        if form.get("redirect_uri") != code.redirect_uri:
            raise ApiError(400, "redirect_uri_mismatch", "redirect_uri must match configuration")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != code.challenge:
            raise ApiError(400, "invalid_grant", "invalid code verifier")
        if self.require_secret and not form.get("client_secret"):
            raise ApiError(400, "invalid_client", "invalid client credentials")
        return code.scope

    def check_assertion(self, assertion: str, base_url: str) -> None:
        """Admit a signed assertion, or refuse it as Salesforce does."""
        claims = self._claims(assertion)
        if claims.get("iss") != self.org.client_id:
            raise ApiError(400, "invalid_client_id", "client identifier invalid")
        if claims.get("aud") not in (*self.audiences, base_url):
            raise ApiError(400, "invalid_grant", "audience is invalid")
        expires = claims.get("exp")
        left = expires - self.org.now() if isinstance(expires, (int, float)) else -1
        if not 0 < left <= LONGEST_ASSERTION_SECONDS:
            raise ApiError(400, "invalid_grant", "expired authorization code")
        if claims.get("sub") not in self.users:
            raise ApiError(400, "invalid_grant", "user hasn't approved this consumer")

    def _claims(self, assertion: str) -> dict[str, Any]:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        refused = ApiError(400, "invalid_grant", "invalid assertion")
        if self.public_key is None:
            raise refused
        try:
            head, body, signature = (_unpacked(part) for part in assertion.split("."))
            if json.loads(head).get("alg") != "RS256":
                raise refused
            key = load_pem_public_key(self.public_key)
            assert isinstance(key, rsa.RSAPublicKey)
            signed = assertion.rpartition(".")[0].encode()
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
            claims = json.loads(body)
        except (ValueError, InvalidSignature):
            raise refused from None
        if not isinstance(claims, dict):
            raise refused
        return claims


def _unpacked(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
