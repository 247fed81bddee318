"""What a simulated org itself says: everything that an offboarding may touch, and its own log."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfexit.offboarding import journal as journals
from sfexit.simulated_org import SimulatedOrg

#: Rows that join people to something; made again they have other ids, so they are compared
#: without.
JOINS = (
    "PermissionSetAssignment", "PermissionSetLicenseAssign", "UserPackageLicense", "GroupMember",
    "UserTerritory2Association", "UserTeamMember", "UserAccountTeamMember", "AccountTeamMember",
    "OpportunityTeamMember", "AccountShare", "OpportunityShare", "ContactShare",
    "ProcessInstanceWorkitem",
    "UserLogin", "User", "CaseTeamTemplateMember", "Dashboard",
)  # fmt: skip
_MOVING = {"LastModifiedDate", "LastModifiedById", "SystemModstamp", "CreatedDate", "CreatedById"}
#: The org makes them by itself with a member of a team, and nobody can insert them.
_OF_TEAMS = "RowCause=Team"


@dataclass(frozen=True)
class Truth:
    """Owners by object and row, and the rows of `JOINS` as texts."""

    owners: dict[str, list[str | None]]
    joins: dict[str, Counter[str]]


def truth(org: SimulatedOrg) -> Truth:
    """Everything as it is now."""
    names: dict[str, str] = {}  # the same text once, however many rows hold it
    owners = {}
    for name, table in org.tables.tables.items():
        if table.sobject.field("OwnerId") is None:
            continue
        changes = table.changes
        owners[name] = [
            names.setdefault(owner, owner)
            if (owner := table.value(changes, "OwnerId", row)) and not table.deleted(changes, row)
            and not changes.gone(row)
            else None
            for row in range(table.total(changes))
        ]  # fmt: skip
    joins = {name: _joined(org, name) for name in JOINS}
    joins["metadata"] = Counter(
        f"{path} {hashlib.sha256(content).hexdigest()}"
        for component in org.metadata.truth().values()
        for path, content in component.files
    )
    return Truth(owners, joins)


def _joined(org: SimulatedOrg, name: str) -> Counter[str]:
    leave_out = _MOVING if name in ("User", "UserLogin") else _MOVING | {"Id"}
    found: Counter[str] = Counter()
    for row in org.truth(name):
        if row.get("IsDeleted") == "true":
            continue
        text = " ".join(f"{k}={v}" for k, v in sorted(row.items()) if k not in leave_out)
        if _OF_TEAMS not in text:
            found[text] += 1
    return found


def differences(before: Truth, now: Truth) -> list[str]:
    """What is not as it was, a line a kind."""
    out = []
    for name, old in before.owners.items():
        new = now.owners[name]
        count = sum(a != b for a, b in zip(old, new, strict=False)) + abs(len(old) - len(new))
        if count and name not in JOINS:
            out.append(f"{name}: {count:,} rows have another owner")
    for name, rows in before.joins.items():
        gone, come = rows - now.joins[name], now.joins[name] - rows
        if gone or come:
            shown = next(iter([*gone, *come]))
            out.append(f"{name}: {gone.total():,} rows are missing, {come.total():,} are new: "
                       f"{shown[:300]}")  # fmt: skip
    return out


def unexplained(org: SimulatedOrg, paths: Iterable[Path]) -> int:
    """Changes that the org saw requested and no journal announces."""
    known: set[tuple[str, str]] = set()
    made: Counter[str] = Counter()
    for path in paths:
        for event in journals.read(path):
            if event["event"] == "intent" and "step" in event:
                known.add((event["object"], event["record"]))
                made[event["object"]] += event["kind"] == "create"
            elif event["event"] == "intent":
                rows = (row for move in event["moves"] for row in move[2])
                known.update((event["object"], row) for row in rows)
            elif event["event"] == "saved":
                made[event["object"]] += len(event["rows"])
    odd = 0
    for change in org.writes.log:
        if change.cause != "request" or (change.object, change.id) in known:
            continue
        if change.action == "create" and made[change.object] > 0:
            made[change.object] -= 1
            continue
        odd += 1
    return odd


def repeated(org: SimulatedOrg) -> int:
    """Requests that changed nothing, since they had been carried out before."""
    deployed = Counter(
        (one.id, one.after["content"]) for one in org.writes.log if one.action == "deploy"
    )
    return sum(n - 1 for n in deployed.values()) + sum(
        one.cause == "request" and one.action == "update" and not one.after
        for one in org.writes.log
    )


def touched(org: SimulatedOrg, users: Iterable[str]) -> int:
    """Requested changes of these users, their logins, or what is theirs. Whom they name as their
    approver or mentor is no change of them: a plan may lift such a blocker."""
    theirs = set(users)
    lifted = {"DelegatedApproverId", "Mentor__c"}

    def names(values: Any) -> bool:
        return any(values.get(k) in theirs for k in ("UserId", "AssigneeId", "UsersId", "OwnerId"))

    return sum(
        one.cause == "request"
        and ((one.id in theirs and not set(one.after) <= lifted) or names(one.before))
        for one in org.writes.log
    )
