"""Who inherits."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.offboarding.successors import (
    MANAGER,
    NAMED,
    ROUND_ROBIN,
    RULES,
    Rules,
    heir_of,
    heirs,
)

PEOPLE = [f"005{letter}" for letter in "abcdefgh"]
someone = st.sampled_from(PEOPLE)


def test_a_manager_who_leaves_is_passed_over_and_a_chain_ends_in_the_fallback() -> None:
    managers = {"005a": "005b", "005b": "005c", "005c": "005d", "005e": "005f", "005f": "005e"}
    leavers = dict.fromkeys(["005a", "005b", "005e", "005f"], "")
    rules = Rules(MANAGER, fallback="005h")
    found = heirs(leavers, managers, {}, rules, PEOPLE)
    assert found == {"005a": "005c", "005b": "005c", "005e": "005h", "005f": "005h"}


def test_a_wrong_name_is_not_replaced_by_the_rule() -> None:
    rules = Rules(NAMED, fallback="005h")
    found = heirs({"005a": "005b", "005b": "", "005c": "?nobody"}, {}, {}, rules, PEOPLE)
    assert found == {"005a": "", "005b": "005h", "005c": ""}


def test_round_robin_weighs_by_records() -> None:
    rules = Rules(ROUND_ROBIN, pool=("005g", "005h"))
    sizes = {"005a": 100, "005b": 60, "005c": 30, "005d": 5}
    found = heirs(dict.fromkeys(sizes, ""), {}, sizes, rules, PEOPLE)
    assert found == {"005a": "005g", "005b": "005h", "005c": "005h", "005d": "005h"}


def test_a_queue_takes_only_what_it_may() -> None:
    rules = Rules(objects={"Case": "00Gq", "Lead": "005b"})
    assert heir_of("Case", "005a", rules, queues={"00Gq"}) == "00Gq"
    assert heir_of("Case", "005a", rules, queues=()) == "005a"
    assert heir_of("Lead", "005a", rules) == "005b"
    assert heir_of("Task", "005a", rules) == "005a"


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(someone, st.one_of(st.just(""), someone)),
    st.dictionaries(someone, someone),
    st.dictionaries(someone, st.integers(0, 10_000)),
    st.sampled_from(RULES),
    st.lists(someone),
    st.one_of(st.just(""), someone),
    st.sets(someone),
)
def test_never_a_leaver_never_oneself_never_one_who_cannot(
    leavers: dict[str, str],
    managers: dict[str, str],
    sizes: dict[str, int],
    rule: str,
    pool: list[str],
    fallback: str,
    able: set[str],
) -> None:
    rules = Rules(rule, fallback, tuple(dict.fromkeys(pool)))
    found = heirs(leavers, managers, sizes, rules, able)
    assert set(found) == set(leavers)
    for leaver, heir in found.items():
        assert heir not in leavers and heir != leaver
        assert heir == "" or heir in able
        if leavers[leaver]:
            assert heir in ("", leavers[leaver])
        elif fallback in able - set(leavers):
            assert heir, "somebody inherits where somebody can"
