"""The stage that learns what objects there are, and in which order they are read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sfexit.archive import layout
from sfexit.catalog import ObjectEntry
from sfexit.errors import UsageProblem
from sfexit.export import seeing
from sfexit.export.means import Means
from sfexit.export.plan import Selection
from sfexit.export.stage import Stage
from sfexit.preflight import Sight
from sfexit.progress import Progress
from sfexit.salesforce import describe as describing
from sfexit.salesforce.client import Client


@dataclass(frozen=True)
class FirstLook:
    """What was asked before anything was made: describeGlobal and rough counts; what is hidden,
    if that may be a reason not to begin."""

    document: bytes
    entries: tuple[ObjectEntry, ...]
    hints: dict[str, int]
    sight: Sight | None


def first_look(
    client: Client, selection: Selection, progress: Progress, *, strict: bool
) -> FirstLook:
    """Look at the org before anything is made: a misspelled name must leave no trace.

    Raises UsageProblem for a name that is no object; Blocked when `strict` finds a blind spot.
    """
    progress.phase("Looking at the org")
    with ThreadPoolExecutor(1, thread_name_prefix="counts") as beside:
        counting = beside.submit(seeing.rough_counts, client)
        document, entries = describing.describe_global(client)
        _check_selection(selection, entries)
        hints = counting.result()
    sight = None
    if strict:
        progress.phase("Looking for what is hidden")
        sight = seeing.first_look(client, entries, hints, progress)
        seeing.refuse_blind_spots(sight, selection, begun=False)
    return FirstLook(document, entries, hints, sight)


def _check_selection(selection: Selection, entries: Iterable[ObjectEntry]) -> None:
    """Refuse a name that is no object of the org, and guess what was meant."""
    names = {entry.name for entry in entries}
    exact = {name.lower(): name for name in names}
    for wanted in sorted((selection.objects | selection.exclude) - names):
        close = difflib.get_close_matches(wanted.lower(), exact, n=1)
        hint = f"; did you mean {exact[close[0]]}?" if close else ""
        shown = wanted[:80] if wanted.isprintable() else "that name"
        raise UsageProblem(
            f"the org has no object named {shown!r} for this user{hint} "
            "(API names are needed, as in Setup > Object Manager)"
        )


class Catalogue(Stage):
    """describeGlobal: from the archive when the run was planned before, else from the org."""

    def __init__(self, means: Means, first: FirstLook | None) -> None:
        super().__init__(means)
        self._first = first
        self.entries: dict[str, ObjectEntry] = {}  # what the org named last
        # Approximate rows by object. recordCount is stale and leaves out deleted and archived
        # rows: good for reading the biggest first and guessing the time left, never a count.
        self.hints = dict(first.hints) if first is not None else {}

    def take(self) -> None:
        journal = self.means.journal
        if self.entries and self.means.has(layout.SOBJECTS):
            return
        stored = self.means.stored(layout.SOBJECTS)
        if journal.fact("planned") is not None and stored is not None:
            entries = describing.parse_global(stored)
            self.hints = self._planned_hints()
        else:
            entries = self._ask()
        self.entries = {entry.name: entry for entry in entries}
        self.means.names.update(layout.safe_names(self.means.planned()))

    def named(self) -> set[str]:
        return set(self.means.planned())

    def _ask(self) -> tuple[ObjectEntry, ...]:
        if self._first is not None:
            data, entries = self._first.document, self._first.entries
        else:
            data, entries = describing.describe_global(self.means.client)
            self.hints = seeing.rough_counts(self.means.client)
        hints = {name: count for name, count in self.hints.items() if count > 0}
        self._first = None
        known = self.means.planned()
        self.means.publish(layout.SOBJECTS, data)
        fresh = {entry.name for entry in entries}.difference(known)
        # What was planned by a copy that was lost since stays planned, in its order.
        names = [*known, *sorted(fresh, key=lambda n: (-hints.get(n, 0), n))]
        self.means.journal.record("planned", objects=names, hints=hints)
        return entries

    def _planned_hints(self) -> dict[str, int]:
        rows = self.means.journal.rows("SELECT name, hint FROM object WHERE hint IS NOT NULL")
        return {row["name"]: row["hint"] for row in rows}
