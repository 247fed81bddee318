"""Likes, signals and tracked changes: given only inside the rows of record feeds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rig import Rig, archive_rows, journal_events, ledger_of, problems_of_bag, small_objects

from sfexit.errors import Interrupted
from sfexit.export import nested_road
from sfexit.export.plan import Selection
from sfexit.simulated_org.feeds import CHILDREN, feed_children
from sfexit.simulated_org.listed import companion_fields
from sfexit.simulated_org.schema import SObject, make

FEEDS = {"Memo__Feed": "Memo__c", "UserFeed": "User", "Item__Feed": "Item__c"}


def feeds(posts: int = 60) -> list[SObject]:
    """Two feeds with posts, one without, one that knows no likes, and what hangs on posts."""
    made = []
    for number, (name, parent) in enumerate(FEEDS.items()):
        one = make(name, "", "", system="bare", flags=("replicateable",),
                   fixed=(posts, 23, 0)[number], id_prefix="0D5", bulk=False,
                   id_base=1_000_000 * (number + 1), associate=("Feed", parent))  # fmt: skip
        made.append(replace(one, fields=companion_fields("Feed", parent), _index={}))
    mute = replace(made[1], name="Mute__Feed", id_base=9_000_000, _index={})
    return [*small_objects(), *made, mute, *feed_children([*FEEDS, "FeedItem"])]


@pytest.fixture
def chatter(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig(objects=feeds())


def bag_of(result: Any) -> Any:
    assert result.bag is not None
    assert problems_of_bag(result.bag.path) == []
    return result.bag.path


def assert_all_there(rig: Rig, bag: Any) -> None:
    lines = ledger_of(bag)
    for name in CHILDREN:
        assert rig.truth(name)
        assert archive_rows(bag, name) == rig.truth(name), name
        assert lines[name].outcome == "exported" and not lines[name].incomplete, lines[name]


def asked_inside(rig: Rig) -> list[str]:
    return [one for one in map(str, rig.server.requests) if "FeedLikes" in one]


def test_every_row_that_hangs_on_a_post(chatter: Rig) -> None:
    bag = bag_of(chatter.run())
    assert_all_there(chatter, bag)
    line = ledger_of(bag)["FeedLike"]
    assert (line.route, line.witnesses["parents"]) == ("nested", 60 + 23)
    assert "FeedLikes" in line.evidence
    assert "likes on comments" in line.reason
    assert "signals on comments" in ledger_of(bag)["FeedSignal"].reason
    # One post has more of them than a page holds: the inner result has pages of its own.
    hanging = [row["FeedItemId"] for row in chatter.truth("FeedLike")]
    assert max(map(hanging.count, hanging)) >= 9
    assert len(set(hanging)) > 30


def test_inner_results_with_pages_of_their_own(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(objects=feeds(), rest_page_rows=4)
    assert_all_there(rig, bag_of(rig.run()))


def test_feeds_without_posts_or_without_the_relationship_are_not_asked(chatter: Rig) -> None:
    bag = bag_of(chatter.run())
    notes = [one["text"] for one in journal_events(bag)
             if one["event"] == "note" and one.get("kind") == "parents"]  # fmt: skip
    asked = {note.split(" of ")[1].split(";")[0] for note in notes if "FeedLikes" in note}
    assert asked == {"Memo__Feed", "UserFeed"}


def test_a_large_feed_is_asked_in_stretches(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nested_road, "_STRETCH", 17)
    rig = make_rig(objects=feeds(posts=200))
    bag = bag_of(rig.run())
    assert_all_there(rig, bag)
    assert ledger_of(bag)["FeedLike"].witnesses["parents"] == 223
    slices = [one for one in journal_events(bag) if one["event"] == "slice_done"]
    assert sum(one["object"] == "FeedLike" for one in slices) >= 200 // 17


@pytest.mark.parametrize("calls", (20, 30, 40))
def test_a_run_that_stops_anywhere_goes_on(make_rig: Callable[..., Rig], calls: int) -> None:
    rig = make_rig(objects=feeds(), rest_page_rows=6)
    stop = threading.Event()
    rig.org.after_calls(calls, stop.set)
    try:
        bag = bag_of(rig.run(stop=stop))
    except Interrupted:
        bag = bag_of(rig.run())
    assert_all_there(rig, bag)


def test_a_feed_that_is_too_much_is_divided_by_date(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(objects=feeds())
    tuning = rig.tuning(scout=False)
    rig.fail("status", "composite", status=500, times=None, object="Memo__Feed")
    rig.fail("query_timeout", "query", object="Memo__Feed", nth=2, times=3)
    bag = bag_of(rig.run(tuning=tuning))
    assert_all_there(rig, bag)
    assert any(
        "CreatedDate" in str(one.get("into")) for one in journal_events(bag)
        if one["event"] == "slice_split"
    )  # fmt: skip


def test_a_feed_that_refuses_is_named(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(objects=feeds())
    rig.org.remove_object("UserFeed")
    shown = {row["Id"] for row in rig.truth("Memo__Feed")}
    bag = bag_of(rig.run())
    given = [row for row in rig.truth("FeedLike") if row["FeedItemId"] in shown]
    assert archive_rows(bag, "FeedLike") == given


def test_feeds_that_are_left_out_are_asked_all_the_same(chatter: Rig) -> None:
    bag = bag_of(chatter.run(selection=Selection(objects=frozenset({"FeedLike"}))))
    assert archive_rows(bag, "FeedLike") == chatter.truth("FeedLike")


def test_a_refresh_brings_them_up_to_date(chatter: Rig) -> None:
    chatter.run()
    chatter.org.insert_rows("FeedLike", 3)
    chatter.org.purge_rows("FeedTrackedChange", [1])
    chatter.org.insert_rows("Memo__Feed", 2)
    bag = bag_of(chatter.run(refresh=True))
    assert_all_there(chatter, bag)
