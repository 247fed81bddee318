"""Whose home it is, whether it can be worked in, who works in it."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from sfexit.archive import home, layout
from sfexit.archive.durable import Disk
from sfexit.archive.layout import HomeLayout
from sfexit.errors import ArchiveProblem, Blocked, Locked

ORG = "00D000000000001AAA"


def test_places_that_will_do(tmp_path: Path) -> None:
    home.check_place(tmp_path / "new/deeper")
    (tmp_path / "empty").mkdir()
    home.check_place(tmp_path / "empty")
    (tmp_path / "prepared").mkdir()
    (tmp_path / "prepared/sfexit.toml").write_bytes(b"")
    home.check_place(tmp_path / "prepared")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["sfexit.toml"]
    assert not (tmp_path / "new").exists()
    home.claim(tmp_path / "old", ORG, Disk())
    (tmp_path / "old/work/bag").mkdir(parents=True)
    (tmp_path / "old/notes of mine.txt").write_bytes(b"")
    home.check_place(tmp_path / "old")


def test_places_that_will_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/holiday.jpg").write_bytes(b"")
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag/bagit.txt").write_bytes(b"")
    words = {
        "file": "is a file",
        "file/below": "is a file",
        "link": "is a link",
        "full": "other files",
        "bag": "is a bag",
    }
    for name, said in words.items():
        with pytest.raises(Blocked, match=said):
            home.check_place(tmp_path / name)


@pytest.mark.parametrize("name", ["work", "bags", "proofs", "offboarding", "seal", "data"])
def test_a_folder_that_only_looks_like_a_home_is_left_alone(tmp_path: Path, name: str) -> None:
    precious = tmp_path / name / "precious"
    precious.parent.mkdir()
    precious.write_bytes(b"years of work")
    tmp_path.chmod(0o755)
    with pytest.raises(Blocked, match="holds other files"):
        home.check_place(tmp_path)
    with pytest.raises(Blocked, match="holds other files"):
        home.claim(tmp_path, ORG, Disk())
    with pytest.raises(ArchiveProblem, match="not a home"):
        home.clear_work(HomeLayout(tmp_path))
    assert precious.read_bytes() == b"years of work"
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_root_of_the_file_system_is_no_home() -> None:
    with pytest.raises(Blocked, match="holds other files"):
        home.check_place(Path(Path.cwd().anchor))


def test_clearing_removes_what_is_ours_by_name(tmp_path: Path) -> None:
    place = HomeLayout(tmp_path / "h")
    home.claim(place.root, ORG, Disk())
    (place.work_bag / "data").mkdir(parents=True)
    for name in ("home.json", "journal.jsonl", "state.db", "state.db-wal", "lock", "mine.txt"):
        (place.work / name).write_bytes(b"x")
    (place.work / "my folder").mkdir()
    home.clear_work(place)
    assert {path.name for path in place.work.iterdir()} == {"lock", "mine.txt", "my folder"}


def test_a_claim_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "sfexit-home.json.part").write_bytes(b'{"schema": "sfe')
    home.claim(tmp_path, ORG, Disk())
    assert home.home_org(tmp_path) == ORG
    assert [path.name for path in tmp_path.iterdir()] == ["sfexit-home.json"]


def test_a_claim_is_private_and_names_the_org(tmp_path: Path) -> None:
    home.claim(tmp_path / "h", ORG, Disk())
    assert home.home_org(tmp_path / "h") == ORG
    if os.name != "nt":
        assert (tmp_path / "h").stat().st_mode & 0o777 == 0o700
    with pytest.raises(Blocked, match="belongs to the org 00D000000000001AAA"):
        home.check_org(HomeLayout(tmp_path / "h"), "00D000000000002AAA")
    (tmp_path / "h/sfexit-home.json").write_text('{"schema": "sfexit-home/9", "org": "x"}')
    with pytest.raises(Blocked, match="another version"):
        home.check_place(tmp_path / "h")
    (tmp_path / "h/sfexit-home.json").write_text("{")
    with pytest.raises(ArchiveProblem, match="damaged"):
        home.check_place(tmp_path / "h")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_access(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(Blocked, match="cannot be written"):
            home.check_place(tmp_path / "x")
    finally:
        tmp_path.chmod(0o700)


def test_the_lock(tmp_path: Path) -> None:
    place = HomeLayout(tmp_path)
    with home.locked(place, Disk()):
        told = json.loads((place.work / layout.WORK_LOCK).read_bytes())
        assert told["pid"] == os.getpid()
        with (
            pytest.raises(Locked, match=rf"process {os.getpid()} on .*since 20"),
            home.locked(place, Disk()),
        ):
            pass
    with home.locked(place, Disk()):
        pass


def test_only_one_thread_gets_the_lock(tmp_path: Path) -> None:
    place, got, ready = HomeLayout(tmp_path), [], threading.Barrier(6)

    def want() -> None:
        ready.wait()
        try:
            with home.locked(place, Disk()):
                got.append("held")
                done.wait(10)
        except Locked:
            refused.release()

    done, refused = threading.Event(), threading.Semaphore(0)
    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert refused.acquire(timeout=10)
    done.set()
    for thread in threads:
        thread.join()
    assert got == ["held"]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"schema": "x"}', b'"text"', b"\xff"])
def test_a_damaged_home_json(tmp_path: Path, data: bytes) -> None:
    place = HomeLayout(tmp_path)
    assert home.work_about(place) is None
    place.work.mkdir()
    (place.work / layout.WORK_HOME).write_bytes(data)
    with pytest.raises(ArchiveProblem, match="damaged"):
        home.work_about(place)


def test_bag_info(tmp_path: Path) -> None:
    with pytest.raises(ArchiveProblem, match="cannot be read"):
        home.bag_info(tmp_path)
    (tmp_path / "bag-info.txt").write_text("Sfexit-Archive-Format: sfexit-archive/2\n")
    with pytest.raises(Blocked, match=r"sfexit-archive/2.*sfexit-archive/1"):
        home.bag_info(tmp_path)
    (tmp_path / "bag-info.txt").write_text(
        "Sfexit-Archive-Format: sfexit-archive/1\nExternal-Identifier: 00D: x\n"
    )
    assert home.bag_info(tmp_path)["External-Identifier"] == "00D: x"


def test_tidying_begins_with_the_mark_of_a_running_export(tmp_path: Path) -> None:
    place = HomeLayout(tmp_path)
    home.claim(tmp_path, ORG, Disk())
    for name in ("home.json", "lock", "journal.jsonl", "state.db"):
        place.work.mkdir(exist_ok=True)
        (place.work / name).write_bytes(b"")
    (place.work / "set-aside").mkdir()
    (place.work / "bag/data").mkdir(parents=True)
    order: list[str] = []
    original = Path.unlink

    def unlink(self: Path, missing_ok: bool = False) -> None:
        order.append(self.name)
        original(self, missing_ok)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        home.clear_work(place)
    assert order[0] == "home.json"
    assert sorted(p.name for p in place.work.iterdir()) == ["lock", "set-aside"]
