"""Sets of records as packed keys on disk, and what two such sets differ in.

A record is its id (15 characters; the other three follow from them), one byte for "deleted" and a
payload of fixed size: its time stamp, or a digest of its content. Records are sorted in pieces
that fit in memory; pieces that follow each other, as Salesforce's ids mostly do, share a file, so
nothing needs merging as a rule. Memory stays flat whatever the number of rows.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

ID_BYTES = 15
STAMP_BYTES = 8
DIGEST_BYTES = 16
PIECE_RECORDS = 250_000  # sorted in memory at a time, some 25 MB
_BLOCK_BYTES = 1 << 20

NO_STAMP = b"\x00" * STAMP_BYTES
_BAD_STAMP = b"\xff" * STAMP_BYTES
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_days: dict[str, int] = {}


def id_key(identifier: str) -> bytes | None:
    """The first 15 characters of a record id; None for what is none."""
    if len(identifier) not in (15, 18) or not (identifier.isascii() and identifier.isalnum()):
        return None
    return identifier[:15].encode()


def stamp(text: str) -> bytes:
    """A moment as milliseconds since 1970, comparable byte by byte.

    Takes the forms of Bulk ("…T11:56:44.000Z") and REST ("…+0000"). What is no moment equals
    nothing that is one.
    """
    if not text:
        return NO_STAMP
    try:
        if len(text) in (24, 28) and text[10] == "T" and (text[23:] in ("Z", "+0000")):
            day = _days.get(text[:10])
            if day is None:
                whole = datetime.strptime(text[:10], "%Y-%m-%d").replace(tzinfo=UTC)
                day = _days[text[:10]] = (whole - _EPOCH).days * 86_400_000
            clock = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
            ms = day + clock * 1000 + int(text[20:23])
        else:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            ms = round((moment - _EPOCH).total_seconds() * 1000)
        return (ms + (1 << 60)).to_bytes(STAMP_BYTES, "big")
    except (ValueError, OverflowError):
        return _BAD_STAMP


def stamp_text(packed: bytes) -> str:
    """A packed stamp for people."""
    if packed == NO_STAMP:
        return "no time stamp"
    if packed == _BAD_STAMP:
        return "no valid time stamp"
    ms = int.from_bytes(packed, "big") - (1 << 60)
    try:
        moment = datetime.fromtimestamp(ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return "no valid time stamp"
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def digest(cells: Iterable[str | None]) -> bytes:
    """Sixteen bytes for the content of a row; null and text are told apart."""
    told = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for cell in cells:
        data = b"" if cell is None else b"=" + cell.encode("utf-8", "surrogatepass")
        told.update(len(data).to_bytes(8, "big"))
        told.update(data)
    return told.digest()


class KeySet:
    """Collects records below `folder`, then gives them in order. Not safe for threads."""

    def __init__(self, folder: Path, name: str, payload_bytes: int) -> None:
        self.size = ID_BYTES + 1 + payload_bytes
        self.unique = False  # a record may have been added twice, and counts once
        self.deleted = 0
        self._added = 0
        self._folder = folder
        self._name = name
        self._piece: list[bytes] = []
        self._runs: list[Path] = []
        self._last = b""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def add(self, key: bytes, is_deleted: bool, payload: bytes) -> None:
        """One record; `payload` of the size given."""
        self._piece.append(key + (b"1" if is_deleted else b"0") + payload)
        self.deleted += is_deleted
        self._added += 1
        if len(self._piece) >= PIECE_RECORDS:
            self._flush()

    @property
    def count(self) -> int:
        """How many records there are."""
        if not self.unique:
            return self._added
        return sum(len(block) for block in self.blocks()) // self.size

    def _flush(self) -> None:
        if not self._piece:
            return
        self._piece.sort()
        follows = bool(self._runs) and self._piece[0] >= self._last
        if not follows:
            self._runs.append(self._folder / f"{self._name}.{len(self._runs):04d}.keys")
        with self._runs[-1].open("ab" if follows else "wb") as handle:
            handle.writelines(self._piece)
        self._last = self._piece[-1]
        self._piece = []

    def blocks(self) -> Iterator[bytes]:
        """All records in order, in blocks of whole records."""
        self._flush()
        if len(self._runs) == 1 and not self.unique:
            with self._runs[0].open("rb") as handle:
                yield from _blocks(handle, self.size)
            return
        piece: list[bytes] = []
        last = b""
        for record in heapq.merge(*(self._records(run) for run in self._runs)):
            if self.unique and record == last:
                continue
            last = record
            piece.append(record)
            if len(piece) >= 30_000:
                yield b"".join(piece)
                piece = []
        if piece:
            yield b"".join(piece)

    def _records(self, run: Path) -> Iterator[bytes]:
        size = self.size
        with run.open("rb") as handle:
            for block in _blocks(handle, size):
                for at in range(0, len(block), size):
                    yield block[at : at + size]

    def remove(self) -> None:
        """Let go of the files."""
        self._piece = []
        for run in self._runs:
            run.unlink(missing_ok=True)
        self._runs = []


def _blocks(handle: BinaryIO, size: int) -> Iterator[bytes]:
    whole = _BLOCK_BYTES // size * size
    while block := handle.read(whole):
        yield block


@dataclass(frozen=True)
class Difference:
    """A record that only one side has, or that both have differently.

    `org` and `bag` are packed records; None where that side has none.
    """

    org: bytes | None
    bag: bytes | None

    @property
    def id15(self) -> str:
        """The id, without its last three characters."""
        return (self.org or self.bag or b"")[:ID_BYTES].decode("ascii", "replace")


def differences(org: KeySet, bag: KeySet) -> Iterator[Difference]:
    """What two sets of the same payload differ in, by rising id. Equal stretches cost little."""
    size = org.size
    assert bag.size == size
    left, right = _Side(org.blocks()), _Side(bag.blocks())
    while left.fill(size) and right.fill(size):
        common = min(len(left.data) - left.at, len(right.data) - right.at)
        if left.data[left.at : left.at + common] == right.data[right.at : right.at + common]:
            left.at += common
            right.at += common
            continue
        one, other = left.record(size), right.record(size)
        # A small step, then a try at the next common stretch only when ids agree again.
        for _ in range(64):
            if one == other:
                left.at += size
                right.at += size
            elif one[:ID_BYTES] == other[:ID_BYTES]:
                yield Difference(one, other)
                left.at += size
                right.at += size
            elif one[:ID_BYTES] < other[:ID_BYTES]:
                yield Difference(one, None)
                left.at += size
            else:
                yield Difference(None, other)
                right.at += size
            if not (left.fill(size) and right.fill(size)):
                break
            one, other = left.record(size), right.record(size)
    while left.fill(size):
        yield Difference(left.record(size), None)
        left.at += size
    while right.fill(size):
        yield Difference(None, right.record(size))
        right.at += size


class _Side:
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self.data = b""
        self.at = 0

    def fill(self, size: int) -> bool:
        if self.at + size <= len(self.data):
            return True
        self.data, self.at = next(self._blocks, b""), 0
        return bool(self.data)

    def record(self, size: int) -> bytes:
        return self.data[self.at : self.at + size]
