"""The exact requests that a plan comes to, with the records as they are found now. Only reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sfexit.offboarding import steps as doing
from sfexit.offboarding.finding import Finder, Group, Row, canary, groups_of, parts
from sfexit.offboarding.plan import Plan
from sfexit.offboarding.turns import turns
from sfexit.preflight.questions import Questions
from sfexit.salesforce import writing
from sfexit.salesforce.client import Client


@dataclass(frozen=True)
class Rehearsed:
    """A request that would be sent, and for what. `records`: rows of objects that change hands by
    it; 0 for all else. A token is never shown."""

    wave: int
    phase: str
    method: str
    path: str
    body: Any
    records: int = 0


def rehearse(client: Client, plan: Plan, *, freeze_only: bool) -> Iterator[Rehearsed]:
    """The requests in the order in which they would be sent.

    Two kinds cannot be known before: what a refusal makes the run try again, and teams and shares
    that the org drops with an owner, which are put back.
    """
    finder = Finder(Questions(client))
    for turn in turns(plan, freeze_only=freeze_only):
        for one in doing.requests(client, turn.steps):
            yield Rehearsed(turn.wave, turn.phase, one.method, one.path, one.body)
        finder.questions.learn(one.object for one in turn.transfers)
        for group in groups_of(plan, turn.transfers):
            for one, records in _handing(finder, group):
                yield Rehearsed(turn.wave, turn.phase, one.method, one.path, one.body, records)


def _handing(finder: Finder, group: Group) -> Iterator[tuple[doing.Request, int]]:
    first = True
    for found in _found(finder, group):
        few = canary(found) if first else 0
        first = False
        if few:
            yield _by_request(group, found[:few]), few
        for part, job in parts(found[few:]):
            if not job:
                yield _by_request(group, part), len(part)
                continue
            pairs = [(row.id, row.after) for row in part]
            text = writing.csv_body(["Id", group.field], pairs).decode()
            yield doing.Request("POST", "/jobs/ingest", writing.job_body(group.object)), 0
            yield doing.Request("PUT", "/jobs/ingest/(its id)/batches", text), len(part)
            yield doing.Request("PATCH", "/jobs/ingest/(its id)", writing.START), 0


def _found(finder: Finder, group: Group) -> Iterator[list[Row]]:
    if group.given is not None:
        yield from finder.given(group)
        return
    owned = finder.owned(group)
    while found := list(islice(owned, writing.MOST_IN_JOB)):
        yield found


def _by_request(group: Group, found: Sequence[Row]) -> doing.Request:
    listed = [{"Id": row.id, group.field: row.after} for row in found]
    return doing.Request("PATCH", "/composite/sobjects", writing.update_body(group.object, listed))
