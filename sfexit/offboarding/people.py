"""Users: found by name, id or query, and told apart by what they are.

Object Reference: User (UserType), Profile, UserLicense, LoginHistory (LoginType), OauthToken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sfexit.errors import DamagedAnswer, OrgRefused
from sfexit.offboarding.asking import Asking, Look, Row, chunks, value
from sfexit.offboarding.plan import is_id, soql_list
from sfexit.offboarding.wanted import Query
from sfexit.salesforce.ids import full_id

PERSON, ADMINISTRATOR, INTEGRATION = "person", "administrator", "integration"
PORTAL, SYSTEM = "portal", "system"

#: Values of UserType (Object Reference, User). What is in neither list is a user of the platform
#: itself (AutomatedProcess, CloudIntegrationUser, Guest, …) and is never touched.
_PEOPLE = frozenset({"Standard", "CsnOnly"})
_PORTAL = frozenset(
    {"PowerPartner", "PowerCustomerSuccess", "CustomerSuccess", "CSPLitePortal", "CspLitePortal",
     "SelfService", "HighVolumePortal"}
)  # fmt: skip
#: LoginType of programs; every other kind is a person at a screen.
_BY_PROGRAM = frozenset(
    {"Remote Access 2.0", "Remote Access Client", "Other Apex API", "Partner Product",
     "DataJunction", "AppExchange", "Apex Office Integration", "Networks Portal API Only",
     "OAuth Refresh Token", "SOAP API"}
)  # fmt: skip
_COLUMNS = (
    "Username", "Name", "Email", "IsActive", "UserType", "ProfileId", "UserRoleId", "ManagerId",
    "DelegatedApproverId", "ContactId", "AccountId", "IsPortalEnabled", "FederationIdentifier",
    "LastLoginDate",
)  # fmt: skip
_LICENCE = ("Profile.Name", "Profile.UserLicense.Name", "Profile.UserLicense.LicenseDefinitionKey")
#: The values that apply compares before it begins.
STATE = ("IsActive", "ProfileId", "UserRoleId", "Username", "UserType")
_RECENT_DAYS = 30


@dataclass(frozen=True)
class User:
    """A row of User. Ids have 18 characters; what is missing is ""."""

    id: str
    username: str
    name: str
    email: str = ""
    active: bool = True
    user_type: str = "Standard"
    profile: str = ""
    licence: str = ""
    manager_id: str = ""
    role_id: str = ""
    contact_id: str = ""
    federation: str = ""
    state: Mapping[str, str | None] = field(default_factory=dict)
    flags: tuple[str, ...] = ()  # feature licences that are on
    row: Mapping[str, object] = field(default_factory=dict)

    @property
    def portal(self) -> bool:
        """A user outside the company."""
        return self.user_type in _PORTAL or bool(self.contact_id)

    @property
    def system(self) -> bool:
        """A user of the platform itself."""
        return self.user_type not in _PEOPLE and not self.portal


@dataclass(frozen=True)
class Signs:
    """What was seen of a user's comings: last moments by kind of login, and tokens lately used."""

    logins: Mapping[str, str] = field(default_factory=dict)
    tokens: int = 0
    used_lately: bool = False


