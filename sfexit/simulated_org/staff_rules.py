"""What Salesforce refuses, and what it does by itself, when people and owners change.

Salesforce Help: "Considerations for Deactivating Users", "Transfer Account Ownership"; SOAP API
guide, StatusCode and OwnerChangeOptions; Object Reference of each object named. The codes of a
refused deactivation are not documented: a switch says which one is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from .data import Table
from .staff import BLOCKERS, FILES, Employed, Staff
from .writes import Deed, Refused, Writes

if TYPE_CHECKING:
    from .org import SimulatedOrg

_NO_RIGHT = "insufficient access rights on object id"


class StaffRules:
    """The rules of one org with staff."""

    def __init__(self, org: SimulatedOrg, staff: Staff, who: Employed) -> None:
        self.org = org
        self.staff = staff
        self.who = who
        self._locked: set[str] = set()
        self._indexes: dict[
            tuple[str, str], tuple[tuple[int, ...], dict[str | None, list[int]]]
        ] = {}
        self._before: dict[str, Callable[[Deed], None]] = {
            "User": self._user,
            "UserLogin": self._needs_manage_users,
            "AuthSession": self._needs_manage_users,
            "PermissionSetAssignment": self._assignment,
            "PermissionSetLicenseAssign": self._licence_assignment,
            "UserPackageLicense": self._package_seat,
            "GroupMember": self._needs_manage_users,
            "UserTerritory2Association": self._territory,
            "AccountShare": self._share,
            "OpportunityShare": self._share,
            "ContactShare": self._share,
        }

    # -- helpers --------------------------------------------------------------------------------

    def table(self, name: str) -> Table:
        """A table of the org."""
        return self.org.tables.tables[name]

    def rows(self, name: str, **wanted: str | None) -> Iterator[int]:
        """Rows that are there and have these values."""
        table = self.table(name)
        changes = table.changes
        field, value = next(iter(wanted.items()))
        for row in self._candidates(table, field).get(value, ()):
            if changes.gone(row) or table.deleted(changes, row):
                continue
            if all(table.value(changes, k, row) == v for k, v in wanted.items()):
                yield row

    def _candidates(self, table: Table, field: str) -> dict[str | None, list[int]]:
        """Rows by a value; made anew when rows came or were edited, not when some went."""
        changes = table.changes
        state = (len(changes.inserted), len(changes.updated), len(changes.values))
        known = self._indexes.get((table.sobject.name, field))
        if known is None or known[0] != state:
            found: dict[str | None, list[int]] = {}
            for row in range(table.total(changes)):
                found.setdefault(table.value(changes, field, row), []).append(row)
            known = self._indexes[table.sobject.name, field] = (state, found)
        return known[1]

    def get(self, record_id: str | None, name: str) -> str | None:
        """A value of a row by its id."""
        found = self.org.tables.locate(record_id or "")
        if found is None:
            return None
        table, row = found
        return table.value(table.changes, name, row)

    def _follow(self, writes: Writes, deed: Deed, action: str, name: str, row: int, cause: str,
                **values: str | None) -> None:  # fmt: skip
        table = self.table(name)
        writes.follow(Deed(action, deed.view, table, row, table.ids.at(row), dict(values)), cause)

    # -- before -----------------------------------------------------------------------------------

    def before(self, writes: Writes, deed: Deed) -> None:  # noqa: ARG002 (a rule's signature)
        """Refuse what Salesforce refuses."""
        check = self._before.get(deed.object)
        if check is not None:
            check(deed)
        if deed.changes("OwnerId") and deed.action == "update":
            self._new_owner(deed)
        if deed.action == "update":
            self._stubborn(deed)

    def _needs_manage_users(self, deed: Deed) -> None:
        if not deed.view.user.manage_users:
            raise Refused("INSUFFICIENT_ACCESS_OR_READONLY", _NO_RIGHT)
        if deed.object == "UserLogin" and deed.new("UserId") == deed.view.user_id:
            raise Refused("FIELD_INTEGRITY_EXCEPTION", "You cannot freeze yourself.", ["IsFrozen"])

    def _user(self, deed: Deed) -> None:
        self._needs_manage_users(deed)
        if deed.action != "update":
            return
        if deed.old("UserType") in ("AutomatedProcess", "CloudIntegrationUser", "Guest"):
            raise Refused("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", _NO_RIGHT)
        if not deed.changes("IsActive"):
            return
        if deed.values["IsActive"] == "true":
            self._seat(deed)
            return
        if deed.id == deed.view.user_id:
            raise self._cannot("You cannot deactivate yourself.")
        for kind in BLOCKERS:
            if self.who.blockers.get(kind) == deed.row and self._stands(kind, deed.id):
                raise self._cannot(BLOCKERS[kind])  # one at a time, as people see them

    def _cannot(self, message: str) -> Refused:
        return Refused(self.org.doubts.deactivation_code, message)

    def lift(self, kind: str) -> None:
        """Somebody clears a blocker in Setup, where no API reaches."""
        self.who.blockers.pop(kind, None)

    def _stands(self, kind: str, user_id: str) -> bool:
        """Blockers that lie in rows are gone once the rows no longer name the user."""
        if kind == "delegated_approver":
            return next(self.rows("User", DelegatedApproverId=user_id), None) is not None
        if kind == "hierarchy_field":
            return next(self.rows("User", Mentor__c=user_id), None) is not None
        file = FILES.get(kind)
        if file is not None:
            name = escape(self.get(user_id, "Username") or "")
            component = self.org.metadata.truth().get(file)
            return component is not None and any(
                f">{name}<".encode() in body for _, body in component.files
            )
        return True

    def _seat(self, deed: Deed) -> None:
        profile = deed.new("ProfileId")
        licence = self.get(profile, "UserLicenseId")
        profiles = self.table("Profile")
        users = self.table("User")
        used = 0
        same = {profiles.ids.at(row) for row in self.rows("Profile", UserLicenseId=licence)}
        for row in range(users.total(users.changes)):  # no index: people come back within a request
            if users.value(users.changes, "IsActive", row) == "true":
                used += users.value(users.changes, "ProfileId", row) in same
        if used >= int(self.get(licence, "TotalLicenses") or 0):
            raise Refused("LICENSE_LIMIT_EXCEEDED", "License Limit Exceeded", ["ProfileId"])

    def _assignment(self, deed: Deed) -> None:
        self._needs_manage_users(deed)
        made = deed.action == "create"
        sets = deed.values.get("PermissionSetId") if made else deed.old("PermissionSetId")
        if self.get(sets, "IsOwnedByProfile") == "true":
            raise Refused(
                "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
                "insufficient access rights on cross-reference id",
            )
        if deed.action != "create":
            return
        deed.values["IsActive"] = "true"
        if deed.values.get("PermissionSetGroupId"):
            # A group is assigned by itself; the org adds the set that the group comes to.
            deed.values["PermissionSetId"] = sets = self._of_group()
        if not sets:
            raise Refused(
                "REQUIRED_FIELD_MISSING",
                "Required fields are missing: [PermissionSetId]",
                ["PermissionSetId"],
            )
        user = deed.values.get("AssigneeId")
        licence = self.get(sets, "LicenseId")
        if licence is None:
            return
        wanted = {"AssigneeId": user, "PermissionSetLicenseId": licence}
        held = next(self.rows("PermissionSetLicenseAssign", **wanted), None)
        if held is None or self.get(user, "IsActive") != "true":
            raise Refused(
                "FIELD_INTEGRITY_EXCEPTION",
                "Assignment requires a permission set license, which an inactive user cannot get",
                ["PermissionSetId"],
            )

    def _of_group(self) -> str | None:
        found = next(self.rows("PermissionSet", Type="Group"), None)
        return self.table("PermissionSet").ids.at(found) if found is not None else None

    def _licence_assignment(self, deed: Deed) -> None:
        self._needs_manage_users(deed)
        licence, user = deed.new("PermissionSetLicenseId"), deed.new("AssigneeId")
        if deed.action == "delete":
            for row in self.rows("PermissionSet", LicenseId=licence):
                needed = self.table("PermissionSet").ids.at(row)
                if next(
                    self.rows("PermissionSetAssignment", AssigneeId=user, PermissionSetId=needed),
                    None,
                ) is not None:  # fmt: skip
                    raise Refused(
                        "DELETE_FAILED",
                        "The permission set license is needed by an assigned permission set",
                    )
            return
        if self.get(user, "IsActive") != "true":
            raise Refused("FIELD_INTEGRITY_EXCEPTION", "The user is inactive", ["AssigneeId"])
        used = sum(
            1 for _ in self.rows("PermissionSetLicenseAssign", PermissionSetLicenseId=licence)
        )
        if used >= int(self.get(licence, "TotalLicenses") or 0):
            raise Refused("LICENSE_LIMIT_EXCEEDED", "License Limit Exceeded")

    def _package_seat(self, deed: Deed) -> None:
        self._needs_manage_users(deed)
        if deed.action != "create":
            return
        package = deed.values.get("PackageLicenseId")
        most = int(self.get(package, "AllowedLicenses") or 0)
        used = sum(1 for _ in self.rows("UserPackageLicense", PackageLicenseId=package))
        if 0 <= most <= used:
            raise Refused("LICENSE_LIMIT_EXCEEDED", "License Limit Exceeded")

    def _territory(self, deed: Deed) -> None:
        self._needs_manage_users(deed)
        if deed.action == "create":
            deed.values["IsActive"] = self.get(deed.values.get("UserId"), "IsActive")

    def _share(self, deed: Deed) -> None:
        made = deed.action == "create"
        cause = deed.values.get("RowCause") or "Manual" if made else deed.old("RowCause")
        if cause != "Manual":
            raise Refused(
                "FIELD_INTEGRITY_EXCEPTION",
                "sharing row cause is not writeable, or the row is not manual",
                ["RowCause"],
            )
        if deed.action == "create":
            deed.values["RowCause"] = "Manual"

    def _new_owner(self, deed: Deed) -> None:
        owner = deed.values["OwnerId"] or ""
        if owner.startswith("00G"):
            found = next(self.rows("QueueSobject", QueueId=owner, SobjectType=deed.object), None)
            if found is None:
                raise Refused(
                    "INVALID_CROSS_REFERENCE_KEY", "Queue not associated with this SObject type"
                )
            return
        if self.get(owner, "IsActive") != "true":
            raise Refused(
                "INACTIVE_OWNER_OR_USER",
                f"operation performed with inactive user [{owner}] as owner of "
                f"{deed.object.lower()}",
            )
        if self.get(owner, "UserType") not in ("Standard", "PowerCustomerSuccess"):
            raise Refused(
                "TRANSFER_REQUIRES_READ", "The new owner must have read permission", ["OwnerId"]
            )
        if deed.object == "Account" and not self.get(owner, "UserRoleId"):
            portal = (self.table("User").ids.at(n) for n in self.who.portal)
            if any(self.get(user, "AccountId") == deed.id for user in portal):
                raise Refused(
                    "FIELD_INTEGRITY_EXCEPTION",
                    "portal account owner must have a role",
                    ["OwnerId"],
                )

    def _stubborn(self, deed: Deed) -> None:
        if deed.row in self.staff.refusing.get(deed.object, ()):
            raise Refused(
                "FIELD_CUSTOM_VALIDATION_EXCEPTION", "A trigger of this org refuses the change"
            )
        if deed.changes("OwnerId"):
            pending = self.rows("ProcessInstance", TargetObjectId=deed.id, Status="Pending")
            if not deed.view.user.modify_all_data and next(pending, None) is not None:
                raise Refused("ENTITY_IS_LOCKED", "entity is locked for editing")
        every = self.staff.lock_every
        if (
            every
            and deed.row % every == 0
            and deed.id not in self._locked
            and deed.object != "User"
        ):
            self._locked.add(deed.id)
            raise Refused("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")

    # -- after ------------------------------------------------------------------------------------

    def after(self, writes: Writes, deed: Deed) -> None:
        """What follows by itself."""
        if deed.object == "User" and deed.action == "update" and "IsActive" in deed.values:
            self._moved(writes, deed, deed.values["IsActive"] == "true")
        last = writes.log[-1]
        owner_changed = deed.action == "update" and "OwnerId" in last.after
        if owner_changed and deed.object in ("Account", "Opportunity", "Contact"):
            self._lost(writes, deed)
        if deed.object in ("Case", "Lead") and deed.action == "update":
            self._assigned_by_rule(writes, deed)

        if deed.object == "UserLogin" and self.org.doubts.freeze_ends_sessions:
            for row in list(self.rows("AuthSession", UsersId=deed.old("UserId"))):
                self._follow(writes, deed, "delete", "AuthSession", row, "freeze")

    def revoke(self, token: str) -> bool:
        """A token of the list OauthToken is revoked by its DeleteToken; whether it was one."""
        for row in self.rows("OauthToken", DeleteToken=token):
            table = self.table("OauthToken")
            view = self.org.view()
            deed = Deed("delete", view, table, row, table.ids.at(row), {})
            self.org.writes.follow(deed, "request")
            return True
        return False

    def _moved(self, writes: Writes, deed: Deed, active: bool) -> None:
        cause = "activation" if active else "deactivation"
        if active:
            for row in self.rows("EntitySubscription", SubscriberId=deed.id, IsDeleted="true"):
                self._follow(writes, deed, "update", "EntitySubscription", row, cause,
                             IsDeleted="false")  # fmt: skip
            return
        for name, field in (
            ("UserTerritory2Association", "UserId"),
            ("UserAccountTeamMember", "UserId"),
            ("UserTeamMember", "UserId"),
            ("AuthSession", "UsersId"),
        ):
            for row in list(self.rows(name, **{field: deed.id})):
                self._follow(writes, deed, "delete", name, row, cause)
        for row in list(self.rows("EntitySubscription", SubscriberId=deed.id)):
            self._follow(writes, deed, "update", "EntitySubscription", row, cause, IsDeleted="true")
        for row in list(self.rows("CronTrigger", OwnerId=deed.id)):
            self._follow(writes, deed, "update", "CronTrigger", row, cause, State="ERROR")

    def _lost(self, writes: Writes, deed: Deed) -> None:
        """Teams and shares that an owner change over REST or Bulk takes away."""
        cause = "owner change"
        name, field = deed.object, f"{deed.object}Id"
        drops = self.org.doubts.owner_change_drops_teams
        if drops and name != "Contact":
            for row in list(self.rows(f"{name}TeamMember", **{field: deed.id})):
                self._follow(writes, deed, "delete", f"{name}TeamMember", row, cause)
        for row in list(self.rows(f"{name}Share", **{field: deed.id})):
            table = self.table(f"{name}Share")
            kind = table.value(table.changes, "RowCause", row)
            if kind == "Manual" or (kind == "Team" and drops):
                self._follow(writes, deed, "delete", f"{name}Share", row, cause)

    def _assigned_by_rule(self, writes: Writes, deed: Deed) -> None:
        """Assignment rules run on updates over REST unless a header says otherwise (REST API
        guide, Assignment Rule Header)."""
        wish = next(
            (v for k, v in deed.headers.items() if k.lower() == "sforce-auto-assign"), "TRUE"
        )
        if wish.strip().upper() == "FALSE":
            return
        queue = self.table("Group").ids.at(0 if deed.object == "Case" else 1)
        if deed.new("OwnerId") != queue:
            self._follow(writes, deed, "update", deed.object, deed.row, "assignment rule",
                         OwnerId=queue)  # fmt: skip
