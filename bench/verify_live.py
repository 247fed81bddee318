"""What verifying against the org costs, beside the export of the same org.

    python bench/verify_live.py                     one object of 2 M rows, and the rest of a CRM
    python bench/verify_live.py --rows 300000       smaller
    python bench/verify_live.py --healthy 200       no false alarm: so many random healthy orgs

Bytes are bodies on the wire as packed as they came, calls are the org's own count, seconds are
wall and processor time, MB the peak of this process. The org is a process of its own.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "verify_live"))

_ORG = """
import json, sys, time
from sfexit.simulated_org import SimulatedOrg, serve
rows, one = int(sys.argv[1]), sys.argv[2]
org = SimulatedOrg(seed=7, rows=rows, one_object=one, query_all_files=True)
server = serve(org)
print(json.dumps({"url": server.url, "token": org.access_token}), flush=True)
for line in sys.stdin:
    print(json.dumps({"calls": org.calls}), flush=True)
"""


class Watched:
    """Peak memory of this process while something runs, sampled: `ru_maxrss` never falls."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watched:
        self.wall, self.cpu = time.monotonic(), time.process_time()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.monotonic() - self.wall, time.process_time() - self.cpu
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            words = Path("/proc/self/statm").read_text().split()
            mb = int(words[1]) * resource.getpagesize() / 1e6
            self.peak_mb = max(self.peak_mb, mb)


def cost(rows: int, one: str) -> None:
    """Export and verify one org, and print both."""
    from sfexit.archive import signing
    from sfexit.export.run import export
    from sfexit.salesforce.client import Client
    from sfexit.salesforce.login import credential_from_environment
    from sfexit.verify.live.results import Options
    from sfexit.verify.live.run import live

    folder = Path(tempfile.mkdtemp(prefix="sfexit-bench-"))
    process = subprocess.Popen(
        [sys.executable, "-c", _ORG, str(rows), one],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None

    def ask() -> dict[str, Any]:
        process.stdin.write("\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        told: dict[str, Any] = json.loads(process.stdout.readline())  # type: ignore[union-attr]
        return told

    try:
        told = json.loads(process.stdout.readline())
        credential = credential_from_environment(
            {"SFEXIT_INSTANCE_URL": told["url"], "SFEXIT_ACCESS_TOKEN": told["token"]}
        )
        with Client(credential, budget_share=1.0) as client:
            with Watched() as exporting:
                made = export(
                    client, folder / "home", key=lambda: signing.load_or_create(folder / "key")
                )
            export_bytes, export_calls = client.wire_bytes, ask()["calls"]
        assert made.bag is not None
        total = sum(line.rows or 0 for line in made.lines)
        with Client(credential, budget_share=1.0) as client, Watched() as verifying:
            found = live(client, made.bag.path, folder / "work", Options())
        calls = ask()["calls"] - export_calls
        line = "{:<8} {:>12,} bytes {:>7,} calls {:>8.1f} s wall {:>8.1f} s cpu {:>7,.0f} MB"
        print(f"{total:,} rows, one object of about {rows:,}")
        print(line.format("export", export_bytes, export_calls, exporting.wall, exporting.cpu,
                          exporting.peak_mb))  # fmt: skip
        print(line.format("verify", found.wire_bytes, calls, verifying.wall, verifying.cpu,
                          verifying.peak_mb))  # fmt: skip
        print(f"verify / export: {found.wire_bytes / export_bytes:.3f} of the bytes, "
              f"{found.wire_bytes / total:.1f} bytes a row; said beforehand: "
              f"{found.expected.calls:,} calls, {found.expected.bytes:,} bytes")  # fmt: skip
        different = [one.object for one in found.compared if not one.equal]
        print(f"{found.statement.words}; objects that differ: {different or 'none'}")
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def healthy(orgs: int, first: int) -> None:
    """Export, live on, refresh, verify: each must be SAFE."""
    from live_rig import live_on, random_org

    alarms = 0
    for seed in range(first, first + orgs):
        folder = Path(tempfile.mkdtemp(prefix="sfexit-bench-", dir="/dev/shm"))
        rig = random_org(seed, folder / "org")
        chance = random.Random(seed)
        try:
            rig.org.after_calls(chance.randint(5, 25), functools.partial(live_on, rig, chance, 3))
            rig.export()
            touched = live_on(rig, chance, 3)
            after = rig.judge()
            rig.export(refresh=True)
            judged = rig.judge()
            if judged.verdict != "SAFE" or (touched and after.verdict != "NOT SAFE"):
                alarms += 1
                print(seed, after.title, judged.title, [one.key for one in judged.findings][:5])
        finally:
            rig.close()
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{orgs} random healthy orgs: {orgs - alarms} NOT SAFE while behind, SAFE when brought "
          f"up to date; {alarms} false")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--one", default="Contact", help="the object that has nearly all rows")
    parser.add_argument("--healthy", type=int, default=0)
    parser.add_argument("--first", type=int, default=1_000, help="first seed of --healthy")
    told = parser.parse_args()
    if told.healthy:
        healthy(told.healthy, told.first)
    else:
        cost(told.rows, told.one)


if __name__ == "__main__":
    main()
