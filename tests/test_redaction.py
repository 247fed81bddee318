from __future__ import annotations

import io
import logging
import pickle
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit import redaction
from sfexit.redaction import Secret, printable, redact

CANARY = "CANARYcanary123"
SESSION = f"00D5g0000000001EAA!AQ.{CANARY}_x"


@pytest.mark.parametrize(
    "text",
    [
        f"token {SESSION} end",
        f"00D5g0000000001!{CANARY}",
        f"sid=00D5g0000000001%21{CANARY}",
        f"Authorization: Bearer {CANARY}",
        f"authorization: OAuth {CANARY}",
        f"bearer {CANARY}",
        f"Basic {CANARY}==",
        f"access_token={CANARY}&x=1",
        f"refresh_token: {CANARY}",
        f"client_secret={CANARY}",
        f"client_assertion={CANARY}&assertion={CANARY}",
        f"a=1; sid={CANARY}; b=2",
        f'{{"access_token": "{CANARY}", "n": 1}}',
        f'{{"access_token":"{CANARY}\\"{CANARY}"}}',
        f"{{'refresh_token': '{CANARY}'}}",
        f'"{{\\"client_secret\\": \\"{CANARY}\\"}}"',
        f"<ns:sessionId>{CANARY}</ns:sessionId>",
        f"X-SFDC-Session: {CANARY} {CANARY}",
        f"Set-Cookie: sid={CANARY}; oid={CANARY}",
        f"eyJhbGciOiJSUzI1NiJ9.{CANARY}.{CANARY}",
        f"force://PlatformCLI::{CANARY}@acme.my.salesforce.com",
        f"https://me:{CANARY}@proxy.example/",
        f"https://:{CANARY}@proxy.example/",
        f"refused 5Aep861{CANARY}.Dq661ePDm== today",
        f"refused aPrx4sgoM2Nd1zWeFVlOWveD0{CANARY}%3D%3D today",
        f"http://localhost:1717/OauthRedirect?code={CANARY}&state=1",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
    ],
)
def test_credentials_disappear(text: str) -> None:
    cleaned = redact(text)
    assert CANARY not in cleaned
    assert "***" in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "GET /services/data/v66.0/sobjects/Account/describe",
        "001dM00003jU9GyQAK has no owner",
        "assertion failed in line 3",
        "Inside: 12 of 15",
        "the token was refused",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


def test_secret_shows_only_when_asked() -> None:
    secret = Secret(SESSION)
    assert secret.reveal() == SESSION
    assert repr(secret) == str(secret) == f"{secret}" == "***"
    assert repr([secret]) == "[***]"
    assert secret == Secret(SESSION) and secret != Secret("other")
    assert secret != SESSION and bool(secret) and not Secret("")
    assert len({secret, Secret(SESSION)}) == 1
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a[31mb"),
        ("a\r\n\tb", "a b"),
        ("abc\u202etxt.exe", "abctxt.exe"),
        ("x\x9b2Jy\x00z", "x2Jyz"),
        ("ż 日本", "ż 日本"),
        ("\ud800x", "x"),
        ("  x  ", "x"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_printable_is_short() -> None:
    assert printable("x" * 1000, 10) == "xxxxxxxxx…"


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch):
    """`install()` for the time of one test."""
    factory = logging.getLogRecordFactory()
    filters = {place: list(place.filters) for place in (logging.root, *logging.root.handlers)}
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(redaction, "_done", False)
    redaction.install()
    redaction.install()
    yield
    logging.setLogRecordFactory(factory)
    for place, before in filters.items():
        place.filters[:] = before


def test_logs_are_redacted_wherever_they_come_from(guarded: None) -> None:
    out = io.StringIO()
    logger = logging.getLogger("sfexit.some.child")
    handler = logging.StreamHandler(out)
    logger.addHandler(handler)
    try:
        logger.warning("got %s for %s", SESSION, "Account")
        logger.warning("broken %d", "text")
        try:
            raise ValueError(f"Bearer {CANARY}")
        except ValueError:
            logger.exception("failed")
    finally:
        logger.removeHandler(handler)
    text = out.getvalue()
    assert CANARY not in text
    assert "got *** for Account" in text and "ValueError: Bearer ***" in text


def test_filter_alone_redacts() -> None:
    record = logging.LogRecord("x", 10, "f", 1, "sid=%s", (CANARY,), None, sinfo=f"sid={CANARY}")
    assert redaction.RedactingFilter().filter(record)
    assert record.getMessage() == "sid=***" and record.stack_info == "sid=***"


def test_uncaught_errors_are_redacted(guarded: None, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        local = SESSION
        raise RuntimeError(f"lost {local}")

    try:
        fail()
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    text = capsys.readouterr().err
    assert CANARY not in text and text.count("RuntimeError: lost ***") == 2
