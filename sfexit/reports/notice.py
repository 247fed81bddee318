"""What a notice says when a long run ends: words for a mail, a small document for a program. Pure.

No token, no address of the org, no record: a notice travels by ways that nobody here controls.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from sfexit.export.result import ExportResult
from sfexit.redaction import printable, redact
from sfexit.reports.export import summary

SCHEMA = "sfexit-notice/1"
_WORDS = {
    "complete": "the export is complete",
    "incomplete": "the archive is sealed, but incomplete",
    "paused": "the export pauses; run the same command again later",
    "interrupted": "the export was stopped; run the same command again",
    "failed": "the export failed",
}


@dataclass(frozen=True)
class Notice:
    """How a run ended. `event` is a key of _WORDS; `lines` are for people."""

    event: str
    exit_code: int
    home: str  # the folder's name alone
    organization: str
    lines: tuple[str, ...]
    rows: int | None = None
    objects: int | None = None

    @property
    def subject(self) -> str:
        """One line."""
        where = f" ({self.organization})" if self.organization else ""
        return printable(f"sfexit {self.home}{where}: {_WORDS[self.event]}", 150)

    def document(self, moment: str) -> dict[str, Any]:
        """For programs; stable within `sfexit-notice/1`. `moment` is UTC."""
        return {
            "schema": SCHEMA,
            "event": self.event,
            "exit_code": self.exit_code,
            "home": self.home,
            "organization": self.organization,
            "objects": self.objects,
            "rows": self.rows,
            "text": self.subject,
            "at": moment,
        }

    def mail(self, sender: str, to: tuple[str, ...], moment: Any) -> EmailMessage:
        """The mail. `moment` is a datetime with its zone."""
        message = EmailMessage()
        message["Subject"] = self.subject
        message["From"] = sender
        message["To"] = ", ".join(to)
        message["Date"] = format_datetime(moment)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation reply, please
        message.set_content("\n".join(self.lines) + "\n")
        return message


def ended(result: ExportResult, exit_code: int) -> Notice:
    """The notice of a run that sealed its archive."""
    return Notice(
        "complete" if result.complete else "incomplete",
        exit_code,
        printable(result.home.resolve().name, 60),
        printable(result.organization, 60),
        tuple(summary(result)),
        sum(line.rows or 0 for line in result.lines),
        len(result.lines),
    )


def stopped(home: str, event: str, exit_code: int, words: str) -> Notice:
    """The notice of a run that ended otherwise."""
    told = printable(redact(words), 1000)
    return Notice(event, exit_code, printable(home, 60), "", (told, "", f"Exit code {exit_code}."))
