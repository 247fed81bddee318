"""SOQL over REST, page by page.

A page may be smaller than asked for and a locator says nothing about its place ("Query Options
Header"), so pages are followed by the org's own links until it says that it is done.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sfexit.errors import DamagedAnswer
from sfexit.salesforce.client import Client, encode_query
from sfexit.salesforce.describe import check_api_name

# The address and all headers of a request together may have 16,384 bytes; longer ones are
# refused with 414 or 431 (Limits and Allocations Quick Reference, "API Query").
REQUEST_LIMIT = 16_384
HEADER_ALLOWANCE = 3_072  # a token can be a JSON Web Token of two thousand characters
URI_LIMIT = REQUEST_LIMIT - HEADER_ALLOWANCE


@dataclass(frozen=True)
class QueryPage:
    """One page of a query.

    `records` as the org sent them, with `attributes`, and with numbers as their own text.
    `total_size` is the org's count when the query began; `next_path` is None on the last page.
    """

    records: list[dict[str, Any]]
    total_size: int
    next_path: str | None


def first_page(client: Client, soql: str, *, all_rows: bool = True) -> QueryPage:
    """Run a query. `all_rows` adds deleted rows and archived activities (queryAll).

    Raises OrgRefused with Salesforce's code (MALFORMED_QUERY, INVALID_FIELD, INVALID_TYPE,
    QUERY_TIMEOUT, …).
    """
    return _page(client, client.get_text_numbers(_resource(client, all_rows), {"q": soql}))


def path_of(client: Client, soql: str, *, all_rows: bool = True) -> str:
    """The address of a query, for a composite request."""
    return f"{_resource(client, all_rows)}?{encode_query({'q': soql})}"


def parse_page(client: Client, body: bytes) -> QueryPage:
    """A query's answer as data, numbers kept as text. Raises DamagedAnswer."""
    try:
        answer = json.loads(body, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise DamagedAnswer("The answer to a query is not JSON.") from error
    return _page(client, answer)


def inner_page(client: Client, result: Any) -> QueryPage:
    """The result of a subquery inside a record; it may have pages of its own. Raises
    DamagedAnswer."""
    return _page(client, result)


def next_page(client: Client, path: str) -> QueryPage:
    """The page behind `next_path`; a cursor lives two days. Raises OrgRefused."""
    return _page(client, client.get_text_numbers(client.anchor(path)))


def count(
    client: Client, object_name: str, where: str | None = None, *, all_rows: bool = True
) -> int:
    """How many rows the org has, by `SELECT COUNT()`; `where` without its keyword."""
    soql = f"SELECT COUNT() FROM {check_api_name(object_name)}"  # noqa: S608 - SOQL, name checked
    if where:
        soql += f" WHERE {where}"
    return first_page(client, soql, all_rows=all_rows).total_size


def uri_length(client: Client, soql: str) -> int:
    """Bytes of the whole address of this query; compare with URI_LIMIT."""
    return len(client.origin.url(path_of(client, soql)).encode())


def _resource(client: Client, all_rows: bool) -> str:
    return f"{client.base}/{'queryAll' if all_rows else 'query'}"


def _page(client: Client, answer: Any) -> QueryPage:
    if not isinstance(answer, dict):
        raise DamagedAnswer("The answer to a query is not a query result.")
    records = answer.get("records")
    total = answer.get("totalSize")
    if not isinstance(records, list) or not all(isinstance(row, dict) for row in records):
        raise DamagedAnswer("The answer to a query has no list of records.")
    if not isinstance(total, str) or not total.isdecimal():
        raise DamagedAnswer("The answer to a query does not say how many rows there are.")
    link = answer.get("nextRecordsUrl")
    # A link is followed even if the page says that it is the last: one page too many costs
    # little, one too few is a hole in the archive.
    if link is None and answer.get("done") is not True:
        raise DamagedAnswer("The answer to a query says that more follows, but not where.")
    return QueryPage(records, int(total), None if link is None else client.anchor(link))
