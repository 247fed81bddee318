"""Likes, signals and tracked changes: no query gives them but one on the feed of their record.

Object Reference, FeedLike ("can only be queried via the entity feed, such as AccountFeed"),
feedSignal and FeedTrackedChange ("can only be queried via the parent feed object"): neither has
the call query(). FeedItem is no entity feed; whether it gives them is a doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .schema import Field, SObject, make

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
