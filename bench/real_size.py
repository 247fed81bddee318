"""A whole export at real size, measured, and every row compared with the org's own truth.

    python bench/real_size.py --rows 2000000
    python bench/real_size.py --rows 2000000 --shape full --user administrator --large 2

Prints rows a second, CPU, peak memory and API calls of `sfexit export` against a simulated org in a
process of its own, and then compares every field of every row in the archive with the simulated
org's plain truth, as far as the signed-in user can see it, and every body of a file likewise; every
object of describeGlobal and EntityDefinition must have its line in the ledger, and what is hidden
from the user must be named. `--large`: so many GB has one of the files.
Users other than the default have objects, fields and rows hidden from them.
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

from files import compared as compared_bodies

from sfexit.simulated_org import RestrictionRule, SimulatedOrg, SimulatedUser, clerk, serve

csv.field_size_limit(2**31 - 1)

_LOST_BODIES = ("wrong", "silent", "not in the org")
_OBJECTS = ("Opportunity", "OpportunityLineItem", "Asset")
_FIELDS = {"Account": ("Industry",), "Contact": ("Email", "Phone"), "Lead": ("Company",)}
USERS = {
    "everything": None,
    "administrator": SimulatedUser(
        "Nearly", view_all_fields=False, hidden_objects=_OBJECTS, hidden_fields=_FIELDS
    ),
    "clerk": clerk(
        own_rows_only=("Account", "Contact", "Task"),
        hidden_objects=_OBJECTS,
        hidden_fields=_FIELDS,
    ),
}


def made_org(given: argparse.Namespace) -> SimulatedOrg:
    """The org that a command line names, the same in every process."""
    rules = [RestrictionRule("Case", "OwnerId = $User.Id")] if given.user != "everything" else []
    org = SimulatedOrg(seed=given.seed, rows=given.rows, shape=given.shape, restriction_rules=rules)
    user = USERS[given.user]
    if user is not None:
        org.sign_in(user)  # which is seen in the rows of the permission objects
    if given.large:
        org.tables.bodies.sizes["ContentVersion", 0] = round(given.large * (1 << 30))
    return org


def serve_org(given: argparse.Namespace) -> None:
    """Be the process of the org until stdin closes."""
    org = made_org(given)
    user = USERS[given.user]
    token = org.sign_in(user) if user is not None else org.access_token
    with serve(org) as server:
        print(json.dumps({"url": server.url, "access_token": token}), flush=True)
        sys.stdin.read()


@contextmanager
def org_process(words: list[str]) -> Iterator[dict[str, Any]]:
    """A simulated org in its own process; yields its address and token."""
    command = [sys.executable, __file__, *words, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
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
    words = [sys.executable, "-m", "sfexit", "export", str(home), "--json", "--api-budget", "100%"]
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


def compare(bag: Path, org: SimulatedOrg, user: SimulatedUser | None) -> tuple[int, int, list[str]]:
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
        for truth in org.truth(name, seen_by=user):
            row = [truth[column] or "" for column in columns]
            key = row[0] if keyed else "\x1f".join(row)
            rows += 1
            if found.pop(key, None) != zlib.crc32("\x1f".join(row).encode()):
                wrong.append(f"{name}: {key!r} is missing or differs")
        wrong += [f"{name}: {key!r} is not in the org" for key in found]
    return rows, values, wrong


def ledger_problems(bag: Path, org: SimulatedOrg, user: SimulatedUser | None) -> list[str]:
    """Objects without a line, lines of other numbers, and what is hidden without a word."""
    with (bag / "data/ledger.csv").open(encoding="utf-8", newline="") as handle:
        lines = {row["object"]: row for row in csv.DictReader(handle)}
    named = set(org.view(user).objects)
    named |= {row["QualifiedApiName"] or "" for row in org.truth("EntityDefinition")}
    wrong = [f"{name}: not in both" for name in named ^ set(lines)]
    for name, line in lines.items():
        told = bool(line["remedy"]) or "not checked" in line["reason"]
        if line["outcome"] in ("exported", "empty"):
            seen = int(line["rows"] or 0)  # `compare` has held the rows against those to be seen
            if not seen and any(True for _ in org.truth(name, seen_by=user)):
                wrong.append(f"{name}: rows can be seen, and the ledger says {line['outcome']}")
            if seen < org.count(name) and not told:
                wrong.append(f"{name}: rows are hidden without a word")
        elif not line["reason"] or (line["outcome"] == "not_exported" and not told):
            wrong.append(f"{name}: {line['outcome']} without a reason or remedy")
    if user is not None:
        wrong += [f"{n}: hidden, not named" for n in _OBJECTS if not lines[n]["remedy"]]
        for name, fields in _FIELDS.items():
            told_fields = lines[name]["fields_not_exported"]
            wrong += [f"{name}.{f}: hidden, not named" for f in fields if f not in told_fields]
    return wrong


def main() -> int:
    """Print the figures; 1 when a row differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--shape", choices=("crm", "full"), default="crm")
    parser.add_argument("--user", choices=sorted(USERS), default="everything")
    parser.add_argument("--large", type=float, default=0.0)
    parser.add_argument("--no-compare", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve_org(given)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with org_process(sys.argv[1:]) as told:
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
        org = made_org(given)
        rows, values, wrong = compare(bag, org, USERS[given.user])
        wrong += ledger_problems(bag, org, USERS[given.user])
        spent = time.monotonic() - began
        print(f"compared         {rows:,} rows, {values:,} values in {spent:.0f} s")
        bodies = compared_bodies(org, bag, None, USERS[given.user])
        print(f"bodies           {bodies}")
        wrong += [f"bodies: {bodies[one]} {one}" for one in _LOST_BODIES if bodies[one]]
        print(f"differences      {len(wrong)}")
        for line in wrong[:20]:
            print("  ", line[:200])
        return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
