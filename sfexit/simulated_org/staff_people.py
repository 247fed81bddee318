"""People, the seats they take, their profiles and roles (Object Reference: User, UserLogin,
UserLicense, Profile, UserRole)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .columns import datetime_text
from .data import AS_OF
from .staff_objects import FEATURES

if TYPE_CHECKING:
    from .columns import Value
    from .hiring import Hiring

    Row = dict[str, Value]

_FIRST = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gül", "Hugo", "Iris", "Jan", "Kai", "Lena")
_LAST = ("Abel", "Brandt", "Çelik", "Dürr", "Ek", "Falk", "Gray", "O'Brien", "Ivanov", "Jäger")


def place(h: Hiring) -> None:
    """Write these rows."""
    _seats(h)
    _users(h)


def _users(h: Hiring) -> None:
    rows = [_user(h, n) for n in range(h.total)]
    for kind, row in h.who.blockers.items():
        holder = h.who.administrators[0]
        if kind == "delegated_approver":
            rows[holder]["DelegatedApproverId"] = h.id("User", row)
        if kind == "hierarchy_field":
            rows[holder]["Mentor__c"] = h.id("User", row)
    h.give("User", rows)
    for n, account in zip(h.who.portal, _accounts(h), strict=False):
        rows[n]["AccountId"] = account
    h.give("User", rows)
    h.give(
        "UserLogin",
        [
            {"UserId": h.id("User", n), "IsFrozen": "false", "IsPasswordLocked": "false"}
            for n in range(h.total)
            if h.kind(n) != "system"
        ],
    )


def _accounts(h: Hiring) -> Iterator[str]:
    """Accounts that may have portal users: their owner has a role (Salesforce Help 000389462)."""
    with_role = {h.id("User", n) for n in range(h.total) if h.kind(n) in ("person", "admin")}
    table = h.tables["Account"]
    owners = table.column("OwnerId")
    for n in range(table.rows):
        if owners.value(n) in with_role and not table.made_deleted(n):
            yield h.id("Account", n)


def _user(h: Hiring, n: int) -> Row:
    kind = h.kind(n)
    first, last = _FIRST[n % len(_FIRST)], _LAST[(n * 7) % len(_LAST)]
    profile = {"admin": 0, "system": 4, "integration": 2, "portal": 3}.get(kind, 1)
    people = h.who.people
    manager = None
    if kind == "person" and n != people[0]:
        manager = h.id("User", people[(n - people[0] - 1) // 4])
    row: Row = {
        "Username": f"{first}.{last}.{n}@northwater.example".lower(),
        "FirstName": first,
        "LastName": last,
        "Name": f"{first} {last}",
        "Email": f"u{n}@northwater.example",
        "Alias": f"u{n}",
        "IsActive": "true",
        "UserType": "Standard",
        "TimeZoneSidKey": "Europe/Berlin",
        "LocaleSidKey": "en_US",
        "LanguageLocaleKey": "en_US",
        "EmailEncodingKey": "UTF-8",
        "FederationIdentifier": f"fed-{n}" if n % 5 == 0 else None,
        "ProfileId": h.id("Profile", profile),
        "UserRoleId": h.id("UserRole", n % 3) if kind in ("person", "admin") else None,
        "ManagerId": manager,
        "IsPortalEnabled": "false",
        "LastLoginDate": datetime_text(AS_OF - 3600 * (n + 1)),
        **{f"UserPermissions{f}": "true" if (n + k) % 6 == 0 else "false"
           for k, f in enumerate(FEATURES)},
    }  # fmt: skip
    if kind == "system":
        names = ("Automated Process", "Platform Integration User", "Site Guest User")
        types = ("AutomatedProcess", "CloudIntegrationUser", "Guest")
        place = h.who.system.index(n)
        row |= {
            "FirstName": None,
            "LastName": names[place],
            "Name": names[place],
            "UserType": types[place],
            "LastLoginDate": None,
        }
    if kind == "portal":
        row |= {
            # the first one can own records, high-volume users cannot
            "UserType": ("CspLitePortal", "PowerCustomerSuccess")[n == h.who.portal[0]],
            "ContactId": h.id("Contact", n),
            "AccountId": h.id("Account", n),
            "IsPortalEnabled": "true",
        }
    if kind == "integration":
        row |= {"FirstName": None, "LastName": f"Sync {n}", "Name": f"Sync {n}"}
    return row


def _seats(h: Hiring) -> None:
    kinds = [h.kind(n) for n in range(h.total)]
    used = {
        "SFDC": sum(k in ("admin", "person") for k in kinds),
        "API": sum(k == "integration" for k in kinds),
        "PID_Customer_Community": sum(k == "portal" for k in kinds),
        "AUL": sum(k == "system" for k in kinds),
    }
    h.give(
        "UserLicense",
        [
            {
                "Name": key,
                "MasterLabel": key,
                "LicenseDefinitionKey": key,
                "Status": "Active",
                "TotalLicenses": str(n + h.staff.spare_seats),
                "UsedLicenses": str(n),
            }
            for key, n in used.items()
        ],
    )
    made = (
        ("System Administrator", "Standard", 0, "true"),
        ("Standard User", "Standard", 0, "false"),
        ("Salesforce API Only System Integrations", "Standard", 1, "false"),
        ("Customer Community User", "PowerCustomerSuccess", 2, "false"),
        ("Guest", "Guest", 3, "false"),
    )
    h.give(
        "Profile",
        [
            {
                "Name": name,
                "UserType": kind,
                "UserLicenseId": h.id("UserLicense", seat),
                "PermissionsModifyAllData": wide,
                "PermissionsManageUsers": wide,
                "PermissionsViewAllData": wide,
            }
            for name, kind, seat, wide in made
        ],
    )
    h.give(
        "UserRole",
        [
            {"Name": name, "DeveloperName": name, "ForecastUserId": None}
            for name in ("CEO", "Sales", "Service")
        ],
    )
