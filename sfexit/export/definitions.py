"""The stages that keep what reports and dashboards are: their definitions, and results if wanted.

A row of Report says little more than a name. What it asks for stands in its definition, which the
Analytics REST API tells one by one ("Get Report Metadata"; a call each), and of what it shows at
most 2,000 detail rows ("Requirements and Limitations"): `allData` says whether that is all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace

from sfexit.archive import layout, stored_rows
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.page import csv_rows
from sfexit.errors import OrgRefused, Transient
from sfexit.export import plan
from sfexit.export.means import Means
from sfexit.export.object_line import outcome_of
from sfexit.export.stage import Stage

_KINDS = {"Report": ("reports", "Name"), "Dashboard": ("dashboards", "Title")}
_AT_ONCE = 8
COLUMNS = ("object", "id", "title", "definition", "result", "result_state", "refused")
# Words of the guide ("Error Codes"): so many runs at a time, and so many in an hour.
_HELD_BACK = re.compile(
    r"accept only as many as|can.t run more than .* reports synchronously every", re.IGNORECASE
)
_WAIT_SECONDS, _WAITS = 300.0, 15  # together more than the hour after which runs count no more
COMPLETE, CUT = "complete", "cut at 2,000"


@dataclass(frozen=True)
class _One:
    """A report or dashboard, or the result of a report."""

    object: str
    id: str
    title: str
    result: bool = False

    @property
    def path(self) -> str:
        return layout.definition_path(self.object, self.id, result=self.result)

    @property
    def question(self) -> str:
        kind = _KINDS[self.object][0]
        base = f"/analytics/{kind}/{self.id}"
        return base if self.result else f"{base}/describe"


class Definitions(Stage):
    """Definitions of all reports and dashboards whose rows are in the bag. `results` says whether
    `Results` follows."""

    def __init__(self, means: Means, *, results: bool) -> None:
        super().__init__(means)
        self.results = results
        self._refused: dict[tuple[str, str, bool], str] = {}
        self._held = False  # told that reports have to wait

    def take(self) -> None:
        self.fetch("Reading reports and dashboards", results=False)

    def fetch(self, phase: str, *, results: bool) -> None:
        """Bring in the definitions, or the results, that are not there yet, and list them."""
        todo = [one for one in self._all() if one.result is results and not self._known(one)]
        if todo:
            self.means.tally.phase(phase)
        running: dict[Future[None], _One] = {}
        try:
            for one in todo:
                self.means.go_on()
                running[self.means.streams.submit(self._fetch, one)] = one
                while len(running) >= _AT_ONCE:
                    self._reap(running)
            while running:
                self._reap(running)
        finally:
            for future in running:
                future.cancel()
            wait(running)
        self._index()

    def ledger(self, lines: tuple[LedgerLine, ...]) -> tuple[LedgerLine, ...]:
        return tuple(self._told(line) if line.object in _KINDS else line for line in lines)

    def _all(self) -> Iterator[_One]:
        """Every report and dashboard in the archived rows, but the deleted ones."""
        for name, (_, title) in _KINDS.items():
            line = outcome_of(self.means.journal, name)
            if line is None or not line.has_rows:
                continue
            for page in self.means.journal.pages(name):
                path = layout.within(self.means.bag, page["path"])
                try:
                    columns = ("Id", "IsDeleted", title)
                    rows = list(stored_rows.column_values(path, columns, or_empty=True))
                except stored_rows.PageDamaged:
                    continue  # it is found damaged when the archive is read back, and comes again
                for row_id, deleted, text in rows:
                    if deleted == "true":
                        continue
                    yield _One(name, row_id, text)
                    if self.results and name == "Report":
                        yield _One(name, row_id, text, result=True)

    def _known(self, one: _One) -> bool:
        return (one.object, one.id, one.result) in self._refused or self.means.has(one.path)

    def _fetch(self, one: _One) -> None:
        params = {"includeDetails": "true"} if one.result else None
        for left in range(_WAITS, -1, -1):
            self.means.go_on()
            try:
                data = self.means.client.get_bytes(one.question, params)
                break
            except OrgRefused as refusal:
                if not left or not one.result or not _HELD_BACK.search(refusal.reason):
                    raise
                self._hold(refusal)
        self.means.publish(one.path, data)

    def _hold(self, refusal: OrgRefused) -> None:
        """Wait until the org runs reports again."""
        if not self._held:
            self._held = True
            self.means.tally.note(
                f"Reports are held back ({refusal.reason.rstrip('.')}): waiting for the next hour, "
                "as often as that takes; Ctrl-C stops, and the same command goes on"
            )
        self.means.client.pause(_WAIT_SECONDS)

    def _reap(self, running: dict[Future[None], _One]) -> None:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            one = running.pop(future)
            try:
                future.result()
            except OrgRefused as refusal:
                self._note(one, str(refusal))
            except Transient as fault:
                self._insist_on_org(fault)
                self._note(one, fault.message)

    def _note(self, one: _One, why: str) -> None:
        self._refused[one.object, one.id, one.result] = why
        what = "result" if one.result else "definition"
        self.means.note(one.object, "definition", f"{one.id}: its {what} was refused ({why})")

    def _index(self) -> None:
        rows: dict[tuple[str, str], list[str]] = {}
        for one in self._all():
            row = rows.setdefault((one.object, one.id), [one.object, one.id, one.title, *[""] * 4])
            why = self._refused.get((one.object, one.id, one.result), "")
            row[6] = "; ".join(text for text in (row[6], why) if text)
            if not self.means.has(one.path):
                continue
            row[4 if one.result else 3] = one.path.removeprefix(f"{layout.DATA}/")
            if one.result:
                row[5] = self._state(one)
        if not rows:
            return
        data = csv_rows([COLUMNS, *(rows[key] for key in sorted(rows))])
        if self.means.stored(layout.DEFINITIONS) != data:
            self.means.publish(layout.DEFINITIONS, data)

    def _state(self, one: _One) -> str:
        stored = self.means.stored(one.path)
        try:
            told = json.loads(stored or b"null")
        except ValueError:
            told = None
        return COMPLETE if isinstance(told, dict) and told.get("allData") is True else CUT

    def _told(self, line: LedgerLine) -> LedgerLine:
        if not line.has_rows:
            return line
        mine = [one for one in self._all() if one.object == line.object]
        witnesses = {**line.witnesses}
        for name, result in (("definitions", False), ("results", True)):
            asked = [one for one in mine if one.result is result]
            if asked:
                witnesses[name] = sum(self.means.has(one.path) for one in asked)
        refused = [why for key, why in self._refused.items() if key[0] == line.object]
        line = replace(line, witnesses=witnesses)
        if not refused:
            return line
        reason = f"{len(refused):,} definitions or results were refused, listed in definitions/"
        return replace(
            line,
            reason="; ".join(text for text in (line.reason, reason) if text),
            evidence="; ".join(text for text in (line.evidence, refused[0]) if text),
            remedy="; ".join(
                text
                for text in (line.remedy, "open those reports in the org and see what is wrong "
                             "with them, or " + plan.RUN_AGAIN)
                if text
            ),
        )  # fmt: skip


class Results(Stage):
    """What the reports show. Behind everything else that is taken: the org runs so many reports an
    hour, and thousands of them keep an export waiting for hours."""

    def __init__(self, means: Means, definitions: Definitions) -> None:
        super().__init__(means)
        self._definitions = definitions

    def take(self) -> None:
        if self._definitions.results:
            self._definitions.fetch("Running reports", results=True)
