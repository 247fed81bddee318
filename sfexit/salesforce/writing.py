"""Changing rows: up to 200 in a request, or many by an ingest job. Only through a client opened
for writing; nothing here repeats a request whose outcome is not known.

REST API guide, "sObject Collections", "Assignment Rule Header", "Duplicate Rule Header"; Bulk API
2.0 guide, "Bulk API 2.0 Ingest"; OAuth token revocation, RFC 7009.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from sfexit.errors import DamagedAnswer, OrgRefused
from sfexit.redaction import Secret, printable
from sfexit.salesforce.client import Client, Verbatim
from sfexit.salesforce.describe import check_api_name
from sfexit.salesforce.ids import full_id

MOST = 200  # records of one collection
_UNTOLD = "the job ended without a word of this row"
START = {"state": "UploadComplete"}  # what `start` sends
MOST_IN_JOB = 100_000  # rows of one job: far below 100 MB with an id, an owner and quotes
#: Salesforce reruns assignment rules on updates over REST unless it is told not to.
HEADERS = {
    "Sforce-Auto-Assign": "FALSE",
    "Sforce-Duplicate-Rule-Header": "allowSave=true",
}


@dataclass(frozen=True)
class Outcome:
    """What became of one row. `code` and `message` are the org's own words, empty if it went."""

    id: str
    ok: bool
    code: str = ""
    message: str = ""


