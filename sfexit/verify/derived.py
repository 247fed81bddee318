"""The pages that a refresh rewrote, derived again from the bag before it, row by row.

What a refresh says it left unchanged is taken from the bag before, so it must be there, byte for
byte; and what it took out of a page must stand in its list of differing rows or have been received
anew. All of it streams: only ids are kept, on the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sfexit.verify.contents import PAGES, Contents, read_contents
from sfexit.verify.grid import grid, written
from sfexit.verify.ids import malformed
from sfexit.verify.pages import Told
from sfexit.verify.runs import RunWriter
from sfexit.verify.unpack import Broken, Inside, Stored, blocks, rows_of

#: Keys of the ids on the disk, each with the object's name behind it: rows that were taken out of
#: a page, and rows that stayed in a page that was rewritten.
LEFT, KEPT = "wire-left", "wire-kept"
_TOLD = 5


class _Say(Protocol):
    def __call__(
        self, path: str, expected: str, found: str, name: str = "", record: str = ""
    ) -> None: ...


@dataclass(frozen=True)
class Derived:
    """`pages` of the bag before were gone through; `rows` of theirs are here unchanged. `without`:
    rewritten pages whose source is not there (any older bag may be deleted)."""

    pages: int = 0
    rows: int = 0
    without: int = 0


def derive(bag: Path, before: Path | None, told: Contents, runs: RunWriter, say: _Say) -> Derived:
    """Derive every rewritten page of `bag` from `before`, and see what became of pages that are
    here no more (archive-format.md, section 2.1).

    The ids that left their pages, and those that stayed in rewritten ones, go to `runs`.
    """
    rewritten = {path: one for path, one in told.pages.items() if one.origin == "rewritten"}
    if before is None:
        return Derived(without=len(rewritten))
    earlier = read_contents(before, []).pages
    taken = {
        path
        for path, page in rewritten.items()
        if path in earlier and earlier[path].sha256 == page.sha256
    }
    compared = {
        name
        for name, line in told.ledger.items()
        if "kept=" in line["witnesses"] and line["outcome"] == "exported"
    }
    pages = rows = without = 0
    for path, source in sorted(earlier.items()):
        page = told.pages.get(path)
        if source.object not in compared or (page is not None and path not in rewritten):
            continue  # read anew as a whole, or taken over as it is: its digest says so
        resource = told.resources.get(source.object)
        if resource is None or not resource.columns.has_ids:
            continue
        # Rewritten for an older bag and taken over since: its line still tells of that rewriting.
        came_from = source.source if path in taken else source.sha256
        if page is not None and page.source != came_from:
            say(PAGES, f"from_sha256 {came_from}", page.source, source.object)
            continue
        if path in taken:
            continue
        try:
            rows += _page(bag, before, page, source, resource.columns.names, runs, say)
            pages += 1
        except (Broken, OSError, ValueError):
            without += 1  # the bag before is damaged there; this one is judged by itself
    without += sum(path not in earlier for path in rewritten)
    return Derived(pages, rows, without)


def _page(
    bag: Path,
    before: Path,
    page: Told | None,
    source: Told,
    names: tuple[str, ...],
    runs: RunWriter,
    say: _Say,
) -> int:
    """Compare a page with the one it came from; how many rows stayed. `page`: None when no row
    was left. Raises Broken, OSError, ValueError when either cannot be read as what it is."""
    left, kept = f"{LEFT}:{source.object}", f"{KEPT}:{source.object}"
    old = _rows(before, source, names)
    count = wrong = 0
    for record, row in _rows(bag, page, names) if page is not None else ():
        for old_record, old_row in old:
            if old_record == record:
                if old_row != row:
                    wrong += 1
                    if wrong <= _TOLD:
                        say(source.path, "the row as it is in the bag before, since it is said to "
                            "be unchanged", "another content", source.object, record)  # fmt: skip
                break
            _note(runs, left, old_record)
        else:
            say(source.path, "only rows of the page it came from, in their order", record,
                source.object, record)  # fmt: skip
            return count
        _note(runs, kept, record)
        count += 1
    for record, _ in old:
        _note(runs, left, record)
    return count


def _note(runs: RunWriter, key: str, record: str) -> None:
    if not malformed([record]):  # else it is a finding of the pages
        runs.own_id(key, record)


def _rows(bag: Path, page: Told, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Id and text of each row of a page that is as sealed; raises Broken when it is not."""
    at, width = names.index("Id"), len(names)
    with Stored(bag, page.path) as stored:
        inside = Inside(stored, packed=True, limit=page.csv_bytes + 1)
        for number, piece in enumerate(blocks(inside)):
            found = grid(piece, width) or grid(written(_of_width(rows_of(piece, 0), width)), width)
            if found is None:
                raise Broken("text-broken", "no rows")
            starts, ends = found.starts[:, 0].tolist(), found.ends[:, -1].tolist()
            ids = found.column(at)
            for row in range(found.rows):
                if number or row:  # the first is the header
                    yield ids.value(row), found.text[starts[row] : ends[row]]
        if inside.sha256.hexdigest() != page.csv_sha256:
            raise Broken("evidence-wrong", "another text than the evidence says")


def _of_width(rows: Iterable[list[str]], width: int) -> list[list[str]]:
    found = list(rows)
    if any(len(row) != width for row in found):
        raise Broken("text-broken", f"rows of other than {width} values")
    return found
