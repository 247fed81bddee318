"""`make live`, pointed at the simulated org."""

from __future__ import annotations

import pytest
from live import MISSING, main
from places import TOKEN, URL, Place
from questions import QUESTIONS, ask_all

from sfexit.simulated_org import Doubts, RestrictionRule, SimulatedOrg, serve
from sfexit.simulated_org.visibility import SimulatedUser


@pytest.mark.parametrize("given", [{}, {URL: "https://acme.my.salesforce.com"}, {TOKEN: "x"}])
def test_without_an_org_it_says_what_to_set(
    given: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(given) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", MISSING + "\n") and "\n" not in MISSING


@pytest.mark.parametrize(("yes", "shown"), [(True, True), (False, True), (False, False)])
def test_each_question_finds_out_how_the_org_is_set(yes: bool, shown: bool) -> None:
    doubts = Doubts(
        empty_result_has_header=yes,
        bulk_datetime="Z" if yes else "+0000",
        links_of_deleted_files=yes,
        view_all_fields_is_complete=yes,
        definitions_show_hidden=shown,
        version_68=yes,
    )
    rule = RestrictionRule("Task", "OwnerId = $User.Id")
    org = SimulatedOrg(rows=6000, shape="full", doubts=doubts, restriction_rules=[rule])
    user = SimulatedUser(
        "Nearly", hidden_objects=("Lead",), hidden_fields={"Opportunity": ("Amount",)}
    )
    with serve(org) as server:
        place = Place("simulated", server.url, org.sign_in(user))
        found = {finding.question: finding for finding in ask_all(place)}
        assert server.crashes == []
        assert not org.jobs._jobs
    assert list(found) == list(QUESTIONS)

    def told(words: str) -> tuple[bool, str]:
        [finding] = [one for name, one in found.items() if words in name]
        return finding.proven, finding.answer

    assert told("without rows") == (True, "its header line" if yes else "nothing at all")
    assert told("look like")[1].endswith("Z" if yes else "+9999")
    assert told("links of deleted") == (
        True,
        "yes" if yes else "no row came for the file looked at",
    )
    proven, answer = told("View All Fields")
    assert proven and ("Opportunity.Amount" in answer) == (shown and not yes)
    assert told("hidden from the user")[0] is shown
    assert told("68.0")[1].startswith("yes" if yes else "no")
    assert told("bind users") == (
        False,
        "Task has one: compare its count with the rule on and off",
    )
