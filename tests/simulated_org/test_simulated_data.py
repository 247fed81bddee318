"""The rows: the same by truth, by Bulk and by REST; ids right; any page at any time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfexit.simulated_org import SimulatedOrg
from sfexit.simulated_org.csvtext import line, split_rows
from sfexit.simulated_org.data import java_double
from sfexit.simulated_org.ids import ALPHABET, IdSpace, to18

ORG = SimulatedOrg(seed=7, rows=2500)
COMPOUND = ("address", "location")
NUMBERS = ("int", "long", "double", "currency", "percent")
BULK = [
    n for n in ORG.objects if (o := ORG.sobject(n)) and o.queryable and o.bulk and not o.refusal
]
REST = [
    n
    for n in ORG.objects
    if (o := ORG.sobject(n))
    and o.queryable
    and not o.refusal
    and n not in ("Wide__c", "Wide_Rest__mdt")
]


def canonical(kind: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind in ("double", "currency", "percent"):
        return java_double(float(value))
    if kind in NUMBERS:
        return str(value)
    if kind == "datetime":
        return value.replace("+0000", "Z")
    return value


@pytest.mark.parametrize("name", BULK)
def test_bulk_rows_are_the_truth(client: Any, name: str) -> None:
    names = [f["name"] for f in client.fields(name) if f["type"] not in (*COMPOUND, "base64")]
    rows = client.bulk(f"SELECT {','.join(names)} FROM {name}")
    assert rows[0] == names
    truth = [[row[n] or "" for n in names] for row in client.org.truth(name)]
    assert rows[1:] == truth
    assert len(truth) == client.org.count(name)


@pytest.mark.parametrize("name", REST)
def test_rest_rows_are_the_truth(client: Any, name: str) -> None:
    kinds = {f["name"]: f["type"] for f in client.fields(name)}
    names = [n for n, t in kinds.items() if t not in (*COMPOUND, "base64")]
    records = client.records(f"SELECT {','.join(names)} FROM {name}", everything=True)
    found = [{n: canonical(kinds[n], r[n]) for n in names} for r in records]
    assert found == list(client.org.truth(name))


@pytest.mark.parametrize("name", ["Account", "Task", "ContentDocument", "CaseHistory"])
def test_query_hides_deleted_and_archived(client: Any, name: str) -> None:
    truth = list(client.org.truth(name))
    live = [r["Id"] for r in truth if r["IsDeleted"] == "false" and r.get("IsArchived") != "true"]
    assert 0 < len(live) < len(truth)
    assert [r["Id"] for r in client.records(f"SELECT Id FROM {name}")] == live
    assert [r[0] for r in client.bulk(f"SELECT Id FROM {name}", "query")[1:]] == live
    assert client.query(f"SELECT COUNT() FROM {name}").json()["totalSize"] == len(live)
    everything = client.query(f"SELECT COUNT() FROM {name}", everything=True).json()
    assert everything["totalSize"] == len(truth)
    assert client.org.count(name, deleted=False, archived=False) == len(live)
    gone = [r for r in truth if r["IsDeleted"] == "true"]
    assert client.org.count(name, deleted=True) == len(gone) > 0
    assert len(client.records(f"SELECT Id FROM {name} WHERE IsDeleted = true", True)) == len(gone)


def test_ids_are_valid_unique_and_resolve(client: Any) -> None:
    org, seen, dangling = client.org, set(), 0
    for name in org.objects:
        sobject = org.sobject(name)
        prefix = sobject.prefix
        references = [f.name for f in sobject.fields if f.type == "reference"]
        for row in org.truth(name):
            if "Id" not in row:
                continue
            record_id = row["Id"]
            assert to18(record_id[:15]) == record_id and len(record_id) == 18
            assert not prefix or record_id.startswith(prefix)
            if name != "ContentFolderItem":  # an item that is a folder has that folder's id
                assert record_id not in seen
                seen.add(record_id)
            for reference in references:
                target = row[reference]
                if target and name not in ("FieldDefinition", "EntityParticle"):
                    assert to18(target) == target
                    dangling += org.tables.locate(target) is None
    assert dangling <= 40


#: Two names for the same records (Object Reference): they have their ids in common.
SAME_RECORDS = {("ContentFolderItem", "ContentFolder"), ("FeedItem", "AccountFeed")}


@pytest.mark.parametrize("shape", ["crm", "full"])
def test_an_id_leads_to_its_own_record(shape: str) -> None:
    tables = SimulatedOrg(rows=20_000, shape=shape).tables
    for name, table in tables.tables.items():
        total = table.total(table.changes)
        for row in {0, total - 1} if total else ():
            found = tables.locate(table.ids.at(row))
            assert found is not None, name
            other = found[0].sobject.name
            assert (found[0] is table and found[1] == row) or (name, other) in SAME_RECORDS


def test_some_references_point_at_purged_rows() -> None:
    org = SimulatedOrg(rows=30_000)
    lost = [
        r["AccountId"]
        for r in org.truth("Contact")
        if r["AccountId"] and org.tables.locate(r["AccountId"]) is None
    ]
    assert lost and all(to18(i) == i and i.startswith("001") for i in lost)


def test_same_seed_same_rows_other_seed_other_rows() -> None:
    first = json.dumps(list(SimulatedOrg(seed=5, rows=300).truth("Account")))
    assert first == json.dumps(list(SimulatedOrg(seed=5, rows=300).truth("Account")))
    assert first != json.dumps(list(SimulatedOrg(seed=6, rows=300).truth("Account")))


def test_total_rows_are_about_what_was_asked() -> None:
    for rows in (1000, 12_000, 2_000_000):
        org = SimulatedOrg(rows=rows)
        catalogues = ("EntityDefinition", "FieldDefinition", "EntityParticle", "ObjectPermissions")
        total = sum(org.count(n) for n in org.objects if n not in catalogues)
        assert abs(total - rows) < max(0.02 * rows, 150), rows
    one = SimulatedOrg(rows=50_000, one_object="Account")
    assert one.count("Account") > 49_000
    assert one.count("Contact") == 0


def test_pages_deep_in_a_huge_object_come_at_once(client: Any) -> None:
    from sfexit.simulated_org.select import select

    org = SimulatedOrg(rows=10_000_000, one_object="Contact")
    chosen = select(org, "SELECT Id, Name, IsDeleted FROM Contact", False, 66.0)
    rows = next(iter(chosen.chunks(9_000_000, 3)))
    assert len(rows) == 3
    lines = chosen.lines(rows)
    assert lines == chosen.lines(next(iter(chosen.chunks(9_000_000, 3))))
    assert all(text.endswith(',"false"') for text in lines)


def test_dirty_texts_are_all_there() -> None:
    texts = {r["Long_Text__c"] for r in ORG.truth("Legacy_Dirty__c")}
    assert {"NA", "null", "None", "01234", "\n\n\n", '"', "\\", "   "} <= texts
    assert any(t and "\x00" in t for t in texts)
    assert any(t and len(t) == 131_072 for t in texts)
    assert any(t and t.startswith("\ufeff") for t in texts)
    assert any(t and '"001000000000001AAA"' in t for t in texts)
    assert "" not in texts


@given(st.lists(st.lists(st.one_of(st.none(), st.text()), min_size=1), min_size=1))
def test_csv_cutting_undoes_csv_writing(rows: list[list[str | None]]) -> None:
    lines = [line(r) + "\n" for r in rows]
    assert split_rows("".join(lines)) == lines


@given(st.integers(0, 62**5 - 2000))
def test_ids_and_rows_translate_both_ways(row: int) -> None:
    space = IdSpace("a0X", "kB", 1000)
    made = space.at(row)
    assert space.row(made) == space.row(made[:15]) == row
    assert made[:15].isalnum() and all(c in ALPHABET for c in made)
    assert space.block(row, 2)[1] == space.at(row + 1)
    assert made < space.at(row + 1)


def test_salesforce_published_id_example() -> None:
    # the pair given in Salesforce's help on 15- and 18-character ids follows this checksum
    assert to18("00530000003xqAb") == "00530000003xqAbAAI"
    assert to18("00530000003xqAbAAJ") is None


def test_java_doubles() -> None:
    assert java_double(1.0) == "1.0"
    assert java_double(12.5) == "12.5"
    assert java_double(9_999_999.0) == "9999999.0"
    assert java_double(139_000_000.0) == "1.39E8"
    assert java_double(10_000_000.0) == "1.0E7"
