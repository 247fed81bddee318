"""Blocks of rows: the same values as the csv module finds, whatever stands in them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.archive.page import csv_rows
from sfexit.archive.row_blocks import blocks
from sfexit.archive.stored_rows import PageDamaged

HEADER = ["Id", "IsDeleted", "T"]
values = st.text(st.sampled_from(['"', ",", "\n", "\r", "a", "é", "\0", "😀"]), max_size=8)
rows_of = st.lists(st.tuples(values, values, values), max_size=9)


def store(path: Path, text: bytes) -> dict[str, Any]:
    wire = gzip.compress(text, 1)
    path.write_bytes(wire)
    return {"bytes": len(wire), "sha256": hashlib.sha256(wire).hexdigest()}


def read(path: Path, facts: dict[str, Any] | None, header: list[str]) -> list[list[str]]:
    found = []
    for block in blocks(path, facts, header):
        assert block.rows
        columns = [block.values(number) for number in range(len(header))]
        for number in range(block.rows):
            row = [one.decode() for one in block.row(number)]
            assert [column[number].decode().replace('""', '"') for column in columns] == row
            found.append(row)
    return found


@settings(max_examples=300, deadline=None)
@given(rows_of, st.integers(1, 40))
def test_every_value_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], step: int
) -> None:
    path = tmp_path_factory.mktemp("b") / "p"
    facts = store(path, csv_rows([HEADER, *rows]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sfexit.gzipped.STEP_BYTES", step)
        assert read(path, facts, HEADER) == [list(row) for row in rows]


@settings(max_examples=100, deadline=None)
@given(rows_of, st.lists(st.booleans(), min_size=9, max_size=9))
def test_without_some_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], gone: list[bool]
) -> None:
    path = tmp_path_factory.mktemp("b") / "p"
    store(path, csv_rows([HEADER, *rows]))
    left = [row for row, is_gone in zip(rows, gone, strict=False) if not is_gone]
    text = b"".join(
        block.without(np.array(gone[: block.rows], dtype=np.bool_))
        for block in blocks(path, None, HEADER)
    )
    assert text == (csv_rows(left) if rows else b"")


@settings(max_examples=100, deadline=None)
@given(rows_of, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.integers(0, 9))
def test_other_dialects_are_parsed(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, ...]],
    end: str,
    bom: bool,
    quoted: int,
) -> None:
    """From some row on only what needs quotes has them; a byte-order mark; other line ends."""
    path = tmp_path_factory.mktemp("b") / "p"
    rows = [tuple(value.replace("\r", "R") for value in row) for row in rows]
    text = io.StringIO(newline="")
    every = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=end)
    every.writerows([HEADER, *rows[:quoted]])
    csv.writer(text, lineterminator=end).writerows(rows[quoted:])
    facts = store(path, (b"\xef\xbb\xbf" if bom else b"") + text.getvalue().encode())
    assert read(path, facts, HEADER) == [list(row) for row in rows]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "header"),
        (csv_rows([["Id", "T", "IsDeleted"], ["1", "2", "3"]]), "header"),
        (csv_rows([HEADER, ["1", "2", "3"], ["1", "2"]]), "columns"),
        (csv_rows([HEADER, ["1", "2", "3", "4"]]), "columns"),
        (csv_rows([HEADER, ["1", "2", "3"]]) + b'"4","5","6', "cannot be parsed"),
        (csv_rows([HEADER, ["1", "2", "3"]]) + b'"4","5"x,"6"\n', "cannot be parsed"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: bytes, words: str) -> None:
    store(tmp_path / "p", text)
    with pytest.raises(PageDamaged, match=words):
        read(tmp_path / "p", None, HEADER)


def test_a_file_that_was_changed_is_damaged(tmp_path: Path) -> None:
    facts = store(tmp_path / "p", csv_rows([HEADER, ["1", "2", "3"]]))
    store(tmp_path / "p", csv_rows([HEADER, ["1", "2", "4"]]))
    with pytest.raises(PageDamaged, match="changed since"):
        read(tmp_path / "p", facts, HEADER)


def test_columns_of_one_width_and_of_one_value(tmp_path: Path) -> None:
    store(tmp_path / "p", csv_rows([HEADER, ["ab", "true", "x"], ["cd", "tru", ""]]))
    [block] = blocks(tmp_path / "p", None, HEADER)
    ids = block.fixed(0, 2)
    assert ids is not None
    assert ids.tolist() == [b"ab", b"cd"]
    assert block.fixed(2, 1) is None
    assert block.holds(1, b"true").tolist() == [True, False]
    assert block.filled(2).tolist() == [2, 2, 1]
    assert block.filled(1).tolist() == [1, 1, 1]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(st.sampled_from('ab"\0é'), max_size=80), min_size=1, max_size=8),
    st.integers(1, 300),
)
def test_digests_are_those_of_the_values(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], step: int
) -> None:
    """Equal values have equal digests, wherever they stand and whatever stands beside them."""
    path = tmp_path_factory.mktemp("b") / "p"
    rows = [(a, b, c) for a in values for b, c in ((values[0], a), (a * 2, values[-1]))]
    store(path, csv_rows([HEADER, *rows]))
    seen: dict[bytes, int] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sfexit.gzipped.STEP_BYTES", step)
        for block in blocks(path, None, HEADER):
            for number in range(3):
                both = zip(block.values(number), block.digests(number).tolist(), strict=True)
                for value, digest in both:
                    assert seen.setdefault(value, digest) == digest
    assert len(set(seen.values())) == len(seen)
