"""Which features of the org are really used, from the archive's ledger and metadata index."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from sfexit.archive import layout
from sfexit.archive.tables import Tables


@dataclass(frozen=True)
class Need:
    """A feature that is used. `evidence` is (table or type, count), the largest first.

    `rebuilt`: no system takes it in; it has to be made anew wherever one goes.
    """

    key: str
    title: str
    count: int
    evidence: tuple[tuple[str, int], ...]
    rebuilt: bool


def feature_titles() -> dict[str, str]:
    """Every feature that is looked for."""
    return {key: str(one["title"]) for key, one in _told().items()}


def needs(tables: Tables) -> tuple[Need, ...]:
    """The features in use, those with the most rows first. Raises ArchiveProblem.

    Components of managed packages are their vendor's and do not count.
    """
    rows = {
        line["object"]: int(line["rows"]) - int(line.get("deleted_rows") or 0)
        for line in tables.lines(layout.LEDGER)
        if (line.get("rows") or "").isdigit()
    }
    components: Counter[str] = Counter(
        line["type"]
        for line in tables.lines(layout.METADATA_INDEX)
        if line.get("managed") != "true" and not line.get("full_name", "").endswith("*")
    )
    found = []
    for key, told in _told().items():
        counts = {name: rows.get(name, 0) for name in told.get("objects", ())}
        counts |= {name: components[name] for name in told.get("components", ())}
        if told.get("custom"):
            counts |= {name: count for name, count in rows.items() if name.endswith("__c")}
        used = sorted(
            ((name, count) for name, count in counts.items() if count > 0),
            key=lambda one: (-one[1], one[0]),
        )
        if used:
            total = sum(count for _, count in used)
            found.append(Need(key, told["title"], total, tuple(used), bool(told.get("rebuilt"))))
    return tuple(sorted(found, key=lambda one: (one.rebuilt, -one.count)))


def _told() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files("sfexit.compare").joinpath("features.toml").read_text("utf-8"))
