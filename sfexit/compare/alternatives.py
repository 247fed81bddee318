"""How other systems take data in: a dated data file, never code."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from importlib.resources import files

FILE, API, NONE = "file", "api", "none"
RATINGS = (FILE, API, NONE)


@dataclass(frozen=True)
class Alternative:
    """A system. `ratings` by feature; a feature without one is not known."""

    key: str
    name: str
    as_of: date | None
    verified: bool
    source: str
    ratings: dict[str, str]
    notes: tuple[str, ...]


def alternatives() -> dict[str, Alternative]:
    """All that are shipped, by key."""
    told = tomllib.loads(files("sfexit.compare").joinpath("alternatives.toml").read_text("utf-8"))
    return {
        key: Alternative(
            key,
            one.pop("name"),
            one.pop("as_of"),
            one.pop("verified"),
            one.pop("source"),
            notes=tuple(one.pop("notes")),
            ratings=one,
        )
        for key, one in told.items()
    }
