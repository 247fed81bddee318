"""Day arithmetic."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.contract.days import BusinessDays, inclusive_days, months_after, months_before

DAYS = st.dates(date(1995, 1, 1), date(2095, 12, 31))


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2027, 1, 31), 1, date(2027, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 11, 22), 2, date(2027, 1, 22)),
        (date(2026, 12, 31), 2, date(2027, 2, 28)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
    ],
)
def test_months_keep_the_day_or_take_the_last(day: date, months: int, expected: date) -> None:
    assert months_after(day, months) == expected


@given(DAYS, st.integers(0, 60))
def test_months_back_and_forth_never_land_later(day: date, months: int) -> None:
    assert months_after(months_before(day, months), months) <= day
    assert months_before(day, months).day <= day.day


def test_months_outside_of_the_calendar() -> None:
    with pytest.raises(OverflowError):
        months_after(date(9999, 12, 1), 1)


@given(DAYS, st.frozensets(DAYS, max_size=20))
def test_rolling_back_ends_on_a_business_day_and_never_later(
    day: date, holidays: frozenset[date]
) -> None:
    business = BusinessDays(holidays)
    rolled = business.roll_back(day)
    assert rolled <= day
    assert business.works(rolled)
    between = [rolled + timedelta(n) for n in range(1, (day - rolled).days + 1)]
    assert not any(business.works(one) for one in between)


@given(DAYS, st.integers(0, 30))
def test_business_days_before_are_counted(day: date, count: int) -> None:
    business = BusinessDays()
    earlier = business.before(day, count)
    span = [earlier + timedelta(n) for n in range(1, (business.roll_back(day) - earlier).days + 1)]
    assert sum(business.works(one) for one in span) == count


def test_a_calendar_without_business_days_is_told() -> None:
    every = frozenset(date(2026, 1, 1) + timedelta(n) for n in range(900))
    with pytest.raises(OverflowError, match="holidays"):
        BusinessDays(every).roll_back(date(2028, 5, 1))


def test_days_are_counted_with_both_ends() -> None:
    assert inclusive_days(date(2026, 1, 1), date(2026, 12, 31)) == 365
    assert inclusive_days(date(2026, 7, 1), date(2026, 6, 30)) == 0
