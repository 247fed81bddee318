"""Mutation test: each kind of damage is noticed, at its level, and named; none passes."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import pytest
from damage import (
    DAMAGES,
    INDEX,
    Damage,
    edit_csv,
    relative,
    remanifest,
    reseal,
    version,
)
from made import Made

from sfexit.archive import signing
from sfexit.verify.codes import CODES, Level, Severity
from sfexit.verify.offline import Offline, Options, verify_offline
from sfexit.verify.verdict import Verdict

LEVELS = [Level.QUICK, Level.NORMAL, Level.DEEP]


def look(made: Made, level: Level) -> Offline:
    return verify_offline(
        made.home, Options(level=level, expect_key=made.key.fingerprint, workers=1)
    )


def do(damage: Damage, made: Made, tmp_path: Path) -> None:
    damage.do(made.bag)
    manifest = (made.bag / "manifest-sha256.txt", made.bag / "bagit.txt")
    if damage.hand == "maker":
        reseal(made.bag, made.key)
    elif damage.hand == "stranger":
        reseal(made.bag, signing.load_or_create(tmp_path / "stranger"))
    elif damage.code == "seal-invalid" and damage.hand == "folder":
        assert all(path.exists() for path in manifest)
        remanifest(made.bag)


@pytest.mark.parametrize("damage", DAMAGES, ids=str)
def test_damage_is_named(damage: Damage, made: Made, tmp_path: Path) -> None:
    do(damage, made, tmp_path)
    for level in sorted({damage.level, Level.DEEP}, key=LEVELS.index):
        told = look(made, level)
        found = [one for one in told.judgement.findings if one.code == damage.code]
        texts = [" ".join(map(str, astuple(one))) for one in found]
        assert any(damage.where in text for text in texts), [
            (one.code, one.path, one.object, one.found) for one in told.judgement.findings
        ]
        wanted = CODES[damage.code].severity
        good = {Severity.DAMAGE: (Verdict.DAMAGED,), Severity.UNKNOWN: (Verdict.UNKNOWN,)}[wanted]
        assert told.judgement.verdict in good


@pytest.mark.parametrize(
    "damage", [one for one in DAMAGES if one.level is not Level.QUICK], ids=str
)
def test_a_lower_level_does_not_claim_it(damage: Damage, made: Made, tmp_path: Path) -> None:
    """The table of levels in the docs tells the truth: what is `deep` needs `deep`."""
    do(damage, made, tmp_path)
    lower = LEVELS[LEVELS.index(damage.level) - 1]
    codes = {one.code for one in look(made, lower).judgement.findings}
    assert damage.code not in codes


def test_a_right_checksum_outweighs_a_size(made: Made) -> None:
    edit_csv(
        made.bag / INDEX,
        lambda rows: version(rows).__setitem__(rows[0].index("salesforce_bytes"), "1"),
    )
    reseal(made.bag, made.key)
    assert "body-wrong" not in {one.code for one in look(made, Level.DEEP).judgement.findings}


def test_the_page_shows_exactly_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "verify-backup.md"
    hands = {
        "disk": "by itself",
        "folder": "by hand, manifests made anew where that helps",
        "stranger": "by hand, and sealed with another key",
        "maker": "sealed so by its maker",
    }
    wanted = [
        f"| {one.name} | {hands[one.hand]} | {one.level.value} | `{one.code}` |" for one in DAMAGES
    ]
    table = page.read_text("utf-8").partition("## Kinds of damage")[2].partition("\n## ")[0]
    assert [line for line in table.splitlines() if "| `" in line] == wanted


def test_there_are_enough_kinds() -> None:
    assert len({damage.name for damage in DAMAGES}) == len(DAMAGES) >= 60
    by_others = [damage for damage in DAMAGES if damage.hand != "maker"]
    assert len(by_others) >= 60, "by somebody who has not the key"


@pytest.mark.parametrize("level", LEVELS)
def test_what_was_not_damaged_is_intact(pristine: Made, level: Level) -> None:
    told = look(pristine, level)
    assert told.judgement.verdict is Verdict.INTACT, told.judgement.findings
    assert told.signature.endswith("by the expected key")
    assert {check.name for check in told.judgement.checks} >= {"names", "tags", "seal", "contents"}


def test_nothing_in_the_archive_was_touched(made: Made) -> None:
    def state() -> dict[str, tuple[int, bytes]]:
        files = [path for path in made.bag.rglob("*") if path.is_file()]
        return {relative(made.bag, p): (p.stat().st_mtime_ns, p.read_bytes()) for p in files}

    before = state()
    look(made, Level.DEEP)
    assert state() == before
