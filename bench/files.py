"""Files: sfexit against plain downloads of the same bodies, in one run, taking turns.

    python bench/files.py [--files 2000] [--scale 4] [--rounds 3] [--latency 0.15]
    python bench/files.py --whole --files 20000 --scale 0.2 --large 2

Contenders, each a process of its own against the same simulated org:

    sfexit   export of ContentVersion into a sealed archive: checked, flushed, read back, signed
    stage    of the same run: from the first file to the last one journaled and read again
    plain    8 parallel downloads to disk, then `sha256sum` over all of them
    simple   simple-salesforce's session, one body after the other

The org tells sizes and MD5; they are worked out before the first round.

`--whole` exports all objects with files once, one of them `--large` GB, and has the org itself
compare every body that it holds with the archive.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

THREADS = 8
BASE = "/services/data/v66.0"


# What has files, and what these objects lean on.
OBJECTS = (
    "Organization", "User", "Profile", "Account", "Attachment", "Document", "ContentDocument",
    "ContentVersion", "ContentDocumentLink", "Invoice__c",
)  # fmt: skip


def serve(files: int, scale: float, latency: float, large: float) -> None:
    """The org, in a process of its own; tells its address and waits for the end of stdin."""
    from sfexit.simulated_org import Pace, SimulatedOrg
    from sfexit.simulated_org import serve as serving

    org = SimulatedOrg(rows=round(files / 0.0093), query_all_files=True)
    org.tables.bodies.scale = scale
    if large:
        org.tables.bodies.sizes["ContentVersion", 0] = round(large * (1 << 30))
    paths, size = [], 0
    for row in org.truth("ContentVersion"):
        here = row["FileType"] != "LINK" and row["ContentLocation"] == "S"
        if here and row["IsDeleted"] == "false":
            paths.append(f"{BASE}/sobjects/ContentVersion/{row['Id']}/VersionData")
            size += int(row["ContentSizeLong"] or 0)
    with serving(org, pace=Pace(latency_seconds=latency)) as server:
        told = {"url": server.url, "token": org.access_token, "paths": paths, "bytes": size}
        print(json.dumps(told), flush=True)
        for line in sys.stdin:
            print(json.dumps(compared(org, Path(line.strip()))) if line.strip() else org.calls)
            sys.stdout.flush()


def compared(
    org: Any, bag: Path, objects: Container[str] | None = OBJECTS, seen_by: Any = None
) -> dict[str, Any]:
    """Every body that the org holds (that the user sees, of these objects; None: of all) against a
    bag, by nothing of sfexit's reading."""
    with gzip.open(bag / "data/files/index.csv.gz", "rt", encoding="utf-8", newline="") as text:
        lines = {
            (one["object"], one["record_id"], one["field"], one["reference"][:15]): one
            for one in csv.DictReader(text)
        }
    with (bag / "data/evidence/body_exceptions.csv").open(encoding="utf-8", newline="") as text:
        named = {
            (one["object"], one["record_id"], one["field"], one["reference"][:15])
            for one in csv.DictReader(text)
        }
    told = {"in the org": 0, "same bytes": 0, "named": 0, "wrong": 0, "silent": 0}
    for *place, whole in org.body_truth(seen_by):
        if objects is not None and place[0] not in objects:
            continue
        told["in the org"] += 1
        line = lines.pop(tuple(place), None)
        if line is None:
            told["named" if tuple(place) in named else "silent"] += 1
            continue
        same = digest(bag / "data" / line["path"]) == hashlib.sha256(whole()).hexdigest()
        told["same bytes" if same else "wrong"] += 1
    told["not in the org"] = len(lines)
    return told


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def plain(told: dict[str, Any], out: Path) -> None:
    """8 parallel downloads, then sha256sum."""
    import requests

    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=THREADS))
    session.headers.update({"Authorization": f"Bearer {told['token']}"})
    session.headers["Accept-Encoding"] = "identity"

    def one(path: str) -> None:
        with session.get(told["url"] + path, stream=True) as answer:
            answer.raise_for_status()
            with (out / path.split("/")[-2]).open("wb") as file:
                while piece := answer.raw.read(1 << 16):
                    file.write(piece)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, told["paths"]))
    words = f"find {out} -type f -print0 | xargs -0 sha256sum > {out}.sums"
    subprocess.run(words, shell=True, check=True)


def export(told: dict[str, Any], out: Path) -> None:
    """sfexit, with the seconds of its stage of files told on stdout."""
    from sfexit.commands.main import run as command
    from sfexit.export.files.stage import Files

    spent = [0.0, 0.0]

    def watched(name: str) -> None:
        real = getattr(Files, name)

        def timed(self: Files) -> Any:
            wall, cpu = time.monotonic(), time.process_time()
            try:
                return real(self)
            finally:
                spent[0] += time.monotonic() - wall
                spent[1] += time.process_time() - cpu

        setattr(Files, name, timed)

    watched("take")
    watched("read_back")
    words = ["export", str(out), "--quiet", "--api-budget", "100%"]
    code = command([*words, "--objects", ",".join(told["objects"])])
    print(json.dumps(spent), flush=True)
    raise SystemExit(code)


