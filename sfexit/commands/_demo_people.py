"""The demo's offboarding: two people are planned, taken off, looked at, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from sfexit.offboarding import applying

if TYPE_CHECKING:
    from sfexit.archive.signing import SigningKey
    from sfexit.offboarding.plan import Plan
    from sfexit.salesforce.client import Client
    from sfexit.simulated_org import SimulatedOrg

_PEOPLE = 2
_SHOWN = 16  # lines of the plan


def people_leave(
    home: Path, url: str, org: SimulatedOrg, key: SigningKey, say: Callable[[str], None]
) -> bool:
    """Plan, apply and undo on the org of the demo. True when the org is as it was."""
    from sfexit.offboarding import undoing
    from sfexit.reports import offboarding as planned

    assert org.employed is not None
    table = org.tables.tables["User"]
    names = [
        str(table.value(table.changes, "Username", row))
        for row in (*org.employed.people[-_PEOPLE - 1 : -1], org.employed.people[-1])
    ]
    leavers, heir = names[:-1], names[-1]
    say(f"6. sfexit offboard-users plan {home} {' '.join(leavers)} --to {heir}")
    with _client(url, org) as client:
        plan = _planned(client, leavers, heir)
        folder = home / "offboarding"
        folder.mkdir(exist_ok=True)
        path = folder / "demo-plan.json"
        path.write_bytes(plan.to_bytes())
        (folder / "demo-plan.html").write_text(planned.page(plan, path), "utf-8")
        for line in islice(planned.summary(plan, path), _SHOWN):
            say(f"   {line}" if line else "")
        say(f"   … all of it: {folder / 'demo-plan.html'}")
        before = _owners(org)
        say("")
        say(f"   sfexit offboard-users apply {path}")
        done = _applied(client, home, plan, path.with_suffix(".journal.jsonl"), key, say)
        away = sum(one.gone for one in done.left)
        say("")
        say(f"   sfexit offboard-users undo {done.journal}")
        back = undoing.plan_back(
            done.journal, plan, datetime.now(UTC), (plan.runner_id, plan.runner)
        )
        undone = _applied(client, home, back.plan, folder / "demo-undo.journal.jsonl", None, say)
    same = _owners(org) == before
    say(f"   {'Every record has the owner it had' if same else 'SOME RECORDS HAVE ANOTHER OWNER'}.")
    return done.complete and undone.complete and away == len(plan.people) and same


def _planned(client: Client, leavers: list[str], heir: str) -> Plan:
    from sfexit.offboarding import planning
    from sfexit.offboarding.flags import FLAGS
    from sfexit.offboarding.successors import Rules
    from sfexit.offboarding.wanted import Leaver, Wanted

    made = planning.make(
        client,
        Wanted(tuple(Leaver(one) for one in leavers)),
        Rules(fallback=heir),
        planning.Options(),
    )
    # In a rehearsal all hazards are accepted; with a real org each is a decision of its own.
    return replace(made, accepted=tuple(sorted(flag for flag, _ in FLAGS.values())))


def _applied(
    client: Client,
    home: Path,
    plan: Plan,
    journal: Path,
    key: SigningKey | None,
    say: Callable[[str], None],
) -> applying.Applied:
    from sfexit.offboarding.gate import gate
    from sfexit.offboarding.journal import Journal
    from sfexit.reports import offboarded

    allowed = "an undo needs no proof"
    if key is not None:
        allowed = gate(client, home, plan, trusted=(key.fingerprint,), begun=False).text
        say(f"   allowed by the {allowed}")
    open_journal = Journal(journal)
    try:
        applying.check(client, plan, caps=applying.Caps())
        told = applying.apply(client, plan, open_journal, caps=applying.Caps(), gate=allowed)
    finally:
        open_journal.close()
    for line in offboarded.summary(plan, told):
        say(f"   {line}" if line else "")
    return told


def _client(url: str, org: SimulatedOrg) -> Client:
    from sfexit.salesforce.client import Client
    from sfexit.salesforce.login import credential_from_environment

    told = {"SFEXIT_INSTANCE_URL": url, "SFEXIT_ACCESS_TOKEN": org.new_session()}
    return Client(credential_from_environment(told), writable=True, budget_share=1.0)


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
