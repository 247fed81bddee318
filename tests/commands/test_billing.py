"""`sfexit billing check` as it is typed, over invoices of many layouts."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fpdf import FPDF

from sfexit.commands import main
from tests.billing import invoices
from tests.billing.invoices import MAKERS, Made


def run(*words: object) -> tuple[int, str, str]:
    runner = CliRunner()
    with runner.isolation() as (out, err, _):
        code = main.run(["billing", "check", *map(str, words)])
        return code, out.getvalue().decode(), err.getvalue().decode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "contract.toml").write_text(invoices.CONTRACT)
    return tmp_path


def checked(home: Path, *words: object, today: str = "2026-11-22") -> tuple[int, dict[str, Any]]:
    code, out, err = run(*words, "--home", home, "--today", today, "--json")
    assert out, err
    return code, json.loads(out)


@pytest.mark.parametrize("make", MAKERS, ids=lambda one: one.__name__)
def test_all_seeded_errors_are_found_and_no_other(make: Any, home: Path) -> None:
    made: Made = make()
    path = invoices.put(made, home)
    options = [home / one if one.endswith(".toml") else one for one in made.options]
    code, told = checked(home, path, *options)
    lines = [line for one in told["statements"] for line in (*one["lines"], *one["credits"])]
    assert len(lines) == made.lines, told["statements"]
    sums = sum(Decimal(line["net"] or line["gross"]) for line in lines)
    assert sums == Decimal(made.net)
    assert {(one["invoice_no"], one["rule"]) for one in told["findings"]} == made.wrong
    assert code == (8 if made.wrong else 0)
    for one in told["findings"]:
        assert one["invoice_no"] in one["sentence"] and one["sentence"].endswith(".")
    assert all(one["confidence"] >= 70 for one in told["statements"])
    assert {one["currency"] for one in told["statements"]} <= {"EUR", "USD"}


def test_there_are_enough_layouts() -> None:
    assert len(MAKERS) >= 12
    rules = {rule for make in MAKERS for _, rule in make().wrong}
    assert len(rules) >= 15


# ---- the end before the end ----------------------------------------------------------------------

HEAD = "Invoice Number,Contract Number,Invoice Date,Due Date,Currency,Product,Quantity,Unit Price,"
HEAD += "Service Start,Service End,Net\n"
ANNUAL = "A-1,01234567,2026-01-01,2026-01-31,EUR,Sales Cloud Enterprise,4,3000.00,"
ANNUAL += "2026-01-01,2026-12-31,12000.00\n"


def put(home: Path, text: str, name: str = "bills.csv") -> Path:
    (home / name).write_text(text)
    return home / name


def with_contract(home: Path, old: str, new: str) -> None:
    text = (home / "contract.toml").read_text()
    assert old in text
    (home / "contract.toml").write_text(text.replace(old, new))


def test_unused_days_are_computed_and_labelled_but_no_finding(home: Path) -> None:
    """The published example: 184 of 365 days of 12,000.00 are 6,049.32."""
    with_contract(home, '"150.00"', '"250.00"')
    with_contract(home, 'type = "amount"\nvalue = "500.00"', 'type = "none"')
    bills = put(home, HEAD + ANNUAL)
    code, told = checked(home, bills, "--ended", "2026-06-30", today="2026-07-10")
    credit = told["expected_credit"]
    assert credit["parts"][0]["unused_days"] == 184 and credit["parts"][0]["days"] == 365
    assert credit["amount"] == credit["missing"] == "6049.32"
    assert credit["label"] == "only if your contract or a credit memo says so"
    assert (code, told["findings"]) == (0, [])
    _, _, err = run(bills, "--home", home, "--ended", "2026-06-30", "--today", "2026-07-10")
    assert "only if your contract or a credit memo says so" in err and "6,049.32" in err


def test_a_refund_that_is_expected_and_missing_is_a_finding(home: Path) -> None:
    with_contract(home, '"150.00"', '"250.00"')
    bills = put(home, HEAD + ANNUAL)
    words = (bills, "--ended", "2026-06-30", "--expect-refund")
    code, told = checked(home, *words, today="2026-07-10")
    [one] = told["findings"]
    assert (code, one["rule"], one["amount"]) == (8, "BILL08", "5549.32")  # less the fee of 500
    memo = "C-1,01234567,2026-07-05,,EUR,Sales Cloud Enterprise,,,,,-5549.32\n"
    put(home, HEAD + ANNUAL + memo)
    assert checked(home, *words, today="2026-07-10")[1]["findings"] == []


def test_a_clause_makes_the_credit_due(home: Path) -> None:
    with_contract(home, "[law]", '[refund]\ntype = "prorata"\nclause = "order form, p. 3"\n[law]')
    with_contract(home, '"150.00"', '"250.00"')
    bills = put(home, HEAD + ANNUAL)
    _, told = checked(home, bills, "--ended", "2026-06-30", today="2026-07-10")
    assert told["findings"][0]["rule"] == "BILL08"
    assert "order form, p. 3" in told["findings"][0]["sentence"]


def test_no_final_statement(home: Path) -> None:
    with_contract(home, '"150.00"', '"250.00"')
    bills = put(home, HEAD + ANNUAL)
    assert checked(home, bills, today="2027-02-14")[1]["findings"] == []
    assert checked(home, bills, today="2027-02-15")[1]["findings"][0]["rule"] == "BILL17"
    assert checked(home, bills, "--final-within", "60", today="2027-02-15")[0] == 0


def test_the_same_number_twice(home: Path) -> None:
    with_contract(home, '"150.00"', '"250.00"')
    first = put(home, HEAD + ANNUAL, "a.csv")
    other = put(home, HEAD + ANNUAL.replace("12000.00", "11999.99"), "b.csv")
    _, told = checked(home, first, other)
    assert [one["rule"] for one in told["findings"]] == ["BILL05"]


def test_a_pdf_and_a_list_with_the_same_invoice_are_counted_once(home: Path) -> None:
    made = invoices.english_ruled()
    listed = put(
        home,
        "Invoice Number,Contract Number,Invoice Date,Due Date,Currency,Total\n"
        'INV-1001,01234567,2026-01-05,2026-02-04,EUR,"108,000.00"\n',
    )
    code, told = checked(home, invoices.put(made, home), listed)
    assert code == 0 and told["totals"][0]["invoiced"] == "108000.00"
    assert "counted once" in told["notes"][0]


# ---- files that cannot be read -------------------------------------------------------------------


def encrypted() -> bytes:
    paper = FPDF()
    paper.add_page()
    paper.set_font("helvetica")
    paper.cell(text="Invoice Number: 1")
    paper.set_encryption(owner_password="a", user_password="b")
    return bytes(paper.output())


def pictures() -> bytes:
    paper = FPDF()
    paper.add_page()
    paper.rect(10, 10, 50, 50)
    return bytes(paper.output())


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("cut.pdf", invoices.german().content[:700], "damaged PDF"),
        ("no.pdf", b"hello", "damaged PDF"),
        ("locked.pdf", encrypted(), "is encrypted"),
        ("scan.pdf", pictures(), "only pictures"),
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b"\xef\xbb\xbf \r\n", "is empty"),
        ("heads.csv", HEAD.encode(), "has headings but no rows"),
        ("other.csv", b"a,b,c\n1,2,3\n", "a layout that sfexit does not know"),
        ("binary.csv", b"\x00\x01\x02PK\x00", "is no text file"),
        ("wide.csv", (HEAD + ANNUAL.replace("12000.00", "12,000.00")).encode(), "more cells"),
        ("open.csv", (HEAD + ANNUAL).replace("2026-01-01,2026-01-31", "01/02/2026,").encode(),
         "--dates"),
        ("mark.csv", b"Invoice,Invoice Date,Currency,Net\n1,2026-01-01,EUR,1.234\n", "--decimal"),
    ],
)  # fmt: skip
def test_each_unreadable_file_gets_one_sentence(
    name: str, content: bytes, says: str, home: Path
) -> None:
    (home / name).write_bytes(content)
    code, out, err = run(home / name, "--home", home)
    assert (code, out) == (2, "")
    assert err.startswith("sfexit: ") and err.count("\n") == 1
    assert says in err and name in err and "Traceback" not in err


def test_all_unreadable_files_are_named_at_once(home: Path) -> None:
    folder = home / "bills"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"")
    (folder / "b.pdf").write_bytes(b"%PDF-1.4 broken")
    (folder / "c.csv").write_text(HEAD + ANNUAL)
    code, out, err = run(folder, "--home", home)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "2 of 3 files cannot be read" in err and "a.csv" in err and "b.pdf" in err


def test_a_pdf_that_is_no_invoice(home: Path) -> None:
    paper = FPDF()
    paper.add_page()
    paper.set_font("helvetica")
    paper.cell(text="Dear customer, we wish you a good year.")
    (home / "letter.pdf").write_bytes(bytes(paper.output()))
    code, _, err = run(home / "letter.pdf", "--home", home)
    assert code == 2 and "names no invoice number" in err


def test_wrong_mapping_is_refused_field_by_field(home: Path) -> None:
    bills = put(home, HEAD + ANNUAL)
    wrong = put(home, '[csv]\ndecimal = "dot"\n[columns]\ninvoice = "x"\n', "map.toml")
    code, _, err = run(bills, "--mapping", wrong, "--home", home)
    assert code == 2 and "csv.decimal" in err and "columns.invoice is unknown" in err


# ---- what is written -----------------------------------------------------------------------------


def test_table_and_page_of_hostile_bills(home: Path) -> None:
    evil = '=HYPERLINK("http://x")<script>alert(1)</script>'
    quoted = '"' + evil.replace('"', '""') + '"'
    bills = put(home, HEAD + ANNUAL.replace("Sales Cloud Enterprise", quoted))
    code, _, err = run(
        bills, "--home", home, "--csv", home / "out.csv", "--html", home / "out.html",
        "--today", "2026-11-22",
    )  # fmt: skip
    assert code == 8 and "BILL16" in err and "Have counsel check" in err
    page = (home / "out.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    rows = list(csv.DictReader(io.StringIO((home / "out.csv").read_text("utf-8-sig"))))
    assert rows[0]["product"].startswith("'=") and rows[0]["net"] == "12000.00"


def test_without_a_contract_it_says_what_was_not_checked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bills = put(home, HEAD + ANNUAL)
    (home / "contract.toml").rename(home / "c2.toml")
    monkeypatch.chdir(home)
    code, out, err = run(bills, "--json", "--today", "2026-02-01")
    told = json.loads(out)
    assert code == 3 and {one["rule"] for one in told["not_checked"]} >= {"BILL01", "BILL04"}
    assert "no contract.toml was given" in err
    assert run(bills, "--contract", home / "c2.toml", "--quiet")[1:] == ("", "")
