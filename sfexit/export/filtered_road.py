"""The filtered road: objects that are given only in parts, each part by a filter of its own.

Slice 0 of such a reading is its plan. It is divided at once into slices whose conditions are
stretches of a list of parents' values (`walks.py`, `parents.py`), a status, or a scope; each is
then a query of its own. First pages are asked for five slices at a time, in composite requests
that count as one call each (REST API guide, "Composite Request Body"). A part that may give rows
which another part gave, too, is *joined*: only rows with new ids are kept.
"""

# ruff: noqa: ARG002 (roads share their signatures)
from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sfexit.archive import layout, sealing, stored_rows
from sfexit.archive.layout import id18
from sfexit.errors import DamagedAnswer, OrgRefused, Transient
from sfexit.export import parents, plan, walks
from sfexit.export.means import Means
from sfexit.export.object_line import outcome_of
from sfexit.export.rest_road import RestRoad
from sfexit.export.walks import Walk
from sfexit.export.work import Reread, Work, pages_there
from sfexit.salesforce import composite, query

_LAID_OUT = 5_000  # slices planned at once: the event that names them stays below a megabyte
_AHEAD = 4  # composite requests under way for one object
_MADE = re.compile(
    r"(\S+) (IN|=) (\d+) values? of (.+?)( and .+?)?; SHA-256 ([0-9a-f]{64}); reading (\d+)"
)
ALL_PRIVATE = "USING SCOPE allPrivate"
_STATUSES = ("Draft", "Online", "Archived")
# SOQL guide, "Knowledge Object Limits": archived versions only by article and IsLatestVersion.


@dataclass
class _Going:
    """What is remembered of one reading: its list, ids that came, first pages that came ahead."""

    values: parents.Values | None = None
    ids: set[str] | None = None
    ahead: dict[int, tuple[Future[list[composite.Part]], int]] | None = None


