"""A look at an org before anything is taken: what is there, what is hidden, what it will cost."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sfexit import preflight
from sfexit.archive import bagit, home
from sfexit.archive.layout import HomeLayout
from sfexit.catalog import ObjectEntry
from sfexit.errors import DamagedAnswer, OrgRefused, SfexitError, Transient
from sfexit.export.estimate import FILE_OBJECTS, Estimate, estimate, measure
from sfexit.export.other_calls import configured
from sfexit.export.plan import Selection
from sfexit.export.refresh.unchanged import Unchanged, remembered
from sfexit.preflight import elsewhere
from sfexit.preflight.elsewhere import Sign
from sfexit.preflight.looking import DESCRIBED, record_counts
from sfexit.preflight.sight import HELD, Sight
from sfexit.progress import SILENT, Progress
from sfexit.salesforce import describe as describing
from sfexit.salesforce import org as orgs
from sfexit.salesforce.client import Client

START_MARGIN = 1.3  # of the estimated days, before the contract's end


@dataclass(frozen=True)
class Assessment:
    """What the look came to. `calls` are its own; `free_bytes` is None where the disk hides it."""

    taken_at: datetime
    organization_id: str
    organization: Mapping[str, Any]
    username: str
    api_version: str
    entries: tuple[ObjectEntry, ...]
    sight: Sight
    estimate: Estimate
    signs: tuple[Sign, ...]
    calls: int
    place: Path
    free_bytes: int | None
    contract_end: date | None = None
    unchanged: Unchanged | None = None  # since when the org is what the archive in `place` holds

    @property
    def days_left(self) -> int | None:
        """Days until the contract's end; None when none was given."""
        return (self.contract_end - self.taken_at.date()).days if self.contract_end else None

    @property
    def in_time(self) -> bool | None:
        """Whether the export, with some room, is done before the contract's end; None: unknown."""
        left = self.days_left
        if left is None:
            return None
        if left > 0 and not self.estimate.rows_known:
            return None
        return self.estimate.days * START_MARGIN <= left


def assess(
    client: Client,
    *,
    place: Path,
    share: float,
    selection: Selection | None = None,
    line_mbit: float | None = None,
    contract_end: date | None = None,
    progress: Progress = SILENT,
) -> Assessment:
    """Look at the org behind `client` in few calls, changing nothing.

    `place` is where the archive would go, `share` what an export may use of the daily calls,
    `line_mbit` the line's speed (None: a slow one is assumed). Raises what the client raises.
    """
    progress.phase("Signing in")
    identity = orgs.identity(client)
    version = client.version
    progress.phase("Looking at the org")
    try:
        organization = orgs.organization(client)
    except (OrgRefused, DamagedAnswer):  # a user who may not even see that row can still look
        organization = {}
    _, entries = describing.describe_global(client)
    try:
        limits = orgs.limits(client)
    except (OrgRefused, Transient):
        limits = {}
    questions = preflight.Questions(client)
    names = {entry.name for entry in entries}
    first = (*DESCRIBED, *elsewhere.DESCRIBED, *FILE_OBJECTS)
    questions.learn(name for name in first if name in names)
    hints = record_counts(questions)
    progress.phase("Looking for what is hidden")
    sight = preflight.look(client, entries, rows=hints, questions=questions)
    progress.phase("Looking for data that lives elsewhere")
    evidence = elsewhere.ask(
        questions, entries, is_sandbox=str(organization.get("IsSandbox")).lower() == "true"
    )
    progress.phase("Looking at the configuration")
    setup = configured(client)
    sight = preflight.with_objects(sight, setup.objects, entries)
    progress.phase("Measuring")
    measured = measure(questions, entries, hints or {})
    cost = estimate(
        entries,
        hints=hints,
        descriptions=questions.descriptions,
        measured=measured,
        limits=limits,
        selection=selection or Selection(),
        share=share,
        line_mbit=line_mbit,
        configured=setup,
        sees_all_files=sight.state("QueryAllFiles") == HELD,
    )
    return Assessment(
        taken_at=client.server_time or datetime.now(UTC),
        organization_id=identity.organization_id,
        organization=organization,
        username=identity.username,
        api_version=version,
        entries=entries,
        sight=sight,
        estimate=cost,
        signs=elsewhere.signs(evidence, entries, limits),
        calls=client.budget.used,
        place=place,
        free_bytes=_free(place),
        contract_end=contract_end,
        unchanged=_unchanged(place, identity.organization_id),
    )


def _unchanged(place: Path, organization_id: str) -> Unchanged | None:
    """What the last refresh of this home said, if it found nothing since its newest bag."""
    with suppress(SfexitError):
        if home.home_org(place) == organization_id:
            found = HomeLayout(place)
            generations = found.generations()
            if generations:
                return remembered(found, bagit.root_digest(found.bag(generations[-1])))
    return None


def _free(place: Path) -> int | None:
    """Free bytes where `place` is or would be."""
    for folder in (place, *place.absolute().parents):
        try:
            return shutil.disk_usage(folder).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
