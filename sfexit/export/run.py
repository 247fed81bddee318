"""The whole export, in order: look, take every stage, read back, seal."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from sfexit.archive import bagit, home, layout, sealing, signing
from sfexit.archive.durable import Disk
from sfexit.archive.earlier import Earlier
from sfexit.archive.journal import Journal
from sfexit.archive.layout import HomeLayout
from sfexit.archive.ledger import LedgerLine
from sfexit.errors import (
    ArchiveProblem,
    Blocked,
    DiskTrouble,
    OrgRefused,
    SignInProblem,
    Transient,
)
from sfexit.export import catalogue, closing, opening
from sfexit.export.catalogue import Catalogue, FirstLook
from sfexit.export.definitions import Definitions, Results
from sfexit.export.dictionary.stage import Dictionary
from sfexit.export.files import unlisted
from sfexit.export.files.held import Held
from sfexit.export.files.stage import Files
from sfexit.export.hidden import Looking, LookingCloser
from sfexit.export.means import Means, Tuning
from sfexit.export.metadata.stage import Metadata
from sfexit.export.organization import Organization, limits
from sfexit.export.plan import Selection
from sfexit.export.records import Records
from sfexit.export.refresh import summing
from sfexit.export.refresh.refresher import Refresher
from sfexit.export.result import ExportResult, already_sealed, sight_of
from sfexit.export.stage import Stage
from sfexit.export.tally import Tally
from sfexit.preflight.sight import HELD
from sfexit.progress import SILENT, Progress
from sfexit.salesforce import org as orgs
from sfexit.salesforce import refusals
from sfexit.salesforce.client import Client

STREAMS = 8  # "keep big downloads at 8": the org allows 25 requests over 20 s, developer orgs 5
_ROUNDS = 4  # of reading back and making again what was damaged


def export(
    client: Client,
    root: Path,
    *,
    key: Callable[[], signing.SigningKey],
    selection: Selection | None = None,
    anew: bool = False,
    refresh: bool = False,
    strict: bool = False,
    disk: Disk | None = None,
    progress: Progress = SILENT,
    stop: threading.Event | None = None,
    tuning: Tuning | None = None,
) -> ExportResult:
    """Export the org behind `client` into the home `root`, or go on where a run was cut off.

    `key` is asked for only when there is something to sign. `anew` begins the next generation
    although a sealed bag is there; `refresh` does so too, and takes over from that bag what did not
    change (without one, everything is read). An export under way goes on as it was begun. `strict`
    refuses to read anything unless this user sees everything. `stop`, once set, ends the run in
    good order with Interrupted; it should be the client's own. Raises what `errors` names; progress
    is always kept.
    """
    started = time.monotonic()
    disk = disk or Disk()
    stop = stop or threading.Event()
    selection = selection or Selection()
    tally = Tally(progress)
    client.progress = tally
    home.check_place(root)
    progress.phase("Signing in")
    try:
        # Fetched here, so that what may go wrong does so before the start.
        with ThreadPoolExecutor(1, thread_name_prefix="version") as beside:
            asking = beside.submit(lambda: client.version)
            identity = orgs.identity(client)
            version = asking.result()
        place = HomeLayout(root)
        home.check_org(place, identity.organization_id)
        first: FirstLook | None = None
        more = anew or refresh
        if home.work_about(place) is None and (more or not place.generations()):
            first = catalogue.first_look(client, selection, progress, strict=strict)
    except Transient as fault:
        raise SignInProblem(
            f"{fault.message.rstrip('.')}. Nothing was changed: try again when the org can be "
            "reached"
        ) from fault
    except OrgRefused as refused:
        raise refusals.cannot_go_on(refused, "nothing was changed") from refused
    home.claim(root, identity.organization_id, disk)
    journal = None
    with home.locked(place, disk), ExitStack() as last:
        about = home.work_about(place)
        if about is None:
            home.clear_work(place)  # the litter of an export that was killed after its seal
            if place.generations() and not more:
                return _sealed_before(place, identity, tally, started)
        try:
            journal, resumed = opening.open_journal(
                place,
                disk,
                about,
                organization_id=identity.organization_id,
                api_version=version,
                selection=selection,
                refresh=_newest_root(place) if refresh else None,
            )
            last.callback(journal.close)
            streams = ThreadPoolExecutor(STREAMS, thread_name_prefix="stream")
            last.callback(streams.shutdown, wait=True, cancel_futures=True)
            means = Means(
                client,
                place,
                disk,
                journal,
                tally,
                stop,
                streams,
                threading.Semaphore(max(2, os.cpu_count() or 2)),
                identity,
                selection,
                tuning or Tuning(),
            )
            if sealing.finish_interrupted(place, journal) is not None:
                closing.clean_up(means)
                return _sealed_before(place, identity, tally, started)
            earlier, held = _opened_earlier(place, disk, journal), None
            if earlier is not None:
                last.callback(earlier.close)
                held = Held.open(earlier.bag, place.work)
                last.callback(held.close)
                means = replace(means, earlier=earlier)
            return _run(means, first, held, key, started, resumed=resumed, strict=strict)
        except OrgRefused as refused:
            raise refusals.cannot_go_on(refused, "progress is kept") from refused
        except DiskTrouble as trouble:
            raise closing.in_full(trouble, disk, place, journal) from trouble


def _newest_root(place: HomeLayout) -> str | None:
    generations = place.generations()
    return bagit.root_digest(place.bag(generations[-1])) if generations else None


def _opened_earlier(place: HomeLayout, disk: Disk, journal: Journal) -> Earlier | None:
    """The bag that the export under way builds on; None when it reads everything."""
    root = journal.fact("refresh")
    if root is None:
        return None
    if root != _newest_root(place):
        raise Blocked(
            f"this refresh was begun on a bag that is not the newest in {place.bags} any more: put "
            f"that folder back as it was, or remove {place.work} to begin anew"
        )
    return Earlier(place, disk, place.generations()[-1])


def _sealed_before(
    place: HomeLayout, identity: orgs.Identity, tally: Tally, started: float
) -> ExportResult:
    return already_sealed(
        place,
        identity.organization_id,
        calls=tally.used,
        seconds=time.monotonic() - started,
    )


def _run(
    means: Means,
    first: FirstLook | None,
    held: Held | None,
    key: Callable[[], signing.SigningKey],
    started: float,
    *,
    resumed: bool,
    strict: bool,
) -> ExportResult:
    for leftover in means.home.work.glob("ids-*"):  # of an audit that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    strangers = sealing.sweep(means.home, means.disk, means.journal, beginning=True)

    earlier = means.earlier
    objects = Catalogue(means, first)
    organization = Organization(means)
    looking = Looking(means, objects, first, strict=strict)
    records = Records(
        means,
        objects,
        None
        if earlier is None
        else lambda reader: Refresher(
            means, reader, earlier, lambda: looking.sight, sight_of(earlier.bag)
        ),
    )
    definitions = Definitions(means, results=means.selection.report_results)
    closer = LookingCloser(means, looking, records.description)
    # In the order of a run. What else an export takes stands between the records and the last look.
    files = Files(
        means,
        records.description,
        held,
        lambda: looking.sight.state(unlisted.PERMISSION) == HELD,
    )
    metadata = Metadata(means)
    dictionary = Dictionary(means)
    stages: list[Stage] = [
        objects, organization, looking, records, files, definitions, metadata, dictionary,
        Results(means, definitions), closer,
    ]  # fmt: skip

    if resumed:
        for stage in stages:
            stage.resume()
    after = _take_all(means, stages)
    strangers += sealing.sweep(means.home, means.disk, means.journal)
    for name in strangers:
        means.tally.note(f"{name} is not part of the archive; it was set aside in work/")
    lines: tuple[LedgerLine, ...] = ()
    named: set[str] = set()
    for stage in stages:
        lines = stage.ledger(lines)
        named |= stage.named()
    name = str(organization.row.get("Name") or "")
    refreshed = None if earlier is None else summing.up(means, earlier, lines)
    if refreshed is not None and refreshed.unchanged:
        closing.clean_up(means)
        before = already_sealed(
            means.home,
            means.identity.organization_id,
            calls=means.tally.used,
            seconds=time.monotonic() - started,
        )
        return replace(
            before,
            refreshed=refreshed,
            resumed=resumed,
            rows_read=means.tally.rows,
            csv_bytes_read=means.tally.csv_bytes,
            page_bytes=means.tally.wire_bytes,
        )
    bag = closing.seal(
        means,
        key,
        organization=name,
        limits_after=after,
        lines=lines,
        named=named,
        describe=records.description,
        files=files.lines,
    )
    closing.clean_up(means)
    return ExportResult(
        home=means.home.root,
        organization_id=means.identity.organization_id,
        organization=name,
        bag=bag,
        lines=lines,
        rows_read=means.tally.rows,
        csv_bytes_read=means.tally.csv_bytes,
        calls=means.tally.used,
        seconds=time.monotonic() - started,
        resumed=resumed,
        set_aside=tuple(strangers),
        files_fetched=files.fetched,
        file_bytes_fetched=files.bytes,
        files_taken_over=files.taken_over,
        sight=looking.sight,
        metadata=metadata.summary,
        refreshed=refreshed,
        page_bytes=means.tally.wire_bytes,
    )


def _take_all(means: Means, stages: list[Stage]) -> dict[str, Any]:
    """Until everything is in the bag and read back as it was written. Returns the org's allowances
    as they are after the reading."""
    for _ in range(_ROUNDS):
        for stage in stages:
            stage.take()
        after = means.streams.submit(limits, means.client)
        means.tally.phase("Reading back")
        whole = True
        for stage in stages:
            whole = stage.read_back() and whole
        if _files_whole(means) and whole:
            return after.result()
    raise ArchiveProblem(
        "files of the unsealed archive keep changing while it is read back: find the "
        "program that touches them (virus scanner, sync client), then run this again"
    )


def _files_whole(means: Means) -> bool:
    """True when every published file that is no page is as it was written; others are forgotten."""
    damaged = sealing.damaged_files(means.home, means.journal)
    for path in damaged:
        means.tally.note(f"{path} was changed or removed by another program; it is made again")
        means.disk.remove(layout.within(means.bag, path))
        means.journal.record("file_lost", path=path)
    return not damaged
