"""Tables of a sealed bag by the names of their objects, row by row, only the columns wanted."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sfexit.archive import bagit, layout
from sfexit.archive.home import bag_info
from sfexit.archive.layout import HomeLayout
from sfexit.archive.stored_rows import column_values
from sfexit.errors import ArchiveProblem


class Tables:
    """A home's current bag, or the bag `place` itself. Raises ArchiveProblem when there is none."""

    def __init__(self, place: Path) -> None:
        self.bag = newest_bag(place)
        try:
            package = json.loads((self.bag / layout.DATAPACKAGE).read_bytes())
            self._resources: dict[str, dict[str, Any]] = {
                one["title"]: one for one in package["resources"] if "title" in one
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArchiveProblem(
                f"{self.bag / layout.DATAPACKAGE} is damaged: verify the archive"
            ) from error

    @property
    def info(self) -> dict[str, str]:
        """What `bag-info.txt` says."""
        return bag_info(self.bag)

    def names(self) -> tuple[str, ...]:
        """Objects with rows in this bag."""
        return tuple(self._resources)

    def columns(self, name: str) -> frozenset[str]:
        """The columns of an object's table; nothing where it has none."""
        resource = self._resources.get(name)
        return (
            frozenset(one["name"] for one in resource["schema"]["fields"])
            if resource
            else frozenset()
        )

    def rows(self, name: str, *columns: str) -> Iterator[tuple[str, ...]]:
        """The values of some columns of every row; a column that is not there is empty.

        Memory: one row. Raises ArchiveProblem for a damaged page.
        """
        there = self.columns(name)
        known = [one for one in columns if one in there]
        if not known:
            return
        places = {one: number for number, one in enumerate(known)}
        order = [places.get(one) for one in columns]
        paths = self._resources[name]["path"]
        for path in paths if isinstance(paths, list) else [paths]:
            for row in column_values(layout.within(self.bag, f"{layout.DATA}/{path}"), known):
                yield tuple("" if place is None else row[place] for place in order)

    def lines(self, relative: str) -> Iterator[dict[str, str]]:
        """Rows of a table of the bag that is not packed, such as its ledger; nothing without it."""
        path = self.bag / relative
        if not path.is_file():
            return
        csv.field_size_limit(2**31 - 1)
        try:
            with path.open(encoding="utf-8-sig", newline="") as handle:
                yield from csv.DictReader(handle)
        except (OSError, csv.Error, UnicodeDecodeError) as error:
            raise ArchiveProblem(f"{path} is damaged: verify the archive") from error


def newest_bag(place: Path) -> Path:
    """The bag that `place` is, or the newest one of the home that it is. Raises ArchiveProblem."""
    if (place / bagit.TAG_MANIFEST).is_file():
        return place
    generations = HomeLayout(place).generations()
    if not generations:
        raise ArchiveProblem(f"{place} holds no sealed archive: run `sfexit export` first")
    return HomeLayout(place).bag(generations[-1])
