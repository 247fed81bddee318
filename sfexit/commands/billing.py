"""`sfexit billing`: statements of account, held against the contract."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfexit.commands import _exit, _options
from sfexit.commands._group import DefaultGroup

if TYPE_CHECKING:
    from sfexit.contract.terms import Contract


class _Group(DefaultGroup):
    default = "check"


@click.group(
    "billing",
    cls=_Group,
    epilog=(
        "\b\nExamples:\n"
        "  sfexit billing check invoices     with the contract.toml of this folder\n"
        "  sfexit billing check --help       homes, early end, mapping files, CSV and page\n"
    ),
)
def command() -> None:
    """Check bills against the contract, line by line."""


@command.command(
    "check",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit billing check invoice.pdf statement.csv --home acme-exit\n"
        "  sfexit billing check invoices --ended 2026-06-30 --expect-refund --html bills.html\n"
        "  sfexit billing check export.csv --mapping columns.toml --decimal comma --dates dmy\n"
        "\b\nExit codes: 0 nothing wrong, 2 a file cannot be read, 3 read with doubt or not held\n"
        "against a contract, 8 findings.\n"
    ),
)
@click.argument("statements", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--home",
    metavar="HOME",
    type=click.Path(path_type=Path),
    help="The exit's home, whose contract.toml holds (default: this folder, if it has one).",
)
@click.option(
    "--contract",
    "contract_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take this contract file instead.",
)
@click.option(
    "--mapping",
    "mapping_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Says which column of a CSV is which, where its headings do not.",
)
@click.option(
    "--decimal",
    type=click.Choice(["point", "comma"]),
    help="The decimal mark, where the statements leave it open.",
)
@click.option(
    "--dates",
    type=click.Choice(["dmy", "mdy"]),
    help="Day or month first, where the statements leave it open.",
)
@click.option(
    "--ended",
    metavar="DATE",
    type=_options.DAY,
    help="The agreed last day, if it is not the end of the contract.",
)
@click.option(
    "--expect-refund",
    is_flag=True,
    help="Report a missing credit for unused days even if your contract file grants none.",
)
@click.option(
    "--final-within",
    metavar="DAYS",
    type=click.IntRange(0, 3650),
    default=45,
    show_default=True,
    help="Days after the end by which the final statement must be there.",
)
@_options.today
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write all lines, laid out alike, as CSV.",
)
@_options.html
@_options.as_json
@_options.quiet
def check(
    statements: tuple[Path, ...],
    home: Path | None,
    contract_file: Path | None,
    mapping_file: Path | None,
    decimal: str | None,
    dates: str | None,
    ended: datetime | None,
    expect_refund: bool,
    final_within: int,
    today: datetime | None,
    csv_file: Path | None,
    html: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Check statements, PDF or CSV, and say what to write to the vendor.

    STATEMENTS are files, or folders of them. They are only read, and sent nowhere.
    """
    from sfexit.billing.mapping import Mapping
    from sfexit.billing.mapping import load as load_mapping
    from sfexit.billing.reading import files_of, read_all
    from sfexit.billing.review import SURE, review
    from sfexit.billing.written import Habits
    from sfexit.commands._files import write_whole
    from sfexit.reports import billing as report

    contract = _contract(home, contract_file)
    mapping = load_mapping(mapping_file) if mapping_file else Mapping()
    told = review(
        read_all(files_of(statements), mapping, Habits(decimal, dates)),
        contract,
        _options.day(today),
        ended=ended.date() if ended else None,
        expect_refund=expect_refund,
        final_within_days=final_within,
    )
    if csv_file is not None:
        write_whole(csv_file, report.table(told).encode("utf-8-sig"))
    if html is not None:
        write_whole(html, report.page(told).encode())
    if as_json:
        click.echo(json.dumps(report.document(told), indent=1, ensure_ascii=False))
    if not quiet:
        for line in report.summary(told):
            click.echo(line, err=True)
        for made in (csv_file, html):
            if made is not None:
                click.echo(f"Written: {made}", err=True)
    if told.findings:
        return _exit.NOT_SAFE
    doubtful = contract is None or any(one.confidence < SURE for one in told.statements)
    return _exit.INCOMPLETE if doubtful else _exit.DONE


def _contract(home: Path | None, given: Path | None) -> Contract | None:
    """The contract to hold bills against, or None where there is none."""
    from sfexit.contract import terms

    if given is not None:
        return terms.load(given)
    if home is not None:
        return terms.load(home / terms.FILE_NAME)
    here = Path(terms.FILE_NAME)
    return terms.load(here) if here.exists() else None
