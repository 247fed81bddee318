"""Asking the org, for the verifier alone: REST, many questions in one call, and query jobs.

Uses nothing of the client but signing in and sending, so that a misunderstanding of the protocol
in the exporter is not repeated here. Sources: REST API Developer Guide ("Query", "QueryAll",
"Composite", "sObject Collections"), Bulk API 2.0 Developer Guide ("Create a Query Job", "Get
Results for a Query Job").
"""

from __future__ import annotations

import csv
import functools
import io
import json
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sfexit.errors import DamagedAnswer, OrgRefused, OutcomeUnknown, SfexitError, Transient
from sfexit.redaction import printable
from sfexit.salesforce.client import Client

QUERIES_A_CALL = 5  # "up to 25 subrequests … up to 5 of these can be query" ("Composite")
PARTS_A_CALL = 25
URI_BYTES = 12_000  # of 16,384 for address and headers together; a token may take three thousand
JOB_PAGE_ROWS = 250_000
_PAGE_LIMIT_BYTES = 8 << 30
_KEPT_IN_MEMORY = 8 << 20
_LATER = (401, 403, 408, 420, 429)  # said of the run, not of the question
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 20.0  # seconds between two looks at a job
_STUCK_AFTER = 4 * 3600.0

csv.field_size_limit(2**31 - 1)  # long text has 131,072 characters, HTML bodies more


@dataclass(frozen=True)
class Reply:
    """The answer to one of many questions: `body` as JSON with numbers as text, or a refusal."""

    status: int
    body: Any
    code: str = ""
    reason: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refusal(self) -> str:
        """The org's words; empty when the answer is good."""
        return "" if self.ok else f"{self.code or 'HTTP ' + str(self.status)}: {self.reason}"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The records of a query's answer."""
        found = self.body.get("records") if isinstance(self.body, dict) else None
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []

    @property
    def total(self) -> int | None:
        """How many rows the org says the query has."""
        return _whole(self.body.get("totalSize") if isinstance(self.body, dict) else None)

    @property
    def more(self) -> str | None:
        """Where the org says that the next page is."""
        link = self.body.get("nextRecordsUrl") if isinstance(self.body, dict) else None
        return link if isinstance(link, str) and link else None


