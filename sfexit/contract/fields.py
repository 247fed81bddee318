"""Reading a parsed TOML table field by field, so that every mistake is told at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

_LONGEST_TEXT = 2000
_EMAIL = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+\.[^@\s<>\"]+")
_ORG_ID = re.compile(r"00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")
_MISSING = object()


class Table:
    """A table of the file. Getters return a harmless value for a wrong field and remember why."""

    def __init__(self, entries: Any, place: str) -> None:
        self._place = place
        self._problems: list[str] = []
        self._inner: list[Table] = []
        self._asked: set[str] = set()
        self._entries: dict[str, Any] = {}
        if isinstance(entries, dict):
            self._entries = entries
        else:
            self._problems.append(f"{place or 'the file'} must be a table")

    def problems(self) -> tuple[str, ...]:
        """All that is wrong here and below, unknown keys included. Ask when all is read."""
        unknown = [key for key in self._entries if key not in self._asked]
        own = [f"{self._named(key)} is unknown{self._nearest(key)}" for key in unknown]
        below = [one for table in self._inner for one in table.problems()]
        return (*self._problems, *own, *below)

    def wrong(self, key: str, why: str) -> None:
        """Remember what is wrong with a field."""
        self._problems.append(f"{self._named(key)} {why}")

    # ---- tables ------------------------------------------------------------------------------

    def table(self, key: str, *, needed: bool = False) -> Table:
        """A table below this one; an empty one where there is none."""
        value = self._get(key)
        if value is _MISSING and needed:
            self.wrong(f"[{key}]", "is missing")
        inner = Table({} if value is _MISSING else value, self._named(key))
        # Where the whole table is missing, naming each of its fields says nothing new.
        if not (value is _MISSING and needed):
            self._inner.append(inner)
        return inner

    def tables(self, key: str) -> list[Table]:
        """The tables of a list (`[[key]]`)."""
        value = self._get(key)
        if value is _MISSING:
            return []
        if not isinstance(value, list):
            self.wrong(key, f"must be a list of tables, each begun with [[{self._named(key)}]]")
            return []
        inner = [Table(one, f"{self._named(key)}[{n}]") for n, one in enumerate(value, 1)]
        self._inner.extend(inner)
        return inner

    # ---- values ------------------------------------------------------------------------------

    def text(self, key: str, *, needed: bool = False) -> str:
        """A text without control characters, stripped."""
        value = self._get(key)
        if value is _MISSING:
            if needed:
                self.wrong(key, "is missing")
            return ""
        if not isinstance(value, str):
            self.wrong(key, "must be a text in quotes")
            return ""
        if len(value) > _LONGEST_TEXT:
            self.wrong(key, f"is longer than {_LONGEST_TEXT} characters")
            return ""
        if any(not c.isprintable() and c != "\n" for c in value):
            self.wrong(key, "holds control characters")
            return ""
        if needed and not value.strip():
            self.wrong(key, "is empty")
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self._get(key)
        if value is _MISSING:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.wrong(key, "must be a list of texts")
            return ()
        return tuple(one.strip() for one in value if one.strip())

    def choice(
        self, key: str, among: Sequence[str], *, needed: bool = False, default: str = ""
    ) -> str:
        """One of a few words."""
        value = self._get(key)
        if value is _MISSING:
            if needed:
                self.wrong(key, f"is missing: one of {', '.join(among)}")
            return default
        if value not in among:
            self.wrong(key, f"must be one of {', '.join(among)}")
            return default
        return str(value)

    def choices(self, key: str, among: Sequence[str]) -> list[str]:
        """A list of such words."""
        value = self._get(key)
        if value is _MISSING:
            return []
        if not isinstance(value, list) or any(one not in among for one in value):
            self.wrong(key, f"must be a list of {', '.join(among)}")
            return []
        return [str(one) for one in value]

    def day(self, key: str, *, needed: bool = False) -> date | None:
        """A date, written as a TOML date or as a text like 2027-03-31."""
        value = self._get(key)
        if value is _MISSING:
            if needed:
                self.wrong(key, "is missing: a date such as 2027-03-31")
            return None
        day = _day(value)
        if day is None:
            self.wrong(key, "must be a date such as 2027-03-31")
        elif not 1990 <= day.year <= 2100:
            self.wrong(key, "lies outside of 1990 to 2100: check the year")
            day = None
        return day

    def days(self, key: str) -> list[date]:
        """A list of dates."""
        value = self._get(key)
        if value is _MISSING:
            return []
        found = [_day(one) for one in value] if isinstance(value, list) else [None]
        if None in found:
            self.wrong(key, "must be a list of dates such as [2026-12-25, 2027-01-01]")
        return [one for one in found if one is not None]

    def count(
        self,
        key: str,
        *,
        least: int,
        most: int,
        needed: bool = False,
        default: int | None = None,
    ) -> int | None:
        """A whole number between two bounds."""
        value = self._get(key)
        if value is _MISSING:
            if needed:
                self.wrong(key, "is missing")
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.wrong(key, f"must be a whole number from {least} to {most:,}")
            return default
        return value

    def amount(self, key: str, *, needed: bool = False) -> Decimal | None:
        """A number that is not negative; a text is taken too, since it keeps every digit."""
        value = self._get(key)
        if value is _MISSING:
            if needed:
                self.wrong(key, "is missing")
            return None
        try:
            if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
                raise ValueError
            amount = Decimal(value)
        except (ValueError, ArithmeticError):
            amount = Decimal("NaN")
        if not amount.is_finite() or not 0 <= amount < 10**12:
            self.wrong(key, "must be a number such as 150 or 149.50, not negative")
            return None
        return amount

    def email(self, key: str) -> str:
        """An e-mail address, or nothing."""
        value = self.text(key)
        if value and not _EMAIL.fullmatch(value):
            self.wrong(key, "is no e-mail address")
            return ""
        return value

    def org_id(self, key: str) -> str:
        """An org's id of 15 or 18 characters, or nothing."""
        value = self.text(key)
        if value and not _ORG_ID.fullmatch(value):
            self.wrong(key, "is no org id: 15 or 18 characters that begin with 00D")
            return ""
        return value

    # ---- within ------------------------------------------------------------------------------

    def _get(self, key: str) -> Any:
        self._asked.add(key)
        return self._entries.get(key, _MISSING)

    def _named(self, key: str) -> str:
        shown = "".join(c if c.isprintable() else "?" for c in key[:60])
        return f"{self._place}.{shown}" if self._place else shown

    def _nearest(self, key: str) -> str:
        close = difflib.get_close_matches(key, self._asked, n=1, cutoff=0.5)
        if close:
            return f"; did you mean {close[0]}?"
        return f"; known are {', '.join(sorted(self._asked))}"


def _day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return None  # a time of day in a contract's date is a mistake worth telling
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            return None
    return None
