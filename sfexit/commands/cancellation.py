"""`sfexit cancellation`: the letters, the record of what was sent, the last gate."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sfexit.commands import _exit
from sfexit.commands._closing import close
from sfexit.errors import NotConfirmed, UsageProblem

if TYPE_CHECKING:
    from sfexit.cancellation.letters import Facts, Letter
    from sfexit.cancellation.records import Entry
    from sfexit.cancellation.situation import Situation

_DAY = click.DateTime(["%Y-%m-%d"])
_LANGUAGES = ("en", "fr", "es", "pt", "pl", "ar", "de")
_HOME = click.argument("home", type=click.Path(path_type=Path))
_TODAY = click.option(
    "--today",
    metavar="DATE",
    type=_DAY,
    help="Look at it as of this day (default: the day of this computer).",
)
_TRUST = click.option(
    "--expect-key",
    "trusted",
    metavar="SHA256:…",
    multiple=True,
    help="Fingerprint of a key that may have signed the certificate; repeat for more.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as one document.")
_QUIET = click.option("--quiet", "-q", is_flag=True, help="No summary.")
_CONFIRM = click.option(
    "--confirm",
    metavar="SENTENCE",
    default="",
    help="The sentence that is asked for, for scripts; at a terminal it is typed.",
)


@click.group(
    "cancellation",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit cancellation notice --help   the letters, once the backup is proven\n"
        "  sfexit cancellation status acme-exit\n"
    ),
)
def command() -> None:
    """Cancel the contract: letters, records, reminders, the last gate.

    Nothing is sent from here and nothing is changed in the org.
    """


command.add_command(close)


@command.command(
    "notice",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit cancellation notice acme-exit --reason 'We move to another system.'\n"
        "  sfexit cancellation notice acme-exit --reason 'Budget' --language de --language en\n"
        "  sfexit cancellation notice acme-exit --reason 'Budget' --despite-open-gates 'Last day'\n"
        "\b\nExit codes: 0 written, 2 contract.toml or an option is wrong, 5 a gate is open,\n"
        "9 written, but the day for the notice has passed, 11 not confirmed.\n"
    ),
)
@_HOME
@click.option(
    "--reason", metavar="TEXT", required=True, help="Why you cancel; stands in the letter."
)
@click.option(
    "--language",
    "languages",
    multiple=True,
    type=click.Choice([*_LANGUAGES, "all"]),
    help="Language of the letters; repeat for more (default: en).",
)
@click.option("--date", "written", metavar="DATE", type=_DAY, help="Date of the letters.")
@click.option(
    "--switch-to",
    type=click.Choice(["provider", "on-premises", "erase"]),
    default="provider",
    show_default=True,
    help="What the switching notice asks for, where the EU Data Act applies.",
)
@click.option("--destination", metavar="NAME", default="", help="The provider or system you go to.")
@click.option(
    "--despite-open-gates",
    "override",
    metavar="REASON",
    help="Write the letters without a proven backup, since a late notice renews the contract.",
)
@_CONFIRM
@click.option("--no-pdf", is_flag=True, help="Web pages and Word files only.")
@click.option(
    "--font",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TrueType font for the PDF (default: one of this system).",
)
@_TRUST
@_TODAY
@_JSON
@_QUIET
def notice(
    home: Path,
    reason: str,
    languages: tuple[str, ...],
    written: datetime | None,
    switch_to: str,
    destination: str,
    override: str | None,
    confirm: str,
    no_pdf: bool,
    font: Path | None,
    trusted: tuple[str, ...],
    today: datetime | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Write the letters that end the contract, once the backup is proven.

    Refuses without a standing certificate that says SAFE, and lists what is open. Shows all facts
    for review first. The package goes to HOME/cancellation: letters as web page, Word file and
    PDF, a cover mail, a guide with click paths and checklist, and the digests of it all.
    """
    from sfexit.cancellation import gates as stages
    from sfexit.cancellation.letters import Facts
    from sfexit.cancellation.situation import look
    from sfexit.reports import cancellation as report

    if not reason.strip():
        raise UsageProblem("--reason is empty: say why you cancel; it stands in the letter")
    if override is not None and not override.strip():
        raise UsageProblem("--despite-open-gates is empty: say why there is no time for the backup")
    day = _day(today)
    told = look(home, day, trusted=trusted)
    if told.contract is None or told.outlook is None:
        raise UsageProblem(told.contract_problem)
    open_gates = stages.before_notice(told)
    if open_gates and override is None:
        if as_json:
            click.echo(_dump({"refused": [report.gate_document(one) for one in open_gates]}))
        for line in report.refusal(told, open_gates):
            click.echo(line, err=True)
        return _exit.BLOCKED
    override = (override or "").strip() if open_gates else ""
    facts = Facts(
        told.contract,
        told.org_id or told.contract.org_id,
        reason.strip(),
        _day(written) if written else day,
        switch_to.replace("-", "_"),
        destination.strip(),
    )
    chosen = _LANGUAGES if "all" in languages else tuple(dict.fromkeys(languages)) or ("en",)
    if not quiet:
        for line in report.review(facts, told, chosen, override):
            click.echo(line, err=True)
    number = told.contract.number
    wanted = (
        f"send notice of contract {number} without a proven backup"
        if override
        else f"the facts of contract {number} are right"
    )
    _confirm(wanted, confirm)
    folder, notes = _write(home, facts, told, chosen, override, no_pdf=no_pdf, font=font)
    if as_json:
        click.echo(_dump({"package": str(folder), "notes": notes, "late": _late(told)}))
    if not quiet:
        for note in notes:
            click.echo(f"Note: {note}", err=True)
        click.echo(f"Package written to {folder}. Begin with {folder / 'guide.html'}", err=True)
    return _exit.DEADLINE_MISSED if _late(told) else _exit.DONE


