from __future__ import annotations

import pytest

from sfexit.errors import DamagedAnswer
from sfexit.salesforce.ids import full_id


@pytest.mark.parametrize(
    "known",
    # From recorded answers of Salesforce.
    ["750Tn000004ZoR3IAK", "0050900000Bf63SAAR", "00DdM00000vfgTuUAI", "001dM00003jU9GyQAK"],
)
def test_both_forms(known: str) -> None:
    assert full_id(known) == known
    assert full_id(known[:15]) == known
    assert full_id(known[:15] + known[15:].lower()) == known


@pytest.mark.parametrize(
    "text", [None, "", 12, "750Tn000004ZoR3IAA", "750Tn000004ZoR", "../Tn000004ZoR3", "x" * 19]
)
def test_no_ids(text: object) -> None:
    with pytest.raises(DamagedAnswer):
        full_id(text)
