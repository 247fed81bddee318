"""Full, failing and meddled-with disks (faults 45, 46, 47, 53 of the matrix)."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig import Notes, Rig, archive_rows, assert_complete, journal_events, no_parts, problems_of_bag

from sfexit.archive import journal as journals
from sfexit.archive import journal_index
from sfexit.archive.durable import Disk, Handle, telling
from sfexit.errors import ArchiveProblem, Blocked, DiskTrouble


class FaultyDisk(Disk):
    """Fails the steps `step` on paths that hold `part`, from the nth on, so many times."""

    def __init__(
        self, step: str, number: int, *, part: str = "", nth: int = 1, times: int | None = None
    ) -> None:
        self._step, self._number, self._part = step, number, part
        self._nth, self._times = nth, times
        self._seen = 0
        self.failed = 0
        self._paths: dict[int, Path] = {}
        self._dead: set[int] = set()
        self._alive: list[Handle] = []  # so that no id is given twice
        self._guard = threading.Lock()
        self.used_dead_handle = False

    def _may_fail(self, step: str, path: Path) -> None:
        if step != self._step or self._part not in path.as_posix():
            return
        with self._guard:
            self._seen += 1
            if self._seen < self._nth or (self._times is not None and self.failed >= self._times):
                return
            self.failed += 1
        with telling(path):
            raise OSError(self._number, os.strerror(self._number))

    def _opened(self, handle: Handle, path: Path) -> Handle:
        with self._guard:
            self._alive.append(handle)
            self._paths[id(handle)] = path
        return handle

    def create(self, path: Path) -> Handle:
        self._may_fail("create", path)
        return self._opened(super().create(path), path)

    def append(self, path: Path) -> Handle:
        return self._opened(super().append(path), path)

    def write(self, handle: Handle, data: bytes | memoryview) -> None:
        path = self._paths.get(id(handle), Path("?"))
        self.used_dead_handle |= id(handle) in self._dead
        self._may_fail("write", path)
        super().write(handle, data)

    def sync(self, handle: Handle) -> None:
        path = self._paths.get(id(handle), Path("?"))
        self.used_dead_handle |= id(handle) in self._dead
        try:
            self._may_fail("sync", path)
        except BaseException:
            self._dead.add(id(handle))
            raise
        super().sync(handle)

    def rename(self, part: Path, final: Path) -> None:
        self._may_fail("rename", final)
        super().rename(part, final)

    def publish(self, part: Path, final: Path) -> None:
        self._may_fail("publish", final)
        super().publish(part, final)

    def sync_folder(self, folder: Path) -> None:
        self._may_fail("sync_folder", folder)
        super().sync_folder(folder)

    def make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            self._may_fail("make_folder", folder)
        super().make_folder(folder)


@pytest.mark.parametrize("part", ["records/Item__c", "records/Memo__c", "journal.jsonl", "schema"])
@pytest.mark.parametrize("step", ["create", "write", "sync", "publish", "sync_folder"])
def test_45_a_full_disk_pauses_the_run(rig: Rig, step: str, part: str) -> None:
    number = errno.EDQUOT if step == "sync" else errno.ENOSPC
    journal = part == "journal.jsonl"
    if journal and step not in ("write", "sync"):
        pytest.skip("the journal is opened once and then appended to")
    disk = FaultyDisk(step, number, part=part, nth=12 if journal else 2)
    with pytest.raises(DiskTrouble) as caught:
        rig.run(disk=disk)
    assert disk.failed
    words = caught.value.message
    assert "full" in words and "MB are free" in words and "run the same command again" in words
    no_parts(rig.root)
    assert_complete(rig, rig.run())


def test_45_what_is_needed_is_told(make_rig: Any) -> None:
    rig = make_rig(rows=3000)
    disk = FaultyDisk("write", errno.ENOSPC, part="records/Item__c", nth=20)
    with pytest.raises(DiskTrouble, match=r"MB are free, about [\d.]+ MB more are needed"):
        rig.run(disk=disk)


def test_45_the_pool_stops_when_the_disk_is_full(make_rig: Any) -> None:
    rig = make_rig(rows=3000, bulk_page_rows=20)
    disk = FaultyDisk("write", errno.ENOSPC, part="records/Item__c", nth=3)
    with pytest.raises(DiskTrouble):
        rig.run(disk=disk)
    results = [one for one in rig.server.requests if one.path.endswith("/results")]
    assert len(results) < 40, "of about 150 pages"


SEALING = [
    ("ledger.csv", "write"),
    ("ledger.csv", "publish"),
    ("bag/data/evidence/journal.jsonl", "sync"),
    ("manifest-sha256", "create"),
    ("manifest-sha256", "publish"),
    ("tagmanifest", "write"),
    ("tagmanifest", "publish"),
    ("seal/", "write"),
    ("seal/", "sync"),
    ("bags", "make_folder"),
    ("bags", "publish"),
    ("bags", "sync_folder"),
]


@pytest.mark.parametrize(("part", "step"), SEALING)
def test_45_a_full_disk_while_sealing(rig: Rig, step: str, part: str) -> None:
    disk = FaultyDisk(step, errno.ENOSPC, part=part)
    with pytest.raises(DiskTrouble):
        rig.run(disk=disk)
    assert disk.failed
    no_parts(rig.root)
    result = rig.run()
    if result.already_sealed:  # the very last flush failed: the bag was there
        assert result.bag is not None
        assert problems_of_bag(result.bag.path) == []
        return
    assert_complete(rig, result)


def test_45_the_index_is_full(rig: Rig, monkeypatch: Any) -> None:
    original = journals.connect

    def small(index: Path) -> Any:
        connection = original(index)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(journals, "connect", small)
    with pytest.raises(DiskTrouble, match="index"):
        rig.run()
    no_parts(rig.root)
    monkeypatch.setattr(journals, "connect", original)
    result = rig.run()
    assert result.resumed
    assert_complete(rig, result)


def test_45_there_is_no_room_for_an_index(rig: Rig, monkeypatch: Any) -> None:
    tables = "PRAGMA max_page_count = 1;" + journal_index.TABLES
    monkeypatch.setattr(journal_index, "TABLES", tables)
    with pytest.raises(DiskTrouble, match="index"):
        rig.run()
    no_parts(rig.root)
    monkeypatch.undo()
    assert_complete(rig, rig.run())


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A real file system of little room, and a function that resizes it."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=500k,mode=0700", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"no tmpfs may be mounted here: {made.stderr.strip()}")

    def resize(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)

    yield place, resize
    subprocess.run(["umount", "-l", str(place)], check=False)


def test_45_a_real_full_disk(make_rig: Any, small_disk: Any) -> None:
    rig = make_rig(rows=3000)
    place, resize = small_disk
    rig.root = place / "home"
    with pytest.raises(DiskTrouble, match="MB are free"):
        rig.run()
    no_parts(rig.root)
    resize("size=60m")
    result = rig.run()
    assert_complete(rig, result)


def test_47_a_real_read_only_disk(rig: Rig, small_disk: Any) -> None:
    place, resize = small_disk
    resize("ro")
    rig.root = place / "home"
    with pytest.raises(Blocked, match="cannot be written"):
        rig.run()
    assert rig.server.requests == []


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM], ids=str)
def test_47_a_forbidden_place_is_refused_before_any_call(
    rig: Rig, number: int, monkeypatch: Any
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(Blocked, match=os.strerror(number)):
        rig.run()
    monkeypatch.undo()
    assert rig.server.requests == []
    assert not rig.root.exists()


def test_47_a_disk_that_turns_read_only_in_mid_run(rig: Rig) -> None:
    with pytest.raises(DiskTrouble, match="cannot be written any more"):
        rig.run(disk=FaultyDisk("create", errno.EROFS, part="records", nth=3))
    assert_complete(rig, rig.run())


# ---- 46: the disk reports a fault --------------------------------------------------------------


@pytest.mark.parametrize("step", ["write", "sync", "publish", "sync_folder"])
@pytest.mark.parametrize("part", ["records/Item__c", "records/Memo__c"])
def test_46_a_page_whose_flush_failed_is_fetched_anew(rig: Rig, step: str, part: str) -> None:
    disk = FaultyDisk(step, errno.EIO, part=part, nth=2, times=2)
    result = rig.run(disk=disk)
    assert disk.failed == 2
    assert not disk.used_dead_handle
    assert_complete(rig, result)


def test_46_a_small_file_whose_flush_failed_is_written_anew(rig: Rig) -> None:
    disk = FaultyDisk("sync", errno.EIO, part="org/organization.json", times=1)
    result = rig.run(disk=disk)
    assert disk.failed == 1 and not disk.used_dead_handle
    assert_complete(rig, result)


@pytest.mark.parametrize("part", ["organization.json", "journal.jsonl", "tagmanifest"])
def test_46_a_disk_that_goes_on_failing_pauses_the_run(rig: Rig, part: str) -> None:
    disk = FaultyDisk("sync", errno.EIO, part=part, nth=1 if part != "journal.jsonl" else 15)
    with pytest.raises(DiskTrouble, match="run the same command again"):
        rig.run(disk=disk)
    assert not disk.used_dead_handle
    no_parts(rig.root)
    assert_complete(rig, rig.run())


@pytest.mark.parametrize("part", ["records/Item__c", "records/Memo__c", "dictionary.html", ".zip"])
def test_46_what_never_gets_onto_the_disk_is_not_taken_for_missing_in_the_org(
    rig: Rig, part: str
) -> None:
    disk = FaultyDisk("sync", errno.EIO, part=part)
    with pytest.raises(DiskTrouble, match=r"the disk reported a fault.* repair the disk"):
        rig.run(disk=disk)
    assert disk.failed >= 3
    assert not list(rig.root.glob("bags/*"))
    assert_complete(rig, rig.run())


# ---- 53: somebody meddles with the running archive -----------------------------------------------


class Meddler(Notes):
    """Does something at the beginning of a phase, once."""

    def __init__(self, phase: str, action: Callable[[], None]) -> None:
        super().__init__()
        self._phase, self._action = phase, action
        self.done = False

    def phase(self, name: str) -> None:
        if name == self._phase and not self.done:
            self.done = True
            self._action()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _remove(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


ITEM = "data/records/Item__c/Item__c.g001.s0000.p00000{}.csv.gz"
MEMO = "data/records/Memo__c/Memo__c.g001.s0000.p00000{}.csv.gz"
VICTIMS = [
    ITEM.format(1),
    ITEM.format(3),
    MEMO.format(1),
    MEMO.format(2),
    MEMO.format(3),
    "data/schema/sobjects.json.gz",
    "data/schema/objects/Item__c.json.gz",
    "data/org/organization.json",
    "data/org/identity.json",
    "data/org/limits.json",
    "data/org/sight.json",
]


@pytest.mark.parametrize(
    ("victim", "deed"),
    [(victim, deed) for victim in VICTIMS for deed in (_flip, _remove)]
    + [
        (victim, deed) for victim in (VICTIMS[0], VICTIMS[2], VICTIMS[7]) for deed in (_cut, _empty)
    ],
)
def test_53_a_changed_file_is_noticed_and_made_again(
    rig: Rig, victim: str, deed: Callable[[Path], None]
) -> None:
    rig.notes = Meddler("Reading back", lambda: deed(rig.root / "work/bag" / victim))
    result = rig.run()
    assert rig.notes.done
    assert rig.notes.said(victim)
    assert_complete(rig, result)


@pytest.mark.parametrize("deed", [_flip, _remove], ids=lambda deed: deed.__name__)
@pytest.mark.parametrize("victim", [ITEM.format(1), *VICTIMS[5:]])
def test_53_a_file_changed_between_two_runs(
    rig: Rig, victim: str, deed: Callable[[Path], None]
) -> None:
    from sfexit.errors import Interrupted

    stop = threading.Event()
    rig.notes = Meddler("Reading back", stop.set)
    with pytest.raises(Interrupted):
        rig.run(stop=stop)
    deed(rig.root / "work/bag" / victim)
    assert_complete(rig, rig.run())


def test_53_a_page_swapped_with_another_is_noticed(rig: Rig) -> None:
    def swap() -> None:
        one, two = (rig.root / "work/bag" / ITEM.format(n) for n in (1, 2))
        held = one.read_bytes()
        one.write_bytes(two.read_bytes())
        two.write_bytes(held)

    rig.notes = Meddler("Reading back", swap)
    assert_complete(rig, rig.run())


def test_53_strangers_are_set_aside(rig: Rig) -> None:
    def add() -> None:
        bag = rig.root / "work/bag"
        (bag / "data/.DS_Store").write_bytes(b"finder")
        (bag / "data/records/Item__c/notes.txt").write_bytes(b"mine")
        (bag / "mine/deep").mkdir(parents=True)
        (bag / "mine/deep/x y;\n.txt").write_bytes(b"odd name")
        (bag / "data/link").symlink_to("/etc/passwd")
        (bag / "data/folder-link").symlink_to(rig.folder)
        (bag / "data/half.part").write_bytes(b"")
        (bag / "data/records/Item__c/Item__c.g009.s0000.p000001.csv.gz").write_bytes(b"?")

    rig.notes = Meddler("Reading back", add)
    result = rig.run()
    assert_complete(rig, result)
    assert set(result.set_aside) == {
        "data/.DS_Store", "data/records/Item__c/notes.txt", "mine/deep/x y;\n.txt", "data/link",
        "data/folder-link",
    }  # fmt: skip
    kept = {path.name for path in (rig.root / "work/set-aside").iterdir()}
    assert "data_records_Item__c_notes.txt" in kept and len(kept) == 5
    assert rig.notes.said("set aside")


def test_53_two_strangers_of_one_name_are_both_kept(rig: Rig) -> None:
    for _ in range(2):
        rig.notes = Meddler(
            "Reading back", lambda: (rig.root / "work/bag/data/x.txt").write_bytes(b"x")
        )
        rig.run(anew=True)
    assert len(list((rig.root / "work/set-aside").iterdir())) == 2


def test_53_a_program_that_never_stops_meddling_ends_the_run(rig: Rig) -> None:
    class Always(Notes):
        def phase(self, name: str) -> None:
            if name == "Reading back":
                _flip(rig.root / "work/bag" / ITEM.format(1))

    rig.notes = Always()
    with pytest.raises(ArchiveProblem, match="keep changing"):
        rig.run()
    rig.notes = Notes()
    assert_complete(rig, rig.run())


def test_53_an_edited_journal_is_never_sealed(rig: Rig) -> None:
    lines = rig.root / "work/journal.jsonl"

    def edit() -> None:
        text = lines.read_bytes()
        with lines.open("r+b") as handle:  # in place: the run holds the file open
            handle.write(text.replace(b'"Item__c"', b'"Jtem__c"', 1))

    rig.notes = Meddler("Reading back", edit)
    with pytest.raises(ArchiveProblem, match="sfexit recover"):
        rig.run()
    from sfexit.export.recover import recover

    recover(rig.root)
    rig.notes = Notes()
    # A job whose line was cut off is not known to be ours; the org drops it after seven days.
    assert_complete(rig, rig.run(), jobs=False)


def test_the_journal_in_the_bag_tells_the_whole_story(rig: Rig) -> None:
    result = rig.run()
    assert result.bag is not None
    events = [event["event"] for event in journal_events(result.bag.path)]
    assert events[0] == "begun"
    assert events.count("outcome") >= len(rig.org.objects)
    assert archive_rows(result.bag.path, "Item__c")
