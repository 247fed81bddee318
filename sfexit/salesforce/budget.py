"""How many of the org's daily API calls this run has used and may use.

The calls belong to the whole company: an export that uses them up stops its integrations. So a
run takes a share of what is left when it starts, and stops in good order before it is spent.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sfexit.errors import QuotaSpent, UsageProblem

# "Sforce-Limit-Info: api-usage=24/15000", which may be followed by
# "; per-app-api-usage=17/250(appName=…)" (REST API guide, "Limit Info Header").
_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")


class CallBudget:
    """Counts calls; safe for several threads. The budget is None until the org told its usage."""

    def __init__(
        self, share: float, *, server_time: Callable[[], datetime | None] = lambda: None
    ) -> None:
        """`share`: of the calls left at the start, above 0 and at most 1. Raises UsageProblem."""
        if not 0 < share <= 1:
            raise UsageProblem("--api-budget must be above 0 and at most 100 percent.")
        self.share = share
        self._server_time = server_time
        self._lock = threading.Lock()
        self._used = 0
        self._budget: int | None = None
        self._org_used: int | None = None
        self._org_limit: int | None = None

    @property
    def used(self) -> int:
        """Calls that this run has made."""
        return self._used

    @property
    def budget(self) -> int | None:
        """Calls that this run may make in all; None while unknown."""
        return self._budget

    @property
    def left(self) -> int | None:
        """Calls that this run may still make; None while unknown."""
        return None if self._budget is None else max(self._budget - self._used, 0)

    @property
    def org_usage(self) -> tuple[int, int] | None:
        """Calls of the whole org in the last 24 hours, and their limit, as last heard."""
        if self._org_used is None or self._org_limit is None:
            return None
        return self._org_used, self._org_limit

    def take(self, calls: int) -> None:
        """Count `calls` about to be sent. Raises QuotaSpent, before anything is sent."""
        with self._lock:
            if self._budget is not None and self._used + calls > self._budget:
                raise QuotaSpent(
                    f"This run has used {self._used:,} of the {self._budget:,} API calls it may "
                    f"spend ({self.share:.0%} of those left when it started); run the same "
                    f"command again later{self._reset()}, or raise --api-budget. "
                    "Progress is kept."
                )
            self._used += calls

    def give_back(self, calls: int) -> None:
        """These calls never reached the org."""
        with self._lock:
            self._used -= calls

    def heard(self, header: str | None) -> None:
        """Learn from an answer's Sforce-Limit-Info."""
        match = _USAGE.search(header or "")
        if not match:
            return
        used, limit = int(match[1]), int(match[2])
        with self._lock:
            self._org_used, self._org_limit = used, limit
            if self._budget is None:
                # Our own calls so far are in the org's figure and in ours.
                left_at_start = max(limit - used + self._used, 0)
                self._budget = int(left_at_start * self.share)

    def _reset(self) -> str:
        # Salesforce counts the last 24 hours, so calls come back as they grow old
        # (Limits and Allocations Quick Reference, "API Request Limits").
        now = self._server_time()
        if now is None:
            return " (the org counts the last 24 hours, so calls come back by and by)"
        back = now + timedelta(hours=24)
        return f" (calls come back by and by, all of them until {back:%d %B %Y %H:%M} UTC)"
