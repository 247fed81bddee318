"""Invoices of many layouts with errors in known places. Knows nothing of the reader: plain PDF and
CSV as billing systems print them, and what a careful clerk would object to in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fpdf import FPDF

CONTRACT = """
[contract]
number = "01234567"
orders = ["Q-0987654"]
customer = "Acme GmbH"
vendor = "Vendor Ltd"
start = 2026-01-01
end = 2026-12-31
renewal = "auto"
currency = "EUR"
uplift_cap_percent = 7
[notice]
count = 30
clause = "MSA 11.2"
forms = ["portal"]
[[notice.addressees]]
role = "legal"
[early_termination]
type = "amount"
value = "500.00"
clause = "order form, p. 2"
[law]
customer_country = "DE"
packs = ["eu-data-act"]
[[lines]]
product = "Sales Cloud Enterprise"
quantity = 40
unit_price = "150.00"
[[lines]]
product = "Service Cloud Unlimited"
quantity = 10
unit_price = "300.00"
[[separate_contracts]]
vendor = "Example Apps Inc."
product = "Example Sign"
end = 2026-12-31
"""

Truth = set[tuple[str, str]]


@dataclass(frozen=True)
class Made:
    """A file, what is wrong in it, and what it adds up to (net, all lines)."""

    name: str
    content: bytes
    wrong: Truth
    net: str
    lines: int
    options: tuple[str, ...] = ()
    beside: dict[str, str] = field(default_factory=dict)  # further files by name


class _Paper(FPDF):
    def __init__(self) -> None:
        super().__init__(format="A4")
        self.add_page()
        self.set_font("helvetica", size=9)

    def at(self, x: float, y: float, text: str, *, bold: bool = False, right: float = 0) -> None:
        self.set_font("helvetica", style="B" if bold else "", size=9)
        if right:
            x = right - self.get_string_width(text)
        self.text(x, y, text)

    def done(self) -> bytes:
        return bytes(self.output())


def _ruled(paper: FPDF, y: float, widths: Sequence[int], rows: Sequence[Sequence[str]]) -> None:
    paper.set_xy(15, y)
    with paper.table(
        col_widths=tuple(widths), width=sum(widths), align="LEFT", text_align="LEFT"
    ) as table:
        for row in rows:
            line = table.row()
            for cell in row:
                line.cell(cell)


# ---- PDF -----------------------------------------------------------------------------------------


def english_ruled() -> Made:
    """Ruled table, labels before values, nothing wrong."""
    paper = _Paper()
    paper.at(15, 20, "VENDOR LTD", bold=True)
    paper.at(15, 26, "1 Cloud Street, Dublin")
    paper.at(110, 26, "Credit terms: net 30 days")
    for n, (label, value) in enumerate(
        [
            ("Invoice Number:", "INV-1001"),
            ("Contract Number:", "01234567"),
            ("Invoice Date:", "2026-01-05"),
            ("Due Date:", "2026-02-04"),
            ("Currency:", "EUR"),
        ]
    ):
        paper.at(15, 40 + 6 * n, label, bold=True)
        paper.at(60, 40 + 6 * n, value)
    _ruled(
        paper, 75, (55, 15, 25, 25, 25, 30),
        [
            ("Product", "Qty", "Unit Price", "Start Date", "End Date", "Net Amount"),
            ("Sales Cloud Enterprise", "40", "150.00", "2026-01-01", "2026-12-31", "72,000.00"),
            ("Service Cloud Unlimited", "10", "300.00", "2026-01-01", "2026-12-31", "36,000.00"),
        ],
    )  # fmt: skip
    for n, (label, value) in enumerate(
        [("Subtotal", "108,000.00"), ("VAT 0%", "0.00"), ("Total", "108,000.00"),
         ("Balance Due", "0.00")]
    ):  # fmt: skip
        paper.at(130, 130 + 6 * n, label)
        paper.at(0, 130 + 6 * n, value, right=190)
    return Made("english-ruled.pdf", paper.done(), set(), "108000.00", 2)


def english_columns() -> Made:
    """No rules; labels above values; a period in one column; five pieces too many."""
    paper = _Paper()
    paper.at(15, 20, "Invoice", bold=True)
    for n, (label, value) in enumerate(
        [("Invoice #", "7002"), ("Contract #", "01234567"), ("Date of Issue", "15-Mar-2026"),
         ("Payment Due", "14-Apr-2026")]
    ):  # fmt: skip
        paper.at(15 + 45 * n, 35, label, bold=True)
        paper.at(15 + 45 * n, 41, value)
    heads = ("Description", "Service Period", "Quantity", "Price", "Amount (EUR)")
    places = (15, 70, 130, 150, 190)
    for n, (x, head) in enumerate(zip(places, heads, strict=True)):
        paper.at(x, 60, head, bold=True, right=x if n > 1 else 0)
    row = (
        "Sales Cloud - Enterprise Edition",
        "03/15/2026 - 12/31/2026",
        "45",
        "150.00",
        "64,451.61",
    )
    # 9.5484 months (17 of 31 days of the broken one) x 45 x 150
    for n, (x, cell) in enumerate(zip(places, row, strict=True)):
        paper.at(x, 67, cell, right=x if n > 1 else 0)
    paper.at(140, 85, "Total Amount")
    paper.at(0, 85, "EUR 64,451.61", right=190)
    return Made("english-columns.pdf", paper.done(), {("7002", "BILL03")}, "64451.61", 1)


def german() -> Made:
    """Decimal commas, days first; a price above the contract within the term."""
    paper = _Paper()
    paper.at(15, 20, "Rechnung", bold=True)
    for n, line in enumerate(
        ["Rechnungsnummer: R-2026-17", "Vertragsnummer: 01234567", "Rechnungsdatum: 01.07.2026",
         "Fällig am: 31.07.2026"]
    ):  # fmt: skip
        paper.at(120, 30 + 5 * n, line)
    _ruled(
        paper, 60, (50, 15, 25, 24, 24, 30),
        [
            ("Bezeichnung", "Menge", "Einzelpreis", "Von", "Bis", "Netto EUR"),
            ("Sales Cloud Enterprise", "40", "165,00", "01.07.2026", "31.12.2026", "39.600,00"),
            ("Service Cloud Unlimited", "10", "300,00", "01.07.2026", "31.12.2026", "18.000,00"),
        ],
    )  # fmt: skip
    for n, (label, value) in enumerate(
        [("Zwischensumme", ""), ("Nettobetrag", "57.600,00 EUR"), ("MwSt 19 %", "10.944,00 EUR"),
         ("Gesamtbetrag", "68.544,00 EUR")]
    ):  # fmt: skip
        paper.at(120, 110 + 6 * n, label)
        paper.at(0, 110 + 6 * n, value, right=190)
    return Made("german.pdf", paper.done(), {("R-2026-17", "BILL04")}, "57600.00", 2)


def french() -> Made:
    """Blanks between thousands; the total is not what the lines make."""
    paper = _Paper()
    paper.at(15, 20, "FACTURE", bold=True)
    for n, (label, value) in enumerate(
        [("Numéro de facture", "F26-0090"), ("Contrat", "01234567"),
         ("Date de facturation", "1er avril 2026"), ("Date d'échéance", "1 mai 2026"),
         ("Devise", "EUR")]
    ):  # fmt: skip
        paper.at(15, 30 + 5 * n, f"{label} :")
        paper.at(70, 30 + 5 * n, value)
    places = (15, 75, 100, 130, 160, 195)
    for n, (x, head) in enumerate(
        zip(
            places,
            ("Désignation", "Qté", "Prix unitaire", "Début", "Fin", "Montant HT"),
            strict=True,
        )
    ):
        paper.at(x, 65, head, bold=True, right=x if n else 0)
    for m, row in enumerate(
        [
            ("Sales Cloud Enterprise", "40", "150,00", "01/04/2026", "30/06/2026", "18 000,00"),
            ("Service Cloud Unlimited", "10", "300,00", "01/04/2026", "30/06/2026", "9 000,00"),
        ]
    ):
        for n, (x, cell) in enumerate(zip(places, row, strict=True)):
            paper.at(x, 72 + 6 * m, cell, right=x if n else 0)
    for n, (label, value) in enumerate(
        [("Total HT", "28 000,00"), ("TVA 20 %", "5 600,00"), ("Total TTC", "33 600,00")]
    ):
        paper.at(140, 95 + 6 * n, label)
        paper.at(0, 95 + 6 * n, value, right=195)
    return Made("french.pdf", paper.done(), {("F26-0090", "BILL18")}, "27000.00", 2)


def many_pages() -> Made:
    """Twelve months one by one over two pages, names that go on in a second line; all is right."""
    paper = _Paper()
    paper.at(15, 20, "Tax Invoice", bold=True)
    paper.at(15, 28, "Invoice No. INV-1005")
    paper.at(15, 33, "Contract No. 01234567")
    paper.at(110, 28, "Issue Date: 31 January 2026")
    paper.at(110, 33, "Due Date: 2 March 2026")
    paper.at(110, 38, "Currency: EUR")
    y = 55.0
    months = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    heads = ("Item", "From", "To", "Units", "Rate", "Net", "Tax", "Gross")
    places = (15, 62, 84, 112, 130, 150, 168, 190)

    def head() -> None:
        for n, (x, text) in enumerate(zip(places, heads, strict=True)):
            paper.at(x, y, text, bold=True, right=x if n > 2 else 0)

    head()
    for number, days in enumerate(months, 1):
        if number == 7:
            paper.at(90, 280, "Page 1 of 2")
            paper.add_page()
            y = 20
            head()
        y += 10
        row = ("Service Cloud Unlimited", f"2026-{number:02}-01", f"2026-{number:02}-{days}",
               "10", "300.00", "3,000.00", "600.00", "3,600.00")  # fmt: skip
        for n, (x, cell) in enumerate(zip(places, row, strict=True)):
            paper.at(x, y, cell, right=x if n > 2 else 0)
        paper.at(15, y + 4, f"(instalment {number:02})")
    for n, (label, value) in enumerate(
        [("Net Amount", "36,000.00"), ("Tax Amount", "7,200.00"), ("Total Amount", "43,200.00"),
         ("Amount Due", "0.00")]
    ):  # fmt: skip
        paper.at(130, y + 15 + 6 * n, label)
        paper.at(0, y + 15 + 6 * n, value, right=190)
    return Made("many-pages.pdf", paper.done(), set(), "36000.00", 12)


def credit_memo() -> Made:
    """Money back, in brackets; the line is taxed, and gross is not net and tax."""
    paper = _Paper()
    paper.at(15, 20, "CREDIT MEMO", bold=True)
    for n, line in enumerate(
        ["Credit Memo Number: CM-55", "Original Invoice: INV-1001", "Contract Number: 01234567",
         "Credit Memo Date: 05/20/2026", "Currency: EUR"]
    ):  # fmt: skip
        paper.at(15, 32 + 5 * n, line)
    _ruled(
        paper, 65, (70, 30, 30, 30),
        [
            ("Description", "Net", "VAT", "Gross"),
            ("Sales Cloud Enterprise, correction", "(1,500.00)", "(285.00)", "(1,758.00)"),
        ],
    )  # fmt: skip
    return Made("credit-memo.pdf", paper.done(), {("CM-55", "BILL12")}, "-1500.00", 1)


def american() -> Made:
    """In dollars, though the contract is in euro."""
    paper = _Paper()
    paper.at(150, 20, "INVOICE", bold=True)
    for n, (label, value) in enumerate(
        [("Invoice Number", "80-11-3"), ("Invoice Date", "September 9, 2026"),
         ("Due Date", "Oct 9, 2026"), ("Contract", "01234567")]
    ):  # fmt: skip
        paper.at(120, 30 + 5 * n, label)
        paper.at(0, 30 + 5 * n, value, right=195)
    _ruled(
        paper, 60, (60, 20, 60, 40),
        [
            ("Description", "Qty", "Billing Period", "Amount (USD)"),
            ("Sales Cloud Enterprise", "40", "Sep 1, 2026 - Sep 30, 2026", "$6,000.00"),
        ],
    )  # fmt: skip
    paper.at(130, 90, "Total (USD)")
    paper.at(0, 90, "USD 6,000.00", right=195)
    return Made("american.pdf", paper.done(), {("80-11-3", "BILL11")}, "6000.00", 1)


# ---- CSV -----------------------------------------------------------------------------------------


def german_csv() -> Made:
    """Semicolons, byte-order mark, decimal commas; a renewal nobody ordered."""
    text = (
        "Rechnungsnummer;Vertragsnummer;Rechnungsdatum;Fällig am;Währung;Produkt;Menge;Einzelpreis;"
        "Von;Bis;Netto;MwSt;Brutto\r\n"
        "4711;01234567;15.12.2026;14.01.2027;EUR;Sales Cloud Enterprise;40;160,50;01.01.2027;"
        "31.12.2027;77.040,00;14.637,60;91.677,60\r\n"
        "4711;01234567;15.12.2026;14.01.2027;EUR;Service Cloud Unlimited;10;300,00;01.12.2026;"
        "31.12.2026;3.000,00;570,00;3.570,00\r\n"
    )
    return Made(
        "german.csv", text.encode("utf-8-sig"), {("4711", "BILL07")}, "80040.00", 2
    )  # fmt: skip


def tabs_utf16() -> Made:
    """Tabs, UTF-16, minus behind the figure, a credit row among the invoices; all is right."""
    text = (
        "Document Number\tType\tContract\tDocument Date\tDue Date\tCurrency\tDescription\tQty\t"
        "Price\tFrom\tTo\tNet Amount\r\n"
        "D-1\tInvoice\t01234567\t2026-02-01\t2026-03-03\tEUR\tService Cloud Unlimited\t10\t300.00\t"
        "2026-02-01\t2026-02-28\t3000.00\r\n"
        "D-2\tCredit Memo\t01234567\t2026-02-10\t\tEUR\tService Cloud Unlimited, grace\t1\t300.00"
        "\t2026-02-01\t2026-02-28\t300.00-\r\n"
    )
    return Made("tabs.csv", text.encode("utf-16"), set(), "2700.00", 2)


def statement_csv() -> Made:
    """Title lines above, a total below, months first; one amount has been open for weeks."""
    text = (
        '"Statement of account"\n"Acme GmbH, as of 06/30/2027"\n\n'
        "Invoice Number,Contract Number,Invoice Date,Due Date,Currency,Total,Balance Due\n"
        '"S-1",01234567,04/01/2026,05/01/2026,EUR,"12,000.00",0.00\n'
        '"S-2",01234567,10/13/2026,11/12/2026,EUR,"3,600.00","3,600.00"\n'
        '"Total",,,,,"15,600.00","3,600.00"\n'
    )
    return Made("statement.csv", text.encode(), {("S-2", "BILL14")}, "15600.00", 2)


def french_csv() -> Made:
    """Windows letters; a fee other than agreed."""
    text = (
        "N° de facture;Contrat;Date de facture;Échéance;Devise;Désignation;Quantité;Prix unitaire;"
        "Du;Au;Montant HT\r\n"
        "F-77;01234567;30/09/2026;30/10/2026;EUR;Frais de résiliation anticipée;1;2 500,00;;;"
        "2 500,00\r\n"
        "F-78;01234567;30/06/2026;30/07/2026;EUR;Service Cloud Unlimited;10;300,00;01/07/2026;"
        "31/07/2026;3 000,00\r\n"
    )
    return Made(
        "french.csv", text.encode("cp1252"), {("F-77", "BILL09")}, "5500.00", 2
    )  # fmt: skip


def mapped_csv() -> Made:
    """Headings of a system of their own; a switching charge after they were forbidden."""
    text = (
        "doc_ref|booked|pay_until|text|pcs|svc_a|svc_b|sum_wo_tax\n"
        "X9|03.02.2027|05.03.2027|Data egress, bulk|1|03.02.2027|03.02.2027|1.250,00\n"
        "X8|03.02.2026|05.03.2026|Service Cloud Unlimited|10|01.02.2026|28.02.2026|3.000,00\n"
    )
    mapping = (
        '[csv]\ndelimiter = "|"\ndecimal = "comma"\n[columns]\ninvoice_no = "doc_ref"\n'
        'issue_date = "booked"\ndue_date = "pay_until"\nproduct = "text"\nquantity = "pcs"\n'
        'service_start = "svc_a"\nservice_end = "svc_b"\nnet = "sum_wo_tax"\n'
        '[fixed]\ncurrency = "EUR"\ncontract_no = "01234567"\n'
    ).replace('delimiter = "|"\n', "")
    return Made(
        "own.csv",
        text.encode(),
        {("X9", "BILL10"), ("X9", "BILL02")},
        "4250.00",
        2,
        ("--mapping", "columns.toml"),
        {"columns.toml": mapping},
    )


def crowded_csv() -> Made:
    """Many errors in one file: a service billed twice, a tail behind the end, a foreign contract, a
    product nobody ordered, a package that goes on, a strange tax, a price that makes no sum."""
    head = (
        "Invoice Number,Contract Number,Invoice Date,Due Date,Currency,Product,Quantity,Unit Price,"
        "Service Start,Service End,Net,Tax,Gross\n"
    )
    rows = [
        "M-1,01234567,2026-03-01,2026-03-31,EUR,Sales Cloud Enterprise,"
        "40,150.00,2026-03-01,2026-03-31,6000.00,1200.00,7200.00",
        "M-2,01234567,2026-03-02,2026-04-01,EUR,Sales Cloud Enterprise,"
        "40,150.00,2026-03-01,2026-03-31,6000.00,1200.00,7200.00",
        "M-3,01234567,2026-12-15,2027-01-14,EUR,Service Cloud Unlimited,"
        "10,300.00,2026-12-01,2027-01-31,6000.00,1200.00,7200.00",
        "M-4,99999999,2026-05-01,2026-05-31,EUR,Service Cloud Unlimited,"
        "10,300.00,2026-05-01,2026-05-31,3000.00,600.00,3600.00",
        "M-5,Q-0987654,2026-06-01,2026-07-01,EUR,Shield Platform Encryption,"
        "1,900.00,2026-06-01,2026-06-30,900.00,180.00,1080.00",
        "M-6,01234567,2026-12-01,2026-12-31,EUR,Example Sign Team,"
        "5,20.00,2026-12-01,2027-05-31,600.00,120.00,720.00",
        "M-7,01234567,2026-07-01,2026-07-31,EUR,Service Cloud Unlimited,"
        "10,300.00,2026-07-01,2026-07-31,3000.00,750.00,3750.00",
        "M-8,01234567,2026-08-01,2026-08-31,EUR,Service Cloud Unlimited,"
        "10,260.00,2026-08-01,2026-08-31,3000.00,600.00,3600.00",
    ]
    wrong = {
        ("M-2", "BILL06"), ("M-3", "BILL01"), ("M-4", "BILL20"), ("M-5", "BILL16"),
        ("M-6", "BILL15"), ("M-7", "BILL13"), ("M-8", "BILL19"),
    }  # fmt: skip
    return Made("crowded.csv", (head + "\n".join(rows)).encode(), wrong, "28500.00", 8)


MAKERS: tuple[Callable[[], Made], ...] = (
    english_ruled, english_columns, german, french, many_pages, credit_memo, american,
    german_csv, tabs_utf16, statement_csv, french_csv, mapped_csv, crowded_csv,
)  # fmt: skip


def put(made: Made, folder: Path) -> Path:
    """Write the file and what belongs beside it."""
    for name, text in made.beside.items():
        (folder / name).write_text(text, "utf-8")
    path = folder / made.name
    path.write_bytes(made.content)
    return path
