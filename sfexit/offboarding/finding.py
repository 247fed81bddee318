"""Which rows change hands: looked up in the org, at the moment when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

from sfexit.offboarding import undoing
from sfexit.offboarding.looking import IDS, by_ids, chunks, rows
from sfexit.offboarding.plan import Plan, Transfer, soql_list
from sfexit.preflight.questions import Questions
from sfexit.salesforce import writing

#: Activities older than a year, and archived files: only queryAll shows them, and they can be
#: changed.
ARCHIVED = frozenset({"Task", "Event", "ContentDocument"})
CANARY = 10  # rows of an object that go first: what refuses them would refuse all
JOB_FROM = 2_000  # rows from which an ingest job needs fewer calls
_PARENTS = ("AccountId", "WhatId", "ParentId", "OpportunityId", "CaseId")


@dataclass(frozen=True)
class Row:
    """A row that changes hands. `parent` is what rows are kept together by."""

    id: str
    before: str
    after: str
    parent: str = ""


@dataclass(frozen=True)
class Group:
    """Transfers of one object and field. `given` replaces the search: rows by id, with who must
    have them and who gets them, in parts that are made anew when asked for."""

    name: str
    object: str
    field: str
    where: str
    transfers: tuple[Transfer, ...]
    given: Callable[[], Iterator[Mapping[str, tuple[str, str]]]] | None = None

    @property
    def holders(self) -> dict[str, Transfer]:
        """Transfers by the user who has the rows."""
        return {one.user_id: one for one in self.transfers}


def groups(transfers: Sequence[Transfer]) -> list[Group]:
    """Transfers put together, in the order in which they are carried out."""

    def key(one: Transfer) -> tuple[int, str, str, str]:
        return (one.order, one.object, one.field, one.where)

    out = []
    for (_, name, column, where), some in groupby(sorted(transfers, key=key), key):
        title = f"{name}.{column}" + (f" [{where}]" if where else "")
        out.append(Group(title, name, column, where, tuple(some)))
    return out


def groups_of(plan: Plan, transfers: Sequence[Transfer]) -> list[Group]:
    """Transfers of a plan put together; those of an undo with the rows that went."""
    found = groups(transfers)
    if plan.purpose != "undo":
        return found
    given = undoing.Given(plan)
    return [
        replace(group, name=f"back {group.name}", given=partial(given.batches, one))
        for group in found
        for one in group.transfers
    ]


def parts(found: Sequence[Row]) -> Iterator[tuple[Sequence[Row], bool]]:
    """Rows as they are sent: many by a job (true), few by requests."""
    job = len(found) > JOB_FROM
    for part in chunks(found, writing.MOST_IN_JOB if job else writing.MOST):
        yield part, job


def canary(found: Sequence[Row]) -> int:
    """How many of the first rows of an object go before the others; 0: they are few enough."""
    return CANARY if len(found) > 5 * CANARY else 0


@dataclass(frozen=True)
class Finder:
    """Looks rows up."""

    questions: Questions

    def owned(self, group: Group, without: Container[str] = ()) -> Iterator[Row]:
        """Rows of the leavers, in an order that keeps those of one parent together."""
        parent = self.parent(group.object)
        columns = [group.field, *([parent] if parent else [])]
        wide = group.object in ARCHIVED
        narrowed = [f"({group.where})"] if group.where else []
        narrowed += ["IsDeleted = false"] if wide else []
        for part in chunks(group.holders, IDS):
            terms = [f"{group.field} IN {soql_list(part)}", *narrowed]
            soql = (
                f"SELECT {', '.join(('Id', *columns))} FROM {group.object} "  # noqa: S608
                f"WHERE {' AND '.join(terms)}"
            )
            if parent:
                soql += f" ORDER BY {parent}"
            for told in rows(self.questions.client, soql, all_rows=wide):
                holder = group.holders.get(str(told[group.field]))
                if holder is not None and told["Id"] not in without:
                    yield as_row(told, group, parent, holder.to)

    def given(self, group: Group) -> Iterator[list[Row]]:
        """Rows that still have the value that was given (compare and swap), many together."""
        assert group.given is not None
        parent = self.parent(group.object)
        columns = [group.field, *([parent] if parent else [])]
        wide = group.object in ARCHIVED
        for wanted in _together(group.given(), writing.MOST_IN_JOB):
            found = by_ids(
                self.questions.client, group.object, columns, wanted,
                where="IsDeleted = false" if wide else "", all_rows=wide,
            )  # fmt: skip
            still = [
                as_row(told, group, parent, back)
                for told in found
                for holder, back in [wanted.get(str(told["Id"]), ("", ""))]
                if told[group.field] == holder
            ]
            if still:
                yield still

    def parent(self, name: str) -> str:
        """The field by which rows of an object are kept together, or nothing."""
        self.questions.learn([name])
        known = self.questions.descriptions.get(name)
        sortable = {one.name for one in known.fields if one.sortable} if known else set()
        return next((p for p in _PARENTS if p in sortable), "")


def as_row(told: Mapping[str, Any], group: Group, parent: str, after: str) -> Row:
    """A row of an answer."""
    kept = str(told.get(parent) or "") if parent else ""
    return Row(str(told["Id"]), str(told[group.field]), after, kept)


def _together(
    parts: Iterable[Mapping[str, tuple[str, str]]], most: int
) -> Iterator[dict[str, tuple[str, str]]]:
    """Parts put together to at most `most` rows; a row that comes twice keeps its first value."""
    gathered: dict[str, tuple[str, str]] = {}
    for part in parts:
        if gathered and len(gathered) + len(part) > most:
            yield gathered
            gathered = {}
        for row, values in part.items():
            gathered.setdefault(row, values)
    if gathered:
        yield gathered
