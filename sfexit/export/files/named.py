"""The bodies that the rows of the bag under way name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

from sfexit.archive import layout
from sfexit.archive.stored_rows import PageDamaged, column_values, mentions
from sfexit.catalog import Description
from sfexit.export.files.listing import Body, Recipe, recipe
from sfexit.export.means import Means


class Named:
    """Reads them out of the pages. `describe` gives an object's description.

    `unreadable` is set when a page was damaged on the way: the reading back finds it as well, and
    all is done again.
    """

    def __init__(self, means: Means, describe: Callable[[str], Description]) -> None:
        self._means = means
        self._describe = describe
        # Fields of an object's pages, and what they tell of files.
        self._known: dict[str, tuple[str, Recipe | None]] = {}
        self.unreadable = False

    def recipes(self) -> list[Recipe]:
        """Of the objects that have rows in the bag, in the order of reading."""
        found = []
        for row in self._means.journal.rows(
            "SELECT name, fields FROM object o WHERE EXISTS (SELECT 1 FROM page p WHERE "
            "p.object = o.name AND p.reading = o.reading) ORDER BY position"
        ):
            known = self._known.get(row["name"])
            if known is None or known[0] != row["fields"]:
                description = self._describe(row["name"])
                one = recipe(description, json.loads(row["fields"]))
                known = (row["fields"], one)
                self._known[row["name"]] = known
            if known[1] is not None:
                found.append(known[1])
        return found

    def bodies(self, *, images: bool = False) -> Iterator[Body]:
        """Every body, by object, page and row; or images alone."""
        for one in self.recipes():
            if images:
                one = replace(one, blobs=(), photo=False, banner=False)
            if not one.blobs and not one.marks:
                continue
            for page in self._means.journal.pages(one.object):
                path = layout.within(self._means.bag, page["path"])
                try:
                    if one.marks and not any(mentions(path, mark) for mark in one.marks):
                        continue
                    for row in column_values(path, one.columns):
                        yield from one.bodies(row)
                except PageDamaged:
                    self.unreadable = True

    def about(self) -> int:
        """Rows of objects with a file in each; files that were fetched before are among them."""
        total = 0
        for one in self.recipes():
            if one.blobs:
                pages = self._means.journal.pages(one.object)
                total += sum(page["rows"] for page in pages) * len(one.blobs)
        return total
