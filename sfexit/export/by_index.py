"""Dividing a big object that is too much at once, by the fields of its index.

Big objects are filtered by the fields of their index alone, in their order and without gaps: by
`=` on all but the last one, and by a range on that (SOQL and SOSL Reference, "SOQL Object Limits
and Limitations", Big Objects). No describe tells the index, but the org refuses a filter on any
other field, and all fields of an index are required (Big Objects Implementation Guide, "Index
Metadata"). A value that has rows on both sides of it is searched for by questions for one row.
Whatever order the org compares by, `<` it and `>=` it together hold each row once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sfexit.catalog import Field
from sfexit.errors import OrgRefused
from sfexit.export import plan
from sfexit.export.work import Work
from sfexit.salesforce import query
from sfexit.salesforce.client import Client

# Standard big objects (Field Audit Trail guide; Object Reference, each event): tried first.
_KNOWN = ("FieldHistoryType", "EventDate", "ParentId", "CreatedDate", "EventIdentifier")
_PART = re.compile(r"(\w+) (=|>=|<) ('(?:[^'\\]|\\.)*'|[^' ]+)(?: AND |$)")
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PLACES = 15  # characters of a text that are told apart: those of an id
_MOST_PROBES = 160
_TEXTS = frozenset({"string", "reference", "email", "phone", "id", "picklist"})


@dataclass(frozen=True)
class _Scale:
    """The values of a field as whole numbers from `low` to `high`, and a number as a literal."""

    low: int
    high: int
    literal: Callable[[int], str]
    key: Callable[[str], int]


def halves(client: Client, work: Work, condition: str) -> tuple[str, str] | None:
    """Two conditions that together hold the rows of one; None: it cannot be divided."""
    try:
        found = _Search(client, work).split(_parts(condition))
    except OrgRefused:
        return None
    if found is None:
        return None
    fixed, name, ranged, middle = found
    lower = [*fixed, *ranged, f"{name} < {middle}"]
    upper = [*fixed, *ranged, f"{name} >= {middle}"]
    return " AND ".join(_tidied(lower)), " AND ".join(_tidied(upper))


def _parts(condition: str) -> list[tuple[str, str, str]]:
    return [(m[1], m[2], m[3]) for m in _PART.finditer(condition)]


def _tidied(parts: list[str]) -> list[str]:
    """Of several bounds on one side only the last one, which lies within the others."""
    kept: dict[tuple[str, str], str] = {}
    for part in parts:
        [(name, operator, _)] = _parts(part)
        kept.pop((name, operator), None)
        kept[name, operator] = part
    return sorted(kept.values(), key=lambda part: " = " not in part)


class _Search:
    def __init__(self, client: Client, work: Work) -> None:
        self._client = client
        self._work = work
        self._left = _MOST_PROBES

    def split(
        self, parts: list[tuple[str, str, str]]
    ) -> tuple[list[str], str, list[str], str] | None:
        """Equalities, the field that is divided, its bounds so far, and the literal between."""
        fixed = [f"{name} = {value}" for name, operator, value in parts if operator == "="]
        ranged = [(n, o, v) for n, o, v in parts if o != "="]
        while self._left > 0:
            name = ranged[0][0] if ranged else self._next_field(fixed)
            field = self._work.description.field(name) if name is not None else None
            if name is None or field is None:
                return None
            scale = _scale(field)
            if scale is None:
                return None
            bounds = [f"{n} {o} {v}" for n, o, v in ranged]
            middle = self._middle(name, scale, [*fixed, *bounds])
            if middle is not None:
                return fixed, name, bounds, middle
            # No value parts its rows: if they all have the same one, the next field does.
            value = self._one(name, [*fixed, *bounds])
            if value is None:
                return None
            same = _quoted(value) if field.type in _TEXTS else value
            lows = [one for one in bounds if " >= " in one]
            highs = [one for one in bounds if " < " in one]
            above = self._one(name, [*fixed, f"{name} > {same}", *highs])
            if above is not None:
                return fixed, name, bounds, _quoted(above) if field.type in _TEXTS else above
            if self._one(name, [*fixed, *lows, f"{name} < {same}"]) is not None:
                return fixed, name, bounds, same
            fixed, ranged = [*fixed, f"{name} = {same}"], []
        return None

    def _next_field(self, fixed: list[str]) -> str | None:
        """The field of the index behind those that are fixed: the only one the org filters by."""
        used = {part.partition(" ")[0] for part in fixed}
        for name in _candidates(self._work):
            field = self._work.description.field(name)
            scale = _scale(field) if field is not None else None
            if name in used or scale is None:
                continue
            try:
                self._one(name, [*fixed, f"{name} >= {scale.literal(scale.low)}"])
            except OrgRefused:
                continue
            return name
        return None

    def _middle(self, name: str, scale: _Scale, within: list[str]) -> str | None:
        """A literal with rows below it and from it on; None: none was found.

        From the value of any one row the search goes up by 1, 2, 4 … as long as there are rows
        so far away, else down: so the number of questions is that of the binary digits by which
        the values differ, and the literal lies about in their middle.
        """
        value = self._one(name, _tidied(within))
        if value is None:
            return None
        start = scale.key(value)

        def up(step: int) -> list[str]:
            return [f"{name} >= {scale.literal(start + step)}"]

        def down(step: int) -> list[str]:
            return [f"{name} < {scale.literal(start - step + 1)}"]

        far = self._reach(name, within, up, scale.high - start)
        if far:
            middle = scale.literal(start + max(far // 2, 1))
        else:
            far = self._reach(name, within, down, start - scale.low)
            middle = scale.literal(start - far // 2)
        # Numbers stand for texts only roughly, and the org may compare in another order.
        sides = (f"{name} < {middle}", f"{name} >= {middle}")
        parts = far and all(self._one(name, _tidied([*within, one])) is not None for one in sides)
        return middle if parts else None

    def _reach(
        self, name: str, within: list[str], there: Callable[[int], list[str]], most: int
    ) -> int:
        """The largest power of two, of those tried in turn, at which there are rows; 0: none."""
        far, step = 0, 1
        while step <= most and self._left > 0:
            if self._one(name, _tidied([*within, *there(step)])) is None:
                break
            far, step = step, step * 2
        return far

    def _one(self, name: str, conditions: list[str]) -> str | None:
        """The field's value in any one row of these; None without a row. Raises OrgRefused."""
        self._left -= 1
        text = plan.soql(self._work.name, [name], " AND ".join(conditions))
        page = query.first_page(self._client, f"{text} LIMIT 1")
        if not page.records:
            return None
        return str(page.records[0].get(name) or "").replace("+0000", "Z")


