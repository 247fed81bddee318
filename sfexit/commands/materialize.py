"""`sfexit materialize`: the files of an archive as a tree for people."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sfexit.commands import _exit


@click.command(
    "materialize",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit materialize acme-exit acme-files                 Account/Acme/Quote 2023.pdf\n"
        "  sfexit materialize acme-exit acme-shelves --by folder   as they lay in libraries\n"
    ),
)
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--by",
    type=click.Choice(["record", "folder"]),
    default="record",
    show_default=True,
    help="A folder for each record that files belong to, or for each library folder.",
)
@click.option(
    "--link",
    is_flag=True,
    help="Hard links instead of copies: no space, but never edit a file then.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON document.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, no summary.")
def command(home: Path, folder: Path, by: str, link: bool, as_json: bool, quiet: bool) -> int:
    """Lay out the files of an archive as a tree of folders with readable names.

    HOME is a home or a single archive, DIR a new or empty folder outside of it. Needs no org and
    no network. Interrupted in any way, the same command goes on.
    """
    from sfexit.commands._terminal import progress
    from sfexit.errors import ArchiveProblem
    from sfexit.materialize.tree import materialize

    with progress(quiet=quiet, verbose=False) as (watching, _):
        tree = materialize(home, folder, by=by, link=link, progress=watching)
    if as_json:
        told = {
            "schema": "sfexit-materialize/1",
            "folder": str(tree.folder),
            "bag": str(tree.bag),
            "by": by,
            "files": tree.files,
            "made": tree.made,
            "bytes": tree.bytes,
            "damaged": tree.damaged,
        }
        click.echo(json.dumps(told, indent=1))
    if not quiet:
        click.echo(
            f"{tree.files:,} files ({tree.bytes / 1e6:,.1f} MB) in {tree.folder}, "
            f"{tree.made:,} of them made now.",
            err=True,
        )
    for one in tree.examples:
        click.echo(f"Damaged or missing: {one}", err=True)
    if tree.damaged:
        raise ArchiveProblem(
            f"the tree is without {tree.damaged:,} of the files: the archive holds them damaged or "
            "not at all; run `sfexit verify-backup`, then mend the archive from its copy and run "
            "this again"
        )
    return _exit.DONE
