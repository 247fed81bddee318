"""One object, or a few small ones, from the archive's pages to what is to be said of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sfexit.errors import ArchiveProblem, OrgRefused, Transient
from sfexit.verify.finding import Finding
from sfexit.verify.live import asking, filters, listing, rows, values
from sfexit.verify.live.archived import Archived, Bag
from sfexit.verify.live.asking import Way
from sfexit.verify.live.keys import KeySet
from sfexit.verify.live.living import MOVED_BY_SIGN_IN
from sfexit.verify.live.rows import Compared
from sfexit.verify.live.scan import Hubs, Sampled, Scan, scan
from sfexit.verify.live.schema import Shape
from sfexit.verify.live.values import Reread
from sfexit.verify.live.wire import Reply, Wire


@dataclass(frozen=True)
class Outcome:
    """All that one object came to."""

    rows: Compared
    values: Reread | None = None

    def as_json(self) -> dict[str, Any]:
        """For the diary of a run that may be stopped."""
        told = {"rows": asdict(self.rows), "values": None}
        if self.values is not None:
            told["values"] = {**asdict(self.values), "differing": {}}
        return told

    @staticmethod
    def from_json(told: Mapping[str, Any]) -> Outcome:
        """What `as_json` told."""
        return Outcome(
            Compared(**_with_findings(told["rows"], "suspects")),
            None if told["values"] is None else Reread(**_with_findings(told["values"])),
        )


def _with_findings(told: Mapping[str, Any], *lists: str) -> dict[str, Any]:
    found = dict(told)
    found["findings"] = tuple(Finding(**one) for one in told["findings"])
    found.update({name: tuple(told[name]) for name in lists})
    return found


@dataclass
class _Open:
    """An object under way."""

    one: Archived
    shape: Shape
    way: Way
    scan: Scan
    first: Reply | None = None
    org: KeySet | None = None


class Worker:
    """Compares objects. Safe for several threads, each with objects of its own."""

    def __init__(
        self,
        wire: Wire,
        bag: Bag,
        folder: Path,
        shapes: Mapping[str, Shape],
        *,
        ordinals: Mapping[str, Sequence[int]],
        full: frozenset[str] = frozenset(),
    ) -> None:
        self._wire = wire
        self._bag = bag
        self._folder = folder
        self._shapes = shapes
        self._ordinals = ordinals
        self._full = full
        self._hubs = Hubs()

    def run(self, group: Sequence[Archived]) -> list[Outcome]:
        """Every object of the group; what one of them lacks never spoils another."""
        found: dict[str, Outcome] = {}
        opened: list[_Open] = []
        try:
            for one in group:
                try:
                    opened.append(self._open(one))
                except ArchiveProblem as problem:
                    found[one.name] = _broken(one, problem)
            self._ask_together(opened)
            compared = []
            for each in opened:
                told = self._compare(each)
                found[each.one.name] = Outcome(told)
                if told.asked:
                    compared.append(each)
            self._values(compared, found)
        finally:
            for each in opened:
                each.scan.keys.remove()
                if each.org is not None:
                    each.org.remove()
        return [found[one.name] for one in group]

    def _open(self, one: Archived) -> _Open:
        shape = self._shapes[one.name]
        pieces = filters.pieces_of(one.name)
        in_pieces = pieces is not None
        # What only comes inside other records cannot be asked for by its id afterwards.
        full = one.name in self._full or (pieces is not None and bool(pieces.inside))
        way = asking.way(one, shape, full=full, in_pieces=in_pieces)
        drawn = self._ordinals.get(one.name, ())
        every = False
        wide = (
            bool(way.content)
            and way.has_id
            and not self._wire.fits(asking.soql(one.name, way.columns))
        )
        if wide and not way.by_job:
            # Too many columns for one question: ids alone, and every value as by a sample.
            way, every = asking.ids_only(way, one.columns), one.rows <= asking.SMALL_ROWS
        found = scan(
            self._bag,
            one,
            shape,
            way,
            self._folder,
            ordinals=drawn,
            hubs=self._hubs,
            adversarial=len(drawn) < one.rows and not every,
            every=every,
        )
        if way.by_job:
            way = asking.way(one, shape, found.created, full=full)
        return _Open(one, shape, way, found)

    def _ask_together(self, opened: Sequence[_Open]) -> None:
        """The first page of several small objects by one call."""
        asked = []
        for each in opened:
            query = asking.soql(each.one.name, each.way.columns)
            pieces = filters.pieces_of(each.one.name)
            if pieces is not None and pieces.always:
                continue
            if not each.way.by_job and each.way.spans == ("",) and self._wire.fits(query):
                asked.append((each, self._wire.address(query)))
        if len(asked) < 2:
            return
        try:
            replies = self._wire.many([path for _, path in asked])
        except (Transient, OrgRefused):
            return  # then each is asked for alone
        for (each, _), reply in zip(asked, replies, strict=True):
            each.first = reply if reply.ok else None

    def _compare(self, each: _Open) -> Compared:
        one = each.one
        try:
            org, way, witnesses = listing.org_keys(
                self._wire, one, each.shape, each.way, self._folder, each.first
            )
        except OrgRefused as refused:
            return rows.not_asked(one, f"the org refused: {refused.message}")
        except Transient as fault:
            self._wire.try_get("/limits")  # when nothing is answered any more, the run pauses
            return rows.not_asked(one, f"the org did not answer: {fault.message}")
        each.way, each.org = way, org
        told = rows.compare(self._wire, one, each.shape, way, org, each.scan.keys, witnesses)
        if each.scan.no_ids:
            told = replace(
                told,
                findings=(
                    *told.findings,
                    Finding("id-malformed", rows.CHECK, object=one.name, count=each.scan.no_ids),
                ),
            )
        return told

    # ---- values --------------------------------------------------------------------------------

    def _values(self, opened: Sequence[_Open], found: dict[str, Outcome]) -> None:
        jobs, at = [], []
        for each in opened:
            told = found[each.one.name].rows
            if each.way.in_pieces and each.way.content and told.equal:
                found[each.one.name] = Outcome(told, values.by_content(each.one, each.scan.samples))
                continue
            suspects = self._suspects(each, found[each.one.name].rows)
            samples = (*each.scan.samples, *suspects)
            if samples:
                jobs.append(values.Job(each.one, each.shape, each.way, samples))
                at.append(each)
        if not jobs:
            return
        try:
            results = values.reread(self._wire, jobs)
        except (Transient, OrgRefused) as trouble:
            self._wire.try_get("/limits")
            results = [values.unread(job, trouble.message) for job in jobs]
        for each, result in zip(at, results, strict=True):
            told = found[each.one.name].rows
            if told.suspects and each.org is not None:
                told = self._again(each, each.org, told, result)
            found[each.one.name] = Outcome(told, result)

    def _suspects(self, each: _Open, told: Compared) -> tuple[Sampled, ...]:
        """The rows whose difference is to be named by field."""
        explains = each.one.name in MOVED_BY_SIGN_IN
        if not told.suspects or not (each.way.content or explains):
            return ()
        wanted = frozenset(told.suspects)
        return values.rows_by_id(self._bag, each.one, wanted, values.SUSPECT)

    def _again(self, each: _Open, org: KeySet, told: Compared, result: Reread) -> Compared:
        """The comparison once more, knowing which fields differ."""
        return rows.compare(
            self._wire,
            each.one,
            each.shape,
            each.way,
            org,
            each.scan.keys,
            told.witnesses,
            fields_of=result.differing,
        )


def _broken(one: Archived, problem: ArchiveProblem) -> Outcome:
    finding = Finding("rows-wrong", rows.CHECK, object=one.name, found=problem.message)
    return Outcome(Compared(one.name, "", bag_rows=one.rows, asked=False, findings=(finding,)))
