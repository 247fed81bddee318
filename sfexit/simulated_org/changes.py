"""What a living org does to the rows of a table: each deed makes new ``Changes`` of old ones."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from .columns import Value


@dataclass(frozen=True)
class Changes:
    """What happened to a table since it was made; never altered, only replaced.

    Rows are numbers, stamps epoch seconds. ``hidden`` and ``shown`` are sorted: rows that left or
    came back to the sight of ``query`` against how the table was made. ``purged`` rows left no
    trace. ``values`` are forced on single rows, ``recalculated`` moves a whole column: its row
    ``i`` has the value that row ``i + n`` was made with.
    """

    inserted: tuple[int, ...] = ()
    updated: Mapping[int, int] = field(default_factory=dict)
    deleted: Mapping[int, int] = field(default_factory=dict)
    undeleted: Mapping[int, int] = field(default_factory=dict)
    purged: tuple[int, ...] = ()
    hidden: tuple[int, ...] = ()
    shown: tuple[int, ...] = ()
    values: Mapping[int, Mapping[str, Value]] = field(default_factory=dict)
    recalculated: Mapping[str, int] = field(default_factory=dict)

    @property
    def quiet(self) -> bool:
        """Nothing happened to any one row."""
        return not (self.inserted or self.updated or self.deleted or self.undeleted or self.values)

    @cached_property
    def _touched(self) -> list[int]:
        return sorted({*self.updated, *self.deleted, *self.undeleted, *self.values})

    def touched(self, i: int, n: int) -> Iterator[int]:
        """Rows from ``i`` to ``i + n`` of which something may differ, inserted ones aside."""
        rows = self._touched
        yield from rows[bisect_left(rows, i) : bisect_left(rows, i + n)]

    @cached_property
    def _purged(self) -> frozenset[int]:
        return frozenset(self.purged)

    def gone(self, i: int) -> bool:
        """Row ``i`` was purged."""
        return i in self._purged

    def stamp(self, i: int) -> int | None:
        """When row ``i`` last changed, if it did."""
        found = [one[i] for one in (self.updated, self.deleted, self.undeleted) if i in one]
        return max(found) if found else None

    # -- deeds ---------------------------------------------------------------------------

    def insert(self, first: int, count: int, now: int, values: Mapping[str, Value]) -> Changes:
        """``count`` new rows, ``first`` the number of the first one."""
        forced = dict.fromkeys(range(first, first + count), values) if values else {}
        return replace(
            self, inserted=self.inserted + (now,) * count, values={**self.values, **forced}
        )

    def update(self, rows: Iterable[int], now: int, values: Mapping[str, Value]) -> Changes:
        """Somebody edits rows."""
        rows = list(rows)
        return replace(
            self.give(rows, values), updated={**self.updated, **dict.fromkeys(rows, now)}
        )

    def thawed(self) -> Changes:
        """A copy whose rows ``edit`` may change in place."""
        return replace(self, updated=dict(self.updated), values=dict(self.values))

    def edit(self, row: int, now: int, values: Mapping[str, Value]) -> None:
        """Somebody edits a row of a thawed copy that nobody else has seen yet."""
        assert isinstance(self.updated, dict)
        assert isinstance(self.values, dict)
        self.updated[row] = now
        self.values[row] = {**self.values.get(row, {}), **values}

    def give(self, rows: Iterable[int], values: Mapping[str, Value]) -> Changes:
        """Values change, and no stamp tells of it."""
        if not values:
            return self
        forced = {k: {**self.values.get(k, {}), **values} for k in rows}
        return replace(self, values={**self.values, **forced})

    def recalculate(self, name: str, by: int) -> Changes:
        """A formula gives other values for all rows; no stamp tells of it."""
        moved = self.recalculated.get(name, 0) + by
        return replace(self, recalculated={**self.recalculated, name: moved})

    def delete(self, rows: Iterable[int], now: int, was_hidden: Callable[[int], bool]) -> Changes:
        """Rows go to the recycle bin; ``was_hidden`` tells which ``query`` did not show anyway."""
        rows = list(rows)
        hidden, shown = self._without(rows, was_hidden)
        return replace(
            self,
            deleted={**self.deleted, **dict.fromkeys(rows, now)},
            undeleted={k: v for k, v in self.undeleted.items() if k not in set(rows)},
            hidden=tuple(hidden),
            shown=tuple(shown),
        )

    def undelete(self, rows: Iterable[int], now: int, archived: int) -> Changes:
        """Rows come back from the recycle bin; those below ``archived`` stay hidden."""
        rows = list(rows)
        hidden, shown = list(self.hidden), list(self.shown)
        for k in rows:
            if k in hidden:
                hidden.remove(k)
            elif k >= archived:
                insort(shown, k)
        return replace(
            self,
            deleted={k: v for k, v in self.deleted.items() if k not in set(rows)},
            undeleted={**self.undeleted, **dict.fromkeys(rows, now)},
            hidden=tuple(hidden),
            shown=tuple(shown),
        )

    def purge(self, rows: Iterable[int], was_hidden: Callable[[int], bool]) -> Changes:
        """Rows vanish for good, and no query ever tells that they were there."""
        rows = [k for k in rows if not self.gone(k)]
        hidden, shown = self._without(rows, was_hidden)
        return replace(
            self,
            purged=tuple(sorted({*self.purged, *rows})),
            hidden=tuple(hidden),
            shown=tuple(shown),
        )

    def _without(
        self, rows: Iterable[int], was_hidden: Callable[[int], bool]
    ) -> tuple[list[int], list[int]]:
        """What ``query`` hides and shows against the rule, once these rows are gone."""
        hidden, shown = list(self.hidden), list(self.shown)
        for k in rows:
            if k in shown:
                shown.remove(k)
            elif not was_hidden(k):
                insort(hidden, k)
        return hidden, shown
