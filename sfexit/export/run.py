"""The whole export, in order: look, read every object, read back, seal."""

from __future__ import annotations

import csv
import difflib
import json
import os
import platform
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sfexit
from sfexit.archive import audit, bagit, home, layout, sealing, signing
from sfexit.archive.durable import Disk
from sfexit.archive.journal import Journal
from sfexit.archive.layout import HomeLayout
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.sealing import SealedBag
from sfexit.catalog import ObjectEntry
from sfexit.errors import (
    ArchiveProblem,
    Blocked,
    DiskTrouble,
    Interrupted,
    OrgRefused,
    Paused,
    SfexitError,
    SignInProblem,
    Transient,
    UsageProblem,
)
from sfexit.export import plan, scout, seeing
from sfexit.export.plan import Selection
from sfexit.export.records import Reader, Tuning, ledger_lines
from sfexit.export.scout import Found
from sfexit.preflight import Sight
from sfexit.progress import SILENT, Progress
from sfexit.salesforce import bulk
from sfexit.salesforce import describe as describing
from sfexit.salesforce import org as orgs
from sfexit.salesforce.client import Client
from sfexit.salesforce.object_rules import rule_for

STREAMS = 8  # "keep big downloads at 8": the org allows 25 requests over 20 s, developer orgs 5
_PAGES_WAITING = 32  # small objects that came ahead and wait to be written
OBJECTS_AT_ONCE = 6
_AUDITS = 4  # rounds of reading back and fetching again what was damaged


@dataclass(frozen=True)
class ExportResult:
    """What an export came to. `seconds` is wall time of this run, `calls` its API calls."""

    home: Path
    organization_id: str
    organization: str
    bag: SealedBag | None
    lines: tuple[LedgerLine, ...]
    rows_read: int
    csv_bytes_read: int
    calls: int
    seconds: float
    resumed: bool
    set_aside: tuple[str, ...]
    already_sealed: bool = False
    sight: Sight | None = None  # None: a bag from before there was a look

    @property
    def incomplete(self) -> tuple[LedgerLine, ...]:
        """The objects of which something may be missing."""
        return tuple(line for line in self.lines if line.incomplete)


@dataclass
class _Tally:
    """Passes progress on and adds it up."""

    inner: Progress
    rows: int = 0
    csv_bytes: int = 0
    used: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def phase(self, name: str) -> None:
        self.inner.phase(name)

    def planned(self, objects: int, rows_hint: int | None) -> None:
        self.inner.planned(objects, rows_hint)

    def object_started(self, name: str, expected_rows: int | None) -> None:
        self.inner.object_started(name, expected_rows)

    def object_finished(self, name: str, outcome: str, rows: int) -> None:
        self.inner.object_finished(name, outcome, rows)

    def published(self, name: str, rows: int, csv_bytes: int, wire_bytes: int) -> None:
        with self._lock:
            self.rows += rows
            self.csv_bytes += csv_bytes
        self.inner.published(name, rows, csv_bytes, wire_bytes)

    def calls(self, used: int, budget: int | None) -> None:
        self.used = used
        self.inner.calls(used, budget)

    def note(self, text: str) -> None:
        self.inner.note(text)


