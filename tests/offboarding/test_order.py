"""Children before parents."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.offboarding.order import ordered

NAMES = ("Account", "Case", "Contact", "Event", "Opportunity", "Task", "Thing__c", "Quote")


def test_activities_first_accounts_last() -> None:
    parents = {
        "Contact": ["Account"],
        "Opportunity": ["Account", "Contact"],
        "Case": ["Account", "Contact"],
        "Task": ["Account", "Contact", "Case"],
    }
    assert ordered({"Account", "Case", "Contact", "Opportunity", "Task", "Lead"}, parents) == [
        "Task", "Case", "Lead", "Opportunity", "Contact", "Account",
    ]  # fmt: skip


def test_an_account_that_names_a_contact_stays_last() -> None:
    parents = {"Account": ["Contact", "Account"], "Contact": ["Account"]}
    assert ordered({"Account", "Contact"}, parents) == ["Contact", "Account"]


@settings(max_examples=50, deadline=None)
@given(st.permutations(NAMES), st.data())
def test_without_circles_no_parent_comes_before_its_child(
    order: list[str], data: st.DataObject
) -> None:
    parents = {
        name: data.draw(st.sets(st.sampled_from(order[place + 1 :])))
        for place, name in enumerate(order[:-1])
    }
    for one in ("Task", "Event"):  # nothing hangs from an activity
        for found in parents.values():
            found.discard(one)
    result = ordered(set(order), parents)
    assert sorted(result) == sorted(order)
    assert result[:2] == ["Task", "Event"]
    for child, found in parents.items():
        for parent in found:
            assert child in ("Task", "Event") or result.index(child) < result.index(parent)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES))))
def test_circles_lose_nobody(parents: dict[str, set[str]]) -> None:
    assert sorted(ordered(set(NAMES), parents)) == sorted(NAMES)
    assert ordered(list(NAMES), parents) == ordered(list(reversed(NAMES)), parents)
