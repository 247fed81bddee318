"""The journal: replaying its lines gives the state that was lived, wherever it was cut."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.archive import journal_index
from sfexit.archive.durable import Disk
from sfexit.archive.journal import Journal, good_prefix
from sfexit.errors import ArchiveProblem, DiskTrouble

OBJECTS = ["A", "B__c"]


class QuickDisk(Disk):
    """Does not wait for the disk."""

    def sync(self, handle: Any) -> None: ...

    def sync_folder(self, folder: Path) -> None: ...


def state(journal: Journal) -> dict[str, list[tuple[Any, ...]]]:
    tables = ("meta", "object", "slice", "page", "file", "note")
    return {
        name: sorted((tuple(row) for row in journal.rows(f"SELECT * FROM {name}")), key=repr)
        for name in tables
    }


def random_event(choose: random.Random) -> tuple[str, dict[str, Any]]:
    place = {
        "object": choose.choice(OBJECTS),
        "reading": choose.randint(1, 2),
        "slice": choose.randint(0, 2),
    }
    number = choose.randint(1, 3)
    path = f"data/records/{place['object']}/{place['reading']}.{place['slice']}.{number}"
    events: list[tuple[str, dict[str, Any]]] = [
        ("described", {"object": place["object"], "fields": ["Id"], "left_out": {"X": "ü"}}),
        ("reading", {"object": place["object"], "reading": place["reading"], "route": "bulk"}),
        ("job_intent", {**place, "since": "2026-01-01T00:00:00+00:00"}),
        ("job", {**place, "job_id": "750", "query": "SELECT", "created": "2026"}),
        ("job_done", {**place, "rows": choose.choice([None, 7])}),
        ("page", {**place, "page": number, "path": path, "rows": 5, "declared_rows": 5,
                  "bytes": 9, "sha256": "0", "locator": None, "next": "x"}),
        ("page_lost", {**place, "path": path}),
        ("slice_done", place),
        ("slice_split", {**place, "into": {"3": "a", "4": "b"}}),
        ("outcome", {"object": place["object"], "outcome": "exported", "rows": 5}),
        ("again", {"object": place["object"], "fresh": choose.random() < 0.5}),
        ("file", {"path": f"f{number}", "sha256": "0", "bytes": 1}),
        ("file_lost", {"path": f"f{number}"}),
        ("note", {"object": "A", "kind": "k", "text": 'say "ü\u2028\n"'}),
        ("resumed", {"made_by": "x"}),
        ("sealing", {"generation": number, "root": "r"}),
    ]  # fmt: skip
    return choose.choice(events)


def begun(folder: Path) -> Journal:
    journal = Journal.create(QuickDisk(), folder / "j", folder / "s.db")
    journal.record("begun", org="00D", api_version="66.0", selection="", made_by="t")
    journal.record("planned", objects=OBJECTS, hints={"A": 3})
    return journal


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_replay_is_what_was_lived(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int
) -> None:
    folder = tmp_path_factory.mktemp("j")
    choose = random.Random(seed)
    journal = begun(folder)
    for _ in range(count):
        kind, data = random_event(choose)
        journal.record(kind, **data)
    lived, head = state(journal), journal.head
    assert journal.is_whole()
    journal.close()

    again = Journal.open(QuickDisk(), folder / "j", folder / "s.db")
    assert state(again) == lived and again.head == head
    again.close()
    rebuilt, cut = Journal.rebuild(QuickDisk(), folder / "j", folder / "s.db")
    assert cut == 0
    assert state(rebuilt) == lived and rebuilt.head == head
    rebuilt.record("resumed", made_by="x")
    assert rebuilt.is_whole()
    rebuilt.close()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 25), st.data())
def test_an_index_that_lags_behind_catches_up(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, draw: st.DataObject
) -> None:
    """A kill between line and commit, or a torn line: any cut of what follows the index."""
    folder = tmp_path_factory.mktemp("j")
    choose = random.Random(seed)
    journal = begun(folder)
    journal.close()
    kept = (folder / "s.db").read_bytes()
    first = (folder / "j").stat().st_size
    journal = Journal.open(QuickDisk(), folder / "j", folder / "s.db")
    for _ in range(count):
        kind, data = random_event(choose)
        journal.record(kind, **data)
    journal.close()
    data = (folder / "j").read_bytes()
    at = draw.draw(st.integers(first, len(data)))
    (folder / "j").write_bytes(data[:at])
    (folder / "s.db").write_bytes(kept)

    journal = Journal.open(QuickDisk(), folder / "j", folder / "s.db")
    lines = data[:at].rpartition(b"\n")[0].count(b"\n") + 1
    assert journal.rows("SELECT value FROM meta WHERE key = 'seq'")[0][0] == str(lines)
    assert (folder / "j").read_bytes() == b"\n".join(data.split(b"\n")[:lines]) + b"\n"
    journal.record("resumed", made_by="x")
    assert journal.is_whole()
    lived = state(journal)
    journal.close()
    rebuilt, _ = Journal.rebuild(QuickDisk(), folder / "j", folder / "s.db")
    assert state(rebuilt) == lived
    rebuilt.close()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_change_of_a_line_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("j")
    journal = begun(folder)
    for number in range(6):
        journal.record("file", path=f"f{number}", sha256="0", bytes=1)
    data = bytearray((folder / "j").read_bytes())
    last = bytes(data).rindex(b"\n", 0, len(data) - 1) + 1
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] ^= draw.draw(st.integers(1, 255))
    (folder / "j").write_bytes(data)
    good, _ = good_prefix(folder / "j")
    assert good <= at or at >= last  # of the last line nothing vouches but the index:
    if at < last:
        assert not journal.is_whole()
    journal.close()


def test_events_that_belong_together_are_one(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.record("reading", object="A", reading=1, route="bulk")
    [row] = journal.rows("SELECT slice, condition, state FROM slice")
    assert tuple(row) == (0, "", "planned")
    journal.record("slice_split", object="A", reading=1, slice=0, into={"1": "x", "2": "y"})
    rows = [tuple(r) for r in journal.rows("SELECT slice, condition, state FROM slice")]
    assert rows == [(0, "", "split"), (1, "x", "planned"), (2, "y", "planned")]
    journal.close()


def test_pages_in_their_order_in_small_bites(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(journal_index, "_PAGES_AT_ONCE", 3)
    journal = begun(tmp_path)
    expected = []
    for name in OBJECTS:
        journal.record("reading", object=name, reading=2, route="bulk")
        for slice_number in (0, 1):
            for page in range(1, 6):
                path = f"{name}.{slice_number}.{page}"
                expected.append(path)
                for reading in (1, 2):
                    journal.record(
                        "page", object=name, reading=reading, slice=slice_number, page=page,
                        path=path if reading == 2 else "old" + path, rows=1, declared_rows=None,
                        bytes=1, sha256="", locator=None, next=None,
                    )  # fmt: skip
    assert [page["path"] for page in journal.pages()] == expected
    assert [page["path"] for page in journal.pages("B__c")] == expected[10:]
    assert list(journal.pages("C")) == []
    for page in journal.pages("A"):  # losing pages while they are listed
        journal.record("page_lost", path=page["path"], object="A", reading=2, slice=page["slice"])
    assert list(journal.pages("A")) == []
    journal.close()


def test_a_lost_page_opens_its_slice_and_object(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    place = {"object": "A", "reading": 1, "slice": 0}
    journal.record("reading", object="A", reading=1, route="bulk")
    journal.record("job_intent", **place, since="x")
    journal.record("job", **place, job_id="750", query="", created="")
    journal.record("job_done", **place, rows=4)
    journal.record("slice_done", **place)
    journal.record("outcome", object="A", outcome="exported")
    journal.record("page_lost", **place, path="p")
    [row] = journal.rows("SELECT state, job_id, rows FROM slice")
    assert tuple(row) == ("job_done", "750", 4)
    assert journal.rows("SELECT outcome FROM object WHERE name = 'A'")[0][0] is None
    journal.close()


@pytest.mark.parametrize("failing", ["write", "sync"])
def test_after_a_failed_append_nothing_more_is_taken(tmp_path: Path, failing: str) -> None:
    class Failing(QuickDisk):
        armed = False

    def fail(self: Any, handle: Any, *data: bytes) -> None:
        if Failing.armed:
            if data:
                handle.write(data[0][:10])
            raise DiskTrouble("the disk is full")
        if data:
            QuickDisk.write(self, handle, *data)

    setattr(Failing, failing, fail)
    journal = Journal.create(Failing(), tmp_path / "j", tmp_path / "s.db")
    journal.record("begun", org="x")
    before = (tmp_path / "j").read_bytes()
    Failing.armed = True
    with pytest.raises(DiskTrouble, match="full"):
        journal.record("note", object="", kind="", text="")
    Failing.armed = False
    with pytest.raises(DiskTrouble, match="cannot be written any more: the disk is full"):
        journal.record("note", object="", kind="", text="")
    journal.close()
    # What was not flushed is not there to be believed by the next start.
    assert (tmp_path / "j").read_bytes() == before
    journal = Journal.open(QuickDisk(), tmp_path / "j", tmp_path / "s.db")
    assert journal.fact("begun")
    journal.close()


@pytest.mark.parametrize("fails", [False, True])
def test_threads_share_a_flush(tmp_path: Path, fails: bool) -> None:
    class Slow(QuickDisk):
        """The first flush ends when all have written."""

        writes = syncs = 0
        armed = False
        written = threading.Condition()

        def write(self, handle: Any, data: bytes) -> None:
            super().write(handle, data)
            with self.written:
                self.writes += 1
                self.written.notify_all()

        def sync(self, handle: Any) -> None:
            if not self.armed:
                return
            self.syncs += 1
            with self.written:
                assert self.written.wait_for(lambda: self.writes >= 6, timeout=60)
            if fails:
                raise DiskTrouble("the disk is full")

    disk = Slow()
    journal = Journal.create(disk, tmp_path / "j", tmp_path / "s.db")
    journal.record("begun", org="x")
    before = (tmp_path / "j").read_bytes()
    disk.writes, disk.armed = 0, True

    def record(number: int) -> str:
        try:
            journal.record("note", object="", kind="", text=str(number))
        except DiskTrouble as error:
            return str(error)
        # Once it is back, the event is in the index, and so on the disk.
        return str(len(journal.rows("SELECT 1 FROM note WHERE text = ?", (str(number),))))

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(record, range(6)))
    if fails:
        assert all("the disk is full" in one for one in told)
        assert disk.syncs == 1
        journal.close()
        assert (tmp_path / "j").read_bytes() == before
        return
    assert told == ["1"] * 6
    assert disk.syncs <= 2
    assert journal.is_whole()
    assert journal.rows("SELECT count(*) FROM note")[0][0] == 6
    journal.close()


def cut_lines(folder: Path) -> None:
    (folder / "j").write_bytes((folder / "j").read_bytes()[:-5])


def no_lines(folder: Path) -> None:
    (folder / "j").unlink()


def no_index(folder: Path) -> None:
    (folder / "s.db").unlink()


@pytest.mark.parametrize("deed", [cut_lines, no_lines, no_index], ids=lambda deed: deed.__name__)
def test_damage_is_refused_and_names_recover(tmp_path: Path, deed: Callable[[Path], None]) -> None:
    begun(tmp_path).close()
    deed(tmp_path)
    with pytest.raises(ArchiveProblem, match="sfexit recover"):
        Journal.open(QuickDisk(), tmp_path / "j", tmp_path / "s.db")


def test_a_sick_index_in_mid_run(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    with sqlite3.connect(tmp_path / "s.db") as other:
        other.execute("DROP TABLE note")
    other.close()
    with pytest.raises(ArchiveProblem, match="damaged"):
        journal.record("note", object="", kind="", text="")
    with pytest.raises(ArchiveProblem, match="damaged"):
        journal.record("resumed", made_by="")
    with pytest.raises(ArchiveProblem, match="damaged"):
        journal.rows("SELECT * FROM note")
    journal.close()


def test_the_chain(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    journal.close()
    lines = (tmp_path / "j").read_bytes().splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == [1, 2]
    assert events[0]["prev"] == "0" * 64
    assert events[0]["journal"] == 1