def export(
    client: Client,
    root: Path,
    *,
    key: Callable[[], signing.SigningKey],
    selection: Selection | None = None,
    anew: bool = False,
    strict: bool = False,
    disk: Disk | None = None,
    progress: Progress = SILENT,
    stop: threading.Event | None = None,
    tuning: Tuning | None = None,
) -> ExportResult:
    """Export the org behind `client` into the home `root`, or go on where a run was cut off.

    `key` is asked for only when there is something to sign. `anew` begins the next generation
    although a sealed bag is there. `strict` refuses to read anything unless this user sees
    everything. `stop`, once set, ends the run in good order with Interrupted;
    it should be the client's own. Raises what `errors` names; progress is always kept.
    """
    started = time.monotonic()
    disk = disk or Disk()
    stop = stop or threading.Event()
    selection = selection or Selection()
    tally = _Tally(progress)
    client.progress = tally
    home.check_place(root)
    progress.phase("Signing in")
    try:
        identity = orgs.identity(client)
        _ = client.version  # fetched here, so that what may go wrong does so before the start
        place = HomeLayout(root)
        home.check_org(place, identity.organization_id)
        catalogue = sight = hints = None
        if home.work_about(place) is None and (anew or not place.generations()):
            # Before anything is made: a misspelled name must leave no trace.
            progress.phase("Looking at the org")
            catalogue = describing.describe_global(client)
            _check_selection(selection, catalogue[1])
            sight, hints = seeing.first_look(client, catalogue[1], progress)
            if strict:
                seeing.refuse_blind_spots(sight, selection, begun=False)
    except Transient as fault:
        raise SignInProblem(
            f"{fault.message.rstrip('.')}. Nothing was changed: try again when the org can be "
            "reached"
        ) from fault
    home.claim(root, identity.organization_id, disk)
    with home.locked(place, disk):
        about = home.work_about(place)
        if about is None:
            home.clear_work(place)  # the litter of an export that was killed after its seal
            if place.generations() and not anew:
                return _already_sealed(place, identity, tally, started)
        run = _Run(client, place, disk, tally, stop, selection, identity, key, tuning or Tuning())
        run.catalogue, run.sight, run.hints = catalogue, sight, hints
        try:
            return run.go(about, started, strict=strict)
        except DiskTrouble as trouble:
            raise run.told(trouble) from trouble
        except Transient as fault:
            if not isinstance(fault.__cause__, OSError):
                raise
            raise run.told(DiskTrouble(fault.message)) from fault
        finally:
            run.close()


def _check_selection(selection: Selection, entries: Iterable[ObjectEntry]) -> None:
    """Refuse a name that is no object of the org, and guess what was meant."""
    names = {entry.name for entry in entries}
    exact = {name.lower(): name for name in names}
    for wanted in sorted((selection.objects | selection.exclude) - names):
        close = difflib.get_close_matches(wanted.lower(), exact, n=1)
        hint = f"; did you mean {exact[close[0]]}?" if close else ""
        shown = wanted[:80] if wanted.isprintable() else "that name"
        raise UsageProblem(
            f"the org has no object named {shown!r} for this user{hint} "
            "(API names are needed, as in Setup > Object Manager)"
        )


def _already_sealed(
    place: HomeLayout, identity: orgs.Identity, tally: _Tally, started: float
) -> ExportResult:
    """Nothing is under way and a bag is there: say what it is."""
    generation = place.generations()[-1]
    bag = place.bag(generation)
    info = home.bag_info(bag)
    with (bag / layout.LEDGER).open(encoding="utf-8", newline="") as handle:
        try:
            lines = tuple(LedgerLine.from_cells(row) for row in csv.DictReader(handle))
        except (ValueError, KeyError, TypeError) as error:
            raise ArchiveProblem(f"{bag / layout.LEDGER} is damaged: verify the archive") from error
    size, _, count = info.get("Payload-Oxum", "0.0").partition(".")
    sealed = SealedBag(
        bag,
        generation,
        bagit.root_digest(bag),
        info.get("Sfexit-Signing-Key", ""),
        int(count or 0),
        int(size or 0),
    )
    return ExportResult(
        place.root,
        identity.organization_id,
        info.get("Source-Organization", ""),
        sealed,
        lines,
        rows_read=0,
        csv_bytes_read=0,
        calls=tally.used,
        seconds=time.monotonic() - started,
        resumed=False,
        set_aside=(),
        already_sealed=True,
        sight=_sight_of(bag),
    )


def _sight_of(bag: Path) -> Sight | None:
    """The sight that a sealed bag tells of; None when it has none that can be understood."""
    try:
        return Sight.from_json(json.loads((bag / layout.SIGHT).read_bytes()))
    except (OSError, ValueError):
        return None


