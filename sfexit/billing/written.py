"""Amounts and dates as statements write them. What can be read in two ways is not read at all.

`1.234` is a thousand or one and a bit, `03/04/2026` is March or April: a document decides by its
other amounts and dates (`evidence_*`), or the user does; nothing here takes the likelier one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sfexit.billing.labels import folded, months_by_name
from sfexit.contract.currencies import CURRENCIES

POINT, COMMA = "point", "comma"
DMY, MDY, YMD = "dmy", "mdy", "ymd"

_SIGNS = {"€": "EUR", "£": "GBP", "$": "USD", "zł": "PLN", "¥": "JPY", "R$": "BRL"}
_BODY = re.compile(r"[0-9][0-9.,'’\u00a0\u202f\u2009 ]*")
_NUMERIC = re.compile(r"(\d{1,4})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{1,4})")
_NAMED = re.compile(
    r"(?:(?P<d1>\d{1,2})(?:st|nd|rd|th|er|\.)?[\s\-./]*(?:de\s+)?(?P<m1>[^\W\d_]{3,12})\.?[\s\-./,]*"
    r"(?:de\s+)?(?P<y1>\d{4}|\d{2}))|(?:(?P<m2>[^\W\d_]{3,12})\.?[\s\-]*(?P<d2>\d{1,2})"
    r"(?:st|nd|rd|th)?,?[\s\-]+(?P<y2>\d{4}))"
)


class Ambiguous(ValueError):
    """Can be read in two ways."""


class Unreadable(ValueError):
    """Is no amount, or no date."""


@dataclass(frozen=True)
class Habits:
    """How a document writes. None: not known, so that only the unmistakable is read."""

    decimal: str | None = None
    dates: str | None = None


def amount(text: str, habits: Habits = Habits()) -> Decimal:
    """Read an amount: `1,234.00`, `1.234,00`, `1 234,00`, `1'234.00`, `(5.00)`, `5.00-`, `-5`,
    with or without a currency. Raises Ambiguous or Unreadable."""
    negative, body = _stripped(text)
    whole, fraction = _split(body, habits.decimal)
    value = Decimal(f"{whole}.{fraction}") if fraction else Decimal(whole)
    return -value if negative else value


def is_negative(text: str) -> bool:
    """Whether an amount has a sign of something given back; False for what is no amount."""
    try:
        return _stripped(text)[0]
    except Unreadable:
        return False


def turned(text: str) -> str:
    """An amount with the other sign, otherwise as it was written; what is no amount stays."""
    try:
        negative, body = _stripped(text)
    except Unreadable:
        return text
    return body if negative else f"-{body}"


def decimal_of(text: str) -> str | None:
    """The decimal mark that an amount proves, or None when it proves none."""
    try:
        _, body = _stripped(text)
    except Unreadable:
        return None
    marks = [c for c in body if c in ".,"]
    if len(set(marks)) == 2:
        return POINT if marks[-1] == "." else COMMA
    if len(marks) == 1:
        tail = body.rpartition(marks[0])[2]
        head = body.rpartition(marks[0])[0]
        # Only three digits behind a lone mark may be a thousand.
        if len(tail) != 3 or not 1 <= len(head) <= 3 or head == "0":
            return POINT if marks[0] == "." else COMMA
    if len(marks) > 1:  # several of one kind part thousands
        return COMMA if marks[0] == "." else POINT
    return None


def currency_in(text: str) -> str | None:
    """The currency that an amount names: a code of ISO 4217, or a sign that only one has."""
    for word in re.findall(r"[A-Za-z]{3}", text):
        if word.upper() in CURRENCIES:
            return str(word.upper())
    if "€" in text:
        return "EUR"
    if "£" in text:
        return "GBP"
    return "PLN" if "zł" in text else None  # $ and ¥ are of several countries


def day(text: str, habits: Habits = Habits()) -> date:
    """Read a date in numbers or with a month's name. Raises Ambiguous or Unreadable."""
    text = text.strip()
    packed = re.fullmatch(r"((?:19|20)\d{2})(\d{2})(\d{2})", text)  # ISO 8601, basic format
    if packed:
        return _made(int(packed[1]), int(packed[2]), int(packed[3]))
    numeric = _NUMERIC.fullmatch(re.sub(r"[T ]\d{2}:\d{2}.*$", "", text))
    if numeric:
        return _numeric(numeric, habits.dates)
    named = _NAMED.fullmatch(text)
    if named:
        name = folded(named["m1"] or named["m2"])
        month = months_by_name().get(name) or months_by_name().get(name[:4])
        if month is not None:
            year = int(named["y1"] or named["y2"])
            return _made(
                year + 2000 if year < 100 else year, month, int(named["d1"] or named["d2"])
            )
    raise Unreadable(f"{text[:40]!r} is no date")


def order_of(text: str) -> str | None:
    """The order of day and month that a date proves, or None."""
    match = _NUMERIC.fullmatch(text.strip())
    if not match or len(match[1]) > 2:
        return None
    first, second = int(match[1]), int(match[3])
    if first > 12 >= second:
        return DMY
    if second > 12 >= first:
        return MDY
    # Nobody writes the month first with points.
    return DMY if match[2] == "." else None


def two_days(text: str, habits: Habits = Habits()) -> tuple[date, date]:
    """Read a period such as `01.01.2026 - 31.12.2026`. Raises Ambiguous or Unreadable."""
    parts = re.split(r"\s+(?:[-–—]|to|bis|au|a|al|do|until|through)\s+|\s*[–—]\s*", text.strip())
    if len(parts) == 2:
        with suppress(Unreadable):
            return day(parts[0], habits), day(parts[1], habits)
    found = _dates(text)
    if len(found) != 2:
        raise Unreadable(f"{text[:60]!r} is no period")
    return day(found[0], habits), day(found[1], habits)


