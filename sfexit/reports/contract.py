"""A contract's outlook: as a document for programs, as lines and as a page for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from textwrap import wrap
from typing import Any

from sfexit.contract.costs import Costs
from sfexit.contract.deadlines import MISSED, SOON, TODAY, Deadline
from sfexit.contract.laws import COUNSEL
from sfexit.contract.outlook import LawOutlook, Outlook
from sfexit.redaction import printable
from sfexit.reports import html
from sfexit.reports.plain import plain

SCHEMA = "sfexit-contract/1"
_WIDTH = 100


def document(told: Outlook) -> dict[str, Any]:
    """For programs; amounts are texts that keep every digit, dates are ISO 8601."""
    contract = told.contract
    return {
        "schema": SCHEMA,
        "today": told.today.isoformat(),
        "contract": {
            "number": contract.number,
            "org_id": contract.org_id,
            "customer": contract.customer,
            "vendor": contract.vendor,
            "start": contract.start.isoformat(),
            "end": contract.end.isoformat(),
            "renewal": contract.renewal,
            "notice_clause": contract.notice.clause,
        },
        "missed": [one.kind for one in told.missed],
        "deadlines": [_deadline(one) for one in told.days],
        "laws": [
            {
                "key": one.law.key,
                "title": one.law.title,
                "as_of": one.law.as_of.isoformat(),
                "status": one.law.status,
                "verified": one.law.verified,
                "stale": one.stale,
                "notice_on": one.notice_on.isoformat(),
                "deadlines": [_deadline(day) for day in one.days],
                "limits": list(one.law.limits),
                "sources": list(one.law.sources),
            }
            for one in told.laws
        ],
        "costs": _costs(told.costs),
        "export_days": told.export_days,
        "in_time": told.in_time,
        "options": list(told.options),
        "warnings": list(told.warnings),
        "advice": COUNSEL,
    }


def _deadline(one: Deadline) -> dict[str, Any]:
    return {**plain(asdict(one)), "rolled": one.rolled}


def _costs(costs: Costs | None) -> dict[str, Any] | None:
    return None if costs is None else plain(asdict(costs))


def headline(told: Outlook) -> str:
    """One sentence: the day that matters next."""
    if told.missed:
        latest = max(told.missed, key=lambda one: one.day)
        return (
            f"MISSED: {latest.title.lower()} was due on {day_name(latest.day)}, "
            f"{-latest.days_left} days ago."
        )
    ahead = [one for one in told.days if one.must_act and one.days_left >= 0]
    if not ahead:
        return "Nothing is left to do by a day of this contract."
    first = ahead[0]
    return f"Next: {first.title.lower()} by {day_name(first.day)} ({left(first.days_left)})."


def day_name(day: date) -> str:
    """Such as `Mon 2027-03-01`."""
    return f"{day:%a} {day.isoformat()}"


def left(days: int) -> str:
    """Days to or since, in words."""
    if days == 0:
        return "today"
    count = f"{abs(days):,} day{'s' * (abs(days) != 1)}"
    return f"{count} left" if days > 0 else f"{count} ago"


def money(amount: Decimal, currency: str) -> str:
    """Such as `12,000.00 EUR`."""
    return f"{amount:,} {currency}"


def summary(told: Outlook) -> Iterator[str]:
    """For the terminal."""
    contract = told.contract
    yield headline(told)
    yield ""
    who = f"{contract.customer} with {contract.vendor}, contract {contract.number}"
    yield from wrap(printable(who, 300), _WIDTH)
    yield f"Term {contract.start} to {contract.end}, renewal {contract.renewal}"
    yield ""
    yield "Deadlines of the contract"
    yield from _lines(told.days)
    for law in told.laws:
        yield ""
        yield from wrap(f"{law.law.title}, if notice is given on {law.notice_on}", _WIDTH)
        yield from _lines(law.days, source=False)
        yield from wrap(
            f"   As of {law.law.as_of}: {law.law.status}. For {law.law.applies_to}.",
            _WIDTH,
            subsequent_indent="   ",
        )
    if told.costs is not None:
        yield ""
        yield from _cost_lines(told.costs)
    for title, texts in (("What is left to do", told.options), ("Mind", told.warnings)):
        if texts:
            yield ""
            yield title
        for number, one in enumerate(texts, 1):
            yield from wrap(f"{number}. {one}", _WIDTH, subsequent_indent="   ")
    yield ""
    yield COUNSEL


def _lines(days: tuple[Deadline, ...], *, source: bool = True) -> Iterator[str]:
    mark = {MISSED: "!!", TODAY: "! ", SOON: "! "}
    for one in days:
        rolled = f" (rolled back from {day_name(one.counted)})" if one.rolled else ""
        head = f"{mark.get(one.state, '  ')} {day_name(one.day)}  {left(one.days_left):>13}  "
        text = f"{one.title}: {one.rule}{rolled}" + (f" [{one.source}]" if source else "")
        yield from wrap(head + printable(text, 400), _WIDTH, subsequent_indent=" " * len(head))


def _cost_lines(costs: Costs) -> Iterator[str]:
    yield (
        f"Costs from {costs.today} to {costs.renewal_end}, net "
        f"(this term in all: {money(costs.term_total, costs.currency)})"
    )
    for one in costs.scenarios:
        yield f"   {one.title:<28}{money(one.amount, costs.currency):>24}"
        for name, amount in one.parts:
            yield f"      {name[:60]:<60}{money(amount, costs.currency):>24}"
        for caveat in one.caveats:
            yield from wrap(f"      - {caveat}", _WIDTH, subsequent_indent="        ")
    if costs.break_even_percent is not None:
        yield from wrap(
            f"   Fewer licences save nothing if their price rises by {costs.break_even_percent} % "
            "or more.",
            _WIDTH,
            subsequent_indent="   ",
        )


def page(told: Outlook) -> str:
    """The same as one HTML file."""
    contract = told.contract
    kind = "alarm" if told.missed else "calm"
    body = [
        f"<h1>Contract {html.text(contract.number)}</h1>",
        f'<p class="small">{html.text(contract.customer)} with {html.text(contract.vendor)}. '
        f"Term {contract.start} to {contract.end}, renewal {html.text(contract.renewal)}. "
        f"As of {told.today}.</p>",
        f'<p class="{kind}">{html.prose(headline(told))}</p>',
        "<h2>Deadlines of the contract</h2>",
        _table(told.days),
    ]
    for law in told.laws:
        body.append(_law(law))
    if told.costs is not None:
        body.append(_cost_table(told.costs))
    for title, texts in (("What is left to do", told.options), ("Mind", told.warnings)):
        if texts:
            body += [f"<h2>{title}</h2>", html.items(texts, ordered=True)]
    body.append(f'<p class="small">{html.text(COUNSEL)}</p>')
    return html.page(f"Contract {contract.number}", "\n".join(body))


def _law(one: LawOutlook) -> str:
    law = one.law
    return (
        f"<h2>{html.text(law.title)}</h2><p>If notice is given on {one.notice_on}. "
        f"As of {law.as_of}: {html.text(law.status)}. For {html.text(law.applies_to)}.</p>"
        + _table(one.days, source=False)
        + html.items((*law.limits, *law.sources))
    )


def _table(days: tuple[Deadline, ...], *, source: bool = True) -> str:
    return html.table(
        ("Day", "Left", "What", "Rule", *["Source"] * source, "Do"),
        [
            (
                day_name(one.day) + (f", rolled back from {one.counted}" if one.rolled else ""),
                "MISSED" if one.state == MISSED else left(one.days_left),
                one.title,
                one.rule,
                *[one.source] * source,
                one.action,
            )
            for one in days
        ],
    )


def _cost_table(costs: Costs) -> str:
    rows = []
    for one in costs.scenarios:
        rows.append((one.title, money(one.amount, costs.currency), "; ".join(one.caveats)))
        rows += [(f"– {name}", money(amount, costs.currency), "") for name, amount in one.parts]
    even = (
        f"<p>Fewer licences save nothing if their price rises by {costs.break_even_percent} % or "
        "more.</p>"
        if costs.break_even_percent is not None
        else ""
    )
    return (
        f"<h2>Costs from {costs.today} to {costs.renewal_end}, net</h2>"
        + html.table(("Way on", "Amount", "Mind"), rows)
        + even
    )
