"""The whole live verification, in order: who, objects, fields, records, values, bodies."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sfexit.errors import (
    ArchiveProblem,
    DiskTrouble,
    Interrupted,
    OrgRefused,
    Paused,
    Transient,
)
from sfexit.progress import SILENT, Progress
from sfexit.salesforce.client import Client
from sfexit.verify.finding import Finding, not_made
from sfexit.verify.live import (
    asking,
    components,
    configuration,
    coverage,
    files,
    freeze,
    rows,
    schema,
    sight,
    values,
    weekly,
)
from sfexit.verify.live.archived import Archived, Bag
from sfexit.verify.live.confidence import Statement
from sfexit.verify.live.diary import Diary
from sfexit.verify.live.drawing import cut, drawn, groups
from sfexit.verify.live.objects import Outcome, Worker
from sfexit.verify.live.results import Live, Options, checks_of
from sfexit.verify.live.wire import Wire

ORG = "organization"
#: The checks without which no verdict is SAFE.
REQUIRED = (ORG, coverage.OBJECTS, coverage.FIELDS, coverage.SIGHT, rows.CHECK, values.CHECK,
            files.CHECK, configuration.CHECK)  # fmt: skip
AT_ONCE = 4  # objects, or groups of small ones, under way
HOLDS_QUIET = timedelta(days=7)  # nobody signed in, nothing changed
HOLDS = timedelta(hours=24)

T = TypeVar("T")
R = TypeVar("R")


def live(
    client: Client,
    root: Path,
    work: Path,
    options: Options | None = None,
    *,
    progress: Progress = SILENT,
    stop: threading.Event | None = None,
) -> Live:
    """Compare the bag at `root` with the org behind `client`. `work`: a folder for keys and notes.

    Raises Blocked for another org than the archive's, ArchiveProblem when the bag cannot be read
    at all, UsageProblem for weekly ZIPs that are none, and what stops a run (SignInProblem,
    Paused, Interrupted): then the same call goes on where it was.
    """
    run = _Run(client, Bag(root), work, options or Options(), progress, stop or threading.Event())
    try:
        return run.go()
    except Transient as fault:
        raise Paused(
            f"the org does not answer any more ({fault.message.rstrip('.')}): run the same command "
            "again when it does; what was verified so far is kept"
        ) from fault
    except OSError as error:
        raise DiskTrouble(
            f"{work} cannot be written ({error.strerror}): make room, then run the same command "
            "again; what was verified so far is kept"
        ) from error


class _Run:
    def __init__(
        self,
        client: Client,
        bag: Bag,
        work: Path,
        options: Options,
        progress: Progress,
        stop: threading.Event,
    ) -> None:
        self._client = client
        self._wire = Wire(client)
        self._bag = bag
        self._work = work
        self._options = options
        self._progress = progress
        self._stop = stop
        self._findings: list[Finding] = []
        self._looked: dict[str, str] = {}
        self._started = time.monotonic()
        self._calls, self._bytes = client.budget.used, client.wire_bytes

    # ---- the order of things -----------------------------------------------------------------

    def go(self) -> Live:
        self._progress.phase("Looking at the org")
        who = self._who()
        began = self._org_time()
        ledger = self._bag.objects
        named = schema.named(self._wire)
        seen = coverage.objects(ledger, named, metadata_here=self._metadata_here())
        self._note(coverage.OBJECTS, seen.findings, f"{seen.looked_at:,} objects of the org")
        todo = [ledger[name] for name in seen.to_compare]
        planned = self._configuration_plan()
        expected = self._expected(todo, seen.looked_at, planned)
        self._tell_cost(expected, todo)
        shapes, undescribed = self._shapes(todo)
        looked = self._fields(ledger, shapes, undescribed)
        self._note(coverage.FIELDS, looked.findings, f"{looked.looked_at:,} fields")
        permissions = self._eyes(shapes)
        about = {
            "root": self._bag.root_digest,
            "sample": self._options.sample,
            "full": sorted(self._options.full_values),
            "api": self._client.version,
        }
        with closing(Diary(self._work, about, self._options.secret)) as diary:
            outcomes, statement = self._rows(todo, shapes, undescribed, diary)
            self._progress.phase("Comparing bodies")
            bodies = self._bodies(shapes, ledger)
            configured = self._configuration(planned, ledger)
            found_weekly = self._weekly(outcomes)
            diary.forget()
        changed = sum(one.rows.missing + one.rows.stale + one.rows.extra for one in outcomes)
        quiet = self._freeze(ledger, changed, who)
        times = [t for one in ledger.values() for t in (one.started, one.finished) if t]
        holds = HOLDS_QUIET if quiet is not None and quiet.quiet else HOLDS
        first = min(began, diary.oldest) if diary.oldest else began
        return Live(
            root_digest=self._bag.root_digest,
            organization_id=who["organization_id"],
            user_id=who["user_id"],
            username=who["username"],
            api_version=self._client.version,
            began=first,
            ended=self._org_time(),
            holds_until=first + holds,
            snapshot_started=_moment(min(times, default=""), began),
            snapshot_finished=_moment(max(times, default=""), began),
            permissions=permissions,
            checks=checks_of(self._looked, self._findings, seen.registered),
            findings=tuple(self._findings),
            register=seen.registered,
            statement=statement,
            compared=tuple(one.rows for one in outcomes),
            reread=tuple(one.values for one in outcomes if one.values is not None),
            bodies=tuple(bodies),
            configuration=configured,
            freeze=quiet,
            weekly=found_weekly,
            expected=expected,
            calls=self._client.budget.used - self._calls,
            wire_bytes=self._client.wire_bytes - self._bytes,
            seconds=time.monotonic() - self._started,
            taken_over=diary.taken_over,
        )

    def _note(self, check: str, findings: Iterable[Finding], looked_at: str) -> None:
        self._findings += findings
        self._looked[check] = looked_at

    def _org_time(self) -> datetime:
        return (self._client.server_time or datetime.now(UTC)).astimezone(UTC)

    # ---- who and what --------------------------------------------------------------------------

    def _who(self) -> dict[str, str]:
        """Who is signed in to which org; that of the archive, or nothing is compared."""
        found = sight.who(self._client, self._bag)
        self._looked[ORG] = f"{found['organization_id']}, by {found['username']}"
        return found

    def _metadata_here(self) -> bool:
        return any(
            path.startswith("data/metadata/") and path.endswith(".zip")
            for path in self._bag.digests
        )

    def _expected(
        self, todo: Sequence[Archived], named: int, planned: configuration.Plan | None
    ) -> asking.Cost:
        """What all of it will take, about."""
        try:
            again, size = files.to_read(
                self._bag, sample=self._options.bodies, deep=self._options.deep
            )
        except ArchiveProblem:
            again, size = 0, 0  # comparing them will say so
        told = asking.cost(todo, named=named, sample=self._options.sample, bodies=again)
        calls, lists = (planned.calls, planned.bytes) if planned is not None else (0, 0)
        return told.with_more(calls, lists + size)

    def _tell_cost(self, expected: asking.Cost, todo: Sequence[Archived]) -> None:
        total = sum(one.rows for one in todo)
        self._progress.phase(
            f"Asking anew for {total:,} records of {len(todo):,} objects: about "
            f"{expected.calls:,} API calls and {max(expected.bytes / 1e6, 0.1):,.1f} MB"
        )
        self._progress.planned(len(todo), total)

    def _shapes(self, todo: Sequence[Archived]) -> tuple[dict[str, schema.Shape], dict[str, str]]:
        found: dict[str, schema.Shape] = {}
        refused: dict[str, str] = {}
        names = [one.name for one in todo]
        for shapes, wrong in self._side_by_side(
            lambda part: schema.shapes(self._wire, part), cut(names, 25)
        ):
            found.update(shapes)
            refused.update(wrong)
        return found, refused

    def _fields(
        self,
        ledger: Mapping[str, Archived],
        shapes: Mapping[str, schema.Shape],
        undescribed: Mapping[str, str],
    ) -> coverage.Fields:
        names = [name for name in shapes if ledger[name].rows]
        defined: dict[str, set[str]] = {}
        unread: dict[str, str] = {}
        for got, wrong in self._side_by_side(
            lambda part: schema.defined_fields(self._wire, part), cut(names, 5)
        ):
            defined.update(got)
            unread.update(wrong)
        return coverage.fields(ledger, shapes, defined, unread, undescribed)

    def _eyes(self, shapes: Mapping[str, schema.Shape]) -> tuple[str, ...]:
        """Check what the user may see; the needed permissions that the user holds."""
        with_rows = [name for name in shapes if self._bag.objects[name].rows]
        found, held = sight.look(self._wire, shapes, with_rows)
        found += coverage.exporting_eyes(self._bag.sight())
        self._note(coverage.SIGHT, found, f"{len(coverage.NEEDED)} permissions")
        return held

    # ---- records and values ----------------------------------------------------------------------

    def _rows(
        self,
        todo: Sequence[Archived],
        shapes: Mapping[str, schema.Shape],
        undescribed: Mapping[str, str],
        diary: Diary,
    ) -> tuple[list[Outcome], Statement]:
        self._progress.phase("Comparing records")
        worker = Worker(
            self._wire,
            self._bag,
            self._work,
            shapes,
            ordinals=drawn(todo, self._options.sample, diary.seed),
            full=self._options.full_values,
        )
        outcomes: dict[str, Outcome] = {}
        for one in todo:
            if one.name in undescribed:
                why = f"the org refused its describe: {undescribed[one.name]}"
                outcomes[one.name] = Outcome(rows.not_asked(one, why))
            elif (told := diary.known(one.name)) is not None:
                outcomes[one.name] = Outcome.from_json(told)
        left = [one for one in todo if one.name not in outcomes]
        for done in self._side_by_side(worker.run, groups(left)):
            for outcome in done:
                name = outcome.rows.object
                outcomes[name] = outcome
                diary.add(name, outcome.as_json())
                told_outcome = "equal" if outcome.rows.equal else "differs"
                self._progress.object_finished(name, told_outcome, outcome.rows.org_rows)
        ordered = [outcomes[one.name] for one in todo]
        self._note(
            rows.CHECK,
            [finding for one in ordered for finding in one.rows.findings],
            f"{rows.all_rows(one.rows for one in ordered):,} records of {len(ordered):,} objects",
        )
        reread = [one.values for one in ordered if one.values is not None]
        statement = Statement(
            sum(one.drawn for one in reread),
            sum(one.drawn_wrong for one in reread),
            sum(one.rows for one in todo if "Id" in one.columns),
        )
        self._note(
            values.CHECK,
            [finding for one in reread for finding in one.findings],
            f"{statement.words}; {sum(one.chosen for one in reread):,} more were looked for",
        )
        if statement.population and not statement.drawn:
            self._findings.append(not_made(values.CHECK, "no row could be read again"))
        return ordered, statement

    # ---- the rest --------------------------------------------------------------------------------

    def _bodies(
        self, shapes: Mapping[str, schema.Shape], ledger: Mapping[str, Archived]
    ) -> list[files.Bodies]:
        with_rows = {name: shape for name, shape in shapes.items() if ledger[name].rows}
        try:
            found = files.compare(
                self._wire,
                self._bag,
                with_rows,
                self._work,
                sample=self._options.bodies,
                deep=self._options.deep,
                chance=random.Random(),
            )
        except ArchiveProblem as problem:
            found = []
            self._findings.append(
                Finding("evidence-wrong", files.CHECK, path="data/files/index.csv.gz",
                        found=problem.message)
            )  # fmt: skip
        told = (
            f"{sum(one.org for one in found):,} bodies: {sum(one.by_md5 for one in found):,} by "
            f"the org's MD5, {sum(one.reread for one in found):,} read again, the rest by size"
        )
        self._note(files.CHECK, [f for one in found for f in one.findings], told)
        return found

    def _configuration_plan(self) -> configuration.Plan | None:
        """Which components are to be retrieved again; None: the archive's index is no index."""
        try:
            return configuration.plan(
                components.known(self._bag),
                sample=self._options.components,
                deep=self._options.deep,
                chance=random.Random(),
            )
        except ArchiveProblem as problem:
            found = Finding("evidence-wrong", configuration.CHECK, path=configuration.INDEX,
                            found=problem.message)  # fmt: skip
            self._findings.append(found)
            return None

    def _configuration(
        self, planned: configuration.Plan | None, ledger: Mapping[str, Archived]
    ) -> configuration.Configuration:
        if planned is None:
            self._note(configuration.CHECK, (), "the archive's index is none")
            return configuration.Configuration()
        self._progress.phase("Comparing the configuration")
        started = min((one.started for one in ledger.values() if one.started), default="")
        found = configuration.compare(self._wire, self._bag, planned, started)
        self._note(configuration.CHECK, found.findings, found.words)
        return found

    def _weekly(self, outcomes: Sequence[Outcome]) -> weekly.Weekly | None:
        if self._options.weekly is None:
            return None
        self._progress.phase("Comparing with Salesforce's own export")
        equal = frozenset(one.rows.object for one in outcomes if one.rows.equal)
        found = weekly.reconcile(
            self._bag, self._options.weekly, self._work, there=self._there, equal=equal
        )
        self._note(weekly.CHECK, [f for one in found.objects for f in one.findings], found.words)
        return found

    def _there(self, name: str, ids: Sequence[str]) -> frozenset[str] | None:
        """Which of these records the org still has; None when it does not say."""
        got: set[str] = set()
        for part in cut(ids, 150):
            quoted = ",".join(f"'{one}'" for one in part)
            try:
                for page in self._wire.pages(asking.soql(name, ["Id"], f"Id IN ({quoted})")):
                    got.update(str(row.get("Id")) for row in page.rows)
            except (OrgRefused, Transient):
                return None
        return frozenset(got)

    def _freeze(
        self, ledger: Mapping[str, Archived], changed: int, who: Mapping[str, str]
    ) -> freeze.Freeze | None:
        since = min((one.started for one in ledger.values() if one.started), default="")
        if not since:
            return None
        found = freeze.look(self._wire, since, changed, who["user_id"])
        self._findings += found.findings
        return found

    # ---- side by side ----------------------------------------------------------------------------

    def _side_by_side(self, work: Callable[[T], R], parts: Iterable[T]) -> Iterator[R]:
        """`work` over `parts` in a few threads, results as they come; the first error ends it."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="verify") as pool:

            def one(part: T) -> R:
                if self._stop.is_set():
                    raise Interrupted("the run was asked to stop")
                return work(part)

            running = [pool.submit(one, part) for part in parts]
            try:
                for future in as_completed(running):
                    yield future.result()
            finally:
                for future in running:
                    future.cancel()


def _moment(text: str, otherwise: datetime) -> datetime:
    """A moment of the ledger."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return otherwise
