"""The REST road: a query and its pages, one after another."""

# ruff: noqa: ARG002 (roads share their signatures)
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sfexit.archive.page import PageFacts, PageWriter, csv_rows
from sfexit.errors import OrgRefused
from sfexit.export import plan, wide
from sfexit.export.pages import page_place, record_page
from sfexit.export.rest_rows import RowShaper
from sfexit.export.road import Road
from sfexit.export.work import Reread, Work, insist_on_row, pages_there
from sfexit.salesforce import query


class RestRoad(Road):
    """Queries of the REST API. See `Road`."""

    def read(self, work: Work, row: Any) -> None:
        """See `Road`."""
        number = row["slice"]
        have = pages_there(self._means.journal, work, number)
        insist_on_row(have)
        path: str | None = have[len(have)]["next"] if have else None
        total: int | None = have[1]["total_size"] if have else None
        got = sum(int(page["rows"]) for page in have.values())
        seen = {page["next"] for page in have.values()}
        groups = self._groups(work, row["condition"])
        shaper = RowShaper(work.description, work.columns)
        ordinal = len(have)
        begun = ordinal > 0
        while not begun or path is not None:
            self._means.go_on()
            if path is None:
                text = self._soql(work, groups[0], row["condition"])
                page = self._first_page(work, row, text)
                total = page.total_size
            else:
                page = query.next_page(self._means.client, path)
            if page.total_size == 0 and not begun and not page.records:
                return
            begun = True
            came = len(page.records)
            records = self._kept(work, row, page.records)
            if len(groups) > 1:
                try:
                    records = wide.completed(self._means.client, work.name, records, groups[1:])
                except wide.RowsMoved as moved:
                    raise Reread(str(moved)) from moved
            got += came
            if records or not came:
                ordinal += 1
                told = self._told_total(work, row, total)
                self._page(work, number, ordinal, records, shaper, page, path, told)
            path = page.next_path
            if path is not None and path in seen:
                raise Reread("the org repeats a result page")
            seen.add(path)
        if got != total:
            raise Reread(f"the org announced {total:,} rows, but gave {got:,}")

    # What another kind of query does in another way (the filtered road).

    def _soql(self, work: Work, columns: Sequence[str], condition: str) -> str:
        return plan.soql(work.name, columns, condition)

    def _first_page(self, work: Work, row: Any, text: str) -> query.QueryPage:
        if work.first is not None and not row["condition"]:
            page, work.first = work.first, None
            return page
        return query.first_page(self._means.client, text)

    def _kept(self, work: Work, row: Any, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return records

    def _told_total(self, work: Work, row: Any, total: int | None) -> int | None:
        return total

    def _groups(self, work: Work, condition: str) -> list[list[str]]:
        text = self._soql(work, work.columns, condition)
        if query.uri_length(self._means.client, text) <= query.URI_LIMIT:
            return [work.columns]
        if work.columns[0] != "Id":
            raise OrgRefused(414, "URI_TOO_LONG", "its fields do not fit into one REST query")
        room = query.URI_LIMIT - wide.IDS_BYTES - 2 * len(condition) - 200
        return plan.field_groups(work.name, work.columns, limit_bytes=room)

    def _page(
        self,
        work: Work,
        number: int,
        ordinal: int,
        records: list[dict[str, Any]],
        shaper: RowShaper,
        page: query.QueryPage,
        path: str | None,
        total: int | None,
    ) -> PageFacts:
        relative, final = page_place(self._means, work, number, ordinal)
        text = csv_rows([work.columns, *(shaper.cells(record) for record in records)])

        def once() -> PageFacts:
            writer = PageWriter(
                self._means.disk,
                final,
                wire_encoding="identity",
                header=work.columns,
                declared_rows=len(records),
            )
            with writer as out:
                out.feed(text)
                facts = replace(out.check(), wire_encoding="json", remarks=())
                out.publish()
            record_page(
                self._means,
                work,
                number,
                ordinal,
                relative,
                facts,
                route="rest",
                locator=path,
                next=page.next_path,
                declared_rows=None,
                total_size=total,
            )
            return facts

        return self._insist(once, work, ordinal)
