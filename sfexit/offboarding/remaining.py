"""What is left of leavers, read from the org: access, sessions, tokens, records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfexit.offboarding import dashboards, finding, owned, people
from sfexit.offboarding.asking import Asking, Look, Row, number, value
from sfexit.offboarding.finding import Group
from sfexit.offboarding.looking import IDS, chunks, each
from sfexit.offboarding.plan import Plan, soql_list
from sfexit.salesforce.client import Client


@dataclass(frozen=True)
class Left:
    """What is still there of a leaver."""

    user_id: str
    username: str
    active: bool
    frozen: bool | None  # None: the org keeps no sign-in of theirs
    sessions: int
    tokens: int
    rows: Mapping[str, int]  # object.field → rows
    dashboards: int = 0  # that still run as this user
    approvals: int = 0  # that wait for this user

    @property
    def gone(self) -> bool:
        """Nothing is left."""
        return not (self.active or self.sessions or self.tokens or any(self.rows.values()))


@dataclass(frozen=True)
class Remains:
    """What is left of everybody; `unknown` says what the org did not tell, in sentences."""

    people: tuple[Left, ...]
    administrators: int
    unknown: tuple[str, ...] = ()

    def gone(self, users: Collection[str]) -> bool:
        """Nothing is left of these users."""
        return all(one.gone for one in self.people if one.user_id in users)

    def told(self) -> dict[str, Any]:
        """For a journal: by user id."""
        return {
            one.user_id: {
                "active": one.active,
                "sessions": one.sessions,
                "tokens": one.tokens,
                "rows": dict(one.rows),
                "dashboards": one.dashboards,
                "approvals": one.approvals,
            }
            for one in self.people
        }


def remains(client: Client, plan: Plan) -> Remains:
    """What is still there of each leaver.

    After an offboarding every object is counted anew, not only those that the plan knew: somebody
    may have come to own what they had none of before.
    """
    asking = Asking(client)
    _, certain = people.administrators(asking)
    ids = [one.user_id for one in plan.people]
    if not ids:
        return Remains((), len(certain), tuple(asking.unknown))
    users, logins, sessions, tokens, boards, items = asking.look(
        [
            Look("User", ("IsActive",), "Id", must=True),
            Look("UserLogin", ("UserId", "IsFrozen"), "UserId", must=True),
            Look("AuthSession", ("UsersId",), "UsersId", must=True),
            Look("OauthToken", ("UserId",), "UserId", must=True),
            Look("Dashboard", ("RunningUserId", "Type"), "RunningUserId", count=True),
            Look("ProcessInstanceWorkitem", ("ActorId",), "ActorId", count=True),
        ],
        ids,
    )
    active = {value(row, "Id"): value(row, "IsActive") == "true" for row in users or ()}
    frozen = {value(row, "UserId"): value(row, "IsFrozen") == "true" for row in logins or ()}
    signed = [value(row, "UsersId") for row in sessions or ()]
    held = [value(row, "UserId") for row in tokens or ()]
    run = [one for one in boards or () if value(one, "Type") != dashboards.DYNAMIC]
    records = _records(client, asking, plan, ids)
    return Remains(
        tuple(
            Left(
                one.user_id,
                one.username,
                active.get(one.user_id, False),
                frozen.get(one.user_id),
                signed.count(one.user_id),
                held.count(one.user_id),
                records[one.user_id],
                _counted(run, "RunningUserId", one.user_id),
                _counted(items or (), "ActorId", one.user_id),
            )
            for one in plan.people
        ),
        len(certain),
        tuple(asking.unknown),
    )


def _counted(rows: Sequence[Row], field: str, user: str) -> int:
    return sum(number(row) for row in rows if value(row, field) == user)


def _records(
    client: Client, asking: Asking, plan: Plan, ids: Sequence[str]
) -> dict[str, dict[str, int]]:
    """By user: rows that the plan's rules would hand over, by object.field."""
    out: dict[str, dict[str, int]] = {one: {} for one in ids}
    if plan.purpose == "undo":
        return out  # they are to own again what they owned
    groups = finding.groups(plan.transfers)
    for group, counts in zip(groups, owned_by(client, groups), strict=True):
        for user, count in counts.items():
            out[user][group.name] = count
    if plan.purpose == "offboard":
        known = {(one.object, one.field) for one in groups}
        full = {one.user_id for one in plan.people if one.mode == "full"}
        for row in owned.count(asking, ids).rows:
            pair = (row.object, row.field)
            wanted = row.movable and row.field == owned.OWNER and row.user_id in full
            if wanted and pair not in known and row.total:
                out[row.user_id][f"{row.object}.{row.field}"] = row.total
    return out


def owned_by(client: Client, groups: Sequence[Group]) -> list[dict[str, int]]:
    """Rows of each group by their holders, five queries to a call."""
    asked: list[tuple[int, str, bool]] = []
    for place, group in enumerate(groups):
        wide = group.object in finding.ARCHIVED
        narrowed = f" AND ({group.where})" if group.where else ""
        narrowed += " AND IsDeleted = false" if wide else ""
        for part in chunks(group.holders, IDS):
            soql = (
                f"SELECT {group.field}, COUNT(Id) n FROM {group.object} "  # noqa: S608
                f"WHERE {group.field} IN {soql_list(part)}{narrowed} GROUP BY {group.field}"
            )
            asked.append((place, soql, wide))
    out: list[dict[str, int]] = [{} for _ in groups]
    answers = each(client, ((soql, wide) for _, soql, wide in asked))
    for (place, _, _), found in zip(asked, answers, strict=True):
        field = groups[place].field
        out[place].update((str(row[field]), int(row["n"])) for row in found)
    return out
