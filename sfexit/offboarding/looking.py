"""Asking the org, in few calls, what offboarding needs to know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sfexit.offboarding.plan import soql_list
from sfexit.salesforce import query
from sfexit.salesforce.client import Client

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
    page = query.first_page(client, soql, all_rows=all_rows)
    while True:
        yield from page.records
        if page.next_path is None:
            return
        page = query.next_page(client, page.next_path)


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
    for part in chunks(dict.fromkeys(ids), IDS):
        soql = f"SELECT {listed} FROM {name} WHERE {key} IN {soql_list(part)}"  # noqa: S608
        if where:
            soql += f" AND {where}"
        yield from rows(client, soql, all_rows=all_rows)


def text(value: Any) -> str | None:
    """A value as plans and journals write it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