class Users:
    """All users that were asked for so far, by id and by lower-case username."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self.by_id: dict[str, User] = {}
        self._by_name: dict[str, User] = {}
        asking.learn(["User"])
        known = asking.described("User")
        if known is None:
            raise OrgRefused(404, "NOT_FOUND", "this user does not see the object User")
        self._flags = tuple(
            one.name for one in known.fields
            if one.name.startswith("UserPermissions") and one.type == "boolean" and one.updateable
        )  # fmt: skip
        columns = [one for one in _COLUMNS if known.has(one)]
        self._columns = ", ".join(("Id", *columns, *_LICENCE, *self._flags))

    def find(self, names: Iterable[str]) -> dict[str, User]:
        """Users by what was written: a username in any case, or an id of 15 or 18 characters.
        What is not found is left out."""
        wanted = dict.fromkeys(names)
        ids = {one: _id(one) for one in wanted if is_id(one)}
        self.load(found for found in ids.values() if found)
        texts = [one for one in wanted if one not in ids and one.casefold() not in self._by_name]
        self._ask([f"Username IN {soql_list(part)}" for part in chunks(texts)])
        found = {}
        for one in wanted:
            user = self.by_id.get(ids.get(one, "")) or self._by_name.get(one.casefold())
            if user is not None:
                found[one] = user
        return found

    def load(self, ids: Iterable[str]) -> None:
        """Read users by id, those that are not known yet."""
        missing = [one for one in dict.fromkeys(ids) if one and one not in self.by_id]
        self._ask([f"Id IN {soql_list(part)}" for part in chunks(missing)])

    def picked(self, query: Query, staying: Iterable[str], now: datetime) -> list[User]:
        """Active users of the company that a query picks; `staying` are ids to leave out."""
        where = ["IsActive = true", "ContactId = null"]
        if query.profiles:
            where.append(f"Profile.Name IN {soql_list(query.profiles)}")
        if query.inactive_days is not None:
            moment = f"{now - timedelta(days=query.inactive_days):%Y-%m-%dT%H:%M:%SZ}"
            where.append(f"(LastLoginDate < {moment} OR LastLoginDate = null)")
            where.append(f"CreatedDate < {moment}")
        rows = self._ask([" AND ".join(where)])
        keep = set(staying)
        users = [self.by_id[str(row["Id"])] for row in rows]
        return sorted(
            (one for one in users if one.id not in keep and not one.system),
            key=lambda one: one.username,
        )

    def _ask(self, conditions: Sequence[str]) -> list[Row]:
        queries = [(f"SELECT {self._columns} FROM User WHERE {one}", False) for one in conditions]  # noqa: S608
        rows: list[Row] = []
        for reply in self.asking.ask(queries) if queries else ():
            if not reply.ok:
                raise OrgRefused(reply.status, reply.code, reply.reason)
            rows += reply.rows
        for row in rows:
            user = _user(row, self._flags)
            self.by_id[user.id] = user
            self._by_name[user.username.casefold()] = user
        return rows


def _user(row: Row, flags: Sequence[str]) -> User:
    def get(path: str) -> str:
        return value(row, path) or ""

    licence = get("Profile.UserLicense.LicenseDefinitionKey") or get("Profile.UserLicense.Name")
    return User(
        id=full_id(row.get("Id")),
        username=get("Username"),
        name=get("Name"),
        email=get("Email"),
        active=get("IsActive") == "true",
        user_type=get("UserType"),
        profile=get("Profile.Name"),
        licence=licence,
        manager_id=get("ManagerId"),
        role_id=get("UserRoleId"),
        contact_id=get("ContactId"),
        federation=get("FederationIdentifier"),
        state={name: value(row, name) for name in STATE},
        flags=tuple(one for one in flags if get(one) == "true"),
        row=row,
    )


def _id(text: str) -> str:
    """The long form; "" for an id whose check characters are wrong."""
    try:
        return full_id(text)
    except DamagedAnswer:
        return ""


def signs(asking: Asking, ids: Sequence[str], now: datetime) -> dict[str, Signs]:
    """How each of these users came into the org lately."""
    asking.learn(["LoginHistory", "OauthToken"])
    if asking.described("LoginHistory") is None:
        asking.note("LoginHistory could not be read: who signs in only by programs is not known")
    logins: dict[str, dict[str, str]] = {one: {} for one in ids}
    for row in _logins(asking, ids, now):
        who, kind = value(row, "UserId") or "", value(row, "LoginType") or "unknown"
        last = value(row, "latest") or value(row, "LoginTime") or ""
        if who in logins and last > logins[who].get(kind, ""):
            logins[who][kind] = last
    held: dict[str, list[str]] = {one: [] for one in ids}
    [found] = asking.look([Look("OauthToken", ("UserId", "LastUsedDate"), "UserId")], ids)
    for row in found or ():
        held.setdefault(value(row, "UserId") or "", []).append(value(row, "LastUsedDate") or "")
    edge = f"{now - timedelta(days=_RECENT_DAYS):%Y-%m-%dT%H:%M:%S}"
    return {
        one: Signs(logins[one], len(held[one]), any(used >= edge for used in held[one]))
        for one in ids
    }


def _logins(asking: Asking, ids: Sequence[str], now: datetime) -> list[Row]:
    """The last login of each user and kind; where the org groups no logins, those of 30 days."""
    if asking.described("LoginHistory") is None:
        return []
    grouped = [
        (f"SELECT UserId, LoginType, MAX(LoginTime) latest FROM LoginHistory "  # noqa: S608
         f"WHERE UserId IN {soql_list(part)} GROUP BY UserId, LoginType", False)
        for part in chunks(ids)
    ]  # fmt: skip
    replies = asking.ask(grouped)
    if all(one.ok for one in replies):
        return [row for one in replies for row in one.rows]
    since = f"{now - timedelta(days=_RECENT_DAYS):%Y-%m-%dT%H:%M:%SZ}"
    look = Look("LoginHistory", ("UserId", "LoginType", "LoginTime"), "UserId",
                where=f"LoginTime > {since}")  # fmt: skip
    [rows] = asking.look([look], ids)
    return rows or []


def kind_of(user: User, sign: Signs, administrators: Iterable[str]) -> str:
    """What a user is. A program with an administrator's rights is a program."""
    if user.system:
        return SYSTEM
    if user.portal:
        return PORTAL
    if why_integration(user, sign):
        return INTEGRATION
    return ADMINISTRATOR if user.id in administrators else PERSON


