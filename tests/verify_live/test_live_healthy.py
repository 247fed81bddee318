"""No false alarm: healthy orgs of all kinds, with a life of their own, are SAFE."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from live_rig import live_on, random_org

from sfexit.verify.verdict import Verdict


@pytest.mark.parametrize("seed", range(6))
def test_a_healthy_org_is_safe_and_a_living_one_after_a_refresh(
    seed: int, fast_folder: Path
) -> None:
    rig = random_org(seed, fast_folder / "org")
    chance = random.Random(seed)
    try:
        # people work while the export runs
        rig.org.after_calls(chance.randint(5, 25), lambda: live_on(rig, chance, 3))
        rig.export()
        during = rig.judge()
        live_on(rig, chance, 2)
        touched = live_on(rig, chance, 3)
        after = rig.judge()
        if touched:
            # a change within the second of the export shows by its values alone
            assert after.verdict is Verdict.NOT_SAFE
            assert {one.code for one in after.findings} <= {
                "row-missing", "row-stale", "value-differs"
            }  # fmt: skip
            assert {one.object for one in after.findings} >= set(touched)
        rig.export(refresh=True)
        assert rig.bag.name == "0002"
        judged = rig.judge()
        assert judged.verdict is Verdict.SAFE, [one.key for one in judged.findings]
        assert judged.registered, "every org has objects that are by design no data"
        assert rig.server.crashes == []
        assert during.verdict in (Verdict.SAFE, Verdict.NOT_SAFE)
    finally:
        rig.close()
