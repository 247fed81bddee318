# ruff: noqa: E501 - a table is read line by line
"""Archives that a refresh made: intact as they are, and damage in their new parts is named."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import damage as d
import pytest
from conftest import Made

from sfexit.verify.codes import Level
from sfexit.verify.offline import Offline, Options, verify_offline
from sfexit.verify.verdict import Verdict

WIRE = "data/evidence/wire/Contact.csv.gz"


def look(made: Made, place: Path | None = None) -> Offline:
    options = Options(level=Level.DEEP, expect_key=made.key.fingerprint, workers=1)
    return verify_offline(place or made.home, options)


@pytest.fixture
def mine(refreshed: Made, tmp_path: Path) -> Made:
    shutil.copytree(refreshed.home, tmp_path / "home", copy_function=shutil.copyfile)
    return Made(tmp_path / "home", refreshed.key, refreshed.name)


def origins(rows: list[list[str]], origin: str) -> list[list[str]]:
    at = rows[0].index("origin")
    return [row for row in rows[1:] if row[at] == origin]


def set_source(origin: str, value: str) -> Callable[[Path], None]:
    def change(rows: list[list[str]]) -> None:
        origins(rows, origin)[0][rows[0].index("from_sha256")] = value

    return lambda bag: d.edit_csv(bag / d.PAGES, change)


def wire(change: Callable[[list[list[str]]], object]) -> Callable[[Path], None]:
    return lambda bag: d.edit_csv(bag / WIRE, change)


def first_generation(bag: Path) -> None:
    path = bag / "bag-info.txt"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(x for x in lines if not x.startswith("Sfexit-Previous-Root")))


def here(rows: list[list[str]]) -> list[str]:
    return next(row for row in rows[1:] if row[1] != "gone")


def fewer_kept(rows: list[list[str]]) -> None:
    line, at = d.line_of(rows, "object", "Contact"), rows[0].index("witnesses")
    line[at] = re.sub(r"kept=[0-9]+", "kept=1", line[at])


DAMAGES: list[tuple[str, str, Callable[[Path], None]]] = [
    ("a rewritten page without its source", "evidence/pages.csv", set_source("rewritten", "")),
    ("a received page with a source", "evidence/pages.csv", set_source("received", "0" * 64)),
    ("no bag before", "names no bag before", first_generation),
    ("rows kept and fetched that are too few", "kept or fetched", lambda bag: d.edit_csv(bag / d.LEDGER, fewer_kept)),
    ("a gone row that is here", "the org has it no more", wire(lambda r: here(r).__setitem__(1, "gone"))),
    ("nobody knows what became of it", "what became of the row", wire(lambda r: r[1].__setitem__(1, "eaten"))),
    ("a row twice", "each id once", wire(lambda r: r.append(r[-1]))),
    ("a new row that had a page", "unless it is new", wire(lambda r: here(r).__setitem__(1, "new"))),
    ("rows of no object", "an object of the ledger", lambda bag: (bag / WIRE).rename((bag / WIRE).with_name("Nobody.csv.gz"))),
]  # fmt: skip


def test_every_bag_of_a_refreshed_home_is_intact(refreshed: Made) -> None:
    for bag in sorted((refreshed.home / "bags").iterdir()):
        told = look(refreshed, bag)
        assert told.judgement.verdict is Verdict.INTACT, told.judgement.findings
    pages = d.read_csv(refreshed.bag / d.PAGES)
    assert origins(pages, "rewritten"), "else this proves nothing"
    assert (refreshed.bag / WIRE).exists()
    looked = next(one for one in told.judgement.checks if one.name == "refresh").looked_at
    assert looked.startswith(f"{len(origins(pages, 'rewritten'))} rewritten pages")


@pytest.mark.parametrize(("name", "where", "do"), DAMAGES, ids=[one[0] for one in DAMAGES])
def test_damage_is_named(name: str, where: str, do: Callable[[Path], None], mine: Made) -> None:
    do(mine.bag)
    d.reseal(mine.bag, mine.key)
    told = look(mine)
    assert told.judgement.verdict is Verdict.DAMAGED
    texts = [" ".join(map(str, astuple(one))) for one in told.judgement.findings
             if one.kind == "refresh"]  # fmt: skip
    assert any(where in text for text in texts), texts


def test_another_bag_before(mine: Made) -> None:
    bag = mine.home / "bags" / "0002"
    d.edit_csv(bag / d.LEDGER, lambda rows: rows[1].__setitem__(1, "another"))
    d.reseal(bag, mine.key)
    assert any("generation before" in one.detail for one in look(mine).judgement.findings)
