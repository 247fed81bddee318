"""What staying, shrinking and leaving cost. Net amounts, Decimal, rounded half up at the end.

Fees of a subscription are commonly neither cancelable nor refundable; nothing here assumes a
refund unless the customer's contract file grants one, and each such figure says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from sfexit.contract.currencies import PLACES
from sfexit.contract.days import DAY, inclusive_days, months_after
from sfexit.contract.terms import Contract, Line

ONLY_IF = "only if your contract or a credit memo says so"
LATE = "the day for the notice has passed: only if the other side accepts a late one"


def rounded(amount: Decimal, currency: str) -> Decimal:
    """`amount` in the currency's smallest unit, half up."""
    places = PLACES.get(currency, 2)
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def months_between(first: date, last: date) -> Decimal:
    """Months from `first` to `last`, both counted; a broken month by its share of days."""
    if last < first:
        return Decimal(0)
    whole = 0
    # Counted from the first day each time: adding months one by one would slip at month ends.
    while months_after(first, whole + 1) <= last + DAY:
        whole += 1
    begun = months_after(first, whole)
    rest = inclusive_days(begun, last)
    if not rest:
        return Decimal(whole)
    length = (months_after(first, whole + 1) - begun).days
    return Decimal(whole) + Decimal(rest) / Decimal(length)


def line_total(line: Line, *, quantity: int | None = None) -> Decimal:
    """Net price of a line over its own service period."""
    pieces = Decimal(line.quantity if quantity is None else quantity)
    if line.per == "term":
        return pieces * line.unit_price
    months = months_between(line.start, line.end)
    per_month = line.unit_price if line.per == "month" else line.unit_price / 12
    return pieces * per_month * months


def prorated(total: Decimal, start: date, end: date, last_used: date) -> Decimal:
    """The part of `total` for the days after `last_used`: unused days by days of the term."""
    days = inclusive_days(start, end)
    if not days:
        return Decimal(0)
    unused = inclusive_days(max(last_used + DAY, start), end)
    return total * Decimal(unused) / Decimal(days)


@dataclass(frozen=True)
class Scenario:
    """One way on. Amounts are net, from today until `until`; `parts` add up to `amount`."""

    key: str
    title: str
    amount: Decimal
    until: date
    parts: tuple[tuple[str, Decimal], ...]
    caveats: tuple[str, ...]


@dataclass(frozen=True)
class Costs:
    """Every scenario over the same horizon: the rest of this term and the one that would follow."""

    currency: str
    today: date
    renewal_start: date
    renewal_end: date
    term_total: Decimal
    remaining: Decimal
    scenarios: tuple[Scenario, ...]
    break_even_percent: Decimal | None  # price rise at which shrinking saves nothing

    def scenario(self, key: str) -> Scenario:
        """One of them by its key: stay, reduce, leave_at_end, leave_now."""
        return next(one for one in self.scenarios if one.key == key)


def costs(contract: Contract, today: date, *, missed: bool = False) -> Costs | None:
    """The scenarios, or None when the contract file holds no lines. `missed`: the day for the
    notice has passed, and none was sent."""
    if not contract.lines:
        return None
    start, end = _renewal(contract)
    money = contract.currency
    total = sum((line_total(line) for line in contract.lines), Decimal(0))
    remaining = sum(
        (prorated(line_total(one), one.start, one.end, today - DAY) for one in contract.lines),
        Decimal(0),
    )
    uplift = contract.uplift_cap_percent
    factor = 1 + (uplift or Decimal(0)) / 100
    renewed = sum(_over(one, one.quantity, one.unit_price, start, end) for one in contract.lines)
    reduced = sum(_over(one, one.keep, one.unit_price, start, end) for one in contract.lines)
    listed = sum(
        _over(one, one.keep, one.list_price or one.unit_price * factor, start, end)
        for one in contract.lines
    )
    stay = renewed * factor
    scenarios = (
        _scenario(
            "stay",
            "Stay, renewed as it is",
            money,
            end,
            (("rest of this term", remaining), ("next term", stay)),
            (
                f"a rise of {uplift} % is assumed (your cap)"
                if uplift is not None
                else "no price rise is assumed: your file names no cap (uplift_cap_percent)",
            ),
        ),
        _scenario(
            "reduce",
            "Stay with fewer",
            money,
            end,
            (("rest of this term", remaining), ("next term", Decimal(reduced) * factor)),
            (
                *(LATE,) * missed,
                *_reduce_caveats(contract, Decimal(reduced) * factor, Decimal(listed), money),
            ),
        ),
        _scenario(
            "leave_at_end",
            "Leave at the end of the term",
            money,
            end,
            (("rest of this term", remaining),),
            (
                *(LATE,) * missed,
                "quantities cannot fall and fees run on until the end of the term",
            ),
        ),
        _leave_now(contract, today, remaining, money, end),
    )
    even = None
    if reduced and Decimal(reduced) < Decimal(renewed):
        even = rounded((stay / Decimal(reduced) - 1) * 100, "EUR")
    return Costs(
        money,
        today,
        start,
        end,
        rounded(total, money),
        rounded(remaining, money),
        scenarios,
        even,
    )


