"""What stands alone agrees with us: the checker in the bag, bagit.py, stock gzip and csv."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import bagit
import pytest
from rig import Rig, ledger_of


def verified(bag: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(bag / "data/tools/verify.py"), str(bag)],
        capture_output=True,
        text=True,
        check=False,
    )


CASES: list[tuple[str, list[tuple[str, str, dict[str, Any]]]]] = [
    ("complete", []),
    ("some-pages-of-a-failed-object", [("drop_rows", "bulk.results", {"probability": 0.8})]),
    ("no-page-of-a-failed-object", [("drop_rows", "bulk.results", {})]),
    ("twins", [("duplicate_id", "bulk.results", {})]),
    ("divided", [("query_timeout", "bulk.create", {"times": 2})]),
    ("byte-order-mark", [("bom", "bulk.results", {})]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_the_checker_in_the_bag_agrees(rig: Rig, case: Any) -> None:
    for kind, endpoint, details in case[1]:
        rig.fail(kind, endpoint, object="Item__c", **{"times": None, **details})
    result = rig.run()
    assert result.bag is not None
    told = verified(result.bag.path)
    assert told.returncode == 0, told.stdout + told.stderr
    assert bagit.Bag(str(result.bag.path)).is_valid()


def test_a_resumed_and_divided_archive_agrees_too(rig: Rig) -> None:
    rig.fail("quota", "bulk.results", nth=3)
    rig.fail("job_gone", "bulk.results", nth=2)
    with pytest.raises(Exception, match="used up"):
        rig.run()
    rig.org.restore_quota()
    result = rig.run()
    assert result.bag is not None
    told = verified(result.bag.path)
    assert told.returncode == 0, told.stdout + told.stderr
    assert ledger_of(result.bag.path)["Item__c"].outcome == "exported"
