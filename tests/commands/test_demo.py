"""`sfexit demo`: the whole exit, what it leaves, what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from sfexit.commands import demo
from sfexit.commands.rehearsal import proving, witnesses
from sfexit.commands.rehearsal.player import Player
from sfexit.commands.rehearsal.stage import Stage, newest
from sfexit.errors import Interrupted
from sfexit.simulated_org import SimulatedOrg
from sfexit.simulated_org.catalogue import standard_objects

from .conftest import Ran

Sfexit = Callable[..., Ran]

#: What an exit is made of, in its order: each must be a command line of the rehearsal.
STEPS = (
    "contract show", "assess", "export", "cancellation notice", "verify-backup",
    "offboard-users plan", "offboard-users apply", "offboard-users undo", "export",
    "verify-backup", "offboard-users apply", "licenses", "compare", "cancellation notice",
    "cancellation record", "cancellation close", "billing check", "status", "cancellation status",
)  # fmt: skip


def test_demo(
    sfexit: Sfexit, tmp_path: Path, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = sfexit("demo", "--rows", "1000", SFEXIT_INSTANCE_URL="", SFEXIT_ACCESS_TOKEN="")
    assert ran.code == 0, ran.err
    assert ran.out == ""
    assert "FAILED" not in ran.err
    lines = re.findall(r"^   \$ sfexit (.*)$", ran.err, re.MULTILINE)
    at = 0
    for step in STEPS:
        at = next(n for n, line in enumerate(lines) if n >= at and line.startswith(step)) + 1
    # The letters are refused before the proof, and written after it.
    refused, written = (m.end() for m in re.finditer(r"\$ sfexit cancellation notice", ran.err))
    proven = [m.start() for m in re.finditer("SAFE with 1 waiver: the archive", ran.err)]
    assert refused < proven[0] < proven[-1] < written
    assert "1 gate open" in ran.err[refused : refused + 300]
    assert "The session has ended, as staged" in ran.err
    assert "Every record has the owner it had." in ran.err
    assert "NOT SAFE with 1 waiver" in ran.err and "7 of 8 gates closed" in ran.err
    assert re.search(r"yes +Is the org locked", ran.err) and "ORG_LOCKED" in ran.err
    assert "no price is known" not in ran.err  # licences of a real export have their names
    assert "ok        data/tools/verify.py" in ran.err and "file-altered" in ran.err
    bag = tmp_path / "demo-exit/bags/0002"
    assert json.loads((bag / "data/datapackage.json").read_bytes())["resources"]
    # A rehearsal leaves neither a signing key nor a second folder behind.
    assert list(clean_environment.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["demo-exit"]
    _check_page(tmp_path / "demo-exit/index.html")


def _check_page(path: Path) -> None:
    """Each link leads to a file, and all pages of the home are linked."""
    text = path.read_text("utf-8")
    linked = {unquote(one) for one in re.findall(r'href="([^"]+)"', text)}
    assert all((path.parent / one).is_file() for one in linked)
    made = {
        one.relative_to(path.parent).as_posix()
        for one in path.parent.rglob("*.html")
        if one != path and "bags/0001" not in one.as_posix() and "proofs" not in one.as_posix()
    }
    assert made <= linked, made - linked
    assert "each ended as it should" in text


@pytest.fixture
def stage(tmp_path: Path, clean_environment: Path) -> Iterator[Stage]:
    names = ("User", "Account")
    org = SimulatedOrg(rows=20, objects=[one for one in standard_objects() if one.name in names])
    with Stage(tmp_path, org, "http://127.0.0.1:1", tmp_path / "settings") as stage:
        stage.act("First")
        yield stage


def test_a_command_that_ends_otherwise_is_a_failure(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.run("status", tmp_path / "none", expect=2)
    assert not stage.failed
    stage.run("status", tmp_path / "none")
    assert stage.failed and stage.acts[0].wrong == ["it ended with 2, not 0"]
    stage.made("a page", tmp_path / "none.html")
    assert "was not made" in capsys.readouterr().err


def test_an_act_without_what_it_needs_ends_the_play(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    clean_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing_made(stage: Stage, _: object) -> None:
        newest(stage.home / "bags", "*")

    monkeypatch.setattr(proving, "export", nothing_made)
    told = demo._play(tmp_path, 1_000, tmp_path / "settings")
    assert told.failed and "was not made, so the rehearsal ends here" in capsys.readouterr().err
    assert demo._page(told, 1.0).is_file()


def test_only_the_first_lines_are_shown_and_all_are_kept(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = stage.run("status", tmp_path, most=1)
    shown = capsys.readouterr().err
    assert "     Org not known yet\n     … and " in shown
    assert "Contract known" in ran.said and "Contract known" not in shown


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
    check = witnesses.run("nothing", ["no-such-program-anywhere"], tmp_path)
    assert check.verdict == "not here"


def test_only_what_the_rehearsal_sets_is_set(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the user's own org nor a module that lies about has a part in it."""
    monkeypatch.setenv("SFEXIT_CONTRACT", str(tmp_path / "mine.toml"))
    monkeypatch.setenv("SFEXIT_INSTANCE_URL", "https://mine.my.salesforce.com")
    (tmp_path / "json.py").write_text("raise SystemExit(99)\n")
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    player = Player()
    try:
        assert player.run(["orgs"], {}, said.append, said.append) == 0
        assert player.run(["no-such-command"], {}, said.append, said.append) == 2
        assert player.run(["export", str(tmp_path / "h")], {}, said.append, said.append) == 4
        assert "SFEXIT_INSTANCE_URL" in "".join(said) and "mine" not in "".join(said)
    finally:
        player.close()


def test_a_player_that_was_ended_stops_the_rehearsal(stage: Stage, tmp_path: Path) -> None:
    stage._player._process.kill()
    stage._player._process.wait()
    with pytest.raises(Interrupted, match="was ended"):
        stage.run("status", tmp_path)
