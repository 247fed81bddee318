from __future__ import annotations

import threading

import pytest

from sfexit.errors import DamagedAnswer, Interrupted, OrgRefused, OutcomeUnknown, Transient
from sfexit.salesforce import refusals, retries
from sfexit.salesforce.refusals import PassingRefusal, Patience
from sfexit.salesforce.retries import Breaker, Retries, Throttle

from .wire import Clock, Sleeps


class Failing:
    """Raises the given errors, one a call, then answers."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"


def passing(patience: Patience, wish: float | None = None) -> PassingRefusal:
    return PassingRefusal("The org is busy.", patience, retry_after_seconds=wish)


def layer(**options: object) -> tuple[Retries, Sleeps, list[str]]:
    sleeps, notes = Sleeps(), list[str]()
    options.setdefault("jitter", lambda: 1.0)
    return Retries(sleep=sleeps, note=notes.append, **options), sleeps, notes  # type: ignore[arg-type]


def test_waits_double_and_are_told() -> None:
    retrying, sleeps, notes = layer()
    work = Failing(*[Transient("reset with TOKENCANARY")] * 3)
    assert retrying.run(work, "page 3 of Account") == "done"
    assert sleeps == [1.0, 2.0, 4.0]
    assert notes[0] == "page 3 of Account: network fault, try 2 follows in 1 s"
    assert "CANARY" not in "".join(notes)


@pytest.mark.parametrize(
    ("patience", "tries"),
    [
        (refusals.NO_ROUTE, 2),
        (refusals.SERVER_FAULT, 3),
        (refusals.UNAVAILABLE, 6),
        (refusals.CONCURRENT, 8),
    ],
)
def test_each_kind_has_its_patience(patience: Patience, tries: int) -> None:
    retrying, sleeps, _ = layer()
    work = Failing(*[passing(patience)] * 20)
    with pytest.raises(Transient, match=f"given up after {tries} tries"):
        retrying.run(work, "x")
    assert work.calls == tries and len(sleeps) == tries - 1
    assert max(sleeps) <= patience.longest_wait


def test_damaged_answers_stay_damaged() -> None:
    retrying, _, _ = layer()
    work = Failing(*[DamagedAnswer("The page is cut.")] * 20)
    with pytest.raises(DamagedAnswer, match="The page is cut; given up after 4 tries"):
        retrying.run(work, "x")


def test_a_mixture_ends_too() -> None:
    retrying, _, _ = layer()
    mixture = [Transient("a"), DamagedAnswer("b"), passing(refusals.UNAVAILABLE)] * 10
    work = Failing(*mixture)
    with pytest.raises(Transient):
        retrying.run(work, "x")
    assert work.calls == retries.TRIES_IN_ALL


@pytest.mark.parametrize(
    "error", [OutcomeUnknown("who knows"), OrgRefused(400, "X", "no"), KeyError("bug")]
)
def test_not_repeated(error: Exception) -> None:
    retrying, sleeps, _ = layer()
    work = Failing(error)
    with pytest.raises(type(error)) as caught:
        retrying.run(work, "x")
    assert work.calls == 1 and not sleeps and caught.value is error


def test_retry_after_is_obeyed_and_capped() -> None:
    retrying, sleeps, _ = layer(jitter=lambda: 0.0)
    work = Failing(passing(refusals.THROTTLED, 7.0), passing(refusals.THROTTLED, 9999.0))
    retrying.run(work, "x")
    assert sleeps == [7.0, 120.0]


def test_jitter_halves_at_most() -> None:
    retrying, sleeps, _ = layer(jitter=lambda: 0.0)
    retrying.run(Failing(Transient("a"), Transient("b")), "x")
    assert sleeps == [0.5, 1.0]


def test_nesting_does_not_multiply() -> None:
    retrying, _, _ = layer()
    work = Failing(*[Transient("x")] * 99)
    with pytest.raises(Transient):
        retrying.run(lambda: retrying.run(work, "inner"), "outer")
    assert work.calls == refusals.NETWORK.tries


def test_the_layer_is_usable_again_after_an_error() -> None:
    retrying, sleeps, _ = layer()
    with pytest.raises(KeyError):
        retrying.run(Failing(KeyError()), "x")
    assert retrying.run(Failing(Transient("x")), "x") == "done" and len(sleeps) == 1


def test_stop_ends_a_wait_at_once() -> None:
    stop = threading.Event()
    stop.set()
    retrying = Retries(sleep=lambda seconds: retries.pause(seconds, stop), note=lambda _: None)
    with pytest.raises(Interrupted):
        retrying.run(Failing(passing(refusals.THROTTLED, 100.0)), "x")


def test_breaker_opens_after_faults_in_a_row() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(retries.BREAKER_THRESHOLD - 1):
        assert not breaker.failed()
    breaker.worked()
    for _ in range(retries.BREAKER_THRESHOLD - 1):
        assert not breaker.failed()
    assert breaker.wait_seconds() == 0 and breaker.failed()
    assert breaker.wait_seconds() == retries.BREAKER_PAUSE_SECONDS
    clock.now += 31
    assert breaker.wait_seconds() == 0
    for _ in range(retries.BREAKER_THRESHOLD):
        breaker.failed()
    assert breaker.wait_seconds() == 2 * retries.BREAKER_PAUSE_SECONDS


def test_throttle_lowers_once_and_recovers_slowly() -> None:
    clock = Clock()
    throttle = Throttle(8, clock)
    for _ in range(8):
        throttle.too_many()  # eight threads hear the same refusal
    assert throttle.places == 4
    clock.now += 11
    throttle.too_many()
    assert throttle.places == 2
    for _ in range(Throttle.CALM_ANSWERS * 3):
        throttle.worked()
    assert throttle.places == 5
    for _ in range(1000):
        throttle.worked()
    assert throttle.places == 8


def test_throttle_never_ends_at_zero_and_holds() -> None:
    clock = Clock(step=100)
    throttle = Throttle(2, clock)
    for _ in range(5):
        throttle.too_many()
    assert throttle.places == 1
    inside = threading.Event()
    go_on = threading.Event()

    def hold() -> None:
        with throttle.place():
            inside.set()
            go_on.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(5)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted), throttle.place(stop):
        pass
    go_on.set()
    thread.join()
    with throttle.place(), throttle.place():  # nested in one thread: no second place
        pass
