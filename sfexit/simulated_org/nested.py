"""Subqueries: the rows of a child object inside the record that they belong to.

SOQL and SOSL Reference, "Relationship Queries" and "Understanding Relationship Query Limitations":
at most 20 in a query. REST API guide, "Query": each is a result of its own, with its own
`totalSize`, `done` and, when not all of it fits, its own `nextRecordsUrl`; null without rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .errors import ApiError
from .schema import Field
from .select import BLOCK, Selection, expand
from .soql import Query, located

MOST = 20
Page = Callable[[Selection], str]


@dataclass
class Child:
    """One subquery: the relationship, its reference, and its rows by the parent's id."""

    name: str
    link: Field
    selection: Selection
    _rows: dict[str, array[int]] | None = field(default=None, repr=False)

    def of(self, parent: str) -> Selection | None:
        """The rows of one parent; None without any."""
        if self._rows is None:
            self._rows = self._grouped()
        rows = self._rows.get(parent)
        return None if rows is None else replace(self.selection, rows=rows, count=len(rows))

    def _grouped(self) -> dict[str, array[int]]:
        table, changes = self.selection.table, self.selection.changes
        found: dict[str, array[int]] = {}
        total = table.total(changes)
        for start in range(0, total, BLOCK):
            links = table.block(changes, self.link.name, start, min(BLOCK, total - start))
            for row, link in enumerate(links, start=start):
                if link is not None and not changes.gone(row):
                    found.setdefault(link, array("I")).append(row)
        return found


def children_of(s: Selection) -> list[Child]:
    """The subqueries of a statement, checked. Raises ApiError."""
    asked = [item.query for item in s.query.items if item.query is not None]
    if len(asked) > MOST:
        raise ApiError(400, "MALFORMED_QUERY", f"more than {MOST} parent-to-child relationships")
    return [_child(s, query) for query in asked]


def _child(s: Selection, query: Query) -> Child:
    wanted = query.object.rpartition(".")[2].lower()
    for child, link in s.org.org.children(s.sobject.name):
        name = s.org.org.relationship(s.sobject.name, child, link)
        sobject = s.org.sobject(child)
        if name is None or name.lower() != wanted or sobject is None:
            continue
        plain = all(item.kind in ("path", "fields") for item in query.items)
        if query.where or query.order_by or query.limit or query.offset or not plain:
            raise ApiError(
                400,
                "MALFORMED_QUERY",
                "Subqueries with clauses of their own are not offered by this simulated org",
            )
        table = s.org.tables.tables[child]
        sources = expand(s.org, sobject, query)
        return Child(
            name, link, Selection(s.org, query, sobject, table, table.changes, True, sources)
        )
    raise ApiError(
        400,
        "INVALID_TYPE",
        located(
            query.text,
            query.object_at,
            f"Didn't understand relationship '{query.object}' in FROM part of query call. If you "
            "are attempting to use a custom relationship, be sure to append the '__r' after the "
            "custom relationship name. Please reference your WSDL or the describe call for the "
            "appropriate names.",
        ),
    )


def joined(
    records: list[str], s: Selection, ordinal: int, children: list[Child], page: Page
) -> list[str]:
    """The records of a page with the results of their subqueries. `page` is a result's text."""
    if not children:
        return records
    ids = [
        one
        for rows in s.chunks(ordinal, len(records))
        for one in [s.table.column("Id").value(k) for k in rows]
    ]
    out = []
    for text, parent in zip(records, ids, strict=True):
        tails = []
        for child in children:
            found = child.of(parent or "")
            tails.append(f'"{child.name}":{"null" if found is None else page(found)}')
        out.append(f"{text[:-1]},{','.join(tails)}}}")
    return out
