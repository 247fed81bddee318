from __future__ import annotations

import gzip
import json
import logging
import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import responses
import trustme

import sfexit
from sfexit.errors import (
    Blocked,
    DamagedAnswer,
    Interrupted,
    OrgRefused,
    OutcomeUnknown,
    QuotaSpent,
    SessionLost,
    SignInProblem,
    Transient,
    UsageProblem,
)
from sfexit.redaction import Secret
from sfexit.salesforce import refusals
from sfexit.salesforce.client import Client, encode_query
from sfexit.salesforce.transport import NetworkFault

from .wire import (
    NEW_TOKEN,
    ORG,
    TOKEN,
    FakeCredential,
    Notes,
    Sleeps,
    WireServer,
    answer,
    client_for,
    reset,
)

BASE = f"{ORG}/services/data/v66.0"
EXPIRED = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def refused(code: str, message: str = "words") -> list[dict[str, str]]:
    return [{"errorCode": code, "message": message}]


# --- the version ---


def test_version_is_asked_once_without_a_token_and_is_free(org: responses.RequestsMock) -> None:
    listed = [{"label": "x", "url": "/x", "version": f"{n}.0"} for n in range(31, 67)]
    org.get(f"{ORG}/services/data", json=listed)
    client = Client(FakeCredential(), sleep=Sleeps())
    assert client.version == "66.0" and client.base == "/services/data/v66.0"
    assert len(org.calls) == 1 and client.budget.used == 0
    assert "Authorization" not in org.calls[0].request.headers


def test_pinned_version_is_checked(org: responses.RequestsMock) -> None:
    org.get(f"{ORG}/services/data", json=[{"version": "60.0"}, {"version": "61.0"}])
    assert Client(FakeCredential(), api_version="60.0").version == "60.0"
    with pytest.raises(UsageProblem, match=r"60\.0 to 61\.0"):
        _ = Client(FakeCredential(), api_version="62.0").version


# --- reading ---


def test_reading_json(org: responses.RequestsMock) -> None:
    org.get(
        f"{BASE}/limits",
        body='{"a": 1.10, "b": 12345678901234567890, "c": [true, null]}',
        content_type="application/json;charset=UTF-8",
    )
    client = client_for()
    assert client.get_json("/limits") == {"a": 1.1, "b": 12345678901234567890, "c": [True, None]}
    assert client.get_text_numbers("/limits")["a"] == "1.10"
    assert client.get_bytes("/services/data/v66.0/limits").startswith(b'{"a": 1.10,')
    headers = org.calls[0].request.headers
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["User-Agent"] == f"sfexit/{sfexit.__version__}"
    assert headers["Accept-Encoding"] == "gzip"


def test_bytes_are_verbatim_below_their_packing() -> None:
    body = b'\xef\xbb\xbf{"b":1,  "a":2.0}\n'
    zipped = answer(gzip.compress(body), extra="Content-Encoding: gzip\r\n")
    with WireServer(zipped) as server, client_for(server.url) as client:
        assert client.get_bytes("/limits") == body
        assert client.get_json("/limits") == {"a": 2.0, "b": 1}


def test_a_gzip_that_ends_early_is_asked_for_again() -> None:
    body = json.dumps({"rows": list(range(5000))}).encode()
    zipped = gzip.compress(body)
    bad = answer(zipped[: len(zipped) // 2], extra="Content-Encoding: gzip\r\n")
    good = answer(zipped, extra="Content-Encoding: gzip\r\n")
    sleeps = Sleeps()
    with WireServer(bad, bad, good) as server, client_for(server.url, sleep=sleeps) as client:
        assert client.get_bytes("/limits") == body
        assert len(server.requests) == 3 and len(sleeps) == 2 and client.budget.used == 3


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<html>sign in</html>", "text/html"),
        ("<html>sign in</html>", "application/json"),
        ("a,b\n", "text/csv"),
        ('{"cut": ', "application/json"),
        ("", "application/json"),
        ("NaN", "application/json"),
        ("[" * 100_000, "application/json"),
    ],
)
def test_answers_that_are_no_json(
    org: responses.RequestsMock, body: str, content_type: str
) -> None:
    org.get(f"{BASE}/limits", body=body, content_type=content_type)
    for read in (client_for().get_json, client_for().get_bytes, client_for().get_text_numbers):
        with pytest.raises(DamagedAnswer, match="4 tries"):
            read("/limits")


def test_query_strings_are_short_and_right() -> None:
    assert encode_query({"q": "SELECT Id,Name FROM A WHERE x='é&+%#'"}) == (
        "q=SELECT+Id,Name+FROM+A+WHERE+x%3D%27%C3%A9%26%2B%25%23%27"
    )


