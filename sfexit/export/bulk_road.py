"""The Bulk road: a query job, and its result pages side by side."""

from __future__ import annotations

import re
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sfexit.archive.page import PageFacts, PageWriter
from sfexit.errors import OrgRefused, OutcomeUnknown, Transient
from sfexit.export import plan
from sfexit.export.pages import page_place, record_page
from sfexit.export.road import Road
from sfexit.export.work import Reread, Work, insist_on_row, pages_there
from sfexit.salesforce import bulk

PAGE_ROWS = 25_000  # asked for where pages come one after another (before API 58.0)
_PAGES_AHEAD = 16  # pages of one object that wait for a stream
_CREATE_TRIES = 4

# A failed job tells its error as "CODE: words". Only what another query cures is taken for more
# than a failed job.
_JOB_ERROR = re.compile(r"\s*(INVALID_FIELD|QUERY_TIMEOUT|OPERATION_TOO_LARGE)\b")


class BulkRoad(Road):
    """Bulk API 2.0. See `Road`."""

    def read(self, work: Work, row: Any) -> None:
        """See `Road`."""
        job = self._finished_job(work, row)
        expected = job.rows_processed
        if expected == 0:
            return
        number = row["slice"]
        have = pages_there(self._means.journal, work, number)
        try:
            if float(job.api_version) >= 58.0:  # Get Parallel Results: "58.0 and later"
                self._parallel_pages(work, number, job, have)
            else:
                self._serial_pages(work, number, job, have)
        except bulk.ResultLoop as loop:
            raise Reread(str(loop)) from loop
        got = sum(
            int(page["rows"]) for page in pages_there(self._means.journal, work, number).values()
        )
        if expected is not None and got != expected:
            raise Reread(f"the job says that it has {expected:,} rows, but its pages hold {got:,}")

    def _finished_job(self, work: Work, row: Any) -> bulk.Job:
        job_id = row["job_id"] or self._create_job(work, row)
        try:
            job = bulk.wait(
                self._means.client,
                job_id,
                progress=self._means.tally,
                stuck_after_seconds=self._means.tuning.job_stuck_seconds,
                clock=self._means.tuning.clock,
            )
        except bulk.JobStuck:
            with suppress(OrgRefused, Transient):
                bulk.abort(self._means.client, job_id)
            raise
        if job.state == "JobComplete":
            if row["state"] != "job_done":
                self._means.journal.record(
                    "job_done",
                    object=work.name,
                    reading=work.reading,
                    slice=row["slice"],
                    rows=job.rows_processed,
                )
            return job
        with suppress(OrgRefused, Transient):
            bulk.delete(self._means.client, job_id)
        if job.state == "Aborted":
            raise Reread("somebody aborted the query job")
        told = job.error or "the query job failed without a reason"
        known = _JOB_ERROR.match(told)
        raise OrgRefused(200, known[1] if known else "JOB_FAILED", told)

    def _create_job(self, work: Work, row: Any) -> str:
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
            since = self._means.client.server_time or datetime.now(UTC)
            self._means.journal.record("job_intent", **where, since=since.isoformat())
            try:
                job = self._means.client.retried(
                    lambda: bulk.create(self._means.client, text), f"the query job for {work.name}"
                )
            except OutcomeUnknown:
                self._means.client.pause(1.0)
                job = self._lost_job(work.name, since.isoformat())
        if job is None:
            raise Transient(
                f"The org gave no answer {_CREATE_TRIES} times when asked for a query job on "
                f"{work.name}."
            )
        self._means.journal.record(
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
            for row in self._means.journal.rows("SELECT job_id FROM slice WHERE job_id IS NOT NULL")
        }
        moment = datetime.fromisoformat(since) if since else datetime.now(UTC)
        found = bulk.find_lost(
            self._means.client, object_name, self._means.identity.user_id, moment, known
        )
        if found is not None:
            self._means.note(
                object_name, "job", f"adopted {found.id}, whose creation got no answer"
            )
        return found

    def _parallel_pages(self, work: Work, number: int, job: bulk.Job, have: dict[int, Any]) -> None:
        ordinal = 0
        running: set[Future[_Published]] = set()
        try:
            for links in bulk.result_links(self._means.client, job):
                for link in links:
                    ordinal += 1
                    locator = _locator_of(link)
                    if ordinal in have:
                        if have[ordinal]["locator"] != locator:
                            raise Reread("the job's result pages are not the ones of before")
                        continue
                    self._means.go_on()
                    running.add(
                        self._means.streams.submit(
                            self._page, work, number, ordinal, job, link, locator
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
            raise Reread("the job has fewer result pages than before")

    def _serial_pages(self, work: Work, number: int, job: bulk.Job, have: dict[int, Any]) -> None:
        insist_on_row(have)
        seen = {page["next"] for page in have.values()}
        locator = have[len(have)]["next"] if have else None
        ordinal = len(have)
        while ordinal == 0 or locator is not None:
            self._means.go_on()
            ordinal += 1
            page = self._page(work, number, ordinal, job, None, locator)
            locator = page.next_locator
            if locator is not None and locator in seen:
                raise Reread("the org repeats a result page")
            seen.add(locator)

    def _page(
        self,
        work: Work,
        number: int,
        ordinal: int,
        job: bulk.Job,
        link: str | None,
        locator: str | None,
    ) -> _Published:
        relative, final = page_place(self._means, work, number, ordinal)

        def once() -> _Published:
            opening = bulk.open_page(
                self._means.client,
                job,
                locator=link or locator,
                max_records=None if link else PAGE_ROWS,
            )
            with opening as result:
                writer = PageWriter(
                    self._means.disk,
                    final,
                    wire_encoding=result.answer.encoding,
                    header=work.columns,
                    declared_rows=result.declared_rows,
                    limit_csv_bytes=self._means.tuning.page_csv_bytes,
                    turn=self._means.verifying,
                )
                with writer as page:
                    for piece in result.answer.pieces():
                        page.feed(piece)
                    facts = page.check()
                    page.publish()
                record_page(
                    self._means,
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

        return self._insist(once, work, ordinal)


@dataclass(frozen=True)
class _Published:
    facts: PageFacts
    next_locator: str | None


def _reap(running: set[Future[Any]]) -> set[Future[Any]]:
    """Wait for at least one; the first error is raised."""
    done, left = wait(running, return_when=FIRST_COMPLETED)
    for one in done:
        one.result()
    return left


def _locator_of(link: str) -> str:
    return parse_qs(urlsplit(link).query).get("locator", [""])[0]
