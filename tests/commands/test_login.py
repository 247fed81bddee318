"""`sfexit login`, `orgs`, `logout`, and which org the other commands then take."""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import keyring
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from keyring.backend import KeyringBackend
from keyring.backends import fail

from sfexit.commands.main import COMMANDS, root
from sfexit.simulated_org import serve

from .conftest import Company, Ran, small_org

Sfexit = Callable[..., Ran]

NOTHING = {"SFEXIT_INSTANCE_URL": "", "SFEXIT_ACCESS_TOKEN": ""}
SECRET = "simulated-secret"

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


class Ring(KeyringBackend):
    """A key ring that lives as long as the test."""

    priority = 5  # type: ignore[assignment]
    name = "test ring"  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture(autouse=True)
def no_key_ring() -> Iterator[None]:
    """The developer's own key ring stays out of it."""
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def ring() -> Ring:
    ring = Ring()
    keyring.set_keyring(ring)
    return ring


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        number: int = found.getsockname()[1]
        return number


@pytest.fixture
def browser(company: Company, port: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A browser whose user signs in at once; the addresses that it was sent to."""
    company.server.routes.sign_in.authorization.redirect_uris = [
        f"http://localhost:{port}/OauthRedirect"
    ]
    opened: list[str] = []

    def open_url(url: str) -> bool:
        opened.append(url)
        threading.Thread(target=requests.get, args=(url,), kwargs={"timeout": 10}).start()
        return True

    monkeypatch.setattr(webbrowser, "open", open_url)
    return opened


@pytest.fixture
def login(sfexit: Sfexit, company: Company, port: int, browser: list[str]) -> Sfexit:
    """`sfexit login` to the company, with nothing else said by the environment."""

    def call(*more: str | Path, **environment: str) -> Ran:
        place = ["--instance-url", company.server.url, "--client-id", company.org.client_id]
        way = [] if "--method" in more else ["--port", str(port)]
        return sfexit("login", *place, *way, *more, **{**NOTHING, **environment})

    return call


def secrets_of(company: Company) -> list[str]:
    return [company.org.access_token, company.org.refresh_token, SECRET]


def assert_no_secret(company: Company, *texts: str) -> None:
    for text in texts:
        for secret in secrets_of(company):
            assert secret not in text


def last_sentence(ran: Ran) -> str:
    line = ran.err.splitlines()[-1]
    assert line.startswith("sfexit: "), ran.err
    return line


# ---- a person ------------------------------------------------------------------------------------


def test_a_person_signs_in_exports_and_signs_out(
    login: Sfexit,
    sfexit: Sfexit,
    company: Company,
    browser: list[str],
    home: Path,
    clean_environment: Path,
) -> None:
    ran = login("--alias", "acme")
    assert ran.code == 0 and ran.out == ""
    org = company.org
    for told in (org.organization_id, company.server.url, "Stored as acme, used when no org"):
        assert told in ran.err
    assert "unencrypted in that file" in ran.err and len(browser) == 1
    seen = [secret for secret in secrets_of(company) if secret != SECRET]
    assert_no_secret(company, ran.err, browser[0])

    # The session ends; the export gets a new one, and the refresh token is another one then.
    org.expire_sessions()
    exported = sfexit("export", home, "--org", "acme", **NOTHING)
    assert exported.code == 0
    assert org.refresh_token not in seen
    again = sfexit("export", home, **NOTHING)  # the default
    assert again.code == 0

    listed = sfexit("orgs", **NOTHING)
    assert re.search(r"^\*\s+acme\s", listed.out, re.M)
    as_json = sfexit("orgs", "--json", **NOTHING)
    document = json.loads(as_json.out)
    assert document["schema"] == "sfexit-orgs/1"
    [entry] = document["orgs"]
    assert (entry["alias"], entry["default"], entry["kind"]) == ("acme", True, "web")
    assert entry["organization_id"] == org.organization_id and entry["secrets_in"] == "file"

    # Canaries: no secret in anything that was printed or archived.
    texts = [ran.err, exported.out, exported.err, listed.out, as_json.out]
    assert_no_secret(company, *texts)
    for path in [*home.rglob("*"), clean_environment / "orgs.json"]:
        if path.is_file():
            data = path.read_bytes()
            data += gzip.decompress(data) if path.suffix == ".gz" else b""
            for secret in [*seen, *secrets_of(company)]:
                assert secret.encode() not in data, path

    token = org.access_token
    gone = sfexit("logout", "acme", **NOTHING)
    assert gone.code == 0 and "ended in the org and forgotten here" in gone.err
    assert not org.token_valid(token)
    revoked = [entry for entry in company.server.requests if entry.path.endswith("/revoke")]
    assert [entry.status for entry in revoked] == [200]
    left = [path for path in clean_environment.rglob("*.secret") if path.is_file()]
    assert left == []
    assert_no_secret(company, (clean_environment / "orgs.json").read_text(), gone.err)
    assert "No org is stored" in sfexit("orgs", **NOTHING).err


@posix
def test_stored_files_are_closed_to_others(login: Sfexit, clean_environment: Path) -> None:
    login()
    kept = [path for path in clean_environment.rglob("*") if path.is_file()]
    assert len(kept) >= 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


def test_in_the_key_ring(
    login: Sfexit, sfexit: Sfexit, company: Company, ring: Ring, clean_environment: Path
) -> None:
    ran = login("--alias", "acme", SFEXIT_CLIENT_SECRET=SECRET)
    assert "in the system's key ring (test ring)" in ran.err and "unencrypted" not in ran.err
    assert any(company.org.refresh_token in text for text in ring.kept.values())
    for path in clean_environment.rglob("*"):
        if path.is_file():
            assert_no_secret(company, path.read_text("utf-8"))
    assert sfexit("logout", **NOTHING).code == 0 and ring.kept == {}


def test_a_file_where_a_key_ring_is(login: Sfexit, ring: Ring) -> None:
    ran = login("--store", "file")
    assert "in a file in" in ran.err and "no usable key ring" not in ran.err and ring.kept == {}


def test_without_a_browser_the_address_is_printed(
    company: Company, port: int, login: Sfexit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own, read as a person would."""
    process = company.start(
        "login", "--no-browser", "--instance-url", company.server.url, "--port", str(port),
        "--client-id", company.org.client_id, "--json",
        **NOTHING, PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring",
    )  # fmt: skip
    assert process.stderr is not None and process.stdout is not None
    lines = [process.stderr.readline() for _ in range(3)]
    assert "Open this address" in lines[0] and "OauthRedirect" in lines[2]
    if Path("/proc/self/cmdline").exists():
        seen = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert all(secret.encode() not in seen for secret in secrets_of(company))
    assert "Done. Close this window" in requests.get(lines[1].strip(), timeout=10).text
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    document = json.loads(out)
    assert document["schema"] == "sfexit-login/1" and document["alias"] == "local"
    assert_no_secret(company, out, err, *lines)


def test_no_browser_can_be_opened(
    login: Sfexit, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(url: str) -> bool:
        threading.Thread(target=requests.get, args=(url,), kwargs={"timeout": 10}).start()
        raise webbrowser.Error("no browser")

    monkeypatch.setattr(webbrowser, "open", fails)
    ran = login()
    assert ran.code == 0 and "Open this address" in ran.err


def test_the_person_says_no(login: Sfexit, sfexit: Sfexit, company: Company) -> None:
    company.server.routes.sign_in.authorization.deny = True
    ran = login()
    assert ran.code == 4 and "access_denied" in last_sentence(ran)
    assert "No org is stored" in sfexit("orgs", **NOTHING).err


def test_a_user_without_the_api(login: Sfexit, sfexit: Sfexit, company: Company) -> None:
    company.server.fail(
        "status", "query", times=99, code=403, error_code="API_DISABLED_FOR_ORG",
        message="API is not enabled for this Organization or Partner",
    )  # fmt: skip
    ran = login()
    assert ran.code == 4 and "API Enabled" in last_sentence(ran)
    assert "No org is stored" in sfexit("orgs", **NOTHING).err
    # What is not stored must not live on in the org.
    assert not company.org.token_valid(company.org.access_token)


def test_an_app_that_gives_no_refresh_token(
    login: Sfexit, sfexit: Sfexit, company: Company, home: Path
) -> None:
    company.server.routes.sign_in.authorization.gives_refresh_tokens = False
    ran = login("--alias", "acme")
    assert ran.code == 0 and "ends with the session" in ran.err
    assert sfexit("export", home, "--org", "acme", **NOTHING).code == 0
    company.org.expire_sessions()
    lost = sfexit("export", home, "--anew", "--org", "acme", **NOTHING)
    assert lost.code == 4 and "sfexit login --alias acme" in lost.sentence


def test_the_app_wants_its_secret(login: Sfexit, company: Company) -> None:
    company.server.routes.sign_in.authorization.require_secret = True
    assert "SFEXIT_CLIENT_SECRET" in last_sentence(login())
    assert login(SFEXIT_CLIENT_SECRET=SECRET).code == 0


def test_signing_in_again_ends_the_older_one(
    login: Sfexit, sfexit: Sfexit, company: Company, clean_environment: Path
) -> None:
    login("--alias", "acme")
    older = company.org.refresh_token
    assert login("--alias", "acme").code == 0
    assert not company.org.revoke(older)  # already done
    assert len(list(clean_environment.rglob("*-grant.secret"))) == 1
    assert len(json.loads(sfexit("orgs", "--json", **NOTHING).out)["orgs"]) == 1


def test_the_port_is_taken(login: Sfexit, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        ran = login()
    assert ran.code == 4 and "--port" in last_sentence(ran)


# ---- without people ------------------------------------------------------------------------------


def test_client_credentials(login: Sfexit, sfexit: Sfexit, company: Company, home: Path) -> None:
    way = ["--method", "client-credentials", "--alias", "robot"]
    ran = login(*way)
    assert ran.code == 2 and "SFEXIT_CLIENT_SECRET" in ran.sentence
    ran = login(*way, SFEXIT_CLIENT_SECRET=SECRET)
    assert ran.code == 0 and "the app's secret" in ran.err
    company.org.expire_sessions()
    assert sfexit("export", home, "--org", "robot", **NOTHING).code == 0
    gone = sfexit("logout", "robot", **NOTHING)
    assert gone.code == 0 and "rotate it" in gone.err
    assert_no_secret(company, ran.err, gone.err)


def test_jwt(login: Sfexit, sfexit: Sfexit, company: Company, home: Path, tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    path = tmp_path / "key.pem"
    path.touch(0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    authorization = company.server.routes.sign_in.authorization
    authorization.public_key = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    authorization.users.add("export@acme.example")
    way = ["--method", "jwt", "--alias", "robot", "--username", "export@acme.example"]
    assert "--key-file" in login(*way).sentence
    ran = login(*way, "--key-file", path)
    assert ran.code == 0 and "no secret" in ran.err and str(path) in ran.err
    # With the user that was named, not with the name of the user that the org shows.
    company.org.expire_sessions()
    done = sfexit("export", home, "--org", "robot", **NOTHING)
    assert done.code == 0, done.err
    assert "private key stays" in sfexit("logout", **NOTHING).err and path.exists()


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("device", "September 2025"),
        ("password", "Summer '23"),
        ("soap", "65.0"),
    ],
)
def test_what_is_not_offered_is_explained(login: Sfexit, method: str, words: str) -> None:
    ran = login("--method", method)
    assert ran.code == 4 and words in ran.sentence and "sfexit login" in ran.sentence


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--sandbox", "--instance-url", "https://acme.my.salesforce.com"], "only one of"),
        (["--username", "x"], "--method jwt"),
        (["--method", "jwt", "--no-browser"], "--method web"),
        (["--alias", "../x", "--client-id", "x"], "cannot be an alias"),
        (["--instance-url", "https://evil.example", "--client-id", "x"], "SFEXIT_ALLOW_HOST"),
        ([], "Which app?"),
    ],
)
def test_command_lines_that_do_not_do(sfexit: Sfexit, words: list[str], told: str) -> None:
    ran = sfexit("login", *words, **NOTHING)
    assert ran.code == 2 and told in ran.sentence


def test_client_credentials_need_the_orgs_own_address(sfexit: Sfexit) -> None:
    ran = sfexit(
        "login", "--method", "client-credentials", "--client-id", "x", "--sandbox",
        **NOTHING, SFEXIT_CLIENT_SECRET=SECRET,
    )  # fmt: skip
    assert ran.code == 4 and "My Domain" in ran.sentence


# ---- which org -----------------------------------------------------------------------------------


def test_two_at_once_are_a_conflict(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("export", home, "--org", "a", "--sf-cli", "b")
    assert ran.code == 2 and "only one of --org and --sf-cli" in ran.sentence


def test_the_option_goes_before_the_environment(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("export", home, "--org", "nowhere")
    assert ran.code == 2 and "No org is stored as nowhere" in ran.sentence


def test_the_environment_goes_before_the_default(login: Sfexit, sfexit: Sfexit, home: Path) -> None:
    login("--alias", "acme")
    with serve(small_org(seed=8)) as other:
        ran = sfexit(
            "export", home, SFEXIT_INSTANCE_URL=other.url,
            SFEXIT_ACCESS_TOKEN=other.org.access_token,
        )  # fmt: skip
        assert ran.code == 0 and other.requests
        # Half a sign-in is no reason to go to another org.
        half = sfexit("export", home, SFEXIT_INSTANCE_URL=other.url, SFEXIT_ACCESS_TOKEN="")
        assert half.code == 4 and "No way to sign in is set" in half.sentence


def test_nothing_is_named(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("export", home, **NOTHING)
    assert ran.code == 4
    assert all(way in ran.sentence for way in ("SFEXIT_INSTANCE_URL", "sfexit login", "--sf-cli"))


def test_several_and_no_default(login: Sfexit, sfexit: Sfexit, home: Path) -> None:
    for alias in ("a", "b", "c"):
        login("--alias", alias)
    assert sfexit("logout", "a", **NOTHING).code == 0
    ran = sfexit("export", home, **NOTHING)
    assert ran.code == 4 and "none is the default" in ran.sentence
    assert sfexit("logout", **NOTHING).code == 2
    assert sfexit("orgs", "--default", "c", **NOTHING).code == 0
    assert sfexit("export", home, **NOTHING).code == 0
    assert "did you mean" in sfexit("orgs", "--default", "cc", **NOTHING).sentence


@posix
def test_the_clis_session(
    sfexit: Sfexit, company: Company, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {"status": 0, "result": {"accessToken": company.org.access_token}, "warnings": ["!"]}
    place = {"id": company.org.organization_id, "instanceUrl": company.server.url}
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "sf"
    program.write_text(
        f"#!{sys.executable} -IS\nimport sys\n"
        f"print({json.dumps(shown)!r} if 'auth' in sys.argv else "
        f"{json.dumps({'status': 0, 'result': place})!r})\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    ran = sfexit("export", home, "--sf-cli", "acme", **NOTHING)
    assert ran.code == 0, ran.err
    assert_no_secret(company, ran.err, ran.out)


# ---- signing out ---------------------------------------------------------------------------------


def test_the_org_cannot_be_reached(
    login: Sfexit, sfexit: Sfexit, company: Company, clean_environment: Path
) -> None:
    login("--alias", "acme")
    company.server.close()
    ran = sfexit("logout", "acme", **NOTHING)
    assert ran.code == 1
    assert "not ended in the org" in ran.err and "Connected Apps OAuth Usage" in ran.err
    assert list(clean_environment.rglob("*.secret")) == []


def test_it_had_ended_before(login: Sfexit, sfexit: Sfexit, company: Company) -> None:
    login("--alias", "acme")
    company.org.revoke(company.org.refresh_token)
    ran = sfexit("logout", "--all", **NOTHING)
    assert ran.code == 0 and "it had ended before" in ran.err


def test_logout_of_nothing(sfexit: Sfexit) -> None:
    assert sfexit("logout", "--all", **NOTHING).code == 0
    assert sfexit("logout", **NOTHING).code == 2
    assert "none is stored yet" in sfexit("logout", "acme", **NOTHING).sentence
    assert sfexit("logout", "acme", "--all", **NOTHING).code == 2


def test_a_key_ring_that_keeps_its_entries(
    login: Sfexit, sfexit: Sfexit, ring: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    login("--alias", "acme")

    def locked(self: Ring, service: str, username: str) -> None:
        raise OSError("locked")

    monkeypatch.setattr(Ring, "delete_password", locked)
    ran = sfexit("logout", "acme", **NOTHING)
    assert ran.code == 1 and "by hand" in ran.err
    assert "No org is stored" in sfexit("orgs", **NOTHING).err


# ---- what must hold for all ----------------------------------------------------------------------


def test_no_option_takes_a_secret() -> None:
    context = click.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        for one in command.params:
            if isinstance(one, click.Option) and not one.is_flag:
                assert not re.search(r"secret|token|password", " ".join(one.opts)), one.opts


@pytest.mark.parametrize("words", [["--help"], ["login", "--help"], ["orgs"], ["logout", "--all"]])
def test_cheap_imports(words: list[str], clean_environment: Path) -> None:
    heavy = "keyring cryptography requests" if "orgs" not in words[0] else "keyring cryptography"
    if words[0] == "logout":
        heavy = "keyring cryptography"
    script = (
        "import sys\nfrom sfexit.commands.main import run\n"
        f"run({words!r})\n"
        f"sys.exit(','.join(n for n in {heavy!r}.split() if n in sys.modules) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
