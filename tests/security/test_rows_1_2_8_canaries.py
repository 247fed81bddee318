"""Rows 1, 2 and 8: secrets in arguments, at rest, in logs, tracebacks and evidence.

One life of an installation with canary secrets, each command a process of its own, behind TLS and
a proxy that wants a password: sign in three ways, export, assess, a failing run of an org that
throws secrets back, a crash, a kill, sign out. Then every artefact is searched.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
import trustme
from commands.conftest import small_org
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from salesforce.proxying import Proxy

from sfexit.simulated_org import FaultPlan, SimulatedServer, serve

from .canaries import contents, forms, leaks, of_key

HOST = "sf.acme.example"
PROXY_PASSWORD = "pwCANARY-9f27c1b8e04d"
CLIENT_SECRET = "secretCANARY+5d/0b1e7a99c3"

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")

_CRASH = """
import sys
import sfexit.export.run as run
from sfexit.commands import main
def broken(client, *_, **__):
    token = client._credential.token().reveal()
    local = {{"refresh": {refresh!r}}}
    raise RuntimeError(f"cannot use {{token}} and {{local}} and Bearer {{token}}")
run.export = broken
sys.exit(main.run(sys.argv[1:]))
"""


@dataclass
class Life:
    """What happened, and what it left behind."""

    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)
    printed: list[tuple[str, bytes]] = field(default_factory=list)
    lines: list[tuple[str, bytes]] = field(default_factory=list)  # of commands, as `ps` shows them
    codes: dict[str, int] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    modes: dict[str, int] = field(default_factory=dict)
    stored: list[str] = field(default_factory=list)  # files with secrets after the first sign-in
    left: list[str] = field(default_factory=list)  # and after the last sign-out

    def said(self, step: str) -> str:
        return b"".join(text for name, text in self.printed if name.startswith(step)).decode()


class _Living:
    """Lives it."""

    def __init__(self, folder: Path) -> None:
        self.life = Life(folder)
        self.config = folder / "config"
        self.home = folder / "home"
        self.cwd = folder / "cwd"
        self.cwd.mkdir()
        authority = trustme.CA()
        self.bundle = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.bundle))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST, "127.0.0.1").configure_cert(self.context)
        self.server: SimulatedServer
        self.proxy: Proxy

    @contextlib.contextmanager
    def begun(self) -> Iterator[None]:
        org = small_org(client_secret=CLIENT_SECRET)
        with (
            serve(org, FaultPlan(seed=1), tls=self.context) as self.server,
            Proxy(self.server.port, login=f"me:{PROXY_PASSWORD}") as self.proxy,
        ):
            self.life.secrets |= {"proxy password": PROXY_PASSWORD, "client secret": CLIENT_SECRET}
            yield

    def environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SFEXIT_")}
        return {
            **kept,
            "SFEXIT_CONFIG_DIR": str(self.config),
            "SFEXIT_ALLOW_HOST": HOST,
            "SFEXIT_CA_BUNDLE": str(self.bundle),
            "HTTPS_PROXY": f"http://me:{PROXY_PASSWORD}@{self.proxy.netloc}",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "SFEXIT_TRACEBACK": "1",
            **more,
        }

    def start(self, *words: str | Path, **more: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            cwd=self.cwd,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        line = Path(f"/proc/{process.pid}/cmdline")
        self.life.lines.append(
            (f"the command line of {words[:4]}", b"\0".join(map(os.fsencode, process.args)))
        )  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            self.life.lines.append((f"/proc of {words[:4]}", line.read_bytes()))
        return process

    def end(self, step: str, process: subprocess.Popen[bytes]) -> None:
        out, err = process.communicate(timeout=90)
        self.life.printed += [(f"{step}: stdout", out), (f"{step}: stderr", err)]
        self.life.codes[step] = process.returncode
        org = self.server.org
        self.life.secrets |= {
            f"access token after {step}": org.access_token,
            f"refresh token after {step}": org.refresh_token,
        }

    def run(self, step: str, *words: str | Path, **more: str) -> None:
        self.end(step, self.start("-m", "sfexit", *words, **more))

    # ---- the steps ---------------------------------------------------------------------------

    def sign_in_as_a_person(self) -> None:
        import socket

        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
        authorization = self.server.routes.sign_in.authorization
        authorization.redirect_uris = [f"http://localhost:{port}/OauthRedirect"]
        authorization.require_secret = True
        process = self.start(
            "-m", "sfexit", "login", "--no-browser", "--instance-url", f"https://{HOST}",
            "--client-id", self.server.org.client_id, "--port", str(port), "--alias", "acme",
            SFEXIT_CLIENT_SECRET=CLIENT_SECRET,
        )  # fmt: skip
        assert process.stderr is not None
        seen = [process.stderr.readline() for _ in range(2)]
        self.life.printed.append(("login: stderr", b"".join(seen)))
        url = seen[1].decode().strip()
        own = url.replace(f"https://{HOST}", self.server.url)
        back = requests.get(own, timeout=20, allow_redirects=False, verify=str(self.bundle))
        onward = back.headers["Location"]
        code = re.search(r"[?&]code=([^&]+)", onward)
        assert code is not None
        self.life.secrets["authorization code"] = requests.utils.unquote(code[1])
        requests.get(onward, timeout=20, proxies={"http": "", "https": ""})
        self.end("login", process)
        self.life.stored = self.files_with_secrets()
        self.life.modes = {
            str(path): stat.S_IMODE(path.stat().st_mode)
            for path in self.config.rglob("*")
            if path.is_file()
        }

    def files_with_secrets(self) -> list[str]:
        found = []
        for path in self.config.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                hit = [
                    n
                    for n, s in self.life.secrets.items()
                    if any(f in data for f in forms(s).values())
                ]
                if hit:
                    found.append(path.name)
        return found

    def export_and_look(self) -> None:
        self.server.org.expire_sessions()  # the export must renew, and the refresh token rotates
        self.run("export", "export", self.home, "--org", "acme", "--verbose", "--json")
        page, grants = self.cwd / "look.html", self.cwd / "grants"
        self.run(
            "assess", "assess", self.home, "--html", page, "--permission-set", grants, "--json"
        )
        self.run("orgs", "orgs", "--json")

    def an_org_that_throws_secrets_back(self) -> None:
        org = self.server.org
        told = (
            f"Session {org.access_token} of Bearer {org.access_token} ended, "
            f"refresh {org.refresh_token}, client_secret={CLIENT_SECRET}, "
            f"http://me:{PROXY_PASSWORD}@{self.proxy.netloc}/?refresh_token={org.refresh_token}"
        )
        for endpoint in ("queryall", "bulk.create", "describe"):
            self.server.fail(
                "status",
                endpoint,
                times=None,
                code=400,
                error_code="UNKNOWN_EXCEPTION",
                message=told,
            )
        self.run("failing", "export", self.home, "--anew", "--verbose", "--json")
        self.server.faults.clear()
        self.server.fail("status", "token", times=9, code=400, body={
            "error": "invalid_grant", "error_description": told})  # fmt: skip
        org.expire_sessions()
        self.run("refused", "export", self.home, "--anew", "--verbose")
        self.server.faults.clear()

    def crash_and_kill(self) -> None:
        script = self.folder_script()
        self.end("crash", self.start(script, "export", self.home, "--anew"))
        self.server.fail("hang", "queryall", seconds=30, then="close", times=None)
        self.server.fail("hang", "composite", nth=3, seconds=30, then="close", times=None)
        process = self.start("-m", "sfexit", "export", self.home, "--anew", "--verbose")
        while not (self.home / "work/journal.jsonl").exists() and process.poll() is None:
            threading.Event().wait(0.02)
        process.kill()
        self.end("killed", process)
        self.server.faults.clear()

    def folder_script(self) -> Path:
        # Beside the artefacts, not among them: it holds the secret on purpose.
        script = self.life.folder.parent / f"{self.life.folder.name}-crash.py"
        script.write_text(_CRASH.format(refresh=self.server.org.refresh_token))
        return script

    def sign_in_by_key_and_by_secret(self) -> None:
        key = rsa.generate_private_key(65537, 2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path = self.life.folder.parent / f"{self.life.folder.name}-key.pem"
        path.touch(0o600)
        path.write_bytes(pem)
        for number, line in enumerate(of_key(pem.decode())):
            if len(line) > 20:
                self.life.secrets[f"private key, line {number}"] = line
        authorization = self.server.routes.sign_in.authorization
        authorization.public_key = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        authorization.users.add("robot@acme.example")
        authorization.audiences = (*authorization.audiences, f"https://{HOST}")
        where = ["--instance-url", f"https://{HOST}", "--client-id", self.server.org.client_id]
        self.run(
            "login by key", "login", "--method", "jwt", "--alias", "robot", "--username",
            "robot@acme.example", "--key-file", path, *where,
        )  # fmt: skip
        self.run(
            "login by secret", "login", "--method", "client-credentials", "--alias", "app", *where,
            SFEXIT_CLIENT_SECRET=CLIENT_SECRET,
        )  # fmt: skip
        self.run("export by key", "export", self.life.folder / "home2", "--org", "robot", "-v")

    def sign_out(self) -> None:
        self.run("logout", "logout", "--all")
        self.life.left = self.files_with_secrets()
        self.life.requests = [f"{e.method} {e.path} {e.status}" for e in self.server.requests]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    living = _Living(tmp_path_factory.mktemp("life"))
    with pytest.MonkeyPatch.context() as patch, living.begun():
        for name in ("no_proxy", "NO_PROXY"):
            patch.delenv(name, raising=False)
        living.sign_in_as_a_person()
        living.export_and_look()
        living.an_org_that_throws_secrets_back()
        living.crash_and_kill()
        living.sign_in_by_key_and_by_secret()
        living.sign_out()
    return living.life


def test_the_life_was_as_meant(life: Life) -> None:
    """Otherwise nothing below would prove anything."""
    assert life.codes["login"] == 0, life.said("login")
    assert life.codes["export"] == 0, life.said("export")
    assert life.codes["assess"] == 0, life.said("assess")
    assert life.codes["failing"] == 3, life.said("failing")
    assert life.codes["refused"] == 4, life.said("refused")
    assert life.codes["crash"] == 1 and "Traceback" in life.said("crash")
    assert life.codes["killed"] == -9
    assert life.codes["login by key"] == 0, life.said("login by key")
    assert life.codes["login by secret"] == 0, life.said("login by secret")
    assert life.codes["export by key"] == 0, life.said("export by key")
    assert life.codes["logout"] == 0, life.said("logout")
    tokens = {secret for name, secret in life.secrets.items() if name.startswith("refresh")}
    assert len(tokens) > 1  # it rotated
    assert "***" in life.said("failing") + life.said("refused")


def test_row_1_no_secret_in_an_argument(life: Life) -> None:
    assert len(life.lines) >= 20 or not Path("/proc/self/cmdline").exists()
    assert leaks(life.secrets, life.lines) == []


def test_row_8_no_secret_in_anything_printed(life: Life) -> None:
    assert leaks(life.secrets, life.printed) == []


def test_row_8_no_secret_in_any_file(life: Life) -> None:
    """Home, bags, work folder of the killed run, reports, configuration after the sign-out."""
    files = list(contents(life.folder))
    assert any("work" in where for where, _ in files) and any("bags" in where for where, _ in files)
    assert any(where.endswith("look.html") for where, _ in files)
    assert leaks(life.secrets, files) == []


def test_row_8_the_search_itself_finds(tmp_path: Path, life: Life) -> None:
    import base64
    import gzip

    secret = life.secrets["client secret"]
    hidden = base64.b64encode(b"x" + f"user:{secret}@host".encode())
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"...." + hidden))
    (tmp_path / "b").write_text(requests.utils.quote(secret, safe=""))
    found = leaks({"it": secret}, contents(tmp_path))
    assert any("base64" in one and "a.gz unpacked" in one for one in found)
    assert any("quoted" in one for one in found)


@posix
def test_row_2_stored_secrets_are_in_closed_files_and_say_so(life: Life) -> None:
    assert life.stored and all(name.endswith(".secret") for name in life.stored)
    assert set(life.modes.values()) == {0o600}
    assert "unencrypted" in life.said("login")


def test_row_2_signing_out_revokes_and_forgets(life: Life) -> None:
    assert "POST /services/oauth2/revoke 200" in life.requests
    assert life.left == []
