"""Many requests in one (REST API guide, "Composite Resources").

``/composite`` runs at most 25 subrequests in order, of them at most five queries or collections,
and counts as one call; a subrequest can use what an earlier one gave (``@{ref.path}``). With
``allOrNone`` one failure undoes all. ``/composite/batch`` runs 25 independent ones that count one
by one. ``/composite/graph`` runs up to 500 nodes. ``/composite/sobjects/X`` gets rows by id. The
whole of a composite request may take ten minutes (not imitated).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from .errors import ApiError, not_found
from .query import as_text, rows_json

MOST = 25
MOST_QUERIES = 5
MOST_NODES = 500
MOST_IDS, MOST_IDS_IN_URL = 2000, 800

Send = Callable[[str, str, bytes, "dict[str, str]"], "tuple[int, bytes]"]
_REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)((?:\.\w+|\[\d+\])*)\}")
_ALLOWED = re.compile(
    r"/services/data/v\d+\.\d/(query|queryAll|sobjects|composite/sobjects)(/|\?|$)", re.IGNORECASE
)
_LIMITED = re.compile(r"/services/data/v\d+\.\d/(query|queryAll|composite/sobjects)(/|\?|$)")
_ROLLED_BACK = (
    "The transaction was rolled back since another operation in the same transaction failed."
)


def _refused(message: str, code: str = "PROCESSING_HALTED") -> bytes:
    return as_text([{"errorCode": code, "message": message}])


def _list(body: Any, name: str) -> list[dict[str, Any]]:
    found = body.get(name) if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(p, dict) for p in found):
        raise ApiError(400, "JSON_PARSER_ERROR", f"The request body needs a list {name}")
    return found


class _Unknown(Exception):
    """A reference that leads nowhere."""


def _resolved(text: str, answers: dict[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        name, path = match.groups()
        if name not in answers:
            raise _Unknown(f"Invalid reference specified. No value for {name}{path} found in the "
                           f"response of {name}.")  # fmt: skip
        here = answers[name]
        for step in re.findall(r"\.(\w+)|\[(\d+)\]", path):
            try:
                here = here[step[0]] if step[0] else here[int(step[1])]
            except (KeyError, IndexError, TypeError):
                raise _Unknown(
                    f"Invalid reference specified. No value for {name}{path} found in {name}. "
                    "Perhaps the field does not exist or the response has no such element."
                ) from None
        return here if isinstance(here, str) else json.dumps(here)

    return _REFERENCE.sub(value, text)


def _check(parts: list[dict[str, Any]], most: int) -> None:
    if len(parts) > most:
        raise ApiError(400, "PROCESSING_HALTED", f"Limit exceeded: {most} subrequests")
    queries = sum(bool(_LIMITED.match(str(p.get("url", "")))) for p in parts)
    if queries > MOST_QUERIES:
        raise ApiError(
            400,
            "PROCESSING_HALTED",
            f"Limit exceeded: {MOST_QUERIES} query or sObject Collections subrequests",
        )
    seen: set[str] = set()
    for part in parts:
        reference = part.get("referenceId")
        if not isinstance(reference, str) or not re.fullmatch(r"[A-Za-z0-9]\w*", reference):
            raise ApiError(
                400,
                "JSON_PARSER_ERROR",
                "Each subrequest needs a referenceId of letters, numbers and underscores that "
                f"begins with a letter or a number: {reference!r}",
            )
        if reference in seen:
            raise ApiError(400, "JSON_PARSER_ERROR", f"Duplicate ReferenceId provided: {reference}")
        seen.add(reference)


def _entry(body: bytes, status: int, reference: str) -> bytes:
    head = b'{"body":' + (body or b"null") + b',"httpHeaders":{},"httpStatusCode":'
    return head + str(status).encode() + b',"referenceId":' + as_text(reference) + b"}"


def run(parts: list[dict[str, Any]], all_or_none: bool, send: Send) -> tuple[bytes, bool]:
    """Subrequests one after another: the list of answers, and whether all went well."""
    answers: dict[str, Any] = {}
    failed: set[str] = set()
    done: list[tuple[bytes, int, str]] = []
    texts = [json.dumps(p.get("body")) if "body" in p else "" for p in parts]
    wanted = {m[1] for p, t in zip(parts, texts, strict=True)
              for m in _REFERENCE.finditer(str(p.get("url", "")) + t)}  # fmt: skip
    for part, text in zip(parts, texts, strict=True):
        reference = str(part["referenceId"])
        url = str(part.get("url", ""))
        if all_or_none and failed:
            done.append((_refused(_ROLLED_BACK), 400, reference))
            continue
        try:
            needed = {m[1] for m in _REFERENCE.finditer(url + text)}
            if needed & failed:
                raise _Unknown("A subrequest that this one refers to failed.")
            url, text = _resolved(url, answers), _resolved(text, answers)
        except _Unknown as error:
            failed.add(reference)
            done.append((_refused(str(error)), 400, reference))
            continue
        if not _ALLOWED.match(url):
            status, body = 400, _refused(f"This resource cannot be part of a composite: {url}")
        else:
            headers = {str(k): str(v) for k, v in dict(part.get("httpHeaders") or {}).items()}
            status, body = send(str(part.get("method", "GET")), url, text.encode(), headers)
        if status >= 400:
            failed.add(reference)
        elif reference in wanted:
            answers[reference] = json.loads(body or b"null")
        done.append((body, status, reference))
    if all_or_none and failed:
        done = [(b, s, r) if s >= 400 else (_refused(_ROLLED_BACK), 400, r) for b, s, r in done]
    return b'{"compositeResponse":[' + b",".join(_entry(*d) for d in done) + b"]}", not failed


def composite(body: Any, send: Send) -> bytes:
    """``POST /composite``."""
    parts = _list(body, "compositeRequest")
    _check(parts, MOST)
    return run(parts, bool(body.get("allOrNone", False)), send)[0]


def graph(body: Any, send: Send) -> bytes:
    """``POST /composite/graph``: each graph goes well as a whole or not at all."""
    graphs = _list(body, "graphs")
    nodes = sum(len(g.get("compositeRequest", ())) for g in graphs)
    if nodes > MOST_NODES or len(graphs) > 75:
        raise ApiError(400, "LIMIT_EXCEEDED", f"Limit exceeded: {MOST_NODES} nodes, 75 graphs")
    out = []
    for one in graphs:
        answer, well = run(_list(one, "compositeRequest"), True, send)
        out.append(
            b'{"graphId":' + as_text(one.get("graphId")) + b',"graphResponse":' + answer
            + b',"isSuccessful":' + (b"true}" if well else b"false}")
        )  # fmt: skip
    return b'{"graphs":[' + b",".join(out) + b"]}"


def batch(body: Any, version: str, send: Send) -> bytes:
    """``POST /composite/batch``: independent subrequests, in order."""
    parts = _list(body, "batchRequests")
    if len(parts) > MOST:
        raise ApiError(400, "LIMIT_EXCEEDED", f"Limit exceeded: {MOST} subrequests")
    halt = bool(body.get("haltOnError", False))
    results: list[bytes] = []
    errors = False
    for part in parts:
        url = str(part.get("url", ""))
        if not url.startswith("/services/data/"):
            url = "/services/data/" + url.lstrip("/")
        found = re.match(r"/services/data/v(\d+\.\d)", url)
        if halt and errors:
            status = 412
            answer = _refused("A previous request was unsuccessful.", "BATCH_PROCESSING_HALTED")
        elif found is None or float(found[1]) > float(version):
            status = 400
            answer = _refused(
                "The version of a subrequest can be at most that of the batch", "INVALID_BATCH"
            )
        else:
            text = json.dumps(part["richInput"]).encode() if "richInput" in part else b""
            status, answer = send(str(part.get("method", "GET")), url, text, {})
            if "/tooling/" in url:
                answer = _only_attributes(answer)
        errors = errors or status >= 400
        results.append(b'{"statusCode":%d,"result":' % status + (answer or b"null") + b"}")
    head = b'{"hasErrors":' + (b"true" if errors else b"false") + b',"results":['
    return head + b",".join(results) + b"]}"


def _only_attributes(answer: bytes) -> bytes:
    """Tooling rows in a batch come without their columns, as clients found."""
    body = json.loads(answer or b"null")
    if isinstance(body, dict) and isinstance(body.get("records"), list):
        body["records"] = [{"attributes": r.get("attributes")} for r in body["records"]]
        return as_text(body)
    return answer


def collection(
    org: Any, name: str, version: str, method: str, params: dict[str, str], body: Any
) -> bytes:
    """``GET`` or ``POST /composite/sobjects/X``: rows by id, null where there is none."""
    if method == "GET":
        ids = [i for i in params.get("ids", "").split(",") if i]
        fields = [f for f in params.get("fields", "").split(",") if f]
        most = MOST_IDS_IN_URL
    else:
        if not isinstance(body, dict):
            raise ApiError(400, "JSON_PARSER_ERROR", "The request body needs ids and fields")
        ids, fields, most = list(body.get("ids", ())), list(body.get("fields", ())), MOST_IDS
    if not ids or not fields:
        raise ApiError(400, "REQUIRED_FIELD_MISSING", "ids and fields are required")
    if len(ids) > most:
        raise ApiError(400, "EXCEEDED_ID_LIMIT", f"record limit reached: {most}")
    if org.sobject(name) is None:
        raise not_found()
    rows = rows_json(org, name, ids, fields, version)
    text = "[" + ",".join(r if r is not None else "null" for r in rows) + "]"
    return text.encode("utf-8", "surrogatepass")
