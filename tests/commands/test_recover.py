"""`sfexit recover` on homes with and without an export under way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sfexit.simulated_org import Fault

from .conftest import Company, Ran

pytest.importorskip("sfexit.export.recover")

Sfexit = Callable[..., Ran]


@pytest.fixture
def interrupted(sfexit: Sfexit, company: Company, home: Path) -> dict[str, str]:
    """`home` holds an export that lost its session; returns the variables to go on with."""
    company.faults.add(Fault("session_expired", endpoint="queryall", nth=12))
    assert sfexit("export", home, "-q").code == 4
    return {"SFEXIT_ACCESS_TOKEN": company.org.new_session()}


def test_lost_index(sfexit: Sfexit, home: Path, interrupted: dict[str, str]) -> None:
    for path in (home / "work").glob("state.db*"):
        path.unlink()
    refused = sfexit("export", home, **interrupted)
    assert refused.code == 1
    assert "sfexit recover" in refused.sentence
    ran = sfexit("recover", home)
    assert (ran.code, ran.out) == (0, "")
    assert "sfexit export" in ran.err
    told = json.loads(sfexit("export", home, "-q", "--json", **interrupted).out)
    assert told["complete"] is True
    assert told["resumed"] is True


def test_quiet(sfexit: Sfexit, home: Path, interrupted: dict[str, str]) -> None:
    assert sfexit("recover", home, "--quiet") == Ran(0, "", "")


def test_damaged_page_is_fetched_again(
    sfexit: Sfexit, home: Path, interrupted: dict[str, str]
) -> None:
    pages = sorted((home / "work/bag/data/records").rglob("*.gz"))
    assert pages
    pages[0].chmod(0o600)
    pages[0].write_bytes(b"spoiled")
    ran = sfexit("recover", home)
    assert ran.code == 0
    assert "1 will be fetched again" in ran.err
    assert json.loads(sfexit("export", home, "-q", "--json", **interrupted).out)["complete"] is True


def test_nothing_under_way_is_5(sfexit: Sfexit, home: Path) -> None:
    home.mkdir()
    ran = sfexit("recover", home)
    assert ran.code == 5
    assert "nothing to recover" in ran.sentence
    assert not list(home.iterdir())


def test_sealed_home_is_5_and_untouched(sfexit: Sfexit, home: Path) -> None:
    assert sfexit("export", home, "-q").code == 0
    before = {path: path.stat().st_mtime_ns for path in (home / "bags").rglob("*")}
    assert sfexit("recover", home).code == 5
    assert {path: path.stat().st_mtime_ns for path in (home / "bags").rglob("*")} == before


def test_home_that_is_not_there_is_2(sfexit: Sfexit, home: Path) -> None:
    ran = sfexit("recover", home)
    assert ran.code == 2
    assert "does not exist" in ran.err
