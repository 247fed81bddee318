"""Bodies of the bag before: one more name for the same bytes, or fetched anew."""

from __future__ import annotations

import csv
import errno
import gzip
import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sfexit.archive import layout
from sfexit.archive.durable import Disk, Handle, telling
from sfexit.errors import ArchiveProblem, DiskTrouble
from sfexit.export.files.fetching import MD5
from sfexit.export.files.held import Held, unchanged
from sfexit.export.files.listing import Body

KEY = "068000000000001AAA"
CONTENT = b"the bytes of a file"
BODY = Body(
    "ContentVersion", KEY, "VersionData", KEY, extension="pdf", size=len(CONTENT),
    md5=hashlib.md5(CONTENT, usedforsecurity=False).hexdigest(), modified="2025-01-01T00:00:00Z",
)  # fmt: skip


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    made = tmp_path / "0001"
    path = made / layout.body_path(KEY, "pdf")
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    index = made / layout.FILES_INDEX
    with gzip.open(index, "wt", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(
            ["path", "bytes", "sha256", "salesforce_md5", "salesforce_bytes", "modified"]
        )
        relative = layout.body_path(KEY, "pdf").removeprefix("data/")
        digest = hashlib.sha256(CONTENT).hexdigest()
        writer.writerow([relative, len(CONTENT), digest, BODY.md5, BODY.size, BODY.modified])
    return made


@pytest.fixture
def means(tmp_path: Path) -> Any:
    new = tmp_path / "work/bag"
    new.mkdir(parents=True)
    return SimpleNamespace(bag=new, disk=Disk(), note=lambda *_: None)


def linked(bag: Path, means: Any, body: Body) -> Path | None:
    held = Held.open(bag, means.bag.parent)
    try:
        outcome = held.link(means, body)
    finally:
        held.close()
    assert not (means.bag.parent / layout.WORK_HELD).exists()
    if outcome is None:
        assert list(means.bag.rglob("*.*")) == []
        return None
    stored = outcome.stored
    assert stored is not None and outcome.kind == ""
    path: Path = means.bag / stored.path
    assert (stored.bytes, stored.sha256) == (
        len(CONTENT),
        hashlib.sha256(CONTENT).hexdigest(),
    )
    return path


def test_the_same_file_gets_a_second_name(bag: Path, means: Any) -> None:
    path = linked(bag, means, BODY)
    assert path is not None and path.samefile(bag / layout.body_path(KEY, "pdf"))
    assert path.stat().st_nlink == 2


def test_it_is_copied_where_there_are_no_links(
    bag: Path, means: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr("os.link", refuse)
    path = linked(bag, means, BODY)
    assert path is not None and path.read_bytes() == CONTENT
    assert path.stat().st_nlink == 1


@pytest.mark.parametrize("full", [True, False])
def test_a_disk_that_cannot_take_the_copy_pauses_the_run(
    bag: Path, means: Any, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "no links here")

    class Failing(Disk):
        def write(self, handle: Handle, data: bytes | memoryview) -> None:
            if full:
                with telling(None):
                    raise OSError(errno.ENOSPC, "no space")
            super().write(handle, bytes(data).upper())

    monkeypatch.setattr("os.link", refuse)
    means.disk = Failing()
    if full:
        with pytest.raises(DiskTrouble, match="full"):
            linked(bag, means, BODY)
    else:
        assert linked(bag, means, BODY) is None


def test_what_is_not_what_its_row_says_is_said_of_the_next_bag_too(bag: Path, means: Any) -> None:
    index = bag / layout.FILES_INDEX
    told = gzip.decompress(index.read_bytes()).decode()
    index.write_bytes(gzip.compress(told.replace(BODY.md5, "0" * 32).encode()))
    held = Held.open(bag, means.bag.parent)
    outcome = held.link(means, replace(BODY, md5="0" * 32))
    held.close()
    assert outcome is not None and outcome.stored is not None
    assert (outcome.kind, outcome.bytes, outcome.md5) == (MD5, len(CONTENT), BODY.md5)
    assert outcome.as_event("now")["kept"] is True


@pytest.mark.parametrize("content", [CONTENT + b"!", CONTENT.upper(), b"", None])
def test_a_file_that_is_not_what_the_index_says_is_not_carried_on(
    bag: Path, means: Any, content: bytes | None
) -> None:
    path = bag / layout.body_path(KEY, "pdf")
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert linked(bag, means, BODY) is None


@pytest.mark.parametrize(
    "change", [{"md5": "0" * 32}, {"size": 1}, {"size": None}, {"md5": ""}, {"key": KEY[:-1] + "B"}]
)
def test_what_the_org_tells_otherwise_is_fetched(
    bag: Path, means: Any, change: dict[str, Any]
) -> None:
    assert linked(bag, means, replace(BODY, **change)) is None


def test_without_a_checksum_only_an_untouched_row_is_believed() -> None:
    told = {"salesforce_bytes": "19", "salesforce_md5": "", "modified": "2025-01-01"}
    attachment = Body("Attachment", KEY, "Body", KEY, size=19, modified="2025-01-01")
    assert unchanged(attachment, told)
    assert not unchanged(replace(attachment, modified="2025-01-02"), told)
    assert not unchanged(replace(attachment, modified=""), {**told, "modified": ""})
    assert unchanged(replace(attachment, reference=KEY), {**told, "salesforce_bytes": "7"})


def test_what_lies_in_the_place_goes(bag: Path, means: Any) -> None:
    old = means.bag / layout.body_path(KEY, "pdf")
    old.parent.mkdir(parents=True)
    old.write_bytes(b"of a run that was killed")
    path = linked(bag, means, BODY)
    assert path == old and path.read_bytes() == CONTENT


def test_a_damaged_index_is_said(bag: Path, tmp_path: Path) -> None:
    index = bag / layout.FILES_INDEX
    index.write_bytes(index.read_bytes()[:-9])
    with pytest.raises(ArchiveProblem, match="verify the archive"):
        Held.open(bag, tmp_path)


def test_many_threads_look_up_at_once(bag: Path, tmp_path: Path) -> None:
    held = Held.open(bag, tmp_path)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.extend(held.find(KEY) for _ in range(50)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held.close()
    assert len(found) == 200 and all(one and one["salesforce_md5"] == BODY.md5 for one in found)
