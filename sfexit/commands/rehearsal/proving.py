"""Acts of the archive: looked at, exported over a lost session, proven, brought up to date."""

from __future__ import annotations

import csv
from pathlib import Path

from sfexit.archive import layout
from sfexit.commands import _exit
from sfexit.commands.rehearsal import company
from sfexit.commands.rehearsal.stage import Stage, newest
from sfexit.simulated_org import Fault, FaultPlan

_CUT_AT_REQUEST = 9


def export(stage: Stage, faults: FaultPlan) -> None:
    """Look at the org, take everything, lose the session on the way, go on."""
    home = stage.home
    stage.act("What is in the org, and what will an export take?")
    page = home / "assess.html"
    stage.run("assess", home, "--html", page, "--json", most=8, into=home / "assessment.json")
    stage.made("the look at the org before the export", page)

    stage.act("Everything is taken out, over a lost session")
    faults.add(Fault("session_expired", endpoint="composite", nth=_CUT_AT_REQUEST))
    stage.run("export", home, expect=_exit.SIGN_IN, most=3, watch=True)
    stage.say("   The session has ended, as staged. With a new one it goes on where it was:")
    stage.sign_in_again()
    # Two passing faults of real life: an answer cut short in a way that HTTP libraries do not
    # notice, and a server that is busy.
    faults.add(Fault("gzip_short", endpoint="composite", nth=4))
    faults.add(Fault("status", endpoint="composite", nth=6, status=503))
    # Incomplete, since the rows of one object live in another system.
    stage.run("export", home, expect=_exit.INCOMPLETE, most=30, watch=True)
    bag = newest(home / "bags", "*")
    stage.made("how to read the archive in ten years", bag / "data/README.txt")


def prove(stage: Stage) -> Path:
    """No letter without a proof; what nobody can export is accepted by name; then it is SAFE.

    Returns the file of waivers.
    """
    home = stage.home
    stage.act("May this company cancel? Not before the backup is proven")
    stage.run(
        "cancellation", "notice", home, "--reason", "We move to another system.",
        expect=_exit.BLOCKED, most=4,
    )  # fmt: skip
    waivers = home / "waivers.toml"
    with (newest(home / "bags", "*") / layout.LEDGER).open(encoding="utf-8", newline="") as ledger:
        accepted = {
            f"object-left-out:{line['object']}": line["remedy"]
            for line in csv.DictReader(ledger)
            if line["outcome"] == "not_exported"
        }
    waivers.write_text(company.waivers(accepted), "utf-8")
    stage.say(f"   What nobody can export a person accepts by name, in {waivers}:")
    stage.run("verify-backup", home, "--waive", waivers, most=20)
    return waivers


def refresh(stage: Stage, waivers: Path) -> None:
    """The org has changed since: the answer turns, the archive is brought up to date."""
    home = stage.home
    stage.act("Records have changed hands since. May it cancel now?")
    stage.run("verify-backup", home, "--waive", waivers, "-q", expect=_exit.NOT_SAFE)
    stage.run("export", home, "--refresh", expect=_exit.INCOMPLETE, most=24, watch=True)
    page = home / "verification.html"
    stage.run("verify-backup", home, "--waive", waivers, "--html", page, most=20)
    bag = newest(home / "bags", "*")
    stage.made("the proof that the archive holds what the org holds", page)
    stage.made("what every table and column means", bag / "data/schema/dictionary.html")
    stage.made("what became of every object", bag / "data/ledger.csv")
