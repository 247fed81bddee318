"""Counting days as contracts do: calendar arithmetic and rolling back to a business day."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

DAY = timedelta(days=1)
_FARTHEST = 400  # business days nobody works through: a list of holidays that long is a mistake


def months_before(day: date, months: int) -> date:
    """The same day `months` earlier, or the last day of that month when it has no such day."""
    return months_after(day, -months)


def months_after(day: date, months: int) -> date:
    """The same day `months` later, or the last day of that month when it has no such day.

    2027-01-31 and one month is 2027-02-28. Raises OverflowError outside of the calendar.
    """
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if not date.min.year <= year <= date.max.year:
        raise OverflowError("the day lies outside of the calendar")
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def inclusive_days(first: date, last: date) -> int:
    """Days from `first` to `last`, both counted; 0 when `last` lies before."""
    return max(0, (last - first).days + 1)


@dataclass(frozen=True)
class BusinessDays:
    """The customer's working week. `weekend` holds weekdays (Monday is 0)."""

    holidays: frozenset[date] = field(default_factory=frozenset)
    weekend: frozenset[int] = frozenset({5, 6})

    def works(self, day: date) -> bool:
        """Whether anybody takes a letter on this day."""
        return day.weekday() not in self.weekend and day not in self.holidays

    def roll_back(self, day: date) -> date:
        """`day`, or the last business day before it. Never later: that is the safe reading."""
        for _ in range(_FARTHEST):
            if self.works(day):
                return day
            day -= DAY
        raise OverflowError("no business day found within a year: check the holidays")

    def before(self, day: date, count: int) -> date:
        """The business day that lies `count` business days before `day`."""
        day = self.roll_back(day)
        for _ in range(count):
            day = self.roll_back(day - DAY)
        return day


def holidays_in(days: Iterable[date], first: date, last: date) -> tuple[date, ...]:
    """Those of `days` between two days, in order."""
    return tuple(sorted(day for day in set(days) if first <= day <= last))
