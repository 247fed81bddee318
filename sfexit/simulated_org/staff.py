"""The people of an org: who they are, what they may do, what they hold, and what stands in the
way of their leaving. Rows are written out, so that everything in them agrees.

Salesforce Help, "Considerations for Deactivating Users"; Object Reference as in staff_objects.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .columns import Value, datetime_text
from .components import KINDS, component, document
from .data import AS_OF
from .staff_objects import FEATURES

if TYPE_CHECKING:
    from .org import SimulatedOrg

Row = dict[str, Value]

#: Why a deactivation is refused, in the words people see (Salesforce Help, 000384586, 000187291).
_NO = "You cannot deactivate this user. This user is "
BLOCKERS: dict[str, str] = {
    "default_case_owner": _NO + "the Default Case Owner.",
    "automated_case_user": _NO + "the Automated Case User.",
    "default_lead_owner": _NO + "the Default Lead Owner.",
    "web_to_lead": "You cannot disable the Web to Lead Default Creator",
    "case_assignment": _NO + "part of a case assignment rule.",
    "lead_assignment": _NO + "part of a lead assignment rule.",
    "auto_response": _NO + "part of an auto-response rule.",
    "escalation": _NO + "part of a case escalation rule.",
    "workflow_alert": _NO + "the only recipient of a workflow email alert.",
    "workflow_task": _NO + "assigned a workflow task.",
    "workflow_field": _NO + "used in a workflow field update.",
    "approval": _NO + "an approver in an approval process.",
    "delegated_approver": _NO + "a delegated approver.",
    "hierarchy_field": _NO + "selected in a custom hierarchy field.",
    "site_owner": _NO + "the default owner of records of guest users.",
    "default_workflow_user": "You cannot deactivate the Default Workflow User",
    "reminder_sender": _NO + "the sender of opportunity update reminders.",
}
#: Those that lie in metadata files: they are gone once the file names somebody else.
FILES: dict[str, tuple[str, str]] = {
    "default_case_owner": ("Settings", "Case"),
    "automated_case_user": ("Settings", "Case"),
    "case_assignment": ("AssignmentRules", "Case"),
    "lead_assignment": ("AssignmentRules", "Lead"),
    "auto_response": ("AutoResponseRules", "Case"),
    "escalation": ("EscalationRules", "Case"),
    "workflow_alert": ("Workflow", "Opportunity"),
    "workflow_task": ("Workflow", "Opportunity"),
    "workflow_field": ("Workflow", "Opportunity"),
    "approval": ("ApprovalProcess", "Opportunity.Discount"),
}
#: Those that no query and no metadata file shows.
UNSEEN = frozenset(
    {"default_lead_owner", "web_to_lead", "default_workflow_user", "reminder_sender"}
)
_FIRST = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gül", "Hugo", "Iris", "Jan", "Kai", "Lena")
_LAST = ("Abel", "Brandt", "Çelik", "Dürr", "Ek", "Falk", "Gray", "O'Brien", "Ivanov", "Jäger")
_ENDS = "2099-12-31T12:00:00.000Z"  # of permission sets that are given for a time
_PSETS = ("Sales_Extras", "Service_Extras", "Report_Builder", "Data_Exporter")


@dataclass(frozen=True)
class Staff:
    """How many of each kind. ``people`` are ordinary users; administrators come besides the one
    who runs the requests. ``blockers`` and other hazards are put on the first people, in order.
    ``things`` are custom objects with owners."""

    people: int = 30
    administrators: int = 2
    integrations: int = 2
    portal: int = 2
    spare_seats: int = 5
    things: int = 4
    blockers: tuple[str, ...] = tuple(BLOCKERS)
    teams: int = 40
    shares: int = 40
    locked_records: int = 2
    #: Objects that the profile of ordinary people does not let them read.
    unreadable: tuple[str, ...] = ()
    #: Rows of an object that a trigger refuses to change, by object.
    refusing: dict[str, tuple[int, ...]] = field(default_factory=dict)
    #: Every so many rows of a child object is locked the first time it is written; 0 for none.
    lock_every: int = 0


@dataclass
class Employed:
    """Rows of the table User by kind, and what lies on whom: for tests to compare with."""

    administrators: list[int]
    system: list[int]
    integrations: list[int]
    portal: list[int]
    people: list[int]
    blockers: dict[str, int]


def employ(org: SimulatedOrg, staff: Staff) -> Employed:
    """Write everybody's rows into the tables of the org."""
    return _Hiring(org, staff).done()


