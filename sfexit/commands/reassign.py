"""`sfexit reassign`: hand the records of one user to another, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sfexit.commands._carrying_out import carry_out, open_run, run_options, split_run
from sfexit.commands.offboard_users import accept_options, accepted_flags, write_plan
from sfexit.errors import UsageProblem
from sfexit.offboarding.flags import OF_OWNERSHIP


@click.command(
    "reassign",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit reassign acme-exit --from ben@acme.example --to anna@acme.example --dry-run\n"
        "  sfexit reassign acme-exit --from ben@acme.example --to anna@acme.example "
        "--objects Account,Case\n"
        "  sfexit reassign acme-exit --from ben@acme.example --to anna@acme.example "
        "--objects Case --where 'IsClosed = false'\n"
        "\b\nExit codes: as for offboard-users apply.\n"
    ),
)
@click.argument("home_of", metavar="HOME", type=click.Path(path_type=Path))
@click.option("--from", "leaver", metavar="USER", required=True, help="Who has the records now.")
@click.option("--to", "heir", metavar="USER", required=True, help="Who gets them.")
@click.option(
    "--objects", "names", metavar="NAMES", default="", help="Only these objects, commas between."
)
@click.option(
    "--where", metavar="CONDITION", default="", help="Only records that fulfil this (SOQL)."
)
@accept_options(OF_OWNERSHIP)
@run_options
def command(home_of: Path, leaver: str, heir: str, names: str, where: str, **options: Any) -> int:
    """Hand the records of one user to another.

    This changes the org.

    The same engine as offboard-users, for ownership alone: planned, confirmed, journalled in
    HOME, the exit's home, and taken back by `offboard-users undo`.
    """
    from sfexit.offboarding import planning
    from sfexit.offboarding.reassigning import only_ownership
    from sfexit.offboarding.successors import Rules
    from sfexit.offboarding.wanted import Leaver, Wanted, name
    from sfexit.reports import offboarding as report

    if name(leaver, "--from").casefold() == name(heir, "--to").casefold():
        raise UsageProblem("--from and --to name the same user: name who gets the records")
    given, run = split_run(options)
    with open_run(home_of, writable=False, **run) as (client, _, _):
        made = planning.make(
            client,
            Wanted((Leaver(name(leaver, "--from")),)),
            Rules(fallback=name(heir, "--to")),
            planning.Options(
                min_admins=0,
                include_integration=(leaver,),
                include_portal=True,
                accepted=accepted_flags(options),
            ),
        )
        wanted = [one.strip() for one in names.split(",") if one.strip()]
        plan = only_ownership(client, made, objects=wanted, where=where)
    if not run["quiet"]:
        for line in report.handing_over(plan):
            click.echo(line, err=True)
    path = home_of / "plan.json" if given["dry_run"] else write_plan(plan, home_of, None)
    given["home"] = given["home"] or home_of
    return carry_out(plan, path, freeze_only=False, **given, **run)
