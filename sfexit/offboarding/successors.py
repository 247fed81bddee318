"""Who inherits: pure rules. Never a leaver, never oneself; nobody is guessed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

NAMED, MANAGER, ROUND_ROBIN = "named", "manager", "round-robin"
RULES = (NAMED, MANAGER, ROUND_ROBIN)
QUEUE = "queue:"


@dataclass(frozen=True)
class Rules:
    """As given. Users are usernames or ids here; `resolved` rules hold ids only.

    `objects`: object → user or `queue:DeveloperName`. `pool`: of the round-robin. `fallback`: who
    inherits where the rule finds nobody.
    """

    rule: str = NAMED
    fallback: str = ""
    pool: tuple[str, ...] = ()
    objects: Mapping[str, str] = field(default_factory=dict)


def heirs(
    leavers: Mapping[str, str],
    managers: Mapping[str, str],
    sizes: Mapping[str, int],
    rules: Rules,
    able: Collection[str],
) -> dict[str, str]:
    """The successor of each leaver, "" where nobody is left to inherit.

    `leavers`: id → successor named for this one, or "". `managers`: id → manager's id, of
    everybody known. `sizes`: id → records owned, by which the round-robin is balanced. `able`: who
    may inherit at all. A name that was given wins over the rule; a manager who leaves is passed
    over for theirs, and a chain without an end for the fallback.
    """
    may = {one for one in able if one and one not in leavers}
    found: dict[str, str] = {}
    load = {one: 0 for one in rules.pool if one in may}
    for leaver in sorted(leavers, key=lambda one: (-sizes.get(one, 0), one)):
        named = leavers[leaver]
        heir = ""
        if named:
            heir = named if named in may else ""  # a wrong name is told, not replaced
        elif rules.rule == ROUND_ROBIN and load:
            heir = min(load, key=lambda one: (load[one], rules.pool.index(one)))
            load[heir] += sizes.get(leaver, 0) + 1
        elif rules.rule == MANAGER:
            heir = _manager(leaver, managers, may)
        if not named and not heir and rules.fallback in may:
            heir = rules.fallback
        found[leaver] = heir
    return found


def _manager(leaver: str, managers: Mapping[str, str], may: Collection[str]) -> str:
    """The nearest manager above who may inherit."""
    seen = {leaver}
    here = managers.get(leaver, "")
    while here and here not in seen:
        if here in may:
            return here
        seen.add(here)
        here = managers.get(here, "")
    return ""


def heir_of(name: str, heir: str, rules: Rules, *, queues: Collection[str] = ()) -> str:
    """Who gets rows of an object: the object's own rule, else the leaver's heir.

    `queues`: ids of queues that may own this object. A queue that may not is passed over.
    """
    own = rules.objects.get(name, "")
    if own.startswith("00G") and own not in queues:
        return heir
    return own or heir
