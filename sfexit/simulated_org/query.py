"""REST query answers: JSON pages, cursors and aggregates (REST API guide, Query)."""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .columns import Value
from .data import java_double, json_value
from .errors import ApiError
from .ids import to18
from .nested import Child, children_of, joined
from .schema import COMPOUND, NUMERIC, Field
from .select import Rows, Selection, Source, resolve, select
from .soql import Item

if TYPE_CHECKING:
    from .org import SimulatedOrg
    from .visibility import View

LOCATOR_SECONDS = 2 * 86_400  # Limits quick reference, API Query Cursor Limits
GROUP_ROWS = 2000
DEFINITION_ROWS = 2000  # of the metadata catalogues: there is no second page


@dataclass
class _Node:
    """A record in the answer: its own columns and the parents nested in it."""

    leaves: list[Source] = field(default_factory=list)
    parents: dict[str, _Node] = field(default_factory=dict)
    step: tuple[Field, ...] = ()


def _tree(sources: Sequence[Source]) -> _Node:
    root = _Node()
    for source in sources:
        node = root
        labels = source.label.split(".")
        for depth, label in enumerate(labels[:-1]):
            node = node.parents.setdefault(label, _Node())
            node.step = source.path[: depth + 1]
        node.leaves.append(source)
    return root


def _compound(s: Selection, source: Source, rows: Rows) -> list[str]:
    """An address or location as its object, null when all parts are."""
    f = source.field
    out_names = {
        "Street": "street",
        "City": "city",
        "State": "state",
        "PostalCode": "postalCode",
        "Country": "country",
        "Latitude": "latitude",
        "Longitude": "longitude",
        "GeocodeAccuracy": "geocodeAccuracy",
    }
    owner = s.org.tables.full(s.sobject.name)
    if len(source.path) > 1:
        target = s.org.sobject(source.path[-2].ref[0])
        owner = target or owner
    parts = []
    for part in owner.fields:
        if part.compound == f.name and part.gen.startswith("address:"):
            label = out_names[part.gen.split(":")[1]]
            if f.type == "location" and label not in ("latitude", "longitude"):
                continue
            values = s.values(Source(part.name, (*source.path[:-1], part)), rows)
            parts.append((label, part, values))
    parts.sort(key=lambda p: p[0])
    texts = []
    for n in range(len(rows)):
        if all(values[n] is None for _, _, values in parts):
            texts.append("null")
        else:
            inner = ",".join(f'"{lb}":{json_value(pf, vs[n])}' for lb, pf, vs in parts)
            texts.append("{" + inner + "}")
    return texts


def _leaf(s: Selection, source: Source, rows: Rows, version: str, ids: list[Value]) -> list[str]:
    f = source.field
    name = json.dumps(f.name)
    if f.type in COMPOUND:
        return [f"{name}:{text}" for text in _compound(s, source, rows)]
    if f.type == "base64":
        base = f"/services/data/v{version}/sobjects/{s.sobject.name}"
        return [f'{name}:"{base}/{i}/{f.name}"' for i in ids]
    return [f"{name}:{json_value(f, value)}" for value in s.values(source, rows)]


def _records(s: Selection, node: _Node, rows: Rows, version: str) -> list[str]:
    ids: list[Value]
    if node.step:
        ids = s.values(Source("", node.step), rows)
    elif s.sobject.field("Id") is not None:
        ids = (
            s.table.column("Id").block(rows[0], len(rows))
            if isinstance(rows, range)
            else [s.table.column("Id").value(k) for k in rows]
        )
    else:
        ids = [None] * len(rows)
    heads: list[str] = []
    for record_id in ids:
        name = s.sobject.name
        if node.step and node.step[-1].ref == ("EntityDefinition",) and record_id:
            name = "EntityDefinition"  # its durable id is a name, and found in no table by that
        elif node.step:
            found = s.org.tables.locate(record_id) if record_id else None
            if found is None:
                heads.append("")
                continue
            name = "Name" if len(node.step[-1].ref) > 1 else found[0].sobject.name
        if record_id is None:
            heads.append(f'"attributes":{{"type":"{name}"}}')
        else:
            heads.append(
                f'"attributes":{{"type":"{name}",'
                f'"url":"/services/data/v{version}/sobjects/{name}/{record_id}"}}'
            )
    columns: list[list[str]] = [heads]
    columns += [_leaf(s, leaf, rows, version, ids) for leaf in node.leaves]
    for label, parent in node.parents.items():
        columns.append([f'"{label}":{text}' for text in _records(s, parent, rows, version)])
    return ["{" + ",".join(t) + "}" if t[0] else "null" for t in zip(*columns, strict=True)]


