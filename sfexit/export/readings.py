"""The readings of one object.

An object is read in one or more *readings*; only the last one counts. A reading consists of
*slices* (one, unless the object had to be divided by date), a slice of pages. Whatever is finished
is in the journal, so the same code begins, resumes and repeats.
"""

from __future__ import annotations

from contextlib import suppress

from sfexit.archive import sealing
from sfexit.errors import OrgRefused, Transient
from sfexit.export import nested_road, plan, walks
from sfexit.export.bulk_road import BulkRoad
from sfexit.export.filtered_road import FilteredRoad, made_list, ready
from sfexit.export.means import Means
from sfexit.export.nested_road import NestedRoad
from sfexit.export.rest_road import RestRoad
from sfexit.export.road import Road
from sfexit.export.work import VANISHED, GivenUp, NotYet, Reread, Totals, Work
from sfexit.salesforce import bulk

IN_PARTS = frozenset({"filtered", "nested"})  # roads that divide an object from the start
_SLICES = 512  # an object divided more often than this is not going to be read


class Readings:
    """Reads an object by the road of its `route`."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._roads: dict[str, Road] = {
            "bulk": BulkRoad(means),
            "rest": RestRoad(means),
            "filtered": FilteredRoad(means),
            "nested": NestedRoad(means),
        }

    def described(self, name: str, columns: list[str], left_out: dict[str, str]) -> None:
        """Journal which columns the readings of an object have."""
        self._means.journal.record("described", object=name, fields=columns, left_out=left_out)

    def attempt(self, work: Work, *, fresh: bool) -> Totals:
        """Finish the reading under way, or do a new one. Follows the org's refusals."""
        if fresh:
            self._new_reading(work)
        while True:
            try:
                return self.slices(work)
            except OrgRefused as refusal:
                self._follow(work, refusal)

    def _new_reading(self, work: Work) -> None:
        work.reading = self.next_reading(work.name, work.reading, work.route)

    def next_reading(self, name: str, reading: int, route: str) -> int:
        """Begin another reading of an object; what the one before left is dropped."""
        # Our query jobs of the reading that is given up are of no use to anybody.
        jobs = self._means.journal.rows(
            "SELECT job_id FROM slice WHERE object = ? AND reading = ? AND job_id IS NOT NULL",
            (name, reading),
        )
        for row in jobs:
            self._drop_job(row["job_id"])
        self._means.journal.record("reading", object=name, reading=reading + 1, route=route)
        dropped = sealing.drop_abandoned(
            self._means.home, self._means.disk, self._means.journal, name
        )
        if dropped:
            self._means.note(name, "reading", f"{dropped} pages of the reading before were dropped")
        return reading + 1

    def _drop_job(self, job_id: str) -> None:
        with suppress(OrgRefused, Transient):
            bulk.abort(self._means.client, job_id)
        with suppress(OrgRefused, Transient):
            bulk.delete(self._means.client, job_id)

    def _follow(self, work: Work, refusal: OrgRefused) -> None:
        """Prepare for another try after a refusal. Raises Reread or GivenUp."""
        answer = plan.meaning(refusal, route=work.route, columns=work.columns)
        if isinstance(refusal, bulk.JobLost):
            answer = plan.Afresh()
        elif isinstance(answer, plan.Narrow) or isinstance(refusal, bulk.JobStuck):
            # It could not be divided any further, or this would not be asked.
            answer = plan.OtherRoute("rest") if work.route == "bulk" else answer
        if isinstance(answer, plan.DropField):
            work.columns = [name for name in work.columns if name != answer.name]
            work.left_out[answer.name] = VANISHED
            self.described(work.name, work.columns, work.left_out)
            self._means.note(work.name, "field", f"{answer.name} left out: {refusal.reason}")
            self._new_reading(work)
        elif isinstance(answer, plan.OtherRoute):
            work.refused.add(work.route)
            if answer.route in work.refused:
                given = plan.GiveUp("failed", "neither API gives its rows", plan.RUN_AGAIN)
                raise GivenUp(given, refusal) from refusal
            self._means.note(
                work.name, "route", f"{work.route} refused ({refusal}); {answer.route} next"
            )
            work.route = answer.route
            self._new_reading(work)
        elif isinstance(answer, plan.NeedsFilter) or (
            # Of words that nobody knows, the fields they name may still be what it wants.
            answer is plan.REFUSED and self._guess(work, refusal) is not None
        ):
            self.filter(work, refusal)
            self._new_reading(work)
        elif isinstance(answer, plan.Afresh):
            raise Reread(str(refusal)) from refusal
        elif isinstance(answer, plan.Narrow):
            given = plan.GiveUp("failed", "the org takes too long to give its rows", plan.RUN_AGAIN)
            raise GivenUp(given, refusal) from refusal
        else:
            raise GivenUp(answer, refusal) from refusal

    def filter(self, work: Work, refusal: OrgRefused) -> None:
        """Turn to the filtered road, or on it to the next way. Raises GivenUp, NotYet."""
        if work.route == "filtered" and work.walk is not None and work.walk.operator == "IN":
            work.walk = work.walk.one_by_one()
        else:
            walk = None
            if work.route == "filtered" and work.walk is not None:
                work.tried.add(work.walk.field)
            elif work.rule is not None:
                walk = walks.known(work.rule)
            if walk is None:
                walk = self._guess(work, refusal)
            if walk is None:
                raise GivenUp(plan.NO_ROAD, refusal) from refusal
            work.walk = walk
        self._means.note(
            work.name, "route", f"{work.route} refused ({refusal}); asked by {work.walk.told} next"
        )
        work.route = "filtered"
        self.insist_on_parents(work)

    def _guess(self, work: Work, refusal: OrgRefused) -> walks.Walk | None:
        return walks.guessed(
            work.description, refusal.reason, self._means.names.__contains__, tried=work.tried
        )

    def insist_on_parents(self, work: Work) -> None:
        """Raises NotYet while the rows that the object is asked by are not there."""
        if work.alone:
            return
        walk = work.walk
        if walk is not None and not ready(self._means, walk, work.name):
            raise NotYet(work.name)
        if work.route == "nested" and not nested_road.ready(self._means):
            raise NotYet(work.name)

    def slices(self, work: Work) -> Totals:
        """Read every slice that is not done. A slice that is too much is divided."""
        last = -1  # none before it is open: 100,000 parents one by one are as many slices
        while True:
            todo = self._means.journal.rows(
                "SELECT * FROM slice WHERE object = ? AND reading = ? AND slice > ? "
                "AND state NOT IN ('done', 'split') ORDER BY slice LIMIT 1",
                (work.name, work.reading, last),
            )
            if not todo and last >= 0:
                last = -1
                continue
            if not todo:
                if self._roads[work.route].more(work):
                    continue
                break
            self._means.go_on()
            row = todo[0]
            last = row["slice"]
            try:
                self._roads[work.route].read(work, row)
            except OrgRefused as refusal:
                answer = plan.meaning(refusal, route=work.route, columns=work.columns)
                stuck = isinstance(refusal, bulk.JobStuck)
                if not (isinstance(answer, plan.Narrow) or stuck) or not self._divide(
                    work, row["slice"], row["condition"], refusal
                ):
                    raise
                continue
            self._means.journal.record(
                "slice_done", object=work.name, reading=work.reading, slice=row["slice"]
            )
        return self._totals(work)

    def _divide(self, work: Work, number: int, condition: str, refusal: OrgRefused) -> bool:
        """Replace a slice by two halves of it; False when that is not possible."""
        [row] = self._means.journal.rows(
            "SELECT max(slice) AS last FROM slice WHERE object = ? AND reading = ?",
            (work.name, work.reading),
        )
        if work.route not in IN_PARTS and row["last"] + 2 > _SLICES:
            return False
        both = self._roads[work.route].halves(work, condition)
        if both is None:
            return False
        self._means.note(work.name, "slice", f"divided into {both[0]} and {both[1]}: {refusal}")
        place = (work.name, work.reading, number)
        [whole] = self._means.journal.rows(
            "SELECT job_id FROM slice WHERE object = ? AND reading = ? AND slice = ?", place
        )
        if whole["job_id"] is not None:
            self._drop_job(whole["job_id"])
        # Pages that it gave before it was too much would stand twice: the halves give them again.
        pages = self._means.journal.rows(
            "SELECT path FROM page WHERE object = ? AND reading = ? AND slice = ?", place
        )
        self._means.journal.record(
            "slice_split",
            object=work.name,
            reading=work.reading,
            slice=number,
            into={str(row["last"] + offset): half for offset, half in enumerate(both, start=1)},
        )
        for page in pages:
            sealing.drop_page(self._means.home, self._means.disk, page["path"])
        return True

    def _parents(self, work: Work) -> int | None:
        """How many parents were asked for: all on the list, or it is no reading."""
        if work.route == "nested":
            return nested_road.walked(self._means, work.name, work.reading)
        if work.walk is None:
            return None
        rows = self._means.journal.rows(
            "SELECT condition FROM slice WHERE object = ? AND reading = ? AND state = 'done'",
            (work.name, work.reading),
        )
        asked = walks.asked(row["condition"] for row in rows)
        made = made_list(self._means, work.name, work.reading)
        if made is None or made[1] != asked:
            raise Reread("not every value of its parents was asked for")
        return asked

    def _totals(self, work: Work) -> Totals:
        place = (work.name, work.reading)
        [pages] = self._means.journal.rows(
            "SELECT total(rows) AS counted, total(declared) AS declared, "
            "total(declared IS NULL) AS undeclared, "
            "total(CASE WHEN page = 1 THEN total_size END) AS announced, "
            "total(page = 1 AND total_size IS NULL) AS unannounced "
            "FROM page WHERE object = ? AND reading = ?",
            place,
        )
        counted = int(pages["counted"])
        if work.route != "bulk":
            announced = None if pages["unannounced"] else int(pages["announced"])
            return Totals(counted, announced, None, self._parents(work))
        [jobs] = self._means.journal.rows(
            "SELECT total(rows) AS told, total(rows IS NULL) AS untold FROM slice "
            "WHERE object = ? AND reading = ? AND state = 'done'",
            place,
        )
        return Totals(
            counted,
            None if pages["undeclared"] else int(pages["declared"]),
            None if jobs["untold"] else int(jobs["told"]),
        )
