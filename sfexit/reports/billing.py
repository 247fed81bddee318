"""A check of bills: as a document for programs, as CSV, as lines and as a page for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from textwrap import wrap
from typing import Any

from sfexit.billing.findings import RULES, ExpectedCredit, Review
from sfexit.billing.statement import Statement
from sfexit.contract.costs import ONLY_IF, rounded
from sfexit.contract.laws import COUNSEL
from sfexit.redaction import printable
from sfexit.reports import html
from sfexit.reports.plain import plain

SCHEMA = "sfexit-billing/1"
_WIDTH = 100
_HEADINGS = (
    "source",
    "confidence",
    "kind",
    "invoice_no",
    "contract_no",
    "issue_date",
    "due_date",
    "currency",
    "product",
    "quantity",
    "unit_price",
    "service_start",
    "service_end",
    "net",
    "tax",
    "gross",
    "open_amount",
)


def document(told: Review) -> dict[str, Any]:
    """For programs; amounts are texts that keep every digit, dates are ISO 8601."""
    return {
        "schema": SCHEMA,
        "today": told.today.isoformat(),
        "ended": told.ended.isoformat() if told.ended else None,
        "statements": [_statement(one) for one in told.statements],
        "findings": [{"title": one.title, **plain(asdict(one))} for one in told.findings],
        "in_question": plain(told.in_question),
        "totals": [{**plain(asdict(one)), "balance": f"{one.balance:f}"} for one in told.totals],
        "expected_credit": _credit(told.credit),
        "not_checked": [{"rule": rule, "why": why} for rule, why in told.not_checked],
        "notes": list(told.notes),
        "advice": COUNSEL,
    }


def _statement(one: Statement) -> dict[str, Any]:
    told: dict[str, Any] = plain(asdict(one))
    return told


def _credit(one: ExpectedCredit | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {**plain(asdict(one)), "missing": f"{one.missing:f}", "label": ONLY_IF}


def table(told: Review) -> str:
    """All lines of all statements as CSV: one row a line, credits with a minus."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_HEADINGS)
    for one in told.statements:
        for line in one.all_lines:
            cells = {**plain(asdict(one)), **plain(asdict(line))}
            writer.writerow([_cell(name, cells[name]) for name in _HEADINGS])
    return out.getvalue()


