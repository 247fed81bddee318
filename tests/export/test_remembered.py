"""Descriptions that are not parsed again."""

from __future__ import annotations

from sfexit.catalog import Description, Field
from sfexit.export.remembered import Remembered


def described(name: str, fields: int) -> Description:
    return Description(name, name, fields=tuple(Field(f"F{n}", "", "int") for n in range(fields)))


def test_what_has_room_is_kept() -> None:
    remembered = Remembered(most_fields=10)
    first, large, small = described("A", 6), described("B", 5), described("C", 4)
    for sha256, one in (("a", first), ("b", large), ("c", small), ("a", described("A", 1))):
        remembered.keep(sha256, one)
    assert remembered.get("a") is first and remembered.get("c") is small
    assert remembered.get("b") is None, "there was no room"
    remembered.keep("d", described("D", 1))
    assert remembered.get("d") is None
