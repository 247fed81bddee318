"""Rows: tables of columns, their hidden rows, and the changes a living org makes to them."""

from __future__ import annotations

import json
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from . import columns as col
from .bodies import Bodies, Files
from .changes import Changes
from .columns import Column, Value
from .csvtext import cell
from .ids import IdSpace
from .schema import Field, SObject

if TYPE_CHECKING:
    from .definitions import FieldRows

#: Rows are dated up to this moment, so that data never depends on the day it is made.
AS_OF = 1_777_593_600  # 2026-05-01T00:00:00Z
YEARS = 9 * 365 * 86_400
DELETED_EVERY, DELETED_PHASE = 101, 5
PRIMES = (89, 97, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181)


def java_double(number: float) -> str:
    """A double as Java writes it: ``1.0``, ``1.39E8`` from ten million on."""
    if number and not 1e-3 <= abs(number) < 1e7:
        mantissa, exponent = f"{number:.15e}".split("e")
        mantissa = mantissa.rstrip("0")
        return f"{mantissa}{'0' if mantissa.endswith('.') else ''}E{int(exponent)}"
    return repr(float(number))


class Table:
    """The rows of one object."""

    def __init__(self, org: Tables, sobject: SObject, rows: int) -> None:
        self.org = org
        self.sobject = sobject
        self.rows = rows
        self.ids = IdSpace(sobject.id_prefix, org.instance, sobject.id_base)
        self.archived = round(rows * sobject.archived_share)
        self.changes = self.first_changes = Changes()
        self._columns: dict[str, Column] = {}
        self._given: list[dict[str, Value]] | None = None
        span = YEARS if not self.archived else int(365 * 86_400 / (1 - sobject.archived_share)) + 1
        self.span = span
        #: Creation times rise with the row number, so that date windows are row ranges.
        self.created = col.Stamp(AS_OF - span, span - 3 * 86_400, rows)

    # -- columns ------------------------------------------------------------------------

    def random(self, name: str) -> random.Random:
        """The generator behind one column, the same for each run."""
        return random.Random(f"{self.org.seed}:{self.sobject.name}:{name}")

    def column(self, name: str) -> Column:
        """The column of a field, built when first asked for."""
        column = self._columns.get(name)
        if column is None:
            found = self.org.full(self.sobject.name).field(name)
            if found is None:
                raise KeyError(name)
            column = self._columns[name] = self._build(found)
        return column

    def give(self, rows: list[dict[str, Value]]) -> None:
        """Set the rows: what they do not name is made up for system fields, else null."""
        self._given = rows
        self.rows = len(rows)
        self._columns = {}

    def relist(self, rows: int) -> None:
        """The table has so many rows now, and its columns are built anew."""
        self.rows = rows
        self._columns = {}

    def _build(self, f: Field) -> Column:
        from .generators import build

        if self._given is not None and (not f.system or f.name in (self._given or [{}])[0]):
            return col.Pool([row.get(f.name) for row in self._given] or [None])

        return build(self, f)

    # -- visibility ---------------------------------------------------------------------

    @property
    def deletable(self) -> bool:
        """Rows of this object can be in the recycle bin."""
        return self.sobject.has_deleted

    def _deleted_before(self, x: int) -> int:
        if not self.deletable:
            return 0
        return (min(x, self.rows) + DELETED_EVERY - 1 - DELETED_PHASE) // DELETED_EVERY

    def deleted(self, changes: Changes, i: int) -> bool:
        """Row ``i`` is in the recycle bin."""
        if i in changes.deleted:
            return True
        if i in changes.undeleted:
            return False
        return self.made_deleted(i)

    def made_deleted(self, i: int) -> bool:
        """Row ``i`` was in the recycle bin from the start."""
        return self.deletable and i < self.rows and i % DELETED_EVERY == DELETED_PHASE

    def hidden(self, changes: Changes, i: int) -> bool:
        """Row ``i`` is left out of ``query`` (deleted, archived or not there any more)."""
        return i < self.archived or self.deleted(changes, i) or changes.gone(i)

    def deleted_count(self, changes: Changes) -> int:
        """Rows in the recycle bin."""
        count = self._deleted_before(self.rows)
        count += sum(1 for k in changes.deleted if not self.made_deleted(k))
        count -= sum(1 for k in changes.undeleted if self.made_deleted(k))
        return count - sum(1 for k in changes.purged if self.deleted(changes, k))

    def total(self, changes: Changes) -> int:
        """All row numbers ever given; ``purged`` of them are gone."""
        return self.rows + len(changes.inserted)

    def there(self, changes: Changes) -> int:
        """All rows, as ``queryAll`` sees them."""
        return self.total(changes) - len(changes.purged)

    def visible_before(self, changes: Changes, x: int) -> int:
        """Rows below ``x`` that ``query`` sees."""
        archived = min(x, self.archived)
        gone = archived + self._deleted_before(x) - self._deleted_before(archived)
        return x - gone - bisect_left(changes.hidden, x) + bisect_left(changes.shown, x)

    def visible_at(self, changes: Changes, ordinal: int) -> int:
        """Row number of the visible row ``ordinal`` (counted from 0)."""
        low, high = ordinal, self.total(changes)
        while low < high:
            middle = (low + high) // 2
            if self.visible_before(changes, middle + 1) > ordinal:
                high = middle
            else:
                low = middle + 1
        return low

    # -- values -------------------------------------------------------------------------

    def _patched(self, changes: Changes, name: str, i: int) -> tuple[bool, Value]:
        """The value a change forced on row ``i``, if any."""
        if name in changes.values.get(i, ()):
            return True, changes.values[i][name]
        made = changes.inserted[i - self.rows] if i >= self.rows else None
        if made is not None:
            if name == "CreatedDate":
                return True, col.datetime_text(made)
            if name == "IsArchived":
                return True, "false"
        if name == "IsDeleted" and (made is not None or self._binned(changes, i)):
            return True, "true" if self.deleted(changes, i) else "false"
        if i in changes.updated:
            found = self.org.full(self.sobject.name).field(name)
            if found is not None and found.name_field and i not in changes.values:
                return True, f"{self.column(name).value(i)} *"
        if name == "LastModifiedDate":
            stamp = changes.updated.get(i, made)
            if stamp is not None:
                return True, col.datetime_text(stamp)
        if name == "SystemModstamp":
            stamp = changes.stamp(i) or made
            if stamp is not None:
                return True, col.datetime_text(stamp)
        return False, None

    @staticmethod
    def _binned(changes: Changes, i: int) -> bool:
        return i in changes.deleted or i in changes.undeleted

    def value(self, changes: Changes, name: str, i: int) -> Value:
        """One value, by the plain path."""
        if not changes.quiet:
            forced, text = self._patched(changes, name, i)
            if forced:
                return text
        return self.column(name).value(i + changes.recalculated.get(name, 0))

    def _touched(self, changes: Changes, i: int, n: int) -> Iterator[int]:
        if changes.quiet:
            return
        yield from changes.touched(i, min(n, self.rows - i))
        yield from range(max(i, self.rows), i + n)

    def block(self, changes: Changes, name: str, i: int, n: int) -> list[Value]:
        """Values of ``n`` rows."""
        out = self.column(name).block(i + changes.recalculated.get(name, 0), n)
        for k in self._touched(changes, i, n):
            forced, text = self._patched(changes, name, k)
            if forced:
                out[k - i] = text
        return out

    def cells(self, changes: Changes, name: str, i: int, n: int) -> list[str]:
        """The same as quoted CSV text."""
        out = self.column(name).cells(i + changes.recalculated.get(name, 0), n)
        for k in self._touched(changes, i, n):
            forced, text = self._patched(changes, name, k)
            if forced:
                out[k - i] = cell(text)
        return out


