"""`sfexit demo`: what it leaves, what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sfexit.commands import demo

from .conftest import Ran

Sfexit = Callable[..., Ran]


def test_demo(
    sfexit: Sfexit, tmp_path: Path, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = sfexit("demo", "--rows", "1000", SFEXIT_INSTANCE_URL="", SFEXIT_ACCESS_TOKEN="")
    assert ran.code == 0, ran.err
    assert ran.out == ""
    for step in "123456789":
        assert f"\n{step}. " in "\n" + ran.err
    assert "Stopped, as staged for this demo" in ran.err
    assert "FAILED" not in ran.err
    asked = ran.err.partition("\n4. ")[2].partition("\n5. ")[0]
    assert asked.index("   SAFE with 1 waiver") < asked.index("   NOT SAFE with 1 waiver: the org")
    assert "ok        data/tools/verify.py" in ran.err
    refreshed = ran.err.partition("\n5. ")[2].partition("\n6. ")[0]
    assert "   SAFE with 1 waiver" in refreshed
    people = ran.err.partition("\n6. ")[2].partition("\n7. ")[0]
    assert "Offboarding COMPLETE" in people and "Undo COMPLETE" in people
    assert "Every record has the owner it had." in people
    verified = ran.err.partition("\n8. ")[2]
    assert (
        verified.index("   INTACT\n")
        < verified.index("file-altered")
        < verified.index("   DAMAGED\n")
    )
    bag = tmp_path / "demo-exit/bags/0002"
    assert json.loads((bag / "data/datapackage.json").read_bytes())["resources"]
    # A rehearsal leaves neither a signing key nor a second folder behind.
    assert list(clean_environment.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["demo-exit"]


def test_folder_of_somebody_else_is_refused(sfexit: Sfexit, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    ran = sfexit("demo", tmp_path)
    assert ran.code == 5
    assert "not made by a demo" in ran.sentence
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_folder_of_an_earlier_demo_is_replaced(tmp_path: Path) -> None:
    demo._make_room(tmp_path / "look")
    (tmp_path / "look/old").write_text("old")
    demo._make_room(tmp_path / "look")
    assert not (tmp_path / "look/old").exists()


@pytest.mark.parametrize("rows", ["10", "many", "99999999"])
def test_rows_out_of_range_are_2(sfexit: Sfexit, tmp_path: Path, rows: str) -> None:
    ran = sfexit("demo", tmp_path / "look", "--rows", rows)
    assert ran.code == 2
    assert "--rows" in ran.err
    assert not (tmp_path / "look").exists()


def test_validator_that_is_not_here(tmp_path: Path) -> None:
    check = demo._run("nothing", ["no-such-program-anywhere"], tmp_path)
    assert check.verdict == "not here"
