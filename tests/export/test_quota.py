"""Files against the daily calls."""

from __future__ import annotations

import math

import pytest

from sfexit.export.quota import line, quota_row, spelled, taken


@pytest.mark.parametrize(
    ("daily", "per_second", "days"),
    [(150_000, 0.87, 13.3), (300_000, 1.7, 6.7), (1_100_000, 6.4, 1.8), (5_100_000, 29.5, 0.39)],
)
def test_table_of_daily_calls(daily: int, per_second: float, days: float) -> None:
    """The published examples: Enterprise with 50, 200, 1,000 users, Unlimited with 1,000."""
    row = quota_row(daily, 0.5, 500_000)
    assert row is not None
    assert row.calls_for_us == daily // 2
    assert row.files_a_second == pytest.approx(per_second, rel=0.03)
    assert row.days_for_a_million == pytest.approx(days, rel=0.02)
    assert row.days_for_own_files == pytest.approx(row.days_for_a_million / 2)


def test_an_org_that_does_not_tell() -> None:
    assert quota_row(None, 0.5, 1) is None
    assert quota_row(0, 0.5, 1) is None


def test_a_share_too_small_for_one_call() -> None:
    row = quota_row(100, 0.001, 5)
    assert row is not None and row.days_for_own_files is None
    assert math.isinf(row.days_for_a_million) and "unknown" in line(row)


def test_the_line() -> None:
    row = quota_row(150_000, 0.5, 500_000)
    assert row is not None
    assert line(row) == (
        "150,000 calls a day, 75,000 at 50%: 0.87 files a second; your 500,000 files: 6.7 days; "
        "1 million files: 13.3 days"
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (1, "less than 1% of a day's calls"), (22_500, "30% of a day's calls"),
        (74_000, "99% of a day's calls"), (75_000, "24.0 hours"), (300_000, "4.0 days"),
    ],
)  # fmt: skip
def test_what_fits_into_a_day_is_no_matter_of_hours(files: int, words: str) -> None:
    row = quota_row(150_000, 0.5, files)
    assert row is not None and row.days_for_own_files is not None
    assert taken(row.days_for_own_files) == words
    assert f"your {files:,} files: {words};" in line(row)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (0.0, "1 minute"), (0.01, "15 minutes"), (0.02, "29 minutes"), (0.5, "12.0 hours"),
        (1.99, "47.8 hours"), (13.33, "13.3 days"), (1234.56, "1,234.6 days"), (math.inf, "no end"),
    ],
)  # fmt: skip
def test_days_for_people(days: float, words: str) -> None:
    assert spelled(days) == words
