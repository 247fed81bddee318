"""A checked SELECT: which columns, which rows, in which order; nothing of it held in memory
but, for filtered reads, the row numbers that matched."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from .changes import Changes
from .columns import Value
from .csvtext import cell
from .data import Table
from .errors import ApiError
from .filters import test_for
from .ids import to18
from .schema import COMPOUND, Field, Refusal, SObject
from .soql import Condition, Expression, Group, Item, Query, located, parse

if TYPE_CHECKING:
    from .org import SimulatedOrg
    from .visibility import View

BLOCK = 2000
NAME_FIELDS = (
    "Id",
    "Name",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "Title",
    "Alias",
    "Username",
    "IsActive",
    "ProfileId",
    "Type",
)  # Object Reference, Name: the fields all targets of a polymorphic key share
_SEE = "Please reference your WSDL or the describe call for the appropriate names."
Rows = Sequence[int]
T = TypeVar("T")
Check = Callable[[Rows], list[bool]]


@dataclass(frozen=True)
class Source:
    """One selected column: its path and the fields on the way to it."""

    label: str
    path: tuple[Field, ...]
    polymorphic: bool = False

    @property
    def field(self) -> Field:
        """The field the values come from."""
        return self.path[-1]


@dataclass
class Selection:
    """The outcome of checking a statement against the org."""

    org: View
    query: Query
    sobject: SObject
    table: Table
    changes: Changes
    everything: bool
    sources: list[Source]
    aggregates: list[Item] = field(default_factory=list)
    rows: array[int] | None = None
    ascending: bool = True
    start: int = 0
    count: int = 0
    limit_works: bool = False

    # -- rows ---------------------------------------------------------------------------

    def chunks(self, ordinal: int, n: int) -> Iterator[Rows]:
        """Row numbers of the ``n`` rows from ``ordinal`` on, block by block."""
        n = min(n, self.count - ordinal)
        if n <= 0:
            return
        if self.rows is not None:
            for k in range(ordinal, ordinal + n, BLOCK):
                yield self.rows[self.start + k : self.start + min(k + BLOCK, ordinal + n)]
        elif self.everything:
            first = self.start + ordinal
            for k in range(first, first + n, BLOCK):
                yield range(k, min(k + BLOCK, first + n))
        else:
            table, changes = self.table, self.changes
            i = table.visible_at(changes, self.start + ordinal)
            total = table.total(changes)
            while n > 0 and i < total:
                span = range(i, min(i + BLOCK, total))
                seen = [k for k in span if not table.hidden(changes, k)][:n]
                n -= len(seen)
                i = span.stop
                if seen:
                    yield seen

    # -- values -------------------------------------------------------------------------

    def values(self, source: Source, rows: Rows) -> list[Value]:
        """Values of one column for some rows."""
        table, changes = self.table, self.changes
        out = self._pick(rows, lambda i, n: table.block(changes, source.path[0].name, i, n))
        name = self.sobject.name
        if len(source.path) == 1 and self.org.masks(name, source.field):
            masked, f = self.org.masked, source.field
            return [masked(name, f, k, v) for k, v in zip(rows, out, strict=True)]
        for before, step in zip(source.path, source.path[1:], strict=False):
            if before.ref == ("EntityDefinition",) and step.name in (
                "QualifiedApiName",
                "DurableId",
            ):
                continue  # an entity's durable id is its API name
            out = [self._parent(v, step, before) for v in out]
        return out

    def _parent(self, record_id: Value, f: Field, reference: Field) -> Value:
        found = self.org.tables.locate(record_id) if record_id else None
        if found is None:
            return None
        table, row = found
        if f.name == "Type" and len(reference.ref) > 1:
            return table.sobject.name
        if self.org.tables.full(table.sobject.name).field(f.name) is None:
            return None
        value = table.value(table.changes, f.name, row)
        if self.org.masks(table.sobject.name, f):
            return self.org.masked(table.sobject.name, f, row, value)
        return value

    def _pick(self, rows: Rows, read: Callable[[int, int], list[T]]) -> list[T]:
        if isinstance(rows, range):
            return read(rows.start, len(rows))
        if len(rows) == 0:
            return []
        if self.ascending and rows[-1] - rows[0] < 6 * len(rows):
            first = rows[0]
            block = read(first, rows[-1] - first + 1)
            return [block[k - first] for k in rows]
        return [read(k, 1)[0] for k in rows]

    def lines(self, rows: Rows, delimiter: str = ",") -> list[str]:
        """CSV text of some rows, without line ends."""
        table, changes = self.table, self.changes

        def read(i: int, n: int) -> list[str]:
            cells = [
                table.cells(changes, s.path[0].name, i, n)
                if len(s.path) == 1 and not self.org.masks(self.sobject.name, s.field)
                else [cell(v) for v in self.values(s, range(i, i + n))]
                for s in self.sources
            ]
            return [delimiter.join(t) for t in zip(*cells, strict=True)]

        return self._pick(rows, read)


# -- checking -------------------------------------------------------------------------------


def find_object(org: SimulatedOrg | View, query: Query) -> SObject:
    """The object of FROM, or INVALID_TYPE."""
    sobject = org.sobject(query.object)
    if sobject is None:
        raise ApiError(
            400,
            "INVALID_TYPE",
            located(
                query.text,
                query.object_at,
                f"sObject type '{query.object}' is not supported. If you are attempting to use a "
                f"custom object, be sure to append the '__c' after the entity name. {_SEE}",
            ),
        )
    if not sobject.queryable:
        raise ApiError(
            400, "INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support query"
        )
    return sobject


def _no_column(query: Query, at: int, name: str, entity: str) -> ApiError:
    return ApiError(
        400,
        "INVALID_FIELD",
        located(
            query.text,
            at,
            f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom "
            "field, be sure to append the '__c' after the custom field name. Please reference your "
            "WSDL or the describe call for the appropriate names.",
        ),
    )


def resolve(org: View, sobject: SObject, query: Query, path: str, at: int) -> Source:
    """A dotted path to the fields along it."""
    parts = path.split(".")
    if (
        len(parts) > 1
        and parts[0].lower() == sobject.name.lower()
        and (sobject.relationship(parts[0]) is None)
    ):
        parts = parts[1:]
    if len(parts) > 6:
        raise ApiError(400, "MALFORMED_QUERY", "no more than 5 levels of relationship")
    steps: list[Field] = []
    labels: list[str] = []
    here: SObject | None = sobject
    polymorphic = False
    for part in parts[:-1]:
        reference = here.relationship(part) if here else None
        if reference is None:
            raise ApiError(
                400,
                "INVALID_FIELD",
                located(
                    query.text,
                    at,
                    f"Didn't understand relationship '{part}' in field path. If you are "
                    "attempting to use a custom relationship, be sure to append the '__r' after "
                    f"the custom relationship name. {_SEE}",
                ),
            )
        steps.append(reference)
        labels.append(reference.rel or part)
        polymorphic = polymorphic or len(reference.ref) > 1
        here = org.sobject(reference.ref[0])
        if len(reference.ref) > 1:
            user = org.sobject("User")
            if part is parts[-2] and parts[-1].lower() in [n.lower() for n in NAME_FIELDS]:
                name = next(n for n in NAME_FIELDS if n.lower() == parts[-1].lower())
                known = user.field(name) if user and name != "Type" else None
                steps.append(known or Field(name, "string", 255))
                return Source(".".join([*labels, name]), tuple(steps), True)
            raise _no_column(query, at, parts[-1], "Name")
    found = here.field(parts[-1]) if here else None
    if found is None:
        raise _no_column(query, at, parts[-1], here.name if here else parts[-2])
    return Source(".".join([*labels, found.name]), (*steps, found), polymorphic)


def expand(org: View, sobject: SObject, query: Query) -> list[Source]:
    """The selected columns of an object."""
    sources: list[Source] = []
    for item in query.items:
        if item.kind == "fields":
            if item.path not in ("ALL", "STANDARD", "CUSTOM"):
                raise ApiError(
                    400,
                    "MALFORMED_QUERY",
                    located(query.text, item.at, f"unexpected token: '{item.path}'"),
                )
            if item.path != "STANDARD" and not _bounded(query):
                raise ApiError(
                    400,
                    "MALFORMED_QUERY",
                    "The SOQL FIELDS function must have a LIMIT of at most 200",
                )
            sources += [
                Source(f.name, (f,))
                for f in sobject.fields
                if item.path == "ALL" or f.custom == (item.path == "CUSTOM")
            ]
        elif item.kind in ("path", "function"):
            if item.kind == "function" and item.function not in ("tolabel", "format"):
                raise ApiError(
                    400,
                    "MALFORMED_QUERY",
                    located(query.text, item.at, f"unexpected token: '{item.function}'"),
                )
            sources.append(resolve(org, sobject, query, item.path, item.at))
    seen: set[str] = set()
    for source in sources:
        if source.label in seen:
            raise ApiError(400, "INVALID_FIELD", f"duplicate field selected: {source.label}")
        seen.add(source.label)
    return sources


def _bounded(query: Query) -> bool:
    if query.limit is not None and query.limit <= 200:
        return True
    ids = [c for c in conjuncts(query.where) if c.path.lower() == "id" and c.op in ("=", "in")]
    return any(len(c.values) <= 200 and not c.subquery for c in ids)


def conjuncts(where: Expression | None) -> list[Condition]:
    """The conditions that must all hold."""
    if isinstance(where, Condition):
        return [where]
    if isinstance(where, Group) and where.op == "and":
        return [c for part in where.parts for c in conjuncts(part)]
    return []


def every_condition(where: Expression | None) -> list[Condition]:
    """All conditions, wherever they stand."""
    if isinstance(where, Group):
        return [c for part in where.parts for c in every_condition(part)]
    return [where] if where is not None else []


def _refuse(sobject: SObject, query: Query, refusal: Refusal) -> None:
    """Objects that demand a filter (SOQL guide, Object Limits and Implementation Restrictions)."""
    if refusal.counts_only:
        if any(i.kind in ("count", "aggregate") for i in query.items):
            raise ApiError(refusal.status, refusal.code, refusal.message)
        return
    if refusal.limit_instead is not None and (query.limit or 10**9) <= refusal.limit_instead:
        return
    allowed = {name.lower() for name in refusal.filters}
    single = {name.lower() for name in refusal.single}
    fits = False
    for condition in conjuncts(query.where):
        path = condition.path.lower()
        stem = path.split(".")[0] + "id" if "." in path else path
        if path in allowed or stem in allowed:
            fits = fits or condition.op in ("=", "in")
        if path in single and condition.op == "=":
            fits = True
    listed = refusal.reified and not refusal.filters  # such as EntityDefinition: a list works
    if not fits and not listed:
        raise ApiError(refusal.status, refusal.code, refusal.message)
    if refusal.reified:
        conditions = every_condition(query.where)
        if len(conjuncts(query.where)) != len(conditions):
            raise ApiError(400, "MALFORMED_QUERY", f"{sobject.name}: Disjunctions not supported")
        keyed = ("=", "in", "<", "<=", ">", ">=")  # a list is paged by its rising key
        known = {"durableid", "qualifiedapiname"} if listed else set()
        if any(c.op not in (keyed if c.path.lower() in known else ("=", "in")) for c in conditions):
            raise ApiError(
                400, "MALFORMED_QUERY", f"{sobject.name}: Only equals comparisons permitted"
            )
        if query.group_by:
            raise ApiError(
                400, "MALFORMED_QUERY", "GROUP BY not yet supported by this SObject storage type"
            )


def _refuse_off_index(sobject: SObject, query: Query) -> None:
    """Big objects filter on their index, in order, without gaps (Big Objects guide, SOQL)."""

    def refused(message: str) -> ApiError:
        return ApiError(400, "BIG_OBJECT_UNSUPPORTED_OPERATION", f"{sobject.name}: {message}")

    conditions = every_condition(query.where)
    if len(conjuncts(query.where)) != len(conditions):
        raise refused("Disjunctions not supported")
    index = [name.lower() for name in sobject.index]
    store = sobject.index[0] == "EventDate"  # real-time event stores take either field
    used = []
    for condition in conditions:
        path = condition.path.lower()
        if path not in index:
            raise refused(f"Filter on a field that is not in the index: {condition.path}")
        if condition.op in ("!=", "like", "not in", "includes", "excludes"):
            raise refused(f"Unsupported operator {condition.op}")
        used.append((index.index(path), condition.op))
    places = sorted({place for place, _ in used})
    if not store and places != list(range(len(places))):
        raise refused("Filters must begin with the first index field and leave no gap")
    if not store and any(op != "=" for place, op in used if place < max(places)):
        raise refused("Only the last filtered index field takes a range")


def select(org: SimulatedOrg | View, text: str, everything: bool, version: float) -> Selection:
    """Check a statement and fix the rows it reads (as of now: later changes do not move it)."""
    query = parse(text)
    return bind(org, query, everything, version)


def bind(whose: SimulatedOrg | View, query: Query, everything: bool, version: float) -> Selection:
    """The same for a parsed statement."""
    org = whose.acting()
    sobject = find_object(org, query)
    if query.scope and query.scope.lower() not in [s.lower() for s in sobject.scopes]:
        raise ApiError(
            400,
            "MALFORMED_QUERY",
            f"Scope '{query.scope}' is not supported for entity '{sobject.name}'",
        )
    # Object Reference, Report, "Supported Query Scopes"; Salesforce Help 000240059
    if query.scope.lower() == "allprivate" and not org.user.manage_private_reports:
        raise ApiError(
            400, "INVALID_QUERY_SCOPE", "You don't have permission to use the scope allPrivate"
        )
    refusal = org.refusal(sobject, version)
    if refusal is not None:
        _refuse(sobject, query, refusal)
    if sobject.index:
        _refuse_off_index(sobject, query)
    if org.too_large(sobject.name) and not (query.limit or query.where):
        raise ApiError(400, "OPERATION_TOO_LARGE", "exceeded 100000 distinct who/what's")
    aggregates = [i for i in query.items if i.kind in ("aggregate", "count")]
    if aggregates and sobject.big:
        raise ApiError(
            400,
            "BIG_OBJECT_UNSUPPORTED_OPERATION",
            f"{sobject.name}: Aggregate functions not supported",
        )
    if sobject.external and any(i.kind == "aggregate" for i in aggregates):
        raise ApiError(
            400,
            "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION",
            f"Aggregate functions on fields are not supported for {sobject.name}",
        )
    if any(i.kind == "count" for i in aggregates) and len(query.items) > 1:
        raise ApiError(
            400,
            "MALFORMED_QUERY",
            located(
                query.text, query.items[1].at, "COUNT() must be the only element in the SELECT list"
            ),
        )
    sources = expand(org, sobject, query)
    _check_groups(query, sources, aggregates)
    for item in aggregates:
        if item.path:
            resolve(org, sobject, query, item.path, item.at)
    table = org.tables.tables[sobject.name]
    everything = everything or sobject.external
    changes = table.changes
    out = Selection(org, query, sobject, table, changes, everything, sources, aggregates)
    _choose_rows(out)
    return out


def _check_groups(query: Query, sources: list[Source], aggregates: list[Item]) -> None:
    if query.group_by:
        grouped = {g.path.lower() for g in query.group_by}
        for item in query.items:
            if item.kind == "path" and item.path.lower() not in grouped:
                raise ApiError(
                    400,
                    "MALFORMED_QUERY",
                    located(
                        query.text, item.at, f"Field must be grouped or aggregated: {item.path}"
                    ),
                )
    elif aggregates and sources:
        item = next(i for i in query.items if i.kind in ("path", "fields"))
        raise ApiError(
            400,
            "MALFORMED_QUERY",
            located(query.text, item.at, f"Field must be grouped or aggregated: {item.path}"),
        )


def _choose_rows(s: Selection) -> None:
    query, table, changes = s.query, s.table, s.changes
    if query.offset is not None and query.offset > 2000:
        raise ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
    for path, _, _, at in query.order_by:
        source = resolve(s.org, s.sobject, query, path, at)
        if not source.field.sortable:
            raise ApiError(
                400,
                "INVALID_FIELD",
                located(
                    query.text, at, f"field '{source.field.name}' can not be sorted in a query call"
                ),
            )
    filtered = [condition.path for condition in conjuncts(query.where)]
    seen = s.org.row_check(s.sobject, query.scope, filtered)
    if query.where is None and seen is None and not changes.purged:
        natural = _natural(query)
        total = table.total(changes)
        s.count = total if s.everything else table.visible_before(changes, total)
        if not natural:
            s.rows = array("I", [k for rows in s.chunks(0, s.count) for k in rows])
    else:
        s.rows = _matching(s, seen)
        s.count = len(s.rows)
    if query.order_by and s.rows is not None:
        _sort(s)
    if s.sobject.refusal is not None and s.sobject.refusal.reified:
        if s.sobject.name == "EntityDefinition" and s.org.org.doubts.entity_definition_limit_works:
            s.limit_works = True
        else:
            return  # Tooling API guide: LIMIT and OFFSET are ignored on these objects
    offset = query.offset or 0
    s.start = min(offset, s.count)
    s.count -= s.start
    if query.limit is not None and not query.aggregate:
        s.count = min(s.count, query.limit)


def _natural(query: Query) -> bool:
    """The order rows have anyway: none asked, or by rising Id."""
    if not query.order_by:
        return True
    path, descending, _, _ = query.order_by[0]
    return len(query.order_by) == 1 and path.lower() == "id" and not descending


def _sort(s: Selection) -> None:
    rows = s.rows
    assert rows is not None
    if _natural(s.query):
        return
    order: list[int] = list(rows)
    for path, descending, nulls_first, at in reversed(s.query.order_by):
        source = resolve(s.org, s.sobject, s.query, path, at)
        values = dict(zip(order, s.values(source, order), strict=True))
        numeric = source.field.type in ("int", "long", "double", "currency", "percent")
        first = nulls_first if nulls_first is not None else True

        def key(
            k: int,
            values: dict[int, Value] = values,
            numeric: bool = numeric,
            first: bool = first,
            descending: bool = descending,
        ) -> tuple[int, float | str]:
            value = values[k]
            if value is None:
                low = first != descending
                return (0 if low else 2, 0.0 if numeric else "")
            return (1, float(value) if numeric else value)

        s.ascending = False
        order.sort(key=key, reverse=descending)
    s.rows = array("I", order)


def _bounds(s: Selection) -> tuple[int, int, set[int] | None]:
    """Rows that can match, from conditions on Id and on the rising CreatedDate."""
    table = s.table
    low, high = 0, table.total(s.changes)
    wanted: set[int] | None = None
    if s.sobject.name in ("FieldDefinition", "EntityParticle"):
        low, high = _definition_span(s)
    for c in conjuncts(s.query.where):
        if c.path.lower() != "id" or c.subquery is not None:
            continue
        found = [table.ids.row(to18(v.text) or "") for v in c.values if v.kind == "string"]
        if c.op in ("=", "in"):
            hits = {r for r in found if r is not None and 0 <= r < high}
            wanted = hits if wanted is None else wanted & hits
        elif found and found[0] is not None:
            if c.op in (">", ">="):
                low = max(low, found[0] + (c.op == ">"))
            elif c.op in ("<", "<="):
                high = min(high, found[0] + (c.op == "<="))
    return low, max(high, low), wanted


def _definition_span(s: Selection) -> tuple[int, int]:
    """Rows of one object's fields: the catalogues are never read from end to end."""
    rows = s.org.tables.field_rows(s.sobject.name)
    for c in conjuncts(s.query.where):
        path = c.path.lower()
        names = [v.text for v in c.values if v.kind == "string"]
        if c.op not in ("=", "in") or not names or c.subquery is not None:
            continue
        if path.startswith("entitydefinition"):
            spans = [rows.span(name) for name in names]
        elif path in ("durableid", "fielddefinitionid"):
            spans = [rows.span(name.rpartition(".")[0]) for name in names]
        else:
            continue
        found = [span for span in spans if len(span)]
        if not found:
            return 0, 0
        return min(span.start for span in found), max(span.stop for span in found)
    return 0, rows.total


