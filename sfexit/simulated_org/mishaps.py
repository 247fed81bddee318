"""Carrying out planned faults on answers and on their bytes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from . import metadata_mishaps
from .answers import Answer
from .bulk import Job, ResultPage, locator_text
from .csvtext import DELIMITERS, cell, split_cells, split_rows
from .errors import ApiError, not_found
from .faults import Fault
from .metadata_mishaps import KINDS as METADATA
from .org import SimulatedOrg
from .query import as_text
from .request import Request, error_answer

JSON = "application/json"
LOGIN_PAGE = (
    "<!DOCTYPE html><html><head><title>Login | Salesforce</title></head>"
    "<body><form name='login' action='/'>Your session has ended</form></body></html>"
)


# -- instead of the answer --------------------------------------------------------------------


def before(
    org: SimulatedOrg, fault: Fault, request: Request, parts: dict[str, str], object_name: str
) -> Answer | None:
    """The answer a fault gives in place of the real one, if it does."""
    answer = _before(org, fault, request, parts, object_name)
    if answer is None or not request.soap or not answer.content_type.startswith(JSON):
        return answer
    error = json.loads(answer.text())[0]
    return error_answer(ApiError(500, error["errorCode"], error["message"]), soap=True)


def _before(
    org: SimulatedOrg, fault: Fault, request: Request, parts: dict[str, str], object_name: str
) -> Answer | None:
    kind = fault.kind
    if kind == "status":
        return _status(org, fault)
    if kind == "html":
        page = str(fault.get("body", LOGIN_PAGE))
        return Answer(int(fault.get("code", 200)), page.encode(), "text/html; charset=UTF-8")
    if kind == "session_expired":
        if fault.get("really", True):
            org.expire_sessions()
        return _refused(401, "INVALID_SESSION_ID", "Session expired or invalid")
    if kind == "token_rotated":
        org.rotate_elsewhere()
        return _refused(401, "INVALID_SESSION_ID", "Session expired or invalid")
    if kind == "quota":
        if fault.get("really", True):
            org.spend_quota()
        return _refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    if kind == "redirect":
        location = str(fault.get("location", f"https://evil.example{request.target}"))
        return Answer(int(fault.get("code", 302)), b"", "text/html", {"Location": location})
    if kind == "job_gone":
        org.jobs.forget(parts.get("job", ""))
        return error_answer(not_found())
    if kind == "locator_lost":
        org.cursors.lose(parts.get("locator", ""))
        return _refused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    field_name = fault.get("field", "Gone__c")
    entity = object_name or fault.get("entity", "Account")
    plain = {
        "concurrent": (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
        "query_timeout": (400, "QUERY_TIMEOUT", "Your query request was running for too long."),
        "operation_too_large": (400, "OPERATION_TOO_LARGE", "exceeded 100000 distinct who/what's"),
        "invalid_field": (
            400,
            "INVALID_FIELD",
            f"\nERROR at Row:1:Column:8\nNo such column '{field_name}' on entity '{entity}'. If "
            "you are attempting to use a custom field, be sure to append the '__c' after the "
            "custom field name. Please reference your WSDL or the describe call for the "
            "appropriate names.",
        ),
        "bulk_unsupported": (
            400,
            "INVALIDENTITY",
            f"Entity '{entity}' is not supported by the Bulk API.",
        ),
        "wrong_version": (409, "API_ERROR", "The job was created with another API version"),
    }
    if kind in plain:
        code, name, message = plain[kind]
        return _refused(code, name, str(fault.get("message", message)))
    return None


def _refused(status: int, code: str, message: str) -> Answer:
    return error_answer(ApiError(status, code, message))


def _status(org: SimulatedOrg, fault: Fault) -> Answer:
    code = int(fault.get("code", 503))
    body = fault.get("body", None)
    content_type = str(fault.get("content_type", "application/json;charset=UTF-8"))
    if body is None:
        name = str(fault.get("error_code", "SERVER_UNAVAILABLE"))
        body = [{"errorCode": name, "message": str(fault.get("message", "Service unavailable"))}]
    raw = (
        body.encode()
        if isinstance(body, str)
        else (body if isinstance(body, bytes) else as_text(body))
    )
    headers = {str(k): str(v) for k, v in dict(fault.get("headers", {})).items()}
    if "retry_after" in fault.details:
        headers["Retry-After"] = str(fault.details["retry_after"])
    if "retry_after_date" in fault.details:
        moment = org.now() + float(fault.details["retry_after_date"])
        headers["Retry-After"] = formatdate(moment, usegmt=True)
    return Answer(code, raw, content_type, headers)


# -- the answer's content ---------------------------------------------------------------------


def content(org: SimulatedOrg, fault: Fault, request: Request, answer: Answer) -> None:
    """Change an answer as a fault wants."""
    kind = fault.kind
    if answer.status >= 300:
        return
    if kind in METADATA:
        if request.soap:
            answer.body = metadata_mishaps.spoiled(kind, answer.text())
        return
    if kind == "empty":
        answer.body = b""
    elif kind.startswith("job_") and answer.job is not None:
        _job(org, fault, answer, answer.job)
    elif kind == "total_mismatch" and answer.job is not None:
        answer.job.total_override = answer.job.rows + int(fault.get("delta", 1))
        if answer.page is None and answer.job.state == "JobComplete":
            _edit_json(answer, lambda b: b.update(numberRecordsProcessed=answer.job.total_override))  # type: ignore[union-attr]
    elif kind == "evil_url":
        _evil(fault, answer)
    elif kind.startswith("body_") and answer.job is None:
        _body(fault, answer)
    elif answer.page is not None:
        _page(fault, request, answer, answer.page)
    elif answer.job is None:
        _records(fault, request, answer)


def _edit_json(answer: Answer, edit: Callable[[dict[str, Any]], object]) -> None:
    body = json.loads(answer.text())
    if isinstance(body, dict):
        edit(body)
        answer.body = as_text(body)


def _job(org: SimulatedOrg, fault: Fault, answer: Answer, job: Job) -> None:
    polled = answer.page is None and b'"jobType"' in answer.text()
    if fault.kind == "job_stuck":
        job.stuck = True
        if job.state != "Aborted":
            job.state = "InProgress"
    elif fault.kind == "job_unknown_state":
        state = str(fault.get("state", "Paused"))
        _edit_json(answer, lambda b: b.update(state=state))
        return
    else:
        state = "Failed" if fault.kind == "job_failed" else "Aborted"
        message = fault.get(
            "message",
            "QUERY_TIMEOUT: Your query request was running for too long."
            if state == "Failed"
            else None,
        )
        job.forced = (state, message)
        if polled:
            job.state, job.error = job.forced
            job.finished = org.now()
    if polled:
        answer.body = as_text(org.jobs.info_json(job))


def _evil(fault: Fault, answer: Answer) -> None:
    host = str(fault.get("host", "evil.example"))
    before = {
        "at": f"@{host}",
        "double_slash": f"//{host}",
        "absolute": f"https://{host}",
        "dot": f".{host}",
    }[fault.get("style", "at")]

    def edit(body: dict[str, Any]) -> None:
        for name in ("nextRecordsUrl", "resultUrl"):
            if isinstance(body.get(name), str):
                body[name] = before + body[name]
        for page in body.get("resultPages", ()):
            page["resultUrl"] = before + page["resultUrl"]

    _edit_json(answer, edit)


def _records(fault: Fault, request: Request, answer: Answer) -> None:
    """REST query pages."""
    count = int(fault.get("count", 1))

    def edit(body: dict[str, Any]) -> None:
        records = body.get("records")
        if not isinstance(records, list):
            return
        if fault.kind == "short_done":
            body["done"] = True
            body.pop("nextRecordsUrl", None)
            if len(records) >= body.get("totalSize", 0):
                del records[len(records) - count :]
        elif fault.kind == "drop_rows":
            del records[len(records) - count :]
        elif fault.kind == "extra_rows":
            records.extend(records[-1:] * count)
        elif fault.kind == "duplicate_id" and len(records) > 1:
            records[-1]["Id"] = records[0].get("Id")
        elif fault.kind == "wrong_count":
            body["totalSize"] = body.get("totalSize", 0) + int(fault.get("delta", 1))
        elif fault.kind == "locator_loop":
            body["done"] = False
            stem = request.path if "/query/" in request.path else body.get("nextRecordsUrl")
            body["nextRecordsUrl"] = stem
        elif fault.kind == "locator_skip" and body.get("nextRecordsUrl"):
            stem, _, position = body["nextRecordsUrl"].rpartition("-")
            further = int(position) + int(fault.get("rows", 1))
            if further >= body.get("totalSize", 0):
                body["done"] = True
                body.pop("nextRecordsUrl")
            else:
                body["nextRecordsUrl"] = f"{stem}-{further}"

    _edit_json(answer, edit)


def _page(fault: Fault, request: Request, answer: Answer, page: ResultPage) -> None:
    """Bulk result pages."""
    kind = fault.kind
    if kind == "wrong_count":
        answer.headers["Sforce-NumberOfRecords"] = str(page.count + int(fault.get("delta", 1)))
        return
    if kind == "locator_loop":
        answer.headers["Sforce-Locator"] = request.params.get("locator") or locator_text(0)
        return
    if kind == "locator_skip":
        further = page.ordinal + page.count + int(fault.get("rows", 1))
        answer.headers["Sforce-Locator"] = (
            "null" if further >= page.job.rows else locator_text(further)
        )
        return
    text = answer.text().decode()
    if kind == "bom":
        answer.body = b"\xef\xbb\xbf" + text.encode()
        return
    end = "\r\n" if page.job.line_ending == "CRLF" else "\n"
    delimiter = DELIMITERS[page.job.delimiter]
    rows = [row.removesuffix(end) for row in split_rows(text)]
    rows = _edit_rows(fault, rows, delimiter, page)
    out = "".join(row + ("\r\n" if kind == "crlf" else end) for row in rows)
    if kind == "no_final_newline":
        out = out.removesuffix(end)
    answer.body = out.encode()


def _edit_rows(fault: Fault, rows: list[str], delimiter: str, page: ResultPage) -> list[str]:
    kind, count = fault.kind, int(fault.get("count", 1))
    head, data = rows[:1], rows[1:]
    if kind == "header_only":
        return head
    if kind == "no_header":
        return data
    if kind == "drop_rows":
        return head + data[: max(0, len(data) - count)]
    if kind == "extra_rows":
        return head + data + (data[-1:] or [delimiter.join(['"x"'])]) * count
    if kind == "swap_columns":
        a, b = fault.get("columns", (0, 1))
        return [_swapped(row, delimiter, int(a), int(b)) for row in rows]
    if kind == "extra_column":
        name = cell(str(fault.get("name", "Surprise__c")))
        return [f"{head[0]}{delimiter}{name}", *[f'{row}{delimiter}"extra"' for row in data]]
    if kind == "open_quote" and data:
        return [*head, *data[:-1], data[-1][:-1]]
    if kind == "duplicate_id" and data:
        first = data[0]
        if page.ordinal:
            chunk = next(iter(page.job.selection.chunks(0, 1)))
            first = page.job.selection.lines(chunk, delimiter)[0]
        cells = split_cells(data[-1], delimiter)
        cells[0] = split_cells(first, delimiter)[0]
        return [*head, *data[:-1], delimiter.join(cells)]
    return rows


def _swapped(row: str, delimiter: str, a: int, b: int) -> str:
    cells = split_cells(row, delimiter)
    if max(a, b) < len(cells):
        cells[a], cells[b] = cells[b], cells[a]
    return delimiter.join(cells)


# -- bodies of files --------------------------------------------------------------------------


def _body(fault: Fault, answer: Answer) -> None:
    """Alter the bytes of a file, or what is said of a part of it; framing stays true."""
    kind = fault.kind
    if kind == "body_short":
        data = answer.text()
        answer.body = data[: max(0, len(data) - int(fault.get("missing", 1)))]
    elif kind == "body_long":
        answer.body = answer.text() + b"+" * int(fault.get("extra", 1))
    elif kind == "body_changed":
        data = answer.text()
        answer.body = data[:-1] + bytes([data[-1] ^ 1]) if data else data
    elif kind == "body_range" and answer.status == 206:
        given = answer.headers["Content-Range"].removeprefix("bytes ")
        span, _, size = given.partition("/")
        start, _, stop = span.partition("-")
        shift = int(fault.get("shift", 1))
        answer.headers["Content-Range"] = f"bytes {int(start) + shift}-{int(stop) + shift}/{size}"


# -- bytes ------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def bomb(size: int, letter: bytes) -> bytes:
    """A gzip file of one letter, ``size`` times over, about a thousandth as long."""
    block = 1 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(letter * block) + packer.flush(zlib.Z_FULL_FLUSH)
    whole, rest = divmod(size, block)
    tail = packer.compress(letter * rest) + packer.flush()
    crc = 0
    text = letter * block
    for _ in range(whole):
        crc = zlib.crc32(text, crc)
    crc = zlib.crc32(letter * rest, crc)
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    foot = crc.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
    return head + piece * whole + tail + foot


def spoil(fault: Fault, body: bytes, is_gzip: bool) -> bytes:
    """Damage finished body bytes; framing stays clean."""
    kind = fault.kind
    if kind == "gzip_short" and is_gzip:
        return body[: int(len(body) * float(fault.get("share", 0.5)))]
    if kind == "gzip_no_trailer" and is_gzip:
        return body[:-8]
    if kind == "gzip_bad_crc" and is_gzip:
        return body[:-8] + bytes(b ^ 0xFF for b in body[-8:-4]) + body[-4:]
    if kind == "bit_flip" and body:
        at = min(int(len(body) * float(fault.get("share", 0.5))), len(body) - 1)
        at = int(fault.get("at", at))
        return body[:at] + bytes([body[at] ^ 1 << int(fault.get("bit", 2))]) + body[at + 1 :]
    if kind == "junk_after":
        if fault.get("what", "text") == "member":
            extra = str(fault.get("text", '"second","member"\n')).encode()
            packer = zlib.compressobj(1, zlib.DEFLATED, 31)
            return body + packer.compress(extra) + packer.flush()
        return body + str(fault.get("text", "<html>Internal error</html>")).encode()
    return body


def first(faults: Sequence[Fault], *kinds: str) -> Fault | None:
    """The first fault of one of these kinds."""
    return next((f for f in faults if f.kind in kinds), None)


def pieces(body: bytes, size: int) -> Iterator[bytes]:
    """Body bytes in pieces."""
    for at in range(0, len(body), size):
        yield body[at : at + size]
