"""The check characters of record ids."""

from __future__ import annotations

from sfexit import record_id


def test_known_suffix() -> None:
    # "Which id is 18 characters": upper case at places 1, 3, 5 of a group is bits 0, 2, 4.
    assert record_id.suffix("AaAaAaaaaaaaaaa") == "VAA"
    assert record_id.suffix("a" * 15) == "AAA"
    assert record_id.suffix("A" * 15) == "555"
