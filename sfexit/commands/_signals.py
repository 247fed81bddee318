"""Stopping in good order: the first signal asks, the second one means now."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from sfexit.commands import _exit

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last is Windows' Ctrl-Break


@contextlib.contextmanager
def stopping(say: Callable[[str], None]) -> Iterator[threading.Event]:
    """While inside, the first signal sets the event and the second ends the process at once.

    Nothing is lost by the second either: what is published is durable, the rest is fetched again.
    """
    stop = threading.Event()

    def asked(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if stop.is_set():
            os._exit(_exit.INTERRUPTED)
        stop.set()
        say("stopping: the pages in hand are finished first; press Ctrl-C again to stop at once")

    known = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {}
    for number in known:
        with contextlib.suppress(ValueError, OSError):  # not the main thread: tests, embedding
            before[number] = signal.signal(number, asked)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
