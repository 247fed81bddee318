"""Findings and a verdict in every form: for programs, for people, for a spreadsheet, on paper.

What a finding says may have been written by strangers, in a CRM or on a disk: each form makes it
harmless in its own way.
"""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Sequence
from typing import Any

from sfexit.errors import UsageProblem
from sfexit.redaction import printable
from sfexit.reports import html
from sfexit.verify.codes import CODES, Severity
from sfexit.verify.finding import Finding
from sfexit.verify.verdict import Check, Judgement, Result, Verdict

GOOD = frozenset({Verdict.SAFE, Verdict.INTACT})
COLUMNS = (
    "severity", "cost", "code", "key", "object", "record_id", "field", "path", "count", "expected",
    "found", "witness", "detail", "meaning", "remedy", "check", "waived_by", "waived_because",
    "register",
)  # fmt: skip
GROUPS = (
    ("What is wrong", {Severity.DAMAGE}),
    ("What could not be found out", {Severity.UNKNOWN}),
    ("Notes, which change nothing", {Severity.NOTE}),
)
_SHOWN = 25  # findings on a screen; the documents have all
ON_PAGE = 2_000

# A cell that begins so is a formula to a spreadsheet (OWASP, "CSV Injection"), whatever the width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_WORDS = {Result.PASSED: "passed", Result.FAILED: "FAILED", Result.UNKNOWN: "not made"}


def finding(one: Finding) -> dict[str, Any]:
    """A finding for programs."""
    return {
        "code": one.code,
        "key": one.key,
        "severity": one.severity.value,
        "cost": one.cost,
        "check": one.kind,
        "object": one.object,
        "record_id": one.record_id,
        "field": one.field,
        "path": one.path,
        "count": one.count,
        "expected": one.expected,
        "found": one.found,
        "witness": one.witness,
        "detail": one.detail,
        "meaning": CODES[one.code].meaning,
        "remedy": one.remedy,
    }


def judgement(told: Judgement) -> dict[str, Any]:
    """A verdict with all that led to it, for programs."""
    return {
        "verdict": told.verdict.value,
        "title": told.title,
        "checks": [
            {"name": c.name, "result": c.result.value, "looked_at": c.looked_at, "why": c.why}
            for c in told.checks
        ],
        "findings": [finding(one) for one in told.findings],
        "waived": [
            {**finding(one), "reason": w.reason, "person": w.person, "at_most": w.at_most}
            for one, w in told.waived
        ],
        "idle_waivers": [
            {"finding": w.finding, "person": w.person, "why": why} for w, why in told.idle_waivers
        ],
        "register": [
            {**finding(one), "reason": entry.reason, "source": entry.source}
            for one, entry in told.registered
        ],
    }


