"""Users in metadata files."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.errors import DamagedAnswer
from sfexit.offboarding.blockers import of_metadata
from sfexit.offboarding.naming import Known, Mention, search
from sfexit.offboarding.people import User

BEN = User("005000000000001AAA", "Ben.O'Brien@X.example", "Ben", email="ben@x.example")
HEAD = '<?xml version="1.0" encoding="UTF-8"?><R xmlns="http://soap.sforce.com/2006/04/metadata">'


def found(file: str, body: str) -> list[Mention]:
    return list(search(file, f"{HEAD}{body}</R>".encode(), Known([BEN])))


def test_usernames_in_any_case_ids_of_both_lengths_and_addresses() -> None:
    for text in (
        "ben.o&apos;brien@x.EXAMPLE",
        "005000000000001",
        BEN.id,
        " ben@x.example\n",
        "OR(OwnerId = '005000000000001AAA', 1 = 2)",
        "to: ben@x.example; cleo@x.example",
    ):
        [one] = found("flows/F.flow", f"<a><name>Step</name><v>{text}</v></a>")
        assert (one.user_id, one.path, one.label) == (BEN.id, ("a", "v"), "Step"), text
    assert found("flows/F.flow", "<a>xben@x.example.org</a><b>005000000000002AAA</b>") == []


def test_labels_are_the_nearest_and_never_the_user() -> None:
    [one] = found(
        "approvalProcesses/A.B.approvalProcess",
        "<approvalStep><assignedApprover><approver><name>ben@x.example</name></approver>"
        "</assignedApprover><name>One</name></approvalStep><label>All</label>",
    )
    assert one.label == "One"
    [blocker], rest = of_metadata([one])
    assert (blocker.code, blocker.label, rest) == (
        "approval", "Approver in an approval process: One", [],
    )  # fmt: skip


def test_only_the_last_recipient_of_an_alert_blocks() -> None:
    def alert(*names: str) -> str:
        rows = "".join(f"<recipients><recipient>{n}</recipient></recipients>" for n in names)
        return (
            f"<alerts><fullName>A</fullName>{rows}</alerts><alerts><fullName>B</fullName></alerts>"
        )

    [sole], _ = of_metadata(found("workflows/Case.workflow", alert("ben@x.example")))
    [one_of_two], _ = of_metadata(
        found("workflows/Case.workflow", alert("ben@x.example", "cleo@x.example"))
    )
    assert sole.code == one_of_two.code == "workflow_alert"
    assert "add another" in sole.fix and "only when" in one_of_two.fix


def test_leads_and_cases_are_told_apart() -> None:
    body = "<assignmentRule><assignedTo>ben@x.example</assignedTo></assignmentRule>"
    for name, code in (("Lead", "lead_assignment"), ("Case", "case_assignment")):
        [one], _ = of_metadata(found(f"assignmentRules/{name}.assignmentRules", body))
        assert one.code == code


def test_a_place_that_nobody_foresaw_is_told_too() -> None:
    [one], _ = of_metadata(found("settings/Field.settings", "<user>ben@x.example</user>"))
    assert one.code == "named_in_metadata" and "settings/Field.settings" in one.evidence


def test_entities_are_refused() -> None:
    text = b'<!DOCTYPE r [<!ENTITY a "ben@x.example">]><r>&a;</r>'
    with pytest.raises(DamagedAnswer, match="document type"):
        list(search("flows/F.flow", text, Known([BEN])))


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_whatever_is_no_file_of_ours_is_survived(content: bytes) -> None:
    with contextlib.suppress(DamagedAnswer):
        list(search("classes/A.cls", content, Known([BEN])))
