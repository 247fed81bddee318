"""Reading the pages of all objects back, and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from sfexit.archive import audit, layout
from sfexit.archive.ledger import LedgerLine
from sfexit.export import plan
from sfexit.export.means import Means
from sfexit.export.object_line import ledger_lines

_AT_ONCE = 2


class PageAudits:
    """Reads pages back, and remembers what this run has already read: files may change between
    two runs. `reread` lets an object be read anew and takes its name and why."""

    def __init__(self, means: Means, reread: Callable[[str, str], None]) -> None:
        self._means = means
        self._reread = reread
        self._audited: set[str] = set()
        self._read_twice: set[str] = set()  # because rows came twice

    def read_back(self) -> bool:
        """Check the pages of every object; True when all are as they were written.

        Pages that are not are forgotten, so that the next round fetches them again.
        """
        journal = self._means.journal
        whole = True
        fields = {
            row["name"]: json.loads(row["fields"])
            for row in journal.rows("SELECT name, fields FROM object WHERE fields IS NOT NULL")
        }
        lines = {line.object: line for line in ledger_lines(journal)}
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="audit") as pool:
            audits = {
                pool.submit(self._one, name, fields[name]): name
                for name, line in lines.items()
                if line.has_rows and name not in self._audited
            }
            for future in as_completed(audits):
                whole = self._take(lines[audits[future]], future.result()) and whole
        return whole

    def _one(self, name: str, header: list[str]) -> audit.ObjectAudit:
        self._means.go_on()
        pages = list(self._means.journal.pages(name))
        return audit.audit_object(
            self._means.bag, pages, header, self._means.home.work, each=self._means.streams.map
        )

    def _take(self, line: LedgerLine, found: audit.ObjectAudit) -> bool:
        means, name = self._means, line.object
        for page, what in found.damaged:
            told = f"{page['path']}: {what}"
            means.tally.note(f"{told}; it is fetched again")
            means.journal.record("note", object=name, kind="audit", text=told)
            means.disk.remove(layout.within(means.bag, page["path"]))
            means.journal.record(
                "page_lost",
                path=page["path"],
                object=name,
                reading=page["reading"],
                slice=page["slice"],
            )
        if found.damaged:
            return False
        twice = _twice(line, found)
        if twice and name not in self._read_twice:
            self._read_twice.add(name)
            self._reread(name, f"{twice:,} rows came twice (same Id)")
            return False
        self._audited.add(name)
        means.journal.record("outcome", **_audited(line, found).as_event())
        return True


def _twice(line: LedgerLine, found: audit.ObjectAudit) -> int:
    """How many rows of an exported object have the Id of another one."""
    if found.distinct is None or line.outcome != "exported":
        return 0
    return found.parsed - found.distinct


def _audited(line: LedgerLine, found: audit.ObjectAudit) -> LedgerLine:
    """The line with the witnesses of the reading back."""
    witnesses = {**line.witnesses, "parsed": found.parsed}
    if found.distinct is not None:
        witnesses["distinct_ids"] = found.distinct
    twice = _twice(line, found)
    if twice:
        return replace(
            line,
            outcome="failed",
            witnesses=witnesses,
            deleted_rows=found.deleted,
            reason=f"{twice:,} rows came twice (same Id), so others may be missing",
            evidence="distinct Ids counted in the stored pages, in two readings",
            remedy=plan.RUN_AGAIN,
        )
    return replace(line, witnesses=witnesses, deleted_rows=found.deleted)
