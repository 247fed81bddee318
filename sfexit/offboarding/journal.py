"""The journal of changes: what is about to be done, then what became of it, each line on the disk
before the next request leaves.

JSON lines, each with the SHA-256 of the line before, so that nothing can be taken out or put in
unseen. It holds before-values of what is changed (owners, assignments, flags), never a token.

Events:
    begun      plan (digest), purpose, org, runner, ticket, gate, made_by, freeze_only
    resumed    ticket, gate, made_by, freeze_only
    intent     step: id, kind, user, object, record, before, after; or
               transfer: name, batch, object, field, moves: [[before, after, [id, …]], …]
    job        transfer, batch, job        an ingest job was made for the batch
    outcome    step: id, ok, code, message, found (true: the org had it already); or
               transfer, batch, done: count, failed: [[id, code, message], …], went: [id, …]
               (rows that had failed before); done is negative for rows that the org took back
    skipped    transfer, rows: count   the first rows showed that none would go
    saved      transfer, batch, object, rows: [{…}, …]   teams and shares about to be lost
    restored   transfer, batch, object, made, kept, failed
    verified   counts by user
    finished   complete: true or false
    archive    state: refreshed, left_out or failed; bag, text: the archive of after
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sfexit.archive.durable import Disk
from sfexit.errors import ArchiveProblem, Blocked

SCHEMA = 1
_FIRST = "0" * 64
Event = dict[str, Any]


@dataclass
class Progress:
    """Where a run stands, read from its journal."""

    plan: str = ""
    begun: Event = field(default_factory=dict)
    steps: dict[str, Event] = field(default_factory=dict)  # step → its last outcome
    intents: dict[str, Event] = field(default_factory=dict)  # step → intent without outcome
    batches: dict[tuple[str, int], Event] = field(default_factory=dict)  # without an outcome
    jobs: dict[tuple[str, int], str] = field(default_factory=dict)
    unrestored: dict[tuple[str, int, str], Event] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)  # transfer → rows done
    failed: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    last_batch: dict[str, int] = field(default_factory=dict)
    lost: list[tuple[str, str, str, str]] = field(
        default_factory=list
    )  # object, key, code, message
    whole: bool = False  # more than containment was begun
    finished: bool = False


class Journal:
    """An open journal. `record` returns once the line is on the disk."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self.path = path
        self._disk = disk or Disk()
        self.progress = Progress()
        self._digest, size, count = _FIRST, 0, 0
        if path.exists():
            for event, line in _good_lines(path):
                _note(self.progress, event)
                self._digest = hashlib.sha256(line).hexdigest()
                size += len(line) + 1
                count += 1
            if size < path.stat().st_size:  # a line that a kill cut off: it was never acted on
                _only_torn(path, size)
                with path.open("r+b") as handle:
                    handle.truncate(size)
                    os.fsync(handle.fileno())
        else:
            self._disk.make_folder(path.parent)
            self._disk.write_whole(path, b"")
        self._seq = count
        self._handle = self._disk.append(path)

    def close(self) -> None:
        """Let go of the file."""
        self._handle.close()

    def record(self, event: str, **data: Any) -> Event:
        """Append an event, durable when this returns. Raises DiskTrouble."""
        return self.record_all([(event, data)])[0]

    def record_all(self, events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Event]:
        """Append events (kind, data) with one flush for all. Raises DiskTrouble."""
        entries: list[Event] = []
        lines: list[bytes] = []
        digest = self._digest
        for event, data in events:
            entry: Event = {
                "seq": self._seq + len(entries) + 1,
                "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "event": event,
                **data,
                "prev": digest,
            }
            line = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()
            digest = hashlib.sha256(line).hexdigest()
            entries.append(entry)
            lines.append(line + b"\n")
        self._disk.write(self._handle, b"".join(lines))
        self._disk.sync(self._handle)
        self._digest, self._seq = digest, self._seq + len(entries)
        for entry in entries:
            _note(self.progress, entry)
        return entries


@dataclass(frozen=True)
class Place:
    """Where a line stands in its file, in bytes."""

    offset: int
    size: int


def read(path: Path) -> Iterator[Event]:
    """Every event of a journal. Raises ArchiveProblem when its chain is broken before its end."""
    for event, _ in read_places(path):
        yield event


def read_places(path: Path) -> Iterator[tuple[Event, Place]]:
    """Every event with the place of its line. Raises as `read`."""
    try:
        path.stat()
    except OSError as error:
        raise Blocked(f"{path} cannot be read: {error.strerror}") from error
    seen = 0
    for event, line in _good_lines(path):
        yield event, Place(seen, len(line))
        seen += len(line) + 1
    _only_torn(path, seen)


def read_at(path: Path, places: Iterable[Place]) -> Iterator[Event]:
    """The events at these places, one at a time."""
    with path.open("rb") as handle:
        for place in places:
            handle.seek(place.offset)
            yield json.loads(handle.read(place.size))


def _only_torn(path: Path, good: int) -> None:
    """Behind its good lines a journal may hold the piece of one line that a kill cut off."""
    with path.open("rb") as handle:
        handle.seek(good)
        while piece := handle.read(1 << 20):
            if b"\n" in piece:
                raise ArchiveProblem(
                    f"{path} was changed after it was written (line {_count(path, good) + 1}): "
                    "restore it from a copy"
                )


def _count(path: Path, size: int) -> int:
    with path.open("rb") as handle:
        return handle.read(size).count(b"\n")


def _good_lines(path: Path) -> Iterator[tuple[Event, bytes]]:
    """The longest run of whole, chained lines from the start."""
    digest = _FIRST
    with path.open("rb") as handle:
        for raw in handle:
            if not raw.endswith(b"\n"):
                return
            line = raw[:-1]
            try:
                event = json.loads(line)
                if event["prev"] != digest or not isinstance(event["event"], str):
                    return
            except (ValueError, KeyError, TypeError):
                return
            yield event, line
            digest = hashlib.sha256(line).hexdigest()


def _note(progress: Progress, event: Event) -> None:
    kind = event["event"]
    key = (event.get("transfer", ""), event.get("batch", 0))
    if kind == "begun":
        progress.plan, progress.begun = event["plan"], event
    elif kind == "intent" and "step" in event:
        progress.intents[event["step"]] = event
    elif kind == "intent":
        progress.batches[key] = event
        progress.last_batch[key[0]] = max(progress.last_batch.get(key[0], 0), key[1])
    elif kind == "job":
        progress.jobs[key] = event["job"]
    elif kind == "outcome" and "step" in event:
        progress.intents.pop(event["step"], None)
        progress.steps[event["step"]] = event
    elif kind == "outcome":
        progress.batches.pop(key, None)
        progress.jobs.pop(key, None)
        progress.moved[key[0]] = progress.moved.get(key[0], 0) + event["done"]
        failed = progress.failed.setdefault(key[0], {})
        for row_id in event.get("went", ()):
            failed.pop(row_id, None)
        failed.update({row: (code, message) for row, code, message in event["failed"]})
    elif kind == "saved":
        progress.unrestored[(*key, event["object"])] = event
    elif kind == "restored":
        progress.unrestored.pop((*key, event["object"]), None)
        progress.lost += [(event["object"], *map(str, row)) for row in event["failed"]]
    elif kind == "finished":
        progress.finished = bool(event["complete"])
    elif kind == "resumed":
        progress.finished = False
    if kind in ("begun", "resumed"):
        progress.whole |= not event.get("freeze_only", False)
