"""The letters' words, one data file for each language.

Every file has the keys of `en.toml` and the same {braces}, sentences and articles in each text,
which the tests hold.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

LANGUAGES = ("en", "fr", "es", "pt", "pl", "ar", "de")
PARTS = ("non_renewal", "switching", "erasure", "mail")
_NARROW, _WIDE = "\u202f", "\u00a0"  # no-break spaces
RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_LEFT_MARK = "\u200e"


@dataclass(frozen=True)
class Run:
    """A piece of text. `fact` is what came from the contract, not from the wording."""

    text: str
    fact: bool = False


Runs = tuple[Run, ...]


@dataclass(frozen=True)
class Wording:
    """The words of one language. `code` is its ISO 639-1 code."""

    code: str
    name: str
    rtl: bool
    draft: str
    colon: str  # between a label and its value
    labels: dict[str, str]
    parts: dict[str, dict[str, Any]]  # letter → key → text or list of texts
    _date: str
    _first: str
    _span: str
    _months: tuple[str, ...]

    def day(self, day: date) -> str:
        """Such as `31 March 2027`, with Western digits."""
        number = self._first if day.day == 1 else str(day.day)
        return self._date.format(day=number, month=self._months[day.month - 1], year=day.year)

    def span(self, start: date, end: date) -> str:
        """Such as `1 April 2026 to 31 March 2027`. No dash: in Arabic, a web page and a Word file
        set `a – b` in opposite orders."""
        return self._span.format(start=self.day(start), end=self.day(end))

    def apart(self, fact: str) -> str:
        """A fact for text without markup. In Arabic, one without Arabic letters stands between
        left-to-right marks: the parts of a number such as 12-34/5 or of an address would change
        places (Unicode Standard Annex 9, rules W4 and N1). What keeps its order by itself has no
        marks, so that it can be copied as it is."""
        sure = fact.isalnum() or (fact[:1].isalpha() and fact[-1:].isalnum())
        if not self.rtl or not fact or sure or RIGHT_TO_LEFT.search(fact):
            return fact
        return f"{_LEFT_MARK}{fact}{_LEFT_MARK}"

    def digits(self, day: date) -> str:
        """Year, month, day. With slashes where text runs from right to left: hyphens between
        numbers would be turned round there (Unicode Standard Annex 9, rules W2 and W4)."""
        return day.isoformat().replace("-", "/") if self.rtl else day.isoformat()

    def text(self, part: str, key: str) -> str:
        """A text as it stands in the file."""
        return str(self.parts[part][key])

    def texts(self, part: str, key: str) -> tuple[str, ...]:
        """A list of texts as it stands in the file."""
        return tuple(map(str, self.parts[part][key]))


@cache
def wording(code: str) -> Wording:
    """The words of a language out of `LANGUAGES`."""
    told = tomllib.loads(
        files("sfexit.cancellation").joinpath("wording", f"{code}.toml").read_text("utf-8")
    )
    if code == "fr":
        told = _spaced(told)
    return Wording(
        code,
        told["name"],
        told["rtl"],
        told["draft"],
        told["colon"],
        told["labels"],
        {part: told[part] for part in PARTS},
        told["date"],
        told["first"],
        told["span"],
        tuple(told["months"]),
    )


def _spaced(told: Any) -> Any:
    """French texts with the blanks that no line may break at: a narrow one before a semicolon, a
    wide one before a colon, inside quotation marks and after n° (Imprimerie nationale, Lexique des
    règles typographiques)."""
    if isinstance(told, dict):
        return {key: _spaced(one) for key, one in told.items()}
    if isinstance(told, list):
        return [_spaced(one) for one in told]
    if not isinstance(told, str):
        return told
    told = told.replace(" ;", f"{_NARROW};").replace(" :", f"{_WIDE}:")
    return told.replace("« ", f"«{_WIDE}").replace(" »", f"{_WIDE}»").replace("n° ", f"n°{_WIDE}")


def fill(template: str, facts: dict[str, str]) -> Runs:
    """The template with its facts put in. A brace inside a fact stays a brace."""
    runs: list[Run] = []
    for literal, name, _, _ in Formatter().parse(template):
        if literal:
            runs.append(Run(literal))
        if name is not None:
            runs.append(Run(facts[name], fact=True))
    return tuple(runs)


def plain(runs: Runs) -> str:
    """Runs as one text."""
    return "".join(run.text for run in runs)
