"""The stage that writes the data dictionary out of what the bag holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from sfexit.archive import layout
from sfexit.archive.durable import written_anew
from sfexit.archive.page import csv_rows
from sfexit.archive.stored_rows import PageDamaged
from sfexit.export.arriving import Arriving
from sfexit.export.dictionary import entries, filling, meaning, page
from sfexit.export.dictionary.filling import Filled
from sfexit.export.object_line import ledger_lines
from sfexit.export.stage import Stage

SCHEMA = "sfexit-filled/1"
_MOST_LINES = 2_000  # of a small table in the HTML file; the archive has all
_FACTS = {
    "Name": "Name", "Id": "Id", "OrganizationType": "Edition", "InstanceName": "Instance",
    "IsSandbox": "Sandbox", "TimeZoneSidKey": "Time zone (date-times in the tables are UTC)",
    "LanguageLocaleKey": "Language", "DefaultLocaleSidKey": "Locale",
    "FiscalYearStartMonth": "Fiscal year begins in month",
    "UsesStartDateAsFiscalYearName": "Fiscal year is named after its first day",
}  # fmt: skip
# Small tables that say what values of other tables mean.
_TABLES = {
    "CurrencyType": ("Currencies", ("IsoCode", "ConversionRate", "IsCorporate", "IsActive")),
    "DatedConversionRate": (
        "Dated exchange rates", ("IsoCode", "StartDate", "NextStartDate", "ConversionRate"),
    ),
    "FiscalYearSettings": (
        "Custom fiscal years", ("Name", "StartDate", "EndDate", "PeriodPrefix", "QuarterPrefix"),
    ),
}  # fmt: skip


class Dictionary(Stage):
    """dictionary.csv, dictionary.html, and the counts that they show. Made anew when what they are
    made of has changed."""

    def take(self) -> None:
        means = self.means
        sources = self._sources()
        stored = means.stored_json(layout.FILLED)
        known = stored is not None and stored.get("of") == sources
        if known and means.has(layout.DICTIONARY) and means.has(layout.DICTIONARY_PAGE):
            return
        means.tally.phase("Writing the data dictionary")
        rows = {line.object: line.rows for line in ledger_lines(means.journal) if line.has_rows}
        if known and stored is not None:
            filled = {
                n: Filled(one["seen"], one["columns"]) for n, one in stored["objects"].items()
            }
        else:
            filled = self._count(rows)
        meanings = meaning.read(self._zips(), means.go_on)
        self._write(layout.DICTIONARY, lambda: self._table(meanings, filled, rows))
        self._write(layout.DICTIONARY_PAGE, lambda: self._page(meanings, filled, rows))
        told = {n: {"seen": one.seen, "columns": one.columns} for n, one in filled.items()}
        means.publish_json(layout.FILLED, {"schema": SCHEMA, "of": sources, "objects": told})

    # ---- sources ------------------------------------------------------------------------------

    def _sources(self) -> str:
        """A digest of everything that the dictionary is made of."""
        journal = self.means.journal
        digest = hashlib.sha256()
        for row in journal.rows(
            "SELECT path, sha256 FROM file WHERE path GLOB 'data/schema/objects/*' "
            "OR path GLOB 'data/metadata/packages/*.zip' OR path = ? ORDER BY path",
            (layout.ORGANIZATION,),
        ):
            digest.update(f"{row['path']} {row['sha256']}\n".encode())
        for row in journal.rows(
            "SELECT p.object, p.reading, count(*) AS pages, total(p.bytes) AS bytes, "
            "total(p.rows) AS rows FROM page p JOIN object o ON o.name = p.object AND "
            "o.reading = p.reading GROUP BY p.object ORDER BY p.object"
        ):
            digest.update(json.dumps(list(row)).encode())
        return digest.hexdigest()

    def _zips(self) -> list[Any]:
        rows = self.means.journal.rows(
            "SELECT path FROM file WHERE path GLOB 'data/metadata/packages/*.zip' ORDER BY path"
        )
        return [layout.within(self.means.bag, row["path"]) for row in rows]

    def _count(self, rows: dict[str, int | None]) -> dict[str, Filled]:
        found: dict[str, Filled] = {}
        for name, header in self._headers().items():
            if not rows.get(name):
                found[name] = Filled(0, dict.fromkeys(header, 0))
                continue
            with suppress(PageDamaged):  # the reading back finds out, and all is made anew
                pages = list(self.means.journal.pages(name))
                found[name] = filling.count(self.means.bag, pages, header, go_on=self.means.go_on)
        return found

    def _headers(self) -> dict[str, list[str]]:
        rows = self.means.journal.rows(
            "SELECT name, fields FROM object WHERE fields IS NOT NULL ORDER BY name"
        )
        return {row["name"]: json.loads(row["fields"]) for row in rows}

    def _entries(
        self,
        meanings: meaning.Meanings,
        filled: dict[str, Filled],
        rows: dict[str, int | None],
        *,
        with_rows: bool = False,
    ) -> Iterator[entries.ObjectEntry]:
        told = self.means.journal.rows(
            "SELECT name, left_out FROM object WHERE left_out IS NOT NULL"
        )
        left_out = {row["name"]: json.loads(row["left_out"]) for row in told}
        for name in self._headers():
            self.means.go_on()
            if with_rows and not rows.get(name):
                continue
            describe = self.means.stored_json(layout.describe_path(self.means.names[name]))
            if describe is not None:
                yield entries.entry(
                    describe, meanings, filled.get(name), rows.get(name), left_out.get(name, {})
                )

    # ---- files --------------------------------------------------------------------------------

    def _table(
        self, meanings: meaning.Meanings, filled: dict[str, Filled], rows: dict[str, int | None]
    ) -> Iterator[bytes]:
        yield csv_rows([entries.COLUMNS])
        for one in self._entries(meanings, filled, rows):
            yield csv_rows(entries.cells(one))

    def _page(
        self, meanings: meaning.Meanings, filled: dict[str, Filled], rows: dict[str, int | None]
    ) -> Iterator[bytes]:
        row = self.means.stored_json(layout.ORGANIZATION) or {}
        said = {True: "yes", False: "no"}
        facts = {
            label: said[row[name]] if isinstance(row[name], bool) else str(row[name])
            for name, label in _FACTS.items()
            if row.get(name) not in (None, "")
        }
        account = filled.get("Account")
        if account is not None and "IsPersonAccount" in account.columns:
            facts["Person Accounts"] = (
                "on: an Account with IsPersonAccount = true is a person; PersonContactId names the "
                "Contact row that is the same person"
            )
        several = "CurrencyType" in rows
        facts["Currencies"] = (
            "several: each amount is in the currency of its row's CurrencyIsoCode"
            if several
            else "one for the whole org"
        )
        tables = dict(self._small_tables(rows))
        title = f"Data dictionary of {row.get('Name') or 'the org'}"
        without = [name for name in self._headers() if not rows.get(name)]
        objects = self._entries(meanings, filled, rows, with_rows=True)
        return page.pieces(title, facts, tables, objects, without)

    def _small_tables(
        self, rows: dict[str, int | None]
    ) -> Iterator[tuple[str, Sequence[Sequence[str]]]]:
        headers = self._headers()
        for name, (title, wanted) in _TABLES.items():
            if not rows.get(name):
                continue
            header = headers[name]
            places = [header.index(column) for column in wanted if column in header]
            if not places:
                continue  # all of them are hidden from this user: there is nothing to show
            lines = [[header[at] for at in places]]
            with suppress(PageDamaged):
                found = filling.rows(self.means.bag, list(self.means.journal.pages(name)), header)
                lines += [[one[at] for at in places] for one in islice(found, _MOST_LINES)]
            yield title, lines

    def _write(self, relative: str, pieces: Callable[[], Iterator[bytes]]) -> None:
        part = Arriving(self.means, relative)

        def once() -> None:
            take = part.begin()
            for piece in pieces():
                take(piece)
            part.written()
            part.publish()

        try:
            written_anew(once, self.means.tally.note)
        except BaseException:
            part.discard()
            raise
