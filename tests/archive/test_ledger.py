"""The ledger adds up, or says where it does not."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.archive import ledger
from sfexit.archive.ledger import LedgerLine, disagreements

GOOD = LedgerLine(
    "A", "Label A", "exported", route="bulk", rows=3, deleted_rows=1,
    witnesses={"count_before": 9, "job_total": 3, "declared": 3, "counted": 3, "parsed": 3,
               "distinct_ids": 3},
    fields_exported=2, fields_not_exported={"Body": "holds a file; kept elsewhere"},
)  # fmt: skip
EMPTY = LedgerLine("B", "B", "empty", rows=0)
NOT = LedgerLine("C", "C", "not_exported", reason="r", remedy="x")
FAILED = LedgerLine("D", "D", "failed", rows=2, remedy="again")
LINES = [GOOD, EMPTY, NOT, FAILED]
PAGES = {"A": 3, "D": 2}


def test_a_right_ledger() -> None:
    assert disagreements(LINES, named="ABCD", page_rows=PAGES) == []


@pytest.mark.parametrize(
    ("change", "pages", "named", "words"),
    [
        ([], PAGES, "ABCDE", "E: no line"),
        ([], PAGES, "ABC", "D: the org names no such object"),
        ([GOOD], PAGES, "ABCD", "A: 2 lines"),
        ([replace(EMPTY, object="E", outcome="lost")], PAGES, "ABCDE", "unknown outcome"),
        ([], {**PAGES, "A": 4}, "ABCD", "A: 3 rows claimed, 4 in its pages"),
        ([], {**PAGES, "C": 1}, "ABCD", "C: 0 rows claimed, 1 in its pages"),
        ([], {"A": 3}, "ABCD", "D: 2 rows claimed, 0 in its pages"),
        ([replace(NOT, object="E", rows=0)], PAGES, "ABCDE", "E: not_exported and yet"),
        ([replace(GOOD, object="E", rows=0, witnesses={})], PAGES, "ABCDE", "E: 0 rows, but"),
    ],
)
def test_wrong_ledgers(change: Any, pages: Any, named: str, words: str) -> None:
    found = disagreements([*LINES, *change], named=named, page_rows=pages)
    assert any(words in one for one in found), found


@pytest.mark.parametrize("witness", ["job_total", "declared", "counted", "parsed", "distinct_ids"])
def test_a_witness_that_differs(witness: str) -> None:
    line = replace(GOOD, witnesses={**GOOD.witnesses, witness: 4})
    found = disagreements([line], named="A", page_rows={"A": 3})
    assert found == [f"A: 3 rows, but its witnesses say {{'{witness}': 4}}"]


words = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters=";"), max_size=20)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,9}", fullmatch=True)
numbers = st.none() | st.integers(0, 10**12)


@given(
    st.builds(
        LedgerLine,
        object=names, label=words, outcome=st.sampled_from(ledger.OUTCOMES), route=words,
        rows=numbers, deleted_rows=numbers, fields_exported=numbers,
        witnesses=st.dictionaries(names, st.integers(0, 10**12), max_size=3),
        fields_not_exported=st.dictionaries(names, words, max_size=3),
        reason=words, evidence=words, remedy=words, started=words, finished=words,
    )
)  # fmt: skip
def test_a_line_comes_back_from_csv_and_journal(line: LedgerLine) -> None:
    text = ledger.to_csv([line]).decode()
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert LedgerLine.from_cells(row) == line
    assert LedgerLine.from_event({**line.as_event(), "seq": 1, "event": "outcome"}) == line


def test_a_semicolon_in_a_reason_divides_nothing() -> None:
    [row] = csv.DictReader(io.StringIO(ledger.to_csv([GOOD]).decode(), newline=""))
    assert LedgerLine.from_cells(row).fields_not_exported == {
        "Body": "holds a file, kept elsewhere"
    }


def test_lines_are_ordered_and_complete_or_not() -> None:
    rows = list(csv.DictReader(io.StringIO(ledger.to_csv(reversed(LINES)).decode(), newline="")))
    assert [row["object"] for row in rows] == ["A", "B", "C", "D"]
    assert [line.incomplete for line in LINES] == [False, False, True, True]
    assert [line.has_rows for line in LINES] == [True, False, False, True]