def as_csv(told: Judgement) -> bytes:
    """All findings for a spreadsheet, worst first. No cell is a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in told.findings:
        writer.writerow(_cells(one))
    for one, waiver in told.waived:
        writer.writerow(_cells(one, waiver.person, waiver.reason))
    for one, entry in told.registered:
        writer.writerow(_cells(one, register=f"{entry.reason} ({entry.source})"))
    return out.getvalue().encode("utf-8-sig")


def _cells(one: Finding, person: str = "", reason: str = "", register: str = "") -> list[str]:
    told = finding(one)
    told |= {"waived_by": person, "waived_because": reason, "register": register}
    return [cell(told[name]) for name in COLUMNS]


def cell(value: object) -> str:
    """A value that a spreadsheet shows and does not compute."""
    text = printable(str(value), 2_000)
    return f"'{text}" if text.startswith(_FORMULA) else text


def lines(told: Judgement, *, width: int = 100) -> list[str]:
    """The findings for a screen: what counts, worst first; notes are only counted."""
    said: list[str] = []
    counting = [one for one in told.findings if one.severity is not Severity.NOTE]
    for one in counting[:_SHOWN]:
        said += textwrap.wrap(
            f"{one.severity.value:<8} {one.code:<16} {sentence(one)}",
            width, subsequent_indent=" " * 26, break_long_words=False,
        )  # fmt: skip
    if len(counting) > _SHOWN:
        said.append(
            f"         and {len(counting) - _SHOWN:,} more: --html, --csv or --json has all"
        )
    if counting:
        remedies = dict.fromkeys(one.remedy for one in counting if one.remedy)
        said += [f"To do    {printable(text, 300)}" for text in list(remedies)[:3]]
    notes = len(told.findings) - len(counting)
    if notes:
        said.append(f"Notes    {notes:,}, which change nothing: --html, --csv or --json has them")
    return said


def sentence(one: Finding) -> str:
    """What was found, in one line that is safe to print."""
    where = " ".join(filter(None, (one.object, one.field, one.record_id, one.path)))
    said = f"{where}: {CODES[one.code].meaning}" if where else CODES[one.code].meaning
    if one.expected or one.found:
        pair = [
            f"expected {one.expected}" if one.expected else "",
            one.found and f"found {one.found}",
        ]
        said += f" ({', '.join(filter(None, pair))})"
    if one.detail:
        said += f"; {one.detail}"
    return printable(said, 600)


def unmade(told: Judgement) -> list[Check]:
    """The checks that were not made to their end."""
    return [check for check in told.checks if check.result is Result.UNKNOWN]


def word(told: Judgement, check: Check) -> str:
    """The result of a check; one whose every finding was waived is not called failed."""
    counting = {one.kind for one in told.findings if one.severity is not Severity.NOTE}
    waived = {one.kind for one, _ in told.waived}
    if check.result is Result.FAILED and check.name in waived and check.name not in counting:
        return "waived"
    return _WORDS[check.result]


def section(told: Judgement) -> list[str]:
    """The parts of an HTML report that every verification has."""
    parts = [
        "<h2>Checks</h2>",
        html.table(
            ("Check", "Result", "Looked at", "Why not"),
            [(c.name, word(told, c), c.looked_at, c.why) for c in told.checks],
        ),
    ]
    for heading, severities in GROUPS:
        some = [one for one in told.findings if one.severity in severities]
        if some:
            parts += [f"<h2>{html.text(heading)}</h2>", _findings(some)]
    if told.waived:
        parts += [
            "<h2>Waived by a person</h2>",
            html.table(
                ("Finding", "What", "Person", "Reason"),
                [(one.key, sentence(one), w.person, w.reason) for one, w in told.waived],
            ),
        ]
    if told.idle_waivers:
        parts += [
            "<h2>Waivers that did not apply</h2>",
            html.table(
                ("Finding", "Person", "Why"),
                [(w.finding, w.person, why) for w, why in told.idle_waivers],
            ),
        ]
    if told.registered:
        parts += [
            "<h2>By design not data (published register)</h2>",
            html.table(
                ("Object", "Reason", "Source"),
                [(one.object, entry.reason, entry.source) for one, entry in told.registered],
            ),
        ]
    return parts


def _findings(some: Sequence[Finding]) -> str:
    rows = [
        (one.code, " ".join(filter(None, (one.object, one.field, one.record_id, one.path))),
         one.expected, one.found, one.witness, one.detail, one.remedy)
        for one in some[:ON_PAGE]
    ]  # fmt: skip
    heads = ("Code", "Where", "Expected", "Found", "Witness", "More", "What to do")
    more = ""
    if len(some) > ON_PAGE:
        more = f'<p class="small">and {len(some) - ON_PAGE:,} more in the CSV of findings</p>'
    return html.table(heads, rows) + more


def pdf_ready() -> None:
    """Raises UsageProblem where the library for PDFs is not installed."""
    try:
        import fpdf  # noqa: F401
    except ImportError:
        raise UsageProblem(
            "a PDF needs one more package: pip install 'sfexit[pdf]' (the HTML report prints as "
            "well)"
        ) from None
