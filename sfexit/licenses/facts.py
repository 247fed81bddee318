"""What the archive holds about seats and who sits on them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from sfexit.archive.tables import Tables

#: How a sign-in came, by LoginHistory.LoginType, ApiType ("N/A" by hand), Application, Browser:
#: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_loginhistory.htm
PERSON, API, SSO = "person", "integration", "sso_only"
UNKNOWN = "no sign-in"
_API_TYPES = ("Other Apex API", "Remote Access Client", "Partner Product", "AppExchange")
_OAUTH = "Remote Access 2.0"  # of people on their way to another app, of phones, and of servers
_BROWSERS = ("Chrome", "Firefox", "Safari", "Edge", "IE", "Opera", "Mobile")


@dataclass(frozen=True)
class Pool:
    """Seats of one kind. `total` is -1 when there is no limit."""

    kind: str  # user licence, permission set licence, package, metered
    name: str
    status: str
    total: int
    used: int

    @property
    def empty(self) -> int:
        """Seats that were bought and given to nobody."""
        return max(0, self.total - self.used) if self.total >= 0 else 0


@dataclass
class Person:
    """A user and all that speaks for or against the seat. Days are of the org's clock (UTC)."""

    id: str
    name: str
    username: str
    email: str
    active: bool
    license: str
    created: date | None
    last_login: date | None
    user_type: str = ""
    frozen: bool = False
    logins: Counter[str] = field(default_factory=Counter)  # by PERSON, API, SSO
    extras: list[str] = field(default_factory=list)  # permission set licences and package seats
    unneeded: list[str] = field(default_factory=list)  # permission set licences nothing needs
    made: Counter[str] = field(default_factory=Counter)  # by object, in the window
    changed: Counter[str] = field(default_factory=Counter)
    owned: Counter[str] = field(default_factory=Counter)  # by object, at all

    @property
    def kind(self) -> str:
        """PERSON, API, SSO or UNKNOWN, by the sign-ins of the window."""
        if not sum(self.logins.values()):
            return UNKNOWN
        if self.logins[PERSON]:
            return PERSON
        if self.logins[API]:
            return API
        return SSO if not self.made and not self.changed else PERSON

    @property
    def touched(self) -> frozenset[str]:
        """Objects of which records were made or changed in the window, or are owned."""
        return frozenset((*self.made, *self.changed, *self.owned))


@dataclass(frozen=True)
class Facts:
    """Everything read, once. `as_of` is the archive's day; `lacking` names what was not there."""

    as_of: date
    window_days: int
    organization: str
    edition: str
    pools: tuple[Pool, ...]
    people: tuple[Person, ...]
    lacking: tuple[str, ...]
    rows_read: int


_NAMES = ("Name", "MasterLabel", "LicenseDefinitionKey")
# UserLicense.LicenseDefinitionKey, of which the labels differ by edition and language:
# https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_userlicense.htm
_CALLED = {
    "SFDC": "Salesforce",
    "AUL": "Salesforce Platform",
    "PID_Customer_Community": "Customer Community",
    "PID_Customer_Community_Login": "Customer Community Login",
    "PID_Partner_Community": "Partner Community",
    "PID_Partner_Community_Login": "Partner Community Login",
}
# Each is a permission set licence that works without a permission set.
_NEEDS_NONE = frozenset({"SalesUserPsl", "SalesforceAPIIntegrationPsl", "IdentityConnect"})
# Written by the system or by signing in: no work of a person.
_NO_WORK = ("History", "Share", "Feed", "ChangeEvent", "Tag")
_NO_WORK_OBJECTS = frozenset(
    {
        "LoginHistory",
        "LoginIp",
        "LoginGeo",
        "AuthSession",
        "OauthToken",
        "UserLogin",
        "User",
        "SetupAuditTrail",
        "PermissionSetAssignment",
        "PermissionSetLicenseAssign",
        "UserPreference",
        "UserAppInfo",
    }
)


def read(tables: Tables, window_days: int) -> Facts:
    """All facts from one pass over each table. Memory: users times objects that they touched.

    Raises ArchiveProblem.
    """
    as_of = date.fromisoformat(tables.info["Bagging-Date"][:10])
    since = as_of - timedelta(days=window_days)
    lacking = [
        f"{name}: {loss}"
        for name, loss in (
            ("User", "no users are known"),
            ("UserLicense", "no bought seats are known"),
            ("LoginHistory", "people and integrations cannot be told apart"),
            ("PermissionSetLicense", "add-on seats are unknown"),
            ("UserLogin", "frozen users are unknown"),
        )
        if name not in tables.names()
    ]
    people = _people(tables)
    _logins(tables, people, since)
    _extras(tables, people)
    rows = _work(tables, people, since)
    organization = next(tables.rows("Organization", "Name", "OrganizationType"), ("", ""))
    name, edition = organization
    return Facts(
        as_of,
        window_days,
        name,
        edition,
        tuple(_pools(tables)),
        tuple(people.values()),
        tuple(lacking),
        rows,
    )


