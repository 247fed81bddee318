"""Hazards of a plan: looked for in what is known already, and asked of the org."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sfexit.offboarding import running_hazards, successor_hazards
from sfexit.offboarding.asking import Asking, Look, Row, chunks, number, value
from sfexit.offboarding.companions import MANUAL, parent_of, share_of
from sfexit.offboarding.hazard_kinds import Seen, called, hazard
from sfexit.offboarding.plan import Hazard, soql_list
from sfexit.redaction import printable


def look(asking: Asking, seen: Seen) -> tuple[Hazard, ...]:
    """All hazards, in the order of their codes."""
    found: list[Hazard] = []
    for one in (_of_owners, _of_holdings, _of_estate, _of_mentions):
        found += one(seen)
    for ask in (
        _setup,
        _teams,
        successor_hazards.look,
        running_hazards.look,
        _queues,
        _recurring,
    ):
        found += ask(asking, seen)
    return tuple(sorted(found, key=lambda one: (one.code, one.user_id, one.object, one.text)))


# ---- what is known already ----------------------------------------------------------------------


def _of_owners(seen: Seen) -> Iterable[Hazard]:
    total = sum(one.count + one.archived for one in seen.transfers)
    if total:
        yield hazard(
            "sharing",
            f"{total:,} records change hands: Salesforce calculates their sharing anew, which may "
            "take hours; and previous owners may lose sight of them",
            count=total,
        )
        yield hazard(
            "mixed_operations",
            "users and groups are never changed in one request with records",
        )


def _of_holdings(seen: Seen) -> Iterable[Hazard]:
    for user, apps in seen.held.tokens.items():
        names = ", ".join(sorted({printable(one, 40) for one in apps}))
        yield hazard(
            "tokens",
            f"{called(seen, user)} has given access to {names}; what runs with it stops, and no "
            "undo brings it back",
            user=user,
            name="OauthToken",
            count=len(apps),
        )
    for one in seen.leavers:
        if one.federation:
            yield hazard(
                "identity_provider",
                f"{called(seen, one.id)} comes from an identity provider: take the user away "
                "there first, or it may be switched on again",
                user=one.id,
                name="User",
                count=1,
            )


_OF_ESTATE = {
    ("AsyncApexJob", "CreatedById"): (
        "jobs", "Apex jobs of {who} are waiting or running; let them end first ({n:,})"),
    ("ProcessInstanceWorkitem", "ActorId"): (
        "approvals", "approvals wait for {who}; they go to the successor ({n:,})"),
    ("FlowInterview", "OwnerId"): (
        "interviews", "paused flow interviews belong to {who} ({n:,})"),
}  # fmt: skip


def _of_estate(seen: Seen) -> Iterable[Hazard]:
    moved = {(one.user_id, one.object, one.field) for one in seen.transfers}
    still: dict[tuple[str, str, str], list[int]] = {}
    for one in seen.estate.rows:
        who = called(seen, one.user_id)
        known = _OF_ESTATE.get((one.object, one.field))
        if one.scope:
            yield hazard(
                "private",
                f"private {one.object.lower()}s of {who}, which nobody else sees ({one.total:,}): "
                "an export by you keeps what they are; move what is still needed into a shared one",
                user=one.user_id, name=one.object, count=one.total,
            )  # fmt: skip
        elif known is not None and one.total:
            yield hazard(known[0], known[1].format(n=one.total, who=who),
                         user=one.user_id, name=one.object, count=one.total)  # fmt: skip
        if not one.movable:
            continue
        if (one.user_id, one.object, one.field) not in moved:
            still.setdefault(("left_behind", one.object, one.field), []).append(one.total)
        still.setdefault(("recycle_bin", one.object, one.field), []).append(one.deleted)
        still.setdefault(("archived", one.object, one.field), []).append(one.archived)
    for (code, name, field), counts in still.items():
        n, users = sum(counts), sum(map(bool, counts))
        if n:
            who = "one user" if users == 1 else f"{users:,} users"
            yield hazard(code, _STILL[code].format(n=n, name=name, field=field, users=who),
                         name=name, count=n)  # fmt: skip


_STILL = {
    "left_behind": "records of {name} go on naming leavers in {field} ({n:,}, of {users}): "
    "plan with --fields {name}.{field} to hand them over",
    "recycle_bin": "deleted records of {name} go on naming leavers in {field} ({n:,}, of {users}): "
    "what lies in the recycle bin cannot be changed",
    "archived": "archived records of {name} name leavers in {field} ({n:,}, of {users}); no "
    "list and no report shows them",
}


def _of_mentions(seen: Seen) -> Iterable[Hazard]:
    for one in seen.mentions:
        code = "flow_names_user" if one.type == "Flow" else "app_names_user"
        if one.type == "Queue":
            continue  # its members are rows, and stripped as such
        yield hazard(
            code,
            f"{printable(one.file, 120)} names {called(seen, one.user_id)} "
            f"({printable(one.label, 80) or '/'.join(one.path)})",
            user=one.user_id,
            name=one.type,
            count=1,
        )


# ---- what has to be asked -----------------------------------------------------------------------


def _setup(asking: Asking, seen: Seen) -> Iterable[Hazard]:
    """What the org's setup does by itself: automation, identity providers, licences."""
    asked = {
        "ApexTrigger": (
            "SELECT Name, TableEnumOrId, UsageBeforeUpdate, UsageAfterUpdate FROM ApexTrigger "
            "WHERE Status = 'Active'",
            "which Apex triggers are active",
        ),
        "FlowDefinitionView": (
            "SELECT ApiName, TriggerType, TriggerObjectOrEventLabel, "
            "TriggerObjectOrEvent.QualifiedApiName FROM FlowDefinitionView WHERE IsActive = true",
            "which flows are active",
        ),
        "SamlSsoConfig": (
            "SELECT DeveloperName, OptionsUserProvisioning FROM SamlSsoConfig",
            "which identity providers make users",
        ),
        "UserLicense": (
            "SELECT MasterLabel, Status, TotalLicenses, UsedLicenses FROM UserLicense",
            "how many licences are free",
        ),
    }
    here = [name for name in asked if name in asking.entries]
    for name in asked.keys() - set(here) - {"SamlSsoConfig"}:
        asking.note(f"{asked[name][1]}: this user does not see {name}")
    rows = dict(zip(here, asking.each([asked[name] for name in here]), strict=True))
    rules = asking.tooling(
        "SELECT ValidationName, EntityDefinition.QualifiedApiName FROM ValidationRule "
        "WHERE Active = true",
        "which validation rules are active",
    )
    yield from _automation(
        seen, rows.get("ApexTrigger") or (), rows.get("FlowDefinitionView") or (), rules or ()
    )
    yield from _providers(rows.get("SamlSsoConfig") or ())
    yield from _licences(rows.get("UserLicense") or ())


