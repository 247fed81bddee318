"""Bulk API 2.0 query jobs: create, find again, wait, read the result, tidy up.

A job is read with the API version that created it, else the org answers 409 ("Get Results for a
Query Job"). Results live seven days; a page can be read again as long as its job exists.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sfexit.errors import DamagedAnswer, OrgRefused, OutcomeUnknown, Transient
from sfexit.progress import SILENT, Progress
from sfexit.redaction import printable
from sfexit.salesforce import refusals
from sfexit.salesforce.client import Client, encode_query
from sfexit.salesforce.ids import full_id
from sfexit.salesforce.transport import RawAnswer

FIRST_POLL_SECONDS = 0.2
LONGEST_POLL_SECONDS = 30.0
STUCK_AFTER_SECONDS = 7200.0
CLOCK_TOLERANCE = timedelta(seconds=5)
# Longest stretch that one poll can add to the time without movement: a laptop that slept for
# nine hours has not watched the job for nine hours.
_LONGEST_STRETCH_SECONDS = 300.0
_MOST_LIST_PAGES = 500
FIRST_VERSION_WITH_LINKS = 58.0

WAITING = frozenset({"UploadComplete", "InProgress"})
FINISHED = frozenset({"JobComplete", "Failed", "Aborted"})
UNKNOWN = "Unknown"


@dataclass(frozen=True)
class Job:
    """A query job. Ids have 18 characters; `created` is in UTC, by the org's clock.

    `state` is one of UploadComplete, InProgress, JobComplete, Failed, Aborted, or Unknown for
    what Salesforce may add, with the org's own word in `raw_state`. `error` is the org's own
    words about a failed job, or "". `rows_processed` is None while the org does not tell.
    """

    id: str
    state: str
    object: str
    operation: str
    created_by: str
    created: datetime
    rows_processed: int | None
    error: str
    api_version: str
    raw_state: str

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen: complete, failed or aborted."""
        return self.state in FINISHED

    @property
    def complete(self) -> bool:
        """Whether there is a result to read."""
        return self.state == "JobComplete"


class JobStuck(OrgRefused):
    """The job has not moved for too long; abort it and ask for less at a time."""


class JobLost(OrgRefused):
    """The org has no such job: older than seven days, or deleted. Start a new one."""


class ResultLoop(OrgRefused):
    """The org repeats a result page, so the list of pages would never end."""


@dataclass(frozen=True)
class ResultPage:
    """One page of a result, still on the wire.

    `declared_rows` is Sforce-NumberOfRecords, None if the header is missing. `next_locator` is
    None on the last page.
    """

    answer: RawAnswer
    declared_rows: int | None
    next_locator: str | None


