"""What a stopped verification left behind counts only when its owner wrote it, and not for long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sfexit.verify.live.diary import Diary

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ABOUT = {"root": "abc", "sample": 10}


def begun(folder: Path, secret: bytes | None = b"mine") -> int:
    diary = Diary(folder, ABOUT, secret, now=NOW)
    diary.add("Account", {"rows": 1})
    diary.close()
    return diary.seed


def test_the_owner_goes_on_with_the_same_sample(tmp_path: Path) -> None:
    seed = begun(tmp_path)
    again = Diary(tmp_path, ABOUT, b"mine", now=NOW + timedelta(hours=3))
    assert again.known("Account") == {"rows": 1}
    assert again.seed == seed
    assert again.taken_over == 1
    assert again.oldest == NOW
    again.add("Contact", {"rows": 2})
    again.close()
    later = NOW + timedelta(hours=4)
    assert Diary(tmp_path, ABOUT, b"mine", now=later).taken_over == 2


def test_nobody_else_puts_results_in(tmp_path: Path) -> None:
    begun(tmp_path, b"theirs")
    assert Diary(tmp_path, ABOUT, b"mine", now=NOW).taken_over == 0
    begun(tmp_path)
    path = tmp_path / "live.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"rows": 1', b'"rows": 2'))
    assert Diary(tmp_path, ABOUT, b"mine", now=NOW).known("Account") is None


def test_without_a_secret_nothing_is_taken_over(tmp_path: Path) -> None:
    begun(tmp_path, None)
    assert Diary(tmp_path, ABOUT, None, now=NOW).taken_over == 0


def test_what_is_old_or_of_another_verification_does_not_count(tmp_path: Path) -> None:
    begun(tmp_path)
    assert Diary(tmp_path, ABOUT, b"mine", now=NOW + timedelta(hours=13)).taken_over == 0
    begun(tmp_path)
    assert Diary(tmp_path, ABOUT, b"mine", now=NOW - timedelta(hours=1)).taken_over == 0
    begun(tmp_path)
    assert Diary(tmp_path, {**ABOUT, "sample": 11}, b"mine", now=NOW).taken_over == 0


def test_a_line_cut_short_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    begun(tmp_path)
    path = tmp_path / "live.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    again = Diary(tmp_path, ABOUT, b"mine", now=NOW)
    assert again.known("Account") is None
    again.add("Contact", {"rows": 2})
    again.close()
    assert Diary(tmp_path, ABOUT, b"mine", now=NOW).known("Contact") == {"rows": 2}


def test_it_is_forgotten_at_the_end(tmp_path: Path) -> None:
    begun(tmp_path)
    Diary(tmp_path, ABOUT, b"mine", now=NOW).forget()
    assert not (tmp_path / "live.jsonl").exists()
