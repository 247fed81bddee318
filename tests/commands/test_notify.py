"""Notices: what is sent, what never is, and that a failing notice fails nothing else."""

from __future__ import annotations

import contextlib
import email
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from email.policy import default as policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import trustme

from sfexit.archive import home as homes
from sfexit.archive.durable import Disk
from sfexit.commands import _notify
from sfexit.errors import Interrupted, QuotaSpent, SessionLost, UsageProblem
from sfexit.reports import notice as notices
from sfexit.settings import Settings, load

ORG = "00D000000000001AAA"


class Mailbox:
    """A mail server of a few lines (RFC 5321, RFC 3207), for one message."""

    def __init__(self, authority: trustme.CA | None, *, login: bool = False) -> None:
        self.context = None
        if authority is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("127.0.0.1", "localhost").configure_cert(self.context)
        self.login = login
        self.said: list[str] = []
        self.message = b""
        self.encrypted = False
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self) -> None:
        connection, _ = self.socket.accept()
        connection.settimeout(10)
        lines = connection.makefile("rb")
        connection.sendall(b"220 here\r\n")
        while line := lines.readline():
            word = line.decode().strip()
            self.said.append(word)
            verb = word.split(" ")[0].upper()
            if verb == "EHLO":
                tls = b"250-STARTTLS\r\n" if self.context and not self.encrypted else b""
                auth = b"250-AUTH PLAIN\r\n" if self.login else b""
                connection.sendall(b"250-here\r\n" + tls + auth + b"250 8BITMIME\r\n")
            elif verb == "STARTTLS" and self.context:
                connection.sendall(b"220 go\r\n")
                lines.close()
                try:
                    connection = self.context.wrap_socket(connection, server_side=True)
                except ssl.SSLError:
                    return
                self.encrypted, lines = True, connection.makefile("rb")
            elif verb == "DATA":
                connection.sendall(b"354 go\r\n")
                while (part := lines.readline()) not in (b".\r\n", b""):
                    self.message += part
                connection.sendall(b"250 taken\r\n")
            elif verb == "QUIT":
                connection.sendall(b"221 bye\r\n")
                return
            else:
                connection.sendall(b"235 yes\r\n" if verb == "AUTH" else b"250 ok\r\n")


@pytest.fixture
def hook() -> Iterator[Any]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.seen.append((self.path, dict(self.headers), body))
            self.send_response(server.status)
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server: Any = HTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.status = [], 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def said() -> list[str]:
    return []


NOTICE = notices.stopped("acme-exit", "paused", 75, "the calls of today are used up")


def test_mail_goes_encrypted_with_the_password_of_the_environment(tmp_path, monkeypatch, said):
    authority = trustme.CA()
    box = Mailbox(authority, login=True)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv(_notify.PASSWORD, "hunter2-canary")
    settings = Settings(
        ca_bundle=str(bundle),
        notify_to=("a@example.com", "b@example.com"),
        notify_server=box.address,
        notify_user="robot",
    )
    _notify.send(NOTICE, settings, tmp_path, said.append)
    box.thread.join(10)
    assert said == []
    assert box.encrypted
    at = next(n for n, word in enumerate(box.said) if word.startswith("AUTH"))
    assert "STARTTLS" in box.said[:at]
    message = email.message_from_bytes(box.message, policy=policy)
    assert message["To"] == "a@example.com, b@example.com"
    assert "acme-exit" in message["Subject"] and "pauses" in message["Subject"]
    assert "hunter2-canary" not in box.message.decode()
    assert "the calls of today are used up" in message.get_content()


def test_a_certificate_that_is_not_trusted_gets_no_password(tmp_path, monkeypatch, said):
    box = Mailbox(trustme.CA(), login=True)
    monkeypatch.setenv(_notify.PASSWORD, "hunter2-canary")
    settings = Settings(notify_to=("a@b.c",), notify_server=box.address, notify_user="robot")
    _notify.send(NOTICE, settings, tmp_path, said.append)
    box.thread.join(10)
    assert not [word for word in box.said if word.startswith("AUTH")]
    assert box.message == b""
    assert "SSLCertVerificationError" in said[0] and "the run stands" in said[0]


def test_a_server_elsewhere_without_encryption_is_refused(tmp_path, monkeypatch, said):
    box = Mailbox(None)
    monkeypatch.setattr(_notify, "_loopback", lambda host: False)
    settings = Settings(notify_to=("a@b.c",), notify_server=box.address)
    _notify.send(NOTICE, settings, tmp_path, said.append)
    assert box.message == b""
    assert "SMTPNotSupportedError" in said[0]


def test_the_webhook_gets_a_small_document_and_no_token(tmp_path, monkeypatch, hook, said):
    monkeypatch.setenv("SFEXIT_ACCESS_TOKEN", "00D000000000001!AQcanaryCANARYcanary")
    words = "failed with 00D000000000001!AQcanaryCANARYcanaryCANARYcanary"
    address = f"http://127.0.0.1:{hook.server_address[1]}/services/secret-path"
    notice = notices.stopped("acme-exit", "failed", 4, words)
    _notify.send(notice, Settings(notify_webhook=address), tmp_path, said.append)
    [(path, headers, body)] = hook.seen
    assert path == "/services/secret-path"
    assert "Authorization" not in headers and b"canary" not in body
    told = json.loads(body)
    assert (told["schema"], told["event"], told["exit_code"]) == ("sfexit-notice/1", "failed", 4)
    assert said == []