def _candidates(work: Work) -> Iterator[str]:
    """Fields that may stand in the index: those known to, then those that every row must have."""
    fields = {field.name: field for field in work.description.fields if field.filterable}
    yield from (name for name in _KNOWN if name in fields)
    for name, field in fields.items():
        if name not in _KNOWN and not field.nillable and name != "Id":
            yield name


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _scale(field: Field) -> _Scale | None:
    """How to count through the values of a field; None for a type that no index has."""
    if field.type == "datetime":
        now = int(datetime.now(UTC).timestamp())
        return _Scale(0, now + 10 * 366 * 86_400, _moment_literal, _moment_key)
    if field.type in ("double", "int", "long", "currency", "percent"):
        return _Scale(-(10**18), 10**18, str, lambda text: int(float(text)))
    if field.type in ("reference", "id"):
        return _Scale(0, len(_LETTERS) ** _PLACES - 1, _id_literal, _text_key)
    if field.type in _TEXTS:
        return _Scale(0, len(_LETTERS) ** _PLACES, _text_literal, _text_key)
    return None


def _moment_literal(key: int) -> str:
    return datetime.fromtimestamp(key, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment_key(text: str) -> int:
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def _text_literal(key: int) -> str:
    places = []
    for _ in range(_PLACES):
        key, place = divmod(key, len(_LETTERS))
        places.append(_LETTERS[place])
    return f"'{''.join(reversed(places)).rstrip('0')}'"


def _id_literal(key: int) -> str:
    """An id of 15 characters: nothing shorter may be compared with one."""
    return f"'{_text_literal(key)[1:-1]:0<{_PLACES}}'"


def _text_key(text: str) -> int:
    key = 0
    plain = text[1:-1] if text[:1] == "'" else text
    for place in range(_PLACES):
        letter = plain[place] if place < len(plain) else "0"
        key = key * len(_LETTERS) + max(_LETTERS.find(letter), 0)
    return key
