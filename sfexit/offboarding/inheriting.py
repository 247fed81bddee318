"""Who inherits what: the rules made exact, the heir of each leaver, the transfers in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sfexit.errors import UsageProblem
from sfexit.offboarding import owned, successors
from sfexit.offboarding.asking import Asking, value
from sfexit.offboarding.order import ordered
from sfexit.offboarding.people import User, Users
from sfexit.offboarding.plan import Refusal, Transfer, soql_text
from sfexit.offboarding.successors import QUEUE, Rules
from sfexit.offboarding.wanted import Leaver
from sfexit.redaction import printable

#: Rows that may come on top of what was counted, before apply asks again: a hundred and a tenth.
_MORE_ROWS, _MORE_SHARE = 100, 10


def resolved(asking: Asking, users: Users, rules: Rules) -> Rules:
    """Rules with ids instead of names. Raises UsageProblem for a name that nobody has."""
    if rules.rule not in successors.RULES:
        raise UsageProblem(
            f"the rule {printable(rules.rule, 40)!r} is none: {', '.join(successors.RULES)}"
        )
    queues = {k: v.removeprefix(QUEUE) for k, v in rules.objects.items() if v.startswith(QUEUE)}
    named = [rules.fallback, *rules.pool, *rules.objects.values()]
    names = [one for one in named if one and not one.startswith(QUEUE)]
    found = users.find(names)
    for one in names:
        if one not in found:
            raise UsageProblem(
                f"the successor {printable(one, 80)!r} is no user of this org: correct the name"
            )
    groups = _queues(asking, queues)
    return Rules(
        rules.rule,
        found[rules.fallback].id if rules.fallback else "",
        tuple(dict.fromkeys(found[one].id for one in rules.pool)),
        {name: groups[name] if name in groups else found[one].id
         for name, one in rules.objects.items()},
    )  # fmt: skip


def _queues(asking: Asking, queues: Mapping[str, str]) -> dict[str, str]:
    """The queue's id for each object. Raises UsageProblem when it may not own the object."""
    found = {}
    for name, queue in queues.items():
        soql = (
            "SELECT QueueId, Queue.DeveloperName FROM QueueSobject WHERE SobjectType = "  # noqa: S608
            f"{soql_text(name)} AND Queue.DeveloperName = {soql_text(queue)}"
        )
        [rows] = asking.each([(soql, f"which queues take {printable(name, 60)}")])
        if not rows:
            raise UsageProblem(
                f"no queue {printable(queue, 60)!r} takes {printable(name, 60)}: name its API name "
                "(Setup > Queues), and see that the object is among its supported objects"
            )
        found[name] = value(rows[0], "QueueId") or ""
        asking.names[found[name]] = f"the queue {queue}"
    return found


def heirs_of(
    users: Users, leavers: Mapping[str, Leaver], estate: owned.Estate, rules: Rules
) -> dict[str, str]:
    managers: dict[str, str] = {}
    above = [users.by_id[one].manager_id for one in leavers]
    while wanted := [one for one in above if one and one not in managers]:
        users.load(wanted)
        for one in wanted:
            managers[one] = users.by_id[one].manager_id if one in users.by_id else ""
        above = [managers[one] for one in wanted]
    managers |= {one: users.by_id[one].manager_id for one in leavers}
    sizes: dict[str, int] = {}
    for row in estate.rows:
        sizes[row.user_id] = sizes.get(row.user_id, 0) + row.total * row.movable
    able = {one.id for one in users.by_id.values() if not unable(one)}
    return successors.heirs(
        {one: leaver.successor for one, leaver in leavers.items()}, managers, sizes, rules, able
    )


def unable(user: User) -> str:
    """Why a user cannot own records, "" when nothing is known against it."""
    if not user.active:
        return "is inactive, and Salesforce gives nothing to inactive users"
    if user.system:
        return "is a user of the platform itself"
    if user.portal:
        return "is a portal user"
    return ""


