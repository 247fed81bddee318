"""Offline verification against `sha256sum` and frictionless, on the same archive in one run.

    python bench/verify.py                        2 M rows, 3 rounds
    python bench/verify.py --rows 10000000 --rounds 1
    python bench/verify.py --keep FOLDER          leave the archive there, or use what is there

The archive is made up here, after docs/archive-format.md: three objects, 20 typed columns, pages
of 50,000 rows. Contenders take turns inside each round; medians and their ratios are printed. Wall
time means little on a busy machine; CPU time and ratios inside one round hold.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from isal import isal_zlib

from sfexit.archive import signing

PAGE_ROWS = 50_000
FRICTIONLESS_ROWS = 100_000  # it needs seconds for these; its rows/s do not grow with more

# name, Salesforce's type, Table Schema type, object referred to
COLUMNS = (
    ("Id", "id", "string", ""),
    ("IsDeleted", "boolean", "boolean", ""),
    ("AccountId", "reference", "string", "Account"),
    ("LastName", "string", "string", ""),
    ("FirstName", "string", "string", ""),
    ("Email", "email", "string", ""),
    ("Phone", "phone", "string", ""),
    ("MailingStreet", "textarea", "string", ""),
    ("MailingCity", "string", "string", ""),
    ("Amount__c", "currency", "number", ""),
    ("Count__c", "int", "integer", ""),
    ("Birthdate", "date", "date", ""),
    ("Active__c", "boolean", "boolean", ""),
    ("Code__c", "string", "string", ""),
    ("Description", "textarea", "string", ""),
    ("OwnerId", "reference", "string", "User"),
    ("CreatedDate", "datetime", "datetime", ""),
    ("CreatedById", "reference", "string", "User"),
    ("LastModifiedDate", "datetime", "datetime", ""),
    ("SystemModstamp", "datetime", "datetime", ""),
)
SMALL = (COLUMNS[0], COLUMNS[1], ("Name", "string", "string", ""))
LEDGER = (
    "object", "label", "outcome", "route", "rows", "deleted_rows", "witnesses", "fields_exported",
    "fields_not_exported", "reason", "evidence", "remedy", "started", "finished",
)  # fmt: skip
PAGES = (
    "path", "object", "reading", "slice", "page", "route", "wire_encoding", "origin", "job_id",
    "locator", "rows", "declared_rows", "bytes", "sha256", "csv_bytes", "csv_sha256", "fetched",
)  # fmt: skip
FILES = (
    "object", "record_id", "field", "title", "path", "bytes", "sha256", "salesforce_md5",
    "salesforce_bytes", "parent_id", "version_number", "is_latest", "is_deleted", "content_type",
)  # fmt: skip


def identifier(prefix: str, number: int) -> str:
    """Ids with one upper-case letter, so that their check characters are always the same."""
    return f"{prefix}kY{number:010d}QAA"


def contact_tails() -> list[str]:
    """What stands behind id and account, some thousands of different ones."""
    chance = random.Random(7)
    words = ["delivery", "Überweisung", "contract", "the old one", "north", "=1+1", "NA"]
    tails = []
    for at in range(4_096):
        year, month = chance.randrange(2010, 2026), chance.randrange(1, 13)
        day = f"{year}-{month:02d}-{chance.randrange(1, 28):02d}"
        moment = f"{day}T{chance.randrange(24):02d}:{chance.randrange(60):02d}:00.000Z"
        text = " ".join(chance.choice(words) for _ in range(18))
        if at % 50 == 0:
            text += ' ""quoted""'
        user = identifier("005", chance.randrange(100))
        values = [
            "Jo", f"jo{at}@example.com", "+49 30 1234567", f"Street {at}\nFloor 2",
            "Berlin", f"{chance.randrange(10**6)}.5", str(chance.randrange(99)), day, "true",
            "01234", text, user, moment, user, moment, moment,
        ]  # fmt: skip
        tails.append(",".join(f'"{value}"' for value in values))
    return tails


def pages_of(name: str, rows: int, accounts: int) -> Iterator[bytes]:
    tails = contact_tails()
    prefix = {"Contact": "003", "Account": "001", "User": "005"}[name]
    columns = COLUMNS if name == "Contact" else SMALL
    chance = random.Random(rows)
    header = ",".join(f'"{one[0]}"' for one in columns)
    for start in range(0, rows, PAGE_ROWS):
        lines = [header]
        for at in range(start, min(rows, start + PAGE_ROWS)):
            own = identifier(prefix, at)
            if name == "Contact":
                account = identifier("001", at * 7919 % accounts)
                # Real text does not pack as well as words that repeat.
                noise = f"{chance.getrandbits(320):080x}"
                lines.append(f'"{own}","false","{account}","{noise}",{tails[at % 4096]}')
            else:
                lines.append(f'"{own}","false","{name} {at}"')
        lines.append("")
        yield "\n".join(lines).encode()


def packed(text: bytes) -> bytes:
    packer = isal_zlib.compressobj(2, isal_zlib.DEFLATED, 31)
    return packer.compress(text) + packer.flush()


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([columns, *rows])
    return out.getvalue().encode()


def make(bag: Path, rows: int) -> None:
    """Write a sealed archive of `rows` contacts."""
    files: list[tuple[str, str, int]] = []

    def write(path: str, data: bytes) -> tuple[str, int]:
        final = bag / path
        final.parent.mkdir(parents=True, exist_ok=True)
        final.write_bytes(data)
        told = hashlib.sha256(data).hexdigest(), len(data)
        files.append((path, *told))
        return told

    pages, ledger, resources = [], [], []
    accounts = max(rows // 5, 1)
    for name, count in (("Account", accounts), ("Contact", rows), ("User", 100)):
        columns = COLUMNS if name == "Contact" else SMALL
        paths = []
        for at, text in enumerate(pages_of(name, count, accounts), 1):
            path = f"records/{name}/{name}.g001.s0000.p{at:06d}.csv.gz"
            digest, size = write(f"data/{path}", packed(text))
            here = min(PAGE_ROWS, count - (at - 1) * PAGE_ROWS)
            pages.append(
                (path, name, 1, 0, at, "bulk", "gzip", "received", "", "", here, here, size, digest,
                 len(text), hashlib.sha256(text).hexdigest(), "2026-11-22T01:00:00Z")
            )  # fmt: skip
            paths.append(path)
        witnesses = f"declared={count};counted={count};parsed={count};distinct_ids={count}"
        ledger.append(
            (name, name, "exported", "bulk", count, 0, witnesses, len(columns), "", "", "", "",
             "2026-11-22T01:00:00.000Z", "2026-11-22T02:00:00.000Z")
        )  # fmt: skip
        fields = [
            {"name": one, "type": kind, "sfexit:type": theirs}
            | ({"sfexit:referenceTo": [other]} if other else {})
            | ({"trueValues": ["true"], "falseValues": ["false"]} if kind == "boolean" else {})
            for one, theirs, kind, other in columns
        ]
        schema = {"fields": fields, "primaryKey": ["Id"]}
        resources.append(resource(name.lower(), paths, count, schema, title=name, packed=True))
        described = {"name": name, "fields": [{"name": one[0]} for one in columns]}
        write(f"data/schema/objects/{name}.json.gz", gzip.compress(json.dumps(described).encode()))
    strings = lambda names: {"fields": [{"name": one, "type": "string"} for one in names]}  # noqa: E731
    resources.append(resource("ledger", "ledger.csv", 3, strings(LEDGER)))
    resources.append(resource("files", "files/index.csv.gz", 0, strings(FILES), packed=True))
    write("data/ledger.csv", table(LEDGER, ledger))
    write("data/evidence/pages.csv", table(PAGES, pages))
    write("data/evidence/jobs.csv", table(("object", "job_id"), ()))
    write("data/files/index.csv.gz", gzip.compress(table(FILES, ())))
    prefixes = (("Account", "001"), ("Contact", "003"), ("User", "005"))
    named = {"sobjects": [{"name": name, "keyPrefix": prefix} for name, prefix in prefixes]}
    write("data/schema/sobjects.json.gz", gzip.compress(json.dumps(named).encode()))
    line = json.dumps({"seq": 1, "event": "begun", "prev": "0" * 64})
    write("data/evidence/journal.jsonl", line.encode() + b"\n")
    write("data/datapackage.json", json.dumps({"name": "bench", "resources": resources}).encode())
    key = signing.load_or_create(bag.parent / "key")
    manifest = "".join(f"{digest}  {path}\n" for path, digest, _ in sorted(files))
    tags = {
        "bag-info.txt": "Source-Organization: Bench\nExternal-Identifier: 00D000000000000EAA\n"
        "Sfexit-Archive-Format: sfexit-archive/1\nSfexit-Generation: 1\n"
        f"Sfexit-Signing-Key: {key.fingerprint}\n"
        f"Payload-Oxum: {sum(size for *_, size in files)}.{len(files)}\n",
        "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "manifest-sha256.txt": manifest,
    }
    for name, text in tags.items():
        (bag / name).write_text(text)
    told = "".join(f"{hashlib.sha256(t.encode()).hexdigest()}  {n}\n" for n, t in tags.items())
    (bag / "tagmanifest-sha256.txt").write_text(told)
    signing.seal(bag, key)


def resource(
    name: str, path: Any, rows: int, schema: Any, *, title: str = "", packed: bool = False
) -> Any:
    told = {"name": name, "path": path, "format": "csv", "mediatype": "text/csv",
            "encoding": "utf-8",
            "dialect": {"delimiter": ",", "quoteChar": '"', "doubleQuote": True},
            "rows": rows, "schema": schema}  # fmt: skip
    return told | ({"title": title} if title else {}) | ({"compression": "gz"} if packed else {})


@dataclass(frozen=True)
class Cost:
    """Seconds of the clock and of all processors; peak memory of the largest process, MB."""

    wall: float
    cpu: float
    peak_mb: float


def run(words: Sequence[str], folder: Path) -> Cost:
    began = time.perf_counter()
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    told = process.stdout.read().decode("utf-8", "replace")
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(words[:4])} failed:\n{told[-2000:]}")
    wall = time.perf_counter() - began
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        place = options.keep or Path(temp)
        bag, small = place / f"rows-{options.rows}" / "0001", place / "small" / "0001"
        for folder, rows in ((bag, options.rows), (small, FRICTIONLESS_ROWS)):
            if not folder.exists():
                # In another process: what a child is said to have used begins with its parent's.
                process = get_context("spawn").Process(target=make, args=(folder, rows))
                process.start()
                process.join()
        measure(bag, small, options.rows, options.rounds)


def measure(bag: Path, small: Path, rows: int, rounds: int) -> None:
    verify = [sys.executable, "-m", "sfexit", "verify-backup", "-q", "--offline"]
    package = "data/datapackage.json"
    sums = "sha256sum -c --quiet manifest-sha256.txt"
    two = "cut -c67- manifest-sha256.txt | xargs -P2 -n4 sha256sum"
    contenders = {
        "sha256sum": (["sh", "-c", sums], bag),
        "sha256sum, two at once": (["sh", "-c", two], bag),
        "verify-backup": ([*verify, str(bag)], bag),
        "verify-backup --quick": ([*verify, "--quick", str(bag)], bag),
        "verify-backup --deep": ([*verify, "--deep", str(bag)], bag),
        "frictionless": ([sys.executable, "-m", "frictionless", "validate", package], small),
    }
    found: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (words, folder) in contenders.items():
            found[name].append(run(words, folder))
    size = sum(path.stat().st_size for path in bag.rglob("*") if path.is_file())
    print(f"{rows:,} contacts and {rows // 5:,} accounts, {size / 1e6:,.0f} MB, {rounds} rounds\n")
    print(f"{'':<26}{'wall s':>9}{'CPU s':>9}{'MB/s':>9}{'rows/s':>11}{'peak MB':>9}")
    median: dict[str, Cost] = {}
    for name, costs in found.items():
        wall, cpu, peak = (
            statistics.median(getattr(c, one) for c in costs) for one in ("wall", "cpu", "peak_mb")
        )
        median[name] = Cost(wall, cpu, peak)
        read = FRICTIONLESS_ROWS if name == "frictionless" else rows
        told = (
            f"{(read + read // 5) / wall:>11,.0f}"
            if "deep" in name or name == "frictionless"
            else f"{'':>11}"
        )
        speed = "" if name == "frictionless" else f"{size / 1e6 / wall:,.0f}"
        print(f"{name:<26}{wall:>9.2f}{cpu:>9.2f}{speed:>9}{told}{peak:>9.0f}")

    def ratio(one: str, other: str, clock: str) -> float:
        pairs = zip(found[one], found[other], strict=True)
        return statistics.median(getattr(a, clock) / getattr(b, clock) for a, b in pairs)

    speed_ratio = ratio("sha256sum", "verify-backup", "wall")
    print(f"\nverify-backup / sha256sum, throughput: {speed_ratio:.2f}")
    times = rows / FRICTIONLESS_ROWS
    deep = {
        clock: times * ratio("frictionless", "verify-backup --deep", clock)
        for clock in ("wall", "cpu")
    }
    print(
        f"--deep / frictionless, rows/s: {deep['wall']:.1f}; rows per CPU second: {deep['cpu']:.1f}"
    )


if __name__ == "__main__":
    main()
