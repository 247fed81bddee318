"""The calendar file, read by a parser that did not write it."""

from __future__ import annotations

from datetime import date, timedelta

import vobject

from sfexit.contract.ics import calendar
from sfexit.contract.outlook import outlook
from sfexit.contract.terms import Contract
from tests.contract_terms.samples import contract

TODAY = date(2026, 11, 22)


def test_another_parser_reads_every_day_and_alarm() -> None:
    told = outlook(contract(law={"packs": ["eu-data-act"]}), TODAY)
    data = calendar(told.contract, told.all_days, TODAY)
    events = vobject.readOne(data.decode()).vevent_list
    assert [one.dtstart.value for one in events] == [one.day for one in told.all_days]
    assert all(one.dtend.value == one.dtstart.value + timedelta(1) for one in events)
    hard = next(one for one in events if "Notice received" in one.summary.value)
    assert "MSA 11.2" in hard.description.value
    before = sorted(one.trigger.value for one in hard.valarm_list)
    assert before == [timedelta(days=-n, hours=9) for n in (30, 14, 7, 3, 1)]
    assert len({one.uid.value for one in events}) == len(events)


def names(made: Contract) -> set[str]:
    data = calendar(made, outlook(made, TODAY).days, TODAY)
    return {one.uid.value for one in vobject.readOne(data.decode()).vevent_list}


def test_events_keep_their_names_and_lines_are_folded() -> None:
    first = contract(contract_customer="Žluťoučký kůň, s. r. o.; \\ " * 8)
    later = contract(contract_end=date(2028, 3, 31))
    assert names(first) == names(later)
    data = calendar(first, outlook(first, TODAY).days, TODAY)
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))
    assert data == calendar(first, outlook(first, TODAY).days, TODAY)
