"""`sfexit status`: the exit as gates, from what lies in the home."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import click

from sfexit.commands import _exit


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
@click.option(
    "--html", metavar="FILE", type=click.Path(path_type=Path), help="Write it as a web page."
)
@click.option(
    "--expect-key",
    "trusted",
    metavar="SHA256:…",
    multiple=True,
    help="Fingerprint of a key that may have signed the certificate; repeat for more.",
)
@click.option(
    "--today",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Look at it as of this day (default: the day of this computer).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--quiet", "-q", is_flag=True, help="No summary.")
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

    day = today.date() if today else date.today()
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
