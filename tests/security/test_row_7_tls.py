"""Row 7 and fault 32: TLS is always checked. Whole commands, each a process of its own; the wire
layer's own cases are in tests/salesforce/test_proxies.py."""

from __future__ import annotations

import contextlib
import datetime
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from commands.conftest import small_org

from sfexit.simulated_org import SimulatedServer, serve

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@contextlib.contextmanager
def served(certificate: trustme.LeafCert) -> Iterator[SimulatedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with serve(small_org(), tls=context) as server:
        yield server


def run(server: SimulatedServer, *words: str | Path, **more: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "sfexit", *map(str, words)],
        env={
            **os.environ,
            "SFEXIT_INSTANCE_URL": server.url,
            "SFEXIT_ACCESS_TOKEN": server.org.access_token,
            **more,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert server.org.access_token not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def expired(authority: trustme.CA) -> trustme.LeafCert:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    return authority.issue_cert(HOST, not_before=past, not_after=past.replace(year=2021))


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (lambda _: trustme.CA().issue_cert(HOST), "is not trusted"),
        (expired, "has expired"),
        (lambda authority: authority.issue_cert("other.example"), "belongs to another host"),
    ],
    ids=["unknown authority", "expired", "another host"],
)
@pytest.mark.parametrize("command", ["export", "assess"])
def test_fault_32_refused_and_nothing_sent(
    authority: trustme.CA,
    bundle: Path,
    tmp_path: Path,
    certificate: Callable[[trustme.CA], trustme.LeafCert],
    words: str,
    command: str,
) -> None:
    home = tmp_path / "home"
    with served(certificate(authority)) as server:
        code, err = run(server, command, home, "--ca-bundle", bundle)
        assert server.requests == []
    assert code == 4 and words in err and "nothing was sent" in err
    assert not home.exists()


def test_row_7_the_bundle_works_and_only_it(
    authority: trustme.CA, bundle: Path, tmp_path: Path
) -> None:
    with served(authority.issue_cert(HOST)) as server:
        code, err = run(server, "export", tmp_path / "a")
        assert code == 4 and "--ca-bundle" in err and server.requests == []
        code, err = run(server, "export", tmp_path / "b", "--ca-bundle", bundle)
        assert code == 0, err


@pytest.mark.parametrize(
    "variables",
    [
        {"REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "", "SSL_CERT_FILE": ""},
        {"PYTHONHTTPSVERIFY": "0", "GIT_SSL_NO_VERIFY": "1", "NODE_TLS_REJECT_UNAUTHORIZED": "0"},
    ],
)
def test_row_7_no_variable_weakens(
    authority: trustme.CA, tmp_path: Path, variables: dict[str, str]
) -> None:
    with served(authority.issue_cert(HOST)) as server:
        code, err = run(server, "export", tmp_path / "home", **variables)
        assert code == 4 and "not trusted" in err and server.requests == []


def test_row_7_the_sign_in_is_checked_too(authority: trustme.CA, tmp_path: Path) -> None:
    with served(authority.issue_cert(HOST)) as server:
        more = {
            "SFEXIT_ACCESS_TOKEN": "",
            "SFEXIT_CLIENT_ID": server.org.client_id,
            "SFEXIT_CLIENT_SECRET": server.org.client_secret,
        }
        code, err = run(server, "export", tmp_path / "home", **more)
        assert code == 4 and "not trusted" in err and server.requests == []


@pytest.mark.parametrize("switch", ["--insecure", "--no-verify", "--skip-tls", "-k"])
def test_row_7_there_is_no_switch(switch: str, tmp_path: Path) -> None:
    with serve(small_org()) as server:
        code, err = run(server, "export", tmp_path / "home", switch)
        assert code == 2 and "No such option" in err
