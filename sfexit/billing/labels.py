"""By which words a statement names its fields (labels.toml), compared without accents."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files

_FOLDS = str.maketrans({"ß": "ss", "ł": "l", "Ł": "l", "ø": "o", "æ": "ae", "œ": "oe"})


def folded(text: str) -> str:
    """Lower case, ASCII where it can be, only letters, digits and single blanks."""
    plain = unicodedata.normalize("NFKD", text.translate(_FOLDS)).casefold()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z0-9#]+", plain))


@cache
def _told() -> dict[str, dict[str, list[str]]]:
    told: dict[str, dict[str, list[str]]] = tomllib.loads(
        files("sfexit.billing").joinpath("labels.toml").read_text("utf-8")
    )
    return told


@cache
def fields_by_label() -> dict[str, str]:
    """Folded label to the name of the field."""
    return {folded(label): name for name, labels in _told()["columns"].items() for label in labels}


@cache
def months_by_name() -> dict[str, int]:
    """Folded name of a month, whole or cut to three or four letters, to its number."""
    found: dict[str, int] = {}
    cut: dict[str, set[int]] = {}
    for number, names in _told()["months"].items():
        for name in names:
            found[name] = int(number)
            for letters in (3, 4):
                cut.setdefault(name[:letters], set()).add(int(number))
    # "mar" is March or marzo, but "jui" is June or July: only what is one month is taken.
    return {**{name: next(iter(of)) for name, of in cut.items() if len(of) == 1}, **found}


def field_of(label: str) -> str | None:
    """The field that a heading names, or None. `(EUR)` and the like behind it do not matter, nor
    a second language behind a stroke; a heading that ends in `%` names a rate."""
    if re.search(r"[^\d\s]\s*%\s*$", label):
        return None
    shown = re.sub(r"\([^)]*\)|\d+(?:[.,]\d+)?\s*%|[€$£]|\bN\s*[°º]", _blank, label)
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", shown)  # InvoiceNo
    ways = (shown, parted, shown.partition(" / ")[0], parted.partition("/")[0])
    return next((name for name in map(_field, ways) if name), None)


def _blank(match: re.Match[str]) -> str:
    return "n" if match[0][:1] in "Nn" else " "


def _field(label: str) -> str | None:
    plain = folded(label)
    known = fields_by_label()
    if plain in known:
        return known[plain]
    words = plain.split()
    if len(words) > 1 and re.fullmatch(r"eur|usd|gbp|chf|pln|brl|cad|aud|jpy|mxn", words[-1]):
        return known.get(" ".join(words[:-1]))
    return None


def says(text: str, kind: str) -> bool:
    """Whether a text holds one of the words of a kind (`[words]`), as whole words."""
    plain = f" {folded(text)} "
    return any(f" {word} " in plain for word in _told()["words"][kind])


def begins_with(text: str, kind: str) -> bool:
    """Whether a text begins with one of the words of a kind."""
    plain = f"{folded(text)} "
    return any(plain.startswith(f"{word} ") for word in _told()["words"][kind])
