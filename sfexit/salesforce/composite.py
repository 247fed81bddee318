"""Many questions in one API call.

`POST /composite` takes 25 subrequests, of which 5 may be queries, and counts as one call (REST API
guide, "Composite Request Body"; salesforce limits: `/composite/batch` would count each). The parts
are independent GETs here; each has its own status inside an answer of 200.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sfexit.errors import DamagedAnswer, SfexitError
from sfexit.salesforce import refusals
from sfexit.salesforce.client import Client

MOST_PARTS = 25
MOST_QUERIES = 5

_BLANKS = " \t\r\n"
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Part:
    """The answer to one question: its HTTP status and its body, verbatim."""

    status: int
    body: bytes

    def refusal(self, what: str) -> SfexitError | None:
        """The error that this answer would have been on its own, or None when it is good."""
        if 200 <= self.status < 300:
            return None
        headers: dict[str, str] = {}
        return refusals.refusal(refusals.Refused(self.status, headers, self.body, what))


def ask(client: Client, paths: Sequence[str]) -> list[Part]:
    """GET all `paths` (whole, "/services/data/…"; at most 25, at most 5 queries) by one call.

    Answers in the order of the paths. Raises like any request of the client, and DamagedAnswer
    when an answer is missing.
    """
    assert 0 < len(paths) <= MOST_PARTS
    body = {
        "allOrNone": False,
        "compositeRequest": [
            {"method": "GET", "url": path, "referenceId": f"r{number}"}
            for number, path in enumerate(paths)
        ],
    }

    def read(answer: bytes) -> list[Part]:
        found = parts(answer)
        try:
            return [found[f"r{number}"] for number in range(len(paths))]
        except KeyError as error:
            raise DamagedAnswer("The org left a part of a composite request unanswered.") from error

    return client.ask(f"{client.base}/composite", body, read)


def parts(answer: bytes) -> dict[str, Part]:
    """A composite answer taken apart by reference; bodies keep their bytes.

    Describes are kept as evidence, byte for byte, so the text is walked instead of being parsed
    and written again. A character a byte is enough for that: what JSON is built of is ASCII, and
    no byte of a longer UTF-8 character looks like it; decoded, 25 describes would take two to four
    times the memory. Who reads a body decodes it. Raises DamagedAnswer.
    """
    try:
        text = answer.removeprefix(codecs.BOM_UTF8).decode("latin-1")
        at = text.index("[", text.index('"compositeResponse"'))
        found = {}
        at = _skip(text, at + 1)
        while text[at] != "]":
            spans, end = _span(text, at)
            name = json.loads(text[slice(*spans["referenceId"])])
            status = json.loads(text[slice(*spans["httpStatusCode"])])
            found[str(name)] = Part(int(status), text[slice(*spans["body"])].encode("latin-1"))
            at = _next(text, end, "]")
        if text[at + 1 :].strip() != "}":
            raise ValueError("something stands behind the list of answers")
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise DamagedAnswer("The org's answer to a composite request is not understood.") from error
    return found


def _skip(text: str, at: int) -> int:
    while text[at] in _BLANKS:
        at += 1
    return at


def _span(text: str, at: int) -> tuple[dict[str, tuple[int, int]], int]:
    """Where each value of the object that opens at `at` begins and ends, and where it ends."""
    if text[at] != "{":
        raise ValueError("not an object")
    found: dict[str, tuple[int, int]] = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] != ":":
            raise ValueError("no colon behind a name")
        begin = _skip(text, at + 1)
        _, at = _DECODER.raw_decode(text, begin)
        found[name] = (begin, at)
        at = _next(text, at, "}")
    return found, at + 1


def _next(text: str, at: int, close: str) -> int:
    """From behind a member to the next one, or to the closing mark."""
    at = _skip(text, at)
    if text[at] == ",":
        at = _skip(text, at + 1)
        if text[at] == close:
            raise ValueError("a comma before the end")
    elif text[at] != close:
        raise ValueError("no comma between members")
    return at