class _Run:
    """One run of one export; holds what its steps share."""

    def __init__(
        self,
        client: Client,
        place: HomeLayout,
        disk: Disk,
        tally: _Tally,
        stop: threading.Event,
        selection: Selection,
        identity: orgs.Identity,
        key: Callable[[], signing.SigningKey],
        tuning: Tuning,
    ) -> None:
        self._client = client
        self._place = place
        self._disk = disk
        self._tally = tally
        self._stop = stop
        self._selection = selection
        self._identity = identity
        self._key = key
        self._tuning = tuning
        self.catalogue: tuple[bytes, tuple[ObjectEntry, ...]] | None = None  # if already asked for
        self.sight: Sight | None = None  # likewise
        self.hints: dict[str, int] | None = None  # likewise
        self._entries: tuple[ObjectEntry, ...] = ()
        self._named: frozenset[str] = frozenset()
        self._journal: Journal | None = None
        self._streams = ThreadPoolExecutor(STREAMS, thread_name_prefix="stream")
        self._first_error: BaseException | None = None
        self._audited: set[str] = set()  # by this run: files may change between two
        self._reread: set[str] = set()  # read again by this run because rows came twice
        self._error_lock = threading.Lock()

    def close(self) -> None:
        """Let go of threads and files."""
        self._streams.shutdown(wait=True, cancel_futures=True)
        if self._journal is not None:
            self._journal.close()

    @property
    def _log(self) -> Journal:
        assert self._journal is not None
        return self._journal

    # ---- the order of things -----------------------------------------------------------------

    def go(self, about: dict[str, Any] | None, started: float, *, strict: bool) -> ExportResult:
        resumed = self._open(about)
        generation = sealing.finish_interrupted(self._place, self._log)
        if generation is not None:
            self._clean_up()
            return _already_sealed(self._place, self._identity, self._tally, started)
        for leftover in self._place.work.glob("ids-*"):  # of an audit that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        strangers = sealing.sweep(self._place, self._disk, self._log)
        self._catalogue()
        if resumed:
            self._try_failed_again()
        reader = Reader(
            self._client,
            self._place,
            self._disk,
            self._log,
            self._tally,
            stop=self._stop,
            streams=self._streams,
            verifying=threading.Semaphore(max(2, os.cpu_count() or 2)),
            names=self._safe_names(),
            user_id=self._identity.user_id,
            tuning=self._tuning,
        )
        organization = self._about_the_org()
        if strict:
            seeing.refuse_blind_spots(self._sight, self._selection, begun=True)
        for _ in range(_AUDITS):
            self._read_all(reader)
            if self._read_back(reader):
                break
        else:
            raise ArchiveProblem(
                "files of the unsealed archive keep changing while it is read back: find the "
                "program that touches them (virus scanner, sync client), then run this again"
            )
        strangers += sealing.sweep(self._place, self._disk, self._log)
        for name in strangers:
            self._tally.note(f"{name} is not part of the archive; it was set aside in work/")
        self._look_closer(reader)
        lines = seeing.ledger(ledger_lines(self._log), self._sight, self._planned())
        bag = self._seal(reader, organization, lines)
        self._clean_up()
        return ExportResult(
            home=self._place.root,
            organization_id=self._identity.organization_id,
            organization=str(organization.get("Name", "")),
            bag=bag,
            lines=lines,
            rows_read=self._tally.rows,
            csv_bytes_read=self._tally.csv_bytes,
            calls=self._tally.used,
            seconds=time.monotonic() - started,
            resumed=resumed,
            set_aside=tuple(strangers),
            sight=self._sight,
        )

    def _open(self, about: dict[str, Any] | None) -> bool:
        """Open the journal of the run under way, or begin one; True when there was one."""
        work = self._place.work
        lines, index = work / layout.WORK_JOURNAL, work / layout.WORK_STATE
        version = self._client.version
        nothing = not lines.exists() or lines.stat().st_size == 0
        if about is None or (nothing and not index.exists()):
            told = {
                "schema": layout.WORK_SCHEMA,
                "org": self._identity.organization_id,
                "api_version": version,
            }
            self._disk.make_folder(self._place.work_bag / layout.DATA)
            # home.json is the first to come and the first to go: it says that an export is under
            # way, whatever else is there.
            document = json.dumps(told).encode() + b"\n"
            sealing.write_whole(self._disk, work / layout.WORK_HOME, document)
            self._journal = Journal.create(self._disk, lines, index)
        else:
            self._journal = Journal.open(self._disk, lines, index)
        made_by = f"sfexit {sfexit.__version__}, Python {platform.python_version()}"
        if self._log.fact("begun") is None:
            self._log.record(
                "begun",
                org=self._identity.organization_id,
                api_version=version,
                selection=self._selection.as_text(),
                made_by=made_by,
            )
            return False
        self._check_same(version)
        self._log.record("resumed", made_by=made_by)
        return True

    def _check_same(self, version: str) -> None:
        begun = self._log.fact("api_version")
        if begun != version:
            raise Blocked(
                f"this export was begun with API version {begun}, but {version} was asked for: "
                f"one archive holds one version; use --api-version {begun}"
            )
        selection = self._log.fact("selection")
        if selection != self._selection.as_text():
            raise UsageProblem(
                f"this export was begun with another choice of objects ({selection}): give the "
                f"same --objects and --exclude, or remove {self._place.work} to begin anew"
            )

    def _catalogue(self) -> None:
        """describeGlobal: from the archive when the run was planned before, else from the org."""
        stored = sealing.stored_file(self._log, self._place.work_bag, layout.SOBJECTS)
        if self._log.fact("planned") is not None and stored is not None:
            self._entries = describing.parse_global(stored)
            self._named = frozenset(entry.name for entry in self._entries)
            return
        data, entries = self.catalogue or describing.describe_global(self._client)
        self.catalogue = None
        known = self._planned()
        self._publish(layout.SOBJECTS, data)
        self._entries = entries
        self._named = frozenset(entry.name for entry in entries)
        hints = self._hints()
        fresh = self._named.difference(known)
        # What was planned by a copy that was lost since stays planned, in its order.
        names = [*known, *sorted(fresh, key=lambda n: (-hints.get(n, 0), n))]
        self._log.record("planned", objects=names, hints=hints)

    def _planned(self) -> list[str]:
        """Every object that the org named, in the order of reading."""
        return [row["name"] for row in self._log.rows("SELECT name FROM object ORDER BY position")]

    def _safe_names(self) -> dict[str, str]:
        return layout.safe_names(self._planned())

    def _try_failed_again(self) -> None:
        """What failed in an earlier run of this export gets another chance."""
        for line in list(ledger_lines(self._log)):
            if line.outcome == "failed":
                self._log.record("again", object=line.object, fresh=False)

    def _hints(self) -> dict[str, int]:
        """Approximate rows by object, to read the biggest first and to guess the time left.

        recordCount is stale and leaves out deleted and archived rows: never a count.
        """
        if self.hints is None:
            self.hints = {}
            with suppress(OrgRefused, Transient):
                told = self._client.get_json("/limits/recordCount")
                for one in told.get("sObjects", []):
                    self.hints[str(one.get("name"))] = int(one.get("count") or 0)
        return {name: count for name, count in self.hints.items() if count > 0}

    def _about_the_org(self) -> dict[str, Any]:
        organization = self._stored_json(layout.ORGANIZATION)
        if organization is None:
            organization = orgs.organization(self._client)
            self._publish_json(layout.ORGANIZATION, organization)
        if self._stored_json(layout.IDENTITY) is None:
            self._publish_json(
                layout.IDENTITY,
                {
                    "organization_id": self._identity.organization_id,
                    "user_id": self._identity.user_id,
                    "username": self._identity.username,
                },
            )
        if self._stored_json(layout.LIMITS) is None:
            self._publish_json(layout.LIMITS, {"before": self._limits()})
        self._see()
        return organization

    @property
    def _sight(self) -> Sight:
        assert self.sight is not None
        return self.sight

    def _see(self) -> None:
        """What this user does not see: from the archive, from this run's start, else by a look."""
        stored = self._stored_json(layout.SIGHT)
        if stored is not None:
            with suppress(ValueError):  # of another version of sfexit
                self.sight = Sight.from_json(stored)
                return
        if self.sight is None:
            try:
                self.sight, self.hints = seeing.first_look(self._client, self._entries, self._tally)
            except Transient as silence:
                raise Paused(_silent(silence)) from silence
        self._publish_json(layout.SIGHT, self.sight.as_json())

    def _look_closer(self, reader: Reader) -> None:
        """Compare the fields of objects that have rows although the org's counts said otherwise."""
        lines = list(ledger_lines(self._log))
        seen = seeing.closer_look(self._client, self._sight, lines, reader.description, self._tally)
        if seen is not self._sight:
            self.sight = seen
            self._publish_json(layout.SIGHT, seen.as_json())

    def _limits(self) -> dict[str, Any]:
        with suppress(OrgRefused, Transient):
            return orgs.limits(self._client)
        return {}

    def _stored_json(self, relative: str) -> dict[str, Any] | None:
        stored = sealing.stored_file(self._log, self._place.work_bag, relative)
        if stored is None:
            return None
        told: dict[str, Any] = json.loads(stored)
        return told

    def _publish_json(self, relative: str, document: Any) -> None:
        data = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
        self._publish(relative, data)

    def _publish(self, relative: str, data: bytes) -> None:
        sealing.publish_file(self._disk, self._log, self._place.work_bag, relative, data)

    # ---- reading -----------------------------------------------------------------------------

    def _read_all(self, reader: Reader) -> None:
        by_name = {entry.name: entry for entry in self._entries}
        rows = self._log.rows(
            "SELECT name, hint FROM object WHERE outcome IS NULL ORDER BY position"
        )
        todo = [by_name.get(row["name"]) or ObjectEntry(row["name"], "") for row in rows]
        hint = sum(row["hint"] or 0 for row in rows)
        self._tally.planned(len(todo), hint or None)
        self._tally.phase("Reading records")
        later = self._round(reader, todo, last=False)
        if later:
            self._tally.note(f"{len(later)} objects met passing faults; they are tried once more")
            self._round(reader, later, last=True)

    def _round(
        self, reader: Reader, entries: list[ObjectEntry], *, last: bool
    ) -> list[ObjectEntry]:
        """Read objects side by side; returns those worth another round. Raises what stops a run."""
        later: list[ObjectEntry] = []
        with ThreadPoolExecutor(OBJECTS_AT_ONCE, thread_name_prefix="object") as pool:
            running: dict[Future[LedgerLine | None], ObjectEntry] = {}
            waiting = threading.Semaphore(_PAGES_WAITING)
            try:
                for entry, found in self._ahead(entries, last=last):
                    waiting.acquire()
                    future = pool.submit(self._one, reader, entry, found, last=last)
                    future.add_done_callback(lambda _: waiting.release())
                    running[future] = entry
            except SfexitError as error:
                self._halt(error)
            for future in as_completed(running):
                if future.result() is None:
                    later.append(running[future])
        if self._first_error is not None:
            raise self._first_error
        if self._stop.is_set():
            raise Interrupted("the run was asked to stop")
        return later

    def _ahead(
        self, entries: list[ObjectEntry], *, last: bool
    ) -> Iterator[tuple[ObjectEntry, Found]]:
        """Each object once, with what composite requests tell of it where they are of use."""
        begun = {
            row["name"]
            for row in self._log.rows("SELECT name FROM object WHERE fields IS NOT NULL")
        }
        fresh = [
            entry
            for entry in entries
            if entry.name not in begun and self._settle(entry) is None and not last
        ]
        if not self._tuning.scout or len(fresh) < scout.FEWEST:
            fresh = []
        asked = {entry.name for entry in fresh}
        for entry in entries:
            if entry.name not in asked:
                yield entry, scout.NOTHING
        hints = {
            row["name"]: row["hint"] or 0 for row in self._log.rows("SELECT name, hint FROM object")
        }

        def big(entry: ObjectEntry) -> bool:
            return hints.get(entry.name, 0) >= self._tuning.bulk_from_rows

        yield from scout.scout(self._client, fresh, big=big, stop=self._stop)

    def _one(
        self, reader: Reader, entry: ObjectEntry, found: Found, *, last: bool
    ) -> LedgerLine | None:
        """One object to its outcome; None when it is left for another round or the run stops."""
        if self._stop.is_set():
            return None
        try:
            try:
                line = self._settle(entry) or reader.read(entry, found)
            except Transient as fault:
                if not last:
                    return None
                self._insist_on_org(fault)
                line = reader.failed(entry, fault)
            self._log.record("outcome", **line.as_event())
        except Interrupted:
            return None
        except BaseException as error:
            self._halt(error)
            return None
        self._tally.object_finished(line.object, line.outcome, line.rows or 0)
        return line

    def _insist_on_org(self, fault: Transient) -> None:
        """An object only fails while the org answers; when it does not, the run waits for it."""
        try:
            orgs.limits(self._client)
        except OrgRefused:
            return
        except Transient as silence:
            raise Paused(_silent(silence)) from fault

    def _settle(self, entry: ObjectEntry) -> LedgerLine | None:
        if entry.name not in self._named:
            return LedgerLine(
                entry.name,
                entry.label,
                "not_exported",
                reason="the org named it when the export began, and later no more",
                evidence="describeGlobal, asked twice",
                remedy=plan.RUN_AGAIN,
            )
        if not layout.is_api_name(entry.name):
            return LedgerLine(
                entry.name[:200],
                entry.label,
                "not_exported",
                reason="its name is no API name, so it is never put into a query or a path",
                evidence="describeGlobal",
                remedy=plan.REPORT_IT,
            )
        line = plan.settled(entry, rule_for(entry), self._selection)
        if line is None:
            return None
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return replace(line, started=now, finished=now)

    def _halt(self, error: BaseException) -> None:
        """Remember the first thing that stops the run, and stop it."""
        with self._error_lock:
            if self._first_error is None:
                self._first_error = error
        self._stop.set()

    def told(self, trouble: DiskTrouble) -> DiskTrouble:
        """The trouble in full: what is free, what is needed, what to do."""
        words = [trouble.message]
        with suppress(OSError):
            free = f"{_mb(self._disk.free_bytes(self._place.work))} are free"
            need = self._need()
            words.append(free + (f", about {_mb(need)} more are needed" if need else ""))
        words.append(
            "everything published so far is kept: make room or repair the disk, then run the same "
            "command again"
        )
        return DiskTrouble("; ".join(words))

    def _need(self) -> int | None:
        """Bytes that the rest will take, guessed from the part that is done; None: unknown."""
        if self._journal is None:
            return None
        with suppress(SfexitError):
            [done] = self._log.rows("SELECT total(rows) AS rows, total(bytes) AS bytes FROM page")
            [left] = self._log.rows("SELECT total(hint) AS rows FROM object WHERE outcome IS NULL")
            if done["rows"] and left["rows"]:
                return int(left["rows"] * done["bytes"] / done["rows"])
        return None

    # ---- reading back and sealing --------------------------------------------------------------

    def _read_back(self, reader: Reader) -> bool:
        """Check every stored file; True when all is as it was written.

        Pages that are not are forgotten, so that the next round fetches them again.
        """
        self._tally.phase("Reading back")
        whole = True
        for path in sealing.damaged_files(self._place, self._log):
            whole = False
            self._tally.note(f"{path} was changed or removed by another program; it is made again")
            self._make_again(reader, path)
        whole = self._describe_again(reader) and whole
        fields = {
            row["name"]: json.loads(row["fields"])
            for row in self._log.rows("SELECT name, fields FROM object WHERE fields IS NOT NULL")
        }
        lines = {line.object: line for line in ledger_lines(self._log)}
        with ThreadPoolExecutor(2, thread_name_prefix="audit") as pool:
            audits = {
                pool.submit(self._audit_one, name, fields[name]): name
                for name, line in lines.items()
                if line.has_rows and name not in self._audited
            }
            for future in as_completed(audits):
                name = audits[future]
                found = future.result()
                if found is None:
                    continue
                for page, what in found.damaged:
                    whole = False
                    self._tally.note(f"{page['path']}: {what}; it is fetched again")
                    told = f"{page['path']}: {what}"
                    self._log.record("note", object=name, kind="audit", text=told)
                    self._disk.remove(layout.within(self._place.work_bag, page["path"]))
                    self._log.record(
                        "page_lost",
                        path=page["path"],
                        object=name,
                        reading=page["reading"],
                        slice=page["slice"],
                    )
                if found.damaged:
                    continue
                twice = _twice(lines[name], found)
                if twice and name not in self._reread:
                    whole = False
                    self._reread.add(name)
                    reader.reread(name, f"{twice:,} rows came twice (same Id)")
                    continue
                self._audited.add(name)
                self._log.record("outcome", **_audited(lines[name], found).as_event())
        return whole

    def _describe_again(self, reader: Reader) -> bool:
        """Every object that was described has its describe in the bag; True when all is well."""
        there = {row["path"] for row in self._log.rows("SELECT path FROM file")}
        whole = True
        for row in self._log.rows("SELECT name FROM object WHERE fields IS NOT NULL"):
            if layout.describe_path(reader.names[row["name"]]) in there:
                continue
            try:
                reader.description(row["name"])
            except OrgRefused as refusal:
                whole = False
                reader.reread(row["name"], f"its describe was lost and is refused now ({refusal})")
        return whole

    def _audit_one(self, name: str, header: list[str]) -> audit.ObjectAudit | None:
        if self._stop.is_set():
            raise Interrupted("the run was asked to stop")
        pages = list(self._log.pages(name))
        return audit.audit_object(self._place.work_bag, pages, header, self._place.work)

    def _make_again(self, reader: Reader, relative: str) -> None:
        """Fetch a published file that is no page once more."""
        self._disk.remove(layout.within(self._place.work_bag, relative))
        self._log.record("file_lost", path=relative)
        if relative == layout.SOBJECTS:
            self._catalogue()
            reader.names.update(self._safe_names())
        elif relative in (layout.ORGANIZATION, layout.IDENTITY, layout.LIMITS, layout.SIGHT):
            self._about_the_org()

    def _seal(
        self, reader: Reader, organization: dict[str, Any], lines: tuple[LedgerLine, ...]
    ) -> SealedBag:
        self._tally.phase("Sealing")
        before = (self._stored_json(layout.LIMITS) or {}).get("before", {})
        self._publish_json(layout.LIMITS, {"before": before, "after": self._limits()})
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        software = f"sfexit {sfexit.__version__}"
        self._publish_json(
            layout.RUN,
            {
                "schema": "sfexit-run/1",
                "software": software,
                "python": platform.python_version(),
                "system": platform.system(),
                "began": self._log.fact("begun"),
                "sealed": now,
                "api_version": self._client.version,
                "user": self._identity.username,
                "user_id": self._identity.user_id,
                "selection": self._selection.as_text(),
            },
        )
        generation = (self._place.generations() or (0,))[-1] + 1
        return sealing.seal(
            self._place,
            self._disk,
            self._log,
            generation=generation,
            lines=lines,
            named={*self._planned(), *(one.name for one in self._sight.hidden_objects)},
            describe=reader.description,
            key=self._key(),
            labels={
                "organization": str(organization.get("Name") or "unknown"),
                "org_id": self._identity.organization_id,
                "api_version": self._client.version,
                "sealed": now,
                "software": software,
            },
        )

    def _clean_up(self) -> None:
        """Our query jobs in the org, then the litter of the run. Nothing here may fail the run."""
        jobs = self._log.rows("SELECT job_id, state FROM slice WHERE job_id IS NOT NULL")
        for row in jobs:
            if row["state"] == "job":  # perhaps still at work, and then it cannot be deleted
                with suppress(SfexitError):
                    bulk.abort(self._client, row["job_id"])
            with suppress(SfexitError):
                bulk.delete(self._client, row["job_id"])
        self._log.close()
        self._journal = None
        home.clear_work(self._place)


def _silent(silence: Transient) -> str:
    return (
        f"the org does not answer any more ({silence.message.rstrip('.')}): run the same command "
        "again when it does. Progress is kept"
    )


def _mb(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


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
