"""Progress of a verification: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sfexit.commands._terminal import PLAIN_EVERY_SECONDS, duration
from sfexit.verify.offline import Watch

if TYPE_CHECKING:
    from rich.progress import Progress


class _Bar(Watch):
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("Starting", total=None)

    def phase(self, name: str) -> None:
        self._bar.update(self._task, description=name, completed=0, total=None)

    def looked(self, files: int, of: int, size: int, rows: int) -> None:  # noqa: ARG002
        self._bar.update(self._task, completed=files, total=of)


class _Lines(Watch):
    def __init__(self) -> None:
        self._began = self._said = time.monotonic()

    def looked(self, files: int, of: int, size: int, rows: int) -> None:
        now = time.monotonic()
        if now - self._said < PLAIN_EVERY_SECONDS:
            return
        self._said = now
        told = f"{files:,} of {of:,} files, {size / 1e6:,.0f} MB"
        told += f", {rows:,} rows" if rows else ""
        click.echo(f"{told}, {duration(now - self._began)} so far", err=True)


@contextlib.contextmanager
def watching(*, quiet: bool) -> Iterator[Watch]:
    """The fitting way to say how far a verification is."""
    if quiet:
        yield Watch()
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            yield _Bar(bar)
    else:
        yield _Lines()
