"""What an offboarding run, an undo or a look at its state came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from sfexit.offboarding.applying import Applied
from sfexit.offboarding.plan import Plan
from sfexit.offboarding.remaining import Left, Remains
from sfexit.redaction import printable

SCHEMA = "sfexit-offboarding/1"
STATUS = "sfexit-offboarding-status/1"
_WIDTH = 100
_SHOWN = 20


def document(plan: Plan, told: Applied) -> dict[str, Any]:
    """For programs; stable within its schema."""
    return {
        "schema": SCHEMA,
        "plan": told.plan,
        "purpose": plan.purpose,
        "organization_id": plan.organization_id,
        "journal": str(told.journal),
        "changes": told.changes,
        "records_moved": told.moved,
        "complete": told.complete,
        "resumed": told.resumed,
        "administrators_left": told.remains.administrators,
        "api_calls": told.calls,
        "failed": [asdict(one) for one in told.failed],
        "people": [_left(one) for one in told.remains.people],
        "unknown": list(told.remains.unknown),
    }


def status(plan: Plan, left: Remains) -> dict[str, Any]:
    """What is still there of the people of a plan."""
    return {
        "schema": STATUS,
        "plan": plan.digest,
        "organization_id": plan.organization_id,
        "administrators_left": left.administrators,
        "all_gone": all(one.gone for one in left.people),
        "people": [_left(one) for one in left.people],
        "unknown": list(left.unknown),
    }


def _left(one: Left) -> dict[str, Any]:
    return {**asdict(one), "rows": dict(one.rows), "gone": one.gone}


def summary(plan: Plan, told: Applied) -> Iterator[str]:
    """For people."""
    what = {"offboard": "Offboarding", "undo": "Undo", "reassign": "Reassignment"}[plan.purpose]
    if told.freeze_only and not told.complete:
        yield f"Containment {'INCOMPLETE' if told.failed else 'COMPLETE: nobody of them gets in'}"
        yield "For the rest of the plan run the command again without --freeze-only."
    else:
        yield f"{what} {'COMPLETE' if told.complete else 'INCOMPLETE'}"
    yield (
        f"{told.changes:,} changes and {told.moved:,} records handed over in {told.calls:,} calls"
        + (" (with what an earlier run did)" if told.resumed else "")
    )
    if plan.purpose == "undo":
        yield from _back(told.remains.people)
    else:
        yield from people(told.remains.people)
    yield from unknown(told.remains)
    if told.failed:
        yield ""
        yield f"{len(told.failed):,} changes were refused:"
        for one in told.failed[:_SHOWN]:
            line = f"{one.place} {one.record_id}: {one.code} {one.message}"
            yield from wrap(
                printable(line, 400), _WIDTH, initial_indent="   ", subsequent_indent="     "
            )
        if len(told.failed) > _SHOWN:
            yield f"   and {len(told.failed) - _SHOWN:,} more: see the journal or --json"
    yield ""
    yield f"{told.remains.administrators} active administrators are left."
    yield f"Journal: {told.journal}"


def _back(left: Sequence[Left]) -> Iterator[str]:
    """Who can work again; what they own is compared record by record on the way."""
    for one in sorted(left, key=lambda one: (one.active, one.username))[: _SHOWN * 2]:
        yield f"   {printable(one.username, 50):<50} {_state(one)}"
    if len(left) > _SHOWN * 2:
        yield f"   and {len(left) - _SHOWN * 2:,} more: see --json"


def _state(one: Left) -> str:
    if not one.active:
        return "inactive"
    if one.frozen is None:
        return "active, cannot be frozen"
    return "frozen" if one.frozen else "active"


def people(left: Sequence[Left]) -> Iterator[str]:
    """A line for each of them; those with something left first."""
    for one in sorted(left, key=lambda one: (one.gone, one.username))[: _SHOWN * 2]:
        rows = sum(one.rows.values())
        yield (
            f"   {printable(one.username, 50):<50} {_state(one):<10} {rows:>9,} records "
            f"{one.sessions:>3} sessions {one.tokens:>3} tokens"
        )
        if one.dashboards or one.approvals:
            counts = ((one.dashboards, "dashboards that run as this user"),
                      (one.approvals, "approvals that wait for this user"))  # fmt: skip
            yield f"     also: {', '.join(f'{what} ({n:,})' for n, what in counts if n)}"
    if len(left) > _SHOWN * 2:
        yield f"   and {len(left) - _SHOWN * 2:,} more: see --json"


def unknown(left: Remains) -> Iterator[str]:
    """What the org did not tell; nothing is claimed about it."""
    for one in left.unknown:
        yield from wrap(
            f"Not known: {printable(one, 400)}", _WIDTH, initial_indent="   ",
            subsequent_indent="     ",
        )  # fmt: skip
