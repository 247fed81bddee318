from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
import responses

from sfexit.errors import SessionLost, SignInProblem, Transient, UsageProblem
from sfexit.salesforce.login import (
    ClientCredentials,
    GivenToken,
    TokenFile,
    credential_from_environment,
)

from .wire import NEW_TOKEN, ORG, TOKEN, Clock

TOKEN_URL = f"{ORG}/services/oauth2/token"
APP = {
    "SFEXIT_INSTANCE_URL": ORG,
    "SFEXIT_CLIENT_ID": "3MVG9clientid",
    "SFEXIT_CLIENT_SECRET": "s3cr3tCANARY",
}


def token_answer(token: str = TOKEN, instance_url: str = ORG) -> dict[str, str]:
    return {
        "access_token": token,
        "instance_url": instance_url,
        "id": "https://login.salesforce.com/id/00D5g0000000001EAA/0055g000000001AAAQ",
        "token_type": "Bearer",
        "issued_at": "1278448832702",
    }


def test_given_token() -> None:
    credential = credential_from_environment(
        {"SFEXIT_INSTANCE_URL": ORG, "SFEXIT_ACCESS_TOKEN": f" {TOKEN}\n"}
    )
    assert isinstance(credential, GivenToken)
    assert credential.token().reveal() == TOKEN and not credential.renewable
    assert str(credential.origin) == ORG
    with pytest.raises(SessionLost, match="Progress is kept"):
        credential.renew(credential.token())


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, "SFEXIT_ACCESS_TOKEN_FILE"),
        ({"SFEXIT_INSTANCE_URL": ORG}, "No way to sign in"),
        ({"SFEXIT_ACCESS_TOKEN": TOKEN}, "SFEXIT_INSTANCE_URL"),
        ({"SFEXIT_INSTANCE_URL": ORG, "SFEXIT_CLIENT_ID": "x"}, "SFEXIT_CLIENT_SECRET is not"),
        ({"SFEXIT_INSTANCE_URL": ORG, "SFEXIT_CLIENT_SECRET": "x"}, "SFEXIT_CLIENT_ID is not"),
        ({**APP, "SFEXIT_ACCESS_TOKEN": TOKEN}, "only one of"),
        ({**APP, "SFEXIT_PRIVATE_KEY_FILE": "k.pem"}, "only one of"),
        ({"SFEXIT_INSTANCE_URL": ORG, "SFEXIT_PASSWORD": "pCANARY"}, "Summer '23"),
        ({"SFEXIT_INSTANCE_URL": ORG, "SFEXIT_ACCESS_TOKEN": "two words here"}, "no access token"),
        ({**APP, "SFEXIT_INSTANCE_URL": "https://login.salesforce.com"}, "My Domain"),
        ({**APP, "SFEXIT_INSTANCE_URL": "https://test.salesforce.com"}, "My Domain"),
    ],
)
def test_settings_that_do_not_do(env: dict[str, str], words: str) -> None:
    with pytest.raises(SignInProblem, match=words) as caught:
        credential_from_environment(env)
    assert TOKEN not in caught.value.message and "CANARY" not in caught.value.message


def test_allowed_hosts_come_from_the_environment() -> None:
    env = {"SFEXIT_INSTANCE_URL": "https://sf.acme.example", "SFEXIT_ACCESS_TOKEN": TOKEN}
    with pytest.raises(UsageProblem):
        credential_from_environment(env)
    allowed = credential_from_environment(
        {**env, "SFEXIT_ALLOW_HOST": "x.example, sf.acme.example"}
    )
    assert allowed.origin.host == "sf.acme.example"


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes")
def test_token_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o640)
    env = {"SFEXIT_INSTANCE_URL": ORG, "SFEXIT_ACCESS_TOKEN_FILE": str(path)}
    with pytest.raises(SignInProblem, match="chmod 600"):
        credential_from_environment(env)
    path.chmod(0o600)
    credential = credential_from_environment(env)
    assert isinstance(credential, TokenFile)
    stale = credential.token()
    with pytest.raises(SessionLost, match="put a new token"):
        credential.renew(stale)
    path.write_text(NEW_TOKEN)
    assert credential.renew(stale).reveal() == NEW_TOKEN
    assert credential.renew(stale).reveal() == NEW_TOKEN  # another thread, the same stale one


def test_token_file_that_is_none(tmp_path: Path) -> None:
    env = {"SFEXIT_INSTANCE_URL": ORG, "SFEXIT_ACCESS_TOKEN_FILE": str(tmp_path / "absent")}
    with pytest.raises(SignInProblem, match="cannot be read"):
        credential_from_environment(env)
    empty = tmp_path / "empty"
    empty.touch(0o600)
    with pytest.raises(SignInProblem, match="no access token"):
        credential_from_environment({**env, "SFEXIT_ACCESS_TOKEN_FILE": str(empty)})


