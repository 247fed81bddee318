"""What is ours in an unsealed bag, what is not, and what a kill around the rename leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sfexit.archive import layout, sealing
from sfexit.archive.bagit import TAG_MANIFEST
from sfexit.archive.durable import Disk
from sfexit.archive.journal import Journal
from sfexit.archive.layout import HomeLayout
from sfexit.errors import DiskTrouble, MediumFault


@pytest.fixture
def place(tmp_path: Path) -> HomeLayout:
    home = HomeLayout(tmp_path)
    (home.work_bag / "data").mkdir(parents=True)
    return home


@pytest.fixture
def journal(place: HomeLayout) -> Any:
    journal = Journal.create(Disk(), place.work / "journal.jsonl", place.work / "state.db")
    journal.record("planned", objects=["A"], hints={})
    yield journal
    journal.close()


def test_a_stored_file_is_only_believed_unchanged(place: HomeLayout, journal: Journal) -> None:
    bag = place.work_bag
    for relative in (layout.SOBJECTS, layout.ORGANIZATION):
        path = bag / relative
        assert sealing.stored_file(journal, bag, relative) is None
        sealing.publish_file(Disk(), journal, bag, relative, b'{"a": 1}')
        assert sealing.stored_file(journal, bag, relative) == b'{"a": 1}'
        kept = path.read_bytes()
        path.write_bytes(kept[:-1])
        assert sealing.stored_file(journal, bag, relative) is None
        path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        assert sealing.stored_file(journal, bag, relative) is None
        path.unlink()
        assert sealing.stored_file(journal, bag, relative) is None
        assert relative in sealing.damaged_files(place, journal)


def test_replacing_a_file_never_looks_like_a_strangers_hand(
    place: HomeLayout, journal: Journal
) -> None:
    """A kill between the rename and the journal's line."""

    class Killed(Exception):
        pass

    sealing.publish_file(Disk(), journal, place.work_bag, layout.LIMITS, b"1")

    class Killing(Disk):
        def publish(self, part: Path, final: Path) -> None:
            super().publish(part, final)
            raise Killed

    with pytest.raises(Killed):
        sealing.publish_file(Killing(), journal, place.work_bag, layout.LIMITS, b"2")
    assert sealing.damaged_files(place, journal) == []
    assert sealing.sweep(place, Disk(), journal) == []
    assert not (place.work_bag / layout.LIMITS).exists()


def test_small_files_are_written_anew_after_a_fault(tmp_path: Path) -> None:
    class Faulty(Disk):
        left = 2

        def write_whole(self, final: Path, data: bytes) -> None:
            if self.left:
                self.left -= 1
                raise MediumFault("the disk reported a fault")
            super().write_whole(final, data)

    sealing.write_whole(Faulty(), tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"
    faulty = Faulty()
    faulty.left = 99
    with pytest.raises(DiskTrouble, match="fault"):
        sealing.write_whole(faulty, tmp_path / "b", b"x")


def page(journal: Journal, reading: int, path: str) -> None:
    journal.record(
        "page", object="A", reading=reading, slice=0, page=1, path=path, rows=1,
        declared_rows=None, bytes=1, sha256="", locator=None, next=None,
    )  # fmt: skip


def test_sweeping(place: HomeLayout, journal: Journal) -> None:
    current, old = layout.page_path("A", 2, 0, 1), layout.page_path("A", 1, 0, 1)
    journal.record("reading", object="A", reading=2, route="bulk")
    page(journal, 1, old)
    page(journal, 2, current)
    unrecorded = layout.page_path("A", 2, 0, 2)
    ours = [
        old, unrecorded, f"{current}.part", layout.LEDGER, layout.SOBJECTS, layout.IDENTITY,
        layout.describe_path("A"), "bagit.txt", "seal/public-key.pem", "data/x/y.part",
    ]  # fmt: skip
    strange = ["data/a.txt", "b.txt", "data/records/A/A.g001.csv.gz", "data/tools/mine.py"]
    for relative in [current, *ours, *strange]:
        path = place.work_bag / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(relative.encode())
    assert sorted(sealing.sweep(place, Disk(), journal)) == sorted(strange)
    left = [p for p in place.work_bag.rglob("*") if p.is_file()]
    assert left == [place.work_bag / current]
    folders = {
        p.relative_to(place.work_bag).as_posix() for p in place.work_bag.rglob("*") if p.is_dir()
    }
    assert folders == {"data", "data/records", "data/records/A"}
    aside = place.work / "set-aside"
    assert {p.read_bytes().decode() for p in aside.iterdir()} == set(strange)


def test_things_set_aside_never_replace_each_other(place: HomeLayout, journal: Journal) -> None:
    long = "data/" + "x" * 200
    for _ in range(3):
        (place.work_bag / long).write_bytes(b"")
        (place.work_bag / "data/link").symlink_to("/nowhere")
        sealing.sweep(place, Disk(), journal)
    assert len(list((place.work / "set-aside").iterdir())) == 6


@pytest.mark.parametrize(
    ("bag", "work", "root", "found"),
    [(True, False, True, 1), (True, True, True, None), (False, False, True, None),
     (True, False, False, None)],
)  # fmt: skip
def test_a_seal_that_was_cut_short(
    place: HomeLayout, journal: Journal, bag: bool, work: bool, root: bool, found: int | None
) -> None:
    import hashlib

    digest = hashlib.sha256(b"tags").hexdigest() if root else "0" * 64
    assert sealing.finish_interrupted(place, journal) is None
    journal.record("sealing", generation=1, root=digest)
    if not work:
        (place.work_bag / "data").rmdir()
        place.work_bag.rmdir()
    if bag:
        place.bag(1).mkdir(parents=True)
        (place.bag(1) / TAG_MANIFEST).write_bytes(b"tags")
    assert sealing.finish_interrupted(place, journal) == found
