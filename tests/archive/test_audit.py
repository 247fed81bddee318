"""Reading back: the quick count, the slow one, and distinct ids in bounded memory."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.archive import audit
from sfexit.archive.audit import DistinctIds, PageDamaged, audit_object, read_back
from sfexit.archive.page import csv_rows

HEADER = ["Id", "IsDeleted", "T"]


def ident(number: int) -> str:
    return f"a01{number:015d}"


def store(path: Path, text: bytes) -> dict[str, Any]:
    wire = gzip.compress(text, 1)
    path.write_bytes(wire)
    return {
        "path": path.name,
        "bytes": len(wire),
        "sha256": hashlib.sha256(wire).hexdigest(),
        "csv_sha256": hashlib.sha256(text).hexdigest(),
        "rows": 0,
    }


# What could look like the beginning of a row, or sit on the border of two pieces.
forged = st.sampled_from(
    [
        "", "x", "\n", '"', '\n"', '"\n"', f'\n"{ident(7)}","true"', f'"\n"{ident(7)}","x', "\r\n",
        "\n" * 70, "a" * 70, ("\n" + "b" * 62 + '"') * 2, '\n""' + ident(1), "\0",
    ]
)  # fmt: skip
texts = st.lists(forged, max_size=4).map("".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.booleans(), texts), max_size=12), st.integers(1, 90))
def test_forged_rows_are_not_counted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[bool, str]], step: int
) -> None:
    path = tmp_path_factory.mktemp("a") / "p"
    data = [[ident(n), str(gone).lower(), text] for n, (gone, text) in enumerate(rows)]
    facts = store(path, csv_rows([HEADER, *data])) | {"rows": len(rows)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sfexit.gzipped.STEP_BYTES", step)
        for found in (
            read_back(path, facts, HEADER),
            audit._parse(path, HEADER),
        ):
            assert found.rows == len(rows)
            assert found.deleted == sum(gone for gone, _ in rows)
            assert found.ids == [row[0].encode() for row in data]


def test_long_values_straddle_many_pieces(tmp_path: Path) -> None:
    data = [[ident(n), "false", ("x" * 700_000 + '\n"\n' * 3) * 3] for n in range(3)]
    facts = store(tmp_path / "p", csv_rows([HEADER, *data])) | {"rows": 3}
    assert read_back(tmp_path / "p", facts, HEADER).rows == 3


@pytest.mark.parametrize("header", [["Id"], ["Id", "Name"], ["Name", "X"]])
def test_every_shape_of_header(tmp_path: Path, header: list[str]) -> None:
    rows = [[ident(n), "v"][: len(header)] for n in range(5)]
    facts = store(tmp_path / "p", csv_rows([header, *rows])) | {"rows": 5}
    found = read_back(tmp_path / "p", facts, header)
    assert found.rows == 5
    assert len(found.ids) == (5 if header[0] == "Id" else 0)


def test_unquoted_pages_are_parsed(tmp_path: Path) -> None:
    text = f"Id,IsDeleted,T\n{ident(1)},true,x\n{ident(2)},false,\n".encode()
    facts = store(tmp_path / "p", text) | {"rows": 2}
    found = read_back(tmp_path / "p", facts, HEADER)
    assert (found.rows, found.deleted) == (2, 1)


GOOD = csv_rows([HEADER, [ident(1), "false", "x"], [ident(2), "true", "y"]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), "gone"),
        (lambda path: path.write_bytes(b""), "end"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "end"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "after its end"),
        (lambda path: path.write_bytes(gzip.compress(GOOD, 9, mtime=5)), "bytes changed"),
        (lambda path: store(path, GOOD.replace(b"x", b"z")), "bytes changed"),
    ],
)
def test_changed_pages(tmp_path: Path, change: Any, words: str) -> None:
    path = tmp_path / "p"
    facts = store(path, GOOD) | {"rows": 2}
    assert read_back(path, facts, HEADER).rows == 2
    change(path)
    with pytest.raises(PageDamaged, match=words):
        read_back(path, facts, HEADER)


@pytest.mark.parametrize(
    ("text", "rows", "words"),
    [
        (GOOD, 3, "2 rows were parsed, 3 were counted"),
        (GOOD.replace(b'"T"', b'"U"'), 9, "header"),
        (GOOD + b'"a","b"\n', 9, "columns"),
        (GOOD + b'"a","b","c\n', 9, "cannot be parsed"),
        (GOOD.replace(b"x", b"\xff"), 9, "cannot be parsed"),
    ],
)
def test_what_the_slow_reading_finds(tmp_path: Path, text: bytes, rows: int, words: str) -> None:
    facts = store(tmp_path / "p", text) | {"rows": rows}
    with pytest.raises(PageDamaged, match=words):
        read_back(tmp_path / "p", facts, HEADER)


@pytest.mark.parametrize("a_bucket", [10, 1000])
def test_distinct_ids_over_buckets(tmp_path: Path, monkeypatch: Any, a_bucket: int) -> None:
    monkeypatch.setattr(audit, "_IDS_A_BUCKET", a_bucket)
    numbers = [n * 7 % 400 for n in range(900)]
    with DistinctIds(tmp_path, 900) as distinct:
        for at in range(0, 900, 50):
            distinct.add([ident(n).encode() for n in numbers[at : at + 50]])
        distinct.add([b"short", b"", b"rather longer than eighteen characters", b"short"])
        assert distinct.count() == 403
    assert list(tmp_path.iterdir()) == []


def in_order(path: Path, numbers: list[int], **changed: Any) -> dict[str, Any]:
    """A stored page whose ids are known, as the journal tells it."""
    rows = [[ident(n), str(n % 2 == 1).lower(), "x"] for n in numbers]
    ids = {
        "first": ident(numbers[0]),
        "last": ident(numbers[-1]),
        "ascending": numbers == sorted(set(numbers)),
        "deleted": sum(n % 2 for n in numbers),
    }
    facts = store(path, csv_rows([HEADER, *rows]))
    return {**facts, "rows": len(numbers), "ids": {**ids, **changed}}


def test_ascending_pages_need_no_unpacking(tmp_path: Path, monkeypatch: Any) -> None:
    pages = [in_order(tmp_path / "b", [5, 6, 9]), in_order(tmp_path / "a", [1, 2, 3])]
    monkeypatch.setattr(audit, "read_back", None)
    found = audit_object(tmp_path, pages, HEADER, tmp_path)
    assert (found.parsed, found.deleted, found.distinct, found.damaged) == (6, 4, 6, ())
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes() + b"x")
    (tmp_path / "b").unlink()
    damaged = audit_object(tmp_path, pages, HEADER, tmp_path).damaged
    assert {(page["path"], what) for page, what in damaged} == {
        ("a", "its bytes changed since it was written"),
        ("b", "the file is gone"),
    }


@pytest.mark.parametrize("numbers", [[3, 4], [4, 4, 8], [9, 8]])
def test_pages_that_overlap_are_unpacked(tmp_path: Path, numbers: list[int]) -> None:
    pages = [in_order(tmp_path / "a", [1, 2, 3, 4]), in_order(tmp_path / "b", numbers)]
    found = audit_object(tmp_path, pages, HEADER, tmp_path)
    assert found.distinct == len({1, 2, 3, 4, *numbers})
    assert found.parsed == 4 + len(numbers)


def test_pages_without_ids_are_checked_byte_for_byte(tmp_path: Path) -> None:
    text = csv_rows([["Name"], ["a"], ["b"]])
    facts = store(tmp_path / "p", text) | {"rows": 2}
    assert audit_object(tmp_path, [facts], ["Name"], tmp_path).damaged == ()
    store(tmp_path / "p", csv_rows([["Name"], ["a"], ["c"]]))
    [(_, what)] = audit_object(tmp_path, [facts], ["Name"], tmp_path).damaged
    assert "bytes changed" in what


def test_an_object_with_a_twin_and_a_damaged_page(tmp_path: Path) -> None:
    pages = []
    for number, ids in enumerate([(1, 2), (2, 3), (4, 5)]):
        text = csv_rows([HEADER, *([ident(n), "false", ""] for n in ids)])
        pages.append(store(tmp_path / f"p{number}", text) | {"rows": 2})
    (tmp_path / "p2").write_bytes(b"?")
    found = audit_object(tmp_path, pages, HEADER, tmp_path)
    assert (found.parsed, found.distinct, found.deleted) == (4, 3, 0)
    assert [page["path"] for page, _ in found.damaged] == ["p2"]