def update(client: Client, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """Change up to 200 rows of one object, each for itself. Each row has its `Id`.

    Raises OutcomeUnknown when the org may or may not have acted: look before repeating.
    """
    body = update_body(name, _some(rows))
    answer = client.send_once("PATCH", "/composite/sobjects", body, HEADERS)
    return _outcomes(answer, [str(row["Id"]) for row in rows])


def update_body(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `update` sends."""
    attributes = {"type": check_api_name(name)}
    records = [
        {
            "attributes": attributes,
            "id": row["Id"],
            **{k: v for k, v in row.items() if k != "Id"},
        }
        for row in rows
    ]
    return {"allOrNone": False, "records": records}


def create(client: Client, name: str, rows: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """Make up to 200 rows of one object; their ids in order, empty where refused."""
    check_api_name(name)
    records = [{"attributes": {"type": name}, **row} for row in _some(rows)]
    answer = client.send_once(
        "POST", "/composite/sobjects", {"allOrNone": False, "records": records}, HEADERS
    )
    return _outcomes(answer, [""] * len(records))


def delete(client: Client, ids: Sequence[str]) -> list[Outcome]:
    """Delete up to 200 rows by id."""
    listed = ",".join(_some(ids))
    answer = client.send_once(
        "DELETE", f"/composite/sobjects?ids={quote(listed, safe=',')}&allOrNone=false"
    )
    return _outcomes(answer, list(ids))


def revoke(client: Client, token: Secret) -> None:
    """End a grant by its token, which stands in the body alone."""
    form = Verbatim(
        "application/x-www-form-urlencoded", urlencode({"token": token.reveal()}).encode()
    )
    client.send_once("POST", "/services/oauth2/revoke", form)


def _some(rows: Sequence[Any]) -> Sequence[Any]:
    if not 0 < len(rows) <= MOST:
        raise ValueError(f"{len(rows)} rows in one request")
    return rows


def _outcomes(answer: Any, ids: list[str]) -> list[Outcome]:
    if not isinstance(answer, list) or len(answer) != len(ids):
        raise DamagedAnswer("The org did not tell what became of each row.")
    return [_outcome(one, row_id) for one, row_id in zip(answer, ids, strict=True)]


def _outcome(told: Any, row_id: str) -> Outcome:
    if not isinstance(told, dict) or not isinstance(told.get("success"), bool):
        raise DamagedAnswer("The org did not tell what became of a row.")
    if told["success"]:
        return Outcome(str(told.get("id") or row_id), True)
    errors = told.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return Outcome(
        row_id,
        False,
        printable(str(first.get("statusCode") or "UNKNOWN"), 80),
        printable(str(first.get("message") or ""), 500),
    )


# ---- ingest jobs -----------------------------------------------------------------------------


@dataclass(frozen=True)
class IngestJob:
    """An ingest job as the org tells of it."""

    id: str
    state: str
    processed: int
    failed: int
    error: str

    @property
    def finished(self) -> bool:
        """Nothing changes any more."""
        return self.state in ("JobComplete", "Failed", "Aborted")


def open_job(client: Client, name: str, operation: str = "update") -> IngestJob:
    """Make a job; it does nothing before `upload` and `start`."""
    return _job(client.send_once("POST", "/jobs/ingest", job_body(name, operation)))


def job_body(name: str, operation: str = "update") -> dict[str, str]:
    """What `open_job` sends."""
    return {
        "object": check_api_name(name),
        "operation": operation,
        "contentType": "CSV",
        "lineEnding": "LF",
        "columnDelimiter": "COMMA",
    }


def upload(
    client: Client, job_id: str, header: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Send the rows of a job, once."""
    body = Verbatim("text/csv; charset=UTF-8", csv_body(header, rows))
    client.send_once("PUT", f"/jobs/ingest/{full_id(job_id)}/batches", body)


def csv_body(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """What `upload` sends."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def start(client: Client, job_id: str) -> IngestJob:
    """Tell the org that the upload is complete."""
    return _job(client.send_once("PATCH", f"/jobs/ingest/{full_id(job_id)}", START))


def abort(client: Client, job_id: str) -> IngestJob:
    """Give a job up; rows that it has done stay done."""
    return _job(client.send_once("PATCH", f"/jobs/ingest/{full_id(job_id)}", {"state": "Aborted"}))


def look(client: Client, job_id: str) -> IngestJob:
    """How a job goes."""
    return _job(client.get_json(f"/jobs/ingest/{full_id(job_id)}"))


def wait(client: Client, job_id: str, *, first: float = 0.5, most: float = 20.0) -> IngestJob:
    """Wait until a job is finished. Raises Interrupted when asked to stop; the job goes on."""
    pause = first
    while not (job := look(client, job_id)).finished:
        client.pause(pause)
        pause = min(most, pause * 1.6)
    return job


def outcomes(client: Client, job: IngestJob, ids: Sequence[str]) -> list[Outcome]:
    """What became of the rows of a finished job, in the order of `ids`.

    Only what went wrong is fetched where the org's counts leave no other reading: all rows were
    processed, and as many are listed as failed as it counts. Else every list is fetched, and a row
    that none of them names counts as NOT_PROCESSED.
    """
    failed = {one.id: one for one in _failed(client, job.id)} if job.failed else {}
    whole = job.state == "JobComplete" and job.processed == len(ids)
    if whole and len(failed) == job.failed and failed.keys() <= set(ids):
        return [failed.get(one) or Outcome(one, True) for one in ids]
    failed = failed or {one.id: one for one in _failed(client, job.id)}
    went = {
        row.get("sf__Id") or row.get("Id") or ""
        for row in _rows(client, f"/jobs/ingest/{full_id(job.id)}/successfulResults")
    }
    return [
        failed.get(one)
        or (Outcome(one, True) if one in went else Outcome(one, False, "NOT_PROCESSED", _UNTOLD))
        for one in ids
    ]


def _failed(client: Client, job_id: str) -> Iterator[Outcome]:
    for row in _rows(client, f"/jobs/ingest/{full_id(job_id)}/failedResults"):
        code, _, message = (row.get("sf__Error") or "UNKNOWN").partition(":")
        row_id = row.get("Id") or row.get("sf__Id") or ""
        yield Outcome(row_id, False, printable(code, 80), printable(message, 500))


def _rows(client: Client, path: str) -> Iterator[dict[str, str]]:
    def whole() -> list[dict[str, str]]:
        with client.stream(path, headers={"Accept": "text/csv"}) as answer:
            data = b"".join(answer.unpacked(512 << 20))
        text = io.StringIO(data.decode("utf-8-sig"), newline="")
        return list(csv.DictReader(text))

    yield from client.retried(whole, "the results of an ingest job")


def _job(answer: Any) -> IngestJob:
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
        raise DamagedAnswer("The org did not tell about the ingest job.")
    return IngestJob(
        full_id(answer["id"]),
        str(answer.get("state", "")),
        _number(answer.get("numberRecordsProcessed")),
        _number(answer.get("numberRecordsFailed")),
        printable(str(answer.get("errorMessage") or ""), 300),
    )


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def refused(outcome: Outcome) -> OrgRefused:
    """A row's refusal as an error."""
    return OrgRefused(400, outcome.code, outcome.message)
