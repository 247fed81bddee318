"""A page is published whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from sfexit.archive.durable import Disk
from sfexit.archive.page import PageFacts, PageWriter, csv_rows
from sfexit.errors import DamagedAnswer

HEADER = ["Id", "Name"]
TEXT = csv_rows([HEADER, ["1", 'say "hi",\r\nthen\0go'], ["2", ""]])


def write(
    folder: Path,
    data: bytes,
    *,
    encoding: str = "gzip",
    declared: int | None = 2,
    limit: int = 1 << 20,
    step: int = 7,
) -> PageFacts:
    writer = PageWriter(
        Disk(),
        folder / "p.csv.gz",
        wire_encoding=encoding,
        header=HEADER,
        declared_rows=declared,
        limit_csv_bytes=limit,
    )
    with writer as page:
        for at in range(0, len(data), step):
            page.feed(data[at : at + step])
        facts = page.check()
        page.publish()
    return facts


def test_gzip_is_kept_as_it_came(tmp_path: Path) -> None:
    wire = gzip.compress(TEXT)
    facts = write(tmp_path, wire)
    assert (tmp_path / "p.csv.gz").read_bytes() == wire
    assert facts.rows == 2 and facts.bytes == len(wire) and facts.csv_bytes == len(TEXT)
    assert facts.sha256 == hashlib.sha256(wire).hexdigest()
    assert facts.csv_sha256 == hashlib.sha256(TEXT).hexdigest()
    assert [p.name for p in tmp_path.iterdir()] == ["p.csv.gz"]


def test_identity_is_packed(tmp_path: Path) -> None:
    facts = write(tmp_path, TEXT, encoding="identity", declared=None)
    stored = (tmp_path / "p.csv.gz").read_bytes()
    assert gzip.decompress(stored) == TEXT
    assert facts.sha256 == hashlib.sha256(stored).hexdigest()
    assert facts.remarks


WIRE = gzip.compress(TEXT)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (WIRE[:-9], "before its end"),
        (WIRE[:-8], "before its end"),
        (WIRE[:-1], "before its end"),
        (WIRE[:-8] + b"\0\0\0\0" + WIRE[-4:], "damaged"),
        (WIRE + b"x", "after its end"),
        (WIRE + WIRE, "after its end"),
        (b"<html>", "damaged|before its end"),
        (b"", "before its end"),
        (gzip.compress(b""), "empty"),
        (gzip.compress(TEXT[:-1]), "line end"),
        (gzip.compress(TEXT[: -len('"2",""\n')]), "1 rows, but the org declared 2"),
        (gzip.compress(TEXT + b'"3","x"\n'), "3 rows, but the org declared 2"),
        (gzip.compress(TEXT + b'"3","x\n'), "inside a quoted value"),
        (gzip.compress(TEXT.replace(b"Name", b"Nome")), "missing: Name; not asked for: Nome"),
        (gzip.compress(TEXT.replace(b'"Id","Name"', b'"Name","Id"')), "order of the columns"),
        (gzip.compress(TEXT.replace(b'"Name"', b'"Name","X"')), "not asked for: X"),
        (gzip.compress(TEXT.replace(b'"\n', b'"\r\n')), "CR LF"),
        (gzip.compress(csv_rows([HEADER])), "0 rows, but the org declared 2"),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_nothing_of_a_bad_page_stays(tmp_path: Path, data: bytes, words: str, step: int) -> None:
    with pytest.raises(DamagedAnswer, match=words):
        write(tmp_path, data, step=step)
    assert list(tmp_path.iterdir()) == []


def test_a_bomb_is_refused_at_the_cap(tmp_path: Path) -> None:
    bomb = gzip.compress(b"A" * (8 << 20))
    for encoding, data in (("gzip", bomb), ("identity", b"A" * 2_000_000)):
        with pytest.raises(DamagedAnswer, match="1,048,576"):
            write(tmp_path, data, encoding=encoding, step=1 << 20)
    assert list(tmp_path.iterdir()) == []


def test_a_leftover_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "p.csv.gz.part").write_bytes(b"half of an older try")
    write(tmp_path, WIRE)
    assert [p.name for p in tmp_path.iterdir()] == ["p.csv.gz"]


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(DamagedAnswer, match="Unicode"):
        csv_rows([["\ud800"]])
