"""A slow org: latency, jobs that take their time and queue, streams that keep to a rate."""

from __future__ import annotations

import time
from typing import Any

from simulated_client import Client

from sfexit.simulated_org import Pace, SimulatedOrg, serve


def test_latency_before_every_answer() -> None:
    with serve(SimulatedOrg(rows=300), pace=Pace(latency_seconds=0.12)) as server:
        client: Any = Client(server)
        began = time.monotonic()
        client.get("/services/data")
        client.get("limits")
        assert time.monotonic() - began >= 0.24


def test_jobs_take_time_and_queue() -> None:
    pace = Pace(shortest_job_seconds=0.4, bulk_jobs_at_once=2)
    with serve(SimulatedOrg(rows=300), pace=pace) as server:
        moment = 1000.0
        server.org.jobs.clock = lambda: moment
        client: Any = Client(server)
        jobs = [client.create("SELECT Id FROM Contact").json()["id"] for _ in range(3)]

        def states() -> list[str]:
            return [client.get(f"jobs/query/{j}").json()["state"] for j in jobs]

        assert states() == ["InProgress", "InProgress", "UploadComplete"]
        moment += 0.45
        assert states() == ["JobComplete", "JobComplete", "InProgress"]
        moment += 0.4
        assert states() == ["JobComplete"] * 3


def test_an_aborted_job_makes_room() -> None:
    pace = Pace(shortest_job_seconds=30, bulk_jobs_at_once=1)
    with serve(SimulatedOrg(rows=300), pace=pace) as server:
        client: Any = Client(server)
        first, second = (client.create("SELECT Id FROM Lead").json()["id"] for _ in range(2))
        assert client.get(f"jobs/query/{first}").json()["state"] == "InProgress"
        assert client.get(f"jobs/query/{second}").json()["state"] == "UploadComplete"
        server.org.jobs.abort(server.org.jobs.get(first))
        assert client.get(f"jobs/query/{second}").json()["state"] == "InProgress"


def test_a_stream_keeps_to_its_rate() -> None:
    with serve(SimulatedOrg(rows=3000), pace=Pace(stream_bytes_per_second=400_000)) as server:
        client: Any = Client(server)
        job = client.job("SELECT Id, Name, Description FROM Contact")
        began = time.monotonic()
        size = len(
            client.get(f"jobs/query/{job}/results", headers={"Accept-Encoding": "x"}).content
        )
        taken = time.monotonic() - began
        assert size / 400_000 * 0.9 <= taken
