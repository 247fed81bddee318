"""What would come back for prepaid days after an early end: computed, and never called owed.

Unused days by days of the billed period, both ends counted, times the net amount, half up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from sfexit.billing import products
from sfexit.billing.findings import CreditPart, ExpectedCredit, Finding
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


def agreed_credits(statements: Sequence[Statement], contract: Contract) -> Iterator[Finding]:
    """BILL08 for what an amendment grants: the credits that came, by the product they name.

    A list of documents names none: what it credits counts for the first that it covers.
    """
    given = [line for one in statements for line in one.credits]
    spare = -sum((line.amount for line in given if not line.product), Decimal(0))
    for agreed in contract.credits:
        own = products.words_of(agreed.product)
        least = min(2, len(own))
        received = -sum(
            (x.amount for x in given if len(own & products.words_of(x.product)) >= least),
            Decimal(0),
        )
        missing = agreed.amount - received
        if 0 < missing <= spare:
            spare, missing = spare - missing, Decimal(0)
        if missing > Decimal("0.01"):
            where = f" ({agreed.clause})" if agreed.clause else ""
            yield Finding(
                "BILL08",
                missing,
                contract.currency,
                f"{agreed.amount:,} agreed{where}, {received:,} credited",
                f"For {agreed.product} a credit of {agreed.amount:,} {contract.currency} was "
                f"agreed{where}, {received:,} was credited. Please send a credit memo over "
                f"{missing} {contract.currency}.",
                product=agreed.product,
            )