def create(client: Client, soql: str) -> Job:
    """Start a job that reads all rows, deleted and archived ones too, as CSV.

    The request is sent once; OutcomeUnknown means to look with `find_lost` before sending it
    again. It is repeated only when the org certainly did not act. Raises OrgRefused
    (INVALIDENTITY, API_ERROR, …) where Bulk does not read the object.
    """
    body = {
        "operation": "queryAll",
        "query": soql,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    path = f"{client.base}/jobs/query"
    answer = client.retried(
        lambda: client.send_once("POST", path, body), "starting a Bulk query job"
    )
    try:
        return _job(answer)
    except DamagedAnswer as error:
        raise OutcomeUnknown(
            "The org took a Bulk query job but did not say which; look before repeating."
        ) from error


def find_lost(
    client: Client,
    object_name: str,
    user_id: str,
    not_before: datetime,
    known_ids: Collection[str],
) -> Job | None:
    """The job that a lost answer was about, from the org's list of jobs.

    That is the one queryAll job on this object, of this user, created at or after `not_before`
    by the org's clock (five seconds of grace) and not in `known_ids`. None if there is none, or
    more than one: taking over a stranger's job would be wrong.
    """
    user_id = full_id(user_id)
    known = {full_id(known_id) for known_id in known_ids}
    earliest = not_before.astimezone(UTC) - CLOCK_TOLERANCE
    found: dict[str, Job] = {}
    for record in _listed(client):
        if record.get("jobType", "V2Query") != "V2Query" or record.get("object") != object_name:
            continue
        try:
            job = _job(record)
        except DamagedAnswer:
            continue
        if (
            job.operation == "queryAll"
            and job.created_by == user_id
            and job.created >= earliest
            and job.id not in known
        ):
            found[job.id] = job
    return next(iter(found.values())) if len(found) == 1 else None


def _listed(client: Client) -> Iterator[dict[str, Any]]:
    path: str | None = f"{client.base}/jobs/query?jobType=V2Query"
    seen: set[str] = set()
    while path is not None:
        if path in seen or len(seen) >= _MOST_LIST_PAGES:
            raise OrgRefused(200, "JOB_LIST_LOOP", "the org repeats a page of its list of jobs")
        seen.add(path)
        answer = client.get_json(path)
        records = answer.get("records") if isinstance(answer, dict) else None
        if not isinstance(records, list):
            raise DamagedAnswer("The org's list of jobs is not a list.")
        yield from (record for record in records if isinstance(record, dict))
        link = _link(answer, "nextRecordsUrl", "nextRecordUrl")
        path = None if link is None or answer.get("done") is True else _anchor(client, link)


def poll(client: Client, job: Job | str, *, api_version: str | None = None) -> Job:
    """The job as it is now. `api_version` of the job, if only its id is known. Raises JobLost."""
    path = _path(client, job, api_version)
    try:
        return _job(client.get_json(path))
    except OrgRefused as refused:
        raise _job_refusal(refused, client, job, api_version) from refused


def wait(
    client: Client,
    job: Job | str,
    *,
    api_version: str | None = None,
    progress: Progress = SILENT,
    stuck_after_seconds: float = STUCK_AFTER_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] | None = None,
) -> Job:
    """Poll until the job is finished: complete, failed or aborted, whatever comes.

    Big tables take hours, so there is no end but standstill: raises JobStuck when neither state
    nor row count moved for `stuck_after_seconds`, JobLost, OrgRefused for an unknown state,
    Interrupted.
    """
    waited = 0.0
    moved: tuple[str, int | None] | None = None
    still_seconds = 0.0
    last = clock()
    told = False
    while True:
        found = poll(client, job, api_version=api_version)
        if found.finished:
            return found
        if found.state == UNKNOWN:
            raise OrgRefused(
                200,
                "UNKNOWN_JOB_STATE",
                f"the Bulk job {found.id} is in the state {found.raw_state}, which sfexit does "
                "not know",
            )
        now = clock()
        if moved == (found.state, found.rows_processed):
            still_seconds += min(now - last, _LONGEST_STRETCH_SECONDS)
        else:
            moved, still_seconds = (found.state, found.rows_processed), 0.0
        last = now
        if still_seconds >= stuck_after_seconds:
            raise JobStuck(
                200,
                "JOB_STUCK",
                f"the Bulk job {found.id} has not moved for {still_seconds / 60:.0f} minutes",
            )
        if still_seconds >= stuck_after_seconds / 2 and not told:
            told = True
            progress.note(
                f"The Bulk job for {found.object} has not moved for "
                f"{still_seconds / 60:.0f} minutes; waiting on"
            )
        # In step with how long the job takes: a third of that is the most that is lost.
        interval = min(max(FIRST_POLL_SECONDS, waited / 3), LONGEST_POLL_SECONDS)
        (sleep or client.pause)(interval)
        waited += interval