@command.command(
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
@_HOME
@click.argument("event", type=click.Choice(["sent", "confirmed", "refused"]))
@click.option("--date", "on", metavar="DATE", type=_DAY, help="When it was (default: today).")
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
    "--end-date", metavar="DATE", type=_DAY, help="The last day that the confirmation names."
)
@click.option(
    "--because",
    type=click.Choice(["backup-incomplete", "too-late", "wrong-addressee", "other"]),
    help="What the refusal says.",
)
@_TODAY
@_JSON
@_QUIET
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

    day = _day(on) if on else _day(today)
    known = records.read(home)
    _check_record(event, day, _day(today), channel, because, end_date, known)
    disk = Disk()
    data: dict[str, Any] = {
        "date": day.isoformat(),
        "channel": channel or "",
        "tracking": printable(tracking, 200),
        "document": None,
    }
    if event == "confirmed":
        data["end"] = _day(end_date).isoformat() if end_date else None
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
        click.echo(_dump({"seq": entry.seq, "event": event, **data, "notes": lines}))
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


@command.command(
    "status",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit cancellation status acme-exit\n"
        "  sfexit cancellation status acme-exit --json\n"
        "\b\nExit codes: 0 shown, 1 the records were changed, 9 a deadline is missed.\n"
    ),
)
@_HOME
@_TODAY
@_JSON
@_QUIET
def status(home: Path, today: datetime | None, as_json: bool, quiet: bool) -> int:
    """Show where the cancellation stands: letters, records, whom to remind and when.

    Works without the org; the archive is not read again for it.
    """
    from sfexit.cancellation.situation import look
    from sfexit.reports import cancellation as report
    from sfexit.verify.codes import Level

    told = look(home, _day(today), level=Level.QUICK)
    if as_json:
        click.echo(_dump(report.status_document(told)))
    if not quiet:
        for line in report.status_lines(told):
            click.echo(line, err=True)
    return _exit.DEADLINE_MISSED if _late(told) else _exit.DONE


