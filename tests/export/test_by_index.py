"""Big objects that are too much at once are divided by the fields of their index."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as some
from rig import Rig, archive_rows, journal_events, ledger_of, problems_of_bag, small_objects

from sfexit.export import by_index
from sfexit.simulated_org.schema import SObject, make

SHAPES = {
    "text": ("Vehicle__c string(18) gen=seq:V required\nAt__c datetime gen=when required",
             ("Vehicle__c", "At__c")),
    "reference": ("Memo__c ref(Memo__c) gen=nth:Memo__c required\nAt__c datetime gen=when required",
                  ("Memo__c", "At__c")),
    "moment": ("Other__c string(9) gen=seq:O required\nAt__c datetime gen=when required",
               ("At__c", "Other__c")),
    "number": ("Size__c double(18,0) required\nAt__c datetime gen=when required",
               ("Size__c", "At__c")),
    "second": ("Site__c string(18) gen=const:Kiel required\nAt__c datetime gen=when required",
               ("Site__c", "At__c")),
}  # fmt: skip


def big(shape: str, rows: int = 150) -> SObject:
    fields, index = SHAPES[shape]
    return make("Telemetry__b", "x10", f"Speed__c double(6,2)\n{fields}", system="big",
                fixed=rows, index=index, flags=("createable",))  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_row_comes_once_when_it_is_divided(make_rig: Callable[..., Rig], shape: str) -> None:
    rig = make_rig(objects=[*small_objects(), big(shape)])
    rig.fail("job_failed", "bulk.poll", object="Telemetry__b", times=3,
             message="QUERY_TIMEOUT: running for too long.")  # fmt: skip
    result = rig.run()
    assert result.bag is not None and problems_of_bag(result.bag.path) == []
    line = ledger_of(result.bag.path)["Telemetry__b"]
    assert (line.outcome, line.incomplete) == ("exported", False), line
    assert archive_rows(result.bag.path, "Telemetry__b") == rig.truth("Telemetry__b")
    divided = [
        half
        for one in journal_events(result.bag.path)
        if one["event"] == "slice_split" and one["object"] == "Telemetry__b"
        for half in one["into"].values()
    ]
    assert len(divided) >= 4
    first, second = SHAPES[shape][1]
    if shape == "second":
        assert all(half.startswith(f"{first} = 'Kiel' AND {second}") for half in divided), divided
    else:
        assert all(half.startswith(f"{first} ") for half in divided)


def test_rows_that_are_all_alike_cannot_be_divided(make_rig: Callable[..., Rig]) -> None:
    fields = "Site__c string(18) gen=const:Kiel required\nN__c double(9,0)"
    one = make("Telemetry__b", "x10", fields, system="big", fixed=30,
               index=("Site__c",), flags=("createable",))  # fmt: skip
    rig = make_rig(objects=[*small_objects(), one])
    rig.fail("job_failed", "bulk.poll", object="Telemetry__b", times=None,
             message="QUERY_TIMEOUT: running for too long.")  # fmt: skip
    result = rig.run()
    assert result.bag is not None
    line = ledger_of(result.bag.path)["Telemetry__b"]
    assert line.route == "rest"  # the other road, which this org does not refuse
    assert archive_rows(result.bag.path, "Telemetry__b") == rig.truth("Telemetry__b")


@given(some.text(alphabet=by_index._LETTERS, min_size=15, max_size=15))
def test_texts_and_numbers_of_them_go_both_ways(text: str) -> None:
    assert by_index._text_literal(by_index._text_key(text)) == f"'{text.rstrip('0')}'"


@given(some.lists(some.text(alphabet=by_index._LETTERS, min_size=15, max_size=15), min_size=2))
def test_texts_stand_in_the_order_of_their_numbers(texts: list[str]) -> None:
    assert sorted(texts) == sorted(texts, key=by_index._text_key)


def test_of_several_bounds_only_the_inner_one_stays() -> None:
    parts = ["A__c >= 'B'", "Z__c = 'x'", "A__c < 'Y'", "A__c >= 'C'", "A__c < 'D'"]
    assert by_index._tidied(parts) == ["Z__c = 'x'", "A__c >= 'C'", "A__c < 'D'"]