def _automation(
    seen: Seen, triggers: Sequence[Row], flows: Sequence[Row], rules: Sequence[Row]
) -> Iterable[Hazard]:
    changed = {one.object for one in seen.transfers}
    found: dict[str, list[str]] = {}
    for row in triggers:
        if "true" in (value(row, "UsageBeforeUpdate"), value(row, "UsageAfterUpdate")):
            name = value(row, "TableEnumOrId") or ""
            found.setdefault(name, []).append(f"trigger {value(row, 'Name')}")
    for row in flows:
        if (value(row, "TriggerType") or "").startswith("Record"):
            name = (value(row, "TriggerObjectOrEvent.QualifiedApiName")
                    or value(row, "TriggerObjectOrEventLabel") or "")  # fmt: skip
            found.setdefault(name, []).append(f"flow {value(row, 'ApiName')}")
    for row in rules:
        name = value(row, "EntityDefinition.QualifiedApiName") or ""
        found.setdefault(name, []).append(f"validation rule {value(row, 'ValidationName')}")
    for name, listed in sorted(found.items()):
        some = ", ".join(printable(one, 60) for one in sorted(listed)[:5])
        more = f" and {len(listed) - 5:,} more" if len(listed) > 5 else ""
        if name in changed:
            yield hazard(
                "automation",
                f"a new owner of {printable(name, 60)} runs {some}{more}: mails may go out, rows "
                "may be refused",
                name=name, count=len(listed),
            )  # fmt: skip
        elif name == "User":
            yield hazard(
                "user_automation",
                f"changing users runs {some}{more}; what writes records there fails with "
                "MIXED_DML_OPERATION",
                name="User", count=len(listed),
            )  # fmt: skip


