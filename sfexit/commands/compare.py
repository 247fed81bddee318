"""`sfexit compare`: what is really used, and how other systems could take it in."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sfexit.commands import _exit, _options


@click.command(
    "compare",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit compare acme-exit\n"
        "  sfexit compare acme-exit --weights weights.toml --html compare.html\n"
    ),
)
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--weights",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Your weights, budget, prices, partners and ratings (config/weights.toml).",
)
@_options.html
@_options.as_json
@_options.quiet
def command(home: Path, weights: Path | None, html: Path | None, as_json: bool, quiet: bool) -> int:
    """List what is really used, and how other systems could take it in.

    HOME is a home or a single archive. Needs no org and no network.
    """
    from sfexit.archive.tables import Tables
    from sfexit.commands._files import write_whole
    from sfexit.compare import wishes as own
    from sfexit.compare.needs import needs
    from sfexit.compare.scorecard import scorecard
    from sfexit.reports import compare as report

    wishes = own.load(weights) if weights else own.Wishes()
    tables = Tables(home)
    used = needs(tables)
    rows = scorecard(used, wishes)
    if html is not None:
        named = next(tables.rows("Organization", "Name"), ("",))[0]
        day = tables.info["Bagging-Date"][:10]
        about = f"{named or 'Org ' + tables.info.get('External-Identifier', '')}, archive of {day}."
        write_whole(html, report.page(used, rows, wishes.currency, about).encode())
    if as_json:
        told = report.document(used, rows, wishes.currency)
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    if not quiet:
        for line in report.summary(used, rows, wishes.currency):
            click.echo(line, err=True)
        if html is not None:
            click.echo(f"Written: {html}", err=True)
    return _exit.DONE
