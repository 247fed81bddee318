"""Where the contract is tried: on the simulated org, and on a real one where it is named.

A real org is named by SFEXIT_LIVE_INSTANCE_URL and SFEXIT_LIVE_ACCESS_TOKEN. Nothing is changed
there but query jobs, which are deleted again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from sfexit.simulated_org import SimulatedOrg, serve

VERSION = "62.0"
URL, TOKEN = "SFEXIT_LIVE_INSTANCE_URL", "SFEXIT_LIVE_ACCESS_TOKEN"


@dataclass
class Place:
    """An org to ask."""

    name: str
    url: str
    token: str
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        if not path.startswith("/"):
            path = f"/services/data/v{VERSION}/{path}"
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.session.request(
            method, self.url + path, headers=headers, timeout=120, allow_redirects=False, **options
        )

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.ask("GET", path, **options)

    def query(self, soql: str, verb: str = "query", **options: Any) -> requests.Response:
        return self.get(verb, params={"q": soql}, **options)


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
