"""Counting rows in a stream: always what the csv module counts, however the stream is cut."""

from __future__ import annotations

import csv
import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.archive.page import csv_rows
from sfexit.archive.rows import HeaderReader, RowCounter

# Text in which all that matters to a CSV reader is frequent.
nasty = st.text(st.sampled_from('"\n\r,a\0\u2028é😀 ='), max_size=12)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(nasty, min_size=width, max_size=width), max_size=8)
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in itertools.pairwise(at)]


def counted(pieces: list[bytes]) -> RowCounter:
    counter = RowCounter()
    for piece in pieces:
        counter.feed(piece)
    return counter


@given(tables, st.lists(st.integers(0, 10_000), max_size=10))
def test_rows_are_those_of_the_csv_module(table: list[list[str]], places: list[int]) -> None:
    data = csv_rows(table)
    parsed = list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    assert parsed == table
    counter = counted(cut(data, places))
    assert counter.rows == len(table)
    assert counter.bytes == len(data)
    assert not counter.open_quote
    assert counter.ends_with_newline == bool(table)


@given(tables, st.lists(st.integers(0, 10_000), max_size=6))
def test_unquoted_values_count_too(table: list[list[str]], places: list[int]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_MINIMAL, lineterminator="\n").writerows(table)
    data = out.getvalue().encode()
    if any(row == [""] or "\r" in "".join(row) for row in table):
        return  # an empty line is no row for csv; a bare CR is quoted by none
    assert counted(cut(data, places)).rows == len(table)


@given(st.binary(max_size=60), st.lists(st.integers(0, 100), max_size=10))
def test_cuts_change_nothing(data: bytes, places: list[int]) -> None:
    whole, pieces = counted([data]), counted(cut(data, places))
    assert (whole.rows, whole.open_quote, whole.ends_with_newline) == (
        pieces.rows,
        pieces.open_quote,
        pieces.ends_with_newline,
    )


def test_an_open_quote_is_seen() -> None:
    assert counted([b'"Id"\n"1\n']).open_quote


@pytest.mark.parametrize(
    ("data", "names", "crlf", "bom"),
    [
        (b'"Id","Name"\n"1","x"\n', ("Id", "Name"), False, False),
        (b"Id,Name\n", ("Id", "Name"), False, False),
        (b'\xef\xbb\xbf"Id"\n', ("Id",), False, True),
        (b'"Id","Name"\r\n', ("Id", "Name"), True, False),
        (b"\n", ("",), False, False),
        (b'"Id"', None, False, False),
    ],
)
def test_header(data: bytes, names: tuple[str, ...] | None, crlf: bool, bom: bool) -> None:
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        reader = HeaderReader()
        for piece in pieces:
            reader.feed(piece)
        assert (reader.names, reader.crlf, reader.bom) == (names, crlf, bom)


def test_a_header_without_end_takes_no_memory() -> None:
    reader = HeaderReader()
    for _ in range(40):
        reader.feed(b"x" * 100_000)
    assert reader.too_long and reader.names is None
    assert len(reader._held) < 1_300_000
