"""Who is looking: users with permissions, and the org as each of them sees it.

Salesforce hides without an error: objects are absent from Describe Global, fields absent from
describe, rows simply not there (Salesforce Help, "Data Access"; Object Reference, ContentDocument,
Note, Attachment, Report, User; SOAP API guide, Field Types).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .columns import Value
from .schema import Field, Refusal, SObject

if TYPE_CHECKING:
    from .data import Table, Tables
    from .org import SimulatedOrg

Check = Callable[[Sequence[int]], list[bool]]

#: Attributes of a user and the permission each of them is (Object Reference, PermissionSet).
PERMISSIONS: dict[str, str] = {
    "view_all_data": "ViewAllData",
    "modify_all_data": "ModifyAllData",
    "view_all_fields": "ViewAllFieldsGlobal",
    "query_all_files": "QueryAllFiles",
    "view_encrypted": "ViewEncryptedData",
    "manage_private_reports": "ManagePvtRptsAndDashbds",
    "view_setup": "ViewSetup",
    "manage_users": "ManageUsers",
    "view_personal_data": "ViewUserPII",
    "view_draft_articles": "ViewDraftArticles",
    "view_archived_articles": "ViewArchivedArticles",
    "view_restriction_rules": "ViewRestrictionAndScopingRules",
    "exempt_from_policies": "TransactionSecurityExempt",
    "api_enabled": "ApiEnabled",
}
#: Permissions that change nothing in this org, but are asked for.
FURTHER = (
    "CustomizeApplication",
    "ManageChatterMessages",
    "ManageQuotas",
    "ModifyMetadata",
    "MonitorLoginHistory",
    "OverrideForecasts",
    "RetainFieldHistory",
    "ViewAllForecasts",
    "ViewAllUsers",
    "ViewDataLeakageEvents",
    "ViewEventLogFiles",
    "ViewPlatformEvents",
    "ViewPublicDashboards",
    "ViewPublicReports",
    "ViewRoles",
)
#: Held by nobody unless given: its holder sees less.
NOT_GIVEN = ("QueryNonVetoedFiles",)
PERMISSION_NAMES = (*sorted([*PERMISSIONS.values(), *FURTHER]), *NOT_GIVEN)
DEFINITIONS = ("EntityDefinition", "FieldDefinition", "EntityParticle")
ARTICLES = ("KnowledgeArticle", "KnowledgeArticleVersion")
#: Fields of other people's users that concealment replaces by #N/A (Object Reference, User).
CONCEALED = frozenset({"Email", "Phone", "MobilePhone", "Title", "Department", "FirstName"})


@dataclass(frozen=True)
class SimulatedUser:
    """A user and what they may do; everything by default.

    ``row`` is the user's row in the table User. ``hidden_objects`` are objects they have no Read
    on, ``hidden_fields`` maps objects to fields that field-level security hides (View All Fields
    undoes that), ``own_rows_only`` names objects (or ``*``) of which sharing shows only the rows
    they own (View All Data undoes that). ``lacks`` names permissions of ``FURTHER`` they do not
    hold, ``holds`` those of ``NOT_GIVEN`` they do.
    """

    name: str
    row: int = 0
    view_all_data: bool = True
    modify_all_data: bool = True
    view_all_fields: bool = True
    query_all_files: bool = True
    view_encrypted: bool = True
    manage_private_reports: bool = True
    view_setup: bool = True
    manage_users: bool = True
    view_personal_data: bool = True
    knowledge: bool = True
    view_draft_articles: bool = True
    view_archived_articles: bool = True
    view_restriction_rules: bool = True
    exempt_from_policies: bool = False
    api_enabled: bool = True
    hidden_objects: tuple[str, ...] = ()
    hidden_fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own_rows_only: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    language: str = "en_US"
    time_zone: str = "Europe/Berlin"

    def permissions(self) -> dict[str, bool]:
        """Every permission by its API name."""
        out = {name: name not in self.lacks for name in FURTHER}
        out |= {api: bool(getattr(self, mine)) for mine, api in PERMISSIONS.items()}
        out |= {name: name in self.holds for name in NOT_GIVEN}
        return out


def clerk(name: str = "Clerk", row: int = 3, **more: object) -> SimulatedUser:
    """A user with API access and none of the wide permissions."""
    given: dict[str, object] = dict.fromkeys(PERMISSIONS, False)
    given |= {"api_enabled": True, "knowledge": False, "lacks": FURTHER, **more}
    return SimulatedUser(name, row, **given)  # type: ignore[arg-type]


@dataclass(frozen=True)
class RestrictionRule:
    """Rows of ``target`` not fulfilling ``record_filter`` are hidden from its user.

    Of the record filter this org understands ``Field = value`` and ``Field = $User.Id``.
    """

    target: str
    record_filter: str
    name: str = "Only_what_concerns_me"
    active: bool = True
    row: int | None = None  # the user's row; None: everybody
    description: str = ""


_ARTICLE_REFUSAL = Refusal(
    "MALFORMED_QUERY",
    "Implementation restriction: When querying article versions, you must filter using the "
    "following syntax: PublishStatus = [single status] or Id = [single ID].",
    ("Id", "KnowledgeArticleId"),
    ("PublishStatus",),
)


def _is_article(name: str) -> bool:
    return name.endswith("__kav") or name == "KnowledgeArticleVersion"


def _asks_for_old_versions(filtered: Collection[str]) -> bool:
    names = {one.lower() for one in filtered}
    return "islatestversion" in names and bool(names & {"id", "knowledgearticleid"})


class View:
    """The org as one user sees it; what statements are checked against."""

    def __init__(self, org: SimulatedOrg, user: SimulatedUser) -> None:
        self.org = org
        self.user = user
        self._reduced: dict[str, tuple[SObject, SObject]] = {}
        self._hidden = {name.lower() for name in user.hidden_objects}
        self._fields = dict(user.hidden_fields)

    def acting(self) -> View:
        """Itself: statements may be checked against an org or against a view of it."""
        return self

    @property
    def tables(self) -> Tables:
        """All rows."""
        return self.org.tables

    @property
    def bulk_empty_header(self) -> bool:
        """Results without rows begin with their header line."""
        return self.org.bulk_empty_header

    @property
    def user_id(self) -> str:
        """The user's id."""
        return self.tables.tables["User"].ids.at(self.user.row)

    def now(self) -> float:
        """Server time in epoch seconds."""
        return self.org.now()

    # -- schema -------------------------------------------------------------------------

    def shows(self, name: str) -> bool:
        """The user may read rows of this object."""
        if name.lower() in self._hidden:
            return False
        article = name.endswith("__kav") or name.startswith(ARTICLES)
        return self.user.knowledge or not article

    @property
    def objects(self) -> list[str]:
        """Names in Describe Global."""
        return [o.name for o in self.org.schema.values() if self.shows(o.name)]

    def sobject(self, name: str) -> SObject | None:
        """An object by name in any case, with the fields the user may see."""
        full = self.org.schema.get(name.lower())
        if full is None or not self.shows(full.name):
            return None
        hidden = self._fields.get(full.name)
        if not hidden or (self.user.view_all_fields and not self._stubborn(full.name)):
            return full
        known = self._reduced.get(full.name)
        if known is None or known[0] is not full:
            known = self._reduced[full.name] = (full, full.without(hidden))
        return known[1]

    def _stubborn(self, name: str) -> bool:
        doubts = self.org.doubts
        return not doubts.view_all_fields_is_complete and name in doubts.stubborn_objects

    def field_gone(self, name: str, field_name: str) -> bool:
        """The field has been dropped since."""
        return self.org.field_gone(name, field_name)

    def refusal(self, sobject: SObject, version: float) -> Refusal | None:
        """The filter this object demands, if it does for this user and version."""
        user = self.user
        if sobject.name == "ContentDocumentLink" and user.query_all_files and version >= 59.0:
            return None  # Object Reference, ContentDocumentLink: Query All Files, 59.0 and later
        if sobject.refusal is not None and sobject.refusal.limit_instead is not None:
            return None if user.view_all_data else sobject.refusal
        if sobject.name.endswith("__kav") and self.org.doubts.knowledge_needs_status:
            return _ARTICLE_REFUSAL
        return sobject.refusal

    # -- rows ---------------------------------------------------------------------------

    def too_large(self, name: str) -> bool:
        """Sharing of activities is worked out over at most so many parents (Limits quick
        reference; View All Data skips that)."""
        if name not in ("Task", "Event") or self.user.view_all_data:
            return False
        return self.tables.tables[name].rows > self.org.distinct_parents_most

    def sees(self, table: Table, row: int) -> bool:
        """The user may see this row, apart from its being deleted."""
        sobject = self.sobject(table.sobject.name)
        if sobject is None:
            return False
        check = self.row_check(sobject, "", ("Id", "IsLatestVersion"))
        return check is None or check([row])[0]

    def scopes(self, sobject: SObject) -> list[str]:
        """Scopes by which this user may see rows that a plain query leaves out."""
        private = "allPrivate" in sobject.scopes and self.user.manage_private_reports
        return ["everything", *(["allPrivate"] if private else [])]

    def row_check(
        self, sobject: SObject, scope: str, filtered: Collection[str] = ()
    ) -> Check | None:
        """A test for the rows this user sees in a query with conditions on the fields
        ``filtered``; None when they see them all."""
        tests = [t for t in self._tests(sobject, scope.lower()) if t is not None]
        if _is_article(sobject.name) and not _asks_for_old_versions(filtered):
            tests.append(self._current_versions(sobject.name))
        if not tests:
            return None
        return lambda rows: [all(t) for t in zip(*[test(rows) for test in tests], strict=True)]

    def _tests(self, sobject: SObject, scope: str) -> Iterable[Check | None]:
        user, name = self.user, sobject.name
        names = {f.name for f in self.tables.full(name).fields}
        limited = name in user.own_rows_only or "*" in user.own_rows_only
        if (limited and not user.view_all_data) or scope == "mine":
            for owner in ("OwnerId", "UserId", "CreatedById"):
                if owner in names:
                    yield self._equal(name, owner, self.user_id)
                    break
        if name in ("Note", "Attachment") and not user.modify_all_data:
            mine = self._equal(name, "OwnerId", self.user_id)
            public = self._equal(name, "IsPrivate", "false")
            yield lambda rows: [a or b for a, b in zip(mine(rows), public(rows), strict=True)]
        if name in ("Report", "Dashboard"):
            column = "OwnerId" if name == "Report" else "FolderId"
            private = scope == "allprivate"  # these rows and no others; else all but these
            yield self._private(name, column, within=private)
        if name in ("ContentDocument", "ContentVersion", "ContentDocumentLink"):
            yield self._files(name)
        if name == "ContentDocumentLink" and not self.org.doubts.links_of_deleted_files:
            yield self._links_of_living_files()
        if _is_article(name):
            unseen = set()
            if not user.view_draft_articles:
                unseen.add("Draft")
            if not user.view_archived_articles:
                unseen.add("Archived")
            yield self._not_in(name, "PublishStatus", unseen) if unseen else None
        if name in DEFINITIONS:
            yield self._definitions(name)
        if name == "PermissionSetAssignment" and not user.view_setup:
            yield self._equal(name, "AssigneeId", self.user_id)
        if name == "UserPermissionAccess":
            place = self.org.place_of(user)
            yield lambda rows: [k == place for k in rows]
        bound = not user.view_all_data or self.org.doubts.restriction_rules_bind_everyone
        for rule in self.org.restriction_rules:
            if rule.active and rule.target == name and rule.row in (None, user.row) and bound:
                column, _, wanted = (part.strip() for part in rule.record_filter.partition("="))
                wanted = wanted.strip("'\"")
                yield self._equal(name, column, self.user_id if wanted == "$User.Id" else wanted)

    def _current_versions(self, name: str) -> Check:
        """Versions but the archived ones behind the latest: those are given only by article and
        IsLatestVersion = false (SOQL guide, Knowledge Object Limits)."""
        status = self._equal(name, "PublishStatus", "Archived")
        older = self._equal(name, "IsLatestVersion", "false")
        return lambda rows: [not (a and b) for a, b in zip(status(rows), older(rows), strict=True)]

    def _values(self, name: str, column: str, rows: Sequence[int]) -> list[Value]:
        table = self.tables.tables[name]
        return [table.value(table.changes, column, k) for k in rows]

    def _equal(self, name: str, column: str, wanted: str) -> Check:
        return lambda rows: [v == wanted for v in self._values(name, column, rows)]

    def _not_in(self, name: str, column: str, unwanted: set[str]) -> Check:
        return lambda rows: [v not in unwanted for v in self._values(name, column, rows)]

    def _private(self, name: str, column: str, *, within: bool) -> Check:
        """Rows in somebody's own folder, which may be named by its user; or all others."""
        folders = self.org.private_folders()
        return lambda rows: [
            (v in folders or (v or "").startswith("005")) == within
            for v in self._values(name, column, rows)
        ]

    def _files(self, name: str) -> Check | None:
        """Files in libraries the user is no member of (Object Reference, ContentDocument)."""
        every = self.org.foreign_library_every
        if not every or self.user.query_all_files:
            return None
        documents = self.tables.tables["ContentDocument"]
        if name == "ContentDocument":
            return lambda rows: [k % every != every - 1 for k in rows]

        def seen(rows: Sequence[int]) -> list[bool]:
            out = []
            for document in self._values(name, "ContentDocumentId", rows):
                row = documents.ids.row(document) if document else None
                out.append(row is None or row % every != every - 1)
            return out

        return seen

    def _definitions(self, name: str) -> Check | None:
        if self.org.doubts.definitions_show_hidden:
            return None
        if name == "EntityDefinition":
            objects = self.tables.everything
            return lambda rows: [self.shows(objects[k].name) for k in rows]
        fields = self.tables.field_rows(name)

        def seen(rows: Sequence[int]) -> list[bool]:
            found = [fields.at(k) for k in rows]
            shown = [(View.sobject(self, o.name), f) for o, f in found]
            return [o is not None and o.field(f.name) is not None for o, f in shown]

        return seen

    def _links_of_living_files(self) -> Check:
        documents = self.tables.tables["ContentDocument"]

        def seen(rows: Sequence[int]) -> list[bool]:
            out = []
            for document in self._values("ContentDocumentLink", "ContentDocumentId", rows):
                row = documents.ids.row(document) if document else None
                out.append(row is None or not documents.deleted(documents.changes, row))
            return out

        return seen

    # -- values -------------------------------------------------------------------------

    def masks(self, name: str, f: Field) -> bool:
        """Values of this field come altered to this user."""
        if f.type == "encryptedstring":
            return not self.user.view_encrypted
        return name == "User" and f.name in CONCEALED and not self.user.view_personal_data

    def masked(self, name: str, f: Field, row: int, value: Value) -> Value:
        """What the user gets to see in place of a value."""
        if value is None:
            return None
        if f.type == "encryptedstring":  # mask type lastFour, mask character *
            return "*" * max(0, len(value) - 4) + value[-4:]
        if row == self.user.row:
            return value
        external = self._values(name, "UserType", [row])[0] not in ("Standard", None)
        return "#N/A" if external else value


class ToolingView(View):
    """What the Tooling API answers about: its own objects and the catalogues."""

    def sobject(self, name: str) -> SObject | None:
        """An object by name; rules need a permission of their own."""
        from .tooling import ANSWERED

        real = next((n for n in ANSWERED if n.lower() == name.lower()), None)
        if real is None or real not in self.tables.tables:
            return None
        if real == "RestrictionRule" and not self.user.view_restriction_rules:
            return None
        return self.tables.full(real)
