"""`sfexit status`: the exit as gates, from what lies in the home."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from sfexit.commands import _exit, _options


@click.command(
    "status",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit status acme-exit\n"
        "  sfexit status acme-exit --html status.html\n"
        "  sfexit status acme-exit --json\n"
        "\b\nExit codes: 0 shown, 1 the records were changed, 2 no such home, 9 a deadline is\n"
        "missed.\n"
    ),
)
@click.argument("home", type=click.Path(path_type=Path), default=Path())
@_options.html
@_options.trusted
@_options.today
@_options.as_json
@_options.quiet
def command(
    home: Path,
    html: Path | None,
    trusted: tuple[str, ...],
    today: datetime | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Show where the exit stands: eight gates, what closed them, what is next, days left.

    HOME is the exit's home (default: this folder). Asks no org; works offline.
    """
    from sfexit.cancellation.gates import gates
    from sfexit.cancellation.situation import look
    from sfexit.commands._files import write_whole
    from sfexit.reports import status as report
    from sfexit.verify.codes import Level

    day = _options.day(today)
    told = look(home, day, trusted=trusted, level=Level.QUICK)
    found = gates(told)
    if html is not None:
        write_whole(html, report.page(told, found).encode())
    if as_json:
        click.echo(json.dumps(report.document(told, found), indent=1, ensure_ascii=False))
    if not quiet:
        for line in report.summary(told, found):
            click.echo(line, err=True)
        if html is not None:
            click.echo(f"Page written to {html}", err=True)
    missed = told.outlook is not None and told.outlook.missed
    return _exit.DEADLINE_MISSED if missed else _exit.DONE
