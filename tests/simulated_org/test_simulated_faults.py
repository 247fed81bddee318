"""Each fault kind, seen from outside with nothing but sockets and requests."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
import requests
from simulated_client import VERSION, parse_csv, refused

from sfexit.simulated_org import Fault, FaultPlan, SimulatedOrg, serve
from sfexit.simulated_org.faults import BEFORE, CONTENT, KINDS, TRANSPORT


def raw_exchange(
    client: Any, path: str, encoding: str = "gzip", timeout: float = 10
) -> tuple[bytes, bytes, type[BaseException] | None]:
    """Head, body bytes and the socket error of one GET, read until the connection ends."""
    data, error = b"", None
    with socket.create_connection(("127.0.0.1", client.server.port), timeout=timeout) as sock:
        sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {client.server.netloc}\r\nConnection: close\r\n"
            f"Authorization: Bearer {client.org.access_token}\r\n"
            f"Accept-Encoding: {encoding}\r\n\r\n".encode()
        )
        try:
            while part := sock.recv(1 << 16):
                data += part
        except OSError as caught:
            error = type(caught)
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body, error


@pytest.fixture
def job(lively: Any) -> str:
    """A finished job over Contact, three pages and more."""
    return str(lively.job("SELECT Id,LastName,Email FROM Contact"))


@pytest.fixture
def results(job: str) -> str:
    return f"/services/data/v{VERSION}/jobs/query/{job}/results"


def fail(client: Any, kind: str, endpoint: str = "bulk.results", **details: Any) -> Fault:
    fault: Fault = client.server.fail(kind, endpoint, **details)
    return fault


# -- transport ------------------------------------------------------------------------------


def test_reset(lively: Any, results: str) -> None:
    fail(lively, "reset", after=50)
    _, body, error = raw_exchange(lively, results)
    assert error is ConnectionResetError
    assert len(body) <= 50
    assert raw_exchange(lively, results)[2] is None


def test_lost_answer_made_the_job(lively: Any) -> None:
    fail(lively, "lost_answer", "bulk.create")
    with pytest.raises(requests.ConnectionError):
        lively.create("SELECT Id FROM Case")
    listed = lively.get("jobs/query", params={"jobType": "V2Query"}).json()["records"]
    assert [r["object"] for r in listed] == ["Case"]


def test_close_short(lively: Any, results: str) -> None:
    fail(lively, "close_short", missing=77)
    head, body, error = raw_exchange(lively, results)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert length == len(body) + 77 and error is None
    fail(lively, "close_short")
    with pytest.raises(requests.RequestException):
        lively.get(results)


@pytest.mark.parametrize("where", ["inside", "border"])
def test_chunk_cut(lively: Any, results: str, where: str) -> None:
    fail(lively, "chunk_cut", where=where)
    head, body, error = raw_exchange(lively, results)
    assert b"Transfer-Encoding: chunked" in head
    assert not body.endswith(b"0\r\n\r\n") and error is None
    size = int(body.split(b"\r\n")[0], 16)
    whole = len(body.split(b"\r\n")[0]) + 2 + size + 2
    assert (len(body) == whole) is (where == "border")
    fail(lively, "chunk_cut", where=where)
    with pytest.raises(requests.RequestException):
        lively.get(results)


@pytest.mark.parametrize("kind", ["gzip_short", "gzip_no_trailer", "gzip_bad_crc", "bit_flip"])
def test_gzip_damage_under_clean_framing(lively: Any, results: str, kind: str) -> None:
    fail(lively, kind)
    head, body, error = raw_exchange(lively, results)
    assert error is None
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert length == len(body)
    with pytest.raises((EOFError, gzip.BadGzipFile, zlib.error)):
        gzip.decompress(body)


def test_junk_after_the_end(lively: Any, results: str) -> None:
    fail(lively, "junk_after", text="<html>")
    fail(lively, "junk_after", nth=2, what="member", text="more\n")
    _, body, _ = raw_exchange(lively, results)
    reader = zlib.decompressobj(31)
    reader.decompress(body)
    assert reader.eof and reader.unused_data == b"<html>"
    _, body, _ = raw_exchange(lively, results)
    assert gzip.decompress(body).endswith(b"more\n")


def test_identity(lively: Any, results: str) -> None:
    fail(lively, "identity")
    head, body, _ = raw_exchange(lively, results)
    assert b"Content-Encoding" not in head and b'"Id"' in body


def test_slow_drip(lively: Any, results: str) -> None:
    fail(lively, "slow_drip", rate=2000)
    started = time.monotonic()
    _, body, _ = raw_exchange(lively, results)
    assert time.monotonic() - started >= len(body) / 2000 * 0.8
    fail(lively, "slow_drip", rate=1)  # the server stops at once in spite of this one
    thread = threading.Thread(target=raw_exchange, args=(lively, results))
    thread.start()


def test_bomb(lively: Any, results: str) -> None:
    fail(lively, "bomb", size=1 << 30)
    head, body, _ = raw_exchange(lively, results)
    assert b"Content-Encoding: gzip" in head
    assert len(body) < 1_300_000
    reader = zlib.decompressobj(31)
    assert reader.decompress(body, 1000) == b"A" * 1000
    fail(lively, "bomb", size=3_000_001)
    assert gzip.decompress(raw_exchange(lively, results)[1]) == b"A" * 3_000_001


def test_hang(lively: Any, results: str) -> None:
    fail(lively, "hang", seconds=60)
    with pytest.raises(TimeoutError):
        socket_read_with_timeout(lively, results, 0.3)
    fail(lively, "hang", seconds=0.05, then="close")
    assert raw_exchange(lively, results) == (b"", b"", None)


def socket_read_with_timeout(client: Any, path: str, seconds: float) -> None:
    _, _, error = raw_exchange(client, path, timeout=seconds)
    if error is not None:
        raise error


def test_refused_connections(lively: Any, results: str) -> None:
    lively.server.refuse_connections()
    with pytest.raises(requests.ConnectionError):
        requests.get(lively.server.url, timeout=5)
    lively.server.accept_connections()
    assert lively.get(results).status_code == 200
    fail(lively, "refuse", seconds=0.2)
    assert raw_exchange(lively, results)[2] is ConnectionResetError
    deadline = time.monotonic() + 10
    while True:
        try:
            assert lively.get(results).status_code == 200
            break
        except requests.ConnectionError:
            assert time.monotonic() < deadline


# -- instead of the answer ---------------------------------------------------------------------


def test_status_with_retry_after(lively: Any, results: str) -> None:
    fail(lively, "status", code=503, retry_after=7)
    answer = lively.get(results)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    fail(
        lively,
        "status",
        code=429,
        retry_after_date=60,
        body="<html>busy</html>",
        content_type="text/html",
        headers={"X-Edge": "1"},
    )
    answer = lively.get(results)
    assert answer.status_code == 429 and answer.headers["Retry-After"].endswith("GMT")
    assert answer.text == "<html>busy</html>" and answer.headers["X-Edge"] == "1"
    fail(lively, "status", code=500, error_code="UNKNOWN_EXCEPTION", message="gack")
    refused(lively.get(results), 500, "UNKNOWN_EXCEPTION", "gack")


def test_html_and_redirect(lively: Any, results: str) -> None:
    fail(lively, "html")
    answer = lively.get(results)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
    fail(lively, "redirect")
    answer = lively.get(results)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("https://evil.example/services/data")


@pytest.mark.parametrize(
    ("kind", "endpoint", "status", "code"),
    [
        ("concurrent", "query", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("query_timeout", "query", 400, "QUERY_TIMEOUT"),
        ("operation_too_large", "query", 400, "OPERATION_TOO_LARGE"),
        ("invalid_field", "query", 400, "INVALID_FIELD"),
        ("locator_lost", "query", 400, "INVALID_QUERY_LOCATOR"),
        ("wrong_version", "bulk.results", 409, "API_ERROR"),
        ("bulk_unsupported", "bulk.create", 400, "INVALIDENTITY"),
    ],
)
def test_refusals_on_order(
    lively: Any, results: str, kind: str, endpoint: str, status: int, code: str
) -> None:
    fail(lively, kind, endpoint)
    soql = "SELECT Id FROM Account"
    answer = {
        "query": lambda: lively.query(soql),
        "bulk.results": lambda: lively.get(results),
        "bulk.create": lambda: lively.create(soql),
    }[endpoint]
    refused(answer(), status, code)
    assert answer().status_code == 200


def test_sessions_quota_and_jobs_that_go(lively: Any, results: str) -> None:
    fail(lively, "session_expired", "limits")
    refused(lively.get("limits"), 401, "INVALID_SESSION_ID")
    refused(lively.get("limits"), 401, "INVALID_SESSION_ID")
    lively.org.new_session()
    assert lively.get("limits").status_code == 200
    old = (lively.org.access_token, lively.org.refresh_token)
    fail(lively, "token_rotated", "limits")
    refused(lively.get("limits"), 401, "INVALID_SESSION_ID")
    assert lively.org.access_token != old[0] and lively.org.refresh_token != old[1]
    assert lively.get("limits").status_code == 200
    fail(lively, "quota", "limits")
    refused(lively.get("limits"), 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests")
    refused(lively.get("sobjects"), 403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests")
    lively.org.restore_quota()
    fail(lively, "job_gone")
    assert lively.get(results).status_code == 404
    assert lively.get(results).status_code == 404


# -- the answer's content ------------------------------------------------------------------------


def spoiled(client: Any, results: str, kind: str, **details: Any) -> tuple[Any, bytes, bytes]:
    good = client.get(results).content
    fail(client, kind, **details)
    answer = client.get(results)
    assert answer.status_code == 200
    assert client.get(results).content == good
    return answer, answer.content, good


def test_bulk_page_content(lively: Any, results: str) -> None:
    def rows(kind: str, **details: Any) -> tuple[Any, list[bytes], list[bytes]]:
        answer, found, good = spoiled(lively, results, kind, **details)
        return answer, found.splitlines(True), good.splitlines(True)

    assert spoiled(lively, results, "empty")[1] == b""
    answer, found, good = rows("header_only")
    assert found == good[:1] and answer.headers["Sforce-NumberOfRecords"] == "20"
    assert rows("wrong_count", delta=-3)[0].headers["Sforce-NumberOfRecords"] == "17"
    assert rows("drop_rows", count=2)[1] == good[:-2]
    assert rows("extra_rows", count=2)[1] == good + good[-1:] * 2
    assert rows("no_header")[1] == good[1:]
    assert rows("swap_columns")[1][0] == b'"LastName","Id","Email"\n'
    assert rows("extra_column")[1][0] == b'"Id","LastName","Email","Surprise__c"\n'
    answer, raw, whole = spoiled(lively, results, "open_quote")
    assert raw.count(b'"') == whole.count(b'"') - 1
    assert spoiled(lively, results, "crlf")[1] == whole.replace(b"\n", b"\r\n")
    assert spoiled(lively, results, "bom")[1] == b"\xef\xbb\xbf" + whole
    assert spoiled(lively, results, "no_final_newline")[1] == whole[:-1]
    ids = [r[0] for r in parse_csv(spoiled(lively, results, "duplicate_id")[1])[1:]]
    assert len(ids) == 20 and len(set(ids)) == 19


def test_locators_that_loop_or_skip(lively: Any, results: str) -> None:
    second = lively.get(results).headers["Sforce-Locator"]
    fail(lively, "locator_loop")
    page = lively.get(results, params={"locator": second})
    assert page.headers["Sforce-Locator"] == second
    fail(lively, "locator_skip", rows=20)
    skipped = lively.get(results).headers["Sforce-Locator"]
    assert skipped == lively.get(results, params={"locator": second}).headers["Sforce-Locator"]


def test_job_faults(lively: Any) -> None:
    soql = "SELECT Id FROM Account"

    def run(kind: str, endpoint: str = "bulk.poll", **details: Any) -> Any:
        fail(lively, kind, endpoint, **details)
        job_id = lively.create(soql).json()["id"]
        states = [lively.get(f"jobs/query/{job_id}").json() for _ in range(3)]
        return job_id, states

    _, states = run("job_failed", message="InternalServerError: gack")
    assert [s["state"] for s in states] == ["Failed"] * 3
    assert states[0]["errorMessage"] == "InternalServerError: gack"
    _, states = run("job_failed", "bulk.create")
    assert [s["state"] for s in states] == ["InProgress", "Failed", "Failed"]
    assert run("job_aborted")[1][-1]["state"] == "Aborted"
    _, states = run("job_unknown_state", state="Paused")
    assert [s["state"] for s in states] == ["Paused", "JobComplete", "JobComplete"]
    job_id, states = run("job_stuck")
    assert [s["state"] for s in states] == ["InProgress"] * 3
    url = f"{lively.server.url}/services/data/v{VERSION}/jobs/query/{job_id}"
    requests.patch(url, json={"state": "Aborted"}, headers=lively.headers(), timeout=10)
    assert lively.get(f"jobs/query/{job_id}").json()["state"] == "Aborted"
    _, states = run("total_mismatch", delta=5)
    assert states[-1]["numberRecordsProcessed"] == lively.org.count("Account") + 5


def test_rest_page_faults(lively: Any) -> None:
    soql = "SELECT Id FROM Contact"
    total = lively.query(soql).json()["totalSize"]
    fail(lively, "short_done", "query")
    page = lively.query(soql).json()
    assert page["done"] and len(page["records"]) == 25 < total == page["totalSize"]
    fail(lively, "drop_rows", "query", count=3)
    assert len(lively.query(soql).json()["records"]) == 22
    fail(lively, "locator_loop", "query", nth=2)
    following = lively.query(soql).json()["nextRecordsUrl"]
    assert lively.get(following).json()["nextRecordsUrl"] == following
    for style, start in (
        ("at", "@evil.example/services"),
        ("absolute", "https://evil.example/s"),
        ("double_slash", "//evil.example/s"),
        ("dot", ".evil.example/s"),
    ):
        fail(lively, "evil_url", "queryall", style=style)
        evil = lively.query(soql, everything=True).json()["nextRecordsUrl"]
        assert evil.startswith(start)
    job = lively.job(soql)
    fail(lively, "evil_url", "bulk.pages")
    found = lively.get(f"jobs/query/{job}/resultPages").json()
    assert found["resultPages"][0]["resultUrl"].startswith("@evil.example")


# -- plans ---------------------------------------------------------------------------------------


def test_every_kind_has_a_test() -> None:
    here = Path(__file__)
    others = ("test_simulated_files.py", "test_simulated_metadata.py")
    source = here.read_text("utf-8") + "".join(
        here.with_name(name).read_text("utf-8") for name in others
    )
    assert {k for k in KINDS if f'"{k}"' not in source} == set()
    assert len(BEFORE | CONTENT | TRANSPORT) == len(BEFORE) + len(CONTENT) + len(TRANSPORT)
    with pytest.raises(ValueError, match="unknown fault kind"):
        Fault("nonsense")


def test_selectors() -> None:
    plan = FaultPlan(
        [
            Fault("html", "describe", nth=2, times=2),
            Fault("empty", "bulk.*", every=3, times=None),
            Fault("reset", "query", object="Account", times=None),
        ]
    )
    hits = [bool(plan.strike("describe", "Account")) for _ in range(5)]
    assert hits == [False, True, True, False, False]
    assert [bool(plan.strike("bulk.poll", "")) for _ in range(6)] == [
        False,
        False,
        True,
        False,
        False,
        True,
    ]
    assert plan.strike("query.more", "account") and not plan.strike("query", "Contact")
    assert [f.kind for f in plan.fired[:2]] == ["html", "html"]
    plan.clear()
    assert plan.strike("query", "Account") == []


def test_chance_depends_on_the_seed_alone() -> None:
    def hits(seed: int) -> list[bool]:
        plan = FaultPlan([Fault("html", probability=0.3, times=None)], seed=seed)
        return [bool(plan.strike("query", "")) for _ in range(200)]

    assert hits(4) == hits(4) != hits(5)
    assert 30 < sum(hits(4)) < 90


def test_plan_from_toml_and_faults_while_running(tmp_path: Any) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        'seed = 3\n[[fault]]\nkind = "status"\nendpoint = "limits"\nnth = 1\ncode = 502\n'
        '[[fault]]\nkind = "html"\nendpoint = "sobjects"\ntimes = "always"\n'
    )
    plan = FaultPlan.from_toml(path)
    with serve(SimulatedOrg(rows=300), plan) as server:
        headers = {"Authorization": f"Bearer {server.org.access_token}"}
        base = f"{server.url}/services/data/v{VERSION}"

        def status(name: str) -> tuple[int, str]:
            answer = requests.get(f"{base}/{name}", headers=headers, timeout=10)
            return answer.status_code, answer.headers["Content-Type"][:9]

        assert [status("limits")[0] for _ in range(2)] == [502, 200]
        assert {status("sobjects") for _ in range(3)} == {(200, "text/html")}
        plan.clear()
        assert status("sobjects")[1] == "applicati"
        assert [entry.status for entry in server.requests[:2]] == [502, 200]