def test_client_credentials(org: responses.RequestsMock) -> None:
    org.post(TOKEN_URL, json=token_answer())
    credential = credential_from_environment(APP)
    assert not org.calls  # nothing is sent until a token is needed
    assert credential.token().reveal() == TOKEN and str(credential.origin) == ORG
    assert credential.renewable
    assert len(org.calls) == 1
    body = org.calls[0].request.body
    assert "grant_type=client_credentials" in str(body) and "s3cr3tCANARY" in str(body)
    assert "Authorization" not in org.calls[0].request.headers
    assert "CANARY" not in repr(credential) + repr(vars(credential))


def test_the_first_sign_in_may_name_another_host_but_no_later_one(
    org: responses.RequestsMock,
) -> None:
    clock = Clock(step=60)
    org.post(TOKEN_URL, json=token_answer(instance_url="https://acme2.my.salesforce.com"))
    org.post(TOKEN_URL, json=token_answer(NEW_TOKEN, "https://acme3.my.salesforce.com"))
    credential = credential_from_environment(APP, clock=clock)
    assert credential.origin.host == "acme2.my.salesforce.com"
    with pytest.raises(SignInProblem, match=r"acme3.my.salesforce.com instead of acme2"):
        credential.renew(credential.token())
    assert credential.origin.host == "acme2.my.salesforce.com"


@pytest.mark.parametrize(
    "instance_url", ["https://evil.example", "http://127.0.0.1:1", "", None, "https://10.0.0.1"]
)
def test_an_address_that_cannot_be_the_orgs(org: responses.RequestsMock, instance_url: str) -> None:
    org.post(TOKEN_URL, json=token_answer(instance_url=instance_url))
    with pytest.raises(SignInProblem):
        credential_from_environment(APP).token()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("invalid_grant", "client credentials policy"),
        ("invalid_client", "do not belong together"),
        ("invalid_client_id", "not known"),
        ("something_new", "SFEXIT_CLIENT_ID"),
    ],
)
def test_refused_sign_in(org: responses.RequestsMock, error: str, words: str) -> None:
    org.post(TOKEN_URL, status=400, json={"error": error, "error_description": "no client"})
    with pytest.raises(SignInProblem, match=words) as caught:
        credential_from_environment(APP).token()
    assert "CANARY" not in caught.value.message


def test_sign_in_is_not_redirected(org: responses.RequestsMock) -> None:
    org.post(TOKEN_URL, status=302, headers={"Location": "https://evil.example/"})
    with pytest.raises(SignInProblem, match="My Domain"):
        credential_from_environment(APP).token()
    assert len(org.calls) == 1


@pytest.mark.parametrize("status", [420, 429, 500, 503])
def test_sign_in_can_be_tried_again(org: responses.RequestsMock, status: int) -> None:
    org.post(TOKEN_URL, status=status, body="<html>maintenance</html>")
    with pytest.raises(Transient):
        credential_from_environment(APP).token()


def test_network_fault_while_signing_in_hides_the_secret(org: responses.RequestsMock) -> None:
    with pytest.raises(Transient) as caught:
        credential_from_environment(APP).token()  # nothing is registered: no connection
    assert "CANARY" not in str(caught.value) and caught.value.__suppress_context__


@pytest.mark.parametrize("body", ["[]", "{}", "nonsense", '{"access_token": "a b"}'])
def test_sign_in_answers_that_are_none(org: responses.RequestsMock, body: str) -> None:
    org.post(TOKEN_URL, body=body)
    with pytest.raises(Transient):
        credential_from_environment(APP).token()


def test_many_threads_renew_once(org: responses.RequestsMock) -> None:
    clock = Clock()
    org.post(TOKEN_URL, json=token_answer())
    org.post(TOKEN_URL, json=token_answer(NEW_TOKEN))
    credential = credential_from_environment(APP, clock=clock)
    stale = credential.token()
    clock.now += 3600
    start = threading.Barrier(8)
    renewed: list[str] = []

    def renew() -> None:
        start.wait()
        renewed.append(credential.renew(stale).reveal())

    threads = [threading.Thread(target=renew) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert renewed == [NEW_TOKEN] * 8 and len(org.calls) == 2


def test_a_token_minted_a_moment_ago_is_not_renewed(org: responses.RequestsMock) -> None:
    clock = Clock()
    org.post(TOKEN_URL, json=token_answer())
    credential = credential_from_environment(APP, clock=clock)
    token = credential.token()
    clock.now += 9
    assert credential.renew(token) == token and len(org.calls) == 1
    clock.now += 2
    credential.renew(token)
    assert len(org.calls) == 2


def test_netrc_adds_nothing_to_the_sign_in(
    org: responses.RequestsMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine acme.my.salesforce.com login me password pw\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    org.post(TOKEN_URL, json=token_answer())
    credential = credential_from_environment(APP)
    assert isinstance(credential, ClientCredentials)
    credential.token()
    assert "Authorization" not in org.calls[0].request.headers