def period_in(text: str) -> str | None:
    """The two dates that a text names as a period, or None: `du 01/07/2025 au 30/09/2025`."""
    found = _dates(text)
    return f"{found[0]} – {found[1]}" if len(found) == 2 else None


def _dates(text: str) -> list[str]:
    """Everything in a text that is a date, as it is written there."""
    found = []
    rest = text
    while match := min(
        (m for m in (_NUMERIC.search(rest), _NAMED.search(rest)) if m),
        key=lambda m: m.start(),
        default=None,
    ):
        try:
            day(match.group())
            found.append(match.group())
            rest = rest[match.end() :]
        except Ambiguous:
            found.append(match.group())
            rest = rest[match.end() :]
        except Unreadable:
            rest = rest[match.start() + 1 :]
    return found


def days_in(text: str) -> list[str]:
    """Every date in numbers within a text, as it is written."""
    return [one.group() for one in _NUMERIC.finditer(text)]


def habits_of(
    amounts: Iterable[str],
    dates: Iterable[str],
    told: Habits = Habits(),
) -> Habits:
    """How a document writes, from all its amounts and dates; what the user told wins.

    Where a document proves two ways, it proves none.
    """
    marks = {one for one in map(decimal_of, amounts) if one}
    orders = {one for text in dates for one in map(order_of, days_in(text)) if one}
    return Habits(
        told.decimal or (marks.pop() if len(marks) == 1 else None),
        told.dates or (orders.pop() if len(orders) == 1 else None),
    )


def _stripped(text: str) -> tuple[bool, str]:
    """Whether it is negative, and the digits with their marks."""
    plain = text.strip().replace("−", "-").replace("–", "-")
    for sign in sorted(_SIGNS, key=len, reverse=True):
        plain = plain.replace(sign, " ")
    plain = re.sub(
        r"\b([A-Za-z]{3})\b", lambda m: " " if m[1].upper() in CURRENCIES else m[1], plain
    )
    plain = plain.strip()
    negative = False
    if plain.upper().endswith("CR"):  # bookkeepers' credit
        negative, plain = True, plain[:-2].strip()
    if plain.startswith("(") and plain.endswith(")"):
        negative, plain = not negative, plain[1:-1].strip()
    if plain.startswith("-") or plain.endswith("-"):
        negative, plain = not negative, (plain[1:] if plain.startswith("-") else plain[:-1]).strip()
    elif plain.startswith("+"):
        plain = plain[1:].strip()
    if not _BODY.fullmatch(plain) or plain[-1] in " '’":
        raise Unreadable(f"{text[:40]!r} is no amount")
    return negative, re.sub(r"[\u00a0\u202f\u2009 ’]", "'", plain)


def _split(body: str, decimal: str | None) -> tuple[str, str]:
    """Digits before and after the decimal mark."""
    shown = body.replace("'", " ")
    marks = {c for c in body if c in ".,"}
    mark = {POINT: ".", COMMA: ","}.get(decimal or "")
    if not marks:
        return _grouped(body, "'", shown), ""
    proven = decimal_of(body)
    if proven:
        own = "." if proven == POINT else ","
        if mark and own != mark:
            raise Ambiguous(f"{shown!r} does not fit the decimal {decimal} of the rest")
        mark = own
    if mark is None:
        raise Ambiguous(f"{shown!r} may be a thousand or a fraction")
    other = "," if mark == "." else "."
    whole, point, fraction = body.partition(mark)
    if point and (not fraction.isdigit() or not whole):
        raise Unreadable(f"{shown!r} is no amount")
    parting = other if other in whole else "'"
    if other in whole and "'" in whole:
        raise Unreadable(f"{shown!r} parts its thousands in two ways")
    return _grouped(whole, parting, shown), fraction


def _grouped(whole: str, parting: str, shown: str) -> str:
    """The digits of a number whose thousands are parted."""
    groups = whole.split(parting)
    if any(not one.isdigit() for one in groups) or (
        len(groups) > 1 and (len(groups[0]) > 3 or any(len(one) != 3 for one in groups[1:]))
    ):
        raise Unreadable(f"{shown!r} is no amount")
    return "".join(groups)


def _numeric(match: re.Match[str], order: str | None) -> date:
    first, middle, last = match[1], int(match[3]), match[4]
    if len(first) == 4:
        return _made(int(first), middle, int(last))
    if len(first) > 2 or len(last) not in (2, 4):
        raise Unreadable(f"{match[0]!r} is no date")
    year = int(last) + (2000 if len(last) == 2 else 0)
    own = order_of(match[0])
    if own and order in (DMY, MDY) and own != order:
        if match[2] != "." or order == DMY:
            raise Ambiguous(f"{match[0]!r} does not fit the order of the other dates")
        own = order
    if own is None and int(first) == middle:
        own = DMY  # the same either way
    order = own or order
    if order == DMY:
        return _made(year, middle, int(first))
    if order == MDY:
        return _made(year, int(first), middle)
    raise Ambiguous(f"{match[0]!r} may have the day or the month first")


def _made(year: int, month: int, number: int) -> date:
    try:
        made = date(year, month, number)
    except ValueError as error:
        raise Unreadable(f"{year}-{month}-{number} is no day") from error
    if not 1990 <= made.year <= 2100:
        raise Unreadable(f"{made} lies outside of 1990 to 2100")
    return made
