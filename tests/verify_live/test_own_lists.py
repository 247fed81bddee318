"""The verifier's own lists, of ids it asks by and of names it is told, are never cut in silence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sfexit.simulated_org.server import URI_AND_HEADERS
from sfexit.verify.live import filters, schema
from sfexit.verify.live.wire import Reply


class Documents:
    """An org with so many files; what is asked is which there are."""

    def __init__(self, ids: list[str]) -> None:
        self.ids = ids

    def pages(self, soql: str) -> Iterator[Reply]:
        assert soql == "SELECT Id FROM ContentDocument ORDER BY Id DESC"
        for at in range(0, len(self.ids), 7):
            yield Reply(200, {"records": [{"Id": one} for one in self.ids[at : at + 7]]})


@pytest.mark.parametrize("number", [0, 1, 100, 101, 12_345])
def test_a_long_list_of_parents_is_asked_in_pieces_that_fit(number: int) -> None:
    """Without Query All Files links are given by lists of documents alone."""
    ids = [f"069{n:015d}" for n in range(number)]
    pieces = filters.pieces_of("ContentDocumentLink")
    assert pieces is not None
    shape = schema.Shape("ContentDocumentLink", {})
    tails = list(pieces.ask(Documents(ids), "ContentDocumentLink", shape))  # type: ignore[arg-type]
    assert [one for tail in tails for one in re.findall(r"'(\w+)'", tail)] == ids
    # With every column of the object before it, it is an address that the org takes.
    assert max(map(len, tails), default=0) < URI_AND_HEADERS / 4


class Catalogue:
    """A Tooling catalogue that gives so many rows at a time, and no further page."""

    def __init__(self, rows: int, at_once: int, *, stuck: bool = False) -> None:
        self.rows = [{"DurableId": f"id{number:05d}"} for number in range(rows)]
        self.at_once, self.stuck = at_once, stuck

    def address(self, soql: str, *, everything: bool) -> str:
        assert not everything
        return f"/query?q={soql}"

    def get(self, path: str) -> Any:
        soql = parse_qs(urlsplit(path).query)["q"][0]
        found = re.search(r"DurableId > '(\w+)'", soql)
        last = found[1] if found and not self.stuck else ""
        left = [one for one in self.rows if one["DurableId"] > last]
        return {"totalSize": len(left), "done": True, "records": left[: self.at_once]}


@pytest.mark.parametrize("rows", [0, 1, 2_000, 2_001, 8_000])
def test_a_catalogue_of_which_one_answer_gives_2000(rows: int) -> None:
    told, why = schema.catalogue(Catalogue(rows, 2_000), "EntityDefinition", ("DurableId",), "")  # type: ignore[arg-type]
    assert (len(told), why) == (rows, "")


def test_a_catalogue_that_never_gives_more_is_not_taken_for_whole() -> None:
    stuck = Catalogue(8_000, 2_000, stuck=True)
    told, why = schema.catalogue(stuck, "EntityDefinition", ("DurableId",), "")  # type: ignore[arg-type]
    assert len(told) == 2_000 and "longer than the org gives" in why
