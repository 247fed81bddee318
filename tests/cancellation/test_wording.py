"""The words of seven languages: the same keys, the same facts, nothing in English left over."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from importlib.resources import files
from string import Formatter
from typing import Any

import pytest

from sfexit.cancellation.wording import LANGUAGES, fill, plain, wording

OTHERS = [code for code in LANGUAGES if code != "en"]


def document(code: str) -> dict[str, Any]:
    path = files("sfexit.cancellation").joinpath("wording", f"{code}.toml")
    return tomllib.loads(path.read_text("utf-8"))


def flat(told: Any, place: str = "") -> dict[str, str]:
    if isinstance(told, dict):
        return {k: v for key, one in told.items() for k, v in flat(one, f"{place}.{key}").items()}
    if isinstance(told, list):
        return {k: v for n, one in enumerate(told) for k, v in flat(one, f"{place}[{n}]").items()}
    return {place: str(told)}


def braces(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("code", OTHERS)
def test_each_text_has_its_counterpart_with_the_same_facts(code: str) -> None:
    english, other = flat(document("en")), flat(document(code))
    assert list(other) == list(english)
    for key, text in english.items():
        assert braces(other[key]) == braces(text), key
        assert other[key].strip()


@pytest.mark.parametrize("code", OTHERS)
def test_no_sentence_stays_english(code: str) -> None:
    english, other = flat(document("en")), flat(document(code))
    same = {key for key, text in english.items() if text == other[key] and " " in text}
    assert same <= {".labels.domain", ".date"}


def test_languages_are_all_there_and_each_says_to_ask_counsel() -> None:
    found = {one.name.removesuffix(".toml")
             for one in files("sfexit.cancellation").joinpath("wording").iterdir()}  # fmt: skip
    assert found == set(LANGUAGES)
    ask = {"en": "counsel", "fr": "conseil", "es": "asesor", "pt": "advogado", "pl": "prawnik",
           "ar": "مستشار", "de": "anwaltlich"}  # fmt: skip
    assert all(ask[code] in wording(code).draft for code in LANGUAGES)


def test_only_arabic_runs_from_the_right_and_is_in_arabic_letters() -> None:
    assert [code for code in LANGUAGES if wording(code).rtl] == ["ar"]
    for key, text in flat(document("ar")).items():
        if key not in (".rtl", ".date", ".labels.domain"):
            assert re.search(r"[\u0600-\u06ff]", text), key


@pytest.mark.parametrize(
    ("code", "said"),
    [("en", "1 March 2027"), ("fr", "1 mars 2027"), ("es", "1 de marzo de 2027"),
     ("pt", "1 de março de 2027"), ("pl", "1 marca 2027 r."), ("ar", "1 مارس 2027"),
     ("de", "1. März 2027")],
)  # fmt: skip
def test_dates(code: str, said: str) -> None:
    assert wording(code).day(date(2027, 3, 1)) == said


def test_digits_do_not_turn_round_in_arabic() -> None:
    # A hyphen between numbers is resolved to the direction of the text; a slash joins them.
    assert wording("ar").digits(date(2027, 3, 1)) == "2027/03/01"
    assert wording("de").digits(date(2027, 3, 1)) == "2027-03-01"


def test_a_brace_in_a_fact_stays_a_brace() -> None:
    runs = fill("to {vendor}.", {"vendor": "{contract} {0}"})
    assert plain(runs) == "to {contract} {0}."
    assert [run.fact for run in runs] == [False, True, False]


def test_a_period_reads_the_same_way_whatever_sets_it() -> None:
    start, end = date(2026, 4, 1), date(2027, 3, 31)
    assert wording("en").span(start, end) == "2026-04-01 – 2027-03-31"
    arabic = wording("ar")
    assert arabic.span(start, end) == (
        f"{arabic.labels['from']} 2026/04/01 {arabic.labels['until']} 2027/03/31"
    )
