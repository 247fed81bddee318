"""Orgs to look at from outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from simulated_client import Client, Clock

from sfexit.simulated_org import FaultPlan, SimulatedOrg, serve


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A shared org nobody changes."""
    with serve(SimulatedOrg(seed=7, rows=2500, bulk_page_rows=400)) as server:
        yield Client(server)
        assert server.crashes == []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lively(clock: Clock) -> Iterator[Client]:
    """An org of its own, with a clock to move and faults to plan."""
    org = SimulatedOrg(
        seed=3, rows=1500, bulk_page_rows=20, rest_page_rows=25, bulk_list_rows=3, clock=clock
    )
    with serve(org, FaultPlan(seed=1)) as server:
        yield Client(server)
        assert server.crashes == []
