"""Objects that are only given by the records they belong to: which filter, and whose values. Pure.

A *walk* is a filter on one field, and where the values to filter by come from. The values of a
reading stand in a list of their own; a slice names a stretch of it, so that the journal stays
small with millions of parents: `ContentDocumentId IN parents[0:470]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from sfexit.catalog import Description
from sfexit.salesforce.object_rules import Rule

_STRETCH = re.compile(r"([A-Za-z0-9_.]+) (IN|=) parents\[(\d+):(\d+)\]( AND .+)?")
_SOURCE = re.compile(r"([A-Za-z]\w*)\.([A-Za-z]\w*)(?: if ([A-Za-z]\w*))?")
_PICKLIST = "listed values of "
_TYPES = "types of "
OBJECTS = "objects with rows"


@dataclass(frozen=True)
class Walk:
    """A filter on `field` by "IN" or "=", and the `sources` of its values.

    A source is "Object.Field", "Object.Field if Flag" (rows where a field is true), "types of
    Field" (object names a reference of the object itself may point at), "listed values of Field"
    (its picklist), or OBJECTS. `condition` narrows each query further. `doubt` says what such a
    walk may miss by its nature; empty: nothing.
    """

    field: str
    operator: str
    sources: tuple[str, ...]
    condition: str = ""
    doubt: str = ""

    @property
    def told(self) -> str:
        """The walk in words, for notes and the ledger."""
        return f"{self.field} {self.operator} {', '.join(self.sources)}"

    def one_by_one(self) -> Walk:
        """The same for an org that takes one value at a time."""
        return replace(self, operator="=")


@dataclass(frozen=True)
class Stretch:
    """Part of the values of a walk, as a slice's condition names it."""

    field: str
    operator: str
    start: int
    end: int
    condition: str = ""

    @property
    def text(self) -> str:
        tail = f" AND {self.condition}" if self.condition else ""
        return f"{self.field} {self.operator} parents[{self.start}:{self.end}]{tail}"

    def soql(self, values: Sequence[str]) -> str:
        """The condition in SOQL, every value quoted."""
        listed = ",".join(_quoted(value) for value in values)
        tail = f" AND {self.condition}" if self.condition else ""
        if self.operator == "=":
            return f"{self.field} = {listed}{tail}"
        return f"{self.field} IN ({listed}){tail}"


def _quoted(value: str) -> str:
    """A text in SOQL (SOQL guide, "Quoted String Escape Sequences")."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def stretch(condition: str) -> Stretch | None:
    """The stretch that a slice's condition names; None when it names none."""
    found = _STRETCH.fullmatch(condition)
    if found is None:
        return None
    tail = (found[5] or "").removeprefix(" AND ")
    return Stretch(found[1], found[2], int(found[3]), int(found[4]), tail)


def stretches(walk: Walk, start: int, end: int, most: int) -> list[str]:
    """Conditions for the values from `start` to `end`, at most `most` of them at once."""
    step = 1 if walk.operator == "=" else max(most, 1)
    return [
        Stretch(walk.field, walk.operator, one, min(one + step, end), walk.condition).text
        for one in range(start, end, step)
    ]


def halves(condition: str) -> tuple[str, str] | None:
    """Two conditions that together ask for the values of one; None: a single value, or no walk."""
    whole = stretch(condition)
    if whole is None or whole.end - whole.start < 2:
        return None
    middle = (whole.start + whole.end) // 2
    return replace(whole, end=middle).text, replace(whole, start=middle).text


def known(rule: Rule | None) -> Walk | None:
    """The walk that a rule prescribes."""
    if rule is None or not rule.field:
        return None
    return Walk(rule.field, rule.operator, rule.parents, rule.condition)


def usable(walk: Walk | None, description: Description) -> Walk | None:
    """The walk, if the object has the fields that it asks by; a path through a relation counts."""
    if walk is None:
        return None
    wanted = [walk.field, *re.findall(r"([A-Za-z]\w*) =", walk.condition)]
    there = all("." in name or description.field(name) is not None for name in wanted)
    return walk if there else None


def parted(source: str) -> tuple[str, str, str] | None:
    """Object, field and flag of a source "Object.Field if Flag"; None when it is none."""
    found = _SOURCE.fullmatch(source)
    return None if found is None else (found[1], found[2], found[3] or "")


def objects_of(walk: Walk) -> set[str]:
    """The objects whose rows hold the values."""
    return {one[0] for one in map(parted, walk.sources) if one is not None}


def named_values(walk: Walk, description: Description) -> list[str]:
    """The values that the object's own describe tells."""
    values: list[str] = []
    for source in walk.sources:
        if source.startswith(_TYPES):
            field = description.field(source.removeprefix(_TYPES))
            values += field.reference_to if field is not None else ()
        elif source.startswith(_PICKLIST):
            field = description.field(source.removeprefix(_PICKLIST))
            values += field.picklist_values if field is not None else ()
    return list(dict.fromkeys(values))


def guessed(
    description: Description,
    refusal: str,
    readable: Callable[[str], bool],
    *,
    tried: Collection[str] = (),
) -> Walk | None:
    """A walk for an object that no rule knows, from the words of the org's refusal.

    The org names the fields to filter by. Of these the best is a reference that every row has, to
    few kinds of `readable` objects; fields `tried` before are left out. None: no way is seen.
    """
    words = re.findall(r"[A-Za-z]\w*", refusal)
    named = {word.lower() for word in words}
    best: tuple[tuple[int, int, int], Walk] | None = None
    for number, field in enumerate(description.fields):
        if field.name.lower() not in named or field.name in tried or not field.filterable:
            continue
        if field.name == "Id" or field.name == "IsDeleted":
            continue
        doubt = ""
        if field.nillable:
            doubt = f"rows without {field.name} cannot be asked for in this way"
        targets = [one for one in field.reference_to if one != description.name and readable(one)]
        if targets:
            if len(targets) < len(field.reference_to):
                doubt = f"rows whose {field.name} points at an object that cannot be read"
            walk = Walk(field.name, "IN", tuple(f"{one}.Id" for one in targets), doubt=doubt)
            rank = (int(field.nillable), len(targets), number)
        elif field.picklist_values and not field.reference_to:
            doubt = f"rows whose {field.name} is not among its listed values"
            walk = Walk(field.name, "IN", (f"{_PICKLIST}{field.name}",), doubt=doubt)
            rank = (2, len(field.picklist_values), number)
        else:
            continue
        if best is None or rank < best[0]:
            best = (rank, walk)
    return None if best is None else best[1]


def asked(conditions: Iterable[str]) -> int:
    """How many values the slices with these conditions ask for together."""
    found = (stretch(condition) for condition in conditions)
    return sum(one.end - one.start for one in found if one is not None)
