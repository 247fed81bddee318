"""Acts of the people: two are taken off and taken back, and later leave for good."""

from __future__ import annotations

from pathlib import Path

from sfexit.commands import _exit
from sfexit.commands.rehearsal.stage import Stage, newest
from sfexit.offboarding import plan as plans
from sfexit.offboarding.flags import FLAGS
from sfexit.simulated_org import SimulatedOrg

# In a rehearsal all hazards are accepted; with a real org each is a decision of its own.
_ACCEPTED = tuple(flag for flag, _ in FLAGS.values())


def try_it(stage: Stage) -> None:
    """Offboard, and see by the org's own truth that an undo brings everything back."""
    org, folder = stage.org, stage.home / "offboarding"
    stage.act("Two people are taken off, and taken back, to see that it can be")
    before = _owners(org)
    _taken_off(stage, "trial", "--no-refresh")
    stage.check(_owners(org) != before, "Their records have another owner.")
    journal = folder / "trial.journal.jsonl"
    stage.run("offboard-users", "undo", journal, expect=_exit.NOT_CONFIRMED, most=4)
    undo = plans.load(folder / "trial.undo.json")
    stage.run(
        "offboard-users", "undo", journal, "--confirm", undo.digest[:8], "--no-refresh", most=4
    )
    stage.check(_owners(org) == before, "Every record has the owner it had.")


def leave(stage: Stage, waivers: Path) -> None:
    """For good, on the strength of the newest proof; the archive of after is made and proven."""
    stage.act("The archive is proven anew, so they may leave for good")
    _taken_off(stage, "plan")
    stage.run("verify-backup", stage.home, "--waive", waivers, "-q")
    meaning = newest(stage.home / "bags", "*") / "data/schema/dictionary.html"
    stage.made("what every table and column means, in the archive of after", meaning)


def _taken_off(stage: Stage, name: str, *more: str) -> None:
    *leavers, heir = _usernames(stage.org)
    folder = stage.home / "offboarding"
    path, page = folder / f"{name}.json", folder / f"{name}.html"
    stage.run(
        "offboard-users", "plan", stage.home, *leavers, "--to", heir, *_ACCEPTED, "--out", path,
        "--html", page, most=9,
    )  # fmt: skip
    stage.made(f"who leaves, and what changes hands ({name})", page)
    digest = plans.load(path).digest
    stage.run("offboard-users", "apply", path, "--confirm", digest[:8], *more, most=4)


def _usernames(org: SimulatedOrg) -> list[str]:
    """Two people without hazards, and who gets their records."""
    assert org.employed is not None
    table = org.tables.tables["User"]
    return [str(table.value(table.changes, "Username", row)) for row in org.employed.people[-3:]]


def _owners(org: SimulatedOrg) -> dict[str, list[str | None]]:
    """Who owns what, by the org's own truth."""
    out: dict[str, list[str | None]] = {}
    for name, table in org.tables.tables.items():
        field = table.sobject.field("OwnerId")
        if field is not None and field.writable and "updateable" in table.sobject.flags:
            changes = table.changes
            out[name] = [
                table.value(changes, "OwnerId", row)
                for row in range(table.total(changes))
                if not changes.gone(row)
            ]
    return out
