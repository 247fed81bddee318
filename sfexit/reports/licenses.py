"""A licence review: as a document, as tables (CSV, XLSX), as lines and as a page with plots."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from textwrap import wrap
from typing import Any

from sfexit.contract.laws import COUNSEL
from sfexit.errors import UsageProblem
from sfexit.licenses.facts import Person
from sfexit.licenses.review import RULES, Advice, Review, Saving, worked
from sfexit.redaction import printable
from sfexit.reports import bars, html
from sfexit.reports.plain import plain

SCHEMA = "sfexit-licenses/1"
_WIDTH = 100
_MOST_LINES = 12
_USERS = (
    "Id",
    "Name",
    "Username",
    "Active",
    "Licence",
    "Kind",
    "Last sign-in",
    "By hand",
    "By API",
    "By apps",
    "Made",
    "Changed",
    "Owned",
    "Rules",
    "Evidence",
    "Instead",
)


def document(told: Review) -> dict[str, Any]:
    """For programs; amounts are texts that keep every digit, dates are ISO 8601."""
    facts = told.facts
    return {
        "schema": SCHEMA,
        "as_of": facts.as_of.isoformat(),
        "window_days": facts.window_days,
        "organization": facts.organization,
        "edition": facts.edition,
        "renewal": told.renewal.isoformat() if told.renewal else None,
        "pools": [{**asdict(one), "empty": one.empty} for one in facts.pools],
        "users": [{**plain(vars(one)), "kind": one.kind} for one in facts.people],
        "advice": [{"title": one.title, **asdict(one)} for one in told.advice],
        "savings": [plain(asdict(one)) for one in told.savings],
        "notes": list(told.notes),
        "warnings": list(told.warnings),
        "rows_read": facts.rows_read,
        "counsel": COUNSEL,
    }


def users(told: Review) -> Iterator[list[Any]]:
    """One row a user, headings first."""
    advice: dict[str, list[Advice]] = {}
    for one in told.advice:
        advice.setdefault(one.user_id, []).append(one)
    yield list(_USERS)
    for person in told.facts.people:
        found = advice.get(person.id, [])
        yield [
            person.id, person.name, person.username, "yes" if person.active else "no",
            person.license, person.kind, person.last_login.isoformat() if person.last_login else "",
            person.logins["person"], person.logins["integration"], person.logins["sso_only"],
            sum(person.made.values()), sum(person.changed.values()), sum(person.owned.values()),
            " ".join(sorted({one.rule for one in found})),
            "; ".join(one.evidence for one in found) or worked(person),
            next((one.instead or "no seat" for one in found if one.counts), ""),
        ]  # fmt: skip


def table(told: Review) -> str:
    """The users as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([_harmless(cell) for cell in row] for row in users(told))
    return out.getvalue()


def _harmless(cell: Any) -> Any:
    """Names of others must not become formulas of a spreadsheet."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{cell}"
    return cell


def workbook(told: Review) -> bytes:
    """Three sheets: seats, users, savings. Raises UsageProblem without openpyxl."""
    try:
        from openpyxl import Workbook
        from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, WriteOnlyCell
        from openpyxl.styles import Font
        from openpyxl.utils import get_column_letter
        from openpyxl.worksheet.properties import PageSetupProperties
    except ImportError as error:
        raise UsageProblem(
            "XLSX needs the extra: pip install 'sfexit[xlsx]'; --csv needs nothing"
        ) from error
    book = Workbook(write_only=True)
    sheets: tuple[tuple[str, Any], ...] = (
        ("Seats", (_POOL_HEADS, *_pool_rows(told))),
        ("Users", users(told)),
        ("Savings", (_SAVING_HEADS, *(_saving_row(one, _as_it_is) for one in told.savings))),
    )
    for title, content in sheets:
        rows = [
            [
                _harmless(ILLEGAL_CHARACTERS_RE.sub("", cell)) if isinstance(cell, str) else cell
                for cell in row
            ]
            for row in content
        ]
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "A2"
        sheet.print_title_rows = "1:1"
        sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
        sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
        for at, column in enumerate(zip(*rows, strict=True), 1):
            wide = max(len(str(cell)) for cell in column) + 2
            sheet.column_dimensions[get_column_letter(at)].width = min(max(wide, 8), 60)
        for number, row in enumerate(rows):
            cells = []
            for value in row:
                cell = WriteOnlyCell(sheet, value.amount if isinstance(value, _Money) else value)
                if isinstance(value, _Money):
                    cell.number_format = f'#,##0.00 "{value.currency}"'
                if not number:
                    cell.font = Font(bold=True)
                cells.append(cell)
            sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


_POOL_HEADS = ("Kind", "Name", "Status", "Bought", "Given out", "Empty")
_SAVING_HEADS = (
    "Licence",
    "Instead",
    "Seats",
    "A year",
    "Nothing saved at a rise of",
    "Price from",
)


def _pool_rows(told: Review) -> Iterator[tuple[Any, ...]]:
    for one in told.facts.pools:
        total = one.total if one.total >= 0 else "no limit"
        yield one.kind, one.name, one.status, total, one.used, one.empty


@dataclass(frozen=True)
class _Money:
    """An amount that a spreadsheet can add up."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:,} {self.currency}"


def _as_it_is(money: _Money) -> _Money:
    return money


