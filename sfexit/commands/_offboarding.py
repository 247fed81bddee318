"""`sfexit offboard-users apply`, `undo` and `status`: what changes the org, and what is left."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from sfexit.commands import _exit
from sfexit.commands._carrying_out import carry_out, journal_beside, open_run, run_options
from sfexit.commands._open import org_options
from sfexit.errors import UsageProblem


@click.command(
    "apply",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit offboard-users apply acme-exit/offboarding/20311122T060000Z-plan.json\n"
        "  sfexit offboard-users apply plan.json --freeze-only\n"
        "  sfexit offboard-users apply plan.json --dry-run\n"
        "\b\nExit codes: 0 done, 3 done but something was refused, 5 refused before anything was\n"
        "changed, 7 the plan is stale, 11 not confirmed, 130 interrupted: run it again.\n"
    ),
)
@click.argument("plan", metavar="PLAN", type=click.Path(path_type=Path))
@click.option(
    "--freeze-only", is_flag=True, help="Only freeze, end sessions and revoke tokens; rest later."
)
@run_options
def apply(plan: Path, freeze_only: bool, **options: Any) -> int:
    """Carry out a plan: this changes the org.

    PLAN is what `offboard-users plan` wrote. It is read again first: when the org has changed
    since, nothing is done. Killed or interrupted, the same line goes on where it was.
    """
    from sfexit.offboarding import plan as plans

    return carry_out(plans.load(plan), plan, freeze_only=freeze_only, **options)


@click.command(
    "undo",
    short_help="Take an offboarding back, as far as it can be.",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit offboard-users undo acme-exit/offboarding/20311122T060000Z-plan.journal.jsonl\n"
        "  sfexit offboard-users undo journal.jsonl --plan plan.json --dry-run\n"
        "\b\nExit codes: as for apply.\n"
    ),
)
@click.argument("journal", metavar="JOURNAL", type=click.Path(path_type=Path))
@click.option(
    "--plan",
    "done",
    metavar="PLAN",
    type=click.Path(path_type=Path),
    help="The plan that the journal is of (default: the one beside it).",
)
@run_options
def undo(journal: Path, done: Path | None, **options: Any) -> int:
    """Take an offboarding back, as far as it can be: this changes the org.

    JOURNAL is what `apply` wrote. Only what still has the value that was given is changed. What
    cannot be taken back (sessions, tokens, history, mails) is listed first.
    """
    from sfexit.archive.durable import Disk
    from sfexit.offboarding import plan as plans
    from sfexit.offboarding import undoing

    before = plans.load(done or plan_beside(journal))
    target = journal.with_name(journal.name.replace(".journal.jsonl", "") + ".undo.json")
    known = plans.load(target) if target.exists() else None
    run = journal_beside(target)
    begun = run.exists() and run.stat().st_size > 0
    if known is not None and (begun or undoing.fits(known, journal, datetime.now(UTC))):
        made = known  # shown or begun before: go on with the same reversal
        lost: tuple[str, ...] = ()
    else:
        runner = ("", "")
        back = undoing.plan_back(journal, before, datetime.now(UTC), runner)
        made, lost = back.plan, back.not_undone
        if not options["dry_run"]:
            Disk().write_whole(target, made.to_bytes())
    for line in lost:
        click.echo(f"Cannot be taken back: {line}", err=True)
    return carry_out(made, target, freeze_only=False, **options)


@click.command(
    "status",
    epilog=(
        "\b\nExamples:\n"
        "  sfexit offboard-users status acme-exit/offboarding/20311122T060000Z-plan.json\n"
        "  sfexit offboard-users status plan.json --json\n"
        "\b\nExit codes: 0 nothing is left of them, 3 something is, 4 sign-in.\n"
    ),
)
@click.argument("plan", metavar="PLAN", type=click.Path(path_type=Path))
@org_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", "-q", is_flag=True, help="No progress, no summary.")
def status(plan: Path, as_json: bool, quiet: bool, **options: Any) -> int:
    """Look what is left of the people of a plan; changes nothing.

    Records, sessions, tokens, and who is active again because another system made them so.
    """
    from sfexit.offboarding import plan as plans
    from sfexit.offboarding.remaining import remains
    from sfexit.reports import offboarded as report

    made = plans.load(plan)
    with open_run(plan.parent, writable=False, quiet=quiet, verbose=False, **options) as opened:
        client, _, _ = opened
        left = remains(client, made)
    told = report.status(made, left)
    if as_json:
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    if not quiet:
        gone = sum(one.gone for one in left.people)
        click.echo(f"{gone:,} of {len(left.people):,} people are gone.", err=True)
        for line in (*report.people(left.people), *report.unknown(left)):
            click.echo(line, err=True)
        click.echo(f"{left.administrators} active administrators are left.", err=True)
    return _exit.DONE if told["all_gone"] else _exit.INCOMPLETE


def plan_beside(journal: Path) -> Path:
    """The plan that a journal was named after."""
    name = journal.name.replace(".journal.jsonl", ".json")
    if name == journal.name:
        raise UsageProblem(f"{journal} has no plan beside it: name one with --plan")
    return journal.with_name(name)