def records_json(s: Selection, ordinal: int, n: int, version: str) -> list[str]:
    """``n`` records from ``ordinal`` on, as JSON texts."""
    root = _tree(s.sources)
    out: list[str] = []
    for rows in s.chunks(ordinal, n):
        out += _records(s, root, rows, version)
    return out


# -- aggregates -------------------------------------------------------------------------------


def _fold(item: Item, f: Field | None, values: list[Value], count: int) -> str:
    if item.kind == "count" or f is None:
        return str(count)
    known = [v for v in values if v is not None]
    if item.function == "count":
        return str(len(known))
    if item.function == "count_distinct":
        return str(len(set(known)))
    if not known:
        return "null"
    if item.function in ("min", "max"):
        pick = min if item.function == "min" else max
        best = pick(known, key=float) if f.type in NUMERIC else pick(known)
        return json_value(f, best)
    if f.type not in NUMERIC:
        raise ApiError(
            400,
            "MALFORMED_QUERY",
            f"field {f.name} does not support aggregate operator {item.function.upper()}",
        )
    total = sum(float(v) for v in known)
    return java_double(total if item.function == "sum" else total / len(known))


def _aggregate(s: Selection) -> bytes:
    query = s.query
    groups: dict[tuple[Value, ...], list[list[Value]]] = {}
    counts: dict[tuple[Value, ...], int] = {}
    keys = [resolve(s.org, s.sobject, query, g.path, g.at) for g in query.group_by]
    folds = [
        (i, resolve(s.org, s.sobject, query, i.path, i.at) if i.path else None)
        for i in s.aggregates
    ]
    if not keys:
        groups[()] = [[] for _ in folds]
        counts[()] = 0
    for rows in s.chunks(0, s.count):
        key_values = [s.values(k, rows) for k in keys]
        values = [s.values(src, rows) if src else [] for _, src in folds]
        if not keys:
            counts[()] += len(rows)
            for n, column in enumerate(values):
                groups[()][n] += column
            continue
        for n, key in enumerate(zip(*key_values, strict=True)):
            bucket = groups.setdefault(key, [[] for _ in folds])
            counts[key] = counts.get(key, 0) + 1
            for m, column in enumerate(values):
                if column:
                    bucket[m].append(column[n])
    if len(groups) > GROUP_ROWS:
        raise ApiError(
            500,
            "EXCEEDED_MAX_SIZE_REQUEST",
            "Aggregate query does not support queryMore(), use LIMIT to restrict the "
            "results to a single batch",
        )
    records = []
    for key, columns in groups.items():
        parts = ['"attributes":{"type":"AggregateResult"}']
        for source, value in zip(keys, key, strict=True):
            parts.append(f'"{source.field.name}":{json_value(source.field, value)}')
        for n, (item, src) in enumerate(folds):
            name = item.alias or f"expr{n}"
            text = _fold(item, src.field if src else None, columns[n], counts[key])
            parts.append(f'"{name}":{text}')
        records.append("{" + ",".join(parts) + "}")
    if query.limit is not None:
        records = records[: query.limit]
    return _page(len(records), True, None, records)


def _page(total: int, done: bool, following: str | None, records: list[str]) -> bytes:
    more = f'"nextRecordsUrl":"{following}",' if following else ""
    head = f'{{"totalSize":{total},"done":{"true" if done else "false"},{more}"records":['
    return (head + ",".join(records) + "]}").encode("utf-8", "surrogatepass")


# -- cursors ----------------------------------------------------------------------------------


@dataclass
class _Cursor:
    selection: Selection
    opened: float
    batch: int
    children: list[Child] = field(default_factory=list)


