"""Rows that only come inside the rows of record feeds are compared, too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from live_rig import LiveRig, chosen

from sfexit.simulated_org.feeds import CHILDREN, feed_children
from sfexit.verify.verdict import Verdict


@pytest.fixture
def rig(fast_folder: Path) -> LiveRig:
    objects = chosen("Account", "AccountFeed")
    feed = next(one for one in objects if one.name == "AccountFeed")
    mute = replace(feed, name="Mute__Feed", id_base=9_000_000, _index={})
    return LiveRig(
        fast_folder / "org", objects=[*objects, mute, *feed_children(["AccountFeed"])], rows=300
    )


def test_what_hangs_on_posts_is_compared_and_a_change_is_found(rig: LiveRig) -> None:
    try:
        rig.export()
        judged = rig.judge()
        assert judged.verdict is Verdict.SAFE, [one.key for one in judged.findings]
        compared = {one.object: one for one in rig.look().compared}
        for name in CHILDREN:
            assert compared[name].org_rows == len(list(rig.org.truth(name))) > 0
        rig.org.insert_rows("FeedLike", 1)
        rig.org.give_values("FeedTrackedChange", [2], {"FieldName": "another"})
        again = rig.judge()
        assert again.verdict is Verdict.NOT_SAFE
        found = {(one.object, one.code) for one in again.findings}
        assert ("FeedLike", "row-missing") in found
        assert ("FeedTrackedChange", "row-stale") in found
    finally:
        rig.close()
