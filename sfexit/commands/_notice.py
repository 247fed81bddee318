"""`sfexit cancellation notice`: the letters, once the backup is proven."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfexit.commands import _exit, _options
from sfexit.commands._options import day
from sfexit.commands._recording import dump, late
from sfexit.errors import Blocked, NotConfirmed, UsageProblem

if TYPE_CHECKING:
    from sfexit.cancellation.letters import Facts, Letter
    from sfexit.cancellation.situation import Situation

_LANGUAGES = ("en", "fr", "es", "pt", "pl", "ar", "de")


@click.command(
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
@click.argument("home", type=click.Path(path_type=Path))
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
@click.option("--date", "written", metavar="DATE", type=_options.DAY, help="Date of the letters.")
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
@click.option(
    "--confirm",
    metavar="SENTENCE",
    default="",
    help="The sentence that is asked for, for scripts; at a terminal it is typed.",
)
@click.option("--no-pdf", is_flag=True, help="Web pages and Word files only.")
@click.option(
    "--font",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TrueType font for the PDF (default: one of this system).",
)
@_options.trusted
@_options.today
@_options.as_json
@_options.quiet
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
    on = day(today)
    told = look(home, on, trusted=trusted)
    if told.contract is None or told.outlook is None:
        raise UsageProblem(told.contract_problem)
    open_gates = stages.before_notice(told)
    if open_gates and override is None:
        if as_json:
            click.echo(dump({"refused": [report.gate_document(one) for one in open_gates]}))
        for line in report.refusal(told, open_gates):
            click.echo(line, err=True)
        return _exit.BLOCKED
    if open_gates and switch_to == "erase" and "eu-data-act" in told.contract.laws:
        raise Blocked(
            "--switch-to erase asks for all data to be erased at the end of the notice, and the "
            "backup is not proven: prove it first, or name --switch-to provider or on-premises; "
            "a late notice only renews the contract, erased data is gone"
        )
    override = (override or "").strip() if open_gates else ""
    facts = Facts(
        told.contract,
        told.org_id or told.contract.org_id,
        reason.strip(),
        day(written) if written else on,
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
        click.echo(dump({"package": str(folder), "notes": notes, "late": late(told)}))
    if not quiet:
        for note in notes:
            click.echo(f"Note: {note}", err=True)
        click.echo(f"Package written to {folder}. Begin with {folder / 'guide.html'}", err=True)
    return _exit.DEADLINE_MISSED if late(told) else _exit.DONE


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
    files["package.json"] = (dump(document) + "\n").encode()
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
    from sfexit.reports.fonts import find_font

    known = laws()
    law = known["eu-data-act"] if "eu-data-act" in facts.contract.laws else None
    files: dict[str, bytes] = {}
    notes: list[str] = []
    why_not = "" if font and not no_pdf else "--no-pdf" if no_pdf else letter_pdf.missing()
    if why_not and not no_pdf:
        notes.append(f"No PDF was made: {why_not}. The Word files and web pages are complete.")
    chosen = font or find_font()
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
