"""The letters' words, one data file for each language.

Every file has the keys of `en.toml` and the same {braces} in each text, which the tests hold.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any

LANGUAGES = ("en", "fr", "es", "pt", "pl", "ar", "de")


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
    labels: dict[str, str]
    parts: dict[str, dict[str, Any]]  # letter → key → text or list of texts
    _date: str
    _months: tuple[str, ...]

    def day(self, day: date) -> str:
        """Such as `31 March 2027`, with Western digits."""
        return self._date.format(day=day.day, month=self._months[day.month - 1], year=day.year)

    def digits(self, day: date) -> str:
        """Year, month, day. With slashes where text runs from right to left: hyphens between
        numbers would be turned round there (Unicode Standard Annex 9, rules W2 and W4)."""
        return day.isoformat().replace("-", "/") if self.rtl else day.isoformat()

    def span(self, start: date, end: date) -> str:
        """A period. In words where text runs from right to left: a web page and a Word file set
        `a – b` in opposite orders there."""
        if self.rtl:
            from_, until = self.labels["from"], self.labels["until"]
            return f"{from_} {self.digits(start)} {until} {self.digits(end)}"
        return f"{self.digits(start)} – {self.digits(end)}"

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
    return Wording(
        code,
        told["name"],
        told["rtl"],
        told["draft"],
        told["labels"],
        {part: told[part] for part in ("non_renewal", "switching", "mail")},
        told["date"],
        tuple(told["months"]),
    )


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
