"""Creating, changing and deleting rows, with the checks Salesforce makes before it does.

REST API guide, "Working with Records" and "sObject Collections"; SOAP API guide, "Core Data Types",
StatusCode; Apex guide, "sObjects That Cannot Be Used Together in DML Operations". What is special
to users, groups, shares and the like stands in rules that are asked for each deed.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from .columns import Value
from .errors import ApiError
from .ids import to18
from .schema import COMPOUND, NUMERIC, Field, SObject

if TYPE_CHECKING:
    from .data import Changes, Table
    from .org import SimulatedOrg
    from .visibility import View

#: Setup objects: not in one transaction with the rest.
SETUP = frozenset(
    {
        "FieldPermissions",
        "Group",
        "GroupMember",
        "ObjectPermissions",
        "PermissionSet",
        "PermissionSetAssignment",
        "PermissionSetGroup",
        "PermissionSetLicenseAssign",
        "QueueSobject",
        "User",
        "UserLogin",
        "UserPackageLicense",
        "UserRole",
        "UserTerritory2Association",
    }
)
_WRITTEN_BY_ORG = ("CreatedById", "LastModifiedById")


class Refused(Exception):
    """One row is refused: status code of the SOAP API, message, fields."""

    def __init__(
        self, code: str, message: str, fields: Sequence[str] = (), status: int = 400
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = tuple(fields)
        self.status = status

    def entry(self) -> dict[str, Any]:
        """As an element of the errors of a collection."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields)}

    def api_error(self) -> ApiError:
        """As the answer to a request for one row."""
        return ApiError(self.status, self.code, self.message, self.fields)


@dataclass(frozen=True)
class Change:
    """One line of the org's own change log. ``cause`` is ``request`` or what followed from one."""

    seq: int
    at: float
    by: str
    action: str
    object: str
    id: str
    before: Mapping[str, Value]
    after: Mapping[str, Value]
    cause: str = "request"


@dataclass
class Deed:
    """A row that is about to be written. ``values`` hold what is written, checked."""

    action: str
    view: View
    table: Table
    row: int
    id: str
    values: dict[str, Value]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def object(self) -> str:
        """Name of the object."""
        return self.table.sobject.name

    def old(self, name: str) -> Value:
        """A value as it is before the deed."""
        return self.table.value(self.table.changes, name, self.row)

    def new(self, name: str) -> Value:
        """A value as it will be."""
        return self.values[name] if name in self.values else self.old(name)

    def changes(self, name: str) -> bool:
        """The deed gives the field another value."""
        return name in self.values and (
            self.action == "create" or self.values[name] != self.old(name)
        )


class Rule(Protocol):
    """What is special to some objects. May raise Refused; may write more through ``writes``."""

    def before(self, writes: Writes, deed: Deed) -> None:
        """Asked before a row is written; may alter its values."""

    def after(self, writes: Writes, deed: Deed) -> None:
        """Told once it is written."""


