from __future__ import annotations

import json
from typing import Any

import pytest
import responses

from sfexit.catalog import Description, Field
from sfexit.errors import DamagedAnswer, OrgRefused, UsageProblem
from sfexit.salesforce.describe import (
    bulk_refuses,
    check_api_name,
    child_relationships,
    describe,
    describe_global,
    parse_description,
    parse_global,
    selectable,
)

from .wire import ORG, client_for

SOBJECTS = f"{ORG}/services/data/v66.0/sobjects"


def field(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "label": name, "type": kind, **more}


ACCOUNT = {
    "name": "Account",
    "label": "Account",
    "labelPlural": "Accounts",
    "keyPrefix": "001",
    "queryable": True,
    "retrieveable": True,
    "deprecatedAndHidden": False,
    "supportedScopes": [{"name": "everything", "label": "All"}],
    "childRelationships": [
        {"childSObject": "Contact", "field": "AccountId", "relationshipName": "Contacts",
         "cascadeDelete": True},
        {"childSObject": None, "field": "x"},
    ],
    "fields": [
        field("Id", "id", soapType="tns:ID", length=18),
        field("Name", compoundFieldName="Name", length=255, nameField=True),
        field("BillingStreet", "textarea", compoundFieldName="BillingAddress"),
        field("BillingAddress", "address", soapType="urn:address"),
        field("Place__c", "location", custom=True),
        field("Place__Latitude__s", "double", compoundFieldName="Place__c"),
        field("Photo", "base64"),
        field("OwnerId", "reference", referenceTo=["Group", "User"], relationshipName="Owner"),
        field("Stage__c", "picklist", picklistValues=[{"value": "A"}, {"value": "B"}]),
        field("Sum__c", "currency", calculated=True, calculatedFormula="1 + 1", length=None),
    ],
}  # fmt: skip


def test_describe(org: responses.RequestsMock) -> None:
    org.get(f"{SOBJECTS}/Account/describe", json=ACCOUNT)
    body, account = describe(client_for(), "Account")
    assert json.loads(body) == ACCOUNT
    assert (account.name, account.key_prefix) == ("Account", "001")
    assert account.queryable and not account.deprecated and not account.custom
    assert account.supported_scopes == ("everything",)
    listed = child_relationships(json.dumps(ACCOUNT).encode())
    assert [(child.child, child.field, child.name) for child in listed] == [
        ("Contact", "AccountId", "Contacts")
    ]
    assert child_relationships(b"[]") == ()
    owner = account.field("OwnerId")
    assert owner is not None and owner.reference_to == ("Group", "User")
    stage, total = account.field("Stage__c"), account.field("Sum__c")
    assert stage is not None and stage.picklist_values == ("A", "B")
    assert total is not None and total.formula == "1 + 1" and total.calculated and total.length == 0


def test_selectable_goes_by_type_and_never_by_compound_name() -> None:
    account = parse_description(json.dumps(ACCOUNT).encode())
    chosen, left_out = selectable(account)
    assert [one.name for one in chosen] == [
        "Id", "Name", "BillingStreet", "Place__Latitude__s", "OwnerId", "Stage__c", "Sum__c",
    ]  # fmt: skip
    assert [one.name for one, _ in left_out] == ["BillingAddress", "Place__c", "Photo"]
    assert all(reason for _, reason in left_out)


@pytest.mark.parametrize(
    ("kind", "soap_type", "refused"),
    [
        ("string", "xsd:string", False),
        ("anyType", "xsd:anyType", False),
        ("address", "urn:address", False),  # not selected anyhow
        ("complexvalue", "urn:X", True),
        ("json", "tns:json", True),
        ("string", "tns:json", True),
        ("datacategorygroupreference", "xsd:string", True),
        ("junctionIdList", "tns:ID", True),
        ("x", "urn:SearchLayoutFieldsDisplayed", True),
    ],
)
def test_bulk_refuses(kind: str, soap_type: str, refused: bool) -> None:
    fields = (Field("Id", "Id", "id"), Field("X", "X", kind, soap_type))
    reason = bulk_refuses(Description("A", "A", fields=fields))
    assert (reason is not None) == refused
    assert reason is None or "field X" in reason


def test_describe_global(org: responses.RequestsMock) -> None:
    listed = {
        "encoding": "UTF-8",
        "sobjects": [
            {"name": "Account", "label": "Account", "keyPrefix": "001", "queryable": True},
            {
                "name": "AccountHistory",
                "label": "H",
                "keyPrefix": None,
                "associateEntityType": "History",
                "associateParentEntity": "Account",
            },
            {"name": "../odd", "label": "x"},
            {"name": "Set__c", "label": "S", "customSetting": True, "deprecatedAndHidden": True},
        ],
    }
    org.get(SOBJECTS, json=listed)
    body, entries = describe_global(client_for())
    assert json.loads(body) == listed
    # A name that cannot be used is kept: the export has to account for it.
    assert [entry.name for entry in entries] == ["Account", "AccountHistory", "../odd", "Set__c"]
    assert entries[1].associate_entity_type == "History"
    assert entries[1].associate_parent_entity == "Account" and entries[1].key_prefix is None
    assert entries[3].custom_setting and entries[3].deprecated


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"sobjects": {}}',
        b'{"sobjects": ["x"]}',
        b'{"sobjects": [{}]}',
        b'{"sobjects": [{"name": null}]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_lists_of_objects_that_are_none(body: bytes) -> None:
    with pytest.raises(DamagedAnswer):
        parse_global(body)


@pytest.mark.parametrize(
    "name", ["", "1a", "a-b", "../x", "Account/describe", "a" * 81, "a\n", "é"]
)
def test_names_that_are_none(org: responses.RequestsMock, name: str) -> None:
    with pytest.raises(UsageProblem):
        describe(client_for(), name)
    with pytest.raises(UsageProblem):
        check_api_name(name)
    assert not org.calls


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"fields": [{}], "name": "A"}', b'{"fields": []}', b"\xff",
     b'{"fields": [{"name": "a b"}], "name": "A"}', b'{"fields": [], "name": "../A"}'],
)  # fmt: skip
def test_descriptions_that_are_none(body: bytes) -> None:
    with pytest.raises(DamagedAnswer):
        parse_description(body)


def test_an_object_that_is_not_visible(org: responses.RequestsMock) -> None:
    org.get(
        f"{SOBJECTS}/Gone/describe",
        status=404,
        json=[{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}],
    )
    with pytest.raises(OrgRefused) as caught:
        describe(client_for(), "Gone")
    assert caught.value.status == 404 and caught.value.code == "NOT_FOUND"
