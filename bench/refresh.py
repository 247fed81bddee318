"""A refresh against a full export of the same org: calls, bytes, time, memory, disk.

    python bench/refresh.py [--rows 2000000] [--changed 0.01] [--scattered]
    python bench/refresh.py --shape full --rows 300000 --quiet

An org of one big object, or of the `full` shape with all objects and files, is exported; then a
share of the rows of its big object is edited, some are purged, some made, a formula moves in some:
people work on new rows, so those of the newest tenth, or `--scattered`; with `--quiet` nothing
changes at all. A refresh, another that finds nothing, and a full export of the same org then run
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
    peak = home.parent / "peak"
    command = [sys.executable, __file__, "--export", str(peak), str(home), *words]
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
        "mb": int(peak.read_text()) / 1024,
        "calls": told["this_run"]["api_calls"],
        "bytes": told["this_run"]["page_bytes_received"],
        "rows": told["rows"],
        "refresh": told["refresh"],
        "bags": len(list((home / "bags").iterdir())),
    }


def export(peak: Path, words: list[str]) -> int:
    """Be the process of one export, and leave its peak memory in kB in a file (Linux).

    What the system tells of a finished child is no less than what its parent had when it was
    made, and here that is the org.
    """
    from sfexit.commands.main import run as command

    code = command(["export", *words, "-q", "--json"])
    [line] = [one for one in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in one]
    peak.write_text(line.split()[1])
    return code


def disk_mb(folder: Path) -> float:
    """What a folder takes, names of the same file counted once."""
    seen: dict[int, int] = {}
    for one in folder.rglob("*"):
        if one.is_file():
            status = one.stat()
            seen[status.st_ino] = status.st_blocks * 512
    return sum(seen.values()) / 1e6


def change(org: SimulatedOrg, share_of_rows: float, *, scattered: bool) -> None:
    """A day's work: half of the share edited, a quarter new, some purged, some formulas."""
    some = Random(1)
    rows = org.count(NAME)
    share = max(4, int(rows * share_of_rows))
    oldest = 0 if scattered else rows * 9 // 10
    numbers = sorted(some.sample(range(oldest, rows), share))
    org.update_rows(NAME, numbers[: share // 2])
    org.purge_rows(NAME, numbers[share // 2 : share // 2 + share // 8])
    org.insert_rows(NAME, share // 4)
    formula = numbers[-(share // 100 or 1) :]
    org.give_values(NAME, formula, {"ExpectedRevenue": "12345.5"})


def make_org(shape: str, rows: int) -> SimulatedOrg:
    """The org of a shape."""
    if shape == "full":
        return SimulatedOrg(
            rows=rows, shape="full", api_daily_limit=10_000_000, query_all_files=True
        )
    kept = {"Organization", "User", "Profile", NAME}
    return SimulatedOrg(
        rows=rows,
        one_object=NAME,
        objects=[one for one in standard_objects() if one.name in kept],
        api_daily_limit=10_000_000,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--shape", choices=["one", "full"], default="one")
    parser.add_argument("--changed", type=float, default=0.01)
    parser.add_argument(
        "--scattered", action="store_true", help="over all rows, not the newest 10 %%"
    )
    parser.add_argument("--quiet", action="store_true", help="nothing changes")
    given = parser.parse_args()
    org = make_org(given.shape, given.rows)
    folder = Path(tempfile.mkdtemp(prefix="sfexit-bench-"))
    try:
        with serve(org) as server:
            home = folder / "home"
            show("first", run(home, server.url, org.access_token))
            if not given.quiet:
                change(org, given.changed, scattered=given.scattered)
            before = disk_mb(home)
            told = run(home, server.url, org.access_token, "--refresh")
            show("refresh", told)
            print(f"  {found(told)}")
            grown = disk_mb(home) - before
            again = run(home, server.url, org.access_token, "--refresh")
            show("again", again)
            print(f"  {found(again)}")
            whole = run(folder / "whole", server.url, org.access_token)
            show("whole", whole)
            for what in ("calls", "bytes", "cpu", "wall", "mb"):
                ratios = (told[what] / whole[what], again[what] / whole[what])
                print(f"  {what:5}: refresh / whole {ratios[0]:.2f}, again / whole {ratios[1]:.2f}")
            whole_mb = disk_mb(folder / "whole")
            print(f"  disk of the refresh: {grown:,.1f} MB, of a whole archive: {whole_mb:,.1f} MB")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  (the simulated org itself: {peak:,.0f} MB)")


def found(told: dict[str, Any]) -> str:
    """What a refresh says."""
    refresh = told["refresh"]
    said = "nothing changed" if refresh["unchanged"] else f"changed: {refresh['rows']}"
    return f"{said}; {told['bags']} bags"


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
    if sys.argv[1:2] == ["--export"]:
        raise SystemExit(export(Path(sys.argv[2]), sys.argv[3:]))
    main()
