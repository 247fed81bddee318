"""One package: from the question to a ZIP in the bag, or to the reason why not."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any
from urllib.parse import unquote

from sfexit.archive import layout, zipped
from sfexit.errors import DamagedAnswer, OrgRefused
from sfexit.export.arriving import Arriving
from sfexit.export.means import Means
from sfexit.export.metadata.packages import (
    DAMAGE,
    FAILED,
    FAULT,
    RETRIEVED,
    SIZE,
    SLOW,
    SPLIT,
    Member,
    Package,
    Told,
)
from sfexit.redaction import printable
from sfexit.salesforce import metadata_api
from sfexit.salesforce.metadata_api import Component, RetrieveState

TRIES = 3  # at a retrieve whose ZIP is lost or damaged on the way
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0  # seconds between two looks at a retrieve
_HIDDEN = b"(hidden)"  # instead of code of a managed package
_NOT_FOUND = re.compile(r"Entity of type '([^']*)' named '(.*)' cannot be found", re.DOTALL)
# How the org says that a retrieve is too much for it; everything else is a fault.
_TOO_MUCH = ("LIMIT_EXCEEDED", "REQUEST_RUNNING_TOO_LONG", "EXCEEDED_MAX_SIZE_REQUEST")


class _TryAnew(Exception):
    """The ZIP is lost or damaged: the retrieve has to be made again. The text says why."""


class _TooSlow(Exception):
    """The retrieve does not end. The text says since when."""


class Retrieving:
    """Retrieves packages, one at a call; safe for several threads."""

    def __init__(self, means: Means, folder_types: dict[str, str]) -> None:
        """`folder_types`: the type of a folder by the type under which it is listed."""
        self._means = means
        self._folder_types = folder_types

    def take(self, package: Package) -> Told:
        """Retrieve a package and publish its ZIP; what became of it, not published yet.

        `split` says that it is to be divided. Raises what the client raises, but no OrgRefused;
        a Transient only where the org does not answer.
        """
        why = ""
        for attempt in range(TRIES):
            self._means.go_on()
            try:
                return self._once(package)
            except _TryAnew as fault:
                why = str(fault)
                if attempt < TRIES - 1:
                    self._means.tally.note(
                        f"Metadata package {package.name}: {why}; it is retrieved again"
                    )
            except _TooSlow as slow:
                return self._divided(package, str(slow), SLOW)
            except OrgRefused as refusal:
                cause = SIZE if refusal.code.startswith(_TOO_MUCH) else FAULT
                return self._divided(package, str(refusal), cause)
        return self._divided(package, f"{why}, {TRIES} times", DAMAGE)

    @staticmethod
    def _divided(package: Package, words: str, cause: str) -> Told:
        outcome = SPLIT if package.halves() else FAILED
        return Told(outcome, printable(words, 400), cause)

    def _once(self, package: Package) -> Told:
        client, means = self._means.client, self._means
        retrieve_id = metadata_api.start(client, package.wanted)
        wait, waited = _FIRST_WAIT, 0.0
        while True:
            client.pause(wait)
            waited += wait
            means.go_on()
            state = metadata_api.check(client, retrieve_id)
            if state.done:
                break
            if waited > means.tuning.job_stuck_seconds:
                raise _TooSlow(f"the retrieve was not done in {waited:,.0f} s")
            wait = min(wait * 2, _LONGEST_WAIT)
        if state.status != "Succeeded":
            message = state.error_message.removeprefix(f"{state.error_code}:").strip()
            raise OrgRefused(0, state.error_code or state.status, message or "no explanation given")
        part = Arriving(means, package_path(package.name, "zip"))
        try:
            try:
                state = metadata_api.check(client, retrieve_id, sink=part.begin)
                entries = zipped.check(part.written(), keep=len(_HIDDEN), go_on=means.go_on)
            except OrgRefused as refusal:  # handed out before, to an answer that got lost
                raise _TryAnew(f"its ZIP was lost on the way ({refusal})") from refusal
            except DamagedAnswer as damage:
                raise _TryAnew(damage.message.rstrip(".")) from damage
            told = self._told(package, state, entries)
            part.publish()
        except BaseException:
            part.discard()
            raise
        return told

    def _told(
        self, package: Package, state: RetrieveState, entries: tuple[zipped.Entry, ...]
    ) -> Told:
        sizes = {_plain(one.name): one for one in entries}
        by_folder: dict[str, list[zipped.Entry]] = defaultdict(list)
        for name, entry in sizes.items():
            parts = name.split("/")
            for depth in range(1, len(parts)):
                by_folder["/".join(parts[:depth])].append(entry)
        wanted = {(kind, unquote(name)): (kind, name) for kind, name in package.wanted}
        files: dict[Member, set[str]] = defaultdict(set)
        hidden = set()
        for one in state.components:
            member = wanted.get(self._key(one))
            if member is None:
                continue
            name = _plain(one.file_name)
            found = [sizes[name]] if name in sizes else by_folder.get(name, [])
            files[member].update(_plain(part.name) for part in found)
            if any(part.kept == _HIDDEN for part in found):
                hidden.add(member)
        problems = []
        for _, problem in state.messages:
            named = _NOT_FOUND.search(problem)
            key = (named[1], unquote(named[2])) if named else ("", "")
            problems.append((*wanted.get(key, ("", "")), printable(problem, 400)))
        return Told(
            RETRIEVED,
            files=tuple(
                (*member, len(names), sum(sizes[name].size for name in names))
                for member, names in sorted(files.items())
            ),
            hidden=tuple(sorted(hidden)),
            problems=tuple(problems),
        )

    def _key(self, one: Component) -> Member:
        return self._folder_types.get(one.type, one.type), unquote(one.full_name)


def package_path(name: str, ending: str) -> str:
    """Where a file of a package lies in the bag."""
    return f"{layout.METADATA_PACKAGES}/{name}.{ending}"


def _plain(name: str) -> str:
    """A file's name without the folder of the package, and without percent signs."""
    return unquote(name.removeprefix("unpackaged/"))


def stored(means: Means, package: Package) -> Told | None:
    """What became of a package in an earlier run; None when nothing did."""
    document: dict[str, Any] | None = means.stored_json(package_path(package.name, "json"))
    if document is None:
        return None
    try:
        told = Told.from_json(document, package)
    except (ValueError, KeyError, TypeError, IndexError):
        return None  # of another version of sfexit
    if told.outcome == RETRIEVED and not means.has(package_path(package.name, "zip")):
        return None
    return told
