"""The verdict as a pure function: what may never happen, for any checks, findings and waivers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.verify.codes import CODES, Severity
from sfexit.verify.finding import Finding, not_made, rank
from sfexit.verify.verdict import (
    REGISTRABLE,
    Check,
    RegisterEntry,
    Result,
    Verdict,
    Waiver,
    judge,
)

NAMES = st.sampled_from(["digests", "rows", "coverage", "values"])
OBJECTS = st.sampled_from(["", "Account", "Case", "LoginEvent"])
FINDINGS = st.builds(
    Finding,
    code=st.sampled_from(sorted(CODES)),
    kind=NAMES,
    object=OBJECTS,
    record_id=st.sampled_from(["", "001000000000001AAA"]),
    count=st.integers(1, 5),
)
CHECKS = st.lists(st.builds(Check, NAMES, st.sampled_from(Result)), max_size=6)
SOME = st.lists(FINDINGS, max_size=8)
REGISTER = st.lists(st.builds(RegisterEntry, OBJECTS, st.just("a view"), st.just("docs")))
WORDS = st.sampled_from(["", " ", "agreed"])


@st.composite
def waivers(draw: st.DrawFn, findings: list[Finding]) -> list[Waiver]:
    keys = [finding.key for finding in findings] + ["row-missing:Nothing"]
    one = st.builds(Waiver, st.sampled_from(keys), WORDS, WORDS, st.integers(0, 5))
    return draw(st.lists(one, max_size=5))


@settings(deadline=None)
@given(CHECKS, SOME, REGISTER, st.data(), st.booleans())
def test_nothing_is_lost_between_findings_and_verdict(
    checks: list[Check],
    findings: list[Finding],
    register: list[RegisterEntry],
    data: st.DataObject,
    offline: bool,
) -> None:
    given_waivers = data.draw(waivers(findings))
    result = judge(
        checks,
        findings,
        required={"digests"},
        offline=offline,
        waivers=given_waivers,
        register=register,
    )
    kept = [*result.findings, *(f for f, _ in result.waived), *(f for f, _ in result.registered)]
    assert all(kept.count(finding) >= findings.count(finding) for finding in findings)
    assert list(result.findings) == sorted(result.findings, key=rank)
    severities = {finding.severity for finding in result.findings}
    bad = Verdict.DAMAGED if offline else Verdict.NOT_SAFE
    good = Verdict.INTACT if offline else Verdict.SAFE
    assert (result.verdict is bad) == (Severity.DAMAGE in severities)
    assert (result.verdict is good) == (severities <= {Severity.NOTE})
    if result.verdict is good:
        assert any(check.name == "digests" for check in checks) or result.waived
    for finding, waiver in result.waived:
        assert waiver.finding == finding.key and CODES[finding.code].waivable
        assert waiver.reason.strip() and waiver.person.strip()
        assert finding.count <= waiver.at_most
    for finding, entry in result.registered:
        assert finding.code in REGISTRABLE and entry.object == finding.object
    if offline:
        assert not result.waived and not result.registered
    else:
        used = [waiver for _, waiver in result.waived]
        assert all(w in used or w in [i for i, _ in result.idle_waivers] for w in given_waivers)


@settings(deadline=None)
@given(CHECKS, SOME, FINDINGS, st.booleans())
def test_one_more_finding_never_makes_it_better(
    checks: list[Check], findings: list[Finding], more: Finding, offline: bool
) -> None:
    order = [Verdict.SAFE, Verdict.INTACT, Verdict.UNKNOWN, Verdict.NOT_SAFE, Verdict.DAMAGED]
    before = judge(checks, findings, required=(), offline=offline)
    after = judge(checks, [*findings, more], required=(), offline=offline)
    assert order.index(after.verdict) >= order.index(before.verdict)


@settings(deadline=None)
@given(st.permutations(["digests", "rows", "coverage"]), st.sampled_from([*Result, None]))
def test_a_check_that_was_not_made_never_passes(names: list[str], fate: Result | None) -> None:
    checks = [Check(name, Result.PASSED) for name in names]
    assert judge(checks, (), required=names, offline=False).verdict is Verdict.SAFE
    spoiled = checks[1:]
    if fate:
        spoiled.append(Check(names[0], fate))
    verdict = judge(spoiled, (), required=names, offline=False).verdict
    assert (verdict is Verdict.SAFE) == (fate is Result.PASSED)
    assert verdict in (Verdict.SAFE, Verdict.UNKNOWN)


def test_damage_wins_over_unknown() -> None:
    findings = [not_made("values", "the org refused"), Finding("row-missing", "rows", "Account")]
    result = judge((), findings, required=(), offline=False)
    assert result.verdict is Verdict.NOT_SAFE
    assert [finding.code for finding in result.findings] == ["row-missing", "check-not-made"]


def test_a_waiver_is_told_in_the_verdict_and_covers_no_more_than_it_names() -> None:
    missing = Finding("row-missing", "rows", "Account", count=3)
    waiver = Waiver("row-missing:Account", "test data", "R. Roe", at_most=3)
    assert missing.key == waiver.finding
    result = judge((), [missing], required=(), offline=False, waivers=[waiver])
    assert result.title == "SAFE with 1 waiver"
    grown = replace(missing, count=4)
    result = judge((), [grown], required=(), offline=False, waivers=[waiver])
    assert result.verdict is Verdict.NOT_SAFE
    assert result.idle_waivers == ((waiver, "it accepts 3, and there are 4"),)


def test_nobody_can_accept_a_changed_archive() -> None:
    altered = Finding("file-altered", "digests", path="data/ledger.csv")
    waiver = Waiver(altered.key, "looks fine to me", "R. Roe")
    result = judge((), [altered], required=(), offline=False, waivers=[waiver])
    assert result.verdict is Verdict.NOT_SAFE and result.idle_waivers[0][0] == waiver


def test_a_waiver_of_one_check_is_not_one_of_another() -> None:
    waiver = Waiver(not_made("values", "no time").key, "small org", "R. Roe")
    result = judge((), [not_made("files", "no time")], required=(), offline=False, waivers=[waiver])
    assert result.verdict is Verdict.UNKNOWN


def test_the_register_explains_that_an_object_was_not_taken_and_nothing_else() -> None:
    entry = RegisterEntry("LoginEvent", "a stream", "Object Reference")
    left_out = Finding("object-left-out", "coverage", "LoginEvent")
    result = judge((), [left_out], required=(), offline=False, register=[entry])
    assert result.verdict is Verdict.SAFE and result.registered == ((left_out, entry),)
    missing = Finding("row-missing", "rows", "LoginEvent")
    result = judge((), [missing], required=(), offline=False, register=[entry])
    assert result.verdict is Verdict.NOT_SAFE


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(ValueError, match="no code"):
        Finding("row-mising", "rows")
