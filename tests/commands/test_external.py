"""--external on the command line: rows of another system are read only when asked for."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sfexit.simulated_org import FaultPlan, SimulatedOrg, serve
from sfexit.simulated_org.catalogue import standard_objects

from .conftest import Company, Ran

Sfexit = Callable[..., Ran]
NAMES = {"Account", "Organization", "User", "Remote__x"}


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    faults = FaultPlan(seed=1)
    objects = [one for one in standard_objects() if one.name in NAMES]
    with serve(SimulatedOrg(rows=100, objects=objects), faults) as server:
        yield Company(server, faults, tmp_path)


def rows_of(home: Path, name: str) -> list[dict[str, str]]:
    [page] = sorted(home.glob(f"bags/*/data/records/{name}/*.csv.gz"))
    with gzip.open(page, "rt", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def lines_of(bag: Path) -> dict[str, dict[str, str]]:
    with (bag / "data/ledger.csv").open(encoding="utf-8", newline="") as handle:
        return {row["object"]: row for row in csv.DictReader(handle)}


def test_external_objects_come_when_asked_for_and_are_named_else(
    sfexit: Sfexit, company: Company, home: Path
) -> None:
    assert sfexit("export", home, "-q").code == 3
    line = lines_of(home / "bags/0001")["Remote__x"]
    assert line["outcome"] == "not_exported" and "--external" in line["remedy"]
    asked = [one.path for one in company.server.requests]
    assert not any("Remote__x" in path and "describe" not in path for path in asked)
    # The source answers now and then only; it is asked again.
    company.server.fail(
        "status", "query", object="Remote__x", code=400, times=1,
        error_code="EXTERNAL_OBJECT_EXCEPTION", message="the source is asleep",
    )  # fmt: skip
    sfexit("export", home, "-q", "--anew", "--external")
    line = lines_of(home / "bags/0002")["Remote__x"]
    assert (line["outcome"], line["remedy"]) == ("exported", ""), line
    truth = [{k: v or "" for k, v in row.items()} for row in company.org.truth("Remote__x")]
    assert rows_of(home, "Remote__x") == truth
