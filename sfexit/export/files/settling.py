"""What follows a fetch: the name of the stored file is flushed, the journal told.

A thread of its own does it for many files at once, so that no stream ever waits for the disk's
folders or the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from types import TracebackType

from sfexit.archive import bodies
from sfexit.errors import Interrupted
from sfexit.export.files.fetching import Outcome
from sfexit.export.means import Means
from sfexit.export.object_line import now

_WAITING = 192  # bodies under way, or here and not yet journaled
_AT_ONCE = 4  # flushing waits for the disk, not for the processor
_LOOK_SECONDS = 0.2


class Settler:
    """Use it in `with`: what is done when the block ends, in whatever way, is journaled."""

    def __init__(self, means: Means, stored: Callable[[Outcome], None]) -> None:
        """`stored` hears of each stored body once the journal has it, from the settler's thread."""
        self._means = means
        self._stored = stored
        self._done: SimpleQueue[Outcome | None] = SimpleQueue()
        self._room = threading.Semaphore(_WAITING)
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._settle_all, name="settler", daemon=True)

    def __enter__(self) -> Settler:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.put(None)
        self._thread.join()
        if error is None:
            self.insist()

    # ---- for those who fetch -----------------------------------------------------------------

    def room(self) -> None:
        """Wait until one more body may be begun. Raises what stopped the work."""
        while True:
            self.insist()
            self._means.go_on()
            if self._room.acquire(timeout=_LOOK_SECONDS):
                return

    @property
    def halted(self) -> bool:
        """True when no other body is to be begun."""
        return self._error is not None

    def insist(self) -> None:
        """Raises what stopped the work, if something did."""
        if self._error is not None:
            raise self._error

    def put(self, outcome: Outcome) -> None:
        """A body that was begun has this outcome."""
        self._done.put(outcome)

    def fail(self, error: BaseException) -> None:
        """A body that was begun stops the work. The first reason counts, and a stop of the run is
        none as long as there is another."""
        with self._lock:
            if self._error is None or isinstance(self._error, Interrupted):
                self._error = error
        self._room.release()

    # ---- the thread --------------------------------------------------------------------------

    def _settle_all(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="settle") as pool:
            broken = False
            while True:
                batch, more = self._taken()
                if batch and not broken:
                    try:
                        self._settle(pool, batch)
                    except BaseException as error:
                        # What is left is as a kill would leave it: there, and not journaled.
                        broken = True
                        with self._lock:
                            self._error = error
                for _ in batch:
                    self._room.release()
                if not more:
                    return

    def _taken(self) -> tuple[list[Outcome], bool]:
        """What is done by now, at least one, and whether more may come."""
        batch: list[Outcome] = []
        one = self._done.get()
        while one is not None:
            batch.append(one)
            try:
                one = self._done.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _settle(self, pool: ThreadPoolExecutor, batch: list[Outcome]) -> None:
        means = self._means
        exceptions = [one.as_event(now()) for one in batch if one.kind]
        if exceptions:
            means.journal.record("body_exceptions", items=exceptions)
        stored = [one.stored for one in batch if one.stored is not None]
        bodies.make_durable(means.disk, means.journal, means.bag, stored, pool)
        for one in batch:
            if one.stored is not None:
                self._stored(one)
