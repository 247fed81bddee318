"""Exports in processes of their own, and what to check of a home after one was killed."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from rig import (
    BULK_FROM,
    Rig,
    archive_rows,
    files_below,
    journal_events,
    ledger_of,
    problems_of_bag,
)

from sfexit.archive import layout
from sfexit.archive.journal import good_prefix
from sfexit.archive.layout import HomeLayout
from sfexit.simulated_org import Fault


class Zygote:
    """The warm process of zygote.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def export(
        self,
        rig: Rig,
        *,
        fatal: int | None = None,
        started: Callable[[int], None] | None = None,
        refresh: bool = False,
    ) -> dict[str, Any]:
        """Export or refresh `rig` in a new process; `started` is told its process id."""
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {
            "environment": rig.environment,
            "root": str(rig.root),
            "key": str(rig.folder / "key"),
            "bulk_from": BULK_FROM,
            "fatal": fatal,
            "refresh": refresh,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        pid = json.loads(self._process.stdout.readline())["pid"]
        if started is not None:
            started(pid)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


def work_problems(root: Path) -> tuple[list[str], int]:
    """What is wrong with an export that was killed, and how many pages are there but unrecorded.

    Every page that the journal names is whole; every page under a final name is whole.
    """
    place = HomeLayout(root)
    lines = place.work / layout.WORK_JOURNAL
    if not place.work_bag.is_dir() or not lines.exists():
        return [], 0
    wrong = []
    recorded: dict[str, dict[str, Any]] = {}
    data = lines.read_bytes()[: good_prefix(lines)[0]]
    for line in data.splitlines():
        event = json.loads(line)
        if event["event"] == "page":
            recorded[event["path"]] = event
        elif event["event"] == "page_lost":
            recorded.pop(event["path"], None)
        elif event["event"] == "reading":  # pages of the reading before are dropped
            gone = [p for p, e in recorded.items() if e["object"] == event["object"]]
            for path in gone:
                del recorded[path]
        elif event["event"] == "slice_split":
            gone = [
                path
                for path, e in recorded.items()
                if (e["object"], e["slice"]) == (event["object"], event["slice"])
            ]
            for path in gone:
                del recorded[path]
    for path, event in recorded.items():
        page = place.work_bag / path
        if not page.exists():
            wrong.append(f"{path}: recorded but gone")
        elif hashlib.sha256(page.read_bytes()).hexdigest() != event["sha256"]:
            wrong.append(f"{path}: recorded but not whole")
    unrecorded = 0
    for page in (place.work_bag / "data/records").glob("*/*.csv.gz"):
        relative = page.relative_to(place.work_bag).as_posix()
        unrecorded += relative not in recorded
        if not whole_gzip(page):
            wrong.append(f"{relative}: under its final name but not whole")
    return wrong, unrecorded


def whole_gzip(page: Path) -> bool:
    try:
        return gzip.decompress(page.read_bytes()).endswith(b"\n")
    except (OSError, EOFError):
        return False


def repeated(bag: Path) -> list[str]:
    """Pages of a sealed bag that were fetched again although they were done."""
    done: set[str] = set()
    again = []
    for event in journal_events(bag):
        if event["event"] == "page":
            if event["path"] in done:
                again.append(event["path"])
            done.add(event["path"])
        elif event["event"] == "page_lost":
            done.discard(event["path"])
    return again


# One request in three or four goes wrong in one of these ways.
_WAYS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("status", "*", {"code": 503}),
    ("status", "*", {"code": 429, "retry_after": 1}),
    ("status", "*", {"code": 502}),
    ("concurrent", "*", {}),
    ("reset", "*", {}),
    ("close_short", "*", {}),
    ("gzip_short", "*", {}),
    ("junk_after", "*", {}),
    ("html", "*", {}),
    ("drop_rows", "bulk.results", {}),
    ("lost_answer", "bulk.create", {}),
)


@dataclass
class Storm:
    """What a storm of kills came to."""

    kills: int = 0
    runs: int = 0
    sealed: int = 0
    sealed_incomplete: int = 0
    faults: int = 0
    unrecorded: int = 0  # pages published, and the process killed before they were recorded
    most_unrecorded: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


def storm(
    folder: Path, *, kills: int, faults: float, seed: int, rows: int = 500, zygote: Zygote
) -> Storm:
    """Export home after home, killing the process at random instants, until `kills` are done."""
    random = Random(seed)
    told = Storm()
    while told.kills < kills or not told.sealed:
        rig = Rig(folder / f"home{told.sealed}", rows=rows, bulk_page_rows=25, rest_page_rows=8)
        rig.folder.mkdir(parents=True)
        rig.renewable()
        for kind, endpoint, details in _WAYS:
            fault = Fault(kind, endpoint, times=None, probability=faults / len(_WAYS), **details)
            rig.plan.add(fault)
        try:
            _until_sealed(rig, random, told, kills, zygote)
        finally:
            told.faults += len(rig.plan.fired)
            rig.close()
    return told


def _until_sealed(rig: Rig, random: Random, told: Storm, kills: int, zygote: Zygote) -> None:
    for _ in range(400):
        told.runs += 1
        answer = zygote.export(rig, started=killer(rig, random) if told.kills < kills else None)
        wrong, unrecorded = work_problems(rig.root)
        told.violations += wrong
        if answer["status"] == -signal.SIGKILL:
            told.kills += 1
            told.unrecorded += unrecorded
            told.most_unrecorded = max(told.most_unrecorded, unrecorded)
        elif "error" in answer:
            told.errors[answer["error"]] += 1
            if answer["error"] == "ArchiveProblem":
                told.violations.append(answer["message"])
        elif answer["status"] != 0:
            told.violations.append(f"the process ended with {answer}")
            return
        if "bag" in answer:
            told.sealed += 1
            told.sealed_incomplete += bool(answer["incomplete"])
            told.violations += sealed_problems(rig, Path(answer["bag"]))
            return
    told.violations.append("400 runs did not seal the archive")


def killer(rig: Rig, random: Random) -> Callable[[int], None]:
    """Kills the process at some instant soon."""
    calls, delay = random.randrange(1, 70), random.uniform(0, 0.02)

    def started(pid: int) -> None:
        def kill() -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        def soon() -> None:
            timer = threading.Timer(delay, kill)
            timer.daemon = True
            timer.start()

        rig.org._plans.clear()
        rig.org.after_calls(calls, soon)

    return started


def sealed_problems(rig: Rig, bag: Path) -> list[str]:
    """Everything that must hold of a sealed bag, objects that failed in so many words aside."""
    wrong = problems_of_bag(bag)
    lines = ledger_of(bag)
    if set(lines) != set(rig.org.objects):
        wrong.append("the ledger does not name every object")
    for name, line in lines.items():
        if line.outcome in ("exported", "empty") and archive_rows(bag, name) != rig.truth(name):
            wrong.append(f"{name}: {line.outcome}, but not the org's rows")
        if line.outcome == "failed" and not (line.reason and line.remedy):
            wrong.append(f"{name}: failed without a word")
    wrong += [f"{path}: done, and yet fetched again" for path in repeated(bag)]
    wrong += [str(path) for path in files_below(rig.root) if path.name.endswith(".part")]
    return wrong
