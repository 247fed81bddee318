"""One body on its way to the disk, and what lies there afterwards."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sfexit.archive.bodies import BodyWriter, Seen, look
from sfexit.archive.durable import Disk, Handle
from sfexit.errors import Transient

CONTENT = bytes(range(256)) * 5000


class Lying(Disk):
    """Writes other bytes than it is given, `times` times; `short`: fewer."""

    def __init__(self, times: int, *, short: bool = False) -> None:
        self.times = times
        self.short = short

    def write(self, handle: Handle, data: bytes) -> None:
        if self.times:
            self.times -= 1
            data = data[:-1] if self.short else data[:-1] + bytes([data[-1] ^ 1])
        super().write(handle, data)


def told(content: bytes) -> Seen:
    return Seen(len(content), hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest())


@pytest.mark.parametrize("witnessed", [True, False])
@pytest.mark.parametrize("content", [b"", b"x", CONTENT])
def test_what_lies_on_the_disk_is_told(tmp_path: Path, content: bytes, witnessed: bool) -> None:
    writer = BodyWriter(Disk(), tmp_path / "a.pdf", witnessed=witnessed)
    for start in range(0, len(content), 100_000):
        writer.feed(content[start : start + 100_000])
    assert writer.seen() == told(content)
    assert [one.name for one in tmp_path.iterdir()] == ["a.pdf.part"]
    writer.publish(tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == content
    assert look(tmp_path / "a.pdf") == told(content)
    assert [one.name for one in tmp_path.iterdir()] == ["a.pdf"]


def test_without_a_checksum_of_the_org_the_disk_is_compared_with_what_came(tmp_path: Path) -> None:
    writer = BodyWriter(Lying(1), tmp_path / "a.pdf", witnessed=False)
    writer.feed(CONTENT)
    with pytest.raises(Transient, match="other bytes than it was given"):
        writer.seen()
    writer.restart()
    assert list(tmp_path.iterdir()) == []
    writer.feed(CONTENT)
    assert writer.seen() == told(CONTENT)


def test_with_a_checksum_of_the_org_what_the_disk_holds_is_told(tmp_path: Path) -> None:
    """Who asks compares it with the checksum: nothing else can have been right."""
    writer = BodyWriter(Lying(1), tmp_path / "a.pdf", witnessed=True)
    writer.feed(CONTENT)
    assert writer.seen().md5 != told(CONTENT).md5


@pytest.mark.parametrize("witnessed", [True, False])
def test_a_file_that_is_shorter_than_what_came(tmp_path: Path, witnessed: bool) -> None:
    writer = BodyWriter(Lying(1, short=True), tmp_path / "a.pdf", witnessed=witnessed)
    writer.feed(CONTENT)
    with pytest.raises(Transient):
        writer.publish(tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


def test_looking_at_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert look(tmp_path / "link") is None
    assert look(tmp_path / "none") is None
    assert look(tmp_path) is None
