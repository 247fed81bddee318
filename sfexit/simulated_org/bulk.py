"""Bulk API 2.0 query jobs (Bulk API 2.0 guide, Query)."""

from __future__ import annotations

import base64
import math
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .csvtext import DELIMITERS, LINE_ENDINGS, cell
from .errors import ApiError, not_found
from .ids import IdSpace
from .pace import Pace
from .schema import COMPOUND
from .select import Selection, bind, find_object
from .soql import parse

if TYPE_CHECKING:
    from .org import SimulatedOrg

RESULT_SECONDS = 7 * 86_400  # results are kept seven days
JOBS_PER_DAY = 10_000  # DailyBulkV2QueryJobs
FINISHED = ("JobComplete", "Failed", "Aborted")


@dataclass
class Job:
    """One query job."""

    id: str
    number: int
    operation: str
    object: str
    text: str
    version: str
    delimiter: str
    line_ending: str
    created: float
    selection: Selection
    polls: int = 0
    state: str = "UploadComplete"
    error: str | None = None
    finished: float | None = None
    total_override: int | None = None
    stuck: bool = False
    forced: tuple[str, str | None] | None = None
    made: float = 0.0
    began: float | None = None
    ends: float = math.inf

    @property
    def rows(self) -> int:
        """Rows of the result."""
        return self.selection.count


@dataclass
class ResultPage:
    """One page of a result: its header line, and its rows as they are asked for."""

    job: Job
    ordinal: int
    count: int
    locator: str

    def header(self) -> str:
        """The header line."""
        delimiter = DELIMITERS[self.job.delimiter]
        names = [cell(s.label) for s in self.job.selection.sources]
        return delimiter.join(names) + LINE_ENDINGS[self.job.line_ending]

    def body(self) -> Iterator[bytes]:
        """The CSV text, block by block."""
        delimiter = DELIMITERS[self.job.delimiter]
        end = LINE_ENDINGS[self.job.line_ending]
        selection = self.job.selection
        doubts = selection.org.org.doubts
        if self.count or selection.org.bulk_empty_header:
            yield self.header().encode()
        left = self.count
        for rows in selection.chunks(self.ordinal, self.count):
            lines = selection.lines(rows, delimiter)
            left -= len(rows)
            if left or doubts.final_line_end:
                lines.append("")
            text = end.join(lines)
            if doubts.bulk_datetime != "Z":  # only whole quoted moments end in this
                text = re.sub(r'(\d\dT\d\d:\d\d:\d\d\.\d{3})Z"', r'\1+0000"', text)
            yield text.encode()


def _stamp(moment: float) -> str:
    from .columns import datetime_text

    return datetime_text(int(moment))[:-1] + "+0000"


def locator_text(ordinal: int) -> str:
    """The opaque locator of a result position."""
    return base64.urlsafe_b64encode(f"MTA{ordinal}".encode()).decode().rstrip("=")


def _ordinal(locator: str) -> int:
    try:
        text = base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode("ascii")
    except ValueError:
        text = ""
    if not text.startswith("MTA") or not text[3:].isdigit():
        raise ApiError(400, "INVALID_LOCATOR", "Invalid locator")
    return int(text[3:])


