"""From the words of a document to a statement; what is not understood is told, never filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from sfexit.billing import labels, written
from sfexit.billing.statement import CREDIT_MEMO, INVOICE, Line, Statement
from sfexit.billing.written import Ambiguous, Habits, Unreadable
from sfexit.contract.currencies import CURRENCIES
from sfexit.errors import UsageProblem

AMOUNTS = ("unit_price", "net", "tax", "gross", "open_amount", "quantity")
DATES = ("issue_date", "due_date", "service_start", "service_end", "period")
#: What takes how much from 100; chosen so that three missing facts ask for a person's eye.
_WEIGHTS = {"contract_no": 5, "due_date": 5, "service": 10, "net": 15, "currency": 15, "text": 10}


@dataclass
class Draft:
    """The words of one document: fields of its head, and its rows by field."""

    source: str
    head: dict[str, str] = field(default_factory=dict)
    rows: list[Mapping[str, str]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    listed: bool = False  # one document of a list
    lost: int = 0  # taken from the confidence already

    def doubt(self, why: str, weight: int) -> None:
        """Remember what is not sure."""
        if why not in self.doubts:
            self.doubts.append(why)
            self.lost += weight

    def words(self, names: Sequence[str]) -> Iterable[str]:
        """All texts of some fields."""
        for entries in (self.head, *self.rows):
            for name in names:
                if entries.get(name):
                    yield entries[name]


def built(drafts: Sequence[Draft], told: Habits) -> list[Statement]:
    """The statements of one file, which is written in one way throughout.

    Raises UsageProblem when a needed fact is missing or can be read in two ways.
    """
    habits = written.habits_of(
        [text for one in drafts for text in one.words(AMOUNTS)],
        [text for one in drafts for text in one.words(DATES)],
        told,
    )
    return [_Builder(one, habits).made() for one in drafts]


class _Builder:
    def __init__(self, draft: Draft, habits: Habits) -> None:
        self._draft = draft
        self._habits = habits

    def made(self) -> Statement:
        head = self._draft.head
        number = head.get("invoice_no") or head.get("credit_no") or ""
        if not number:
            raise self._unknown("it names no invoice number")
        issued = self._day(head, "issue_date")
        if issued is None:
            raise self._unknown("it names no date of issue")
        lines = [self._line(row) for row in self._draft.rows]
        lines = [one for one in lines if one.net is not None or one.gross is not None]
        net, tax, gross = (self._amount(head, name) for name in ("net", "tax", "gross"))
        if not lines and gross is None and net is None:
            raise self._unknown("no amount was found in it")
        if net is not None and lines and all(one.net is None for one in lines):
            lines = _as_net(lines, net)
        memo = bool(head.get("credit_no")) or labels.says(head.get("kind", ""), "credit")
        if memo:  # printed with or without a minus, a credit memo gives back
            lines = [_given_back(one) for one in lines]
        bare = not lines
        if bare:
            self._draft.doubt("it has no lines, only totals", _WEIGHTS["net"])
            whole = Line("", net=net, tax=tax, gross=gross)
            lines = [_given_back(whole) if memo else whole]
        if all(one.amount < 0 for one in lines):
            memo = True
        if not head.get("contract_no"):
            self._draft.doubt("no contract number", _WEIGHTS["contract_no"])
        due = self._day(head, "due_date")
        if due is None and not memo:
            self._draft.doubt("no due date", _WEIGHTS["due_date"])
        if not bare and any(not one.product for one in lines):
            self._draft.doubt("not every line names its product", _WEIGHTS["service"])
        timeless = any(one.service_start is None or one.service_end is None for one in lines)
        if timeless and not memo and not (bare and self._draft.listed):
            self._draft.doubt("not every line names its service period", _WEIGHTS["service"])
        return Statement(
            CREDIT_MEMO if memo else INVOICE,
            number,
            issued,
            self._currency(),
            tuple(one for one in lines if one.amount >= 0),
            tuple(one for one in lines if one.amount < 0),
            head.get("contract_no", ""),
            due,
            head.get("credited", "")
            or (head.get("invoice_no", "") if head.get("credit_no") else ""),
            self._amount(head, "open_amount"),
            _less(net, memo),
            _less(tax, memo),
            _less(gross, memo),
            self._draft.source,
            head.get("order_no", ""),
            self._amount(head, "tax_rate"),
            self._draft.listed,
            max(0, 100 - self._draft.lost),
            tuple(self._draft.doubts),
        )

    def _line(self, row: Mapping[str, str]) -> Line:
        start, end = self._day(row, "service_start"), self._day(row, "service_end")
        period = row.get("period") or ("" if start or end else self._draft.head.get("period", ""))
        if period:
            try:
                start, end = written.two_days(period, self._habits)
            except Ambiguous as error:
                raise self._two_ways(error, "--dates dmy or --dates mdy") from error
            except Unreadable as error:
                self._draft.doubt(f"a period was not understood: {error}", _WEIGHTS["service"])
        if start and end and end < start:
            self._draft.doubt(f"a period ends before it starts ({start}, {end})", 20)
            start = end = None
        net, tax, gross = (self._amount(row, name) for name in ("net", "tax", "gross"))
        if net is None and gross is not None and tax is not None:
            net = gross - tax
        return Line(
            " ".join(row.get("product", "").split()),
            self._amount(row, "quantity"),
            self._amount(row, "unit_price"),
            start,
            end,
            net,
            tax,
            gross,
        )

    def _amount(self, row: Mapping[str, str], name: str) -> Decimal | None:
        text = row.get(name, "").strip()
        if not text or text in ("-", "–", "n/a"):
            return None
        try:
            # A quantity has no thousands in practice without a mark elsewhere that proves it.
            return written.amount(text, self._habits)
        except Ambiguous as error:
            raise self._two_ways(error, "--decimal point or --decimal comma") from error
        except Unreadable as error:
            self._draft.doubt(f"{name.replace('_', ' ')}: {error}", _WEIGHTS["net"])
            return None

    def _day(self, row: Mapping[str, str], name: str) -> date | None:
        text = row.get(name, "").strip()
        if not text:
            return None
        try:
            return written.day(text, self._habits)
        except Ambiguous as error:
            raise self._two_ways(error, "--dates dmy or --dates mdy") from error
        except Unreadable as error:
            self._draft.doubt(f"{name.replace('_', ' ')}: {error}", _WEIGHTS["service"])
            return None

    def _currency(self) -> str:
        told = self._draft.head.get("currency", "").strip()
        if told:
            code = told.upper() if told.upper() in CURRENCIES else written.currency_in(told)
            if code:
                return code
        found = {written.currency_in(one) for one in self._draft.words(AMOUNTS)} - {None}
        if len(found) == 1:
            return str(found.pop())
        self._draft.doubt("its currency is not told", _WEIGHTS["currency"])
        return ""

    def _unknown(self, why: str) -> UsageProblem:
        return UsageProblem(
            f"{self._draft.source} has a layout that sfexit does not know: {why}; for a CSV name "
            "its columns with --mapping FILE, of a PDF ask the vendor for a CSV, or copy its lines "
            "into one"
        )

    def _two_ways(self, error: Exception, option: str) -> UsageProblem:
        return UsageProblem(
            f"{self._draft.source} can be read in two ways: {error}, and nothing else in it "
            f"decides; say which with {option}"
        )


def _as_net(lines: list[Line], net: Decimal) -> list[Line]:
    """Lines whose column is called a total and adds up to the net total: they are net."""
    if abs(sum((one.gross or Decimal(0) for one in lines), Decimal(0))) != abs(net):
        return lines
    return [replace(one, net=one.gross, gross=None) for one in lines]


def _less(value: Decimal | None, memo: bool) -> Decimal | None:
    return -abs(value) if memo and value is not None else value


def _given_back(line: Line) -> Line:
    return Line(
        line.product,
        line.quantity,
        line.unit_price,
        line.service_start,
        line.service_end,
        _less(line.net, True),
        _less(line.tax, True),
        _less(line.gross, True),
    )
