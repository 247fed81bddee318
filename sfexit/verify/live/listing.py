"""All records of an object in the org, listed by id with what tells their state.

Not by the question that the export asked: see `asking`. Raises OrgRefused where the org gives them
by no way that is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sfexit.errors import DamagedAnswer, OrgRefused
from sfexit.verify.live import asking, canonical, filters
from sfexit.verify.live.archived import Archived
from sfexit.verify.live.asking import Way
from sfexit.verify.live.keys import ID_BYTES, NO_STAMP, KeySet, digest, id_key, stamp
from sfexit.verify.live.scan import packer, payload_bytes
from sfexit.verify.live.schema import Shape
from sfexit.verify.live.wire import QUERIES_A_CALL, Reply, Wire

_PLAIN_REFUSED = (
    "MALFORMED_QUERY",
    "API_ERROR",
    "OPERATION_TOO_LARGE",
    "QUERY_TIMEOUT",
    "UNKNOWN_EXCEPTION",
)
_NOT_BY_JOB = ("INVALIDENTITY", "FEATURENOTENABLED", "API_ERROR", "JOB_FAILED", "INVALIDJOB")


def org_keys(
    wire: Wire, one: Archived, shape: Shape, way: Way, folder: Path, first: Reply | None = None
) -> tuple[KeySet, Way, dict[str, int]]:
    """All records of the org, packed; the way that worked; counts by their witnesses.

    `first`: the first page, when it came with others. Raises OrgRefused when the org gives them
    by no way that is known, Transient when it does not answer.
    """
    pieces = filters.pieces_of(one.name)
    try:
        if pieces is not None and pieces.always:
            return _by_pieces(wire, one.name, shape, way, folder, pieces)
        if way.by_job and first is None:
            try:
                return _by_job(wire, one.name, shape, way, folder)
            except OrgRefused as refused:
                if refused.code.upper() not in _NOT_BY_JOB:
                    raise
                way = replace(way, by_job=False, spans=("",))
        try:
            return _by_rest(wire, one.name, shape, way, folder, first)
        except OrgRefused as refused:
            if refused.code != "URI_TOO_LONG":
                raise
            return _by_job(wire, one.name, shape, way, folder)
    except OrgRefused as refused:
        if refused.code.upper() not in _PLAIN_REFUSED or pieces is None or pieces.always:
            raise
        return _by_pieces(wire, one.name, shape, way, folder, pieces)


def _keys(folder: Path, name: str, way: Way) -> KeySet:
    return KeySet(folder, f"{name}.org", payload_bytes(way))


def _by_job(
    wire: Wire, name: str, shape: Shape, way: Way, folder: Path
) -> tuple[KeySet, Way, dict[str, int]]:
    count = asking.soql(name, ["COUNT()"])
    before = wire.try_get(wire.address(count))
    for attempt in (1, 2, 3):
        keys = _keys(folder, name, way)
        try:
            for condition in way.spans:
                rows = wire.job(asking.soql(name, way.columns, condition))
                header = next(rows, None)
                if header is None:
                    continue  # a result without rows may come without a header
                if [told.lower() for told in header] != [told.lower() for told in way.columns]:
                    raise DamagedAnswer("A query job answered with other columns than asked for.")
                pack = packer(way.columns, shape, way)
                for cells in rows:
                    packed = pack(cells) if len(cells) == len(way.columns) else None
                    if packed is None:
                        raise DamagedAnswer("A query job gave a row without an id.")
                    keys.add(*packed)
            break
        except DamagedAnswer:
            keys.remove()
            if attempt == 3:
                raise
    witnesses = {"by_id": keys.count}
    after = wire.try_get(wire.address(count))
    for told, reply in (("count_before", before), ("count_after", after)):
        if reply.ok and reply.total is not None:
            witnesses[told] = reply.total
    return keys, way, witnesses


def _by_rest(
    wire: Wire, name: str, shape: Shape, way: Way, folder: Path, first: Reply | None
) -> tuple[KeySet, Way, dict[str, int]]:
    for attempt in (1, 2, 3):
        keys = _keys(folder, name, way)
        try:
            told = 0
            for condition in way.spans:
                query = asking.soql(name, way.columns, condition)
                if first is None and not wire.fits(query):
                    raise OrgRefused(414, "URI_TOO_LONG", "the fields do not fit into one question")
                for page in wire.further(first) if first else wire.pages(query):
                    for row in page.rows:
                        keys.add(*pack_record(row, shape, way))
                told += first.total or 0 if first else 0
            witnesses = {"by_id": keys.count}
            return keys, way, {**witnesses, **({"totalSize": told} if told else {})}
        except (DamagedAnswer, OrgRefused) as trouble:
            keys.remove()
            lost = isinstance(trouble, DamagedAnswer) or trouble.code == "INVALID_QUERY_LOCATOR"
            if attempt == 3 or not lost:
                raise
            first = None
    raise AssertionError


def _by_pieces(
    wire: Wire, name: str, shape: Shape, way: Way, folder: Path, pieces: filters.Pieces
) -> tuple[KeySet, Way, dict[str, int]]:
    keys = _keys(folder, name, way)
    keys.unique = True
    batch: list[str] = []
    with_some = 0

    def asked() -> None:
        nonlocal with_some
        for reply in wire.many([wire.address(one) for one in batch]):
            if not reply.ok:
                if pieces.nothing_there(reply.code, reply.reason):
                    continue
                raise OrgRefused(reply.status, reply.code, reply.reason)
            for page in wire.further(reply):
                for rows in _rows_of(wire, page, pieces.inside):
                    some = False
                    for row in rows:
                        keys.add(*pack_record(row, shape, way))
                        some = True
                    with_some += some
        batch.clear()

    for tail in pieces.ask(wire, name, shape):
        batch.append(pieces.question(asking.soql(name, way.columns), tail))
        if len(batch) == QUERIES_A_CALL:
            asked()
    if batch:
        asked()
    alone = replace(way, by_job=False, spans=("",), in_pieces=True)
    witnesses = {"by_id": keys.count}
    if pieces.counted:
        witnesses |= {"parents_with": with_some, "parents_told": _told(wire, name, shape, pieces)}
    return keys, alone, witnesses


def _told(wire: Wire, name: str, shape: Shape, pieces: filters.Pieces) -> int:
    """How many living records say themselves that they have some inside; a count that no subquery
    has a part in. LikeCount can be filtered by (Object Reference, AccountFeed)."""
    counts = [
        wire.address(f"SELECT COUNT() FROM {tail} WHERE {pieces.counted} > 0", everything=False)  # noqa: S608
        for tail in pieces.ask(wire, name, shape)
    ]
    return sum(reply.total or 0 for reply in wire.many(counts) if reply.ok)


def _rows_of(wire: Wire, page: Reply, inside: str) -> Iterator[Iterable[Mapping[str, Any]]]:
    """The records of a page, or those inside of each, which may have pages of their own."""
    if not inside:
        yield page.rows
        return
    for row in page.rows:
        if row.get(inside) is not None:
            pages = wire.further(Reply(200, row[inside]))
            yield (one for inner in pages for one in inner.rows)


def pack_record(row: Mapping[str, Any], shape: Shape, way: Way) -> tuple[bytes, bool, bytes]:
    """A record of a REST answer, packed as `scan.packer` packs a row of the archive."""
    if way.content:
        payload = digest(
            canonical.from_json(row.get(name), shape.fields[name].type) for name in way.content
        )
    else:
        payload = stamp(str(row.get(way.stamp) or "")) if way.stamp else NO_STAMP
    key = id_key(str(row.get("Id"))) if way.has_id else payload[:ID_BYTES]
    if key is None:
        raise DamagedAnswer("The org gave a record without an id.")
    return key, row.get("IsDeleted") is True, payload
