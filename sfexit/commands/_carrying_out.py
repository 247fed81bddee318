"""Carrying a plan out from the command line: the options, the confirmation, the proof, the report,
the archive of after. What `apply`, `undo` and `reassign` share."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sfexit.commands import _exit
from sfexit.commands._open import org_options, settings_for
from sfexit.commands._refreshing import Refreshed, left_out
from sfexit.errors import Blocked, Interrupted, NotConfirmed, UsageProblem

if TYPE_CHECKING:
    from sfexit.offboarding.gate import Gate
    from sfexit.offboarding.plan import Plan
    from sfexit.progress import Progress
    from sfexit.salesforce.client import Client

F = TypeVar("F", bound=Callable[..., Any])

_SHORTEST = 8  # characters of the digest that a confirmation must name


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
                "--no-refresh",
                is_flag=True,
                help="Leave the archive as it was before; journalled.",
            ),
            click.option(
                "--dry-run", is_flag=True, help="Print every request that would be sent; send none."
            ),
            org_options,
            click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
            click.option("--quiet", "-q", is_flag=True, help="No progress, no summary."),
            click.option("--verbose", "-v", is_flag=True, help="Say every retry."),
        ]
    ):
        function = option(function)
    return function


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
    no_refresh: bool,
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
    opening = {**options, "quiet": quiet, "verbose": verbose}
    back = journal_beside(path.with_name(f"{path.stem}.undo.json"))
    if back.exists() and back.stat().st_size:
        raise Blocked(f"this plan was taken back ({back.name} tells how far): make a new plan")
    if dry_run:
        return _dry_run(plan, place, opening, freeze_only=freeze_only)
    if homes.home_org(place) is None:
        raise UsageProblem(
            f"{place} is no home of an exit: name the one that the plan was made for with --home, "
            "or plan without --out, which makes a home"
        )
    with (
        homes.locked(HomeLayout(place), Disk()),
        open_run(place, writable=True, **opening) as (client, progress, stop),
    ):
        journal = Journal(journal_beside(path))
        try:
            # Who said yes to containment said nothing about the rest.
            known = journal.progress
            begun = bool(known.plan) and (freeze_only or known.whole)
            differences = checking.check(client, plan, caps=caps, begun=begun)
            allowed = _gate(client, place, plan, without_proof, begun=begun, freeze=freeze_only)
            for line in differences:
                click.echo(f"Changed since the plan: {line}", err=True)
            if not begun:
                confirmed(plan, confirm, freeze_only=freeze_only)
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
    if freeze_only:
        archive = left_out("only access was taken away, so it stays as it was")
    elif not told.complete:
        archive = left_out("it is brought up to date once everything is carried out")
    else:
        archive = _archive_after(place, journal_beside(path), opening, no_refresh=no_refresh)
    if as_json:
        document = {**report.document(plan, told), "archive": archive.document()}
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
    if not quiet:
        for line in report.summary(plan, told):
            click.echo(line, err=True)
        click.echo(f"Archive: {archive.text}.", err=True)
    if told.complete or (freeze_only and not told.failed):
        return archive.code
    return _exit.INCOMPLETE


def _archive_after(
    home: Path, path: Path, opening: dict[str, Any], *, no_refresh: bool
) -> Refreshed:
    """Bring the archive up to date by a client that only reads; the journal tells of it."""
    from sfexit.archive import home as homes
    from sfexit.archive.durable import Disk
    from sfexit.archive.layout import HomeLayout
    from sfexit.commands._refreshing import refresh
    from sfexit.offboarding.journal import Journal

    place = HomeLayout(home)
    if no_refresh:
        archive = left_out("it stays as it was, by --no-refresh")
    else:
        about = homes.work_about(place) or {}  # an export under way goes on as it was begun
        version = about.get("api_version") or opening["api_version"]
        with open_run(home, writable=False, **{**opening, "api_version": version}) as opened:
            archive = refresh(opened[0], home, *opened[1:])
    with homes.locked(place, Disk()):
        journal = Journal(path)
        try:
            journal.record("archive", **archive.document())
        finally:
            journal.close()
    return archive


def confirmed(plan: Plan, given: str | None, *, freeze_only: bool) -> None:
    """Somebody says yes to exactly this plan, or to its containment. Raises NotConfirmed."""
    if given is not None:
        if len(given) < _SHORTEST or not plan.digest.startswith(given.lower()):
            raise NotConfirmed(
                f"--confirm must be the first {_SHORTEST} or more characters of this plan's hash, "
                f"{plan.digest[:16]}…: look at the plan, then confirm it"
            )
        return
    verb = {"offboard": "offboard", "undo": "undo", "reassign": "reassign"}[plan.purpose]
    verb = "freeze" if freeze_only else verb
    people = f"{len(plan.people)} user{'s' * (len(plan.people) != 1)}"
    sentence = f"{verb} {people} in {plan.organization_id} ({plan.organization})"
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


def _dry_run(plan: Plan, home: Path, opening: dict[str, Any], *, freeze_only: bool) -> int:
    """Print the document piece by piece: half a million records are no small text."""
    from dataclasses import asdict

    from sfexit.offboarding import checking
    from sfexit.offboarding.rehearsing import rehearse

    count = records = 0
    with open_run(home, writable=False, **opening) as (client, progress, stop):
        checking.same_org(client, plan)
        progress.phase("Looking up what would be sent")
        head = {"schema": "sfexit-offboarding-requests/2", "plan": plan.digest}
        click.echo(json.dumps(head)[:-1] + ', "requests": [', nl=False)
        for one in rehearse(client, plan, freeze_only=freeze_only):
            if stop.is_set():
                raise Interrupted("the run was asked to stop")
            told = json.dumps(asdict(one), ensure_ascii=False)
            click.echo((",\n " if count else "\n ") + told, nl=False)
            count += 1
            records += one.records
        click.echo("\n]}")
    if not opening["quiet"]:
        click.echo(
            f"Dry run: {count:,} requests, which would hand over {records:,} records; nothing was "
            "sent. What a refusal makes the run try again, and teams and shares that the org drops "
            "with an owner and that are put back, come on top.",
            err=True,
        )
    return _exit.CHANGES_PENDING if count else _exit.DONE


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
