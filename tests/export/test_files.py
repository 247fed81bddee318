"""The bytes of files, against the org's own truth, under the faults that files meet."""

from __future__ import annotations

import csv
import errno
import gzip
import hashlib
import re
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rig import Rig, ledger_of, no_parts, problems_of_bag
from test_disk import FaultyDisk, Meddler

from sfexit.archive import layout
from sfexit.errors import DiskTrouble, Interrupted, Paused, SignInProblem
from sfexit.export.files import stage
from sfexit.export.files.stage import Files
from sfexit.export.plan import Selection
from sfexit.export.result import ExportResult
from sfexit.materialize.tree import RECORD, materialize
from sfexit.simulated_org import Doubts
from sfexit.simulated_org.catalogue import standard_objects

NAMES = {
    "Organization", "User", "Profile", "Account", "Attachment", "Document", "ContentDocument",
    "ContentVersion", "Invoice__c",
}  # fmt: skip
BODY = "/VersionData"


@pytest.fixture
def rig(make_rig: Any) -> Rig:
    objects = [one for one in standard_objects() if one.name in NAMES]
    made: Rig = make_rig(rows=2500, objects=objects)
    return made


def index_of(bag: Path) -> list[dict[str, str]]:
    with gzip.open(bag / layout.FILES_INDEX, "rt", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def exceptions_of(bag: Path) -> list[dict[str, str]]:
    with (bag / layout.BODY_EXCEPTIONS).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def body_calls(rig: Rig) -> Counter[str]:
    """How often each body was given."""
    paths = (one.path for one in rig.server.requests if one.status in (200, 206, 404))
    return Counter(
        path
        for path in paths
        if "/sobjects/" in path and (path.count("/") == 7 or "richText" in path)
    )


def deleted(rig: Rig, name: str, record_id: str) -> bool:
    table = rig.org.tables.tables[name]
    row = table.ids.row(record_id)
    assert row is not None
    return table.deleted(table.changes, row)


def check_files(
    rig: Rig, result: ExportResult, *, missing: int = 0, odd: int = 0
) -> list[dict[str, str]]:
    """Every byte that the org holds is in the bag, or named; returns the exceptions."""
    assert result.bag is not None
    bag = result.bag.path
    assert problems_of_bag(bag) == []
    no_parts(rig.root)
    lines = {
        (one["object"], one["record_id"], one["field"], one["reference"][:15]): one
        for one in index_of(bag)
    }
    exceptions = exceptions_of(bag)
    named = {
        (one["object"], one["record_id"], one["field"], one["reference"][:15]): one
        for one in exceptions
        if one["kind"] != "elsewhere"
    }
    lost = 0
    for name, record_id, field, ref, whole in rig.org.body_truth():
        line = lines.pop((name, record_id, field, ref), None)
        if line is None:
            kind = named.pop((name, record_id, field, ref))["kind"]
            assert kind == "forbidden" or (kind == "deleted") == deleted(rig, name, record_id)
            lost += kind != "deleted"
            continue
        data = (bag / "data" / line["path"]).read_bytes()
        if (name, record_id, field, ref) not in named:
            assert data == whole(), line
        assert line["sha256"] == hashlib.sha256(data).hexdigest()
        assert line["bytes"] == str(len(data))
    assert lines == {}
    assert lost == missing
    assert sum(one["kept"] == "true" for one in exceptions) == odd
    tool = bag / "data/tools/verify.py"
    done = subprocess.run(
        [sys.executable, str(tool), str(bag)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return exceptions


def test_every_body_is_there_by_one_call_each(rig: Rig) -> None:
    result = rig.run()
    exceptions = check_files(rig, result)
    assert not result.incomplete
    kinds = Counter(one["kind"] for one in exceptions)
    assert kinds["elsewhere"] and kinds["deleted"] and set(kinds) == {"elsewhere", "deleted"}
    assert set(body_calls(rig).values()) == {1}
    assert result.bag is not None
    index = index_of(result.bag.path)
    assert {one["object"] for one in index} == {
        "Attachment", "ContentVersion", "Document", "Invoice__c",
    }  # fmt: skip
    assert any(one["bytes"] == "0" for one in index)
    assert len({one["sha256"] for one in index}) < len(index)  # and each line resolves all the same
    assert "../../../etc/passwd" in {one["title"] for one in index}
    assert {one["version_number"] for one in index if one["object"] == "ContentVersion"} >= {
        "1",
        "2",
    }
    assert result.files_fetched == len({one["path"] for one in index})
    tree = materialize(rig.root, rig.folder / "tree", by=RECORD)
    assert tree.files == len(index) and tree.made <= tree.files
    told = ledger_of(result.bag.path)["ContentVersion"]
    assert told.witnesses["bodies_listed"] == rig.org.count("ContentVersion")
    assert "are links or lie outside of the org" in told.reason
    assert "photos" in ledger_of(result.bag.path)["User"].reason or not any(
        one.name == "FullPhotoUrl" for one in rig.org.tables.full("User").fields
    )


@pytest.mark.parametrize("kind", ["reset", "close_short", "chunk_cut", "lost_answer"])
def test_35_what_breaks_is_fetched_again(rig: Rig, kind: str) -> None:
    rig.fail(kind, "blob", nth=9, times=3)
    rig.fail("body_short", "blob", object="Document")
    check_files(rig, rig.run())
    assert rig.fired(kind)


def test_35_a_body_that_is_twice_the_same_and_not_what_its_row_says(rig: Rig) -> None:
    rig.fail("body_changed", "blob", object="ContentVersion", times=None)
    rig.fail("body_short", "blob", object="Attachment", times=None)
    result = rig.run()
    found = (
        [one for one in exceptions_of(result.bag.path) if one["kind"] in ("size", "md5")]
        if result.bag
        else []
    )
    assert found and all(one["kept"] == "true" for one in found)
    for one in found:
        if one["kind"] == "md5":
            assert len(one["md5"]) == len(one["salesforce_md5"]) == 32
            assert one["md5"] != one["salesforce_md5"]
        else:
            assert int(one["bytes"]) == int(one["salesforce_bytes"]) - 1
    check_files(rig, result, odd=len(found))
    assert {line.object for line in result.incomplete} == {"Attachment", "ContentVersion"}
    assert set(body_calls(rig).values()) <= {1, 2}
    asked = body_calls(rig)
    rig.org.update_rows("Account", [1])
    refreshed = rig.run(refresh=True)
    check_files(rig, refreshed, odd=len(found))  # linked, and said of the next bag as well
    assert {line.object for line in refreshed.incomplete} == {"Attachment", "ContentVersion"}
    # Those in the recycle bin are asked for again: one may have been restored.
    again = body_calls(rig) - asked
    assert not {path.split("/")[-2] for path in again} & {one["record_id"] for one in found}


def test_36_what_is_gone_or_refused_is_named_and_the_run_goes_on(rig: Rig) -> None:
    rig.fail("status", "blob", code=404, error_code="NOT_FOUND", object="Document", times=3)
    rig.org.bodies_lost.add(("Attachment", 2))
    rig.fail(
        "status", "blob", code=403, error_code="INSUFFICIENT_ACCESS", object="ContentVersion",
        times=2,
    )  # fmt: skip
    result = rig.run()
    # The refusals may meet files in the recycle bin, which are named as deleted whoever refuses.
    asked = (one.path.split("/") for one in rig.server.requests if one.status in (403, 404))
    refused = [tuple(parts[-3:-1]) for parts in asked if parts[-1] in ("Body", "VersionData")]
    live = {record_id for name, record_id in refused if not deleted(rig, name, record_id)}
    assert {"Attachment", "Document", "ContentVersion"} == {name for name, _ in refused}
    exceptions = check_files(rig, result, missing=len(live))
    named = {one["record_id"] for one in exceptions if one["kind"] in ("gone", "forbidden")}
    assert named == live
    lines = {line.object: line for line in result.incomplete}
    assert set(lines) == {"Attachment", "ContentVersion", "Document"}
    assert "View All Data" in lines["ContentVersion"].remedy


def test_a_file_that_the_org_sends_elsewhere_is_named_and_the_run_goes_on(rig: Rig) -> None:
    rig.fail("redirect", "blob", path=BODY, nth=2)
    result = rig.run()
    assert result.incomplete and result.bag is not None
    [one] = [one for one in exceptions_of(result.bag.path) if one["kind"] == "refused"]
    assert one["object"] == "ContentVersion" and "elsewhere" in one["reason"]


def test_an_org_that_sends_everything_elsewhere_stops_the_run(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def moved(files: Files) -> None:
        rig.fail("redirect", "limits", times=100)
        monkeypatch.undo()
        files._fetch_all()

    monkeypatch.setattr(Files, "_fetch_all", moved)
    rig.fail("redirect", "blob", path=BODY, nth=2)
    with pytest.raises(SignInProblem, match="limits elsewhere"):
        rig.run()
    assert body_calls(rig)


def test_an_org_that_sends_all_files_elsewhere_stops_the_run(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_SENT_AWAY", 5)
    rig.fail("redirect", "blob", times=10_000)
    with pytest.raises(SignInProblem, match="elsewhere"):
        rig.run()
    assert sum("/sobjects/" in one.path for one in rig.server.requests if one.status == 302) < 40


def test_36_a_permission_removed_in_mid_run(make_rig: Any) -> None:
    objects = [one for one in standard_objects() if one.name in NAMES]
    rig = make_rig(rows=14_000, objects=objects)
    rig.fail("status", "blob", nth=30, times=None, code=403, error_code="INSUFFICIENT_ACCESS")
    result = rig.run()
    forbidden = [one for one in exceptions_of(result.bag.path) if one["kind"] == "forbidden"]
    check_files(rig, result, missing=len(forbidden))
    assert any(one["reason"].startswith("not asked for") for one in forbidden)
    assert max(Counter(one["object"] for one in forbidden).values()) > 100
    refused = sum(one.status == 403 for one in rig.server.requests)
    assert refused < len(forbidden)  # no calls are spent on what is hopeless


def test_36_the_org_takes_the_permission_away_while_files_are_fetched(rig: Rig) -> None:
    def taken_away(_: int) -> None:
        rig.org.bodies_forbidden.add("Integration")

    rig.notes.file_stored = taken_away  # type: ignore[method-assign]
    result = rig.run()
    assert result.bag is not None
    forbidden = [one for one in exceptions_of(result.bag.path) if one["kind"] == "forbidden"]
    assert forbidden and result.files_fetched
    check_files(rig, result, missing=len(forbidden))
    lines = {line.object: line for line in result.incomplete}
    assert set(lines) == {one["object"] for one in forbidden}
    assert all("View All Data" in line.remedy for line in lines.values())
    rig.notes.file_stored = lambda _: None  # type: ignore[method-assign]
    rig.org.bodies_forbidden.clear()
    healed = rig.run(anew=True)
    check_files(rig, healed)
    assert not healed.incomplete


def test_36_a_file_deleted_between_listing_and_fetching(rig: Rig) -> None:
    rig.org.after_calls(40, lambda: rig.org.delete_rows("Attachment", [3]))
    result = rig.run()
    named = exceptions_of(result.bag.path) if result.bag else []
    [gone] = [
        one for one in named if one["record_id"] == rig.org.tables.tables["Attachment"].ids.at(3)
    ]
    if gone["kind"] == "gone":  # its row was read while it was there
        assert [line.object for line in result.incomplete] == ["Attachment"]
    else:
        assert gone["kind"] == "deleted"


def large(rig: Rig, **doubts: bool) -> int:
    rig.org.doubts = Doubts(**doubts)
    rig.org.tables.bodies.sizes["ContentVersion", 0] = 900_000
    return 900_000


@pytest.mark.parametrize("fault", ["", "body_range"])
def test_37_a_large_body_goes_on_where_it_broke(rig: Rig, fault: str) -> None:
    size = large(rig, ranges=True)
    rig.fail("reset", "blob", object="ContentVersion", after=size // 2, nth=1)
    if fault:
        rig.fail(fault, "blob", object="ContentVersion", times=2)
    result = rig.run(tuning=rig.tuning(body_resume_bytes=50_000))
    check_files(rig, result)
    assert not result.incomplete


def test_37_range_ignored(rig: Rig) -> None:
    large(rig, ranges=False)
    rig.fail("reset", "blob", object="ContentVersion", times=2)
    result = rig.run(tuning=rig.tuning(body_resume_bytes=50_000))
    check_files(rig, result)


def test_37_a_run_goes_on_with_what_another_left_of_a_large_body(rig: Rig) -> None:
    size = large(rig, ranges=True)
    rig.fail("reset", "blob", object="ContentVersion", nth=1, times=1, after=size // 2)
    rig.fail("quota", "blob", object="ContentVersion", nth=2)
    tuning = rig.tuning(body_resume_bytes=50_000)
    with pytest.raises(Paused):
        while True:  # whichever body the fault hits: until it was the large one
            rig.run(tuning=tuning)
    rig.org.restore_quota()
    result = rig.run(tuning=tuning)
    check_files(rig, result)


def test_37_a_web_page_is_no_file(rig: Rig) -> None:
    rig.fail("html", "blob", nth=7, times=3)
    rig.fail("html", "image", nth=7, times=3)
    check_files(rig, rig.run())


def test_37_web_pages_in_place_of_everything_are_no_missing_files(rig: Rig) -> None:
    """An org under maintenance: the run waits for it, and nothing is sealed without files."""
    rig.notes = Meddler("Fetching files", lambda: rig.fail("html", "*", nth=9, times=None))
    with pytest.raises(Paused, match="does not answer any more"):
        rig.run()
    # Found out by the first that fails, and not when all of them have been tried.
    assert len(body_calls(rig)) < sum(1 for _ in rig.org.body_truth()) / 2
    assert not list(rig.root.glob("bags/*"))
    rig.plan.clear()
    check_files(rig, rig.run())


def test_quota_spent_in_mid_run_pauses_and_goes_on(rig: Rig) -> None:
    rig.fail("quota", "blob", nth=25)
    with pytest.raises(
        Paused,
        match=r"files are here; at this share .* the others take less than 1% of a day's calls",
    ) as paused:
        rig.run()
    before = body_calls(rig)
    assert before
    # Images in rich text are among the files that are still to come.
    assert f"of about {sum(1 for _ in rig.org.body_truth()):,} files" in paused.value.message
    [told] = rig.notes.costs
    assert re.search(r"About [\d,]+ files are to be fetched .*, by one API call each, of", told)
    assert "1,000,000 calls a day" in told and "1 million files" in told
    rig.org.restore_quota()
    result = rig.run()
    check_files(rig, result)
    assert not result.incomplete
    assert set(body_calls(rig).values()) == {1}


def test_too_many_files_to_count_at_a_pause(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_COUNTED", 10)
    rig.fail("quota", "blob", nth=25)
    with pytest.raises(Paused, match=r"files are here \(images .* come on top"):
        rig.run()


def test_stopped_between_two_files_it_goes_on(rig: Rig) -> None:
    stop = threading.Event()
    rig.notes.file_stored = lambda size: stop.set()  # type: ignore[method-assign]
    with pytest.raises(Interrupted):
        rig.run(stop=stop)
    check_files(rig, rig.run())
    assert set(body_calls(rig).values()) == {1}


def test_an_expired_session_is_renewed_between_files(rig: Rig) -> None:
    rig.renewable()
    rig.fail("session_expired", "blob", nth=9)
    check_files(rig, rig.run())


def test_without_files_each_is_named_as_left_out(rig: Rig) -> None:
    result = rig.run(selection=Selection(files=False))
    assert result.bag is not None
    assert index_of(result.bag.path) == []
    assert body_calls(rig) == Counter()
    lines = {line.object: line for line in result.incomplete}
    assert set(lines) == {"Attachment", "ContentVersion", "Document", "Invoice__c"}
    assert "--no-files" in lines["Document"].remedy


def test_a_file_changed_by_another_hand_is_fetched_again(rig: Rig) -> None:
    rig.fail("quota", "blob", nth=25)
    with pytest.raises(Paused):
        rig.run()
    content = [
        path
        for path in (rig.root / "work/bag/data/files/content").rglob("*")
        if path.is_file() and path.stat().st_size > 10
    ]
    content[0].write_bytes(b"something else")
    content[1].unlink()
    rig.org.restore_quota()
    check_files(rig, rig.run())


def test_what_a_kill_left_unrecorded_is_believed_only_with_its_checksum(rig: Rig) -> None:
    """Files under their final names that the journal does not know."""
    rig.fail("quota", "blob", nth=1)
    with pytest.raises(Paused):
        rig.run()
    folder = rig.root / "work/bag"
    planted = {}
    for name, row, extension in (("ContentVersion", 40, "docx"), ("Attachment", 9, "bin")):
        key = rig.org.tables.tables[name].ids.at(row)
        planted[name] = folder / layout.body_path(key, extension)
        planted[name].parent.mkdir(parents=True, exist_ok=True)
    right = rig.org.tables.bodies.whole("ContentVersion", 40)
    planted["ContentVersion"].write_bytes(right)
    planted["Attachment"].write_bytes(b"a lie")
    rig.org.restore_quota()
    check_files(rig, rig.run())
    version = rig.org.tables.tables["ContentVersion"].ids.at(40)
    assert not [path for path in body_calls(rig) if version in path]


@pytest.mark.parametrize("step", ["write", "sync", "rename"])
def test_46_a_file_that_the_disk_spoiled_is_fetched_anew(rig: Rig, step: str) -> None:
    disk = FaultyDisk(step, errno.EIO, part="files/content", nth=5, times=2)
    result = rig.run(disk=disk)
    assert disk.failed == 2 and not disk.used_dead_handle
    check_files(rig, result)
    assert not result.incomplete
    assert rig.notes.said("the file is fetched again")


@pytest.mark.parametrize("step", ["write", "sync"])
def test_46_a_disk_that_goes_on_failing_is_no_fault_of_the_org(rig: Rig, step: str) -> None:
    """The run pauses; it neither asks the org hundreds of times nor seals without the files."""
    disk = FaultyDisk(step, errno.EIO, part="files/content", nth=5)
    with pytest.raises(DiskTrouble, match="repair the disk"):
        rig.run(disk=disk)
    assert disk.failed < 100 and not disk.used_dead_handle
    assert not rig.notes.said("network fault")
    result = rig.run()
    check_files(rig, result)
    assert not result.incomplete


def test_a_system_without_threads_to_give_ends_the_run(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Few(ThreadPoolExecutor):
        begun = 0

        def submit(self, *given: Any, **more: Any) -> Any:
            self.begun += 1
            if self.begun > 2:
                raise RuntimeError("can't start new thread")
            return super().submit(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(stage, "ThreadPoolExecutor", Few)
        with pytest.raises(RuntimeError, match="thread"):
            rig.run()  # and does not wait for ever for those that were begun
    check_files(rig, rig.run())
