"""`sfexit cancellation close`: the last gate, and the final package."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfexit.commands import _exit, _options
from sfexit.commands._open import org_options
from sfexit.errors import UsageProblem

if TYPE_CHECKING:
    from sfexit.archive.ledger import LedgerLine
    from sfexit.cancellation.closing import Answer, Answers
    from sfexit.cancellation.situation import Situation
    from sfexit.preflight.cutover import Seen


@click.command(
    "close",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit cancellation close acme-exit --template > answers.toml\n"
        "  sfexit cancellation close acme-exit --answers answers.toml\n"
        "  sfexit cancellation close acme-exit --attest slack 'R. Roe: exported on 3 May'\n"
        "\b\nExit codes: 0 closed, 2 an answer is wrong, 5 a point is open, 10 another command\n"
        "writes there.\n"
    ),
)
@click.argument("home", type=click.Path(path_type=Path))
@click.option(
    "--attest", "attested", nargs=2, multiple=True, metavar="ITEM 'NAME: …'",
    help="A named person says that ITEM is done; repeat for more.",
)  # fmt: skip
@click.option(
    "--waive", "waived", nargs=2, multiple=True, metavar="ITEM 'NAME: …'",
    help="A named person goes without ITEM, and says why; repeat for more.",
)  # fmt: skip
@click.option(
    "--answers", "file", metavar="FILE", type=click.Path(exists=True, path_type=Path),
    help="Attestations, waivers and custody in a TOML file.",
)  # fmt: skip
@click.option("--template", is_flag=True, help="Print an empty file of answers, and end.")
@click.option(
    "--fresh-hours", type=click.IntRange(1, 168), default=24, show_default=True, metavar="HOURS",
    help="How old the final certificate may be.",
)  # fmt: skip
@click.option("--offline", is_flag=True, help="Do not ask the org what still leads into it.")
@org_options
@_options.trusted
@_options.today
@_options.as_json
@_options.quiet
def close(
    home: Path,
    attested: tuple[tuple[str, str], ...],
    waived: tuple[tuple[str, str], ...],
    file: Path | None,
    template: bool,
    fresh_hours: int,
    offline: bool,
    api_version: str | None,
    api_budget: str | None,
    ca_bundle: str | None,
    trusted: tuple[str, ...],
    today: datetime | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Close the exit: the last gate before the org goes, and the final package.

    Refuses until the final verification stands and is fresh, offboarding is done or waived by
    name, and somebody answered for each place of data that lives elsewhere and for each point of
    the cut-over. Answers are kept, so they can be given one by one. Only reads the org.
    """
    from sfexit.cancellation import closing
    from sfexit.cancellation.situation import look
    from sfexit.reports import closing as report

    if template:
        click.echo(closing.template(), nl=False)
        return _exit.DONE
    answers = _answers(file, attested, waived)
    told = look(home, _options.day(today), trusted=trusted)
    seen: dict[str, Seen] = {}
    if not offline:
        seen, why = _look(told, home, api_version, api_budget, ca_bundle)
        if why and not quiet:
            click.echo(f"The org was not asked what still leads into it: {why}", err=True)
    told = _keep(told, home, answers)
    given = closing.answers_on_file(told.records)
    now = datetime.now(UTC)
    points = closing.requirements(told, given, seen, now, fresh_hours=fresh_hours)
    document = report.document(told, points)
    if document["open"]:
        if as_json:
            click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        if not quiet:
            for line in report.refusal(points):
                click.echo(line, err=True)
        return _exit.BLOCKED
    files = report.files(told, points, closing.custody_on_file(told.records), _ledger(told))
    files["final.json"] = json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"
    if told.standing is not None:
        files.update(report.certificate_files(told.standing.folder))
    folder = _publish(home, now, files)
    if as_json:
        click.echo(json.dumps({**document, "package": str(folder)}, indent=1, ensure_ascii=False))
    if not quiet:
        click.echo(f"Closed. Final package: {folder}. Begin with final.html", err=True)
    return _exit.DONE


def _answers(
    file: Path | None,
    attested: tuple[tuple[str, str], ...],
    waived: tuple[tuple[str, str], ...],
) -> Answers:
    from dataclasses import replace

    from sfexit.cancellation import closing

    answers = closing.Answers()
    if file is not None:
        try:
            answers = closing.parse_answers(file.read_text("utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageProblem(f"{file} cannot be read as UTF-8 text") from error
    typed = [closing.answer(item, said, waived=False) for item, said in attested]
    typed += [closing.answer(item, said, waived=True) for item, said in waived]
    return replace(answers, given=(*answers.given, *typed))


def _look(
    told: Situation,
    home: Path,
    api_version: str | None,
    api_budget: str | None,
    ca_bundle: str | None,
) -> tuple[dict[str, Seen], str]:
    """What the org tells of the cut-over; or nothing, and why."""
    import threading

    from sfexit.commands._open import open_client, settings_for
    from sfexit.errors import Blocked, SfexitError
    from sfexit.preflight import cutover
    from sfexit.preflight.questions import Questions
    from sfexit.progress import SILENT
    from sfexit.salesforce.org import identity

    settings = settings_for(
        home, api_version=api_version, api_budget=api_budget, ca_bundle=ca_bundle
    )
    try:
        with open_client(settings, progress=SILENT, stop=threading.Event()) as client:
            org = identity(client).organization_id
            if told.org_id and org[:15] != told.org_id[:15]:
                raise Blocked(
                    f"you are signed in to org {org}, {home} is of org {told.org_id}: name the "
                    "right one with --org, or give --offline"
                )
            return {one.key: one for one in cutover.look(Questions(client))}, ""
    except Blocked:
        raise
    except SfexitError as error:
        return {}, error.message


def _keep(told: Situation, home: Path, answers: Answers) -> Situation:
    """Write down what is new among the answers, and of custody what was said."""
    from dataclasses import asdict, replace

    from sfexit.archive.durable import Disk
    from sfexit.cancellation import records
    from sfexit.cancellation.closing import answers_on_file, custody_on_file

    known = answers_on_file(told.records)
    fresh: list[Answer] = [one for one in answers.given if known.get(one.item) != one]
    kept = asdict(custody_on_file(told.records))
    custody = {
        key: value for key, value in asdict(answers.custody).items() if value and value != kept[key]
    }
    if not fresh and not custody:
        return told
    disk = Disk()
    with records.writing(home, disk):
        for one in fresh:
            data = {"item": one.item, "person": one.person, "said": one.said}
            records.append(home, "waived" if one.waived else "attested", data, disk)
        if custody:
            records.append(home, "custody", custody, disk)
    return replace(told, records=records.read(home))


def _ledger(told: Situation) -> list[LedgerLine]:
    import csv

    from sfexit.archive.layout import LEDGER
    from sfexit.archive.ledger import LedgerLine
    from sfexit.errors import ArchiveProblem

    if told.archive is None:
        return []
    path = told.archive.folder / LEDGER
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            return [LedgerLine.from_cells(row) for row in csv.DictReader(handle)]
    except (OSError, ValueError, KeyError) as error:
        raise ArchiveProblem(f"{path} cannot be read: verify the archive") from error


def _publish(home: Path, now: datetime, files: dict[str, bytes]) -> Path:
    from sfexit.archive.durable import Disk
    from sfexit.cancellation import package, records

    disk = Disk()
    with records.writing(home, disk):
        folder, sums = package.publish(home, "final", now, files, disk)
        records.append(home, "closed", {"package": folder.name, "sums": sums}, disk)
    return folder
