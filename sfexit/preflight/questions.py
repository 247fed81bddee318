"""Asking an org many small things in few calls.

A composite request counts as one call, whatever it holds (`salesforce.composite`), so questions
are packed together. A refusal is an answer here: what could not be asked must end as unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sfexit.catalog import Description
from sfexit.errors import DamagedAnswer, OrgRefused, SessionLost, SignInProblem, Transient
from sfexit.redaction import printable
from sfexit.salesforce import composite
from sfexit.salesforce.client import Client, encode_query
from sfexit.salesforce.describe import check_api_name, parse_description


@dataclass(frozen=True)
class Question:
    """One thing to ask: a path below the API version."""

    path: str
    is_query: bool = False


@dataclass(frozen=True)
class Reply:
    """What came back. `status` is 0 when no answer could be had at all."""

    status: int
    content: bytes = b""
    code: str = ""
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether the org answered the question."""
        return 200 <= self.status < 300

    @property
    def refusal(self) -> str:
        """Why there is no answer, in the org's words; safe to print."""
        if self.ok:
            return ""
        code = self.code or (f"HTTP {self.status}" if self.status else "no answer")
        return printable(f"{code}: {' '.join(self.reason.split())}", 300)

    @cached_property
    def body(self) -> dict[str, Any]:
        """The answer as an object; empty when it is none."""
        try:
            parsed = json.loads(self.content) if self.ok else None
        except (ValueError, RecursionError):
            parsed = None
        return parsed if isinstance(parsed, dict) else {}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The records of a query."""
        return objects(self.body.get("records"))

    @property
    def total(self) -> int | None:
        """The org's count of a query."""
        size = self.body.get("totalSize")
        return size if isinstance(size, int) and not isinstance(size, bool) else None


def query(soql: str, *, all_rows: bool = False) -> Question:
    """A SOQL query; names in it must have been checked."""
    return Question(f"/{'queryAll' if all_rows else 'query'}?{encode_query({'q': soql})}", True)


def describe(name: str) -> Question:
    """An object's describe. Raises UsageProblem for a name that cannot be one."""
    return Question(f"/sobjects/{check_api_name(name)}/describe")


def text(row: dict[str, Any], name: str) -> str:
    """A text of a row, "" when there is none."""
    value = row.get(name)
    return value if isinstance(value, str) else ""


def objects(listed: Any) -> list[dict[str, Any]]:
    """The objects among the members of a list; none when it is no list."""
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def answered(rows: list[dict[str, Any]]) -> Reply:
    """A good reply that holds these rows."""
    reply = Reply(200)
    reply.__dict__["body"] = {"records": rows, "totalSize": len(rows), "done": True}
    return reply


class Questions:
    """Asks through one client, packing questions together; remembers descriptions."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.descriptions: dict[str, Description] = {}
        self.calls = 0  # requests sent, each an API call
        self._packing = True

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """The replies, in the order of the questions; never raises OrgRefused."""
        replies: dict[int, Reply] = {}
        for batch in _batches(questions):
            packed = self._packed([questions[i] for i in batch]) if len(batch) > 1 else None
            if packed is None:
                packed = [self._alone(questions[i]) for i in batch]
            replies.update(zip(batch, packed, strict=True))
        return [replies[i] for i in range(len(questions))]

    def one(self, question: Question) -> Reply:
        """The reply to a single question."""
        return self._alone(question)

    def tooling(self, soql: str) -> Reply:
        """A query of the Tooling API; costs a call of its own."""
        return self._alone(Question(f"/tooling/query?{encode_query({'q': soql})}", True))

    def tooling_objects(self) -> frozenset[str] | None:
        """The names of the Tooling API's objects; None when they cannot be had."""
        reply = self._alone(Question("/tooling/sobjects"))
        if not reply.ok or not isinstance(reply.body.get("sobjects"), list):
            return None
        return frozenset(text(one, "name") for one in objects(reply.body["sobjects"]))

    def more(self, reply: Reply) -> Reply:
        """The reply with the rows of its further pages. A refused page is a refused reply."""
        link = reply.body.get("nextRecordsUrl")
        if not isinstance(link, str):
            return reply
        rows = list(reply.rows)
        seen: set[str] = set()
        while isinstance(link, str):
            if link in seen:
                return Reply(0, reason="the org gave the same page twice")
            seen.add(link)
            page = self._get(self.client.anchor(link))
            if not page.ok:
                return page
            rows += page.rows
            link = page.body.get("nextRecordsUrl")
        return answered(rows)

    def learn(self, names: Iterable[str]) -> None:
        """Describe the objects that are not known yet; those refused stay unknown."""
        wanted = [name for name in dict.fromkeys(names) if name not in self.descriptions]
        for name, reply in zip(wanted, self.ask([describe(n) for n in wanted]), strict=True):
            if reply.ok:
                try:
                    self.descriptions[name] = parse_description(reply.content)
                except DamagedAnswer:
                    continue

    def _packed(self, questions: Sequence[Question]) -> list[Reply] | None:
        """All by one call; None from an org that does not take composite requests."""
        if not self._packing:
            return None
        paths = [self.client.base + one.path for one in questions]
        self.calls += 1
        try:
            parts = composite.ask(self.client, paths)
        except OrgRefused:
            self._packing = False
            return None
        return [self._part(*pair) for pair in zip(questions, parts, strict=True)]

    def _part(self, question: Question, part: composite.Part) -> Reply:
        error = part.refusal(f"GET {question.path.partition('?')[0]}")
        if error is None:
            return Reply(part.status, part.body)
        if isinstance(error, OrgRefused) and error.code != "PROCESSING_HALTED":
            return _refused(error)
        if isinstance(error, (OrgRefused, Transient)):
            return self._alone(question)  # a passing fault of one part
        if isinstance(error, SignInProblem) and not isinstance(error, SessionLost):
            return Reply(0, reason=printable(error.message, 300))
        raise error

    def _alone(self, question: Question) -> Reply:
        return self._get(self.client.base + question.path)

    def _get(self, path: str) -> Reply:
        self.calls += 1
        try:
            return Reply(200, self.client.get_bytes(path))
        except OrgRefused as refused:
            return _refused(refused)
        except SessionLost:
            raise
        except (SignInProblem, Transient) as fault:  # a right is missing, or the org is failing
            return Reply(0, reason=printable(fault.message, 300))


def _refused(error: OrgRefused) -> Reply:
    return Reply(error.status, code=error.code, reason=printable(error.reason, 300))


def _batches(questions: Sequence[Question]) -> list[list[int]]:
    """Numbers of questions, packed so that few requests carry them all."""
    batches: list[list[int]] = []
    queries: list[int] = []
    # Queries first: they are the scarce places, and the rest fills up what they leave.
    for i in sorted(range(len(questions)), key=lambda i: not questions[i].is_query):
        is_query = questions[i].is_query
        fitting = (
            b
            for b, batch in enumerate(batches)
            if len(batch) < composite.MOST_PARTS
            and (not is_query or queries[b] < composite.MOST_QUERIES)
        )
        place = next(fitting, None)
        if place is None:
            batches.append([])
            queries.append(0)
            place = len(batches) - 1
        batches[place].append(i)
        queries[place] += is_query
    return batches
