"""The stages of an export in their order, and how they are gone through."""

from __future__ import annotations

from typing import Any

from sfexit.archive import layout, sealing
from sfexit.archive.ledger import LedgerLine
from sfexit.errors import ArchiveProblem
from sfexit.export.catalogue import Catalogue, FirstLook
from sfexit.export.definitions import Definitions, Results
from sfexit.export.dictionary.stage import Dictionary
from sfexit.export.files import unlisted
from sfexit.export.files.held import Held
from sfexit.export.files.stage import Files
from sfexit.export.hidden import Looking, LookingCloser
from sfexit.export.means import Means
from sfexit.export.metadata.stage import Metadata
from sfexit.export.organization import Organization, limits
from sfexit.export.records import Records
from sfexit.export.refresh.refresher import Refresher
from sfexit.export.result import sight_of
from sfexit.export.stage import Stage
from sfexit.preflight.sight import HELD

_ROUNDS = 4  # of reading back and making again what was damaged


class Stages:
    """What an export takes. `held` knows the files of an earlier bag of the home."""

    def __init__(
        self, means: Means, first: FirstLook | None, held: Held | None, *, strict: bool
    ) -> None:
        self._means = means
        earlier = means.earlier
        self.objects = Catalogue(means, first)
        self.organization = Organization(means)
        self.looking = Looking(means, self.objects, first, strict=strict)
        self.records = Records(
            means,
            self.objects,
            None
            if earlier is None
            else lambda reader: Refresher(
                means, reader, earlier, lambda: self.looking.sight, sight_of(earlier.bag)
            ),
        )
        self.files = Files(
            means,
            self.records.description,
            held,
            lambda: self.looking.sight.state(unlisted.PERMISSION) == HELD,
        )
        self.metadata = Metadata(means)
        definitions = Definitions(means, results=means.selection.report_results)
        # What else an export takes stands between the records and the last look.
        self.in_order: tuple[Stage, ...] = (
            self.objects,
            self.organization,
            self.looking,
            self.records,
            self.files,
            definitions,
            self.metadata,
            Dictionary(means),
            Results(means, definitions),
            LookingCloser(means, self.looking, self.records.description),
        )

    def resume(self) -> None:
        """The run goes on with an earlier one."""
        for stage in self.in_order:
            stage.resume()

    def take(self) -> dict[str, Any]:
        """Until everything is in the bag and read back as it was written. Returns the org's
        allowances as they are after the reading."""
        means = self._means
        for _ in range(_ROUNDS):
            for stage in self.in_order:
                stage.take()
            after = means.streams.submit(limits, means.client)
            means.tally.phase("Reading back")
            whole = True
            for stage in self.in_order:
                whole = stage.read_back() and whole
            if self._files_whole() and whole:
                return after.result()
        raise ArchiveProblem(
            "files of the unsealed archive keep changing while it is read back: find the "
            "program that touches them (virus scanner, sync client), then run this again"
        )

    def ledger(self) -> tuple[tuple[LedgerLine, ...], set[str]]:
        """The lines of the ledger, and the objects that must have one."""
        lines: tuple[LedgerLine, ...] = ()
        named: set[str] = set()
        for stage in self.in_order:
            lines = stage.ledger(lines)
            named |= stage.named()
        return lines, named

    def _files_whole(self) -> bool:
        """True when every published file that is no page is as it was written; others are
        forgotten."""
        means = self._means
        damaged = sealing.damaged_files(means.home, means.journal)
        for path in damaged:
            means.tally.note(f"{path} was changed or removed by another program; it is made again")
            means.disk.remove(layout.within(means.bag, path))
            means.journal.record("file_lost", path=path)
        return not damaged