def to_move(estate: owned.Estate, fields: Sequence[str]) -> list[owned.Owned]:
    wanted = {tuple(one.split(".", 1)) for one in fields}
    known = set(estate.fields)
    for one in fields:
        if tuple(one.split(".", 1)) not in known and estate.fields:
            raise UsageProblem(
                f"--fields {printable(one, 80)}: this is no lookup to a user that can be changed; "
                "write it as Object.Field"
            )
    return [
        one for one in estate.rows
        if one.movable and one.total
        and (one.field == owned.OWNER or (one.object, one.field) in wanted)
    ]  # fmt: skip


def without_heir(
    users: Users,
    leavers: Mapping[str, Leaver],
    heirs: Mapping[str, str],
    movable: Sequence[owned.Owned],
    full: set[str],
    rules: Rules,
) -> list[Refusal]:
    """Those whose records nobody would get. Records without an owner who works are orphans."""
    found = []
    for heir in sorted({*rules.objects.values()}):
        user = users.by_id.get(heir)
        why = unable(user) if user else ""
        if user and (why or heir in leavers):
            raise UsageProblem(
                f"the successor {printable(user.username, 80)} {why or 'leaves as well'}: choose "
                "somebody else"
            )
    owners = {one.user_id for one in movable if one.object not in rules.objects}
    for one, leaver in leavers.items():
        if one not in full:
            continue
        name = users.by_id[one].username
        if leaver.successor:
            told = leaver.successor
            user = users.by_id.get(told)
            if told.startswith("?"):
                why = f"{printable(told[1:], 80)!r} is no user of this org"
            elif told == one:
                why = "it is the leaver"
            elif told in leavers:
                why = f"{printable(user.username if user else told, 80)} leaves as well"
            else:
                why = f"{printable(user.username, 80)} {unable(user)}" if user else ""
                why = why if user and unable(user) else ""
            if why:
                found.append(
                    Refusal(
                        "successor_cannot_own",
                        name,
                        f"the successor cannot inherit: {why}; name another one",
                    )
                )
                continue
        if one in owners and not heirs.get(one):
            found.append(Refusal("no_successor", name,
                                 "nobody would own their records: name a successor in the list, or "
                                 "a fallback with --to"))  # fmt: skip
    return found


def transfers(
    asking: Asking,
    movable: Sequence[owned.Owned],
    heirs: Mapping[str, str],
    rules: Rules,
    estate: owned.Estate,
    *,
    open_activities_only: bool,
) -> tuple[Transfer, ...]:
    places = {
        name: place
        for place, name in enumerate(ordered({one.object for one in movable}, estate.parents))
    }
    rows = sorted(movable, key=lambda o: (places[o.object], o.object, o.field != "OwnerId",
                                          o.field, o.user_id))  # fmt: skip
    found: list[Transfer] = []
    for one in rows:
        # A queue takes owners, and no other lookup.
        takes = {rules.objects[one.object]} if one.object in rules.objects else set()
        queues = takes if one.field == owned.OWNER and one.object in estate.queues else set()
        to = successors.heir_of(one.object, heirs.get(one.user_id, ""), rules, queues=queues)
        if not to:
            continue
        where, count, archived = "", one.alive, one.archived
        known = asking.described(one.object)
        if open_activities_only and one.object in ("Task", "Event"):
            states = [s for s in ("IsClosed", "IsArchived") if known is not None and known.has(s)]
            where = " AND ".join(f"{state} = false" for state in states)
            count, archived = one.open, 0
            if not count:
                continue
        total = count + archived
        found.append(
            Transfer(f"ownership-{len(found) + 1}", one.user_id, one.object, one.field, to, where,
                     count, archived, one.deleted, total + total // _MORE_SHARE + _MORE_ROWS,
                     places[one.object])
        )  # fmt: skip
    return tuple(found)
