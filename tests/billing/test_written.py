"""Amounts and dates: what is written comes back, and what can be read two ways is refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.billing.written import (
    Ambiguous,
    Habits,
    Unreadable,
    amount,
    currency_in,
    day,
    decimal_of,
    habits_of,
    two_days,
)

CENTS = st.integers(-(10**11), 10**11)
DAYS = st.dates(date(1990, 1, 1), date(2100, 12, 31))
FEW = settings(max_examples=40, deadline=None)


def shown(cents: int, parting: str, mark: str, negative: str) -> str:
    whole, fraction = divmod(abs(cents), 100)
    text = f"{whole:,}".replace(",", parting) + f"{mark}{fraction:02}"
    return negative.format(text) if cents < 0 else text


@FEW
@given(
    CENTS,
    st.sampled_from(
        [(",", "."), (".", ","), (" ", ","), ("'", "."), ("\u202f", ","), ("", "."), ("", ",")]
    ),
    st.sampled_from(["-{}", "({})", "{}-", "−{}", "- {}", "{} CR"]),
    st.sampled_from(["{}", "EUR {}", "{} EUR", "€{}", "{} €"]),
)
def test_an_amount_with_cents_needs_no_help(
    cents: int, marks: tuple[str, str], negative: str, money: str
) -> None:
    text = money.format(shown(cents, *marks, negative))
    assert amount(text) == Decimal(cents).scaleb(-2)


@FEW
@given(st.integers(1, 999), st.integers(0, 999), st.sampled_from(".,"))
def test_three_digits_behind_a_lone_mark_are_not_guessed(head: int, tail: int, mark: str) -> None:
    text = f"{head}{mark}{tail:03}"
    assert decimal_of(text) is None
    with pytest.raises(Ambiguous):
        amount(text)
    thousand, fraction = Decimal(f"{head}{tail:03}"), Decimal(f"{head}.{tail:03}")
    point = amount(text, Habits("point"))
    assert point == (fraction if mark == "." else thousand)
    assert amount(text, Habits("comma")) == (thousand if mark == "." else fraction)


@FEW
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (amount, day, two_days):
        with suppress(Ambiguous, Unreadable):
            read(text)


@pytest.mark.parametrize(
    "text",
    ["", "-", "1,2,3", "1.23.4", "12,34,567.00", "1'23.00", "five", "--5", "-5-", "1 2", "5 %"],
)
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises((Unreadable, Ambiguous)):
        amount(text)


def test_other_figures_of_a_document_decide() -> None:
    assert habits_of(["1.234", "17,50"], []).decimal == "comma"
    assert habits_of(["1.234", "17,50", "17.50"], []).decimal is None
    assert habits_of([], ["03/04/2026", "25/04/2026"]).dates == "dmy"
    assert habits_of([], ["03/04/2026", "25/04/2026"], Habits(dates="mdy")).dates == "mdy"


@FEW
@given(
    DAYS, st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y"])
)
def test_a_clear_date_needs_no_help(when: date, form: str) -> None:
    assert day(when.strftime(form)) == when


@FEW
@given(DAYS)
def test_a_date_with_strokes_needs_an_order_when_it_could_be_another(when: date) -> None:
    text = when.strftime("%d/%m/%Y")
    if when.day > 12 or when.day == when.month:
        assert day(text) == when
    else:
        with pytest.raises(Ambiguous):
            day(text)
    assert day(text, Habits(dates="dmy")) == when
    assert day(when.strftime("%m/%d/%Y"), Habits(dates="mdy")) == when


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("1er avril 2026", date(2026, 4, 1)),
        ("3 de março de 2026", date(2026, 3, 3)),
        ("12 października 2026", date(2026, 10, 12)),
        ("5. März 2026", date(2026, 3, 5)),
        ("31 août 2026", date(2026, 8, 31)),
        ("Sep 9, 2026", date(2026, 9, 9)),
        ("9 juil. 2026", date(2026, 7, 9)),
    ],
)
def test_months_by_name(text: str, is_: date) -> None:
    assert day(text) == is_


@pytest.mark.parametrize("text", ["31.02.2026", "2026-13-01", "0/0/2026", "9 jui 2026", "tomorrow"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises((Unreadable, Ambiguous)):
        day(text)


def test_an_order_that_does_not_fit_is_told() -> None:
    with pytest.raises(Ambiguous, match="does not fit"):
        day("25/04/2026", Habits(dates="mdy"))
    with pytest.raises(Ambiguous, match="does not fit"):
        amount("1.234,50", Habits("point"))


def test_periods() -> None:
    assert two_days("01.01.2026 - 31.12.2026") == (date(2026, 1, 1), date(2026, 12, 31))
    assert two_days("Jan 1, 2026 to Dec 31, 2026") == (date(2026, 1, 1), date(2026, 12, 31))
    with pytest.raises(Unreadable):
        two_days("2026")


def test_a_dollar_sign_names_no_currency() -> None:
    assert currency_in("$5") is None
    assert currency_in("5 USD") == "USD" and currency_in("€5") == "EUR"