class BulkJobs:
    """The job list of an org."""

    def __init__(self, org: SimulatedOrg) -> None:
        self.org = org
        self._ids = IdSpace("750", org.tables.instance, 5000)
        self._jobs: dict[str, Job] = {}
        self._made = 0
        self._times: list[float] = []
        self.pace = Pace()
        self.clock: Callable[[], float] = time.monotonic  # rules how long jobs take

    # -- create -------------------------------------------------------------------------

    def create(self, body: Any, version: str) -> Job:
        """``POST /jobs/query``."""
        if not isinstance(body, dict):
            raise ApiError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required")
        known = {"operation", "query", "contentType", "columnDelimiter", "lineEnding"}
        for name in body:
            if name not in known:
                raise ApiError(400, "JSON_PARSER_ERROR", f'Unrecognized field "{name}"')
        operation = body.get("operation")
        if operation not in ("query", "queryAll"):
            raise ApiError(
                400, "INVALIDOPERATION", f"Unsupported operation for a query job: {operation}"
            )
        if body.get("contentType", "CSV") != "CSV":
            raise ApiError(400, "INVALIDJOB", "Unsupported contentType")
        delimiter = body.get("columnDelimiter", "COMMA")
        ending = body.get("lineEnding", "LF")
        if delimiter not in DELIMITERS or ending not in LINE_ENDINGS:
            raise ApiError(400, "INVALIDJOB", "Unsupported columnDelimiter or lineEnding")
        text = body.get("query")
        if not isinstance(text, str):
            raise ApiError(400, "INVALIDJOB", "A query is required for a query job")
        now = self.org.now()
        if self.made_today() >= self.org.bulk_jobs_per_day:
            raise ApiError(
                400,
                "LIMIT_EXCEEDED",
                f"Max bulk v2 query jobs ({self.org.bulk_jobs_per_day}) per 24 hrs has "
                "been reached",
            )
        selection = self._check(text, operation == "queryAll", version)
        self._made += 1
        job = Job(
            self._ids.at(self._made),
            self._made,
            operation,
            selection.sobject.name,
            text,
            version,
            delimiter,
            ending,
            now,
            selection,
            made=self.clock(),
        )
        self._jobs[job.id] = job
        self._times.append(now)
        return job

    def made_today(self) -> int:
        """Jobs made in the last 24 hours, deleted ones too."""
        limit = self.org.now() - 86_400
        self._times = [t for t in self._times if t > limit]
        return len(self._times)

    def _check(self, text: str, everything: bool, version: str) -> Selection:
        """What a query job refuses (Bulk API 2.0 guide, Create a Query Job, SOQL limits)."""
        query = parse(text)
        sobject = find_object(self.org, query)
        unsupported = not sobject.bulk
        if unsupported:
            raise ApiError(
                400, "INVALIDENTITY", f"Entity '{sobject.name}' is not supported by the Bulk API."
            )
        if any(i.kind == "subquery" for i in query.items):
            raise ApiError(
                400, "FEATURENOTENABLED", "Aggregate Relationships not supported in Bulk Query"
            )
        if any(i.kind == "typeof" for i in query.items):
            raise ApiError(400, "API_ERROR", "TYPEOF not supported in Bulk Query")
        if query.aggregate:
            raise ApiError(
                400, "API_ERROR", "Aggregate functions and GROUP BY not supported in Bulk Query"
            )
        if query.offset is not None:
            raise ApiError(400, "API_ERROR", "OFFSET not supported in Bulk Query")
        if any(i.kind == "fields" and i.path != "STANDARD" for i in query.items):
            raise ApiError(
                400,
                "MALFORMED_QUERY",
                "The SOQL FIELDS function is not supported with an unbounded set of "
                "fields in this API",
            )
        try:
            selection = bind(self.org, query, everything, float(version))
        except ApiError as error:
            if error.message.startswith("Implementation restriction"):
                raise ApiError(400, "API_ERROR", error.message) from None
            raise
        self._check_columns(selection)
        return selection

    @staticmethod
    def _check_columns(selection: Selection) -> None:
        for source in selection.sources:
            kind = source.field.type
            if kind in COMPOUND:
                raise ApiError(
                    400, "FEATURENOTENABLED", "Selecting compound data not supported in Bulk Query"
                )
            if kind == "base64":
                raise ApiError(
                    400,
                    "FEATURENOTENABLED",
                    f"Cannot serialize value for '{source.field.name}' in CSV format",
                )
            if source.polymorphic:
                raise ApiError(
                    400,
                    "FEATURENOTENABLED",
                    "Selecting fields of a polymorphic relationship not supported in Bulk Query",
                )

    # -- state --------------------------------------------------------------------------

    def get(self, job_id: str) -> Job:
        """A job by id, or 404."""
        job = self._jobs.get(job_id) or next(
            (j for j in self._jobs.values() if j.id[:15] == job_id), None
        )
        if job is None or (
            job.finished is not None and self.org.now() - job.finished > RESULT_SECONDS
        ):
            raise not_found()
        return job

    def poll(self, job: Job) -> None:
        """Let the job move on, one poll at a time."""
        if job.state in FINISHED or job.stuck:
            if job.stuck:
                job.state = "InProgress"
            return
        self._start_jobs()
        if job.began is None:
            return  # queued: stays UploadComplete
        job.polls += 1
        early = (
            self.clock() < job.ends
            if self.pace.shortest_job_seconds
            else job.polls <= self.org.bulk_job_delay_polls
        )
        if early:
            job.state = "InProgress"
            return
        self._finish(job)

    def _start_jobs(self) -> None:
        """Let waiting jobs begin, each at the moment a place became free for it."""
        now, pace = self.clock(), self.pace
        with self.org.lock:
            jobs = list(self._jobs.values())
            ends = [j.ends for j in jobs if j.began is not None and j.ends > now - 600]
            for job in jobs:
                if job.began is not None or job.state in FINISHED:
                    continue
                moment = job.made
                if pace.bulk_jobs_at_once:
                    busy = sorted(e for e in ends if e > moment)
                    if len(busy) >= pace.bulk_jobs_at_once:
                        moment = busy[-pace.bulk_jobs_at_once]
                if moment > now:
                    break
                job.began = moment
                if pace.shortest_job_seconds:
                    job.ends = moment + pace.shortest_job_seconds
                ends.append(job.ends)

    def _finish(self, job: Job) -> None:
        if job.forced is not None:
            job.state, job.error = job.forced
        else:
            gone = [
                s.field.name
                for s in job.selection.sources
                if len(s.path) == 1 and self.org.field_gone(job.object, s.field.name)
            ]
            if gone:
                job.state = "Failed"
                job.error = (
                    f"INVALID_FIELD: No such column '{gone[0]}' on entity '{job.object}'. If you "
                    "are attempting to use a custom field, be sure to append the '__c' after the "
                    "custom field name."
                )
            else:
                job.state = "JobComplete"
        job.finished = self.org.now()
        job.ends = min(job.ends, self.clock())

    def abort(self, job: Job) -> None:
        """``PATCH {"state": "Aborted"}``."""
        if job.state in FINISHED:
            raise ApiError(400, "INVALIDJOBSTATE", f"Aborting already {job.state} Job not allowed")
        job.state = "Aborted"
        job.stuck = False
        job.finished = self.org.now()
        job.ends = min(job.ends, self.clock())

    def delete(self, job: Job) -> None:
        """``DELETE``: only finished jobs."""
        if job.state not in FINISHED:
            raise ApiError(
                400,
                "API_ERROR",
                f"Error encountered when deleting the job because the job is not "
                f"terminated: {job.state}",
            )
        del self._jobs[job.id]

    def forget(self, job_id: str) -> None:
        """Drop a job as if it had expired."""
        self._jobs.pop(job_id, None)

    # -- answers ------------------------------------------------------------------------

    def created_json(self, job: Job) -> dict[str, Any]:
        """The answer to creation."""
        return {
            "id": job.id,
            "operation": job.operation,
            "object": job.object,
            "createdById": self.org.user_id,
            "createdDate": _stamp(job.created),
            "systemModstamp": _stamp(job.finished or job.created),
            "state": job.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(job.version),
            "lineEnding": job.line_ending,
            "columnDelimiter": job.delimiter,
        }

    def info_json(self, job: Job) -> dict[str, Any]:
        """The answer to a poll."""
        out = self.created_json(job)
        done = job.rows if job.state == "JobComplete" else 0
        if job.state == "InProgress":
            done = job.rows // 2
        if job.total_override is not None and job.state == "JobComplete":
            done = job.total_override
        out.update(
            jobType="V2Query",
            numberRecordsProcessed=done,
            retries=0,
            totalProcessingTime=max(1, job.rows // 500),
            isPkChunkingSupported=job.selection.sobject.custom
            or job.selection.sobject.name in ("Account", "Contact", "Task", "Event", "Case"),
        )
        if job.error is not None:
            out["errorMessage"] = job.error
        return out

    def list_json(self, version: str, params: dict[str, str]) -> dict[str, Any]:
        """``GET /jobs/query``."""
        if params.get("jobType", "V2Query") not in ("Classic", "V2Query", "V2Ingest"):
            raise ApiError(400, "API_ERROR", f"Invalid jobType: {params['jobType']}")
        jobs = [
            j
            for j in self._jobs.values()
            if j.finished is None or self.org.now() - j.finished <= RESULT_SECONDS
        ]
        if params.get("jobType", "V2Query") != "V2Query":
            jobs = []
        if params.get("concurrencyMode", "parallel").lower() != "parallel":
            jobs = []
        after = 0
        if params.get("queryLocator"):
            after = _ordinal(params["queryLocator"])
        jobs = [j for j in jobs if j.number > after]
        page = jobs[: self.org.bulk_list_rows]
        done = len(page) == len(jobs)
        keys = (
            "id",
            "operation",
            "object",
            "createdById",
            "createdDate",
            "systemModstamp",
            "state",
            "concurrencyMode",
            "contentType",
            "apiVersion",
            "jobType",
            "lineEnding",
            "columnDelimiter",
        )
        records = []
        for job in page:
            info = self.info_json(job)
            records.append({k: info[k] for k in keys})
        following = None
        if not done:
            following = (
                f"/services/data/v{version}/jobs/query?queryLocator={locator_text(page[-1].number)}"
            )
        return {"done": done, "records": records, "nextRecordsUrl": following}

    # -- results ------------------------------------------------------------------------

    def _ready(self, job: Job, version: str) -> None:
        if version != job.version:
            raise ApiError(
                409,
                "API_ERROR",
                f"The job was created with API version {job.version}; its results "
                f"cannot be read with version {version}",
            )
        if job.state != "JobComplete":
            raise ApiError(
                400,
                "INVALIDJOBSTATE",
                f"Results are not available: the job is in state {job.state}",
            )

    def page(self, job: Job, version: str, params: dict[str, str]) -> ResultPage:
        """One result page; a locator can be asked for again as long as the job lives."""
        self._ready(job, version)
        size = self.org.bulk_page_rows
        if params.get("maxRecords"):
            if not params["maxRecords"].isdigit() or int(params["maxRecords"]) < 1:
                raise ApiError(400, "API_ERROR", "maxRecords must be a positive number")
            size = int(params["maxRecords"])
            if self.org.bulk_page_rows_max:
                size = min(size, self.org.bulk_page_rows_max)
        ordinal = _ordinal(params["locator"]) if params.get("locator") else 0
        if ordinal and ordinal >= job.rows:
            raise ApiError(400, "INVALID_LOCATOR", "Invalid locator")
        count = min(size, job.rows - ordinal)
        end = ordinal + count
        return ResultPage(job, ordinal, count, "null" if end >= job.rows else locator_text(end))

    def pages_json(self, job: Job, version: str, params: dict[str, str]) -> dict[str, Any]:
        """``resultPages``: links to at most five pages (API 58.0 and later)."""
        if float(version) < 58.0:
            raise not_found()
        self._ready(job, version)
        base = f"/services/data/v{version}/jobs/query/{job.id}"
        size = self.org.bulk_page_rows
        ordinal = _ordinal(params["locator"]) if params.get("locator") else 0
        links: list[dict[str, str]] = []
        while len(links) < 5 and (ordinal < job.rows or ordinal == 0):
            link = f"{base}/results"
            links.append({"resultUrl": f"{link}?locator={locator_text(ordinal)}"})
            ordinal += size
        done = ordinal >= job.rows
        following = None if done else f"{base}/resultPages?locator={locator_text(ordinal)}"
        return {"resultPages": links, "nextRecordsUrl": following, "done": done}


def new_secret() -> str:
    """Random text for tokens."""
    return secrets.token_urlsafe(60)
