"""A look at an org as a document, as lines and as a page."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sfexit.catalog import ObjectEntry
from sfexit.export.assess import Assessment
from sfexit.export.estimate import FileCost, Measured, estimate
from sfexit.export.plan import Selection
from sfexit.export.refresh.unchanged import Unchanged
from sfexit.preflight import BlindSpot, Permission, Sight
from sfexit.preflight.elsewhere import Evidence, signs
from sfexit.reports import assess as report
from sfexit.reports.blind_spots import groups

LIMITS = {"DailyApiRequests": {"Max": 300_000, "Remaining": 200_000}}
EVIL = '<script>alert("x")</script>\x1b[2J'


def made(*spots: BlindSpot, label: str = "Account", name: str = "Acme", **more: Any) -> Assessment:
    entries = (ObjectEntry("Account", label, queryable=True),)
    files = (FileCost("ContentVersion", 2_000_000, 3 * 10**12),)
    cost = estimate(
        entries,
        hints={"Account": 10_000},
        descriptions={},
        measured=Measured(files=files),
        limits=LIMITS,
        selection=Selection(),
        share=0.5,
        line_mbit=None,
    )
    state = "missing" if spots else "held"
    held = Permission("ViewAllData", "View All Data", "rows", (), "always", state, "seen")
    evidence = Evidence({}, frozenset({"et4ae5"}), (), None, {"SandboxInfo": "INVALID_TYPE"})
    given: dict[str, Any] = {
        "taken_at": datetime(2026, 11, 22, 4, 5, tzinfo=UTC),
        "organization_id": "00D000000000001EAA",
        "organization": {"Name": name, "OrganizationType": "Enterprise Edition"},
        "username": "exit@acme.example",
        "api_version": "66.0",
        "entries": entries,
        "sight": Sight("005", (held,), spots),
        "estimate": cost,
        "signs": signs(evidence, entries, LIMITS),
        "calls": 18,
        "place": Path("acme-exit"),
        "free_bytes": 10**13,
        **more,
    }
    return Assessment(**given)


def spot(kind: str = "rows_hidden", owner: str = "", field: str = "", sure: str = "likely") -> Any:
    return BlindSpot(
        kind, owner, field, f"{kind} {owner}", "View All Data", "give it", "seen", sure
    )


def lines(told: Assessment) -> str:
    return "\n".join(report.summary(told))


def steps(told: Assessment) -> str:
    return "\n".join(report.next_steps(told))


def test_blind_spots_stand_on_top() -> None:
    text = lines(made(spot()))
    assert text.startswith("BLIND SPOTS: ")
    assert text.index("View All Data: probably hidden") < text.index("What to do")
    assert "--permission-set" in steps(made(spot()))


@pytest.mark.parametrize(
    ("spots", "word"), [((), "CLEAR"), ((spot(sure="unknown"),), "UNKNOWN"), ((spot(),), "BLIND")]
)
def test_headline(spots: tuple[BlindSpot, ...], word: str) -> None:
    """What could not be checked is never told as clear."""
    assert report.headline(made(*spots)).startswith(word)


def test_fields_of_one_permission_are_one_group() -> None:
    spots = [spot("field_hidden", f"O{i}", f"F{j}__c", "certain") for i in (1, 2) for j in range(9)]
    [group] = groups(spots)
    assert group.head == "18 fields of 2 objects are hidden"
    assert len(group.names) == 18
    text = lines(made(*spots))
    assert "O1.F0__c" in text
    assert "and 13 more" in text


def test_many_groups_are_cut_on_the_screen_only() -> None:
    spots = [replace(spot(), remedy=f"give {i}", kind=f"k{i}") for i in range(20)]
    told = made(*spots)
    assert "and 8 more" in lines(told)
    assert all(f"give {i}" in report.page(told) for i in range(20))


def test_table_of_daily_calls() -> None:
    text = " ".join(lines(made()).split())
    assert "300,000 calls a day, 150,000 at 50%: 1.7 files a second" in text
    assert "your 2,000,000 files: 13.3 days; 1 million files: 6.7 days" in text


def test_contract() -> None:
    told = made(contract_end=date(2026, 12, 1))
    assert (told.days_left, told.in_time) == (9, False)
    assert "NOT in time" in lines(told)
    assert report.next_steps(told)[0].startswith("The export needs about")
    late = made(contract_end=date(2027, 6, 1))
    assert late.in_time
    assert "start within" in lines(late)
    assert "ended 2026-11-01, 21 days ago" in lines(made(contract_end=date(2026, 11, 1)))
    assert made().in_time is None


def test_no_row_counts_is_unknown_and_not_nothing() -> None:
    """Without the org's counts no figure may look small, and no deadline safe."""
    told = made(contract_end=date(2031, 1, 1))
    blind = replace(told, estimate=replace(told.estimate, rows_known=False))
    assert blind.in_time is None
    text = lines(blind)
    for name in ("Rows", "Size", "Calls", "Time", "Disk"):
        assert f"{name:<9} UNKNOWN, at least" in text
    assert "UNKNOWN whether in time; start today" in text


