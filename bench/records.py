"""Export of records against a floor and peers, on the same org in one run.

    python bench/records.py                         all jobs, both settings, 3 rounds
    python bench/records.py --job one --rounds 1    one object of 2 M rows

Two settings: no added latency, and real-like (150 ms before every answer, no job under 3 s,
20 MB/s a stream). Contenders take turns inside each round; the medians and their ratios are
printed. Pages are rendered once, before the first round, so that the org costs no one anything.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from contenders import cli

HERE = Path(__file__).parent
TWENTY = (
    "Account", "Contact", "Lead", "Opportunity", "OpportunityLineItem", "OpportunityHistory",
    "Case", "CaseComment", "CaseHistory", "Task", "Event", "CampaignMember", "Note",
    "EmailMessage", "AccountShare", "Invoice__c", "OpportunityFieldHistory", "PricebookEntry",
    "Product2", "Campaign",
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What one run cost. Seconds, MB, calls."""

    wall: float
    cpu: float
    peak_mb: float
    calls: int


@dataclass(frozen=True)
class Job:
    """What is to be fetched: words for the org's process and the objects."""

    name: str
    org: tuple[str, ...]
    objects: tuple[str, ...]


JOBS = {
    "one": Job(
        "one object of 2 M rows", ("--rows", "2000000", "--one-object", "Contact"), ("Contact",)
    ),
    "twenty": Job(
        "20 objects of 50,000 rows",
        # The other objects of the org share the few rows above the million.
        ("--rows", "1000500", "--each", ",".join(TWENTY)),
        TWENTY,
    ),
}


class Org:
    """The org's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.told: dict[str, Any] = json.loads(process.stdout.readline())

    def calls(self) -> int:
        """API calls it answered so far."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(json.loads(self._process.stdout.readline())["calls"])

    def query(self, name: str) -> str:
        """All fields of an object that Bulk takes."""
        url = f"{self.told['url']}/services/data/v66.0/sobjects/{name}/describe"
        headers = {"Authorization": f"Bearer {self.told['access_token']}"}
        fields = requests.get(url, headers=headers, timeout=60).json()["fields"]
        names = [f["name"] for f in fields if f["type"] not in ("address", "location", "base64")]
        first = [n for n in ("Id", "IsDeleted") if n in names]
        return f"SELECT {','.join(first + [n for n in names if n not in first])} FROM {name}"


@contextmanager
def org_for(job: Job, cache: Path, *, real: bool) -> Iterator[Org]:
    """Start the org; ends with the block."""
    words = [sys.executable, str(HERE / "warm_org.py"), "--cache", str(cache), *job.org]
    with subprocess.Popen(
        words + (["--real"] if real else []),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Org(process)
        finally:
            process.terminate()


def measured(org: Org, words: list[str], environment: dict[str, str]) -> Cost:
    """Run a contender and see what it cost."""
    before, began = org.calls(), time.monotonic()
    with subprocess.Popen(
        words, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        told = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode not in (0, 3):
        raise SystemExit(f"{words[:4]} failed ({process.returncode}): {told[-2000:].decode()}")
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(wall, cpu, usage.ru_maxrss / 1024, org.calls() - before)


def contenders(*, with_simple: bool) -> list[str]:
    """Names in the order of a round."""
    names = ["sfexit", "floor", "plain"]
    if with_simple:
        names += ["simple"]
        if cli() is not None:
            names += ["sf"]
        else:
            print("The Salesforce CLI is not here, so it is left out: put sf on the PATH.")
    return names


def run(name: str, org: Org, job: Job, queries: list[str], folder: Path) -> Cost:
    """One contender once, in a fresh folder."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    token = org.told["access_token"]
    if name == "sfexit":
        environment = {
            "SFEXIT_INSTANCE_URL": org.told["url"],
            "SFEXIT_ACCESS_TOKEN": token,
            "SFEXIT_CONFIG_DIR": str(folder / "config"),
        }
        # Rows alone, as the others do: the bytes of files are measured by files.py.
        words = [sys.executable, "-m", "sfexit", "export", str(out), "--quiet", "--no-files"]
        return measured(org, [*words, "--objects", ",".join(job.objects)], environment)
    out.mkdir()
    environment = {"BENCH_TOKEN": token, "REQUESTS_CA_BUNDLE": org.told["ca"]}
    url = org.told["tls_url" if name in ("simple", "sf") else "url"]
    words = [sys.executable, str(HERE / "contenders.py"), name, url, str(out), *queries]
    return measured(org, words, environment)


def table(job: Job, setting: str, costs: dict[str, list[Cost]]) -> None:
    """Medians, and what sfexit is to each."""
    print(f"\n{job.name}, {setting}: medians of {len(costs['sfexit'])}")
    print(f"{'':10} {'wall s':>8} {'CPU s':>8} {'peak MB':>8} {'calls':>7}   sfexit's wall to it")
    middle = {
        name: Cost(
            wall=statistics.median(cost.wall for cost in found),
            cpu=statistics.median(cost.cpu for cost in found),
            peak_mb=statistics.median(cost.peak_mb for cost in found),
            calls=round(statistics.median(cost.calls for cost in found)),
        )
        for name, found in costs.items()
    }
    for name, cost in middle.items():
        ratio = middle["sfexit"].wall / cost.wall
        print(
            f"{name:10} {cost.wall:8.2f} {cost.cpu:8.2f} {cost.peak_mb:8.0f} {cost.calls:7.0f}"
            f"   {ratio:.2f}"
        )


def main() -> None:
    """Print one table a job and setting."""
    parser = argparse.ArgumentParser(description="sfexit against a floor and peers")
    parser.add_argument("--job", choices=sorted(JOBS), action="append")
    parser.add_argument("--setting", choices=("none", "real"), action="append")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-simple", action="store_true")
    parser.add_argument("--cache", type=Path, help="keep rendered pages here for the next time")
    given = parser.parse_args()
    names = contenders(with_simple=not given.no_simple)
    for key in given.job or sorted(JOBS):
        job = JOBS[key]
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            for setting in given.setting or ("none", "real"):
                cache = given.cache or folder / "cache"
                with org_for(job, cache, real=setting == "real") as org:
                    queries = [org.query(name) for name in job.objects]
                    run("plain", org, job, queries, folder)  # renders the pages
                    costs: dict[str, list[Cost]] = {}
                    for _ in range(given.rounds):
                        for name in names:
                            costs.setdefault(name, []).append(run(name, org, job, queries, folder))
                name = "no added latency" if setting == "none" else "real-like"
                table(job, name, costs)


if __name__ == "__main__":
    main()
