"""The days of a contract, with the vectors that were worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.contract.deadlines import MISSED, PAST, deadlines, missed
from sfexit.contract.laws import laws, switching
from tests.contract_terms.samples import contract

TODAY = date(2026, 11, 22)


def days_of(end: date, today: date = TODAY, **changes: object) -> dict[str, object]:
    changes.setdefault("contract_start", date(end.year - 1, end.month, 1))
    made = contract(contract_end=end, **changes)
    return {one.kind: one for one in deadlines(made, today, export_days=3.2)}


@pytest.mark.parametrize(
    ("end", "hard", "safe", "opens"),
    [
        (date(2027, 3, 31), date(2027, 3, 1), date(2027, 1, 29), date(2026, 12, 31)),
        (date(2026, 12, 31), date(2026, 12, 1), date(2026, 10, 30), date(2026, 10, 2)),
        (date(2028, 3, 1), date(2028, 1, 31), date(2027, 12, 31), date(2027, 12, 2)),
        # Salesforce's own example: end 30 September, changes from 2 July.
        (date(2026, 9, 30), date(2026, 8, 31), date(2026, 7, 31), date(2026, 7, 2)),
    ],
)
def test_vectors(end: date, hard: date, safe: date, opens: date) -> None:
    days = days_of(end)
    assert days["notice_hard"].day == hard
    assert days["notice_safe"].day == safe
    assert days["window_opens"].day == opens
    assert days["org_locked"].day == end + timedelta(1)
    assert days["data_request"].counted == end + timedelta(30)
    assert days["purge"].day == end + timedelta(120)
    assert days["export_finished"].counted == end - timedelta(14)


def test_nine_days_left() -> None:
    days = days_of(date(2026, 12, 31))
    assert days["notice_hard"].days_left == 9
    assert days["notice_safe"].state == PAST  # advice is never missed


def test_a_missed_notice() -> None:
    days = days_of(date(2026, 12, 15))
    assert days["notice_hard"].counted == date(2026, 11, 15)
    assert days["notice_hard"].state == MISSED
    made = contract(contract_end=date(2026, 12, 15))
    assert {one.kind for one in missed(deadlines(made, TODAY))} == {"notice_hard"}
    assert not missed(deadlines(made, TODAY, notice_sent=True))


def test_a_contract_that_ends_by_itself_misses_nothing() -> None:
    made = contract(contract_end=date(2026, 12, 15), contract_renewal="manual")
    assert not missed(deadlines(made, TODAY))


def test_post_must_leave_before_the_last_day_to_arrive() -> None:
    days = days_of(date(2027, 3, 31))
    assert days["notice_posted"].day == date(2027, 2, 22)  # five business days before 1 March
    alone = contract(notice_forms=["letter"], contract_end=date(2026, 12, 24))
    late = missed(deadlines(alone, date(2026, 11, 23)))
    assert {one.kind for one in late} == {"notice_posted"}  # letters only: too late for the post


@pytest.mark.parametrize(
    ("unit", "count", "expected"),
    [
        ("months", 1, date(2027, 2, 26)),  # 28 February is a Sunday
        ("weeks", 4, date(2027, 3, 3)),
        ("business_days", 10, date(2027, 3, 17)),
        ("days", 0, date(2027, 3, 31)),
    ],
)
def test_other_units_of_notice(unit: str, count: int, expected: date) -> None:
    days = days_of(date(2027, 3, 31), notice_unit=unit, notice_count=count)
    assert days["notice_hard"].day == expected


def test_holidays_of_the_customer_count() -> None:
    days = days_of(date(2027, 3, 31), calendar={"holidays": [date(2027, 3, 1)]})
    assert days["notice_hard"].day == date(2027, 2, 26)
    assert days["notice_hard"].rolled
    friday = days_of(date(2027, 3, 31), calendar={"weekend": ["friday", "saturday"]})
    assert friday["notice_safe"].day == date(2027, 1, 28)


def test_the_export_starts_early_enough() -> None:
    days = days_of(date(2027, 3, 31))
    assert days["start_export"].counted == days["export_finished"].day - timedelta(4)


def test_a_longer_notice_moves_the_advice_along() -> None:
    days = days_of(date(2027, 3, 31), notice_count=90)
    assert days["notice_safe"].counted == date(2027, 3, 31) - timedelta(120)


@given(
    st.dates(date(2024, 1, 1), date(2060, 12, 31)),
    st.integers(0, 200),
    st.sampled_from(["days", "weeks", "months", "business_days"]),
    st.lists(st.dates(date(2024, 1, 1), date(2060, 12, 31)), max_size=8),
)
def test_days_to_act_are_business_days_in_order(
    end: date, count: int, unit: str, holidays: list[date]
) -> None:
    count = count if unit == "days" else count // 30
    made = contract(
        contract_start=date(2019, 1, 1) if end.year < 2028 else date(end.year - 5, 1, 1),
        contract_end=end,
        notice_count=count,
        notice_unit=unit,
        calendar={"holidays": holidays},
    )
    found = deadlines(made, TODAY)
    by_kind = {one.kind: one for one in found}
    for one in found:
        assert one.day <= one.counted
        if one.must_act:
            assert made.business.works(one.day)
    assert by_kind["notice_posted"].day <= by_kind["notice_hard"].day <= end
    assert by_kind["notice_safe"].day <= by_kind["notice_hard"].day
    assert [one.day for one in found] == sorted(one.day for one in found)


def test_the_data_act() -> None:
    law = laws()["eu-data-act"]
    days = {one.kind: one.day for one in switching(law, TODAY, TODAY)}
    assert days["switch_notice_ends"] == date(2027, 1, 22)
    assert days["switched"] == date(2027, 2, 21)
    assert days["retrieval_ends"] == date(2027, 3, 23)
    assert days["charges_end"] == date(2027, 1, 12)
    assert not law.stale(TODAY)
    assert law.stale(date(2027, 2, 1))