def test_disk() -> None:
    assert "Make room" not in steps(made())
    assert "Make room" in steps(made(free_bytes=10**9))
    assert "unknown free" in lines(made(free_bytes=None))


def test_elsewhere() -> None:
    text = " ".join(lines(made()).split())
    assert "Marketing Cloud Engagement: managed package with the namespace et4ae5" in text
    assert "Unknown, because SandboxInfo could not be read (INVALID_TYPE): Sandboxes" in text
    assert "No sign of" in text


def test_document() -> None:
    document = report.document(made(spot(), contract_end=date(2027, 6, 1)))
    told = json.loads(json.dumps(document))
    assert told["schema"] == "sfexit-assess/1"
    assert set(told) == {
        "schema", "taken_at", "organization_id", "organization", "username", "api_version",
        "api_calls", "next_steps", "strict_refusals", "sight", "objects", "outcomes", "rows",
        "rows_known", "csv_bytes", "wire_bytes", "sampled_rows", "files", "file_bytes",
        "calls_needed", "quotas", "api_budget", "line_mbit", "line_is_assumed", "days_by_limit",
        "days", "bottleneck",
        "quota_table", "contract_end", "days_left", "in_time", "unchanged", "disk",
        "elsewhere", "notes",
    }  # fmt: skip
    assert told["taken_at"] == "2026-11-22T04:05:00Z"
    assert told["sight"]["schema"] == "sfexit-sight/1"
    assert told["strict_refusals"] == ["rows_hidden : give it."]
    assert told["calls_needed"]["files"] == 2_000_000


class Page(HTMLParser):
    """Tags and attributes of a page; every opened one must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_needs_nothing_and_runs_nothing() -> None:
    text = report.page(made(spot()))
    page = Page(text)
    assert not {"script", "img", "link", "iframe", "form", "a"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert "http:" not in text
    assert "https:" not in text
    [policy] = [v for n, v in page.attributes if n == "content" and v and "default-src" in v]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "@media print" in text


def test_page_escapes_what_the_org_says() -> None:
    evil = BlindSpot("policy", EVIL, "", EVIL, EVIL, EVIL, EVIL, "likely")
    told = made(evil, label=EVIL, name=EVIL, username=EVIL, place=Path("<b>"))
    text = report.page(told)
    Page(text)
    assert "<script" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;" in text


def test_lines_are_safe_and_not_too_long() -> None:
    evil = BlindSpot("policy", "A", "", EVIL, "P\x1b[2J", EVIL, EVIL, "likely")
    text = lines(made(evil, name=EVIL, username=EVIL))
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 110


def test_since_when_the_org_is_unchanged() -> None:
    same = Unchanged("ab" * 32, 2, "2026-11-22T01:02:03Z", "2026-12-01T08:00:00Z")
    told = made(unchanged=same)
    text = " ".join("\n".join(report.summary(told)).split())
    assert (
        "Archive 0002 holds what the org held when it was last compared, 2026-12-01 08:00 UTC: "
        "unchanged since 2026-11-22 01:02 UTC"
    ) in text
    assert report.document(told)["unchanged"]["generation"] == 2
