"""Likes, signals and tracked changes: no query gives them but one on the feed of their record.

Object Reference, FeedLike ("can only be queried via the entity feed, such as AccountFeed"),
feedSignal and FeedTrackedChange ("can only be queried via the parent feed object"): neither has
the call query(). FeedItem is no entity feed; whether it gives them is a doubt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .columns import Column, Value
from .schema import Field, SObject, make

if TYPE_CHECKING:
    from .changes import Changes
    from .data import Table

#: The relationship by which a feed gives each of them.
CHILDREN = {
    "FeedLike": "FeedLikes",
    "FeedSignal": "FeedSignals",
    "FeedTrackedChange": "FeedTrackedChanges",
}
_LINK = "FeedItemId"
_POPULAR = 9  # so many of the rows hang on one post


def feed_children(feeds: Sequence[str]) -> list[SObject]:
    """The three, hanging on the rows of `feeds`."""
    link = f"{_LINK} ref({','.join(feeds)}) gen=posts:{_POPULAR} required rel="
    by = "InsertedById ref(User)\nIsDeleted boolean gen=false"
    made = [
        make("FeedLike", "0I0", f"{link}\nFeedEntityId string(18) gen=null\n{by}",
             system="history_only", fixed=41, flags=("createable", "deletable")),
        make("FeedSignal", "0QJ",
             f"{link}\nSignalType picklist(generic)\nSignalValue int\n{by}",
             system="history_only", fixed=14, flags=("createable", "deletable")),
        make("FeedTrackedChange", "0D6",
             f"{link}\nFieldName string(120)\nOldValue anyType\nNewValue anyType\n{by}",
             system="history_only", fixed=33, flags=()),
    ]  # fmt: skip
    return [replace(one, queryable=False, retrieveable=False, _index={}) for one in made]


def relationship(child: str, field: Field, parent: str, *, by_feed_item: bool) -> str | None:
    """The name by which a subquery on `parent` may ask for `child`; None: it may not."""
    if field.name != _LINK or (parent == "FeedItem" and not by_feed_item):
        return None
    return CHILDREN.get(child)


class LikesColumn(Column):
    """LikeCount: "the number of likes associated with this feed item" (Object Reference)."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: tuple[Changes | None, Counter[Value]] = None, Counter()

    def _likes(self) -> Counter[Value]:
        likes = self._table.org.tables.get("FeedLike")
        if likes is None:
            return self._known[1]
        changes = likes.changes
        if self._known[0] is not changes:
            there = (n for n in range(likes.total(changes)) if not likes.hidden(changes, n))
            self._known = changes, Counter(likes.value(changes, _LINK, n) for n in there)
        return self._known[1]

    def value(self, i: int) -> Value:
        return str(self._likes()[self._table.ids.at(i)])
