"""What is remembered of a row to see whether it changed, and what the difference means. Pure.

A row's mark holds its stamp, and of other values digests. These are keyed anew in each process, so
marks never outlive one; what is written into the archive has a digest of its own kind,
`fingerprint`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sfexit.archive.row_blocks import Block
from sfexit.export.refresh.runs import ID, Records, unmatched

STAMP = "SystemModstamp"

MARK = np.dtype(
    [
        ("id", ID),
        ("values", "<u8"),  # digest of the compared values that have no field of their own here
        ("stamp", "<i8"),
        ("print", "<u8"),  # fingerprint of the whole row where it may be needed
        ("page", "<u4"),
        ("deleted", "?"),
        ("settled", "?"),
    ]
)

NEW, CHANGED, CALCULATED = "new", "changed", "calculated"
DELETED, UNDELETED = "deleted", "undeleted"
UNSETTLED = "unsettled"
GONE = "gone"
_KINDS = (CHANGED, CALCULATED, DELETED, UNDELETED, UNSETTLED)
_COUNTED = (NEW, CHANGED, CALCULATED, DELETED, UNDELETED, GONE)

_ODD = np.uint64(0x9E3779B97F4A7C15)
_ID_BYTES = 18

# A stamp is a number whose decimal digits are those of the text (Bulk API 2.0, date-times).
_STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_STAMP_BYTES = 24
_DIGITS = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20, 21, 22]
_SIGNS = [4, 7, 10, 13, 16, 19, 23]
_SIGN = np.frombuffer(b"--T::.Z", dtype=np.uint8)
_WORTH = 10 ** np.arange(len(_DIGITS) - 1, -1, -1, dtype=np.int64)


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

    @classmethod
    def of(cls, told: Mapping[str, int]) -> Counts:
        """From how many rows there are of each kind. Kinds that are not counted change nothing."""
        return cls(**{what: told.get(what, 0) for what in _COUNTED})

    def hidden(self) -> Counts:
        """The same where what is not found is not gone, but hidden."""
        return replace(self, gone=0, out_of_sight=self.gone)

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def words(self) -> str:
        """`3 new, 1 deleted`; empty when nothing differs."""
        told = asdict(self).items()
        return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in told if count)


class NotComparable(Exception):
    """The rows of an object cannot be told apart by their ids; the text says why."""


@dataclass(frozen=True)
class Difference:
    """A row that is not in the org as it is in the bag before. `page` is the number of its page
    there, None for a new row; `before` its fingerprint where it may turn out to be the same."""

    id: str
    what: str
    page: int | None
    before: str = ""


def fingerprint(row: Sequence[bytes]) -> int:
    """64 bits that stand for all values of a row."""
    return int.from_bytes(hashlib.blake2b(b"\x1f".join(row), digest_size=8).digest())


def ids_of(block: Block, column: int = 0) -> NDArray[np.bytes_]:
    """The ids of a block's rows. Raises NotComparable for ids that are none."""
    ids = block.fixed(column, _ID_BYTES)
    if ids is None:
        raise NotComparable("its ids do not have 18 characters")
    return ids


class Marker:
    """Makes the marks of rows whose columns are `header`, by the values of `compared` columns.

    `since`, if given, is the text of a moment: rows stamped then or later may have changed once
    more within the same second that the bag before was read in, so an equal stamp proves nothing.
    Rows `of_before` have a fingerprint then.
    """

    def __init__(
        self,
        header: Sequence[str],
        compared: Sequence[str],
        since: str | None = None,
        *,
        of_before: bool = False,
    ) -> None:
        places = {name: number for number, name in enumerate(header)}
        self._id = places["Id"]
        self._stamp = places[STAMP] if STAMP in compared else None
        self._deleted = places.get("IsDeleted") if "IsDeleted" in compared else None
        apart = {"Id", STAMP, "IsDeleted"}
        self._others = [places[name] for name in compared if name not in apart]
        self._since = since.encode() if since is not None else None
        self._of_before = of_before

    def marks(self, block: Block, page: int) -> Records:
        """The marks of a block's rows. Raises NotComparable for ids that are none."""
        marks = np.zeros(block.rows, MARK)
        marks["id"] = ids_of(block, self._id)
        marks["page"] = page
        marks["settled"] = True
        if self._deleted is not None:
            marks["deleted"] = block.holds(self._deleted, b"true")
        if self._stamp is not None:
            marks["stamp"], marks["settled"] = self._stamps(block, self._stamp)
        values = np.zeros(block.rows, np.uint64)
        for column in self._others:
            values = values * _ODD + block.digests(column)
        marks["values"] = values
        if self._of_before:
            for number in np.flatnonzero(~marks["settled"]).tolist():
                marks["print"][number] = fingerprint(block.row(number))
        return marks

    def _stamps(self, block: Block, column: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The stamps of a block's rows as numbers, and which of them are settled."""
        texts = block.fixed(column, _STAMP_BYTES)
        if texts is not None:
            letters = texts.view(np.uint8).reshape(-1, _STAMP_BYTES)
            digits = letters[:, _DIGITS] - np.uint8(ord("0"))
            if (digits <= 9).all() and (letters[:, _SIGNS] == _SIGN).all():
                stamps = digits.astype(np.int64) @ _WORTH
                if self._since is None:
                    return stamps, np.ones(block.rows, np.bool_)
                return stamps, stamps < _stamp(self._since)
        values = block.values(column)
        since = self._since
        settled = [since is None or one < since for one in values]
        return np.array([_stamp(one) for one in values], np.int64), np.array(settled, np.bool_)


def _stamp(text: bytes) -> int:
    """A stamp as a number; of another text a negative digest."""
    if _STAMP.fullmatch(text):
        return int(bytes(text[at] for at in _DIGITS))
    return ~abs(hash(text))


def differences(
    old: Records, new: Records, places: NDArray[np.int64]
) -> Iterator[tuple[Difference, bool]]:
    """What the marks of a stretch of ids say together, by id, each with whether its stamp in the
    org is a settled one. `places` is where in `new` the id of each row of `old` is, or -1."""
    both = places >= 0
    was, now = old[both], new[places[both]]
    same = (was["values"] == now["values"]) & (was["stamp"] == now["stamp"])
    same &= was["deleted"] == now["deleted"]
    differ = ~(same & now["settled"])
    found: list[tuple[Difference, bool]] = []
    was, now = was[differ], now[differ]
    kinds = np.where(was["stamp"] == now["stamp"], _KINDS.index(CALCULATED), _KINDS.index(CHANGED))
    kinds[was["deleted"] & ~now["deleted"]] = _KINDS.index(UNDELETED)
    kinds[~was["deleted"] & now["deleted"]] = _KINDS.index(DELETED)
    kinds[same[differ]] = _KINDS.index(UNSETTLED)
    columns = (was["id"], kinds, was["page"], was["print"], now["settled"])
    for one, kind, page, print_, settled in zip(*(each.tolist() for each in columns), strict=True):
        what = _KINDS[kind]
        before = f"{print_:016x}" if what == UNSETTLED else ""
        found.append((Difference(one.decode(), what, page, before), settled))
    gone, come = old[~both], unmatched(new, places)
    for one, page in zip(gone["id"].tolist(), gone["page"].tolist(), strict=True):
        found.append((Difference(one.decode(), GONE, page), True))
    for one, settled in zip(come["id"].tolist(), come["settled"].tolist(), strict=True):
        found.append((Difference(one.decode(), NEW, None), settled))
    found.sort(key=lambda one: one[0].id)
    yield from found
