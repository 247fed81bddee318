"""Damaged journals, foreign and busy homes (faults 50, 51, 52), and kills around the journal."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig import Notes, Rig, archive_rows, assert_complete, journal_events, problems_of_bag

from sfexit.archive import home as homes
from sfexit.archive import layout
from sfexit.archive.durable import Disk
from sfexit.archive.layout import HomeLayout
from sfexit.errors import ArchiveProblem, Blocked, Interrupted, Locked
from sfexit.export.recover import recover


class StopAt(Notes):
    def __init__(self, phase: str, stop: threading.Event) -> None:
        super().__init__()
        self._phase, self._stop = phase, stop

    def phase(self, name: str) -> None:
        if name == self._phase:
            self._stop.set()


def interrupted(rig: Rig, phase: str = "Reading back", calls: int | None = None) -> Path:
    """A home whose export was stopped; returns its work folder."""
    stop = threading.Event()
    if calls is None:
        rig.notes = StopAt(phase, stop)
    else:
        rig.org.after_calls(calls, stop.set)
    with pytest.raises(Interrupted):
        rig.run(stop=stop)
    rig.notes = Notes()
    return rig.root / "work"


def drop(work: Path) -> None:
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (work / name).unlink(missing_ok=True)


def garbage(work: Path) -> None:
    (work / "state.db-wal").unlink(missing_ok=True)
    (work / "state.db").write_bytes(os.urandom(40_000))


def garbage_inside(work: Path) -> None:
    path = work / "state.db"
    data = bytearray(path.read_bytes())
    data[5000 : len(data) - 100] = os.urandom(len(data) - 5100)
    path.write_bytes(data)


def truncated(work: Path) -> None:
    path = work / "state.db"
    path.write_bytes(path.read_bytes()[:9000])


def zero_bytes(work: Path) -> None:
    (work / "state.db").write_bytes(b"")


def text(work: Path) -> None:
    (work / "state.db").write_text("this is no database")


def other_tables(work: Path) -> None:
    drop(work)
    with sqlite3.connect(work / "state.db") as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()


DEEDS = [drop, garbage, garbage_inside, truncated, zero_bytes, text, other_tables]


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_50_a_lost_index_is_refused_and_rebuilt(rig: Rig, deed: Callable[[Path], None]) -> None:
    work = interrupted(rig)
    fetched = len(list((work / "bag/data/records").glob("*/*.gz")))
    deed(work)
    calls = len(rig.server.requests)
    with pytest.raises(ArchiveProblem, match=r"state\.db.*sfexit recover"):
        rig.run()
    told = recover(rig.root)
    assert (told.pages_kept, told.pages_lost) == (fetched, 0)
    assert (told.files_lost, told.bytes_cut) == (0, 0)
    assert told.files_kept >= 8
    pages = [one for one in rig.server.requests[calls:] if one.path.endswith("/results")]
    result = rig.run()
    assert result.resumed
    assert pages == [] and result.rows_read == 0, "whole pages were fetched again"
    assert_complete(rig, result)


def test_50_recover_finds_damaged_pages_and_files(rig: Rig) -> None:
    work = interrupted(rig)
    bag = work / "bag"
    pages = sorted((bag / "data/records/Item__c").iterdir())
    pages[0].write_bytes(pages[0].read_bytes()[:-1])
    pages[1].unlink()
    (bag / "data/schema/objects/Memo__c.json.gz").write_bytes(b"x")
    drop(work)
    told = recover(rig.root)
    assert (told.pages_lost, told.files_lost) == (2, 1)
    assert not pages[0].exists()
    assert_complete(rig, rig.run())


@pytest.mark.parametrize(("share", "index"), [(0.4, "kept"), (0.8, "lost")])
@pytest.mark.parametrize("how", ["cut", "torn", "altered", "line-missing"])
def test_50_a_damaged_journal(rig: Rig, how: str, share: float, index: str) -> None:
    work = interrupted(rig)
    lines = work / "journal.jsonl"
    data = lines.read_bytes().splitlines(keepends=True)
    at = int(len(data) * share)
    if how == "cut":
        data = data[:at]
    elif how == "torn":
        data = [*data[:at], data[at][:20]]
    elif how == "altered":
        data[at] = data[at].replace(b"a", b"b", 1)
    else:
        del data[at]
    lines.write_bytes(b"".join(data))
    if index == "lost":
        drop(work)
    with pytest.raises(ArchiveProblem, match="sfexit recover"):
        rig.run()
    told = recover(rig.root)
    assert told.bytes_cut > 0 or how == "cut"
    assert_complete(rig, rig.run(), jobs=False)


def test_50_a_torn_last_line_needs_no_recovery(rig: Rig) -> None:
    work = interrupted(rig)
    with (work / "journal.jsonl").open("ab") as handle:
        handle.write(b'{"seq":999,"at":"20')
    result = rig.run()
    assert result.resumed
    assert_complete(rig, result)


@pytest.mark.parametrize("index", ["kept", "lost"])
@pytest.mark.parametrize("journal", ["lost", "empty", "garbage"])
def test_50_without_a_journal_there_is_a_clear_word(rig: Rig, journal: str, index: str) -> None:
    work = interrupted(rig)
    if index == "lost":
        drop(work)
    lines = work / "journal.jsonl"
    lines.unlink()
    if journal == "empty":
        lines.write_bytes(b"")
    elif journal == "garbage":
        lines.write_bytes(os.urandom(3000))
    with pytest.raises(ArchiveProblem, match=r"remove .*work.*sealed bags are safe"):
        recover(rig.root)
    if not (index == "lost" and journal != "garbage"):
        with pytest.raises(ArchiveProblem):
            rig.run()
    shutil.rmtree(work)
    assert_complete(rig, rig.run(), jobs=False)


def test_50_recover_touches_no_sealed_bag(rig: Rig) -> None:
    first = rig.run()
    assert first.bag is not None
    stop = threading.Event()
    rig.notes = StopAt("Reading back", stop)
    with pytest.raises(Interrupted):
        rig.run(anew=True, stop=stop)
    drop(rig.root / "work")
    recover(rig.root)
    assert problems_of_bag(first.bag.path) == []
    rig.notes = Notes()
    second = rig.run()
    assert second.bag is not None and second.bag.generation == 2
    assert_complete(rig, second)


def test_50_recover_twice_is_recover_once(rig: Rig) -> None:
    work = interrupted(rig)
    drop(work)
    first, second = recover(rig.root), recover(rig.root)
    assert (first.pages_kept, first.pages_lost) == (second.pages_kept, second.pages_lost)
    assert_complete(rig, rig.run())


def test_50_recover_without_an_export_under_way(rig: Rig) -> None:
    with pytest.raises(Blocked, match="nothing to recover"):
        recover(rig.root)
    rig.run()
    with pytest.raises(Blocked, match="nothing to recover"):
        recover(rig.root)


def test_50_recover_after_a_kill_behind_the_rename(rig: Rig, monkeypatch: Any) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr("sfexit.archive.home.clear_work", lambda _: None)
    rig.run()
    monkeypatch.undo()
    drop(rig.root / "work")
    told = recover(rig.root)
    assert told.pages_lost == 0
    result = rig.run()
    assert result.already_sealed
    assert not (rig.root / "work/journal.jsonl").exists()


# ---- 51: of another make, of another org ---------------------------------------------------------


def test_51_an_index_of_a_newer_version(rig: Rig) -> None:
    work = interrupted(rig)
    with sqlite3.connect(work / "state.db") as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(ArchiveProblem, match=r"newer sfexit.*version 7, this one knows 1"):
        rig.run()


def test_51_a_journal_of_a_newer_version(rig: Rig) -> None:
    """Without its index nothing but the journal tells its make."""
    work = interrupted(rig)
    first = json.loads((work / "journal.jsonl").read_bytes().splitlines()[0])
    first["journal"] = 9
    (work / "journal.jsonl").write_bytes(json.dumps(first).encode() + b"\n")
    drop(work)
    with pytest.raises(ArchiveProblem, match=r"newer sfexit.*version 9, this one knows 1"):
        recover(rig.root)


def test_51_a_work_folder_of_a_newer_version(rig: Rig) -> None:
    work = interrupted(rig)
    about = json.loads((work / "home.json").read_bytes())
    (work / "home.json").write_text(json.dumps({**about, "schema": "sfexit-work/2"}))
    for action in (rig.run, lambda: recover(rig.root)):
        with pytest.raises(Blocked, match=r"sfexit-work/2.*sfexit-work/1"):
            action()


def test_51_a_damaged_home_json(rig: Rig) -> None:
    work = interrupted(rig)
    (work / "home.json").write_bytes(b"{")
    with pytest.raises(ArchiveProblem, match=r"remove .*work"):
        rig.run()


@pytest.mark.parametrize("sealed", [False, True])
def test_51_a_home_of_another_org(make_rig: Any, sealed: bool) -> None:
    one, two = make_rig(), make_rig(seed=8)
    two.org.organization_id = layout.id18("00D" + "9" * 12)
    if sealed:
        one.run()
    else:
        interrupted(one)
    two.root = one.root
    with pytest.raises(Blocked, match=one.org.organization_id) as caught:
        two.run()
    assert two.org.organization_id in caught.value.message


def test_51_another_api_version(rig: Rig) -> None:
    interrupted(rig)
    with pytest.raises(Blocked, match=r"begun with API version 6\d\.0, but 58\.0"):
        rig.run(api_version="58.0")


# ---- 52: two at once -----------------------------------------------------------------------------


def test_52_the_second_process_is_told_of_the_first(rig: Rig) -> None:
    homes.claim(rig.root, rig.org.organization_id, Disk())
    place = HomeLayout(rig.root)
    with homes.locked(place, Disk()):
        for action in (rig.run, lambda: recover(rig.root)):
            with pytest.raises(Locked, match=f"process {os.getpid()} on ") as caught:
                action()
            assert os.uname().nodename[:64] in caught.value.message
    assert_complete(rig, rig.run())


def test_52_the_lock_of_a_killed_process_is_free_at_once(rig: Rig) -> None:
    code = (
        "import sys, pathlib; from sfexit.archive import home; from sfexit.archive.durable import "
        "Disk; from sfexit.archive.layout import HomeLayout\n"
        "with home.locked(HomeLayout(pathlib.Path(sys.argv[1])), Disk()):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    homes.claim(rig.root, rig.org.organization_id, Disk())
    with subprocess.Popen(
        [sys.executable, "-c", code, str(rig.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Locked, match=f"process {holder.pid} on "):
            rig.run()
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    assert_complete(rig, rig.run())


# ---- kills around the beginning and the end, step by step ----------------------------------------


@pytest.mark.parametrize("left", ["home.json", "home.json+empty-journal", "all-but-begun"])
def test_killed_while_the_journal_was_made(rig: Rig, left: str) -> None:
    work = interrupted(rig, calls=2)
    shutil.rmtree(work / "bag")
    drop(work)
    (work / "journal.jsonl").unlink()
    if left != "home.json":
        (work / "journal.jsonl").write_bytes(b"")
    if left == "all-but-begun":
        from sfexit.archive.journal import Journal

        Journal.create(Disk(), work / "journal.jsonl", work / "state.db").close()
    assert_complete(rig, rig.run())


def test_an_old_index_is_never_taken_for_a_new_one(rig: Rig) -> None:
    """home.json went first when the last export was tidied away; its index was left by a kill."""
    rig.run()
    stop = threading.Event()
    rig.notes = StopAt("Reading back", stop)
    with pytest.raises(Interrupted):
        rig.run(anew=True, stop=stop)
    (rig.root / "work/home.json").unlink()
    rig.notes = Notes()
    assert rig.run().already_sealed
    assert sorted(p.name for p in (rig.root / "work").iterdir()) == ["lock"]
    assert_complete(rig, rig.run(anew=True), jobs=False)


def test_what_failed_before_a_kill_gets_another_chance(rig: Rig) -> None:
    rig.fail("drop_rows", "bulk.results", object="Item__c", nth=1, times=None)
    interrupted(rig)
    rig.plan.clear()
    assert_complete(rig, rig.run())


def test_a_reading_under_way_keeps_its_road(rig: Rig) -> None:
    """The route is chosen once for a reading, however many rows the org has later."""
    rig.fail("bulk_unsupported", "bulk.create", object="Item__c", times=None)
    rig.fail("session_expired", "query.more", object="Item__c", nth=4)
    from sfexit.errors import SessionLost

    with pytest.raises(SessionLost):
        rig.run()
    rig.plan.clear()
    rig.environment["SFEXIT_ACCESS_TOKEN"] = rig.org.new_session()
    result = rig.run()
    assert_complete(rig, result)
    assert result.bag is not None
    mine = [e for e in journal_events(result.bag.path) if e.get("object") == "Item__c"]
    assert [e["route"] for e in mine if e["event"] == "reading"] == ["bulk", "rest"]
    pages = [e["path"] for e in mine if e["event"] == "page"]
    assert len(pages) == len(set(pages)) == 12


def test_an_object_that_appears_when_the_list_was_lost(rig: Rig) -> None:
    work = interrupted(rig)
    rig.org.remove_object("Empty__c")
    (work / "bag" / layout.SOBJECTS).unlink()
    result = rig.run()
    assert result.bag is not None
    assert problems_of_bag(result.bag.path) == []
    assert archive_rows(result.bag.path, "Item__c") == rig.truth("Item__c")
    assert {line.object for line in result.lines} >= {"Empty__c", "Item__c"}
