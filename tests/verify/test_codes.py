"""The codes of findings against their page."""

from __future__ import annotations

import re
from pathlib import Path

from sfexit.verify.codes import CODES, Severity

PAGE = Path(__file__).parents[2] / "docs" / "findings.md"


def rows() -> list[list[str]]:
    lines = PAGE.read_text("utf-8").splitlines()
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [cells for cells in found if re.fullmatch(r"`[a-z0-9-]+`", cells[0]) and len(cells) == 7]


def test_the_page_shows_exactly_the_table() -> None:
    shown = [
        [
            f"`{one.code}`",
            one.severity.value,
            one.level.value,
            str(one.cost),
            "yes" if one.waivable else "no",
            one.meaning,
            one.remedy,
        ]
        for one in CODES.values()
    ]
    assert rows() == shown


def test_what_damages_or_hides_says_what_to_do() -> None:
    for one in CODES.values():
        assert one.remedy or one.severity is Severity.NOTE
        assert 1 <= one.cost <= 5