def _renewal(contract: Contract) -> tuple[date, date]:
    """First and last day of the next term: the shorter of this term and a year, unless told.

    A term of whole months is followed by as many months, also where a leap day makes them longer.
    """
    start = contract.end + DAY
    months = contract.renewal_term_months
    if months is None:
        this = months_between(contract.start, contract.end)
        months = int(this) if this == int(this) else None
        if months is None or months > 12:
            year = months_after(start, 12) - DAY
            return start, min(year, contract.end + DAY * contract.term_days)
    return start, months_after(start, months) - DAY


def _over(line: Line, quantity: int, price: Decimal, start: date, end: date) -> Decimal:
    """What `quantity` of the line's product cost from `start` to `end` at `price`."""
    if line.per == "term":
        share = months_between(start, end) / months_between(line.start, line.end)
        return quantity * price * share
    per_month = price if line.per == "month" else price / 12
    return quantity * per_month * months_between(start, end)


def _reduce_caveats(
    contract: Contract, reduced: Decimal, listed: Decimal, money: str
) -> tuple[str, ...]:
    told = ["buying less at renewal can be re-priced without regard to the old unit price"]
    if listed > reduced:
        told.append(f"at list price the next term would come to {rounded(listed, money):,} {money}")
    if all(one.keep == one.quantity for one in contract.lines):
        told.append("your file reduces nothing: set keep in a line to try it")
    return tuple(told)


def _leave_now(
    contract: Contract, today: date, remaining: Decimal, money: str, until: date
) -> Scenario:
    fee, refund = contract.early_termination, contract.refund
    parts: list[tuple[str, Decimal]] = []
    caveats = ["standard terms know no termination for convenience: it needs an agreement"]
    if fee.kind == "percent":
        parts.append((f"fee of {fee.value} % of the remaining fees", remaining * fee.value / 100))
    elif fee.kind == "amount":
        parts.append(("agreed fee", fee.value))
    elif fee.kind == "none":
        parts.append(("no fee", Decimal(0)))
    else:
        parts.append(("remaining fees fall due", remaining))
        if fee.kind == "unknown":
            caveats.append("your file does not say what early termination costs: all is assumed")
    days_used = inclusive_days(contract.start, today)
    total = sum((line_total(one) for one in contract.lines), Decimal(0))
    if refund.kind == "full_within_days" and days_used <= refund.days:
        parts.append((f"full refund within {refund.days} days, {ONLY_IF}", -total))
        caveats.append(f"{refund.clause}: check the clause")
    elif refund.kind == "prorata":
        unused = sum(
            (prorated(line_total(one), one.start, one.end, today) for one in contract.lines),
            Decimal(0),
        )
        parts.append((f"refund of unused prepaid days, {ONLY_IF}", -unused))
        caveats.append("a refund supposes that the whole term was paid in advance")
    else:
        caveats.append("no refund is assumed: paid fees are commonly not refundable")
    return _scenario("leave_now", "Leave now", money, until, tuple(parts), tuple(caveats))


def _scenario(
    key: str,
    title: str,
    money: str,
    until: date,
    parts: tuple[tuple[str, Decimal], ...],
    caveats: tuple[str, ...],
) -> Scenario:
    shown = tuple((name, rounded(Decimal(amount), money)) for name, amount in parts)
    # The sum of what is shown, so that a reader who adds it up comes to the same.
    return Scenario(key, title, sum((one for _, one in shown), Decimal(0)), until, shown, caveats)
