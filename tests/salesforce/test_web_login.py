"""A person's sign-in: what goes out with the browser, and who may come back."""

from __future__ import annotations

import base64
import hashlib
import http.client
import socket
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sfexit.errors import SignInProblem
from sfexit.redaction import Secret
from sfexit.salesforce.origin import Origin
from sfexit.salesforce.token_endpoint import TokenEndpoint
from sfexit.salesforce.web_login import CALLBACK_PATH, Attempt, Listener
from sfexit.simulated_org import SimulatedOrg, SimulatedServer, serve

LOGIN = Origin.parse("https://login.salesforce.com")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(free_port()) as found:
        yield found


@pytest.fixture
def served() -> Iterator[SimulatedServer]:
    with serve(SimulatedOrg(rows=1000)) as server:
        yield server


def knock(
    listener: Listener,
    target: str,
    *,
    method: str = "GET",
    host: str | None = None,
) -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=5)
    connection.putrequest(method, target, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"localhost:{listener.port}")
    connection.endheaders()
    answer = connection.getresponse()
    try:
        return answer.status, answer.read().decode(), answer.headers
    finally:
        connection.close()


def query_of(attempt: Attempt) -> dict[str, str]:
    query = parse_qs(urlsplit(attempt.url(LOGIN)).query, strict_parsing=True)
    return {name: values[0] for name, values in query.items()}


def test_the_address_for_the_browser() -> None:
    attempt = Attempt("3MVG9client id&x", "http://localhost:1717/OauthRedirect")
    url = attempt.url(LOGIN)
    assert url.startswith("https://login.salesforce.com/services/oauth2/authorize?")
    query = query_of(attempt)
    verifier = attempt.verifier.reveal()
    digest = hashlib.sha256(verifier.encode()).digest()
    assert query == {
        "response_type": "code",
        "client_id": "3MVG9client id&x",
        "redirect_uri": "http://localhost:1717/OauthRedirect",
        "scope": "refresh_token api web",
        "state": attempt.state.reveal(),
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
        "prompt": "login",
    }
    assert 43 <= len(verifier) <= 128 and len(attempt.state.reveal()) >= 43  # RFC 7636, 4.1
    assert verifier not in url and verifier not in repr(attempt)
    other = Attempt("x", "y")
    assert other.state != attempt.state and other.verifier != attempt.verifier


def test_the_way_back(listener: Listener) -> None:
    attempt = listener.begin("client")
    assert attempt.redirect_uri == f"http://localhost:{listener.port}/OauthRedirect"
    state = attempt.state.reveal()
    status, page, headers = knock(listener, f"{CALLBACK_PATH}?code=aPrxCANARY%3D%3D&state={state}")
    assert status == 200 and "Close this window" in page and "CANARY" not in page
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert listener.wait(seconds=5).reveal() == "aPrxCANARY=="
    # One shot: a second answer is turned away.
    assert knock(listener, f"{CALLBACK_PATH}?code=other&state={state}")[0] == 400


def test_whoever_else_knocks_is_turned_away(
    listener: Listener, capfd: pytest.CaptureFixture[str]
) -> None:
    attempt = listener.begin("client")
    good = f"{CALLBACK_PATH}?code=CANARY&state={attempt.state.reveal()}"
    port = listener.port
    turned_away = [
        knock(listener, good, host="evil.example")[0],
        knock(listener, good, host=f"evil.example:{port}")[0],
        knock(listener, good, host="localhost")[0],
        knock(listener, good, host="")[0],
        knock(listener, good.replace("OauthRedirect", "OauthRedirect/x"))[0],
        knock(listener, good.replace("OauthRedirect", "oauthredirect"))[0],
        knock(listener, "/favicon.ico")[0],
        knock(listener, "/")[0],
        knock(listener, f"{CALLBACK_PATH}?code=CANARY")[0],
        knock(listener, f"{CALLBACK_PATH}?code=CANARY&state=wrong")[0],
        knock(listener, f"{good}&state=twice")[0],
        knock(listener, f"{CALLBACK_PATH}?error=access_denied")[0],
        knock(listener, good + "x" * 9000)[0],
    ]
    assert turned_away == [400, 400, 400, 400, 404, 404, 404, 404, 400, 400, 400, 400, 404]
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"):
        assert knock(listener, good, method=method)[0] == 405
    with socket.create_connection(("127.0.0.1", port)) as silent:
        silent.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert knock(listener, good, host=f"127.0.0.1:{port}")[0] == 200
    assert listener.wait(seconds=5).reveal() == "CANARY"
    assert "CANARY" not in "".join(capfd.readouterr())


