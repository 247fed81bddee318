"""What live verification is asked to do, and what it came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sfexit.verify.codes import Severity
from sfexit.verify.finding import Finding
from sfexit.verify.live import asking, configuration, files, freeze, rows, values, weekly
from sfexit.verify.live.confidence import Statement
from sfexit.verify.verdict import Check, RegisterEntry, Result


@dataclass(frozen=True)
class Options:
    """What the admin wants. `sample`: rows drawn by chance over the whole archive.

    `full_values`: objects of which every value is compared. `deep`: read every body again that
    has no checksum, instead of `bodies` per field. `weekly`: the folder of Data Export ZIPs.
    `components`: how many of the org's configuration are retrieved again; with `deep` all.
    `secret`: what only the owner of the signing key can know; None: begin from the start.
    """

    sample: int = 1_000
    full_values: frozenset[str] = frozenset()
    deep: bool = False
    bodies: int = 20
    components: int = 50
    weekly: Path | None = None
    secret: bytes | None = None


@dataclass(frozen=True)
class Live:
    """What live verification came to: to be judged together with the offline checks.

    Moments are UTC, by the org's clock where it told one. `snapshot_…`: when the archive's records
    were read. `permissions`: names in Setup of those that show all data and that the user holds.
    `wire_bytes`: bodies as packed as they came.
    """

    root_digest: str
    organization_id: str
    user_id: str
    username: str
    api_version: str
    began: datetime
    ended: datetime
    holds_until: datetime
    snapshot_started: datetime
    snapshot_finished: datetime
    permissions: tuple[str, ...]
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    register: tuple[RegisterEntry, ...]
    statement: Statement
    compared: tuple[rows.Compared, ...]
    reread: tuple[values.Reread, ...]
    bodies: tuple[files.Bodies, ...]
    configuration: configuration.Configuration
    freeze: freeze.Freeze | None
    weekly: weekly.Weekly | None
    expected: asking.Cost
    calls: int
    wire_bytes: int
    seconds: float
    taken_over: int = 0  # objects that an earlier, stopped run had done

    @property
    def stale_objects(self) -> tuple[str, ...]:
        """Objects that a refresh would bring up to date."""
        return tuple(one.object for one in self.compared if one.asked and not one.equal)


def checks_of(
    looked: Mapping[str, str], findings: Iterable[Finding], registered: Iterable[RegisterEntry]
) -> tuple[Check, ...]:
    """The checks that were made. `looked`: name of the check → what was looked at."""
    known = {one.object for one in registered}
    worst: dict[str, set[Severity]] = {}
    for one in findings:
        explained = one.code in ("object-left-out", "object-unknown") and one.object in known
        if not explained:
            worst.setdefault(one.kind, set()).add(one.severity)
    found = []
    for name, looked_at in looked.items():
        severities = worst.get(name, set())
        result = Result.PASSED
        if Severity.UNKNOWN in severities:
            result = Result.UNKNOWN
        if Severity.DAMAGE in severities:
            result = Result.FAILED
        found.append(Check(name, result, looked_at))
    return tuple(found)
