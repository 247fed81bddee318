"""Plans for people: whatever stands in an org is harmless on a page, in a table, on a screen."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

from sfexit.offboarding.checking import Caps
from sfexit.offboarding.plan import Blocker, Hazard, Refusal, Step
from sfexit.reports import offboarding as report
from tests.offboarding.samples import HEIR, LEAVER, plan

EVIL = "=cmd|'/C calc'!A1 <script>alert(1)</script>\x1b[31m\u202e"


def evil_plan(**changes: object) -> report.Plan:
    [one] = plan().people
    row = {"user": LEAVER, "object": EVIL, "field": "OwnerId", "scope": "", "open": 1, "closed": 2,
           "archived": 3, "deleted": 4, "to": HEIR}  # fmt: skip
    held = {**row, "scope": "held", "object": EVIL}
    given: dict[str, object] = {
        "organization": EVIL,
        "people": (replace(one, username=EVIL, name=EVIL),),
        "blockers": (Blocker("approval", LEAVER, EVIL, EVIL, "Setup", "do", "", True, EVIL),),
        "hazards": (Hazard("jobs", LEAVER, EVIL, 1, EVIL, "--accept-jobs"),),
        "refusals": (Refusal("unknown_user", EVIL, EVIL),),
        "unknown": (EVIL,),
        "owned": (row, held),
        "rules": {"names": {HEIR: EVIL}},
    }
    return plan(**{**given, **changes})


def test_page() -> None:
    page = report.page(evil_plan(), Path("plan.json"))
    assert "<script" not in page
    assert "&lt;script&gt;" in page and "\x1b" not in page and "\u202e" not in page
    assert "default-src 'none'" in page


def test_table() -> None:
    rows = list(csv.reader(io.StringIO(report.matrix(evil_plan()).decode("utf-8-sig"))))
    assert tuple(rows[0]) == report.COLUMNS
    assert all(not one.startswith(("=", "+", "-", "@")) for row in rows for one in row)
    assert rows[1][5:9] == ["1", "2", "3", "4"]


def test_screen() -> None:
    lines = list(report.summary(evil_plan(), Path("plan.json"), "none stands"))
    assert all(line.isprintable() for line in lines)
    assert any("NOT ACCEPTED" in line for line in lines)
    accepted = report.summary(evil_plan(accepted=("--accept-jobs",)), Path("plan.json"))
    assert not any("NOT ACCEPTED" in line for line in accepted)


def test_nobody() -> None:
    empty = evil_plan(people=(), steps=(), transfers=(), owned=(), blockers=(), hazards=())
    assert not report.pending(empty)
    lines = list(report.summary(empty, None))
    assert lines[0].startswith("Nobody can be offboarded: 1 refused")
    assert "No plan was written" in lines[-1]
    assert report.document(empty, None)["file"] is None


def test_the_line_to_carry_out_a_large_plan_would_not_be_refused() -> None:
    def line(**changes: object) -> str:
        told = report.summary(plan(**changes), Path("plan.json"))
        return next(one for one in told if one.startswith("To carry it out"))

    [one], [rows] = plan().people, plan().transfers
    caps = Caps()
    assert line().endswith("apply plan.json")
    assert line(people=(one,) * caps.users).endswith("apply plan.json")
    many = line(people=(one,) * (caps.users + 1), transfers=(replace(rows, count=50_001),))
    assert many.endswith("apply plan.json --max-users 26 --max-records 50001")


def test_dashboards_are_told_one_by_one() -> None:
    step = Step("work-1", "work", "run_as", LEAVER, "Dashboard", "01Z000000000001AAA",
                {"RunningUserId": LEAVER}, {"RunningUserId": HEIR}, f"Let {EVIL} run")  # fmt: skip
    lines = list(report.summary(plan(steps=(step,)), Path("plan.json")))
    at = next(n for n, one in enumerate(lines) if one.startswith("Dashboards that run as"))
    assert "calc" in lines[at + 1] and lines[at + 1].isprintable()
    assert not any(one.startswith("Dashboards") for one in report.summary(plan(), None))
