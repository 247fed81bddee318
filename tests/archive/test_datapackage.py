"""The index for programs."""

from __future__ import annotations

import json

from sfexit.archive import datapackage
from sfexit.catalog import Description, Field

DESCRIPTION = Description(
    "Case",
    "A label",
    key_prefix="500",
    fields=(
        Field("Id", "Id", "id"),
        Field("Flag__c", "Flag", "boolean"),
        Field("N__c", "N", "int"),
        Field("Price__c", "Price", "currency"),
        Field("On__c", "On", "date"),
        Field("At__c", "At", "datetime"),
        Field("Owner", "Owner", "reference", reference_to=("User", "Group")),
        Field("Loc__c", "Location", "anyType"),
    ),
)
COLUMNS = [field.name for field in DESCRIPTION.fields]


def test_a_resource() -> None:
    one = datapackage.object_resource(
        DESCRIPTION, COLUMNS, "Case~2", ["data/records/Case~2/a.csv.gz"], 7
    )
    assert (one["name"], one["title"], one["rows"]) == ("case~2", "Case", 7)
    assert one["path"] == ["records/Case~2/a.csv.gz"]
    fields = {field["name"]: field for field in one["schema"]["fields"]}
    kinds = [fields[name]["type"] for name in COLUMNS]
    assert kinds == [
        "string", "boolean", "integer", "number", "date", "datetime", "string", "string",
    ]  # fmt: skip
    assert fields["Flag__c"]["trueValues"] == ["true"]
    assert fields["Owner"]["sfexit:referenceTo"] == ["User", "Group"]
    assert one["schema"]["primaryKey"] == ["Id"]


def test_columns_decide_not_the_describe() -> None:
    one = datapackage.object_resource(DESCRIPTION, ["Id", "N__c"], "Case", ["data/x"], 1)
    assert [field["name"] for field in one["schema"]["fields"]] == ["Id", "N__c"]


def test_no_key_for_tables_that_validators_cannot_hold() -> None:
    for columns, rows in ((COLUMNS, 1_000_001), (["N__c"], 5)):
        one = datapackage.object_resource(DESCRIPTION, columns, "Case", ["data/x"], rows)
        assert "primaryKey" not in one["schema"]


def test_the_package() -> None:
    built = json.loads(
        datapackage.build([], title="Örg \u2028 x", created="2026", ledger_rows=3, files=0)
    )
    assert [one["name"] for one in built["resources"]] == ["ledger", "files"]
    assert built["resources"][0]["path"] == "ledger.csv"
    assert built["resources"][1]["compression"] == "gz"
