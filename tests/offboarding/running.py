"""An org with people, a client that may write, and plans made by hand for some of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sfexit.offboarding import applying, checking
from sfexit.offboarding.applying import Applied
from sfexit.offboarding.checking import Caps
from sfexit.offboarding.journal import Journal
from sfexit.offboarding.plan import Person, Plan, Step, Transfer, stamp
from sfexit.redaction import Secret
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import GivenToken
from sfexit.salesforce.origin import Origin
from sfexit.simulated_org import SimulatedOrg, SimulatedServer, Staff, serve

NOW = datetime.now(UTC)
Truth = dict[str, dict[str, dict[str, str | None]]]


@dataclass
class Office:
    """One org behind a server."""

    org: SimulatedOrg
    server: SimulatedServer
    folder: Path
    clients: list[Client] = field(default_factory=list)

    def client(self, kind: type[Client] = Client, **more: Any) -> Client:
        origin = Origin.parse(self.server.url)
        made = kind(
            GivenToken(origin, Secret(self.org.access_token)),
            writable=True,
            budget_share=1.0,
            sleep=lambda _: None,
            **more,
        )
        self.clients.append(made)
        return made

    def user(self, row: int) -> str:
        return self.org.tables.tables["User"].ids.at(row)

    def truth(self, *names: str) -> Truth:
        """What the org itself says, without the stamps that any change moves."""
        moving = {"LastModifiedDate", "LastModifiedById", "SystemModstamp", "CreatedDate"}
        moving |= {"CreatedById", "Id"}
        out: Truth = {}
        for name in names:
            out[name] = {
                str(row["Id"]): {k: v for k, v in row.items() if k not in moving}
                for row in self.org.truth(name)
                if row.get("IsDeleted") != "true"
            }
        return out

    def bag_of(self, name: str) -> list[tuple[str, ...]]:
        """Rows without their ids, sorted: for rows that were made again."""
        rows = self.truth(name)[name].values()
        return sorted(tuple(f"{k}={v}" for k, v in sorted(row.items())) for row in rows)

    def rows(self, name: str, **wanted: str | None) -> list[dict[str, str | None]]:
        return [
            row
            for row in self.org.truth(name)
            if all(row[k] == v for k, v in wanted.items()) and row.get("IsDeleted") != "true"
        ]

    def apply(self, plan: Plan, name: str = "journal.jsonl", **more: Any) -> Applied:
        client = more.pop("client", None) or self.client()
        caps = more.pop("caps", Caps(1000, 10_000_000, 10))
        journal = Journal(self.folder / name)
        try:
            begun = bool(journal.progress.plan)
            checking.check(client, plan, caps=caps, begun=begun)
            return applying.apply(client, plan, journal, caps=caps, gate="test", **more)
        finally:
            journal.close()


@contextmanager
def office(
    folder: Path, *, rows: int = 1500, staff: Staff | None = None, **more: Any
) -> Iterator[Office]:
    org = SimulatedOrg(rows=rows, staff=staff or Staff(blockers=()), read_only=False, **more)
    with serve(org) as server:
        made = Office(org, server, folder)
        yield made
        for client in made.clients:
            client.close()
        assert server.crashes == []


FIRST = ("Task", "Event", "Case", "Lead", "Contact", "Opportunity", "Account")


def owned_objects(org: SimulatedOrg) -> tuple[str, ...]:
    """Objects whose owner can be changed, the well-known ones first."""
    names = [
        name
        for name, table in org.tables.tables.items()
        if table.sobject.field("OwnerId") is not None
        and table.sobject.field("OwnerId").writable  # type: ignore[union-attr]
        and "updateable" in table.sobject.flags
        and name not in ("ContentVersion", "UserTeamMember", "UserAccountTeamMember")
    ]
    return tuple(sorted(names, key=lambda one: (FIRST.index(one) if one in FIRST else 99, one)))


def plan_for(place: Office, leavers: list[int], heir: int, objects: tuple[str, ...] = ()) -> Plan:
    """Everything of these people goes to one heir, or only what they own of `objects`."""
    objects = objects or owned_objects(place.org)
    steps: list[Step] = []
    people = []
    transfers = []

    def add(phase: str, kind: str, user: str, name: str, row: dict[str, Any],
            before: dict[str, Any], after: dict[str, Any]) -> None:  # fmt: skip
        steps.append(
            Step(f"{phase}-{len(steps):04}", phase, kind, user, name, str(row["Id"]), before, after,
                 f"{kind} {name}")
        )  # fmt: skip

    for leaver in leavers:
        user = place.user(leaver)
        [about] = place.rows("User", Id=user)
        people.append(
            Person(user, str(about["Username"]), str(about["Name"]), "person", "full", 1,
                   place.user(heir), {"IsActive": "true"}, {})
        )  # fmt: skip
        for row in place.rows("UserLogin", UserId=user):
            add(
                "contain",
                "update",
                user,
                "UserLogin",
                row,
                {"IsFrozen": "false"},
                {"IsFrozen": "true"},
            )
        for row in place.rows("AuthSession", UsersId=user):
            add("contain", "delete", user, "AuthSession", row, {}, {})
        for row in place.rows("OauthToken", UserId=user):
            add("contain", "revoke", user, "OauthToken", row, {}, {})
        owned = {str(r["Id"]) for r in place.rows("PermissionSet", IsOwnedByProfile="true")}
        for row in place.rows("PermissionSetAssignment", AssigneeId=user):
            if row["PermissionSetId"] not in owned:
                kept = {k: row[k] for k in ("AssigneeId", "PermissionSetId")}
                if row["ExpirationDate"]:
                    kept["ExpirationDate"] = row["ExpirationDate"]
                if row["PermissionSetGroupId"]:
                    kept["PermissionSetGroupId"] = row["PermissionSetGroupId"]
                add("strip", "delete", user, "PermissionSetAssignment", row, kept, {})
        for name, key in (
            ("PermissionSetLicenseAssign", "AssigneeId"),
            ("UserPackageLicense", "UserId"),
            ("GroupMember", "UserOrGroupId"),
            ("UserTerritory2Association", "UserId"),
        ):
            for row in place.rows(name, **{key: user}):
                kept = {
                    k: v
                    for k, v in row.items()
                    if k.endswith("Id") and k not in ("Id", "CreatedById", "LastModifiedById")
                }
                add("strip", "delete", user, name, row, kept, {})
        for name in objects:
            count = len(place.rows(name, OwnerId=user))
            if count:
                transfers.append(
                    Transfer(f"ownership-{name}-{leaver}", user, name, "OwnerId",
                             place.user(heir), "", count, 0, 0, count + 100, objects.index(name))
                )  # fmt: skip
        add(
            "deactivate", "update", user, "User", about, {"IsActive": "true"}, {"IsActive": "false"}
        )
    steps.sort(key=lambda one: (one.object, one.id))
    order = ("PermissionSetAssignment", "PermissionSetLicenseAssign")
    steps.sort(key=lambda one: order.index(one.object) if one.object in order else -1)
    return Plan(
        organization_id=place.org.organization_id,
        organization="Northwater",
        instance=place.server.url,
        api_version="66.0",
        runner_id=place.org.user_id,
        runner="admin",
        created=stamp(NOW),
        expires=stamp(NOW + timedelta(hours=24)),
        purpose="offboard",
        certificate="",
        rules={"min_admins": 2},
        people=tuple(people),
        steps=tuple(steps),
        transfers=tuple(transfers),
    )


class Killed(BaseException):
    """The program dies here."""


class Mortal(Client):
    """A client that dies before or after its n-th changing request."""

    dies_at = -1
    after = False
    sent = 0

    def send_once(self, method: str, path: str, *rest: Any, **more: Any) -> Any:
        type(self).sent += 1
        due = type(self).sent == type(self).dies_at
        if due and not type(self).after:
            raise Killed
        answer = super().send_once(method, path, *rest, **more)
        if due:
            raise Killed
        return answer


Action = Callable[[], None]