def test_connections_that_say_nothing_do_not_block(listener: Listener) -> None:
    attempt = listener.begin("client")
    silent = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(4)]
    try:
        target = f"{CALLBACK_PATH}?code=abc&state={attempt.state.reveal()}"
        assert knock(listener, target)[0] == 200
    finally:
        for one in silent:
            one.close()


def test_before_anything_was_begun(listener: Listener) -> None:
    assert knock(listener, f"{CALLBACK_PATH}?code=abc&state=")[0] == 400


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("error=access_denied&error_description=end-user+denied+authorization", "allow the access"),
        ("error=OAUTH_APPROVAL_ERROR_GENERIC&error_description=x", "administrator approve"),
        ("error=invalid_client_id&error_description=client+identifier+invalid", "client id"),
        ("error=invalid_scope", "scopes api"),
        ("error=new_thing&error_description=%1b%5b31mred", "new_thing"),
        ("code=", "neither a code nor an error"),
    ],
)
def test_a_no(listener: Listener, query: str, words: str) -> None:
    attempt = listener.begin("client")
    _, page, _ = knock(listener, f"{CALLBACK_PATH}?{query}&state={attempt.state.reveal()}")
    assert "The terminal says why" in page
    with pytest.raises(SignInProblem, match=words) as caught:
        listener.wait(seconds=5)
    assert "\x1b" not in caught.value.message


def test_nobody_comes(listener: Listener) -> None:
    listener.begin("client")
    knock(listener, f"{CALLBACK_PATH}?error=x&error_description=wrong+state+here&state=y")
    with pytest.raises(SignInProblem, match=r"last seen: wrong state here.*OauthRedirect"):
        listener.wait(seconds=0)


def test_a_port_that_is_taken(listener: Listener) -> None:
    with pytest.raises(SignInProblem, match="--port"):
        Listener(listener.port)


def test_only_the_loopback_is_listened_on(listener: Listener) -> None:
    assert listener._server.server_address[0] == "127.0.0.1"


def go_through(url: str) -> int:
    """A browser: follows the page of the org back to the listener."""
    answer = requests.get(url, timeout=5)
    return answer.status_code


def test_against_an_org_that_checks(served: SimulatedServer, listener: Listener) -> None:
    origin = Origin.parse(served.url)
    served.routes.sign_in.authorization.redirect_uris = [listener.redirect_uri]
    attempt = listener.begin(served.org.client_id)
    browser = threading.Thread(target=go_through, args=(attempt.url(origin),))
    browser.start()
    code = listener.wait(seconds=10)
    browser.join()
    endpoint = TokenEndpoint(origin)
    stolen = Attempt(attempt.client_id, attempt.redirect_uri)  # without our verifier
    answer = attempt.exchange(endpoint, code, None)
    assert served.org.token_valid(answer.access_token.reveal())
    assert answer.refresh_token is not None and answer.organization_id == served.org.organization_id
    assert str(answer.origin) == served.url
    for one in (attempt, stolen):  # each code works once
        with pytest.raises(SignInProblem, match="start again"):
            one.exchange(endpoint, code, None)


def code_for(served: SimulatedServer, attempt: Attempt) -> Secret:
    served.routes.sign_in.authorization.redirect_uris = [attempt.redirect_uri]
    url = attempt.url(Origin.parse(served.url))
    onward = requests.get(url, timeout=5, allow_redirects=False).headers["Location"]
    return Secret(parse_qs(urlsplit(onward).query)["code"][0])


def test_a_stolen_code_is_worth_nothing(served: SimulatedServer) -> None:
    attempt = Attempt(served.org.client_id, "http://localhost:1717/OauthRedirect")
    code = code_for(served, attempt)
    thief = Attempt(attempt.client_id, attempt.redirect_uri)
    with pytest.raises(SignInProblem, match="PKCE"):
        thief.exchange(TokenEndpoint(Origin.parse(served.url)), code, None)


def test_an_app_that_wants_its_secret(served: SimulatedServer) -> None:
    served.routes.sign_in.authorization.require_secret = True
    endpoint = TokenEndpoint(Origin.parse(served.url))
    attempt = Attempt(served.org.client_id, "http://localhost:1717/OauthRedirect")
    with pytest.raises(SignInProblem, match="SFEXIT_CLIENT_SECRET"):
        attempt.exchange(endpoint, code_for(served, attempt), None)
    secret = Secret(served.org.client_secret)
    assert attempt.exchange(endpoint, code_for(served, attempt), secret).access_token


def test_another_callback_than_the_apps(served: SimulatedServer, listener: Listener) -> None:
    attempt = listener.begin(served.org.client_id)
    answer = requests.get(attempt.url(Origin.parse(served.url)), timeout=5, allow_redirects=False)
    assert answer.status_code == 400 and "redirect_uri_mismatch" in answer.text
