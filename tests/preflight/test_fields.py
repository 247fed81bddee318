"""Fields that only FieldDefinition names."""

from __future__ import annotations

from typing import Any

import pytest

from sfexit.catalog import Description, Field
from sfexit.preflight.fields import columns_of, hidden_fields, masked
from sfexit.preflight.sight import CERTAIN, HELD, LIKELY, MISSING, UNKNOWN

ACCOUNT = Description(
    "Account",
    "Account",
    fields=(
        Field("Id", "Id", "id"),
        Field("Name", "Name", "string"),
        Field("Iban__c", "IBAN", "encryptedstring"),
    ),
)


def spots(*rows: dict[str, Any], view_all_fields: str = MISSING) -> list[Any]:
    return list(hidden_fields(ACCOUNT, rows, view_all_fields=view_all_fields))


def test_visible_fields_are_not_hidden_whatever_their_case() -> None:
    assert spots({"QualifiedApiName": "ID"}, {"QualifiedApiName": "Name"}) == []


@pytest.mark.parametrize(
    ("row", "certainty"),
    [
        ({"QualifiedApiName": "Secret__c"}, CERTAIN),
        ({"QualifiedApiName": "Secret__pc"}, CERTAIN),
        ({"QualifiedApiName": "Phone"}, LIKELY),
        ({"QualifiedApiName": "Phone", "IsFlsEnabled": True}, CERTAIN),
        ({"QualifiedApiName": "Secret__c", "IsFlsEnabled": False}, LIKELY),
    ],
)
def test_hidden(row: dict[str, Any], certainty: str) -> None:
    [spot] = spots(row, row)
    assert (spot.object, spot.field) == ("Account", row["QualifiedApiName"])
    assert (spot.permission, spot.certainty) == ("View All Fields (Global)", certainty)
    assert "View All Fields (Global)" in spot.remedy


def test_hidden_although_all_fields_should_show() -> None:
    """Open: whether View All Fields (Global) reaches every object. The comparison decides."""
    [spot] = spots({"QualifiedApiName": "Secret__c"}, view_all_fields=HELD)
    assert spot.permission == "Read on Account.Secret__c"


def test_not_describable_for_anybody_is_not_hidden() -> None:
    assert spots({"QualifiedApiName": "Inner", "IsEverApiAccessible": False}) == []


def test_masked() -> None:
    assert masked([ACCOUNT], HELD) == []
    [sure] = masked([ACCOUNT], MISSING)
    assert (sure.kind, sure.field, sure.certainty) == ("masked", "Iban__c", CERTAIN)
    assert sure.permission == "View Encrypted Data"
    assert masked([ACCOUNT], UNKNOWN)[0].certainty == UNKNOWN


def test_columns_that_the_org_lacks_are_not_asked_for() -> None:
    described = Description(
        "FieldDefinition", "", fields=(Field("DurableId", "", "string"), Field("Extra", "", "int"))
    )
    assert columns_of(described) == ("DurableId", "QualifiedApiName")
    assert "IsFlsEnabled" in columns_of(None)
