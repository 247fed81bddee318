"""Reading the rows of one object into pages, whatever happens on the way.

An object is read in one or more *readings*; only the last one counts. A reading consists of
*slices* (one, unless the object had to be divided by date), a slice of pages. Whatever is finished
is in the journal, so the same code begins, resumes and repeats.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sfexit.archive import layout, sealing
from sfexit.archive.durable import Disk
from sfexit.archive.journal import Journal
from sfexit.archive.layout import HomeLayout
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.page import LIMIT_CSV_BYTES, PageFacts, PageWriter, csv_rows
from sfexit.catalog import Description, ObjectEntry
from sfexit.errors import Interrupted, OrgRefused, OutcomeUnknown, Transient
from sfexit.export import plan, wide
from sfexit.export.rest_rows import RowShaper
from sfexit.export.scout import NOTHING, Found
from sfexit.progress import Progress
from sfexit.salesforce import bulk, query
from sfexit.salesforce import describe as describing
from sfexit.salesforce.client import Client
from sfexit.salesforce.object_rules import Rule, rule_for

_READINGS = 4  # tries at a whole object in one run, not counting dropped fields
_SLICES = 512  # an object divided more often than this is not going to be read
_CREATE_TRIES = 4
PAGE_ROWS = 25_000  # asked for where pages come one after another (before API 58.0)
_PAGES_AHEAD = 16  # pages of one object that wait for a stream

# A failed job tells its error as "CODE: words". Only what another query cures is taken for more
# than a failed job.
_JOB_ERROR = re.compile(r"\s*(INVALID_FIELD|QUERY_TIMEOUT|OPERATION_TOO_LARGE)\b")


@dataclass(frozen=True)
class Tuning:
    """What is fixed in daily use, and set otherwise by tests and by odd orgs."""

    page_csv_bytes: int = LIMIT_CSV_BYTES  # a page that unpacks to more is refused
    bulk_from_rows: int = plan.BULK_FROM_ROWS
    scout: bool = True  # look ahead by composite requests
    job_stuck_seconds: float = bulk.STUCK_AFTER_SECONDS
    clock: Callable[[], float] = time.monotonic


class _Reread(Exception):
    """The reading is spoilt; the reason is told to the user if it stays so."""


@dataclass(frozen=True)
class _Totals:
    """Sums over a whole reading, each from its own witness."""

    counted: int
    declared: int | None
    job_total: int | None


@dataclass
class _Work:
    """One object while it is read."""

    entry: ObjectEntry
    rule: Rule | None
    description: Description
    columns: list[str]
    left_out: dict[str, str]
    reading: int
    route: str
    refused: set[str] = field(default_factory=set)  # routes that the org refused
    first: query.QueryPage | None = None  # the answer to its plain query, if it came ahead

    @property
    def name(self) -> str:
        return self.entry.name


class Reader:
    """The means of one run to read objects. `read` may be called from several threads."""

    def __init__(
        self,
        client: Client,
        home: HomeLayout,
        disk: Disk,
        journal: Journal,
        progress: Progress,
        *,
        stop: threading.Event,
        streams: ThreadPoolExecutor,
        verifying: threading.Semaphore,
        names: dict[str, str],
        user_id: str,
        tuning: Tuning,
    ) -> None:
        """`streams` fetch pages; `verifying` bounds how many of them unpack and count at once;
        `names` are the file-safe names of objects."""
        self._client = client
        self._bag = home.work_bag
        self._home = home
        self._disk = disk
        self._journal = journal
        self._progress = progress
        self._stop = stop
        self._streams = streams
        self._verifying = verifying
        self.names = names
        self._user_id = user_id
        self._tuning = tuning

    # ---- one object --------------------------------------------------------------------------

    def read(self, entry: ObjectEntry, found: Found = NOTHING) -> LedgerLine:
        """Read an object to the end. `found` is what came of it ahead. Raises Transient when it
        may succeed later, Paused, SignInProblem, Interrupted when the run must stop; refusals
        become the line."""
        started = _now()
        rule = rule_for(entry)
        try:
            line = self._read(entry, rule, found)
        except OrgRefused as refusal:
            answer = plan.meaning(refusal, route="rest", columns=())
            if not isinstance(answer, plan.GiveUp):
                answer = plan.GiveUp("failed", "the org refused to describe it", plan.RUN_AGAIN)
            line = LedgerLine(
                entry.name,
                entry.label,
                answer.outcome,
                reason=answer.reason,
                evidence=str(refusal),
                remedy=answer.remedy,
            )
        return replace(line, started=started, finished=_now())

    def failed(self, entry: ObjectEntry, fault: Transient) -> LedgerLine:
        """The line of an object that kept meeting passing faults. What was read of it stays."""
        [state] = self._journal.rows("SELECT * FROM object WHERE name = ?", (entry.name,))
        rows = self._rows_of(entry.name)
        line = LedgerLine(
            entry.name,
            entry.label,
            "failed",
            route=state["route"] or "",
            rows=rows or None,
            fields_exported=len(json.loads(state["fields"])) if state["fields"] else None,
            fields_not_exported=json.loads(state["left_out"]) if state["left_out"] else {},
            reason="the org or the line kept failing, in two rounds of many tries",
            evidence=str(fault),
            remedy=plan.RUN_AGAIN,
            finished=_now(),
        )
        if not line.has_rows:
            self._abandon(entry.name, state["reading"], state["route"] or "")
        return line

    def reread(self, name: str, why: str) -> None:
        """Let the object be read from the start by the next `read`, whatever it came to."""
        self._note(name, "reading", f"{why}; the object is read again")
        self._journal.record("again", object=name, fresh=True)

    def _read(self, entry: ObjectEntry, rule: Rule | None, found: Found) -> LedgerLine:
        work = self._begin(entry, rule, self.description(entry.name, found.describe))
        line = self._rows(work, found)
        if not line.has_rows:
            self._abandon(work.name, work.reading, work.route)
        return line

    def _abandon(self, name: str, reading: int, route: str) -> None:
        """An object without rows has no page in the bag, not even an empty one."""
        if self._journal.rows(
            "SELECT 1 FROM page WHERE object = ? AND reading = ?", (name, reading)
        ):
            self._next_reading(name, reading, route)

    def _rows(self, work: _Work, found: Found) -> LedgerLine:
        entry = work.entry
        if not work.columns:
            return LedgerLine(
                entry.name,
                entry.label,
                "not_exported",
                reason="it has no field that can be read as text",
                evidence="describe",
                remedy=plan.REPORT_IT,
                fields_not_exported=work.left_out,
            )
        fresh = not work.route
        if not fresh or list(found.columns) != work.columns:
            found = NOTHING  # it speaks of another query, or a reading is under way
        if found.refusal is not None:
            answer = plan.meaning(found.refusal, route="rest", columns=work.columns)
            if isinstance(answer, plan.GiveUp):
                return self._line(
                    work,
                    answer.outcome,
                    rows=None,
                    reason=answer.reason,
                    evidence=str(found.refusal),
                    remedy=answer.remedy,
                    route="rest",
                )
        ahead = found.page
        before = self._count(work) if ahead is None else ahead.total_size
        # An answer that holds all its rows is one look at the org: nothing can change within it.
        at_once = ahead is not None and ahead.next_path is None
        if fresh:
            if before == 0 and (ahead is None or not ahead.records):
                witness = "count_before" if ahead is None else "declared"
                return self._line(work, "empty", rows=0, witnesses={witness: 0}, route="")
            work.route = self._route(work, before)
            work.first = ahead if work.route == "rest" else None
            at_once = at_once and work.first is not None
        self._progress.object_started(entry.name, before)
        spoilt = ""
        for attempt in range(_READINGS):
            try:
                totals = self._attempt(work, fresh=fresh or attempt > 0)
            except _Reread as reason:
                at_once = False
                spoilt = str(reason)
                self._note(work.name, "reading", f"{spoilt}; the object is read again")
                continue
            except _GivenUp as given:
                return self._line(
                    work,
                    given.answer.outcome,
                    rows=self._rows_of(work.name) if given.answer.outcome == "failed" else None,
                    witnesses={} if before is None else {"count_before": before},
                    reason=given.answer.reason,
                    evidence=str(given.refusal),
                    remedy=given.answer.remedy,
                )
            if at_once:
                return self._finished(work, totals, None, None, "")
            after = self._count(work)
            doubt = self._doubt(totals, before, after)
            if doubt and attempt == 0:
                spoilt = doubt
                self._note(work.name, "count", f"{doubt}; the object is read again")
                continue
            return self._finished(work, totals, before, after, doubt)
        return self._line(
            work,
            "failed",
            rows=self._rows_of(work.name),
            reason=f"it was read {_READINGS} times and never came whole: {spoilt}",
            evidence=spoilt,
            remedy=plan.RUN_AGAIN,
        )

    def description(self, name: str, ahead: bytes | None = None) -> Description:
        """The object's describe: from the archive if it is there, else `ahead` or what the org
        says, into it."""
        relative = layout.describe_path(self.names[name])
        stored = sealing.stored_file(self._journal, self._bag, relative)
        if stored is not None:
            return describing.parse_description(stored)
        if ahead is not None:
            data, description = ahead, describing.parse_description(ahead)
        else:
            data, description = describing.describe(self._client, name)
        sealing.publish_file(self._disk, self._journal, self._bag, relative, data)
        return description

    def _begin(self, entry: ObjectEntry, rule: Rule | None, description: Description) -> _Work:
        [state] = self._journal.rows("SELECT * FROM object WHERE name = ?", (entry.name,))
        if state["fields"] is not None:
            columns, left_out = json.loads(state["fields"]), json.loads(state["left_out"])
        else:
            columns, left_out = plan.columns_of(*describing.selectable(description))
            self._describe_event(entry.name, columns, left_out)
        return _Work(
            entry,
            rule,
            description,
            columns,
            left_out,
            reading=state["reading"],
            route=state["route"] or "",
        )

    def _describe_event(self, name: str, columns: list[str], left_out: dict[str, str]) -> None:
        self._journal.record("described", object=name, fields=columns, left_out=left_out)

    def _count(self, work: _Work) -> int | None:
        if work.rule is not None and work.rule.kind == "uncounted":
            return None
        try:
            return query.count(self._client, work.name)
        except OrgRefused:
            return None  # reading it may still work; the witness is missing then

    def _route(self, work: _Work, count: int | None) -> str:
        fits = query.uri_length(self._client, plan.soql(work.name, work.columns)) <= query.URI_LIMIT
        return plan.route(
            rule=work.rule,
            bulk_refuses=describing.bulk_refuses(work.description),
            count=count,
            uri_fits=fits,
            bulk_from_rows=self._tuning.bulk_from_rows,
        )

    # ---- one reading -------------------------------------------------------------------------

    def _attempt(self, work: _Work, *, fresh: bool) -> _Totals:
        """Finish the reading under way, or do a new one. Follows the org's refusals."""
        if fresh:
            self._new_reading(work)
        while True:
            try:
                return self._slices(work)
            except OrgRefused as refusal:
                self._follow(work, refusal)

    def _new_reading(self, work: _Work) -> None:
        work.reading = self._next_reading(work.name, work.reading, work.route)

    def _next_reading(self, name: str, reading: int, route: str) -> int:
        # Our query jobs of the reading that is given up are of no use to anybody.
        jobs = self._journal.rows(
            "SELECT job_id FROM slice WHERE object = ? AND reading = ? AND job_id IS NOT NULL",
            (name, reading),
        )
        for row in jobs:
            self._drop_job(row["job_id"])
        self._journal.record("reading", object=name, reading=reading + 1, route=route)
        dropped = sealing.drop_abandoned(self._home, self._disk, self._journal, name)
        if dropped:
            self._note(name, "reading", f"{dropped} pages of the reading before were dropped")
        return reading + 1

    def _drop_job(self, job_id: str) -> None:
        with suppress(OrgRefused, Transient):
            bulk.abort(self._client, job_id)
        with suppress(OrgRefused, Transient):
            bulk.delete(self._client, job_id)

    def _follow(self, work: _Work, refusal: OrgRefused) -> None:
        """Prepare for another try after a refusal. Raises _Reread or _GivenUp."""
        answer = plan.meaning(refusal, route=work.route, columns=work.columns)
        if isinstance(refusal, bulk.JobLost):
            answer = plan.Afresh()
        elif isinstance(answer, plan.Narrow) or isinstance(refusal, bulk.JobStuck):
            # It could not be divided any further, or this would not be asked.
            answer = plan.OtherRoute("rest") if work.route == "bulk" else answer
        if isinstance(answer, plan.DropField):
            work.columns = [name for name in work.columns if name != answer.name]
            work.left_out[answer.name] = _VANISHED
            self._describe_event(work.name, work.columns, work.left_out)
            self._note(work.name, "field", f"{answer.name} left out: {refusal.reason}")
            self._new_reading(work)
        elif isinstance(answer, plan.OtherRoute):
            work.refused.add(work.route)
            if answer.route in work.refused:
                given = plan.GiveUp("failed", "neither API gives its rows", plan.RUN_AGAIN)
                raise _GivenUp(given, refusal) from refusal
            self._note(work.name, "route", f"{work.route} refused ({refusal}); {answer.route} next")
            work.route = answer.route
            self._new_reading(work)
        elif isinstance(answer, plan.Afresh):
            raise _Reread(str(refusal)) from refusal
        elif isinstance(answer, plan.Narrow):
            given = plan.GiveUp("failed", "the org takes too long to give its rows", plan.RUN_AGAIN)
            raise _GivenUp(given, refusal) from refusal
        else:
            raise _GivenUp(answer, refusal) from refusal

    def _slices(self, work: _Work) -> _Totals:
        """Read every slice that is not done. A slice that is too much is divided."""
        while True:
            todo = self._journal.rows(
                "SELECT * FROM slice WHERE object = ? AND reading = ? "
                "AND state NOT IN ('done', 'split') ORDER BY slice",
                (work.name, work.reading),
            )
            if not todo:
                break
            self._go_on()
            row = todo[0]
            try:
                if work.route == "bulk":
                    self._bulk_slice(work, row)
                else:
                    self._rest_slice(work, row)
            except OrgRefused as refusal:
                answer = plan.meaning(refusal, route=work.route, columns=work.columns)
                stuck = isinstance(refusal, bulk.JobStuck)
                if not (isinstance(answer, plan.Narrow) or stuck) or not self._divide(
                    work, row["slice"], row["condition"], refusal
                ):
                    raise
                continue
            self._journal.record(
                "slice_done", object=work.name, reading=work.reading, slice=row["slice"]
            )
        return self._totals(work)

    def _divide(self, work: _Work, number: int, condition: str, refusal: OrgRefused) -> bool:
        """Replace a slice by two halves of it; False when that is not possible."""
        name = plan.date_field(work.description)
        [row] = self._journal.rows(
            "SELECT max(slice) AS last FROM slice WHERE object = ? AND reading = ?",
            (work.name, work.reading),
        )
        if name is None or row["last"] + 2 > _SLICES:
            return False
        oldest, newest = self._span(work.name, name)
        both = plan.halves(condition, name, oldest=oldest, newest=newest)
        if both is None:
            return False
        self._note(work.name, "slice", f"divided by {name}: {refusal}")
        place = (work.name, work.reading, number)
        [whole] = self._journal.rows(
            "SELECT job_id FROM slice WHERE object = ? AND reading = ? AND slice = ?", place
        )
        if whole["job_id"] is not None:
            self._drop_job(whole["job_id"])
        # Pages that it gave before it was too much would stand twice: the halves give them again.
        pages = self._journal.rows(
            "SELECT path FROM page WHERE object = ? AND reading = ? AND slice = ?", place
        )
        self._journal.record(
            "slice_split",
            object=work.name,
            reading=work.reading,
            slice=number,
            into={str(row["last"] + offset): half for offset, half in enumerate(both, start=1)},
        )
        for page in pages:
            sealing.drop_page(self._home, self._disk, page["path"])
        return True

    def _span(self, object_name: str, field_name: str) -> tuple[datetime | None, datetime | None]:
        """Oldest and newest value of a date field: hints for halving, never bounds."""
        try:
            page = query.first_page(
                self._client,
                f"SELECT MIN({field_name}) low, MAX({field_name}) high FROM {object_name}",  # noqa: S608
            )
        except (OrgRefused, Transient):
            return None, None
        record = page.records[0] if page.records else {}
        return _moment(record.get("low")), _moment(record.get("high"))

    def _totals(self, work: _Work) -> _Totals:
        place = (work.name, work.reading)
        [pages] = self._journal.rows(
            "SELECT total(rows) AS counted, total(declared) AS declared, "
            "total(declared IS NULL) AS undeclared, "
            "total(CASE WHEN page = 1 THEN total_size END) AS announced "
            "FROM page WHERE object = ? AND reading = ?",
            place,
        )
        counted = int(pages["counted"])
        if work.route != "bulk":
            return _Totals(counted, int(pages["announced"]), None)
        [jobs] = self._journal.rows(
            "SELECT total(rows) AS told, total(rows IS NULL) AS untold FROM slice "
            "WHERE object = ? AND reading = ? AND state = 'done'",
            place,
        )
        return _Totals(
            counted,
            None if pages["undeclared"] else int(pages["declared"]),
            None if jobs["untold"] else int(jobs["told"]),
        )

    def _have(self, work: _Work, number: int) -> dict[int, Any]:
        """The pages of a slice that are in the bag, by their ordinal."""
        found = self._journal.rows(
            "SELECT page, rows, locator, next, total_size FROM page "
            "WHERE object = ? AND reading = ? AND slice = ? ORDER BY page",
            (work.name, work.reading, number),
        )
        return {row["page"]: row for row in found}

    # ---- Bulk API 2.0 ------------------------------------------------------------------------

    def _bulk_slice(self, work: _Work, row: Any) -> None:
        job = self._finished_job(work, row)
        expected = job.rows_processed
        if expected == 0:
            return
        number = row["slice"]
        have = self._have(work, number)
        try:
            if float(job.api_version) >= 58.0:  # Get Parallel Results: "58.0 and later"
                self._parallel_pages(work, number, job, have)
            else:
                self._serial_pages(work, number, job, have)
        except bulk.ResultLoop as loop:
            raise _Reread(str(loop)) from loop
        got = sum(int(page["rows"]) for page in self._have(work, number).values())
        if expected is not None and got != expected:
            raise _Reread(f"the job says that it has {expected:,} rows, but its pages hold {got:,}")

    def _finished_job(self, work: _Work, row: Any) -> bulk.Job:
        job_id = row["job_id"] or self._create_job(work, row)
        try:
            job = bulk.wait(
                self._client,
                job_id,
                progress=self._progress,
                stuck_after_seconds=self._tuning.job_stuck_seconds,
                clock=self._tuning.clock,
            )
        except bulk.JobStuck:
            with suppress(OrgRefused, Transient):
                bulk.abort(self._client, job_id)
            raise
        if job.state == "JobComplete":
            if row["state"] != "job_done":
                self._journal.record(
                    "job_done",
                    object=work.name,
                    reading=work.reading,
                    slice=row["slice"],
                    rows=job.rows_processed,
                )
            return job
        with suppress(OrgRefused, Transient):
            bulk.delete(self._client, job_id)
        if job.state == "Aborted":
            raise _Reread("somebody aborted the query job")
        told = job.error or "the query job failed without a reason"
        known = _JOB_ERROR.match(told)
        raise OrgRefused(200, known[1] if known else "JOB_FAILED", told)

    def _create_job(self, work: _Work, row: Any) -> str:
        """Create the query job of a slice, or find the one whose creation got no answer."""
        where = {"object": work.name, "reading": work.reading, "slice": row["slice"]}
        text = plan.soql(work.name, work.columns, row["condition"])
        job: bulk.Job | None = None
        if row["state"] == "intended":
            job = self._lost_job(work.name, row["since"])
        for _ in range(_CREATE_TRIES):
            if job is not None:
                break
            # Before the first answer of this run the org's clock is unknown; ask it something.
            since = self._client.server_time or datetime.now(UTC)
            self._journal.record("job_intent", **where, since=since.isoformat())
            try:
                job = self._client.retried(
                    lambda: bulk.create(self._client, text), f"the query job for {work.name}"
                )
            except OutcomeUnknown:
                self._client.pause(1.0)
                job = self._lost_job(work.name, since.isoformat())
        if job is None:
            raise Transient(
                f"The org gave no answer {_CREATE_TRIES} times when asked for a query job on "
                f"{work.name}."
            )
        self._journal.record(
            "job",
            **where,
            job_id=job.id,
            query=text,
            created=job.created.isoformat(),
        )
        return job.id

    def _lost_job(self, object_name: str, since: str | None) -> bulk.Job | None:
        known = {
            row["job_id"]
            for row in self._journal.rows("SELECT job_id FROM slice WHERE job_id IS NOT NULL")
        }
        moment = datetime.fromisoformat(since) if since else datetime.now(UTC)
        found = bulk.find_lost(self._client, object_name, self._user_id, moment, known)
        if found is not None:
            self._note(object_name, "job", f"adopted {found.id}, whose creation got no answer")
        return found

    def _parallel_pages(
        self, work: _Work, number: int, job: bulk.Job, have: dict[int, Any]
    ) -> None:
        ordinal = 0
        running: set[Future[_Published]] = set()
        try:
            for links in bulk.result_links(self._client, job):
                for link in links:
                    ordinal += 1
                    locator = _locator_of(link)
                    if ordinal in have:
                        if have[ordinal]["locator"] != locator:
                            raise _Reread("the job's result pages are not the ones of before")
                        continue
                    self._go_on()
                    running.add(
                        self._streams.submit(
                            self._bulk_page, work, number, ordinal, job, link, locator
                        )
                    )
                    while len(running) >= _PAGES_AHEAD:
                        running = _reap(running)
            while running:
                running = _reap(running)
        finally:
            for one in running:
                one.cancel()
            wait(running)
        if ordinal < len(have):
            raise _Reread("the job has fewer result pages than before")

    def _serial_pages(self, work: _Work, number: int, job: bulk.Job, have: dict[int, Any]) -> None:
        _insist_on_row(have)
        seen = {page["next"] for page in have.values()}
        locator = have[len(have)]["next"] if have else None
        ordinal = len(have)
        while ordinal == 0 or locator is not None:
            self._go_on()
            ordinal += 1
            page = self._bulk_page(work, number, ordinal, job, None, locator)
            locator = page.next_locator
            if locator is not None and locator in seen:
                raise _Reread("the org repeats a result page")
            seen.add(locator)

    def _bulk_page(
        self,
        work: _Work,
        number: int,
        ordinal: int,
        job: bulk.Job,
        link: str | None,
        locator: str | None,
    ) -> _Published:
        relative = layout.page_path(self.names[work.name], work.reading, number, ordinal)
        final = layout.within(self._bag, relative)
        self._disk.make_folder(final.parent)

        def once() -> _Published:
            opening = bulk.open_page(
                self._client,
                job,
                locator=link or locator,
                max_records=None if link else PAGE_ROWS,
            )
            with opening as result:
                writer = PageWriter(
                    self._disk,
                    final,
                    wire_encoding=result.answer.encoding,
                    header=work.columns,
                    declared_rows=result.declared_rows,
                    limit_csv_bytes=self._tuning.page_csv_bytes,
                )
                with writer as page:
                    for piece in result.answer.pieces():
                        with self._verifying:
                            page.feed(piece)
                    facts = page.check()
                    page.publish()
                self._page_event(
                    work,
                    number,
                    ordinal,
                    relative,
                    facts,
                    route="bulk",
                    locator=locator,
                    next=None if link else result.next_locator,
                    declared_rows=result.declared_rows,
                    job_id=job.id,
                )
                return _Published(facts, result.next_locator)

        return self._client.retried(once, f"page {ordinal} of {work.name}")

    def _page_event(
        self,
        work: _Work,
        number: int,
        ordinal: int,
        relative: str,
        facts: PageFacts,
        **more: Any,
    ) -> None:
        at = self._client.server_time
        self._journal.record(
            "page",
            path=relative,
            object=work.name,
            reading=work.reading,
            slice=number,
            page=ordinal,
            rows=facts.rows,
            bytes=facts.bytes,
            sha256=facts.sha256,
            csv_bytes=facts.csv_bytes,
            csv_sha256=facts.csv_sha256,
            wire_encoding=facts.wire_encoding,
            ids=asdict(facts.ids) if facts.ids is not None else None,
            fetched=at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else "",
            **more,
        )
        for remark in facts.remarks:
            self._note(work.name, "page", f"{relative}: {remark}")
        self._progress.published(work.name, facts.rows, facts.csv_bytes, facts.bytes)

    # ---- REST --------------------------------------------------------------------------------

    def _rest_slice(self, work: _Work, row: Any) -> None:
        number = row["slice"]
        have = self._have(work, number)
        _insist_on_row(have)
        path: str | None = have[len(have)]["next"] if have else None
        total: int | None = have[1]["total_size"] if have else None
        got = sum(int(page["rows"]) for page in have.values())
        seen = {page["next"] for page in have.values()}
        groups = self._groups(work, row["condition"])
        shaper = RowShaper(work.description, work.columns)
        ordinal = len(have)
        while ordinal == 0 or path is not None:
            self._go_on()
            if path is None and work.first is not None and not row["condition"]:
                page, work.first = work.first, None
                total = page.total_size
            elif path is None:
                page = query.first_page(
                    self._client, plan.soql(work.name, groups[0], row["condition"])
                )
                total = page.total_size
            else:
                page = query.next_page(self._client, path)
            if page.total_size == 0 and ordinal == 0 and not page.records:
                return
            records = page.records
            if len(groups) > 1:
                try:
                    records = wide.completed(self._client, work.name, records, groups[1:])
                except wide.RowsMoved as moved:
                    raise _Reread(str(moved)) from moved
            ordinal += 1
            facts = self._rest_page(work, number, ordinal, records, shaper, page, path, total)
            got += facts.rows
            path = page.next_path
            if path is not None and path in seen:
                raise _Reread("the org repeats a result page")
            seen.add(path)
        if got != total:
            raise _Reread(f"the org announced {total:,} rows, but gave {got:,}")

    def _groups(self, work: _Work, condition: str) -> list[list[str]]:
        text = plan.soql(work.name, work.columns, condition)
        if query.uri_length(self._client, text) <= query.URI_LIMIT:
            return [work.columns]
        if work.columns[0] != "Id":
            raise OrgRefused(414, "URI_TOO_LONG", "its fields do not fit into one REST query")
        room = query.URI_LIMIT - wide.IDS_BYTES - 2 * len(condition) - 200
        return plan.field_groups(work.name, work.columns, limit_bytes=room)

    def _rest_page(
        self,
        work: _Work,
        number: int,
        ordinal: int,
        records: list[dict[str, Any]],
        shaper: RowShaper,
        page: query.QueryPage,
        path: str | None,
        total: int | None,
    ) -> PageFacts:
        relative = layout.page_path(self.names[work.name], work.reading, number, ordinal)
        final = layout.within(self._bag, relative)
        self._disk.make_folder(final.parent)
        text = csv_rows([work.columns, *(shaper.cells(record) for record in records)])

        def once() -> PageFacts:
            writer = PageWriter(
                self._disk,
                final,
                wire_encoding="identity",
                header=work.columns,
                declared_rows=len(records),
            )
            with writer as out:
                out.feed(text)
                facts = replace(out.check(), wire_encoding="json", remarks=())
                out.publish()
            self._page_event(
                work,
                number,
                ordinal,
                relative,
                facts,
                route="rest",
                locator=path,
                next=page.next_path,
                declared_rows=None,
                total_size=total,
            )
            return facts

        return self._client.retried(once, f"page {ordinal} of {work.name}")

    # ---- the line ----------------------------------------------------------------------------

    def _doubt(self, totals: _Totals, before: int | None, after: int | None) -> str:
        """Why the rows read do not fit the org's own counts; empty when they do."""
        counts = [count for count in (before, after) if count is not None]
        if not counts or min(counts) <= totals.counted <= max(counts):
            return ""
        told = " and ".join(f"{count:,}" for count in dict.fromkeys(counts))
        return f"the org counts {told} rows, but {totals.counted:,} were read"

    def _finished(
        self,
        work: _Work,
        totals: _Totals,
        before: int | None,
        after: int | None,
        doubt: str,
    ) -> LedgerLine:
        named = {
            "count_before": before,
            "job_total": totals.job_total,
            "declared": totals.declared,
            "counted": totals.counted,
            "count_after": after,
        }
        witnesses = {name: count for name, count in named.items() if count is not None}
        if totals.counted == 0 and not doubt:
            return self._line(work, "empty", rows=0, witnesses=witnesses)
        if not doubt and len({before, after, totals.counted} - {None}) > 1:
            self._note(
                work.name,
                "count",
                f"the org changed during the reading: {before} rows before, {after} after, "
                f"{totals.counted} read",
            )
        if doubt:
            return self._line(
                work,
                "failed",
                rows=totals.counted,
                witnesses=witnesses,
                reason=doubt,
                evidence="counted before and after two readings",
                remedy=plan.RUN_AGAIN + ", at a quiet hour",
            )
        return self._line(work, "exported", rows=totals.counted, witnesses=witnesses)

    def _line(
        self,
        work: _Work,
        outcome: str,
        *,
        rows: int | None,
        witnesses: dict[str, int] | None = None,
        reason: str = "",
        evidence: str = "",
        remedy: str = "",
        route: str | None = None,
    ) -> LedgerLine:
        if outcome == "exported":
            reason, remedy = _known_gaps(work)
        return LedgerLine(
            work.name,
            work.entry.label,
            outcome,
            route=work.route if route is None else route,
            rows=rows or None if outcome == "failed" else rows,
            witnesses=witnesses or {},
            fields_exported=len(work.columns),
            fields_not_exported=work.left_out,
            reason=reason,
            evidence=evidence,
            remedy=remedy,
        )

    def _rows_of(self, name: str) -> int:
        [found] = self._journal.rows(
            "SELECT total(p.rows) AS rows FROM page p JOIN object o ON o.name = p.object "
            "AND o.reading = p.reading WHERE p.object = ?",
            (name,),
        )
        return int(found["rows"])

    def _note(self, object_name: str, kind: str, text: str) -> None:
        self._journal.record("note", object=object_name, kind=kind, text=text)
        self._progress.note(f"{object_name}: {text}")

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise Interrupted("the run was asked to stop")


