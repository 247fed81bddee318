"""The nested road: rows that the org gives only inside the rows of other objects.

Likes, signals and tracked changes of feeds have no query of their own; each record feed gives
them as a subquery (Object Reference, FeedLike, FeedTrackedChange). Every row hangs on one post,
and every post stands in the feed of one kind of record, so the feeds together give each row once.

A slice is a feed, or a stretch of its posts: `FeedLikes of CaseFeed WHERE Id < '0D5…'`. What was
cut short is read from the slice's beginning: posts without such rows leave nothing to go on from.
"""

# ruff: noqa: ARG002 (roads share their signatures)
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from sfexit.archive import layout, stored_rows
from sfexit.errors import DamagedAnswer, OrgRefused, Transient
from sfexit.export import plan
from sfexit.export.filtered_road import FilteredRoad
from sfexit.export.means import Means
from sfexit.export.object_line import outcome_of
from sfexit.export.rest_rows import RowShaper
from sfexit.export.work import Reread, Work
from sfexit.salesforce import describe as describing
from sfexit.salesforce import query

_STRETCH = 20_000  # posts in a slice, about: ten pages
_MOST_SLICES = 4_000
_PAGE_ROWS = 5_000
_BY_DATE = "CreatedDate"
_ASKED = re.compile(r"(\d+) rows asked for (\w+ of .+); slice (\d+); reading (\d+)")


