"""Metadata files that name users: rules, alerts, approval steps, settings, flows, sites.

The files are fetched by one retrieve, or one for each type where that is too much, and searched
for usernames, ids and e-mail addresses. Metadata API guide: CaseSettings, AssignmentRules,
AutoResponseRules, EscalationRules, Workflow, ApprovalProcess, Flow, CustomSite, retrieve().
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, NoReturn
from urllib.parse import unquote
from xml.parsers import expat

from sfexit.errors import DamagedAnswer, OrgRefused
from sfexit.offboarding.asking import Asking
from sfexit.offboarding.files import MOST_BYTES
from sfexit.offboarding.people import User
from sfexit.offboarding.retrieving import opened, retrieved
from sfexit.redaction import printable
from sfexit.salesforce import metadata_api
from sfexit.salesforce.client import Client

#: Types whose files may name users; all take the wildcard ("CustomObjects and wildcards").
TYPES = (
    "Settings", "AssignmentRules", "AutoResponseRules", "EscalationRules", "Workflow",
    "ApprovalProcess", "Flow", "CustomSite", "ConnectedApp", "Queue", "Community",
)  # fmt: skip
_MOST_TEXT = 512 << 20  # of all files of one ZIP, unpacked
_TOKEN = re.compile(r"005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?|[^\s\"'<>(),;|]+@[^\s\"'<>(),;|]+")
_LABELS = ("fullName", "name", "label", "masterLabel")


@dataclass(frozen=True)
class Mention:
    """A user named in a file. `path` are the element's names from the root, without it; `label`
    is the nearest name around it; `siblings` how many values stand in the same list."""

    user_id: str
    file: str
    type: str
    path: tuple[str, ...]
    label: str
    siblings: int


def mentions(
    asking: Asking, users: Sequence[User], keep: dict[str, bytes] | None = None
) -> list[Mention]:
    """All mentions of these users. A type that cannot be read is noted as unknown. `keep` takes
    the files that name somebody, but for the very long ones."""
    kept = keep if keep is not None else {}
    known = Known(users)
    found: list[Mention] = []
    try:
        types = [one.name for one in metadata_api.describe(asking.client)]
    except OrgRefused as refused:
        asking.note(
            f"the org's metadata could not be read ({printable(str(refused), 200)}): rules, "
            "approval processes and flows that name these users are not known"
        )
        return found
    wanted = [one for one in TYPES if one in types]
    try:
        found += _retrieved(asking.client, wanted, known, kept)
    except (OrgRefused, DamagedAnswer):
        for one in wanted:
            try:
                found += _retrieved(asking.client, [one], known, kept)
            except (OrgRefused, DamagedAnswer) as refused:
                asking.note(
                    f"metadata of the type {one} could not be searched for these users "
                    f"({printable(str(refused), 200)})"
                )
    return sorted(set(found), key=lambda one: (one.user_id, one.file, one.path, one.label))


def _retrieved(
    client: Client, types: Sequence[str], known: Known, keep: dict[str, bytes]
) -> list[Mention]:
    """Raises OrgRefused when the org does not do it, DamagedAnswer when its ZIP is none."""
    with retrieved(client, [(one, "*") for one in types]) as packed:
        return list(_searched(packed, known, keep))


def _searched(packed: IO[bytes], known: Known, keep: dict[str, bytes]) -> Iterator[Mention]:
    total = 0
    with opened(packed) as archive:
        for one in archive.infolist():
            total += one.file_size
            if total > _MOST_TEXT:
                raise DamagedAnswer("The ZIP of a retrieve holds more than it should.")
            if one.is_dir() or one.filename.endswith("package.xml"):
                continue
            content, name = archive.read(one), unquote(one.filename)
            found = list(search(name, content, known))
            if found and len(content) <= MOST_BYTES:
                keep[name] = content
            yield from found


class Known:
    """Users by everything that a file may call them."""

    def __init__(self, users: Sequence[User]) -> None:
        self._names: dict[str, list[str]] = {}
        for user in users:
            for name in {user.username.casefold(), user.email.casefold(), user.id, user.id[:15]}:
                if name:
                    self._names.setdefault(name, []).append(user.id)

    def __call__(self, text: str) -> list[str]:
        """Ids of the users that a text names: as a whole, or somewhere in it."""
        plain = text.strip()
        found = [*self._get(plain)]
        if not found and ("005" in plain or "@" in plain):
            for token in _TOKEN.findall(plain):
                found += self._get(token)
        return list(dict.fromkeys(found))

    def _get(self, text: str) -> list[str]:
        return self._names.get(text) or self._names.get(text.casefold(), [])


def search(file: str, content: bytes, known: Known) -> Iterator[Mention]:
    """Mentions in one file; nothing for what is no XML. Raises DamagedAnswer for a file with a
    document type declaration, which Salesforce never sends."""
    yield from _Reader(file, known).read(content)


class _Forbidden(Exception):
    pass


class _Reader:
    """Walks one file, remembering where it is and what the things around are called."""

    def __init__(self, file: str, known: Known) -> None:
        self._file = file
        self._type = _type_of(file)
        self._known = known
        self._path: list[str] = []
        self._labels: list[dict[str, str]] = [{}]
        self._children: list[dict[str, int]] = [{}]
        self._text: list[str] = []
        self._open: list[tuple[int, int, Mention]] = []  # where it stands, how far it is closed
        self._found: list[Mention] = []

    def read(self, content: bytes) -> list[Mention]:
        parser: Any = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._forbid
        parser.EntityDeclHandler = self._forbid
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        try:
            parser.Parse(content, True)
        except _Forbidden:
            name = printable(self._file, 80)
            raise DamagedAnswer(f"{name} holds a document type declaration.") from None
        except (expat.ExpatError, ValueError):
            return self._found
        return self._found

    def _forbid(self, *_: Any) -> NoReturn:
        raise _Forbidden

    def _start(self, tag: str, _attributes: Mapping[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        siblings = self._children[-1]
        siblings[name] = siblings.get(name, 0) + 1
        self._path.append(name)
        self._labels.append({})
        self._children.append({})
        self._text.clear()

    def _end(self, _tag: str) -> None:
        text = "".join(self._text).strip()
        self._text.clear()
        name = self._path[-1]
        leaf = not self._children[-1]
        depth = len(self._path)
        if leaf and text:
            if name in _LABELS:
                self._labels[-2].setdefault(name, text)
            self._open += [
                (depth, depth, Mention(user, self._file, self._type, tuple(self._path[1:]), "", 0))
                for user in self._known(text)
            ]
        own = self._labels.pop()
        counted = self._children.pop()
        self._path.pop()
        # Names stand before or behind; a mention is complete when what is around it closes.
        waiting: list[tuple[int, int, Mention]] = []
        for level, closed, one in self._open:
            if depth != closed - 1 and not (
                leaf and depth == closed == level
            ):  # a neighbour, nothing around it
                waiting.append((level, closed, one))
                continue
            told = next((own[key] for key in _LABELS if key in own), "")
            around = level > depth and told and not self._known(told)
            better = replace(
                one,
                label=one.label or (printable(told, 120) if around else ""),
                siblings=counted.get(one.path[-2], 1) if level - depth == 2 else one.siblings,
            )
            if depth == 1:
                self._found.append(better)
            else:
                waiting.append((level, depth, better))
        self._open = waiting


def _type_of(file: str) -> str:
    """The type of a component by the folder its file lies in."""
    folder = file.removeprefix("unpackaged/").partition("/")[0]
    return _FOLDERS.get(folder, folder)


_FOLDERS = {
    "settings": "Settings",
    "assignmentRules": "AssignmentRules",
    "autoResponseRules": "AutoResponseRules",
    "escalationRules": "EscalationRules",
    "workflows": "Workflow",
    "approvalProcesses": "ApprovalProcess",
    "flows": "Flow",
    "sites": "CustomSite",
    "connectedApps": "ConnectedApp",
    "queues": "Queue",
    "communities": "Community",
}
