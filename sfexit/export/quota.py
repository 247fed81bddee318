"""What the org's daily calls mean for files, which cost one call each. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

DAY = 86_400.0  # seconds


@dataclass(frozen=True)
class QuotaRow:
    """The org's daily calls and how long files take by them."""

    calls_a_day: int
    share: float
    calls_for_us: int
    files_a_second: float
    own_files: int | None
    days_for_own_files: float | None
    days_for_a_million: float


def quota_row(calls_a_day: int | None, share: float, own_files: int | None) -> QuotaRow | None:
    """How long `own_files` take at a share of the daily calls; None: the org does not tell."""
    if not calls_a_day:
        return None
    ours = int(calls_a_day * share)
    return QuotaRow(
        calls_a_day=calls_a_day,
        share=share,
        calls_for_us=ours,
        files_a_second=ours / DAY,
        own_files=own_files,
        days_for_own_files=own_files / ours if own_files is not None and ours else None,
        days_for_a_million=1_000_000 / ours if ours else math.inf,
    )


def line(row: QuotaRow) -> str:
    """The row for a terminal."""
    own = "; the number of your files is unknown"
    if row.own_files is not None and row.days_for_own_files is not None:
        own = f"; your {row.own_files:,} files: {taken(row.days_for_own_files)}"
    return (
        f"{row.calls_a_day:,} calls a day, {row.calls_for_us:,} at {row.share:.0%}: "
        f"{row.files_a_second:.2g} files a second{own}; 1 million files: "
        f"{spelled(row.days_for_a_million)}"
    )


def taken(days: float) -> str:
    """What so many days' worth of calls are for people: less than a day's may be spent at once."""
    if days >= 0.995:
        return spelled(days)
    return f"{f'{days:.0%}' if days >= 0.01 else 'less than 1%'} of a day's calls"


def spelled(days: float) -> str:
    """Days for people: "3 minutes", "1.5 hours", "13.3 days", "no end"; at least a minute."""
    if math.isinf(days):
        return "no end"
    if days * 24 < 1:
        minutes = max(math.ceil(days * 1440), 1)
        return f"{minutes:,} minute{'s' * (minutes != 1)}"
    if days < 2:
        return f"{days * 24:,.1f} hours"
    return f"{days:,.1f} days"
