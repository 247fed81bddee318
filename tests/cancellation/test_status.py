"""`sfexit status`: gates close one after the other, by what lies in the home."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from .samples import DESPITE, RIGHT, notice, proven, run, with_contract


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return with_contract(tmp_path / "acme-exit")


def states(home: Path, today: str = "2030-11-22") -> dict[str, str]:
    code, out, _ = run("status", home, "--json", "-q", "--today", today)
    assert code == 0
    told = json.loads(out)
    assert told["schema"] == "sfexit-status/1"
    return {one["gate"]: one["state"] for one in told["gates"]}


def closed(home: Path, today: str = "2030-11-22") -> list[str]:
    return [gate for gate, state in states(home, today).items() if state == "closed"]


def journal(folder: Path, name: str, purpose: str, *, complete: bool, at: str) -> None:
    """A journal of an offboarding, chained as the real one is."""
    folder.mkdir(exist_ok=True)
    before, lines = "0" * 64, []
    for seq, event in enumerate(
        [{"event": "begun", "plan": "x", "purpose": purpose},
         {"event": "finished", "complete": complete}], 1
    ):  # fmt: skip
        line = json.dumps({"seq": seq, "at": at, **event, "prev": before}).encode()
        before = hashlib.sha256(line).hexdigest()
        lines.append(line + b"\n")
    (folder / name).write_bytes(b"".join(lines))


def test_gates_in_the_order_of_an_exit(tmp_path: Path) -> None:
    assert list(states(tmp_path)) == [
        "contract", "assess", "export", "verify", "offboard", "cancel", "confirm", "bills",
    ]  # fmt: skip
    assert closed(tmp_path) == []


def test_each_step_closes_its_gate(home: Path) -> None:
    assert closed(home) == ["contract"]
    (home / "assessment.json").write_text("{}")
    proven(home)
    assert closed(home) == ["contract", "assess", "export", "verify"]
    assert notice(home, "--confirm", RIGHT, "-q")[0] == 0
    assert "cancel" not in closed(home)
    run("cancellation", "record", home, "sent", "--channel", "letter", "--date", "2030-11-23",
        "--today", "2030-11-23")  # fmt: skip
    assert closed(home, "2030-11-24")[-1] == "cancel"
    run("cancellation", "record", home, "confirmed", "--date", "2030-11-25", "--today",
        "2030-11-25")  # fmt: skip
    assert closed(home, "2030-11-26")[-2:] == ["cancel", "confirm"]


def test_offboarding_done_unfinished_taken_back(home: Path) -> None:
    folder = home / "offboarding"
    journal(folder, "a.journal.jsonl", "offboard", complete=False, at="2030-01-01T00:00:00.0Z")
    assert states(home)["offboard"] == "open"
    journal(folder, "a.journal.jsonl", "offboard", complete=True, at="2030-01-01T00:00:00.0Z")
    assert states(home)["offboard"] == "closed"
    journal(folder, "b.journal.jsonl", "undo", complete=True, at="2030-01-02T00:00:00.0Z")
    assert states(home)["offboard"] == "open"
    path = folder / "a.journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"begun", b"begin"))
    _, _, err = run("status", home, "--today", "2030-11-22")
    assert "a.journal.jsonl cannot be read or was changed" in err


def test_what_is_next_and_how_many_days_are_left(home: Path) -> None:
    code, _, err = run("status", home, "--today", "2031-02-10")
    assert code == 0
    assert "1 of 8 gates closed. Next: org looked at: sfexit assess" in err
    assert "must leave by Fri 2031-02-21 (11 days left)" in err
    code, _, err = run("status", home, "--today", "2031-03-10")
    assert code == 9 and "!! open    Notice sent" in err


def test_the_page_says_the_same_and_names_stay_text(home: Path, tmp_path: Path) -> None:
    with_contract(home, **{"Acme GmbH": "<script>alert(1)</script>"})
    notice(home, "--despite-open-gates", "no <b>time</b>", "--confirm", DESPITE, "-q")
    target = tmp_path / "status.html"
    assert run("status", home, "--html", target, "-q", "--today", "2030-11-22")[0] == 0
    text = target.read_text()
    assert "<script>alert" not in text and "Exit of &lt;script&gt;" in text
    assert "without a proven backup: no &lt;b&gt;time" in text


def test_a_home_that_is_not_there(tmp_path: Path) -> None:
    code, _, err = run("status", tmp_path / "none")
    assert code == 2 and "is no folder" in err


def test_it_changes_nothing(home: Path) -> None:
    proven(home, made=datetime.now(UTC).replace(microsecond=0))
    before = sorted((one, one.stat().st_mtime_ns) for one in home.rglob("*"))
    states(home)
    assert sorted((one, one.stat().st_mtime_ns) for one in home.rglob("*")) == before
