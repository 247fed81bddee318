"""The OAuth 2.0 web server flow for a person at a browser, with PKCE and a one-shot listener.

Facts: "OAuth 2.0 Web Server Flow for Web App Integration" (Salesforce Help,
remoteaccess_oauth_web_server_flow), RFC 7636 (PKCE) and RFC 8252 (apps on a computer). The
callback address is the one that the Salesforce CLI has made customary (sfdx-core,
webOAuthServer.ts): Salesforce compares it letter by letter with the app's list.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import queue
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from sfexit.errors import SignInProblem
from sfexit.redaction import Secret
from sfexit.salesforce.origin import Origin
from sfexit.salesforce.refusals import clean
from sfexit.salesforce.token_endpoint import COMMON_CAUSES, Cause, TokenAnswer, TokenEndpoint

DEFAULT_PORT = 1717
CALLBACK_PATH = "/OauthRedirect"
# `api` for the data, `refresh_token` to survive the session, `web` for file bodies that only a
# browser session opens. The CLI asks for the same three.
SCOPE = "refresh_token api web"
WAIT_SECONDS = 300.0

_AUTHORIZE_PATH = "/services/oauth2/authorize"
_SILENCE_SECONDS = 10.0
_LONGEST_TARGET = 8192
_POLL_SECONDS = 0.2

_CAUSES = (
    Cause("redirect_uri_mismatch", "", "the callback URL is not in the app's list"),
    Cause("", "redirect.?uri", "the callback URL is not in the app's list"),
    Cause("", "code verifier|code_verifier", "the PKCE check failed; start again"),
    Cause("invalid_grant", "expired|authorization code", "the sign-in took too long; start again"),
    Cause(
        "invalid_client",
        "",
        "the app wants its secret: set SFEXIT_CLIENT_SECRET or use --ask-secret, or untick "
        "'Require secret for Web Server Flow' in the app",
    ),
    *COMMON_CAUSES,
)


@dataclass(frozen=True)
class Attempt:
    """One sign-in under way: what the browser is sent out with and must bring back."""

    client_id: str
    redirect_uri: str
    state: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(32)))
    verifier: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(64)))

    def url(self, login: Origin) -> str:
        """Where the person signs in. Holds no secret but the state, which is of use only here."""
        challenge = hashlib.sha256(self.verifier.reveal().encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": SCOPE,
            "state": self.state.reveal(),
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            # Not silently as whoever is signed in to that browser: the CLI asks for it too.
            "prompt": "login",
        }
        return login.url(f"{_AUTHORIZE_PATH}?{urlencode(query)}")

    def exchange(
        self, endpoint: TokenEndpoint, code: Secret, client_secret: Secret | None
    ) -> TokenAnswer:
        """Trade the code for tokens. Raises SignInProblem, Transient."""
        form: dict[str, str | Secret] = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        if client_secret is not None:
            form["client_secret"] = client_secret
        return endpoint.ask(form, causes=_CAUSES, hint="check the app's OAuth settings")


class Listener:
    """Waits on the loopback for the browser to come back, once; a context manager.

    Listens on 127.0.0.1 only. Should another program answer for the name "localhost" over IPv6,
    it gets a code that is worth nothing without the PKCE verifier, which never leaves us.
    """

    def __init__(self, port: int = DEFAULT_PORT) -> None:
        """Raises SignInProblem when the port is taken."""
        try:
            self._server = _Server(port)
        except OSError as error:
            raise SignInProblem(
                f"Port {port} of this computer cannot be listened on ({error.strerror}), perhaps "
                "because another sign-in waits there; name another one with --port and add its "
                "callback URL to the app."
            ) from None
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": _POLL_SECONDS / 4},
            name="sign-in listener",
            daemon=True,
        )
        self._thread.start()

    @property
    def redirect_uri(self) -> str:
        """What the app must list as its callback URL."""
        return f"http://localhost:{self.port}{CALLBACK_PATH}"

    def begin(self, client_id: str) -> Attempt:
        """A new attempt; from now on only its own answer is taken."""
        attempt = Attempt(client_id, self.redirect_uri)
        self._server.expected_state = attempt.state
        return attempt

    def wait(
        self,
        *,
        seconds: float = WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> Secret:
        """The code that the browser brings back for the attempt that was begun.

        Whatever else knocks on the port is turned away without ending the wait. Raises
        SignInProblem when the person or the org said no, or nobody came in time.
        """
        until = clock() + seconds
        while clock() < until:
            try:
                found = self._server.results.get(timeout=_POLL_SECONDS)
            except queue.Empty:  # short waits, so that Ctrl-C works on Windows too
                continue
            if isinstance(found, Secret):
                return found
            raise SignInProblem(f"The sign-in in the browser failed: {found}")
        hint = self._server.hint
        raise SignInProblem(
            f"Nobody came back from the browser within {seconds:.0f} seconds"
            + (f" (last seen: {hint})" if hint else "")
            + "; start again, and see that the app lists the callback URL "
            f"{self.redirect_uri}."
        )

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    # Threads, because browsers open connections in advance that never send anything.
    daemon_threads = True
    block_on_close = False
    # On Windows this would let another program take the port over while we listen.
    allow_reuse_address = sys.platform != "win32"
    allow_reuse_port = False

    def __init__(self, port: int) -> None:
        self.expected_state: Secret | None = None
        self.results: queue.Queue[Secret | str] = queue.Queue(maxsize=1)
        self.hint = ""
        self._done = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def finish(self, result: Secret | str) -> bool:
        """Take the first result; False for a second one."""
        if not self._done.acquire(blocking=False):
            return False
        self.results.put(result)
        return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken connection is no news, and its traceback would show the address."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SILENCE_SECONDS
    server_version = "sfexit"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the addresses hold codes."""

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        # A page of another site that rebinds its own name to 127.0.0.1 sends that name.
        if self.headers.get_all("Host") not in ([f"localhost:{port}"], [f"127.0.0.1:{port}"]):
            return self._page(400, "This address is not for you.")
        parts = urlsplit(self.path) if len(self.path) <= _LONGEST_TARGET else None
        if parts is None or parts.path != CALLBACK_PATH:
            return self._page(404, "There is nothing here.")
        query = parse_qs(parts.query, keep_blank_values=True)
        one = {name: values[0] for name, values in query.items() if len(values) == 1}
        expected = self.server.expected_state
        state = one.get("state", "")
        if expected is None or not hmac.compare_digest(
            state.encode("utf-8", "replace"), expected.reveal().encode()
        ):
            # Any page can send a browser here, so this must not end the wait of the real one.
            self.server.hint = clean(one.get("error_description") or one.get("error") or "")[:150]
            return self._page(400, "This does not belong to the sign-in under way.")
        if "error" in one:
            return self._result(_denied(one["error"], one.get("error_description", "")))
        if not one.get("code"):
            return self._result("Salesforce sent neither a code nor an error.")
        return self._result(Secret(one["code"]))

    def _result(self, result: Secret | str) -> None:
        if not self.server.finish(result):
            return self._page(400, "This sign-in is over.")
        if isinstance(result, str):
            return self._page(200, "The sign-in failed. The terminal says why.")
        return self._page(200, "Done. Close this window and go back to the terminal.")

    def do_POST(self) -> None:
        self._page(405, "This address takes GET only.")

    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST

    def _page(self, status: int, words: str) -> None:
        """A plain page that can load nothing, run nothing and pass on no address."""
        body = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>sfexit</title>'
            f"<p>{words}</p></html>\n"
        ).encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(body))),
            (
                "Content-Security-Policy",
                "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True


def _denied(error: str, description: str) -> str:
    words = f"{clean(error)[:60]}: {clean(description)[:200] or 'no explanation given'}"
    if error == "access_denied":
        return f"{words}; sign in again and allow the access."
    if error.startswith("OAUTH_APPROVAL_ERROR") or "approv" in description.lower():
        return f"{words}; let an administrator approve the user for the app in the app's policies."
    if error in ("invalid_client_id", "invalid_client"):
        return f"{words}; check the client id, and that the app is in the org you signed in to."
    if error == "invalid_scope":
        return f"{words}; give the app the scopes api, refresh_token and web."
    return f"{words}."
