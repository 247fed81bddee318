"""What stands beside the table of a statement: labels with their values, and totals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sfexit.billing import labels, written
from sfexit.billing.building import Draft
from sfexit.billing.pdf_words import Row
from sfexit.contract.currencies import CURRENCIES

_TOTALS = {"net": "net", "tax": "tax", "gross": "gross", "open_amount": "open_amount"}
_HEAD = (
    "invoice_no",
    "contract_no",
    "issue_date",
    "due_date",
    "currency",
    "credited",
    "credit_no",
    "order_no",
)
AMOUNT = (
    r"(?:[A-Z]{3}\s|[€£$]\s?)*[-(−]?\s?(?:[A-Z]{3}\s|[€£$]\s?)?"
    r"\d[\d.,'’\s]*\)?-?(?:\s?[€£$]|\s[A-Z]{3})?"
)
_NO_CURRENCIES = {"ALL", "TOP", "TRY", "CUP", "MOP"}  # words of invoices more often


def is_amount(text: str) -> bool:
    try:
        written.amount(text)
    except written.Ambiguous:
        return True
    except written.Unreadable:
        return False
    return True


def total_name(text: str) -> str | None:
    """The total that a label below the table names."""
    plain = re.sub(r"\(?\s*\d+([.,]\d+)?\s*%\s*\)?", " ", text).strip(" :@")
    plain = re.sub(r"^(zzgl\.?|plus)\s+|\s+(at|@|of|de)$", "", plain, flags=re.I).strip(" :@")
    for shown in (plain, re.sub(r"^(total|gesamt|summe|suma|razem)\s+", "", plain, flags=re.I)):
        name = labels.field_of(shown)
        if name in _TOTALS:
            return name
    return None


def total_in(row: Row) -> tuple[str, str, str] | None:
    """The total that a row tells: its field, the amount, and the rate beside a tax."""
    text = " ".join(one.text for one in row)
    rate = re.search(r"(\d+(?:[.,]\d+)?)\s*%", text)
    plain = re.sub(r"\(?\s*\d+(?:[.,]\d+)?\s*%\s*\)?", " ", text)
    match = re.match(rf"(?P<label>[^\d]*?)[\s:]*(?P<value>{AMOUNT})$", plain.strip())
    if not match or not is_amount(match["value"]):
        return None
    name = total_name(match["label"])
    if name is None:
        return None
    if labels.folded(match["label"]) in ("subtotal", "sub total"):
        name = "net"
    return _TOTALS[name], match["value"].strip(), rate[1] if name == "tax" and rate else ""


def take_total(draft: Draft, row: Row) -> bool:
    """Take `Total 1,234.00`. False when the row is something else."""
    told = total_in(row)
    if told is None:
        return False
    name, value, rate = told
    draft.head[name] = value
    if rate:
        draft.head["tax_rate"] = rate
    return True


def take_labels(draft: Draft, row: Row, below: Row) -> None:
    """Take `Invoice number: 123`, side by side or one above the other."""
    text = " ".join(one.text for one in row)
    for name, value in _pairs(text.split()):
        draft.head.setdefault(name, value)
    period = written.period_in(text)
    words = re.split(r"[:\d]", text, maxsplit=1)[0]
    if period and labels.field_of(words) == "period":
        draft.head.setdefault("period", period)
    for number, phrase in enumerate(row):
        label, value = _label(phrase.text)
        if label is None:
            continue
        if not value and number + 1 < len(row) and _label(row[number + 1].text)[0] is None:
            value = row[number + 1].text
        if not value:
            value = next(
                (
                    one.text
                    for one in below
                    if one.x0 < phrase.x1 and one.x1 > phrase.x0 and not _label(one.text)[0]
                ),
                "",
            )
        if value and _fits(label, value):
            draft.head.setdefault(label, value.strip())


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Labels with their values anywhere in a line: `Contract: 0123 Due: 31 July 2026`."""
    at = 0
    while at < len(words):
        for count in range(min(5, len(words) - at - 1), 0, -1):
            told = " ".join(words[at : at + count])
            name = labels.field_of(told.rstrip(": ")) if words[at][0].isalpha() else None
            if name not in _HEAD:
                continue
            start = at + count + (words[at + count] in (":", "#", "-"))
            value = _value(str(name), words[start : start + 4])
            if value:
                yield str(name), value
                at = start + len(value.split()) - 1
                break
        at += 1


def _value(name: str, words: Sequence[str]) -> str:
    """The longest beginning of some words that fits a field."""
    for count in range(len(words) if name.endswith("_date") else min(1, len(words)), 0, -1):
        value = " ".join(words[:count]).strip(",;")
        if _fits(name, value):
            return value
    return ""


def _label(text: str) -> tuple[str | None, str]:
    """A field and what stands behind its label in the same phrase."""
    before, colon, after = text.partition(":")
    name = labels.field_of(before)
    if colon and name in _HEAD:
        return name, after.strip()
    if labels.field_of(text) in _HEAD:
        return labels.field_of(text), ""
    words = text.split()
    for count in range(min(5, len(words) - 1), 0, -1):
        name = labels.field_of(" ".join(words[:count]))
        if name in _HEAD and _fits(str(name), " ".join(words[count:])):
            return name, " ".join(words[count:])
    return None, ""


def _fits(name: str, value: str) -> bool:
    """A number has a digit and no blank, a date is one, a currency is one."""
    if name.endswith("_date"):
        try:
            written.day(value)
        except written.Ambiguous:
            return True
        except written.Unreadable:
            return False
        return True
    if name == "order_no":  # "00467190 (Renewal)" tells more than its number
        return any(c.isdigit() for c in value) and len(value) <= 60
    if name == "currency":
        return written.currency_in(value) is not None
    return any(c.isdigit() for c in value) and " " not in value.strip() and len(value) <= 40


def bare_number(draft: Draft, rows: Sequence[Row]) -> None:
    """`No. 31259007` on a line of its own, where nothing else names the document."""
    for row in rows:
        match = re.fullmatch(r"(?:No|Nr|N°|Nº)\.?\s*:?\s*(\S*\d\S*)", " ".join(p.text for p in row))
        if match:
            draft.head["invoice_no"] = match[1]
            return


def only_currency(draft: Draft, texts: Sequence[str]) -> None:
    """The one currency that a document names anywhere, where no label gives it."""
    codes = {
        word
        for text in texts
        for word in re.findall(r"\b[A-Z]{3}\b", text)
        if word in CURRENCIES and word not in _NO_CURRENCIES
    }
    if len(codes) == 1:
        draft.head.setdefault("currency", codes.pop())
