"""The one retry layer: how often, how long, and when all threads had better pause."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import tenacity

from sfexit.errors import DamagedAnswer, Interrupted, OutcomeUnknown, Transient
from sfexit.salesforce import refusals
from sfexit.salesforce.refusals import PassingRefusal, Patience

T = TypeVar("T")

TRIES_IN_ALL = 8  # for one request, whatever mixture of faults it meets
BREAKER_THRESHOLD = 10  # passing faults in a row, over all threads
BREAKER_PAUSE_SECONDS = 30.0
BREAKER_LONGEST_PAUSE_SECONDS = 300.0


def patience_for(error: BaseException) -> Patience:
    """How long this kind of fault is borne."""
    if isinstance(error, PassingRefusal):
        return error.patience
    if isinstance(error, DamagedAnswer):
        return refusals.DAMAGED
    return refusals.NETWORK


def pause(
    seconds: float, stop: threading.Event | None, sleep: Callable[[float], None] | None = None
) -> None:
    """Wait, unless somebody asks the run to stop. Raises Interrupted."""
    if sleep is not None:
        sleep(seconds)
    elif stop is not None:
        stop.wait(seconds)
    else:
        threading.Event().wait(seconds)
    if stop is not None and stop.is_set():
        raise Interrupted("The run was asked to stop; run the same command again to go on.")


class Breaker:
    """Opens after many faults in a row over all threads, so that a sick org is left in peace."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._pause = BREAKER_PAUSE_SECONDS
        self._closed_again_at = 0.0

    def worked(self) -> None:
        """A request had a usable answer."""
        with self._lock:
            self._in_a_row = 0
            self._pause = BREAKER_PAUSE_SECONDS

    def failed(self) -> bool:
        """A passing fault. True when this one opens the breaker."""
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row < BREAKER_THRESHOLD:
                return False
            self._in_a_row = 0
            self._closed_again_at = self._clock() + self._pause
            self._pause = min(self._pause * 2, BREAKER_LONGEST_PAUSE_SECONDS)
            return True

    def wait_seconds(self) -> float:
        """How long to wait before the next request; 0 when the breaker is closed."""
        with self._lock:
            return max(self._closed_again_at - self._clock(), 0.0)


class Throttle:
    """How many requests may be under way at once; fewer after the org said "too many".

    A thread that holds a place needs no second one, so requests may be nested.
    """

    CALM_ANSWERS = 20  # good answers before one more place is given back
    SETTLE_SECONDS = 10.0  # several threads hear the same "too many"; it counts once

    def __init__(self, places: int, clock: Callable[[], float]) -> None:
        self._most = places
        self._places = places
        self._clock = clock
        self._taken = 0
        self._calm = 0
        self._lowered_at: float | None = None
        self._changed = threading.Condition()
        self._mine = threading.local()

    @property
    def places(self) -> int:
        """Requests allowed at once, at present."""
        return self._places

    @contextmanager
    def place(self, stop: threading.Event | None = None) -> Iterator[None]:
        """Hold a place for one request. Raises Interrupted while waiting for one."""
        if getattr(self._mine, "held", 0):
            yield
            return
        with self._changed:
            while self._taken >= self._places:
                self._changed.wait(0.5)
                if stop is not None and stop.is_set():
                    pause(0, stop)
            self._taken += 1
        self._mine.held = 1
        try:
            yield
        finally:
            self._mine.held = 0
            with self._changed:
                self._taken -= 1
                self._changed.notify()

    def too_many(self) -> None:
        """The org refused for too many requests at once: halve the places."""
        with self._changed:
            now = self._clock()
            self._calm = 0
            if self._lowered_at is None or now - self._lowered_at >= self.SETTLE_SECONDS:
                self._lowered_at = now
                self._places = max(self._places // 2, 1)

    def worked(self) -> None:
        """A good answer: recover slowly."""
        with self._changed:
            if self._places >= self._most:
                return
            self._calm += 1
            if self._calm >= self.CALM_ANSWERS:
                self._calm = 0
                self._places += 1
                self._changed.notify()


class Retries:
    """Runs functions again after passing faults. Nested use in one thread retries once only."""

    def __init__(
        self,
        *,
        sleep: Callable[[float], None],
        note: Callable[[str], None],
        on_fault: Callable[[Transient], None] = lambda _fault: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`sleep` may raise Interrupted; `note` is told of each retry; `jitter` is in [0, 1)."""
        self._sleep = sleep
        self._note = note
        self._on_fault = on_fault
        self._jitter = jitter
        self._mine = threading.local()

    def run(self, function: Callable[[], T], what: str) -> T:
        """What `function` returns, after as many tries as its faults deserve.

        OutcomeUnknown is never repeated: the request may have worked. After the last try a
        Transient (DamagedAnswer stays one) says how many tries were made.
        """
        if getattr(self._mine, "inside", False):
            return function()
        self._mine.inside = True
        try:
            return self._run(function, what)
        finally:
            self._mine.inside = False

    def _run(self, function: Callable[[], T], what: str) -> T:
        seen: Counter[str] = Counter()

        def give_up(state: tenacity.RetryCallState) -> bool:
            patience = patience_for(_fault_of(state))
            return seen[patience.kind] >= patience.tries or state.attempt_number >= TRIES_IN_ALL

        def wait(state: tenacity.RetryCallState) -> float:
            fault = _fault_of(state)
            patience = patience_for(fault)
            if fault.retry_after_seconds is not None:
                asked = min(fault.retry_after_seconds, refusals.LONGEST_WAIT_SECONDS)
                return asked + self._jitter()
            nth = max(seen[patience.kind] - 1, 0)
            ceiling = min(patience.first_wait * 2.0**nth, patience.longest_wait)
            return ceiling * (0.5 + 0.5 * self._jitter())

        def tell(state: tenacity.RetryCallState) -> None:
            kind = patience_for(_fault_of(state)).kind
            seconds = state.upcoming_sleep
            self._note(f"{what}: {kind}, try {state.attempt_number + 1} follows in {seconds:.0f} s")

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_worth_another_try),
            stop=give_up,
            wait=wait,
            before_sleep=tell,
            sleep=self._sleep,
            reraise=True,
        )
        tries = 0

        def counted() -> T:
            nonlocal tries
            tries += 1
            try:
                return function()
            except Transient as fault:
                if _worth_another_try(fault):
                    seen[patience_for(fault).kind] += 1
                    self._on_fault(fault)
                raise

        try:
            return retrying(counted)
        except Transient as fault:
            if isinstance(fault, OutcomeUnknown) or tries < 2:
                raise
            kind = DamagedAnswer if isinstance(fault, DamagedAnswer) else Transient
            raise kind(
                f"{fault.message.rstrip('.')}; given up after {tries} tries.",
                retry_after_seconds=fault.retry_after_seconds,
            ) from fault


def _worth_another_try(error: BaseException) -> bool:
    return isinstance(error, Transient) and not isinstance(error, OutcomeUnknown)


def _fault_of(state: tenacity.RetryCallState) -> Transient:
    assert state.outcome is not None
    fault = state.outcome.exception()
    assert isinstance(fault, Transient)
    return fault
