"""Progress for people: a live display on a terminal, plain lines with a time stamp elsewhere.

Everything goes to stderr. Text that came from the org is stripped of control characters first.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sfexit.progress import SILENT, Progress
from sfexit.redaction import printable, redact

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

PLAIN_EVERY_SECONDS = 15.0
_RATE_WINDOW_SECONDS = 20.0
_SHOWN_OBJECTS = 6


@dataclass
class State:
    """What is known of a run at this moment. Guarded by its lock; `clock` is monotonic seconds."""

    clock: Callable[[], float] = time.monotonic
    phase: str = "Starting"
    objects: int = 0
    objects_done: int = 0
    rows: int = 0
    rows_hint: int | None = None
    csv_bytes: int = 0
    wire_bytes: int = 0
    files: int = 0
    files_hint: int = 0
    file_bytes: int = 0
    calls: int = 0
    budget: int | None = None
    notes: int = 0
    active: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    began: float = 0.0
    samples: list[tuple[float, int]] = field(default_factory=list)

    def rate(self) -> float | None:
        """Rows a second over the last seconds; None while too little is known."""
        now = self.clock()
        self.samples = [s for s in self.samples if now - s[0] <= _RATE_WINDOW_SECONDS]
        if len(self.samples) < 2 or self.samples[-1][0] - self.samples[0][0] < 1:
            return None
        (first, rows_then), (last, rows_now) = self.samples[0], self.samples[-1]
        return (rows_now - rows_then) / (last - first)

    def seconds_left(self) -> float | None:
        """A guess from the org's own approximate row counts; None while there is none."""
        rate = self.rate()
        if not rate or not self.rows_hint or self.rows >= self.rows_hint:
            return None
        return (self.rows_hint - self.rows) / rate

    def line(self) -> str:
        """One plain line."""
        told = [self.phase]
        if self.objects:
            told.append(f"{self.objects_done:,} of {self.objects:,} objects")
        if self.rows:  # none come while an archive is verified
            told.append(f"{self.rows:,} rows")
            told.append(f"{self.csv_bytes / 1e6:,.1f} MB")
        if self.files_hint:
            told.append(f"{self.files:,} of about {self.files_hint:,} files")
            told.append(f"{self.file_bytes / 1e6:,.1f} MB of files")
        rate = self.rate()
        if rate:
            told.append(f"{rate:,.0f} rows/s")
        told.append(f"{self.calls:,} calls" + (f" of {self.budget:,}" if self.budget else ""))
        left = self.seconds_left()
        if left is not None:
            told.append(f"about {duration(left)} left")
        return ", ".join(told)


def duration(seconds: float) -> str:
    """Seconds for people: "48 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


class Watching:
    """The Progress that keeps a State; what is shown of it is up to subclasses."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        self.state.began = self.state.clock()
        self._lock = threading.Lock()

    def phase(self, name: str) -> None:
        with self._lock:
            self.state.phase = name
        self.changed(f"{name} …")

    def planned(self, objects: int, rows_hint: int | None) -> None:
        with self._lock:
            self.state.objects, self.state.objects_done = objects, 0
            self.state.rows_hint = rows_hint and rows_hint + self.state.rows

    def object_started(self, name: str, expected_rows: int | None) -> None:
        with self._lock:
            self.state.active[name] = (0, expected_rows)

    def object_finished(self, name: str, outcome: str, rows: int) -> None:  # noqa: ARG002
        with self._lock:
            self.state.objects_done += 1
            self.state.active.pop(name, None)

    def published(self, name: str, rows: int, csv_bytes: int, wire_bytes: int) -> None:
        with self._lock:
            state = self.state
            state.rows += rows
            state.csv_bytes += csv_bytes
            state.wire_bytes += wire_bytes
            done, expected = state.active.get(name, (0, None))
            state.active[name] = (done + rows, expected)
            now = state.clock()
            if not state.samples or now - state.samples[-1][0] >= 0.5:
                state.samples.append((now, state.rows))

    def files_planned(self, count: int, cost: str = "") -> None:
        with self._lock:
            self.state.files_hint = count
        if cost:
            self.say(cost)

    def file_stored(self, size: int) -> None:
        with self._lock:
            self.state.files += 1
            self.state.file_bytes += size

    def calls(self, used: int, budget: int | None) -> None:
        with self._lock:
            self.state.calls, self.state.budget = used, budget

    def note(self, text: str) -> None:
        with self._lock:
            self.state.notes += 1
        self.noted(printable(redact(text), 300))

    def changed(self, text: str) -> None:
        """Something that deserves a line of its own."""

    def noted(self, text: str) -> None:
        """A remark, already safe to print."""

    def say(self, text: str) -> None:
        """A line for the user, whatever is on the screen."""


class Plain(Watching):
    """Lines with a time stamp: for files, pipes and schedulers."""

    def __init__(self, *, verbose: bool = False, state: State | None = None) -> None:
        super().__init__(state)
        self._verbose = verbose
        self._end = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)

    def __enter__(self) -> Plain:
        self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._ticker.join(timeout=2)

    def _tick(self) -> None:
        while not self._end.wait(PLAIN_EVERY_SECONDS):
            with self._lock:
                line = self.state.line()
            self.say(line)

    def changed(self, text: str) -> None:
        self.say(text)

    def noted(self, text: str) -> None:
        if self._verbose:
            self.say(f"note: {text}")

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a closed stderr must not stop an export
            stamp = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
            print(f"{stamp}  {text}", file=sys.stderr, flush=True)  # noqa: T201


class Live(Watching):
    """The display on a terminal, drawn by rich four times a second."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        super().__init__()
        from rich.live import Live as RichLive

        self._console = console
        self._verbose = verbose
        self._live = RichLive(self, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Live:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def noted(self, text: str) -> None:
        if self._verbose:
            self.say(f"note: {text}")

    def say(self, text: str) -> None:
        from rich.text import Text

        self._console.print(Text(text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        with self._lock:
            state = self.state
            head = state.line()
            active = sorted(state.active.items(), key=lambda one: -(one[1][1] or 0))
            done, total = state.objects_done, state.objects
            spent = duration(state.clock() - state.began)
            notes = state.notes
        yield Text(head + f", {spent} so far" + (f", {notes} notes" if notes else ""))
        if total:
            yield ProgressBar(total=total, completed=done, width=min(60, options.max_width))
        table = Table.grid(padding=(0, 2))
        for name, (rows, expected) in active[:_SHOWN_OBJECTS]:
            of = f"of {expected:,}" if expected else ""
            table.add_row(Text(f"  {name}"), Text(f"{rows:,}", justify="right"), Text(of))
        if len(active) > _SHOWN_OBJECTS:
            table.add_row(Text(f"  and {len(active) - _SHOWN_OBJECTS} more"))
        yield table


@contextlib.contextmanager
def progress(*, quiet: bool, verbose: bool) -> Iterator[tuple[Progress, Callable[[str], None]]]:
    """The fitting progress, and a way to say a line while it runs."""
    if quiet:
        yield SILENT, lambda _: None
        return
    if sys.stderr.isatty():
        from rich.console import Console

        with Live(Console(stderr=True, highlight=False), verbose=verbose) as live:
            yield live, live.say
        return
    with Plain(verbose=verbose) as plain:
        yield plain, plain.say
