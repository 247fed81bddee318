"""Statements laid out alike, whatever they looked like. Money is Decimal, days are dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

INVOICE, CREDIT_MEMO = "invoice", "credit_memo"


@dataclass(frozen=True)
class Line:
    """One position. What the statement does not say is None. Credits have negative amounts."""

    product: str
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    service_start: date | None = None
    service_end: date | None = None
    net: Decimal | None = None
    tax: Decimal | None = None
    gross: Decimal | None = None

    @property
    def amount(self) -> Decimal:
        """Net where it is told, else gross less tax, else 0."""
        if self.net is not None:
            return self.net
        return (self.gross or Decimal(0)) - (self.tax or Decimal(0))


@dataclass(frozen=True)
class Statement:
    """An invoice or a credit memo. `lines` are what is asked for, `credits` what is given back.

    `net`, `tax` and `gross` are the totals as printed. `confidence` is 0 to 100: how much of the
    document was understood; `doubts` say what took away from it.
    """

    kind: str
    invoice_no: str
    issue_date: date
    currency: str
    lines: tuple[Line, ...]
    credits: tuple[Line, ...] = ()
    contract_no: str = ""
    due_date: date | None = None
    credited_invoice: str = ""
    open_amount: Decimal | None = None
    net: Decimal | None = None
    tax: Decimal | None = None
    gross: Decimal | None = None
    source: str = ""
    order_no: str = ""
    tax_rate: Decimal | None = None  # percent, as printed beside the tax
    listed: bool = False  # told by a list of documents, so what is open is as of the list
    confidence: int = 100
    doubts: tuple[str, ...] = ()

    @property
    def all_lines(self) -> tuple[Line, ...]:
        """Positions of both signs."""
        return (*self.lines, *self.credits)
