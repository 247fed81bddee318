"""`sfexit recover`: repair the journal of an interrupted export."""

from __future__ import annotations

from pathlib import Path

import click

from sfexit.commands import _exit


@click.command(
    "recover",
    epilog=("\b\nExamples:\n  sfexit recover acme-exit       then: sfexit export acme-exit\n"),
)
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--quiet", "-q", is_flag=True, help="Say nothing.")
def command(home: Path, quiet: bool) -> int:
    """Repair the journal of an interrupted export in the folder HOME.

    Needed only when `sfexit export` says so: its index (work/state.db) is missing or damaged.
    Every stored page is read again and compared; what is whole is kept, the rest is fetched by
    the next export. Sealed archives are not touched, the org is not asked.
    """
    from sfexit.export.recover import recover

    result = recover(home)
    if not quiet:
        click.echo(
            f"{result.pages_kept:,} pages and {result.files_kept:,} other files are whole and "
            f"kept; {result.pages_lost + result.files_lost:,} will be fetched again.",
            err=True,
        )
        click.echo(f"Now go on with: sfexit export {home}", err=True)
    return _exit.DONE
