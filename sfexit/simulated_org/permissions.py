"""Objects that tell who may do what: permission sets, their assignments and what they grant.

Object Reference, PermissionSet, PermissionSetAssignment, UserPermissionAccess, ObjectPermissions,
FieldPermissions, TransactionSecurityPolicy; Tooling API guide, RestrictionRule,
PermissionDependency. Their rows are rewritten whenever somebody signs in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .columns import Value
from .schema import SObject, make
from .visibility import PERMISSION_NAMES

if TYPE_CHECKING:
    from .org import SimulatedOrg

_COLUMNS = "\n".join(f"Permissions{name} boolean" for name in PERMISSION_NAMES)
#: Seen in error texts of deployments: a permission and what must be ticked with it.
DEPENDENCIES: dict[str, tuple[str, ...]] = {
    "ViewAllData": ("ViewPublicDashboards", "ViewPublicReports", "ViewRoles", "ViewSetup"),
    "QueryAllFiles": ("ViewAllData",),
    "ModifyAllData": ("ManageQuotas", "OverrideForecasts", "ViewAllData"),
    "ViewSetup": ("ViewRoles",),
}


def permission_objects() -> list[SObject]:
    """The objects, without rows."""
    return [
        make(
            "PermissionSet",
            "0PS",
            "Name string(80) required\nLabel string(80) name required\n"
            "LicenseId string(18)\nProfileId ref(Profile)\nIsOwnedByProfile boolean\n"
            "IsCustom boolean\nType picklist(generic)\nDescription string(255)\n"
            f"NamespacePrefix string(15)\nHasActivationRequired boolean\n{_COLUMNS}",
            system="nodelete",
            fixed=0,
            flags=("createable", "deletable", "searchable", "updateable"),
        ),
        make(
            "PermissionSetAssignment",
            "0Pa",
            "PermissionSetId ref(PermissionSet)\nAssigneeId ref(User) required\n"
            "PermissionSetGroupId string(18)\nIsActive boolean\nExpirationDate datetime\n"
            "SystemModstamp datetime",
            system="none",
            fixed=0,
            flags=("createable", "deletable"),
        ),
        make(
            "UserPermissionAccess",
            "0Pq",
            f"LastCacheUpdate datetime\n{_COLUMNS}",
            system="only_id",
            fixed=0,
            retrieveable=False,
            bulk=False,
            flags=(),
        ),
        make(
            "ObjectPermissions",
            "110",
            "ParentId ref(PermissionSet) required rel=Parent\nSobjectType string(40) required\n"
            "PermissionsCreate boolean\nPermissionsRead boolean\nPermissionsEdit boolean\n"
            "PermissionsDelete boolean\nPermissionsViewAllRecords boolean\n"
            "PermissionsModifyAllRecords boolean\nPermissionsViewAllFields boolean",
            system="nodelete",
            fixed=0,
            flags=("createable", "deletable", "updateable"),
        ),
        make(
            "FieldPermissions",
            "01k",
            "ParentId ref(PermissionSet) required rel=Parent\nSobjectType string(40) required\n"
            "Field string(255) required\nPermissionsEdit boolean\nPermissionsRead boolean",
            system="none",
            fixed=0,
            flags=("createable", "deletable", "updateable"),
        ),
        make(
            "TransactionSecurityPolicy",
            "0NI",
            "DeveloperName string(80) required\nMasterLabel string(80) required\n"
            "Type picklist(generic)\nState string(40)\nEventName string(80)\n"
            "ActionConfig textarea(32000)\nBlockMessage string(1000)\nApexPolicyId string(18)",
            system="nodelete",
            fixed=0,
            flags=("createable", "deletable", "updateable"),
        ),
    ]


def tooling_objects() -> list[SObject]:
    """Objects only the Tooling API has."""
    return [
        make(
            "RestrictionRule",
            "0vr",
            "DeveloperName string(80)\nMasterLabel string(80)\nIsActive boolean\n"
            "TargetEntity string(80)\nEnforcementType string(40)\nUserCriteria string(1000)\n"
            "RecordFilter string(1000)\nDescription string(1000)\nVersion int",
            system="nodelete",
            fixed=0,
            flags=("createable", "deletable", "updateable"),
        ),
        make(
            "PermissionDependency",
            "0JD",
            "Permission string(255)\nPermissionType string(40)\nRequiredPermission string(255)\n"
            "RequiredPermissionType string(40)",
            system="only_id",
            fixed=0,
            flags=(),
        ),
        make(
            "ValidationRule",
            "03d",
            "ValidationName string(80) name\nActive boolean\n"
            "EntityDefinitionId ref(EntityDefinition)",
            system="nodelete",
            fixed=0,
            flags=("createable", "deletable", "updateable"),
        ),
    ]


def _flag(value: object) -> str:
    return "true" if value else "false"


def write_permissions(org: SimulatedOrg) -> None:
    """Bring the rows up to date with the users, policies and rules of the org."""
    tables = org.tables.tables
    if "PermissionSet" not in tables:
        return
    users = org.users
    sets, grants = tables["PermissionSet"], tables["User"]
    rows: list[dict[str, Value]] = []
    for user in users:
        profile = grants.column("ProfileId").value(user.row)
        rows.append(
            {
                "Name": f"X{profile}",
                "Label": f"Profile of {user.name}",
                "ProfileId": profile,
                "IsOwnedByProfile": "true",
                "IsCustom": "false",
                "Type": "Profile",
                "HasActivationRequired": "false",
                **{f"Permissions{n}": _flag(v) for n, v in user.permissions().items()},
            }
        )
    if org.staff is None:
        sets.give(rows)
        tables["PermissionSetAssignment"].give(
            [
                {
                    "PermissionSetId": sets.ids.at(n),
                    "AssigneeId": grants.ids.at(user.row),
                    "IsActive": "true",
                }
                for n, user in enumerate(users)
            ]
        )
    effective: list[dict[str, Value]] = []
    for user in users:
        row: dict[str, Value] = {"LastCacheUpdate": "2026-04-30T08:00:00.000Z"}
        row |= {f"Permissions{n}": _flag(v) for n, v in user.permissions().items()}
        effective.append(row)
    tables["UserPermissionAccess"].give(effective)
    _write_grants(org)
    tables["TransactionSecurityPolicy"].give(
        [
            {
                "DeveloperName": f"Block_{event}",
                "MasterLabel": f"Block {event}",
                "Type": "CustomConditionBuilderPolicy",
                "State": "Enabled",
                "EventName": event,
                "ActionConfig": '{"block":true}',
            }
            for event in org.blocking_policies
        ]
    )
    _write_tooling(org)


def _write_grants(org: SimulatedOrg) -> None:
    tables = org.tables.tables
    sets = tables["PermissionSet"]
    objects: list[dict[str, Value]] = []
    fields: list[dict[str, Value]] = []
    for n, user in enumerate(org.users):
        hidden = {name.lower() for name in user.hidden_objects}
        for o in org.schema.values():
            if "layoutable" not in o.flags or not o.queryable or o.name.lower() in hidden:
                continue
            row: dict[str, Value] = {"ParentId": sets.ids.at(n), "SobjectType": o.name}
            row |= {f"Permissions{what}": "true" for what in ("Read", "Create", "Edit", "Delete")}
            row["PermissionsViewAllRecords"] = _flag(user.view_all_data)
            row["PermissionsModifyAllRecords"] = _flag(user.modify_all_data)
            row["PermissionsViewAllFields"] = _flag(user.view_all_fields)
            objects.append(row)
        for name, unseen in user.hidden_fields.items():
            full = org.tables.full(name) if name in tables else None
            for f in full.fields if full is not None else ():
                if f.custom and f.name not in unseen:
                    fields.append(
                        {
                            "ParentId": sets.ids.at(n),
                            "SobjectType": name,
                            "Field": f"{name}.{f.name}",
                            "PermissionsRead": "true",
                            "PermissionsEdit": "true",
                        }
                    )
    if org.staff is not None:
        objects = list(_profiles(org))
    tables["ObjectPermissions"].give(objects)
    tables["FieldPermissions"].give(fields)


def _profiles(org: SimulatedOrg) -> Iterator[dict[str, Value]]:
    """What the profiles of people and administrators let them read: all but what is kept back."""
    assert org.staff is not None
    sets = org.tables.tables["PermissionSet"]
    for profile, wide in ((0, True), (1, False)):  # System Administrator, Standard User
        for o in org.schema.values():
            if "layoutable" not in o.flags or not o.queryable:
                continue
            if not wide and o.name in org.staff.unreadable:
                continue
            row: dict[str, Value] = {"ParentId": sets.ids.at(profile), "SobjectType": o.name}
            row |= {f"Permissions{what}": "true" for what in ("Read", "Create", "Edit")}
            row |= {
                f"Permissions{what}": _flag(wide)
                for what in ("Delete", "ViewAllRecords", "ModifyAllRecords", "ViewAllFields")
            }
            yield row


def _write_tooling(org: SimulatedOrg) -> None:
    tables = org.tables.tables
    tables["RestrictionRule"].give(
        [
            {
                "DeveloperName": rule.name,
                "MasterLabel": rule.name.replace("_", " "),
                "IsActive": _flag(rule.active),
                "TargetEntity": rule.target,
                "EnforcementType": "Restrict",
                "UserCriteria": "$User.IsActive = true"
                if rule.row is None
                else f"$User.Id = '{tables['User'].ids.at(rule.row)}'",
                "RecordFilter": rule.record_filter,
                "Description": rule.description or None,
                "Version": "1",
            }
            for rule in org.restriction_rules
        ]
    )
    tables["PermissionDependency"].give(
        [
            {
                "Permission": name,
                "PermissionType": "User Permission",
                "RequiredPermission": other,
                "RequiredPermissionType": "User Permission",
            }
            for name, others in DEPENDENCIES.items()
            for other in others
        ]
    )
