"""Durable writing: the order of flushes against power cuts (fault 44), and the system's errors."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import power_loss as model
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.archive import durable
from sfexit.archive.durable import Disk, telling, written_anew
from sfexit.errors import DiskTrouble, MediumFault


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[model.Step]]:
    root = tmp_path_factory.mktemp("power")
    disk = model.RememberingDisk()
    model.export_pages(root, disk, pages=4)
    return root, disk.steps


def test_44_every_recorded_page_survives_a_power_cut(
    recorded: tuple[Path, list[model.Step]],
) -> None:
    root, steps = recorded

    @settings(max_examples=400, deadline=None)
    @given(st.integers(0, len(steps)), st.randoms(use_true_random=False))
    def holds(at: int, random: Random) -> None:
        after = model.power_cut(steps, at, random, "random")
        assert model.broken_promises(after, root) == []

    holds()
    for at, mode in model.states(steps):
        assert model.broken_promises(model.power_cut(steps, at, Random(0), mode), root) == []


def test_44_what_was_recorded_before_is_still_recorded(
    recorded: tuple[Path, list[model.Step]],
) -> None:
    root, steps = recorded
    after = model.power_cut(steps, len(steps), Random(0), "worst")
    events = model.journal_of(after, root)
    assert [event["event"] for event in events] == ["planned"] + ["page"] * 4


def some_promise_breaks(root: Path, steps: list[model.Step]) -> bool:
    return any(
        model.broken_promises(model.power_cut(steps, at, Random(0), mode), root)
        for at, mode in model.states(steps)
    )


@pytest.mark.parametrize("disk", [model.NoFileFlush, model.NoFolderFlush])
def test_44_the_model_sees_a_missing_flush(
    tmp_path: Path, disk: type[model.RememberingDisk]
) -> None:
    used = disk()
    model.export_pages(tmp_path, used, pages=2)
    assert some_promise_breaks(tmp_path, used.steps)


def test_44_the_model_sees_a_journal_that_runs_ahead(tmp_path: Path) -> None:
    disk = model.RememberingDisk()
    model.export_pages(tmp_path, disk, pages=2, reverse=True)
    assert some_promise_breaks(tmp_path, disk.steps)


# ---- the system's errors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, DiskTrouble, "full"),
        (errno.EDQUOT, DiskTrouble, "full"),
        (errno.EMFILE, DiskTrouble, "open files"),
        (errno.EIO, MediumFault, "fault"),
        (errno.EROFS, DiskTrouble, "cannot be written any more"),
        (errno.EACCES, DiskTrouble, "cannot be written any more"),
        (errno.ESTALE, DiskTrouble, "cannot be written any more"),
        (errno.ENAMETOOLONG, DiskTrouble, "cannot be written any more"),
        (errno.EFBIG, DiskTrouble, "cannot be written any more"),
        (errno.EEXIST, DiskTrouble, "cannot be written any more"),
    ],
)
def test_every_error_of_the_system_has_a_meaning(number: int, kind: type, words: str) -> None:
    with pytest.raises(kind, match=words), telling(Path("x")):
        raise OSError(number, os.strerror(number))


def test_other_errors_pass() -> None:
    with pytest.raises(ValueError, match="mine"), telling(None):
        raise ValueError("mine")


def test_a_file_is_never_followed_or_reused(tmp_path: Path) -> None:
    disk = Disk()
    (tmp_path / "there").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("there", "link"):
        with pytest.raises(DiskTrouble):
            disk.create(tmp_path / name)
    assert not (tmp_path / "elsewhere").exists()


def test_files_and_folders_are_private(tmp_path: Path) -> None:
    disk = Disk()
    disk.make_folder(tmp_path / "a/b")
    disk.write_whole(tmp_path / "a/b/file", b"x")
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a/b/file").stat().st_mode & 0o777 == 0o600


def test_short_writes_are_completed(tmp_path: Path) -> None:
    class Stingy:
        def __init__(self) -> None:
            self.got = b""

        def write(self, data: bytes | memoryview) -> int:
            self.got += bytes(data[:3])
            return min(3, len(data))

        def close(self) -> None: ...

        def fileno(self) -> int:
            return -1

    handle = Stingy()
    Disk().write(handle, b"0123456789")
    assert handle.got == b"0123456789"


@pytest.mark.parametrize("step", ["write", "sync", "publish"])
def test_write_whole_leaves_nothing_behind(tmp_path: Path, step: str) -> None:
    class Failing(Disk):
        pass

    def fail(*_: Any) -> None:
        raise DiskTrouble("no")

    setattr(Failing, step, fail)
    with pytest.raises(DiskTrouble):
        Failing().write_whole(tmp_path / "f", b"data")
    assert list(tmp_path.iterdir()) == []


def test_threads_share_the_flush_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one that began after they came counts for those who wait."""
    begun, go_on = threading.Event(), threading.Event()
    flushed: list[str] = []

    def flush(place: str) -> None:
        flushed.append(place)
        begun.set()
        assert go_on.wait(60)

    monkeypatch.setattr(durable, "_flush_folder", flush)
    disk, waiting = Disk(), durable._FLUSHES
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(disk.sync_folder, tmp_path)
        assert begun.wait(60)
        rest = [pool.submit(disk.sync_folder, tmp_path) for _ in range(5)]
        while waiting._turns[str(tmp_path)].coming < 6:
            threading.Event().wait(0.001)
        go_on.set()
        for one in (first, *rest):
            one.result()
    assert flushed == [str(tmp_path)] * 2
    assert not waiting._turns
    flushed.clear()

    def fail(place: str) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(durable, "_flush_folder", fail)
    for _ in range(2):
        with pytest.raises(DiskTrouble, match="full"):
            disk.sync_folder(tmp_path)


@pytest.mark.parametrize("faults", [0, 2, 3])
def test_what_the_medium_lost_is_written_anew_a_few_times(faults: int) -> None:
    told: list[str] = []
    left = faults

    def write() -> str:
        nonlocal left
        if left:
            left -= 1
            raise MediumFault("lost")
        return "there"

    if faults == 3:
        with pytest.raises(MediumFault, match="lost"):
            written_anew(write, told.append)
    else:
        assert written_anew(write, told.append) == "there"
    assert told == ["lost"] * min(faults, 2)


def test_no_other_trouble_of_a_disk_is_worth_another_try() -> None:
    tries: list[int] = []

    def write() -> None:
        tries.append(1)
        raise DiskTrouble("full")

    with pytest.raises(DiskTrouble, match="full"):
        written_anew(write)
    assert len(tries) == 1
