"""A disk that remembers what a power cut may take: bytes and names that were not flushed.

The model is stricter than common file systems: a flushed file without a flushed folder entry may
be gone, entries of one folder may survive in any combination, and of unflushed bytes any
beginning may survive.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from sfexit.archive.durable import Disk, Handle
from sfexit.archive.journal import _FIRST, Journal, _read_line
from sfexit.archive.page import PageWriter, csv_rows

Step = tuple[Any, ...]


class RememberingDisk(Disk):
    """Does everything for real in a temporary folder and writes down the steps."""

    flushes_files = True
    flushes_folders = True

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._files: dict[int, int] = {}
        self._handles: list[Handle] = []
        self._journal: set[int] = set()
        self._by_path: dict[Path, int] = {}

    def _open(self, handle: Handle, path: Path) -> Handle:
        self._handles.append(handle)  # kept, so that ids stay different
        if path not in self._by_path:
            self._by_path[path] = len(self._handles)
            self.steps.append(("create", path, self._by_path[path]))
        self._files[id(handle)] = self._by_path[path]
        if "journal" in path.name:
            self._journal.add(id(handle))
        return handle

    def create(self, path: Path) -> Handle:
        self._by_path.pop(path, None)
        return self._open(super().create(path), path)

    def append(self, path: Path) -> Handle:
        return self._open(super().append(path), path)

    def write(self, handle: Handle, data: bytes) -> None:
        super().write(handle, data)
        self.steps.append(("write", self._files[id(handle)], bytes(data)))

    def sync(self, handle: Handle) -> None:
        super().sync(handle)
        if self.flushes_files or id(handle) in self._journal:
            self.steps.append(("sync", self._files[id(handle)]))

    def publish(self, part: Path, final: Path) -> None:
        part.replace(final)
        if part in self._by_path:  # SQLite makes its files by itself
            self._by_path[final] = self._by_path.pop(part)
            self.steps.append(("rename", part, final, self._by_path[final]))
        self.sync_folder(final.parent)

    def sync_folder(self, folder: Path) -> None:
        if self.flushes_folders or folder.name != "A":
            self.steps.append(("sync_folder", folder))

    def make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self.make_folder(folder.parent)
        folder.mkdir()
        self.steps.append(("mkdir", folder))
        self.sync_folder(folder.parent)

    def remove(self, path: Path) -> None:
        if path.exists():
            super().remove(path)
            self._by_path.pop(path, None)
            self.steps.append(("remove", path))


class NoFileFlush(RememberingDisk):
    """Forgets to flush the pages."""

    flushes_files = False


class NoFolderFlush(RememberingDisk):
    """Forgets to flush the folder of the pages."""

    flushes_folders = False


@dataclass
class After:
    """What a power cut left: which names there are, and what the files hold."""

    names: dict[Path, int | None] = field(default_factory=dict)  # None: a folder
    bytes: dict[int, bytes] = field(default_factory=dict)

    def read(self, path: Path, root: Path) -> bytes | None:
        """The content of a file, if it and all its folders are there."""
        for folder in path.parents:
            if folder == root:
                break
            if folder not in self.names:
                return None
        number = self.names.get(path)
        return None if number is None else self.bytes[number]


def power_cut(steps: list[Step], at: int, random: Random, mode: str) -> After:
    """One of the states that may be found after a cut behind step `at`.

    `mode`: "random"; "worst": nothing survives that was not flushed; "journal": as "worst", but
    the journal's bytes all survive.
    """
    after = After()
    written: dict[int, bytearray] = {}
    flushed: dict[int, int] = {}
    pending: list[Step] = []
    journal = 0

    def apply(step: Step) -> None:
        if step[0] == "create":
            after.names[step[1]] = step[2]
        elif step[0] == "mkdir":
            after.names[step[1]] = None
        elif step[0] == "rename":
            after.names.pop(step[1], None)
            after.names[step[2]] = step[3]
        elif step[0] == "remove":
            after.names.pop(step[1], None)

    for step in steps[:at]:
        if step[0] == "write":
            written.setdefault(step[1], bytearray()).extend(step[2])
        elif step[0] == "sync":
            flushed[step[1]] = len(written.get(step[1], b""))
        elif step[0] == "sync_folder":
            for one in [one for one in pending if one[1].parent == step[1]]:
                apply(one)
                pending.remove(one)
        else:
            if step[0] == "create" and "journal" in step[1].name:
                journal = step[2]
            pending.append(step)
            written.setdefault(step[2], bytearray()) if step[0] == "create" else None
    for step in pending:
        if mode == "random" and random.random() < 0.5:
            apply(step)
    for number, data in written.items():
        least = flushed.get(number, 0)
        keep = least
        if mode == "random":
            keep = random.choice([least, len(data), random.randint(least, len(data))])
        elif mode == "journal" and number == journal:
            keep = len(data)
        after.bytes[number] = bytes(data[:keep])
    return after


def broken_promises(after: After, root: Path) -> list[str]:
    """Pages that the surviving journal names and that are not whole on the disk."""
    data = after.read(root / "journal.jsonl", root)
    wrong = []
    seq, digest = 0, _FIRST
    for line in (data or b"").splitlines(keepends=True):
        event = _read_line(line, seq + 1, digest)
        if event is None:
            break
        seq, digest = seq + 1, hashlib.sha256(line.rstrip(b"\n")).hexdigest()
        if event["event"] == "page":
            page = after.read(root / event["path"], root)
            if page is None or hashlib.sha256(page).hexdigest() != event["sha256"]:
                wrong.append(event["path"])
    return wrong


def export_pages(root: Path, disk: RememberingDisk, pages: int, *, reverse: bool = False) -> None:
    """Write pages with the real page writer and the real journal; `reverse`: journal first."""
    journal = Journal.create(disk, root / "journal.jsonl", root / "state.db")
    journal.record("planned", objects=["A"], hints={})
    for number in range(1, pages + 1):
        relative = f"bag/A/p{number}.csv.gz"
        final = root / relative
        disk.make_folder(final.parent)
        text = csv_rows([["Id", "T"], *(([f"{n:018d}", "x" * 50]) for n in range(number * 3))])
        writer = PageWriter(
            disk, final, wire_encoding="identity", header=["Id", "T"], declared_rows=number * 3
        )
        with writer as page:
            page.feed(text)
            facts = page.check()
            if not reverse:
                page.publish()
            journal.record(
                "page", path=relative, object="A", reading=1, slice=0, page=number,
                rows=facts.rows, bytes=facts.bytes, sha256=facts.sha256, declared_rows=None,
                locator=None, next=None,
            )  # fmt: skip
            if reverse:
                page.publish()
    journal.close()


def states(steps: list[Step]) -> list[tuple[int, str]]:
    """Every instant with the two worst outcomes."""
    return [(at, mode) for at in range(len(steps) + 1) for mode in ("worst", "journal")]


def journal_of(after: After, root: Path) -> list[dict[str, Any]]:
    data = after.read(root / "journal.jsonl", root) or b""
    return [json.loads(line) for line in data.splitlines(keepends=True) if line.endswith(b"\n")]
