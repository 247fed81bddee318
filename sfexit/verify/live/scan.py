"""One pass over an object's pages in the archive: its keys, and the rows worth a closer look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfexit.errors import ArchiveProblem
from sfexit.verify.live import canonical
from sfexit.verify.live.archived import Archived, Bag
from sfexit.verify.live.asking import Way
from sfexit.verify.live.keys import (
    DIGEST_BYTES,
    ID_BYTES,
    NO_STAMP,
    STAMP_BYTES,
    KeySet,
    digest,
    id_key,
    stamp,
)
from sfexit.verify.live.schema import Shape

_CREATED_EVERY = 997  # rows between two values kept to cut spans by
_MOST_CREATED = 20_000
_HUBS_EVERY = 16
_MOST_HUBS = 4_096

RANDOM = "random"


@dataclass(frozen=True)
class Sampled:
    """A row of the archive that is read again; `why` it was chosen."""

    object: str
    id18: str
    cells: tuple[str, ...]
    why: str


class Hubs:
    """Which records others refer to most, by a look at every sixteenth row; flat in memory.

    Counting with forgetting (Manku and Motwani's lossy counting): what is referred to most by far
    is kept, the long tail is not.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def look(self, cells: Sequence[str], columns: Sequence[int]) -> None:
        """Count the references of one row."""
        for at in columns:
            if cells[at]:
                self._counts[cells[at]] += 1
        if len(self._counts) > _MOST_HUBS:
            self._counts = Counter({k: n - 1 for k, n in self._counts.items() if n > 1})

    def top(self, prefix: str, most: int = 2) -> frozenset[str]:
        """The ids with this prefix that are referred to most, so far."""
        found = [(n, k) for k, n in self._counts.copy().items() if prefix and k[:3] == prefix]
        return frozenset(k for _, k in sorted(found, reverse=True)[:most])


@dataclass
class Scan:
    """What one pass brought. `keys` are to be removed by the caller."""

    keys: KeySet
    created: list[str] = field(default_factory=list)
    samples: list[Sampled] = field(default_factory=list)
    no_ids: int = 0  # rows whose id is none
    rows: int = 0


@dataclass
class _Best:
    """The row that is most of something."""

    why: str
    measure: Callable[[Sequence[str]], Any]
    score: Any = None
    cells: tuple[str, ...] = ()


def payload_bytes(way: Way) -> int:
    """The size of a record's payload under this way of asking."""
    return DIGEST_BYTES if way.content else STAMP_BYTES


def packer(
    columns: Sequence[str], shape: Shape, way: Way
) -> Callable[[Sequence[str]], tuple[bytes, bool, bytes] | None]:
    """Packs CSV cells in the order of `columns`; None for a row whose id is none."""
    where = {name: at for at, name in enumerate(columns)}
    deleted_at = where.get("IsDeleted")
    id_at, stamp_at = where.get("Id"), where.get(way.stamp)
    content = [(where[name], shape.fields[name].type) for name in way.content]

    def pack(cells: Sequence[str]) -> tuple[bytes, bool, bytes] | None:
        if content:
            payload = digest(canonical.from_cell(cells[at], kind) for at, kind in content)
        else:
            payload = stamp(cells[stamp_at]) if stamp_at is not None else NO_STAMP
        key = id_key(cells[id_at]) if id_at is not None else payload[:ID_BYTES]
        if key is None:
            return None
        return key, deleted_at is not None and cells[deleted_at] == "true", payload

    return pack


def scan(
    bag: Bag,
    one: Archived,
    shape: Shape,
    way: Way,
    folder: Path,
    *,
    ordinals: Sequence[int] = (),
    hubs: Hubs | None = None,
    adversarial: bool = True,
    every: bool = False,
) -> Scan:
    """Read all pages of `one`. `ordinals`: the rows (from 0) that chance chose, ascending.
    `every`: all rows are worth a closer look.

    Raises ArchiveProblem when a page is not what was sealed, or has another number of rows than
    the ledger says.
    """
    found = Scan(KeySet(folder, f"{one.name}.bag", payload_bytes(way)))
    if not one.pages and not one.rows:
        return found
    where = {name: at for at, name in enumerate(one.columns)}
    pack = packer(one.columns, shape, way)
    id_at, created_at, stamp_at = where.get("Id"), where.get("CreatedDate"), where.get(way.stamp)
    references = [
        at for name, at in where.items()
        if (fact := shape.fields.get(name)) is not None and fact.type == "reference"
    ]  # fmt: skip
    chosen = iter(ordinals)
    next_chosen = next(chosen, -1)
    hubs = hubs or Hubs()
    wanted = hubs.top(one.key_prefix)
    bests = [
        _Best("longest text", lambda cells: sum(map(len, cells))),
        _Best("most fields filled", lambda cells: len(cells) - cells.count("")),
        _Best("newest", lambda cells: cells[stamp_at] if stamp_at is not None else ""),
        _Best("non-ASCII", _foreign),
    ]
    oldest: tuple[str, tuple[str, ...]] | None = None
    for number, cells in enumerate(bag.rows(one)):
        packed = pack(cells)
        if packed is None:
            found.no_ids += 1
            continue
        found.keys.add(*packed)
        if number % _CREATED_EVERY == 0 and created_at is not None:
            found.created.append(cells[created_at])
            if len(found.created) > _MOST_CREATED:
                del found.created[::2]
        if number % _HUBS_EVERY == 0:
            hubs.look(cells, references)
        if id_at is None:
            continue
        if number == next_chosen:
            found.samples.append(Sampled(one.name, cells[id_at], tuple(cells), RANDOM))
            next_chosen = next(chosen, -1)
        elif every:
            found.samples.append(Sampled(one.name, cells[id_at], tuple(cells), "one of all rows"))
        if not adversarial:
            continue
        for best in bests:
            score = best.measure(cells)
            if best.score is None or score > best.score:
                best.score, best.cells = score, tuple(cells)
        if stamp_at is not None and (oldest is None or cells[stamp_at] < oldest[0]):
            oldest = (cells[stamp_at], tuple(cells))
        if wanted and cells[id_at] in wanted:
            found.samples.append(Sampled(one.name, cells[id_at], tuple(cells), "most children"))
    found.rows = found.keys.count + found.no_ids
    if found.rows != one.rows:
        raise ArchiveProblem(
            f"the pages of {one.name} hold {found.rows:,} rows and the ledger says {one.rows:,}: "
            "verify the archive offline"
        )
    if id_at is not None and adversarial:
        rows = [(best.why, best.cells) for best in bests if best.cells and best.score]
        rows += [("oldest", oldest[1])] if oldest else []
        found.samples += [Sampled(one.name, cells[id_at], cells, why) for why, cells in rows]
    return found


def _foreign(cells: Sequence[str]) -> int:
    """How many cells hold more than ASCII."""
    return 0 if "".join(cells).isascii() else sum(not cell.isascii() for cell in cells)
