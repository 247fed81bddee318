"""What of a plan comes after what: wave by wave, and in each wave phase by phase."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sfexit.offboarding.plan import PHASES, Plan, Step, Transfer


@dataclass(frozen=True)
class Turn:
    """One phase of one wave: the steps, then the records that change hands."""

    wave: int
    phase: str
    steps: tuple[Step, ...]
    transfers: tuple[Transfer, ...] = ()


def turns(plan: Plan, *, freeze_only: bool) -> Iterator[Turn]:
    """The turns of a plan in order; `freeze_only` leaves only those that take access away."""
    for wave in sorted({one.wave for one in plan.people} or {1}):
        people = [one for one in plan.people if one.wave == wave]
        contained = {one.user_id for one in people}
        whole = {one.user_id for one in people if one.mode == "full"} if not freeze_only else set()
        for phase in PHASES:
            who = contained if phase == "contain" else whole
            moved: tuple[Transfer, ...] = ()
            if phase == "ownership":
                undo = plan.purpose == "undo"
                moved = tuple(one for one in plan.transfers if undo or one.user_id in who)
            steps = tuple(one for one in plan.phase(phase) if one.user_id in who)
            yield Turn(wave, phase, steps, moved)