class NestedRoad(FilteredRoad):
    """Subqueries of the REST API. See `Road`."""

    def read(self, work: Work, row: Any) -> None:
        """See `Road`."""
        if row["slice"] == 0:
            self._plan_slices(work, self._conditions(work))
            return
        if self._begun_afresh(work, row):
            return
        asked = 0
        try:
            asked = self._walk(work, row)
        except OrgRefused as refusal:
            answer = plan.meaning(refusal, route="nested", columns=work.columns)
            if not isinstance(answer, (plan.GiveUp, plan.NeedsFilter)):
                raise
            self._gap(work, f"the org refuses {row['condition']} ({refusal})")
        self._means.journal.record(
            "note",
            object=work.name,
            kind="parents",
            text=f"{asked} rows asked for {row['condition']}; slice {row['slice']}; "
            f"reading {work.reading}",
        )

    def more(self, work: Work) -> bool:
        """See `Road`."""
        return False

    def halves(self, work: Work, condition: str) -> tuple[str, str] | None:
        """See `Road`: by the dates of the posts."""
        head, _, tail = condition.partition(" WHERE ")
        parts = tail.split(" AND ") if tail else []
        fixed = [one for one in parts if not one.startswith(_BY_DATE)]
        dates = " AND ".join(one for one in parts if one.startswith(_BY_DATE))
        both = plan.halves(dates, _BY_DATE, oldest=None, newest=None)
        if both is None:
            return None
        lower, upper = (f"{head} WHERE {' AND '.join([*fixed, half])}" for half in both)
        return lower, upper

    # ---- the plan ----------------------------------------------------------------------------

    def _conditions(self, work: Work) -> list[str]:
        conditions = []
        for feed in feeds(self._means):
            line = outcome_of(self._means.journal, feed)
            if line is not None and line.outcome == "empty":
                continue
            name = self._relationship(work, feed)
            if name is None:
                continue  # its rows have none of these
            if line is not None and line.incomplete and "hidden" in line.reason:
                self._gap(work, f"{feed} is not complete, so rows that belong to it may be missing")
            head = f"{name} of {feed}"
            rows = line.rows or 0 if line is not None and line.has_rows else 0
            try:
                bounds = self._bounds(feed, rows)
            except stored_rows.PageDamaged as damage:
                raise Transient(f"{damage}; {work.name} needs its rows.") from damage
            if not bounds:
                conditions.append(head)
                continue
            conditions.append(f"{head} WHERE Id < '{bounds[0]}'")
            conditions += [
                f"{head} WHERE Id >= '{low}' AND Id < '{high}'" for low, high in pairwise(bounds)
            ]
            conditions.append(f"{head} WHERE Id >= '{bounds[-1]}'")
        return conditions

    def _relationship(self, work: Work, feed: str) -> str | None:
        """By which name the rows of a feed give the object, as its describe has it."""
        assert work.rule is not None
        stored = self._means.stored(layout.describe_path(self._means.names[feed]))
        if stored is None:
            return work.rule.relationship
        told = describing.child_relationships(stored)
        return next((one.name for one in told if one.child == work.name and one.name), None)

    def _bounds(self, feed: str, rows: int) -> list[str]:
        """Ids that divide a feed into stretches; any that are there would do."""
        step = max(_STRETCH, rows // _MOST_SLICES)
        if rows < 2 * step:
            return []
        ids = self._archived(feed, "Id", "")
        return sorted({one for number, one in enumerate(ids) if number and number % step == 0})

    # ---- one slice ---------------------------------------------------------------------------

    def _soql(self, work: Work, columns: Sequence[str], condition: str) -> str:
        head, _, tail = condition.partition(" WHERE ")
        name, _, feed = head.partition(" of ")
        return plan.soql(feed, ["Id", f"({plan.soql(name, columns)})"], tail)

    def _walk(self, work: Work, row: Any) -> int:
        """Write the rows that the posts of a slice hold; how many posts there were."""
        name = row["condition"].partition(" of ")[0]
        shaper = RowShaper(work.description, work.columns)
        page = self._first_page(work, row, self._soql(work, work.columns, row["condition"]))
        total, posts, pages = page.total_size, 0, 0
        rows: list[dict[str, Any]] = []
        seen: set[str] = set()

        def flush() -> None:
            nonlocal pages
            pages += 1
            whole = query.QueryPage([], len(rows), None)
            self._page(work, row["slice"], pages, rows, shaper, whole, None, None)
            rows.clear()

        while True:
            self._means.go_on()
            posts += len(page.records)
            for post in page.records:
                for some in self._inside(post, name):
                    rows += some
                    if len(rows) >= _PAGE_ROWS:
                        flush()
            if page.next_path is None:
                break
            if page.next_path in seen:
                raise Reread("the org repeats a result page")
            seen.add(page.next_path)
            page = query.next_page(self._means.client, page.next_path)
        if posts != total:
            raise Reread(f"the org announced {total:,} posts, but gave {posts:,}")
        if rows:
            flush()
        return posts

    def _inside(self, post: dict[str, Any], name: str) -> Iterator[list[dict[str, Any]]]:
        """The rows inside one post, page by page; each result tells how many it has."""
        if name not in post:
            raise DamagedAnswer(f"The org left {name} out of a record.")
        if post[name] is None:
            return
        page = query.inner_page(self._means.client, post[name])
        total, got = page.total_size, 0
        seen: set[str] = set()
        while True:
            got += len(page.records)
            yield page.records
            if page.next_path is None:
                break
            if page.next_path in seen:
                raise Reread("the org repeats a result page")
            seen.add(page.next_path)
            self._means.go_on()
            page = query.next_page(self._means.client, page.next_path)
        if got != total:
            raise Reread(f"the org announced {total:,} {name} of a post, but gave {got:,}")


def feeds(means: Means) -> list[str]:
    """The record feeds that the org names and lets be queried."""
    stored = means.stored(layout.SOBJECTS)
    entries = describing.parse_global(stored) if stored is not None else ()
    return [
        entry.name
        for entry in entries
        if entry.associate_entity_type == "Feed"
        and entry.queryable
        and entry.name in means.names
        and layout.is_api_name(entry.name)
    ]


def ready(means: Means) -> bool:
    """True when every record feed has come to its outcome."""
    return all(outcome_of(means.journal, feed) is not None for feed in feeds(means))


def walked(means: Means, name: str, reading: int) -> int:
    """How many posts were asked for what hangs on them. Raises Reread if a slice does not tell."""
    slices = means.journal.rows(
        "SELECT slice FROM slice WHERE object = ? AND reading = ? AND state = 'done' AND slice > 0",
        (name, reading),
    )
    notes = means.journal.rows(
        "SELECT text FROM note WHERE object = ? AND kind = 'parents' ORDER BY seq", (name,)
    )
    found = (_ASKED.fullmatch(row["text"]) for row in notes)
    asked = {int(one[3]): int(one[1]) for one in found if one and int(one[4]) == reading}
    try:
        return sum(asked[row["slice"]] for row in slices)
    except KeyError as error:
        raise Reread("not every feed was asked for") from error
