"""RFC 3161 time stamps, by an authority made with openssl on this machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stamp_authority import CONFIG, Spoil, make, openssl, start

from sfexit.errors import Transient, UsageProblem
from sfexit.verify.timestamp import time_stamp

pytest.importorskip("rfc3161_client")
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl here")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("tsa"))


@pytest.fixture
def serve(authority: Path) -> Iterator[Callable[..., str]]:
    started = []

    def begin(spoil: Spoil = lambda answer: answer, status: int = 200) -> str:
        server, seen = start(authority, spoil, status)
        started.append((server, seen))
        return f"http://127.0.0.1:{server.server_port}/"

    yield begin
    for server, seen in started:
        server.shutdown()
        server.server_close()
        for headers in seen:
            assert headers["Content-Type"] == "application/timestamp-query"
            assert "Authorization" not in headers and "Cookie" not in headers


def test_a_stamp_that_openssl_checks(
    authority: Path, serve: Callable[..., str], tmp_path: Path
) -> None:
    stamp, at = time_stamp(b"the certificate", serve(), authority / "root.pem")
    assert abs(at - datetime.now(UTC)) < timedelta(minutes=2)
    (tmp_path / "c.json").write_bytes(b"the certificate")
    (tmp_path / "c.json.tsr").write_bytes(stamp)
    line = f"ts -verify -data c.json -in c.json.tsr -CAfile {authority / 'root.pem'}"
    assert b"OK" in openssl(tmp_path, line)
    (tmp_path / "c.json").write_bytes(b"another certificate")
    done = subprocess.run(["openssl", *line.split()], cwd=tmp_path, capture_output=True)
    assert done.returncode != 0


@pytest.mark.parametrize(
    "spoil",
    [lambda a: b"", lambda a: a[:-9], lambda a: a[:300] + bytes([a[300] ^ 1]) + a[301:],
     lambda a: b"<html>", lambda a: a + bytes(2 << 20)],
)  # fmt: skip
def test_an_answer_that_does_not_hold_is_not_kept(
    authority: Path, serve: Callable[..., str], spoil: Spoil
) -> None:
    with pytest.raises(Transient, match="time stamp authority"):
        time_stamp(b"the certificate", serve(spoil), authority / "root.pem")


def test_a_stamp_of_something_else_is_not_kept(authority: Path, serve: Callable[..., str]) -> None:
    kept: list[bytes] = []
    time_stamp(b"one", serve(lambda a: kept.append(a) or a), authority / "root.pem")
    with pytest.raises(Transient, match="does not hold"):
        time_stamp(b"two", serve(lambda a: kept[0]), authority / "root.pem")


def test_an_authority_of_somebody_else_is_not_believed(
    authority: Path, serve: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "tsa.cnf").write_text(CONFIG)
    openssl(
        tmp_path,
        "req -x509 -newkey rsa:2048 -nodes -config tsa.cnf -extensions root -subj /CN=Root "
        "-days 30 -keyout r.key -out root.pem",
    )
    with pytest.raises(Transient, match="does not hold"):
        time_stamp(b"the certificate", serve(), tmp_path / "root.pem")


def test_refusals(authority: Path, serve: Callable[..., str], tmp_path: Path) -> None:
    with pytest.raises(Transient, match="answered 503"):
        time_stamp(b"x", serve(status=503), authority / "root.pem")
    with pytest.raises(Transient, match="does not answer"):
        time_stamp(b"x", "http://127.0.0.1:9/", authority / "root.pem")
    with pytest.raises(UsageProblem, match="no address"):
        time_stamp(b"x", "ftp://stamps", authority / "root.pem")
    with pytest.raises(UsageProblem, match="cannot be read"):
        time_stamp(b"x", "http://127.0.0.1:9/", tmp_path / "none.pem")
    (tmp_path / "no.pem").write_text("no")
    with pytest.raises(UsageProblem, match="no certificates"):
        time_stamp(b"x", "http://127.0.0.1:9/", tmp_path / "no.pem")
