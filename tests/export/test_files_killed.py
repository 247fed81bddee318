"""SIGKILL while files are fetched: the end is what the org holds, all of it by known bytes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from killing import Zygote, killer
from rig import Rig, no_parts, problems_of_bag
from test_files import exceptions_of, index_of

from sfexit.archive import layout
from sfexit.archive.journal import good_prefix
from sfexit.archive.layout import HomeLayout
from sfexit.simulated_org.catalogue import standard_objects

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork and SIGKILL")

NAMES = {
    "Organization", "User", "Profile", "Account", "ContentDocument", "ContentVersion", "Attachment",
    "Document",
}  # fmt: skip
STRIDE = int(os.environ.get("SFEXIT_KILL_STRIDE", "701"))  # of some thousands of steps


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    one = Zygote()
    yield one
    one.close()


@pytest.fixture
def rig(make_rig: Any) -> Rig:
    objects = [one for one in standard_objects() if one.name in NAMES]
    made: Rig = make_rig(rows=600, objects=objects)
    return made


def truth(rig: Rig) -> dict[tuple[str, str, str], str]:
    """SHA-256 of every body the org holds, by object, record and field."""
    return {
        (name, record_id, field): hashlib.sha256(whole()).hexdigest()
        for name, record_id, field, _, whole in rig.org.body_truth()
    }


def work_problems(rig: Rig, known: set[str]) -> list[str]:
    """What is wrong with the bodies of a killed export: all that is journaled is there and whole,
    all that has its final name is a file of the org."""
    place = HomeLayout(rig.root)
    lines = place.work / layout.WORK_JOURNAL
    if not lines.exists():
        return []
    wrong = []
    for line in lines.read_bytes()[: good_prefix(lines)[0]].splitlines():
        event = json.loads(line)
        for _, key, extension, size, digest in (
            event.get("items", ()) if (event["event"] == "bodies") else ()
        ):
            path = place.work_bag / layout.body_path(key, extension)
            data = path.read_bytes() if path.exists() else b"gone"
            if (len(data), hashlib.sha256(data).hexdigest()) != (size, digest):
                wrong.append(f"{path.name}: journaled and not whole")
    content = place.work_bag / layout.FILES_CONTENT
    final = [path for path in content.rglob("*") if path.suffix not in ("", layout.PART_SUFFIX)]
    for path in final:
        if hashlib.sha256(path.read_bytes()).hexdigest() not in known:
            wrong.append(f"{path.name}: under its final name and not whole")
    return wrong


def check_sealed(rig: Rig, answer: dict[str, Any], expected: dict[Any, str]) -> None:
    assert answer["status"] == 0 and "bag" in answer, answer
    assert answer["incomplete"] == []
    bag = Path(answer["bag"])
    assert problems_of_bag(bag) == []
    no_parts(rig.root)
    missing = dict(expected)
    for line in index_of(bag):
        data = (bag / "data" / line["path"]).read_bytes()
        place = (line["object"], line["record_id"], line["field"])
        assert hashlib.sha256(data).hexdigest() == line["sha256"] == missing.pop(place)
    named = {(one["object"], one["record_id"], one["field"]) for one in exceptions_of(bag)}
    assert set(missing) <= named  # files of the recycle bin, which the org does not give


def test_42_killed_at_any_step_of_the_disk(rig: Rig, zygote: Zygote) -> None:
    expected = truth(rig)
    known = set(expected.values())
    whole = zygote.export(rig)
    check_sealed(rig, whole, expected)
    first = 1 + os.getpid() % STRIDE
    hit = 0
    for fatal in range(first, whole["steps"] + 1, STRIDE):
        rig.root = rig.folder / f"killed-at-{fatal}"
        killed = zygote.export(rig, fatal=fatal)
        assert killed["status"] == -signal.SIGKILL or killed["status"] == 0, (fatal, killed)
        hit += killed["status"] != 0
        assert work_problems(rig, known) == [], fatal
        check_sealed(rig, zygote.export(rig), expected)
    assert hit


@pytest.mark.parametrize("seed", [1, 2])
def test_41_killed_at_random_instants(rig: Rig, zygote: Zygote, seed: int) -> None:
    expected = truth(rig)
    known = set(expected.values())
    random, kills = Random(seed), 0
    for _ in range(60):
        answer = zygote.export(rig, started=killer(rig, random) if kills < 4 else None)
        kills += answer["status"] == -signal.SIGKILL
        assert work_problems(rig, known) == []
        if answer["status"] == 0:
            break
    rig.org._plans.clear()
    check_sealed(rig, answer, expected)
    assert kills
