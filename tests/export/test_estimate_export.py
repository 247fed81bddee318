"""What an export is said to cost, against the calls that it then makes."""

from __future__ import annotations

import csv
import gzip
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rig import Rig, small_objects

from sfexit.archive import layout
from sfexit.export.assess import Assessment, assess
from sfexit.export.means import Tuning
from sfexit.salesforce.client import Client
from sfexit.salesforce.login import credential_from_environment
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.doubts import Doubts
from sfexit.simulated_org.schema import SObject
from sfexit.simulated_org.strange import Strange
from sfexit.simulated_org.visibility import SimulatedUser

MARGIN = 0.3  # of the calls of the export, images in rich text apart: they are told not counted


def assessed(rig: Rig) -> Assessment:
    ticks = itertools.count(step=60)
    credential = credential_from_environment(rig.environment, clock=lambda: next(ticks))
    with Client(credential, sleep=rig.time.sleep, clock=rig.time, budget_share=1.0) as client:
        return assess(client, place=rig.root, share=1.0)


def sales_and_service() -> Sequence[SObject]:
    return Strange(private_reports=True).applied(standard_objects())


@pytest.mark.parametrize("objects", [small_objects, sales_and_service])
def test_calls_are_estimated_as_the_export_spends_them(
    make_rig: Callable[..., Rig], objects: Callable[[], Sequence[SObject]]
) -> None:
    rig = make_rig(objects=list(objects()), rows=2_500, rest_page_rows=2_000, bulk_page_rows=50_000)
    told = assessed(rig)
    before = len(rig.server.requests)
    result = rig.run(tuning=Tuning(clock=rig.time))
    assert result.bag is not None
    made = [request.path for request in rig.server.requests[before:]]
    images = sum(1 for line in index_of(result.bag.path) if line["reference"])
    cost = told.estimate
    assert abs(cost.calls - (result.calls - images)) <= MARGIN * result.calls
    # Part by part, where a part can be told by its address.
    soap = sum("/Soap/" in path for path in made)
    assert abs(cost.calls_metadata - soap) <= max(4, MARGIN * soap)
    definitions = sum("/analytics/" in path for path in made)
    assert abs(cost.calls_definitions - definitions) <= 2  # deleted ones are not asked for
    assert not any("/analytics/" in request.path for request in rig.server.requests[:before])


def index_of(bag: Path) -> list[dict[str, str]]:
    with gzip.open(bag / layout.FILES_INDEX, "rt", encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_an_object_that_only_the_metadata_name_is_hidden(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(
        rows=400, objects=standard_objects(), doubts=Doubts(definitions_show_hidden=False)
    )
    user = SimulatedUser("Nearly", hidden_objects=("Invoice__c",))
    rig.environment["SFEXIT_ACCESS_TOKEN"] = rig.org.sign_in(user)
    told = assessed(rig)
    spots = {spot.object: spot for spot in told.sight.blind_spots if spot.kind == "object_hidden"}
    assert set(spots) == {"Invoice__c"}
    assert "listMetadata" in spots["Invoice__c"].evidence and spots["Invoice__c"].remedy


def test_metadata_that_cannot_be_listed_are_told(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig()
    user = SimulatedUser("Poor", modify_all_data=False, lacks=("ModifyMetadata",))
    rig.environment["SFEXIT_ACCESS_TOKEN"] = rig.org.sign_in(user)
    told = assessed(rig)
    assert told.estimate.calls_metadata == 1
    assert any("metadata cannot be listed" in note for note in told.estimate.notes)
