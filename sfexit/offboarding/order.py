"""In which order owners change: children before parents, so that no rule of a parent moves the
children under our feet. Activities go first and accounts last."""

from __future__ import annotations

from collections.abc import Collection, Mapping

_FIRST = ("Task", "Event")
_LAST = ("Account",)


def ordered(names: Collection[str], parents: Mapping[str, Collection[str]]) -> list[str]:
    """The objects, children first. `parents`: object → objects that its lookups point at.

    Where lookups go round in a circle, it is cut at the object with the fewest children left,
    accounts last of all. The same names give the same order.
    """
    left = set(names)
    children: dict[str, set[str]] = {name: set() for name in left}
    for child in left:
        for parent in parents.get(child, ()):
            if parent in left and parent != child and parent not in _FIRST:
                children[parent].add(child)
    found: list[str] = []
    while left:
        name = min(left, key=lambda one: (*_rank(one, children[one]), one))
        left.remove(name)
        found.append(name)
        for waiting in children.values():
            waiting.discard(name)
    return found


def _rank(name: str, waiting: Collection[str]) -> tuple[int, int, int, int]:
    if name in _FIRST:
        return (0, _FIRST.index(name), 0, 0)
    # In a circle every member waits; an account waits longer than any other.
    return (1, int(bool(waiting)), int(name in _LAST), len(waiting))
