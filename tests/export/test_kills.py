"""SIGKILL at every step of the disk, and at random instants under random faults."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from killing import Zygote, killer, repeated, storm, work_problems
from rig import Rig, archive_rows, no_parts, problems_of_bag

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork and SIGKILL")


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    one = Zygote()
    yield one
    one.close()


# Every step takes minutes; a stride takes seconds and, with another start each time, gets around.
STRIDE = int(os.environ.get("SFEXIT_KILL_STRIDE", "19"))


def check_sealed(rig: Rig, answer: dict[str, Any]) -> None:
    assert answer["status"] == 0 and "bag" in answer, answer
    assert answer["incomplete"] == []
    bag = Path(answer["bag"])
    assert problems_of_bag(bag) == []
    for name in rig.org.objects:
        assert archive_rows(bag, name) == rig.truth(name), name
    assert repeated(bag) == []
    no_parts(rig.root)
    assert rig.jobs() == []


def test_42_killed_at_any_step_of_the_disk(make_rig: Any, zygote: Zygote) -> None:
    rig = make_rig(rows=150)
    whole = zygote.export(rig)
    check_sealed(rig, whole)
    first = 1 + os.getpid() % STRIDE
    for fatal in range(first, whole["steps"] + 1, STRIDE):
        rig.root = rig.folder / f"killed-at-{fatal}"
        killed = zygote.export(rig, fatal=fatal)
        assert killed["status"] == -signal.SIGKILL or killed["status"] == 0, (fatal, killed)
        wrong, _ = work_problems(rig.root)
        assert wrong == [], fatal
        check_sealed(rig, zygote.export(rig))


def test_42_killed_again_and_again(make_rig: Any, zygote: Zygote) -> None:
    """Each run gets only so many steps further: resuming itself is resumed."""
    rig, fatal = make_rig(rows=150), 40
    for _ in range(100):
        answer = zygote.export(rig, fatal=fatal)
        wrong, _ = work_problems(rig.root)
        assert wrong == []
        if answer["status"] == 0:
            break
        # A seal is begun from its start, so the last steps need a longer life.
        fatal += 7
    check_sealed(rig, answer)


@pytest.mark.parametrize("seed", [1, 2])
def test_41_killed_at_random_under_random_faults(
    fast_folder: Path, zygote: Zygote, seed: int
) -> None:
    told = storm(fast_folder, kills=5, faults=0.3, seed=seed, rows=300, zygote=zygote)
    assert told.violations == []
    assert told.kills >= 5
    assert told.faults > 20


# ---- a refresh ---------------------------------------------------------------------------------


def lively_rig(make_rig: Any) -> Any:
    """An org that was exported, and that changed in every way since."""
    rig = make_rig(rows=260)
    org = rig.org
    zygote = Zygote()
    first = zygote.export(rig)
    zygote.close()
    assert "bag" in first
    org.insert_rows("Item__c", 3)
    org.update_rows("Item__c", [2, 65, 130])
    org.delete_rows("Item__c", [7])
    org.undelete_rows("Item__c", [106])
    org.purge_rows("Item__c", [10, 70])
    org.purge_rows("Memo__c", [3])
    org.update_rows("Memo__c", [4])
    return rig


def check_refreshed(rig: Rig, answer: dict[str, Any]) -> None:
    assert answer["status"] == 0 and "bag" in answer, answer
    bag = Path(answer["bag"])
    assert bag.name == "0002"
    for one in (bag, bag.with_name("0001")):
        assert problems_of_bag(one) == []
    for name in rig.org.objects:
        assert archive_rows(bag, name) == rig.truth(name), name
    no_parts(rig.root)
    assert rig.jobs() == []


def test_a_refresh_killed_at_any_step_of_the_disk(make_rig: Any, zygote: Zygote) -> None:
    rig = lively_rig(make_rig)
    start = rig.root
    copies = iter(range(1000))

    def fresh() -> None:
        rig.root = rig.folder / f"copy-{next(copies)}"
        shutil.copytree(start, rig.root)

    fresh()
    whole = zygote.export(rig, refresh=True)
    check_refreshed(rig, whole)
    first = 1 + os.getpid() % STRIDE
    for fatal in range(first, whole["steps"] + 1, STRIDE):
        fresh()
        killed = zygote.export(rig, fatal=fatal, refresh=True)
        assert killed["status"] == -signal.SIGKILL or killed["status"] == 0, (fatal, killed)
        if "bag" not in killed:
            # Killed after its seal, another refresh would find nothing and say so.
            check_refreshed(rig, zygote.export(rig, refresh=True))
        shutil.rmtree(rig.root)


def test_a_refresh_killed_at_random_instants(make_rig: Any, zygote: Zygote) -> None:
    rig, some = lively_rig(make_rig), Random(5)
    start, kills = rig.root, 0
    for number in range(6):
        rig.root = rig.folder / f"copy-{number}"
        shutil.copytree(start, rig.root)
        for _ in range(40):
            answer = zygote.export(rig, started=killer(rig, some), refresh=True)
            if answer["status"] == 0:
                break
            assert answer["status"] == -signal.SIGKILL, answer
            kills += 1
        rig.org._plans.clear()
        check_refreshed(rig, zygote.export(rig, refresh=True))
        shutil.rmtree(rig.root)
    assert kills > 6
