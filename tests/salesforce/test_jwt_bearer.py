"""JWT bearer: the key file, the assertion, host and audience pairs, the clock, the refusals."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sfexit.errors import SignInProblem, Transient
from sfexit.salesforce.jwt_bearer import JwtBearer, pairs, read_private_key
from sfexit.salesforce.login import credential_from_environment
from sfexit.salesforce.origin import Origin
from sfexit.simulated_org import SimulatedOrg, SimulatedServer, serve

from .wire import NEW_TOKEN, ORG, TOKEN, Clock

PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
PLAIN = serialization.NoEncryption()
NOW = 1_790_000_000.0


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def key_file(tmp_path: Path, key: rsa.RSAPrivateKey) -> Path:
    path = tmp_path / "key.pem"
    path.touch(0o600)
    path.write_bytes(key.private_bytes(PEM, PKCS8, PLAIN))
    return path


@pytest.fixture
def env(key_file: Path) -> dict[str, str]:
    return {
        "SFEXIT_INSTANCE_URL": ORG,
        "SFEXIT_CLIENT_ID": "3MVG9clientid",
        "SFEXIT_USERNAME": "export@acme.example",
        "SFEXIT_PRIVATE_KEY_FILE": str(key_file),
    }


def refuse(words: str, code: str = "invalid_grant", **more: Any) -> dict[str, Any]:
    return {"status": 400, "json": {"error": code, "error_description": words}, **more}


def token_at(host: str) -> str:
    return f"https://{host}/services/oauth2/token"


def good(token: str = TOKEN, instance_url: str = ORG) -> dict[str, Any]:
    return {"json": {"access_token": token, "instance_url": instance_url}}


def claims_of(call: responses.Call) -> dict[str, Any]:
    form = parse_qs(str(call.request.body))
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    body = form["assertion"][0].split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=="))
    return found


def test_the_assertion(env: dict[str, str], org: responses.RequestsMock) -> None:
    org.post(token_at("acme.my.salesforce.com"), **good())
    credential = credential_from_environment(env, wall_clock=lambda: NOW)
    assert isinstance(credential, JwtBearer) and credential.renewable
    assert not org.calls
    assert credential.token().reveal() == TOKEN
    assert str(credential.origin) == ORG
    assert claims_of(org.calls[0]) == {
        "iss": "3MVG9clientid",
        "sub": "export@acme.example",
        "aud": ORG,
        "exp": int(NOW) + 180,
    }


def test_pairs() -> None:
    def shown(url: str, audience: str | None = None) -> list[tuple[str, str]]:
        hosts = ("sf.acme.example",)
        found = pairs(Origin.parse(url, allow_hosts=hosts), audience)
        return [(str(host), aud) for host, aud in found]

    prod, test = "https://login.salesforce.com", "https://test.salesforce.com"
    assert shown(ORG) == [(ORG, ORG), (prod, prod), (ORG, prod), (ORG, test), (test, test)]
    sandbox = "https://acme--uat.sandbox.my.salesforce.com"
    assert shown(sandbox)[1] == (test, test) and shown(sandbox)[-1] == (prod, prod)
    assert shown(prod) == [(prod, prod)] and shown(test) == [(test, test)]
    assert shown(ORG, test) == [(ORG, test)]
    # A host that only the administrator vouches for: nothing goes to Salesforce's own.
    for own in ("https://sf.acme.example", "http://127.0.0.1:8080"):
        assert shown(own) == [(own, own), (own, prod), (own, test)]


def test_the_pair_that_worked_is_used_again(
    env: dict[str, str], org: responses.RequestsMock
) -> None:
    org.post(token_at("acme.my.salesforce.com"), **refuse("audience is invalid"))
    org.post(token_at("login.salesforce.com"), **good())
    org.post(token_at("login.salesforce.com"), **good(NEW_TOKEN))
    clock = Clock()
    credential = credential_from_environment(env, clock=clock, wall_clock=lambda: NOW)
    stale = credential.token()
    clock.now += 3600
    assert credential.renew(stale).reveal() == NEW_TOKEN
    assert [claims_of(call)["aud"] for call in org.calls] == [ORG] + 2 * [
        "https://login.salesforce.com"
    ]


def test_a_general_host_may_not_lead_to_another_org(
    env: dict[str, str], org: responses.RequestsMock
) -> None:
    org.post(token_at("acme.my.salesforce.com"), **refuse("audience is invalid"))
    org.post(
        token_at("login.salesforce.com"), **good(instance_url="https://other.my.salesforce.com")
    )
    with pytest.raises(SignInProblem, match=r"leads to the org at other\.my"):
        credential_from_environment(env).token()


def test_login_url_and_instance_url(env: dict[str, str], org: responses.RequestsMock) -> None:
    env["SFEXIT_LOGIN_URL"] = "https://test.salesforce.com"
    org.post(token_at("test.salesforce.com"), **good())
    assert credential_from_environment(env).token().reveal() == TOKEN
    env["SFEXIT_INSTANCE_URL"] = "https://other.my.salesforce.com"
    with pytest.raises(SignInProblem, match="instead of other"):
        credential_from_environment(env).token()
    del env["SFEXIT_INSTANCE_URL"]
    assert str(credential_from_environment(env).origin) == ORG


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (refuse("user hasn't approved this consumer"), "pre-authorized"),
        (refuse("user is not admin approved to access this app", "invalid_app_access"), "policies"),
        (refuse("invalid assertion"), "certificate"),
        (refuse("expired authorization code"), "certificate"),
        (refuse("audience is invalid"), "SFEXIT_LOGIN_URL"),
        (refuse("inactive user"), "not active"),
        (refuse("client identifier invalid", "invalid_client_id"), "no app with this client id"),
        (refuse("app not found", "app_not_found"), "client id is not known"),
        (refuse("grant type not supported", "unsupported_grant_type"), "no certificate"),
        (refuse("something new", "something_new"), "SFEXIT_USERNAME and the key"),
    ],
)
def test_refusals(
    env: dict[str, str], org: responses.RequestsMock, refusal: dict[str, Any], words: str
) -> None:
    for host in ("acme.my.salesforce.com", "login.salesforce.com", "test.salesforce.com"):
        org.post(token_at(host), **refusal)
    with pytest.raises(SignInProblem, match=words) as caught:
        credential_from_environment(env).token()
    assert "eyJ" not in caught.value.message and len(org.calls) == 5


def test_the_telling_refusal_is_shown(env: dict[str, str], org: responses.RequestsMock) -> None:
    org.post(token_at("acme.my.salesforce.com"), **refuse("user hasn't approved this consumer"))
    for host in ("login.salesforce.com", "test.salesforce.com"):
        org.post(token_at(host), **refuse("client identifier invalid", "invalid_client_id"))
    with pytest.raises(SignInProblem, match="hasn't approved"):
        credential_from_environment(env).token()


def test_a_passing_fault_ends_the_tries(env: dict[str, str], org: responses.RequestsMock) -> None:
    org.post(token_at("acme.my.salesforce.com"), status=503)
    with pytest.raises(Transient):
        credential_from_environment(env).token()
    assert len(org.calls) == 1


@pytest.mark.parametrize("behind", [-900, 900])
def test_a_clock_that_is_wrong(key: rsa.RSAPrivateKey, env: dict[str, str], behind: int) -> None:
    org = SimulatedOrg(rows=1000, clock=lambda: NOW)
    with serve(org) as server:
        trust(server, key, env)
        credential = credential_from_environment(env, wall_clock=lambda: NOW - behind)
        assert org.token_valid(credential.token().reveal())
        paths = [entry.path for entry in server.requests]
        assert paths == ["/services/oauth2/token"] * 2  # refused once, then by the org's clock


def test_a_right_clock_is_not_tried_twice(env: dict[str, str], org: responses.RequestsMock) -> None:
    env["SFEXIT_JWT_AUDIENCE"] = ORG
    date = {"Date": formatdate(NOW + 5, usegmt=True)}
    org.post(token_at("acme.my.salesforce.com"), **refuse("invalid assertion", headers=date))
    with pytest.raises(SignInProblem):
        credential_from_environment(env, wall_clock=lambda: NOW).token()
    assert len(org.calls) == 1


def trust(server: SimulatedServer, key: rsa.RSAPrivateKey, env: dict[str, str]) -> None:
    """Make the served org know the key and the user, and `env` name the org."""
    authorization = server.routes.sign_in.authorization
    authorization.public_key = key.public_key().public_bytes(
        PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    authorization.users.add(env["SFEXIT_USERNAME"])
    env["SFEXIT_CLIENT_ID"] = server.org.client_id
    env["SFEXIT_INSTANCE_URL"] = server.url


@pytest.fixture
def served() -> Iterator[SimulatedServer]:
    with serve(SimulatedOrg(rows=1000)) as server:
        yield server


def test_against_an_org_that_checks(
    served: SimulatedServer, key: rsa.RSAPrivateKey, env: dict[str, str]
) -> None:
    trust(served, key, env)
    credential = credential_from_environment(env, clock=Clock(step=60))
    first = credential.token()
    second = credential.renew(first)
    assert first != second and served.org.token_valid(second.reveal())
    served.routes.sign_in.authorization.users.clear()
    with pytest.raises(SignInProblem, match="pre-authorized"):
        credential_from_environment(env).token()
    others = rsa.generate_private_key(65537, 2048).public_key()
    served.routes.sign_in.authorization.public_key = others.public_bytes(
        PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with pytest.raises(SignInProblem, match="certificate"):
        credential_from_environment(env).token()


# --- the key file


def make(how: Callable[[], bytes], path: Path) -> Path:
    path.touch(0o600)
    path.write_bytes(how())
    return path


def ec_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, PLAIN)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "should begin with"),
        (b"-----BEGIN CERTIFICATE-----\nabc\n", "is the certificate"),
        (b"-----BEGIN PUBLIC KEY-----\nabc\n", "public half"),
        (b"\x30\x82\x01\x01binary", "not in PEM form"),
        (b"-----BEGIN PRIVATE KEY-----\nCANARYCANARY\n-----END PRIVATE KEY-----\n", "damaged"),
        (ec_key(), "not an RSA key"),
    ],
)
def test_key_files_that_do_not_do(tmp_path: Path, content: bytes, words: str) -> None:
    path = make(lambda: content, tmp_path / "key.pem")
    with pytest.raises(SignInProblem, match=words) as caught:
        read_private_key(path)
    assert "CANARY" not in caught.value.message


def test_a_small_key(tmp_path: Path) -> None:
    # 1024 bits: today's `cryptography` still makes such a key, Salesforce does not take it.
    small = rsa.generate_private_key(65537, 1024).private_bytes(PEM, PKCS8, PLAIN)
    with pytest.raises(SignInProblem, match="2048 bits"):
        read_private_key(make(lambda: small, tmp_path / "key.pem"))


def test_a_key_with_a_passphrase(tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    locked = serialization.BestAvailableEncryption(b"pw")
    path = make(lambda: key.private_bytes(PEM, PKCS8, locked), tmp_path / "key.pem")
    with pytest.raises(SignInProblem, match=r"has a passphrase.*openssl pkey"):
        read_private_key(path)
    old = serialization.PrivateFormat.TraditionalOpenSSL
    path = make(lambda: key.private_bytes(PEM, old, locked), tmp_path / "old.pem")
    with pytest.raises(SignInProblem, match="has a passphrase"):
        read_private_key(path)


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes")
def test_a_key_that_others_can_read(key_file: Path, env: dict[str, str]) -> None:
    key_file.chmod(0o640)
    with pytest.raises(SignInProblem, match="chmod 600"):
        credential_from_environment(env)


@pytest.mark.parametrize("missing", ["SFEXIT_USERNAME", "SFEXIT_CLIENT_ID", "SFEXIT_INSTANCE_URL"])
def test_a_setting_that_is_missing(env: dict[str, str], missing: str) -> None:
    del env[missing]
    with pytest.raises(SignInProblem, match=missing):
        credential_from_environment(env)


def test_nothing_shows_the_key(env: dict[str, str], key_file: Path) -> None:
    credential = credential_from_environment(env)
    middle = key_file.read_text().splitlines()[5]
    assert middle not in repr(credential) + repr(vars(credential))
