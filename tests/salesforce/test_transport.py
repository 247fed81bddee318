"""Framing faults: what only a real socket can do."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator

import pytest

from sfexit.errors import DamagedAnswer, Transient
from sfexit.salesforce.transport import NetworkFault, RateWatch

from .wire import Clock, WireServer, answer, chunked, client_for, reset

PATH = "/services/data/v66.0/jobs/query/750Tn000004ZoR3IAK/results"
CSV = b'"Id","Name"\n' + b'"001","x"\n' * 5000
ZIPPED = gzip.compress(CSV)
GZIP = "Content-Encoding: gzip\r\n"


def read(server: WireServer, **options: object) -> bytes:
    with client_for(server.url, **options) as client, client.stream(PATH) as found:
        return b"".join(found.pieces())


def test_wire_bytes_are_kept_as_they_came() -> None:
    script = answer(ZIPPED, content_type="text/csv; charset=UTF-8", extra=GZIP)
    with (
        WireServer(script) as server,
        client_for(server.url) as client,
        client.stream(PATH) as found,
    ):
        assert found.encoding == "gzip" and found.content_type == "text/csv"
        assert found.status == 200
        pieces = list(found.pieces(1000))
    assert b"".join(pieces) == ZIPPED and max(map(len, pieces)) <= 1000
    assert b"Accept-Encoding: gzip\r\n" in server.requests[0]


def test_chunks_are_joined() -> None:
    parts = [ZIPPED[at : at + 100] for at in range(0, len(ZIPPED), 100)]
    with WireServer(chunked(parts, extra=GZIP)) as server:
        assert read(server) == ZIPPED


def test_unpacked() -> None:
    with (
        WireServer(chunked([ZIPPED], extra="Content-Encoding: X-GZIP\r\n")) as server,
        client_for(server.url) as client,
        client.stream(PATH) as found,
    ):
        assert b"".join(found.unpacked(10**6)) == CSV


def test_an_empty_body() -> None:
    with WireServer(answer(b"")) as server:
        assert read(server) == b""


def test_a_body_ended_by_closing() -> None:
    with WireServer(b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\n" + CSV) as server:
        assert read(server) == CSV


def _reset_in_the_middle(connection: socket.socket, _: bytes) -> None:
    connection.sendall(answer(CSV, length=2 * len(CSV)))
    reset(connection)


def _reset_at_once(connection: socket.socket, _: bytes) -> None:
    reset(connection)


@pytest.mark.parametrize(
    "script",
    [
        answer(CSV, length=len(CSV) + 1),
        answer(b"", length=10),
        chunked([CSV], end=False),
        chunked([CSV[:100]])[:-60],  # cut inside a chunk
        chunked([CSV[:100]]).replace(b"0\r\n\r\n", b"zz\r\n"),
        _reset_in_the_middle,
        _reset_at_once,
        b"",
        b"nonsense\r\n\r\n",
    ],
    ids=[
        "short",
        "nothing",
        "chunk missing",
        "chunk cut",
        "chunk size",
        "reset",
        "reset at once",
        "closed",
        "no http",
    ],
)
def test_a_body_that_is_not_whole(script: object) -> None:
    with WireServer(script) as server, pytest.raises(NetworkFault) as caught:  # type: ignore[arg-type]
        read(server)
    assert PATH in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        ZIPPED[: len(ZIPPED) // 2],
        ZIPPED[:-8],  # trailer missing
        ZIPPED[:-1],
        ZIPPED + b"error text",
        ZIPPED + ZIPPED,
        ZIPPED[:60] + b"\xff" + ZIPPED[61:],
        ZIPPED[:-6] + b"\x00\x00" + ZIPPED[-4:],  # wrong CRC
        b"",
        CSV,
    ],
    ids=["half", "trailer", "last byte", "junk", "twice", "flipped", "crc", "empty", "plain"],
)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_gzip_that_is_not_whole_though_the_framing_is(body: bytes, framing: str) -> None:
    script = answer(body, extra=GZIP) if framing == "length" else chunked([body], extra=GZIP)
    if framing == "chunked" and not body:
        script = chunked([], extra=GZIP)
    with (
        WireServer(script) as server,
        client_for(server.url) as client,
        pytest.raises(DamagedAnswer),
        client.stream(PATH) as found,
    ):
        list(found.unpacked(10**7))


@pytest.mark.parametrize("extra", ["", GZIP])
def test_a_body_larger_than_allowed(extra: str) -> None:
    body = gzip.compress(b"0" * 10**6) if extra else b"0" * 10**6
    with (
        WireServer(answer(body, extra=extra)) as server,
        client_for(server.url) as client,
        pytest.raises(DamagedAnswer),
        client.stream(PATH) as found,
    ):
        list(found.unpacked(10**5))


def test_a_packing_nobody_asked_for() -> None:
    script = answer(CSV, extra="Content-Encoding: br\r\n")
    with WireServer(script) as server, pytest.raises(DamagedAnswer, match="not asked for"):
        read(server)


def test_silence_ends_by_time_out() -> None:
    def silent(connection: socket.socket, _: bytes) -> None:
        connection.sendall(answer(CSV, length=2 * len(CSV)))
        time.sleep(0.6)

    with WireServer(silent) as server, pytest.raises(NetworkFault, match="ReadTimeout"):
        read(server, timeouts=(1.0, 0.2))


def test_a_drip_is_noticed() -> None:
    def drip(connection: socket.socket, _: bytes) -> None:
        connection.sendall(answer(b"", length=10_000))
        for _number in range(200):
            connection.sendall(b"x")
            time.sleep(0.002)

    # Each look at the clock is 10 s later, so a byte takes 10 s.
    with WireServer(drip) as server, pytest.raises(NetworkFault, match="too slowly"):
        read(server, clock=Clock(step=10.0))


def test_a_slow_line_is_borne() -> None:
    with WireServer(answer(CSV)) as server:
        assert read(server, clock=Clock(step=10.0)) == CSV


def test_time_spent_by_the_reader_does_not_count() -> None:
    clock = Clock()
    watch = RateWatch(1000.0, clock)
    for _ in range(50):
        watch.begin()
        clock.now += 0.1
        assert watch.end(200)
        clock.now += 100  # a slow disk
    watch.begin()
    clock.now += 60
    assert not watch.end(10)


def test_bytes_behind_the_body_are_not_taken_for_it() -> None:
    with WireServer(answer(CSV + b"more", length=len(CSV))) as server:
        assert read(server) == CSV


def test_leaving_early_closes_the_connection() -> None:
    with WireServer(answer(CSV * 100)) as server, client_for(server.url) as client:
        for _ in range(3):
            with client.stream(PATH) as found:
                pieces: Iterator[bytes] = found.pieces(10)
                assert len(next(pieces)) == 10
        assert len(server.requests) == 3


def test_no_connection_is_told_with_the_host() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = client_for(f"http://127.0.0.1:{port}")
    with pytest.raises(Transient, match=r"127\.0\.0\.1 could be made") as caught:
        client.get_json("/limits")
    assert "given up after 2 tries" in caught.value.message
    assert client.budget.used == 0  # nothing reached the org
