"""One body on its way to the disk, and what lies there afterwards."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from sfexit.archive.bodies import BodyWriter, Seen, copy, look
from sfexit.archive.durable import Disk, Handle, telling
from sfexit.errors import DiskTrouble, MediumFault

CONTENT = bytes(range(256)) * 5000


class Lying(Disk):
    """Writes other bytes than it is given, `times` times; `short`: fewer."""

    def __init__(self, times: int, *, short: bool = False) -> None:
        self.times = times
        self.short = short

    def write(self, handle: Handle, data: bytes | memoryview) -> None:
        if self.times:
            self.times -= 1
            data = bytes(data[:-1] if self.short else bytes(data[:-1]) + bytes([data[-1] ^ 1]))
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
    assert look(tmp_path / "a.pdf", md5=False) == Seen(len(content), told(content).sha256)
    assert [one.name for one in tmp_path.iterdir()] == ["a.pdf"]


def test_without_a_checksum_of_the_org_the_disk_is_compared_with_what_came(tmp_path: Path) -> None:
    writer = BodyWriter(Lying(1), tmp_path / "a.pdf", witnessed=False)
    writer.feed(CONTENT)
    with pytest.raises(MediumFault, match="other bytes than it was given"):
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
    with pytest.raises(MediumFault):
        writer.publish(tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


def test_looking_at_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert look(tmp_path / "link") is None
    assert look(tmp_path / "none") is None
    assert look(tmp_path) is None


class Unflushed(Disk):
    """Cannot flush, for the reason `number`."""

    def __init__(self, number: int) -> None:
        self.number = number

    def sync(self, handle: Handle) -> None:
        with telling(None):
            raise OSError(self.number, "no")


@pytest.mark.parametrize(
    ("number", "told"), [(errno.EIO, MediumFault), (errno.EDQUOT, DiskTrouble)]
)
def test_what_was_not_flushed_is_left_to_no_other_run(
    tmp_path: Path, number: int, told: type[Exception]
) -> None:
    writer = BodyWriter(Unflushed(number), tmp_path / "a.pdf", witnessed=True)
    writer.feed(CONTENT)
    with pytest.raises(told):
        writer.seen()
    assert writer.size == 0
    writer.leave(keep=True)
    assert list(tmp_path.iterdir()) == []


def part(folder: Path, content: bytes) -> Path:
    """What a killed run left."""
    left = folder / "a.pdf.part"
    left.write_bytes(content)
    return left


def test_going_on_with_what_a_killed_run_left(tmp_path: Path) -> None:
    part(tmp_path, CONTENT[:100_000])
    writer = BodyWriter(Disk(), tmp_path / "a.pdf", witnessed=True)
    writer.take_over(100_000)
    assert writer.size == 100_000
    writer.feed(CONTENT[100_000:])
    assert writer.seen() == told(CONTENT)
    writer.publish(tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == CONTENT


def test_what_a_killed_run_left_whole_is_read(tmp_path: Path) -> None:
    part(tmp_path, CONTENT)
    writer = BodyWriter(Disk(), tmp_path / "a.pdf", witnessed=True)
    writer.take_over(100_000)
    assert writer.seen() == told(CONTENT)


@pytest.mark.parametrize("why", ["little", "no checksum", "a link", "a second name", "a folder"])
def test_what_is_no_good_to_go_on_with(tmp_path: Path, why: str) -> None:
    """Above all: nothing is ever appended to a file that has another name in a sealed bag."""
    sealed = tmp_path / "sealed.pdf"
    sealed.write_bytes(CONTENT)
    left = tmp_path / "a.pdf.part"
    if why == "a link":
        left.symlink_to(sealed)
    elif why == "a second name":
        os.link(sealed, left)
    elif why == "a folder":
        left.mkdir()
    else:
        left.write_bytes(CONTENT[:10] if why == "little" else CONTENT)
    writer = BodyWriter(Disk(), tmp_path / "a.pdf", witnessed=why != "no checksum")
    writer.take_over(1000 if why != "a folder" else 1)
    assert writer.size == 0
    if why == "a folder":
        with pytest.raises(DiskTrouble):
            writer.feed(b"new")
        return
    writer.feed(b"new")
    assert writer.seen() == told(b"new")
    writer.publish(tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == b"new"
    assert sealed.read_bytes() == CONTENT


class Unreadable:
    """Opens, and gives nothing back."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __enter__(self) -> Unreadable:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def readinto(self, _: memoryview) -> int:
        raise OSError(self.number, os.strerror(self.number))


def test_what_the_medium_does_not_give_back_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is written anew; a run that only stopped would meet the same sector for ever."""
    writer = BodyWriter(Disk(), tmp_path / "a.pdf", witnessed=True)
    writer.feed(CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda *_, **__: Unreadable(errno.EIO))
        assert look(tmp_path / "a.pdf.part") is None
        with pytest.raises(MediumFault, match="other bytes"):
            writer.seen()
        patch.setattr(Path, "open", lambda *_, **__: Unreadable(errno.ESTALE))
        with pytest.raises(DiskTrouble, match="cannot be read"):
            look(tmp_path / "a.pdf.part")
    writer.restart()
    writer.feed(CONTENT)
    assert writer.seen() == told(CONTENT)


def test_a_copy_is_the_same_or_none(tmp_path: Path) -> None:
    source, final = tmp_path / "old.pdf", tmp_path / "new.pdf"
    source.write_bytes(CONTENT)
    assert not copy(Lying(1), source, final, told(CONTENT))
    assert [one.name for one in tmp_path.iterdir()] == ["old.pdf"]
    assert copy(Disk(), source, final, told(CONTENT))
    assert final.read_bytes() == CONTENT
