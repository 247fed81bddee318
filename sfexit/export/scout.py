"""Looking ahead by composite requests: describes and small objects for few calls.

A composite request counts as one API call and takes 25 subrequests, 5 of them queries (REST API
guide, "Composite Request Body"). Each request here carries up to five queries, for objects whose
describe is known by now, and fills up with describes of those that follow. An object whose rows
fit into one answer is thereby read; of the others the total is known, and the reader goes on from
there in the ordinary way. Whatever is odd (a refusal that means "later", a part that cannot be
understood) is simply not found, and the reader asks again by itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass

from sfexit.catalog import Description, ObjectEntry
from sfexit.errors import DamagedAnswer, Interrupted, OrgRefused, SfexitError, Transient
from sfexit.export import plan
from sfexit.salesforce import composite, query
from sfexit.salesforce import describe as describing
from sfexit.salesforce.client import Client
from sfexit.salesforce.object_rules import rule_for

AT_ONCE = 6  # requests under way; each may hold five pages of rows
FEWEST = 8  # for fewer objects asking one by one is as good


@dataclass(frozen=True)
class Found:
    """What is known of an object in advance. None: not asked, or not usable.

    `page` is the first (often only) page of a plain query over all fields, `columns` what it asked
    for; `refusal` is the org's answer to that query.
    """

    describe: bytes | None = None
    page: query.QueryPage | None = None
    columns: tuple[str, ...] = ()
    refusal: OrgRefused | None = None


NOTHING = Found()


@dataclass
class _Known:
    entry: ObjectEntry
    body: bytes
    columns: list[str]
    soql: str


@dataclass(frozen=True)
class _Asked:
    queries: tuple[_Known, ...]
    describes: tuple[ObjectEntry, ...]


def scout(
    client: Client,
    entries: Sequence[ObjectEntry],
    *,
    big: Callable[[ObjectEntry], bool],
    stop: threading.Event,
) -> Iterator[tuple[ObjectEntry, Found]]:
    """What can be learned of `entries` in advance, each exactly once, in no fixed order.

    `big` tells which are known to be large: those are described only. Raises what stops a run
    (SignInProblem, Paused, Interrupted); passing faults and refusals make an object not found.
    """
    to_describe = deque(entries)
    to_query: deque[_Known] = deque()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scout") as pool:
        running: dict[Future[list[tuple[ObjectEntry, Found | _Known]]], _Asked] = {}
        try:
            while to_describe or to_query or running:
                if stop.is_set():
                    raise Interrupted("the run was asked to stop")
                # A request that has no five queries yet waits for those that other requests bring.
                while len(running) < AT_ONCE and (
                    len(to_query) >= composite.MOST_QUERIES
                    or ((to_query or to_describe) and not running)
                ):
                    asked = _take(to_query, to_describe)
                    running[pool.submit(_ask, client, asked, big)] = asked
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    asked = running.pop(future)
                    for entry, found in _answers(future, asked):
                        if isinstance(found, _Known):
                            to_query.append(found)
                        else:
                            yield entry, found
        finally:
            for future in running:
                future.cancel()


def _take(to_query: deque[_Known], to_describe: deque[ObjectEntry]) -> _Asked:
    queries = [to_query.popleft() for _ in range(min(composite.MOST_QUERIES, len(to_query)))]
    room = composite.MOST_PARTS - len(queries)
    describes = [to_describe.popleft() for _ in range(min(room, len(to_describe)))]
    return _Asked(tuple(queries), tuple(describes))


def _answers(
    future: Future[list[tuple[ObjectEntry, Found | _Known]]], asked: _Asked
) -> list[tuple[ObjectEntry, Found | _Known]]:
    """What a request brought; when it failed in passing, nothing is known of its objects."""
    try:
        return future.result()
    except (Transient, OrgRefused):
        known = [(one.entry, Found(one.body)) for one in asked.queries]
        return [*known, *((entry, NOTHING) for entry in asked.describes)]


def _ask(
    client: Client, asked: _Asked, big: Callable[[ObjectEntry], bool]
) -> list[tuple[ObjectEntry, Found | _Known]]:
    paths = [query.path_of(client, known.soql) for known in asked.queries]
    paths += [f"{client.base}/sobjects/{entry.name}/describe" for entry in asked.describes]
    parts = iter(composite.ask(client, paths))
    results: list[tuple[ObjectEntry, Found | _Known]] = []
    for known in asked.queries:
        results.append((known.entry, _rows(client, known, next(parts))))
    for entry in asked.describes:
        results.append((entry, _described(client, entry, next(parts), big)))
    return results


def _rows(client: Client, known: _Known, part: composite.Part) -> Found:
    refusal = part.refusal(f"a query on {known.entry.name}")
    if isinstance(refusal, OrgRefused):
        return Found(known.body, columns=tuple(known.columns), refusal=refusal)
    if refusal is None:
        with suppress(DamagedAnswer):
            page = query.parse_page(client, part.body)
            return Found(known.body, page, tuple(known.columns))
    _stop_for(refusal)
    return Found(known.body)


def _described(
    client: Client, entry: ObjectEntry, part: composite.Part, big: Callable[[ObjectEntry], bool]
) -> Found | _Known:
    refusal = part.refusal(f"the describe of {entry.name}")
    if refusal is not None:
        _stop_for(refusal)
        return NOTHING
    try:
        description = describing.parse_description(part.body)
    except DamagedAnswer:
        return NOTHING
    columns = _worth_a_query(client, entry, description, big)
    if columns is None:
        return Found(part.body)
    return _Known(entry, part.body, columns, plan.soql(entry.name, columns))


def _worth_a_query(
    client: Client,
    entry: ObjectEntry,
    description: Description,
    big: Callable[[ObjectEntry], bool],
) -> list[str] | None:
    """The columns to ask for, or None when a plain query is not the object's road."""
    rule = rule_for(entry)
    if big(entry) or (rule is not None and not rule.plain):
        return None
    columns, _ = plan.columns_of(*describing.selectable(description))
    if not columns:
        return None
    length = query.uri_length(client, plan.soql(entry.name, columns))
    return columns if length <= query.URI_LIMIT else None


def _stop_for(refusal: SfexitError | None) -> None:
    """A refusal that concerns the whole run, not this object, stops it."""
    if refusal is not None and not isinstance(refusal, (OrgRefused, Transient)):
        raise refusal
