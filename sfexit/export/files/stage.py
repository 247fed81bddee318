"""The stage that brings the bytes of all files into the bag.

Which files there are is read from the archived pages, as often as needed: nothing but the page's
row in hand is kept, so two million files take no more memory than two. One call each; what the
journal knows is not asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

from sfexit.archive import bodies, layout, sealing
from sfexit.archive.bodies import StoredBody
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.stored_rows import mentions, page_rows
from sfexit.catalog import Description
from sfexit.errors import Interrupted, OrgRefused, Paused, QuotaSpent, Transient
from sfexit.export.files import index, telling
from sfexit.export.files.fetching import DELETED, FAULT, LEFT_OUT, Fetcher, Outcome
from sfexit.export.files.held import Held
from sfexit.export.files.listing import IMAGE_MARK, Body, Recipe, recipe
from sfexit.export.files.telling import Counts
from sfexit.export.means import Means
from sfexit.export.object_line import now, silent
from sfexit.export.stage import Stage
from sfexit.salesforce import org as orgs

_WAITING = 96  # bodies under way or done and not yet journaled
_TOGETHER = 64
_READ_AT_ONCE = 2
_BYTES_A_DAY_OF_SECONDS = 86_400


class Files(Stage):
    """All bodies, their index and the exceptions. `describe` gives an object's description."""

    def __init__(
        self, means: Means, describe: Callable[[str], Description], held: Held | None = None
    ) -> None:
        """`held` knows the bodies of an earlier bag of this home, which are linked, not fetched."""
        super().__init__(means)
        self._describe = describe
        self._held = held
        self._fetcher = Fetcher(means)
        self._checked: set[str] | None = None  # folders that were read back and not added to since
        self.counts: dict[str, Counts] = {}
        self.lines = 0
        self.stored = 0
        self.bytes = 0

    # ---- which there are ---------------------------------------------------------------------

    def _recipes(self) -> list[Recipe]:
        found = []
        for row in self.means.journal.rows(
            "SELECT DISTINCT o.name, o.fields FROM object o JOIN page p "
            "ON p.object = o.name AND p.reading = o.reading ORDER BY o.position"
        ):
            one = recipe(self._describe(row["name"]), json.loads(row["fields"]))
            if one is not None:
                found.append(one)
        return found

    def listed(self) -> Iterator[Body]:
        """Every body that the archived rows name, by object, page and row."""
        for one in self._recipes():
            if not one.blobs and not one.rich:
                continue
            for page in self.means.journal.pages(one.object):
                path = layout.within(self.means.bag, page["path"])
                if not one.blobs and not mentions(path, IMAGE_MARK):
                    continue
                for row in page_rows(path, one.columns):
                    yield from one.bodies(row)

    # ---- fetching ----------------------------------------------------------------------------

    def resume(self) -> None:
        rows = self.means.journal.rows(
            "SELECT 1 FROM body_exception WHERE NOT kept AND kind <> ? LIMIT 1", (DELETED,)
        )
        if rows:
            self.means.journal.record("bodies_again")

    def take(self) -> None:
        self.means.tally.phase("Fetching files")
        self.means.tally.files_planned(self._about_how_many())
        try:
            self._fetch_all()
        except QuotaSpent as spent:
            raise QuotaSpent(f"{spent.message} {self._so_far()}") from spent
        self._forget_strays()
        self._publish_index()

    def _about_how_many(self) -> int:
        """Rows of objects with a file in each; files that were fetched before are among them."""
        total = 0
        for one in self._recipes():
            if one.blobs:
                pages = self.means.journal.pages(one.object)
                total += sum(page["rows"] for page in pages) * len(one.blobs)
        return total

    def _so_far(self) -> str:
        [row] = self.means.journal.rows("SELECT count(*) AS n FROM body")
        return f"{row['n']:,} of about {max(self._about_how_many(), row['n']):,} files are here."

    def _fetch_all(self) -> None:
        waiting: set[Future[Outcome]] = set()
        first: BaseException | None = None
        try:
            for body in self._missing():
                self.means.go_on()
                waiting.add(self.means.streams.submit(self._one, body))
                if len(waiting) >= _WAITING:
                    waiting = self._collect(waiting, at_least=_WAITING - _TOGETHER)
            while waiting:
                waiting = self._collect(waiting, at_least=0)
        except BaseException as error:
            first = error
            self.means.stop.set()
            raise
        finally:
            if first is not None:
                for future in waiting:
                    future.cancel()
                self._keep(wait(waiting).done)

    def _missing(self) -> Iterator[Body]:
        """Bodies that are neither in the bag nor named as an exception."""
        journal, selection = self.means.journal, self.means.selection
        under_way: dict[str, None] = {}  # an image may stand in several records
        for body in self.listed():
            if body.elsewhere or body.key in under_way or bodies.find(journal, body.key):
                continue
            if journal.rows(
                "SELECT 1 FROM body_exception WHERE object = ? AND key = ?", (body.object, body.key)
            ):
                continue
            if body.reference:
                under_way[body.key] = None
                if len(under_way) > 4 * _WAITING:
                    del under_way[next(iter(under_way))]
            if not selection.files:
                continue
            yield body

    def _one(self, body: Body) -> Outcome:
        self.means.go_on()
        linked = self._held.link(self.means, body) if self._held is not None else None
        if linked is not None:
            return Outcome(body, linked, bytes=linked.bytes)
        try:
            return self._fetcher.fetch(body)
        except Interrupted:
            raise
        except Transient as fault:
            if isinstance(fault.__cause__, OSError):
                raise
            self._insist_on_org(fault)
            return Outcome(body, None, FAULT, fault.message)

    def _insist_on_org(self, fault: Transient) -> None:
        """A file only fails while the org answers; when it does not, the run waits for it."""
        try:
            orgs.limits(self.means.client)
        except OrgRefused:
            return
        except Transient as silence:
            raise Paused(silent(silence)) from fault

    def _collect(self, waiting: set[Future[Outcome]], *, at_least: int) -> set[Future[Outcome]]:
        """Journal what is done; returns the rest, which is smaller, and at most `at_least` + 64."""
        done: set[Future[Outcome]] = set()
        while not done or len(waiting) > at_least + _TOGETHER:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            done |= finished
        self._keep(done)
        for future in done:
            future.result()  # raises what stopped it
        return waiting

    def _keep(self, done: set[Future[Outcome]]) -> None:
        """Make durable and journal the outcomes of these; what failed is not looked at here."""
        outcomes = [
            future.result()
            for future in done
            if not future.cancelled() and future.exception() is None
        ]
        exceptions = [one.as_event(now()) for one in outcomes if one.kind]
        if exceptions:
            self.means.journal.record("body_exceptions", items=exceptions)
        stored = [one.stored for one in outcomes if one.stored is not None]
        bodies.make_durable(self.means.disk, self.means.journal, self.means.bag, stored)
        for one in stored:
            self.stored += 1
            self.bytes += one.bytes
            self.means.tally.file_stored(one.bytes)
            if self._checked is not None:
                self._checked.discard(layout.body_folder(one.key))

    # ---- reading back ------------------------------------------------------------------------

    def read_back(self) -> bool:
        """Take the SHA-256 of every body again; those that changed are forgotten."""
        checked = self._checked or set()
        lost: list[StoredBody] = []
        with ThreadPoolExecutor(_READ_AT_ONCE, thread_name_prefix="audit") as pool:
            batch: list[StoredBody] = []
            for body in bodies.stored(self.means.journal):
                if layout.body_folder(body.key) in checked:
                    continue
                batch.append(body)
                if len(batch) == 1000:
                    lost += self._changed(pool, batch)
                    batch = []
            lost += self._changed(pool, batch)
        self._checked = {f"{number:02x}" for number in range(256)}
        for body in lost:
            self.means.tally.note(f"{body.path} was changed or removed; it is fetched again")
        self._drop(lost)
        return not lost

    def _changed(self, pool: ThreadPoolExecutor, batch: list[StoredBody]) -> list[StoredBody]:
        self.means.go_on()
        whole = pool.map(lambda one: bodies.is_as_written(self.means.bag, one), batch)
        return [one for one, fine in zip(batch, whole, strict=True) if not fine]

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
            for body in self.listed():
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
        exceptions = index.exceptions(means.journal, self._elsewhere())
        sealing.publish_stream(
            means.disk, means.journal, means.bag, layout.BODY_EXCEPTIONS, exceptions
        )

    def _indexed(self) -> Iterator[tuple[Body, StoredBody]]:
        for body in self.listed():
            counts = self.counts.setdefault(body.object, Counts())
            counts.listed += 1
            found = None if body.elsewhere else bodies.find(self.means.journal, body.key)
            if found is not None:
                counts.stored += 1
                counts.bytes += found.bytes
                self.lines += 1
                yield body, found
            elif body.elsewhere:
                counts.elsewhere += 1
        for row in self.means.journal.rows(
            "SELECT object, kind, kept, count(*) AS n FROM body_exception GROUP BY object, kind, kept"
        ):
            counts = self.counts.setdefault(row["object"], Counts())
            counts.exceptions[row["kind"], bool(row["kept"])] = row["n"]
        if not self.means.selection.files:
            for counts in self.counts.values():
                left = counts.listed - counts.stored - counts.elsewhere
                counts.exceptions[LEFT_OUT, False] = left

    def _elsewhere(self) -> Iterator[Body]:
        return (body for body in self.listed() if body.elsewhere)

    def ledger(self, lines: tuple[LedgerLine, ...]) -> tuple[LedgerLine, ...]:
        recipes = {one.object: one for one in self._recipes()}
        told = []
        for line in lines:
            counts = self.counts.get(line.object)
            if counts is not None:
                line = telling.with_files(line, counts)
            known = recipes.get(line.object)
            if known is not None and known.covered:
                left_out = {**line.fields_not_exported, **known.covered}
                line = replace(line, fields_not_exported=left_out)
            if line.has_rows:
                line = telling.with_photos(line, self._describe(line.object))
            told.append(line)
        return tuple(told)


def previous_bag(means: Means, bag: Path) -> Held:
    """The bodies of a sealed bag, for `Files`."""
    return Held.open(bag, means.home.work)
