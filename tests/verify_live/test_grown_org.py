"""Every object of a grown org can be verified: what the org gives only in pieces is asked so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_rig import LiveRig, verdict

from sfexit.simulated_org.org import shaped
from sfexit.verify.codes import Severity


@pytest.fixture
def grown(fast_folder: Path) -> Iterator[LiveRig]:
    rig = LiveRig(
        fast_folder,
        objects=shaped("full"),
        rows=1500,
        bulk_page_rows=2000,
        rest_page_rows=2000,
        query_all_files=True,
    )
    yield rig
    rig.close()


def test_nothing_is_left_unasked(grown: LiveRig) -> None:
    grown.export()
    told = grown.look(sample=100)
    assert grown.server.crashes == []
    found = [
        (one.code, one.object) for one in verdict(told).findings if one.severity != Severity.NOTE
    ]
    # Rows of another system are not read: the one thing that waits for the administrator.
    assert found == [("object-left-out", "Remote__x")]