def _cell(name: str, value: Any) -> Any:
    """Texts of others must not become formulas of a spreadsheet; our numbers stay numbers."""
    texts = ("source", "invoice_no", "contract_no", "product")
    if name in texts and str(value)[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value


def headline(told: Review) -> str:
    """One sentence: is something wrong?"""
    count = len(told.statements)
    bills = f"{count} statement{'s' * (count != 1)}"
    if not told.findings:
        return f"Nothing wrong was found in {bills}."
    found = len(told.findings)
    sums = ", ".join(f"{amount:,} {code}" for code, amount in told.in_question.items())
    about = f", {sums} in question" if sums else ""
    return f"{found} finding{'s' * (found != 1)} in {bills}{about}."


def summary(told: Review) -> Iterator[str]:
    """For the terminal."""
    yield headline(told)
    if told.findings:
        yield ""
    for one in told.findings:
        money = f"{one.amount:,} {one.currency}" if one.amount else ""
        yield from wrap(
            printable(f"{one.rule}  {one.title}: {one.why}", 400) + (f"  [{money}]" * bool(money)),
            _WIDTH,
            subsequent_indent="        ",
        )
        yield from wrap(
            printable(f"{one.source}: {one.sentence}" if one.source else one.sentence, 600),
            _WIDTH,
            initial_indent="        ",
            subsequent_indent="        ",
        )
    if told.credit is not None:
        yield ""
        yield from _credit_lines(told.credit)
    yield ""
    yield "Read"
    for read in told.statements:
        doubts = f"; {'; '.join(read.doubts)}" if read.doubts else ""
        lines = len(read.all_lines)
        text = (
            f"{read.source}: {read.kind.replace('_', ' ')} {read.invoice_no} of {read.issue_date}, "
            f"{lines} line{'s' * (lines != 1)}, {_sum(read):,} {read.currency} net, "
            f"read {read.confidence} %{doubts}"
        )
        yield from wrap(
            printable(text, 600), _WIDTH, initial_indent="   ", subsequent_indent="      "
        )
    for total in told.totals:
        still = "" if total.open_amount is None else f", open as printed {total.open_amount:,}"
        yield (
            f"   {total.currency or '(currency unknown)'} net: "
            f"billed {_figure(total.invoiced, total.currency)}, "
            f"given back {_figure(total.credited, total.currency)}, "
            f"balance {_figure(total.balance, total.currency)}{still}"
        )
    yield from _further(told)
    yield ""
    yield COUNSEL


def _further(told: Review) -> Iterator[str]:
    if told.notes:
        yield ""
        yield "Mind"
    for note in told.notes:
        yield from wrap(f"   {printable(note, 400)}", _WIDTH, subsequent_indent="   ")
    if told.not_checked:
        yield ""
        yield "Not checked"
    for why, rules in _by_reason(told).items():
        yield from wrap(f"   {', '.join(rules)}: {why}", _WIDTH, subsequent_indent="   ")


def _by_reason(told: Review) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for rule, why in told.not_checked:
        found.setdefault(why, []).append(rule)
    return found


def _credit_lines(one: ExpectedCredit) -> Iterator[str]:
    money = one.currency
    yield f"Credit for unused days after {one.ended}: {ONLY_IF}"
    for part in one.parts:
        yield printable(
            f"   {part.invoice_no}  {part.product[:40]}: {part.unused_days} of {part.days} days of "
            f"{part.net:,} = {part.amount:,} {money}",
            300,
        )
    fee = "unknown to your contract file: nothing taken off" if one.fee is None else f"{one.fee:,}"
    yield f"   early-termination fee {fee}"
    granted = one.granted_by or "no clause in your contract file; paid fees are commonly kept"
    yield printable(
        f"   expected {one.amount:,} {money}, credited {one.received:,}, missing {one.missing:,} "
        f"({granted})",
        300,
    )


def _sum(one: Statement) -> Decimal:
    return sum((line.amount for line in one.all_lines), Decimal(0))


def _figure(amount: Decimal, currency: str) -> str:
    """Such as `0.00`: never fewer places than the currency has, and never one less than told."""
    shown = rounded(amount, currency)
    return f"{shown if shown == amount else amount:,}"


def page(told: Review) -> str:
    """The same as one HTML file."""
    kind = "alarm" if told.findings else "calm"
    body = [
        "<h1>Bills against the contract</h1>",
        f'<p class="small">As of {told.today}.</p>',
        f'<p class="{kind}">{html.prose(headline(told))}</p>',
    ]
    if told.findings:
        body += [
            "<h2>Findings, and what to write</h2>",
            html.table(
                ("Rule", "Document", "What", "In question", "Sentence to send"),
                [
                    (
                        f"{one.rule} {one.title}",
                        ", ".join(filter(None, (one.invoice_no, one.source))),
                        " – ".join(filter(None, (one.product, one.why))),
                        f"{one.amount:,} {one.currency}" if one.amount else "",
                        one.sentence,
                    )
                    for one in told.findings
                ],
            ),
        ]
    if told.credit is not None:
        first, *rest = _credit_lines(told.credit)
        body += [f"<h2>{html.text(first)}</h2>", html.items(one.strip() for one in rest)]
    body += [
        "<h2>Statements</h2>",
        html.table(
            ("File", "Document", "Issued", "Due", "Net", "Read", "Doubts"),
            [
                (
                    one.source,
                    f"{one.kind.replace('_', ' ')} {one.invoice_no}",
                    one.issue_date,
                    one.due_date or "",
                    f"{_sum(one):,} {one.currency}",
                    f"{one.confidence} %",
                    "; ".join(one.doubts),
                )
                for one in told.statements
            ],
        ),
        html.table(
            ("Currency", "Billed", "Given back", "Balance", "Open as printed"),
            [
                (
                    one.currency,
                    _figure(one.invoiced, one.currency),
                    _figure(one.credited, one.currency),
                    _figure(one.balance, one.currency),
                    "" if one.open_amount is None else f"{one.open_amount:,}",
                )
                for one in told.totals
            ],
        ),
    ]
    if told.notes:
        body += ["<h2>Mind</h2>", html.items(told.notes)]
    if told.not_checked:
        rows = [(rule, RULES[rule], why) for rule, why in told.not_checked]
        body += ["<h2>Not checked</h2>", html.table(("Rule", "What", "Why"), rows)]
    body.append(f'<p class="small">{html.text(COUNSEL)}</p>')
    return html.page("Bills against the contract", "\n".join(body))