def test_a_webhook_that_fails_or_redirects_fails_nothing(tmp_path, hook, said):
    hook.status = 302
    address = f"http://127.0.0.1:{hook.server_address[1]}/services/secret-path"
    _notify.send(NOTICE, Settings(notify_webhook=address), tmp_path, said.append)
    assert len(hook.seen) == 1
    assert len(said) == 1 and "secret-path" not in said[0]


@pytest.mark.parametrize("way", ["mail", "webhook"])
def test_a_server_that_never_comes_to_an_end_does_not_hold_the_command(
    way, tmp_path, monkeypatch, said
):
    monkeypatch.setattr(_notify, "_ALL_SECONDS", 0.5)
    over = threading.Event()
    greeting = b"220-" if way == "mail" else b"HTTP/1.1 "
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(greeting)
                while not over.wait(0.05):  # always something, so that no single wait is long
                    connection.sendall(b"2")

        threading.Thread(target=drip, daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        settings = Settings(notify_to=("a@b.example",), notify_server=address)
        if way == "webhook":
            settings = Settings(notify_webhook=f"http://{address}/")
        sending = threading.Thread(
            target=_notify.send, args=(NOTICE, settings, tmp_path, said.append), daemon=True
        )
        sending.start()
        sending.join(20)
        over.set()
    assert not sending.is_alive() and way in said[0] and "the run stands" in said[0]


def test_of_a_webhooks_answer_only_the_head_is_read(tmp_path, said):
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n")
                over.wait(60)

        threading.Thread(target=answer, daemon=True).start()
        settings = Settings(notify_webhook=f"http://127.0.0.1:{server.getsockname()[1]}/")
        sending = threading.Thread(
            target=_notify.send, args=(NOTICE, settings, tmp_path, said.append), daemon=True
        )
        sending.start()
        sending.join(20)
        ended = not sending.is_alive()
        over.set()
    assert ended and said == []


@pytest.mark.parametrize(
    "address",
    ["http://example.com/x", "ftp://example.com", "https://u:p@example.com/", "https:///x", "x"],
)
def test_a_webhook_that_is_not_safe_is_refused_before_the_run(address):
    with pytest.raises(UsageProblem, match="https") as refused:
        _notify.check(Settings(notify_webhook=address))
    assert "example" not in str(refused.value)


def test_a_server_without_anybody_to_write_to_is_refused_before_the_run():
    with pytest.raises(UsageProblem, match="nobody to write to"):
        _notify.check(Settings(notify_server="mail.example.com"))
    with pytest.raises(UsageProblem, match="host:port"):
        _notify.check(Settings(notify_server="mail.example.com:x", notify_to=("a@b.c",)))
    _notify.check(Settings(notify_server="mail.example.com", notify_to=("a@b.c",)))


def test_without_a_server_a_preview_is_left_in_the_home(tmp_path, said):
    root = tmp_path / "acme-exit"
    _notify.send(NOTICE, Settings(notify_to=("a@b.c",)), root, said.append)
    assert not root.exists()  # never a home out of a notice
    homes.claim(root, ORG, Disk())
    _notify.send(NOTICE, Settings(notify_to=("a@b.c",)), root, said.append)
    [preview] = (root / "notices").iterdir()
    message = email.message_from_bytes(preview.read_bytes(), policy=policy)
    assert message["To"] == "a@b.c"
    assert str(preview) in said[-1]


@pytest.mark.parametrize(
    ("error", "event", "code"),
    [
        (QuotaSpent("used up"), "paused", 75),
        (Interrupted("asked"), "interrupted", 130),
        (KeyboardInterrupt(), "interrupted", 130),
        (SessionLost("gone"), "failed", 4),
        (RuntimeError("bug"), "failed", 1),
    ],
)
def test_every_end_has_its_notice(error, event, code, tmp_path):
    notice = _notify.about(error, tmp_path / "acme-exit")
    assert (notice.event, notice.exit_code, notice.home) == (event, code, "acme-exit")


def test_hostile_names_stay_in_their_place():
    evil = "Evil\r\nBcc: everybody@example.com\r\n\r\nbody"
    notice = notices.Notice("complete", 0, "home", evil, (evil,))
    message = notice.mail("a@b.c", ("b@c.d",), __import__("datetime").datetime.now().astimezone())
    assert "\n" not in notice.subject
    assert message["Bcc"] is None


def test_settings_are_read(tmp_path):
    (tmp_path / "sfexit.toml").write_text(
        '[notify]\nto = ["Ann <a@b.c>"]\nfrom = "s@b.c"\nserver = "mail:587"\nuser = "u"\n'
        'webhook = "https://example.com/x"\n'
    )
    settings = load(tmp_path, {"SFEXIT_CONFIG_DIR": str(tmp_path / "none")})
    assert settings.notify_to == ("Ann <a@b.c>",)
    assert settings.notify_server == "mail:587"
    for line in ('to = ["nobody"]', 'from = "a@b.c\\nBcc: x@y.z"', 'to = "a@b.c"'):
        (tmp_path / "sfexit.toml").write_text(f"[notify]\n{line}\n")
        with pytest.raises(UsageProblem):
            load(tmp_path, {"SFEXIT_CONFIG_DIR": str(tmp_path / "none")})