def _write(
    home: Path,
    facts: Facts,
    told: Situation,
    languages: tuple[str, ...],
    override: str,
    *,
    no_pdf: bool,
    font: Path | None,
) -> tuple[Path, list[str]]:
    """Compose, render and publish; the folder and what there is to say about it."""
    from sfexit.archive.durable import Disk
    from sfexit.cancellation import gates as stages
    from sfexit.cancellation import package, records
    from sfexit.reports import cancellation as report

    now = datetime.now(UTC)
    files, notes = _letters(facts, languages, now, no_pdf=no_pdf, font=font)
    all_gates = stages.gates(told)
    files["guide.html"] = report.guide(facts, told, all_gates, override)
    if told.standing is not None:
        for name in ("certificate.json", "certificate.json.sig", "public-key.pem"):
            path = told.standing.folder / name
            if path.is_file():
                files[name] = path.read_bytes()
    document = report.package_document(facts, told, all_gates, override, files, notes)
    files["package.json"] = (_dump(document) + "\n").encode()
    disk = Disk()
    with records.writing(home, disk):
        if override:
            open_now = [one.key for one in stages.before_notice(told)]
            records.append(home, "override", {"reason": override, "open": open_now}, disk)
        folder, sums = package.publish(home, "notice", now, files, disk)
        data = {"package": folder.name, "sums": sums, "languages": list(languages)}
        records.append(home, "prepared", {**data, "override": override or None}, disk)
    return folder, notes


def _letters(
    facts: Facts,
    languages: tuple[str, ...],
    now: datetime,
    *,
    no_pdf: bool,
    font: Path | None,
) -> tuple[dict[str, bytes], list[str]]:
    """Every letter and cover mail, by file name."""
    from sfexit.cancellation.letters import NON_RENEWAL, SWITCHING, compose
    from sfexit.cancellation.mail import cover
    from sfexit.cancellation.wording import wording
    from sfexit.contract.laws import laws
    from sfexit.reports import letter_docx, letter_html, letter_pdf

    known = laws()
    law = known["eu-data-act"] if "eu-data-act" in facts.contract.laws else None
    files: dict[str, bytes] = {}
    notes: list[str] = []
    why_not = "" if font and not no_pdf else "--no-pdf" if no_pdf else letter_pdf.missing()
    if why_not and not no_pdf:
        notes.append(f"No PDF was made: {why_not}. The Word files and web pages are complete.")
    chosen = font or letter_pdf.find_font()
    for code in languages:
        words = wording(code)
        made: list[Letter] = [compose(NON_RENEWAL, facts, words)]
        if law is not None:
            made.append(compose(SWITCHING, facts, words, law))
        attached = {}
        for letter in made:
            files[f"{letter.stem}.html"] = letter_html.page(letter)
            files[f"{letter.stem}.docx"] = letter_docx.document(letter, now)
            name = f"{letter.stem}.docx"
            if not why_not and chosen is not None:
                name = f"{letter.stem}.pdf"
                files[name] = letter_pdf.document(letter, chosen)
            attached[name] = files[name]
        files[f"cover-mail.{code}.eml"] = cover(facts, words, attached)
    if law is None:
        notes.append("No switching notice: contract.toml names no pack eu-data-act under [law].")
    elif law.stale(facts.written):
        notes.append(f"What is known of {law.title} is of {law.as_of}: look again.")
    if facts.blank:
        notes.append(f"Empty in contract.toml, a gap in the letters: {', '.join(facts.blank)}.")
    return files, notes


def _late(told: Situation) -> bool:
    return bool(told.outlook and told.outlook.missed)


def _day(value: datetime | None) -> date:
    return value.date() if value else date.today()


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False)


def _confirm(wanted: str, given: str) -> None:
    """The sentence was given, or is typed now at a terminal. Raises NotConfirmed."""
    if not given and sys.stdin.isatty():
        click.echo(f"To go on, type: {wanted}", err=True)
        try:
            given = click.prompt("", prompt_suffix="> ", default="", show_default=False, err=True)
        except click.Abort:
            given = ""
    if " ".join(given.split()).casefold() != wanted.casefold():
        raise NotConfirmed(f"not confirmed, nothing was written: give --confirm '{wanted}'")
