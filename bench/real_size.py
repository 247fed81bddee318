"""A whole export at real size, measured, and every row compared with the org's own truth.

    python bench/real_size.py --rows 2000000

Prints rows a second, CPU, peak memory and API calls of `sfexit export` against a simulated org in a
process of its own, and then compares every field of every row in the archive with the simulated
org's plain truth.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sfexit.simulated_org import SimulatedOrg

csv.field_size_limit(2**31 - 1)


@contextmanager
def org_process(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """A simulated org in its own process; yields its address and token."""
    words = [sys.executable, "-m", "sfexit.simulated_org", "--rows", str(rows), "--seed", str(seed)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def export(home: Path, told: dict[str, Any], config: Path) -> dict[str, Any]:
    """Run the command as a user would; returns its document and what it cost."""
    environment = {
        **os.environ,
        "SFEXIT_INSTANCE_URL": told["url"],
        "SFEXIT_ACCESS_TOKEN": told["access_token"],
        "SFEXIT_CONFIG_DIR": str(config),
    }
    began = time.monotonic()
    words = [sys.executable, "-m", "sfexit", "export", str(home), "--json"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "document": json.loads(text),
        "exit": process.returncode,
        "seconds": time.monotonic() - began,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }


def pages_of(bag: Path) -> dict[str, list[Path]]:
    """Every object's pages in order, found as a third party would."""
    package = json.loads((bag / "data/datapackage.json").read_bytes())
    return {
        resource["title"]: [bag / "data" / part for part in resource["path"]]
        for resource in package["resources"]
        if "title" in resource
    }


def compare(bag: Path, org: SimulatedOrg) -> tuple[int, int, list[str]]:
    """Rows and values compared, and what differs: by Id, every field as text, null as empty."""
    rows = values = 0
    wrong: list[str] = []
    for name, paths in pages_of(bag).items():
        # A digest a row keeps the memory small; the truth is walked in its own order.
        found: dict[str, int] = {}
        columns: list[str] = []
        keyed = True
        for path in paths:
            with gzip.open(path) as packed:
                text = io.TextIOWrapper(packed, encoding="utf-8", newline="")
                reader = csv.reader(text, strict=True)
                columns = next(reader)
                keyed = columns[0] == "Id"
                for row in reader:
                    key = row[0] if keyed else "\x1f".join(row)
                    if key in found:
                        wrong.append(f"{name}: {key!r} twice")
                    found[key] = zlib.crc32("\x1f".join(row).encode())
                    values += len(row)
        for truth in org.truth(name):
            row = [truth[column] or "" for column in columns]
            key = row[0] if keyed else "\x1f".join(row)
            rows += 1
            if found.pop(key, None) != zlib.crc32("\x1f".join(row).encode()):
                wrong.append(f"{name}: {key!r} is missing or differs")
        wrong += [f"{name}: {key!r} is not in the org" for key in found]
    return rows, values, wrong


def main() -> int:
    """Print the figures; 1 when a row differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-compare", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with org_process(given.rows, given.seed) as told:
            cost = export(root / "home", told, root / "config")
        document = cost["document"]
        run = document["this_run"]
        print(f"exit code        {cost['exit']}")
        print(f"rows             {document['rows']:,} in {document['objects']} objects")
        print(f"CSV read         {run['csv_bytes_read'] / 1e6:,.1f} MB")
        rate = document["rows"] / cost["seconds"]
        print(f"wall             {cost['seconds']:.1f} s, {rate:,.0f} rows/s")
        print(f"CPU              {cost['cpu']:.1f} s")
        print(f"peak memory      {cost['peak_mb']:.0f} MB")
        print(f"API calls        {run['api_calls']:,}")
        if given.no_compare:
            return 0
        bag = sorted((root / "home/bags").iterdir())[-1]
        began = time.monotonic()
        org = SimulatedOrg(seed=given.seed, rows=given.rows)
        rows, values, wrong = compare(bag, org)
        spent = time.monotonic() - began
        print(f"compared         {rows:,} rows, {values:,} values in {spent:.0f} s")
        print(f"differences      {len(wrong)}")
        for line in wrong[:20]:
            print("  ", line[:200])
        return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
