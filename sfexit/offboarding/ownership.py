"""Handing rows over: found anew, in batches that are journalled before they are sent.

A row that has its new owner is not found again, so a run that was killed simply looks again. Few
rows travel by 200 in a request, many by an ingest job. Rows that could not be locked are tried
again in smaller batches, children of one parent together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from sfexit.errors import Blocked, DamagedAnswer, OrgRefused, OutcomeUnknown
from sfexit.offboarding import companions as companies
from sfexit.offboarding.companions import Companion
from sfexit.offboarding.journal import Event, Journal
from sfexit.offboarding.looking import by_ids, chunks, rows
from sfexit.offboarding.plan import Transfer, soql_text
from sfexit.salesforce import describe, query, writing
from sfexit.salesforce.client import Client
from sfexit.salesforce.writing import Outcome

CANARY = 10  # rows of an object that go first: what refuses them would refuse all
JOB_FROM = 2_000  # rows from which an ingest job needs fewer calls
_SMALLER = (50, 10, 1)  # batches for rows that could not be locked
_LOCKED = frozenset({"UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "NOT_PROCESSED", "NOT_DONE"})
#: Activities older than a year are archived: only queryAll shows them, and they can be changed.
_ARCHIVED = frozenset({"Task", "Event"})
_PARENTS = ("AccountId", "WhatId", "ParentId", "OpportunityId", "CaseId")

Found = tuple[str, str]  # id, parent


@dataclass
class Handing:
    """Hands rows over for one run. `check` may raise to stop between two requests."""

    client: Client
    journal: Journal
    objects: frozenset[str]
    check: Callable[[], None]
    failures: Callable[[int], None]  # told of rows that failed; may raise when they are too many
    _companions: dict[str, tuple[Companion, ...]] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)

    def hand_over(self, one: Transfer, given: Mapping[str, str] | None = None) -> None:
        """Carry out one transfer. `given` (id → new value) replaces the search: for an undo."""
        self._take_up(one)
        count = self._count(one) if given is None else len(given)
        if given is None and count > one.most:
            raise Blocked(
                f"{count:,} rows of {one.object}.{one.field} would be handed over, the plan allows "
                f"{one.most:,}: make a new plan"
            )
        tried: set[str] = set()
        while True:
            self.check()
            found = list(islice(self._find(one, given, tried), writing.MOST_IN_JOB))
            if not found:
                break
            tried.update(row_id for row_id, _ in found)
            if not self._round(one, found, given):
                return
        self._try_again(one, given)
        left = self.journal.progress.failed.get(one.id, {})
        self.failures(len(left))

    # ---- finding -------------------------------------------------------------------------------

    def _where(self, one: Transfer) -> str:
        terms = [f"{one.field} = {soql_text(one.user_id)}"]
        if one.where:
            terms.append(f"({one.where})")
        if one.object in _ARCHIVED:
            terms.append("IsDeleted = false")
        return " AND ".join(terms)

    def _count(self, one: Transfer) -> int:
        wide = one.object in _ARCHIVED
        return query.count(self.client, one.object, self._where(one), all_rows=wide)

    def _find(
        self, one: Transfer, given: Mapping[str, str] | None, tried: set[str]
    ) -> Iterator[Found]:
        parent = self._parent(one.object)
        columns = ["Id", parent] if parent else ["Id"]
        wide = one.object in _ARCHIVED
        found: Iterable[dict[str, object]]
        if given is not None:
            # Compare and swap: only what still has the value that we gave.
            found = by_ids(
                self.client, one.object, columns[1:], given, where=self._where(one), all_rows=wide
            )
        else:
            soql = (
                f"SELECT {', '.join(columns)} FROM {one.object} "  # noqa: S608
                f"WHERE {self._where(one)}"
            )
            if parent:
                soql += f" ORDER BY {parent}"
            found = rows(self.client, soql, all_rows=wide)
        for row in found:
            row_id = str(row["Id"])
            if row_id not in tried:
                yield row_id, str(row.get(parent) or "") if parent else ""

    def _parent(self, name: str) -> str:
        if name not in self._parents:
            _, about = describe.describe(self.client, name)
            known = {one.name for one in about.fields if one.sortable}
            self._parents[name] = next((p for p in _PARENTS if p in known), "")
        return self._parents[name]

    def _round(self, one: Transfer, found: list[Found], given: Mapping[str, str] | None) -> bool:
        """Hand over what was found; false when the first rows showed that none would go."""
        if self.journal.progress.moved.get(one.id, 0) == 0:
            canary, found = found[:CANARY], found[CANARY:]
            self._batch(one, canary, given=given)
            failed = self.journal.progress.failed.get(one.id, {})
            codes = {failed[row_id][0] for row_id, _ in canary if row_id in failed}
            refused = all(row_id in failed for row_id, _ in canary)
            if found and refused and not codes & _LOCKED:
                self.failures(len(canary))
                self.journal.record("skipped", transfer=one.id, rows=len(found))
                return False
        job = len(found) > JOB_FROM
        for part in chunks(found, writing.MOST_IN_JOB if job else writing.MOST):
            self.check()
            self._batch(one, part, job=job, given=given)
        return True

    # ---- a batch -------------------------------------------------------------------------------

    def _batch(
        self,
        one: Transfer,
        found: list[Found],
        *,
        job: bool = False,
        given: Mapping[str, str] | None = None,
    ) -> None:
        number = self.journal.progress.last_batch.get(one.id, 0) + 1
        ids = [row_id for row_id, _ in found]
        if one.field == "OwnerId":
            self._save(one, number, ids)
        self.journal.record(
            "intent",
            transfer=one.id,
            batch=number,
            object=one.object,
            field=one.field,
            before=one.user_id,
            to=one.to if given is None else "",
            rows=[[row_id, given[row_id]] for row_id in ids] if given is not None else ids,
        )
        values = {row_id: (one.to if given is None else given[row_id]) for row_id in ids}
        try:
            outcomes = (self._by_job if job else self._by_request)(one, number, values)
        except (OutcomeUnknown, DamagedAnswer):
            outcomes = self._looked_after(one, values)
        except OrgRefused as refusal:
            outcomes = [Outcome(row_id, False, refusal.code, refusal.reason) for row_id in ids]
        self._told(one, number, outcomes)
        self._restore(one)

    def _told(self, one: Transfer, number: int, outcomes: list[Outcome]) -> None:
        known = self.journal.progress.failed.get(one.id, {})
        self.journal.record(
            "outcome",
            transfer=one.id,
            batch=number,
            done=sum(row.ok for row in outcomes),
            failed=[[row.id, row.code, row.message] for row in outcomes if not row.ok],
            went=[row.id for row in outcomes if row.ok and row.id in known],
        )

    def _by_request(self, one: Transfer, number: int, values: Mapping[str, str]) -> list[Outcome]:
        del number
        listed = [{"Id": row_id, one.field: value} for row_id, value in values.items()]
        return writing.update(self.client, one.object, listed)

    def _by_job(self, one: Transfer, number: int, values: Mapping[str, str]) -> list[Outcome]:
        job = writing.open_job(self.client, one.object)
        self.journal.record("job", transfer=one.id, batch=number, job=job.id)
        writing.upload(self.client, job.id, ["Id", one.field], values.items())
        writing.start(self.client, job.id)
        return self._finished(job.id, values)

    def _finished(self, job_id: str, values: Mapping[str, str]) -> list[Outcome]:
        writing.wait(self.client, job_id)
        told = {row.id: row for row in writing.outcomes(self.client, job_id)}
        # A row that no list names was not done as far as anybody can tell; it is looked for again.
        return [
            told.get(row_id) or Outcome(row_id, False, "NOT_PROCESSED", "the job told nothing")
            for row_id in values
        ]

    def _looked_after(self, one: Transfer, values: Mapping[str, str]) -> list[Outcome]:
        live = {
            str(row["Id"]): row.get(one.field)
            for row in by_ids(self.client, one.object, [one.field], values, all_rows=True)
        }
        return [
            Outcome(row_id, True)
            if live.get(row_id) == value
            else Outcome(row_id, False, "NOT_DONE", "the org gave no answer and did nothing")
            for row_id, value in values.items()
        ]

    def _try_again(self, one: Transfer, given: Mapping[str, str] | None) -> None:
        """Rows that were locked, in smaller batches; the rest of the failures stay as they are."""
        for size in _SMALLER:
            failed = self.journal.progress.failed.get(one.id, {})
            locked = {row_id for row_id, (code, _) in failed.items() if code in _LOCKED}
            if not locked:
                return
            parent = self._parent(one.object)
            found = sorted(
                (
                    (str(row["Id"]), str(row.get(parent) or "") if parent else "")
                    for row in by_ids(
                        self.client, one.object, [parent] if parent else [], locked, all_rows=True
                    )
                ),
                key=lambda row: (row[1], row[0]),
            )
            for part in chunks(found, size):
                self.check()
                self._batch(one, part, given=given)

    # ---- teams and shares ------------------------------------------------------------------------

    def _about(self, name: str) -> tuple[Companion, ...]:
        if name not in self._companions:
            self._companions[name] = companies.companions(self.client, name, self.objects)
        return self._companions[name]

    def _save(self, one: Transfer, number: int, ids: list[str]) -> None:
        for companion in self._about(one.object):
            saved = companies.save(self.client, companion, ids)
            if saved:
                self.journal.record(
                    "saved", transfer=one.id, batch=number, object=companion.name, rows=saved
                )

    def _restore(self, one: Transfer) -> None:
        known = companies.by_name(self._about(one.object)) if one.field == "OwnerId" else {}
        for batch, name, saved in list(companies.unrestored(self.journal, one.id)):
            if name in known:
                companies.restore(self.client, self.journal, known[name], one.id, batch, saved)

    # ---- after a kill ----------------------------------------------------------------------------

    def _take_up(self, one: Transfer) -> None:
        """Settle batches that a killed run left without an outcome."""
        progress = self.journal.progress
        for (name, number), intent in sorted(progress.batches.items()):
            if name != one.id:
                continue
            values = wanted(intent)
            job = progress.jobs.get((name, number))
            if job is not None:
                self._settle_job(job)
            self._told(one, number, self._looked_after(one, values))
        self._restore(one)

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
    if intent["to"]:
        return dict.fromkeys(map(str, intent["rows"]), str(intent["to"]))
    return {str(row_id): str(value) for row_id, value in intent["rows"]}
