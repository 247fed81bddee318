"""`sfexit materialize`: a tree of an archive's files, for people."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sfexit.archive import layout
from sfexit.simulated_org import FaultPlan, serve

from .conftest import COMPLETE, Company, Ran, small_org

Sfexit = Callable[..., Ran]


@pytest.fixture
def archive(tmp_path: Path, sfexit: Sfexit) -> Path:
    """A home with a few dozen files."""
    files = ("ContentDocument", "ContentVersion", "ContentDocumentLink", "Attachment", "Document",
             "Folder", "ContentFolder", "ContentFolderItem", "ContentFolderMember")  # fmt: skip
    org = small_org(names=(*COMPLETE, *files), rows=1500, query_all_files=True)
    home = tmp_path / "acme-exit"
    with serve(org, FaultPlan(seed=1)) as server:
        told = Company(server, FaultPlan(seed=1), tmp_path).credentials()
        ran = sfexit("export", home, "-q", **told)
    assert ran.code in (0, 3), ran.err
    return home


def digests(folder: Path) -> set[str]:
    return {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".sfexit-tree.json"
    }


@pytest.mark.parametrize("by", ["record", "folder"])
def test_every_file_is_in_the_tree(sfexit: Sfexit, archive: Path, tmp_path: Path, by: str) -> None:
    tree = tmp_path / "tree"
    ran = sfexit("materialize", archive, tree, "--by", by, "--json")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert (told["schema"], told["by"]) == ("sfexit-materialize/1", by)
    with gzip.open(
        archive / "bags/0001" / layout.FILES_INDEX, "rt", encoding="utf-8", newline=""
    ) as handle:
        index = list(csv.DictReader(handle))
    assert index and digests(tree) == {one["sha256"] for one in index}
    assert all(path.resolve().is_relative_to(tree.resolve()) for path in tree.rglob("*"))
    assert f"{told['files']:,} files" in ran.err and str(tree) in ran.err
    before = digests(archive)
    again = json.loads(sfexit("materialize", archive, tree, "--by", by, "--json", "-q").out)
    assert again["made"] == 0 and again["files"] == told["files"]
    assert digests(archive) == before


def test_a_damaged_file_is_said_at_the_end(sfexit: Sfexit, archive: Path, tmp_path: Path) -> None:
    body = max((archive / "bags/0001/data/files").rglob("068*"), key=lambda one: one.stat().st_size)
    body.chmod(0o600)
    body.write_bytes(b"X" * body.stat().st_size)
    ran = sfexit("materialize", archive, tmp_path / "tree", "--json")
    told = json.loads(ran.out)
    assert ran.code == 1 and told["damaged"] >= 1
    assert f"without {told['damaged']} of the files" in ran.err and body.name in ran.err


def test_refusals_are_one_sentence(sfexit: Sfexit, archive: Path, tmp_path: Path) -> None:
    inside = sfexit("materialize", archive, archive / "bags/tree")
    assert inside.code != 0 and inside.sentence
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    ran = sfexit("materialize", archive, full)
    assert ran.code != 0 and str(full) in ran.sentence
    assert (full / "mine.txt").read_text() == "mine"
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    assert sfexit("materialize", nothing, tmp_path / "tree").code != 0
