"""The ledger line of an object that was read, or could not be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from sfexit.archive.journal import Journal
from sfexit.archive.ledger import LedgerLine
from sfexit.export import plan
from sfexit.export.work import VANISHED, Totals, Work


def ledger_lines(journal: Journal) -> Iterator[LedgerLine]:
    """The lines of all objects that reached their outcome."""
    for row in journal.rows("SELECT outcome FROM object WHERE outcome IS NOT NULL"):
        yield LedgerLine.from_event(json.loads(row["outcome"]))


def outcome_of(journal: Journal, name: str) -> LedgerLine | None:
    """The line of an object that reached its outcome."""
    for row in journal.rows("SELECT outcome FROM object WHERE name = ?", (name,)):
        if row["outcome"] is not None:
            return LedgerLine.from_event(json.loads(row["outcome"]))
    return None


def read(work: Work, totals: Totals, before: int | None, after: int | None, why: str) -> LedgerLine:
    """The line of an object that was read to the end; `why` is what stays doubtful of it.

    `before` and `after` are the org's own counts, None where it gives none.
    """
    named = {
        "count_before": before,
        "job_total": totals.job_total,
        "declared": totals.declared,
        "counted": totals.counted,
        "count_after": after,
        "parents": totals.parents,
    }
    witnesses = {name: count for name, count in named.items() if count is not None}
    if totals.counted == 0 and work.gaps and not why:
        # Not all could be asked for, so nobody knows that there is nothing.
        reason, remedy = _told(_not_asked(work))
        return line(work, "not_exported", rows=None, reason=reason, remedy=remedy)
    if totals.counted == 0 and not why:
        return line(work, "empty", rows=0, witnesses=witnesses)
    if why:
        return line(
            work,
            "failed",
            rows=totals.counted,
            witnesses=witnesses,
            reason=why,
            evidence="counted before and after two readings",
            remedy=plan.RUN_AGAIN + ", at a quiet hour",
        )
    return line(work, "exported", rows=totals.counted, witnesses=witnesses)


def doubt(totals: Totals, before: int | None, after: int | None) -> str:
    """Why the rows read do not fit the org's own counts; empty when they do."""
    counts = [count for count in (before, after) if count is not None]
    if not counts or min(counts) <= totals.counted <= max(counts):
        return ""
    told = " and ".join(f"{count:,}" for count in dict.fromkeys(counts))
    return f"the org counts {told} rows, but {totals.counted:,} were read"


def line(
    work: Work,
    outcome: str,
    *,
    rows: int | None,
    witnesses: dict[str, int] | None = None,
    reason: str = "",
    evidence: str = "",
    remedy: str = "",
    route: str | None = None,
) -> LedgerLine:
    """The line of an object whose describe is known."""
    if outcome == "exported":
        reason, remedy = _known_gaps(work)
    elif outcome == "empty":
        reason, remedy = _told(_not_asked(work))
    if outcome in ("exported", "empty") and work.walk is not None:
        evidence = f"asked by {work.walk.told}"
    if outcome in ("exported", "empty") and work.route == "nested" and work.rule is not None:
        evidence = f"asked for as {work.rule.relationship} in the rows of every record feed"
    return LedgerLine(
        work.name,
        work.entry.label,
        outcome,
        route=work.route if route is None else route,
        rows=rows or None if outcome == "failed" else rows,
        witnesses=witnesses or {},
        fields_exported=len(work.columns),
        fields_not_exported=work.left_out,
        reason=reason,
        evidence=evidence,
        remedy=remedy,
    )


def _known_gaps(work: Work) -> tuple[str, str]:
    """What an otherwise complete object still lacks: reason and remedy."""
    vanished = [name for name, why in work.left_out.items() if why == VANISHED]
    gaps = []
    if vanished:
        gaps.append(
            (
                f"fields that vanished while it was read: {', '.join(vanished)}",
                "check that they were deleted on purpose, then " + plan.RUN_AGAIN,
            )
        )
    return _told(gaps + _not_asked(work))


def _not_asked(work: Work) -> list[tuple[str, str]]:
    """What a reading by parents could not ask for."""
    found = [(gap, "repair what is named, then " + plan.RUN_AGAIN) for gap in work.gaps]
    if work.rule is not None and work.rule.caveat:
        found.append((work.rule.caveat, ""))
    if work.walk is not None and work.walk.doubt:
        found.append(
            (
                f"{work.walk.doubt}: no rule knows this object, so its road was guessed",
                "compare with a report on it, and report the object for a later version of sfexit",
            )
        )
    return found


def _told(gaps: list[tuple[str, str]]) -> tuple[str, str]:
    return "; ".join(reason for reason, _ in gaps), "; ".join(
        remedy for _, remedy in gaps if remedy
    )


def now() -> str:
    """This moment as the ledger has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
