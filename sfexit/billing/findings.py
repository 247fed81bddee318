"""What a check of bills comes to: findings with an amount and the sentence to send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sfexit.billing.statement import Statement

#: Stable: an id never changes its meaning (docs/billing.md).
RULES = {
    "BILL01": "service after the end of the contract",
    "BILL02": "issued after the end of the contract",
    "BILL03": "more pieces than in the contract",
    "BILL04": "price above the contract",
    "BILL05": "the same invoice number twice",
    "BILL06": "the same service billed twice",
    "BILL07": "a renewal was billed",
    "BILL08": "expected credit is missing",
    "BILL09": "early-termination fee differs from the contract",
    "BILL10": "switching charge where none is allowed",
    "BILL11": "another currency than the contract",
    "BILL12": "net and tax do not make the gross amount",
    "BILL13": "the tax rate differs from other lines",
    "BILL14": "overdue amount",
    "BILL15": "separate contract still running",
    "BILL16": "product that is not in the contract",
    "BILL17": "no final statement",
    "BILL18": "the lines do not add up to the total",
    "BILL19": "quantity, price and period do not make the amount",
    "BILL20": "another contract number",
    "BILL21": "an order that is not in the contract file",
}


@dataclass(frozen=True)
class Finding:
    """`amount` is what is in question, net where the line is net; 0 where none can be named."""

    rule: str
    amount: Decimal
    currency: str
    why: str
    sentence: str
    invoice_no: str = ""
    source: str = ""
    product: str = ""

    @property
    def title(self) -> str:
        """The rule in a few words."""
        return RULES[self.rule]


@dataclass(frozen=True)
class CreditPart:
    """What one billed line would give back. `unused_days` of `days`, both ends counted."""

    invoice_no: str
    product: str
    net: Decimal
    days: int
    unused_days: int
    amount: Decimal


@dataclass(frozen=True)
class ExpectedCredit:
    """Unused prepaid days less the fee. Owed only if the contract or a credit memo says so.

    `granted_by` quotes the clause that the contract file names; empty where it names none.
    """

    ended: date
    currency: str
    parts: tuple[CreditPart, ...]
    fee: Decimal | None  # None: the contract file does not say
    amount: Decimal
    received: Decimal
    granted_by: str = ""

    @property
    def missing(self) -> Decimal:
        """What has not been credited yet."""
        return max(Decimal(0), self.amount - self.received)


@dataclass(frozen=True)
class Total:
    """One line of the reconciliation, per currency."""

    currency: str
    invoiced: Decimal
    credited: Decimal
    open_amount: Decimal | None

    @property
    def balance(self) -> Decimal:
        """Invoiced less credited, as the lines add up."""
        return self.invoiced + self.credited


@dataclass(frozen=True)
class Review:
    """The outcome. `not_checked` names rules that lacked a fact; `notes` are for a person."""

    today: date
    ended: date | None
    statements: tuple[Statement, ...]
    findings: tuple[Finding, ...]
    totals: tuple[Total, ...]
    credit: ExpectedCredit | None = None
    notes: tuple[str, ...] = ()
    not_checked: tuple[tuple[str, str], ...] = ()

    @property
    def in_question(self) -> dict[str, Decimal]:
        """The findings' amounts by currency."""
        sums: dict[str, Decimal] = {}
        for one in self.findings:
            sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.amount
        return {code: amount for code, amount in sums.items() if amount}
