"""Rows over REST: one at a time, and 200 at a time (REST API guide, sObject Rows, Collections)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from .errors import ApiError
from .visibility import View
from .writes import Refused, Writes

MOST = 200  # records in one request
MOST_KINDS = 10  # chunks of one type each
Headers = Mapping[str, str]
_UNDONE = Refused(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone "
    "header",
)


def one(
    writes: Writes, view: View, method: str, name: str, row_id: str, body: Any, headers: Headers
) -> tuple[int, dict[str, Any] | None]:
    """``POST``, ``PATCH`` or ``DELETE`` of one row: status and body."""
    if method != "DELETE" and not isinstance(body, dict):
        raise ApiError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required")
    with writes.together():
        before = writes.snapshot()
        try:
            if method == "POST":
                made = writes.create(view, name, body, headers)
                return 201, {"id": made, "success": True, "errors": []}
            if method == "PATCH":
                writes.update(view, name, row_id, body, headers)
            else:
                writes.delete(view, name, row_id)
        except Refused as refused:
            writes.restore(before)
            raise refused.api_error() from None
    return 204, None


def many(
    writes: Writes,
    view: View,
    method: str,
    params: Mapping[str, str],
    body: Any,
    headers: Headers,
) -> list[dict[str, Any]]:
    """``POST``, ``PATCH`` or ``DELETE /composite/sobjects``: an outcome a record, in order."""
    if method == "DELETE":
        ids = [i for i in params.get("ids", "").split(",") if i]
        together = params.get("allOrNone", "false").lower() == "true"
        records: list[dict[str, Any]] = [{"id": i} for i in ids]
        kinds = [_kind(writes, i) for i in ids]
    else:
        records, together = _records(body)
        kinds = [_named(r) for r in records]
    if not records:
        raise ApiError(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [records]")
    if len(records) > MOST:
        raise ApiError(
            400,
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {MOST} records into this call",
        )
    runs = 1 + sum(a != b for a, b in pairwise(kinds))
    if method != "DELETE" and runs > MOST_KINDS:
        raise ApiError(
            400, "INVALID_BATCH", f"Cannot have more than {MOST_KINDS} chunks in a single operation"
        )
    with writes.together():
        try:
            writes.transaction(kinds)
        except Refused as refused:
            return [_failed(refused) for _ in records]
        return _each(writes, records, _deeds(writes, view, method, headers), together)


def _deeds(
    writes: Writes, view: View, method: str, headers: Headers
) -> Callable[[dict[str, Any]], str]:
    def deed(record: dict[str, Any]) -> str:
        if method == "POST":
            return writes.create(view, _named(record), _values(record), headers)
        row_id = str(record.get("id") or record.get("Id") or "")
        if method == "DELETE":
            return writes.delete(view, None, row_id)
        if not row_id:
            raise Refused("MISSING_ARGUMENT", "Id not specified in an update call")
        return writes.update(view, _named(record), row_id, _values(record), headers)

    return deed


def _each(
    writes: Writes,
    records: list[dict[str, Any]],
    deed: Callable[[dict[str, Any]], str],
    together: bool,
) -> list[dict[str, Any]]:
    whole = writes.snapshot() if together else None
    out: list[dict[str, Any]] = []
    seen: set[str] = set()
    bad = False
    for record in records:
        row_id = str(record.get("id") or record.get("Id") or "")[:15]
        try:
            if row_id and row_id in seen:
                raise Refused("DUPLICATE_VALUE", f"duplicate id in list: {row_id}", status=400)
            seen.add(row_id)
            out.append({"id": deed(record), "success": True, "errors": []})
        except Refused as refused:
            bad = True
            # In a collection an unknown id is told like this (REST API guide, examples).
            if refused.code == "NOT_FOUND":
                refused = Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
            out.append(_failed(refused, row_id))
    if whole is not None and bad:
        writes.restore(whole)
        out = [one if not one["success"] else _failed(_UNDONE, one["id"]) for one in out]
    return out


def _failed(refused: Refused, row_id: str = "") -> dict[str, Any]:
    head: dict[str, Any] = {"id": row_id} if row_id else {}
    return head | {"success": False, "errors": [refused.entry()]}


def _records(body: Any) -> tuple[list[dict[str, Any]], bool]:
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
        raise ApiError(400, "JSON_PARSER_ERROR", "The request body needs a list records")
    return records, bool(body.get("allOrNone", False))


def _named(record: dict[str, Any]) -> str:
    attributes = record.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(name, str):
        raise ApiError(400, "INVALID_INPUT", "Each record needs attributes with a type")
    return name


def _values(record: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in record.items() if k not in ("attributes", "id", "Id")}


def _kind(writes: Writes, row_id: str) -> str:
    found = writes.org.tables.locate(row_id)
    return found[0].sobject.name if found else ""
