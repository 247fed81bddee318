"""The stage that brings the bytes of all files into the bag.

Which files there are is read from the archived pages, as often as needed: nothing but the page's
row in hand is kept, so two million files take no more memory than two. One call each; what the
journal knows is not asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from queue import SimpleQueue
from typing import Any

from sfexit.archive import bodies, layout, sealing
from sfexit.archive.bodies import StoredBody
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.stored_rows import PageDamaged
from sfexit.catalog import Description
from sfexit.errors import Interrupted, QuotaSpent, SentElsewhere, Transient
from sfexit.export import quota
from sfexit.export.files import index, telling, unlisted
from sfexit.export.files.fetching import DELETED, FAULT, LEFT_OUT, REFUSED, Fetcher, Outcome
from sfexit.export.files.held import Held
from sfexit.export.files.listing import COPIES, OWN, TURNS, Body
from sfexit.export.files.named import Named
from sfexit.export.files.settling import Settler
from sfexit.export.files.telling import Counts
from sfexit.export.means import Means
from sfexit.export.stage import Stage

_FETCHING = 12  # threads; as many as the client allows ask at once
_READ_AT_ONCE = 2
_COUNTED = 100_000  # files that are counted one by one where it helps, in some ten seconds
_IMAGES = 500  # the last ones that were begun: more than can be under way
_SENT_AWAY = 100  # files for which the org names another address: more are no exception
_COPIES = 3  # records that show an image by copied text, and are asked for it in vain


class Files(Stage):
    """All bodies, their index and the exceptions. `describe` gives an object's description."""

    def __init__(
        self,
        means: Means,
        describe: Callable[[str], Description],
        held: Held | None = None,
        sees_all: Callable[[], bool] = lambda: False,
    ) -> None:
        """`held` knows the bodies of an earlier bag of this home, which are linked, not fetched;
        `sees_all` whether this user has the permission to see all files."""
        super().__init__(means)
        self._describe = describe
        self._named = Named(means, describe)
        self._held = held
        self._sees_all = sees_all
        self._unlisted = 0  # documents that other records name and no list shows
        self._fetcher = Fetcher(means)
        self._turns = {OWN}  # in which there is something left to ask for
        self._begun = False
        self._sent_away = 0
        self._unread = False  # bodies of an earlier run of this export are not read again yet
        self.counts: dict[str, Counts] = {}
        self.lines = 0
        self.fetched = 0
        self.bytes = 0  # of those
        self.taken_over = 0

    # ---- fetching ----------------------------------------------------------------------------

    def resume(self) -> None:
        self._unread = True
        rows = self.means.journal.rows(
            "SELECT 1 FROM body_exception WHERE NOT kept AND kind <> ? LIMIT 1", (DELETED,)
        )
        if rows:
            self.means.journal.record("bodies_again")

    def take(self) -> None:
        self._named.unreadable = False
        self.means.tally.phase("Fetching files")
        self.means.tally.files_planned(*self._planned())
        before = bool(self.means.journal.rows("SELECT 1 FROM body LIMIT 1"))
        try:
            self._fetch_all()
        except QuotaSpent as spent:
            raise QuotaSpent(f"{spent.message} {self._so_far()}") from spent
        if self._named.unreadable:
            self.means.journal.record("bodies_again")  # a damaged row may have named anything
        elif before:
            self._forget_strays()
        try:
            self._unlisted = unlisted.look(self.means, self._describe)
        except PageDamaged:
            self._named.unreadable = True
        self._publish_index()

    def _planned(self) -> tuple[int, str]:
        """About how many files there are, and what those cost that are not here."""
        total = self._named.about()
        here = self._here([one.object for one in self._named.recipes() if one.blobs])
        if self._held is not None:  # most are taken over, without a call
            here = total - self._new() if total <= _COUNTED else max(here, self._held.files)
        if total <= here or not self.means.selection.files:
            return total, ""
        budget = self.means.client.budget
        left = "" if budget.left is None else f", of which this run may make {budget.left:,} more"
        row = self._cost(total - here)
        return total, (
            f"About {total - here:,} files are to be fetched{self._on_top()}, by one API call "
            f"each{left}{': ' + quota.line(row) if row is not None else ''}"
        )

    def _new(self) -> int:
        """Files, pictures aside, that neither this bag nor the one before has."""
        held = self._held
        return sum(
            not (body.reference or body.elsewhere or self._is_known(body))
            and (held is None or not held.fits(body))
            for body in self._named.bodies()
        )

    def _on_top(self) -> str:
        """Pictures are known only when the rows are read."""
        some = any(one.rich or one.photo for one in self._named.recipes())
        return " (images in rich text and photos come on top)" if some else ""

    def _cost(self, files: int) -> quota.QuotaRow | None:
        budget = self.means.client.budget
        calls_a_day = budget.org_usage[1] if budget.org_usage is not None else None
        return quota.quota_row(calls_a_day, budget.share, files)

    def _here(self, objects: Sequence[str] = ()) -> int:
        """Files that are in the bag, or that are named as an exception; of these objects or all."""
        rows = self.means.journal.rows(
            "SELECT object, count(*) AS n FROM (SELECT object FROM body UNION ALL "
            "SELECT object FROM body_exception WHERE NOT kept) GROUP BY object"
        )
        return sum(row["n"] for row in rows if not objects or row["object"] in objects)

    def _so_far(self) -> str:
        here, total, on_top = self._here(), self._named.about(), self._on_top()
        if total <= _COUNTED:
            total = sum(1 for body in self._named.bodies() if not body.elsewhere)
            on_top = ""  # images are among them
        total = max(total, here)
        row = self._cost(total - here)
        more = ""
        if total > here and row is not None and row.days_for_own_files is not None:
            calls = quota.taken(row.days_for_own_files)
            more = f"; at this share of the calls the others take {calls}"
        return f"{here:,} of about {total:,} files are here{on_top}{more}."

    def _fetch_all(self) -> None:
        """All files; of an image, one place after the other until one gives it."""
        if not self.means.selection.files:
            return
        self._turns, self._begun = {OWN}, False
        for turn in TURNS:
            while turn in self._turns:
                self._turns.discard(turn)
                self._fetch_turn(turn)

    def _fetch_turn(self, turn: int) -> None:
        # More threads than may ask at once: while some ask, others write and flush what came.
        with (
            Settler(self.means, self._settled) as settler,
            ThreadPoolExecutor(_FETCHING, thread_name_prefix="file") as pool,
        ):
            wanted: SimpleQueue[Body | None] = SimpleQueue()
            try:
                for _ in range(_FETCHING):
                    pool.submit(self._work, wanted, settler)
                for body in self._missing(turn):
                    settler.room()
                    wanted.put(body)
            except BaseException as error:
                settler.fail(error)
                raise
            finally:
                for _ in range(_FETCHING):
                    wanted.put(None)

    def _settled(self, outcome: Outcome) -> None:
        size = outcome.bytes or 0
        if outcome.taken_over:
            self.taken_over += 1
        else:
            self.fetched += 1
            self.bytes += size
        self.means.tally.file_stored(size)

    def _missing(self, turn: int) -> Iterator[Body]:
        """Bodies of this turn that are neither in the bag nor named as an exception."""
        journal = self.means.journal
        under_way: dict[str, None] = {}  # an image may stand in several records
        any_known = "SELECT 1 FROM body UNION ALL SELECT 1 FROM body_exception LIMIT 1"
        fresh = not journal.rows(any_known)
        first = turn == OWN and not self._begun
        self._begun = True
        for body in self._named.bodies(images=not first):
            if body.elsewhere:
                continue
            if body.turn != turn:
                if body.turn > turn:
                    self._turns.add(body.turn)
                continue
            if body.key in under_way:
                if body.image:  # should this place be needed, it is asked when the other has told
                    self._turns.add(turn)
                continue
            if (body.reference or not fresh) and self._is_known(body):
                continue
            if body.turn in COPIES and self._refused(body) >= _COPIES:
                continue
            if body.reference:
                under_way[body.key] = None
                if len(under_way) > _IMAGES:
                    del under_way[next(iter(under_way))]
            yield body

    def _is_known(self, body: Body) -> bool:
        journal, place = self.means.journal, (body.object, body.place)
        if bodies.find(journal, body.key):
            return True
        named = "SELECT 1 FROM body_exception WHERE object = ? AND key = ?"
        return bool(journal.rows(named, place))

    def _refused(self, body: Body) -> int:
        """Places of an image in this object that were asked for it in vain."""
        return len(index.refusals(self.means.journal, body, _COPIES))

    def _work(self, wanted: SimpleQueue[Body | None], settler: Settler) -> None:
        while (body := wanted.get()) is not None:
            self._one(body, settler)

    def _one(self, body: Body, settler: Settler) -> None:
        """One body to its outcome. After the first failure of a run no other is begun."""
        try:
            self.means.go_on()
            if settler.halted:
                raise Interrupted("another file stopped the run")
            settler.put(self._fetched(body))
        except BaseException as error:
            settler.fail(error)

    def _fetched(self, body: Body) -> Outcome:
        linked = self._held.link(self.means, body) if self._held is not None else None
        if linked is not None:
            return linked
        try:
            return self._fetcher.fetch(body)
        except Transient as fault:
            self._insist_on_org(fault)
            return Outcome(body, None, FAULT, fault.message)
        except SentElsewhere as refusal:
            self._insist_on_org(refusal)  # which may send everything elsewhere
            self._sent_away += 1
            if self._sent_away > _SENT_AWAY:
                raise
            return Outcome(body, None, REFUSED, refusal.message)

    # ---- reading back ------------------------------------------------------------------------

    def read_back(self) -> bool:
        """Look at every body again; those that changed are forgotten.

        What this run stored was read again before it got its name, and only has to be there still;
        what an earlier run of the same export stored is read.
        """
        look = bodies.is_as_written if self._unread else bodies.is_there
        lost: list[StoredBody] = []
        with ThreadPoolExecutor(_READ_AT_ONCE, thread_name_prefix="audit") as pool:
            stored = bodies.stored(self.means.journal)
            while batch := list(islice(stored, 1000)):
                self.means.go_on()
                fine = pool.map(lambda one: look(self.means.bag, one), batch)
                lost += [one for one, right in zip(batch, fine, strict=True) if not right]
        self._unread = False
        for body in lost:
            self.means.tally.note(f"{body.path} was changed or removed; it is fetched again")
        self._drop(lost)
        return not lost and not self._named.unreadable

    def _drop(self, lost: list[StoredBody]) -> None:
        if not lost:
            return
        self.means.journal.record("bodies_lost", keys=[one.key for one in lost])
        for one in lost:
            self.means.disk.remove(layout.within(self.means.bag, one.path))

    def _forget_strays(self) -> None:
        """Bodies of rows that are not in the bag any more, since the object was read again."""
        found = index.Found(self.means.home.work)
        try:
            for body in self._named.bodies():
                if not body.elsewhere:
                    found.add(body.key)
            strays = [one for one in bodies.stored(self.means.journal) if not found.has(one.key)]
        finally:
            found.close()
        if strays:
            self.means.note("", "files", f"{len(strays):,} files belong to no row any more")
            self._drop(strays)

    # ---- telling -----------------------------------------------------------------------------

    def _publish_index(self) -> None:
        self.counts = {}
        self.lines = 0
        means = self.means
        sealing.publish_stream(
            means.disk, means.journal, means.bag, layout.FILES_INDEX, index.index(self._indexed())
        )
        exceptions = index.exceptions(means.journal, self._elsewhere(), self._absent_images())
        sealing.publish_stream(
            means.disk, means.journal, means.bag, layout.BODY_EXCEPTIONS, exceptions
        )

    def _indexed(self) -> Iterator[tuple[Body, StoredBody]]:
        for body in self._named.bodies():
            counts = self.counts.setdefault(body.object, Counts())
            counts.listed += 1
            found = None if body.elsewhere else bodies.find(self.means.journal, body.key)
            if found is not None:
                counts.stored += 1
                counts.bytes += found.bytes
                self.lines += 1
                yield body, found
            elif body.banner:
                counts.banners += 1
            elif body.elsewhere:
                counts.elsewhere += 1
        for row in self.means.journal.rows(
            "SELECT object, kind, kept, count(*) AS n FROM body_exception "
            "WHERE instr(key, '@') = 0 GROUP BY object, kind, kept"  # images are counted by place
        ):
            counts = self.counts.setdefault(row["object"], Counts())
            counts.exceptions[row["kind"], bool(row["kept"])] = row["n"]
        if not self.means.selection.files:
            for counts in self.counts.values():
                left = counts.listed - counts.stored - counts.elsewhere - counts.banners
                counts.exceptions[LEFT_OUT, False] = left

    def _absent_images(self) -> Iterator[tuple[Body, dict[str, Any]]]:
        """Every place of an image that the org did not give, and what is told of it."""
        for body in self._named.bodies(images=True):
            if bodies.find(self.means.journal, body.key):
                continue
            told = index.told_of_image(self.means.journal, body)
            if told is not None:
                counted = self.counts.setdefault(body.object, Counts()).exceptions
                counted[told["kind"], False] = counted.get((told["kind"], False), 0) + 1
                yield body, told

    def _elsewhere(self) -> Iterator[Body]:
        return (body for body in self._named.bodies() if body.elsewhere)

    def ledger(self, lines: tuple[LedgerLine, ...]) -> tuple[LedgerLine, ...]:
        recipes = {one.object: one for one in self._named.recipes()}
        told = []
        for line in lines:
            counts = self.counts.get(line.object)
            if counts is not None:
                line = telling.with_files(line, counts)
            known = recipes.get(line.object)
            if known is not None and known.covered:
                left_out = {**line.fields_not_exported, **known.covered}
                line = replace(line, fields_not_exported=left_out)
            if line.object == unlisted.DOCUMENT and self._unlisted:
                line = unlisted.with_unlisted(line, self._unlisted, held=self._sees_all())
            told.append(line)
        return tuple(told)