class Wire:
    """Questions to one org through a read-only client."""

    def __init__(self, client: Client, *, clock: Any = None) -> None:
        self.client = client
        self.clock = clock or client._clock

    # ---- one question ------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        """A resource below the API version as JSON, numbers as text. Raises OrgRefused."""
        return self.client.get_text_numbers(path)

    def try_get(self, path: str) -> Reply:
        """`get`, with a refusal as a reply."""
        try:
            return Reply(200, self.get(path))
        except OrgRefused as refused:
            return Reply(refused.status or 400, None, refused.code, refused.reason)

    def address(self, soql: str, *, everything: bool = True) -> str:
        """The path of a query; `everything` with deleted and archived rows."""
        return f"/{'queryAll' if everything else 'query'}?q={quote(soql, safe=',()*')}"

    def fits(self, soql: str) -> bool:
        """Whether a query may stand in an address."""
        return len(self.client.origin.url(self.client.base + self.address(soql))) <= URI_BYTES

    def pages(self, soql: str, *, everything: bool = True) -> Iterator[Reply]:
        """All pages of a query. Raises OrgRefused, DamagedAnswer."""
        yield from self.further(Reply(200, self.get(self.address(soql, everything=everything))))

    def further(self, first: Reply) -> Iterator[Reply]:
        """`first` and the pages behind it; the rows must be as many as the org said."""
        page, rows, seen = first, 0, set()
        while True:
            rows += len(page.rows)
            yield page
            link = page.more
            if link is None:
                break
            path = self.client.anchor(link)
            if path in seen:
                raise DamagedAnswer("The org repeats a page of a query, so it would never end.")
            seen.add(path)
            page = Reply(200, self.get(path))
        if page.body.get("done") is not True or first.total is None or rows != first.total:
            raise DamagedAnswer(
                f"The org announced {first.total} rows of a query and sent {rows}; ask again."
            )

    # ---- many questions in one call ----------------------------------------------------------

    def many(self, paths: Sequence[str]) -> list[Reply]:
        """The answers to GETs below the API version, in order; five queries or 25 others a call.

        What the org refuses in passing is asked again alone. Raises what stops a run.
        """
        replies: list[Reply] = []
        for group in _packed(paths):
            replies += self._composite(group)
        return replies

    def _composite(self, paths: Sequence[str]) -> list[Reply]:
        if len(paths) == 1:
            return [self.try_get(paths[0])]
        body = {
            "allOrNone": False,
            "compositeRequest": [
                {"method": "GET", "url": self.client.base + path, "referenceId": f"q{number}"}
                for number, path in enumerate(paths)
            ],
        }
        answers = self.client.ask(f"{self.client.base}/composite", body, _parts)
        replies = []
        for number, path in enumerate(paths):
            reply = answers.get(f"q{number}")
            later = reply is None or reply.status >= 500 or reply.status in _LATER
            replies.append(self.try_get(path) if reply is None or later else reply)
        return replies

    # ---- query jobs --------------------------------------------------------------------------

    def job(self, soql: str) -> Generator[list[str]]:
        """The rows of a Bulk 2.0 query job over all rows, header first; the job is deleted after.

        Raises OrgRefused where Bulk does not read the object, Transient, DamagedAnswer.
        """
        path = self._start(soql)
        try:
            processed = self._wait(path)
            count = yield from self._results(path)
            if processed is not None and count != processed:
                raise DamagedAnswer(
                    f"A query job processed {processed:,} rows and gave {count:,}; ask again."
                )
        finally:
            self._forget(path)

    def _start(self, soql: str) -> str:
        body = {"operation": "queryAll", "query": soql, "contentType": "CSV", "lineEnding": "LF"}

        def create() -> Any:
            try:
                return self.client.send_once("POST", f"{self.client.base}/jobs/query", body)
            except OutcomeUnknown as lost:
                # A job nobody asks for again does no harm: it is gone after seven days.
                raise Transient(lost.message) from lost

        told = self.client.retried(create, "starting a query job")
        name = told.get("id") if isinstance(told, dict) else None
        if not isinstance(name, str) or not name.isalnum():
            raise DamagedAnswer("The org took a query job but did not name it.")
        return f"{self.client.base}/jobs/query/{name}"

    def _wait(self, path: str) -> int | None:
        """Rows that the job processed, once it is complete."""
        wait, since, last = _FIRST_WAIT, self.clock(), None
        while True:
            told = self.get(path)
            state = str(told.get("state")) if isinstance(told, dict) else ""
            if state == "JobComplete":
                return _whole(told.get("numberRecordsProcessed"))
            if state in ("Failed", "Aborted"):
                why = printable(str(told.get("errorMessage") or state), 200)
                raise OrgRefused(200, "JOB_FAILED", why)
            moved = (state, told.get("numberRecordsProcessed") if isinstance(told, dict) else None)
            if moved != last:
                last, since = moved, self.clock()
            elif self.clock() - since > _STUCK_AFTER:
                raise OrgRefused(200, "JOB_STUCK", "the query job has not moved for four hours")
            self.client.pause(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    def _results(self, path: str) -> Generator[list[str], None, int]:
        locator, seen, total, header = "", set(), 0, None
        while True:
            at = f"{path}/results?maxRecords={JOB_PAGE_ROWS}"
            at += f"&locator={quote(locator, safe='')}" if locator else ""
            with tempfile.SpooledTemporaryFile(_KEPT_IN_MEMORY) as store:
                read = functools.partial(self._page, at, store)
                declared, following = self.client.retried(read, "reading a query job's page")
                store.seek(0)
                text = io.TextIOWrapper(store, encoding="utf-8", newline="")
                reader = csv.reader(text, strict=True)
                names = next(reader, None)
                if names is not None:
                    names[0] = names[0].removeprefix("\ufeff")
                    if header is None:
                        header = names
                        yield header
                    elif names != header:
                        raise DamagedAnswer("The columns changed within one query job.")
                rows = 0
                try:
                    for row in reader:
                        rows += 1
                        yield row
                except (csv.Error, UnicodeDecodeError) as error:
                    raise DamagedAnswer("A page of a query job is not whole CSV.") from error
                text.detach()
            if declared is not None and rows != declared:
                raise DamagedAnswer(
                    f"A page of a query job declares {declared:,} rows and holds {rows:,}."
                )
            total += rows
            # The last page says "null", in four letters ("Get Results for a Query Job").
            if following in ("", "null"):
                return total
            if following in seen:
                raise DamagedAnswer("The org repeats a page of a query job.")
            seen.add(following)
            locator = following

    def _page(self, path: str, store: Any) -> tuple[int | None, str]:
        store.seek(0)
        store.truncate()
        with self.client.stream(path, {"Accept": "text/csv"}) as answer:
            if answer.content_type != "text/csv" and answer.status != 204:
                raise DamagedAnswer("A page of a query job is not CSV.")
            for piece in answer.unpacked(_PAGE_LIMIT_BYTES):
                store.write(piece)
            declared = answer.headers.get("Sforce-NumberOfRecords", "")
            return _whole(declared), answer.headers.get("Sforce-Locator", "").strip()

    def _forget(self, path: str) -> None:
        for method, body in (("DELETE", None), ("PATCH", {"state": "Aborted"}), ("DELETE", None)):
            try:
                self.client.send_once(method, path, body)
            except SfexitError:
                continue  # a job that is left ends by itself
            if method == "DELETE":
                return

    # ---- bodies ------------------------------------------------------------------------------

    def body(self, path: str) -> Iterator[bytes]:
        """The bytes of a file, once; wrap reading in `client.retried`."""
        with self.client.stream(path, {"Accept": "*/*"}) as answer:
            yield from answer.unpacked(16 << 30)


def _packed(paths: Sequence[str]) -> Iterator[list[str]]:
    """Groups that one call may hold."""
    group: list[str] = []
    queries = 0
    for path in paths:
        heavy = path.startswith(("/query", "/composite/sobjects/"))
        if group and (len(group) == PARTS_A_CALL or (heavy and queries == QUERIES_A_CALL)):
            yield group
            group, queries = [], 0
        group.append(path)
        queries += heavy
    if group:
        yield group


def _parts(answer: bytes) -> dict[str, Reply]:
    try:
        told = json.loads(answer.decode("utf-8-sig"), parse_float=str, parse_int=str)
        return {
            str(part["referenceId"]): _reply(int(part["httpStatusCode"]), part["body"])
            for part in told["compositeResponse"]
        }
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedAnswer("The org's answer to many questions is not understood.") from error


def _reply(status: int, body: Any) -> Reply:
    if 200 <= status < 300:
        return Reply(status, body)
    first: Mapping[str, Any] = {}
    if isinstance(body, list) and body and isinstance(body[0], dict):
        first = body[0]
    code = printable(str(first.get("errorCode") or ""), 60)
    return Reply(status, None, code, printable(str(first.get("message") or ""), 240))


def _whole(value: Any) -> int | None:
    text = str(value).strip() if value is not None else ""
    return int(text) if text.isascii() and text.isdecimal() else None
