"""The end of a run: the seal, our traces in the org and in work/, and words for a full disk."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import sfexit
from sfexit.archive import home, layout, sealing, signing
from sfexit.archive.durable import Disk
from sfexit.archive.journal import Journal
from sfexit.archive.layout import HomeLayout
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.sealing import SealedBag
from sfexit.catalog import Description
from sfexit.errors import DiskTrouble, SfexitError
from sfexit.export.means import Means
from sfexit.salesforce import bulk


def seal(
    means: Means,
    key: Callable[[], signing.SigningKey],
    *,
    organization: str,
    limits_after: dict[str, Any],
    lines: tuple[LedgerLine, ...],
    named: set[str],
    describe: Callable[[str], Description],
    files: int,
) -> SealedBag:
    """Write what only the end knows, and seal; the index of files has `files` lines.

    Raises ArchiveProblem when sums do not hold.
    """
    means.tally.phase("Sealing")
    before = (means.stored_json(layout.LIMITS) or {}).get("before", {})
    means.publish_json(layout.LIMITS, {"before": before, "after": limits_after})
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    software = f"sfexit {sfexit.__version__}"
    means.publish_json(
        layout.RUN,
        {
            "schema": "sfexit-run/1",
            "software": software,
            "python": platform.python_version(),
            "system": platform.system(),
            "began": means.journal.fact("begun"),
            "sealed": moment,
            "api_version": means.client.version,
            "user": means.identity.username,
            "user_id": means.identity.user_id,
            "selection": means.selection.as_text(),
        },
    )
    return sealing.seal(
        means.home,
        means.disk,
        means.journal,
        generation=(means.home.generations() or (0,))[-1] + 1,
        lines=lines,
        named=named,
        describe=describe,
        files=files,
        key=key(),
        labels={
            "organization": organization or "unknown",
            "org_id": means.identity.organization_id,
            "api_version": means.client.version,
            "sealed": moment,
            "software": software,
        },
    )


def clean_up(means: Means) -> None:
    """Our query jobs in the org, then the litter of the run. Nothing here may fail the run."""
    jobs = means.journal.rows("SELECT job_id, state FROM slice WHERE job_id IS NOT NULL")

    def drop(job_id: str, state: str) -> None:
        if state == "job":  # perhaps still at work, and then it cannot be deleted
            with suppress(SfexitError):
                bulk.abort(means.client, job_id)
        with suppress(SfexitError):
            bulk.delete(means.client, job_id)

    list(means.streams.map(drop, [r["job_id"] for r in jobs], [r["state"] for r in jobs]))
    means.journal.close()
    home.clear_work(means.home)


def in_full(
    trouble: DiskTrouble, disk: Disk, place: HomeLayout, journal: Journal | None
) -> DiskTrouble:
    """The trouble in full: what is free, what is needed, what to do."""
    words = [trouble.message]
    with suppress(OSError):
        free = f"{_mb(disk.free_bytes(place.work))} are free"
        need = _need(journal)
        words.append(free + (f", about {_mb(need)} more are needed" if need else ""))
    words.append(
        "everything published so far is kept: make room or repair the disk, then run the same "
        "command again"
    )
    return DiskTrouble("; ".join(words))


def _need(journal: Journal | None) -> int | None:
    """Bytes that the rest will take, guessed from the part that is done; None: unknown."""
    if journal is None:
        return None
    with suppress(SfexitError):
        [done] = journal.rows("SELECT total(rows) AS rows, total(bytes) AS bytes FROM page")
        [left] = journal.rows("SELECT total(hint) AS rows FROM object WHERE outcome IS NULL")
        if done["rows"] and left["rows"]:
            return int(left["rows"] * done["bytes"] / done["rows"])
    return None


def _mb(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
