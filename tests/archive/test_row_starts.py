"""Row starts against the csv module, on text made to look like row starts."""

from __future__ import annotations

import csv
import io
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.archive.row_starts import RowStarts

HEADER = ["Id", "IsDeleted", "T"]

ids = st.text(st.sampled_from("abXY019"), min_size=18, max_size=18)
traps = st.sampled_from(
    [
        '"', "\n", ",", "\r", "x", "", '\n"', '"\n"001000000000001AAA","evil"\n',
        '\n"001000000000001AAA"', "001000000000001AAA", "abcdefghijklmnopq", "\0", "é", "\n" * 90,
    ]
)  # fmt: skip
values = st.lists(traps, max_size=5).map("".join)
rows_of = st.lists(st.tuples(ids, st.sampled_from(["true", "false", ""]), values), max_size=8)


def text_of(rows: list[tuple[str, ...]], header: list[str] = HEADER) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([header, *rows])
    return out.getvalue().encode()


def looked_at(text: bytes, header: list[str], step: int) -> RowStarts:
    starts = RowStarts(header, keep_ids=True)
    for at in range(0, len(text), step):
        starts.feed(text[at : at + step])
    starts.finish()
    return starts


@settings(max_examples=300, deadline=None)
@given(rows_of, st.integers(1, 60))
def test_agrees_with_the_rows_written(rows: list[tuple[str, ...]], step: int) -> None:
    found = looked_at(text_of(rows), HEADER, step)
    names = [row[0].encode() for row in rows]
    assert found.ids == names
    assert found.rows == len(rows)
    assert found.deleted == sum(row[1] == "true" for row in rows)
    assert found.ascending == all(a < b for a, b in pairwise(names))
    if rows:
        assert (found.first_id, found.last_id) == (names[0], names[-1])


@pytest.mark.parametrize("header", [["Id"], ["Id", "Name"], ["Id", "IsDeleted"]])
def test_every_shape_of_header(header: list[str]) -> None:
    rows = [(f"{n:018d}", "true")[: len(header)] for n in range(9)]
    found = looked_at(text_of(rows, header), header, 7)
    assert (found.rows, found.ascending) == (9, True)
    assert found.deleted == (9 if header[-1] == "IsDeleted" else 0)


def test_another_dialect_counts_too_low() -> None:
    text = b"Id,IsDeleted,T\n000000000000000001,true,x\n000000000000000002,false,y\n"
    assert looked_at(text, HEADER, 100).rows == 0


def test_a_page_without_rows() -> None:
    found = looked_at(text_of([]), HEADER, 3)
    assert (found.rows, found.ids, found.ascending) == (0, [], True)
