"""Wrong contract files are refused field by field."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.contract import terms
from sfexit.errors import UsageProblem
from tests.contract_terms.samples import document


def problems(**changes: Any) -> str:
    made, wrong = terms.read(document(**changes))
    assert (made is None) == bool(wrong)
    return "; ".join(wrong)


def test_a_good_file() -> None:
    assert problems() == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"contract_end": date(2026, 3, 31)}, "contract.end lies before start (2026-04-01)"),
        ({"contract_end": date(2046, 3, 31)}, "contract.end makes a term of more than ten years"),
        ({"contract_end": "soon"}, "contract.end must be a date such as 2027-03-31"),
        ({"contract_end": None}, "contract.end is missing"),
        ({"contract_currency": "EURO"}, "contract.currency is no ISO 4217 code"),
        ({"contract_currency": None}, "contract.currency is missing"),
        ({"contract_renewal": "maybe"}, "contract.renewal must be one of auto, manual"),
        ({"contract_number": "  "}, "contract.number is empty"),
        ({"contract_number": "1\x1b[2J"}, "contract.number holds control characters"),
        ({"contract_org_id": "001000000000001"}, "contract.org_id is no org id"),
        ({"contract_uplift_cap_percent": -1}, "contract.uplift_cap_percent must be a number"),
        ({"contract_nummer": "1"}, "contract.nummer is unknown; did you mean number?"),
        ({"notice_count": 400}, "notice.count makes the notice longer than the whole term"),
        ({"notice_count": 13, "notice_unit": "months"}, "longer than the whole term"),
        ({"notice_count": "30"}, "notice.count must be a whole number from 0 to 1,000"),
        ({"notice_count": True}, "notice.count must be a whole number"),
        ({"notice_addressees": []}, "notice.addressees is missing: name at least one"),
        ({"notice_addressees": [{"role": "legal"}]}, "notice.forms names letter, but no addressee"),
        ({"notice_addressees": [{"role": "x", "address": "a"}]}, "addressees[1].role must be one"),
        ({"notice_forms": ["fax"]}, "notice.forms must be a list of letter"),
        ({"notice_forms": None}, "notice.forms is missing"),
        ({"notice_clause": None}, "notice.clause is missing"),
        ({"early_termination": {"type": "percent"}}, "early_termination.value is missing"),
        ({"early_termination": {"type": "percent", "value": 120}}, "more than 100 percent"),
        ({"refund": {"type": "prorata"}}, "refund.clause is missing"),
        ({"refund": {"type": "full_within_days", "clause": "4"}}, "refund.days is missing"),
        ({"lines": [{"product": "A", "quantity": -1, "unit_price": 1}]}, "lines[1].quantity must"),
        ({"lines": [{"product": "A", "quantity": 1}]}, "lines[1].unit_price is missing"),
        ({"lines": "none"}, "lines must be a list of tables"),
        (
            {"lines": [{"product": "A", "quantity": 1, "unit_price": 1, "keep": 2}]},
            "lines[1].keep is more than quantity (1)",
        ),
        ({"law": {"packs": ["moon"]}}, "law.packs must be a list of eu-data-act"),
        ({"calendar": {"weekend": list(terms.WEEKDAYS)}}, "calendar.weekend leaves no business"),
        ({"calendar": {"holidays": ["x"]}}, "calendar.holidays must be a list of dates"),
        ({"contracts": {}}, "contracts is unknown; did you mean contract?"),
        ({"notice": 3}, "notice must be a table"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], told: str) -> None:
    made = document(**changes)
    contract, wrong = terms.read(made)
    assert contract is None
    assert any(told in one for one in wrong), wrong


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "contract.toml"
    path.write_text("[contract]\nnumber = 3\nend = 2027-01-01\n")
    with pytest.raises(UsageProblem) as told:
        terms.load(path)
    for one in ("[notice] is missing", "contract.number must be a text", "contract.start is miss"):
        assert one in told.value.message


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"[contract\n", "not valid TOML"), (b"\xff\xfe", "not UTF-8"), (None, "contract init")],
)
def test_unreadable_files(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "contract.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageProblem, match=told):
        terms.load(path)


def test_the_example_is_good_and_shipped_twice_alike() -> None:
    config = Path(__file__).parents[2] / "config" / "contract.toml"
    assert terms.load(config).lines
    inside = Path(terms.__file__).with_name("example.toml")
    assert inside.read_text("utf-8") == config.read_text("utf-8")


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.sampled_from(["contract", "notice", "lines", "law", "refund", "calendar"]),
    st.sampled_from(["", "end", "count", "forms", "addressees", "packs", "holidays", "type"]),
    _ANY,
)
def test_no_file_breaks_the_reader(table: str, key: str, value: Any) -> None:
    made = document()
    if key and isinstance(made.get(table, {}), dict):
        made.setdefault(table, {})[key] = value
    else:
        made[table] = value
    contract, wrong = terms.read(made)
    assert (contract is None) == bool(wrong)
