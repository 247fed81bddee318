"""The tag files of a bag: what other programs accept, and what must never be written."""

from __future__ import annotations

import random
import tracemalloc
from pathlib import Path

import bagit
import pytest
import sample_bag as sample
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.archive.bagit import root_digest, write_manifests
from sfexit.archive.durable import Disk
from sfexit.errors import ArchiveProblem, DiskTrouble

INFO: dict[str, str | list[str]] = {
    "Source-Organization": "Acme",
    "Bagging-Date": "2026-11-22",
    "Contact-Name": ["A", "B"],
}
TAGS = ("bag-info.txt", "bagit.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt")
EMPTY = sample.sha256(b"")


def payload(bag: Path) -> list[tuple[str, str, int]]:
    files = [p for p in (bag / "data").rglob("*") if p.is_file()]
    return [
        (p.relative_to(bag).as_posix(), sample.sha256(p.read_bytes()), p.stat().st_size)
        for p in files
    ]


def test_bagit_accepts_what_is_written(tmp_path: Path) -> None:
    bag = sample.make(tmp_path / "bag")
    digest = write_manifests(bag, payload(bag), INFO)
    read = bagit.Bag(str(bag))
    read.validate()
    assert read.info["Contact-Name"] == ["A", "B"]
    assert digest == root_digest(bag) == sample.sha256((bag / TAGS[3]).read_bytes())
    assert not list(bag.glob("*.part"))


def test_manifest_equals_the_one_made_by_hand(tmp_path: Path) -> None:
    bag = sample.make(tmp_path / "bag")
    by_hand = (bag / "manifest-sha256.txt").read_bytes()
    write_manifests(bag, payload(bag), INFO)
    assert (bag / "manifest-sha256.txt").read_bytes() == by_hand


def test_same_input_same_bytes_in_any_order(tmp_path: Path) -> None:
    names = ["a", "a-b", "a.b", "a/b", "A", "a0", "a_", "a~2/x"]
    entries = [(f"data/{name}", sample.sha256(name.encode()), 1) for name in names]
    seen = set()
    for attempt in range(5):
        bag = tmp_path / str(attempt)
        bag.mkdir()
        write_manifests(bag, random.sample(entries, len(entries)), INFO)
        seen.add(tuple((bag / name).read_bytes() for name in TAGS))
    assert len(seen) == 1
    paths = [line.split(b"  ")[1] for line in next(iter(seen))[2].splitlines()]
    assert paths == sorted(paths)


def test_sizes(tmp_path: Path) -> None:
    for size, shown in ((0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"),
                        (999_960, "1.0 MB"), (3 * 10**15, "3000.0 TB")):  # fmt: skip
        write_manifests(tmp_path, [("data/a", EMPTY, size)], {})
        text = (tmp_path / "bag-info.txt").read_text()
        assert text == f"Payload-Oxum: {size}.1\nBag-Size: {shown}\n"


@pytest.mark.parametrize(
    "path",
    ["data/../x", "data/..", "/data/x", "x", "data", "data/", "data//x", "data/./x", "bagit.txt",
     "data/a b", "data/a\nb", "data/ü", "data/a%25", "data\\x", "data/a\0", "data/a:b"],
)  # fmt: skip
def test_refuses_unsafe_names(tmp_path: Path, path: str) -> None:
    with pytest.raises(ArchiveProblem):
        write_manifests(tmp_path, [(path, EMPTY, 0)], INFO)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [("data/a", EMPTY.upper(), 0)],
        [("data/a", EMPTY[:-1], 0)],
        [("data/a", EMPTY, -1)],
        [("data/a", EMPTY, 0), ("data/b", EMPTY, 0), ("data/a", sample.sha256(b"x"), 1)],
    ],
)
def test_refuses_what_is_no_manifest(tmp_path: Path, entries: list[tuple[str, str, int]]) -> None:
    with pytest.raises(ArchiveProblem):
        write_manifests(tmp_path, entries, INFO)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["Payload-Oxum", "bag-size", "A b", "A:", "", "Ä", "A\n"])
def test_refuses_keys(tmp_path: Path, key: str) -> None:
    with pytest.raises(ArchiveProblem):
        write_manifests(tmp_path, [("data/a", EMPTY, 0)], {key: "x"})


@settings(max_examples=40, deadline=None)
@given(value=st.text(max_size=60))
def test_no_value_breaks_out_of_its_line(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    bag = tmp_path_factory.mktemp("bag")
    sample.write(bag / "data/a", b"")
    write_manifests(bag, [("data/a", EMPTY, 0)], {"First": value, "Last": "z"})
    read = bagit.Bag(str(bag))
    read.validate()
    assert set(read.info) <= {"First", "Last", "Payload-Oxum", "Bag-Size"}
    assert read.info["Last"] == "z"
    assert all(c.isprintable() or c.isspace() for c in read.info.get("First", "") if c < "\u0100")


def test_values_are_cleaned(tmp_path: Path) -> None:
    hostile = " A\r\nSfexit-Generation: 9\t\x1b[2J\u2028B\u202e\ud800 "
    write_manifests(tmp_path, [("data/a", EMPTY, 0)], {"Source-Organization": hostile, "X": "\x00"})
    first = (tmp_path / "bag-info.txt").read_text("utf-8").splitlines()[0]
    assert first == "Source-Organization: A Sfexit-Generation: 9 [2J B"


def test_a_second_writing_replaces_the_first_and_its_leftovers(tmp_path: Path) -> None:
    (tmp_path / "manifest-sha256.txt.part").write_bytes(b"half")
    write_manifests(tmp_path, [("data/a", EMPTY, 0)], INFO)
    write_manifests(tmp_path, [("data/b", EMPTY, 0)], INFO)
    assert b"data/b" in (tmp_path / "manifest-sha256.txt").read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == set(TAGS)


def test_a_full_disk_leaves_no_tag_manifest(tmp_path: Path) -> None:
    class Full(Disk):
        def write(self, handle: object, data: bytes) -> None:
            raise DiskTrouble("the disk is full")

    with pytest.raises(DiskTrouble):
        write_manifests(tmp_path, [("data/a", EMPTY, 0)], INFO, disk=Full())
    assert list(tmp_path.iterdir()) == []


def test_memory_for_each_file(tmp_path: Path) -> None:
    count = 20_000
    names = (
        f"data/records/{'Object' * 5}__c/{'Object' * 5}__c.p{n:06d}.csv.gz" for n in range(count)
    )
    tracemalloc.start()
    try:
        write_manifests(tmp_path, ((name, EMPTY, 1) for name in names), INFO)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (peak - (1 << 19)) / count < 200  # half a megabyte is the write buffer and the like


def test_root_digest_of_no_bag(tmp_path: Path) -> None:
    with pytest.raises(ArchiveProblem, match="tagmanifest"):
        root_digest(tmp_path)
