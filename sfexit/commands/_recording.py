"""`sfexit cancellation record` and `status`: what was sent, what came back, whom to remind."""

from __future__ import annotations

import json
import threading
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfexit.commands import _exit, _options
from sfexit.commands._open import open_client, org_options, settings_for
from sfexit.errors import UsageProblem
from sfexit.progress import SILENT

if TYPE_CHECKING:
    from sfexit.cancellation.aftermath import Check
    from sfexit.cancellation.records import Entry
    from sfexit.cancellation.situation import Situation


@click.command(
    "record",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit cancellation record acme-exit sent --channel courier --tracking 1Z999\n"
        "  sfexit cancellation record acme-exit confirmed --document confirmation.pdf\n"
        "  sfexit cancellation record acme-exit refused --because backup-incomplete\n"
        "\b\nExit codes: 0 recorded, 1 the document cannot be read, 2 an option is wrong,\n"
        "8 a confirmation that names another end than the contract, 10 another command writes.\n"
    ),
)
@click.argument("home", type=click.Path(path_type=Path))
@click.argument("event", type=click.Choice(["sent", "confirmed", "refused"]))
@click.option(
    "--date", "on", metavar="DATE", type=_options.DAY, help="When it was (default: today)."
)
@click.option(
    "--channel",
    type=click.Choice(["letter", "courier", "portal", "email", "other"]),
    help="How it went or came (needed for sent).",
)
@click.option("--tracking", metavar="NUMBER", default="", help="Tracking or case number.")
@click.option(
    "--document",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Receipt, confirmation or refusal; a copy is kept in the home.",
)
@click.option(
    "--end-date",
    metavar="DATE",
    type=_options.DAY,
    help="The last day that the confirmation names.",
)
@click.option(
    "--because",
    type=click.Choice(["backup-incomplete", "too-late", "wrong-addressee", "other"]),
    help="What the refusal says.",
)
@_options.today
@_options.as_json
@_options.quiet
def record(
    home: Path,
    event: str,
    on: datetime | None,
    channel: str | None,
    tracking: str,
    document: Path | None,
    end_date: datetime | None,
    because: str | None,
    today: datetime | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Record that the notice was sent, confirmed or refused.

    Each record is kept for good in HOME/cancellation/records.jsonl. A refusal is answered with
    what to do next.
    """
    from sfexit.archive.durable import Disk
    from sfexit.cancellation import package, records
    from sfexit.cancellation.gates import refusal_action
    from sfexit.redaction import printable

    day = _options.day(on or today)
    known = records.read(home)
    _check_record(event, day, _options.day(today), channel, because, end_date, known)
    disk = Disk()
    data: dict[str, Any] = {
        "date": day.isoformat(),
        "channel": channel or "",
        "tracking": printable(tracking, 200),
        "document": None,
    }
    if event == "confirmed":
        data["end"] = end_date.date().isoformat() if end_date else None
    if event == "refused":
        data["because"] = because
    with records.writing(home, disk):
        if document is not None:
            data["document"] = package.keep_document(home, document, disk)
        entry = records.append(home, event, data, disk)
    code, lines = _after_record(home, event, data)
    if event == "refused":
        lines.append(f"Next: {refusal_action(str(because), str(home))}")
    if as_json:
        click.echo(dump({"seq": entry.seq, "event": event, **data, "notes": lines}))
    if not quiet:
        click.echo(f"Recorded: {event} {day}", err=True)
        for line in lines:
            click.echo(line, err=True)
    return code


def _check_record(
    event: str,
    day: date,
    today: date,
    channel: str | None,
    because: str | None,
    end_date: datetime | None,
    known: tuple[Entry, ...],
) -> None:
    """Raises UsageProblem for what cannot have happened or is not said."""
    sent = [one for one in known if one.event == "sent"]
    if day > today:
        raise UsageProblem(f"{day} lies ahead: record what has happened")
    if event == "sent" and channel is None:
        raise UsageProblem("--channel is missing: say how the notice was sent")
    if event == "refused" and because is None:
        raise UsageProblem("--because is missing: say what the refusal rests on")
    if event != "refused" and because is not None:
        raise UsageProblem("--because is for a refusal: leave it out")
    if event != "confirmed" and end_date is not None:
        raise UsageProblem("--end-date is for a confirmation: leave it out")
    if event != "sent" and not sent:
        raise UsageProblem("nothing was sent yet: record first when and how the notice was sent")
    if event != "sent" and day < sent[-1].day():
        raise UsageProblem(f"{day} lies before the notice was sent ({sent[-1].day()})")


def _after_record(home: Path, event: str, data: dict[str, Any]) -> tuple[int, list[str]]:
    """What a record leads to: an exit code, and words."""
    from sfexit.contract import terms

    if event == "sent":
        return _exit.DONE, [f"Reminders: sfexit cancellation status {home}"]
    if event == "refused":
        return _exit.DONE, []
    lines = [] if data["document"] else ["No document was kept: ask for it in writing."]
    if data["end"] is None:
        return _exit.DONE, [*lines, "It was not said which last day it names (--end-date)."]
    end = terms.load(home / terms.FILE_NAME).end.isoformat()
    if data["end"] != end:
        lines.append(
            f"The confirmation names {data['end']}, the contract {end}: ask at once, in writing."
        )
        return _exit.NOT_SAFE, lines
    return _exit.DONE, lines


@click.command(
    "status",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit cancellation status acme-exit\n"
        "  sfexit cancellation status acme-exit --ask-org --org acme\n"
        "  sfexit cancellation status acme-exit --json\n"
        "\b\nExit codes: 0 shown, 1 the records were changed, 5 signed in to another org, 8 a\n"
        "renewal was found, 9 a deadline is missed.\n"
    ),
)
@click.argument("home", type=click.Path(path_type=Path))
@click.option(
    "--ask-org",
    is_flag=True,
    help="Try to sign in: is the org locked, does anything run on after the end? Kept in the "
    "records.",
)
@org_options
@_options.today
@_options.as_json
@_options.quiet
def status(
    home: Path,
    ask_org: bool,
    api_version: str | None,
    api_budget: str | None,
    ca_bundle: str | None,
    today: datetime | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Show where the cancellation stands, and whether it is really over.

    Letters, records, whom to remind and when. Without --ask-org it works without the org; the
    archive is not read again for it.
    """
    from sfexit.cancellation import aftermath
    from sfexit.cancellation.situation import look
    from sfexit.reports import cancellation as report
    from sfexit.verify.codes import Level

    told = look(home, _options.day(today), level=Level.QUICK)
    org = None
    if ask_org:
        settings = settings_for(
            home, api_version=api_version, api_budget=api_budget, ca_bundle=ca_bundle
        )
        org = aftermath.ask(
            told, lambda: open_client(settings, progress=SILENT, stop=threading.Event())
        )
    checks = aftermath.checks(told, org)
    if org is not None:
        told = _keep(told, checks)
    if as_json:
        click.echo(dump(report.status_document(told, checks)))
    if not quiet:
        for line in report.status_lines(told, checks):
            click.echo(line, err=True)
    if any(one.key == aftermath.RENEWAL and one.answer == aftermath.NO for one in checks):
        return _exit.NOT_SAFE
    return _exit.DEADLINE_MISSED if late(told) else _exit.DONE


def _keep(told: Situation, checks: tuple[Check, ...]) -> Situation:
    """Write down what the org answered: it cannot be asked for ever."""
    from dataclasses import replace

    from sfexit.archive.durable import Disk
    from sfexit.cancellation import records

    disk = Disk()
    answers = {one.key.replace("-", "_"): one.answer for one in checks}
    with records.writing(told.home, disk):
        records.append(told.home, "checked", {**answers, "evidence": checks[0].evidence}, disk)
    return replace(told, records=records.read(told.home))


def late(told: Situation) -> bool:
    """Whether a day of the contract is missed."""
    return bool(told.outlook and told.outlook.missed)


def dump(document: dict[str, Any]) -> str:
    """A document for programs."""
    return json.dumps(document, indent=1, ensure_ascii=False)
