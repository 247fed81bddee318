"""The stages that learn what this user does not see: one before reading, one after."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from sfexit.archive import layout
from sfexit.archive.ledger import LedgerLine
from sfexit.catalog import Description
from sfexit.errors import Transient
from sfexit.export import seeing
from sfexit.export.catalogue import Catalogue, FirstLook
from sfexit.export.means import Means
from sfexit.export.object_line import ledger_lines
from sfexit.export.stage import Stage, silent
from sfexit.preflight import Sight


class Looking(Stage):
    """The sight: from the archive, from this run's start, else by a look while records are read.

    `strict` insists, before that, on all being seen.
    """

    def __init__(
        self, means: Means, catalogue: Catalogue, first: FirstLook | None, *, strict: bool
    ) -> None:
        super().__init__(means)
        self._catalogue = catalogue
        self._found = first.sight if first is not None else None
        self._strict = strict
        self._looking: Future[None] | None = None

    @property
    def sight(self) -> Sight:
        """What was seen so far; waits for the look. Only after `take`."""
        if self._looking is not None:
            self._looking.result()
            self.means.insist()
        assert self._found is not None
        return self._found

    def take(self) -> None:
        self._looking = self.means.aside(self._look)
        if self._strict:
            seeing.refuse_blind_spots(self.sight, self.means.selection, begun=True)

    def replace(self, sight: Sight) -> None:
        """Keep a better sight, here and in the archive."""
        self._found = sight
        self.means.publish_json(layout.SIGHT, sight.as_json())

    def _look(self) -> None:
        stored = self.means.stored_json(layout.SIGHT)
        if stored is not None:
            with suppress(ValueError):  # of another version of sfexit
                self._found = Sight.from_json(stored)
                return
        if self._found is None:
            entries = tuple(self._catalogue.entries.values())
            try:
                self._found = seeing.first_look(
                    self.means.client, entries, self._catalogue.hints, self.means.tally
                )
            except Transient as silence:
                raise silent(silence) from silence
        self.replace(self._found)


class LookingCloser(Stage):
    """Compares the fields of objects that have rows although the org's counts said otherwise.

    `describe` gives the describe that an object was read by.
    """

    def __init__(
        self, means: Means, looking: Looking, describe: Callable[[str], Description]
    ) -> None:
        super().__init__(means)
        self._looking = looking
        self._describe = describe

    def take(self) -> None:
        lines = list(ledger_lines(self.means.journal))
        before = self._looking.sight
        seen = seeing.closer_look(
            self.means.client, before, lines, self._describe, self.means.tally
        )
        if seen is not before:
            self._looking.replace(seen)

    def named(self) -> set[str]:
        return {one.name for one in self._looking.sight.hidden_objects}

    def ledger(self, lines: tuple[LedgerLine, ...]) -> tuple[LedgerLine, ...]:
        # The sight knows more of a hidden object than the metadata do, which may have named it too.
        planned = self.means.planned()
        told = self.named() - set(planned)
        kept = tuple(line for line in lines if line.object not in told)
        return seeing.ledger(kept, self._looking.sight, planned)
