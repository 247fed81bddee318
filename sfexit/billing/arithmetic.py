"""Rules that need no contract: does a bill add up, and is it there only once?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from sfexit.billing.findings import Finding
from sfexit.billing.labels import folded
from sfexit.billing.statement import Line, Statement
from sfexit.contract.costs import months_between, rounded
from sfexit.contract.currencies import PLACES
from sfexit.contract.days import inclusive_days

_SUSPENSION_DAYS = 30  # overdue for so long, access may be suspended


def finding(
    rule: str, of: Statement, line: Line | None, amount: Decimal, why: str, ask: str
) -> Finding:
    """A finding about a statement or one of its lines."""
    return Finding(
        rule,
        rounded(amount, of.currency),
        of.currency,
        why,
        f"Invoice {of.invoice_no} of {of.issue_date}: {ask}",
        of.invoice_no,
        of.source,
        line.product if line else "",
    )


def cent(currency: str) -> Decimal:
    """The smallest unit of a currency."""
    return Decimal(1).scaleb(-PLACES.get(currency, 2))


def adds_up(one: Statement) -> Iterator[Finding]:
    """BILL12, BILL18, BILL19."""
    unit = cent(one.currency)
    for line in one.all_lines:
        if line.net is not None and line.tax is not None and line.gross is not None:
            off = line.gross - line.net - line.tax
            if abs(off) > unit:
                yield finding(
                    "BILL12",
                    one,
                    line,
                    abs(off),
                    f"{line.net:,} and {line.tax:,} tax are {line.net + line.tax:,}, "
                    f"not {line.gross:,}",
                    f"for {line.product}, net and tax do not make the gross amount; correct it.",
                )
        yield from _price(one, line)
    lines = one.all_lines
    for name in ("net", "tax", "gross"):
        told = getattr(one, name)
        parts = [getattr(line, name) for line in lines]
        if told is None or not parts or any(part is None for part in parts):
            continue
        total = sum(parts, Decimal(0))
        if abs(total - told) > unit * max(1, len(parts)) / 2 + unit / 2:
            yield finding(
                "BILL18",
                one,
                None,
                abs(total - told),
                f"the lines' {name} amounts make {total:,}, the invoice says {told:,}",
                f"the lines add up to {total:,} {one.currency} {name}, but {told:,} is asked for; "
                "please correct the invoice.",
            )
            return
    if one.net is not None and one.tax is not None and one.tax_rate is not None:
        right = rounded(one.net * one.tax_rate / 100, one.currency)
        if abs(right - one.tax) > unit * 2:
            yield finding(
                "BILL12",
                one,
                None,
                abs(right - one.tax),
                f"{one.tax_rate} % of {one.net:,} are {right:,}, not {one.tax:,}",
                f"{one.tax_rate} % tax on {one.net:,} {one.currency} are {right:,}, "
                f"but {one.tax:,} is "
                "asked for; please correct the invoice.",
            )
    if one.net is not None and one.tax is not None and one.gross is not None:
        off = one.gross - one.net - one.tax
        if abs(off) > unit:
            yield finding(
                "BILL12",
                one,
                None,
                abs(off),
                f"{one.net:,} net and {one.tax:,} tax are {one.net + one.tax:,}, not {one.gross:,}",
                "net and tax do not make the total; please correct it.",
            )


def _price(one: Statement, line: Line) -> Iterator[Finding]:
    """BILL19: the price may be for a month, a year or the whole period."""
    if None in (line.quantity, line.unit_price, line.net) or line.amount < 0:
        return
    assert line.quantity is not None and line.unit_price is not None and line.net is not None
    whole = line.quantity * line.unit_price
    possible = [whole]
    if line.service_start and line.service_end:
        months = months_between(line.service_start, line.service_end)
        days = inclusive_days(line.service_start, line.service_end)
        for count in (
            months,
            months / 12,
            Decimal(days) / 365,
            Decimal(days) * 12 / 365,
            Decimal(days) / 30,
            Decimal(days) / 360,
        ):
            possible.append(whole * count)
    else:
        possible += [whole * 12, whole / 12]
    # Prices are printed rounded: half a cent for each piece and month is no error.
    slack = max(cent(one.currency), abs(line.quantity) * cent(one.currency) * 12 / 2)
    nearest = min(possible, key=lambda value: abs(value - line.amount))
    if abs(nearest - line.amount) > min(slack, max(cent(one.currency), abs(nearest) / 100)):
        yield finding(
            "BILL19",
            one,
            line,
            abs(line.amount - nearest),
            f"{line.quantity} at {line.unit_price} makes {rounded(nearest, one.currency):,} "
            f"for this period, not {line.net:,}",
            f"for {line.product}, quantity, price and period do not make {line.net:,} "
            f"{one.currency}; please explain or correct it.",
        )


def tax_rates(statements: Sequence[Statement]) -> Iterator[Finding]:
    """BILL13: a line taxed at another rate than most lines of its bill, or than the same product on
    most bills. Companies of a vendor in two countries tax differently, and rightly so."""
    rated: dict[tuple[str, str], list[tuple[Statement, Line, Decimal]]] = defaultdict(list)
    for one in statements:
        for line in one.lines:
            if line.net and line.tax is not None:
                told = one, line, line.tax / line.net
                rated[one.currency, one.invoice_no].append(told)
                rated[one.currency, f" {folded(line.product)}"].append(told)
    named: set[int] = set()
    for lines in rated.values():
        usual, count = Counter(round(rate, 3) for _, _, rate in lines).most_common(1)[0]
        if count < 2 or count * 2 <= len(lines):
            continue  # no rate is usual enough to call another one strange
        for one, line, rate in lines:
            right = (line.net or Decimal(0)) * usual
            off = abs((line.tax or Decimal(0)) - right)
            if (
                abs(rate - usual) > Decimal("0.004")
                and off > Decimal("0.05")
                and id(line) not in named
            ):
                named.add(id(line))
                yield finding(
                    "BILL13",
                    one,
                    line,
                    abs((line.tax or Decimal(0)) - right),
                    f"taxed at {rate * 100:.1f} %, other lines at {usual * 100:.1f} %",
                    f"{line.product} is taxed at {rate * 100:.1f} %, your other lines at "
                    f"{usual * 100:.1f} %; please explain or correct it.",
                )


def twice(statements: Sequence[Statement]) -> tuple[list[Statement], list[Finding], list[str]]:
    """BILL05, BILL06; the statements without copies, and notes about copies.

    The same document as PDF and in a CSV is one document. So is a file given twice.
    """
    kept: list[Statement] = []
    found: list[Finding] = []
    notes: list[str] = []
    first: dict[tuple[str, str], int] = {}  # where in `kept`
    for one in sorted(statements, key=_bare):  # the document before the list that names it
        key = one.kind, folded(one.invoice_no)
        if key not in first:
            first[key] = len(kept)
            kept.append(one)
            continue
        before = kept[first[key]]
        alike = before.issue_date == one.issue_date and _total(before) == _total(one)
        lists = before.source != one.source and (_bare(before) or _bare(one))
        if alike and (lists or _ending(before) != _ending(one)):
            notes.append(
                f"{one.invoice_no} is in {before.source} and in {one.source}: counted once"
            )
            if one.listed and one.open_amount is not None:  # the list knows what is open since
                kept[first[key]] = replace(before, open_amount=one.open_amount, listed=True)
            continue
        if not alike:
            kept.append(one)
        found.append(
            finding(
                "BILL05",
                one,
                None,
                _total(one),
                f"also in {before.source}, of {before.issue_date} over {_total(before):,}",
                f"we have this number twice, of {before.issue_date} over {_total(before):,} and of "
                f"{one.issue_date} over {_total(one):,} {one.currency}; please confirm which one "
                "stands and cancel the other.",
            )
        )
    billed: dict[tuple[str, date, date, str], tuple[Statement, Line]] = {}
    for one in kept:
        inside: set[tuple[str, date, date, str]] = set()
        for line in one.lines:
            if not line.service_start or not line.service_end or not line.product:
                continue
            service = folded(line.product), line.service_start, line.service_end, one.currency
            other = billed.get(service)
            same = other is not None and (
                folded(other[0].invoice_no) != folded(one.invoice_no)
                or (service in inside and other[1] == line)
            )
            if same and other is not None:
                found.append(
                    finding(
                        "BILL06",
                        one,
                        line,
                        line.amount,
                        f"{service[1]} to {service[2]} is on {other[0].invoice_no} too",
                        f"{line.product} for {service[1]} to {service[2]} was already "
                        f"billed with {other[0].invoice_no}; please credit {line.amount:,} "
                        f"{one.currency}.",
                    )
                )
            else:
                found += _overlapping(one, line, billed.values())
                billed[service] = one, line
                inside.add(service)
    return kept, found, notes


def _bare(one: Statement) -> bool:
    """Whether a list told it in one amount, without what was delivered when."""
    return one.listed and not any(
        line.quantity or line.unit_price or line.service_start for line in one.all_lines
    )


def _overlapping(
    one: Statement, line: Line, before: Iterable[tuple[Statement, Line]]
) -> Iterator[Finding]:
    """BILL06 for a part of a period: the same pieces at the same price, on another invoice."""
    assert line.service_start is not None and line.service_end is not None
    for other, billed in before:
        assert billed.service_start is not None and billed.service_end is not None
        start = max(line.service_start, billed.service_start)
        end = min(line.service_end, billed.service_end)
        if (
            start > end
            or folded(other.invoice_no) == folded(one.invoice_no)
            or other.currency != one.currency
            or folded(billed.product) != folded(line.product)
            or (billed.quantity, billed.unit_price) != (line.quantity, line.unit_price)
            or line.quantity is None
            or line.unit_price is None
        ):
            continue
        share = months_between(start, end) / months_between(line.service_start, line.service_end)
        amount = rounded(line.amount * share, one.currency)
        yield finding(
            "BILL06",
            one,
            line,
            amount,
            f"{start} to {end} is on {other.invoice_no} too",
            f"{line.product} for {start} to {end} was already billed with {other.invoice_no}; "
            f"please credit {amount:,} {one.currency}.",
        )
        return


def overdue(one: Statement, today: date) -> Iterator[Finding]:
    """BILL14. What an invoice shows as open was open on the day of its issue; only a list of
    documents, or an invoice issued anew after it was due, tells that it still is."""
    if one.due_date is not None and not one.listed and one.issue_date <= one.due_date:
        return
    if not one.open_amount or one.open_amount <= 0 or one.due_date is None or one.due_date >= today:
        return
    late = (today - one.due_date).days
    risk = (
        " Suspension for non-payment can lock the org and with it the export: settle or dispute it "
        "in writing today."
        if late >= _SUSPENSION_DAYS
        else ""
    )
    yield finding(
        "BILL14",
        one,
        None,
        one.open_amount,
        f"{one.open_amount:,} open, due {one.due_date}, {late} days late.{risk}",
        f"{one.open_amount:,} {one.currency} is shown as open; please confirm our payment, or take "
        "note that we dispute it for the reasons named in this letter.",
    )


def _total(one: Statement) -> Decimal:
    if one.gross is not None:
        return one.gross
    lines = one.all_lines
    if all(line.gross is not None for line in lines):
        return sum((line.gross or Decimal(0) for line in lines), Decimal(0))
    return sum((line.amount for line in lines), Decimal(0))


def _ending(one: Statement) -> str:
    return one.source.rpartition(".")[2].lower()
