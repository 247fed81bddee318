"""Which permissions the running user holds, and what must be ticked together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sfexit.catalog import Description
from sfexit.preflight.needs import (
    HARMFUL,
    KNOWN_DEPENDENCIES,
    NEEDS,
    Need,
    columns,
    with_dependencies,
)
from sfexit.preflight.questions import Questions, query, text
from sfexit.preflight.sight import HELD, MISSING, UNKNOWN, Permission


def permissions(
    asking: Questions, user_id: str, described: Mapping[str, Description]
) -> tuple[tuple[Permission, ...], frozenset[str]]:
    """Every needed permission with its state, and the names of all that this org has."""
    source, known, row, why = _permission_row(asking, user_id, described)
    states = []
    for need in NEEDS:
        if known and need.column not in known:
            states.append(_stated(need, UNKNOWN, "this org or API version has no such permission"))
        elif need.column in row:
            state = HELD if row[need.column] else MISSING
            states.append(_stated(need, state, f"{source}.{need.column}"))
        elif need.api_name == "ApiEnabled":
            states.append(_stated(need, HELD, "the org answers by the API"))
        else:
            states.append(_stated(need, UNKNOWN, why or "the org did not tell"))
    return tuple(states), frozenset(name.removeprefix("Permissions") for name in known)


def _stated(need: Need, state: str, evidence: str) -> Permission:
    return Permission(
        need.api_name, need.label, need.shows, need.objects, need.kind, state, evidence
    )


def _permission_row(
    asking: Questions, user_id: str, described: Mapping[str, Description]
) -> tuple[str, frozenset[str], dict[str, bool], str]:
    """Source, the columns that exist, what is held, and why nothing is known.

    UserPermissionAccess has one row for whoever asks and is open to all API users; the permission
    sets of a user (the profile's hidden one among them) need View Setup and Configuration.
    """
    why = ""
    access = described.get("UserPermissionAccess")
    known = _permission_columns(access) or _permission_columns(described.get("PermissionSet"))
    wanted = [name for name in columns() if not known or name in known]
    reply = asking.one(query(f"SELECT {','.join(wanted)} FROM UserPermissionAccess"))  # noqa: S608
    if reply.ok and reply.rows:
        first = reply.rows[0]
        row = {name: first[name] for name in wanted if isinstance(first.get(name), bool)}
        return "UserPermissionAccess", known, row, ""
    why = reply.refusal or "UserPermissionAccess has no row"
    if user_id:
        from_sets = _columns_for(wanted, described.get("PermissionSet"))
        soql = (
            f"SELECT {','.join(f'PermissionSet.{name}' for name in from_sets)} "  # noqa: S608
            f"FROM PermissionSetAssignment WHERE AssigneeId = '{user_id}'"
        )
        of_profile = (
            f"SELECT {','.join(from_sets)} FROM Profile "  # noqa: S608
            f"WHERE Id IN (SELECT ProfileId FROM User WHERE Id = '{user_id}')"
        )
        sets, profile = asking.ask([query(soql), query(of_profile)])
        rows = [one.get("PermissionSet") for one in sets.rows] if sets.ok else []
        rows += profile.rows if profile.ok else []
        told = [one for one in rows if isinstance(one, dict)]
        if told:
            # A profile alone says what is held, never what is missing.
            whole = sets.ok and bool(sets.rows)
            row = {
                name: any(one.get(name) is True for one in told)
                for name in from_sets
                if whole or any(one.get(name) is True for one in told)
            }
            source = "PermissionSetAssignment.PermissionSet" if whole else "Profile"
            return source, known, row, why
        why = sets.refusal or profile.refusal or why
    return "", known, {}, why


def _permission_columns(description: Description | None) -> frozenset[str]:
    if description is None:
        return frozenset()
    return frozenset(one.name for one in description.fields if one.name.startswith("Permissions"))


def _columns_for(wanted: Sequence[str], description: Description | None) -> list[str]:
    if description is None:
        return list(wanted)
    return [name for name in wanted if description.has(name)]


def objects_with_all_rows(asking: Questions, user_id: str) -> frozenset[str]:
    """Objects of which the user sees all rows without View All Data (View All on the object)."""
    if not user_id:
        return frozenset()
    reply = asking.one(
        query(
            "SELECT SobjectType FROM ObjectPermissions WHERE PermissionsViewAllRecords = true "  # noqa: S608
            "AND ParentId IN (SELECT PermissionSetId FROM PermissionSetAssignment "
            f"WHERE AssigneeId = '{user_id}')"
        )
    )
    if not reply.ok:
        return frozenset()
    return frozenset(text(row, "SobjectType") for row in asking.more(reply).rows)


def dependencies(
    asking: Questions, states: Mapping[str, str], applicable: Sequence[Permission]
) -> dict[str, tuple[str, ...]]:
    """What must be ticked together with each needed permission, as this org says or as known.

    Only asked for when something is missing: then a permission set will be wanted.
    """
    if all(one.state == HELD for one in applicable if one.kind != HARMFUL):
        return dict(KNOWN_DEPENDENCIES)
    if states.get("ViewSetup") == MISSING:  # PermissionDependency needs it
        return dict(KNOWN_DEPENDENCIES)
    wanted = with_dependencies((need.api_name for need in NEEDS), KNOWN_DEPENDENCIES)
    quoted = ",".join(f"'{name}'" for name in wanted)
    reply = asking.tooling(
        "SELECT Permission, RequiredPermission FROM PermissionDependency "  # noqa: S608
        f"WHERE Permission IN ({quoted})"
    )
    if not reply.ok:
        return dict(KNOWN_DEPENDENCIES)
    told: dict[str, list[str]] = {}
    for row in asking.more(reply).rows:
        name, required = text(row, "Permission"), text(row, "RequiredPermission")
        # Names of user permissions are words; those of object permissions name the object too.
        if name.isalnum() and required.isalnum():
            told.setdefault(name, []).append(required)
    return {**KNOWN_DEPENDENCIES, **{k: tuple(dict.fromkeys(v)) for k, v in told.items()}}
