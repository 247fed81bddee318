"""A retrieve's ZIP is the org's word: whatever is wrong with it is one sentence."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest

from sfexit.errors import DamagedAnswer
from sfexit.offboarding.retrieving import opened

TEXT = b"<Group>" + b"ada@example.com" * 40 + b"</Group>"


def packed(method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", method) as archive:
        archive.writestr("groups/a.group", TEXT)
    return bytearray(kept.getvalue())


def flipped(data: bytearray) -> bytearray:
    at = 30 + len("groups/a.group")  # where the entry's content begins
    for one in range(at, at + 12):
        data[one] ^= 0xFF
    return data


def other_byte(data: bytearray) -> bytearray:
    data[data.index(b"ada")] ^= 1
    return data


def encrypted(data: bytearray) -> bytearray:
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return data


def packed_strangely(data: bytearray) -> bytearray:
    data[8] = 99
    data[data.index(b"PK\x01\x02") + 10] = 99
    return data


def read(data: bytes) -> bytes:
    with opened(io.BytesIO(data)) as archive:
        return archive.read("groups/a.group")


def test_a_whole_one() -> None:
    assert read(packed()) == TEXT


@pytest.mark.parametrize("spoil", [flipped, encrypted, packed_strangely, lambda b: b[:-30]])
def test_a_damaged_one(spoil: Callable[[bytearray], bytearray]) -> None:
    with pytest.raises(DamagedAnswer, match="cannot be read"):
        read(spoil(packed()))


def test_a_changed_byte() -> None:
    with pytest.raises(DamagedAnswer, match="cannot be read"):
        read(other_byte(packed(zipfile.ZIP_STORED)))
