"""Bulk API 2.0 ingest jobs (Bulk API 2.0 guide, "Bulk API 2.0 Ingest"; salesforce limits)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .csvtext import DELIMITERS, LINE_ENDINGS, line
from .errors import ApiError, not_found
from .ids import IdSpace
from .writes import SETUP, Refused

if TYPE_CHECKING:
    from .org import SimulatedOrg
    from .visibility import View

MOST_BYTES = 150_000_000
OPERATIONS = ("insert", "update", "delete", "hardDelete", "upsert")
_NULL = "#N/A"
_TRIGGER_CHUNK = 200


@dataclass
class IngestJob:
    """One ingest job, with its rows and what became of each."""

    id: str
    view: View
    object: str
    operation: str
    delimiter: str
    line_ending: str
    version: str
    created: float
    rule: str | None
    state: str = "Open"
    data: bytes | None = None
    polls: int = 0
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    done: list[tuple[str, bool, list[str]]] = field(default_factory=list)
    failed: list[tuple[str, str, list[str]]] = field(default_factory=list)
    left: list[list[str]] = field(default_factory=list)
    error: str | None = None


class IngestJobs:
    """The ingest jobs of an org. A job works when it is polled the second time."""

    def __init__(self, org: SimulatedOrg) -> None:
        self.org = org
        self._ids = IdSpace("750", org.tables.instance, 900_000)
        self._jobs: dict[str, IngestJob] = {}
        #: Rows after which a job is aborted by the org, as when it was killed in mid-work.
        self.abort_after: int | None = None

    def create(self, view: View, body: Any, version: str) -> IngestJob:
        """``POST /jobs/ingest``."""
        if not isinstance(body, dict):
            raise ApiError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required")
        known = {"object", "operation", "contentType", "lineEnding", "columnDelimiter"}
        known |= {"assignmentRuleId", "externalIdFieldName"}
        for name in body:
            if name not in known:
                raise ApiError(400, "JSON_PARSER_ERROR", f'Unrecognized field "{name}"')
        operation, name = body.get("operation"), body.get("object")
        if operation not in OPERATIONS or operation == "upsert":
            raise ApiError(400, "INVALIDJOB", f"Operation {operation} is not supported here")
        sobject = view.sobject(str(name))
        if sobject is None:
            raise ApiError(
                400, "INVALIDENTITY", f"Entity '{name}' is not supported by the Bulk API."
            )
        if sobject.name in SETUP - {"User", "Group", "GroupMember"} or not sobject.bulk:
            raise ApiError(
                400, "INVALIDENTITY", f"Entity '{sobject.name}' is not supported by the Bulk API."
            )
        if body.get("contentType", "CSV") != "CSV":
            raise ApiError(400, "INVALIDJOB", "Invalid content type")
        job = IngestJob(
            self._ids.at(len(self._jobs)),
            view,
            sobject.name,
            str(operation),
            str(body.get("columnDelimiter", "COMMA")),
            str(body.get("lineEnding", "LF")),
            version,
            self.org.now(),
            body.get("assignmentRuleId"),
        )
        if job.delimiter not in DELIMITERS or job.line_ending not in LINE_ENDINGS:
            raise ApiError(400, "INVALIDJOB", "Unknown delimiter or line ending")
        self._jobs[job.id] = job
        return job

    def get(self, job_id: str) -> IngestJob:
        """A job by its id."""
        found = self._jobs.get(job_id)
        if found is None:
            raise not_found()
        return found

    def upload(self, job: IngestJob, content_type: str, data: bytes) -> None:
        """``PUT /jobs/ingest/{id}/batches``: once a job."""
        if job.state != "Open" or job.data is not None:
            raise ApiError(400, "INVALIDJOBSTATE", f"Job is in state {job.state}, or has its data")
        if content_type.partition(";")[0].strip() != "text/csv":
            raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be text/csv")
        if len(data) > MOST_BYTES:
            raise ApiError(413, "REQUEST_ENTITY_TOO_LARGE", "The maximum size of a job is 150 MB")
        job.data = data

    def close(self, job: IngestJob, body: Any) -> None:
        """``PATCH /jobs/ingest/{id}``: the upload is complete, or the job is given up."""
        wanted = body.get("state") if isinstance(body, dict) else None
        if wanted == "Aborted":
            if job.state not in ("Open", "UploadComplete", "InProgress"):
                raise ApiError(400, "INVALIDJOBSTATE", f"Job is in state {job.state}")
            self._read(job)
            job.left, job.state = job.rows, "Aborted"
            return
        if wanted != "UploadComplete":
            raise ApiError(400, "INVALIDJOBSTATE", "A job can be set to UploadComplete or Aborted")
        if job.state != "Open":
            raise ApiError(400, "INVALIDJOBSTATE", f"Job is in state {job.state}")
        job.state = "UploadComplete"

    def poll(self, job: IngestJob) -> None:
        """Asked how it goes: it goes on."""
        if job.state not in ("UploadComplete", "InProgress"):
            return
        job.polls += 1
        if job.polls < 2:
            job.state = "InProgress"
            return
        self._work(job)

    def delete(self, job: IngestJob) -> None:
        """``DELETE /jobs/ingest/{id}``."""
        if job.state not in ("JobComplete", "Aborted", "Failed"):
            raise ApiError(400, "INVALIDJOBSTATE", f"Job is in state {job.state}")
        del self._jobs[job.id]

    def info(self, job: IngestJob) -> dict[str, Any]:
        """``GET /jobs/ingest/{id}``."""
        from .bulk import _stamp

        told: dict[str, Any] = {
            "id": job.id,
            "operation": job.operation,
            "object": job.object,
            "createdById": job.view.user_id,
            "createdDate": _stamp(job.created),
            "systemModstamp": _stamp(self.org.now()),
            "state": job.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(job.version),
            "contentUrl": f"services/data/v{job.version}/jobs/ingest/{job.id}/batches",
            "lineEnding": job.line_ending,
            "columnDelimiter": job.delimiter,
            "jobType": "V2Ingest",
        }
        if job.state != "Open":
            told |= {
                "retries": 0,
                "totalProcessingTime": 10 * len(job.rows),
                "numberRecordsProcessed": len(job.done) + len(job.failed),
                "numberRecordsFailed": len(job.failed),
            }
        if job.error:
            told["errorMessage"] = job.error
        return told

    def listed(self) -> dict[str, Any]:
        """``GET /jobs/ingest``."""
        return {
            "done": True,
            "nextRecordsUrl": None,
            "records": [self.info(job) for job in self._jobs.values()],
        }

    def results(self, job: IngestJob, which: str) -> bytes:
        """Successful, failed or unprocessed rows as CSV; their order is not that of the input."""
        delimiter, end = DELIMITERS[job.delimiter], LINE_ENDINGS[job.line_ending]
        if which == "unprocessedrecords":
            lines = [line(job.header, delimiter), *(line(r, delimiter) for r in job.left)]
        elif which == "successfulResults":
            lines = [line(["sf__Id", "sf__Created", *job.header], delimiter)]
            lines += [line([i, str(c).lower(), *r], delimiter) for i, c, r in reversed(job.done)]
        else:
            lines = [line(["sf__Id", "sf__Error", *job.header], delimiter)]
            lines += [line([i, e, *r], delimiter) for i, e, r in reversed(job.failed)]
        return (end.join(lines) + end).encode()

    # -- within -------------------------------------------------------------------------------

    def _read(self, job: IngestJob) -> None:
        if job.header or job.data is None:
            return
        text = job.data.decode("utf-8-sig")
        read = list(csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[job.delimiter]))
        job.header = read[0] if read else []
        job.rows = [row for row in read[1:] if row]

    def _work(self, job: IngestJob) -> None:
        try:
            self._read(job)
        except (UnicodeDecodeError, csv.Error):
            job.state, job.error = "Failed", "InvalidBatch : Failed to parse CSV"
            return
        sobject = job.view.sobject(job.object)
        wrong = [n for n in job.header if sobject is None or sobject.field(n) is None]
        if not job.header or wrong:
            job.state = "Failed"
            job.error = f"InvalidBatch : Field name not found : {wrong[0] if wrong else ''}"
            job.left = job.rows
            return
        headers = {"sforce-auto-assign": job.rule or "FALSE"}
        with self.org.writes.together():
            for number, row in enumerate(job.rows):
                if self.abort_after is not None and number >= self.abort_after:
                    job.left, job.state = job.rows[number:], "Aborted"
                    self.abort_after = None
                    return
                self._one(job, row, headers)
        job.state = "JobComplete"

    def _one(self, job: IngestJob, row: list[str], headers: dict[str, str]) -> None:
        cells = dict(zip(job.header, row, strict=False))
        row_id = next((v for k, v in cells.items() if k.lower() == "id"), "")
        # An empty cell leaves the field as it is; #N/A makes it null.
        values = {
            k: None if v == _NULL else v for k, v in cells.items() if v != "" and k.lower() != "id"
        }
        writes = self.org.writes
        try:
            if len(row) != len(job.header):
                raise Refused("INVALID_INPUT", "Number of columns does not match the header")
            if job.operation == "insert":
                made = writes.create(job.view, job.object, values, headers)
            elif job.operation == "update":
                made = writes.update(job.view, job.object, row_id, values, headers)
            else:
                made = writes.delete(job.view, job.object, row_id)
            job.done.append((made, job.operation == "insert", row))
        except Refused as refused:
            listed = ", ".join(refused.fields) or "--"
            job.failed.append((row_id, f"{refused.code}:{refused.message}:{listed}", row))
