"""Statements of many layouts, made by somebody who had not seen the reader, with seeded errors.

`statements/expected.json` is theirs: what stands on each document, line by line. What is found in
each was compared with what they seeded. The statement of a credit card needs a mapping file.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sfexit.billing.mapping import Mapping
from sfexit.billing.reading import read
from sfexit.billing.review import review
from sfexit.billing.statement import Statement
from sfexit.billing.written import Habits
from sfexit.commands.main import run
from sfexit.contract import terms
from sfexit.errors import UsageProblem

FOLDER = Path(__file__).parent / "statements"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
CONTRACT = terms.load(FOLDER / "contract.toml")
TODAY = date(2026, 11, 22)

#: (rule, amount in question) by file; nothing else may be found in it.
FOUND: dict[str, list[tuple[str, str]]] = {
    # The same line twice in May; the pieces too many are the same fact.
    "03_invoice_q2-2025_multipage.pdf": [("BILL03", "1410.00"), ("BILL06", "1410.00")],
    "05_gutschrift_de.pdf": [("BILL08", "41.44")],  # five months credited, 153 days agreed
    "07_invoice_q4-2025_discounts.pdf": [("BILL04", "1440.00")],
    "08_rechnung_q1-2026_nachbestellung.pdf": [("BILL18", "900.00")],
    "09_invoice_usd_appexchange.pdf": [("BILL02", "0.00"), ("BILL15", "540.00")],
    "10_statement_of_account.pdf": [
        ("BILL05", "52581.82"), ("BILL14", "52581.82"), ("BILL14", "48697.94"),
        ("BILL21", "48697.94"),
    ],
    "12_renewal_invoice_oct2026.pdf": [
        ("BILL07", "21667.50"), ("BILL07", "10593.00"), ("BILL07", "4525.20"),
        ("BILL07", "317.04"), ("BILL07", "3819.90"), ("BILL21", "0.00"),
    ],
    "13_invoice_gbp.pdf": [("BILL11", "3054.00")],
    "14_early_termination_fee.pdf": [("BILL09", "500.00")],
    "15_facture_t2-2026_tva.pdf": [("BILL12", "37.50")],
    "16_switching_charge_2027.pdf": [("BILL02", "0.00"), ("BILL10", "3800.00")],
    "17_facture_t1-2026_listing.pdf": [("BILL03", "450.00")],
    "c02_invoice_lines_tab_utf16.csv": [("BILL03", "2250.00")],
    "c03_factures_cp1252.csv": [("BILL06", "800.00"), ("BILL06", "450.00")],
    "c07_subscription_export_iso.csv": [("BILL16", "15000.00")],
    "c08_pipe_sepline.csv": [("BILL04", "120.00")],
}  # fmt: skip


#: What is missing as long as no other document brings it.
OF_THE_WHOLE_SET = {("BILL17", "0"), ("BILL08", "6916.44"), ("BILL08", "3292.83")}


def statements(*names: str) -> list[Statement]:
    return [one for name in names for one in read(FOLDER / name, Mapping(), Habits())]


def found(*names: str) -> list[tuple[str, str]]:
    told = review(statements(*names), CONTRACT, TODAY)
    return sorted(
        (one.rule, str(one.amount))
        for one in told.findings
        if (one.rule, str(one.amount)) not in OF_THE_WHOLE_SET
    )


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_found_and_nothing_else(name: str) -> None:
    assert found(name) == sorted(FOUND.get(name, []))


@pytest.mark.parametrize("name", [one for one in EXPECTED if EXPECTED[one]["invoice_no"]])
def test_the_head_is_read(name: str) -> None:
    [one] = statements(name)
    told = EXPECTED[name]
    assert (one.invoice_no, str(one.issue_date), one.currency) == (
        told["invoice_no"], told["issue_date"], told["currency"],
    )  # fmt: skip
    assert one.confidence >= 90


@pytest.mark.parametrize("name", [one for one in EXPECTED if one[:3] not in ("10_", "c05")])
def test_every_line_is_read(name: str) -> None:
    lines = [line for one in statements(name) for line in one.all_lines]
    expected = EXPECTED[name]["lines"]
    assert len(lines) == len(expected)
    for line, (product, quantity, price, amount, start, end) in zip(lines, expected, strict=True):
        assert line.amount == Decimal(amount), product
        assert product.split()[0] in line.product
        if quantity is not None:
            assert abs(line.quantity or 0) == abs(Decimal(str(quantity)))
        if line.unit_price is not None and price is not None:
            assert abs(line.unit_price) == abs(Decimal(price))
        if start is not None:
            assert (str(line.service_start), str(line.service_end)) == (start, end)


def test_the_whole_set_together() -> None:
    names = sorted(EXPECTED)
    told = review(statements(*names), CONTRACT, TODAY)
    rules = [one.rule for one in told.findings]
    assert rules.count("BILL17") == 1  # the final statement never came
    credits = sorted(str(one.amount) for one in told.findings if one.rule == "BILL08")
    assert credits == ["3292.83", "41.44"]
    # A list that names an invoice of the set is no second invoice; the one posted twice is.
    assert [one.invoice_no for one in told.findings if one.rule == "BILL05"] == ["31196020"]
    # What is found in each file is found in the set, but the order that only the list names.
    missing = [
        (name, one)
        for name in names
        for one in FOUND.get(name, [])
        if one not in {(x.rule, str(x.amount)) for x in told.findings}
    ]
    assert missing == [("10_statement_of_account.pdf", ("BILL21", "48697.94"))]
    assert "BILL13" not in rules  # two companies of the vendor tax by their own rates


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("11_scan_nur_bild.pdf", "holds no text, only pictures"),
        ("18_corrupt.pdf", "is a damaged PDF"),
        ("19_password.pdf", "is encrypted"),
        ("c06_kreditkarte_umsaetze.csv", "layout that sfexit does not know"),
        ("c09_empty.csv", "is empty"),
        ("c11_header_only.csv", "headings but no rows"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageProblem, match=said):
        statements(name)
    assert run(["billing", "check", str(FOLDER / name)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_mapping_file_reads_the_credit_card(tmp_path: Path) -> None:
    mapping = tmp_path / "card.toml"
    mapping.write_text(
        '[csv]\ndelimiter = ";"\ndates = "dmy"\n[columns]\ninvoice_no = "Buchung"\n'
        'issue_date = "Beleg"\nproduct = "Händler"\nnet = "Originalbetrag"\n'
        'currency = "Orig.-Währung"\n'
    )
    from sfexit.billing.mapping import load

    card = read(FOLDER / "c06_kreditkarte_umsaetze.csv", load(mapping), Habits())
    paid = [one for one in card if "PAPERLANE" in one.lines[0].product]
    assert [str(one.issue_date) for one in paid] == [
        "2026-08-01", "2026-09-01", "2026-10-01", "2026-11-01",
    ]  # fmt: skip
    assert {one.currency for one in paid} == {"USD"}


def test_payments_of_a_card_are_not_taken_for_credits(tmp_path: Path) -> None:
    mapping = tmp_path / "card.toml"
    told = (
        '[csv]\ndates = "dmy"\n{}[columns]\ninvoice_no = "Buchung"\nissue_date = "Beleg"\n'
        'product = "Händler"\nnet = "Betrag EUR"\n[fixed]\ncurrency = "EUR"\n'
    )
    from sfexit.billing.mapping import load

    def card(line: str) -> list[Decimal]:
        mapping.write_text(told.format(line))
        found = read(FOLDER / "c06_kreditkarte_umsaetze.csv", load(mapping), Habits())
        return [line.amount for one in found for line in one.all_lines]

    with pytest.raises(UsageProblem, match=r"mostly negative amounts.*charges"):
        card("")
    assert sum(card('charges = "negative"\n')) == Decimal("2130.49")
    assert sum(card('charges = "positive"\n')) == Decimal("-2130.49")
