from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfexit.archive import zipped
from sfexit.errors import DamagedAnswer, DiskTrouble, Interrupted


def packed(*files: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def entry(name: str, mode: int = 0, system: int = 3) -> zipfile.ZipInfo:
    one = zipfile.ZipInfo("x" * len(name))
    one.filename = one.orig_filename = name
    one.create_system, one.external_attr = system, mode << 16
    return one


SOUND = packed(("classes/A.cls", b"A" * 5000), ("package.xml", b"<Package/>"))


@pytest.fixture
def refused(tmp_path: Path):
    def check(content: bytes, **limits: int) -> str:
        path = tmp_path / "x.zip"
        path.write_bytes(content)
        with pytest.raises(DamagedAnswer) as told:
            zipped.check(path, **limits)
        return str(told.value)

    return check


def test_a_sound_zip_is_listed(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(SOUND)
    entries = zipped.check(path, keep=20)
    assert [(one.name, one.size) for one in entries] == [
        ("classes/A.cls", 5000),
        ("package.xml", 10),
    ]
    assert [one.kept for one in entries] == [None, b"<Package/>"]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "a/..", "./x"])
def test_a_way_out_is_refused(refused, name):
    assert "leads out" in refused(packed((entry(name), b"x")))


@pytest.mark.parametrize("name", ["/etc/passwd", "C:/x", "a\\..\\x", "\\\\host\\x"])
def test_a_place_outside_is_refused(refused, name):
    assert "outside" in refused(packed((entry(name), b"x")))


@pytest.mark.parametrize("system", [0, 3, 19])
def test_links_and_devices_are_refused(refused, system):
    link = entry("a", stat.S_IFLNK | 0o777, system)
    assert "link" in refused(packed((link, b"/etc/passwd")))
    assert "link" in refused(packed((entry("a", stat.S_IFCHR | 0o600), b"")))


def test_a_name_twice_is_refused(refused):
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = packed(("a", b"1"), ("a", b"2"))
    assert "twice" in refused(twice)
    assert "twice" in refused(packed(("a", b"1"), ("a/", b"")))


def test_a_zero_byte_in_a_name_is_refused(refused):
    content = packed(("aXb", b"1")).replace(b"aXb", b"a\0b")
    assert "control" in refused(content)


def test_limits_are_kept(refused):
    assert "unpacks to" in refused(SOUND, most_bytes=5009)
    assert "2 files" in refused(SOUND, most_files=1)


@pytest.mark.parametrize("at", [4, 6, 8, 10, 12, 16, 20])
def test_an_end_that_lies_is_refused(refused, at):
    """zipfile would read a shorter directory and never miss the entries behind it."""
    end = SOUND.rindex(b"PK\5\6") + at
    refused(SOUND[:end] + bytes([SOUND[end] ^ 1]) + SOUND[end + 1 :])


def test_something_behind_the_end_is_refused(refused):
    refused(SOUND + b"x" * 30)


def test_a_size_that_lies_is_refused(refused):
    lie = SOUND.replace((5000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lie != SOUND
    refused(lie)


def test_something_before_the_first_entry_is_refused(refused):
    assert "before" in refused(b"#!/bin/sh\n" + SOUND)


def test_overlapping_entries_are_refused(refused):
    content = bytearray(packed(("a", b"A" * 100), ("b", b"A" * 100)))
    second = content.rindex(b"PK\1\2")
    content[second + 42 : second + 46] = (0).to_bytes(4, "little")
    refused(bytes(content))


def test_an_empty_zip_is_refused(refused):
    assert "empty" in refused(packed())


def test_it_stops_when_asked(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(SOUND)

    def stop() -> None:
        raise Interrupted("stop")

    with pytest.raises(Interrupted):
        zipped.check(path, go_on=stop)
    with pytest.raises(DiskTrouble):
        zipped.check(tmp_path / "none.zip")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_damage_gives_other_content(tmp_path_factory, data):
    """Whatever is cut off or changed: the ZIP is refused, or every file is as it was."""
    at = data.draw(st.integers(0, len(SOUND) - 1))
    if data.draw(st.booleans()):
        damaged = SOUND[:at]
    else:
        bit = 1 << data.draw(st.integers(0, 7))
        damaged = SOUND[:at] + bytes([SOUND[at] ^ bit]) + SOUND[at + 1 :]
    path = tmp_path_factory.mktemp("z") / "x.zip"
    path.write_bytes(damaged)
    try:
        entries = zipped.check(path, keep=10_000)
    except DamagedAnswer:
        return
    kept = sorted(one.kept for one in entries)
    assert kept == sorted([b"A" * 5000, b"<Package/>"])