def _matching(s: Selection, seen: Check | None = None) -> array[int]:
    low, high, wanted = _bounds(s)
    check: Check = _checker(s, s.query.where) if s.query.where is not None else _every
    out: array[int] = array("I")
    table, changes = s.table, s.changes
    limit = None
    reified = s.sobject.refusal is not None and s.sobject.refusal.reified
    if s.query.limit is not None and _natural(s.query) and not (s.query.aggregate or reified):
        limit = s.query.limit + (s.query.offset or 0)
    if wanted is not None:
        spans: Iterator[Rows] = iter([sorted(k for k in wanted if low <= k < high)])
    else:
        spans = (range(k, min(k + BLOCK, high)) for k in range(low, high, BLOCK))
    for span in spans:
        rows: Rows = span
        if not s.everything:
            rows = [k for k in span if not table.hidden(changes, k)]
        elif changes.purged:
            rows = [k for k in span if not changes.gone(k)]
        if len(rows) == 0:
            continue
        if seen is not None:
            rows = [k for k, yes in zip(rows, seen(rows), strict=True) if yes]
        verdict = check(rows)
        out.extend([k for k, yes in zip(rows, verdict, strict=True) if yes])
        if limit is not None and len(out) >= limit:
            return out[:limit]
    return out


def _every(rows: Rows) -> list[bool]:
    return [True] * len(rows)


def _checker(s: Selection, where: Expression | None) -> Check:
    if isinstance(where, Group):
        parts = [_checker(s, part) for part in where.parts]
        if where.op == "not":
            return lambda rows: [not yes for yes in parts[0](rows)]
        join = all if where.op == "and" else any
        return lambda rows: [join(t) for t in zip(*[p(rows) for p in parts], strict=True)]
    assert where is not None
    source = resolve(s.org, s.sobject, s.query, where.path, where.at)
    inner: frozenset[str] | None = None
    if where.subquery is not None:
        nested = bind(s.org, where.subquery, s.everything, 99.0)
        if len(nested.sources) != 1:
            raise ApiError(400, "MALFORMED_QUERY", "semi join needs one selected field")
        inner = frozenset(
            v
            for rows in nested.chunks(0, nested.count)
            for v in nested.values(nested.sources[0], rows)
            if v is not None
        )
    test = test_for(s.query.text, where, source.field, s.org.now(), inner)
    return lambda rows: [test(v) for v in s.values(source, rows)]


def is_compound(f: Field) -> bool:
    """Address or location."""
    return f.type in COMPOUND
