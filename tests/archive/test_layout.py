"""Names and ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit import record_id
from sfexit.archive import layout
from sfexit.archive.layout import HomeLayout, id18, is_api_name, safe_names, within

api_names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True)
devices = st.sampled_from(["CON", "con", "Prn", "COM1", "lpt9", "NUL", "Aux"])


@given(st.sets(st.one_of(api_names, devices), max_size=20))
def test_safe_names_differ_on_every_file_system(names: set[str]) -> None:
    chosen = safe_names(names)
    assert set(chosen) == names
    folded = [name.lower() for name in chosen.values()]
    assert len(set(folded)) == len(folded)
    assert not {"con", "prn", "com1", "lpt9", "nul", "aux"} & set(folded)
    assert chosen == safe_names(sorted(names, reverse=True))


def test_safe_names_that_differ_by_case() -> None:
    assert safe_names(["abc", "ABC", "Abc"]) == {"ABC": "ABC", "Abc": "Abc~2", "abc": "abc~3"}
    assert safe_names(["../x", "a b", "Ok__c", "", "1a", "é"]) == {"Ok__c": "Ok__c"}


@given(st.text(max_size=100))
def test_no_text_of_the_org_leaves_the_archive(name: str) -> None:
    if is_api_name(name):
        within(Path("/root/of"), layout.describe_path(name))
    for path in (name, f"data/{name}", f"data/{name}/x"):
        try:
            found = within(Path("/root/of"), path)
        except ValueError:
            continue
        assert found.is_relative_to("/root/of") and ".." not in found.parts


@pytest.mark.parametrize("bad", ["/etc", "..", "a/../b", "", ".", "a\\..\\b", "a\0"])
def test_paths_that_lead_out(bad: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        within(Path("/r"), bad)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("001A000000abcde", "001A000000abcdeIAA"[:15] + record_id.suffix("001A000000abcde")),
        ("0015g00000000AB", "0015g00000000AB" + record_id.suffix("0015g00000000AB")),
    ],
)
def test_id18(short: str, long: str) -> None:
    assert id18(short) == id18(long) == long


@given(st.from_regex(r"[A-Za-z0-9]{15}", fullmatch=True))
def test_the_suffix_tells_apart_what_differs_by_case(short: str) -> None:
    other = short.swapcase()
    assert (id18(short).lower() == id18(other).lower()) == (short == other)
    wrong = id18(short)[:17] + ("B" if id18(short)[17] != "B" else "C")
    with pytest.raises(ValueError, match="check characters"):
        id18(wrong)


@pytest.mark.parametrize("bad", ["", "001", "001A000000abcd!", "001A000000abcdeIA", "x" * 19])
def test_no_ids(bad: str) -> None:
    with pytest.raises(ValueError, match="not a Salesforce id"):
        id18(bad)


def test_page_paths() -> None:
    assert layout.page_path("A__c", 2, 13, 1234567) == (
        "data/records/A__c/A__c.g002.s0013.p1234567.csv.gz"
    )


def test_generations(tmp_path: Path) -> None:
    home = HomeLayout(tmp_path)
    assert home.generations() == ()
    for name in ("0002", "0010", "0001", "12345", "x", "3", "0004.partial"):
        home.bags.joinpath(name).mkdir(parents=True)
    (home.bags / "0007").write_bytes(b"")
    assert home.generations() == (1, 2, 10, 12345)
