"""What an export would cost: the arithmetic, and what it is made from."""

from __future__ import annotations

from typing import Any

import pytest

from sfexit.catalog import Description, Field, ObjectEntry
from sfexit.export.estimate import (
    PACKED,
    USUAL_ROW_BYTES,
    Estimate,
    FileCost,
    Measured,
    estimate,
    measure,
    width_by_type,
)
from sfexit.export.plan import Selection
from sfexit.preflight import Questions
from sfexit.salesforce.client import Client
from sfexit.salesforce.describe import describe_global
from sfexit.salesforce.login import credential_from_environment
from sfexit.simulated_org import SimulatedOrg, serve

LIMITS: dict[str, Any] = {
    "DailyApiRequests": {"Max": 300_000, "Remaining": 200_000},
    "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000},
    "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
    "FileStorageMB": {"Max": 1_000, "Remaining": 400},
}
FIELDS = (Field("Id", "", "id"), Field("Name", "", "string", length=80))


def entry(name: str, **more: Any) -> ObjectEntry:
    return ObjectEntry(name, name, **{"queryable": True, **more})


def made(*entries: ObjectEntry, **more: Any) -> Estimate:
    given: dict[str, Any] = {
        "hints": {}, "descriptions": {}, "measured": Measured(), "limits": LIMITS,
        "selection": Selection(), "share": 0.5, "line_mbit": 100.0, **more,
    }  # fmt: skip
    return estimate(entries, **given)


def test_outcomes_and_routes() -> None:
    found = made(
        entry("Big__c"), entry("Small__c"), entry("TaskStatus"), entry("Left__c"), entry("Odd__c"),
        entry("AccountChangeEvent", queryable=False), entry("FieldDefinition"),
        hints={"Big__c": 5_000, "Small__c": 10, "TaskStatus": 9_000},
        selection=Selection(exclude=frozenset({"Left__c"})),
    )  # fmt: skip
    told = {one.name: (one.outcome, one.route, one.rows) for one in found.objects}
    assert told == {
        "Big__c": ("read", "bulk", 5_000),
        "Small__c": ("read", "rest", 10),
        "TaskStatus": ("read", "rest", 9_000),  # the Bulk API refuses it
        "Left__c": ("not_exported", "", None),
        "Odd__c": ("read", "rest", None),
        "AccountChangeEvent": ("no_data", "", None),
        "FieldDefinition": ("covered", "", None),
    }
    assert found.rows == 14_010
    assert found.jobs == 1
    assert "1 objects have no approximate row count" in found.notes[0]


def test_counts_beat_hints() -> None:
    found = made(entry("A__c"), hints={"A__c": 5}, measured=Measured(counts={"A__c": 7}))
    assert (found.objects[0].rows, found.objects[0].rows_are) == (7, "counted")


def test_widths_by_type_grow_with_length() -> None:
    narrow = Description("A", "", fields=FIELDS)
    wide = Description("A", "", fields=(*FIELDS, Field("T", "", "textarea", length=32_000)))
    assert 0 < width_by_type(narrow) < width_by_type(wide)
    body = Description("A", "", fields=(*FIELDS, Field("B", "", "base64")))
    assert width_by_type(body) == width_by_type(narrow)


def test_sample_calibrates_itself_and_the_others() -> None:
    described = {name: Description(name, "", fields=FIELDS) for name in ("A__c", "B__c")}
    guess = width_by_type(described["A__c"])
    measured = Measured(widths={"A__c": (10, 20 * guess)})
    found = made(
        entry("A__c"), entry("B__c"), entry("C__c"), descriptions=described, measured=measured,
        hints={"A__c": 100, "B__c": 100, "C__c": 100},
    )  # fmt: skip
    widths = {one.name: one.row_bytes for one in found.objects}
    assert widths == {"A__c": 2 * guess, "B__c": 2 * guess, "C__c": 2 * USUAL_ROW_BYTES}
    assert found.calibrated_by == 10
    assert found.csv_bytes == 100 * sum(widths.values())
    assert found.wire_bytes == round(found.csv_bytes * PACKED)


def test_files_cost_a_call_each_and_decide_the_days() -> None:
    files = (FileCost("ContentVersion", 900_000, 10**12), FileCost("Document", 100_000, 0))
    found = made(entry("A__c"), measured=Measured(files=files))
    assert found.calls_files == 1_000_000
    assert found.file_bytes == 10**12
    assert found.bounds["API calls"] == pytest.approx(found.calls / 100_000)  # half of what is left
    assert found.bottleneck == "API calls"
    assert found.days == pytest.approx(10, abs=0.01)
    assert found.bounds["line speed"] == pytest.approx(10**12 * 8 / 1e8 / 86_400)
    assert found.disk_bytes > 10**12


def test_files_that_cannot_be_added_up() -> None:
    found = made(measured=Measured(files=(FileCost("ContentVersion", None, None, "refused"),)))
    assert found.file_bytes == 600_000_000  # file storage in use
    assert "stands in" in found.notes[0]
    assert found.quota_row is not None
    assert found.quota_row.own_files is None
    nowhere = made(limits={}, measured=Measured(files=(FileCost("Document", None, None),)))
    assert nowhere.file_bytes == 0
    assert nowhere.notes


def test_bulk_ceilings() -> None:
    limits = {**LIMITS, "DailyBulkV2QueryJobs": {"Max": 1, "Remaining": 1}}
    found = made(entry("A__c"), entry("B__c"), hints={"A__c": 10**9, "B__c": 10**9}, limits=limits)
    assert found.bounds["Bulk query jobs"] == 2
    volume = found.csv_bytes / 1e6 / 976_562
    assert found.bounds["Bulk result volume"] == pytest.approx(0 if volume <= 1 else volume)


def test_slow_line_is_assumed_and_told() -> None:
    found = made(line_mbit=None)
    assert (found.line_mbit, found.line_is_assumed) == (20.0, True)


def test_no_row_counts() -> None:
    limits = {**LIMITS, "DataStorageMB": {"Max": 1_000, "Remaining": 900}}
    found = made(entry("A__c"), hints=None, limits=limits)
    assert not found.rows_known
    assert "about 50,000 rows" in found.notes[0]
    assert "View Setup and Configuration" in made(entry("A__c"), hints=None).notes[0]
    assert made(entry("A__c")).rows_known


def test_no_limits_no_table() -> None:
    found = made(limits={})
    assert "API calls" not in found.bounds


def test_measured_on_an_org() -> None:
    org = SimulatedOrg(seed=7, rows=2_000)
    with serve(org) as server:
        given = {"SFEXIT_INSTANCE_URL": server.url, "SFEXIT_ACCESS_TOKEN": org.access_token}
        with Client(credential_from_environment(given)) as client:
            entries = describe_global(client)[1]
            questions = Questions(client)
            questions.learn(["Account", "Contact", "Task"])
            hints = {"Account": 1, "Contact": 2, "Task": 3, "Nobody__c": 4}
            before = client.budget.used
            found = measure(questions, entries, hints)
            assert client.budget.used - before <= 4
    assert dict(found.counts) == {name: org.count(name) for name in ("Account", "Contact", "Task")}
    assert set(found.widths) == {"Account", "Contact", "Task"}
    assert all(0 < rows <= 50 and size > 50 * rows for rows, size in found.widths.values())
    files = {one.name: one for one in found.files}
    assert files["ContentVersion"].count == org.count("ContentVersion")
    assert files["ContentVersion"].bytes
