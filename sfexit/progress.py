"""How engines report progress: a small interface and a silent default.

Engines call these from several threads; implementations lock for themselves and never raise.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a running export tells whoever watches."""

    def phase(self, name: str) -> None:
        """A new stage began, in the words of the user ("Reading records", "Sealing")."""

    def planned(self, objects: int, rows_hint: int | None) -> None:
        """So many objects will be looked at; together they hold about `rows_hint` rows."""

    def object_started(self, name: str, expected_rows: int | None) -> None:
        """Reading of an object began; `expected_rows` is a hint, None if unknown."""

    def object_finished(self, name: str, outcome: str, rows: int) -> None:
        """An object reached its outcome (a word of the ledger)."""

    def published(self, name: str, rows: int, csv_bytes: int, wire_bytes: int) -> None:
        """A page became durable: its rows, its size as CSV and as stored."""

    def files_planned(self, count: int, cost: str = "") -> None:
        """About so many files are to be fetched; those that are here already are among them.
        `cost`: what the others cost, in a sentence."""

    def file_stored(self, size: int) -> None:
        """A file of `size` bytes became durable."""

    def calls(self, used: int, budget: int | None) -> None:
        """API calls spent by this run, and how many it may spend (None: unknown)."""

    def note(self, text: str) -> None:
        """Something the user should read later, such as a retry, a fallback, a dropped field."""


class Silent:
    """Says nothing. The default below the terminal."""

    def phase(self, name: str) -> None: ...

    def planned(self, objects: int, rows_hint: int | None) -> None: ...

    def object_started(self, name: str, expected_rows: int | None) -> None: ...

    def object_finished(self, name: str, outcome: str, rows: int) -> None: ...

    def published(self, name: str, rows: int, csv_bytes: int, wire_bytes: int) -> None: ...

    def files_planned(self, count: int, cost: str = "") -> None: ...

    def file_stored(self, size: int) -> None: ...

    def calls(self, used: int, budget: int | None) -> None: ...

    def note(self, text: str) -> None: ...


SILENT: Progress = Silent()
