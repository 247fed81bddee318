"""What staying and leaving cost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sfexit.contract.costs import LATE, costs, line_total, months_between, prorated, rounded
from sfexit.contract.outlook import outlook
from tests.contract_terms.samples import contract

LINE: dict[str, Any] = {"product": "Seats", "quantity": 10, "unit_price": "100", "per": "month"}
YEAR = {"contract_start": date(2026, 1, 1), "contract_end": date(2026, 12, 31)}


def test_unused_part_of_a_year() -> None:
    part = prorated(D(12000), date(2026, 1, 1), date(2026, 12, 31), date(2026, 6, 30))
    assert rounded(part, "EUR") == D("6049.32")  # 184 of 365 days


def test_rounding_is_half_up_in_the_currency() -> None:
    assert rounded(D("0.005"), "EUR") == D("0.01")
    assert rounded(D("2.5"), "JPY") == D("3")
    assert rounded(D("0.0005"), "KWD") == D("0.001")


def test_months() -> None:
    assert months_between(date(2026, 1, 31), date(2027, 1, 30)) == 12
    assert months_between(date(2026, 1, 1), date(2026, 1, 31)) == 1
    assert months_between(date(2026, 2, 1), date(2026, 2, 14)) == D("0.5")
    assert months_between(date(2026, 2, 2), date(2026, 2, 1)) == 0


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(1, 1500))
def test_months_grow_with_days(first: date, days: int) -> None:
    last = date.fromordinal(first.toordinal() + days)
    before = date.fromordinal(last.toordinal() - 1)
    assert months_between(first, before) < months_between(first, last)
    assert abs(months_between(first, last) - D(days + 1) / D("30.44")) < D("1.1")


def test_every_scenario() -> None:
    made = contract(
        **YEAR,
        contract_uplift_cap_percent=7,
        lines=[{**LINE, "keep": 5, "list_price": "150"}],
    )
    told = costs(made, date(2026, 7, 1))
    assert told is not None
    assert told.term_total == D("12000.00")
    assert told.remaining == D("6049.32")
    assert told.scenario("stay").amount == D("6049.32") + D("12840.00")
    assert told.scenario("reduce").amount == D("6049.32") + D("6420.00")
    assert told.scenario("leave_at_end").amount == D("6049.32")
    assert told.scenario("leave_now").amount == D("6049.32")
    assert told.break_even_percent == D("114.00")
    assert any("9,000.00 EUR" in one for one in told.scenario("reduce").caveats)


def test_refunds_only_where_the_contract_grants_them() -> None:
    lines = [dict(LINE)]
    plain = costs(contract(**YEAR, lines=lines), date(2026, 1, 15))
    assert plain is not None
    assert all(amount >= 0 for _, amount in plain.scenario("leave_now").parts)
    granted = {"type": "full_within_days", "days": 30, "clause": "Order form 4"}
    for today, refunded in ((date(2026, 1, 30), True), (date(2026, 1, 31), False)):
        told = costs(contract(**YEAR, lines=lines, refund=granted), today)
        assert told is not None
        assert any(amount < 0 for _, amount in told.scenario("leave_now").parts) is refunded
    told = costs(
        contract(**YEAR, lines=lines, refund={"type": "prorata", "clause": "4"}), date(2026, 6, 30)
    )
    assert told is not None
    [refund] = [
        amount for name, amount in told.scenario("leave_now").parts if "only if your" in name
    ]
    assert refund == D("-6049.32")


def test_fees() -> None:
    for fee, expected in (
        ({"type": "percent", "value": 50}, D("3024.66")),
        ({"type": "amount", "value": "777.77"}, D("777.77")),
        ({"type": "none"}, D("0.00")),
    ):
        made = contract(**YEAR, lines=[dict(LINE)], early_termination=fee)
        told = costs(made, date(2026, 7, 1))
        assert told is not None
        assert told.scenario("leave_now").amount == expected


def test_after_the_day_for_the_notice_leaving_at_the_end_is_no_given() -> None:
    made = contract(**YEAR, lines=[dict(LINE)])
    told = outlook(made, date(2026, 12, 20)).costs
    assert told is not None
    for key in ("reduce", "leave_at_end"):
        assert told.scenario(key).caveats[0] == LATE
    assert LATE not in told.scenario("stay").caveats
    sent = outlook(made, date(2026, 12, 20), notice_sent=True).costs
    assert sent is not None and LATE not in sent.scenario("leave_at_end").caveats


def test_without_lines_nothing_is_guessed() -> None:
    assert costs(contract(), date(2026, 7, 1)) is None


def test_the_next_term_is_the_shorter_of_this_one_and_a_year() -> None:
    long = contract(contract_end=date(2029, 3, 31), lines=[dict(LINE)])
    told = costs(long, date(2026, 7, 1))
    assert told is not None
    assert told.renewal_end == date(2030, 3, 31)
    short = contract(contract_end=date(2026, 6, 30), lines=[dict(LINE)])
    told = costs(short, date(2026, 5, 1))
    assert told is not None
    assert told.renewal_end == date(2026, 9, 30)  # three months, as the term was
    odd = contract(contract_end=date(2026, 6, 29), lines=[dict(LINE)])
    told = costs(odd, date(2026, 5, 1))
    assert told is not None
    assert told.renewal_end == date(2026, 9, 27)  # 90 days, as the term was


def test_a_year_is_followed_by_a_year_over_a_leap_day_too() -> None:
    made = contract(
        contract_start=date(2026, 4, 1), contract_end=date(2027, 3, 31),
        lines=[{**LINE, "quantity": 20, "unit_price": "150"}],
    )  # fmt: skip
    told = costs(made, date(2026, 11, 22))
    assert told is not None
    assert (told.renewal_start, told.renewal_end) == (date(2027, 4, 1), date(2028, 3, 31))
    assert told.scenario("stay").parts[1] == ("next term", D("36000.00"))


def test_prices_by_year_and_term() -> None:
    made = contract(
        **YEAR,
        lines=[{**LINE, "per": "year"}, {**LINE, "per": "term", "unit_price": "12.34"}],
    )
    assert [line_total(one) for one in made.lines] == [D(1000), D("123.40")]


@given(
    st.integers(0, 500),
    st.decimals(0, 10_000, places=2),
    st.dates(date(2026, 4, 1), date(2027, 3, 31)),
)
def test_what_is_shown_adds_up(quantity: int, price: D, today: date) -> None:
    made = contract(lines=[{**LINE, "quantity": quantity, "unit_price": price}])
    told = costs(made, today)
    assert told is not None
    for one in told.scenarios:
        assert sum((amount for _, amount in one.parts), D(0)) == one.amount
    assert told.scenario("leave_at_end").amount <= told.scenario("stay").amount
