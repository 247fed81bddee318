"""Whom to remind, and when, while a notice that was sent is not confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sfexit.cancellation.records import Entry
from sfexit.contract.deadlines import hard_day
from sfexit.contract.terms import Contract

#: Days after the notice was sent, whom, and what to do.
STEPS = (
    (3, "account_executive", "write to the account executive and ask for the confirmation"),
    (7, "billing", "write to the billing contact of the supplier, with the tracking number"),
    (14, "support", "open a support case with Org ID and contract number, and attach the letter"),
    (14, "legal", "let counsel write to the address for notices, by registered letter"),
)


@dataclass(frozen=True)
class Reminder:
    """A step of the ladder. `due`: its day has come."""

    day: date
    role: str
    action: str
    due: bool
    pulled: bool  # put forward, so that it falls before the last day of the notice


def reminders(records: Sequence[Entry], contract: Contract, today: date) -> tuple[Reminder, ...]:
    """The steps after the last time the notice was sent; none once it was answered.

    No step waits for the last day on which a new notice would be in time: it is put forward to
    the business day before, when the notice was sent before that.
    """
    sent = None
    for one in records:
        if one.event == "sent":
            sent = one
        elif one.event in ("confirmed", "refused"):
            sent = None
    if sent is None:
        return ()
    begun = sent.day()
    last = contract.business.before(hard_day(contract), 1)
    made = []
    for days, role, action in STEPS:
        wanted = begun + timedelta(days=days)
        day = last if begun < last < wanted else wanted
        made.append(Reminder(day, role, action, day <= today, day != wanted))
    return tuple(made)
