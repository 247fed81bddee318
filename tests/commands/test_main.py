"""The root command: help, mistakes, errors inside, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from sfexit import errors
from sfexit.commands import _exit, main

HEAVY = ("requests", "rich", "cryptography", "tenacity", "isal", "keyring", "pandas")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("sfexit, version ")


def test_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["exprt"]) == 2
    assert "Did you mean 'export'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["export"], ["export", "--objekts", "x", "home"], []])
def test_wrong_use_is_2_and_nothing_on_stdout(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage: sfexit" in err


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in main.COMMANDS)])
def test_help_is_quick(arguments: list[str]) -> None:
    """Help loads neither the network nor the terminal libraries."""
    script = (
        "import sys, time\n"
        "from sfexit.commands.main import run\n"
        f"code = run({arguments!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
        "print(round(time.process_time() * 1000), 'ms of CPU', file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    loaded, cpu = done.stderr.splitlines()
    print("sfexit", *arguments, "took", cpu)
    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert loaded == "[]"


# ---- errors --------------------------------------------------------------------------------------


def _raise(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(main.root, "main", fail)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageProblem("said"), 2),
        (errors.SignInProblem("said"), 4),
        (errors.SessionLost("said"), 4),
        (errors.Blocked("said"), 5),
        (errors.Locked("said"), 10),
        (errors.QuotaSpent("said"), 75),
        (errors.DiskTrouble("said"), 75),
        (errors.ArchiveProblem("said"), 1),
        (errors.Transient("said"), 1),
        (errors.SfexitError("said"), 1),
    ],
)
def test_each_error_has_its_code_and_its_sentence(
    error: errors.SfexitError,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _raise(monkeypatch, error)
    assert main.run([]) == code == _exit.code_of(error)
    assert capsys.readouterr() == ("", "sfexit: said\n")


@pytest.mark.parametrize("error", [errors.Interrupted("x"), KeyboardInterrupt()])
def test_interruption_says_how_to_go_on(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _raise(monkeypatch, error)
    assert main.run([]) == 130
    assert "run the same command again" in capsys.readouterr().err


def test_abort_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    _raise(monkeypatch, click.Abort())
    assert main.run([]) == 130


def test_error_inside_is_one_sentence_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token = "00D000000000001!AQoAQKz7xW3vT5u9pR1sL0yM2nB4cV6dF8gH"
    _raise(monkeypatch, RuntimeError(f"Authorization: Bearer {token}"))
    assert main.run([]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "RuntimeError" in err
    assert "SFEXIT_TRACEBACK=1" in err
    assert token not in err
    assert token.split("!")[1] not in err


@pytest.mark.parametrize(
    ("error", "what"),
    [(RuntimeError("can't start new thread"), "threads"), (MemoryError(), "memory")],
)
def test_a_system_at_its_limits_pauses_the_run(
    error: BaseException,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _raise(monkeypatch, error)
    assert main.run([]) == 75
    err = capsys.readouterr().err
    assert f"no more {what}" in err
    assert "run the same command again" in err


def test_traceback_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SFEXIT_TRACEBACK", "1")
    _raise(monkeypatch, RuntimeError("said"))
    assert main.run([]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_control_characters_never_reach_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _raise(monkeypatch, errors.Blocked("bad \x1b[31mname\r\nhere"))
    assert main.run([]) == 5
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\r" not in err
    assert err.count("\n") == 1


def test_python_m_sfexit(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sfexit", "export", "--help"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: sfexit export")
