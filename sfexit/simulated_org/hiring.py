"""Hiring: everybody's rows are written into the tables of an org, so that all of them agree."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from . import dashboards, staff_access, staff_files, staff_people, staff_work
from .columns import Value
from .staff import Employed, Staff

if TYPE_CHECKING:
    from .org import SimulatedOrg

Row = dict[str, Value]


def employ(org: SimulatedOrg, staff: Staff) -> Employed:
    """Write everybody's rows into the tables of the org."""
    h = Hiring(org, staff)
    staff_people.place(h)
    staff_access.place(h)
    staff_work.place(h)
    staff_files.place(h)
    dashboards.place(h)
    return h.who


class Hiring:
    """Who is who, and the tables that are filled."""

    def __init__(self, org: SimulatedOrg, staff: Staff) -> None:
        self.org = org
        self.staff = staff
        self.rng = random.Random(f"{org.seed}:staff")
        self.tables = org.tables.tables
        first = 1 + 3  # the one who asks, then the system's own users
        admins = list(range(first, first + staff.administrators))
        integrations = list(range(first + len(admins), first + len(admins) + staff.integrations))
        portal_from = first + len(admins) + len(integrations)
        portal = list(range(portal_from, portal_from + staff.portal))
        people = list(range(portal_from + len(portal), portal_from + len(portal) + staff.people))
        placed = dict(zip(staff.blockers, people, strict=False))
        self.who = Employed([0, *admins], [1, 2, 3], integrations, portal, people, placed)
        self._kinds = {
            row: kind
            for kind, rows in (
                ("admin", self.who.administrators),
                ("system", self.who.system),
                ("integration", self.who.integrations),
                ("portal", self.who.portal),
            )
            for row in rows
        }
        self.total = portal_from + len(portal) + len(people)

    def id(self, name: str, row: int) -> str:
        """The id of a row."""
        return self.tables[name].ids.at(row)

    def give(self, name: str, rows: list[Row]) -> None:
        """Fill a table."""
        self.tables[name].give(rows)

    def kind(self, row: int) -> str:
        """admin, system, integration, portal or person."""
        return self._kinds.get(row, "person")
