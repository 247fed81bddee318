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

from sfexit.archive import bagit, home, sealing, signing
from sfexit.archive.durable import Disk
from sfexit.archive.earlier import Earlier
from sfexit.archive.journal import Journal
from sfexit.archive.layout import HomeLayout
from sfexit.errors import (
    Blocked,
    DiskTrouble,
    OrgRefused,
    SignInProblem,
    Transient,
)
from sfexit.export import catalogue, closing, opening
from sfexit.export.catalogue import FirstLook
from sfexit.export.files.held import Held
from sfexit.export.means import Means, Tuning
from sfexit.export.plan import Selection
from sfexit.export.refresh import summing
from sfexit.export.result import ExportResult, already_sealed
from sfexit.export.stages import Stages
from sfexit.export.tally import Tally
from sfexit.progress import SILENT, Progress
from sfexit.salesforce import org as orgs
from sfexit.salesforce import refusals
from sfexit.salesforce.client import Client

STREAMS = 8  # "keep big downloads at 8": the org allows 25 requests over 20 s, developer orgs 5


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

    stages = Stages(means, first, held, strict=strict)
    if resumed:
        stages.resume()
    after = stages.take()
    strangers += sealing.sweep(means.home, means.disk, means.journal)
    for name in strangers:
        means.tally.note(f"{name} is not part of the archive; it was set aside in work/")
    lines, named = stages.ledger()
    name = str(stages.organization.row.get("Name") or "")
    refreshed = None if means.earlier is None else summing.up(means, means.earlier, lines)
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
        describe=stages.records.description,
        files=stages.files.lines,
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
        files_fetched=stages.files.fetched,
        file_bytes_fetched=stages.files.bytes,
        files_taken_over=stages.files.taken_over,
        sight=stages.looking.sight,
        metadata=stages.metadata.summary,
        refreshed=refreshed,
        page_bytes=means.tally.wire_bytes,
    )