def why_integration(user: User, sign: Signs) -> str:
    """Why a user seems to be a program, "" when it does not. Doubt is on the safe side: such
    users are taken only by name."""
    marks = f"{user.licence} {user.profile}".casefold()
    if "integration" in marks or "api only" in marks or user.licence == "API":
        return f"its licence or profile is of programs ({user.profile or user.licence})"
    by_hand = [kind for kind in sign.logins if kind not in _BY_PROGRAM]
    if sign.logins and not by_hand:
        return f"it signs in only by programs ({', '.join(sorted(sign.logins))})"
    if not sign.logins and sign.used_lately:
        return "an app used its token in the last 30 days and nobody signed in"
    return ""


def administrators(asking: Asking) -> tuple[set[str], set[str]]:
    """Ids of active users who hold Modify All Data and Manage Users, by profile or permission
    set, and those among them who hold both for certain: without end date or session condition,
    and not frozen."""
    sure: dict[str, set[str]] = {}
    maybe: dict[str, set[str]] = {}
    asking.learn(["PermissionSetAssignment", "PermissionSet"])
    known = asking.described("PermissionSetAssignment")
    extra = [one for one in ("IsActive", "ExpirationDate") if known is not None and known.has(one)]
    rights = ("PermissionsModifyAllData", "PermissionsManageUsers")
    listed = ", ".join(("AssigneeId", *extra))
    found = asking.each(
        [
            (
                f"SELECT {listed} FROM PermissionSetAssignment "  # noqa: S608
                f"WHERE PermissionSet.{right} = true AND Assignee.IsActive = true",
                f"who holds {right} by a permission set",
            )
            for right in rights
        ]
        + [
            (
                f"SELECT Id FROM User WHERE IsActive = true AND Profile.{right} = true",  # noqa: S608
                f"who holds {right} by a profile",
            )
            for right in rights
        ]
    )
    for right, by_set, by_profile in zip(rights, found[:2], found[2:], strict=True):
        sure[right], maybe[right] = set(), set()
        for row in by_set or ():
            who = value(row, "AssigneeId") or ""
            maybe[right].add(who)
            if value(row, "ExpirationDate") is None and value(row, "IsActive") != "false":
                sure[right].add(who)
        profiles = {value(row, "Id") or "" for row in by_profile or ()}
        maybe[right] |= profiles
        sure[right] |= profiles
    both = set.intersection(*maybe.values())
    certain = set.intersection(*sure.values())
    [frozen] = asking.look(
        [Look("UserLogin", ("UserId",), "UserId", where="IsFrozen = true", must=True)],
        sorted(certain),
    )
    return both, certain - {value(row, "UserId") or "" for row in frozen or ()}
