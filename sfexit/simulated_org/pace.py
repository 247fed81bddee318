"""How slow the org is: distance, job machinery and line, as a client far away meets them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Delays of a served org; nothing is delayed by default.

    ``latency_seconds`` pass before each answer begins. A Bulk query job is not complete before
    it has run for ``shortest_job_seconds`` (polls do not hurry it then); of all jobs only
    ``bulk_jobs_at_once`` run, the others wait in state UploadComplete (0: no such bound). Each
    answer's bytes on the wire keep to ``stream_bytes_per_second`` (0: no such bound).
    """

    latency_seconds: float = 0.0
    shortest_job_seconds: float = 0.0
    stream_bytes_per_second: float = 0.0
    bulk_jobs_at_once: int = 0


#: A production org over the ocean.
REAL = Pace(0.15, 3.0, 20_000_000, 25)


class Throttle:
    """Keeps one stream to a rate; ``wait`` is told seconds and says whether to give up."""

    PIECE = 1 << 16

    def __init__(self, bytes_per_second: float, wait: Callable[[float], bool]) -> None:
        self._rate = bytes_per_second
        self._wait = wait
        self._began = time.monotonic()
        self._sent = 0

    def passed(self, size: int) -> bool:
        """Note bytes sent and wait until they are due; False when the server stops."""
        self._sent += size
        ahead = self._began + self._sent / self._rate - time.monotonic()
        return ahead <= 0.002 or not self._wait(ahead)