def test_a_path_cannot_leave_the_org(org: responses.RequestsMock) -> None:
    for path in ("/services/../x", "/services/x y", "/services/x\r\nX: y", "/x\\y"):
        with pytest.raises(DamagedAnswer):
            client_for().get_json(path)
    assert not org.calls


# --- what must not happen ---


def test_redirects_are_refused_and_the_token_stays() -> None:
    with WireServer(answer(b"{}")) as evil:
        moved = answer(b"", status="302 Found", extra=f"Location: {evil.url}/services/x\r\n")
        with WireServer(moved) as server, client_for(server.url) as client:
            with pytest.raises(SignInProblem, match="redirects are refused"):
                client.get_json("/limits")
            assert len(server.requests) == 1
        assert not evil.requests


def test_the_body_of_a_redirect_is_not_read_without_end() -> None:
    def endless(connection: socket.socket, _: bytes) -> None:
        head = "HTTP/1.1 302 Found\r\nLocation: /services/elsewhere\r\n\r\n"
        connection.sendall(head.encode())
        for _number in range(64 * 1024):
            connection.sendall(b"x" * 65536)

    with WireServer(endless) as server, client_for(server.url) as client:
        with pytest.raises(SignInProblem, match="redirects are refused"):
            client.get_json("/limits")
        assert len(server.requests) == 1


def test_netrc_does_not_replace_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password pw\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    versions = answer(b'[{"version": "66.0"}]')
    with WireServer(versions, answer(b"{}")) as server:
        with Client(FakeCredential(server.url)) as client:
            client.get_json("/limits")
        assert b"authorization" not in server.requests[0].lower()
        assert f"Authorization: Bearer {TOKEN}".encode() in server.requests[1]


