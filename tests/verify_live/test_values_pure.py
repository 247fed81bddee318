"""Values in one form, and what a sample proves."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.verify.live.canonical import depends_on_the_moment, from_cell, from_json
from sfexit.verify.live.confidence import Statement
from sfexit.verify.live.schema import FieldFact
from sfexit.verify.live.values import shown


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**15), max_value=10**15
    )
)
def test_numbers_are_equal_however_they_are_written(number: Decimal) -> None:
    texts = {str(number), f"{number:f}", f"{number:e}", f"{number:f}000"}
    assert len({from_cell(text, "double") for text in texts}) == 1
    assert from_cell(str(number + Decimal("0.000001")), "double") != from_cell(
        str(number), "double"
    )


@pytest.mark.parametrize(
    ("cell", "value", "kind"),
    [
        ("", None, "string"),
        ("NA", "NA", "string"),
        ("01234", "01234", "string"),
        ("  ", "  ", "string"),
        ("true", True, "boolean"),
        ("false", False, "boolean"),
        ("1.0E7", "10000000.0", "currency"),
        ("-0.0", "0", "double"),
        ("2026-05-06T11:56:44.000Z", "2026-05-06T11:56:44.000+0000", "datetime"),
        ("11:56:44.000Z", "11:56:44.000", "time"),
        ("a\r\nb", "a\r\nb", "textarea"),
        ('{"a":"1"}', {"a": "1"}, "complexvalue"),
    ],
)
def test_both_roads_give_one_form(cell: str, value: object, kind: str) -> None:
    assert from_cell(cell, kind) == from_json(value, kind)


@pytest.mark.parametrize(
    ("cell", "value", "kind"),
    [
        ("", "NA", "string"),
        ("1234", "01234", "string"),
        ("a\nb", "a\r\nb", "textarea"),
        ("a b", "a\u00a0b", "string"),
        ("e\u0301", "é", "string"),
        ("1.1", "1.10001", "double"),
        ("false", True, "boolean"),
        ("2026-05-06", "2026-05-07", "date"),
        ("0", None, "double"),
    ],
)
def test_what_differs_stays_different(cell: str, value: object, kind: str) -> None:
    assert from_cell(cell, kind) != from_json(value, kind)


@given(st.text(max_size=40))
def test_texts_are_equal_letter_by_letter(text: str) -> None:
    told = json.loads(json.dumps(text))
    assert from_cell(text, "string") == from_json(told, "string")


@pytest.mark.parametrize(
    ("formula", "moves"),
    [
        ("Amount * 1.5", False),
        ("IF(Closed__c, 1.5, 0.2)", False),
        ("TODAY() - CreatedDate", True),
        ("Account.Name", True),
        ("Parent__r.Code__c & 'x'", True),
        ("$User.Id", True),
    ],
)
def test_formulas_that_move_by_themselves(formula: str, moves: bool) -> None:
    assert (
        depends_on_the_moment(FieldFact("F__c", "double", calculated=True, formula=formula))
        is moves
    )


def test_a_field_that_is_no_formula_never_moves() -> None:
    assert not depends_on_the_moment(FieldFact("F__c", "double", calculated=True))


# ---- statements ----------------------------------------------------------------------------------


def test_the_rule_of_three() -> None:
    assert Statement(300, 0, 10**6).most_wrong == pytest.approx(3 / 300, rel=0.01)
    assert Statement(3_000, 0, 10**6).most_wrong == pytest.approx(3 / 3_000, rel=0.01)
    assert "fewer than 0.30% of all rows" in Statement(1_000, 0, 2_000_000).words


@pytest.mark.parametrize(
    # upper bounds of the one-sided exact interval, from tables (Clopper and Pearson 1934)
    ("drawn", "wrong", "bound"),
    [(10, 0, 0.2589), (10, 1, 0.3942), (100, 1, 0.0466), (100, 5, 0.1023), (1_000, 2, 0.00628)],
)
def test_exact_bounds(drawn: int, wrong: int, bound: float) -> None:
    assert Statement(drawn, wrong, 10**9).most_wrong == pytest.approx(bound, abs=0.0002)


def test_all_rows_read_prove_all_and_none_prove_nothing() -> None:
    assert Statement(50, 0, 50).most_wrong == 0
    assert "all 50 rows" in Statement(50, 0, 50).words
    assert Statement(0, 0, 50).most_wrong == 1
    assert "nothing is known" in Statement(0, 0, 50).words
    assert Statement(0, 0, 0).words == "no rows, so none was read again"


def test_a_long_value_is_shown_where_it_differs() -> None:
    one, other = "x" * 500 + "A" + "y" * 500, "x" * 500 + "B" + "y" * 500
    assert "A" in shown(one, other)
    assert "from character 491 of 1,001" in shown(one, other)
    assert shown(None, one) == "empty"