class Tables:
    """All tables of an org."""

    def __init__(self, seed: int, objects: Sequence[SObject], rows: dict[str, int]) -> None:
        self.seed = seed
        rng = random.Random(f"{seed}:instance")
        self.instance = rng.choice("abcdefghkmnprstw") + rng.choice("ABCDEFGHKLMNPQRSTUVWXYZ")
        self._full = {o.name: o for o in objects}
        self.bodies = Bodies(self)
        self.files = Files(self)
        #: The objects of the org, without those only the Tooling API has.
        self.everything = list(objects)
        self._field_rows: dict[str, FieldRows] = {}
        self.tables = {o.name: Table(self, o, rows[o.name]) for o in objects}
        self._by_prefix: dict[str, list[Table]] = {}
        for table in self.tables.values():
            self._by_prefix.setdefault(table.sobject.id_prefix, []).append(table)
        for group in self._by_prefix.values():
            group.sort(key=lambda t: t.sobject.id_base)

    def add(self, sobject: SObject, rows: int = 0) -> None:
        """A table of an object that came later, or is not in Describe Global."""
        self._full[sobject.name] = sobject
        table = self.tables[sobject.name] = Table(self, sobject, rows)
        self._by_prefix.setdefault(sobject.id_prefix, []).append(table)

    def widen(self, name: str, fields: Sequence[Field]) -> SObject:
        """The object gets more fields; what it is now."""
        old = self._full[name]
        new = self._full[name] = replace(old, fields=(*old.fields, *fields), _index={})
        self.everything = [new if o.name == name else o for o in self.everything]
        self.list_anew()
        return new

    def alter(self, name: str, field: Field) -> SObject:
        """A field of the object is another one by the same name; what the object is now."""
        old = self._full[name]
        fields = tuple(field if one.name == field.name else one for one in old.fields)
        new = self._full[name] = replace(old, fields=fields, _index={})
        self.everything = [new if o.name == name else o for o in self.everything]
        self.list_anew()
        return new

    def list_anew(self) -> None:
        """The catalogues of objects and fields follow what there is now."""
        self._field_rows.clear()
        for name in ("EntityDefinition", "FieldDefinition", "EntityParticle"):
            if name in self.tables:
                entities = name == "EntityDefinition"
                self.tables[name].relist(
                    len(self.everything) if entities else self.field_rows(name).total
                )

    def field_rows(self, name: str) -> FieldRows:
        """Rows of FieldDefinition or EntityParticle."""
        rows = self._field_rows.get(name)
        if rows is None:
            from .definitions import FieldRows

            rows = self._field_rows[name] = FieldRows(self, name)
        return rows

    def full(self, name: str) -> SObject:
        """The object with every field it ever had."""
        return self._full[name]

    def locate(self, record_id: str) -> tuple[Table, int] | None:
        """Table and row number of an id, or None if no such row exists."""
        for table in self._by_prefix.get(record_id[:3], ()):
            row = table.ids.row(record_id)
            if row is not None and 0 <= row < table.total(table.changes):
                return None if table.changes.gone(row) else (table, row)
        return None


def json_value(f: Field, value: Value) -> str:
    """One value as REST JSON text: numbers and booleans bare, datetimes with ``+0000``."""
    if value is None:
        return "null"
    if f.type in ("boolean", "int", "long", "double", "currency", "percent"):
        return value
    if f.type == "datetime":
        return f'"{value[:-1]}+0000"'
    return json.dumps(value, ensure_ascii=False)


__all__ = ["AS_OF", "Changes", "Table", "Tables", "java_double", "json_value"]
