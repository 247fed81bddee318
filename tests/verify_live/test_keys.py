"""Packed keys: order, differences and duplicates agree with sets in memory, at any piece size."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfexit.verify.ids import id18
from sfexit.verify.live import keys
from sfexit.verify.live.keys import KeySet, differences, digest, id_key, stamp, stamp_text

IDS = st.integers(0, 400).map(lambda n: f"001A0000000{n:04d}".encode())
ROWS = st.dictionaries(IDS, st.tuples(st.booleans(), st.integers(0, 3)), max_size=60)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "PIECE_RECORDS", 7)
    monkeypatch.setattr(keys, "_BLOCK_BYTES", 100)


def key_set(
    folder: Path, name: str, rows: dict[bytes, tuple[bool, int]], order: list[int]
) -> KeySet:
    made = KeySet(folder, name, 8)
    listed = list(rows.items())
    for at in sorted(range(len(listed)), key=lambda at: order[at % len(order)] if order else at):
        key, (deleted, number) = listed[at]
        made.add(key, deleted, number.to_bytes(8, "big"))
    return made


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(org=ROWS, bag=ROWS, order=st.lists(st.integers(0, 99), max_size=60))
def test_differences_are_those_of_two_mappings(
    org: dict[bytes, tuple[bool, int]],
    bag: dict[bytes, tuple[bool, int]],
    order: list[int],
    tmp_path: Path,
) -> None:
    left, right = key_set(tmp_path, "a", org, order), key_set(tmp_path, "b", bag, order[::-1])
    found = list(differences(left, right))
    assert {one.id15.encode() for one in found if one.bag is None} == set(org) - set(bag)
    assert {one.id15.encode() for one in found if one.org is None} == set(bag) - set(org)
    both = {one.id15.encode() for one in found if one.org and one.bag}
    assert both == {key for key in set(org) & set(bag) if org[key] != bag[key]}
    assert len(found) == len({one.id15 for one in found})
    assert (left.count, left.deleted) == (len(org), sum(gone for gone, _ in org.values()))
    left.remove()
    right.remove()
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(org=ROWS, again=st.lists(st.integers(0, 59), max_size=30))
def test_what_came_twice_counts_once_where_that_may_be(
    org: dict[bytes, tuple[bool, int]], again: list[int], tmp_path: Path
) -> None:
    made = key_set(tmp_path, "a", org, [])
    made.unique = True
    listed = list(org.items())
    for at in again:
        if at < len(listed):
            key, (deleted, number) = listed[at]
            made.add(key, deleted, number.to_bytes(8, "big"))
    assert made.count == len(org)
    assert list(differences(made, key_set(tmp_path, "b", org, []))) == []


def test_a_row_that_the_archive_has_twice_is_a_difference(tmp_path: Path) -> None:
    rows = {f"001A0000000{n:04d}".encode(): (False, 1) for n in range(9)}
    twice = key_set(tmp_path, "b", rows, [])
    twice.add(next(iter(rows)), False, (1).to_bytes(8, "big"))
    [one] = differences(key_set(tmp_path, "a", rows, []), twice)
    assert one.org is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-05-06T11:56:44.000Z", "2026-05-06T11:56:44.000+0000"),
        ("2026-05-06T11:56:44.120Z", "2026-05-06T13:56:44.120+02:00"),
        ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999+00:00"),
    ],
)
def test_one_moment_in_two_forms(one: str, other: str) -> None:
    assert stamp(one) == stamp(other)
    assert stamp_text(stamp(one)) == one


def test_stamps_sort_as_moments_do_and_what_is_none_equals_nothing() -> None:
    told = ["1601-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z", "2026-05-06T11:56:44.000Z"]
    assert [stamp(one) for one in told] == sorted(stamp(one) for one in told)
    assert stamp("") == keys.NO_STAMP
    for wrong in ("yesterday", "2026-13-06T11:56:44.000Z", "2026-05-06T11:56:4x.000Z"):
        assert stamp(wrong) != keys.NO_STAMP
        assert stamp_text(stamp(wrong)) == "no valid time stamp"


def test_ids_and_digests() -> None:
    assert id18("001A0000006Vm9u") == "001A0000006Vm9uIAC"  # Salesforce Help, 000383751
    assert id_key("001A0000006Vm9uIAC") == id_key("001A0000006Vm9u") == b"001A0000006Vm9u"
    assert id_key("001A0000006Vm9") is None
    assert id_key("001A0000006Vm9ü") is None
    assert digest([None, "a"]) != digest(["", "a"]) != digest(["a", None])
    assert digest(["ab", "c"]) != digest(["a", "bc"])
