"""An org to ask, simulated or real, with nothing of sfexit between.

A real org is named by SFEXIT_LIVE_INSTANCE_URL and SFEXIT_LIVE_ACCESS_TOKEN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import requests

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