class FilteredRoad(RestRoad):
    """Many filtered queries of the REST API. See `Road`."""

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self._going: dict[tuple[str, int], _Going] = {}

    def read(self, work: Work, row: Any) -> None:
        """See `Road`."""
        if row["slice"] == 0:
            self._lay_out(work)
            return
        if self._joined(work, row["condition"]) and self._begun_afresh(work, row):
            return
        try:
            super().read(work, row)
        except OrgRefused as refusal:
            if not self._not_needed(work, row, refusal):
                raise

    def more(self, work: Work) -> bool:
        """See `Road`: the values that the plan left for later, or that the rows themselves gave."""
        walk = work.walk
        if walk is None:
            return False
        end = self._planned_to(work)
        values = self._values(work, walk)
        if end < values.count:
            self._plan_slices(work, walks.stretches(walk, end, values.count, self._most(work)))
            return True
        found = self._own_values(work, walk)
        known = values.whole() if found else set()
        if found <= known:
            return False
        # Read as parents themselves: folders that were found in folders.
        path = parents.place(self._means.home.work, self._means.names[work.name])
        grown = parents.make(self._means.disk, path, sorted(found - known), values)
        self._note_list(work, walk, grown)
        return self.more(work)

    def halves(self, work: Work, condition: str) -> tuple[str, str] | None:
        """See `Road`."""
        return walks.halves(condition)

    # ---- the plan ----------------------------------------------------------------------------

    def _lay_out(self, work: Work) -> None:
        conditions = self._parts(work)
        walk = work.walk
        if walk is not None:
            values = self._new_list(work, walk)
            conditions += walks.stretches(walk, 0, values.count, self._most(work))
        self._plan_slices(work, conditions)

    def _plan_slices(self, work: Work, conditions: Sequence[str]) -> None:
        [last] = self._means.journal.rows(
            "SELECT max(slice) AS slice FROM slice WHERE object = ? AND reading = ?",
            (work.name, work.reading),
        )
        self._means.journal.record(
            "slice_split",
            object=work.name,
            reading=work.reading,
            slice=0,
            into={
                str(last["slice"] + number): condition
                for number, condition in enumerate(conditions[:_LAID_OUT], start=1)
            },
        )

    def _parts(self, work: Work) -> list[str]:
        kind = work.rule.kind if work.rule is not None else ""
        if kind == "private_folders":
            scopes = [one.lower() for one in work.description.supported_scopes]
            return ["", ALL_PRIVATE] if "allprivate" in scopes else [""]
        if kind == "versions":
            field = work.description.field("PublishStatus")
            if field is None:
                return [""]
            told = [one for one in field.picklist_values if layout.is_api_name(one)]
            return [f"PublishStatus = '{one}'" for one in dict.fromkeys([*_STATUSES, *told])]
        return []

    def _planned_to(self, work: Work) -> int:
        """Up to which value slices were planned."""
        rows = self._means.journal.rows(
            "SELECT condition FROM slice WHERE object = ? AND reading = ?",
            (work.name, work.reading),
        )
        found = (walks.stretch(row["condition"]) for row in rows)
        return max((one.end for one in found if one is not None), default=0)

    def _most(self, work: Work) -> int:
        """How many values fit into the address of one query, beside its columns."""
        walk = work.walk
        assert walk is not None
        width = max(self._values(work, walk).width - 1, 18)

        def length(count: int) -> int:
            stretch = walks.Stretch(walk.field, walk.operator, 0, count, walk.condition)
            text = plan.soql(work.name, work.columns, stretch.soql(["x" * width] * count))
            return query.uri_length(self._means.client, text)

        one, two = length(1), length(2)
        return max(1, (query.URI_LIMIT - one) // (two - one) + 1) if two > one else 1

    # ---- the list of values ------------------------------------------------------------------

    def _going_of(self, work: Work) -> _Going:
        return self._going.setdefault((work.name, work.reading), _Going())

    def _values(self, work: Work, walk: Walk) -> parents.Values:
        going = self._going_of(work)
        if going.values is None:
            note = made_list(self._means, work.name, work.reading)
            path = parents.place(self._means.home.work, self._means.names[work.name])
            going.values = parents.find(path, note[2]) if note is not None else None
            if going.values is None or note is None or going.values.count != note[1]:
                raise Reread(f"the list of values of {walk.told} is lost")
        return going.values

    def _new_list(self, work: Work, walk: Walk) -> parents.Values:
        self._going.pop((work.name, work.reading), None)
        path = parents.place(self._means.home.work, self._means.names[work.name])
        try:
            values = parents.make(self._means.disk, path, self._gathered(work, walk))
        except stored_rows.PageDamaged as damage:
            raise Transient(f"{damage}; {work.name} needs its rows.") from damage
        self._note_list(work, walk, values)
        return values

    def _note_list(self, work: Work, walk: Walk, values: parents.Values) -> None:
        self._going_of(work).values = values
        tail = f" and {walk.condition}" if walk.condition else ""
        self._means.journal.record(
            "note",
            object=work.name,
            kind="parents",
            text=f"{walk.field} {walk.operator} {values.count} values of "
            f"{', '.join(walk.sources)}{tail}; SHA-256 {values.sha256}; reading {work.reading}",
        )

    def _gathered(self, work: Work, walk: Walk) -> Iterator[str]:
        yield from walks.named_values(walk, work.description)
        if walks.OBJECTS in walk.sources:
            for row in self._means.journal.rows("SELECT name FROM object ORDER BY name"):
                line = outcome_of(self._means.journal, row["name"])
                if line is not None and line.has_rows and layout.is_api_name(row["name"]):
                    yield row["name"]
        for source in walk.sources:
            parted = walks.parted(source)
            if parted is not None and parted[0] != work.name:
                yield from self._of_source(work, *parted)

    def _of_source(self, work: Work, name: str, field: str, flag: str) -> Iterator[str]:
        if name not in self._means.names:
            return  # the org does not have that object: nothing can belong to it
        line = outcome_of(self._means.journal, name)
        if line is not None and line.outcome in ("exported", "failed", "empty"):
            if line.incomplete and (line.outcome == "failed" or "hidden" in line.reason):
                self._gap(work, f"{name} is not complete, so rows that belong to it may be missing")
            yield from self._archived(name, field, flag)
            return
        try:
            yield from self._from_org(name, field, flag)
        except OrgRefused as refusal:
            self._gap(work, f"the org does not list {name}.{field} ({refusal})")

    def _archived(self, name: str, field: str, flag: str) -> Iterator[str]:
        """Values out of the pages in the bag."""
        [told] = self._means.journal.rows("SELECT fields FROM object WHERE name = ?", (name,))
        columns = json.loads(told["fields"] or "[]")
        for page in self._means.journal.pages(name):
            self._means.go_on()
            path = layout.within(self._means.bag, page["path"])
            if field == "Id" and not flag and columns[:1] == ["Id"]:
                found = stored_rows.ids(path, columns)
                if len(found) == page["rows"]:
                    yield from _ids(found)
                    continue
            rows = 0
            wanted = [field, flag] if flag else [field]
            for value, *flags in stored_rows.column_values(path, wanted, or_empty=True):
                rows += 1
                if not flag or flags == ["true"]:
                    yield from _ids([value])
            if rows != page["rows"]:
                raise stored_rows.PageDamaged(path, "it does not hold the rows it did")

    def _from_org(self, name: str, field: str, flag: str) -> Iterator[str]:
        """Values that the archive does not hold, asked for by themselves."""
        self._means.note(name, "parents", f"{field} is asked for, since its rows are not exported")
        page = query.first_page(
            self._means.client,
            plan.soql(name, [field], f"{flag} = true" if flag else ""),
        )
        while True:
            yield from _ids([row.get(field) for row in page.records])
            if page.next_path is None:
                return
            self._means.go_on()
            page = query.next_page(self._means.client, page.next_path)

    def _own_values(self, work: Work, walk: Walk) -> set[str]:
        """Values in the rows of the object itself, where it is among its own parents."""
        found: set[str] = set()
        for source in walk.sources:
            parted = walks.parted(source)
            if parted is not None and parted[0] == work.name:
                found.update(self._archived(*parted))
        return found

    def _gap(self, work: Work, text: str) -> None:
        self._means.note(work.name, "gap", f"{text}; reading {work.reading}")

    # ---- one slice ---------------------------------------------------------------------------

    def _soql(self, work: Work, columns: Sequence[str], condition: str) -> str:
        if condition == ALL_PRIVATE:
            return f"{plan.soql(work.name, columns)} {ALL_PRIVATE}"
        stretch = walks.stretch(condition)
        if stretch is None:
            return plan.soql(work.name, columns, condition)
        assert work.walk is not None
        values = self._values(work, work.walk).read(stretch.start, stretch.end)
        return plan.soql(work.name, columns, stretch.soql(values))

    def _first_page(self, work: Work, row: Any, text: str) -> query.QueryPage:
        if work.first is not None and not row["condition"]:
            page, work.first = work.first, None
            return page
        part = self._ahead(work, row["slice"])
        if part is not None:
            refusal = part.refusal(f"a query on {work.name}")
            if isinstance(refusal, OrgRefused):
                raise refusal
            if refusal is None:
                try:
                    return query.parse_page(self._means.client, part.body)
                except DamagedAnswer:
                    pass  # asked once more, by itself
            elif not isinstance(refusal, Transient):
                raise refusal
        return query.first_page(self._means.client, text)

    def _ahead(self, work: Work, number: int) -> composite.Part | None:
        """The answer for a slice out of a composite request; None: ask for it by itself."""
        going = self._going_of(work)
        if going.ahead is None or number not in going.ahead:
            going.ahead = self._send_ahead(work, number)
        if number not in going.ahead:
            return None
        future, place = going.ahead.pop(number)
        try:
            return future.result()[place]
        except (OrgRefused, Transient):
            return None

    def _send_ahead(
        self, work: Work, number: int
    ) -> dict[int, tuple[Future[list[composite.Part]], int]]:
        rows = self._means.journal.rows(
            "SELECT slice, condition FROM slice WHERE object = ? AND reading = ? AND slice >= ? "
            "AND state = 'planned' ORDER BY slice LIMIT ?",
            (work.name, work.reading, number, _AHEAD * composite.MOST_QUERIES),
        )
        sent: dict[int, tuple[Future[list[composite.Part]], int]] = {}
        if len(rows) < 2:
            return sent
        for start in range(0, len(rows), composite.MOST_QUERIES):
            some = rows[start : start + composite.MOST_QUERIES]
            paths = [
                query.path_of(self._means.client, self._soql(work, work.columns, one["condition"]))
                for one in some
            ]
            future = self._means.streams.submit(composite.ask, self._means.client, paths)
            sent |= {one["slice"]: (future, place) for place, one in enumerate(some)}
        return sent

    # ---- joining -----------------------------------------------------------------------------

    def _joined(self, work: Work, condition: str) -> bool:
        kind = work.rule.kind if work.rule is not None else ""
        if kind == "private_folders":
            return condition == ALL_PRIVATE
        return kind == "versions" and walks.stretch(condition) is not None

    def _begun_afresh(self, work: Work, row: Any) -> bool:
        """A joined slice that was cut short is read from its beginning, as another slice: which
        rows it left out is not known any more."""
        have = self._means.journal.rows(
            "SELECT path FROM page WHERE object = ? AND reading = ? AND slice = ?",
            (work.name, work.reading, row["slice"]),
        )
        if not have:
            return False
        [last] = self._means.journal.rows(
            "SELECT max(slice) AS slice FROM slice WHERE object = ? AND reading = ?",
            (work.name, work.reading),
        )
        self._means.journal.record(
            "slice_split",
            object=work.name,
            reading=work.reading,
            slice=row["slice"],
            into={str(last["slice"] + 1): row["condition"]},
        )
        for page in have:
            sealing.drop_page(self._means.home, self._means.disk, page["path"])
        self._going_of(work).ids = None
        return True

    def _kept(self, work: Work, row: Any, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not self._joined(work, row["condition"]):
            return records
        going = self._going_of(work)
        if going.ids is None:
            going.ids = set(self._archived(work.name, "Id", ""))
        kept = [one for one in records if str(one.get("Id")) not in going.ids]
        going.ids.update(str(one.get("Id")) for one in kept)
        return kept

    def _told_total(self, work: Work, row: Any, total: int | None) -> int | None:
        return None if self._joined(work, row["condition"]) else total

    def _not_needed(self, work: Work, row: Any, refusal: OrgRefused) -> bool:
        """True when a part that the org refuses only repeats what others give."""
        if not self._joined(work, row["condition"]):
            return False
        if pages_there(self._means.journal, work, row["slice"]):
            return False
        answer = plan.meaning(refusal, route="filtered", columns=work.columns)
        if not isinstance(answer, (plan.NeedsFilter, plan.GiveUp)):
            return False
        self._gap(work, f"the org refuses {row['condition']} ({refusal})")
        return True


def made_list(means: Means, name: str, reading: int) -> tuple[Walk, int, str] | None:
    """Walk, number of values and digest of the list that a reading was begun with."""
    rows = means.journal.rows(
        "SELECT text FROM note WHERE object = ? AND kind = 'parents' ORDER BY seq DESC", (name,)
    )
    for row in rows:
        found = _MADE.fullmatch(row["text"])
        if found is not None and int(found[7]) == reading:
            walk = Walk(
                found[1],
                found[2],
                tuple(found[4].split(", ")),
                (found[5] or "").removeprefix(" and "),
            )
            return walk, int(found[3]), found[6]
    return None


def gaps(means: Means, name: str, reading: int) -> list[str]:
    """What a filtered reading could not ask for."""
    tail = f"; reading {reading}"
    rows = means.journal.rows(
        "SELECT text FROM note WHERE object = ? AND kind = 'gap' ORDER BY seq", (name,)
    )
    told = [row["text"].removesuffix(tail) for row in rows if row["text"].endswith(tail)]
    return list(dict.fromkeys(told))


def ready(means: Means, walk: Walk, name: str) -> bool:
    """True when the objects whose rows hold the walk's values have come to their outcome."""
    if walks.OBJECTS in walk.sources:
        return False  # only when nothing else is left to wait for
    wanted = [one for one in walks.objects_of(walk) if one != name and one in means.names]
    return all(outcome_of(means.journal, one) is not None for one in wanted)


def _ids(values: Sequence[Any]) -> Iterator[str]:
    """Those of the values that are ids: nothing else is ever put into a query."""
    for value in values:
        if isinstance(value, str) and value:
            try:
                yield id18(value)
            except ValueError:
                continue