@dataclass(frozen=True)
class _Published:
    facts: PageFacts
    next_locator: str | None


class _GivenUp(Exception):
    """No road is left for this object."""

    def __init__(self, answer: plan.GiveUp, refusal: OrgRefused) -> None:
        super().__init__(answer.reason)
        self.answer = answer
        self.refusal = refusal


def _known_gaps(work: _Work) -> tuple[str, str]:
    """What an otherwise complete object still lacks: reason and remedy."""
    bodies = [
        name
        for name in work.left_out
        if (found := work.description.field(name)) is not None and found.type == "base64"
    ]
    vanished = [name for name, why in work.left_out.items() if why == _VANISHED]
    gaps = []
    if bodies:
        gaps.append(
            (
                f"its rows are here, the file bodies ({', '.join(bodies)}) are not: this version "
                "of sfexit does not read them yet",
                "take the files by other means until a later version of sfexit reads them",
            )
        )
    if vanished:
        gaps.append(
            (
                f"fields that vanished while it was read: {', '.join(vanished)}",
                "check that they were deleted on purpose, then " + plan.RUN_AGAIN,
            )
        )
    if work.rule is not None and work.rule.kind in ("private_folders", "versions"):
        gaps.append((work.rule.reason, work.rule.remedy))
    return "; ".join(reason for reason, _ in gaps), "; ".join(remedy for _, remedy in gaps)


_VANISHED = "it vanished while the object was read"


def _insist_on_row(have: dict[int, Any]) -> None:
    """Pages that came one after another can only be gone on with behind the last one."""
    if sorted(have) != list(range(1, len(have) + 1)):
        raise _Reread("a page in the middle was lost, and pages came one after another")


def _reap(running: set[Future[Any]]) -> set[Future[Any]]:
    """Wait for at least one; the first error is raised."""
    done, left = wait(running, return_when=FIRST_COMPLETED)
    for one in done:
        one.result()
    return left


def _locator_of(link: str) -> str:
    return parse_qs(urlsplit(link).query).get("locator", [""])[0]


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    with suppress(ValueError):
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    return None


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def ledger_lines(journal: Journal) -> Iterator[LedgerLine]:
    """The lines of all objects that reached their outcome."""
    for row in journal.rows("SELECT outcome FROM object WHERE outcome IS NOT NULL"):
        yield LedgerLine.from_event(json.loads(row["outcome"]))