def result_links(client: Client, job: Job) -> Iterator[tuple[str, ...]]:
    """Where the pages of a complete job are: paths for `open_page`, in order, up to five at once.

    Needs API 58.0 ("Get Parallel Results for a Query Job"). Raises ResultLoop, JobLost,
    OrgRefused, DamagedAnswer.
    """
    if float(job.api_version) < FIRST_VERSION_WITH_LINKS:
        raise OrgRefused(
            404,
            "NOT_FOUND",
            f"API version {job.api_version} has no list of result pages; it began with "
            f"{FIRST_VERSION_WITH_LINKS}",
        )
    base = _path(client, job, None)
    path: str | None = f"{base}/resultPages"
    asked: set[str] = set()
    seen: set[str] = set()
    while path is not None:
        if path in asked:
            raise _repeats(job)
        asked.add(path)
        try:
            answer = client.get_json(path)
        except OrgRefused as refused:
            raise _job_refusal(refused, client, job, None) from refused
        listed = answer.get("resultPages") if isinstance(answer, dict) else None
        if not isinstance(listed, list):
            raise DamagedAnswer(f"The org's list of result pages of job {job.id} is not a list.")
        links = []
        for item in listed:
            # The guide's table says resultUrl, one of its schemas resultLink.
            link = _link(item, "resultUrl", "resultLink") if isinstance(item, dict) else None
            if link is None:
                raise DamagedAnswer(f"A result page of job {job.id} has no address.")
            links.append(_result_path(client, job, link))
        for link in links:
            if link in seen:
                raise _repeats(job)
            seen.add(link)
        # The guide's table says nextRecordUrl, its example nextRecordsUrl.
        following = _link(answer, "nextRecordsUrl", "nextRecordUrl")
        if following is None and answer.get("done") is not True:
            raise DamagedAnswer(f"The org says that job {job.id} has more pages, but not where.")
        if links:
            yield tuple(links)
        # A link is followed even next to done: one request too many costs little.
        path = None if following is None else _anchor(client, following)
        if path is not None and not path.startswith(f"{base}/resultPages"):
            raise DamagedAnswer(f"The list of result pages of job {job.id} leads to another job.")


@contextmanager
def open_page(
    client: Client,
    job: Job | str,
    *,
    locator: str | None = None,
    max_records: int | None = None,
    api_version: str | None = None,
) -> Iterator[ResultPage]:
    """One page of the result, body unread: `with open_page(client, job) as page`.

    `locator`: None for the first page, a locator, or a path of `result_links`. One attempt:
    wrap opening and reading together in `client.retried`. Raises JobLost, OrgRefused (409 names
    both versions), DamagedAnswer when it is not CSV, Transient.
    """
    path = _page_path(client, job, locator, max_records, api_version)
    with ExitStack() as opened:
        try:
            answer = opened.enter_context(client.stream(path, {"Accept": "text/csv"}))
        except OrgRefused as refused:
            raise _job_refusal(refused, client, job, api_version) from refused
        yield _result_page(answer)


def abort(client: Client, job: Job | str, *, api_version: str | None = None) -> None:
    """Stop a job. A job that is finished, or gone, is left as it is."""
    path = _path(client, job, api_version)
    _tidy(
        client,
        lambda: client.send_once("PATCH", path, {"state": "Aborted"}),
        "stopping a Bulk query job",
        settled=("INVALIDJOBSTATE",),  # finished already ("Abort a Query Job")
    )


def delete(client: Client, job: Job | str, *, api_version: str | None = None) -> None:
    """Delete a finished job and its result. One that is gone, or still at work, is left."""
    path = _path(client, job, api_version)
    _tidy(
        client,
        lambda: client.send_once("DELETE", path),
        "deleting a Bulk query job",
        settled=("INVALIDJOBSTATE", "API_ERROR"),  # not finished yet ("Delete a Query Job")
    )


def _tidy(client: Client, send: Callable[[], Any], what: str, *, settled: tuple[str, ...]) -> None:
    def again() -> None:
        try:
            send()
        except OutcomeUnknown as error:
            # Stopping and deleting twice is the same as once, so a lost answer is no trouble.
            raise Transient(error.message) from error

    try:
        client.retried(again, what)
    except OrgRefused as refused:
        if refused.status != 404 and refused.code not in settled:
            raise


def _job_id(job: Job | str) -> str:
    return job.id if isinstance(job, Job) else full_id(job)


def _job_version(client: Client, job: Job | str, api_version: str | None) -> str:
    return job.api_version if isinstance(job, Job) else (api_version or client.version)


def _path(client: Client, job: Job | str, api_version: str | None) -> str:
    version = _job_version(client, job, api_version)
    return f"/services/data/v{version}/jobs/query/{_job_id(job)}"


