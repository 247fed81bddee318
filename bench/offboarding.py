"""Two hundred people leave an org with half a million records of theirs; what it costs, and
whether the org's own log and truth agree with the journal.

    python bench/offboarding.py                       the whole scenario
    python bench/offboarding.py --rows 40000 --leavers 12 --things 8 --kills 100
    python bench/offboarding.py --plan-only --people 5100 --leavers 5000 --rows 60000

Among those named are administrators, programs, portal users, members of queues, a chain of
managers; and some whom nobody may offboard. Every kind of blocker and hazard that the simulated
org knows is placed. The plan is made, somebody clears what only Setup can clear, the plan is
carried out in processes that die by SIGKILL at random instants (--kills), and taken back. With
--kills the same plan is carried out on a second org of the same seed without a kill, and the two
must end alike.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import org_truth

from sfexit.offboarding import planning, undoing
from sfexit.offboarding.flags import FLAGS, LIFTABLE, LIFTED
from sfexit.offboarding.plan import Plan
from sfexit.offboarding.successors import Rules
from sfexit.offboarding.wanted import Leaver, Wanted
from sfexit.redaction import Secret
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import GivenToken
from sfexit.salesforce.origin import Origin
from sfexit.simulated_org import BLOCKERS, UNSEEN, SimulatedOrg, SimulatedServer, Staff, serve

#: What is placed besides the blockers; "skew" wants many rows.
HAZARDS = frozenset(
    {"automation", "user_automation", "sharing", "teams", "manual_shares", "identity_provider",
     "last_in_queue", "jobs", "dashboards", "tokens", "approvals", "interviews", "recurring",
     "flow_names_user", "left_behind", "recycle_bin", "archived", "private", "licences",
     "successor_access", "frozen_successor", "skew"}
)  # fmt: skip


@dataclass
class Scene:
    """One org and who is to leave it."""

    org: SimulatedOrg
    server: SimulatedServer
    leaving: list[str]
    refused: list[str]
    programs: list[str]
    heir: str
    frozen: str


def scene(asked: argparse.Namespace) -> Scene:
    staff = Staff(
        people=asked.people, administrators=6, integrations=3, portal=3, spare_seats=0,
        things=asked.things, teams=min(2_000, asked.rows // 100),
        shares=min(3_000, asked.rows // 100), locked_records=3, unreadable=("Thing_02__c",),
        lock_every=500,
    )  # fmt: skip
    org = SimulatedOrg(
        seed=asked.seed, rows=asked.rows, staff=staff, read_only=False, api_daily_limit=10_000_000
    )
    org.metadata.polls = 0
    who, ids = org.employed, org.tables.tables["User"].ids
    assert who is not None
    heir, frozen = who.people[-1], who.people[-2]
    login = next(n for n, row in enumerate(org.truth("UserLogin"))
                 if row["UserId"] == ids.at(frozen))  # fmt: skip
    org.update_rows("UserLogin", [login], {"IsFrozen": "true"})
    others = [*who.administrators[1:3], who.integrations[0], who.portal[0]]
    first = who.people[: asked.leavers - len(others) - 1]
    middle = who.people[len(who.people) // 2]  # whom a flow names
    extra = middle if middle not in first else who.people[len(first)]
    going = {ids.at(n) for n in (*first, extra, *others)}
    # One queue has no members but leavers, so that it is left to nobody.
    queue = org.tables.tables["Group"].ids.at(1)
    members = [row for row in org.truth("GroupMember")
               if row["GroupId"] != queue or row["UserOrGroupId"] in going]  # fmt: skip
    org.tables.tables["GroupMember"].give(
        [{k: row[k] for k in ("GroupId", "UserOrGroupId")} for row in members]
    )
    refused = [0, *who.system, who.integrations[1]]
    return Scene(
        org, serve(org), [ids.at(n) for n in (*first, extra, *others)],
        [ids.at(n) for n in refused], [ids.at(who.integrations[0])], ids.at(heir), ids.at(frozen),
    )  # fmt: skip


def client_of(at: Scene) -> Client:
    token = GivenToken(Origin.parse(at.server.url), Secret(at.org.access_token))
    return Client(token, budget_share=1.0, sleep=lambda _: None)


def planned(at: Scene) -> Plan:
    """The plan; nothing may have been written by it."""
    named = [Leaver(one) for one in (*at.leaving, *at.refused, "nobody@northwater.example")]
    with client_of(at) as client:
        made = planning.make(
            client,
            Wanted(tuple(named)),
            Rules(fallback=at.heir, objects={"Thing_01__c": at.frozen}),
            planning.Options(
                accepted=tuple(flag for flag, _ in FLAGS.values()), include_portal=True,
                include_integration=tuple(at.programs),
                lift=LIFTABLE,
            ),
            now=datetime.now(UTC),
        )  # fmt: skip
    assert at.org.writes.log == []
    return made


def unfound(at: Scene, plan: Plan) -> list[str]:
    """What was placed and the plan does not tell."""
    assert at.org.employed is not None
    ids = at.org.tables.tables["User"].ids
    seen = {(one.code, one.user_id) for one in plan.blockers if one.seen}
    told = {one.code for one in plan.blockers} | {one.code for one in plan.hazards}
    placed = at.org.employed.blockers.items()
    missing = [
        kind for kind, row in placed if kind not in UNSEEN and (kind, ids.at(row)) not in seen
    ]
    rare = {"skew"} if sum(one.count for one in plan.transfers) < 200_000 else set()
    missing += sorted((HAZARDS | set(BLOCKERS)) - told - rare)
    if {one.user_id for one in plan.people} != set(at.leaving):
        missing.append("the people of the plan are not those who may leave")
    if len(plan.refusals) != len(at.refused) + 1:
        missing.append("refusals")
    return missing


class Runs:
    """Carries plans out in processes of their own."""

    def __init__(self) -> None:
        self._warm = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("offboarding_child.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def close(self) -> None:
        assert self._warm.stdin is not None
        self._warm.stdin.close()
        self._warm.wait(30)

    def once(self, at: Scene, plan: Path, journal: Path, kill_after: int | None) -> dict[str, Any]:
        """One run, killed a moment after the org saw so many requests of it."""
        assert self._warm.stdin is not None and self._warm.stdout is not None
        told = {"url": at.server.url, "token": at.org.access_token, "plan": str(plan),
                "journal": str(journal)}  # fmt: skip
        seen = len(at.server.requests)
        self._warm.stdin.write(json.dumps(told) + "\n")
        self._warm.stdin.flush()
        pid = json.loads(self._warm.stdout.readline())["pid"]
        over = threading.Event()

        def death() -> None:
            while not over.wait(0.001):
                if kill_after is not None and len(at.server.requests) - seen >= kill_after:
                    # So that the kill hits any moment of the next requests, not only their ends.
                    time.sleep(random.random() * 0.03)
                    os.kill(pid, signal.SIGKILL)
                    return

        killer = threading.Thread(target=death, daemon=True)
        killer.start()
        answer: dict[str, Any] = json.loads(self._warm.stdout.readline())
        over.set()
        killer.join()
        return answer

    def all(self, at: Scene, plan: Path, journal: Path, kills: int, calls: int) -> dict[str, Any]:
        """Run it, and again after each death, until it ends by itself."""
        died = 0
        while True:
            # What is carried out is looked after again, which takes calls of its own: the
            # later ones die later, and the last ones live.
            due = random.randint(1, 25 + calls // 12) if died < kills else None
            answer = self.once(at, plan, journal, due)
            if answer["status"] >= 0:
                return {**answer, "died": died}
            died += 1


def calls_by_kind(at: Scene, since: int) -> str:
    kinds: Counter[str] = Counter()
    for one in at.server.requests[since:]:
        path = one.path.partition("/v")[2].partition("/")[2]
        kinds[f"{one.method} {'/'.join(path.split('/')[:2])}"] += 1
    return ", ".join(f"{n:,} {kind}" for kind, n in kinds.most_common(6))


def report(what: str, at: Scene, began: tuple[float, float, int, int], rows: int) -> None:
    clock, cpu, calls, _ = began
    took = time.monotonic() - clock
    cost = at.org.calls - calls
    line = (
        f"{what:<12} {took:8.1f} s  {time.process_time() - cpu:8.1f} s cpu (org)  {cost:>7,} calls"
    )
    if rows:
        per = cost / rows * 10_000
        line += (f"; {rows:,} records: {rows / took:,.0f} a second, {per:.1f} calls per 10,000, "
                 f"{10_000 / per:,.0f} times fewer than a PATCH each")  # fmt: skip
    print(line, flush=True)


def now_at(at: Scene) -> tuple[float, float, int, int]:
    return time.monotonic(), time.process_time(), at.org.calls, len(at.server.requests)


def play(asked: argparse.Namespace, runs: Runs, folder: Path, kills: int) -> tuple[Any, list[str]]:
    """The whole of it on one org: what it came to, and what is wrong."""
    at = scene(asked)
    with at.server:
        began = now_at(at)
        plan = planned(at)
        report("plan", at, began, 0)
        owned = sum(one.count + one.archived for one in plan.transfers)
        kinds = {one.code for one in plan.blockers} | {one.code for one in plan.hazards}
        print(f"             {len(plan.people):,} people, {owned:,} records of "
              f"{len({t.object for t in plan.transfers})} objects, {len(plan.steps):,} steps, "
              f"{len(plan.blockers)} blockers, {len(plan.hazards)} hazards, {len(kinds)} kinds, "
              f"{len(plan.refusals)} refusals, {len(plan.to_bytes()) / 1e6:.1f} MB",
              flush=True)  # fmt: skip
        wrong = [f"not found by the plan: {one}" for one in unfound(at, plan)]
        if asked.plan_only:
            return None, wrong
        before = org_truth.truth(at.org)
        assert at.org.employed is not None
        for kind in set(at.org.employed.blockers) - set(LIFTED):
            at.org.staff_rules.lift(kind)  # somebody clears it in Setup, as the plan asks
        path, journal = folder / "plan.json", folder / "plan.journal.jsonl"
        path.write_bytes(plan.to_bytes())
        began = now_at(at)
        done = runs.all(at, path, journal, kills, asked.rows // 150)
        report(f"apply ({done['died']} †)" if kills else "apply", at, began, done.get("moved", 0))
        print(f"             {calls_by_kind(at, began[3])}")
        after = org_truth.truth(at.org)
        gone = set(at.leaving)
        left = {name: n for name, rows in after.owners.items()
                if _movable(at, name) and (n := sum(one in gone for one in rows))}  # fmt: skip
        kept = (
            "AccountTeamMember",
            "OpportunityTeamMember",
            "AccountShare",
            "OpportunityShare",
            "ContactShare",
        )
        numbers = {
            "not complete": int(not done.get("complete")),
            "refused": len(done.get("failed", ())),
            "records left with leavers": sum(left.values()),
            "teams or shares that differ": sum(before.joins[k] != after.joins[k] for k in kept),
            "changes of refused users": org_truth.touched(at.org, at.refused),
            "changes in no journal": org_truth.unexplained(at.org, [journal]),
            "requests that were repeated": org_truth.repeated(at.org),
        }
        print(f"             {done.get('changes', 0):,} changes; "
              + ", ".join(f"{k}: {n}" for k, n in numbers.items()))  # fmt: skip
        wrong += [f"after apply: {k}: {n}" for k, n in numbers.items() if n]
        wrong += [f"left: {name}: {n:,}" for name, n in left.items()]
        wrong += [str(done[k]) for k in ("error",) if k in done] + list(done.get("failed", ()))[:5]
        back = undoing.plan_back(journal, plan, datetime.now(UTC), (at.org.user_id, "bench"))
        path, again = folder / "undo.json", folder / "undo.journal.jsonl"
        path.write_bytes(back.plan.to_bytes())
        began = now_at(at)
        undone = runs.all(at, path, again, kills, asked.rows // 150)
        report(f"undo ({undone['died']} †)" if kills else "undo", at, began, undone.get("moved", 0))
        print(f"             {calls_by_kind(at, began[3])}")
        differs = org_truth.differences(before, org_truth.truth(at.org))
        odd = org_truth.unexplained(at.org, [journal, again])
        print(f"             complete: {undone.get('complete')}, kinds that differ from before: "
              f"{len(differs)}, changes in no journal: {odd}")  # fmt: skip
        wrong += [f"after undo: {one}" for one in differs]
        wrong += [f"undo: {one}" for one in list(undone.get("failed", ()))[:5]]
        if "error" in undone or not undone.get("complete") or odd:
            wrong.append(f"undo: {undone.get('error', 'not complete, or not all journalled')}")
    return after, wrong


def _movable(at: Scene, name: str) -> bool:
    """Whether an API hands rows over: not where the owner is read-only, follows another row, or
    is who a default team belongs to."""
    table = at.org.tables.tables[name]
    owner = table.sobject.field("OwnerId")
    joins = ("ContentVersion", *org_truth.JOINS)
    return bool(
        owner and owner.writable and "updateable" in table.sobject.flags and name not in joins
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--leavers", type=int, default=200)
    parser.add_argument("--things", type=int, default=50, help="custom objects with owners")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--plan-only", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    random.seed(asked.seed)
    runs = Runs()
    wrong: list[str] = []
    ends = []
    try:
        for kills in (0, asked.kills) if asked.kills else (0,):
            with tempfile.TemporaryDirectory() as folder:
                end, found = play(asked, runs, Path(folder), kills)
            ends.append(end)
            wrong += found
    finally:
        runs.close()
    if len(ends) == 2:
        apart = org_truth.differences(*ends)
        print(f"killed and not killed end alike: {not apart}")
        wrong += [f"killed: {one}" for one in apart]
    mine, child = (resource.getrusage(one) for one in
                   (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))  # fmt: skip
    print(f"peak memory: {child.ru_maxrss / 1024:,.0f} MB in the run, {mine.ru_maxrss / 1024:,.0f} "
          "MB for the simulated org, the plan and the comparison")  # fmt: skip
    for one in wrong:
        print("WRONG:", one)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
