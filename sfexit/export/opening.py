"""Beginning the journal of an export, or going on with the one that is there."""

from __future__ import annotations

import json
import platform
from typing import Any

import sfexit
from sfexit.archive import layout, sealing
from sfexit.archive.durable import Disk
from sfexit.archive.journal import Journal
from sfexit.archive.layout import HomeLayout
from sfexit.errors import Blocked, UsageProblem
from sfexit.export.plan import Selection


def open_journal(
    place: HomeLayout,
    disk: Disk,
    about: dict[str, Any] | None,
    *,
    organization_id: str,
    api_version: str,
    selection: Selection,
    refresh: str | None = None,
) -> tuple[Journal, bool]:
    """The journal of the export under way, or a new one; and True when there was one.

    `about` is what work/home.json says, None when no export is under way; `refresh` is the root
    digest of the bag that a new run builds on, None for one that reads everything. Raises Blocked
    or UsageProblem when the export was begun otherwise, ArchiveProblem, DiskTrouble.
    """
    lines, index = place.work / layout.WORK_JOURNAL, place.work / layout.WORK_STATE
    nothing = not lines.exists() or lines.stat().st_size == 0
    if about is None or (nothing and not index.exists()):
        told = {
            "schema": layout.WORK_SCHEMA,
            "org": organization_id,
            "api_version": api_version,
        }
        disk.make_folder(place.work_bag / layout.DATA)
        # home.json is the first to come and the first to go: it says that an export is under
        # way, whatever else is there.
        document = json.dumps(told).encode() + b"\n"
        sealing.write_whole(disk, place.work / layout.WORK_HOME, document)
        journal = Journal.create(disk, lines, index)
    else:
        journal = Journal.open(disk, lines, index)
    try:
        made_by = f"sfexit {sfexit.__version__}, Python {platform.python_version()}"
        if journal.fact("begun") is None:
            journal.record(
                "begun",
                org=organization_id,
                api_version=api_version,
                selection=selection.as_text(),
                made_by=made_by,
                **({} if refresh is None else {"refresh": refresh}),
            )
            return journal, False
        _check_same(place, journal, api_version, selection)
        journal.record("resumed", made_by=made_by)
        return journal, True
    except BaseException:
        journal.close()
        raise


def _check_same(
    place: HomeLayout, journal: Journal, api_version: str, selection: Selection
) -> None:
    begun = journal.fact("api_version")
    if begun != api_version:
        raise Blocked(
            f"this export was begun with API version {begun}, but {api_version} was asked for: "
            f"one archive holds one version; use --api-version {begun}"
        )
    chosen = journal.fact("selection")
    if chosen != selection.as_text():
        raise UsageProblem(
            f"this export was begun with another choice of objects ({chosen}): give the "
            f"same --objects and --exclude, or remove {place.work} to begin anew"
        )
