"""`sfexit contract`: the days by which to act, and what staying and leaving cost."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from sfexit.commands import _exit, _options
from sfexit.commands._group import DefaultGroup
from sfexit.errors import UsageProblem


@click.group(
    "contract",
    cls=DefaultGroup,
    epilog=(
        "\b\nExamples:\n"
        "  sfexit contract init acme-exit    answer questions, get contract.toml\n"
        "  sfexit contract acme-exit         deadlines and costs\n"
        "  sfexit contract show --help       calendar file, web page, JSON\n"
    ),
)
def command() -> None:
    """Know the contract's deadlines and what leaving costs.

    Reads contract.toml in the exit's home. With no member of the list below, `show` is meant.
    """


@command.command(
    "show",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit contract show acme-exit\n"
        "  sfexit contract show acme-exit --ics deadlines.ics --html contract.html\n"
        "  sfexit contract show acme-exit --assessment assessment.json\n"
        "\b\nExit codes: 0 shown, 2 contract.toml is wrong, 9 a deadline is missed.\n"
    ),
)
@click.argument("home", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--ics",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the days as a calendar file with alarms.",
)
@_options.html
@click.option(
    "--assessment",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The output of sfexit assess --json: says by when the export must start.",
)
@click.option(
    "--export-days",
    metavar="DAYS",
    type=click.FloatRange(min=0),
    help="How long an export takes, if there is no assessment.",
)
@click.option(
    "--notice-on",
    metavar="DATE",
    type=_options.DAY,
    help="When the switching notice of the EU Data Act would be given (default: today).",
)
@_options.today
@_options.as_json
@_options.quiet
def show(
    home: Path,
    ics: Path | None,
    html: Path | None,
    assessment: Path | None,
    export_days: float | None,
    notice_on: datetime | None,
    today: datetime | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Show the deadlines and what each way on costs.

    HOME is the exit's home or the folder that holds contract.toml (default: this folder).
    """
    from sfexit.commands._files import write_whole
    from sfexit.contract import terms
    from sfexit.contract.outlook import outlook
    from sfexit.reports import contract as report

    contract = terms.load(home if home.suffix == ".toml" else home / terms.FILE_NAME)
    days = export_days if assessment is None else _export_days(assessment, contract.org_id)
    told = outlook(
        contract,
        _options.day(today),
        export_days=days,
        notice_on=notice_on.date() if notice_on else None,
        home_org=_home_org(home),
    )
    written = []
    if ics is not None:
        from sfexit.contract.ics import calendar

        write_whole(ics, calendar(contract, told.all_days, told.today))
        written.append(f"Calendar written to {ics}")
    if html is not None:
        write_whole(html, report.page(told).encode())
        written.append(f"Page written to {html}")
    if as_json:
        click.echo(json.dumps(report.document(told), indent=1, ensure_ascii=False))
    if not quiet:
        for line in (*report.summary(told), *written):
            click.echo(line, err=True)
    return _exit.DEADLINE_MISSED if told.missed else _exit.DONE


@command.command(
    "init",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit contract init acme-exit\n"
        "  sfexit contract init acme-exit --example   a file to edit, without questions\n"
        "\b\nExit codes: 0 written, 2 the file is there already or an answer is missing.\n"
    ),
)
@click.argument("home", type=click.Path(path_type=Path), default=Path())
@click.option("--example", is_flag=True, help="Write the commented example to edit; ask nothing.")
def init(home: Path, example: bool) -> int:
    """Write contract.toml: asks for each term and checks each answer.

    Have the order form and the Main Services Agreement at hand. Nothing is written before the
    last answer, and a file that is there is never replaced.
    """
    from sfexit.commands._files import write_whole
    from sfexit.contract import questions, terms

    target = home / terms.FILE_NAME
    if target.exists():
        raise UsageProblem(f"{target} is there already: edit it, or move it away first")
    if example:
        text = questions.example()
    else:
        text = questions.ask(_prompt, lambda line: click.echo(line, err=True))
    write_whole(target, text.encode())
    click.echo(f"{target} written. Next: sfexit contract {home}", err=True)
    return _exit.DONE


def _prompt(question: str, default: str) -> str:
    try:
        answer: Any = click.prompt(question, default=default, show_default=bool(default), err=True)
    except click.Abort as error:
        raise UsageProblem(
            "an answer is missing, so nothing was written: answer at a terminal, or take "
            "--example and edit the file"
        ) from error
    return str(answer)


def _export_days(path: Path, org_id: str) -> float:
    """The days of an assessment. Raises UsageProblem when it is none, or of another org."""
    try:
        told = json.loads(path.read_text("utf-8"))
        days = float(told["days"])
        if not str(told["schema"]).startswith("sfexit-assess/") or not 0 <= days < 1e6:
            raise ValueError
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageProblem(
            f"{path} is no assessment: make one with sfexit assess --json > {path}"
        ) from error
    other = str(told.get("organization_id", ""))
    if org_id and other and other[:15] != org_id[:15]:
        raise UsageProblem(f"{path} is of org {other[:18]}, contract.toml is of {org_id}")
    return days


def _home_org(home: Path) -> str | None:
    """The org of the home, if it is one already."""
    from sfexit.archive.home import home_org

    return home_org(home) if home.is_dir() else None
