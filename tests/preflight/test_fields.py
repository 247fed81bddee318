"""Fields that only FieldDefinition names."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

import pytest

from sfexit.catalog import Description, Field
from sfexit.preflight import fields as fielding
from sfexit.preflight.fields import CATALOGUE_PAGE, columns_of, hidden_fields, masked
from sfexit.preflight.questions import Question, Reply, answered
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


# ---- catalogues have no further page ---------------------------------------------------------


class Shelf:
    """Answers as a metadata catalogue does: at most 2,000 rows, and behind a key on request."""

    def __init__(self, rows: int, *, greater: bool = True, order: bool = True) -> None:
        self.keys = [f"k{i:06}" for i in range(rows)]
        self.greater = greater
        self.order = order
        self.asked: list[str] = []

    def more(self, reply: Reply) -> Reply:
        return reply

    def ask(self, questions: list[Question]) -> list[Reply]:
        return [self._one(unquote_plus(one.path.partition("q=")[2])) for one in questions]

    def _one(self, soql: str) -> Reply:
        self.asked.append(soql)
        assert "LIMIT" not in soql
        assert "OFFSET" not in soql
        assert " OR " not in soql
        behind = re.search(r"DurableId > '(\w+)'", soql)
        if ("ORDER BY" in soql and not self.order) or (behind and not self.greater):
            return Reply(400, code="MALFORMED_QUERY", reason="Only equals comparisons permitted")
        keys = [key for key in self.keys if not behind or key > behind[1]]
        return answered([{"DurableId": key} for key in keys[:CATALOGUE_PAGE]])


def read(shelf: Shelf) -> Reply:
    return fielding.catalogue(shelf, ["DurableId"], "EntityDefinition", [""])[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(("rows", "calls"), [(5, 1), (2_000, 2), (4_500, 3)])
def test_catalogue_is_read_to_its_end(rows: int, calls: int) -> None:
    shelf = Shelf(rows)
    assert [row["DurableId"] for row in read(shelf).rows] == shelf.keys
    assert len(shelf.asked) == calls


@pytest.mark.parametrize("shelf", [Shelf(4_500, greater=False), Shelf(4_500, order=False)])
def test_catalogue_that_cannot_be_read_to_its_end_is_no_answer(shelf: Shelf) -> None:
    assert not read(shelf).ok


def test_short_catalogue_needs_no_order() -> None:
    assert len(read(Shelf(10, order=False)).rows) == 10


def test_catalogue_that_goes_round_in_circles_ends() -> None:
    class Ring(Shelf):
        def _one(self, soql: str) -> Reply:
            self.asked.append(soql)
            return answered([{"DurableId": key} for key in self.keys])

    ring = Ring(CATALOGUE_PAGE)
    assert len(read(ring).rows) == CATALOGUE_PAGE
    assert len(ring.asked) == 2
