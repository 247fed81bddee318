"""The Metadata API's calls that read: what types there are, what components, and their files.

Metadata API Developer Guide: describeMetadata(), listMetadata(), retrieve(),
checkRetrieveStatus(), RetrieveResult, "Metadata Limits". All raise what the client raises.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sfexit.errors import DamagedAnswer
from sfexit.salesforce.client import Client
from sfexit.salesforce.soap import Call, Reader, Value
from sfexit.salesforce.transport import RawAnswer

MOST_QUERIES = 3  # of one listMetadata call
_MOST_BYTES = 256 << 20  # of an answer without a ZIP
# A ZIP of 39 MB is 52 MB in base64, and a SOAP message is at most 50 MB; the rest is for the
# properties of 10,000 files.
_MOST_ZIP_ANSWER_BYTES = 128 << 20
MOST_ZIP_BYTES = 64 << 20

_RESULT = "Envelope/Body/{0}Response/result"
#: The type under which the folders of a foldered type are listed ("ListMetadataQuery"); for others
#: it is the type's name and "Folder".
_FOLDER_TYPES = {"EmailTemplate": "EmailFolder"}


@dataclass(frozen=True)
class MetadataType:
    """A type as describeMetadata names it. `in_folder`: its components lie in folders."""

    name: str
    directory: str
    suffix: str = ""
    in_folder: bool = False
    meta_file: bool = False
    children: tuple[str, ...] = ()

    @property
    def folder_type(self) -> str:
        """What to list for the folders of this type."""
        return _FOLDER_TYPES.get(self.name, f"{self.name}Folder")


@dataclass(frozen=True)
class Component:
    """A component as listMetadata or a retrieve names it (FileProperties)."""

    type: str
    full_name: str
    file_name: str
    namespace: str = ""
    state: str = ""  # manageableState
    modified: str = ""  # lastModifiedDate as the org wrote it
    id: str = ""

    @property
    def managed(self) -> bool:
        """Whether it belongs to an installed managed package ("ManageableState")."""
        return self.state in ("installed", "installedEditable", "deprecated")


@dataclass(frozen=True)
class RetrieveState:
    """Where a retrieve stands. `status`: Pending, InProgress, Succeeded or Failed."""

    done: bool
    status: str
    error_code: str
    error_message: str
    messages: tuple[tuple[str, str], ...]  # (file name, problem)
    components: tuple[Component, ...]


def describe(client: Client) -> tuple[MetadataType, ...]:
    """Every metadata type of the org, by name."""
    types: list[MetadataType] = []

    def take(_path: str, values: dict[str, list[str]]) -> None:
        if _one(values, "xmlName"):
            types.append(
                MetadataType(
                    name=_one(values, "xmlName"),
                    directory=_one(values, "directoryName"),
                    suffix=_one(values, "suffix"),
                    in_folder=_one(values, "inFolder") == "true",
                    meta_file=_one(values, "metaFile") == "true",
                    children=tuple(filter(None, values.get("childXmlNames", ()))),
                )
            )

    def read(answer: RawAnswer) -> None:
        types.clear()
        records = [_RESULT.format("describeMetadata") + "/metadataObjects"]
        _through(answer, Reader(records, take, what="The answer to describeMetadata"))

    client.soap(Call("describeMetadata", {"asOfVersion": client.version}), read)
    return tuple(sorted(types, key=lambda one: one.name))


def list_components(client: Client, queries: Sequence[tuple[str, str]]) -> tuple[Component, ...]:
    """The components of up to three (type, folder); folder is "" for types without folders."""
    if not 1 <= len(queries) <= MOST_QUERIES:
        raise ValueError(f"listMetadata takes 1 to {MOST_QUERIES} queries, not {len(queries)}")
    found: list[Component] = []

    def read(answer: RawAnswer) -> None:
        found.clear()
        reader = Reader(
            [_RESULT.format("listMetadata")],
            lambda _path, values: found.append(_component(values)),
            what="The answer to listMetadata",
        )
        _through(answer, reader)

    asked = [{"folder": folder, "type": kind} if folder else {"type": kind}
             for kind, folder in queries]  # fmt: skip
    client.soap(Call("listMetadata", {"queries": asked, "asOfVersion": client.version}), read)
    return tuple(found)


def start(client: Client, members: Iterable[tuple[str, str]]) -> str:
    """Ask for the files of these (type, full name); returns the retrieve's id.

    Asked twice after a lost answer, the org merely makes one ZIP more than it is asked for.
    """
    by_type: dict[str, list[str]] = {}
    for kind, name in members:
        by_type.setdefault(kind, []).append(name)
    ids: list[str] = []

    def read(answer: RawAnswer) -> None:
        ids.clear()
        reader = Reader(
            [_RESULT.format("retrieve")],
            lambda _path, values: ids.append(_one(values, "id")),
            what="The answer to retrieve",
        )
        _through(answer, reader)
        if not ids or not (len(ids[0]) in (15, 18) and ids[0].isascii() and ids[0].isalnum()):
            raise DamagedAnswer("The answer to retrieve names no retrieve.")

    request: dict[str, Value] = {
        "apiVersion": client.version,
        "singlePackage": True,
        "unpackaged": {
            "types": [{"members": names, "name": kind} for kind, names in by_type.items()],
            "version": client.version,
        },
    }
    client.soap(Call("retrieve", {"retrieveRequest": request}), read)
    return ids[0]


def check(
    client: Client, retrieve_id: str, *, sink: Callable[[], Callable[[bytes], None]] | None = None
) -> RetrieveState:
    """How a retrieve stands; with `sink`, its ZIP too.

    `sink` is called before each try and gives what takes the ZIP's bytes in pieces. The org
    deletes the ZIP after it handed it out, so a try after a broken transfer finds it gone
    (OrgRefused) and the retrieve has to be made anew.
    """
    where = _RESULT.format("checkRetrieveStatus")
    state: list[RetrieveState] = []

    def read(answer: RawAnswer) -> None:
        state.clear()
        decoder = _Base64(sink()) if sink is not None else None
        found: list[Component] = []
        messages: list[tuple[str, str]] = []
        result: dict[str, list[str]] = {}

        def take(path: str, values: dict[str, list[str]]) -> None:
            if path.endswith("/fileProperties"):
                found.append(_component(values))
            elif path.endswith("/messages"):
                messages.append((_one(values, "fileName"), _one(values, "problem")))
            else:
                result.update(values)

        reader = Reader(
            [where, f"{where}/fileProperties", f"{where}/messages"],
            take,
            stream=(f"{where}/zipFile", decoder.feed) if decoder is not None else None,
            what="The answer to checkRetrieveStatus",
        )
        limit = _MOST_ZIP_ANSWER_BYTES if decoder is not None else _MOST_BYTES
        _through(answer, reader, limit)
        if decoder is not None:
            decoder.finish()
        if not result:
            raise DamagedAnswer("The answer to checkRetrieveStatus holds no result.")
        state.append(
            RetrieveState(
                done=_one(result, "done") == "true",
                status=_one(result, "status"),
                error_code=_one(result, "errorStatusCode"),
                error_message=_one(result, "errorMessage"),
                messages=tuple(messages),
                components=tuple(found),
            )
        )

    arguments: dict[str, Value] = {"asyncProcessId": retrieve_id, "includeZip": sink is not None}
    client.soap(Call("checkRetrieveStatus", arguments), read)
    return state[0]


def _through(answer: RawAnswer, reader: Reader, limit: int = _MOST_BYTES) -> None:
    for piece in answer.unpacked(limit):
        reader.feed(piece)
    reader.finish()


def _one(values: dict[str, list[str]], name: str) -> str:
    return (values.get(name) or [""])[0].strip()


def _component(values: dict[str, list[str]]) -> Component:
    return Component(
        type=_one(values, "type"),
        full_name=_one(values, "fullName"),
        file_name=_one(values, "fileName"),
        namespace=_one(values, "namespacePrefix"),
        state=_one(values, "manageableState"),
        modified=_one(values, "lastModifiedDate"),
        id=_one(values, "id"),
    )


class _Base64:
    """Base64 text in pieces to bytes; white space may stand anywhere."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._left = b""
        self._total = 0

    def feed(self, text: str) -> None:
        """Raises DamagedAnswer for what is no base64, or too much of it."""
        try:
            data = self._left + b"".join(text.encode("ascii").split())
            whole = len(data) - len(data) % 4
            self._left = data[whole:]
            out = base64.b64decode(data[:whole], validate=True)
        except (ValueError, binascii.Error):
            raise DamagedAnswer("The ZIP of a retrieve is not whole base64.") from None
        self._total += len(out)
        if self._total > MOST_ZIP_BYTES:
            raise DamagedAnswer("The ZIP of a retrieve is larger than Salesforce ever sends.")
        self._write(out)

    def finish(self) -> None:
        """Raises DamagedAnswer for text that stops in the middle."""
        if self._left:
            raise DamagedAnswer("The ZIP of a retrieve is not whole base64.")
