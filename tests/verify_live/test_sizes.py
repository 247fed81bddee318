"""Sizes of bodies as the org writes them: long integers, and doubles for log files."""

from __future__ import annotations

import pytest

from sfexit.verify.live.files import _payload


@pytest.mark.parametrize(
    ("told", "bytes_"),
    [("213.0", "213"), ("2.8342E7", "28342000"), ("0.0", "0"), (213, "213"), ("213", "213")],
)
def test_the_same_size(told: object, bytes_: str) -> None:
    assert _payload("", told) == _payload("", bytes_)


@pytest.mark.parametrize("told", ["213.5", "NaN", "Infinity", "1E999999999", "a", "", None, "214"])
def test_another_size(told: object) -> None:
    assert _payload("", told) != _payload("", "213")
