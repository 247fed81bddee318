"""What a user cannot see is simply not there; and where it can be found all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from simulated_client import Client, refused

from sfexit.simulated_org import (
    Doubts,
    RestrictionRule,
    SimulatedOrg,
    SimulatedUser,
    Strange,
    clerk,
    serve,
)

HIDDEN = {"Contact": ("Birthdate", "Secret_Code__c")}


@pytest.fixture(scope="module")
def eyes() -> Iterator[Client]:
    org = SimulatedOrg(
        seed=5, rows=4000, foreign_library_every=4, strange=Strange(private_reports=True)
    )
    with serve(org) as server:
        yield Client(server)
        assert server.crashes == []


def seen_by(eyes: Any, user: SimulatedUser) -> Any:
    client: Any = Client(eyes.server)
    token = eyes.org.sign_in(user)
    client.headers = lambda **more: {"Authorization": f"Bearer {token}", **more}
    return client


def tooling(client: Any, soql: str) -> Any:
    return client.get("tooling/query", params={"q": soql})


def test_hidden_objects_are_absent_but_in_entity_definition(eyes: Any) -> None:
    blind = seen_by(eyes, SimulatedUser("Blind", 4, hidden_objects=("Invoice__c",)))
    listed = [o["name"] for o in blind.get("sobjects").json()["sobjects"]]
    assert "Invoice__c" not in listed and "Invoice__c" in eyes.org.objects
    assert blind.get("sobjects/Invoice__c/describe").status_code == 404
    refused(blind.query("SELECT Id FROM Invoice__c"), 400, "INVALID_TYPE")
    refused(blind.create("SELECT Id FROM Invoice__c"), 400, "INVALID_TYPE")
    rows = tooling(blind, "SELECT QualifiedApiName, IsQueryable FROM EntityDefinition").json()
    assert "Invoice__c" in [r["QualifiedApiName"] for r in rows["records"]]
    children = blind.get("sobjects/Account/describe").json()["childRelationships"]
    assert "Invoice__c" not in [c["childSObject"] for c in children]


def test_hidden_fields(eyes: Any) -> None:
    user = SimulatedUser("Half", 5, view_all_fields=False, hidden_fields=HIDDEN)
    half = seen_by(eyes, user)
    names = [f["name"] for f in half.fields("Contact")]
    assert "Birthdate" not in names
    refused(half.query("SELECT Birthdate FROM Contact"), 400, "INVALID_FIELD", "No such column")
    refused(half.create("SELECT Birthdate FROM Contact"), 400, "INVALID_FIELD")
    soql = (
        "SELECT QualifiedApiName, DataType FROM FieldDefinition "
        "WHERE EntityDefinition.QualifiedApiName = 'Contact'"
    )
    found = [r["QualifiedApiName"] for r in tooling(half, soql).json()["records"]]
    assert {"Birthdate", "Secret_Code__c"} <= set(found)
    whole = seen_by(eyes, SimulatedUser("Whole", 6, hidden_fields=HIDDEN))
    assert "Birthdate" in [f["name"] for f in whole.fields("Contact")]


def test_rows_of_others_are_not_there(eyes: Any) -> None:
    lone = seen_by(eyes, clerk("Lone", 7, own_rows_only=("Account",)))
    mine = eyes.org.tables.tables["User"].ids.at(7)
    rows = lone.records("SELECT Id, OwnerId FROM Account", everything=True)
    wanted = [r["Id"] for r in eyes.org.truth("Account") if r["OwnerId"] == mine]
    assert [r["Id"] for r in rows] == wanted and 0 < len(wanted) < eyes.org.count("Account")
    count = lone.query("SELECT COUNT() FROM Account", everything=True).json()["totalSize"]
    assert count == len(wanted)
    assert [r[0] for r in lone.bulk("SELECT Id FROM Account")[1:]] == wanted
    other = next(r["Id"] for r in eyes.org.truth("Account") if r["OwnerId"] != mine)
    assert lone.get(f"sobjects/Account/{other}").status_code == 404


def test_private_notes_and_files_of_others(eyes: Any) -> None:
    admin = seen_by(eyes, SimulatedUser("Admin", 8))
    less = seen_by(eyes, SimulatedUser("Less", 9, modify_all_data=False, query_all_files=False))
    for soql in ("SELECT COUNT() FROM Note", "SELECT COUNT() FROM ContentDocument"):
        all_rows = admin.query(soql, everything=True).json()["totalSize"]
        assert less.query(soql, everything=True).json()["totalSize"] < all_rows
    refused(less.query("SELECT Id FROM ContentDocumentLink"), 400, "MALFORMED_QUERY")
    assert admin.query("SELECT Id FROM ContentDocumentLink").status_code == 200


def test_private_reports_need_a_scope_and_a_permission(eyes: Any) -> None:
    admin = seen_by(eyes, SimulatedUser("Boss", 8))
    scoped = "SELECT Id FROM Report USING SCOPE allPrivate"
    public = {r["Id"] for r in admin.records("SELECT Id FROM Report")}
    private = {r["Id"] for r in admin.records(scoped)}
    assert public and private and not public & private
    less = seen_by(eyes, SimulatedUser("Less", 9, manage_private_reports=False))
    refused(less.query(scoped), 400, "INVALID_QUERY_SCOPE")
    assert {r["Id"] for r in less.records("SELECT Id FROM Report")} == public


def test_masked_and_concealed_values(eyes: Any) -> None:
    user = SimulatedUser("Masked", 5, view_encrypted=False, view_personal_data=False)
    masked = seen_by(eyes, user)
    soql = "SELECT Id, Secret_Code__c FROM Contact"
    shown = {r["Id"]: r["Secret_Code__c"] for r in masked.records(soql)}
    assert all(v is None or v.startswith("****") for v in shown.values())
    clear = {r["Id"]: r["Secret_Code__c"] for r in eyes.records(soql)}
    assert any(v and v.startswith("KD-") for v in clear.values())
    assert [v for v in shown.values() if v] == [
        "*" * (len(v) - 4) + v[-4:] for v in clear.values() if v
    ]
    assert {r[0] for r in masked.bulk("SELECT Secret_Code__c FROM Contact")[1:]} >= {
        v for v in shown.values() if v
    }
    emails = [r["Email"] for r in masked.records("SELECT Email FROM User")]
    assert "#N/A" in emails and "#N/A" not in [
        r["Email"] for r in eyes.records("SELECT Email FROM User")
    ]


def test_users_tell_their_permissions(eyes: Any) -> None:
    user = clerk("Teller", 10)
    teller = seen_by(eyes, user)
    row = teller.records("SELECT PermissionsViewAllData, PermissionsApiEnabled FROM "
                         "UserPermissionAccess")  # fmt: skip
    assert [(r["PermissionsViewAllData"], r["PermissionsApiEnabled"]) for r in row] == [
        (False, True)
    ]
    me = eyes.org.tables.tables["User"].ids.at(10)
    sets = teller.records(
        "SELECT PermissionsQueryAllFiles FROM PermissionSet WHERE Id IN "
        f"(SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '{me}')"
    )
    assert [s["PermissionsQueryAllFiles"] for s in sets] == [False]
    refused(teller.get("limits/recordCount"), 403, "INSUFFICIENT_ACCESS")
    assert "DataStorageMB" not in teller.get("limits").json()
    assert "DataStorageMB" in eyes.get("limits").json()
    assert eyes.records("SELECT SobjectType FROM ObjectPermissions WHERE SobjectType = 'Account'")


def test_users_without_the_api_and_blocking_policies() -> None:
    org = SimulatedOrg(rows=500)
    with serve(org) as server:
        eyes = Client(server)
        locked = seen_by(eyes, SimulatedUser("Locked", 3, api_enabled=False))
        refused(locked.get("sobjects"), 403, "API_DISABLED_FOR_ORG")
        org.blocking_policies = ["ApiEvent"]
        user = seen_by(eyes, SimulatedUser("Watched", 4))
        refused(user.query("SELECT Id FROM Account"), 403, "TXN_SECURITY_NO_ACCESS")
        exempt = seen_by(eyes, SimulatedUser("Exempt", 5, exempt_from_policies=True))
        rows = exempt.records("SELECT EventName, State FROM TransactionSecurityPolicy")
        assert [(r["EventName"], r["State"]) for r in rows] == [("ApiEvent", "Enabled")]


@pytest.mark.parametrize("everyone", [True, False])
def test_restriction_rules(everyone: bool) -> None:
    rule = RestrictionRule("Task", "Status = 'Completed'")
    doubts = Doubts(restriction_rules_bind_everyone=everyone)
    org = SimulatedOrg(rows=2000, restriction_rules=[rule], doubts=doubts)
    with serve(org) as server:
        eyes: Any = Client(server)
        found = {r["Status"] for r in eyes.records("SELECT Status FROM Task")}
        assert (found == {"Completed"}) == everyone
        least = seen_by(eyes, clerk("Least", 5))
        assert {r["Status"] for r in least.records("SELECT Status FROM Task")} == {"Completed"}
        rules = tooling(eyes, "SELECT TargetEntity, RecordFilter, IsActive FROM RestrictionRule")
        assert rules.json()["records"][0]["TargetEntity"] == "Task"
        refused(tooling(least, "SELECT Id FROM RestrictionRule"), 400, "INVALID_TYPE")


def test_catalogue_rules(eyes: Any) -> None:
    refused(
        tooling(eyes, "SELECT DurableId FROM FieldDefinition"), 400, "MALFORMED_QUERY", "reified"
    )
    where = "WHERE EntityDefinition.QualifiedApiName = 'Lead'"
    for more, text in (
        (f"{where} OR DurableId = 'x'", "reified"),
        (f"{where} AND (DurableId = 'x' OR DurableId = 'y')", "Disjunctions not supported"),
        (f"{where} AND DurableId != 'x'", "Only equals comparisons permitted"),
    ):
        answer = tooling(eyes, f"SELECT DurableId FROM FieldDefinition {more}")
        refused(answer, 400, "MALFORMED_QUERY", text)
    groups = tooling(
        eyes, f"SELECT DataType, COUNT(Id) FROM FieldDefinition {where} GROUP BY DataType"
    )
    refused(groups, 400, "MALFORMED_QUERY", "GROUP BY not yet supported")
    limited = tooling(eyes, "SELECT DurableId FROM EntityDefinition ORDER BY DurableId LIMIT 3")
    rows = limited.json()["records"]
    assert len(rows) == len(eyes.org.objects)
    key = rows[10]["DurableId"]
    after = tooling(eyes, f"SELECT DurableId FROM EntityDefinition WHERE DurableId > '{key}'")
    assert len(after.json()["records"]) == len(rows) - 11
    particles = tooling(eyes, f"SELECT QualifiedApiName FROM EntityParticle {where}").json()
    assert [r["QualifiedApiName"] for r in particles["records"]] == [
        f["name"] for f in eyes.fields("Lead")
    ]
    names = [o["name"] for o in eyes.get("tooling/sobjects").json()["sobjects"]]
    assert {"FieldDefinition", "ApexClass", "CustomField"} <= set(names) and len(names) > 800
    assert eyes.get("tooling/sobjects/EntityDefinition/describe").status_code == 200


def test_definitions_filtered_by_rights_where_doubted() -> None:
    org = SimulatedOrg(rows=500, doubts=Doubts(definitions_show_hidden=False))
    with serve(org) as server:
        eyes = Client(server)
        user = SimulatedUser(
            "Narrow", 4, view_all_fields=False, hidden_objects=("Lead",), hidden_fields=HIDDEN
        )
        narrow = seen_by(eyes, user)
        rows = narrow.records("SELECT QualifiedApiName FROM EntityDefinition")
        assert "Lead" not in [r["QualifiedApiName"] for r in rows]
        where = "WHERE EntityDefinitionId = 'Contact'"
        fields = tooling(narrow, f"SELECT QualifiedApiName FROM FieldDefinition {where}").json()
        assert "Birthdate" not in [r["QualifiedApiName"] for r in fields["records"]]


def test_activities_of_too_many_parents() -> None:
    org = SimulatedOrg(rows=2000)
    org.distinct_parents_most = 50
    with serve(org) as server:
        eyes: Any = Client(server)
        least = seen_by(eyes, clerk("Least", 5))
        refused(least.query("SELECT Id FROM Task"), 400, "OPERATION_TOO_LARGE", "distinct who/what")
        assert least.query("SELECT Id FROM Task LIMIT 5").status_code == 200
        assert eyes.query("SELECT Id FROM Task").status_code == 200
        assert len(least.records("SELECT Id FROM PermissionSetAssignment")) == 1
        assert len(eyes.records("SELECT Id FROM PermissionSetAssignment")) == 2
