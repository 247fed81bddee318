"""The plan document: bound by its digest, read back as it was, refused when it was touched."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.errors import Blocked, UsageProblem
from sfexit.offboarding import plan as plans
from tests.offboarding.samples import plan


def test_read_back_as_it_was() -> None:
    made = plan()
    again = plans.read(made.to_bytes())
    assert again == made
    assert again.digest == made.digest
    assert replace(made, organization="Other").digest != made.digest


@given(st.text(max_size=40), st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_any_text_survives(text: str, state: dict[str, str]) -> None:
    made = plan()
    made = replace(made, people=(replace(made.people[0], name=text, state=dict(state)),))
    try:
        data = made.to_bytes()
    except UnicodeEncodeError:
        return  # a lone surrogate is no text that an org could have sent
    assert plans.read(data) == made


@pytest.mark.parametrize(
    "edit",
    [
        lambda told: told.update(schema="sfexit-offboarding-plan/2"),
        lambda told: told["steps"][0].update(phase="destroy"),
        lambda told: told["steps"][0].update(kind="drop"),
        lambda told: told["steps"][0].pop("before"),
        lambda told: told.pop("people"),
        lambda told: told.update(more=1),
        lambda told: told.update(expires="tomorrow"),
        lambda told: told.update(transfers=[1]),
    ],
)
def test_what_was_touched_is_refused(edit: object) -> None:
    told = json.loads(plan().to_bytes())
    edit(told)  # type: ignore[operator]
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    with pytest.raises(Blocked, match="make a new one"):
        plans.read(text.encode() + b"\n")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"\xff", plan().to_bytes()[:-1]])
def test_what_is_no_plan(data: bytes) -> None:
    with pytest.raises(Blocked):
        plans.read(data)


def test_it_grows_old() -> None:
    made = plan()
    assert not made.expired(datetime(2026, 11, 23, 5, 59, tzinfo=UTC))
    assert made.expired(datetime(2026, 11, 23, 6, 0, tzinfo=UTC))


def test_flags_that_nobody_accepted() -> None:
    hazard = plans.Hazard("skew", "", "Account", 12_000, "…", "--accept-skew")
    made = plan(hazards=(hazard, replace(hazard, code="other", flag="")))
    assert made.unaccepted == ("--accept-skew",)
    assert replace(made, accepted=("--accept-skew",)).unaccepted == ()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be read"):
        plans.load(tmp_path / "plan.json")


@given(st.text(max_size=60))
def test_soql_text_cannot_be_left(text: str) -> None:
    quoted = plans.soql_text(text)
    inner = quoted[1:-1]
    position = 0
    while position < len(inner):
        if inner[position] == "\\":
            position += 2
            continue
        assert inner[position] != "'"
        position += 1
    assert position == len(inner)  # no lone backslash that would eat the closing quote


def test_an_empty_list_is_never_everything() -> None:
    with pytest.raises(ValueError, match="empty"):
        plans.soql_list([])
    assert plans.soql_list(["o'brien@x.com"]) == "('o\\'brien@x.com')"
