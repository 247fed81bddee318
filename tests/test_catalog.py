from __future__ import annotations

import dataclasses

import pytest

from sfexit.catalog import Description, Field


def test_fields_are_found_by_exact_name() -> None:
    one = Field("Id", "Record ID", "id")
    two = Field("Name", "Name", "string")
    account = Description("Account", "Account", fields=(one, two))
    assert account.field("Name") is two
    assert account.field("name") is None
    assert account.has("Id", "Name") and not account.has("Id", "Nope")


def test_descriptions_do_not_change() -> None:
    account = Description("Account", "Account")
    with pytest.raises(dataclasses.FrozenInstanceError):
        account.name = "Contact"  # type: ignore[misc]
