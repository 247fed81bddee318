"""SOAP messages of the Metadata API: built from plain values, read without trust.

Requests are made here from names and texts, so that nothing which came from an org can become a
part of the message's structure. Answers go through expat with document type declarations and
entities forbidden: no definition is ever looked up, so neither outside files nor expanding
entities exist (SOAP 1.1, section 3: a message MUST NOT contain a document type declaration).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape

from sfexit.errors import DamagedAnswer

METADATA = "http://soap.sforce.com/2006/04/metadata"
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_DEEPEST = 32
_LONGEST_TEXT = 1 << 20  # characters of one value

Value = str | bool | float | Mapping[str, Any] | Iterable[Any]
#: A finished record: the path of its element below the body, and its values by name.
Take = Callable[[str, dict[str, list[str]]], None]


@dataclass(frozen=True)
class Call:
    """A call of the Metadata API: `arguments` in the order of the WSDL.

    A mapping becomes an element with children, a list a repeated element.
    """

    operation: str
    arguments: Mapping[str, Value]

    def envelope(self, session: str) -> bytes:
        """The whole message. `session` is the access token, which stands in the message itself."""
        header = f"<SessionHeader>{_element('sessionId', session)}</SessionHeader>"
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="{_SOAP}" '
            f'xmlns="{METADATA}"><e:Header>{header}</e:Header><e:Body>'
            f"{_element(self.operation, self.arguments)}</e:Body></e:Envelope>"
        ).encode()

    def __repr__(self) -> str:
        return f"<Call {self.operation}>"


def _element(name: str, value: Value) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not the name of an element: {name!r}")
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, (str, int, float)):
        # XML 1.0 has no way to write most control characters; in a name they can only be damage.
        text = "".join(c for c in str(value) if c >= " " or c in "\t\n\r")
        return f"<{name}>{escape(text)}</{name}>"
    if isinstance(value, Mapping):
        return f"<{name}>{''.join(_element(k, v) for k, v in value.items())}</{name}>"
    return "".join(_element(name, one) for one in value)


class _Refused(Exception):
    """Something that no message of Salesforce has."""


class Reader:
    """Reads one XML document piece by piece, in little memory.

    Each element named in `records` (by its path of local names from the root, `/` between) is
    handed to `take` with the texts of its direct children, then forgotten. The text of the element
    at `stream[0]` goes to `stream[1]` in pieces instead. Raises DamagedAnswer for anything that is
    no plain, whole document.
    """

    def __init__(
        self,
        records: Iterable[str],
        take: Take,
        *,
        stream: tuple[str, Callable[[str], None]] | None = None,
        what: str = "the answer",
    ) -> None:
        self._records = frozenset(records)
        self._take = take
        self._stream = stream
        self._what = what
        self._path: list[str] = []
        self._open: list[tuple[int, dict[str, list[str]]]] = []
        self._text: list[str] = []
        self._length = 0
        self._streaming = False
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._forbid
        parser.EntityDeclHandler = self._forbid
        parser.UnparsedEntityDeclHandler = self._forbid
        parser.ExternalEntityRefHandler = self._forbid
        parser.ProcessingInstructionHandler = self._forbid
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def feed(self, piece: bytes) -> None:
        """Read on."""
        self._parse(piece, final=False)

    def finish(self) -> None:
        """The document must be over."""
        self._parse(b"", final=True)

    def _parse(self, piece: bytes, *, final: bool) -> None:
        try:
            self._parser.Parse(piece, final)
        except _Refused as refused:
            raise DamagedAnswer(f"{self._what} {refused}, so it was not read.") from None
        except (expat.ExpatError, ValueError):
            raise DamagedAnswer(f"{self._what} is not whole XML.") from None

    def _forbid(self, *_: Any) -> NoReturn:
        raise _Refused("holds a document type declaration, which Salesforce never sends")

    def _start(self, name: str, _attributes: Any) -> None:
        self._path.append(name.rpartition(" ")[2])
        if len(self._path) > _DEEPEST:
            raise _Refused("is nested too deeply")
        here = "/".join(self._path)
        self._text, self._length = [], 0
        self._streaming = self._stream is not None and here == self._stream[0]
        if here in self._records:
            self._open.append((len(self._path), {}))

    def _characters(self, text: str) -> None:
        if self._streaming and self._stream is not None:
            self._stream[1](text)
            return
        self._length += len(text)
        if self._length > _LONGEST_TEXT:
            raise _Refused("holds a text without end")
        self._text.append(text)

    def _end(self, _name: str) -> None:
        depth = len(self._path)
        self._streaming = False
        if self._open and self._open[-1][0] == depth:
            _, values = self._open.pop()
            self._take("/".join(self._path), values)
        elif self._open and self._open[-1][0] == depth - 1:
            self._open[-1][1].setdefault(self._path[-1], []).append("".join(self._text))
        self._text, self._length = [], 0
        self._path.pop()


@dataclass(frozen=True)
class Fault:
    """A SOAP fault: its code without prefix, and the org's words."""

    code: str
    reason: str


_FAULT = "Envelope/Body/Fault"


def read_fault(body: bytes) -> Fault | None:
    """The fault that an answer is; None when it is none or cannot be read."""
    found: list[Fault] = []

    def take(_path: str, values: dict[str, list[str]]) -> None:
        code = (values.get("faultcode") or [""])[0].strip().rpartition(":")[2]
        words = (values.get("faultstring") or [""])[0].strip()
        found.append(Fault(code, words.removeprefix(f"{code}:").strip()))

    reader = Reader([_FAULT], take)
    try:
        reader.feed(body)
        reader.finish()
    except DamagedAnswer:
        return None
    return found[0] if found else None
