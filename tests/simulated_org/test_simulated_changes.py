"""A living org: whatever is done to its rows, every road gives the same, and the truth agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from simulated_client import Client, Clock

from sfexit.simulated_org import SimulatedOrg, serve
from sfexit.simulated_org.schema import make

NAME = "Account"


@pytest.fixture
def living(clock: Clock) -> Iterator[Client]:
    org = SimulatedOrg(seed=3, rows=2000, bulk_page_rows=70, rest_page_rows=50, clock=clock)
    with serve(org) as server:
        yield Client(server)
        assert server.crashes == []


def state(org: SimulatedOrg, name: str = NAME) -> dict[str, dict[str, Any]]:
    return {str(row["Id"]): row for row in org.truth(name)}


def agree(client: Client, name: str = NAME) -> None:
    """Counts, pages and conditions say what the truth says."""
    org = client.org
    columns = ["Id", "IsDeleted", "Name", "SystemModstamp", "Name_and_City__c"]
    truth = [[row[c] or "" for c in columns] for row in org.truth(name)]
    text = f"SELECT {','.join(columns)} FROM {name}"
    assert client.bulk(text)[1:] == truth
    assert [r["Id"] for r in client.records(text, True)] == [row[0] for row in truth]
    live = [row[0] for row in truth if row[1] == "false"]
    assert [r["Id"] for r in client.records(f"SELECT Id FROM {name}")] == live
    assert client.query(f"SELECT COUNT() FROM {name}").json()["totalSize"] == len(live)
    both = client.query(f"SELECT COUNT() FROM {name}", everything=True).json()["totalSize"]
    assert both == len(truth) == org.count(name)
    assert org.count(name, deleted=False) == len(live)
    assert org.count(name, deleted=True) == len(truth) - len(live)


def test_deeds_change_what_they_say(living: Client, clock: Clock) -> None:
    org = living.org
    before = state(org)
    ids = list(before)
    clock.moment += 60
    [new] = org.insert_rows(NAME, values={"Name": "Newcomer"})
    [edited] = org.update_rows(NAME, [3], {"Name": "Edited"})
    [binned] = org.delete_rows(NAME, [4])
    purged = org.purge_rows(NAME, [7, 5])  # row 5 lay in the recycle bin
    [calculated] = org.give_values(NAME, [8], {"Name_and_City__c": "Reckoned"})
    [back] = org.undelete_rows(NAME, [5 + 101])  # deleted when the org was made
    after = state(org)
    assert set(after) == set(before) - set(purged) | {new}
    assert after[new]["Name"] == "Newcomer"
    assert after[edited]["Name"] == "Edited"
    assert after[edited]["SystemModstamp"] > before[edited]["SystemModstamp"]
    assert (before[binned]["IsDeleted"], after[binned]["IsDeleted"]) == ("false", "true")
    assert (before[back]["IsDeleted"], after[back]["IsDeleted"]) == ("true", "false")
    assert after[back]["SystemModstamp"] > before[back]["SystemModstamp"]
    assert after[calculated] == {**before[calculated], "Name_and_City__c": "Reckoned"}
    touched = {new, edited, binned, *purged, calculated, back}
    assert all(after[one] == before[one] for one in ids if one not in touched)
    agree(living)
    gone = ",".join(f"'{one}'" for one in purged)
    assert living.records(f"SELECT Id FROM {NAME} WHERE Id IN ({gone})", True) == []


def test_a_formula_moves_in_every_row_and_no_stamp_tells(living: Client) -> None:
    before = state(living.org)
    living.org.recalculate(NAME, "Name_and_City__c")
    after = state(living.org)
    moved = [one for one in before if before[one] != after[one]]
    assert len(moved) > len(before) / 2
    assert all(
        {k for k in before[one] if before[one][k] != after[one][k]} == {"Name_and_City__c"}
        for one in moved
    )
    agree(living)


def test_any_order_of_deeds_keeps_every_road_in_step(living: Client, clock: Clock) -> None:
    org, random = living.org, Random(11)
    rows = org.count(NAME)

    def some() -> list[int]:
        return sorted(random.sample(range(rows), 9))

    deeds: tuple[Callable[[], object], ...] = (
        lambda: org.insert_rows(NAME, 3),
        lambda: org.update_rows(NAME, some()),
        lambda: org.delete_rows(NAME, some()),
        lambda: org.delete_rows(NAME, 2),
        lambda: org.undelete_rows(NAME, some()),
        lambda: org.purge_rows(NAME, some()),
        lambda: org.give_values(NAME, some(), {"Name_and_City__c": str(random.random())}),
    )
    for _ in range(40):
        clock.moment += 1
        random.choice(deeds)()
    agree(living)


def test_fields_and_objects_come(living: Client) -> None:
    org = living.org
    org.add_field(NAME, "Fresh__c string(80) gen=seq:F- required")
    assert "Fresh__c" in {field["name"] for field in living.fields(NAME)}
    rows = living.bulk(f"SELECT Id,Fresh__c FROM {NAME}")[1:]
    assert rows[0][1] == "F-0000001"
    assert len(rows) == org.count(NAME)
    org.add_object(make("Later__c", "aZ9", "Name string(80) gen=seq:L- name"), 30)
    assert len(living.records("SELECT Id,Name FROM Later__c", True)) == 30
    listed = living.get("sobjects").json()["sobjects"]
    assert "Later__c" in {one["name"] for one in listed}
    fields = living.get(
        "tooling/query",
        params={
            "q": "SELECT QualifiedApiName FROM FieldDefinition "
            f"WHERE EntityDefinition.QualifiedApiName = '{NAME}'"
        },
    ).json()["records"]
    assert "Fresh__c" in {one["QualifiedApiName"] for one in fields}
