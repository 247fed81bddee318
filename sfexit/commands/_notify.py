"""Telling somebody that a long run ended: by mail, by a webhook, or by a file when neither is set.

A notice that cannot be sent is said on the terminal and changes nothing else: the archive, its
progress and the exit code are what they are.
"""

from __future__ import annotations

import os
import smtplib
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from sfexit.commands import _exit
from sfexit.errors import Interrupted, Paused, UsageProblem
from sfexit.reports import notice as notices
from sfexit.reports.notice import Notice
from sfexit.settings import Settings

PASSWORD = "SFEXIT_SMTP_PASSWORD"  # noqa: S105 - the name of a variable
_KEYRING = "sfexit-smtp"
_SECONDS = 30.0  # for one answer
_ALL_SECONDS = 120.0  # for all of them: a server that drips would hold the command for hours
_SMTPS, _SUBMISSION = 465, 587


def check(settings: Settings) -> None:
    """Refuse, before the run, what could not be used after it. Raises UsageProblem."""
    if settings.notify_server:
        _server(settings.notify_server)
        if not settings.notify_to:
            raise UsageProblem(
                "[notify] server is set, but nobody to write to: set [notify] to in sfexit.toml"
            )
    if settings.notify_webhook:
        _webhook(settings.notify_webhook)


def about(error: BaseException, home: Path) -> Notice:
    """The notice of a run that ended with this error."""
    event = "failed"
    if isinstance(error, Paused):
        event = "paused"
    elif isinstance(error, (Interrupted, KeyboardInterrupt)):
        event = "interrupted"
    words = str(error) or event
    return notices.stopped(home.resolve().name, event, _exit.code_of(error), words)


def send(notice: Notice, settings: Settings, home: Path, say: Callable[[str], None]) -> None:
    """Send a notice by every way that is set; never raises."""
    moment = datetime.now(UTC)
    to = settings.notify_to
    message = notice.mail(settings.notify_from or (to[0] if to else "sfexit@localhost"), to, moment)
    if settings.notify_server:
        _attempt("mail", lambda: _in_time(lambda: _mail(settings, message)), say)
    if settings.notify_webhook:
        document = notice.document(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
        address = settings.notify_webhook
        _attempt("webhook", lambda: _in_time(lambda: _post(address, document)), say)
    if not settings.notify_server and not settings.notify_webhook:
        _attempt("preview", lambda: _preview(message, moment, home, say), say)


def _attempt(what: str, act: Callable[[], None], say: Callable[[str], None]) -> None:
    try:
        act()
    except Exception as error:  # whatever a server or a library does: the run is over and stands
        # The words of these libraries hold addresses and answers of servers: only the kind is said.
        say(f"The notice by {what} could not be sent ({type(error).__name__}); the run stands.")


def _in_time(act: Callable[[], None]) -> None:
    """Do it in a thread that nobody waits for when it takes too long. Raises TimeoutError."""
    failed: list[Exception] = []

    def attempt() -> None:
        try:
            act()
        except Exception as error:  # whatever it is: raised again by the one who waits
            failed.append(error)

    thread = threading.Thread(target=attempt, name="notice", daemon=True)
    thread.start()
    thread.join(_ALL_SECONDS)
    if thread.is_alive():
        raise TimeoutError
    if failed:
        raise failed[0]


def _server(address: str) -> tuple[str, int]:
    host, _, port = address.partition(":")
    if not host or (port and not port.isdigit()):
        raise UsageProblem('[notify] server must be a host, or "host:port"')
    return host, int(port) if port else _SUBMISSION


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _mail(settings: Settings, message: EmailMessage) -> None:
    host, port = _server(settings.notify_server or "")
    context = ssl.create_default_context(cafile=settings.ca_bundle)
    if port == _SMTPS:
        opened: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=context)
    else:
        opened = smtplib.SMTP(host, port, timeout=_SECONDS)
    with opened as server:
        server.ehlo()
        if port != _SMTPS and (server.has_extn("starttls") or not _loopback(host)):
            server.starttls(context=context)  # raises where the server has none
            server.ehlo()
        if settings.notify_user:
            server.login(settings.notify_user, _password(settings.notify_user))
        server.send_message(message)


def _password(user: str) -> str:
    given = os.environ.get(PASSWORD)
    if given:
        return given
    import keyring

    found = keyring.get_password(_KEYRING, user)
    if found is None:
        raise LookupError("no password")
    return found


def _webhook(address: str) -> str:
    parts = urlsplit(address)
    host = parts.hostname or ""
    safe = parts.scheme == "https" or (parts.scheme == "http" and _loopback(host))
    if not host or not safe or parts.username or parts.password:
        raise UsageProblem(
            "[notify] webhook must be an https address without user and password in it (http only "
            "to this computer)"
        )
    return address


def _post(address: str, document: dict[str, object]) -> None:
    import requests

    with requests.Session() as session:
        session.trust_env = not _loopback(urlsplit(address).hostname or "")
        answer = session.post(
            _webhook(address),
            json=document,
            timeout=_SECONDS,
            allow_redirects=False,
            auth=lambda request: request,  # or an entry of .netrc would be sent along
            stream=True,  # its status is all that matters; the rest may have no end
        )
        answer.close()
        if not 200 <= answer.status_code < 300:
            raise ConnectionError(f"HTTP {answer.status_code}")


def _preview(
    message: EmailMessage, moment: datetime, home: Path, say: Callable[[str], None]
) -> None:
    from sfexit.archive import home as homes

    if homes.home_org(home) is None:
        say("No mail server and no webhook is set, and no home to leave a preview in.")
        return
    folder = home / "notices"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{moment.strftime('%Y%m%dT%H%M%S%fZ')}.eml"
    path.write_bytes(message.as_bytes())
    say(f"No mail server and no webhook is set; the notice is in {path}")
