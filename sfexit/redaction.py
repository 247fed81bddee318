"""The one place that keeps secrets out of logs, error text and terminals.

Three layers: `Secret` never shows its value by itself, `redact` removes what looks like a
credential from any text, and `install` puts `redact` in front of logging and of uncaught errors.
"""

from __future__ import annotations

import hmac
import logging
import re
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, NoReturn

MASK = "***"

# Keys whose value is a credential, in form bodies, query strings, JSON, Python reprs and XML.
_KEYS = (
    r"access[_-]?token|refresh[_-]?token|id[_-]?token|client[_-]?secret|(?:client[_-]?)?assertion"
    r"|code[_-]?verifier|session[_-]?id|password|sid"
)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A key with a value: a=b, "a": "b", \"a\": \"b\" (JSON inside JSON), 'a': 'b'.
    (
        re.compile(
            rf"""(?ix) (?<![A-Za-z0-9]) (?P<key>{_KEYS}) (?P<mid>\\*["']?\s*[:=]\s*)
            (?: \\*"(?:[^"\\]|\\.)*\\*" | \\*'(?:[^'\\]|\\.)*\\*' | [^\s&;,<>"'\\}}\])]+ )"""
        ),
        rf"\g<key>\g<mid>{MASK}",
    ),
    (re.compile(rf"(?i)(<(?:\w+:)?(?:{_KEYS})\b[^<>]*>)[^<]*"), rf"\g<1>{MASK}"),
    (re.compile(r"(?i)\b(bearer|oauth)(\s+)[A-Za-z0-9._~+/!%=-]{8,}"), rf"\g<1>\g<2>{MASK}"),
    (re.compile(r"(?i)\b(basic\s+)[A-Za-z0-9+/=_-]{8,}"), rf"\g<1>{MASK}"),
    # The rest of a header line.
    (
        re.compile(
            r"(?i)\b((?:set-)?cookie|(?:proxy-)?authorization|x-sfdc-session)(\s*:\s*)[^\r\n]*"
        ),
        rf"\g<1>\g<2>{MASK}",
    ),
    # A Salesforce session: the 15 or 18 character org id, an exclamation mark, the secret.
    (re.compile(r"00D[A-Za-z0-9]{6,15}(?:!|%21)[A-Za-z0-9._~+/=%-]+"), MASK),
    # A refresh token and an authorization code, as the documentation's examples begin (Salesforce
    # Help, "OAuth 2.0 Web Server Flow for Web App Integration"), and a code in an address.
    (re.compile(r"\b(?:5Aep|aPrx)[A-Za-z0-9._~+/=%-]{16,}"), MASK),
    (re.compile(r"(?i)([?&]code=)[^\s&#\"'<>]+"), rf"\g<1>{MASK}"),
    # A JSON Web Token.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"), MASK),
    # The Salesforce CLI's login address, and any user:password@host.
    (re.compile(r"(?i)\bforce://\S+"), f"force://{MASK}"),
    (re.compile(r"(://)[^\s/@:]*:[^\s/@]+@"), rf"\g<1>{MASK}@"),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.S), MASK),
)

# C0 and C1 controls, bidirectional controls, invisible marks and lone surrogates: text from a
# server must not move the cursor, hide words or turn them round on an administrator's terminal.
_LINE_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def redact(text: str) -> str:
    """`text` with everything that looks like a credential replaced by `***`."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def printable(text: str, limit: int = 300) -> str:
    """Server text made safe for a terminal: one line, no control characters, `limit` characters."""
    clean = _CONTROLS.sub("", _LINE_BREAKS.sub(" ", text)).strip()
    return clean if len(clean) <= limit else clean[: max(limit - 1, 0)] + "…"


class Secret:
    """A credential that shows itself only to `reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The credential itself; never put it in a message."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never serialized")


def _redact_record(record: logging.LogRecord) -> None:
    try:
        message = record.getMessage()
    except Exception:  # a broken log call must not end a run
        message = str(record.msg)
    record.msg = redact(message)
    record.args = None
    if record.exc_info and record.exc_info[0] is not None:
        # Formatted here, without local variables, and handed on as text only: a handler that
        # draws its own traceback would show the frames' values.
        record.exc_text = redact("".join(traceback.format_exception(*record.exc_info)).rstrip())
        record.exc_info = None
    elif record.exc_text:
        record.exc_text = redact(record.exc_text)
    if record.stack_info:
        record.stack_info = redact(record.stack_info)


class RedactingFilter(logging.Filter):
    """Redacts each record that passes; never drops one."""

    def filter(self, record: logging.LogRecord) -> bool:
        _redact_record(record)
        return True


_installed = threading.Lock()
_done = False


def install() -> None:
    """Guard logging and uncaught errors of this process; safe to call more than once.

    A filter on a logger sees only what is logged at that logger, not what its children pass up,
    so the record factory is guarded too: no record exists unredacted.
    """
    global _done
    with _installed:
        root = logging.getLogger()
        for place in (root, *root.handlers):
            if not any(isinstance(present, RedactingFilter) for present in place.filters):
                place.addFilter(RedactingFilter())
        if _done:
            return
        _done = True
        make_record = logging.getLogRecordFactory()

        def make_redacted(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make_record(*args, **kwargs)
            _redact_record(record)
            return record

        logging.setLogRecordFactory(make_redacted)
        sys.excepthook = _report_uncaught
        threading.excepthook = _report_uncaught_in_thread


def _report_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    _write(kind, error, trace, "")


def _report_uncaught_in_thread(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_type is SystemExit or failure.exc_value is None:
        return
    name = failure.thread.name if failure.thread else "unknown"
    _write(failure.exc_type, failure.exc_value, failure.exc_traceback, f"In thread {name}:\n")


def _write(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None, intro: str
) -> None:
    if sys.stderr is None:  # pragma: no cover - a process without a terminal
        return
    sys.stderr.write(redact(intro + "".join(traceback.format_exception(kind, error, trace))))
