"""Reading one object, from its describe to its ledger line, whatever happens on the way."""

from __future__ import annotations

import json
from dataclasses import replace

from sfexit.archive import layout
from sfexit.archive.ledger import LedgerLine
from sfexit.catalog import Description, ObjectEntry
from sfexit.errors import OrgRefused, Transient
from sfexit.export import object_line, plan, walks
from sfexit.export.filtered_road import gaps, made_list
from sfexit.export.means import Means
from sfexit.export.object_line import now
from sfexit.export.readings import IN_PARTS, Readings
from sfexit.export.remembered import Remembered
from sfexit.export.scout import NOTHING, Found
from sfexit.export.work import GivenUp, Reread, Totals, Work
from sfexit.salesforce import describe as describing
from sfexit.salesforce import query
from sfexit.salesforce.object_rules import Rule, rule_for

_READINGS = 4  # tries at a whole object in one run, not counting dropped fields


class ObjectReader:
    """Reads objects one by one. `read` may be called from several threads."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._readings = Readings(means)
        self._remembered = Remembered()

    def read(
        self, entry: ObjectEntry, found: Found = NOTHING, *, alone: bool = False
    ) -> LedgerLine:
        """Read an object to the end. `found` is what came of it ahead; `alone` that no object is
        left whose rows could be waited for. Raises NotYet while such rows are not there,
        Transient when it may succeed later, Paused, SignInProblem, Interrupted when the run must
        stop; refusals become the line."""
        started = now()
        rule = rule_for(entry)
        try:
            line = self._read(entry, rule, found, alone=alone)
        except OrgRefused as refusal:
            answer = plan.meaning(refusal, route="rest", columns=())
            if not isinstance(answer, plan.GiveUp):
                answer = plan.GiveUp("failed", "the org refused to describe it", plan.RUN_AGAIN)
            line = LedgerLine(
                entry.name,
                entry.label,
                answer.outcome,
                reason=answer.reason,
                evidence=str(refusal),
                remedy=answer.remedy,
            )
        return replace(line, started=started, finished=now())

    def failed(self, entry: ObjectEntry, fault: Transient) -> LedgerLine:
        """The line of an object that kept meeting passing faults. What was read of it stays."""
        [state] = self._means.journal.rows("SELECT * FROM object WHERE name = ?", (entry.name,))
        rows = self._rows_of(entry.name)
        line = LedgerLine(
            entry.name,
            entry.label,
            "failed",
            route=state["route"] or "",
            rows=rows or None,
            fields_exported=len(json.loads(state["fields"])) if state["fields"] else None,
            fields_not_exported=json.loads(state["left_out"]) if state["left_out"] else {},
            reason="the org or the line kept failing, in two rounds of many tries",
            evidence=str(fault),
            remedy=plan.RUN_AGAIN,
            finished=now(),
        )
        if not line.has_rows:
            self._abandon(entry.name, state["reading"], state["route"] or "")
        return line

    def reread(self, name: str, why: str) -> None:
        """Let the object be read from the start by the next `read`, whatever it came to."""
        self._means.note(name, "reading", f"{why}; the object is read again")
        self._means.journal.record("again", object=name, fresh=True)

    def _read(
        self, entry: ObjectEntry, rule: Rule | None, found: Found, *, alone: bool
    ) -> LedgerLine:
        work = self.begin(entry, rule, self.description(entry.name, found.describe))
        work.alone = alone
        line = self._rows(work, found)
        if not line.has_rows:
            self._abandon(work.name, work.reading, work.route)
        return line

    def _abandon(self, name: str, reading: int, route: str) -> None:
        """An object without rows has no page in the bag, not even an empty one."""
        if self._means.journal.rows(
            "SELECT 1 FROM page WHERE object = ? AND reading = ?", (name, reading)
        ):
            self._readings.next_reading(name, reading, route)

    def _rows(self, work: Work, found: Found) -> LedgerLine:
        entry = work.entry
        if not work.columns:
            return LedgerLine(
                entry.name,
                entry.label,
                "not_exported",
                reason="it has no field that can be read as text",
                evidence="describe",
                remedy=plan.REPORT_IT,
                fields_not_exported=work.left_out,
            )
        fresh = not work.route
        if not fresh or list(found.columns) != work.columns:
            found = NOTHING  # it speaks of another query, or a reading is under way
        if found.refusal is not None:
            answer = plan.meaning(found.refusal, route="rest", columns=work.columns)
            if isinstance(answer, plan.NeedsFilter):
                return self._by_parents(work, found.refusal)
            if isinstance(answer, plan.GiveUp) and answer is not plan.REFUSED:
                return object_line.line(
                    work,
                    answer.outcome,
                    rows=None,
                    reason=answer.reason,
                    evidence=str(found.refusal),
                    remedy=answer.remedy,
                    route="rest",
                )
        ahead = found.page
        before = self.count(work) if ahead is None else ahead.total_size
        parts = work.rule is not None and work.rule.kind in ("private_folders", "versions")
        # An answer that holds all its rows is one look at the org: nothing can change within it.
        at_once = ahead is not None and ahead.next_path is None
        if fresh:
            if before == 0 and not parts and (ahead is None or not ahead.records):
                witness = "count_before" if ahead is None else "declared"
                return object_line.line(work, "empty", rows=0, witnesses={witness: 0}, route="")
            work.route = self._route(work, before)
            if work.route == "filtered":
                work.walk = walks.usable(walks.known(work.rule), work.description)
            if work.route in IN_PARTS:
                self._readings.insist_on_parents(work)
            work.first = ahead if work.route in ("rest", "filtered") else None
            at_once = at_once and work.first is not None and work.route == "rest"
        return self._attempts(work, fresh=fresh, before=before, at_once=at_once)

    def _by_parents(self, work: Work, refusal: OrgRefused) -> LedgerLine:
        """The plain query was refused ahead: go on by the road of filters."""
        work.route = "rest"
        try:
            self._readings.filter(work, refusal)
        except GivenUp as given:
            return object_line.line(
                work,
                given.answer.outcome,
                rows=None,
                reason=given.answer.reason,
                evidence=str(refusal),
                remedy=given.answer.remedy,
                route="rest",
            )
        return self._attempts(work, fresh=True, before=None, at_once=False)

    def _attempts(
        self, work: Work, *, fresh: bool, before: int | None, at_once: bool
    ) -> LedgerLine:
        self._means.tally.object_started(work.name, before)
        spoilt = ""
        for attempt in range(_READINGS):
            try:
                totals = self._readings.attempt(work, fresh=fresh or attempt > 0)
            except Reread as reason:
                at_once = False
                spoilt = str(reason)
                self._means.note(work.name, "reading", f"{spoilt}; the object is read again")
                continue
            except GivenUp as given:
                return object_line.line(
                    work,
                    given.answer.outcome,
                    rows=self._rows_of(work.name) if given.answer.outcome == "failed" else None,
                    witnesses={} if before is None else {"count_before": before},
                    reason=given.answer.reason,
                    evidence=str(given.refusal),
                    remedy=given.answer.remedy,
                )
            if work.route in IN_PARTS:
                work.gaps = gaps(self._means, work.name, work.reading)
                return self._in_parts(work, totals, before)
            if at_once:
                return self._finished(work, totals, None, None, "")
            after = self.count(work)
            doubt = object_line.doubt(totals, before, after)
            if doubt and attempt == 0:
                spoilt = doubt
                self._means.note(work.name, "count", f"{doubt}; the object is read again")
                continue
            return self._finished(work, totals, before, after, doubt)
        return object_line.line(
            work,
            "failed",
            rows=self._rows_of(work.name),
            reason=f"it was read {_READINGS} times and never came whole: {spoilt}",
            evidence=spoilt,
            remedy=plan.RUN_AGAIN,
        )

    def _in_parts(self, work: Work, totals: Totals, least: int | None) -> LedgerLine:
        """The line of what was read by filters: a plain query counts no more than they give."""
        if least is None or totals.counted >= least:
            return self._finished(work, totals, None, None, "")
        after = self.count(work)
        fewer = after is not None and after <= totals.counted
        doubt = "" if fewer else object_line.doubt(totals, least, after)
        return self._finished(work, totals, least, after, doubt)

    def description(self, name: str, ahead: bytes | None = None) -> Description:
        """The object's describe: from the archive if it is there, else `ahead` or what the org
        says, into it."""
        relative = layout.describe_path(self._means.names[name])
        sha256 = self._means.sha256(relative)
        known = self._remembered.get(sha256)
        if known is not None:
            return known
        stored = self._means.stored(relative)
        if stored is not None:
            description = describing.parse_description(stored)
            self._remembered.keep(sha256, description)
            return description
        if ahead is not None:
            data, description = ahead, describing.parse_description(ahead)
        else:
            data, description = describing.describe(self._means.client, name)
        self._means.publish(relative, data)
        self._remembered.keep(self._means.sha256(relative), description)
        return description

    def begin(self, entry: ObjectEntry, rule: Rule | None, description: Description) -> Work:
        """The object as it is to be read; its columns are journaled with this."""
        [state] = self._means.journal.rows("SELECT * FROM object WHERE name = ?", (entry.name,))
        if state["fields"] is not None:
            columns, left_out = json.loads(state["fields"]), json.loads(state["left_out"])
        else:
            columns, left_out = plan.columns_of(*describing.selectable(description))
            self._readings.described(entry.name, columns, left_out)
        work = Work(
            entry,
            rule,
            description,
            columns,
            left_out,
            reading=state["reading"],
            route=state["route"] or "",
        )
        if work.route == "filtered":
            made = made_list(self._means, work.name, work.reading)
            work.walk = (
                made[0] if made is not None else walks.usable(walks.known(rule), description)
            )
            if work.walk is None and (rule is None or rule.kind == "by_parent"):
                work.route = ""  # stopped before its list was made: begin anew
        return work

    def count(self, work: Work) -> int | None:
        """The org's own count, with deleted and archived rows; None where it gives none."""
        if work.rule is not None and (work.rule.kind == "uncounted" or not work.rule.plain):
            return None
        try:
            return query.count(self._means.client, work.name)
        except OrgRefused:
            return None  # reading it may still work; the witness is missing then

    def _route(self, work: Work, count: int | None) -> str:
        fits = (
            query.uri_length(self._means.client, plan.soql(work.name, work.columns))
            <= query.URI_LIMIT
        )
        return plan.route(
            rule=work.rule,
            bulk_refuses=describing.bulk_refuses(work.description),
            count=count,
            uri_fits=fits,
            bulk_from_rows=self._means.tuning.bulk_from_rows,
        )

    def _rows_of(self, name: str) -> int:
        [found] = self._means.journal.rows(
            "SELECT total(p.rows) AS rows FROM page p JOIN object o ON o.name = p.object "
            "AND o.reading = p.reading WHERE p.object = ?",
            (name,),
        )
        return int(found["rows"])

    def _finished(
        self, work: Work, totals: Totals, before: int | None, after: int | None, why: str
    ) -> LedgerLine:
        if totals.counted and not why and len({before, after, totals.counted} - {None}) > 1:
            self._means.note(
                work.name,
                "count",
                f"the org changed during the reading: {before} rows before, {after} after, "
                f"{totals.counted} read",
            )
        return object_line.read(work, totals, before, after, why)
