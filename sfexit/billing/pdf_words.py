"""The words of a PDF page by where they stand: phrases, rows, and tables drawn with lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_GAP = 0.45  # of the letters' height: a wider gap parts two phrases


@dataclass(frozen=True)
class Phrase:
    """Words that stand close together. `x0` and `x1` are points from the left edge."""

    text: str
    x0: float
    x1: float


Row = list[Phrase]


def rows(page: Any) -> list[Row]:
    """Phrases of a page, from the top down, each row from left to right."""
    words = sorted(page.extract_words(use_text_flow=False), key=lambda w: (w["top"], w["x0"]))
    lines: list[list[Any]] = []
    for word in words:
        middle = (word["top"] + word["bottom"]) / 2
        if lines and lines[-1][0]["top"] <= middle <= lines[-1][0]["bottom"]:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [
        _phrases(sorted(line, key=lambda w: w["x0"]))
        for line in lines
        if any(c.isalnum() for word in line for c in word["text"])  # no rule drawn with dashes
    ]


def _letter(words: Sequence[Any]) -> float:
    """The width of a letter where all are of one width, as on a line printer; else 0."""
    widths = [(word["x1"] - word["x0"]) / len(word["text"]) for word in words]
    same = len(words) > 2 and max(widths) - min(widths) < 0.02 * max(widths)
    return max(widths) if same else 0.0


def _phrases(words: Sequence[Any]) -> Row:
    found: Row = []
    wide = _letter(words)
    for word in words:
        limit = 1.5 * wide if wide else _GAP * (word["bottom"] - word["top"])
        if found and word["x0"] - found[-1].x1 <= limit:
            last = found.pop()
            found.append(Phrase(f"{last.text} {word['text']}", last.x0, word["x1"]))
        else:
            found.append(Phrase(word["text"], word["x0"], word["x1"]))
    return found


def ruled(page: Any) -> list[list[list[str]]]:
    """Tables drawn with lines: rows of cells."""
    return [
        [[(cell or "").replace("\n", " ").strip() for cell in row] for row in table]
        for table in page.extract_tables()
    ]


def merged(rows: Sequence[Row]) -> Row:
    """Rows as one: what stands one above the other belongs together."""
    found: list[Phrase] = []
    for row in rows:
        for phrase in row:
            for number, one in enumerate(found):
                if phrase.x0 < one.x1 and phrase.x1 > one.x0:
                    found[number] = Phrase(
                        f"{one.text} {phrase.text}", min(one.x0, phrase.x0), max(one.x1, phrase.x1)
                    )
                    break
            else:
                found.append(phrase)
    return sorted(found, key=lambda one: one.x0)
