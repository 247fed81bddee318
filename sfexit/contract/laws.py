"""What laws add to a contract, from a dated data file; never from code."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.resources import files

from sfexit.contract.days import months_after
from sfexit.contract.deadlines import AHEAD, PAST, SOON, SOON_DAYS, TODAY, Deadline

STALE_AFTER_DAYS = 180
COUNSEL = "Have counsel check: this is no legal advice."


@dataclass(frozen=True)
class Law:
    """A pack of `laws.toml`. Periods are in the units of their names."""

    key: str
    title: str
    applies_to: str
    as_of: date
    status: str
    verified: bool
    in_force: date
    notice_months_most: int
    transition_days_most: int
    transition_months_if_infeasible: int
    retrieval_days_least: int
    charges_end: date
    limits: tuple[str, ...]
    sources: tuple[str, ...]

    def stale(self, today: date) -> bool:
        """Nobody has looked for so long that it may have changed."""
        return (today - self.as_of).days > STALE_AFTER_DAYS


def laws() -> dict[str, Law]:
    """Every pack that is shipped, by its key."""
    text = files("sfexit.contract").joinpath("laws.toml").read_text("utf-8")
    found = {}
    for key, told in tomllib.loads(text).items():
        told["limits"], told["sources"] = tuple(told["limits"]), tuple(told["sources"])
        found[key] = Law(key=key, **told)
    return found


def switching(law: Law, notice_on: date, today: date) -> tuple[Deadline, ...]:
    """The days of a switch under the law, when notice of it is given on `notice_on`.

    They are the latest ends that the law allows the provider (notice, transition) and the
    earliest end of the time to fetch data; a contract can only be kinder.
    """
    ends = months_after(notice_on, law.notice_months_most)
    switched = ends + timedelta(days=law.transition_days_most)
    fetched = switched + timedelta(days=law.retrieval_days_least)

    def day(kind: str, title: str, when: date, rule: str, action: str) -> Deadline:
        left = (when - today).days
        state = PAST if left < 0 else TODAY if not left else SOON if left <= SOON_DAYS else AHEAD
        return Deadline(kind, title, when, when, left, state, False, rule, law.title, action)

    days = [
        day("switch_notice", "Switching notice given", notice_on, "your choice", "Art. 25 letter."),
        day(
            "switch_notice_ends",
            "Notice has run out at the latest",
            ends,
            f"at most {law.notice_months_most} months after the notice",
            "The transition begins.",
        ),
        day(
            "switched",
            "Transition finished at the latest",
            switched,
            f"at most {law.transition_days_most} calendar days after that; the provider may claim "
            f"technical infeasibility (up to {law.transition_months_if_infeasible} months), the "
            "customer may extend once",
            "Everything must have been exported by then.",
        ),
        day(
            "retrieval_ends",
            "Data can be fetched at least until",
            fetched,
            f"at least {law.retrieval_days_least} days after the transition",
            "Afterwards all data must be erased: ask for the confirmation.",
        ),
        day(
            "charges_end",
            "No switching charges from this day on",
            law.charges_end,
            "before it, charges are limited to cost",
            "Dispute any switching charge for what happens from this day on.",
        ),
    ]
    return tuple(sorted(days, key=lambda one: one.day))
