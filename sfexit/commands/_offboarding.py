"""`sfexit offboard-users apply`, `undo` and `status`: what changes the org, and what is left."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sfexit.commands import _exit
from sfexit.commands._open import org_options, settings_for
from sfexit.errors import NotConfirmed, UsageProblem

if TYPE_CHECKING:
    from sfexit.offboarding.gate import Gate
    from sfexit.offboarding.plan import Plan
    from sfexit.progress import Progress
    from sfexit.salesforce.client import Client

F = TypeVar("F", bound=Callable[..., Any])

_SHORTEST = 8  # characters of the digest that a confirmation must name
FOLDER = "offboarding"


def run_options(function: F) -> F:
    """Options of everything that changes the org by a plan."""
    for option in reversed(
        [
            click.option(
                "--home",
                metavar="HOME",
                type=click.Path(path_type=Path),
                help="The exit's home, whose proof allows the run (default: the plan's).",
            ),
            click.option(
                "--confirm",
                metavar="HASH",
                help="The first characters of the plan's hash, instead of the typed sentence.",
            ),
            click.option(
                "--without-proof",
                metavar="'NAME: REASON'",
                help="Go on although no proof stands; who answers for it is journalled.",
            ),
            click.option("--ticket", metavar="REF", default="", help="Written into the journal."),
            click.option(
                "--max-users",
                type=click.IntRange(min=1),
                default=25,
                show_default=True,
                help="Refuse a plan with more people.",
            ),
            click.option(
                "--max-records",
                type=click.IntRange(min=0),
                default=50_000,
                show_default=True,
                help="Refuse a plan that hands over more records.",
            ),
            click.option(
                "--max-failures",
                type=click.IntRange(min=0),
                default=10,
                show_default=True,
                help="Stop when more changes were refused.",
            ),
            click.option(
                "--dry-run", is_flag=True, help="Print the requests that would be sent; send none."
            ),
            org_options,
            click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
            click.option("--quiet", "-q", is_flag=True, help="No progress, no summary."),
            click.option("--verbose", "-v", is_flag=True, help="Say every retry."),
        ]
    ):
        function = option(function)
    return function


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
    if target.exists():
        made = plans.load(target)  # begun before: go on with the same reversal
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


def journal_beside(plan: Path) -> Path:
    """Where the journal of a plan is kept."""
    return plan.with_name(f"{plan.stem}.journal.jsonl")


def carry_out(
    plan: Plan,
    path: Path,
    *,
    freeze_only: bool,
    home: Path | None,
    confirm: str | None,
    without_proof: str | None,
    ticket: str,
    max_users: int,
    max_records: int,
    max_failures: int,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **options: Any,
) -> int:
    """Check, ask, carry out, report: what `apply`, `undo` and `reassign` share."""
    from sfexit.archive import home as homes
    from sfexit.archive.durable import Disk
    from sfexit.archive.layout import HomeLayout
    from sfexit.offboarding import applying, checking
    from sfexit.offboarding.journal import Journal
    from sfexit.reports import offboarded as report

    caps = checking.Caps(max_users, max_records, max_failures)
    place = home or path.resolve().parent.parent
    if dry_run:
        return _dry_run(plan, freeze_only=freeze_only)
    if homes.home_org(place) is None:
        raise UsageProblem(f"{place} is no home of an exit: name it with --home")
    with (
        homes.locked(HomeLayout(place), Disk()),
        open_run(place, writable=True, quiet=quiet, verbose=verbose, **options) as opened,
    ):
        client, progress, stop = opened
        journal = Journal(journal_beside(path))
        try:
            begun = bool(journal.progress.plan)
            differences = checking.check(client, plan, caps=caps, begun=begun)
            allowed = _gate(client, place, plan, without_proof, begun=begun, freeze=freeze_only)
            for line in differences:
                click.echo(f"Changed since the plan, within its rules: {line}", err=True)
            if not begun:
                confirmed(plan, confirm)
            told = applying.apply(
                client,
                plan,
                journal,
                caps=caps,
                gate=allowed.text,
                ticket=ticket,
                freeze_only=freeze_only,
                stop=stop,
                progress=progress,
            )
        finally:
            journal.close()
    if as_json:
        click.echo(json.dumps(report.document(plan, told), indent=1, ensure_ascii=False))
    if not quiet:
        for line in report.summary(plan, told):
            click.echo(line, err=True)
    return _exit.DONE if told.complete or (freeze_only and not told.failed) else _exit.INCOMPLETE


def confirmed(plan: Plan, given: str | None) -> None:
    """Somebody says yes to exactly this plan. Raises NotConfirmed."""
    if given is not None:
        if len(given) < _SHORTEST or not plan.digest.startswith(given.lower()):
            raise NotConfirmed(
                f"--confirm must be the first {_SHORTEST} or more characters of this plan's hash, "
                f"{plan.digest[:16]}…: look at the plan, then confirm it"
            )
        return
    verb = {"offboard": "offboard", "undo": "undo", "reassign": "reassign"}[plan.purpose]
    sentence = f"{verb} {len(plan.people)} users in {plan.organization_id} ({plan.organization})"
    click.echo(f"This changes the org. To go on, type: {sentence}", err=True)
    try:
        typed = click.prompt("", prompt_suffix="> ", err=True, default="", show_default=False)
    except click.Abort:
        typed = ""
    if typed.strip() != sentence:
        raise NotConfirmed(
            "nothing was changed: the sentence was not typed. Without a terminal, take --confirm "
            f"{plan.digest[:_SHORTEST]}"
        )


def _gate(
    client: Client, home: Path, plan: Plan, without: str | None, *, begun: bool, freeze: bool
) -> Gate:
    from sfexit.commands._keys import own_fingerprints
    from sfexit.offboarding import gate as gates

    if without is not None:
        name, _, reason = without.partition(":")
        return gates.overridden(name, reason)
    if freeze or plan.purpose == "undo":
        # Nothing of it loses data: containment must not wait, an undo brings back.
        return gates.Gate("", "needs no proof: " + ("containment" if freeze else "undo"))
    return gates.gate(client, home, plan, trusted=own_fingerprints(), begun=begun)


def _dry_run(plan: Plan, *, freeze_only: bool) -> int:
    from dataclasses import asdict

    from sfexit.offboarding import steps
    from sfexit.offboarding.plan import PHASES

    phases = PHASES[:1] if freeze_only else PHASES
    requests = [
        {"phase": phase, **asdict(one)}
        for phase in phases
        for one in steps.requests(plan.phase(phase))
    ]
    transfers = [] if freeze_only else [asdict(one) for one in plan.transfers]
    click.echo(
        json.dumps(
            {
                "schema": "sfexit-offboarding-requests/1",
                "plan": plan.digest,
                "requests": requests,
                "transfers": transfers,
            },
            indent=1,
            ensure_ascii=False,
        )
    )
    return _exit.CHANGES_PENDING if requests or transfers else _exit.DONE


def split_run(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a run, and those of them that open a client."""
    opening = ("api_version", "api_budget", "ca_bundle", "quiet", "verbose")
    own = {k: v for k, v in options.items() if not k.startswith("accept_") and k not in opening}
    return own, {k: options[k] for k in opening}


@contextlib.contextmanager
def open_run(
    home: Path,
    *,
    writable: bool,
    quiet: bool,
    verbose: bool,
    api_version: str | None,
    api_budget: str | None,
    ca_bundle: str | None,
) -> Iterator[tuple[Client, Progress, threading.Event]]:
    from sfexit.commands._open import open_client
    from sfexit.commands._signals import stopping
    from sfexit.commands._terminal import progress

    settings = settings_for(
        home, api_version=api_version, api_budget=api_budget, ca_bundle=ca_bundle
    )
    with (
        progress(quiet=quiet, verbose=verbose) as (watching, say),
        stopping(say) as stop,
        open_client(settings, progress=watching, stop=stop, writable=writable) as client,
    ):
        yield client, watching, stop
