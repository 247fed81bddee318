from __future__ import annotations

import pytest

from sfexit.errors import DamagedAnswer, UsageProblem
from sfexit.salesforce.versions import choose_version

LISTED = [f"{number}.0" for number in range(31, 71)]


def test_the_newest_tested_one() -> None:
    assert choose_version(LISTED, newest_tested=68.0) == "68.0"
    assert choose_version(["9.0", "66.0", "31.0"]) == "66.0"


@pytest.mark.parametrize("pinned", ["60.0", "60", "v60.0", " 60.0 "])
def test_a_pinned_one(pinned: str) -> None:
    assert choose_version(LISTED, pinned) == "60.0"


@pytest.mark.parametrize("pinned", ["30.0", "99.0", "sixty", "", "60.1"])
def test_a_pinned_one_that_is_not_offered(pinned: str) -> None:
    with pytest.raises(UsageProblem, match=r"31\.0 to 70\.0"):
        choose_version(LISTED, pinned)


def test_only_newer_ones() -> None:
    with pytest.raises(UsageProblem, match="newer"):
        choose_version(["90.0", "91.0"])


@pytest.mark.parametrize("listed", [[], ["x", "../66.0", "66"]])
def test_no_list(listed: list[str]) -> None:
    with pytest.raises(DamagedAnswer):
        choose_version(listed)
