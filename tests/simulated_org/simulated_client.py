"""A client that knows nothing but HTTP, for looking at the simulated org from outside."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import requests

from sfexit.simulated_org import SimulatedServer

csv.field_size_limit(10_000_000)
VERSION = "66.0"


class Client:
    """A thin HTTP client for one server."""

    def __init__(self, server: SimulatedServer) -> None:
        self.server = server
        self.org = server.org
        self.session = requests.Session()

    def headers(self, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.org.access_token}", **more}

    def get(self, path: str, version: str = VERSION, **options: Any) -> requests.Response:
        more = options.pop("headers", {})
        url = self.server.url + (
            path if path.startswith("/services") else f"/services/data/v{version}/{path}"
        )
        return self.session.get(
            url, headers={**self.headers(), **more}, timeout=20, allow_redirects=False, **options
        )

    def query(self, soql: str, everything: bool = False, **options: Any) -> requests.Response:
        path = "queryAll" if everything else "query"
        return self.get(path, params={"q": soql}, **options)

    def records(self, soql: str, everything: bool = False) -> list[dict[str, Any]]:
        body = self.query(soql, everything).json()
        out = body["records"]
        while not body["done"]:
            body = self.get(body["nextRecordsUrl"]).json()
            out += body["records"]
        assert len(out) == body["totalSize"]
        return out

    def fields(self, name: str) -> list[dict[str, Any]]:
        return self.get(f"sobjects/{name}/describe").json()["fields"]

    def create(self, soql: str, operation: str = "queryAll", **more: Any) -> requests.Response:
        return self.session.post(
            f"{self.server.url}/services/data/v{VERSION}/jobs/query",
            json={"operation": operation, "query": soql, **more},
            headers=self.headers(),
            timeout=20,
        )

    def job(self, soql: str, operation: str = "queryAll", **more: Any) -> str:
        made = self.create(soql, operation, **more)
        assert made.status_code == 200, made.text
        job_id: str = made.json()["id"]
        while self.get(f"jobs/query/{job_id}").json()["state"] in ("UploadComplete", "InProgress"):
            pass
        return job_id

    def results(self, job_id: str, **params: Any) -> requests.Response:
        return self.get(f"jobs/query/{job_id}/results", params=params)

    def bulk(self, soql: str, operation: str = "queryAll", **params: Any) -> list[list[str]]:
        job_id = self.job(soql, operation)
        rows: list[list[str]] = []
        locator = ""
        while locator != "null":
            page = self.results(job_id, **params, **({"locator": locator} if locator else {}))
            assert page.status_code == 200, page.text
            found = parse_csv(page.content)
            assert len(found) - 1 == int(page.headers["Sforce-NumberOfRecords"])
            rows += found if not rows else found[1:]
            locator = page.headers["Sforce-Locator"]
        return rows


def parse_csv(raw: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(raw.decode("utf-8"), newline=""), strict=True))


def refused(answer: requests.Response, status: int, code: str, text: str = "") -> None:
    """The answer is an error list with this status, code and text."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert isinstance(body, list) and body[0]["errorCode"] == code, body
    assert text in body[0]["message"], body


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.moment = time.time()

    def __call__(self) -> float:
        return self.moment
