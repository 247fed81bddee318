"""The words of seven languages: the same keys, the same facts, nothing in English left over."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from importlib.resources import files
from string import Formatter
from typing import Any

import pytest

from sfexit.cancellation.wording import LANGUAGES, PARTS, fill, plain, wording
from sfexit.contract.laws import laws

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


# Full stops that end no sentence.
SHORT = re.compile(r"\b(?:art|ust|lit|[Nn]r|Exas|V|Exmos|n|Id)\.|\d\.(?=º)")


def sentences(text: str) -> int:
    return len(re.findall(r"[.?!؟](?=\s|$)", SHORT.sub("", text)))


@pytest.mark.parametrize("code", OTHERS)
def test_each_text_has_as_many_sentences_and_the_same_articles(code: str) -> None:
    english, other = flat(document("en")), flat(document(code))
    for key, text in english.items():
        if key.startswith(tuple(f".{part}" for part in PARTS)):
            if not key.endswith(".regards"):  # French takes leave with a sentence
                assert sentences(other[key]) == sentences(text), key
            # Articles, paragraphs and the number of the regulation.
            assert sorted(re.findall(r"\d+", other[key])) == sorted(re.findall(r"\d+", text)), key


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_letter_reserves_all_rights_and_grants_nothing(code: str) -> None:
    nothing = {"en": "acknowledges no debt and waives no right",
               "fr": "ne vaut ni reconnaissance de dette ni renonciation",
               "es": "no supone reconocimiento de deuda ni renuncia",
               "pt": "não constitui reconhecimento de dívida nem renúncia",
               "pl": "nie stanowi uznania długu ani zrzeczenia się",
               "ar": "ولا يُعدّ هذا الإشعار إقرارًا بأي دين ولا تنازلًا عن أي حق",
               "de": "weder ein Anerkenntnis einer Forderung noch ein Verzicht"}  # fmt: skip
    for part in ("non_renewal", "switching", "erasure"):
        assert nothing[code] in wording(code).text(part, "closing")


@pytest.mark.parametrize("code", LANGUAGES)
def test_marks_are_those_of_the_language(code: str) -> None:
    quotes = {"fr": "«»", "es": "«»", "pt": "«»", "ar": "«»", "de": "„“", "pl": "„”", "en": ""}
    said = "".join(flat(document(code)).values())
    assert set(re.findall('[«»„“”"]', said)) == set(quotes[code])
    assert "'" not in said and "  " not in said
    if code == "ar":
        assert not set(",;?") & set(re.sub(r"\{\w+\}", "", said))


def test_no_line_breaks_before_a_french_mark() -> None:
    words = wording("fr")
    told = [words.draft, words.colon, *flat(words.parts).values()]
    assert not [text for text in told if re.search(r" [;:»]|« |n° ", text)]
    assert "contrat\u202f; nous" in words.text("non_renewal", "caution")
    assert words.colon == "\u00a0:"


def test_marks_keep_the_order_of_a_fact_in_arabic() -> None:
    words = wording("ar")
    assert words.apart("12-34/5") == "\u200e12-34/5\u200e"
    assert words.apart("12 Rue A, Paris") == "\u200e12 Rue A, Paris\u200e"
    assert words.apart("Apps Inc.") == "\u200eApps Inc.\u200e"
    for sure in ("01234567", "it@acme.example", "Q-0987654", "شركة 12-3", ""):
        assert words.apart(sure) == sure
    assert wording("de").apart("12-34/5") == "12-34/5"


def test_numbers_of_days_take_the_form_that_the_wording_has() -> None:
    # Arabic counts 11 to 99 with the singular (يومًا), Polish all but 1 with dni.
    for law in laws().values():
        assert 11 <= law.transition_days_most <= 99
        assert 11 <= law.retrieval_days_least <= 99


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
        if key not in (".rtl", ".date", ".labels.domain", ".first", ".colon"):
            assert re.search(r"[\u0600-\u06ff]", text), key


@pytest.mark.parametrize(
    ("code", "said"),
    [("en", "1 March 2027"), ("fr", "1er mars 2027"), ("es", "1 de marzo de 2027"),
     ("pt", "1 de março de 2027"), ("pl", "1 marca 2027 r."), ("ar", "1 مارس 2027"),
     ("de", "1. März 2027")],
)  # fmt: skip
def test_dates(code: str, said: str) -> None:
    assert wording(code).day(date(2027, 3, 1)) == said


@pytest.mark.parametrize(
    ("code", "said"),
    [("en", "1 April 2026 to 31 March 2027"), ("fr", "du 1er avril 2026 au 31 mars 2027"),
     ("es", "del 1 de abril de 2026 al 31 de marzo de 2027"),
     ("pt", "de 1 de abril de 2026 a 31 de março de 2027"),
     ("pl", "od 1 kwietnia 2026 r. do 31 marca 2027 r."),
     ("ar", "من 1 أبريل 2026 إلى 31 مارس 2027"),
     ("de", "1. April 2026 bis 31. März 2027")],
)  # fmt: skip
def test_spans(code: str, said: str) -> None:
    assert wording(code).span(date(2026, 4, 1), date(2027, 3, 31)) == said


def test_digits_do_not_turn_round_in_arabic() -> None:
    # A hyphen between numbers is resolved to the direction of the text; a slash joins them.
    assert wording("ar").digits(date(2027, 3, 1)) == "2027/03/01"
    assert wording("de").digits(date(2027, 3, 1)) == "2027-03-01"


def test_a_brace_in_a_fact_stays_a_brace() -> None:
    runs = fill("to {vendor}.", {"vendor": "{contract} {0}"})
    assert plain(runs) == "to {contract} {0}."
    assert [run.fact for run in runs] == [False, True, False]
