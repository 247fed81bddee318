"""``python -m sfexit.simulated_org``: serve a simulated org until told to stop."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import fields
from typing import Any, TypeVar

from . import Doubts, FaultPlan, Pace, SimulatedOrg, Strange, serve

T = TypeVar("T", Doubts, Strange)


def switched(kind: type[T], given: list[str]) -> T:
    """Switches given as ``name=value`` (``true``, ``4``, ``EUR,USD``) by the type they have."""
    standing = {f.name: f.default for f in fields(kind)}
    out: dict[str, Any] = {}
    for one in given:
        name, _, value = one.partition("=")
        default = standing.get(name)
        if isinstance(default, bool):
            out[name] = value.lower() == "true"
        elif isinstance(default, int):
            out[name] = int(value)
        elif isinstance(default, tuple):
            out[name] = tuple(value.split(","))
        else:
            out[name] = value
    return kind(**out)


def main(arguments: list[str] | None = None) -> int:
    """Print one JSON line, then serve until SIGTERM, SIGINT or the end of standard input."""
    parser = argparse.ArgumentParser(prog="python -m sfexit.simulated_org")
    parser.add_argument("--rows", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--shape", choices=("crm", "full"), default="crm")
    parser.add_argument("--faults", help="TOML file with a fault plan")
    parser.add_argument("--one-object", nargs="?", const="Account", help="all rows in one object")
    parser.add_argument("--bulk-page-rows", type=int, default=50_000)
    parser.add_argument("--api-daily-limit", type=int, default=1_000_000)
    parser.add_argument("--doubt", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--strange", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--shortest-job", type=float, default=0.0, help="seconds a job runs")
    parser.add_argument("--stream-rate", type=float, default=0.0, help="bytes a second a stream")
    parser.add_argument("--jobs-at-once", type=int, default=0, help="Bulk jobs that run at once")
    parser.add_argument("--ignore-stdin", action="store_true", help="do not stop when it closes")
    given = parser.parse_args(arguments)
    org = SimulatedOrg(
        seed=given.seed,
        rows=given.rows,
        one_object=given.one_object,
        bulk_page_rows=given.bulk_page_rows,
        api_daily_limit=given.api_daily_limit,
        shape=given.shape,
        doubts=switched(Doubts, given.doubt),
        strange=switched(Strange, given.strange),
    )
    faults = FaultPlan.from_toml(given.faults) if given.faults else FaultPlan()
    pace = Pace(given.latency, given.shortest_job, given.stream_rate, given.jobs_at_once)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def watch() -> None:
        # not sys.stdin: its lock would be held while the interpreter shuts down
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        stop.set()

    with serve(org, faults, port=given.port, pace=pace) as server:
        line = {
            "url": server.url,
            "access_token": org.access_token,
            "refresh_token": org.refresh_token,
            "client_id": org.client_id,
            "client_secret": org.client_secret,
            "organization_id": org.organization_id,
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        if not given.ignore_stdin:
            threading.Thread(target=watch, daemon=True).start()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
