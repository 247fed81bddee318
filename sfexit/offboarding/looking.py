"""Asking the org, in few calls, what offboarding needs to know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sfexit.errors import OrgRefused
from sfexit.offboarding.plan import soql_list
from sfexit.salesforce import composite, query
from sfexit.salesforce.client import Client
from sfexit.salesforce.query import QueryPage

T = TypeVar("T")
Row = dict[str, Any]
#: Ids in one IN list: 300 × 21 characters, escaped, stay below the limit of an address.
IDS = 300


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Values in lists of at most `size`."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


def rows(client: Client, soql: str, *, all_rows: bool = False) -> Iterator[Row]:
    """Every row of a query, page by page. Numbers come as text."""
    yield from _pages(client, query.first_page(client, soql, all_rows=all_rows))


def _pages(client: Client, page: QueryPage) -> Iterator[Row]:
    while True:
        yield from page.records
        if page.next_path is None:
            return
        page = query.next_page(client, page.next_path)


def each(client: Client, asked: Iterable[tuple[str, bool]]) -> Iterator[Iterator[Row]]:
    """The rows of each query (SOQL, all rows), in order, five queries to a call. Take the rows of
    one before the next. Raises OrgRefused when the org refuses one of them."""
    for part in chunks(asked, composite.MOST_QUERIES):
        if len(part) == 1:
            yield rows(client, part[0][0], all_rows=part[0][1])
            continue
        paths = [query.path_of(client, soql, all_rows=all_rows) for soql, all_rows in part]
        try:
            answers = composite.ask(client, paths)
        except OrgRefused:  # an org that takes no composite requests: each costs a call
            for soql, all_rows in part:
                yield rows(client, soql, all_rows=all_rows)
            continue
        for (soql, all_rows), told in zip(part, answers, strict=True):
            if told.refusal("a query") is not None:  # alone it is tried again, or refused
                yield rows(client, soql, all_rows=all_rows)
            else:
                yield _pages(client, query.parse_page(client, told.body))


def by_ids(
    client: Client,
    name: str,
    fields: Sequence[str],
    ids: Iterable[str],
    *,
    key: str = "Id",
    where: str = "",
    all_rows: bool = False,
) -> Iterator[Row]:
    """Rows whose `key` is one of `ids`, in chunks. `where` is added with AND."""
    listed = ", ".join(dict.fromkeys(("Id", *fields)))
    more = f" AND {where}" if where else ""
    queries = (
        (f"SELECT {listed} FROM {name} WHERE {key} IN {soql_list(part)}{more}", all_rows)  # noqa: S608
        for part in chunks(dict.fromkeys(ids), IDS)
    )
    for found in each(client, queries):
        yield from found


def text(value: Any) -> str | None:
    """A value as plans and journals write it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