def _pairs(rows: Iterator[tuple[str, ...]]) -> dict[str, str]:
    return {row[0]: row[1] for row in rows}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def _whole(text: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return 0


def _people(tables: Tables) -> dict[str, Person]:
    licenses = {
        key: _license(name, label, definition)
        for key, name, label, definition in tables.rows("UserLicense", "Id", *_NAMES)
    }
    profiles = _pairs(tables.rows("Profile", "Id", "UserLicenseId"))
    columns = ("Id", "Name", "Username", "Email", "IsActive", "ProfileId", "CreatedDate")
    found = {}
    for row in tables.rows("User", *columns, "LastLoginDate", "UserType"):
        key, name, username, email, active, profile, created, last, kind = row
        found[key] = Person(
            key, name, username, email, active == "true",
            licenses.get(profiles.get(profile, ""), ""), _day(created), _day(last), kind,
        )  # fmt: skip
    for user, frozen in tables.rows("UserLogin", "UserId", "IsFrozen"):
        if user in found:
            found[user].frozen = frozen == "true"
    return found


def _logins(tables: Tables, people: dict[str, Person], since: date) -> None:
    columns = ("UserId", "LoginTime", "LoginType", "ApiType", "Application", "Browser", "Status")
    for user, at, kind, api, app, browser, status in tables.rows("LoginHistory", *columns):
        day = _day(at)
        if user not in people or day is None or day < since or status not in ("Success", ""):
            continue
        people[user].logins[_how(kind, api, app, browser)] += 1


def _how(kind: str, api: str, app: str, browser: str) -> str:
    """PERSON, API or SSO. A server that signs in by OAuth has no browser: it must not be taken
    for a person who only passes by."""
    if api not in ("", "N/A") or kind in _API_TYPES:
        return API
    if kind != _OAUTH or app.startswith("Salesforce"):  # Salesforce's own app on a phone
        return PERSON
    return SSO if browser.startswith(_BROWSERS) else API


def _extras(tables: Tables, people: dict[str, Person]) -> None:
    names = {
        key: (label, developer)
        for key, label, developer in tables.rows(
            "PermissionSetLicense", "Id", "MasterLabel", "DeveloperName"
        )
    }
    sets = _pairs(tables.rows("PermissionSet", "Id", "LicenseId"))
    of_group: dict[str, set[str]] = defaultdict(set)
    for group, one in tables.rows(
        "PermissionSetGroupComponent", "PermissionSetGroupId", "PermissionSetId"
    ):
        of_group[group].add(sets.get(one, ""))
    needed: dict[str, set[str]] = defaultdict(set)
    for user, one, group in tables.rows(
        "PermissionSetAssignment", "AssigneeId", "PermissionSetId", "PermissionSetGroupId"
    ):
        needed[user].add(sets.get(one, ""))
        needed[user] |= of_group.get(group, set())
    for user, key in tables.rows(
        "PermissionSetLicenseAssign", "AssigneeId", "PermissionSetLicenseId"
    ):
        if user in people and key in names:
            label, developer = names[key]
            people[user].extras.append(label)
            if sets and key not in needed[user] and developer not in _NEEDS_NONE:
                people[user].unneeded.append(label)
    packages = _pairs(tables.rows("PackageLicense", "Id", "NamespacePrefix"))
    for user, key in tables.rows("UserPackageLicense", "UserId", "PackageLicenseId"):
        if user in people:
            people[user].extras.append(f"package {packages.get(key, key)}")


def _work(tables: Tables, people: dict[str, Person], since: date) -> int:
    first = since.isoformat()  # date-times of the archive sort as text
    count = 0
    for name in tables.names():
        if name in _NO_WORK_OBJECTS or name.endswith(_NO_WORK):
            continue
        if not tables.columns(name) & {"CreatedById", "LastModifiedById", "OwnerId"}:
            continue
        columns = ("CreatedById", "CreatedDate", "LastModifiedById", "LastModifiedDate")
        for maker, made, changer, changed, owner, deleted in tables.rows(
            name, *columns, "OwnerId", "IsDeleted"
        ):
            count += 1
            if maker in people and made >= first:
                people[maker].made[name] += 1
            if changer in people and changed >= first:
                people[changer].changed[name] += 1
            if owner in people and deleted != "true":
                people[owner].owned[name] += 1
    return count


def _license(name: str, label: str, key: str) -> str:
    """What people call a licence: by its key where that is known, else its label."""
    return _CALLED.get(key) or _CALLED.get(name) or label or name


def _pools(tables: Tables) -> list[Pool]:
    found = [
        Pool("user licence", _license(name, label, key), status, _whole(total), _whole(used))
        for name, label, key, status, total, used in tables.rows(
            "UserLicense", *_NAMES, "Status", "TotalLicenses", "UsedLicenses"
        )
    ]
    found += [
        Pool("permission set licence", name, status, _whole(total), _whole(used))
        for name, status, total, used in tables.rows(
            "PermissionSetLicense", "MasterLabel", "Status", "TotalLicenses", "UsedLicenses"
        )
    ]
    found += [
        Pool("package", name, status, _whole(total), _whole(used))
        for name, status, total, used in tables.rows(
            "PackageLicense", "NamespacePrefix", "Status", "AllowedLicenses", "UsedLicenses"
        )
    ]
    found += [
        Pool("metered", name or setting, "", _whole(total), _whole(used))
        for name, setting, total, used in tables.rows(
            "TenantUsageEntitlement", "MasterLabel", "Setting", "CurrentAmountAllowed", "AmountUsed"
        )
    ]
    return sorted(found, key=lambda one: (one.kind, one.name))
