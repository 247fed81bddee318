"""A verification on paper: every script is readable, nothing is cut, nothing is lost in silence."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from sfexit.reports import findings_pdf
from sfexit.reports.fonts import find_font
from sfexit.verify.finding import Finding
from sfexit.verify.verdict import Check, Judgement, Result, Verdict
from sfexit.verify.waivers import Waiver

pytest.importorskip("fpdf")
pdfplumber = pytest.importorskip("pdfplumber")

LOST = Finding("object-left-out", "objects", object="Łódź__c", found="W" * 600)
NOTE = Finding("check-not-made", "live", found="no answer")


def judgement(**changes: Any) -> Judgement:
    checks = [Check(f"check{n}", Result.PASSED, "1 row") for n in range(60)]
    given: dict[str, Any] = {"findings": (LOST, NOTE)}
    return Judgement(Verdict.NOT_SAFE, tuple(checks), **(given | changes))


def pages(font: Path | None, told: Judgement, name: str = "Zażółć gęślą jaźń") -> list[str]:
    content = findings_pdf.document(name, "NOT SAFE: do not cancel", [("Org", name)], told, font)
    with pdfplumber.open(io.BytesIO(content)) as paper:
        for page in paper.pages:
            assert all(char["x0"] > 0 and char["x1"] < page.width for char in page.chars)
        return [page.extract_text() for page in paper.pages]


@pytest.fixture
def font() -> Path:
    found = find_font()
    if found is None:
        pytest.skip("no font with Arabic letters on this system")
    return found


def test_every_letter_is_there_and_every_page_has_heads(font: Path) -> None:
    told = pages(font, judgement())
    assert "Zażółć gęślą jaźń" in told[0] and "NOT SAFE: do not cancel" in told[0]
    assert all("Check Result Looked at Why not" in page for page in told if "passed" in page)
    whole = "\n".join(told)
    assert "Łódź__c" in whole and "To do:" in whole and "?" not in whole
    for heading in ("What is wrong", "What could not be found out"):
        assert f"{heading}\n" in whole
    assert told[0].endswith(f"1 / {len(told)}")


def test_a_name_from_right_to_left_keeps_its_place_in_english_words(font: Path) -> None:
    pytest.importorskip("uharfbuzz")
    line = next(
        one for one in pages(font, judgement(), "مبيعات (00D)")[0].splitlines() if "Org" in one
    )
    assert line.startswith("Org ") and line.endswith("(00D)")


def test_a_character_that_the_font_lacks_is_owned_up_to(font: Path) -> None:
    whole = "\n".join(pages(font, judgement(), "東京"))
    assert "??" in whole and "font of this file lacks" in whole


def test_without_a_font_it_is_written_all_the_same(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    whole = "\n".join(pages(broken, judgement()))
    assert "NOT SAFE: do not cancel" in whole and "font of this file lacks" in whole


def test_what_a_person_waived(font: Path) -> None:
    waived = ((LOST, Waiver(LOST.key, "gehört uns nicht " * 80, "A. Nowak")),)
    whole = "\n".join(pages(font, judgement(findings=(), waived=waived)))
    assert "Waived by a person" in whole and "A. Nowak" in whole and "What is wrong" not in whole
