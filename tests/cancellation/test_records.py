"""Records and packages: chained, whole, and told when they were changed."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from contract_terms.samples import contract

from sfexit.archive.durable import Disk
from sfexit.cancellation import package, records
from sfexit.cancellation.ladder import reminders
from sfexit.cancellation.records import Entry
from sfexit.errors import ArchiveProblem, Blocked, DiskTrouble, Locked

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_each_record_holds_the_digest_of_the_one_before(tmp_path: Path) -> None:
    for at in range(3):
        records.append(tmp_path, "sent", {"date": f"2026-11-2{at}", "channel": "courier"})
    lines = records.path_of(tmp_path).read_bytes().splitlines()
    before = "0" * 64
    for number, line in enumerate(lines, 1):
        told = json.loads(line)
        assert told["prev"] == before and told["seq"] == number
        before = hashlib.sha256(line).hexdigest()
    assert [one.data["date"] for one in records.read(tmp_path)] == [
        "2026-11-20", "2026-11-21", "2026-11-22",
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["changed", "removed", "added"])
def test_a_change_in_the_middle_is_told(tmp_path: Path, how: str) -> None:
    for at in range(3):
        records.append(tmp_path, "sent", {"date": f"2026-11-2{at}"})
    path = records.path_of(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    if how == "changed":
        lines[0] = lines[0].replace(b"2026-11-20", b"2026-11-19")
    elif how == "removed":
        del lines[1]
    else:
        lines.insert(1, lines[0])
    path.write_bytes(b"".join(lines))
    with pytest.raises(ArchiveProblem, match="was changed after it was written"):
        records.read(tmp_path)
    with pytest.raises(ArchiveProblem):
        records.append(tmp_path, "sent", {})


def test_a_line_cut_off_by_a_power_cut_does_not_count(tmp_path: Path) -> None:
    records.append(tmp_path, "sent", {"date": "2026-11-20"})
    with records.path_of(tmp_path).open("ab") as handle:
        handle.write(b'{"seq": 2, "eve')
    assert len(records.read(tmp_path)) == 1
    records.append(tmp_path, "confirmed", {"date": "2026-11-21"})
    assert [one.event for one in records.read(tmp_path)] == ["sent", "confirmed"]


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    second = records.writing(tmp_path, Disk())
    with records.writing(tmp_path, Disk()), pytest.raises(Locked):
        second.__enter__()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "cancellation").symlink_to(tmp_path / "other")
    with pytest.raises(Blocked, match="is a link"), records.writing(tmp_path, Disk()):
        raise AssertionError


class FullDisk(Disk):
    """Takes a few files, then no more."""

    def __init__(self, takes: int) -> None:
        self._left = takes

    def write_whole(self, final: Path, data: bytes) -> None:
        self._left -= 1
        if self._left < 0:
            raise DiskTrouble("the disk is full")
        super().write_whole(final, data)


@pytest.mark.parametrize("takes", [0, 1, 2])
def test_a_package_is_whole_or_not_there(tmp_path: Path, takes: int) -> None:
    files = {"a.html": b"a", "b.docx": b"b"}
    with pytest.raises(DiskTrouble):
        package.publish(tmp_path, "notice", NOW, files, FullDisk(takes))
    assert list((tmp_path / "cancellation").iterdir()) == []
    folder, _ = package.publish(tmp_path, "notice", NOW, files, Disk())
    again, _ = package.publish(tmp_path, "notice", NOW, files, Disk())
    assert folder.name == "20261122T120000Z-notice" and again.name == f"{folder.name}-2"
    assert {one.name for one in folder.iterdir()} == {"a.html", "b.docx", "SHA256SUMS"}
    assert package.damage(folder) == ()


def test_what_was_changed_in_a_package_is_named(tmp_path: Path) -> None:
    files = {"a.html": b"a", "b.docx": b"b"}
    folder, _ = package.publish(tmp_path, "notice", NOW, files, Disk())
    (folder / "a.html").write_bytes(b"changed")
    (folder / "b.docx").unlink()
    (folder / "new.txt").write_bytes(b"")
    assert package.damage(folder) == (
        "a.html was changed", "b.docx is missing", "new.txt is not listed",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["../a", "a/b", ".hidden", "", "SHA256SUMS", "a\nb"])
def test_no_file_outside_of_a_package(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError):
        package.publish(tmp_path, "notice", NOW, {name: b""}, Disk())


# ---- reminders -----------------------------------------------------------------------------------


def entry(event: str, day: str, seq: int = 1) -> Entry:
    return Entry(seq, NOW, event, {"date": day})


def test_the_ladder_goes_from_the_account_executive_to_counsel() -> None:
    told = contract(contract_end=date(2027, 12, 31))
    steps = reminders([entry("sent", "2026-11-20")], told, date(2026, 11, 27))
    assert [(str(one.day), one.role, one.due) for one in steps] == [
        ("2026-11-23", "account_executive", True), ("2026-11-27", "billing", True),
        ("2026-12-04", "support", False), ("2026-12-04", "legal", False),
    ]  # fmt: skip
    assert not any(one.pulled for one in steps)


def test_no_step_waits_for_the_last_day_of_the_notice() -> None:
    # 30 days before 2027-03-31 is Mon 2027-03-01; the business day before is Fri 2027-02-26.
    steps = reminders([entry("sent", "2027-02-20")], contract(), date(2027, 2, 20))
    assert [str(one.day) for one in steps] == ["2027-02-23", *["2027-02-26"] * 3]
    assert [one.pulled for one in steps] == [False, True, True, True]
    late = reminders([entry("sent", "2027-03-10")], contract(), date(2027, 3, 10))
    assert [str(one.day) for one in late][:2] == ["2027-03-13", "2027-03-17"]


@pytest.mark.parametrize("answer", ["confirmed", "refused"])
def test_an_answer_ends_the_ladder_and_a_new_notice_begins_it(answer: str) -> None:
    told = [entry("sent", "2026-11-20"), entry(answer, "2026-11-22", 2)]
    assert reminders(told, contract(), date(2026, 11, 23)) == ()
    told.append(entry("sent", "2026-11-24", 3))
    assert reminders(told, contract(), date(2026, 11, 25))[0].day == date(2026, 11, 27)
