"""Progress of one run, passed on and added up."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sfexit.progress import Progress


@dataclass
class Tally:
    """A Progress that also remembers: rows and CSV bytes published, API calls used."""

    inner: Progress
    rows: int = 0
    csv_bytes: int = 0
    wire_bytes: int = 0  # of pages, as they came or as they are stored
    used: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def phase(self, name: str) -> None:
        self.inner.phase(name)

    def planned(self, objects: int, rows_hint: int | None) -> None:
        self.inner.planned(objects, rows_hint)

    def object_started(self, name: str, expected_rows: int | None) -> None:
        self.inner.object_started(name, expected_rows)

    def object_finished(self, name: str, outcome: str, rows: int) -> None:
        self.inner.object_finished(name, outcome, rows)

    def published(self, name: str, rows: int, csv_bytes: int, wire_bytes: int) -> None:
        with self._lock:
            self.rows += rows
            self.csv_bytes += csv_bytes
            self.wire_bytes += wire_bytes
        self.inner.published(name, rows, csv_bytes, wire_bytes)

    def files_planned(self, count: int, cost: str = "") -> None:
        self.inner.files_planned(count, cost)

    def file_stored(self, size: int) -> None:
        self.inner.file_stored(size)

    def calls(self, used: int, budget: int | None) -> None:
        self.used = used
        self.inner.calls(used, budget)

    def note(self, text: str) -> None:
        self.inner.note(text)
