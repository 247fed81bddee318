"""Pages looked at all at once, against Python's own reader and slow ways that are easy to trust."""

from __future__ import annotations

import csv
import io
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.verify import ids, runs, shapes
from sfexit.verify.grid import Column, Grid, grid, written

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def cells(found: Grid) -> list[list[str]]:
    columns = [found.column(at) for at in range(found.starts.shape[1])]
    return [[one.value(row) for one in columns] for row in range(found.rows)]


def column(values: list[str]) -> Column:
    found = grid(written([[one] for one in values]), 1)
    assert found is not None
    return found.column(0)


def id18(first: str) -> str:
    """After https://help.salesforce.com/s/articleView?id=000383751, step by step."""
    parts = (first[:5], first[5:10], first[10:])
    return first + "".join(
        CHECKS[sum(1 << at for at, letter in enumerate(part) if letter.isupper())] for part in parts
    )


IDS = st.text(st.sampled_from(ALPHABET), min_size=15, max_size=15).map(id18)


# --- where values stand


@settings(max_examples=400, deadline=None)
@given(st.text(st.sampled_from(list('",\na')), max_size=40), st.integers(1, 3))
def test_a_grid_is_what_csv_reads(text: str, width: int) -> None:
    """Of any text, well-formed or not: either the same rows, or no grid."""
    text = f'"{text}"\n'
    found = grid(text.encode(), width)
    if found is not None:
        rows = list(csv.reader(io.StringIO(text, newline="\n"), strict=True))
        assert cells(found) == rows
        assert {len(row) for row in rows} == {width}


@settings(deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.text(max_size=6), min_size=width, max_size=width), min_size=1
        )
    )
)
def test_what_is_written_in_one_form_is_always_a_grid(rows: list[list[str]]) -> None:
    found = grid(written(rows), len(rows[0]))
    assert found is not None and cells(found) == rows


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b'"a"', b'"a",b\n', b'"a"\r\n', b'"a" \n', b'x"a"\n', b'"a"x"b"\n', b'"a",\n',
     b'"a","b"\n"c"\n"d","e","f"\n'],
)  # fmt: skip
def test_what_is_no_grid_of_two(text: bytes) -> None:
    assert grid(text, 2) is None


# --- ids


@settings(deadline=None)
@given(st.lists(st.one_of(IDS, st.text(st.sampled_from("0aZ-\u00e9 "), max_size=20), st.just("")),
                min_size=1))  # fmt: skip
def test_ids_of_a_page_are_judged_as_ids_one_by_one(values: list[str]) -> None:
    for optional in (True, False):
        keys, bad = ids.of_column(column(values), optional=optional)
        wanted = [one for one in values if one or not optional]
        assert Counter(bad) == Counter(ids.malformed(wanted))
        assert [ids.text(key) for key in keys] == [one for one in values if one not in {"", *bad}]


@given(IDS, st.integers(0, 17), st.sampled_from(ALPHABET))
def test_one_wrong_letter_shows_or_makes_another_id(good: str, at: int, letter: str) -> None:
    spoiled = good[:at] + letter + good[at + 1 :]
    _, bad = ids.of_column(column([good, spoiled]), optional=False)
    assert bad == ([] if id18(spoiled[:15]) == spoiled else [spoiled])


@given(st.lists(IDS, max_size=40))
def test_keys_sort_as_ids_do(values: list[str]) -> None:
    keys = ids.keys_of(values)
    assert [ids.text(key) for key in ids.in_order(keys)] == sorted(values)
    assert [ids.text(key) for key in ids.each_once(keys)] == sorted(set(values))


@pytest.mark.parametrize("spread", [1, 3, 15])
def test_ranges_hold_every_id_once(
    spread: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`spread`: how many letters at the end differ, so ranges begin alike or not."""
    for name, value in (("_EVERY", 4), ("_RANGE", 30), ("_HELD", 50)):
        monkeypatch.setattr(runs, name, value)
    chance = random.Random(spread)

    def one() -> str:
        return id18("001kY0000000000"[: 15 - spread] + "".join(chance.choices(ALPHABET, k=spread)))

    own = [one() for _ in range(300)] + [id18("001kY0000000001")] * 9
    other = [one() for _ in range(200)] + own[:50]
    writer = runs.RunWriter(tmp_path / "ids")
    for at in range(0, len(own), 7):
        writer.own("Account", ids.keys_of(own[at : at + 7]))
    for at in range(0, len(other), 5):
        writer.refers("Contact.AccountId", ids.keys_of(other[at : at + 5]))
    for record in own[:20]:
        writer.own_id("files:Account", record)
    writer.flush()
    found: dict[str, list[str]] = {}
    told = runs.Runs(tmp_path, writer.runs)
    for part in told.ranges():
        here = [(name, ids.text(key)) for name, keys in part.items() for key in keys]
        for name, record in here:
            found.setdefault(name, []).append(record)
    told.close()
    assert len(writer.runs) > 8
    assert sorted(found["Account"]) == sorted(own)
    assert set(found["Contact.AccountId"]) == set(other)
    assert sorted(found["files:Account"]) == sorted(own[:20])


# --- types

TYPES = {
    "boolean": r"true|false|",
    "date": r"([0-9]{4}-[0-9]{2}-[0-9]{2})?",
    "datetime": r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}(Z|\+0000))?",
    "time": r"([0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z?)?",
    "number": r"([-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?)?",
}


@settings(deadline=None)
@given(st.data(), st.sampled_from(sorted(TYPES)))
def test_values_are_judged_as_a_pattern_judges_them(data: st.DataObject, kind: str) -> None:
    right = st.from_regex(re.compile(TYPES[kind], re.ASCII), fullmatch=True)
    near = right.flatmap(
        lambda good: st.tuples(
            st.integers(0, len(good)), st.text("0-:.TZe\u0660 ", max_size=2)
        ).map(lambda edit: good[: edit[0]] + edit[1] + good[edit[0] + 1 :])
    )
    values = data.draw(st.lists(st.one_of(right, near, st.text(max_size=5)), min_size=1))
    pattern = re.compile(TYPES[kind], re.ASCII)
    found = shapes.odd(column(values), kind)
    assert found == {one for one in values if not pattern.fullmatch(one)}


def test_true_is_counted() -> None:
    assert shapes.count_true(column(["true", "TRUE", "false", "", "true", "tree"])) == 2
