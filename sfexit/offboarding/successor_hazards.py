"""Hazards of those who inherit: frozen, without Read, with too much, without a role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sfexit.offboarding.asking import Asking, Look, Row, chunks, number, value
from sfexit.offboarding.hazard_kinds import SKEW, Seen, called, count_by, hazard
from sfexit.offboarding.plan import Hazard, soql_list
from sfexit.redaction import printable


def look(asking: Asking, seen: Seen) -> Iterable[Hazard]:
    heirs = sorted({one.to for one in seen.transfers if one.to.startswith("005")})
    if not heirs:
        return
    names = sorted({one.object for one in seen.transfers})
    logins, permitted = asking.look(
        [
            Look("UserLogin", ("UserId", "IsFrozen"), "UserId", where="IsFrozen = true"),
            Look("PermissionSetAssignment",
                 ("AssigneeId", "PermissionSetId", "PermissionSet.PermissionsViewAllData"),
                 "AssigneeId", must=True),
        ],
        heirs,
    )  # fmt: skip
    for row in logins or ():
        heir = value(row, "UserId") or ""
        yield hazard("frozen_successor", f"{called(seen, heir)} is to inherit and is frozen",
                     user=heir, name="UserLogin", count=1)  # fmt: skip
    yield from _unreadable(asking, seen, heirs, names, permitted or ())
    yield from _skewed(asking, seen, heirs)
    yield from _portal_accounts(asking, seen)


def _unreadable(
    asking: Asking, seen: Seen, heirs: Sequence[str], names: Sequence[str], permitted: Sequence[Row]
) -> Iterable[Hazard]:
    sets = sorted({value(row, "PermissionSetId") or "" for row in permitted} - {""})
    if not sets:
        return
    asked_for = Look(
        "ObjectPermissions",
        ("ParentId", "SobjectType"),
        "ParentId",
        where=f"PermissionsRead = true AND SobjectType IN {soql_list(names)}",
        must=True,
    )
    [rows] = asking.look([asked_for], sets)
    if rows is None:
        return
    grants: dict[str, set[str]] = {}
    governed = set()
    for row in rows:
        grants.setdefault(value(row, "ParentId") or "", set()).add(value(row, "SobjectType") or "")
        governed.add(value(row, "SobjectType") or "")
    readable: dict[str, set[str]] = {heir: set() for heir in heirs}
    wide = set()
    for row in permitted:
        heir = value(row, "AssigneeId") or ""
        readable.setdefault(heir, set()).update(grants.get(value(row, "PermissionSetId") or "", ()))
        if value(row, "PermissionSet.PermissionsViewAllData") == "true":
            wide.add(heir)
    for heir, name in sorted(count_by(seen.transfers, lambda one: (one.to, one.object))):
        entry = asking.entries.get(name)
        if heir not in readable or heir in wide or name in readable[heir]:
            continue
        # Activities, files and templates are governed by other rights than their own.
        if name in governed or (entry is not None and entry.custom):
            yield hazard(
                "successor_access",
                f"{called(seen, heir)} is to inherit {printable(name, 60)} and has no Read on it "
                "by any profile or permission set",
                user=heir, name=name,
                count=count_by(seen.transfers, lambda one: (one.to, one.object))[heir, name],
            )  # fmt: skip


def _skewed(asking: Asking, seen: Seen, heirs: Sequence[str]) -> Iterable[Hazard]:
    """Who would own too much of one object, what they own already included."""
    gains = count_by(
        (one for one in seen.transfers if one.field == "OwnerId"), lambda one: (one.to, one.object)
    )
    # Nobody gets skewed by a few rows more; ask only where it may matter.
    names = sorted({name for _, name in gains})
    looks = [Look(name, ("OwnerId",), "OwnerId", count=True) for name in names]
    for name, rows in zip(names, asking.look(looks, heirs), strict=True):
        for row in rows or ():
            heir = value(row, "OwnerId") or ""
            gain = gains.get((heir, name), 0)
            if gain and number(row) + gain > SKEW:
                yield _skew(seen, heir, name, number(row), gain)
        owns = {value(row, "OwnerId") for row in rows or ()}
        for (heir, what), gain in gains.items():
            if what == name and heir not in owns and gain > SKEW:
                yield _skew(seen, heir, name, 0, gain)


def _skew(seen: Seen, heir: str, name: str, owned: int, gain: int) -> Hazard:
    return hazard(
        "skew",
        f"{called(seen, heir)} would own {owned + gain:,} records of {printable(name, 60)}, more "
        f"than {SKEW:,}: changes of sharing become slow and lock each other; spread them with "
        "--round-robin",
        user=heir, name=name, count=owned + gain,
    )  # fmt: skip


def _portal_accounts(asking: Asking, seen: Seen) -> Iterable[Hazard]:
    moves = [one for one in seen.transfers if (one.object, one.field) == ("Account", "OwnerId")]
    without = {one.to for one in moves if (u := seen.users.get(one.to)) and not u.role_id}
    if not without:
        return
    known = asking.described("User")
    if known is None or not known.has("AccountId"):
        return
    from_whom = sorted({one.user_id for one in moves if one.to in without})
    count = (
        "SELECT COUNT() FROM User WHERE ContactId != null AND IsActive = true AND Account.OwnerId"
    )
    asked = [(f"{count} IN {soql_list(part)}", False) for part in chunks(from_whom)]
    total = 0
    for reply in asking.ask(asked):
        if not reply.ok or reply.total is None:
            asking.note(f"accounts with portal users could not be counted ({reply.refusal})")
            return
        total += reply.total
    if total:
        names = ", ".join(sorted(called(seen, one) for one in without)[:3])
        yield hazard("portal_account", f"{total:,} portal users belong to accounts that change "
                     f"hands, and {names} has no role: such an account is refused",
                     name="Account", count=total)  # fmt: skip
