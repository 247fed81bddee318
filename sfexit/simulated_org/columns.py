"""Columns: the value of row ``i`` is arithmetic on ``i``, never stored.

Each kind offers the same value three ways: ``value`` (one row, the plain path behind
``SimulatedOrg.truth``), ``block`` (many rows) and ``cells`` (many rows as quoted CSV text).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta

from .csvtext import cell
from .ids import IdSpace

Value = str | None

EPOCH = date(1970, 1, 1)
_FIRST_DAY = (date(2000, 1, 1) - EPOCH).days
DAYS = [(EPOCH + timedelta(days=n)).isoformat() for n in range(_FIRST_DAY, _FIRST_DAY + 14_610)]
_CLOCK: list[str] = []


def _times() -> list[str]:
    """``Thh:mm:ss.000Z`` for each second of a day."""
    if not _CLOCK:
        seconds = [f":{s:02d}.000Z" for s in range(60)]
        minutes = [f"T{h:02d}:{m:02d}" for h in range(24) for m in range(60)]
        _CLOCK.extend([m + s for m in minutes for s in seconds])
    return _CLOCK


def datetime_text(seconds: int) -> str:
    """Epoch seconds as ``yyyy-mm-ddThh:mm:ss.000Z``."""
    day, second = divmod(seconds, 86_400)
    return DAYS[day - _FIRST_DAY] + _times()[second]


def day_text(day: int) -> str:
    """Days since 1970 as ``yyyy-mm-dd``."""
    return DAYS[day - _FIRST_DAY]


def cycle(values: Sequence[str], start: int, count: int) -> list[str]:
    """``count`` entries of a sequence that repeats for ever, from ``start`` on."""
    size = len(values)
    start %= size
    out = list(values[start : start + count])
    while len(out) < count:
        out += values[: count - len(out)]
    return out


class Column:
    """A column computed from the row number."""

    def value(self, i: int) -> Value:
        """Canonical text of row ``i``, None for null."""
        raise NotImplementedError

    def block(self, i: int, n: int) -> list[Value]:
        """Values of rows ``i`` to ``i + n``."""
        return [self.value(k) for k in range(i, i + n)]

    def cells(self, i: int, n: int) -> list[str]:
        """The same rows as quoted CSV text."""
        return [cell(v) for v in self.block(i, n)]


class Pool(Column):
    """A prepared list of values, repeated."""

    def __init__(self, values: Sequence[Value]) -> None:
        self.values = list(values)
        self._cells: list[str] | None = None

    def value(self, i: int) -> Value:
        return self.values[i % len(self.values)]

    def block(self, i: int, n: int) -> list[Value]:
        return cycle(self.values, i, n)  # type: ignore[arg-type,return-value]

    def cells(self, i: int, n: int) -> list[str]:
        if self._cells is None:
            self._cells = [cell(v) for v in self.values]
        return cycle(self._cells, i, n)


class Template(Column):
    """Constant text, pools and the row number, joined; holds no quote character."""

    def __init__(self, *parts: str | Sequence[str] | Callable[[int], str]) -> None:
        self.parts = parts

    def value(self, i: int) -> Value:
        out = []
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
            elif callable(part):
                out.append(part(i))
            else:
                out.append(part[i % len(part)])
        return "".join(out)

    def _joined(self, i: int, n: int, before: str, after: str) -> list[str]:
        columns: list[Sequence[str]] = [[before] * n]
        for part in self.parts:
            if isinstance(part, str):
                columns.append([part] * n)
            elif callable(part):
                columns.append([part(k) for k in range(i, i + n)])
            else:
                columns.append(cycle(part, i, n))
        columns.append([after] * n)
        return list(map("".join, zip(*columns, strict=True)))

    def block(self, i: int, n: int) -> list[Value]:
        return self._joined(i, n, "", "")  # type: ignore[return-value]

    def cells(self, i: int, n: int) -> list[str]:
        return self._joined(i, n, '"', '"')


class Plain(Column):
    """Base of columns whose text can hold no quote."""

    def texts(self, i: int, n: int) -> list[str]:
        """Text of rows ``i`` to ``i + n``, never null."""
        raise NotImplementedError

    def value(self, i: int) -> Value:
        return self.texts(i, 1)[0]

    def block(self, i: int, n: int) -> list[Value]:
        return self.texts(i, n)  # type: ignore[return-value]

    def cells(self, i: int, n: int) -> list[str]:
        return [f'"{t}"' for t in self.texts(i, n)]


class Ids(Plain):
    """The record id."""

    def __init__(self, space: IdSpace) -> None:
        self.space = space

    def value(self, i: int) -> Value:
        return self.space.at(i)

    def texts(self, i: int, n: int) -> list[str]:
        return self.space.block(i, n)


class Reference(Plain):
    """Id of row ``(i + offset) % rows`` of another object."""

    def __init__(self, space: IdSpace, rows: int, offset: int = 0) -> None:
        self.space = space
        self.rows = rows
        self.offset = offset

    def value(self, i: int) -> Value:
        return self.space.at((i + self.offset) % self.rows)

    def texts(self, i: int, n: int) -> list[str]:
        out: list[str] = []
        position = (i + self.offset) % self.rows
        while n > 0:
            part = min(n, self.rows - position)
            out += self.space.block(position, part)
            n -= part
            position = 0
        return out


class Stamp(Plain):
    """A datetime that rises with the row number, plus a repeating delay."""

    def __init__(
        self,
        start: int,
        span: int,
        rows: int,
        delays: Sequence[int] = (0,),
        last: int | None = None,
    ) -> None:
        self.start = start
        self.span = span
        self.rows = max(rows, 1)
        self.delays = delays
        self.last = start + span if last is None else last

    def seconds(self, i: int) -> int:
        """Epoch seconds of row ``i``."""
        moment = self.start + i * self.span // self.rows + self.delays[i % len(self.delays)]
        return min(moment, self.last)

    def value(self, i: int) -> Value:
        return datetime_text(self.seconds(i))

    def texts(self, i: int, n: int) -> list[str]:
        start, span, rows, last = self.start, self.span, self.rows, self.last
        times, days = _times(), DAYS
        delays = self.delays
        size = len(delays)
        out = []
        for k in range(i, i + n):
            moment = start + k * span // rows + delays[k % size]
            if moment > last:
                moment = last
            day = moment // 86_400
            out.append(days[day - _FIRST_DAY] + times[moment - day * 86_400])
        return out


class Day(Plain):
    """The date of a stamp column."""

    def __init__(self, stamp: Stamp) -> None:
        self.stamp = stamp

    def texts(self, i: int, n: int) -> list[str]:
        return [text[:10] for text in self.stamp.texts(i, n)]


class Number(Plain):
    """``(i * step + shift) % modulus`` with a repeating fraction behind it."""

    def __init__(
        self, step: int, shift: int, modulus: int, fractions: Sequence[str] = ("",)
    ) -> None:
        self.step, self.shift, self.modulus, self.fractions = step, shift, modulus, fractions

    def value(self, i: int) -> Value:
        whole = (i * self.step + self.shift) % self.modulus
        return f"{whole}{self.fractions[i % len(self.fractions)]}"

    def texts(self, i: int, n: int) -> list[str]:
        step, shift, modulus = self.step, self.shift, self.modulus
        fractions = cycle(self.fractions, i, n)
        return [
            f"{(k * step + shift) % modulus}{f}"
            for k, f in zip(range(i, i + n), fractions, strict=True)
        ]


class Sometimes(Column):
    """Another column, with the value replaced on every ``every``-th row."""

    def __init__(
        self, inner: Column, every: int, phase: int, instead: Callable[[int], Value] | None = None
    ) -> None:
        self.inner, self.every, self.phase = inner, every, phase % every
        self.instead = instead

    def value(self, i: int) -> Value:
        if i % self.every == self.phase:
            return None if self.instead is None else self.instead(i)
        return self.inner.value(i)

    def _hits(self, i: int, n: int) -> range:
        return range(i + (self.phase - i) % self.every, i + n, self.every)

    def block(self, i: int, n: int) -> list[Value]:
        out = list(self.inner.block(i, n))
        for k in self._hits(i, n):
            out[k - i] = self.value(k)
        return out

    def cells(self, i: int, n: int) -> list[str]:
        out = list(self.inner.cells(i, n))
        for k in self._hits(i, n):
            out[k - i] = cell(self.value(k))
        return out


class Except(Column):
    """Another column, with a few rows given."""

    def __init__(self, inner: Column, given: dict[int, Value]) -> None:
        self.inner, self.given = inner, given

    def value(self, i: int) -> Value:
        return self.given[i] if i in self.given else self.inner.value(i)

    def block(self, i: int, n: int) -> list[Value]:
        out = list(self.inner.block(i, n))
        for k, value in self.given.items():
            if i <= k < i + n:
                out[k - i] = value
        return out

    def cells(self, i: int, n: int) -> list[str]:
        out = list(self.inner.cells(i, n))
        for k, value in self.given.items():
            if i <= k < i + n:
                out[k - i] = cell(value)
        return out


class Mostly(Column):
    """Null except on every ``every``-th row."""

    def __init__(self, inner: Column, every: int, phase: int) -> None:
        self.inner, self.every, self.phase = inner, every, phase % every

    def value(self, i: int) -> Value:
        return self.inner.value(i) if i % self.every == self.phase else None

    def block(self, i: int, n: int) -> list[Value]:
        out: list[Value] = [None] * n
        for k in range(i + (self.phase - i) % self.every, i + n, self.every):
            out[k - i] = self.inner.value(k)
        return out


class Turns(Column):
    """Several columns taking turns, row by row (references to more than one object)."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = list(columns)

    def value(self, i: int) -> Value:
        return self.columns[i % len(self.columns)].value(i)

    def block(self, i: int, n: int) -> list[Value]:
        out: list[Value] = [None] * n
        m = len(self.columns)
        for turn, column in enumerate(self.columns):
            first = (turn - i) % m
            out[first::m] = column.block(i, n)[first::m]
        return out

    def cells(self, i: int, n: int) -> list[str]:
        out = [""] * n
        m = len(self.columns)
        for turn, column in enumerate(self.columns):
            first = (turn - i) % m
            out[first::m] = column.cells(i, n)[first::m]
        return out


class Prefix(Column):
    """One column before row ``limit``, another from there on (archived rows)."""

    def __init__(self, before: Column, limit: int, after: Column) -> None:
        self.before, self.limit, self.after = before, limit, after

    def value(self, i: int) -> Value:
        return (self.before if i < self.limit else self.after).value(i)

    def block(self, i: int, n: int) -> list[Value]:
        first = min(max(self.limit - i, 0), n)
        head = self.before.block(i, first) if first else []
        return head + (self.after.block(i + first, n - first) if first < n else [])

    def cells(self, i: int, n: int) -> list[str]:
        first = min(max(self.limit - i, 0), n)
        head = self.before.cells(i, first) if first else []
        return head + (self.after.cells(i + first, n - first) if first < n else [])
