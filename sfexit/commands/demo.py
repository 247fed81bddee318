"""`sfexit demo`: the whole exit rehearsed on a built-in simulated org, offline."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sfexit.commands import _exit
from sfexit.errors import Blocked

if TYPE_CHECKING:
    from sfexit.commands.rehearsal.stage import Stage

_MARK = ".made-by-sfexit-demo"
_ROWS = 6_000
_SEED = 7


@click.command(
    "demo",
    epilog=("\b\nExamples:\n  sfexit demo\n  sfexit demo look --rows 100000\n"),
)
@click.argument("home", type=click.Path(path_type=Path), default=Path("demo-exit"))
@click.option(
    "--rows",
    type=click.IntRange(1_000, 5_000_000),
    default=_ROWS,
    show_default=True,
    metavar="NUMBER",
    help="About how many records the made-up company has.",
)
def command(home: Path, rows: int) -> int:
    """Rehearse a whole exit on a built-in simulated org: no network, no Salesforce.

    Plays the exit of a made-up company in HOME (default: demo-exit), in half a minute: deadlines,
    a look at the org, an export over a lost session, the proof, people who leave, the archive
    brought up to date, licences, letters, the last gate, a wrong bill. Each step is the command
    line that you would type. One page links all that was made. A folder made by an earlier demo
    is replaced, any other is refused.
    """
    began = time.monotonic()
    _make_room(home)
    with tempfile.TemporaryDirectory() as settings:
        stage = _play(home, rows, Path(settings))
    page = _page(stage, time.monotonic() - began)
    stage.say("")
    stage.say(f"Everything that was made: {page}")
    stage.say("Then your own org: set SFEXIT_INSTANCE_URL and SFEXIT_ACCESS_TOKEN, and run")
    stage.say("sfexit export acme-exit")
    stage.say(f"\nAll this took {time.monotonic() - began:,.1f} s.")
    return _exit.ERROR if stage.failed else _exit.DONE


def _make_room(home: Path) -> None:
    if (home / _MARK).exists():
        shutil.rmtree(home)
    elif home.exists() and any(home.iterdir()):
        raise Blocked(f"{home} was not made by a demo: name another folder, or remove it yourself")
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (home / _MARK).write_text("`sfexit demo` may replace this folder.\n", "utf-8")


def _play(home: Path, rows: int, settings: Path) -> Stage:
    """All acts, in the order of an exit."""
    from sfexit.commands.rehearsal import leaving, people, proving
    from sfexit.commands.rehearsal.stage import CutShort, Stage, newest
    from sfexit.commands.rehearsal.witnesses import Witnesses, damage
    from sfexit.simulated_org import FaultPlan, SimulatedOrg, Staff, serve

    org = SimulatedOrg(
        seed=_SEED,
        rows=rows,
        bulk_page_rows=500,
        query_all_files=True,
        read_only=False,
        staff=Staff(people=12, portal=1, blockers=("delegated_approver", "case_assignment")),
    )
    org.metadata.polls = 0  # packed at once: it is a small org
    faults = FaultPlan(seed=_SEED)
    with serve(org, faults) as server, Stage(home, org, server.url, settings) as stage:
        stage.act("A made-up company starts its own Salesforce on this machine")
        stage.tell(f"{len(org.objects)} objects, {rows:,} records, at {server.url}")
        try:
            leaving.know_the_contract(stage, org.organization_id)
            proving.export(stage, faults)
            waivers = proving.prove(stage)
            people.try_it(stage)
            proving.refresh(stage, waivers)
            witnesses = Witnesses(newest(home / "bags", "*"))
            people.leave(stage, waivers)
            leaving.weigh(stage)
            leaving.cancel(stage)
            leaving.close(stage)
            leaving.bills(stage)
            leaving.locked(stage)
        except CutShort as cut:
            stage.wrong(str(cut))
            return stage
        damage(stage, newest(home / "bags", "*"))
        witnesses.heard(stage)
    return stage


def _page(stage: Stage, seconds: float) -> Path:
    """index.html of the home: every act with its command lines and what they made."""
    from sfexit.commands._files import write_whole
    from sfexit.reports import demo as report

    acts = [
        report.Act(
            one.title,
            tuple(report.Run(ran.line, ran.code, ran.right) for ran in one.runs),
            tuple((what, path.relative_to(stage.home).as_posix()) for what, path in one.made),
            tuple(one.wrong),
            tuple(one.told),
        )
        for one in stage.acts
    ]
    path = stage.home / "index.html"
    write_whole(path, report.page(acts, seconds).encode())
    return path
