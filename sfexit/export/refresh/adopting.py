"""Pages of the bag before in the new one: as they are, or without the rows that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sfexit.archive import layout
from sfexit.archive.checked_rows import parsed
from sfexit.archive.earlier import Earlier
from sfexit.archive.page import PageWriter, csv_rows
from sfexit.export.means import Means
from sfexit.export.refresh import marks
from sfexit.export.refresh.comparing import Page, marks_of, scratch, stored_differences
from sfexit.export.refresh.marks import Counts, fingerprint
from sfexit.export.refresh.runs import ID_BYTES, Lists, Runs, join
from sfexit.export.work import Reread

_ROWS = 2_000  # written at a time
_MOST_LATER = 100_000  # rows that changed while the changes were read
_BATCH = 50_000


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
    rows, of `reading`. Raises Reread, PageDamaged, DiskTrouble.
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
            without = set() if quiet else lists.take(number)
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
    listed = Runs(folder / "listed", ID_BYTES + 5 + 8)
    batch: list[bytes] = []
    for one in stored_differences(means, differences, pages):
        page = 0 if one.page is None else one.page + 1
        kind = _WHATS.index(one.what)
        batch.append(
            one.id.encode()
            + page.to_bytes(4, "big")
            + bytes([kind])
            + bytes.fromhex(one.before or _NOTHING)
        )
        if len(batch) >= _BATCH:
            listed.add(batch)
            batch = []
    listed.add(batch)
    arrived = marks_of(
        folder / "arrived",
        ID_BYTES + 8,
        means.bag,
        fetched,
        header,
        lambda row, _: row[0].encode() + fingerprint(row),
        means.go_on,
    )
    counts, gone_since, later = Counts(), 0, []
    for a, b in join(listed, arrived):
        if not a:
            later.append(b[:ID_BYTES])
            if len(later) > _MOST_LATER:
                raise Reread("too many rows changed while the changes were read")
            continue
        page, what = int.from_bytes(a[18:22], "big"), _WHATS[a[22]]
        if what == marks.GONE or b:
            same = what == marks.UNSETTLED and a[23:] == b[18:]
            counts = counts.with_one(marks.CHANGED if what == marks.UNSETTLED else what, not same)
        else:
            gone_since += 1
        if page:
            lists.add(page - 1, a[:ID_BYTES])
    _find(earlier, pages, header, later, lists)
    return Adopted(0, 0, counts, gone_since, len(later))


_WHATS = (
    marks.NEW, marks.CHANGED, marks.CALCULATED, marks.DELETED, marks.UNDELETED, marks.UNSETTLED,
    marks.GONE,
)  # fmt: skip
_NOTHING = bytes(8).hex()


def _find(
    earlier: Earlier,
    pages: Sequence[Page],
    header: Sequence[str],
    later: Sequence[bytes],
    lists: Lists,
) -> None:
    """Rows that nobody listed, because they changed after the list: where in the bag before?"""
    wanted = set(later)
    for number, page in enumerate(pages):
        ids = page.get("ids")
        if ids and ids["ascending"]:
            low, high = ids["first"].encode(), ids["last"].encode()
            if not any(low <= one <= high for one in wanted):
                continue
        elif not wanted:
            return
        for row in parsed(layout.within(earlier.bag, page["path"]), page, header):
            if row[0].encode() in wanted:
                lists.add(number, row[0].encode())


def _place(
    means: Means, earlier: Earlier, page: Page, header: Sequence[str], without: set[str]
) -> dict[str, Any] | None:
    """One page of the bag before in the new bag; its journal line, or None when no row is left."""
    final = layout.within(means.bag, page["path"])
    event = {key: value for key, value in page.items() if key not in ("seq", "at", "prev")}
    if not without:
        earlier.take_page(page, final)
        return event
    means.disk.make_folder(final.parent)
    with PageWriter(
        means.disk, final, wire_encoding="identity", header=header, declared_rows=None
    ) as writer:
        rows: list[list[str]] = [list(header)]
        for row in parsed(layout.within(earlier.bag, page["path"]), page, header):
            if row[0] not in without:
                rows.append(row)
            if len(rows) >= _ROWS:
                writer.feed(csv_rows(rows))
                rows = []
        writer.feed(csv_rows(rows))
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