def simple(told: dict[str, Any], out: Path) -> None:
    """simple-salesforce's session, one after the other."""
    import requests
    from simple_salesforce import Salesforce

    host = told["url"].removeprefix("http://")
    session = requests.Session()
    client = Salesforce(instance=host, session_id=told["token"], session=session, version="66.0")
    for path in told["paths"]:
        answer = client.session.get(told["url"] + path, headers=client.headers)
        answer.raise_for_status()
        (out / path.split("/")[-2]).write_bytes(answer.content)


@contextmanager
def org_of(given: argparse.Namespace) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The serving process and what it told."""
    words = [sys.executable, __file__, "--as", "org", "--files", str(given.files)]
    words += ["--scale", str(given.scale), "--latency", str(given.latency)]
    words += ["--large", str(given.large)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()


def calls(process: subprocess.Popen[str]) -> int:
    """API calls the org has counted so far."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description="files: sfexit against plain downloads")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--scale", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--whole", action="store_true", help="all stores, compared with the org")
    parser.add_argument("--large", type=float, default=0.0, help="GB of one of the files")
    parser.add_argument("--as", dest="role", default="")
    parser.add_argument("--told", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.role == "org":
        return serve(given.files, given.scale, given.latency, given.large)
    if given.role:
        told = json.loads(given.told.read_text())
        return {"plain": plain, "simple": simple, "sfexit": export}[given.role](told, given.out)
    with tempfile.TemporaryDirectory() as text, org_of(given) as (process, told):
        folder = Path(text)
        told["objects"] = OBJECTS if given.whole else ["ContentVersion"]
        (folder / "told.json").write_text(json.dumps(told))
        if given.whole:
            return whole(folder, process, told)
        costs: dict[str, list[tuple[float, float, float, int]]] = {}
        for _ in range(given.rounds):
            for name in ("sfexit", "plain", "simple"):
                spent, stage = run(name, folder, process, told)
                costs.setdefault(name, []).append(spent)
                if stage:
                    costs.setdefault("stage", []).append((*stage, *spent[2:]))
        count, size = len(told["paths"]), told["bytes"]
        print(f"{count:,} bodies, {size / 1e6:,.0f} MB, latency {given.latency} s")
        print(
            f"{'':8}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}{'calls':>8}{'bodies/s':>10}{'MB/s':>8}"
        )
        middle = {n: [statistics.median(c) for c in zip(*v, strict=True)] for n, v in costs.items()}
        for name, (wall, cpu, peak, asked) in middle.items():
            print(
                f"{name:8}{wall:8.2f}{cpu:8.2f}{peak:9.0f}{asked:8.0f}{count / wall:10.0f}"
                f"{size / wall / 1e6:8.1f}   to it: stage {middle['stage'][0] / wall:.2f}, "
                f"sfexit {middle['sfexit'][0] / wall:.2f}"
            )
    return None


def whole(folder: Path, process: subprocess.Popen[str], told: dict[str, Any]) -> None:
    """One export of everything with files, and what the org says of the archive."""
    (wall, cpu, peak, asked), stage = run("sfexit", folder, process, told)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{folder / 'out/bags/0001'}\n")
    process.stdin.flush()
    print(f"whole {wall:.0f} s wall, {cpu:.0f} s CPU, peak {peak:.0f} MB, {asked:,} calls")
    print(f"stage of files {stage[0]:.0f} s wall, {stage[1]:.0f} s CPU")
    print(json.loads(process.stdout.readline()))


def run(
    name: str, folder: Path, process: subprocess.Popen[str], told: dict[str, Any]
) -> tuple[tuple[float, float, float, int], tuple[float, ...]]:
    """One contender once: wall and CPU seconds, peak MB, calls; and of sfexit the wall and CPU
    seconds of its stage of files, the last look at them included."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    environment = dict(os.environ)
    if name == "sfexit":
        environment |= {
            "SFEXIT_INSTANCE_URL": told["url"],
            "SFEXIT_ACCESS_TOKEN": told["token"],
            "SFEXIT_CONFIG_DIR": str(folder / "config"),
        }
    else:
        out.mkdir()
    words = [sys.executable, __file__, "--as", name, "--out", str(out)]
    words += ["--told", str(folder / "told.json")]
    before, began = calls(process), time.monotonic()
    with (
        (folder / "said").open("w+b") as said,
        subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=said) as child,
    ):
        assert child.stdout is not None
        printed = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 3):
        last = (folder / "said").read_text()[-2000:]
        raise SystemExit(f"{name} failed ({child.returncode}): {last}")
    wall = time.monotonic() - began
    cpu = usage.ru_utime + usage.ru_stime
    stage = tuple(json.loads(printed.splitlines()[-1])) if name == "sfexit" else ()
    return (wall, cpu, usage.ru_maxrss / 1024, calls(process) - before), stage


if __name__ == "__main__":
    main()
