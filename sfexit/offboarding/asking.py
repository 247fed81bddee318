"""The questions of a plan: many queries in few calls, and what could not be asked said aloud.

Queries about the same users are cut into lists of `AT_ONCE` ids and packed, five to a call
(`preflight.questions`). A refused query is no empty answer: it ends in `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sfexit.catalog import Description, ObjectEntry
from sfexit.offboarding.plan import soql_list
from sfexit.preflight.questions import Question, Questions, Reply, query
from sfexit.salesforce.client import Client
from sfexit.salesforce.describe import API_NAME, describe_global

Row = dict[str, Any]
#: Users of one query. A query that counts has a row for each user and up to eight states of a
#: record, and may have 2,000 rows in all ("Aggregate Functions": no queryMore). 200 ids make an
#: address of some 5,000 characters.
AT_ONCE = 200


@dataclass(frozen=True)
class Look:
    """Rows of `object` whose `key` is one of the ids. `fields` may go through one reference.

    `count`: instead of rows, how many there are of each combination of `fields` (as `n`).
    `must`: an object that this user does not see is worth a word. Fields that the org lacks are
    left out.
    """

    object: str
    fields: tuple[str, ...]
    key: str
    where: str = ""
    scope: str = ""
    all_rows: bool = False
    count: bool = False
    must: bool = False

    def soql(self, ids: Iterable[str], fields: Sequence[str]) -> str:
        """The query for some ids."""
        listed = [*fields, "COUNT(Id) n"] if self.count else ["Id", *fields]
        scope = f" USING SCOPE {self.scope}" if self.scope else ""
        soql = f"SELECT {', '.join(dict.fromkeys(listed))} FROM {self.object}{scope}"  # noqa: S608
        soql += f" WHERE {self.key} IN {soql_list(ids)}"
        if self.where:
            soql += f" AND {self.where}"
        return soql + (f" GROUP BY {', '.join(fields)}" if self.count else "")


class Asking:
    """One plan's questions to one org. Reads only."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.questions = Questions(client)
        self.unknown: list[str] = []
        self.names: dict[str, str] = {}  # what ids are called, besides users
        _, entries = describe_global(client)
        self.entries: dict[str, ObjectEntry] = {
            one.name: one for one in entries if API_NAME.fullmatch(one.name)
        }

    def learn(self, names: Iterable[str]) -> None:
        """Describe objects that this user sees, 25 by a call."""
        self.questions.learn(name for name in names if name in self.entries)

    def described(self, name: str) -> Description | None:
        """What is known of an object; None when this user does not see it."""
        return self.questions.descriptions.get(name)

    def note(self, text: str) -> None:
        """Something that nobody can tell."""
        if text not in self.unknown:
            self.unknown.append(text)

    def ask(self, queries: Sequence[tuple[str, bool]]) -> list[Reply]:
        """Replies to queries (SOQL, all rows), whole."""
        asked: list[Question] = [query(soql, all_rows=all_rows) for soql, all_rows in queries]
        return [self.questions.more(reply) for reply in self.questions.ask(asked)]

    def each(self, asked: Sequence[tuple[str, str]]) -> list[list[Row] | None]:
        """Rows of each query (SOQL, what it tells), None where it was refused, which is noted."""
        replies = self.ask([(soql, False) for soql, _ in asked])
        return [self._told(reply, what) for reply, (_, what) in zip(replies, asked, strict=True)]

    def tooling(self, soql: str, what: str) -> list[Row] | None:
        """The same by the Tooling API, which takes a call for each query."""
        return self._told(self.questions.more(self.questions.tooling(soql)), what)

    def _told(self, reply: Reply, what: str) -> list[Row] | None:
        if not reply.ok:
            self.note(f"{what}: could not be read ({reply.code or reply.refusal})")
            return None
        return reply.rows

    def look(self, looks: Sequence[Look], ids: Sequence[str]) -> list[list[Row] | None]:
        """Rows for each look; None where the org refused, which is noted."""
        self.learn(one.object for one in looks)
        asked: list[tuple[int, str, bool]] = []
        found: list[list[Row] | None] = [[] for _ in looks]
        for place, one in enumerate(looks):
            fields = self._fields(one)
            if fields is None:
                found[place] = None
                if one.must or one.object in self.entries:
                    scope = f" (scope {one.scope})" if one.scope else ""
                    self.note(f"{one.object}.{one.key}{scope} could not be read: this org or this "
                              "user lacks it")  # fmt: skip
                continue
            for part in chunks(ids):
                asked.append((place, one.soql(part, fields), one.all_rows))
        replies = self.ask([(soql, all_rows) for _, soql, all_rows in asked])
        for (place, soql, all_rows), reply in zip(asked, replies, strict=True):
            answer = reply
            if not reply.ok and looks[place].count:
                answer = self._counted_alone(looks[place], soql, all_rows, ids, reply)
            if not answer.ok:
                self.note(f"{looks[place].object}.{looks[place].key} could not be read "
                          f"({reply.refusal})")  # fmt: skip
                found[place] = None
            kept = found[place]
            if kept is not None:
                kept += answer.rows
        return found

    def _fields(self, look: Look) -> list[str] | None:
        known = self.described(look.object)
        if known is None or not known.has(look.key):
            return None
        if look.scope and look.scope not in known.supported_scopes:
            return None
        return [one for one in look.fields if known.has(one) or _through(known, one)]

    def _counted_alone(
        self, look: Look, soql: str, all_rows: bool, ids: Sequence[str], refused: Reply
    ) -> Reply:
        """The counts one by one, for objects that take no GROUP BY."""
        from sfexit.preflight.questions import answered

        here = [one for one in ids if f"'{one}'" in soql]
        where = f" AND {look.where}" if look.where else ""
        total = f"SELECT COUNT() FROM {look.object} WHERE {look.key} IN {soql_list(here)}{where}"  # noqa: S608
        [whole] = self.ask([(total, all_rows)])
        if not whole.ok or whole.total is None:
            return refused
        if whole.total == 0:
            return answered([])
        each = [
            (f"SELECT COUNT() FROM {look.object} WHERE {look.key} IN {soql_list([one])}{where}",  # noqa: S608
             all_rows)
            for one in here
        ]  # fmt: skip
        rows = []
        for one, reply in zip(here, self.ask(each), strict=True):
            if not reply.ok or reply.total is None:
                return refused
            if reply.total:
                rows.append({look.key: one, "n": reply.total})
        return answered(rows)


def chunks(values: Iterable[str], size: int = AT_ONCE) -> Iterable[list[str]]:
    """Values in lists of at most `size`."""
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part


def value(row: Row, path: str) -> str | None:
    """A value of a row as plans write it; `path` may go through references."""
    here: Any = row
    for name in path.split("."):
        here = here.get(name) if isinstance(here, dict) else None
    if here is None or isinstance(here, (dict, list)):
        return None
    if isinstance(here, bool):
        return "true" if here else "false"
    return str(here)


def number(row: Row, name: str = "n") -> int:
    """A count of a row."""
    found = row.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def _through(known: Description, path: str) -> bool:
    """Whether a dotted path begins with a relationship of the object."""
    first, dot, _ = path.partition(".")
    return bool(dot) and any(field.relationship_name == first for field in known.fields)
