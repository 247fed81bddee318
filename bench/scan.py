"""A scan of a grown org: 1,430 objects, nearly all of them empty.

    python bench/scan.py                    both paces, three rounds
    python bench/scan.py --pace none --rounds 1

What an exporter does that asks each object by itself, one describe and one count, 8 at a time,
against `sfexit export` without the bytes of files, which also reads every row and the metadata,
looks for what is hidden, and seals. Both run by turns against the same simulated org in a process
of its own; printed are the API calls that the org counted, CPU seconds and wall seconds, and their
ratios. The aim is an eighth of the calls.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import requests

VERSION = "v66.0"
THREADS = 8
PACES = {"none": [], "real": ["--latency", "0.15", "--shortest-job", "3", "--stream-rate", "2e7"]}


@dataclass(frozen=True)
class Cost:
    """What one scan cost. `calls` are those that the org counted."""

    calls: int
    cpu: float
    wall: float
    peak_mb: float


def one_by_one(url: str, token: str) -> int:
    """A describe and a count of every object that can be queried; how many objects."""
    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=THREADS))
    session.headers["Authorization"] = f"Bearer {token}"
    base = f"{url}/services/data/{VERSION}"
    listed = session.get(f"{base}/sobjects").json()["sobjects"]
    names = [one["name"] for one in listed if one["queryable"]]

    def ask(name: str) -> None:
        session.get(f"{base}/sobjects/{name}/describe").json()
        # Some refuse to be counted; a call it is all the same.
        session.get(f"{base}/queryAll?q={quote(f'SELECT COUNT() FROM {name}')}").json()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(ask, names))
    return len(names)


@contextmanager
def org_process(rows: int, pace: str) -> Iterator[dict[str, str]]:
    """The org, in a process of its own; yields its address and token."""
    words = [sys.executable, "-m", "sfexit.simulated_org", "--shape", "full", "--rows", str(rows)]
    with subprocess.Popen(
        words + PACES[pace], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def used(told: dict[str, str]) -> int:
    """API calls that the org has counted so far, this one among them."""
    answer = requests.get(
        f"{told['url']}/services/data/{VERSION}/limits",
        headers={"Authorization": f"Bearer {told['access_token']}"},
        timeout=60,
    )
    calls = answer.headers["Sforce-Limit-Info"].partition("api-usage=")[2].partition("/")[0]
    return int(calls)


def measured(told: dict[str, str], words: list[str], folder: Path) -> Cost:
    """Run a process to its end and say what it cost."""
    environment = {
        **os.environ,
        "SFEXIT_INSTANCE_URL": told["url"],
        "SFEXIT_ACCESS_TOKEN": told["access_token"],
        "SFEXIT_CONFIG_DIR": str(folder / "config"),
    }
    before, began = used(told), time.monotonic()
    with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(words)}: exit {process.returncode}")
    calls = used(told) - before - 1
    return Cost(calls, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def main() -> int:
    """Print the table of each pace; 1 when the aim in calls is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pace", choices=[*PACES, "both"], default="both")
    parser.add_argument("--one-by-one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one_by_one:
        one_by_one(os.environ["SFEXIT_INSTANCE_URL"], os.environ["SFEXIT_ACCESS_TOKEN"])
        return 0
    missed = False
    for pace in PACES if given.pace == "both" else [given.pace]:
        costs: dict[str, list[Cost]] = {"sfexit": [], "one by one": []}
        with org_process(given.rows, pace) as told:
            for _ in range(given.rounds):
                with tempfile.TemporaryDirectory() as scratch:
                    folder = Path(scratch)
                    export = [
                        "-m",
                        "sfexit",
                        "export",
                        str(folder / "home"),
                        "--quiet",
                        "--no-files",
                    ]
                    costs["sfexit"].append(measured(told, [sys.executable, *export], folder))
                    own = [sys.executable, __file__, "--one-by-one"]
                    costs["one by one"].append(measured(told, own, folder))
        print(f"pace {pace}: {given.rounds} rounds by turns, medians")
        middle = {name: _median(found) for name, found in costs.items()}
        for name, cost in middle.items():
            print(
                f"  {name:12} {cost.calls:6,} calls  {cost.wall:6.1f} s  "
                f"{cost.cpu:5.1f} s CPU  {cost.peak_mb:4.0f} MB"
            )
        ours, theirs = middle["sfexit"], middle["one by one"]
        share = theirs.calls / ours.calls
        print(
            f"  sfexit: 1/{share:.1f} of the calls, {ours.wall / theirs.wall:.2f} of the wall time"
        )
        missed = missed or share < 8
    return 1 if missed else 0


def _median(costs: list[Cost]) -> Cost:
    def of(get: Callable[[Cost], float]) -> float:
        return statistics.median(get(cost) for cost in costs)

    return Cost(
        round(of(lambda c: c.calls)), of(lambda c: c.cpu), of(lambda c: c.wall),
        of(lambda c: c.peak_mb),
    )  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
