"""People leave: what is refused, what follows by itself, what is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from simulated_client import Client

from sfexit.simulated_org import BLOCKERS, UNSEEN, Doubts, SimulatedOrg, Staff, serve

BASE = "/services/data/v66.0"


@pytest.fixture
def office() -> Iterator[Client]:
    """An org with people, open for changes."""
    org = SimulatedOrg(rows=2000, staff=Staff(spare_seats=1), read_only=False)
    with serve(org) as server:
        yield Client(server)
        assert server.crashes == []


def send(client: Client, method: str, path: str, **options: Any) -> requests.Response:
    more = options.pop("headers", {})
    url = f"{client.server.url}{BASE}/{path}"
    return requests.request(
        method, url, headers={**client.headers(), **more}, timeout=20, **options
    )


def user(client: Client, row: int) -> str:
    return client.org.tables.tables["User"].ids.at(row)


def deactivate(client: Client, row: int) -> requests.Response:
    return send(client, "PATCH", f"sobjects/User/{user(client, row)}", json={"IsActive": False})


def test_every_blocker_refuses_in_its_own_words(office: Client) -> None:
    who = office.org.employed
    assert who is not None and set(who.blockers) == set(BLOCKERS)
    for kind, row in list(who.blockers.items()):
        answer = deactivate(office, row)
        assert answer.status_code == 400
        assert answer.json()[0]["message"] == BLOCKERS[kind]
        office.org.staff_rules.lift(kind)
    assert deactivate(office, who.people[0]).status_code == 204


def test_what_metadata_names_can_be_read(office: Client) -> None:
    who = office.org.employed
    assert who is not None
    names = {c.full_name: c for c in office.org.metadata.components if c.type == "AssignmentRules"}
    table = office.org.tables.tables["User"]
    username = table.value(table.changes, "Username", who.blockers["case_assignment"])
    assert username is not None and username.encode() in names["Case"].files[0][1]
    components = office.org.metadata.components
    text = b"".join(c.files[0][1] for c in components if c.type != "Dashboard")
    for kind in UNSEEN:
        hidden = table.value(table.changes, "Username", who.blockers[kind])
        assert hidden is not None and hidden.encode() not in text


def test_nobody_deactivates_or_freezes_themselves_nor_the_system(office: Client) -> None:
    assert "yourself" in deactivate(office, 0).json()[0]["message"]
    assert deactivate(office, 1).status_code == 400
    [login] = [
        r["Id"]
        for r in office.records("SELECT Id, UserId FROM UserLogin")
        if r["UserId"] == user(office, 0)
    ]
    frozen = send(office, "PATCH", f"sobjects/UserLogin/{login}", json={"IsFrozen": True})
    assert "yourself" in frozen.json()[0]["message"]


def test_deactivation_takes_territories_teams_and_sessions_along(office: Client) -> None:
    who = office.org.employed
    assert who is not None
    row = who.people[0]
    office.org.staff_rules.lift("default_case_owner")
    assert office.records(
        f"SELECT Id FROM UserTerritory2Association WHERE UserId='{user(office, row)}'"
    )
    assert deactivate(office, row).status_code == 204
    for name, field in (
        ("UserTerritory2Association", "UserId"),
        ("AuthSession", "UsersId"),
        ("UserTeamMember", "UserId"),
    ):
        assert not office.records(f"SELECT Id FROM {name} WHERE {field}='{user(office, row)}'")
    causes = {c.cause for c in office.org.writes.log}
    assert causes == {"request", "deactivation"}


def test_seats_run_out(office: Client) -> None:
    who = office.org.employed
    assert who is not None
    for kind in BLOCKERS:
        office.org.staff_rules.lift(kind)
    leaver = who.people[-1]
    assert deactivate(office, leaver).status_code == 204
    for n in range(2):  # the spare seat, then the one that came free
        made = send(
            office,
            "POST",
            "sobjects/User",
            json={
                "Username": f"new{n}@x.example",
                "LastName": "New",
                "Email": "n@x.example",
                "Alias": "new",
                "IsActive": True,
                "ProfileId": office.org.tables.tables["Profile"].ids.at(1),
            },
        )
        assert made.status_code == 201, made.text
    again = send(office, "PATCH", f"sobjects/User/{user(office, leaver)}", json={"IsActive": True})
    assert again.json()[0]["errorCode"] == "LICENSE_LIMIT_EXCEEDED"


@pytest.mark.parametrize("drops", [True, False])
def test_a_new_owner_costs_teams_and_manual_shares(drops: bool) -> None:
    doubts = replace(Doubts(), owner_change_drops_teams=drops)
    org = SimulatedOrg(rows=2000, staff=Staff(), read_only=False, doubts=doubts)
    with serve(org) as server:
        office = Client(server)
        [member] = office.records("SELECT AccountId FROM AccountTeamMember LIMIT 1")
        account = member["AccountId"]
        owner = user(office, org.employed.people[3])  # type: ignore[union-attr]
        done = send(office, "PATCH", f"sobjects/Account/{account}", json={"OwnerId": owner})
        assert done.status_code == 204
        left = office.records(f"SELECT Id FROM AccountTeamMember WHERE AccountId='{account}'")
        assert bool(left) is not drops
        shares = office.records(f"SELECT RowCause FROM AccountShare WHERE AccountId='{account}'")
        assert "Manual" not in {s["RowCause"] for s in shares}


def test_who_cannot_own(office: Client) -> None:
    who = office.org.employed
    assert who is not None
    [account] = [r["Id"] for r in office.records("SELECT Id FROM Account LIMIT 1")]

    def give(row_id: str, name: str = f"Account/{account}") -> str:
        told = send(office, "PATCH", f"sobjects/{name}", json={"OwnerId": row_id})
        code: str = told.json()[0]["errorCode"] if told.content else ""
        return code

    for kind in BLOCKERS:
        office.org.staff_rules.lift(kind)
    deactivate(office, who.people[5])
    assert give(user(office, who.people[5])) == "INACTIVE_OWNER_OR_USER"
    assert give(user(office, who.portal[1])) == "TRANSFER_REQUIRES_READ"
    users = office.org.tables.tables["User"]
    portal_account = users.value(users.changes, "AccountId", who.portal[0])
    integration = user(office, who.integrations[0])  # has no role
    assert give(integration, f"Account/{portal_account}") == "FIELD_INTEGRITY_EXCEPTION"
    queue = office.org.tables.tables["Group"].ids.at(0)
    [lead] = [r["Id"] for r in office.records("SELECT Id FROM Lead LIMIT 1")]
    assert give(queue, f"Lead/{lead}") == "INVALID_CROSS_REFERENCE_KEY"


def test_assignment_rules_run_unless_told_otherwise(office: Client) -> None:
    who = office.org.employed
    assert who is not None
    first, second = [r["Id"] for r in office.records("SELECT Id FROM Case LIMIT 2")]
    owner = user(office, who.people[2])
    send(office, "PATCH", f"sobjects/Case/{first}", json={"OwnerId": owner})
    send(
        office,
        "PATCH",
        f"sobjects/Case/{second}",
        json={"OwnerId": owner},
        headers={"Sforce-Auto-Assign": "FALSE"},
    )
    owners = {
        r["Id"]: r["OwnerId"]
        for r in office.records(f"SELECT Id, OwnerId FROM Case WHERE Id IN ('{first}','{second}')")
    }
    assert owners[first].startswith("00G") and owners[second] == owner


def test_licences_and_the_sets_that_need_them(office: Client) -> None:
    [needed] = office.records("SELECT Id, AssigneeId FROM PermissionSetLicenseAssign LIMIT 1")
    path = f"sobjects/PermissionSetLicenseAssign/{needed['Id']}"
    assert send(office, "DELETE", path).json()[0]["errorCode"] == "DELETE_FAILED"
    rows = office.records(
        "SELECT Id, PermissionSet.IsOwnedByProfile, PermissionSet.LicenseId FROM "
        f"PermissionSetAssignment WHERE AssigneeId = '{needed['AssigneeId']}'"
    )
    for row in rows:
        answer = send(office, "DELETE", f"sobjects/PermissionSetAssignment/{row['Id']}")
        owned = row["PermissionSet"]["IsOwnedByProfile"]
        assert answer.status_code == (400 if owned else 204)
    assert send(office, "DELETE", path).status_code == 204


def test_a_token_is_revoked_by_its_delete_token(office: Client) -> None:
    [token] = office.records("SELECT Id, DeleteToken FROM OauthToken LIMIT 1")
    answer = requests.post(
        f"{office.server.url}/services/oauth2/revoke",
        data={"token": token["DeleteToken"]},
        timeout=20,
    )
    assert answer.status_code == 200
    assert not office.records(f"SELECT Id FROM OauthToken WHERE Id = '{token['Id']}'")


def test_locks_and_triggers() -> None:
    staff = Staff(lock_every=5, refusing={"Account": (1,)})
    org = SimulatedOrg(rows=2000, staff=staff, read_only=False)
    with serve(org) as server:
        office = Client(server)
        accounts = [org.tables.tables["Account"].ids.at(n) for n in (0, 1)]
        owner = user(office, org.employed.people[3])  # type: ignore[union-attr]
        records = [{"attributes": {"type": "Account"}, "id": i, "OwnerId": owner} for i in accounts]

        def codes() -> list[str]:
            told = send(office, "PATCH", "composite/sobjects", json={"records": records}).json()
            return ["" if t["success"] else t["errors"][0]["statusCode"] for t in told]

        assert codes() == ["UNABLE_TO_LOCK_ROW", "FIELD_CUSTOM_VALIDATION_EXCEPTION"]
        assert codes() == ["", "FIELD_CUSTOM_VALIDATION_EXCEPTION"]
