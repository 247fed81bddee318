"""TLS and proxies for real: a served org behind certificates of a private authority, reached
through a CONNECT proxy on the loopback. Faults 32 and row 7 of the security table."""

from __future__ import annotations

import contextlib
import datetime
import inspect
import logging
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import trustme

from sfexit.commands.main import COMMANDS, root
from sfexit.errors import SfexitError, SignInProblem, Transient, UsageProblem
from sfexit.redaction import Secret
from sfexit.salesforce import client as client_module
from sfexit.salesforce import transport
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import GivenToken, credential_from_environment
from sfexit.salesforce.origin import Origin
from sfexit.salesforce.transport import check_ca_bundle
from sfexit.simulated_org import SimulatedOrg, SimulatedServer, serve

from .proxying import Proxy
from .wire import Sleeps

HOST = "sf.acme.example"
URL = f"https://{HOST}"
PASSWORD = "proxypwCANARY"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@contextlib.contextmanager
def tls(certificate: trustme.LeafCert) -> Iterator[SimulatedServer]:
    with serve(SimulatedOrg(rows=1000), tls=context_of(certificate)) as server:
        yield server


@pytest.fixture(scope="module")
def served(authority: trustme.CA) -> Iterator[SimulatedServer]:
    with tls(authority.issue_cert(HOST)) as server:
        yield server


def client_of(server: SimulatedServer, **options: Any) -> Client:
    origin = Origin.parse(URL, allow_hosts=[HOST])
    credential = GivenToken(origin, Secret(server.org.access_token))
    client = Client(credential, sleep=Sleeps(), **options)
    client._version = "66.0"
    return client


def through(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, login: str = "", name: str = "HTTPS_PROXY"
) -> None:
    monkeypatch.setenv(name, f"http://{login + '@' if login else ''}{proxy.netloc}")


