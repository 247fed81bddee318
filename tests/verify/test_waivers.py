"""Waivers are read strictly: one that is misread must not pass for one that was given."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfexit.errors import UsageProblem
from sfexit.verify.verdict import Waiver
from sfexit.verify.waivers import read_waivers

GOOD = '[[waiver]]\nfinding = "row-missing:Account:001"\nreason = "test"\nperson = "R. Roe"\n'


def read(tmp_path: Path, text: str) -> tuple[Waiver, ...]:
    (tmp_path / "w.toml").write_text(text)
    return read_waivers(tmp_path / "w.toml")


def test_a_waiver(tmp_path: Path) -> None:
    told = read(tmp_path, GOOD + "at_most = 3\n")
    assert told == (Waiver("row-missing:Account:001", "test", "R. Roe", 3),)
    assert read(tmp_path, GOOD)[0].at_most == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must hold entries"),
        ("waiver = 3", "must hold entries"),
        ("all = true\n" + GOOD, "and nothing else"),
        (GOOD.replace("row-missing", "*"), "no code"),
        (GOOD.replace("row-missing", "file-altered"), "cannot be accepted by anybody"),
        (GOOD.replace('"test"', '" "'), "reason is missing"),
        (GOOD.replace("person", "persn"), "unknown key 'persn'"),
        (GOOD + "at_most = true\n", "at_most"),
        (GOOD + "at_most = 0\n", "at_most"),
        (GOOD + GOOD, "waived twice"),
        ("[[waiver]", "not valid TOML"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(UsageProblem, match=why.replace("*", r"\*")):
        read(tmp_path, text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be read"):
        read_waivers(tmp_path / "none.toml")
