"""What users hold, as steps that take it away: sessions, tokens, permission sets, licences,
groups, queues, territories. Each step has in `before` what makes the row again.

Object Reference: UserLogin, AuthSession, OauthToken, PermissionSetAssignment,
PermissionSetLicenseAssign, UserPackageLicense, GroupMember, UserTerritory2Association,
UserTeamMember, UserAccountTeamMember, CaseTeamTemplateMember.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sfexit.offboarding.asking import Asking, Look, Row, value
from sfexit.offboarding.people import User
from sfexit.offboarding.plan import Step
from sfexit.redaction import printable


@dataclass(frozen=True)
class _Holding:
    """Rows that join a user to something. `before` are columns to make the row again by; `label`
    names what is held; `order` within its phase."""

    object: str
    key: str
    before: tuple[str, ...]
    label: str
    verb: str
    phase: str = "strip"
    kind: str = "delete"
    where: str = ""


# A permission set is taken before the licence that it needs (refused otherwise), so order counts.
_HOLDINGS = (
    _Holding("AuthSession", "UsersId", ("UsersId", "LoginType", "SessionType", "CreatedDate"),
             "SessionType", "End the session", "contain"),
    _Holding("OauthToken", "UserId", ("UserId", "AppName", "LastUsedDate", "UseCount"),
             "AppName", "Revoke the token of", "contain", "revoke"),
    _Holding("PermissionSetAssignment", "AssigneeId",
             ("AssigneeId", "PermissionSetId", "PermissionSetGroupId", "ExpirationDate"),
             "PermissionSet.Label", "Take the permission set",
             where="PermissionSet.IsOwnedByProfile = false"),
    _Holding("PermissionSetLicenseAssign", "AssigneeId",
             ("AssigneeId", "PermissionSetLicenseId"),
             "PermissionSetLicense.MasterLabel", "Take the permission set licence"),
    _Holding("UserPackageLicense", "UserId", ("UserId", "PackageLicenseId"),
             "PackageLicense.NamespacePrefix", "Take the licence of the package"),
    _Holding("GroupMember", "UserOrGroupId", ("GroupId", "UserOrGroupId"),
             "Group.Name", "Take out of"),
    _Holding("UserTerritory2Association", "UserId",
             ("UserId", "Territory2Id", "RoleInTerritory2"),
             "Territory2.Name", "Take out of the territory"),
    # Deactivation takes these rows away by itself; taken by us they can be made again.
    _Holding("UserTeamMember", "UserId",
             ("OwnerId", "UserId", "TeamMemberRole", "OpportunityAccessLevel"),
             "TeamMemberRole", "Take out of the default opportunity team as"),
    _Holding("UserAccountTeamMember", "UserId",
             ("OwnerId", "UserId", "TeamMemberRole", "AccountAccessLevel",
              "OpportunityAccessLevel", "CaseAccessLevel", "ContactAccessLevel"),
             "TeamMemberRole", "Take out of the default account team as"),
    _Holding("CaseTeamTemplateMember", "MemberId",
             ("TeamTemplateId", "MemberId", "TeamRoleId"),
             "TeamTemplate.Name", "Take out of the predefined case team"),
)  # fmt: skip
_NAMES = {
    "AuthSession": "sessions",
    "OauthToken": "OAuth tokens",
    "PermissionSetAssignment": "permission sets and groups",
    "PermissionSetLicenseAssign": "permission set licences",
    "UserPackageLicense": "package licences",
    "GroupMember": "public groups and queues",
    "UserTerritory2Association": "territories",
    "UserTeamMember": "default opportunity teams",
    "UserAccountTeamMember": "default account teams",
    "CaseTeamTemplateMember": "predefined case teams",
}


@dataclass(frozen=True)
class Held:
    """What users hold: steps without ids, and rows that hazards are judged by."""

    steps: tuple[Step, ...]
    counts: Mapping[str, Mapping[str, int]]  # user id → what → how many
    frozen: frozenset[str]
    queues: Mapping[str, tuple[str, ...]]  # queue id → leavers in it
    queue_names: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # user id → apps


def hold(asking: Asking, users: Sequence[User], full: Callable[[str], bool]) -> Held:
    """Ask for all that these users hold. `full`: whether a user id is stripped and deactivated,
    not only frozen."""
    ids = [one.id for one in users]
    by_id = {one.id: one for one in users}
    looks = [Look("UserLogin", ("UserId", "IsFrozen"), "UserId", must=True)]
    asking.learn(one.object for one in _HOLDINGS)
    for one in _HOLDINGS:
        columns = (one.key, *one.before, one.label, *_MORE.get(one.object, ()))
        looks.append(Look(one.object, tuple(dict.fromkeys(columns)), one.key, where=one.where))
    logins, *found = asking.look(looks, ids)
    steps = list(_freezes(asking, logins or [], by_id))
    frozen = {value(r, "UserId") or "" for r in logins or () if value(r, "IsFrozen") == "true"}
    counts = {one.id: _seat(one) for one in users}
    queues: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    tokens: dict[str, list[str]] = {}
    for one, rows in zip(_HOLDINGS, found, strict=True):
        for row in rows or ():
            user = by_id.get(value(row, one.key) or "")
            if user is None:
                continue
            counts[user.id][_NAMES[one.object]] += 1
            if one.object == "GroupMember" and value(row, "Group.Type") == "Queue":
                queue = value(row, "GroupId") or ""
                queues.setdefault(queue, []).append(user.id)
                names[queue] = value(row, "Group.Name") or queue
            if one.object == "OauthToken":
                tokens.setdefault(user.id, []).append(value(row, "AppName") or "an app")
            if one.phase == "contain" or full(user.id):
                steps.append(_step(one, row, user))
    steps += [_flags(user) for user in users if user.flags and full(user.id)]
    return Held(
        tuple(steps),
        {one: dict(counted) for one, counted in counts.items()},
        frozenset(frozen),
        {queue: tuple(members) for queue, members in queues.items()},
        names,
        {one: tuple(apps) for one, apps in tokens.items()},
    )


_MORE = {"GroupMember": ("Group.Type",)}


def _seat(user: User) -> Counter[str]:
    """What lies in the row of the user itself."""
    held = Counter({f"licence {printable(user.licence or 'unknown', 60)}": 1})
    held[f"profile {printable(user.profile or 'unknown', 60)}"] = 1
    if user.role_id:
        held["role"] = 1
    held.update(one.removeprefix("UserPermissions") for one in user.flags)
    return held


def _freezes(asking: Asking, rows: Sequence[Row], users: Mapping[str, User]) -> Iterator[Step]:
    seen = set()
    for row in rows:
        user = users.get(value(row, "UserId") or "")
        if user is None:
            continue
        seen.add(user.id)
        if value(row, "IsFrozen") != "true" and user.active:
            yield Step("", "contain", "update", user.id, "UserLogin", value(row, "Id") or "",
                       {"IsFrozen": "false"}, {"IsFrozen": "true"},
                       f"Freeze {printable(user.username, 80)}")  # fmt: skip
    for user in users.values():
        if user.active and user.id not in seen:
            asking.note(
                f"{printable(user.username, 80)} has no row in UserLogin and cannot be frozen: "
                "never signed in, perhaps"
            )


def _step(one: _Holding, row: Row, user: User) -> Step:
    before = {name: value(row, name) for name in one.before}
    if before.get("PermissionSetGroupId"):
        # Such a row is made by its group alone; the set in it is the group's own.
        before.pop("PermissionSetId", None)
    else:
        before.pop("PermissionSetGroupId", None)
    what = one.verb
    if one.object == "GroupMember":
        queue = value(row, "Group.Type") == "Queue"
        what = f"{one.verb} the {'queue' if queue else 'group'}"
    if before.get("PermissionSetGroupId"):
        what = "Take the permission set group"
    label = printable(value(row, one.label) or "?", 80)
    return Step("", one.phase, one.kind, user.id, one.object, value(row, "Id") or "",
                {name: told for name, told in before.items() if told is not None}, {},
                f"{what} {label}: {printable(user.username, 80)}")  # fmt: skip


def _flags(user: User) -> Step:
    names = ", ".join(
        one.removeprefix("UserPermissions").removesuffix("User") for one in user.flags
    )
    return Step("", "strip", "update", user.id, "User", user.id,
                dict.fromkeys(user.flags, "true"), dict.fromkeys(user.flags, "false"),
                f"Switch off {names}: {printable(user.username, 80)}")  # fmt: skip


def numbered(steps: Sequence[Step], phases: Sequence[str]) -> tuple[Step, ...]:
    """The steps in order of their phases, each with an id such as `strip-12`."""
    found: list[Step] = []
    for phase in phases:
        own = [one for one in steps if one.phase == phase]
        found += [replace(one, id=f"{phase}-{number}") for number, one in enumerate(own, 1)]
    return tuple(found)
