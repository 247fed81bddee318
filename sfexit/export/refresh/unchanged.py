"""Did a refresh find anything? And the home's note of when it last found nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from sfexit.archive import bodies, layout
from sfexit.archive.durable import Disk
from sfexit.archive.earlier import Earlier
from sfexit.archive.journal_index import Index
from sfexit.archive.layout import HomeLayout
from sfexit.archive.ledger import LedgerLine
from sfexit.export.means import Means
from sfexit.export.result import ledger_of

# What our own signing in and reading leaves in the org: by itself no reason for another bag
# (Object Reference: LoginHistory, LoginGeo, LoginIp, AuthSession, OauthToken).
TRACES = frozenset({"AuthSession", "LoginGeo", "LoginHistory", "LoginIp", "OauthToken"})

# They tell of the run, not of the org; or are made of the rest.
_OURS = ("data/org/", "data/evidence/", layout.DICTIONARY, layout.DICTIONARY_PAGE, layout.FILLED)
_FILES_AT_ONCE = 5_000


@dataclass(frozen=True)
class Unchanged:
    """The home's word that the org was still what a bag holds. Times are UTC, `…Z`."""

    root: str
    generation: int
    since: str  # when the bag was sealed
    looked: str  # when the org was last found so


def nothing_new(means: Means, earlier: Earlier, lines: Sequence[LedgerLine]) -> bool:
    """True when the bag under way would hold what the bag before holds."""
    old = {line.object: _told(line) for line in lines_of(earlier)}
    new = {line.object: _told(line) for line in lines}
    for name in (old.keys() | new.keys()) - TRACES:
        if old.get(name) != new.get(name):
            return False
    for line in lines:
        if line.object not in TRACES and _pages_differ(means, earlier, line.object):
            return False
    files = zip_longest(_files(earlier.index), _files(means.journal))
    contents = zip_longest(_bodies(earlier.index), _bodies(means.journal))
    return all(a == b for a, b in files) and all(a == b for a, b in contents)


def damaged(means: Means, earlier: Earlier) -> list[str]:
    """Paths of what is not as it was sealed in the bag before, which an unchanged org needs whole.

    What this run took over was looked at then; all the rest is read. Raises ArchiveProblem,
    DiskTrouble, Interrupted.
    """
    found = []
    for path, digest in earlier.payload():
        means.go_on()
        source = layout.within(earlier.bag, path)
        with contextlib.suppress(OSError):
            if source.samefile(layout.within(means.bag, path)):
                continue
        seen = bodies.look(source, md5=False)
        if seen is None or seen.sha256 != digest:
            found.append(path)
    return found


def traces(means: Means, earlier: Earlier) -> tuple[str, ...]:
    """Objects that differ by what signing in leaves behind."""
    return tuple(sorted(name for name in TRACES if _pages_differ(means, earlier, name)))


def lines_of(earlier: Earlier) -> Iterable[LedgerLine]:
    """The ledger of the bag before. Raises ArchiveProblem."""
    return ledger_of(earlier.bag)


def _told(line: LedgerLine) -> tuple[Any, ...]:
    return (
        line.outcome,
        line.rows,
        line.deleted_rows,
        line.fields_exported,
        tuple(sorted(line.fields_not_exported)),
    )


def _pages_differ(means: Means, earlier: Earlier, name: str) -> bool:
    old, new = earlier.pages(name), means.journal.pages(name)
    texts = zip_longest((page["csv_sha256"] for page in old), (p["csv_sha256"] for p in new))
    if all(before == after for before, after in texts):
        return False
    if means.journal.told("differs", name) is not None:
        return True
    # The same rows on other pages, or with a date of signing in: they were compared one by one.
    found = means.journal.rows("SELECT fields FROM object WHERE name = ?", (name,))
    fields = json.loads(found[0]["fields"] or "[]") if found else []
    return not fields or fields[0] != "Id"


def _files(index: Index) -> Iterator[tuple[str, str]]:
    """Path and digest of every file that speaks of the org and is no page, by path."""
    after = ""
    while True:
        found = index.rows(
            "SELECT path, sha256 FROM file WHERE path > ? ORDER BY path LIMIT ?",
            (after, _FILES_AT_ONCE),
        )
        for row in found:
            if not row["path"].startswith(_OURS):
                yield row["path"], row["sha256"]
        if len(found) < _FILES_AT_ONCE:
            return
        after = found[-1]["path"]


def _bodies(index: Index) -> Iterator[tuple[str, str, str]]:
    """Folder, key and digest of every file body, in order."""
    folder, key = "", ""
    while True:
        found = index.rows(
            "SELECT folder, key, sha256 FROM body WHERE (folder, key) > (?, ?) "
            "ORDER BY folder, key LIMIT ?",
            (folder, key, _FILES_AT_ONCE),
        )
        yield from ((row["folder"], row["key"], row["sha256"]) for row in found)
        if len(found) < _FILES_AT_ONCE:
            return
        folder, key = found[-1]["folder"], found[-1]["key"]


def remember(home: HomeLayout, disk: Disk, told: Unchanged) -> None:
    """Write the home's note."""
    document = {
        "schema": layout.UNCHANGED_SCHEMA,
        "root": told.root,
        "generation": told.generation,
        "since": told.since,
        "looked": told.looked,
    }
    disk.write_whole(home.root / layout.UNCHANGED, json.dumps(document, indent=1).encode() + b"\n")


def remembered(home: HomeLayout, root: str) -> Unchanged | None:
    """The home's note, if it speaks of the bag with this root digest."""
    try:
        told = json.loads((home.root / layout.UNCHANGED).read_bytes())
        if told["schema"] != layout.UNCHANGED_SCHEMA or told["root"] != root:
            return None
        return Unchanged(
            str(told["root"]), int(told["generation"]), str(told["since"]), str(told["looked"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
