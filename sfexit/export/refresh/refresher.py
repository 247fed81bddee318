"""Bringing one object up to date: what did not change is taken over from the bag before.

An object of some size is *scanned*: id, stamp and whatever changes without a stamp, of every row
there is. That list is compared with the bag before; what differs is asked for, pages are taken
over or rewritten. All other objects are read whole, and pages that come out the same are linked.
Whatever goes wrong on the way, the object is read whole in the end: that is always right.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sfexit import preflight
from sfexit.archive import sealing
from sfexit.archive.earlier import Earlier, EarlierObject
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.stored_rows import PageDamaged
from sfexit.catalog import ObjectEntry
from sfexit.errors import OrgRefused, Transient
from sfexit.export import object_line, plan
from sfexit.export.means import Means
from sfexit.export.object_line import now
from sfexit.export.one_object import ObjectReader
from sfexit.export.readings import Readings
from sfexit.export.refresh import explaining, fetching, marks
from sfexit.export.refresh.adopting import Adopted, adopt
from sfexit.export.refresh.comparing import Page, compared, publish_differences, scratch
from sfexit.export.refresh.likeness import other_values
from sfexit.export.refresh.marks import Counts, Marker, NotComparable
from sfexit.export.scout import NOTHING, Found
from sfexit.export.work import GivenUp, Reread, Work
from sfexit.preflight import Sight
from sfexit.salesforce import describe as describing
from sfexit.salesforce import query
from sfexit.salesforce.object_rules import rule_for

_READ_WHOLE_AFTER = (Reread, GivenUp, OrgRefused, PageDamaged, NotComparable)
#: Who tells what the user holds.
_RIGHTS = ("UserPermissionAccess", "PermissionSet")


# Signing in leaves its date with the user: a row that differs in nothing else did not change.
_TRACES = {"User": frozenset({"LastLoginDate"})}


@dataclass(frozen=True)
class _Base:
    """An object that can be compared: what the bag before has of it, and since when."""

    old: EarlierObject
    pages: list[Page]
    since: str
    since_cell: str


class Refresher:
    """Reads objects one by one, like ObjectReader, on the bag before. For use from any thread.

    `sight` gives what this user sees now, `seen` what he saw when the bag before was made.
    """

    def __init__(
        self,
        means: Means,
        reader: ObjectReader,
        earlier: Earlier,
        sight: Callable[[], Sight],
        seen: Sight | None,
    ) -> None:
        self._means = means
        self._reader = reader
        self._earlier = earlier
        self._readings = Readings(means)
        self._sight = sight
        self._seen = seen

    def read(
        self, entry: ObjectEntry, found: Found = NOTHING, *, alone: bool = False
    ) -> LedgerLine:
        """Bring an object to its line. Raises what ObjectReader.read does."""
        state = self._state(entry.name)
        begun = state["route"] is not None
        scanning = state["reading"] == 0
        going_on = begun and self._means.journal.told("compared", entry.name) is not None
        if scanning or going_on:
            started = now()
            try:
                line = self._refreshed(entry, found, begun=begun)
            except _READ_WHOLE_AFTER as reason:
                self._means.note(
                    entry.name, "refresh", f"{_words(reason)}; the object is read whole"
                )
                self._give_up(entry.name)
                line = None
            if line is not None:
                return replace(line, started=started, finished=now())
        whole = self._reader.read(entry, found, alone=alone)
        return self._differences_of_whole(entry, whole)

    def failed(self, entry: ObjectEntry, fault: Transient) -> LedgerLine:
        """See ObjectReader.failed. What belongs to a comparison that was cut off is no row."""
        whole = self._means.journal.told("adopted", entry.name) is not None
        compared = self._means.journal.told("compared", entry.name) is not None
        if self._state(entry.name)["reading"] == 0 or (compared and not whole):
            self._give_up(entry.name)
        return self._reader.failed(entry, fault)

    def _state(self, name: str) -> Any:
        [state] = self._means.journal.rows("SELECT * FROM object WHERE name = ?", (name,))
        return state

    def _give_up(self, name: str) -> None:
        """From here on the object is read by ObjectReader alone."""
        state = self._state(name)
        self._readings.next_reading(name, state["reading"], "")
        self._means.journal.record("again", object=name, fresh=True)

    # ---- objects that are scanned --------------------------------------------------------------

    def _refreshed(self, entry: ObjectEntry, found: Found, *, begun: bool) -> LedgerLine | None:
        """The line of an object by its differences; None when it is not one to be scanned."""
        if not begun and not self._worth_scanning(entry.name):
            return None
        work = self._reader.begin(entry, rule_for(entry), self._describe(entry.name, found))
        base = self._base(work)
        if base is None:
            if begun:
                raise Reread("the bag before has it in another form")
            return None
        told = self._means.journal.told("compared", entry.name)
        if told is None:
            told = self._scan_and_compare(work, base, begun=begun)
        work.reading, work.route = told["reading"], told["route"]
        before = self._means.journal.told("adopted", entry.name)
        if before is None:
            self._readings.slices(work)
            outcome = self._adopt(work, told)
        else:
            outcome = Adopted.from_event(before)
        return self._line(work, told, outcome)

    def _describe(self, name: str, found: Found) -> Any:
        return self._reader.description(name, found.describe)

    def _worth_scanning(self, name: str) -> bool:
        """Small objects come whole in as few calls as a list of their ids."""
        [size] = self._earlier.index.rows(
            "SELECT total(p.bytes) AS bytes FROM page p JOIN object o ON o.name = p.object "
            "AND o.reading = p.reading WHERE p.object = ?",
            (name,),
        )
        return bool(size["bytes"] >= self._means.tuning.scan_from_bytes and size["bytes"])

    def _base(self, work: Work) -> _Base | None:
        old = self._earlier.object(work.name)
        if (
            old is None
            or old.read_since is None
            or (work.rule is not None and work.rule.kind == "rest")
            or describing.bulk_refuses(work.description) is not None
            or not fetching.can_be_compared(work.description, work.columns, old.line, old.fields)
        ):
            return None
        why_not = other_values(
            self._means, self._earlier, work.description, work.columns, self._seen, self._sight
        )
        if why_not:
            self._means.note(work.name, "refresh", f"{why_not}; the object is read whole")
            return None
        since, cell = fetching.since_of(old.read_since)
        return _Base(old, list(self._earlier.pages(work.name)), since, cell)

    def _scan_and_compare(self, work: Work, base: _Base, *, begun: bool) -> dict[str, Any]:
        """List the live rows, compare, and journal what is to be asked for."""
        means, name = self._means, work.name
        if not begun:
            means.journal.record("reading", object=name, reading=0, route="bulk")
        columns = fetching.scanned_columns(work.description, work.columns)
        scan = Work(work.entry, work.rule, work.description, columns, {}, reading=0, route="bulk")
        means.tally.object_started(name, base.old.line.rows)
        live = self._readings.slices(scan).counted
        listed = list(means.journal.pages(name))
        counts: dict[str, int] = {}
        windowed = 0
        ids: list[str] = []
        gone: list[str] = []
        with scratch(means) as place:
            found = compared(
                means,
                Path(place),
                (
                    self._earlier.bag,
                    base.pages,
                    work.columns,
                    Marker(work.columns, columns, base.since_cell, of_before=True),
                ),
                (means.bag, listed, columns, Marker(columns, columns, base.since_cell)),
            )

            def noted() -> Any:
                nonlocal windowed
                for one, settled in found:
                    counts[one.what] = counts.get(one.what, 0) + 1
                    if one.what == marks.GONE:
                        if len(gone) < explaining.ASKED_AGAIN:
                            gone.append(one.id)
                    elif not settled:
                        windowed += 1
                    elif len(ids) <= fetching.MOST_IDS:
                        ids.append(one.id)
                    yield one

            relative = publish_differences(means, name, base.pages, noted())
        hidden = self._explain(name, counts.get(marks.GONE, 0), gone)
        wanted = fetching.fetch(
            since=base.since,
            in_window=windowed,
            ids=ids,
            live=live,
            bulk_from_rows=means.tuning.bulk_from_rows,
            room_for_ids=self._room(work),
        )
        if wanted is None:
            raise Reread(f"{windowed + len(ids):,} of {live:,} rows are to be asked for again")
        first = 1 + max((int(page["slice"]) for page in base.pages), default=0)
        event: dict[str, Any] = means.journal.record(
            "compared",
            object=name,
            reading=base.old.reading,
            route=wanted.road,
            into={str(first + n): text for n, text in enumerate(wanted.conditions)},
            differences=relative,
            live=live,
            hidden=hidden,
        )
        sealing.drop_abandoned(means.home, means.disk, means.journal, name)
        return event

    def _room(self, work: Work) -> int:
        """How many ids fit into the address of one REST query for all columns."""
        bare = query.uri_length(
            self._means.client, plan.soql(work.name, work.columns, fetching.by_ids([]))
        )
        return min(800, (query.URI_LIMIT - bare) // fetching.ID_URI_BYTES)

    def _adopt(self, work: Work, told: dict[str, Any]) -> Adopted:
        fetched = list(self._means.journal.pages(work.name))
        return adopt(
            self._means,
            self._earlier,
            work.name,
            work.reading,
            header=work.columns,
            differences=told["differences"],
            fetched=fetched,
        )

    def _line(self, work: Work, told: dict[str, Any], outcome: Adopted) -> LedgerLine:
        means, name = self._means, work.name
        [there] = means.journal.rows(
            "SELECT total(rows) AS rows FROM page WHERE object = ? AND reading = ?",
            (name, work.reading),
        )
        rows = outcome.kept + outcome.fetched
        if int(there["rows"]) != rows:
            raise Reread("pages that were taken over are gone")
        after = self._reader.count(work)
        live = int(told["live"])
        told_rows = [live] if after is None else [live, after]
        if not min(told_rows) <= rows <= max(told_rows):
            raise Reread(
                f"the org lists {live:,} ids and counts {after} rows, but {rows:,} would stand here"
            )
        if len({live, after, rows} - {None}) > 1:
            means.note(
                name,
                "count",
                f"the org changed during the reading: {live:,} ids listed, {after} counted after, "
                f"{rows:,} in the bag",
            )
        counts = outcome.counts.hidden() if told["hidden"] else outcome.counts
        self._record(name, counts)
        work.route = "bulk"
        witnesses = {"live_ids": live, "kept": outcome.kept, "fetched": outcome.fetched}
        if after is not None:
            witnesses["count_after"] = after
        if not rows:
            return object_line.line(work, "empty", rows=0, witnesses=witnesses)
        line = object_line.line(work, "exported", rows=rows, witnesses=witnesses)
        return _with_hidden(line, told["hidden"], counts.out_of_sight, self._earlier)

    # ---- objects that are read whole -----------------------------------------------------------

    def _differences_of_whole(self, entry: ObjectEntry, line: LedgerLine) -> LedgerLine:
        """Say in which rows an object that was read whole differs from the bag before."""
        means, name = self._means, entry.name
        old = self._earlier.object(name)
        if old is None or old.line.outcome not in ("exported", "empty"):
            return line
        if line.outcome not in ("exported", "empty"):
            return line
        before = list(self._earlier.pages(name))
        after = list(means.journal.pages(name)) if line.has_rows else []
        if [page["csv_sha256"] for page in before] == [page["csv_sha256"] for page in after]:
            return line
        fields = json.loads(self._state(name)["fields"] or "[]")
        ignored = _TRACES.get(name, frozenset())
        shared = set(old.fields or fields) - ignored
        columns = [one for one in fields if one in shared]
        self._fields_that_differ(name, old, fields)
        if not columns or columns[0] != "Id":
            means.note(
                name, "refresh", f"{old.line.rows or 0:,} rows before, {line.rows or 0:,} now"
            )
            return line
        told: Counter[str] = Counter()
        gone: list[str] = []
        with scratch(means) as place:
            found = compared(
                means,
                Path(place),
                (self._earlier.bag, before, old.fields, Marker(old.fields or fields, columns)),
                (means.bag, after, fields, Marker(fields, columns)),
            )

            def noted() -> Any:
                for one, _ in found:
                    told[one.what] += 1
                    if one.what == marks.GONE and len(gone) < explaining.ASKED_AGAIN:
                        gone.append(one.id)
                    yield one

            try:
                publish_differences(means, name, before, noted())
            except (PageDamaged, NotComparable) as reason:
                means.note(name, "refresh", f"not compared with the bag before: {_words(reason)}")
                means.journal.record("differs", object=name, **asdict(Counts()))
                return line
        counts, hidden = Counts.of(told), ""
        try:
            hidden = self._explain(name, counts.gone, gone)
        except Reread as reason:
            means.note(name, "refresh", str(reason))
        counts = counts.hidden() if hidden else counts
        self._record(name, counts)
        return _with_hidden(line, hidden, counts.out_of_sight, self._earlier)

    def _fields_that_differ(self, name: str, old: EarlierObject, fields: list[str]) -> None:
        come = sorted(set(fields) - set(old.fields)) if old.fields else []
        went = sorted(set(old.fields) - set(fields))
        for what, names in (("new fields", come), ("fields that are gone", went)):
            if names:
                self._means.note(name, "refresh", f"{what}: {', '.join(names)}")

    # ---- what both tell ------------------------------------------------------------------------

    def _explain(self, name: str, count: int, ids: list[str]) -> str:
        """Why rows are not found any more: empty when they were purged, else what hides them.

        Raises Reread when the org finds them after all.
        """
        if not count:
            return ""
        asked = explaining.found_again(self._means.client, name, ids)
        if asked is not None and asked[1]:
            raise Reread(f"{asked[1]:,} rows that were not listed are there when asked for by id")
        # Asked anew: a permission may have been taken away since this run began.
        rights = preflight.rights_again(self._means.client, self._sight(), _RIGHTS, {name: count})
        hidden = explaining.smaller_sight(self._seen, rights, name)
        how = f"{asked[0]:,} were asked for by id" if asked is not None else "the org lists no more"
        why = f"out of sight, since {hidden}" if hidden else "purged: no query names them any more"
        self._means.note(name, "refresh", f"{count:,} rows of the bag before are {why} ({how})")
        return hidden

    def _record(self, name: str, counts: Counts) -> None:
        if counts:
            self._means.journal.record("differs", object=name, **asdict(counts))
            self._means.note(name, "refresh", counts.words())


def _with_hidden(line: LedgerLine, hidden: str, rows: int, earlier: Earlier) -> LedgerLine:
    """The line with what is out of sight now: the user may want to look again, with more rights."""
    if not hidden or not rows:
        return line
    reason = f"{rows:,} rows that bag {earlier.generation:04d} has are not seen any more: {hidden}"
    remedy = "give the export user back what it lost, then run `sfexit export HOME --refresh`"
    return replace(
        line,
        reason="; ".join(part for part in (line.reason, reason) if part),
        remedy="; ".join(part for part in (line.remedy, remedy) if part),
    )


def _words(reason: Exception) -> str:
    if isinstance(reason, PageDamaged):
        return f"a page is damaged: {reason.what}"
    return str(reason) or type(reason).__name__