def _page_path(
    client: Client,
    job: Job | str,
    locator: str | None,
    max_records: int | None,
    api_version: str | None,
) -> str:
    if locator is not None and locator.startswith(("/", "http:", "https:")):
        path = _result_path(client, job, locator, api_version)
    else:
        path = f"{_path(client, job, api_version)}/results"
        if locator is not None:
            path += f"?{encode_query({'locator': locator})}"
    if max_records is not None and "maxRecords=" not in path:
        path += f"{'&' if '?' in path else '?'}maxRecords={max_records:d}"
    return path


def _anchor(client: Client, link: str) -> str:
    # An example in the guide leaves out the first part of the path.
    return client.anchor("/services" + link if link.startswith("/data/v") else link)


def _result_path(client: Client, job: Job | str, link: str, api_version: str | None = None) -> str:
    path = _anchor(client, link)
    expected = f"{_path(client, job, api_version)}/results"
    if path.partition("?")[0].rstrip("/") != expected:
        raise DamagedAnswer(
            f"A result page of job {_job_id(job)} leads to another job or another API version."
        )
    return path


def _link(item: dict[str, Any], *spellings: str) -> str | None:
    for spelling in spellings:
        value = item.get(spelling)
        if isinstance(value, str) and value not in ("", "null"):
            return value
    return None


def _result_page(answer: RawAnswer) -> ResultPage:
    if answer.content_type != "text/csv" and answer.status != 204:
        raise DamagedAnswer(
            "A Bulk result page is "
            f"{printable(answer.content_type, 60) or 'of an unknown kind'} instead of text/csv."
        )
    declared = answer.headers.get("Sforce-NumberOfRecords")
    if declared is not None and not (declared.isascii() and declared.strip().isdecimal()):
        raise DamagedAnswer("A Bulk result page declares a number of records that is none.")
    locator = answer.headers.get("Sforce-Locator", "").strip()
    return ResultPage(
        answer,
        None if declared is None else int(declared),
        # The last page says "null", in four letters ("Get Results for a Query Job").
        None if locator in ("", "null") else locator,
    )


def _repeats(job: Job) -> ResultLoop:
    return ResultLoop(
        200,
        "RESULT_PAGES_LOOP",
        f"the org repeats a result page of the Bulk job {job.id}, so the list would never end",
    )


def _job_refusal(
    refused: OrgRefused, client: Client, job: Job | str, api_version: str | None
) -> OrgRefused:
    if refused.status == 404:
        return JobLost(
            404,
            refused.code or "NOT_FOUND",
            f"the org no longer has the Bulk job {_job_id(job)}; results are kept for seven days",
        )
    if refused.status == 409:
        asked = _job_version(client, job, api_version)
        return OrgRefused(
            409,
            refused.code or "CONFLICT",
            f"the Bulk job {_job_id(job)} was asked for with API version {asked}, but belongs to "
            f"another one (this run uses {client.version}); go on with the version that started "
            f"it, or start anew ({refused.reason})",
        )
    return refused


def _job(answer: Any) -> Job:
    """A job as the org describes it. Raises DamagedAnswer."""
    if not isinstance(answer, dict):
        raise DamagedAnswer("The org's answer about a Bulk job is not one.")
    raw_state = printable(str(answer.get("state", "")), 60)
    rows = answer.get("numberRecordsProcessed")
    version = answer.get("apiVersion")
    if isinstance(version, bool) or not isinstance(version, int | float):
        raise DamagedAnswer("The org does not say with which API version a Bulk job runs.")
    try:
        created = datetime.fromisoformat(str(answer.get("createdDate")))
    except ValueError:
        raise DamagedAnswer("The org does not say when a Bulk job was created.") from None
    return Job(
        id=full_id(answer.get("id")),
        state=raw_state if raw_state in WAITING | FINISHED else UNKNOWN,
        object=printable(str(answer.get("object") or ""), 100),
        operation=printable(str(answer.get("operation") or ""), 40),
        created_by=full_id(answer.get("createdById")),
        created=(created if created.tzinfo else created.replace(tzinfo=UTC)).astimezone(UTC),
        rows_processed=rows if isinstance(rows, int) and not isinstance(rows, bool) else None,
        error=refusals.clean(answer.get("errorMessage") or ""),
        api_version=f"{float(version):.1f}",
        raw_state=raw_state,
    )
