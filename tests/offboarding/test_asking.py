"""Counting where an object takes no GROUP BY."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sfexit.offboarding.asking import Asking, Look, chunks
from sfexit.preflight.questions import Reply

from .desk import office


@pytest.mark.parametrize("refused", [False, True])
def test_counts_one_by_one(refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with office(rows=1_500) as place:
        asking = Asking(place.client)
        plain = asking.ask
        ids = [place.id(row) for row in place.who.people]
        look = Look("Contact", ("OwnerId", "IsDeleted"), "OwnerId", count=True)
        [grouped] = asking.look([look], ids)
        assert grouped and all("IsDeleted" in row for row in grouped)

        def ask(queries: Sequence[tuple[str, bool]]) -> list[Reply]:
            return [
                Reply(400, code="MALFORMED_QUERY", reason="GROUP BY not yet supported")
                if "GROUP BY" in soql or refused
                else plain([(soql, every)])[0]
                for soql, every in queries
            ]

        monkeypatch.setattr(asking, "ask", ask)
        [alone] = asking.look([look], ids)
        if refused:
            assert alone is None and "Contact.OwnerId could not be read" in asking.unknown[0]
        else:
            truth = {row["OwnerId"]: row["n"] for row in grouped}
            assert {row["OwnerId"]: row["n"] for row in alone or ()} == truth
            assert asking.unknown == []


def test_chunks() -> None:
    assert [len(part) for part in chunks(map(str, range(450)))] == [200, 200, 50]
    assert list(chunks([])) == []
