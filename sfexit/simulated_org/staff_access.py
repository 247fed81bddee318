"""What people may do, and the groups they are in (Object Reference: PermissionSet and what is
assigned of it, PackageLicense, Group, QueueSobject, Territory2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .columns import Value
    from .hiring import Hiring

    Row = dict[str, Value]

_ENDS = "2099-12-31T12:00:00.000Z"  # of permission sets that are given for a time
_PSETS = ("Sales_Extras", "Service_Extras", "Report_Builder", "Data_Exporter")


def place(h: Hiring) -> None:
    """Write these rows."""
    _access(h)
    _groups(h)


def _access(h: Hiring) -> None:
    profiles = h.tables["Profile"].rows
    sets: list[Row] = [
        {
            "Name": f"X{h.id('Profile', n)}",
            "Label": f"Profile {n}",
            "ProfileId": h.id("Profile", n),
            "IsOwnedByProfile": "true",
            "Type": "Profile",
            "PermissionsModifyAllData": "true" if n == 0 else "false",
            "PermissionsManageUsers": "true" if n == 0 else "false",
        }
        for n in range(profiles)
    ]
    sets += [
        {
            "Name": name,
            "Label": name.replace("_", " "),
            "IsOwnedByProfile": "false",
            "IsCustom": "true",
            "Type": "Regular",
            # the last one needs a permission set licence
            "LicenseId": h.id("PermissionSetLicense", 0) if name == _PSETS[-1] else None,
        }
        for name in _PSETS
    ]
    group_set = len(sets)
    sets.append({"Name": "Sales_Group", "Label": "Sales", "IsOwnedByProfile": "false",
                 "IsCustom": "true", "Type": "Group"})  # fmt: skip
    for row in sets:
        row |= {k: row.get(k, "false") for k in ("IsCustom", "HasActivationRequired")}
    h.give("PermissionSet", sets)
    h.give(
        "PermissionSetGroup",
        [{"DeveloperName": "Sales_Group", "MasterLabel": "Sales", "Status": "Updated"}],
    )
    group = h.id("PermissionSetGroup", 0)
    h.give(
        "PermissionSetGroupComponent",
        [
            {
                "PermissionSetGroupId": group,
                "PermissionSetId": h.id("PermissionSet", profiles + k),
            }
            for k in range(2)
        ],
    )
    given: list[Row] = []
    licensed: list[Row] = []
    users = h.tables["User"].column("ProfileId")
    for n in range(h.total):
        assigned: Row = {"AssigneeId": h.id("User", n), "IsActive": "true"}
        profile = h.tables["Profile"].ids.row(users.value(n) or "") or 0
        given.append(assigned | {"PermissionSetId": h.id("PermissionSet", profile)})
        if h.kind(n) not in ("person", "admin"):
            continue
        if n % 2 == 0:
            ends = {"ExpirationDate": _ENDS} if n % 6 == 0 else {}
            given.append(
                assigned | {"PermissionSetId": h.id("PermissionSet", profiles + n % 3), **ends}
            )
        if n % 3 == 0:
            given.append(
                assigned
                | {
                    "PermissionSetId": h.id("PermissionSet", group_set),
                    "PermissionSetGroupId": group,
                }
            )
        if n % 4 == 0:
            given.append(assigned | {"PermissionSetId": h.id("PermissionSet", profiles + 3)})
            licensed.append(
                {
                    "AssigneeId": h.id("User", n),
                    "PermissionSetLicenseId": h.id("PermissionSetLicense", 0),
                }
            )
    h.give("PermissionSetAssignment", given)
    h.give("PermissionSetLicenseAssign", licensed)
    h.give(
        "PermissionSetLicense",
        [
            {
                "MasterLabel": "Exporter",
                "DeveloperName": "Exporter",
                "Status": "Active",
                "TotalLicenses": str(len(licensed) + 1),
                "UsedLicenses": str(len(licensed)),
            }
        ],
    )
    packaged = [n for n in h.who.people if n % 5 == 0]
    h.give(
        "PackageLicense",
        [
            {
                "NamespacePrefix": "vendor",
                "Status": "Active",
                "AllowedLicenses": str(len(packaged) + 1),
                "UsedLicenses": str(len(packaged)),
            }
        ],
    )
    h.give(
        "UserPackageLicense",
        [{"PackageLicenseId": h.id("PackageLicense", 0), "UserId": h.id("User", n)}
         for n in packaged],
    )  # fmt: skip


def _groups(h: Hiring) -> None:
    queues = [("Case", "Case_Queue"), ("Lead", "Lead_Queue")]
    groups: list[Row] = [
        {
            "Name": name,
            "DeveloperName": name,
            "Type": "Queue",
            "DoesSendEmailToMembers": "false",
        }
        for _, name in queues
    ]
    groups += [
        {"Name": name, "DeveloperName": name, "Type": "Regular"} for name in ("All", "North")
    ]
    h.give("Group", groups)
    things = [n for n in h.tables if n.startswith("Thing_")]
    h.give(
        "QueueSobject",
        [
            {"QueueId": h.id("Group", k), "SobjectType": name}
            for k, name in [*enumerate(name for name, _ in queues), *((0, n) for n in things)]
        ],
    )
    members: list[Row] = [
        {"GroupId": h.id("Group", n % 4), "UserOrGroupId": h.id("User", n)}
        for n in h.who.people
        if n % 2
    ]
    # one queue has a single member: the last one who goes leaves it to nobody
    h.give("GroupMember", members)
    h.give("Territory2", [{"Name": "North", "DeveloperName": "North"}])
    h.give(
        "UserTerritory2Association",
        [
            {
                "UserId": h.id("User", n),
                "Territory2Id": h.id("Territory2", 0),
                "IsActive": "true",
            }
            for n in h.who.people[:6]
        ],
    )
