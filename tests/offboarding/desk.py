"""An office to plan in: a served org with people, a client, and their names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sfexit.offboarding.plan import Plan
from sfexit.offboarding.planning import Options, make
from sfexit.offboarding.successors import Rules
from sfexit.offboarding.wanted import Leaver, Wanted
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment
from sfexit.simulated_org import SimulatedOrg, SimulatedServer, Staff, serve
from sfexit.simulated_org.staff import Employed

NOW = datetime(2026, 5, 2, tzinfo=UTC)


@dataclass
class Office:
    """A served org and a client in it."""

    server: SimulatedServer
    client: Client

    @property
    def org(self) -> SimulatedOrg:
        return self.server.org

    @property
    def who(self) -> Employed:
        assert self.org.employed is not None
        return self.org.employed

    def id(self, row: int) -> str:
        return self.org.tables.tables["User"].ids.at(row)

    def get(self, row: int, name: str = "Username") -> str:
        users = self.org.tables.tables["User"]
        return users.value(users.changes, name, row) or ""

    def set(self, row: int, **values: str | None) -> None:
        self.org.update_rows("User", [row], values)

    def people(self, *places: int) -> list[str]:
        return [self.get(self.who.people[place]) for place in places]

    def plan(
        self,
        leavers: list[str] | list[Leaver],
        rules: Rules | None = None,
        *,
        heir: int | None = -1,
        **options: Any,
    ) -> Plan:
        """A plan in which the last of the people inherits, unless said otherwise."""
        listed = tuple(one if isinstance(one, Leaver) else Leaver(one) for one in leavers)
        fallback = self.get(self.who.people[heir]) if heir is not None else ""
        return make(
            self.client,
            Wanted(listed),
            rules or Rules(fallback=fallback),
            Options(**options),
            now=NOW,
        )


@contextmanager
def office(staff: Staff | None = None, *, rows: int = 2_000, **more: Any) -> Iterator[Office]:
    """Open one; at the end nothing may have been written into it."""
    org = SimulatedOrg(rows=rows, staff=staff or Staff(), read_only=False, **more)
    org.metadata.polls = 0  # a retrieve is done at the first look: no waiting
    with serve(org) as server:
        told = {"SFEXIT_INSTANCE_URL": server.url, "SFEXIT_ACCESS_TOKEN": org.access_token}
        with Client(credential_from_environment(told), budget_share=1.0) as client:
            yield Office(server, client)
        assert server.crashes == []
        assert org.writes.log == []


def codes(found: Any) -> set[str]:
    """Codes of blockers, hazards or refusals."""
    return {one.code for one in found}
