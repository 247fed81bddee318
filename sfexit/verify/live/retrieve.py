"""Components of the org's configuration, retrieved for the verifier alone.

Own messages and own reading of the answers, so that a misunderstanding in the exporter is not
repeated here. Sources: Metadata API Developer Guide, "retrieve()", "checkRetrieveStatus()",
"RetrieveRequest", "RetrieveResult", "Metadata Limits"; SOAP 1.1, section 3: a message has no
document type declaration, so one that has is not read.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, NoReturn
from xml.parsers import expat

from sfexit.errors import DamagedAnswer, OrgRefused
from sfexit.redaction import printable
from sfexit.salesforce.soap import Call
from sfexit.salesforce.transport import RawAnswer
from sfexit.verify.live.wire import Wire

_LIMIT_BYTES = 128 << 20  # of an answer: a SOAP message has at most 50 MB
_LONGEST_TEXT = 1 << 20
_DEEPEST = 16
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 20.0  # seconds between two looks
_STUCK_AFTER = 2 * 3600.0
_TRIES = 3
#: In a ZIP with packages, components that belong to none lie below this.
UNPACKAGED = "unpackaged/"

Member = tuple[str, str]  # type, full name


@dataclass(frozen=True)
class Property:
    """What the org says of a component in a ZIP; `file` is its own file, without package."""

    file: str
    modified: str


def retrieve(wire: Wire, members: Sequence[Member], store: IO[bytes]) -> dict[Member, Property]:
    """Put the ZIP of these components into `store`; what came, by type and full name.

    Raises OrgRefused when the org refuses or the retrieve fails, and what stops a run.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            return _once(wire, members, store)
        except OrgRefused as refused:
            # The org throws a ZIP away once it handed it out, even if it was lost on the way.
            if attempt == _TRIES or refused.code != "INVALID_LOCATOR":
                raise
    raise AssertionError


def _once(wire: Wire, members: Sequence[Member], store: IO[bytes]) -> dict[Member, Property]:
    by_type: dict[str, list[str]] = {}
    for kind, name in members:
        by_type.setdefault(kind, []).append(name)
    version = wire.client.version
    asked = {
        "apiVersion": version,
        "singlePackage": False,
        "unpackaged": {
            "types": [{"members": names, "name": kind} for kind, names in by_type.items()],
            "version": version,
        },
    }
    started = ask(wire, Call("retrieve", {"retrieveRequest": asked}))
    ident = started.values.get("id", "")
    if not (ident.isascii() and ident.isalnum() and len(ident) in (15, 18)):
        raise DamagedAnswer("The org took a retrieve but did not name it.")
    wait, since = _FIRST_WAIT, wire.clock()
    while True:
        told = ask(wire, _status(ident, whole=False))
        if told.values.get("done") == "true":
            break
        if wire.clock() - since > _STUCK_AFTER:
            raise OrgRefused(200, "RETRIEVE_STUCK", "the retrieve was not done after two hours")
        wire.client.pause(wait)
        wait = min(wait * 2, _LONGEST_WAIT)
    if told.values.get("status") != "Succeeded":
        code = printable(told.values.get("errorStatusCode", "") or "RETRIEVE_FAILED", 60)
        raise OrgRefused(200, code, printable(told.values.get("errorMessage", ""), 200))
    told = ask(wire, _status(ident, whole=True), store)
    return {
        (one.get("type", ""), one.get("fullName", "")): Property(
            one.get("fileName", "").removeprefix(UNPACKAGED), one.get("lastModifiedDate", "")
        )
        for one in told.records
    }


def _status(ident: str, *, whole: bool) -> Call:
    return Call("checkRetrieveStatus", {"asyncProcessId": ident, "includeZip": whole})


def ask(
    wire: Wire, call: Call, store: IO[bytes] | None = None, *, record: str = "fileProperties"
) -> Answer:
    """Make a call, and read its answer: the ZIP into `store`, elements named `record` as records.

    Raises OrgRefused, Transient, DamagedAnswer.
    """

    def read(answer: RawAnswer) -> Answer:
        if store is not None:
            store.seek(0)
            store.truncate()
        told = Answer(store.write if store is not None else None, record)
        for piece in answer.unpacked(_LIMIT_BYTES):
            told.feed(piece)
        told.finish()
        return told

    return wire.client.soap(call, read)


@dataclass
class Answer:
    """The result in an answer, read piece by piece: its own values, and the records in it."""

    write: Callable[[bytes], Any] | None
    record: str = "fileProperties"
    values: dict[str, str] = field(default_factory=dict)
    records: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._path: list[str] = []
        self._text: list[str] = []
        self._size = 0
        self._left = b""
        parser = self._parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = self._forbid
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        try:
            self._parser.Parse(piece, last)
        except (expat.ExpatError, ValueError, binascii.Error) as error:
            raise DamagedAnswer("The answer to a retrieve is not whole.") from error

    def finish(self) -> None:
        self.feed(b"", last=True)
        if self._left:
            raise DamagedAnswer("The ZIP of a retrieve is not whole.")

    def _forbid(self, *_: Any) -> NoReturn:
        raise ValueError("a document type declaration")

    def _start(self, name: str, _: Any) -> None:
        self._path.append(name.rpartition(" ")[2])
        self._text, self._size = [], 0
        if len(self._path) > _DEEPEST:
            raise ValueError("nested too deeply")
        if self._path[-1] == self.record:
            self.records.append({})

    def _characters(self, text: str) -> None:
        if self.write is not None and self._path[-1] == "zipFile":
            data = self._left + b"".join(text.encode("ascii").split())
            whole = len(data) // 4 * 4
            self._left = data[whole:]
            self.write(base64.b64decode(data[:whole], validate=True))
            return
        self._size += len(text)
        if self._size > _LONGEST_TEXT:
            raise ValueError("a text without end")
        self._text.append(text)

    def _end(self, _: str) -> None:
        name = self._path.pop()
        above = self._path[-1] if self._path else ""
        if above == self.record:
            self.records[-1][name] = "".join(self._text)
        elif above == "result":
            self.values[name] = "".join(self._text)
        self._text, self._size = [], 0
