"""Figures as people read them."""

from __future__ import annotations

import pytest

from sfexit.reports.figures import moment_of, size


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (2_500_000_000, "2.5 GB"),
        (2 * 10**12, "2.0 TB"),
    ],
)
def test_sizes(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("moment", "words"),
    [("2026-11-22T01:02:03.000Z", "2026-11-22 01:02 UTC"), ("", "then"), ("once", "once")],
)
def test_moments(moment: str, words: str) -> None:
    assert moment_of(moment) == words