def test_through_a_proxy_with_a_private_authority(
    served: SimulatedServer,
    bundle: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with Proxy(served.port, login=f"me:{PASSWORD}") as proxy:
        through(proxy, monkeypatch, f"me:{PASSWORD}")
        with client_of(served, ca_bundle=bundle) as client:
            assert "DailyApiRequests" in client.get_json("/limits")
    assert proxy.heads[0].startswith(f"CONNECT {HOST}:443 ".encode())
    # The proxy sees where it goes, and nothing of what is said there.
    assert served.org.access_token.encode() not in b"".join(proxy.heads) + proxy.bodies
    assert PASSWORD not in caplog.text and served.org.access_token not in caplog.text


def test_the_sign_in_goes_the_same_way(
    served: SimulatedServer, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {
        "SFEXIT_INSTANCE_URL": URL,
        "SFEXIT_ALLOW_HOST": HOST,
        "SFEXIT_CLIENT_ID": served.org.client_id,
        "SFEXIT_CLIENT_SECRET": served.org.client_secret,
    }
    with Proxy(served.port) as proxy:
        through(proxy, monkeypatch, name="https_proxy")
        credential = credential_from_environment(env, ca_bundle=bundle)
        assert served.org.token_valid(credential.token().reveal())
        with pytest.raises(SignInProblem, match="not trusted"):
            credential_from_environment(env).token()
    assert len(proxy.heads) == 2 and served.org.client_secret.encode() not in proxy.bodies


def test_the_bundle_of_the_environment(
    served: SimulatedServer, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(served.port) as proxy:
        through(proxy, monkeypatch)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
        assert client_of(served).get_json("/limits")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_an_empty_setting_does_not_weaken(
    served: SimulatedServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with Proxy(served.port) as proxy:
        through(proxy, monkeypatch)
        monkeypatch.setenv(name, "")
        with pytest.raises(SignInProblem, match="not trusted, so nothing was sent"):
            client_of(served).get_json("/limits")


def test_settings_of_a_bundle_that_is_not_there(
    served: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(served.port) as proxy:
        through(proxy, monkeypatch)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/ca.pem")
        with pytest.raises(UsageProblem, match="REQUESTS_CA_BUNDLE"):
            client_of(served).get_json("/limits")


def expired(authority: trustme.CA) -> trustme.LeafCert:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    return authority.issue_cert(HOST, not_before=past, not_after=past.replace(year=2021))


def not_yet(authority: trustme.CA) -> trustme.LeafCert:
    start = datetime.datetime(2037, 1, 1, tzinfo=datetime.UTC)
    return authority.issue_cert(HOST, not_before=start, not_after=start.replace(month=6))


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (lambda authority: trustme.CA().issue_cert(HOST), "is not trusted.*--ca-bundle"),
        (expired, "has expired"),
        (not_yet, "not valid yet"),
        (lambda authority: authority.issue_cert("other.example"), "belongs to another host"),
    ],
)
def test_certificates_that_are_refused(
    authority: trustme.CA,
    bundle: str,
    monkeypatch: pytest.MonkeyPatch,
    certificate: Any,
    words: str,
) -> None:
    with tls(certificate(authority)) as server, Proxy(server.port) as proxy:
        through(proxy, monkeypatch)
        with pytest.raises(SignInProblem, match=words) as caught:
            client_of(server, ca_bundle=bundle).get_json("/limits")
        assert "nothing was sent" in caught.value.message and "\n" not in caught.value.message
        assert server.requests == []


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_refused(
    authority: trustme.CA, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(authority.issue_cert(HOST))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        serve(SimulatedOrg(rows=1000), tls=context) as server,
        Proxy(server.port) as proxy,
    ):
        through(proxy, monkeypatch)
        with pytest.raises(SfexitError):
            client_of(server, ca_bundle=bundle).get_json("/limits")
        assert server.requests == []


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("407 Proxy Authentication Required", SignInProblem, "wants a user name and password"),
        ("403 Forbidden", SignInProblem, "does not let"),
        ("502 Bad Gateway", Transient, "the proxy"),
    ],
)
def test_a_proxy_that_says_no(
    served: SimulatedServer,
    bundle: str,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    kind: type[SfexitError],
    words: str,
) -> None:
    with Proxy(served.port, refuse=status) as proxy:
        through(proxy, monkeypatch, f"me:{PASSWORD}")
        with pytest.raises(kind, match=words) as caught:
            client_of(served, ca_bundle=bundle).get_json("/limits")
    assert PASSWORD not in caught.value.message and proxy.netloc not in caught.value.message


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (f"http://me:{PASSWORD}@127.0.0.1:1", Transient),  # nobody listens there
        (f"socks5://me:{PASSWORD}@127.0.0.1:1", UsageProblem),
        (f"http://me:{PASSWORD}@", UsageProblem),
        (f"ftp://me:{PASSWORD}@proxy.example", UsageProblem),
        (f"http://me:{PASSWORD}@proxy.example:eighty", UsageProblem),
    ],
)
def test_a_proxy_that_is_none(
    served: SimulatedServer,
    bundle: str,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    kind: type[SfexitError],
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    client = client_of(served, ca_bundle=bundle)
    with pytest.raises(kind, match=r"(?i)proxy|no connection") as caught:
        client.get_json("/limits")
    assert PASSWORD not in caught.value.message
    if kind is Transient:
        assert client.budget.used == 0  # the org has seen nothing


def test_no_proxy_is_obeyed(
    served: SimulatedServer, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(served.port) as proxy:
        through(proxy, monkeypatch)
        monkeypatch.setenv("NO_PROXY", "acme.example")
        with pytest.raises(Transient):  # the name leads nowhere without the proxy
            client_of(served, ca_bundle=bundle).get_json("/limits")
    assert proxy.heads == []


def test_the_loopback_over_tls(authority: trustme.CA, bundle: str) -> None:
    with tls(authority.issue_cert("127.0.0.1")) as server:
        credential = GivenToken(Origin.parse(server.url), Secret(server.org.access_token))
        with Client(credential, ca_bundle=bundle) as client:
            assert client.get_json("/limits")
        with (
            Client(credential, sleep=Sleeps()) as client,
            pytest.raises(SignInProblem, match="not trusted"),
        ):
            client.get_json("/services/data")


def test_bundles_that_cannot_be_used(tmp_path: Path, bundle: str) -> None:
    check_ca_bundle(bundle)
    check_ca_bundle(str(tmp_path))  # a folder of hashed certificates may be empty
    path = tmp_path / "ca.pem"
    path.write_bytes(b"\x30\x82 not PEM")
    with pytest.raises(UsageProblem, match="no certificates in PEM form"):
        check_ca_bundle(str(path))
    with pytest.raises(UsageProblem, match="cannot be read"):
        check_ca_bundle(str(tmp_path / "absent"))


def test_there_is_no_switch_to_stop_checking() -> None:
    context = click.Context(root)
    for name in COMMANDS:
        found = root.get_command(context, name)
        assert found is not None
        options = [option for one in found.params for option in one.opts]
        assert not [one for one in options if "insecure" in one or "verify-tls" in one]
    for module in (transport, client_module):
        source = inspect.getsource(module)
        assert "verify=False" not in source and "CERT_NONE" not in source
