"""Pages of the bag before in the new one: as they are, or without the rows that differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfexit.archive import layout
from sfexit.archive.earlier import Earlier
from sfexit.archive.page import PageWriter, csv_rows
from sfexit.archive.row_blocks import Block, blocks
from sfexit.export.means import Means
from sfexit.export.refresh import marks
from sfexit.export.refresh.comparing import Page, marks_of, scratch, stored_differences
from sfexit.export.refresh.marks import Counts, Difference, fingerprint, ids_of
from sfexit.export.refresh.runs import ID, Lists, Records, Runs, among, join, unmatched
from sfexit.export.work import Reread

_MOST_LATER = 100_000  # rows that changed while the changes were read
_BATCH = 20_000

_LISTED = np.dtype([("id", ID), ("page", "<i8"), ("what", "u1"), ("print", "<u8")])
_ARRIVED = np.dtype([("id", ID), ("print", "<u8")])
_NO_PAGE = -1
_WHATS = (
    marks.NEW, marks.CHANGED, marks.CALCULATED, marks.DELETED, marks.UNDELETED, marks.UNSETTLED,
    marks.GONE,
)  # fmt: skip
_UNSETTLED, _GONE = _WHATS.index(marks.UNSETTLED), _WHATS.index(marks.GONE)


@dataclass(frozen=True)
class Adopted:
    """What came of an object: rows taken over, rows fetched, and how they differ."""

    kept: int
    fetched: int
    counts: Counts
    gone_since: int  # in the list of live ids, and not there any more when asked for
    later: int  # changed after the list of live ids

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Adopted:
        """Back from the journal's form."""
        told = {one.name: event[one.name] for one in fields(cls)}
        return cls(**{**told, "counts": Counts(**event["counts"])})


def adopt(
    means: Means,
    earlier: Earlier,
    object_name: str,
    reading: int,
    *,
    header: Sequence[str],
    differences: str,
    fetched: Sequence[Page],
) -> Adopted:
    """Bring the pages of the bag before into this one and journal them all at once.

    `differences` is the file that names what differs; `fetched` are the pages that brought those
    rows, of `reading`. Raises Reread, NotComparable, PageDamaged, DiskTrouble.
    """
    pages = list(earlier.pages(object_name))
    with scratch(means) as place:
        lists = Lists(Path(place))
        found = _sort_out(means, Path(place), earlier, pages, header, differences, fetched, lists)
        # Nothing but rows that were asked for to be sure, and they are what they were: then the
        # pages stay as they are, and what was fetched is not needed.
        quiet = not (found.counts or found.gone_since or found.later)
        events, kept = [], 0
        for number, page in enumerate(pages):
            means.go_on()
            without = np.empty(0, ID) if quiet else lists.take(number)
            event = _place(means, earlier, page, header, without)
            if event is not None:
                events.append({**event, "object": object_name, "reading": reading})
                kept += event["rows"]
    outcome = Adopted(
        kept,
        0 if quiet else sum(page["rows"] for page in fetched),
        found.counts,
        found.gone_since,
        found.later,
    )
    dropped = [page["path"] for page in fetched] if quiet else []
    means.journal.record(
        "adopted",
        object=object_name,
        reading=reading,
        pages=events,
        without=dropped,
        **asdict(outcome),
    )
    for path in dropped:
        means.disk.remove(layout.within(means.bag, path))
    return outcome