class Writes:
    """Everything that changes rows of an org over its API, and the log of it."""

    def __init__(self, org: SimulatedOrg) -> None:
        self.org = org
        self.log: list[Change] = []
        self.rules: list[Rule] = []
        self._cause = "request"
        self._thawed: set[str] = set()

    @contextmanager
    def together(self) -> Iterator[None]:
        """While the rows of one request are written; queries at work keep what they saw."""
        with self.org.lock:
            self._thawed = set()
            try:
                yield
            finally:
                for name in self._thawed:
                    table = self.org.tables.tables[name]
                    table.changes = replace(table.changes)
                self._thawed = set()

    # -- one row --------------------------------------------------------------------------

    def update(
        self,
        view: View,
        name: str,
        row_id: str,
        values: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Change one row; its id. Raises Refused."""
        sobject = self._object(view, name, "updateable")
        table, row = self._row(view, sobject, row_id)
        checked = self._checked(sobject, values, "update")
        deed = Deed("update", view, table, row, table.ids.at(row), checked, headers or {})
        if not self._may_write(view, deed):
            raise Refused(
                "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"
            )
        self._carry_out(deed)
        return deed.id

    def create(
        self,
        view: View,
        name: str,
        values: Mapping[str, Any],
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Make one row; its id. Raises Refused."""
        sobject = self._object(view, name, "createable")
        checked = self._checked(sobject, values, "create")
        missing = [
            f.name
            for f in sobject.fields
            if not (f.nillable or f.system or f.type == "boolean" or f.auto_number)
            and f.name != "OwnerId"
            and checked.get(f.name) is None
            and not (f.name_field and f.formula)
        ]
        if missing:
            listed = ", ".join(missing)
            raise Refused(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{listed}]", missing
            )
        table = self.org.tables.tables[sobject.name]
        row = table.total(table.changes)
        deed = Deed("create", view, table, row, table.ids.at(row), checked, headers or {})
        self._carry_out(deed)
        return deed.id

    def delete(self, view: View, name: str | None, row_id: str) -> str:
        """Delete one row; its id. Raises Refused."""
        found = self.org.tables.locate(row_id)
        sobject = self._object(
            view, name if name is not None else found[0].sobject.name if found else "", "deletable"
        )
        table, row = self._row(view, sobject, row_id)
        deed = Deed("delete", view, table, row, table.ids.at(row), {})
        if not self._may_write(view, deed):
            raise Refused(
                "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"
            )
        self._carry_out(deed)
        return deed.id

    # -- several rows -----------------------------------------------------------------------

    def transaction(self, names: Iterable[str]) -> None:
        """Refuse setup objects and others in one transaction (MIXED_DML_OPERATION)."""
        kinds = list(dict.fromkeys(names))
        setup = [n for n in kinds if n in SETUP]
        others = [n for n in kinds if n not in SETUP]
        if setup and others:
            raise Refused(
                "MIXED_DML_OPERATION",
                "DML operation on setup object is not permitted after you have updated a "
                f"non-setup object (or vice versa): {setup[0]}, original object: {others[0]}",
            )

    def snapshot(self) -> tuple[dict[str, Changes], int]:
        """Where things stand, for ``restore``."""
        self._thawed.clear()  # what is written from here on goes to copies
        return {n: t.changes for n, t in self.org.tables.tables.items()}, len(self.log)

    def restore(self, before: tuple[dict[str, Changes], int]) -> None:
        """Undo all that was written since."""
        changes, logged = before
        for name, old in changes.items():
            self.org.tables.tables[name].changes = old
        self._thawed.clear()
        del self.log[logged:]

    # -- consequences, for rules --------------------------------------------------------------

    def follow(self, deed: Deed, cause: str) -> None:
        """Write what follows from another deed, without asking whether the user may."""
        before, self._cause = self._cause, cause
        try:
            self._write(deed)
        finally:
            self._cause = before

    # -- within -------------------------------------------------------------------------------

    def _carry_out(self, deed: Deed) -> None:
        for rule in self.rules:
            rule.before(self, deed)
        self._write(deed)
        for rule in self.rules:
            rule.after(self, deed)

    def _write(self, deed: Deed) -> None:
        table, now, user = deed.table, int(self.org.now()), deed.view.user_id
        old = table.changes
        named = [f.name for f in table.sobject.fields if f.name in _WRITTEN_BY_ORG]
        if deed.action == "create":
            values: dict[str, Value] = {
                f.name: ("false" if f.type == "boolean" else None)
                for f in table.sobject.fields
                if not f.system and f.type not in COMPOUND
            }
            if table.sobject.field("OwnerId") is not None:
                values["OwnerId"] = user
            values |= deed.values | dict.fromkeys(named, user)
            table.changes = old.insert(deed.row, 1, now, values)
            self._note(deed, {}, deed.values)
        elif deed.action == "update":
            before = {name: deed.old(name) for name in deed.values}
            changed = {n: v for n, v in deed.values.items() if before[n] != v}
            stamped = {n: user for n in named if n == "LastModifiedById"}
            self._edit(table, deed.row, now, {**deed.values, **stamped})
            self._note(deed, {n: before[n] for n in changed}, changed)
        else:
            names = [f.name for f in table.sobject.fields if f.type not in (*COMPOUND, "base64")]
            before = {n: deed.old(n) for n in names}
            if table.deletable:
                table.changes = old.delete([deed.row], now, lambda k: table.hidden(old, k))
            else:
                table.changes = old.purge([deed.row], lambda k: table.hidden(old, k))
            self._note(deed, before, {})

    def _edit(self, table: Table, row: int, now: int, values: dict[str, Value]) -> None:
        # Copied once a request, not once a row: a job may change a hundred thousand.
        if table.sobject.name not in self._thawed:
            table.changes = table.changes.thawed()
            self._thawed.add(table.sobject.name)
        table.changes.edit(row, now, values)

    def _note(self, deed: Deed, before: Mapping[str, Value], after: Mapping[str, Value]) -> None:
        self.log.append(
            Change(
                len(self.log) + 1,
                self.org.now(),
                deed.view.user_id,
                deed.action,
                deed.object,
                deed.id,
                before,
                dict(after),
                self._cause,
            )
        )

    def _object(self, view: View, name: str, flag: str) -> SObject:
        sobject = view.sobject(name)
        if sobject is None:
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        if flag not in sobject.flags:
            verb = {"updateable": "update", "createable": "create", "deletable": "delete"}[flag]
            raise Refused(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY" if verb != "delete" else "DELETE_FAILED",
                f"entity type {sobject.name} does not support {verb}",
            )
        return sobject

    def _row(self, view: View, sobject: SObject, row_id: str) -> tuple[Table, int]:
        if to18(row_id) is None:
            raise Refused("MALFORMED_ID", f"malformed id {row_id}", ["Id"])
        found = self.org.tables.locate(row_id)
        if found is None or found[0].sobject.name != sobject.name or not view.sees(*found):
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        table, row = found
        if table.deleted(table.changes, row):
            raise Refused("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return table, row

    def _may_write(self, view: View, deed: Deed) -> bool:
        if view.user.modify_all_data:
            return True
        owner = deed.table.sobject.field("OwnerId")
        return owner is not None and deed.old("OwnerId") == view.user_id

    def _checked(self, sobject: SObject, values: Mapping[str, Any], what: str) -> dict[str, Value]:
        out: dict[str, Value] = {}
        for name, value in values.items():
            if name == "attributes" or (name.lower() == "id" and what == "update"):
                continue
            found = sobject.field(name)
            if found is None:
                raise Refused(
                    "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}"
                )
            if not found.writable:
                raise Refused(
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    f"Unable to create/update fields: {found.name}. Please check the security "
                    "settings of this field and verify that it is read/write for your profile or "
                    "permission set.",
                    [found.name],
                )
            out[found.name] = self._value(found, value)
        return out

    def _value(self, f: Field, value: Any) -> Value:
        if value is None or value == "":
            return "false" if f.type == "boolean" else None
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if f.type == "boolean":
            if text.lower() not in ("true", "false", "1", "0"):
                raise _unusable(f, text)
            return "true" if text.lower() in ("true", "1") else "false"
        if f.type == "reference":
            return self._reference(f, text)
        if f.type in NUMERIC:
            try:
                float(text)
            except ValueError:
                raise _unusable(f, text) from None
            return text
        if f.type in ("date", "datetime"):
            try:
                moment = datetime.datetime.fromisoformat(text)
            except ValueError:
                raise _unusable(f, text) from None
            if f.type == "date":
                return text[:10]
            if moment.tzinfo is not None:
                moment = moment.astimezone(datetime.UTC)
            return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        if f.length and len(text) > f.length:
            label = f.describe()["label"]
            raise Refused(
                "STRING_TOO_LONG",
                f"{label}: data value too large: {text[:40]} (max length={f.length})",
                [f.name],
            )
        return text

    def _reference(self, f: Field, text: str) -> str:
        whole = to18(text)
        if whole is None:
            raise Refused("MALFORMED_ID", f"{f.name}: id value of incorrect type: {text}", [f.name])
        found = self.org.tables.locate(whole)
        if found is None or (f.ref and found[0].sobject.name not in f.ref):
            if found is not None:
                raise Refused(
                    "FIELD_INTEGRITY_EXCEPTION",
                    f"{f.name}: id value of incorrect type: {whole}",
                    [f.name],
                )
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [f.name])
        return whole


def _unusable(f: Field, text: str) -> Refused:
    return Refused(
        "JSON_PARSER_ERROR", f"Cannot deserialize instance of {f.type} from value {text[:40]}", []
    )


__all__ = ["SETUP", "Change", "Deed", "Refused", "Rule", "Writes"]
