"""How the records of an object are asked for anew: decided from facts alone. Pure.

The export reads all columns, by one query without a condition. So this asks for ids and time
stamps only; by REST where the export went by Bulk and the table is not too large; by query jobs
over spans of CreatedDate where it is; and by content where an object has no time stamps.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from sfexit.verify.live import canonical
from sfexit.verify.live.archived import Archived
from sfexit.verify.live.schema import Shape

SMALL_ROWS = 2_000  # one answer of REST: five such objects in one call
REST_ROWS = 40_000  # up to here twenty pages of REST are as few calls as query jobs
SPAN_ROWS = 2_000_000  # about so many rows in one query job
CONTENT_ROWS = 20_000  # without time stamps, up to so many rows are compared by their content

#: Moves when anything of a record changes, also by the system (Object Reference, "System Fields").
_STAMPS = ("SystemModstamp", "LastModifiedDate")
_FIRST_STAMPS = ("CreatedDate", "LoginTime", "EventDate")  # of records that never change


@dataclass(frozen=True)
class Way:
    """What is asked of an object.

    `stamp` is the column compared (empty: none); `fixed`: it does not move when a record changes.
    `content`: columns compared by digest instead. `spans` are conditions that together hold every
    row once; one empty condition means all rows. `has_id` false: rows are told apart by content.
    """

    columns: tuple[str, ...]
    stamp: str = ""
    fixed: bool = False
    content: tuple[str, ...] = ()
    by_job: bool = False
    spans: tuple[str, ...] = ("",)
    has_id: bool = True
    in_pieces: bool = False

    @property
    def told(self) -> str:
        """The way in words, for the report."""
        what = "ids and content" if self.content else f"ids and {self.stamp or 'nothing more'}"
        spans = f" in {len(self.spans)} spans of CreatedDate" if len(self.spans) > 1 else ""
        spans = ", piece by piece" if self.in_pieces else spans
        return f"{what} by {'query job' if self.by_job else 'REST'}{spans}"


def way(
    one: Archived,
    shape: Shape,
    created: Sequence[str] = (),
    *,
    full: bool = False,
    in_pieces: bool = False,
) -> Way:
    """How to ask for the rows of `shape`.

    `created`: CreatedDate values of some rows of the archive, by which the spans are cut. `full`:
    compare every value of every row, by the other road than the export's. `in_pieces`: the org
    gives the object only piece by piece, and mostly not by id, so values are compared here too.
    """
    both = [name for name in one.columns if shape.has(name)] or list(shape.fields)
    has_id = "Id" in both
    moving = next((name for name in _STAMPS if name in both and shape.has(name)), "")
    stamp = moving or next((name for name in _FIRST_STAMPS if name in both), "")
    comparable = tuple(
        name
        for name in shape.comparable(both)
        if name not in canonical.OF_THE_READER
        and not canonical.depends_on_the_moment(shape.fields[name])
    )
    by_content = full or not has_id or ((in_pieces or not moving) and one.rows <= CONTENT_ROWS)
    content = comparable if by_content else ()
    columns = ["Id"] if has_id else []
    if content:
        columns += [name for name in content if name not in columns]
    elif stamp:
        columns.append(stamp)
    if "IsDeleted" in both and "IsDeleted" not in columns:
        columns.append("IsDeleted")
    by_job = has_id and (one.route != "bulk" if full else one.rows > REST_ROWS)
    return Way(
        columns=tuple(columns),
        stamp="" if content else stamp,
        fixed=not moving,
        content=content,
        by_job=by_job and not in_pieces,
        spans=spans(shape, one.rows, created) if by_job and not in_pieces else ("",),
        has_id=has_id,
    )


def ids_only(told: Way, columns: Sequence[str]) -> Way:
    """The same rows by their ids and deletion marks."""
    names = ("Id", *(name for name in ("IsDeleted",) if name in columns))
    return Way(columns=names, fixed=told.fixed)


def spans(shape: Shape, rows: int, created: Sequence[str]) -> tuple[str, ...]:
    """Conditions on CreatedDate that cut a table into parts of about equal size.

    At least two, so that the org answers another question than the export asked. The outer ends
    are open and CreatedDate never changes, so every row falls into exactly one.
    """
    field = shape.fields.get("CreatedDate")
    if field is None or not field.filterable or field.type != "datetime":
        return ("",)
    moments = sorted(text for text in created if len(text) >= 19)
    parts = max(2, -(-rows // SPAN_ROWS))
    cuts = sorted({moments[len(moments) * part // parts][:19] + "Z" for part in range(1, parts)}
                  if moments else set())  # fmt: skip
    if not cuts:
        return ("",)
    found = [f"CreatedDate < {cuts[0]}"]
    found += [
        f"CreatedDate >= {low} AND CreatedDate < {high}" for low, high in itertools.pairwise(cuts)
    ]
    return (*found, f"CreatedDate >= {cuts[-1]}")


def soql(name: str, columns: Sequence[str], condition: str = "") -> str:
    """A query; names come from describes and were checked there."""
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT {','.join(columns)} FROM {name}{where}"  # noqa: S608


@dataclass(frozen=True)
class Cost:
    """What a live verification will take, estimated before it begins."""

    calls: int
    bytes: int

    def with_more(self, calls: int, size: int) -> Cost:
        """The same and so much more."""
        return Cost(self.calls + calls, self.bytes + size)


#: Bytes on the wire for one row of ids and stamps, packed: measured, rounded up (docs/scale.md).
_BYTES_A_ROW = 16
_BYTES_A_DESCRIBE = 4_000
_BYTES_A_SAMPLE = 400


def cost(objects: Sequence[Archived], *, named: int, sample: int, bodies: int = 0) -> Cost:
    """About how many API calls and bytes live verification takes. `named`: objects of the org."""
    rows = sum(one.rows for one in objects)
    small = sum(1 for one in objects if one.rows <= SMALL_ROWS)
    large = [one for one in objects if one.rows > SMALL_ROWS]
    with_rows = sum(1 for one in objects if one.rows)
    calls = 8 + named // _CATALOGUE + len(objects) // 25 + len(objects) // 5 + 1
    calls += small // 5 + 1 + with_rows // 5
    for one in large:
        if one.rows <= REST_ROWS:
            calls += one.rows // SMALL_ROWS + 1
        else:
            calls += max(2, one.rows // SPAN_ROWS) * 6 + one.rows // 250_000
    calls += sample // 100 + bodies
    volume = rows * _BYTES_A_ROW + len(objects) * _BYTES_A_DESCRIBE + sample * _BYTES_A_SAMPLE
    return Cost(calls, volume)


_CATALOGUE = 2_000
