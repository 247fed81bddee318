"""Handing rows over: found anew, in batches that are journalled before they are sent.

The rows of one object and field travel together, whoever of the leavers has them. A row that has
its new owner is not found again, so a run that was killed simply looks again. Few rows travel by
200 in a request, many by an ingest job. Rows that could not be locked are tried again in smaller
batches, children of one parent together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice

from sfexit.errors import Blocked, DamagedAnswer, OrgRefused, OutcomeUnknown
from sfexit.offboarding import companions as companies
from sfexit.offboarding.companions import Companion
from sfexit.offboarding.journal import Event, Journal
from sfexit.offboarding.looking import IDS, by_ids, chunks, rows
from sfexit.offboarding.plan import Transfer, soql_list
from sfexit.salesforce import describe, writing
from sfexit.salesforce.client import Client
from sfexit.salesforce.writing import Outcome

CANARY = 10  # rows of an object that go first: what refuses them would refuse all
JOB_FROM = 2_000  # rows from which an ingest job needs fewer calls
_SMALLER = (50, 10, 1)  # batches for rows that could not be locked
LOCKED = frozenset({"UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "NOT_PROCESSED", "NOT_DONE"})
#: Activities older than a year, and archived files: only queryAll shows them, and they can be
#: changed.
ARCHIVED = frozenset({"Task", "Event", "ContentDocument"})
_PARENTS = ("AccountId", "WhatId", "ParentId", "OpportunityId", "CaseId")


@dataclass(frozen=True)
class Row:
    """A row that changes hands. `parent` is what rows are kept together by."""

    id: str
    before: str
    after: str
    parent: str = ""


@dataclass(frozen=True)
class Group:
    """Transfers of one object and field. `given` (id → holder, new value) replaces the search."""

    name: str
    object: str
    field: str
    where: str
    transfers: tuple[Transfer, ...]
    given: Mapping[str, tuple[str, str]] | None = None

    @property
    def holders(self) -> dict[str, Transfer]:
        """Transfers by the user who has the rows."""
        return {one.user_id: one for one in self.transfers}


def groups(transfers: Sequence[Transfer]) -> list[Group]:
    """Transfers put together, in the order in which they are carried out."""

    def key(one: Transfer) -> tuple[int, str, str, str]:
        return (one.order, one.object, one.field, one.where)

    out = []
    for (_, name, column, where), some in groupby(sorted(transfers, key=key), key):
        title = f"{name}.{column}" + (f" [{where}]" if where else "")
        out.append(Group(title, name, column, where, tuple(some)))
    return out


@dataclass
class Handing:
    """Hands rows over for one run. `check` may raise to stop between two requests."""

    client: Client
    journal: Journal
    objects: frozenset[str]
    check: Callable[[], None]
    _companions: dict[str, tuple[Companion, ...]] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)
    _found: Counter[str] = field(default_factory=Counter)

    def hand_over(self, group: Group) -> None:
        """Carry out the transfers of one object and field.

        Raises Blocked when more rows turn up than the plan allows.
        """
        self._take_up(group)
        self._found.clear()
        tried: set[str] = set()
        while True:
            self.check()
            found = list(islice(self._find(group, tried), writing.MOST_IN_JOB))
            if not found:
                break
            tried.update(row.id for row in found)
            self._within(group, found)
            if not self._round(group, found):
                return
        self._try_again(group)

    # ---- finding -------------------------------------------------------------------------------

    def _find(self, group: Group, tried: set[str]) -> Iterator[Row]:
        parent = self._parent(group.object)
        columns = [group.field, *([parent] if parent else [])]
        wide = group.object in ARCHIVED
        narrowed = [f"({group.where})"] if group.where else []
        narrowed += ["IsDeleted = false"] if wide else []
        found: Iterable[dict[str, object]]
        if group.given is not None:
            found = by_ids(
                self.client, group.object, columns, group.given, where=" AND ".join(narrowed),
                all_rows=wide,
            )  # fmt: skip
        else:
            found = self._owned(group, columns, parent, narrowed, wide=wide)
        for row in found:
            row_id, holder = str(row["Id"]), str(row[group.field])
            target = self._target(group, row_id, holder)
            if row_id not in tried and target:
                yield Row(row_id, holder, target, str(row.get(parent) or "") if parent else "")

    def _owned(
        self, group: Group, columns: list[str], parent: str, narrowed: list[str], *, wide: bool
    ) -> Iterator[dict[str, object]]:
        for part in chunks(group.holders, IDS):
            terms = [f"{group.field} IN {soql_list(part)}", *narrowed]
            soql = (
                f"SELECT {', '.join(('Id', *columns))} FROM {group.object} "  # noqa: S608
                f"WHERE {' AND '.join(terms)}"
            )
            if parent:
                soql += f" ORDER BY {parent}"
            yield from rows(self.client, soql, all_rows=wide)

    @staticmethod
    def _target(group: Group, row_id: str, holder: str) -> str:
        """The new value of a row; empty when it is not ours to change."""
        if group.given is None:
            return group.holders[holder].to if holder in group.holders else ""
        # Compare and swap: only what still has the value that we gave.
        wanted, back = group.given.get(row_id, ("", ""))
        return back if holder == wanted else ""

    def _within(self, group: Group, found: list[Row]) -> None:
        """Refuse more rows of somebody than the plan allows."""
        if group.given is not None:
            return
        self._found.update(row.before for row in found)
        for holder, one in group.holders.items():
            if self._found[holder] > one.most:
                raise Blocked(
                    f"more than {one.most:,} rows of {group.name} would be handed over for "
                    f"{holder}, which is all that the plan allows: make a new plan"
                )

    def _parent(self, name: str) -> str:
        if name not in self._parents:
            _, about = describe.describe(self.client, name)
            known = {one.name for one in about.fields if one.sortable}
            self._parents[name] = next((p for p in _PARENTS if p in known), "")
        return self._parents[name]

    # ---- a round of batches ----------------------------------------------------------------------

    def _round(self, group: Group, found: list[Row]) -> bool:
        """Hand over what was found; false when the first rows showed that none would go."""
        self._save(group, found)
        if self.journal.progress.moved.get(group.name, 0) == 0 and len(found) > 5 * CANARY:
            canary, found = found[:CANARY], found[CANARY:]
            self._batch(group, canary)
            failed = self.journal.progress.failed.get(group.name, {})
            codes = {failed[row.id][0] for row in canary if row.id in failed}
            if all(row.id in failed for row in canary) and not codes & LOCKED:
                self.journal.record("skipped", transfer=group.name, rows=len(found))
                self._restore(group)
                return False
        job = len(found) > JOB_FROM
        for part in chunks(found, writing.MOST_IN_JOB if job else writing.MOST):
            self.check()
            self._batch(group, part, job=job)
        self._restore(group)
        return True

    def _batch(self, group: Group, found: Sequence[Row], *, job: bool = False) -> None:
        number = self.journal.progress.last_batch.get(group.name, 0) + 1
        moves: dict[tuple[str, str], list[str]] = {}
        for row in found:
            moves.setdefault((row.before, row.after), []).append(row.id)
        self.journal.record(
            "intent",
            transfer=group.name,
            batch=number,
            object=group.object,
            field=group.field,
            moves=[[before, after, ids] for (before, after), ids in moves.items()],
        )
        values = {row.id: row.after for row in found}
        try:
            outcomes = (self._by_job if job else self._by_request)(group, number, values)
        except (OutcomeUnknown, DamagedAnswer):
            outcomes = self._looked_after(group, values)
        except OrgRefused as refusal:
            outcomes = [Outcome(one, False, refusal.code, refusal.reason) for one in values]
        self._told(group, number, outcomes)

    def _told(self, group: Group, number: int, outcomes: list[Outcome]) -> None:
        known = self.journal.progress.failed.get(group.name, {})
        self.journal.record(
            "outcome",
            transfer=group.name,
            batch=number,
            done=sum(row.ok for row in outcomes),
            failed=[[row.id, row.code, row.message] for row in outcomes if not row.ok],
            went=[row.id for row in outcomes if row.ok and row.id in known],
        )

    def _by_request(self, group: Group, number: int, values: Mapping[str, str]) -> list[Outcome]:
        del number
        listed = [{"Id": row_id, group.field: value} for row_id, value in values.items()]
        return writing.update(self.client, group.object, listed)

    def _by_job(self, group: Group, number: int, values: Mapping[str, str]) -> list[Outcome]:
        job = writing.open_job(self.client, group.object)
        self.journal.record("job", transfer=group.name, batch=number, job=job.id)
        writing.upload(self.client, job.id, ["Id", group.field], values.items())
        writing.start(self.client, job.id)
        writing.wait(self.client, job.id)
        told = {row.id: row for row in writing.outcomes(self.client, job.id)}
        # A row that no list names was not done as far as anybody can tell; it is tried again.
        return [
            told.get(row_id) or Outcome(row_id, False, "NOT_PROCESSED", "the job told nothing")
            for row_id in values
        ]

    def _looked_after(self, group: Group, values: Mapping[str, str]) -> list[Outcome]:
        live = {
            str(row["Id"]): row.get(group.field)
            for row in by_ids(self.client, group.object, [group.field], values, all_rows=True)
        }
        return [
            Outcome(row_id, True)
            if live.get(row_id) == value
            else Outcome(row_id, False, "NOT_DONE", "the org gave no answer and did nothing")
            for row_id, value in values.items()
        ]

    def _try_again(self, group: Group) -> None:
        """Rows that were locked, in smaller batches; the rest of the failures stay as they are."""
        for size in _SMALLER:
            failed = self.journal.progress.failed.get(group.name, {})
            locked = {row_id for row_id, (code, _) in failed.items() if code in LOCKED}
            if not locked:
                return
            found = sorted(self._again(group, locked), key=lambda row: (row.parent, row.id))
            self._save(group, found)
            for part in chunks(found, size):
                self.check()
                self._batch(group, part)
            self._restore(group)

    def _again(self, group: Group, ids: Iterable[str]) -> Iterator[Row]:
        parent = self._parent(group.object)
        columns = [group.field, *([parent] if parent else [])]
        for row in by_ids(self.client, group.object, columns, ids, all_rows=True):
            row_id, holder = str(row["Id"]), str(row[group.field])
            target = self._target(group, row_id, holder)
            if target:
                yield Row(row_id, holder, target, str(row.get(parent) or "") if parent else "")

    # ---- teams and shares ------------------------------------------------------------------------

    def _about(self, name: str) -> tuple[Companion, ...]:
        if name not in self._companions:
            self._companions[name] = companies.companions(self.client, name, self.objects)
        return self._companions[name]

    def _save(self, group: Group, found: Sequence[Row]) -> None:
        if group.field != "OwnerId" or not found:
            return
        number = self.journal.progress.last_batch.get(group.name, 0) + 1
        owners = sorted({row.before for row in found})
        wanted = {row.id for row in found}
        for companion in self._about(group.object):
            saved = companies.save_of_owners(self.client, companion, owners, wanted)
            if saved:
                self.journal.record(
                    "saved", transfer=group.name, batch=number, object=companion.name, rows=saved
                )

    def _restore(self, group: Group) -> None:
        if group.field != "OwnerId":
            return
        known = {one.name: one for one in self._about(group.object)}
        for batch, name, saved in list(companies.unrestored(self.journal, group.name)):
            if name in known:
                companies.restore(self.client, self.journal, known[name], group.name, batch, saved)

    # ---- after a kill ----------------------------------------------------------------------------

    def _take_up(self, group: Group) -> None:
        """Settle batches that a killed run left without an outcome."""
        progress = self.journal.progress
        for (name, number), intent in sorted(progress.batches.items()):
            if name != group.name:
                continue
            job = progress.jobs.get((name, number))
            if job is not None:
                self._settle_job(job)
            self._told(group, number, self._looked_after(group, wanted(intent)))
        self._restore(group)

    def _settle_job(self, job_id: str) -> None:
        """A job that was under way works on by itself, or never began: wait, or give it up."""
        try:
            job = writing.look(self.client, job_id)
            if job.state == "Open":
                writing.abort(self.client, job_id)
            elif not job.finished:
                writing.wait(self.client, job_id)
        except OrgRefused:
            return  # gone: jobs live a week


def wanted(intent: Event) -> dict[str, str]:
    """Id → the value that a batch's intent wants it to have."""
    return {str(row): str(after) for _, after, ids in intent["moves"] for row in ids}
