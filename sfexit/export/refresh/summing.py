"""What a refresh came to, once every object has its line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime

from sfexit.archive import layout
from sfexit.archive.earlier import Earlier
from sfexit.archive.ledger import LedgerLine
from sfexit.export.means import Means
from sfexit.export.refresh import unchanged
from sfexit.export.refresh.marks import Counts
from sfexit.export.refresh.unchanged import Unchanged
from sfexit.export.result import Refreshed


def up(means: Means, earlier: Earlier, lines: Sequence[LedgerLine]) -> Refreshed:
    """How the org differs from the bag before. Where it does not, the home remembers that; but a
    bag that was damaged since is no word for what the org holds, so the next one is made."""
    _name_lost_objects(means, earlier, lines)
    counts = []
    for line in sorted(lines, key=lambda one: one.object):
        told = means.journal.told("differs", line.object)
        if told is not None:
            found = Counts(**{f.name: told[f.name] for f in fields(Counts)})
            if found:  # else they differ, and could not be compared row by row
                counts.append((line.object, found))
    kept = sum(line.witnesses.get("kept", 0) for line in lines)
    if not unchanged.nothing_new(means, earlier, lines):
        return Refreshed(earlier.generation, tuple(counts), False, (), kept)
    damaged = unchanged.damaged(means, earlier)
    if damaged:
        means.note(
            "",
            "damaged",
            f"{len(damaged):,} files of bag {earlier.generation:04d} are not what was sealed, "
            f"{damaged[0]} among them; the next bag has them whole",
        )
        return Refreshed(earlier.generation, tuple(counts), False, (), kept, damaged=len(damaged))
    since = _sealed_at(earlier)
    looked = (means.client.server_time or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    told_home = Unchanged(earlier.root, earlier.generation, since, looked)
    unchanged.remember(means.home, means.disk, told_home)
    return Refreshed(
        earlier.generation,
        tuple(counts),
        True,
        unchanged.traces(means, earlier),
        kept,
        since,
        looked,
    )


def _name_lost_objects(means: Means, earlier: Earlier, lines: Sequence[LedgerLine]) -> None:
    """Objects that the bag before has rows of, and that the org does not name any more."""
    here = {line.object for line in lines}
    told = {
        row["object"] for row in means.journal.rows("SELECT object FROM note WHERE kind = 'gone'")
    }
    for line in unchanged.lines_of(earlier):
        if line.object not in here and line.has_rows and line.object not in told:
            means.note(
                line.object,
                "gone",
                f"the org names it no more; its {line.rows:,} rows stand in bag "
                f"{earlier.generation:04d}",
            )


def _sealed_at(earlier: Earlier) -> str:
    """When the bag before was sealed, by its run.json; its day where that cannot be read."""
    try:
        return str(json.loads((earlier.bag / layout.RUN).read_bytes())["sealed"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
