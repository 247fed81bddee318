"""All rules over all statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from sfexit.billing import against_contract, arithmetic
from sfexit.billing.credit import agreed_credits, expected_credit
from sfexit.billing.findings import ExpectedCredit, Finding, Review, Total
from sfexit.billing.statement import Statement
from sfexit.contract.costs import ONLY_IF
from sfexit.contract.laws import laws
from sfexit.contract.terms import Contract

SURE = 70  # below it a person should hold the reading against the document
_BY_CONTRACT: tuple[str, ...] = (
    "BILL01",
    "BILL02",
    "BILL03",
    "BILL04",
    "BILL07",
    "BILL08",
    "BILL09",
    "BILL10",
)
_BY_CONTRACT += ("BILL11", "BILL15", "BILL16", "BILL17", "BILL20")


def review(
    statements: Sequence[Statement],
    contract: Contract | None,
    today: date,
    *,
    ended: date | None = None,
    expect_refund: bool = False,
    final_within_days: int = 45,
) -> Review:
    """Check statements. `ended` is the agreed last day where it is not the contract's end."""
    kept, found, notes = arithmetic.twice(statements)
    skipped: list[tuple[str, str]] = []
    for one in kept:
        found += arithmetic.adds_up(one)
        found += arithmetic.overdue(one, today)
        if one.confidence < SURE:
            notes.append(
                f"{one.source}, {one.invoice_no}: read with doubt ({one.confidence} %): "
                "hold it against the document"
            )
    found += arithmetic.tax_rates(kept)
    credit = None
    if contract is None:
        skipped += [(rule, "no contract.toml was given") for rule in _BY_CONTRACT]
    else:
        known = laws()
        law = next((known[key] for key in contract.laws if key in known), None)
        if law is None:
            skipped.append(("BILL10", "your contract file names no law pack"))
        if not contract.lines:
            skipped += [
                (rule, "contract.toml has no lines") for rule in ("BILL03", "BILL04", "BILL16")
            ]
        last = ended or (contract.end if contract.end < today else None)
        for one in kept:
            found += against_contract.checked(one, contract, ended, law)
        if ended is not None:
            credit = expected_credit(kept, contract, ended)
            found += _missing_credit(credit, expect_refund)
        elif expect_refund:
            skipped.append(
                ("BILL08", "the contract's last day is its end: name an earlier --ended")
            )
        found += agreed_credits(kept, contract)
        found += _no_final(kept, contract, last, today, final_within_days)
    return Review(
        today,
        ended or (contract.end if contract else None),
        tuple(kept),
        tuple(sorted(found, key=lambda one: (one.invoice_no, one.rule))),
        _totals(kept),
        credit,
        tuple(notes),
        tuple(skipped),
    )


def _missing_credit(credit: ExpectedCredit | None, expect_refund: bool) -> list[Finding]:
    if credit is None or not credit.missing or not (expect_refund or credit.granted_by):
        return []
    claim = f"by {credit.granted_by}" if credit.granted_by else "as we agreed"
    return [
        Finding(
            "BILL08",
            credit.missing,
            credit.currency,
            f"{credit.amount:,} expected, {credit.received:,} credited; {ONLY_IF}",
            f"Our contract ended on {credit.ended}; {claim} a credit of {credit.amount:,} "
            f"{credit.currency} is due for unused days, {credit.received:,} was credited. Please "
            "send the credit memo.",
        )
    ]


def _no_final(
    statements: Sequence[Statement],
    contract: Contract,
    last: date | None,
    today: date,
    within: int,
) -> list[Finding]:
    if last is None or today <= last + timedelta(days=within):
        return []
    # A bill of another contract, in its own currency, is no final statement of this one.
    if any(
        last <= one.issue_date <= today
        for one in statements
        if one.currency in ("", contract.currency)
    ):
        return []
    return [
        Finding(
            "BILL17",
            Decimal(0),
            contract.currency,
            f"nothing issued on or after {last}, {(today - last).days} days ago",
            f"Our contract {contract.number} ended on {last}; please send the final statement of "
            "account that shows a balance of zero, or what is open and why.",
        )
    ]


def _totals(statements: Sequence[Statement]) -> tuple[Total, ...]:
    by: dict[str, list[Statement]] = defaultdict(list)
    for one in statements:
        by[one.currency].append(one)
    return tuple(
        Total(
            currency,
            sum((line.amount for one in some for line in one.lines), Decimal(0)),
            sum((line.amount for one in some for line in one.credits), Decimal(0)),
            sum((one.open_amount or Decimal(0) for one in some), Decimal(0))
            if any(one.open_amount is not None for one in some)
            else None,
        )
        for currency, some in sorted(by.items())
    )
