"""Progress: figures, plain lines, and what is never printed."""

from __future__ import annotations

import re

import pytest

from sfexit.commands import _terminal
from sfexit.commands._terminal import Plain, State, duration


class Clock:
    def __init__(self) -> None:
        self.moment = 100.0

    def __call__(self) -> float:
        return self.moment


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (48.4, "48 s"), (99, "99 s"), (100, "2 min"), (720, "12 min"),
        (12_000, "3 h 20 min"), (187_200, "2 d 4 h"),
    ],
)  # fmt: skip
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_figures_of_a_run() -> None:
    clock = Clock()
    told = Plain(state=State(clock=clock))
    told.phase("Reading records")
    told.planned(2, 1_000)
    told.object_started("Account", 600)
    told.published("Account", 100, 50_000_000, 9)
    clock.moment += 2
    told.published("Account", 200, 50_000_000, 9)
    told.calls(7, 500)
    assert told.state.rate() == 100
    assert told.state.seconds_left() == 7
    assert told.state.line() == (
        "Reading records, 0 of 2 objects, 300 rows, 100.0 MB, 100 rows/s, 7 calls of 500, "
        "about 7 s left"
    )
    told.object_finished("Account", "exported", 300)
    assert told.state.line().startswith("Reading records, 1 of 2 objects")
    clock.moment += 60
    assert told.state.rate() is None
    assert told.state.seconds_left() is None


def test_plain_lines_have_a_time_stamp(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_terminal, "PLAIN_EVERY_SECONDS", 0.01)
    with _terminal.progress(quiet=False, verbose=False) as (watching, say):
        watching.phase("Sealing")
        watching.note("not said without --verbose")
        say("a line")
        for _ in range(500):
            if "0 calls" in (heard := capsys.readouterr().err):
                break
            _terminal.time.sleep(0.01)
    assert "0 calls" in heard
    assert "not said" not in heard
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", line) for line in heard.splitlines())


def test_notes_are_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    with _terminal.progress(quiet=False, verbose=True) as (watching, _):
        watching.note("seen \x1b[31mred\x1b[0m\nBearer 00D000000000001!AQoAQKz7xW3vT5u9pR1sL0yM2n")
    err = capsys.readouterr().err
    assert "note: seen" in err
    assert "\x1b" not in err
    assert "AQoAQKz7" not in err
    assert err.count("\n") == 1


def test_quiet_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with _terminal.progress(quiet=True, verbose=True) as (watching, say):
        watching.phase("Sealing")
        say("a line")
    assert capsys.readouterr() == ("", "")
