"""`sfexit licenses`: which seats are used, and what fewer or cheaper ones save."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sfexit.commands import _exit, _options


@click.command(
    "licenses",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit licenses acme-exit\n"
        "  sfexit licenses acme-exit --html licenses.html --xlsx licenses.xlsx\n"
        "  sfexit licenses acme-exit --window 180 --json > licenses.json\n"
    ),
)
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--contract",
    "contract_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take prices and the renewal from this file (default: contract.toml of the home).",
)
@click.option(
    "--window",
    metavar="DAYS",
    type=click.IntRange(7, 730),
    default=90,
    show_default=True,
    help="How far back sign-ins and changed records count.",
)
@click.option(
    "--csv",
    "csv_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write all users with their evidence as CSV.",
)
@click.option(
    "--xlsx", metavar="FILE", type=click.Path(path_type=Path), help="Write it as a workbook."
)
@_options.html
@_options.as_json
@_options.quiet
def command(
    home: Path,
    contract_file: Path | None,
    window: int,
    csv_file: Path | None,
    xlsx: Path | None,
    html: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """See which seats are bought, given out and really used.

    HOME is a home or a single archive. Needs no org and no network: the archive knows who made,
    changed and owns records. Nothing is changed anywhere.
    """
    from sfexit.archive.tables import Tables
    from sfexit.commands._files import write_whole
    from sfexit.contract import terms
    from sfexit.licenses.facts import read
    from sfexit.licenses.review import review
    from sfexit.reports import licenses as report

    own = contract_file or home / terms.FILE_NAME
    contract = terms.load(own) if contract_file or own.exists() else None
    told = review(read(Tables(home), window), contract)
    if csv_file is not None:
        write_whole(csv_file, report.table(told).encode("utf-8-sig"))
    if xlsx is not None:
        write_whole(xlsx, report.workbook(told))
    if html is not None:
        write_whole(html, report.page(told).encode())
    if as_json:
        click.echo(json.dumps(report.document(told), indent=1, ensure_ascii=False))
    if not quiet:
        for line in report.summary(told):
            click.echo(line, err=True)
        for made in (csv_file, xlsx, html):
            if made is not None:
                click.echo(f"Written: {made}", err=True)
    return _exit.DONE
