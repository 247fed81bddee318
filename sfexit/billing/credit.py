"""What would come back for prepaid days after an early end: computed, and never called owed.

Unused days by days of the billed period, both ends counted, times the net amount, half up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sfexit.billing.findings import CreditPart, ExpectedCredit
from sfexit.billing.statement import Statement
from sfexit.contract.costs import line_total, prorated, rounded
from sfexit.contract.days import DAY, inclusive_days
from sfexit.contract.terms import Contract


def expected_credit(
    statements: Sequence[Statement], contract: Contract, ended: date
) -> ExpectedCredit | None:
    """The credit for what was billed up to `ended`, or None when no billed day lies behind it."""
    money = contract.currency
    parts = tuple(
        CreditPart(
            statement.invoice_no,
            line.product,
            line.amount,
            inclusive_days(line.service_start, line.service_end),
            inclusive_days(max(ended + DAY, line.service_start), line.service_end),
            rounded(prorated(line.amount, line.service_start, line.service_end, ended), money),
        )
        for statement in statements
        if statement.issue_date <= ended and statement.currency == money
        for line in statement.lines
        if line.service_start
        and line.service_end
        and line.service_start <= ended
        and ended < line.service_end
    )
    if not parts:
        return None
    unused = sum((one.amount for one in parts), Decimal(0))
    fee = fee_by_contract(contract, ended)
    received = -sum(
        (line.amount for one in statements if one.currency == money for line in one.credits),
        Decimal(0),
    )
    refund = contract.refund
    if refund.kind == "full_within_days":
        granted = inclusive_days(contract.start, ended) <= refund.days
    else:
        granted = refund.kind == "prorata"
    return ExpectedCredit(
        ended,
        money,
        parts,
        fee,
        max(Decimal(0), unused - (fee or Decimal(0))),
        received,
        refund.clause if granted else "",
    )


def fee_by_contract(contract: Contract, ended: date) -> Decimal | None:
    """The early-termination fee that the contract file names, or None when it names none.

    Where all remaining fees fall due nothing comes on top of what was prepaid, so that a credit
    cannot be expected either: the fee is what remains.
    """
    fee = contract.early_termination
    if ended >= contract.end or fee.kind == "none":
        return Decimal(0)
    remaining = sum(
        (prorated(line_total(one), one.start, one.end, ended) for one in contract.lines), Decimal(0)
    )
    if fee.kind == "amount":
        return rounded(fee.value, contract.currency)
    if fee.kind == "percent":
        return rounded(remaining * fee.value / 100, contract.currency)
    return rounded(remaining, contract.currency) if fee.kind == "remaining_fees" else None