class _Hiring:
    def __init__(self, org: SimulatedOrg, staff: Staff) -> None:
        self.org = org
        self.staff = staff
        self.rng = random.Random(f"{org.seed}:staff")
        self.tables = org.tables.tables
        first = 1 + 3  # the one who asks, then the system's own users
        admins = list(range(first, first + staff.administrators))
        integrations = list(range(first + len(admins), first + len(admins) + staff.integrations))
        portal_from = first + len(admins) + len(integrations)
        portal = list(range(portal_from, portal_from + staff.portal))
        people = list(range(portal_from + len(portal), portal_from + len(portal) + staff.people))
        placed = dict(zip(staff.blockers, people, strict=False))
        self.who = Employed([0, *admins], [1, 2, 3], integrations, portal, people, placed)
        self.total = portal_from + len(portal) + len(people)

    def id(self, name: str, row: int) -> str:
        return self.tables[name].ids.at(row)

    def give(self, name: str, rows: list[Row]) -> None:
        self.tables[name].give(rows)

    def done(self) -> Employed:
        self._seats()
        self._users()
        self._access()
        self._groups()
        self._signed_in()
        self._work()
        self._teams()
        self._metadata()
        return self.who

    # -- people -----------------------------------------------------------------------------

    def _kind(self, row: int) -> str:
        who = self.who
        for kind, rows in (
            ("admin", who.administrators),
            ("system", who.system),
            ("integration", who.integrations),
            ("portal", who.portal),
        ):
            if row in rows:
                return kind
        return "person"

    def _users(self) -> None:
        rows = [self._user(n) for n in range(self.total)]
        for kind, row in self.who.blockers.items():
            holder = self.who.administrators[0]
            if kind == "delegated_approver":
                rows[holder]["DelegatedApproverId"] = self.id("User", row)
            if kind == "hierarchy_field":
                rows[holder]["Mentor__c"] = self.id("User", row)
        self.give("User", rows)
        self.give(
            "UserLogin",
            [
                {"UserId": self.id("User", n), "IsFrozen": "false", "IsPasswordLocked": "false"}
                for n in range(self.total)
                if self._kind(n) != "system"
            ],
        )

    def _user(self, n: int) -> Row:
        kind = self._kind(n)
        first, last = _FIRST[n % len(_FIRST)], _LAST[(n * 7) % len(_LAST)]
        profile = {"admin": 0, "system": 4, "integration": 2, "portal": 3}.get(kind, 1)
        people = self.who.people
        manager = None
        if kind == "person" and n != people[0]:
            manager = self.id("User", people[(n - people[0] - 1) // 4])
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
            "ProfileId": self.id("Profile", profile),
            "UserRoleId": self.id("UserRole", n % 3) if kind in ("person", "admin") else None,
            "ManagerId": manager,
            "IsPortalEnabled": "false",
            "LastLoginDate": datetime_text(AS_OF - 3600 * (n + 1)),
            **{f"UserPermissions{f}": "true" if (n + k) % 6 == 0 else "false"
               for k, f in enumerate(FEATURES)},
        }  # fmt: skip
        if kind == "system":
            names = ("Automated Process", "Platform Integration User", "Site Guest User")
            types = ("AutomatedProcess", "CloudIntegrationUser", "Guest")
            place = self.who.system.index(n)
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
                "UserType": ("CspLitePortal", "PowerCustomerSuccess")[n == self.who.portal[0]],
                "ContactId": self.id("Contact", n),
                "AccountId": self.id("Account", n),
                "IsPortalEnabled": "true",
            }
        if kind == "integration":
            row |= {"FirstName": None, "LastName": f"Sync {n}", "Name": f"Sync {n}"}
        return row

    def _seats(self) -> None:
        kinds = [self._kind(n) for n in range(self.total)]
        used = {
            "SFDC": sum(k in ("admin", "person") for k in kinds),
            "API": sum(k == "integration" for k in kinds),
            "PID_Customer_Community": sum(k == "portal" for k in kinds),
            "AUL": sum(k == "system" for k in kinds),
        }
        self.give(
            "UserLicense",
            [
                {
                    "Name": key,
                    "MasterLabel": key,
                    "LicenseDefinitionKey": key,
                    "Status": "Active",
                    "TotalLicenses": str(n + self.staff.spare_seats),
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
        self.give(
            "Profile",
            [
                {
                    "Name": name,
                    "UserType": kind,
                    "UserLicenseId": self.id("UserLicense", seat),
                    "PermissionsModifyAllData": wide,
                    "PermissionsManageUsers": wide,
                    "PermissionsViewAllData": wide,
                }
                for name, kind, seat, wide in made
            ],
        )
        self.give(
            "UserRole",
            [
                {"Name": name, "DeveloperName": name, "ForecastUserId": None}
                for name in ("CEO", "Sales", "Service")
            ],
        )

    # -- what they may do -----------------------------------------------------------------------

    def _access(self) -> None:
        profiles = self.tables["Profile"].rows
        sets: list[Row] = [
            {
                "Name": f"X{self.id('Profile', n)}",
                "Label": f"Profile {n}",
                "ProfileId": self.id("Profile", n),
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
                "LicenseId": self.id("PermissionSetLicense", 0) if name == _PSETS[-1] else None,
            }
            for name in _PSETS
        ]
        group_set = len(sets)
        sets.append({"Name": "Sales_Group", "Label": "Sales", "IsOwnedByProfile": "false",
                     "IsCustom": "true", "Type": "Group"})  # fmt: skip
        for row in sets:
            row |= {k: row.get(k, "false") for k in ("IsCustom", "HasActivationRequired")}
        self.give("PermissionSet", sets)
        self.give(
            "PermissionSetGroup",
            [{"DeveloperName": "Sales_Group", "MasterLabel": "Sales", "Status": "Updated"}],
        )
        group = self.id("PermissionSetGroup", 0)
        self.give(
            "PermissionSetGroupComponent",
            [
                {
                    "PermissionSetGroupId": group,
                    "PermissionSetId": self.id("PermissionSet", profiles + k),
                }
                for k in range(2)
            ],
        )
        given: list[Row] = []
        licensed: list[Row] = []
        users = self.tables["User"].column("ProfileId")
        for n in range(self.total):
            assigned: Row = {"AssigneeId": self.id("User", n), "IsActive": "true"}
            profile = self.tables["Profile"].ids.row(users.value(n) or "") or 0
            given.append(assigned | {"PermissionSetId": self.id("PermissionSet", profile)})
            if self._kind(n) not in ("person", "admin"):
                continue
            if n % 2 == 0:
                ends = {"ExpirationDate": _ENDS} if n % 6 == 0 else {}
                given.append(
                    assigned
                    | {"PermissionSetId": self.id("PermissionSet", profiles + n % 3), **ends}
                )
            if n % 3 == 0:
                given.append(
                    assigned
                    | {
                        "PermissionSetId": self.id("PermissionSet", group_set),
                        "PermissionSetGroupId": group,
                    }
                )
            if n % 4 == 0:
                given.append(assigned | {"PermissionSetId": self.id("PermissionSet", profiles + 3)})
                licensed.append(
                    {
                        "AssigneeId": self.id("User", n),
                        "PermissionSetLicenseId": self.id("PermissionSetLicense", 0),
                    }
                )
        self.give("PermissionSetAssignment", given)
        self.give("PermissionSetLicenseAssign", licensed)
        self.give(
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
        packaged = [n for n in self.who.people if n % 5 == 0]
        self.give(
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
        self.give(
            "UserPackageLicense",
            [{"PackageLicenseId": self.id("PackageLicense", 0), "UserId": self.id("User", n)}
             for n in packaged],
        )  # fmt: skip

    def _groups(self) -> None:
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
        self.give("Group", groups)
        things = [n for n in self.tables if n.startswith("Thing_")]
        self.give(
            "QueueSobject",
            [
                {"QueueId": self.id("Group", k), "SobjectType": name}
                for k, name in [*enumerate(name for name, _ in queues), *((0, n) for n in things)]
            ],
        )
        members: list[Row] = [
            {"GroupId": self.id("Group", n % 4), "UserOrGroupId": self.id("User", n)}
            for n in self.who.people
            if n % 2
        ]
        # one queue has a single member: the last one who goes leaves it to nobody
        self.give("GroupMember", members)
        self.give("Territory2", [{"Name": "North", "DeveloperName": "North"}])
        self.give(
            "UserTerritory2Association",
            [
                {
                    "UserId": self.id("User", n),
                    "Territory2Id": self.id("Territory2", 0),
                    "IsActive": "true",
                }
                for n in self.who.people[:6]
            ],
        )

    # -- what goes on ---------------------------------------------------------------------------

    def _signed_in(self) -> None:
        self.give(
            "AuthSession",
            [
                {
                    "UsersId": self.id("User", n),
                    "LoginType": "Application",
                    "SessionType": "UI" if n % 3 else "Oauth2",
                    "SourceIp": "192.0.2.9",
                    "UserType": "Standard",
                    "CreatedDate": datetime_text(AS_OF - 600 * n),
                }
                for n in range(self.total)
                if self._kind(n) != "system" and n % 2 == 0
            ],
        )
        apps = [n for n in range(self.total) if self._kind(n) == "integration" or n % 7 == 0]
        self.give(
            "OauthToken",
            [
                {
                    "AccessToken": f"acc-{n}",
                    "DeleteToken": f"del-{self.org.seed}-{n}",
                    "UserId": self.id("User", n),
                    "AppName": "Sync" if self._kind(n) == "integration" else "Mobile",
                    "LastUsedDate": datetime_text(AS_OF - 60 * n),
                    "UseCount": str(n),
                }
                for n in apps
                if self._kind(n) != "system"
            ],
        )
        self.give(
            "LoginHistory",
            [
                {
                    "UserId": self.id("User", n),
                    "LoginTime": datetime_text(AS_OF - 3600 * (n + 1)),
                    "LoginType": "Remote Access 2.0" if kind == "integration" else "Application",
                    "Application": "Sync" if kind == "integration" else "Browser",
                    "Status": "Success",
                    "SourceIp": "192.0.2.9",
                    "ApiType": "REST API" if kind == "integration" else None,
                }
                for n in range(self.total)
                if (kind := self._kind(n)) != "system"
            ],
        )

    def _work(self) -> None:
        people = self.who.people
        jobs = (("Nightly clean-up", "7"), ("Weekly report", "8"), ("Refresh board", "3"))
        self.give("CronJobDetail", [{"Name": n, "JobType": t} for n, t in jobs])
        self.give(
            "CronTrigger",
            [
                {
                    "CronJobDetailId": self.id("CronJobDetail", k),
                    "CronExpression": "0 0 1 * * ?",
                    "State": "WAITING",
                    "NextFireTime": datetime_text(AS_OF + 86_400),
                    "OwnerId": self.id("User", people[k]),
                    "CreatedById": self.id("User", people[k]),
                }
                for k in range(min(len(jobs), len(people)))
            ],
        )
        self.give(
            "AsyncApexJob",
            [
                {
                    "JobType": "BatchApex",
                    "Status": "Queued",
                    "CreatedById": self.id("User", people[0]),
                }
            ],
        )
        locked = range(self.staff.locked_records)
        self.give(
            "ProcessInstance",
            [
                {
                    "TargetObjectId": self.id("Opportunity", k),
                    "Status": "Pending",
                    "SubmittedById": self.id("User", people[0]),
                }
                for k in locked
            ],
        )
        self.give(
            "ProcessInstanceWorkitem",
            [
                {
                    "ProcessInstanceId": self.id("ProcessInstance", k),
                    "ActorId": self.id("User", people[k % len(people)]),
                    "OriginalActorId": self.id("User", people[k % len(people)]),
                }
                for k in locked
            ],
        )
        self.give(
            "FlowInterview",
            [
                {
                    "Name": "Paused",
                    "InterviewLabel": "Paused",
                    "InterviewStatus": "Paused",
                    "OwnerId": self.id("User", people[0]),
                }
            ],
        )
        self.give(
            "Dashboard",
            [
                {
                    "Title": f"Board {k}",
                    "DeveloperName": f"Board_{k}",
                    "FolderName": "Sales",
                    "RunningUserId": self.id("User", people[k]),
                    "Type": "SpecifiedUser",
                }
                for k in range(min(3, len(people)))
            ],
        )
        self.give(
            "Report",
            [
                {"Name": f"Mine {k}", "DeveloperName": f"Mine_{k}", "FolderName": "Private Reports",
                 "OwnerId": self.id("User", people[k])}
                for k in range(min(3, len(people)))
            ],
        )  # fmt: skip
        self.give(
            "EmailTemplate",
            [
                {"Name": f"Hello {k}", "DeveloperName": f"Hello_{k}", "IsActive": "true",
                 "OwnerId": self.id("User", people[k])}
                for k in range(min(2, len(people)))
            ],
        )  # fmt: skip
        owner = self.who.blockers.get("site_owner", 0)
        self.give(
            "Site",
            [
                {
                    "Name": "Help",
                    "MasterLabel": "Help",
                    "Status": "Active",
                    "GuestRecordDefaultOwnerId": self.id("User", owner),
                    "AdminId": self.id("User", 0),
                }
            ],
        )
        self.give(
            "EntitySubscription",
            [
                {
                    "ParentId": self.id("Account", k),
                    "SubscriberId": self.id("User", people[k]),
                    "IsDeleted": "false",
                }
                for k in range(min(4, len(people)))
            ],
        )

    def _teams(self) -> None:
        people = self.who.people
        pick = self.rng.choice

        def user() -> str:
            return self.id("User", pick(people))

        accounts, opportunities = self.tables["Account"].rows, self.tables["Opportunity"].rows
        self.give(
            "AccountTeamMember",
            [
                {
                    "AccountId": self.id("Account", k % accounts),
                    "UserId": user(),
                    "TeamMemberRole": "Account Manager",
                    "AccountAccessLevel": "Edit",
                    "OpportunityAccessLevel": "Read",
                    "CaseAccessLevel": "None",
                    "ContactAccessLevel": "None",
                }
                for k in range(self.staff.teams)
            ],
        )
        self.give(
            "OpportunityTeamMember",
            [
                {
                    "OpportunityId": self.id("Opportunity", k % opportunities),
                    "UserId": user(),
                    "TeamMemberRole": "Sales Rep",
                    "OpportunityAccessLevel": "Edit",
                }
                for k in range(self.staff.teams)
            ],
        )
        self.give(
            "AccountShare",
            [
                {
                    "AccountId": self.id("Account", k % accounts),
                    "UserOrGroupId": user(),
                    "AccountAccessLevel": "Edit",
                    "OpportunityAccessLevel": "None",
                    "RowCause": ("Manual", "Team", "Rule")[k % 3],
                    "IsDeleted": "false",
                }
                for k in range(self.staff.shares)
            ],
        )
        self.give(
            "OpportunityShare",
            [
                {
                    "OpportunityId": self.id("Opportunity", k % opportunities),
                    "UserOrGroupId": user(),
                    "OpportunityAccessLevel": "Edit",
                    "RowCause": ("Manual", "Team")[k % 2],
                    "IsDeleted": "false",
                }
                for k in range(self.staff.shares)
            ],
        )
        for name in ("UserAccountTeamMember", "UserTeamMember"):
            self.give(
                name,
                [
                    {"OwnerId": self.id("User", owner), "UserId": member, "TeamMemberRole": "Rep"}
                    for owner, member in (
                        (people[0], user()),
                        (people[-1], self.id("User", people[0])),
                    )
                ],
            )

    # -- what metadata names them -----------------------------------------------------------------

    def _metadata(self) -> None:
        names = self.tables["User"].column("Username")
        blockers = {kind: names.value(row) for kind, row in self.who.blockers.items()}
        files = _files(blockers)
        components = self.org.metadata.components
        kinds = {kind.name: kind for kind in KINDS}
        for (kind, name), body in files.items():
            root = _ROOTS.get((kind, name), kind)
            components.added.append(component(kinds[kind], name, document(root, body)))


_ROOTS = {("Settings", "Case"): "CaseSettings"}


def _files(who: dict[str, str | None]) -> dict[tuple[str, str], str]:
    """Metadata files that name users (Metadata API guide, the types' samples)."""

    def tag(name: str, value: str | None) -> str:
        return f"<{name}>{value}</{name}>" if value is not None else ""

    def has(kind: str, text: str) -> str:
        return text if kind in who else ""

    settings = tag("defaultCaseOwner", who.get("default_case_owner")) + has(
        "default_case_owner", "<defaultCaseOwnerType>User</defaultCaseOwnerType>"
    )
    settings += tag("defaultCaseUser", who.get("automated_case_user"))

    def rules(outer: str, entry: str) -> str:
        return (
            f"<{outer}><fullName>Standard</fullName><active>true</active>{entry}</{outer}>"
            if entry
            else ""
        )

    def assigned(kind: str) -> str:
        user = who.get(kind)
        return (
            user
            and (
                f"<ruleEntry><assignedTo>{user}</assignedTo><assignedToType>User</assignedToType>"
                "</ruleEntry>"
            )
        ) or ""

    alert = who.get("workflow_alert")
    task = who.get("workflow_task")
    update = who.get("workflow_field")
    workflow = (
        (
            "<alerts><fullName>Tell_them</fullName><description>Tell them</description>"
            f"<recipients><recipient>{alert}</recipient><type>user</type></recipients>"
            "<template>unfiled$public/Hello_0</template></alerts>"
            if alert
            else ""
        )
        + (
            "<fieldUpdates><fullName>Hand_over</fullName><field>OwnerId</field>"
            f"<lookupValue>{update}</lookupValue><lookupValueType>User</lookupValueType>"
            "<name>Hand over</name></fieldUpdates>"
            if update
            else ""
        )
        + (
            f"<tasks><fullName>Call</fullName><assignedTo>{task}</assignedTo>"
            "<assignedToType>user</assignedToType><subject>Call</subject></tasks>"
            if task
            else ""
        )
    )
    approver = who.get("approval")
    approval = (
        "<active>true</active><approvalStep><assignedApprover><approver>"
        f"<name>{approver}</name><type>user</type></approver></assignedApprover>"
        "<label>One</label><name>One</name></approvalStep><label>Discount</label>"
        if approver
        else "<active>false</active><label>Discount</label>"
    )
    responder = who.get("auto_response")
    response = responder and (
        f"<ruleEntry><senderEmail>{responder}</senderEmail><senderName>Us</senderName></ruleEntry>"
    )
    escalator = who.get("escalation")
    escalation = escalator and (
        "<ruleEntry><escalationAction><assignedTo>"
        f"{escalator}</assignedTo><assignedToType>User</assignedToType></escalationAction></ruleEntry>"
    )
    return {
        ("Settings", "Case"): settings,
        ("AssignmentRules", "Case"): rules("assignmentRule", assigned("case_assignment")),
        ("AssignmentRules", "Lead"): rules("assignmentRule", assigned("lead_assignment")),
        ("AutoResponseRules", "Case"): rules("autoresponseRule", response or ""),
        ("EscalationRules", "Case"): rules("escalationRule", escalation or ""),
        ("Workflow", "Opportunity"): workflow,
        ("ApprovalProcess", "Opportunity.Discount"): approval,
    }