def _saving_row(one: Saving, shape: Callable[[_Money], Any] = str) -> tuple[Any, ...]:
    money: Any = ""
    if one.yearly is not None and one.price:
        money = shape(_Money(one.yearly, one.price.currency))
    return (
        one.license,
        one.instead or "no seat",
        one.seats,
        money,
        f"{one.break_even_percent} %" if one.break_even_percent is not None else "",
        one.price.source if one.price else "no price known",
    )


def headline(told: Review) -> str:
    """One sentence."""
    sums: Counter[str] = Counter()
    total: dict[str, Decimal] = {}
    for one in told.savings:
        sums[one.license] += one.seats
        if one.yearly is not None and one.price:
            code = one.price.currency
            total[code] = total.get(code, Decimal(0)) + one.yearly
    seats = sum(sums.values())
    if not seats:
        return "Every seat is used as it was bought."
    since = f" from {told.renewal}" if told.renewal else " from the renewal"
    money = ", ".join(f"{amount:,} {code} a year" for code, amount in total.items())
    return f"{seats:,} seats could fall or be cheaper{since}" + (
        f": up to {money}." if money else "; no price is known, so only seats are told."
    )


def summary(told: Review) -> Iterator[str]:
    """For the terminal."""
    facts = told.facts
    yield headline(told)
    yield printable(
        f"{facts.organization} ({facts.edition}), archive of {facts.as_of}, looking back "
        f"{facts.window_days} days, {facts.rows_read:,} rows read",
        300,
    )
    yield ""
    yield f"   {'':<44}{'bought':>9}{'given out':>11}{'empty':>8}"
    for kind, name, _, total, used, empty in _pool_rows(told):
        shown = f"{total:,}" if isinstance(total, int) else total
        yield printable(f"   {f'{name} ({kind})'[:44]:<44}{shown:>9}{used:>11,}{empty:>8,}", 200)
    yield ""
    kinds = Counter(one.kind for one in facts.people if one.active)
    yield "Active users: " + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    for rule, title in RULES.items():
        found = [one for one in told.advice if one.rule == rule]
        if not found:
            continue
        yield ""
        yield f"{rule}  {title}: {sum(one.seats for one in found):,}"
        for one in found[:_MOST_LINES]:
            text = f"{one.user or one.license}: {one.evidence}" + (
                f" -> {one.instead}" if one.instead else ""
            )
            yield from wrap(
                printable(text, 300),
                _WIDTH,
                initial_indent="       ",
                subsequent_indent="         ",
            )
        if len(found) > _MOST_LINES:
            yield f"       and {len(found) - _MOST_LINES:,} more: see --csv, --xlsx or --html"
    if told.savings:
        yield ""
        yield "What falls, for a year" + (f" from {told.renewal}" if told.renewal else "")
    for row in map(_saving_row, told.savings):
        name, instead, seats, money, even, source = row
        tail = f", nothing saved if the rest gets {even} dearer" if even else ""
        text = f"{seats:,} x {name} -> {instead}" + (f": {money}{tail}" * bool(money))
        text += f" [{source}]"
        yield from wrap(
            printable(text, 400), _WIDTH, initial_indent="   ", subsequent_indent="      "
        )
    yield ""
    yield "Mind"
    for text in (*told.warnings, *told.notes):
        yield from wrap(
            f"- {printable(text, 300)}", _WIDTH, initial_indent="   ", subsequent_indent="     "
        )
    yield ""
    yield COUNSEL


def page(told: Review) -> str:
    """The same as one HTML file; plots are drawn inline and print."""
    facts = told.facts
    limited = [one for one in facts.pools if one.total > 0 and one.kind != "metered"]
    kinds = Counter(one.kind for one in facts.people if one.active)
    body = [
        "<h1>Licences</h1>",
        f'<p class="small">{html.text(facts.organization)} ({html.text(facts.edition)}), archive '
        f"of {facts.as_of}, looking back {facts.window_days} days.</p>",
        f'<p class="calm">{html.prose(headline(told))}</p>',
        "<h2>Seats bought and given out</h2>",
        bars.used_of_total([(one.name, one.used, one.total) for one in limited[:20]]),
        html.table(_POOL_HEADS, _pool_rows(told)),
        "<h2>Who signs in</h2>",
        bars.counts(kinds.most_common()),
        "<h2>What falls, for a year" + (f" from {told.renewal}" if told.renewal else "") + "</h2>",
        html.table(_SAVING_HEADS, [_saving_row(one) for one in told.savings]),
        html.items((*told.warnings, *told.notes)),
        "<h2>Findings</h2>",
        html.table(
            ("Rule", "Who", "Licence", "Seats", "Evidence", "Instead"),
            [
                (f"{one.rule} {one.title}", one.user, one.license, one.seats, one.evidence,
                 one.instead or "no seat")
                for one in told.advice
            ],
        ),
        "<h2>All users</h2>",
        html.table(_USER_HEADS, [_user_row(one) for one in facts.people]),
        f'<p class="small">{html.text(COUNSEL)}</p>',
    ]  # fmt: skip
    return html.page("Licences", "\n".join(body))


_USER_HEADS = ("Name", "Username", "Active", "Licence", "Kind", "Last sign-in", "Work")


def _user_row(one: Person) -> tuple[Any, ...]:
    return (
        one.name, one.username, "yes" if one.active else "no", one.license, one.kind,
        one.last_login or "never", worked(one),
    )  # fmt: skip