def _teams(asking: Asking, seen: Seen) -> Iterable[Hazard]:
    moved = {t.object for t in seen.transfers if t.field == "OwnerId"}
    ids = sorted({t.user_id for t in seen.transfers})
    asked: list[tuple[str, str, str, Look]] = []
    for name in ("Account", "Opportunity"):
        if name not in moved:
            continue
        team, share = f"{name}TeamMember", f"{name}Share"
        asked += [
            ("teams", name, "members of account teams" if name == "Account" else
             "members of opportunity teams",
             Look(team, (f"{name}.OwnerId",), f"{name}.OwnerId")),
            ("manual_shares", name, "manual shares",
             Look(share, (f"{name}.OwnerId",), f"{name}.OwnerId", where=MANUAL)),
        ]  # fmt: skip
    shares = {name: share_of(name) for name in sorted(moved - {"Account", "Opportunity"})}
    asking.learn(shares.values())
    for name, share in shares.items():
        about = asking.described(share)
        parent = parent_of(name, about).removesuffix("Id") if about is not None else ""
        if parent:
            asked.append(("manual_shares", name, "manual shares",
                          Look(share, (f"{parent}.OwnerId",), f"{parent}.OwnerId",
                               where=MANUAL)))  # fmt: skip
    queries = [
        (f"SELECT COUNT() FROM {look.object} WHERE {look.key} IN {soql_list(part)}"  # noqa: S608
         + (f" AND {look.where}" if look.where else ""), False)
        for _, _, _, look in asked for part in chunks(ids)
        if look.object in asking.entries
    ]  # fmt: skip
    places = [n for n, (_, _, _, look) in enumerate(asked) for _ in chunks(ids)
              if look.object in asking.entries]  # fmt: skip
    totals: dict[int, int] = {}
    for place, reply in zip(places, asking.ask(queries), strict=True):
        if not reply.ok or reply.total is None:
            asking.note(f"{asked[place][3].object} could not be counted ({reply.refusal})")
            continue
        totals[place] = totals.get(place, 0) + reply.total
    for place, total in totals.items():
        code, name, what, _ = asked[place]
        if total:
            yield hazard(
                code,
                f"{what} of {name} records that change hands ({total:,}): Salesforce takes "
                "them away with the old owner; apply saves them before and puts them back after",
                name=name, count=total,
            )  # fmt: skip


def _providers(rows: Sequence[Row]) -> Iterable[Hazard]:
    for row in rows:
        if value(row, "OptionsUserProvisioning") == "true":
            name = printable(value(row, "DeveloperName") or "", 80)
            yield hazard("identity_provider", f"the identity provider {name} makes users when "
                         "they sign in: a leaver who is known there comes back",
                         name="SamlSsoConfig", count=1)  # fmt: skip


def _queues(asking: Asking, seen: Seen) -> Iterable[Hazard]:
    queues = sorted(seen.held.queues)
    if not queues:
        return
    [rows] = asking.look([Look("GroupMember", ("GroupId", "UserOrGroupId"), "GroupId")], queues)
    left: dict[str, int] = dict.fromkeys(queues, 0)
    gone = {one.id for one in seen.leavers}
    for row in rows or ():
        if value(row, "UserOrGroupId") not in gone:
            queue = value(row, "GroupId") or ""
            left[queue] = left.get(queue, 0) + 1
    for queue in queues:
        if not left[queue]:
            name = printable(seen.held.queue_names.get(queue, queue), 60)
            yield hazard(
                "last_in_queue",
                f"the queue {name} has no member left: what comes in is seen by nobody",
                name="Group",
                count=len(seen.held.queues[queue]),
            )


def _recurring(asking: Asking, seen: Seen) -> Iterable[Hazard]:
    ids = sorted({one.user_id for one in seen.transfers if one.object in ("Task", "Event")})
    for name in ("Task", "Event"):
        known = asking.described(name)
        if not ids or known is None or not known.has("IsRecurrence"):
            continue
        look = Look(name, ("OwnerId",), "OwnerId", where="IsRecurrence = true", count=True)
        [rows] = asking.look([look], ids)
        for row in rows or ():
            user = value(row, "OwnerId") or ""
            yield hazard("recurring", f"recurring series of {name} ({number(row):,}) belong to "
                         f"{called(seen, user)}; head and occurrences change hands one by one",
                         user=user, name=name, count=number(row))  # fmt: skip


def _licences(rows: Sequence[Row]) -> Iterable[Hazard]:
    for row in rows:
        total, used = number(row, "TotalLicenses"), number(row, "UsedLicenses")
        if value(row, "Status") != "Disabled" and 0 < total <= used:
            label = printable(value(row, "MasterLabel") or "", 60)
            yield hazard("licences", f"all licences {label} are in use ({total:,}): whoever takes "
                         "a freed one makes an undo impossible. A freed licence does not lower "
                         "the bill", name="UserLicense", count=total)  # fmt: skip