class Cursors:
    """Open query cursors; a locator is opaque and lives two days."""

    def __init__(self, org: SimulatedOrg) -> None:
        self.org = org
        self._open: OrderedDict[str, _Cursor] = OrderedDict()

    def first(
        self, text: str, everything: bool, version: str, options: str, view: View | None = None
    ) -> bytes:
        """The first page of a query, as the user of the request (or ``view``) sees it."""
        s = select(view or self.org, text, everything, float(version))
        if any(i.kind == "typeof" for i in s.query.items):
            raise ApiError(400, "MALFORMED_QUERY", "TYPEOF is not offered by this simulated org")
        children = children_of(s)
        if s.query.count_only:
            return _page(s.count, True, None, [])
        if s.query.aggregate:
            return _aggregate(s)
        batch = min(self.org.rest_page_rows, s.sobject.page_rows, _wish(options))
        reified = s.sobject.refusal is not None and s.sobject.refusal.reified
        if reified and s.count > DEFINITION_ROWS:
            raise ApiError(
                400,
                "EXCEEDED_ID_LIMIT",
                f"{s.sobject.name} does not support queryMore(), use LIMIT to restrict the results "
                "to a single batch",
            )
        if reified:
            return _page(s.count, True, None, records_json(s, 0, s.count, version))
        return self._result(s, batch, version, children)

    def _result(
        self, s: Selection, batch: int, version: str, children: list[Child] | None = None
    ) -> bytes:
        cursor = _Cursor(s, self.org.now(), batch, children or [])
        stem = ""
        if s.count > batch:
            stem = "0r8" + secrets.token_hex(6) + "AQ"
            self._open[stem] = cursor
            while len(self._open) > 5000:
                self._open.popitem(last=False)
        return self._answer(cursor, stem, 0, version)

    def next(self, locator: str, version: str) -> bytes:
        """The page behind a locator."""
        stem, _, position = locator.rpartition("-")
        cursor = self._open.get(stem)
        if (
            cursor is None
            or not position.isdigit()
            or (self.org.now() - cursor.opened > LOCATOR_SECONDS)
        ):
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        ordinal = int(position)
        if not 0 < ordinal < cursor.selection.count:
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._answer(cursor, stem, ordinal, version)

    def object_of(self, locator: str) -> str:
        """The object a locator reads, for the fault selectors."""
        cursor = self._open.get(locator.rpartition("-")[0])
        return cursor.selection.sobject.name if cursor else ""

    def lose(self, locator: str) -> None:
        """Forget a cursor."""
        self._open.pop(locator.rpartition("-")[0], None)

    def _answer(self, cursor: _Cursor, stem: str, ordinal: int, version: str) -> bytes:
        s = cursor.selection
        end = min(ordinal + cursor.batch, s.count)
        done = end >= s.count
        following = None if done else f"/services/data/v{version}/query/{stem}-{end}"
        records = records_json(s, ordinal, end - ordinal, version)

        def inner(found: Selection) -> str:
            return self._result(found, cursor.batch, version).decode("utf-8", "surrogatepass")

        records = joined(records, s, ordinal, cursor.children, inner)
        return _page(s.count, done, following, records)


def _wish(options: str) -> int:
    """``Sforce-Query-Options: batchSize=…``, 200 to 2,000 (REST API guide, Query Options)."""
    for part in options.split(","):
        name, _, value = part.strip().partition("=")
        if name.strip().lower() == "batchsize" and value.strip().isdigit():
            return max(200, min(2000, int(value)))
    return 2000


def rows_json(
    whose: SimulatedOrg | View, name: str, ids: Sequence[str], fields: Sequence[str], version: str
) -> list[str | None]:
    """Records by id as JSON texts, in the order asked for; None where there is none to see."""
    from .soql import Query

    org = whose.acting()
    sobject = org.sobject(name)
    if sobject is None:
        raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
    query = Query("")
    names = list(fields) or [f.name for f in sobject.fields]
    sources = [resolve(org, sobject, query, n, 0) for n in names]
    table = org.tables.tables[sobject.name]
    changes = table.changes
    seen = org.row_check(sobject, "")
    out: list[str | None] = []
    for record_id in ids:
        found = org.tables.locate(to18(record_id) or "")
        if found is None or found[0] is not table or table.deleted(changes, found[1]):
            out.append(None)
            continue
        row = found[1]
        if seen is not None and not seen([row])[0]:
            out.append(None)
            continue
        s = Selection(org, query, sobject, table, changes, True, sources)
        s.start, s.count = row, 1
        out.append(records_json(s, 0, 1, version)[0])
    return out


def row_json(
    whose: SimulatedOrg | View, name: str, record_id: str, fields: str, version: str
) -> bytes:
    """One record by id (REST API guide, sObject Rows)."""
    org = whose.acting()
    names = [n.strip() for n in fields.split(",") if n.strip()]
    text = rows_json(org, name, [record_id], names, version)[0]
    if text is None:
        found = org.tables.locate(to18(record_id) or "")
        if found is not None and found[0].deleted(found[0].changes, found[1]):
            raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted")
        raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
    return text.encode("utf-8", "surrogatepass")


def as_text(value: Any) -> bytes:
    """Compact JSON bytes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
