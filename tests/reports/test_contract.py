"""Contract reports: safe, and the same in every form."""

from __future__ import annotations

import json
from datetime import date

from sfexit.contract.outlook import outlook
from sfexit.reports import contract as report
from tests.contract_terms.samples import contract


def test_hostile_names_stay_text() -> None:
    evil = '<script>alert(1)</script>"\u202e'
    told = outlook(
        contract(contract_customer=evil.replace("\u202e", ""), notice_clause=evil[:25]),
        date(2026, 11, 22),
    )
    page = report.page(told)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_every_day_stands_in_every_form() -> None:
    told = outlook(contract(law={"packs": ["eu-data-act"]}), date(2026, 11, 22))
    lines = "\n".join(report.summary(told))
    page = report.page(told)
    found = json.loads(json.dumps(report.document(told)))
    for one in told.all_days:
        assert one.day.isoformat() in lines
        assert one.day.isoformat() in page
    assert len(found["deadlines"]) == len(told.days)
    assert found["advice"] in lines and found["advice"] in page


def test_headlines() -> None:
    made = contract()
    assert report.headline(outlook(made, date(2026, 11, 22))).startswith("Next: notice given")
    assert report.headline(outlook(made, date(2027, 3, 20))).startswith("MISSED: notice received")
    after = outlook(made, date(2028, 1, 1), notice_sent=True)
    assert report.headline(after) == "Nothing is left to do by a day of this contract."