def test_a_proxy_never_sees_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    with WireServer(answer(b"{}")) as proxy, WireServer(answer(b"{}")) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        client_for(server.url).get_json("/limits")
        assert server.requests and not proxy.requests


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with WireServer(answer(b"no", status="403 Forbidden")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(SignInProblem, match="proxy does not let"):
            client_for().get_json("/limits")
        assert proxy.requests[0].startswith(b"CONNECT acme.my.salesforce.com:443")
        assert TOKEN.encode() not in b"".join(proxy.requests)


def test_cookies_are_not_kept() -> None:
    with WireServer(answer(b"{}", extra="Set-Cookie: sid=abc\r\n")) as server:
        with client_for(server.url) as client:
            client.get_json("/limits")
            client.get_json("/limits")
            with client.stream("/limits") as found:
                assert "Set-Cookie" not in found.headers
        assert b"cookie" not in server.requests[1].lower()


def test_a_client_for_reading_sends_no_change(org: responses.RequestsMock) -> None:
    client = client_for()
    for method, path in (("POST", "/sobjects/Account"), ("DELETE", "/sobjects/Account/001")):
        with pytest.raises(Blocked, match="only reads"):
            client.send_once(method, path, {})
    with pytest.raises(Blocked):
        client.get_json("/sobjects/Account/001?_HttpMethod=DELETE")
    assert not org.calls and client.budget.used == 0
    org.patch(f"{BASE}/sobjects/Account/001", status=204)
    assert client_for(writable=True).send_once("PATCH", "/sobjects/Account/001", {}) is None


def test_the_token_shows_nowhere(
    org: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    org.get(f"{BASE}/limits", status=500, json=refused("UNKNOWN_EXCEPTION", f"gack {TOKEN}"))
    notes = Notes()
    client = client_for(progress=notes)
    with pytest.raises(Transient) as caught:
        client.get_json("/limits")
    with client_for("http://127.0.0.1:9") as dead, pytest.raises(Transient) as lost:
        dead.get_json("/limits")
    shown = [repr(client), str(caught.value), str(lost.value), caplog.text, *notes.notes]
    org.get(f"{BASE}/ok", json={}, headers={"Set-Cookie": f"sid={TOKEN}"})
    with client.stream("/ok") as found:
        shown.append(repr(found))
    assert "CANARY" not in "\n".join(shown)


# --- TLS ---


@pytest.fixture
def tls(tmp_path: Path) -> tuple[str, str]:
    """An https server on the loopback: its address, and the file of its authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
                with context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(65536)
                    connection.sendall(answer(b"{}"))
            except ssl.SSLError:
                continue
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}", str(bundle)  # type: ignore[misc]
    listener.close()


def test_certificates_are_checked(tls: tuple[str, str]) -> None:
    url, bundle = tls
    with pytest.raises(SignInProblem, match="--ca-bundle"):
        client_for(url).get_json("/limits")
    assert client_for(url, ca_bundle=bundle).get_json("/limits") == {}
    with pytest.raises(UsageProblem, match="does not exist"):
        client_for(url, ca_bundle=bundle + "x")


# --- the session ---


def test_an_ended_session_is_renewed_once(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/limits", status=401, json=EXPIRED)
    org.get(f"{BASE}/limits", json={"a": 1})
    credential, sleeps = FakeCredential(), Sleeps()
    client = client_for(credential=credential, sleep=sleeps)
    assert client.get_json("/limits") == {"a": 1}
    assert credential.renewals == 1 and not sleeps
    assert org.calls[1].request.headers["Authorization"] == f"Bearer {NEW_TOKEN}"


def test_a_session_that_is_refused_twice_is_lost(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/limits", status=401, json=EXPIRED)
    with pytest.raises(SessionLost, match="Progress is kept"):
        client_for().get_json("/limits")
    assert len(org.calls) == 2


def test_the_wrong_kind_of_session_is_not_renewed(org: responses.RequestsMock) -> None:
    words = "This session is not valid for use with the REST API"
    org.get(f"{BASE}/limits", status=401, json=refused("INVALID_SESSION_ID", words))
    credential = FakeCredential()
    with pytest.raises(SignInProblem, match="kind of session"):
        client_for(credential=credential).get_json("/limits")
    assert credential.renewals == 0 and len(org.calls) == 1


def test_two_threads_renew_once() -> None:
    both = threading.Barrier(2)

    def respond(connection: socket.socket, request: bytes) -> None:
        connection.sendall(
            answer(b"{}")
            if NEW_TOKEN.encode() in request
            else answer(json.dumps(EXPIRED).encode(), status="401 Unauthorized")
        )

    with WireServer(respond) as server:
        credential = FakeCredential(server.url)
        client = client_for(credential=credential)

        def read() -> None:
            both.wait()
            client.get_json("/limits")

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert credential.renewals == 1


def test_stream_renews_too(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/x", status=401, json=EXPIRED)
    org.get(f"{BASE}/x", body="a\n", content_type="text/csv")
    with client_for().stream("/x") as found:
        assert b"".join(found.pieces()) == b"a\n"


def test_stream_makes_one_attempt(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/x", status=503)
    with pytest.raises(Transient), client_for().stream("/x"):
        pass
    assert len(org.calls) == 1


def test_retried_stream(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/x", status=503, headers={"Retry-After": "9"})
    org.get(f"{BASE}/x", body="a\n", content_type="text/csv")
    sleeps, notes = Sleeps(), Notes()
    client = client_for(sleep=sleeps, progress=notes)

    def once() -> bytes:
        with client.stream("/x") as found:
            return b"".join(found.pieces())

    assert client.retried(once, "page 1 of Account") == b"a\n"
    assert 9.0 <= sleeps[0] < 10.0
    assert notes.notes == ["page 1 of Account: service unavailable, try 2 follows in "
                           f"{sleeps[0]:.0f} s"]  # fmt: skip


# --- changing requests ---


def test_a_lost_answer_is_not_repeated() -> None:
    def lose(connection: socket.socket, _: bytes) -> None:
        reset(connection)

    with WireServer(lose) as server, client_for(server.url) as client:
        with pytest.raises(OutcomeUnknown, match="look before repeating"):
            client.retried(lambda: client.send_once("POST", "/jobs/query", {"a": 1}), "job")
        assert len(server.requests) == 1
        assert server.requests[0].endswith(b'{"a": 1}')


@pytest.mark.parametrize(
    "script",
    [
        answer(b"", status="500 Server Error"),
        answer(b"<html>", status="503 Unavailable", content_type="text/html"),
        answer(b"", status="504 Gateway Timeout"),
        answer(b'{"id": ', length=100),
        answer(b'{"id": '),
        answer(b"<html>", content_type="text/html"),
        b"",
    ],
)
def test_outcomes_that_are_unknown(script: bytes) -> None:
    with (
        WireServer(script) as server,
        client_for(server.url) as client,
        pytest.raises(OutcomeUnknown),
    ):
        client.send_once("POST", "/jobs/query", {})


def test_no_connection_is_a_known_outcome() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = client_for(f"http://127.0.0.1:{port}")
    with pytest.raises(Transient, match="check the address") as caught:
        client.send_once("POST", "/jobs/query", {})
    assert not isinstance(caught.value, OutcomeUnknown)


def test_a_fault_of_the_sign_in_is_a_known_outcome(org: responses.RequestsMock) -> None:
    class Unlucky(FakeCredential):
        def renew(self, stale: Secret) -> Secret:
            raise NetworkFault("The network failed during the sign-in.")

    org.post(f"{BASE}/jobs/query", status=401, json=EXPIRED)
    with pytest.raises(Transient, match="sign-in") as caught:
        client_for(credential=Unlucky()).send_once("POST", "/jobs/query", {})
    assert not isinstance(caught.value, OutcomeUnknown)


def test_refusals_are_known_outcomes(org: responses.RequestsMock) -> None:
    client = client_for()
    org.post(f"{BASE}/jobs/query", status=401, json=EXPIRED)
    org.post(f"{BASE}/jobs/query", json={"id": "750"})
    assert client.send_once("POST", "/jobs/query", {}) == {"id": "750"}
    org.post(f"{BASE}/jobs/query", status=429)
    with pytest.raises(refusals.PassingRefusal):
        client_for().send_once("POST", "/jobs/query", {})
    org.delete(f"{BASE}/jobs/query/750Tn000004ZoR3IAK", status=400, json=refused("API_ERROR"))
    with pytest.raises(OrgRefused, match="API_ERROR"):
        client_for().send_once("DELETE", "/jobs/query/750Tn000004ZoR3IAK")


# --- the budget ---


def test_calls_are_counted_and_stop_before_the_share_is_spent(
    org: responses.RequestsMock,
) -> None:
    org.get(
        f"{BASE}/limits",
        json={},
        headers={
            "Sforce-Limit-Info": "api-usage=91/100; per-app-api-usage=1/9(appName=x)",
            "Date": "Sun, 22 Nov 2026 10:00:00 GMT",
        },
    )
    notes = Notes()
    client = client_for(progress=notes)
    for _ in range(5):
        client.get_json("/limits")
    with pytest.raises(QuotaSpent, match="5 of the 5"):
        client.get_json("/limits")
    assert len(org.calls) == 5
    assert notes.spent == [(number, 5) for number in range(1, 6)]
    assert client.server_time == datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(("left", "kind"), [(0, QuotaSpent), (7, Transient)])
def test_limits_decide_what_a_refusal_means(
    org: responses.RequestsMock, left: int, kind: type[Exception]
) -> None:
    org.get(f"{BASE}/x", status=403, json=refused("REQUEST_LIMIT_EXCEEDED", "slow down"))
    org.get(f"{BASE}/limits", json={"DailyApiRequests": {"Max": 9, "Remaining": left}})
    with pytest.raises(kind):
        client_for().get_json("/x")


def test_spent_calls_end_the_run_without_retries(org: responses.RequestsMock) -> None:
    words = "TotalRequests Limit exceeded."
    org.get(f"{BASE}/x", status=403, json=refused("REQUEST_LIMIT_EXCEEDED", words))
    with pytest.raises(QuotaSpent):
        client_for().get_json("/x")
    assert len(org.calls) == 1


def test_limits_that_are_refused_in_the_same_way_end_too(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/x", status=403, json=refused("REQUEST_LIMIT_EXCEEDED", "slow down"))
    org.get(f"{BASE}/limits", status=403, json=refused("REQUEST_LIMIT_EXCEEDED", "slow down"))
    with pytest.raises(Transient):
        client_for().get_json("/x")


def test_too_many_long_requests_lower_the_streams(org: responses.RequestsMock) -> None:
    words = "ConcurrentPerOrgLongTxn Limit exceeded."
    org.get(f"{BASE}/x", status=403, json=refused("REQUEST_LIMIT_EXCEEDED", words))
    org.get(f"{BASE}/x", json={})
    client = client_for(streams=8)
    client.get_json("/x")
    assert client.throttle.places == 4


def test_many_faults_make_all_threads_pause(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/x", status=503)
    org.get(f"{BASE}/y", json={})
    sleeps, notes = Sleeps(), Notes()
    client = client_for(sleep=sleeps, progress=notes, clock=lambda: 0.0)
    for _ in range(2):
        with pytest.raises(Transient):
            client.get_json("/x")
    assert any("all of them pause" in note for note in notes.notes)
    before = len(sleeps)
    client.get_json("/y")
    assert len(sleeps) == before + 1


# --- the rest ---


def test_a_deprecated_version_is_noted_once(org: responses.RequestsMock) -> None:
    org.get(
        f"{BASE}/limits",
        json={},
        headers={"Warning": '299 - "This API is deprecated and will be removed by Summer 27"'},
    )
    notes = Notes()
    client = client_for(progress=notes)
    client.get_json("/limits")
    client.get_json("/limits")
    assert client.deprecation == "This API is deprecated and will be removed by Summer 27"
    assert len(notes.notes) == 1


def test_stop_ends_waits(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/x", status=503, headers={"Retry-After": "100"})
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        client_for(sleep=None, stop=stop).get_json("/x")
    with pytest.raises(Interrupted):
        client_for(sleep=None, stop=stop).pause(100)


def test_a_consumers_own_error_passes_untouched(org: responses.RequestsMock) -> None:
    org.get(f"{BASE}/x", body="a\n", content_type="text/csv")
    with pytest.raises(OSError, match="disk full"), client_for().stream("/x"):
        raise OSError("disk full")
