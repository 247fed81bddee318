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
from itertools import islice

from sfexit.errors import Blocked, DamagedAnswer, OrgRefused, OutcomeUnknown
from sfexit.offboarding import companions as companies
from sfexit.offboarding.companions import Companion
from sfexit.offboarding.finding import Finder, Group, Row, as_row, canary, parts
from sfexit.offboarding.journal import Event, Journal
from sfexit.offboarding.looking import by_ids, chunks
from sfexit.preflight.questions import Questions
from sfexit.salesforce import writing
from sfexit.salesforce.client import Client
from sfexit.salesforce.writing import Outcome

#: Batches for rows that could not be locked, and how long to wait before (seconds): whoever holds
#: a lock keeps it for seconds (Record Locking Cheat Sheet).
_SMALLER = ((50, 2.0), (10, 5.0), (1, 10.0))
LOCKED = frozenset({"UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "NOT_PROCESSED", "NOT_DONE"})


@dataclass
class Handing:
    """Hands rows over for one run. `check` may raise to stop between two requests."""

    questions: Questions
    journal: Journal
    objects: frozenset[str]
    check: Callable[[], None]
    _companions: dict[str, tuple[Companion, ...]] = field(default_factory=dict)
    _found: Counter[str] = field(default_factory=Counter)
    _stuck: dict[str, Row] = field(default_factory=dict)  # of this group, refused in this run

    @property
    def client(self) -> Client:
        """The client that asks and changes."""
        return self.questions.client

    @property
    def finder(self) -> Finder:
        """What looks rows up."""
        return Finder(self.questions)

    def hand_over(self, group: Group) -> None:
        """Carry out the transfers of one object and field.

        Raises Blocked when more rows turn up than the plan allows.
        """
        self._take_up(group)
        self._found.clear()
        self._stuck.clear()
        for found in self._owned(group) if group.given is None else self.finder.given(group):
            self.check()
            if not self._round(group, found):
                return
        self._try_again(group)

    # ---- finding -------------------------------------------------------------------------------

    def _owned(self, group: Group) -> Iterator[list[Row]]:
        """Rows of the leavers, found anew after each round: what went is not found again."""
        before: set[str] = set()
        while found := list(islice(self.finder.owned(group, self._stuck), writing.MOST_IN_JOB)):
            again = [row for row in found if row.id in before]
            if again:
                self._came_back(group, again)
                found = [row for row in found if row.id not in before]
            if not found:
                return
            self._within(group, found)
            before = {row.id for row in found}
            yield found

    def _came_back(self, group: Group, rows_: Sequence[Row]) -> None:
        """The org said that these went, and has them as before: something there undoes it."""
        told = "the org took the change back: look for a trigger or flow that sets the owner"
        self._stuck.update((row.id, row) for row in rows_)
        self.journal.record(
            "outcome",
            transfer=group.name,
            batch=self.journal.progress.last_batch.get(group.name, 0),
            done=-len(rows_),
            failed=[[row.id, "CAME_BACK", told] for row in rows_],
            went=[],
        )

    def _within(self, group: Group, found: list[Row]) -> None:
        """Refuse more rows of somebody than the plan allows."""
        self._found.update(row.before for row in found)
        for holder, one in group.holders.items():
            if self._found[holder] > one.most:
                raise Blocked(
                    f"more than {one.most:,} rows of {group.name} would be handed over for "
                    f"{holder}, which is all that the plan allows: make a new plan"
                )

    # ---- a round of batches ----------------------------------------------------------------------

    def _round(self, group: Group, found: list[Row]) -> bool:
        """Hand over what was found; false when the first rows showed that none would go."""
        self._save(group, found)
        few = canary(found) if self.journal.progress.moved.get(group.name, 0) == 0 else 0
        if few:
            first, found = found[:few], found[few:]
            self._batch(group, first)
            failed = self.journal.progress.failed.get(group.name, {})
            codes = {failed[row.id][0] for row in first if row.id in failed}
            if all(row.id in failed for row in first) and not codes & LOCKED:
                self.journal.record("skipped", transfer=group.name, rows=len(found))
                self._restore(group)
                return False
        for part, job in parts(found):
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
        self._stuck.update((row.id, row) for row in found)
        for one in outcomes:
            if one.ok:
                self._stuck.pop(one.id, None)
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
        ended = writing.wait(self.client, job.id)
        # A row that no list names was not done as far as anybody can tell; it is tried again.
        return writing.outcomes(self.client, ended, list(values))

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
        for size, wait in _SMALLER:
            failed = self.journal.progress.failed.get(group.name, {})
            locked = {row_id for row_id, (code, _) in failed.items() if code in LOCKED}
            if not locked:
                return
            self.client.pause(wait)
            found = sorted(self._again(group, locked), key=lambda row: (row.parent, row.id))
            self._save(group, found)
            for part in chunks(found, size):
                self.check()
                self._batch(group, part)
            self._restore(group)

    def _again(self, group: Group, ids: Iterable[str]) -> Iterator[Row]:
        """Those of the rows that still have the holder from whom they were to go."""
        parent = self.finder.parent(group.object)
        columns = [group.field, *([parent] if parent else [])]
        wanted = [one for one in ids if one in self._stuck]
        for told in by_ids(self.client, group.object, columns, wanted, all_rows=True):
            before = self._stuck.get(str(told["Id"]))
            if before is not None and told[group.field] == before.before:
                yield as_row(told, group, parent, before.after)

    # ---- teams and shares ------------------------------------------------------------------------

    def _about(self, name: str) -> tuple[Companion, ...]:
        if name not in self._companions:
            self._companions[name] = companies.companions(self.questions, name, self.objects)
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
                companies.restore(
                    self.client, self.journal, known[name], group.object, group.name, batch, saved
                )

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
