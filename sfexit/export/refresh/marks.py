"""What is remembered of a row to see whether it changed, and what the difference means. Pure.

A row's mark holds digests, not values. Digests are Python's own (64 bits, keyed anew in each
process), so marks never outlive a process; what is written into the archive has a digest of its
own kind, `fingerprint`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from operator import itemgetter

from sfexit.export.refresh.runs import ID_BYTES

_OLD = struct.Struct("<qqBI8s")  # all compared values, stamp, deleted, page, fingerprint or zeros
_NEW = struct.Struct("<qqBB")  # all compared values, stamp, deleted, settled
OLD_BYTES = ID_BYTES + _OLD.size
NEW_BYTES = ID_BYTES + _NEW.size
_NONE = bytes(8)

STAMP = "SystemModstamp"

NEW, CHANGED, CALCULATED = "new", "changed", "calculated"
DELETED, UNDELETED = "deleted", "undeleted"
UNSETTLED = "unsettled"
GONE = "gone"
_COUNTED = (NEW, CHANGED, CALCULATED, DELETED, UNDELETED, GONE)


@dataclass(frozen=True)
class Counts:
    """How many rows of an object differ from the bag before, by what happened to them."""

    new: int = 0
    changed: int = 0  # edited: the stamp says so
    calculated: int = 0  # values differ, and no stamp tells
    deleted: int = 0  # into the recycle bin
    undeleted: int = 0
    gone: int = 0  # purged: no query names them any more
    out_of_sight: int = 0  # not found any more, and this user's sight became smaller

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = asdict(self), asdict(other)
        return Counts(**{name: mine[name] + theirs[name] for name in mine})

    def with_one(self, what: str, by: int = 1) -> Counts:
        """One more of a kind; kinds that are not counted change nothing."""
        return self + Counts(**{what: by}) if what in _COUNTED else self

    def hidden(self) -> Counts:
        """The same where what is not found is not gone, but hidden."""
        return replace(self, gone=0, out_of_sight=self.gone)

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def words(self) -> str:
        """`3 new, 1 deleted`; empty when nothing differs."""
        told = asdict(self).items()
        return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in told if count)


@dataclass(frozen=True)
class Difference:
    """A row that is not in the org as it is in the bag before. `page` is the number of its page
    there, None for a new row; `before` its fingerprint where it may turn out to be the same."""

    id: str
    what: str
    page: int | None
    before: str = ""


def fingerprint(row: Sequence[str]) -> bytes:
    """Eight bytes that stand for all values of a row."""
    return hashlib.blake2b("\x1f".join(row).encode(), digest_size=8).digest()


class Marker:
    """Makes the marks of rows whose columns are `header`, by the values of `compared` columns.

    `since`, if given, is the text of a moment: rows stamped then or later may have changed once
    more within the same second that the bag before was read in, so an equal stamp proves nothing.
    """

    def __init__(
        self, header: Sequence[str], compared: Sequence[str], since: str | None = None
    ) -> None:
        columns = [list(header).index(name) for name in compared]
        self._values: Callable[[Sequence[str]], object] = itemgetter(*columns)
        self._stamp = header.index(STAMP) if STAMP in compared else None
        self._deleted = header.index("IsDeleted") if "IsDeleted" in compared else None
        self._since = since

    def _parts(self, row: Sequence[str]) -> tuple[int, int, bool, bool]:
        stamp = row[self._stamp] if self._stamp is not None else ""
        deleted = self._deleted is not None and row[self._deleted] == "true"
        settled = self._since is None or stamp < self._since
        return hash(self._values(row)), hash(stamp), deleted, settled

    def old(self, row: Sequence[str], page: int) -> bytes:
        """The mark of a row of the bag before. Raises ValueError for an id that is none."""
        values, stamp, deleted, settled = self._parts(row)
        print_ = _NONE if settled else fingerprint(row)
        return _key(row[0]) + _OLD.pack(values, stamp, deleted, page, print_)

    def new(self, row: Sequence[str]) -> bytes:
        """The mark of a row of the org. Raises ValueError for an id that is none."""
        return _key(row[0]) + _NEW.pack(*self._parts(row))


def _key(identifier: str) -> bytes:
    key = identifier.encode()
    if len(key) != ID_BYTES:
        raise ValueError("its ids do not have 18 characters")
    return key


def difference(old: bytes, new: bytes) -> Difference | None:
    """What two marks of one id say together; b"" stands for a row that is not there."""
    if not old:
        return Difference(new[:ID_BYTES].decode(), NEW, None)
    values, stamp, deleted, page, before = _OLD.unpack(old[ID_BYTES:])
    identifier = old[:ID_BYTES].decode()
    if not new:
        return Difference(identifier, GONE, page)
    values_now, stamp_now, deleted_now, settled = _NEW.unpack(new[ID_BYTES:])
    if values == values_now:
        if settled:
            return None
        return Difference(identifier, UNSETTLED, page, before.hex())
    if deleted_now != deleted:
        return Difference(identifier, DELETED if deleted_now else UNDELETED, page)
    return Difference(identifier, CALCULATED if stamp == stamp_now else CHANGED, page)


def settled(new: bytes) -> bool:
    """Whether a row of the org was last stamped before the moment that matters."""
    return bool(_NEW.unpack(new[ID_BYTES:])[3])
