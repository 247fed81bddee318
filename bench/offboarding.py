"""Two hundred people leave an org of half a million owned records; what it costs, and whether the
org's own log and truth agree with the journal.

    python bench/offboarding.py                      the whole scenario
    python bench/offboarding.py --rows 60000 --people 40 --kills 100

The plan is made by sfexit, carried out through a client that dies at random instants (--kills),
and taken back. Everything is compared with what the simulated org itself says.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sfexit.offboarding import applying, checking, planning, undoing
from sfexit.offboarding import journal as journals
from sfexit.offboarding.applying import Applied
from sfexit.offboarding.checking import Caps
from sfexit.offboarding.flags import FLAGS
from sfexit.offboarding.journal import Journal
from sfexit.offboarding.plan import Plan
from sfexit.offboarding.successors import Rules
from sfexit.offboarding.wanted import Leaver, Wanted
from sfexit.redaction import Secret
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import GivenToken
from sfexit.salesforce.origin import Origin
from sfexit.simulated_org import BLOCKERS, UNSEEN, SimulatedOrg, Staff, serve

CAPS = Caps(10_000, 10_000_000, 1_000)


class Killed(BaseException):
    """The program dies here."""


class Mortal(Client):
    """Dies before or after a changing request, when its time has come."""

    left = 0

    def send_once(self, *args: Any, **more: Any) -> Any:
        Mortal.left -= 1
        due, after = Mortal.left == 0, random.random() < 0.5
        if due and not after:
            raise Killed
        answer = super().send_once(*args, **more)
        if due:
            raise Killed
        return answer


def client_of(org: SimulatedOrg, url: str, kind: type[Client] = Client) -> Client:
    token = GivenToken(Origin.parse(url), Secret(org.access_token))
    return kind(token, writable=True, budget_share=1.0, sleep=lambda _: None)


def owners(org: SimulatedOrg, names: list[str]) -> dict[str, list[tuple[str, str | None]]]:
    """Who owns what, as the org itself has it."""
    out = {}
    for name in names:
        table = org.tables.tables[name]
        changes = table.changes
        out[name] = [
            (table.ids.at(row), table.value(changes, "OwnerId", row))
            for row in range(table.total(changes))
            if not table.deleted(changes, row) and not changes.gone(row)
        ]
    return out


def unexplained(org: SimulatedOrg, paths: list[Path]) -> int:
    """Changes that the org saw requested and no journal announces."""
    known: set[tuple[str, str]] = set()
    made: Counter[str] = Counter()
    for path in paths:
        for event in journals.read(path):
            if event["event"] == "intent" and "step" in event:
                known.add((event["object"], event["record"]))
                made[event["object"]] += event["kind"] == "create"
            elif event["event"] == "intent":
                rows = (row for move in event["moves"] for row in move[2])
                known.update((event["object"], row) for row in rows)
            elif event["event"] == "saved":
                made[event["object"]] += len(event["rows"])
    odd = 0
    for change in org.writes.log:
        if change.cause != "request" or (change.object, change.id) in known:
            continue
        if change.action == "create" and made[change.object] > 0:
            made[change.object] -= 1
            continue
        odd += 1
    return odd


def carry_out(
    org: SimulatedOrg, url: str, plan: Plan, path: Path, kills: int
) -> tuple[Applied, int]:
    """Apply, dying `kills` times on the way."""
    died = 0
    while True:
        Mortal.left = random.randint(1, 12) if died < kills else -1
        client = client_of(org, url, Mortal)
        journal = Journal(path)
        try:
            begun = bool(journal.progress.plan)
            checking.check(client, plan, caps=CAPS, begun=begun)
            return applying.apply(client, plan, journal, caps=CAPS, gate="bench"), died
        except Killed:
            died += 1
        finally:
            journal.close()
            client.close()


def report(what: str, began: float, calls: int, rows: int) -> None:
    per = f", {calls / rows * 10_000:,.0f} calls per 10,000 records" if rows else ""
    print(f"{what:<12} {time.monotonic() - began:8.1f} s  {calls:>7,} calls{per}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--leavers", type=int, default=200)
    parser.add_argument("--things", type=int, default=50)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    random.seed(asked.seed)
    staff = Staff(
        people=asked.people, administrators=6, integrations=3, portal=3, things=asked.things,
        blockers=tuple(k for k in BLOCKERS if k not in UNSEEN), teams=2_000, shares=3_000,
        lock_every=500,
    )  # fmt: skip
    org = SimulatedOrg(seed=asked.seed, rows=asked.rows, staff=staff, read_only=False)
    assert org.employed is not None
    who = org.employed
    table = org.tables.tables["User"]
    leaving = [table.ids.at(row) for row in (*who.people[: asked.leavers], *who.portal[:1])]
    heir = table.ids.at(who.people[-1])
    with serve(org) as server, tempfile.TemporaryDirectory() as folder:
        began, calls = time.monotonic(), org.calls
        client = client_of(org, server.url)
        plan = planning.make(
            client,
            Wanted(tuple(Leaver(one) for one in leaving)),
            Rules(fallback=heir),
            planning.Options(
                accepted=tuple(flag for flag, _ in FLAGS.values()), include_portal=True,
            ),
            now=datetime.now(UTC),
        )  # fmt: skip
        client.close()
        owned = sum(one.count for one in plan.transfers)
        report("plan", began, org.calls - calls, 0)
        print(
            f"             {len(plan.people)} people, {owned:,} records of "
            f"{len({t.object for t in plan.transfers})} objects, {len(plan.steps):,} steps, "
            f"{len(plan.blockers)} blockers, {len(plan.hazards)} hazards, "
            f"{len(plan.refusals)} refusals"
        )
        names = sorted({t.object for t in plan.transfers if t.field == "OwnerId"})
        before = owners(org, names)
        for kind in list(who.blockers):  # somebody clears them in Setup, as the plan asks
            org.staff_rules.lift(kind)
        began, calls = time.monotonic(), org.calls
        path = Path(folder) / "plan.journal.jsonl"
        done, died = carry_out(org, server.url, plan, path, asked.kills)
        report(f"apply ({died} kills)" if died else "apply", began, org.calls - calls, done.moved)
        after = owners(org, names)
        gone = set(leaving)
        left = sum(owner in gone for rows in after.values() for _, owner in rows)
        print(
            f"             complete {done.complete}, {done.changes:,} changes, {done.moved:,} "
            f"records; left with leavers {left}; refused {len(done.failed)}; changes that no "
            f"journal explains {unexplained(org, [path])}"
        )
        for one in done.failed[:5]:
            print("            ", one.place, one.code, one.message)
        began, calls = time.monotonic(), org.calls
        back = undoing.plan_back(path, plan, datetime.now(UTC), (org.user_id, "bench"))
        again = Path(folder) / "undo.journal.jsonl"
        undone, _ = carry_out(org, server.url, back.plan, again, 0)
        report("undo", began, org.calls - calls, undone.moved)
        differs = _differs(before, owners(org, names))
        print(
            f"             complete {undone.complete}; owners that differ from before {differs}; "
            f"changes that no journal explains {unexplained(org, [path, again])}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory, the simulated org's log and tables included: {peak:,.0f} MB")
    return 0 if done.complete and undone.complete and not left and not differs else 1


def _differs(before: dict[str, Any], now: dict[str, Any]) -> int:
    return sum(a != b for name in before for a, b in zip(before[name], now[name], strict=True))


if __name__ == "__main__":
    sys.exit(main())
