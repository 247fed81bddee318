"""What follows from checks and findings: the verdict, as one pure function.

Three rules, in this order: what is wrong outweighs what is unknown; what was not checked is
unknown, never passed; only a finding that a published register or a named person speaks of, by its
own name, does not count, and then it is told.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sfexit.verify.codes import CODES, Severity
from sfexit.verify.finding import Finding, not_made, rank


class Verdict(StrEnum):
    """The answer: may we cancel (SAFE …), or offline: is it what was sealed (INTACT …)?"""

    SAFE = "SAFE"
    NOT_SAFE = "NOT SAFE"
    UNKNOWN = "UNKNOWN"
    INTACT = "INTACT"
    DAMAGED = "DAMAGED"


class Result(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"  # it was made, and there is a finding of damage
    UNKNOWN = "unknown"  # it was not made, or not wholly


@dataclass(frozen=True)
class Check:
    """One check that was tried. `looked_at` says at how much, in words ("12 objects, 400 rows")."""

    name: str
    result: Result
    looked_at: str = ""
    why: str = ""  # for UNKNOWN: why it was not made


@dataclass(frozen=True)
class Waiver:
    """A named person accepts one finding. `at_most` bounds a finding that speaks of many."""

    finding: str  # a `Finding.key`
    reason: str
    person: str
    at_most: int = 1


@dataclass(frozen=True)
class RegisterEntry:
    """An object that the published register names as no data, with the source it gives."""

    object: str
    reason: str
    source: str


#: Findings that the register can explain: that an object was not taken, never that it is damaged.
REGISTRABLE = frozenset({"object-left-out", "object-unknown", "check-not-made"})


@dataclass(frozen=True)
class Judgement:
    """The verdict and all that led to it. `findings` are those that count, and notes; by rank."""

    verdict: Verdict
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    waived: tuple[tuple[Finding, Waiver], ...] = ()
    registered: tuple[tuple[Finding, RegisterEntry], ...] = ()
    idle_waivers: tuple[tuple[Waiver, str], ...] = ()  # and why each did not apply

    @property
    def title(self) -> str:
        """The verdict as it is said: `SAFE with 2 waivers`."""
        count = len(self.waived)
        return self.verdict + (f" with {count} waiver{'s' * (count != 1)}" if count else "")


def judge(
    checks: Iterable[Check],
    findings: Iterable[Finding],
    *,
    required: Iterable[str],
    offline: bool,
    waivers: Iterable[Waiver] = (),
    register: Iterable[RegisterEntry] = (),
) -> Judgement:
    """The verdict over what was found.

    `required` names the checks that the verdict needs: one that is not among `checks`, or stands
    there as UNKNOWN, is UNKNOWN even if nobody made a finding of it. A check that FAILED without a
    finding of damage is damage of the check itself and counts as UNKNOWN too. Offline nothing can
    be waived: the verdict is INTACT, DAMAGED, or UNKNOWN when a check was not made to its end.
    """
    checks = tuple(checks)
    all_findings = [*findings]
    all_findings += _silent(checks, all_findings, frozenset(required))
    waivers = () if offline else tuple(waivers)
    known = {} if offline else {entry.object: entry for entry in register if entry.object}
    counting: list[Finding] = []
    waived: list[tuple[Finding, Waiver]] = []
    registered: list[tuple[Finding, RegisterEntry]] = []
    used: set[int] = set()
    idle: dict[int, str] = dict.fromkeys(range(len(waivers)), "there is no such finding")
    for finding in sorted(all_findings, key=rank):
        if finding.severity is Severity.NOTE:
            counting.append(finding)
            continue
        if finding.code in REGISTRABLE and finding.object in known:
            registered.append((finding, known[finding.object]))
            continue
        for at, waiver in enumerate(waivers):
            if waiver.finding != finding.key:
                continue
            refusal = _refusal(waiver, finding)
            if refusal:
                idle[at] = refusal
                continue
            used.add(at)
            waived.append((finding, waiver))
            break
        else:
            counting.append(finding)
    return Judgement(
        _verdict(counting, offline=offline),
        checks,
        tuple(counting),
        tuple(waived),
        tuple(registered),
        tuple((waivers[at], why) for at, why in idle.items() if at not in used),
    )


def _verdict(counting: Iterable[Finding], *, offline: bool) -> Verdict:
    severities = {finding.severity for finding in counting}
    if Severity.DAMAGE in severities:
        return Verdict.DAMAGED if offline else Verdict.NOT_SAFE
    if Severity.UNKNOWN in severities:
        return Verdict.UNKNOWN
    return Verdict.INTACT if offline else Verdict.SAFE


def _silent(
    checks: tuple[Check, ...], findings: list[Finding], required: frozenset[str]
) -> list[Finding]:
    """Findings for checks that did not end well and of which nothing was told."""
    told = {(finding.kind, finding.severity) for finding in findings}
    added = []
    for name in sorted(required - {check.name for check in checks}):
        added.append(not_made(name, "the check was not made"))
    for check in checks:
        if check.result is Result.UNKNOWN and (check.name, Severity.UNKNOWN) not in told:
            added.append(not_made(check.name, check.why or "the check was not made to its end"))
        if check.result is Result.FAILED and (check.name, Severity.DAMAGE) not in told:
            added.append(not_made(check.name, "the check failed and did not say why"))
    return added


def _refusal(waiver: Waiver, finding: Finding) -> str:
    """Why this waiver does not cover this finding; empty when it does."""
    if not CODES[finding.code].waivable:
        return "the archive itself is not what was sealed, which nobody can accept"
    if not waiver.reason.strip() or not waiver.person.strip():
        return "it names no reason or no person"
    if finding.count > waiver.at_most:
        return f"it accepts {waiver.at_most}, and there are {finding.count}"
    return ""
