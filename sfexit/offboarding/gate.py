"""May people be offboarded now? Only over an archive that is proven and newer than the last change.

Handing records over moves their stamps and can set off automation, so the state before it must be
safe first. Changes of the run's own journal do not count against the archive.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sfexit.errors import Blocked, OrgRefused, UsageProblem
from sfexit.offboarding.plan import Plan, soql_text
from sfexit.salesforce import query
from sfexit.salesforce.client import Client
from sfexit.verify.standing import standing_certificate

_SHOWN = 5


@dataclass(frozen=True)
class Gate:
    """What allows a run. `root` is empty when it was overridden by name."""

    root: str
    text: str


def gate(client: Client, home: Path, plan: Plan, *, trusted: Collection[str], begun: bool) -> Gate:
    """The standing proof that allows this plan. Raises Blocked with what is missing.

    `begun`: changes by the runner since belong to this plan, so only those of others count.
    """
    try:
        standing = standing_certificate(home, trusted=trusted)
    except UsageProblem as none:  # no archive yet: what is missing is a proof all the same
        raise Blocked(f"{none.message}; nobody is offboarded before there is a proof") from none
    certificate = standing.certificate
    if certificate.organization_id[:15] != plan.organization_id[:15]:
        raise Blocked(
            f"the archive in {home} is of org {certificate.organization_id}, the plan of "
            f"{plan.organization_id}: name the home of that org"
        )
    changed = _changed(client, plan, certificate.snapshot_started, begun=begun)
    if changed:
        more = f" and {len(changed) - _SHOWN} more objects" if len(changed) > _SHOWN else ""
        raise Blocked(
            f"records changed since the archive was made ({', '.join(changed[:_SHOWN])}{more}): "
            f"run sfexit export {home} --refresh, then sfexit verify-backup {home}"
        )
    made = certificate.made.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Gate(
        certificate.root_digest,
        f"certificate of {made}, {certificate.title}, root {certificate.root_digest}",
    )


def overridden(name: str, reason: str) -> Gate:
    """A run that somebody answers for by name."""
    if not name.strip() or not reason.strip():
        raise Blocked("--without-proof needs a name and a reason: 'NAME: REASON'")
    return Gate("", f"without proof, on the word of {name.strip()}: {reason.strip()}")


def _changed(client: Client, plan: Plan, since: datetime, *, begun: bool) -> list[str]:
    moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = []
    for name in sorted({one.object for one in plan.transfers}):
        where = f"SystemModstamp > {moment}"
        if begun:
            where += f" AND LastModifiedById != {soql_text(plan.runner_id)}"
        try:
            count = query.count(client, name, where, all_rows=False)
        except OrgRefused as refusal:
            raise Blocked(
                f"{name} cannot be asked for changes since the archive ({refusal.code}): leave it "
                "out of the plan, or answer for it with --without-proof"
            ) from refusal
        if count:
            found.append(f"{count:,} of {name}")
    return found
