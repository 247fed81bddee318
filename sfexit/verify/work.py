"""The work of reading many files: cut into tasks, done side by side, remembered between runs.

A task is small enough to be done in seconds and says everything about its files in one value, so
that a run can stop after any task and another one go on. Tasks share nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sfexit.errors import ArchiveProblem, DiskTrouble, Interrupted, Paused
from sfexit.verify.bag import Entry, open_file
from sfexit.verify.finding import Finding
from sfexit.verify.pages import Columns, Told, read_page
from sfexit.verify.runs import Run, RunWriter
from sfexit.verify.unpack import STEP, Broken, Inside, Stored

KIND = "digests"
_TASK_BYTES = 32 << 20
_TASK_FILES = 256
_PACKED = ".gz"


@dataclass(frozen=True, slots=True)
class Item:
    """One file to be read. `page`, `columns`: it is a page whose rows are to be read too."""

    entry: Entry
    page: Told | None = None
    columns: Columns | None = None
    md5: bool = False


@dataclass(frozen=True)
class Task:
    """Some files of a bag. Its name is the same in every run over the same bag."""

    items: tuple[Item, ...]

    @property
    def name(self) -> str:
        first, last = self.items[0].entry.path, self.items[-1].entry.path
        return hashlib.sha256(f"{first}\n{last}\n{len(self.items)}".encode()).hexdigest()[:24]


@dataclass
class Done:
    """What a task found."""

    task: str
    files: int = 0
    bytes: int = 0
    rows: dict[str, int] = field(default_factory=dict)  # object → rows read
    deleted: dict[str, int] = field(default_factory=dict)
    strangers: dict[str, str] = field(default_factory=dict)  # path → digest that is not its own
    bodies: list[tuple[str, int, str, str]] = field(default_factory=list)  # path, size, sha, md5
    findings: list[Finding] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)


def tasks(items: Iterable[Item]) -> Iterator[Task]:
    """Cut into tasks of some seconds. A large file is a task by itself."""
    held: list[Item] = []
    size = 0
    for item in items:
        more = item.entry.size or 0
        if held and (size + more > _TASK_BYTES or len(held) >= _TASK_FILES):
            yield Task(tuple(held))
            held, size = [], 0
        held.append(item)
        size += more
    if held:
        yield Task(tuple(held))


def perform(bag: Path, folder: Path | None, task: Task) -> Done:
    """Do one task; `folder` takes its sorted ids. Runs in a thread or in another process."""
    done = Done(task.name)
    runs = None
    if folder is not None:
        runs = RunWriter(folder / f"{task.name}.ids")
        (folder / f"{task.name}.ids").unlink(missing_ok=True)  # of a run that was cut short
    buffer = memoryview(bytearray(STEP))
    for item in task.items:
        entry = item.entry
        try:
            if item.page is not None and item.columns is not None and runs is not None:
                _page(bag, item, runs, done)
            else:
                _plain(bag, item, buffer, done)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            done.findings.append(
                Finding("file-unreadable", KIND, path=entry.path, found=f"cannot be read: {why}")
            )
        done.files += 1
        done.bytes += entry.size or 0
    if runs is not None:
        try:
            runs.flush()
        except OSError as error:
            raise DiskTrouble(
                f"there is no room for temporary files in {folder} ({error.strerror}): make room "
                "or set TMPDIR to another folder, then run this again"
            ) from error
        done.runs = runs.runs
    return done


def _page(bag: Path, item: Item, runs: RunWriter, done: Done) -> None:
    assert item.page is not None and item.columns is not None
    read = read_page(bag, item.page, item.columns, item.entry.digest, runs)
    name = item.columns.object
    done.rows[name] = done.rows.get(name, 0) + read.rows
    done.deleted[name] = done.deleted.get(name, 0) + read.deleted
    done.findings += read.findings
    if read.sha256 != item.entry.digest:
        _altered(item, read.sha256, done, "repacked" if read.repacked else "")


def _plain(bag: Path, item: Item, buffer: memoryview, done: Done) -> None:
    with os.fdopen(open_file(bag, item.entry.path), "rb", buffering=0) as file:
        sha, size = hashlib.sha256(), 0
        md5 = hashlib.md5(usedforsecurity=False) if item.md5 else None
        while count := file.readinto(buffer):
            piece = buffer[:count]
            sha.update(piece)
            if md5 is not None:
                md5.update(piece)
            size += count
    digest = sha.hexdigest()
    if md5 is not None:
        done.bodies.append((item.entry.path, size, digest, md5.hexdigest()))
    if digest != item.entry.digest:
        _altered(item, digest, done, _look_inside(bag, item))


def _look_inside(bag: Path, item: Item) -> str:
    """What became of a packed file whose bytes are others than they were."""
    if not item.entry.path.endswith(_PACKED) or item.entry.path.startswith("data/files/content/"):
        return ""
    try:
        with Stored(bag, item.entry.path) as stored:
            inside = Inside(stored, packed=True)
            while inside.read(STEP):
                pass
    except Broken as broken:
        return broken.found
    if item.page is not None and inside.sha256.hexdigest() == item.page.csv_sha256:
        return "repacked"
    return ""


def _altered(item: Item, digest: str, done: Done, detail: str) -> None:
    if item.entry.digest is None:
        return  # listed nowhere: that is a finding already
    done.strangers[item.entry.path] = digest
    code = "file-repacked" if detail == "repacked" else "file-altered"
    done.findings.append(
        Finding(
            code, KIND, path=item.entry.path, object=item.page.object if item.page else "",
            expected=item.entry.digest, found=digest, witness="manifest-sha256.txt",
            detail="" if detail == "repacked" else detail,
        )
    )  # fmt: skip


class Memory:
    """What tasks of earlier runs over the same bag found, in a folder that the user names."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        """Raises ArchiveProblem when the folder holds the state of something else."""
        self.folder = folder
        self._done: dict[str, Done] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._path = folder / "verify-state.jsonl"
            if self._path.exists():
                self._load(about)
            elif any(folder.iterdir()):
                raise ArchiveProblem(
                    f"{folder} holds other files: name a new or empty folder for the state"
                )
            self._file = self._path.open("ab")
            if self._path.stat().st_size == 0:
                self._write(about)
        except OSError as error:
            raise DiskTrouble(f"{folder} cannot be used: {error.strerror}") from error

    def _load(self, about: dict[str, Any]) -> None:
        with self._path.open("rb") as file:
            first = file.readline()
            if not first.endswith(b"\n"):  # cut short before anything was done
                self._path.unlink()
                return
            if json.loads(first) != about:
                raise ArchiveProblem(
                    f"{self.folder} holds the state of another verification (of another archive, "
                    "level or part): name another folder, or remove this one to begin anew"
                )
            whole = len(first)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                told = json.loads(line)
                told["findings"] = [Finding(**one) for one in told["findings"]]
                told["runs"] = [
                    Run(**{**one, "samples": tuple(one["samples"])}) for one in told["runs"]
                ]
                told["bodies"] = [tuple(one) for one in told["bodies"]]
                done = Done(**told)
                self._done[done.task] = done
        os.truncate(self._path, whole)

    def __len__(self) -> int:
        return len(self._done)

    def get(self, task: str) -> Done | None:
        return self._done.pop(task, None)

    def add(self, done: Done) -> None:
        self._write(asdict(done))

    def _write(self, value: dict[str, Any]) -> None:
        self._file.write(json.dumps(value).encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def forget(self) -> None:
        """Remove what this program made there: everything is done."""
        self.close()
        for path in (*self.folder.glob("*.ids"), self.folder / "bodies.db", self._path):
            path.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def carry_out(
    work: Iterable[Task],
    job: Callable[[Task], Done],
    *,
    executor: Executor,
    at_once: int,
    memory: Memory | None = None,
    stop: threading.Event | None = None,
    until: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Done]:
    """Do all tasks, a few at once, and yield what each found as it comes.

    `until`: do not begin a task after this moment of `clock`. Raises Paused then, Interrupted
    when `stop` is set; what was begun is finished and remembered first.
    """
    running: set[Future[Done]] = set()
    waiting = iter(work)
    reason: Paused | Interrupted | None = None
    more = True
    while more or running:
        while more and reason is None and len(running) < at_once:
            task = next(waiting, None)
            if task is None:
                more = False
                break
            known = memory.get(task.name) if memory is not None else None
            if known is not None:
                yield known
                continue
            if stop is not None and stop.is_set():
                reason = Interrupted("stopped as asked")
            elif until is not None and clock() >= until:
                reason = Paused(
                    "the time that was given is over before everything was looked at; "
                    "run the same line again to go on"
                )
            else:
                running.add(executor.submit(job, task))
        if reason is not None:
            more = False
        if running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                done = future.result()
                if memory is not None:
                    memory.add(done)
                yield done
    if reason is not None:
        raise reason
