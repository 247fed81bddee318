"""The deadlines as a calendar file (RFC 5545) that reminds in time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from icalendar import Alarm, Calendar, Event

from sfexit.contract.deadlines import Deadline
from sfexit.contract.terms import Contract

#: Days before a day to act; what only happens reminds once, on the day before.
REMINDERS = (30, 14, 7, 3, 1)


def calendar(contract: Contract, days: Iterable[Deadline], today: date) -> bytes:
    """The file's bytes. The same contract and day give the same bytes and the same event ids."""
    book = Calendar()
    book.add("prodid", "-//sfexit//contract deadlines//EN")
    book.add("version", "2.0")
    book.add("calscale", "GREGORIAN")
    book.add("method", "PUBLISH")
    book.add("x-wr-calname", f"Salesforce exit, contract {contract.number}")
    for one in days:
        book.add_component(_event(contract, one, today))
    data: bytes = book.to_ical()
    return data


def _event(contract: Contract, one: Deadline, today: date) -> Event:
    event = Event()
    # Stable, so that a calendar that takes a newer file moves the event instead of doubling it.
    name = hashlib.sha256(f"{contract.number}\0{contract.org_id}\0{one.kind}".encode()).hexdigest()
    event.add("uid", f"{name[:32]}@sfexit.invalid")
    event.add("dtstamp", datetime(today.year, today.month, today.day, tzinfo=UTC))
    event.add("dtstart", one.day)
    event.add("dtend", one.day + timedelta(days=1))
    event.add("summary", f"Salesforce exit: {one.title}")
    rolled = f"\nRolled back from {one.counted}, which is no business day." if one.rolled else ""
    event.add(
        "description",
        f"{one.action}\nRule: {one.rule}.\nSource: {one.source}.{rolled}\n"
        "Have counsel check. Your signed contract decides.",
    )
    event.add("transp", "TRANSPARENT")
    event.add("categories", ["Salesforce exit"])
    for before in REMINDERS if one.must_act else (1,):
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", f"In {before} day{'s' * (before > 1)}: {one.title}")
        alarm.add("trigger", timedelta(days=-before, hours=9))  # 9:00 on the day before, …
        event.add_component(alarm)
    return event
