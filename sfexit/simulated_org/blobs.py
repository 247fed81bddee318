"""The bytes of blob fields and of images in rich text (REST API guide, "sObject Blob Get",
"sObject Rich Text Image Get")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .answers import Answer
from .errors import ApiError, not_found
from .ids import to18

if TYPE_CHECKING:
    from .data import Table
    from .org import SimulatedOrg

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def blob(
    org: SimulatedOrg, headers: Mapping[str, str], name: str, row_id: str, field: str
) -> Answer:
    """A whole body, or the part that Range asks for where this org honours it."""
    table, row = _row(org, name, row_id)
    found = org.acting().sobject(name)
    known = found.field(field) if found is not None else None
    if known is None or known.type != "base64":
        raise not_found()
    bodies = org.tables.bodies
    real = table.sobject.name
    if table.deleted(table.changes, row) and not org.doubts.bodies_of_deleted_records:
        raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted")
    if bodies.elsewhere(real, row) or (real, row) in org.bodies_lost:
        raise not_found()
    size = bodies.size(real, row)
    etag = f'"{bodies.md5(real, row)[:16]}"'
    answer = Answer(200, bodies.pieces(real, row), "application/octetstream", length=size)
    wanted = _RANGE.fullmatch(headers.get("Range", ""))
    if org.doubts.ranges:
        answer.headers = {"ETag": etag, "Accept-Ranges": "bytes"}
        if wanted and headers.get("If-Range", etag) == etag:
            start = int(wanted[1])
            stop = min(int(wanted[2]) + 1 if wanted[2] else size, size)
            if start >= size:
                return Answer(416, b"", headers={"Content-Range": f"bytes */{size}"})
            answer.status = 206
            answer.body, answer.length = bodies.pieces(real, row, start, stop), stop - start
            answer.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return answer


def image(org: SimulatedOrg, name: str, row_id: str, field: str, ref: str) -> Answer:
    """An image of a rich text field."""
    table, row = _row(org, name, row_id)
    found = org.acting().sobject(name)
    known = found.field(field) if found is not None else None
    if known is None or known.extra != "richtextarea":
        raise not_found()
    if table.deleted(table.changes, row) and not org.doubts.bodies_of_deleted_records:
        raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted")
    data = org.tables.bodies.image(table, known.name, row, ref)
    if not org.doubts.copied_images and not org.tables.bodies.put_into(table, known.name, row, ref):
        data = None
    if data is None:
        raise not_found()
    return Answer(200, data, "image/png")


def _row(org: SimulatedOrg, name: str, row_id: str) -> tuple[Table, int]:
    """The table and row of an id, if the user of the request sees it."""
    view = org.acting()
    sobject = view.sobject(name)
    found = org.tables.locate(to18(row_id) or "")
    if sobject is None or found is None or found[0].sobject.name != sobject.name:
        raise not_found()
    table, row = found
    check = view.row_check(sobject, "everything")
    if check is not None and not check([row])[0]:
        raise not_found()
    if view.user.name in org.bodies_forbidden:
        raise ApiError(403, "INSUFFICIENT_ACCESS", "insufficient access rights on object id")
    return table, row
