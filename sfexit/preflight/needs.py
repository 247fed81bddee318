"""The permissions that show data, by their names in Setup and in the API.

Names and labels are those of the object UserPermissionAccess (Object Reference Field List,
"UserPermissionAccess" and "PermissionSet", API 67.0); what each one shows is
said by the page named in `source`. Plain data: no asking here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Why a permission is in the list.
ALWAYS = "always"  # every export needs it
WHERE_FOUND = "where_found"  # only in an org that has what it shows
MODIFY = "modify_all_data"  # it shows more, but lets its holder change everything: a choice apart
HARMFUL = "harmful"  # its holder sees less


@dataclass(frozen=True)
class Need:
    """A permission and what it shows. `objects` are those that suffer without it; empty: all."""

    api_name: str  # as in metadata; the column is "Permissions" + api_name
    label: str  # as in Setup
    shows: str
    objects: tuple[str, ...]
    kind: str
    source: str

    @property
    def column(self) -> str:
        """The column of UserPermissionAccess, PermissionSet and Profile."""
        return f"Permissions{self.api_name}"


_FILES = ("ContentDocument", "ContentVersion", "ContentDocumentLink")
_EVENT_STORES = (
    "ApiEvent", "LightningUriEvent", "ListViewEvent", "LoginAsEvent", "LoginEvent", "LogoutEvent",
    "ReportEvent", "UriEvent",
)  # fmt: skip

NEEDS: tuple[Need, ...] = (
    Need("ApiEnabled", "API Enabled", "anything at all by the API", (), ALWAYS,
         "Object Reference, EventLogFile; REST API guide, Authorization"),
    Need("ViewAllData", "View All Data", "rows that belong to others and are not shared", (),
         ALWAYS, "SOQL and SOSL Reference, Object Limits; Restriction Rules, Considerations"),
    Need("ViewAllFieldsGlobal", "View All Fields (Global)",
         "fields that field-level security hides", (), ALWAYS,
         "Object Reference, ObjectPermissions (PermissionsViewAllFields)"),
    Need("QueryAllFiles", "Query All Files",
         "files in libraries of others, in unlisted groups, and private files of others", _FILES,
         ALWAYS, "Object Reference, ContentDocument"),
    Need("ManagePvtRptsAndDashbds", "Manage All Private Reports and Dashboards",
         "reports and dashboards in private folders of others", ("Report", "Dashboard"), ALWAYS,
         "Object Reference, Report and Dashboard (scope allPrivate)"),
    Need("ViewEncryptedData", "View Encrypted Data", "the text behind classic encryption's mask",
         (), ALWAYS, "SOAP API guide, Field Types (encryptedstring)"),
    Need("ViewSetup", "View Setup and Configuration",
         "the list of all objects and fields, and the org's own row counts",
         ("EntityDefinition", "FieldDefinition", "PermissionSetAssignment", "ObjectPermissions"),
         ALWAYS, "Tooling API guide, EntityDefinition; REST API guide, Record Count"),
    Need("ViewRoles", "View Roles and Role Hierarchy", "roles", ("UserRole",), ALWAYS,
         "Object Reference, UserRole"),
    # There is no right that only reads metadata by this API.
    Need("ModifyMetadata", "Modify Metadata Through Metadata API Functions",
         "the org's configuration, formulas and code among it, by the Metadata API", (), MODIFY,
         "Metadata API guide, retrieve(); or Modify All Data"),
    Need("MonitorLoginHistory", "Monitor Login History", "sign-ins of others", ("LoginHistory",),
         WHERE_FOUND, "Object Reference, LoginHistory"),
    Need("ViewEventLogFiles", "View Event Log Files", "event log files", ("EventLogFile",),
         WHERE_FOUND, "Object Reference, EventLogFile"),
    Need("ViewDataLeakageEvents", "View Real-Time Event Monitoring Data",
         "stored events of Real-Time Event Monitoring", _EVENT_STORES, WHERE_FOUND,
         "Platform Events guide, Real-Time Event Monitoring Objects"),
    Need("ViewUserPII", "View Concealed Field Data",
         "personal fields of users that come back as #N/A", ("User",), WHERE_FOUND,
         "Object Reference, User"),
    Need("ViewDraftArticles", "View Draft Articles", "Knowledge articles in draft", (),
         WHERE_FOUND, "Object Reference, KnowledgeArticleVersion"),
    Need("ViewArchivedArticles", "View Archived Articles", "archived Knowledge articles", (),
         WHERE_FOUND, "Object Reference, KnowledgeArticleVersion"),
    Need("ManageChatterMessages", "Manage Chatter Messages and Direct Messages",
         "private Chatter messages",
         ("ChatterMessage", "ChatterConversation", "ChatterConversationMember", "DirectMessage"),
         WHERE_FOUND, "Object Reference, ChatterMessage and DirectMessage"),
    Need("TransactionSecurityExempt", "Exempt from Transaction Security",
         "answers that a transaction security policy would block", (), WHERE_FOUND,
         "Security Implementation Guide, Exempt Users from Transaction Security Policies"),
    Need("ViewRestrictionAndScopingRules", "View Restriction and Scoping Rules",
         "which restriction rules cut rows out for this user", (), WHERE_FOUND,
         "Tooling API guide, RestrictionRule"),
    Need("ModifyAllData", "Modify All Data",
         "private notes and attachments of others, and attachments of e-mails",
         ("Note", "Attachment"), MODIFY, "Object Reference, Note and Attachment"),
    Need("QueryNonVetoedFiles", "Query Non Vetoed Files",
         "nothing more: its holder sees only public files", _FILES, HARMFUL,
         "Object Reference, ContentDocument"),
)  # fmt: skip

BY_NAME = {need.api_name: need for need in NEEDS}

#: What must be ticked together, where the org does not tell (Tooling object PermissionDependency):
#: a deployment that leaves one out is refused with "depends on permission(s)". Seen in
#: forcedotcom/cli issue 2205 and in error texts of deployments.
KNOWN_DEPENDENCIES: dict[str, tuple[str, ...]] = {
    "ViewAllData": (
        "ViewAllForecasts", "ViewDataLeakageEvents", "ViewEventLogFiles", "ViewPlatformEvents",
        "ViewPublicDashboards", "ViewPublicReports", "ViewRoles", "ViewSetup",
    ),
    "QueryAllFiles": ("ViewAllData",),
    "ModifyAllData": ("ViewAllData", "ManageQuotas", "OverrideForecasts"),
    "ViewRestrictionAndScopingRules": ("ViewSetup",),
    "ViewSetup": ("ViewRoles",),
}  # fmt: skip


def columns() -> tuple[str, ...]:
    """Every column to ask for: the needs and what must be ticked with them."""
    names = [need.api_name for need in NEEDS]
    names += [name for required in KNOWN_DEPENDENCIES.values() for name in required]
    return tuple(f"Permissions{name}" for name in dict.fromkeys(names))


def with_dependencies(
    names: Iterable[str], dependencies: dict[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """`names` and everything that they require, in alphabetical order."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += dependencies.get(name, ())
    return tuple(sorted(found))
