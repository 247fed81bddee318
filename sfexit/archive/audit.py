"""Reading the stored pages back, before they are sealed.

Rows were counted twice while they arrived, by where they end and by where they start, and their
ids were looked at. What is left to show is that the files still hold those bytes: the SHA-256 of
each is taken again. Only pages that overlap others, or all where one did not come in ascending
order, have to be unpacked once more to see whether an id came twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sfexit.archive.row_starts import RowStarts
from sfexit.archive.stored_rows import READ_BYTES, PageDamaged, unpacked, whole_rows
from sfexit.errors import DiskTrouble

_IDS_A_BUCKET = 200_000  # 200,000 ids in a set take about 20 MB
_MOST_BUCKETS = 256
_ID_BYTES = 18
_KEY = np.dtype(f"S{_ID_BYTES}")
_ODD = np.uint64(0x9E3779B97F4A7C15)


Page = dict[str, Any]  # a page's line in the journal


@dataclass(frozen=True)
class PageAudit:
    """What a stored page really holds."""

    rows: int
    deleted: int
    ids: list[bytes]


def read_back(path: Path, facts: dict[str, Any], header: Sequence[str]) -> PageAudit:
    """Check one page against its journal line, rows and all. Raises PageDamaged, DiskTrouble."""
    if tuple(header[:1]) == ("Id",):
        starts = RowStarts(header, keep_ids=True)
        for piece in unpacked(path, facts):
            starts.feed(piece)
        starts.finish()
        if starts.rows == facts["rows"]:
            return PageAudit(starts.rows, starts.deleted, starts.ids or [])
    else:
        check_bytes(path, facts)
    audit = _parse(path, header)
    if audit.rows != facts["rows"]:
        raise PageDamaged(
            path, f"{audit.rows:,} rows were parsed, {facts['rows']:,} were counted before"
        )
    return audit


def check_bytes(path: Path, facts: dict[str, Any]) -> None:
    """Insist that a page holds the bytes that were written. Raises PageDamaged, DiskTrouble."""
    stored = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as handle:
            while piece := handle.read(READ_BYTES):
                stored.update(piece)
                size += len(piece)
    except FileNotFoundError:
        raise PageDamaged(path, "the file is gone") from None
    except OSError as error:
        raise DiskTrouble(f"{path} cannot be read: {error.strerror}") from error
    if size != facts["bytes"] or stored.hexdigest() != facts["sha256"]:
        raise PageDamaged(path, "its bytes changed since it was written")


def _parse(path: Path, header: Sequence[str]) -> PageAudit:
    id_at = 0 if tuple(header[:1]) == ("Id",) else None
    deleted_at = list(header).index("IsDeleted") if "IsDeleted" in header else None
    ids, rows, deleted = [], 0, 0
    for row in whole_rows(path, header):
        rows += 1
        if id_at is not None:
            ids.append(row[id_at].encode())
        if deleted_at is not None and row[deleted_at] == "true":
            deleted += 1
    return PageAudit(rows, deleted, ids)


class DistinctIds:
    """Counts different ids in bounded memory: ids are dealt to files, each small enough to sort.

    `expected` is the number of ids that will come. Use as a context manager.
    """

    def __init__(self, folder: Path, expected: int) -> None:
        self._count = min(_MOST_BUCKETS, expected // _IDS_A_BUCKET + 1)
        self._seen: set[bytes] | None = set() if self._count == 1 else None
        self._folder = folder
        self._temporary: TemporaryDirectory[str] | None = None

    def __enter__(self) -> DistinctIds:
        if self._seen is None:
            # Inside the home, never /tmp: ids are the customer's data.
            self._temporary = TemporaryDirectory(dir=self._folder, prefix="ids-")
        return self

    def __exit__(self, *_: object) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    def add(self, ids: Sequence[bytes]) -> None:
        """Take the ids of a page."""
        if self._seen is not None:
            self._seen.update(ids)
            return
        # Ids have 18 characters; whatever an odd object has instead is brought to that length.
        keys = np.frombuffer(
            b"".join(
                one if len(one) == _ID_BYTES else hashlib.sha256(one).digest()[:_ID_BYTES]
                for one in ids
            ),
            dtype=_KEY,
        )
        # What varies most are the characters before the last ones, which check the case.
        varying = np.ascontiguousarray(keys.view(np.uint8).reshape(-1, _ID_BYTES)[:, 7:15])
        spread = varying.view(np.uint64).ravel() * _ODD >> np.uint64(40)
        buckets = (spread % np.uint64(self._count)).astype(np.int64)
        for number in np.unique(buckets).tolist():
            # Not kept open: a process may have no more than 256 files on some systems.
            with self._bucket(number).open("ab") as handle:
                handle.write(keys[buckets == number].tobytes())

    def count(self) -> int:
        """How many different ids came."""
        if self._seen is not None:
            return len(self._seen)
        total = 0
        for number in range(self._count):
            bucket = self._bucket(number)
            data = bucket.read_bytes() if bucket.exists() else b""
            total += len(np.unique(np.frombuffer(data, dtype=_KEY)))
        return total

    def _bucket(self, number: int) -> Path:
        assert self._temporary is not None
        return Path(self._temporary.name) / f"{number:03d}"


@dataclass(frozen=True)
class ObjectAudit:
    """What the stored pages of one object really hold, together."""

    parsed: int
    deleted: int | None  # None: the object has no IsDeleted
    distinct: int | None  # None: the object has no Id
    damaged: tuple[tuple[dict[str, Any], str], ...]  # (page, what is wrong with it)


def audit_object(
    bag: Path,
    pages: Sequence[dict[str, Any]],
    header: Sequence[str],
    scratch: Path,
    *,
    each: Callable[..., Iterable[str]] = map,
) -> ObjectAudit:
    """Read back all pages of an object. Raises DiskTrouble; damage is part of the result.

    `each` applies a function to every page, in any number of threads, like `map`.
    """
    apart, others = _apart(pages)

    def wrong(page: dict[str, Any]) -> str:
        try:
            check_bytes(bag / page["path"], page)
        except PageDamaged as damage:
            return damage.what
        return ""

    found = zip(apart, each(wrong, apart), strict=True)
    damaged = [(page, what) for page, what in found if what]
    rows = sum(page["rows"] for page in apart)
    deleted = sum(page["ids"]["deleted"] for page in apart)
    unpacked_too = _unpack_all(bag, others, header, scratch) if others else _NOTHING
    return ObjectAudit(
        parsed=rows + unpacked_too.rows,
        deleted=deleted + unpacked_too.deleted if "IsDeleted" in header else None,
        distinct=rows + unpacked_too.distinct if tuple(header[:1]) == ("Id",) else None,
        damaged=(*damaged, *unpacked_too.damaged),
    )


def _apart(pages: Sequence[Page]) -> tuple[list[Page], list[Page]]:
    """Pages that share no id with any other, by what is known of their ids, and the rest."""
    if not all(page.get("ids") and page["ids"]["ascending"] for page in pages):
        return [], list(pages)
    apart: list[Page] = []
    others: list[Page] = []
    near: list[Page] = []  # pages that overlap, each at least one before it
    last = ""
    for page in sorted(pages, key=lambda page: str(page["ids"]["first"])):
        if near and page["ids"]["first"] > last:
            (apart if len(near) == 1 else others).extend(near)
            near = []
        last = max(last, page["ids"]["last"]) if near else page["ids"]["last"]
        near.append(page)
    (apart if len(near) == 1 else others).extend(near)
    return apart, others


@dataclass(frozen=True)
class _Unpacked:
    rows: int
    deleted: int
    distinct: int
    damaged: tuple[tuple[Page, str], ...]


_NOTHING = _Unpacked(0, 0, 0, ())


def _unpack_all(
    bag: Path, pages: Sequence[Page], header: Sequence[str], scratch: Path
) -> _Unpacked:
    rows = deleted = 0
    damaged = []
    try:
        with DistinctIds(scratch, sum(page["rows"] for page in pages)) as distinct:
            for page in pages:
                try:
                    found = read_back(bag / page["path"], page, header)
                except PageDamaged as damage:
                    damaged.append((page, damage.what))
                    continue
                rows += found.rows
                deleted += found.deleted
                distinct.add(found.ids)
            return _Unpacked(rows, deleted, distinct.count(), tuple(damaged))
    except OSError as error:
        raise DiskTrouble(f"the audit cannot use {scratch}: {error.strerror}") from error
