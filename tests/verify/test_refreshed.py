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
from made import Made

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


def taken_over(made: Made) -> list[list[str]]:
    """Pages that were rewritten for the bag before, and are here as they are there."""
    before = d.read_csv(made.home / "bags" / "0002" / d.PAGES)
    return [row for row in origins(d.read_csv(made.bag / d.PAGES), "rewritten") if row in before]


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


def rewritten(bag: Path) -> Path:
    rows = d.read_csv(bag / d.PAGES)
    return bag / "data" / origins(rows, "rewritten")[0][rows[0].index("path")]


def rewritten_rows(change: Callable[[list[list[str]]], object]) -> Callable[[Path], None]:
    def do(bag: Path) -> None:
        path = rewritten(bag)
        d.edit_csv(path, change)
        d.refresh_page(bag, path, rows=len(d.read_csv(path)) - 1)

    return do


def taken_out_too_much(bag: Path) -> None:
    rewritten_rows(lambda rows: rows.pop(7))(bag)


def put_back(bag: Path) -> None:
    """A row that changed stands in its old page as it was, and not where it was fetched."""
    changed = next(x[0] for x in d.read_csv(bag / WIRE) if x[1] == "changed")
    for path in sorted((bag / "data/records/Contact").glob("*.gz")):
        rows = d.read_csv(path)
        if path != rewritten(bag) and any(row[0] == changed for row in rows):
            d.edit_csv(path, lambda rows: rows.remove(next(r for r in rows if r[0] == changed)))
            d.refresh_page(bag, path)
    before = bag.with_name("0002") / rewritten(bag).relative_to(bag)
    old = next(row for row in d.read_csv(before) if row[0] == changed)
    rewritten_rows(lambda rows: rows.insert(sum(r[0] < changed for r in rows[1:]) + 1, old))(bag)


DAMAGES: list[tuple[str, str, Callable[[Path], None]]] = [
    ("a rewritten page without its source", "evidence/pages.csv", set_source("rewritten", "")),
    ("a received page with a source", "evidence/pages.csv", set_source("received", "0" * 64)),
    ("no bag before", "names no bag before", first_generation),
    ("rows kept and fetched that are too few", "kept or fetched", lambda bag: d.edit_csv(bag / d.LEDGER, fewer_kept)),
    ("a gone row that is here", "the org has it no more", wire(lambda r: here(r).__setitem__(1, "gone"))),
    ("nobody knows what became of it", "what became of the row", wire(lambda r: r[1].__setitem__(1, "eaten"))),
    ("a row twice", "each id once", wire(lambda r: r.append(r[-1]))),
    ("a new row that had a page", "unless it is new", wire(lambda r: here(r).__setitem__(1, "new"))),
    ("a row said unchanged that is another", "as it is in the bag before", rewritten_rows(d.cell("LastName", lambda _: "altered"))),
    ("a row taken out and not told", "why it left its page", taken_out_too_much),
    ("a row that changed, taken over as it was", "since it differs", put_back),
    ("a row that its page never had", "only rows of the page it came from", rewritten_rows(lambda rows: rows.append([rows[1][0].replace("QA", "ZZ"), *rows[1][1:]]))),
    ("a page from another one", "from_sha256", set_source("rewritten", "0" * 64)),
    ("rows of no object", "an object of the ledger", lambda bag: (bag / WIRE).rename((bag / WIRE).with_name("Nobody.csv.gz"))),
]  # fmt: skip


def test_every_bag_of_a_refreshed_home_is_intact(refreshed: Made) -> None:
    for bag in sorted((refreshed.home / "bags").iterdir()):
        told = look(refreshed, bag)
        assert told.judgement.verdict is Verdict.INTACT, told.judgement.findings
    pages = d.read_csv(refreshed.bag / d.PAGES)
    now = [row for row in origins(pages, "rewritten") if row not in taken_over(refreshed)]
    assert now and taken_over(refreshed), "else this proves nothing"
    assert (refreshed.bag / WIRE).exists()
    looked = next(one for one in told.judgement.checks if one.name == "refresh").looked_at
    assert looked.startswith(f"{len(origins(pages, 'rewritten'))} rewritten pages")
    # Of Contact and, since signing in moves it, perhaps of User.
    assert int(looked.split("; ")[1].split()[0]) >= len(now)


def test_what_is_said_of_a_page_that_was_taken_over_stays_what_it_was(mine: Made) -> None:
    [path] = {row[0] for row in taken_over(mine)}

    def change(rows: list[list[str]]) -> None:
        d.line_of(rows, "path", path)[rows[0].index("from_sha256")] = "0" * 64

    d.edit_csv(mine.bag / d.PAGES, change)
    d.reseal(mine.bag, mine.key)
    [told] = [one for one in look(mine).judgement.findings if one.kind == "refresh"]
    assert (told.object, told.found) == ("Contact", "0" * 64)


def test_without_the_bag_before_what_cannot_be_derived_is_told(mine: Made) -> None:
    shutil.rmtree(mine.home / "bags" / "0002")
    told = look(mine)
    assert told.judgement.verdict is Verdict.INTACT
    looked = next(one for one in told.judgement.checks if one.name == "refresh").looked_at
    assert "not derived, for want of the page before" in looked


def test_a_page_before_that_is_damaged_is_not_held_against_this_bag(mine: Made) -> None:
    bag = mine.home / "bags" / "0002"
    path = bag / rewritten(mine.bag).relative_to(mine.bag)
    path.write_bytes(path.read_bytes()[:-20])
    told = look(mine)
    assert told.judgement.verdict is Verdict.INTACT
    looked = next(one for one in told.judgement.checks if one.name == "refresh").looked_at
    assert "not derived, for want of the page before" in looked


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
