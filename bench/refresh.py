"""A refresh against a full export of the same org: calls, bytes, time, memory, disk.

    python bench/refresh.py [--rows 2000000] [--changed 0.01] [--scattered]

An org of one big object is exported; then a share of its rows is edited, some are purged, some
made, a formula moves in some: people work on new rows, so those of the newest tenth, or
`--scattered`. A refresh, another that finds nothing, and a full export of the same org then run
one after the other, each in a process of its own. Prints one line for each and the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from sfexit.simulated_org import SimulatedOrg, serve
from sfexit.simulated_org.catalogue import standard_objects

NAME = "Opportunity"


def run(home: Path, url: str, token: str, *words: str) -> dict[str, Any]:
    """One export in its own process: its JSON, and what it cost."""
    environment = {
        **os.environ,
        "SFEXIT_INSTANCE_URL": url,
        "SFEXIT_ACCESS_TOKEN": token,
        "XDG_CONFIG_HOME": str(home.parent / "config"),
    }
    command = [sys.executable, "-m", "sfexit", "export", str(home), "-q", "--json", *words]
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    told: dict[str, Any] = json.loads(out)
    return {
        "exit": os.waitstatus_to_exitcode(status),
        "wall": time.monotonic() - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "mb": usage.ru_maxrss / 1024,
        "calls": told["this_run"]["api_calls"],
        "bytes": told["this_run"]["page_bytes_received"],
        "rows": told["rows"],
        "refresh": told["refresh"],
    }


def disk_mb(folder: Path) -> float:
    """What a folder takes, names of the same file counted once."""
    seen: dict[int, int] = {}
    for one in folder.rglob("*"):
        if one.is_file():
            status = one.stat()
            seen[status.st_ino] = status.st_blocks * 512
    return sum(seen.values()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--changed", type=float, default=0.01)
    parser.add_argument(
        "--scattered", action="store_true", help="over all rows, not the newest 10 %%"
    )
    given = parser.parse_args()
    kept = {"Organization", "User", "Profile", NAME}
    org = SimulatedOrg(
        rows=given.rows,
        one_object=NAME,
        objects=[one for one in standard_objects() if one.name in kept],
        api_daily_limit=10_000_000,
    )
    folder = Path(tempfile.mkdtemp(prefix="sfexit-bench-"))
    some = Random(1)
    try:
        with serve(org) as server:
            home = folder / "home"
            show("first", run(home, server.url, org.access_token))
            time.sleep(1.1)
            rows = org.count(NAME)
            share = max(4, int(rows * given.changed))
            oldest = 0 if given.scattered else rows * 9 // 10
            numbers = sorted(some.sample(range(oldest, rows), share))
            org.update_rows(NAME, numbers[: share // 2])
            org.purge_rows(NAME, numbers[share // 2 : share // 2 + share // 8])
            org.insert_rows(NAME, share // 4)
            formula = numbers[-(share // 100 or 1) :]
            org.give_values(NAME, formula, {"ExpectedRevenue": "12345.5"})
            before = disk_mb(home)
            told = run(home, server.url, org.access_token, "--refresh")
            show("refresh", told)
            print(f"  found {told['refresh']['rows']}")
            grown = disk_mb(home) - before
            quiet = run(home, server.url, org.access_token, "--refresh")
            show("again", quiet)
            whole = run(folder / "whole", server.url, org.access_token)
            show("whole", whole)
            for what in ("calls", "bytes", "cpu", "wall", "mb"):
                print(f"  refresh / whole, {what}: {told[what] / whole[what]:.2f}")
            whole_mb = disk_mb(folder / "whole")
            print(f"  disk of the second bag: {grown:,.1f} MB, of a whole one: {whole_mb:,.1f} MB")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  (the simulated org itself: {peak:,.0f} MB)")


def show(name: str, told: dict[str, Any]) -> None:
    """One line."""
    print(
        f"{name:8} {told['rows']:>10,} rows  {told['calls']:>4} calls  "
        f"{told['bytes'] / 1e6:8.1f} MB of rows  {told['cpu']:6.1f} s CPU  "
        f"{told['wall']:6.1f} s  {told['mb']:5.0f} MB  "
        f"exit {told['exit']}",
        flush=True,
    )


if __name__ == "__main__":
    main()
