"""By which road an object is read, and what a refusal means."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.catalog import Description, Field, ObjectEntry
from sfexit.errors import OrgRefused
from sfexit.export import plan
from sfexit.export.plan import (
    Afresh,
    DropField,
    GiveUp,
    Narrow,
    NeedsFilter,
    OtherRoute,
    Selection,
)
from sfexit.salesforce.object_rules import Rule


def rule(kind: str) -> Rule:
    return Rule(kind, "why", "source", "remedy")


@pytest.mark.parametrize(
    ("kind", "refuses", "count", "fits", "road"),
    [
        (None, None, 5_000, True, "bulk"),
        (None, None, 2_000, True, "bulk"),
        (None, None, 1_999, True, "rest"),
        (None, None, None, True, "bulk"),
        (None, None, 10, False, "bulk"),
        ("rest", None, 5_000, True, "rest"),
        ("rest", None, 5_000, False, "rest"),
        (None, "field X", 5_000, True, "rest"),
        ("uncounted", None, None, True, "bulk"),
        ("by_parent", None, None, True, "filtered"),
        ("by_parent", None, 5, True, "rest"),
        ("by_parent", None, 5_000, True, "bulk"),
        ("private_folders", None, 5, True, "filtered"),
        ("versions", None, 5_000, True, "filtered"),
        ("external", None, 5_000, True, "rest"),
    ],
)
def test_route(kind: Any, refuses: Any, count: Any, fits: bool, road: str) -> None:
    found = plan.route(
        rule=rule(kind) if kind else None, bulk_refuses=refuses, count=count, uri_fits=fits
    )
    assert found == road


@pytest.mark.parametrize(
    ("status", "code", "words", "road", "answer"),
    [
        (400, "INVALID_FIELD", "No such column 'Gone__c' on entity 'A'.", "bulk", DropField),
        (400, "INVALID_FIELD", "No such column 'Other__c' on entity 'A'.", "bulk", GiveUp),
        (400, "INVALID_FIELD", "No such column 'Id' on entity 'A'.", "rest", GiveUp),
        (400, "INVALIDENTITY", "not supported by the Bulk API", "bulk", OtherRoute),
        (400, "FEATURENOTENABLED", "Selecting compound data not supported", "bulk", OtherRoute),
        (400, "QUERY_TIMEOUT", "running for too long", "rest", Narrow),
        (400, "OPERATION_TOO_LARGE", "exceeded 100000 distinct who/what's", "bulk", Narrow),
        (200, "JOB_FAILED", "Retried more than 15 times", "bulk", Narrow),
        (200, "JOB_FAILED", "InternalServerError", "bulk", OtherRoute),
        (400, "INVALID_QUERY_LOCATOR", "", "rest", Afresh),
        (414, "", "too long", "rest", OtherRoute),
        (431, "", "too long", "rest", OtherRoute),
        (400, "INVALID_TYPE", "sObject type 'A' is not supported.", "bulk", GiveUp),
        (400, "MALFORMED_QUERY", "Implementation restriction: filter", "rest", NeedsFilter),
        (400, "API_ERROR", "whatever", "rest", GiveUp),
    ],
)
def test_meaning(status: int, code: str, words: str, road: str, answer: type) -> None:
    found = plan.meaning(
        OrgRefused(status, code, words), route=road, columns=["Id", "Name", "Gone__c"]
    )
    assert isinstance(found, answer), found


def test_a_query_that_is_called_malformed_is_to_be_another_one() -> None:
    refusal = OrgRefused(400, "MALFORMED_QUERY", "no")
    assert plan.meaning(refusal, route="rest", columns=["Id"]) == plan.NeedsFilter()
    assert plan.meaning(refusal, route="bulk", columns=["Id"]) == plan.OtherRoute("rest")


def test_what_is_never_silent() -> None:
    for code in ("INVALID_TYPE", "INSUFFICIENT_ACCESS", "ANYTHING"):
        found = plan.meaning(OrgRefused(400, code, "no"), route="rest", columns=["Id"])
        assert isinstance(found, GiveUp)
        assert found.outcome in ("failed", "not_exported") and found.reason and found.remedy


moments = st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


def holds(condition: str, moment: datetime) -> bool:
    bounds = re.findall(r"F (>=|<) (\S+)", condition)
    assert condition == " AND ".join(f"F {op} {text}" for op, text in bounds)
    return all(
        (moment >= datetime.fromisoformat(text)) if op == ">=" else
        (moment < datetime.fromisoformat(text))
        for op, text in bounds
    )  # fmt: skip


@given(st.none() | moments, st.none() | moments, st.lists(moments, max_size=5), st.data())
def test_halves_are_a_partition(
    oldest: datetime | None, newest: datetime | None, rows: list[datetime], draw: st.DataObject
) -> None:
    condition = ""
    for _ in range(8):
        both = plan.halves(condition, "F", oldest=oldest, newest=newest)
        if both is None:
            break
        border = datetime.fromisoformat(re.findall(r"< (\S+)$", both[0])[0])
        for moment in [*rows, border, border - timedelta(seconds=1), border + timedelta(1)]:
            inside = holds(condition, moment)
            assert holds(both[0], moment) + holds(both[1], moment) == inside
        condition = draw.draw(st.sampled_from(both))


def test_dividing_ends() -> None:
    condition, steps = "", 0
    while True:
        both = plan.halves(condition, "F", oldest=datetime(2020, 1, 1, tzinfo=UTC), newest=None)
        if both is None:
            break
        condition, steps = both[0] if ">=" in both[0] else both[1], steps + 1
        assert steps < 60
    assert plan.halves("Other < 2020-01-01T00:00:00Z", "F", oldest=None, newest=None) is None


@given(
    st.lists(st.from_regex(r"[A-Z][a-z]{0,30}__c", fullmatch=True), unique=True, max_size=80),
    st.integers(150, 2000),
)
def test_field_groups(names: list[str], limit: int) -> None:
    columns = ["Id", *names]
    groups = plan.field_groups("Object__c", columns, limit_bytes=limit)
    assert all(group[0] == "Id" for group in groups)
    assert ["Id", *(name for group in groups for name in group[1:])] == columns
    for group in groups:
        assert len(plan.soql("Object__c", group)) <= limit or len(group) <= 2


def test_columns_begin_with_what_checks_need() -> None:
    fields = [Field(name, name, "string") for name in ("Name", "IsDeleted", "X__c", "Id")]
    names, left_out = plan.columns_of(fields, [(Field("Body", "Body", "base64"), "a file")])
    assert names == ["Id", "IsDeleted", "Name", "X__c"]
    assert left_out == {"Body": "a file"}


def test_the_field_to_divide_by() -> None:
    def described(*fields: Field) -> Description:
        return Description("A", "A", fields=fields)

    created = Field("CreatedDate", "", "datetime", filterable=True)
    stamp = Field("SystemModstamp", "", "datetime", filterable=True)
    assert plan.date_field(described(stamp, created)) == "CreatedDate"
    assert plan.date_field(described(stamp)) == "SystemModstamp"
    assert plan.date_field(described(Field("CreatedDate", "", "datetime"))) is None
    assert plan.date_field(described()) is None


def test_settled() -> None:
    entry = ObjectEntry("A", "Label", queryable=True)
    everything = Selection()
    assert plan.settled(entry, None, everything) is None
    assert plan.settled(entry, rule("rest"), everything) is None
    for kind, outcome in plan._SETTLED.items():
        line = plan.settled(entry, rule(kind), everything)
        assert line is not None and line.outcome == outcome
    hidden = plan.settled(ObjectEntry("A", "Label"), None, everything)
    assert hidden is not None and hidden.outcome == "not_exported" and hidden.remedy
    for choice in (Selection(exclude=frozenset("A")), Selection(objects=frozenset("B"))):
        line = plan.settled(entry, None, choice)
        assert line is not None and line.outcome == "not_exported" and line.incomplete


def test_a_selection_is_compared_by_what_it_means() -> None:
    one = Selection(frozenset({"B", "A"}), frozenset({"C"}))
    assert one.as_text() == "objects=A,B;exclude=C"
