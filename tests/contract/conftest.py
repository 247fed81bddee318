"""Where the contract is tried: on the simulated org, and on a real one where it is named.

A real org is named by SFEXIT_LIVE_INSTANCE_URL and SFEXIT_LIVE_ACCESS_TOKEN. Nothing is changed
there but query jobs, which are deleted again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from places import TOKEN, URL, Place

from sfexit.simulated_org import SimulatedOrg, serve


@pytest.fixture(scope="session", params=["simulated", "live"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "live":
        if not (os.environ.get(URL) and os.environ.get(TOKEN)):
            pytest.skip(f"no real org named: set {URL} and {TOKEN}")
        yield Place("live", os.environ[URL].rstrip("/"), os.environ[TOKEN])
        return
    with serve(SimulatedOrg(rows=6000, shape="full")) as server:
        yield Place("simulated", server.url, server.org.access_token)
        assert server.crashes == []
