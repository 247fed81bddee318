"""Documents that only other records name: each is told, with the permission that shows it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rig import Rig, archive_rows, ledger_of, problems_of_bag, small_objects

from sfexit.archive import layout
from sfexit.export.files import unlisted
from sfexit.export.plan import Selection
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.schema import SObject
from sfexit.verify.codes import Level
from sfexit.verify.offline import Options, verify_offline

NAMES = ("ContentFolder", "ContentFolderItem", "ContentFolderMember", "ContentWorkspace")
FILES = ("ContentDocument", "ContentDocumentLink", "ContentVersion")


def objects() -> list[SObject]:
    named = {one.name: one for one in standard_objects()}
    files = [replace(named[name], weight=0.0, fixed=40, _index={}) for name in FILES]
    return [*small_objects(), *files, *(named[name] for name in NAMES)]


def unlisted_of(bag: Path) -> dict[str, dict[str, str]]:
    with (bag / layout.BODY_EXCEPTIONS).open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["kind"] == "unlisted"]
    return {row["record_id"]: row for row in rows}


def bag_of(result: Any) -> Path:
    assert result.bag is not None
    assert problems_of_bag(result.bag.path) == []
    bag: Path = result.bag.path
    return bag


def expected(rig: Rig, bag: Path) -> set[str]:
    """The org's own truth of what is named in the bag's folders and hidden from its lists."""
    listed = {row["Id"] for row in archive_rows(bag, "ContentDocument")}
    named = {row["ChildRecordId"] for row in rig.truth("ContentFolderMember")}
    return (named & {row["Id"] for row in rig.truth("ContentDocument")}) - listed


def test_documents_of_other_libraries_are_named_with_the_permission_that_shows_them(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(objects=objects(), foreign_library_every=4)
    bag = bag_of(rig.run())
    found = unlisted_of(bag)
    assert set(found) == expected(rig, bag) != set()
    assert all("ContentFolderMember.ChildRecordId" in row["reason"] for row in found.values())
    line = ledger_of(bag)["ContentDocument"]
    assert f"{len(found)} more named by other records and not shown" in line.reason
    assert "Query All Files" in line.remedy and line.incomplete
    proven = verify_offline(rig.root, Options(level=Level.DEEP, workers=1)).judgement
    assert [one for one in proven.findings if one.object == "ContentDocument"] == []


def test_with_the_permission_none_is_unlisted(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(objects=objects(), foreign_library_every=4, query_all_files=True)
    bag = bag_of(rig.run())
    assert unlisted_of(bag) == {}
    assert not ledger_of(bag)["ContentDocument"].incomplete
    assert not rig.notes.said("came after the list")


def test_documents_that_are_not_wanted_are_not_missed(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(objects=objects(), foreign_library_every=4)
    names = frozenset({"ContentFolderMember", "ContentFolderItem", "ContentWorkspace"})
    bag = bag_of(rig.run(selection=Selection(objects=names)))
    assert archive_rows(bag, "ContentFolderMember")
    assert unlisted_of(bag) == {}


def test_documents_that_came_after_the_list_are_no_hidden_ones(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unlisted, "_LISTED_BY", ())  # as if all of them were new
    rig = make_rig(objects=objects(), foreign_library_every=4)
    bag = bag_of(rig.run())
    assert set(unlisted_of(bag)) == expected(rig, bag) != set()
    assert rig.notes.said("documents came after the list of them was read")
