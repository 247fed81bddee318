"""The page of the exit guide names every row, and every command that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from sfexit.commands import main

PAGE = (Path(__file__).parents[2] / "docs/exit-guide.md").read_text("utf-8")


def test_every_row_is_answered_once() -> None:
    rows = re.findall(r"^\| S(\d+) \| ([^|]+)\| ([^|]+)\|", PAGE, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 34))
    assert all(step.strip() and answer.strip() for _, step, answer in rows)
    assert all("`sfexit " in answer for _, _, answer in rows)
    assert "## Questions (S34)" in PAGE


@pytest.mark.parametrize(
    ("row", "command"),
    [(8, "licenses"), (8, "compare"), (15, "compare"), (16, "compare"), (17, "compare"),
     (29, "cancellation status --ask-org"), (30, "billing check"), (31, "billing check"),
     (32, "licenses")],
)  # fmt: skip
def test_rows_name_the_command_that_answers_them(row: int, command: str) -> None:
    [line] = re.findall(rf"^\| S{row} \|.*$", PAGE, re.MULTILINE)
    assert f"sfexit {command}" in line


def test_every_command_that_it_names_exists() -> None:
    for words in set(re.findall(r"`sfexit ([a-z][a-z -]*?)(?: [A-Z-]|`| --)", PAGE)):
        name, *more = words.split()
        found = main.root.get_command(click.Context(main.root), name)
        assert found is not None, words
        if more and isinstance(found, click.Group):
            assert more[0] in found.commands, words
