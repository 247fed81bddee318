"""What follows a fetch: the stored file is read again, its name flushed, the journal told.

A thread of its own does it for many files at once, so that no stream ever waits for the disk's
folders, the journal or the reading.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from types import TracebackType

from sfexit.archive import bodies, layout
from sfexit.archive.bodies import StoredBody
from sfexit.errors import Interrupted
from sfexit.export.files.fetching import Outcome
from sfexit.export.means import Means
from sfexit.export.object_line import now

_WAITING = 192  # bodies under way, or here and not yet journaled
_AT_ONCE = 4  # reading and flushing wait for the disk, not for the processor
_LOOK_SECONDS = 0.2


class Settler:
    """Use it in `with`: what is done when the block ends, in whatever way, is journaled.

    `damaged` counts files that were not what was written when they were read again; they are
    removed and not journaled, so another round fetches them.
    """

    def __init__(self, means: Means, stored: Callable[[StoredBody], None]) -> None:
        """`stored` hears of each body once the journal has it, from the settler's thread."""
        self._means = means
        self._stored = stored
        self._done: SimpleQueue[Outcome | None] = SimpleQueue()
        self._room = threading.Semaphore(_WAITING)
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._settle_all, name="settler", daemon=True)
        self.damaged = 0

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
        whole = list(pool.map(self._is_whole, batch))
        fine = [one for one, right in zip(batch, whole, strict=True) if right]
        for one, right in zip(batch, whole, strict=True):
            if one.stored is not None and not right:
                self.damaged += 1
                means.tally.note(f"{one.stored.path} is not what was written; it is fetched again")
                means.disk.remove(layout.within(means.bag, one.stored.path))
        exceptions = [one.as_event(now()) for one in fine if one.kind]
        if exceptions:
            means.journal.record("body_exceptions", items=exceptions)
        stored = [one.stored for one in fine if one.stored is not None]
        bodies.make_durable(means.disk, means.journal, means.bag, stored, pool)
        for body in stored:
            self._stored(body)

    def _is_whole(self, outcome: Outcome) -> bool:
        stored = outcome.stored
        return stored is None or outcome.read or bodies.is_as_written(self._means.bag, stored)