def _sort_out(
    means: Means,
    folder: Path,
    earlier: Earlier,
    pages: Sequence[Page],
    header: Sequence[str],
    differences: str,
    fetched: Sequence[Page],
    lists: Lists,
) -> Adopted:
    """Put every row that has to leave its page on the page's list, and count what happened."""
    listed = Runs(folder / "listed", _LISTED)
    unsure = False
    lines = stored_differences(means, differences, pages)
    while batch := _listed(islice(lines, _BATCH)):
        records = np.array(batch, _LISTED)
        unsure = unsure or bool((records["what"] == _UNSETTLED).any())
        listed.add(records)

    def arrival(block: Block, _: int) -> Records:
        found = np.zeros(block.rows, _ARRIVED)
        found["id"] = ids_of(block)
        if unsure:
            found["print"] = [fingerprint(block.row(number)) for number in range(block.rows)]
        return found

    arrived = marks_of(folder / "arrived", _ARRIVED, means.bag, fetched, header, arrival, means)
    counted = np.zeros(len(_WHATS), np.int64)
    gone_since, later = 0, [np.empty(0, ID)]
    for a, b, places in join(listed, arrived):
        later.append(unmatched(b, places)["id"])
        if sum(map(len, later)) > _MOST_LATER:
            raise Reread("too many rows changed while the changes were read")
        came = places >= 0
        settled = came | (a["what"] == _GONE)
        gone_since += int((~settled).sum())
        same = np.zeros(len(a), np.bool_)
        same[came] = a["print"][came] == b["print"][places[came]]
        same &= a["what"] == _UNSETTLED
        counted += np.bincount(a["what"][settled & ~same], minlength=len(_WHATS))
        stored = a[a["page"] != _NO_PAGE]
        lists.add(stored["page"], stored["id"])
    # Where it was not sure, it is known by now.
    counted[_WHATS.index(marks.CHANGED)] += counted[_UNSETTLED]
    counts = Counts.of(dict(zip(_WHATS, counted.tolist(), strict=True)))
    changed_later = np.sort(np.concatenate(later))
    _find(earlier, pages, header, changed_later, lists)
    return Adopted(0, 0, counts, gone_since, len(changed_later))


def _listed(differences: Iterable[Difference]) -> list[tuple[str, int, int, int]]:
    return [
        (
            one.id,
            _NO_PAGE if one.page is None else one.page,
            _WHATS.index(one.what),
            int(one.before or "0", 16),
        )
        for one in differences
    ]


def _find(
    earlier: Earlier,
    pages: Sequence[Page],
    header: Sequence[str],
    later: NDArray[np.bytes_],
    lists: Lists,
) -> None:
    """Rows that nobody listed, because they changed after the list: where in the bag before?"""
    if not len(later):
        return
    for number, page in enumerate(pages):
        ids = page.get("ids")
        if ids and ids["ascending"]:
            low, high = ids["first"].encode(), ids["last"].encode()
            if not ((later >= low) & (later <= high)).any():
                continue
        for block in blocks(layout.within(earlier.bag, page["path"]), page, header):
            found = ids_of(block)
            found = found[among(found, later)]
            lists.add(np.full(len(found), number), found)


def _place(
    means: Means,
    earlier: Earlier,
    page: Page,
    header: Sequence[str],
    without: NDArray[np.bytes_],
) -> dict[str, Any] | None:
    """One page of the bag before in the new bag; its journal line, or None when no row is left."""
    final = layout.within(means.bag, page["path"])
    event = {key: value for key, value in page.items() if key not in ("seq", "at", "prev")}
    if not len(without):
        earlier.take_page(page, final)
        return event
    means.disk.make_folder(final.parent)
    with PageWriter(
        means.disk, final, wire_encoding="identity", header=header, declared_rows=None
    ) as writer:
        writer.feed(csv_rows([header]))
        for block in blocks(layout.within(earlier.bag, page["path"]), page, header):
            writer.feed(block.without(among(ids_of(block), without)))
        facts = writer.check()
        if not facts.rows:
            return None
        writer.publish()
    return {
        **event,
        "rows": facts.rows,
        "declared_rows": None,
        "total_size": None,
        "bytes": facts.bytes,
        "sha256": facts.sha256,
        "csv_bytes": facts.csv_bytes,
        "csv_sha256": facts.csv_sha256,
        "ids": asdict(facts.ids) if facts.ids is not None else None,
        "origin": "rewritten",
        "from_sha256": page["sha256"],
    }
