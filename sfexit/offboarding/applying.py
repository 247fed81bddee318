"""Carrying a plan out: re-read, contain, strip, hand over, deactivate, verify.

Nothing is done that the plan does not name. Each wave of people goes through every phase before
the next begins. A run that was killed goes on from its journal and from what the org has.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sfexit
from sfexit.errors import Blocked, Interrupted
from sfexit.offboarding import steps as doing
from sfexit.offboarding.checking import Caps
from sfexit.offboarding.finding import groups_of
from sfexit.offboarding.journal import Journal
from sfexit.offboarding.ownership import LOCKED, Handing
from sfexit.offboarding.plan import Plan, Step, Transfer
from sfexit.offboarding.remaining import Remains, remains
from sfexit.offboarding.turns import Turn, turns
from sfexit.preflight.questions import Questions
from sfexit.progress import SILENT, Progress
from sfexit.redaction import printable
from sfexit.salesforce import describe
from sfexit.salesforce import org as orgs
from sfexit.salesforce.client import Client

_TOLD = {
    "contain": "freezing, ending sessions, revoking tokens",
    "strip": "taking permission sets, licences, groups, queues, territories",
    "blockers": "lifting the blockers that were approved",
    "ownership": "handing records over",
    "work": "handing approvals and dashboards over",
    "deactivate": "deactivating",
}
_TOLD_BACK = {
    "contain": "activating",
    "strip": "giving licences, permission sets, groups, queues back",
    "blockers": "putting back what was lifted",
    "ownership": "giving records back",
    "work": "giving approvals and dashboards back",
    "deactivate": "unfreezing",
}
_NO_SEAT = "LICENSE_LIMIT_EXCEEDED"  # SOAP API guide, StatusCode


@dataclass(frozen=True)
class Failed:
    """A change that the org refused, in its own words."""

    place: str
    record_id: str
    code: str
    message: str


@dataclass(frozen=True)
class Applied:
    """What a run came to."""

    plan: str
    journal: Path
    changes: int
    moved: int
    failed: tuple[Failed, ...]
    remains: Remains
    resumed: bool
    complete: bool
    calls: int
    freeze_only: bool = False


def apply(
    client: Client,
    plan: Plan,
    journal: Journal,
    *,
    caps: Caps,
    gate: str,
    ticket: str = "",
    freeze_only: bool = False,
    stop: threading.Event | None = None,
    progress: Progress = SILENT,
) -> Applied:
    """Carry out a plan that `check` let pass. `gate` says what allowed it, for the journal.

    Raises Interrupted after the request in hand; the same plan and journal go on. Raises Blocked
    when more changes failed than `caps` allow.
    """
    run = _Run(client, plan, journal, caps, stop or threading.Event(), progress)
    return run.go(gate, ticket, freeze_only=freeze_only)


class _Run:
    def __init__(
        self,
        client: Client,
        plan: Plan,
        journal: Journal,
        caps: Caps,
        stop: threading.Event,
        progress: Progress,
    ) -> None:
        self._client = client
        self._plan = plan
        self._journal = journal
        self._caps = caps
        self._stop = stop
        self._progress = progress
        self._in_hand = ""  # the group whose rows are handed over now

    def go(self, gate: str, ticket: str, *, freeze_only: bool) -> Applied:
        known = self._journal.progress
        resumed = bool(known.plan)
        made_by = f"sfexit {sfexit.__version__}"
        if resumed and known.plan != self._plan.digest:
            raise Blocked(f"{self._journal.path} is the journal of another plan: name another")
        if resumed:
            self._journal.record(
                "resumed", ticket=ticket, gate=gate, made_by=made_by, freeze_only=freeze_only
            )
        else:
            self._journal.record(
                "begun",
                journal=1,
                plan=self._plan.digest,
                purpose=self._plan.purpose,
                org=self._plan.organization_id,
                runner=orgs.identity(self._client).user_id,
                ticket=ticket,
                gate=gate,
                made_by=made_by,
                freeze_only=freeze_only,
            )
        for turn in turns(self._plan, freeze_only=freeze_only):
            self._turn(turn)
        return self._end(resumed, freeze_only=freeze_only)

    def _turn(self, turn: Turn) -> None:
        told = _TOLD_BACK if self._plan.purpose == "undo" else _TOLD
        if turn.steps or turn.transfers:
            self._progress.phase(f"Wave {turn.wave}: {told[turn.phase]}")
        steps = [one for one in turn.steps if not self._done(one)]
        doing.carry_out(self._client, self._journal, steps, check=self._check)
        if self._plan.purpose == "undo":
            self._seated(turn.steps)
        self._hand_over(turn.transfers)

    def _seated(self, steps: Sequence[Step]) -> None:
        """Without a licence a person stays inactive, and nothing else can be given back."""
        outcomes = self._journal.progress.steps
        left = [
            one
            for one in steps
            if one.object == "User" and outcomes.get(one.id, {}).get("code") == _NO_SEAT
        ]
        if left:
            names = {one.user_id: printable(one.username, 80) for one in self._plan.people}
            some = ", ".join(names.get(one.user_id, one.user_id) for one in left[:5])
            raise Blocked(
                f"no licence is free for {len(left):,} of the people ({some}"
                f"{' …' if len(left) > 5 else ''}), so they stay inactive and nothing else was "
                "taken back: free a licence (Setup > Company Information > User Licenses), then "
                "run the same command again"
            )

    def _done(self, step: Step) -> bool:
        told = self._journal.progress.steps.get(step.id)
        return bool(told and told["ok"])

    def _hand_over(self, transfers: Sequence[Transfer]) -> None:
        if not transfers:
            return
        _, entries = describe.describe_global(self._client)
        questions = Questions(self._client)
        questions.learn(one.object for one in transfers)
        handing = Handing(
            questions, self._journal, frozenset(one.name for one in entries), self._check
        )
        for group in groups_of(self._plan, transfers):
            self._check()
            self._progress.object_started(group.name, sum(one.count for one in group.transfers))
            self._in_hand = group.name
            handing.hand_over(group)
            self._in_hand = ""
            moved = self._journal.progress.moved.get(group.name, 0)
            self._progress.object_finished(group.name, "handed over", moved)
            refused = len(self._journal.progress.failed.get(group.name, {}))
            if refused:
                self._progress.note(f"{group.name}: {refused:,} rows were refused")

    def _check(self) -> None:
        if self._stop.is_set():
            raise Interrupted("the run was asked to stop")
        failed = sum(not one["ok"] for one in self._journal.progress.steps.values())
        # Rows of the object in hand that could not be locked will be tried again.
        failed += sum(
            name != self._in_hand or code not in LOCKED
            for name, rows in self._journal.progress.failed.items()
            for code, _ in rows.values()
        )
        if failed > self._caps.failures:
            raise Blocked(
                f"{failed:,} changes were refused, --max-failures is {self._caps.failures:,}: read "
                f"them in {self._journal.path}, cure the cause, then run the same command again"
            )

    def _end(self, resumed: bool, *, freeze_only: bool) -> Applied:
        self._progress.phase("Looking at what is left")
        left = remains(self._client, self._plan)
        known = self._journal.progress
        failed = [
            Failed(step, event.get("record", ""), event["code"], event["message"])
            for step, event in known.steps.items()
            if not event["ok"]
        ]
        failed += [
            Failed(transfer, row, code, message)
            for transfer, refused in known.failed.items()
            for row, (code, message) in refused.items()
        ]
        failed += [Failed(f"put back {name}", *row) for name, *row in known.lost]
        complete = not failed
        if self._plan.purpose == "offboard":
            whole = {one.user_id for one in self._plan.people if one.mode == "full"}
            complete = complete and left.gone(whole)
        self._journal.record("verified", left=left.told(), unknown=list(left.unknown))
        self._journal.record("finished", complete=complete)
        return Applied(
            self._plan.digest,
            self._journal.path,
            sum(one["ok"] and not one["found"] for one in known.steps.values()),
            sum(known.moved.values()),
            tuple(failed),
            left,
            resumed,
            complete,
            self._client.budget.used,
            freeze_only,
        )
