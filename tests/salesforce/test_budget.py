from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sfexit.errors import QuotaSpent, UsageProblem
from sfexit.salesforce.budget import CallBudget


def test_a_share_of_what_is_left() -> None:
    budget = CallBudget(0.5)
    budget.take(1)
    assert budget.budget is None
    budget.heard("api-usage=25/125")  # one of the 25 is ours
    assert budget.budget == 50 and budget.used == 1 and budget.org_usage == (25, 125)
    budget.heard("api-usage=100/125")
    assert budget.budget == 50


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("api-usage=24/15000", (24, 15000)),
        ("api-usage=24/15000; per-app-api-usage=17/250(appName=sample)", (24, 15000)),
        ("per-app-api-usage=17/250(appName=x), api-usage=24/15000", (24, 15000)),
        ("per-app-api-usage=17/250(appName=x)", None),
        ("", None),
        (None, None),
        ("nonsense", None),
    ],
)
def test_header_forms(header: str | None, known: tuple[int, int] | None) -> None:
    budget = CallBudget(1.0)
    budget.heard(header)
    assert budget.org_usage == known


def test_spent_before_it_is_sent() -> None:
    now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
    budget = CallBudget(0.5, server_time=lambda: now)
    budget.heard("api-usage=0/8")
    budget.take(3)
    with pytest.raises(QuotaSpent) as caught:
        budget.take(2)
    assert budget.used == 3
    for words in ("3 of the 4", "50%", "23 November 2026 10:00 UTC", "--api-budget"):
        assert words in caught.value.message
    budget.take(1)
    budget.give_back(1)
    assert budget.used == 3


@pytest.mark.parametrize("share", [0, -1, 1.01])
def test_shares_that_are_none(share: float) -> None:
    with pytest.raises(UsageProblem):
        CallBudget(share)
