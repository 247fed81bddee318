"""From what happened to an exit code and one sentence (docs/exit-codes.md)."""

from __future__ import annotations

from sfexit import errors

DONE = 0
ERROR = 1
USAGE = 2
INCOMPLETE = 3
SIGN_IN = 4
BLOCKED = 5
CHANGES_PENDING = 6
PLAN_STALE = 7
NOT_SAFE = 8
DEADLINE_MISSED = 9
LOCKED = 10
NOT_CONFIRMED = 11
UNKNOWN = 12
PAUSED = 75
INTERRUPTED = 130

# The first class that fits decides, so the narrower ones stand first.
_BY_CLASS: tuple[tuple[type[BaseException], int], ...] = (
    (errors.UsageProblem, USAGE),
    (errors.SignInProblem, SIGN_IN),
    (errors.Blocked, BLOCKED),
    (errors.PlanStale, PLAN_STALE),
    (errors.NotConfirmed, NOT_CONFIRMED),
    (errors.Locked, LOCKED),
    (errors.Paused, PAUSED),
    (errors.Interrupted, INTERRUPTED),
    (KeyboardInterrupt, INTERRUPTED),
)


def code_of(error: BaseException) -> int:
    """The exit code for an error that ends a command."""
    return next((code for kind, code in _BY_CLASS if isinstance(error, kind)), ERROR)
