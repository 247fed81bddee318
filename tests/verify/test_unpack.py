"""The verifier's reader of CSV against Python's own, over everything that could confuse it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.verify import unpack
from sfexit.verify.unpack import Broken, Inside, Stored, batches

VALUES = st.text(st.sampled_from(list('",\n\r\0a=Ü\u2028 ')), max_size=6)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1)
)


def quoted(rows: list[list[str]]) -> str:
    return "".join(
        ",".join('"' + value.replace('"', '""') + '"' for value in row) + "\n" for row in rows
    )


def read(folder: Path, data: bytes, *, packed: bool = False) -> list[list[str]]:
    (folder / "t").write_bytes(gzip.compress(data) if packed else data)
    with Stored(folder, "t") as stored:
        return [row for some in batches(Inside(stored, packed=packed)) for row in some]


@settings(deadline=None)
@given(TABLES, st.integers(1, 40))
def test_every_table_reads_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], piece: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    Inside.piece.__defaults__ = (piece,)
    try:
        assert read(folder, quoted(rows).encode()) == rows
    finally:
        Inside.piece.__defaults__ = (unpack.PIECE,)


def test_values_without_quotes_and_a_byte_order_mark(tmp_path: Path) -> None:
    assert read(tmp_path, b'\xef\xbb\xbfId,Name\n1,"a\nb"\n', packed=True) == [
        ["Id", "Name"],
        ["1", "a\nb"],
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'"a\n', "text-broken"),
        (b'"a"x\n', "text-broken"),
        (b'"a"\n"\xff"\n', "text-broken"),
        (b'"a"\n"\xc3', "text-broken"),
    ],
)
def test_what_is_no_csv_is_named(tmp_path: Path, data: bytes, code: str) -> None:
    with pytest.raises(Broken) as told:
        read(tmp_path, data, packed=True)
    assert told.value.code == code


@pytest.mark.parametrize(
    "spoil",
    [lambda z: z[:-1], lambda z: z + b"x", lambda z: z + gzip.compress(b"x"), lambda z: b"",
     lambda z: b"no gzip", lambda z: z[:-8] + bytes(8)],
)  # fmt: skip
def test_gzip_must_be_exactly_one_whole_member(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "t").write_bytes(spoil(gzip.compress(b'"a"\n')))
    with pytest.raises(Broken) as told, Stored(tmp_path, "t") as stored:
        list(batches(Inside(stored, packed=True)))
    assert told.value.code == "gzip-broken"


def test_a_bomb_stops_early(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(gzip.compress(bytes(1 << 24)))
    with Stored(tmp_path, "t") as stored:
        inside = Inside(stored, packed=True, limit=1000)
        with pytest.raises(Broken) as told:
            list(batches(inside))
    assert told.value.code == "bomb" and inside.bytes < 1 << 20
