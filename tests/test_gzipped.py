"""Gzip whose end is insisted on."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit import gzipped
from sfexit.errors import DamagedAnswer
from sfexit.gzipped import Gunzip, Gzip, gunzip_all


@pytest.fixture(params=["fast", "plain"], autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "plain":
        monkeypatch.setattr(gzipped, "_engine", zlib)
        monkeypatch.setattr(gzipped, "_LEVEL", 1)


def unpack(pieces: list[bytes]) -> bytes:
    gunzip = Gunzip()
    out = [part for piece in pieces for part in gunzip.feed(piece)]
    return b"".join([*out, *gunzip.finish()])


@given(st.binary(max_size=3000), st.integers(1, 50))
def test_round_trip(data: bytes, step: int) -> None:
    packer = Gzip()
    wire = b"".join(packer.feed(data[i : i + step]) for i in range(0, len(data), step))
    wire += packer.finish()
    assert gzip.decompress(wire) == data
    assert unpack([wire[i : i + step] for i in range(0, len(wire), step)]) == data


@given(st.binary(max_size=500), st.data())
def test_every_cut_is_noticed(data: bytes, draw: st.DataObject) -> None:
    wire = gzip.compress(data)
    at = draw.draw(st.integers(0, len(wire) - 1))
    with pytest.raises(DamagedAnswer):
        unpack([wire[:at]])


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=40), st.integers(1, 60))
def test_every_byte_behind_the_end_is_noticed(data: bytes, more: bytes, step: int) -> None:
    wire = gzip.compress(data) + more
    with pytest.raises(DamagedAnswer, match="after its end"):
        unpack([wire[i : i + step] for i in range(0, len(wire), step)])


@given(st.binary(min_size=20, max_size=200), st.data())
def test_a_changed_checksum_is_noticed(data: bytes, draw: st.DataObject) -> None:
    wire = bytearray(gzip.compress(data))
    at = draw.draw(st.integers(len(wire) - 8, len(wire) - 1))
    wire[at] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(DamagedAnswer):
        unpack([bytes(wire)])


def test_pieces_stay_small_and_the_limit_holds() -> None:
    wire = gzip.compress(b"A" * (40 << 20))
    gunzip = Gunzip(limit_bytes=8 << 20)
    largest = 0
    with pytest.raises(DamagedAnswer, match="8,388,608"):
        for out in gunzip.feed(wire):
            largest = max(largest, len(out))
    assert 0 < largest <= gzipped.STEP_BYTES
    assert gunzip.out_bytes <= (8 << 20) + gzipped.STEP_BYTES


def test_gunzip_all() -> None:
    assert gunzip_all(gzip.compress(b"abc"), limit_bytes=3) == b"abc"
    with pytest.raises(DamagedAnswer):
        gunzip_all(gzip.compress(b"abcd"), limit_bytes=3)
