"""The stage that brings every object to its outcome, several side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace

from sfexit.archive import layout
from sfexit.archive.ledger import LedgerLine
from sfexit.catalog import Description, ObjectEntry
from sfexit.errors import Interrupted, MediumFault, OrgRefused, SfexitError, Transient
from sfexit.export import plan, scout
from sfexit.export.catalogue import Catalogue
from sfexit.export.means import Means
from sfexit.export.object_line import ledger_lines, now
from sfexit.export.one_object import ObjectReader
from sfexit.export.page_audit import PageAudits
from sfexit.export.refresh.refresher import Refresher
from sfexit.export.scout import Found
from sfexit.export.stage import Stage
from sfexit.export.work import NotYet
from sfexit.salesforce.object_rules import rule_for

# Most of them wait for their query jobs; Salesforce runs 25 at a time.
OBJECTS_AT_ONCE = 20
_WAITING = 32  # small objects that came ahead and wait to be written


class Records(Stage):
    """The rows of all objects, each with its line in the journal.

    `refresher`, if given, makes what brings objects up to date from the bag before.
    """

    def __init__(
        self,
        means: Means,
        catalogue: Catalogue,
        refresher: Callable[[ObjectReader], Refresher] | None = None,
    ) -> None:
        super().__init__(means)
        self._catalogue = catalogue
        self._reader = ObjectReader(means)
        self._rows: ObjectReader | Refresher = (
            self._reader if refresher is None else refresher(self._reader)
        )
        self._audits = PageAudits(means, self._reader.reread)
        self._waiting: dict[str, Found] = {}  # objects given by rows that are not there yet
        self._alone = False

    @property
    def description(self) -> Callable[[str], Description]:
        """The describe that an object was read by, from the archive or else from the org."""
        return self._reader.description

    def resume(self) -> None:
        for line in list(ledger_lines(self.means.journal)):
            if line.outcome == "failed":
                self.means.journal.record("again", object=line.object, fresh=False)

    def take(self) -> None:
        self._describe_again()
        rows = self.means.journal.rows(
            "SELECT name, hint FROM object WHERE outcome IS NULL ORDER BY position"
        )
        entries = self._catalogue.entries
        todo = [entries.get(row["name"]) or ObjectEntry(row["name"], "") for row in rows]
        hint = sum(row["hint"] or 0 for row in rows)
        self.means.tally.planned(len(todo), hint or None)
        self.means.tally.phase("Reading records")
        later = self._round(todo, last=False)
        while waiting := self._with_parents(later):
            ready = self._round(waiting, last=False)
            later = [*(one for one in later if one not in waiting), *ready]
            if self._with_parents(later) == waiting:
                self._alone = True  # they wait for each other, or for rows that do not come
        if later:
            self.means.tally.note(
                f"{len(later)} objects met passing faults; they are tried once more"
            )
            self._round(later, last=True)

    def read_back(self) -> bool:
        return self._audits.read_back()

    def ledger(self, lines: tuple[LedgerLine, ...]) -> tuple[LedgerLine, ...]:
        return (*lines, *ledger_lines(self.means.journal))

    def _with_parents(self, entries: list[ObjectEntry]) -> list[ObjectEntry]:
        """Those that wait for the rows of others."""
        return [entry for entry in entries if entry.name in self._waiting]

    def _describe_again(self) -> None:
        """Every object that was described before has its describe in the bag."""
        for row in self.means.journal.rows("SELECT name FROM object WHERE fields IS NOT NULL"):
            name = row["name"]
            if self.means.has(layout.describe_path(self.means.names[name])):
                continue
            try:
                self._reader.description(name)
            except OrgRefused as refusal:
                self._reader.reread(name, f"its describe was lost and is refused now ({refusal})")

    def _round(self, entries: list[ObjectEntry], *, last: bool) -> list[ObjectEntry]:
        """Read objects side by side; returns those worth another round. Raises what stops a run."""
        later: list[ObjectEntry] = []
        with ThreadPoolExecutor(OBJECTS_AT_ONCE, thread_name_prefix="object") as pool:
            running: dict[Future[LedgerLine | None], ObjectEntry] = {}
            waiting = threading.Semaphore(_WAITING)
            try:
                for entry, found in self._ahead(entries, last=last):
                    waiting.acquire()
                    future = pool.submit(self._one, entry, found, last=last)
                    future.add_done_callback(lambda _: waiting.release())
                    running[future] = entry
            except SfexitError as error:
                self.means.halt(error)
            for future in as_completed(running):
                if future.result() is None:
                    later.append(running[future])
        self.means.insist()
        return later

    def _ahead(
        self, entries: list[ObjectEntry], *, last: bool
    ) -> Iterator[tuple[ObjectEntry, Found]]:
        """Each object once, with what composite requests tell of it where they are of use."""
        rows = self.means.journal.rows("SELECT name, hint, fields FROM object")
        begun = {row["name"] for row in rows if row["fields"] is not None}
        hints = {row["name"]: row["hint"] or 0 for row in rows}
        fresh = [
            entry
            for entry in entries
            if entry.name not in begun and self._settle(entry) is None and not last
        ]
        tuning = self.means.tuning
        if not tuning.scout or len(fresh) < scout.FEWEST:
            fresh = []
        asked = {entry.name for entry in fresh}
        for entry in entries:
            if entry.name not in asked:
                yield entry, scout.NOTHING

        def big(entry: ObjectEntry) -> bool:
            return hints.get(entry.name, 0) >= tuning.bulk_from_rows

        yield from scout.scout(self.means.client, fresh, big=big, stop=self.means.stop)

    def _one(self, entry: ObjectEntry, found: Found, *, last: bool) -> LedgerLine | None:
        """One object to its outcome; None when it is left for another round or the run stops."""
        if self.means.stop.is_set():
            return None
        try:
            try:
                found = self._waiting.pop(entry.name, found)
                line = self._settle(entry) or self._rows.read(entry, found, alone=self._alone)
            except NotYet:
                self._waiting[entry.name] = found
                return None
            except MediumFault:
                if last:
                    raise
                return None
            except Transient as fault:
                if not last:
                    return None
                self._insist_on_org(fault)
                line = self._rows.failed(entry, fault)
            self.means.journal.record("outcome", **line.as_event())
        except Interrupted:
            return None
        except BaseException as error:
            self.means.halt(error)
            return None
        self.means.tally.object_finished(line.object, line.outcome, line.rows or 0)
        return line

    def _settle(self, entry: ObjectEntry) -> LedgerLine | None:
        if entry.name not in self._catalogue.entries:
            return LedgerLine(
                entry.name,
                entry.label,
                "not_exported",
                reason="the org named it when the export began, and later no more",
                evidence="describeGlobal, asked twice",
                remedy=plan.RUN_AGAIN,
            )
        if not layout.is_api_name(entry.name):
            return LedgerLine(
                entry.name[:200],
                entry.label,
                "not_exported",
                reason="its name is no API name, so it is never put into a query or a path",
                evidence="describeGlobal",
                remedy=plan.REPORT_IT,
            )
        line = plan.settled(entry, rule_for(entry), self.means.selection)
        if line is None:
            return None
        moment = now()
        return replace(line, started=moment, finished=moment)
