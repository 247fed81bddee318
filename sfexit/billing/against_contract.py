"""Rules that hold a bill against the contract file."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from sfexit.billing import labels, products
from sfexit.billing.arithmetic import cent, finding
from sfexit.billing.credit import fee_by_contract
from sfexit.billing.findings import Finding
from sfexit.billing.labels import folded
from sfexit.billing.statement import Line, Statement
from sfexit.contract.costs import line_total, months_between, prorated, rounded
from sfexit.contract.days import inclusive_days
from sfexit.contract.laws import Law
from sfexit.contract.terms import Contract
from sfexit.contract.terms import Line as ContractLine

_RENEWAL_DAYS = 180  # a new period of half a year or more is a renewal, not a tail
_PRICE_SLACK = Decimal("0.005")  # bills round prices by day and month


def cutoff(one: Statement, contract: Contract, ended: date | None) -> date:
    """The last day that a statement may bill. What was prepaid before an early end may reach to
    the end of the term: whether that comes back is another question."""
    if ended is None or (ended < contract.end and one.issue_date <= ended):
        return contract.end
    return ended


def checked(
    one: Statement, contract: Contract, ended: date | None, law: Law | None
) -> Iterator[Finding]:
    """The findings about one statement."""
    last = cutoff(one, contract, ended)
    apart = [products.separate(line.product, contract.separate) for line in one.all_lines]
    if one.currency and one.currency != contract.currency and not (apart and all(apart)):
        total = sum((line.amount for line in one.all_lines), Decimal(0))
        yield finding(
            "BILL11",
            one,
            None,
            abs(total),
            f"in {one.currency}, the contract is in {contract.currency}",
            f"it is in {one.currency}, ours is {contract.currency}; please cancel it and "
            "bill as agreed.",
        )
        return  # amounts in another currency cannot be compared with the contract's
    if one.contract_no and not _same_number(one.contract_no, contract):
        yield finding(
            "BILL20",
            one,
            None,
            Decimal(0),
            f"names contract {one.contract_no}; your file names {contract.number}",
            f"it names contract {one.contract_no}, ours is {contract.number}; please tell which "
            "contract it belongs to.",
        )
    if _foreign_order(one, contract):
        yield finding(
            "BILL21",
            one,
            None,
            # What lies behind the end is told by its own rule.
            sum(
                (x.amount for x in one.lines if not x.service_end or x.service_end <= last),
                Decimal(0),
            ),
            f"names order {one.order_no[:60]}; your file names {', '.join(contract.orders)}",
            f"it names order {one.order_no[:60]}, which we did not sign; please send the signed "
            "order form, or cancel the order and the invoice.",
        )
    named: set[int] = set()
    for number, line in enumerate(one.lines):
        special = list(_special(one, line, contract, ended, last, law))
        if special:
            named.add(number)
            yield from special
            continue
        for told in _ordinary(one, line, contract, last):
            if told.rule in ("BILL01", "BILL07"):
                named.add(number)
            yield told
    yield from _quantities(one, contract)
    if one.issue_date > last and one.lines:
        rest = sum((x.amount for n, x in enumerate(one.lines) if n not in named), Decimal(0))
        yield finding(
            "BILL02",
            one,
            None,
            rest,
            f"issued on {one.issue_date}, the last day is {last}",
            f"it was issued after the last day of our contract, {last}; please say what it is "
            "for, or cancel it.",
        )


def _foreign_order(one: Statement, contract: Contract) -> bool:
    """Whether a bill names orders, none of which the contract file has."""
    if not one.order_no or not contract.orders:
        return False
    told = re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*\d[A-Za-z0-9._-]*", one.order_no)
    return bool(told) and not any(_same_number(number, contract) for number in told)


def _same_number(told: str, contract: Contract) -> bool:
    numbers = {contract.number, *contract.orders}
    return folded(told).lstrip("0") in {folded(one).lstrip("0") for one in numbers}


def _special(
    one: Statement, line: Line, contract: Contract, ended: date | None, last: date, law: Law | None
) -> Iterator[Finding]:
    """Fees, switching charges and contracts of their own: they are held against nothing else."""
    if labels.says(line.product, "switching"):
        day = line.service_start or one.issue_date
        if law is not None and day >= law.charges_end:
            yield finding(
                "BILL10",
                one,
                line,
                line.amount,
                f"{law.title}: no switching charges from {law.charges_end} on",
                f"{line.product} of {line.amount:,} {one.currency} is a switching charge; under "
                f"{law.title} none may be asked for from {law.charges_end} on. Please cancel it.",
            )
    elif labels.says(line.product, "fee"):
        if line.net is None and line.tax is None:
            return  # a list that tells no tax: its amounts cannot be held against a net one
        agreed = fee_by_contract(contract, ended or one.issue_date)
        if agreed is None or abs(agreed - line.amount) > cent(one.currency):
            shown = (
                "nothing is told in your contract file" if agreed is None else f"{agreed} agreed"
            )
            more = line.amount - (agreed or Decimal(0))
            yield finding(
                "BILL09",
                one,
                line,
                max(more, Decimal(0)),
                f"{line.amount:,} billed, {shown}",
                f"{line.product} of {line.amount:,} {one.currency} differs from what our contract "
                f"says ({shown}); please name the clause, or correct it.",
            )
    elif own := products.separate(line.product, contract.separate):
        until = own.end or last
        if line.service_end and line.service_end > until:
            yield finding(
                "BILL15",
                one,
                line,
                _after(line, until, one.currency),
                f"{own.product} of {own.vendor} runs to {line.service_end}, expected until {until}",
                f"{line.product} is billed to {line.service_end}; it ended on {until}. Please "
                "confirm its cancellation and credit what lies behind.",
            )


def _ordinary(one: Statement, line: Line, contract: Contract, last: date) -> Iterator[Finding]:
    if labels.says(line.product, "switching") or labels.says(line.product, "fee"):
        return
    if products.separate(line.product, contract.separate):
        return
    lines = products.meant(line.product, contract)
    about = (line.quantity, line.unit_price, line.service_start)
    if contract.lines and not lines and line.product and any(one is not None for one in about):
        yield finding(
            "BILL16",
            one,
            line,
            line.amount,
            "no line of your contract file has this product",
            f"{line.product} is not in our order form; please name the order, or cancel it.",
        )
    if line.service_end and line.service_end > last:
        start = line.service_start
        if (
            start
            and start > last
            and (
                inclusive_days(start, line.service_end) >= _RENEWAL_DAYS
                or labels.says(f"{line.product} {one.order_no}", "renewal")
                or _foreign_order(one, contract)
            )
        ):
            yield finding(
                "BILL07",
                one,
                line,
                line.amount,
                f"{start} to {line.service_end} lies behind the end on {last}",
                f"{line.product} for {start} to {line.service_end} bills a renewal that we did not "
                f"order: the last day of our contract is {last}. Please cancel "
                "the order and the invoice.",
            )
        else:
            amount = _after(line, last, one.currency)
            yield finding(
                "BILL01",
                one,
                line,
                amount,
                f"service to {line.service_end}, the end is {last}",
                f"{line.product} is billed to {line.service_end}, the last day of our contract "
                f"is {last}; please credit {amount:,} {one.currency}.",
            )
    yield from _dearer(one, line, lines, contract)


def _dearer(
    one: Statement, line: Line, lines: tuple[ContractLine, ...], contract: Contract
) -> Iterator[Finding]:
    """BILL04: against the price of the term; after it, with the rise that the contract allows."""
    if not lines or not line.quantity:
        return
    start, end = line.service_start, line.service_end
    right = None
    if start and end:
        agreed = max(_per_piece(own, start, end) for own in lines)
        right = agreed * line.quantity
        if start > max(own.end for own in lines):
            if contract.uplift_cap_percent is None:
                return
            right *= 1 + contract.uplift_cap_percent / 100
    elif line.unit_price is not None:
        right = max(own.unit_price for own in lines) * line.amount / line.unit_price
    if right is None or line.amount - right <= max(
        right * _PRICE_SLACK, cent(one.currency) * line.quantity
    ):
        return
    more = rounded(line.amount - right, one.currency)
    yield finding(
        "BILL04",
        one,
        line,
        more,
        f"{line.amount:,} billed, {rounded(right, one.currency):,} by the contract",
        f"{line.product}: {line.amount:,} {one.currency} is billed, the agreed price makes "
        f"{rounded(right, one.currency):,}; please credit {more:,} {one.currency}.",
    )


def _per_piece(own: ContractLine, start: date, end: date) -> Decimal:
    """The agreed price of one piece for a period; bills count by months or by days."""
    if own.per == "term":
        # The longest way to count a part of a term that is told as one amount.
        return prorated(
            line_total(own, quantity=1),
            own.start,
            own.end,
            own.end
            - timedelta(days=min(inclusive_days(start, end), inclusive_days(own.start, own.end))),
        )
    monthly = own.unit_price if own.per == "month" else own.unit_price / 12
    months = months_between(start, end)
    by_months = monthly * months
    if months == int(months):
        return by_months
    return max(by_months, monthly * 12 * inclusive_days(start, end) / 366)


def _quantities(one: Statement, contract: Contract) -> Iterator[Finding]:
    """BILL03: all lines of one product and period together."""
    groups: dict[tuple[str, date | None, date | None], list[Line]] = defaultdict(list)
    for line in one.lines:
        own = products.meant(line.product, contract)
        if own and line.quantity:
            groups[own[0].product, line.service_start, line.service_end].append(line)
    for (product, start, end), billed in groups.items():
        agreed = sum(
            own.quantity
            for own in contract.lines
            if own.product == product
            and (
                start is None
                or end is None
                or start > contract.end
                or (own.start <= end and start <= own.end)
            )
        )
        count = sum((line.quantity or Decimal(0) for line in billed), Decimal(0))
        if count > agreed:
            total = sum((line.amount for line in billed), Decimal(0))
            more = rounded(total * (count - agreed) / count, one.currency)
            yield finding(
                "BILL03",
                one,
                billed[0],
                more,
                f"{count:f} pieces billed, {agreed} in the contract",
                f"{count:f} pieces of {product} are billed, our contract has {agreed}; please "
                f"credit {more:,} {one.currency}.",
            )


def _after(line: Line, last: date, currency: str) -> Decimal:
    if line.service_start is None or line.service_end is None:
        return line.amount
    if line.service_start > last:
        return line.amount
    return rounded(prorated(line.amount, line.service_start, line.service_end, last), currency)
