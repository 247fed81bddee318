"""Asking an org many small things in few calls.

A composite request counts as one call, whatever it holds: 25 parts, of which 5 may be queries
(REST API guide, "Composite Request Body"). An answer of 200 may hold refusals of single parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sfexit.catalog import Description
from sfexit.errors import DamagedAnswer, OrgRefused, OutcomeUnknown, Transient
from sfexit.redaction import printable
from sfexit.salesforce.client import Client, encode_query
from sfexit.salesforce.describe import check_api_name, parse_description

PARTS = 25
QUERIES = 5


@dataclass(frozen=True)
class Question:
    """One thing to ask: a path below the API version."""

    path: str
    is_query: bool = False


@dataclass(frozen=True)
class Reply:
    """What came back. `status` is 0 when no answer could be had at all."""

    status: int
    body: Any = None
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
        return printable(f"{code}: {self.reason}", 300)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The records of a query."""
        listed = self.body.get("records") if isinstance(self.body, dict) else None
        return [row for row in listed or () if isinstance(row, dict)]

    @property
    def total(self) -> int | None:
        """The org's count of a query."""
        size = self.body.get("totalSize") if isinstance(self.body, dict) else None
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


class Questions:
    """Asks through one client, packing questions together; remembers descriptions."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.descriptions: dict[str, Description] = {}
        self._packing = True

    def ask(self, questions: Sequence[Question]) -> list[Reply]:
        """The replies, in the order of the questions; never raises OrgRefused."""
        replies: dict[int, Reply] = {}
        for batch in _batches(questions):
            if self._packing and len(batch) > 1:
                packed = self._composite([questions[i] for i in batch])
                if packed is not None:
                    replies.update(zip(batch, packed, strict=True))
                    continue
            for i in batch:
                replies[i] = self._alone(questions[i])
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
        listed = reply.body.get("sobjects") if isinstance(reply.body, dict) else None
        if not reply.ok or not isinstance(listed, list):
            return None
        return frozenset(
            item["name"]
            for item in listed
            if isinstance(item, dict) and isinstance(item.get("name"), str)
        )

    def more(self, reply: Reply) -> Reply:
        """The reply with the rows of its further pages. A refused page is a refused reply."""
        rows = reply.rows
        seen: set[str] = set()
        page = reply
        while page.ok and isinstance(page.body, dict) and page.body.get("nextRecordsUrl"):
            link = str(page.body["nextRecordsUrl"])
            if link in seen:
                return Reply(0, reason="the org gave the same page twice")
            seen.add(link)
            page = self._get(self.client.anchor(link))
            rows = rows + page.rows
        if not page.ok:
            return page
        return Reply(reply.status, {**reply.body, "records": rows, "nextRecordsUrl": None})

    def learn(self, names: Iterable[str]) -> None:
        """Describe the objects that are not known yet; those refused stay unknown."""
        wanted = [name for name in dict.fromkeys(names) if name not in self.descriptions]
        self.keep(wanted, self.ask([describe(name) for name in wanted]))

    def keep(self, names: Sequence[str], replies: Sequence[Reply]) -> None:
        """Remember the descriptions among the replies."""
        for name, reply in zip(names, replies, strict=True):
            if reply.ok:
                try:
                    self.descriptions[name] = parse_description(json.dumps(reply.body).encode())
                except DamagedAnswer:
                    continue

    def _composite(self, questions: Sequence[Question]) -> list[Reply] | None:
        client = self.client
        body = {
            "allOrNone": False,
            "compositeRequest": [
                {"method": "GET", "url": client.base + one.path, "referenceId": f"q{i}"}
                for i, one in enumerate(questions)
            ],
        }

        def once() -> Any:
            try:
                return client.send_once("POST", f"{client.base}/composite", body)
            except OutcomeUnknown as fault:  # it holds nothing but GETs: asking twice is harmless
                raise Transient(fault.message) from fault

        try:
            answer = client.retried(once, "POST /composite")
        except OrgRefused:
            self._packing = False  # an org without composite: one by one from now on
            return None
        parts = answer.get("compositeResponse") if isinstance(answer, dict) else None
        if not isinstance(parts, list):
            raise DamagedAnswer("The answer to a composite request has no list of parts.")
        by_reference = {
            part.get("referenceId"): part for part in parts if isinstance(part, dict)
        }
        return [
            self._part(by_reference.get(f"q{i}"), question) for i, question in enumerate(questions)
        ]

    def _part(self, part: dict[str, Any] | None, question: Question) -> Reply:
        status = part.get("httpStatusCode") if part is not None else None
        if part is None or not isinstance(status, int) or status >= 500:
            return self._alone(question)  # a passing fault of one part
        body = part.get("body")
        if 200 <= status < 300:
            return Reply(status, body)
        first = body[0] if isinstance(body, list) and body else body
        told = first if isinstance(first, dict) else {}
        code, reason = text(told, "errorCode"), text(told, "message")
        if code == "PROCESSING_HALTED":
            return self._alone(question)
        return Reply(status, body, printable(code, 60), printable(reason, 300))

    def _alone(self, question: Question) -> Reply:
        return self._get(self.client.base + question.path)

    def _get(self, path: str) -> Reply:
        try:
            return Reply(200, self.client.get_json(path))
        except OrgRefused as refused:
            return Reply(refused.status, None, refused.code, printable(refused.reason, 300))
        except Transient as fault:
            return Reply(0, None, "", printable(fault.message, 300))


def _batches(questions: Sequence[Question]) -> list[list[int]]:
    """Numbers of questions, packed so that few requests carry them all."""
    batches: list[list[int]] = []
    queries: list[int] = []
    for i, question in enumerate(questions):
        fitting = (
            b
            for b, batch in enumerate(batches)
            if len(batch) < PARTS and (not question.is_query or queries[b] < QUERIES)
        )
        place = next(fitting, None)
        if place is None:
            batches.append([])
            queries.append(0)
            place = len(batches) - 1
        batches[place].append(i)
        queries[place] += question.is_query
    return batches
