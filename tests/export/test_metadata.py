"""Metadata in an export, compared with the simulated org's own truth."""

from __future__ import annotations

import csv
import json
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rig import Rig, ledger_of, small_objects
from rig import problems_of_bag as problems

from sfexit.archive import layout
from sfexit.errors import Paused, QuotaSpent
from sfexit.export.metadata import packages
from sfexit.export.metadata.listing import Listed
from sfexit.export.plan import Selection
from sfexit.export.result import ExportResult
from sfexit.salesforce.metadata_api import Component, MetadataType
from sfexit.salesforce.value_sets import standard_value_sets
from sfexit.simulated_org import Doubts, SimulatedUser
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.components import KINDS
from sfexit.simulated_org.components import component as made


def bag_of(result: ExportResult) -> Path:
    assert result.bag is not None
    return result.bag.path


def index_of(bag: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (bag / layout.METADATA_INDEX).open(encoding="utf-8", newline="") as handle:
        return {(row["type"], row["full_name"]): row for row in csv.DictReader(handle)}


def zipped(bag: Path) -> dict[str, dict[str, bytes]]:
    """The files in each package, read by nothing of ours."""
    out = {}
    for path in sorted((bag / layout.METADATA_PACKAGES).glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            out[path.stem] = {name: archive.read(name) for name in archive.namelist()}
    return out


def check_truth(rig: Rig, bag: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Everything the org has is in a package, byte for byte, or named with a reason."""
    index, files = index_of(bag), zipped(bag)
    truth = rig.org.metadata.truth()
    for key, component in truth.items():
        row = index[key]
        if row["outcome"] not in ("retrieved", "hidden"):
            assert row["reason"]
            continue
        for name, content in component.files:
            stored = files[row["packages"].split()[0]][name]
            assert stored == content or component.type == "Profile"
    assert not {key for key in index if "*" not in key[1] and not key[1].endswith("/*")} - set(
        truth
    )
    return index


def test_everything_is_there_or_named(rig: Rig):
    result = rig.run()
    index = check_truth(rig, bag_of(result))
    assert {row["outcome"] for row in index.values()} == {"retrieved", "hidden"}
    assert index[("ApexClass", "vendor__Engine")]["outcome"] == "hidden"
    assert index[("ApexClass", "vendor__Engine")]["managed"] == "true"
    assert index[("Report", "Finance")]["outcome"] == "retrieved"
    assert ("StandardValueSet", "Industry") not in index  # a guess, and this org has none
    assert result.complete
    assert result.metadata is not None
    assert sum(result.metadata.outcomes.values()) == len(index)
    assert rig.run().metadata == result.metadata  # as told by the sealed bag


def test_a_dollar_in_a_name_is_no_folder_of_all(rig: Rig):
    """`unfiled$public` is a folder and no component; a layout may be called as it likes."""
    layouts = rig.org.metadata.components
    one = next(c for c in layouts if c.type == "Layout")
    name = "Account-US$ Prices"
    layouts.added.append(
        replace(one, full_name=name, files=((f"layouts/{name}.layout", one.files[0][1]),))
    )
    result = rig.run()
    index = check_truth(rig, bag_of(result))
    assert index["Layout", name]["outcome"] == "retrieved"
    assert not any(key[1] == "unfiled$public" for key in index)


def test_a_name_that_leads_out_of_its_folder_takes_nothing_else_with_it(rig: Rig):
    kind = next(one for one in KINDS if one.name == "ApexClass")
    hostile = ["../../etc/passwd", "a/../../b", "\\\\host\\x"]
    for name in hostile:
        rig.org.metadata.components.added.append(made(kind, name, b"x"))
    bag = bag_of(rig.run())
    index = index_of(bag)
    for name in hostile:
        line = index["ApexClass", name]
        assert line["outcome"] == "failed" and "ZIP" in line["reason"]
    others = {key for key in rig.org.metadata.truth() if key[1] not in hostile}
    assert {key for key, line in index.items() if line["outcome"] in ("retrieved", "hidden")} >= (
        others - {key for key in others if key[0] == "StandardValueSet"}
    )


def test_a_profile_comes_with_every_object(make_rig):
    rig = make_rig()
    rig.org.metadata.components.add_plain("ApexClass", 40)
    result = rig.run(tuning=rig.tuning(metadata_weight=60))
    check_truth(rig, bag_of(result))
    files = zipped(bag_of(result))
    where = index_of(bag_of(result))[("Profile", "Admin")]["packages"].split()
    assert len(where) > 1
    told = b"".join(files[name]["profiles/Admin.profile"] for name in where)
    for kind, name in rig.org.metadata.truth():
        if kind == "CustomObject":
            assert f"<object>{name}</object>".encode() in told


def test_too_much_is_halved(make_rig):
    rig = make_rig()
    rig.org.metadata.components.add_plain("StaticResource", 30, size=20_000)
    rig.org.metadata.most_bytes = 100_000
    rig.org.metadata.most_files = 30
    result = rig.run()
    index = check_truth(rig, bag_of(result))
    assert result.complete
    assert {row["outcome"] for row in index.values()} == {"retrieved", "hidden"}
    assert rig.notes.said("LIMIT_EXCEEDED")


def test_a_component_that_breaks_the_org_is_found(make_rig):
    rig = make_rig()
    rig.org.metadata.components.add_plain("ApexClass", 100)
    rig.org.metadata.breaking.add(("ApexClass", "More_00037"))
    result = rig.run()
    index = check_truth(rig, bag_of(result))
    bad = {key for key, row in index.items() if row["outcome"] not in ("retrieved", "hidden")}
    assert ("ApexClass", "More_00037") in bad
    assert {kind for kind, _ in bad} <= {"ApexClass", "Profile"}  # profiles lack its settings
    assert index[("ApexClass", "More_00037")]["outcome"] == "failed"
    assert "UNKNOWN_EXCEPTION" in index[("ApexClass", "More_00037")]["reason"]
    assert not result.complete
    assert result.incomplete == ()  # of the objects nothing is missing


def test_what_the_org_cannot_find_or_sends_empty_is_missing(rig: Rig):
    rig.org.metadata.unretrievable.add(("Flow", "Escalate_Case-3"))
    rig.org.metadata.empty.add(("CustomApplication", "standard__Sales"))
    result = rig.run()
    index = check_truth(rig, bag_of(result))
    assert index[("Flow", "Escalate_Case-3")]["outcome"] == "missing"
    assert "cannot be found" in index[("Flow", "Escalate_Case-3")]["reason"]
    assert "without content" in index[("CustomApplication", "standard__Sales")]["reason"]
    assert not result.complete
    assert result.metadata.incomplete == 2


def test_a_type_that_cannot_be_listed_does_not_disturb_the_others(rig: Rig):
    rig.org.metadata.unlistable.update(("Flow", "ReportFolder"))
    result = rig.run()
    index = index_of(bag_of(result))
    assert index[("Flow", "*")]["outcome"] == "failed"
    assert index[("Report", "*")]["outcome"] == "failed"
    assert index[("Layout", next(n for k, n in index if k == "Layout"))]["outcome"] == "retrieved"
    assert not result.complete


def test_without_the_right_it_is_said_and_nothing_else_suffers(rig: Rig):
    poor = SimulatedUser("poor", modify_all_data=False, lacks=("ModifyMetadata",))
    rig.environment["SFEXIT_ACCESS_TOKEN"] = rig.org.sign_in(poor)
    result = rig.run()
    [row] = index_of(bag_of(result)).values()
    assert (row["type"], row["full_name"], row["outcome"]) == ("*", "*", "failed")
    assert "INSUFFICIENT_ACCESS" in row["reason"]
    assert "Modify Metadata Through Metadata API Functions" in row["reason"]
    assert not result.complete
    assert all(line.outcome != "failed" for line in result.lines)


def test_a_choice_of_objects_leaves_the_metadata_out(make_rig):
    covered = [one for one in standard_objects() if one.name == "UserFieldAccess"]
    rig = make_rig(objects=[*small_objects(), *covered])
    result = rig.run(selection=Selection(frozenset({"Item__c"})))
    [row] = index_of(bag_of(result)).values()
    assert row["outcome"] == "left_out"
    assert not rig.org.metadata.retrieves
    line = ledger_of(bag_of(result))["UserFieldAccess"]
    assert (line.outcome, line.remedy) == ("not_exported", "export again without that choice")


def test_a_fault_is_not_told_as_a_missing_right(rig: Rig):
    rig.fail("status", "metadata.describe", code=503, times=None)
    result = rig.run()
    [row] = index_of(bag_of(result)).values()
    assert row["outcome"] == "failed" and "503" in row["reason"]
    assert "give the user" not in row["reason"]
    assert "export again with --anew" in row["reason"]


# ---- faults 39 and 40 ----------------------------------------------------------------------------

ZIPS = ["zip_truncated", "zip_bad_crc", "zip_dotdot", "zip_symlink", "zip_duplicate", "zip_bomb"]


@pytest.mark.parametrize("kind", ZIPS)
def test_a_zip_that_does_not_test_clean_is_fetched_again(rig: Rig, kind: str):
    rig.fail(kind, "metadata.zip")
    result = rig.run()
    assert rig.fired(kind) == 1
    assert rig.notes.said("retrieved again")
    check_truth(rig, bag_of(result))
    assert result.complete


@pytest.mark.parametrize("kind", ["zip_dotdot", "zip_symlink"])
def test_a_zip_that_stays_hostile_is_never_kept(make_rig, kind: str):
    rig = make_rig()
    rig.org.metadata.components.removed.update(
        key for key in rig.org.metadata.truth() if key[0] not in ("Flow", "Settings")
    )
    rig.fail(kind, "metadata.zip", times=None)
    result = rig.run()
    assert not result.complete
    assert zipped(bag_of(result)) == {}
    assert not list(rig.folder.rglob("*evil*")) and not list(rig.folder.rglob("*passwd*"))
    index = index_of(bag_of(result))
    assert {row["outcome"] for row in index.values()} == {"failed"}
    assert all(not stat.S_ISLNK(p.lstat().st_mode) for p in rig.folder.rglob("*"))


@pytest.mark.parametrize("kind", ["xml_dtd", "xml_entities"])
def test_an_answer_with_a_dtd_is_refused_and_asked_again(rig: Rig, kind: str):
    for endpoint in ("describe", "list", "retrieve", "status", "zip"):
        rig.fail(kind, f"metadata.{endpoint}")
    result = rig.run()
    assert rig.fired(kind) == 5
    check_truth(rig, bag_of(result))
    assert result.complete


# ---- the way ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reset", "close_short"])
def test_faults_of_the_way_lose_nothing(rig: Rig, kind: str):
    for endpoint in ("list", "retrieve", "status", "zip"):
        rig.fail(kind, f"metadata.{endpoint}")
    rig.renewable()
    rig.fail("session_expired", "metadata.retrieve", nth=2)
    result = rig.run()
    assert rig.fired(kind) == 4
    assert rig.fired("session_expired") == 1
    check_truth(rig, bag_of(result))
    assert result.complete


@pytest.mark.parametrize("endpoint", ["list", "zip"])
def test_a_spent_quota_pauses_and_the_same_command_goes_on(make_rig, endpoint: str):
    rig = make_rig()
    rig.org.metadata.components.add_plain("ApexClass", 40)
    fault = rig.fail("quota", f"metadata.{endpoint}", nth=2)
    with pytest.raises(QuotaSpent):
        rig.run(tuning=rig.tuning(metadata_weight=60))
    assert fault.hits == 1
    rig.org.restore_quota()
    before = list(rig.org.metadata.retrieves.values())
    kept = {m for r in before if r.collected for m in r.wanted if m[0] != "Profile"}
    result = rig.run(tuning=rig.tuning(metadata_weight=60))
    assert result.complete
    check_truth(rig, bag_of(result))
    again = [r for r in rig.org.metadata.retrieves.values() if r not in before]
    assert not kept.intersection(m for r in again for m in r.wanted)


def test_an_org_that_falls_silent_pauses(rig: Rig):
    rig.fail("status", "metadata.*", code=503, times=None)
    limits = rig.fail("status", "limits", code=503, times=None, nth=2)
    with pytest.raises(Paused):
        rig.run()
    assert limits.hits
    rig.plan.clear()
    result = rig.run()
    assert result.complete
    check_truth(rig, bag_of(result))


def test_retrieves_that_never_end_do_not_end_in_one_for_each_component(rig: Rig):
    rig.org.metadata.polls = 10**9
    result = rig.run(tuning=rig.tuning(job_stuck_seconds=100))
    assert len(rig.org.metadata.retrieves) <= 6  # three for each of two packages
    rows = index_of(bag_of(result)).values()
    assert {row["outcome"] for row in rows} == {"failed"}
    assert all("the retrieve was not done in" in row["reason"] for row in rows)
    rig.org.metadata.polls = 1
    assert rig.run(refresh=True).complete


def test_what_failed_gets_another_chance_in_the_next_run(make_rig):
    """Here: a run that was paused after a type could not be listed and a package failed."""
    rig = make_rig()
    rig.org.metadata.unlistable.add("Flow")
    rig.org.metadata.breaking.add(("Settings", "Security"))
    stop_at_seal = rig.fail("quota", "limits", nth=2)
    with pytest.raises(QuotaSpent):
        rig.run()
    assert stop_at_seal.hits == 1
    rig.org.restore_quota()
    rig.org.metadata.unlistable.clear()
    rig.org.metadata.breaking.clear()
    result = rig.run()
    index = check_truth(rig, bag_of(result))
    assert {row["outcome"] for row in index.values()} == {"retrieved", "hidden"}
    assert result.complete


def test_the_same_org_costs_few_calls(rig: Rig):
    rig.run()
    asked = [entry for entry in rig.server.requests if "/Soap/m/" in entry.path]
    kinds, folders = len(KINDS), 8 + 2
    lists = -(-(kinds - 4 + folders) // 3) + -(-4 // 3)
    assert len(asked) <= 1 + lists + 4 * len(rig.org.metadata.retrieves)
    assert len(rig.org.metadata.retrieves) == 2  # the org's own, and what vendors installed


# ---- planning -----------------------------------------------------------------------------------


def listed(**counts: int) -> Listed:
    return Listed(
        types=tuple(MetadataType(name, name.lower(), "x") for name in counts),
        components=tuple(
            Component(name, f"{name}{n:05d}", "")
            for name, count in counts.items()
            for n in range(count)
        ),
    )


def test_plans_stay_below_the_limit_and_hold_everything_once():
    everything = listed(ApexClass=7000, Layout=9000, Profile=150, Flow=3000, Report=12_000)
    plan = packages.plan(everything)
    asked = [member for package in plan for member in package.members]
    assert len(asked) == len(set(asked))
    wanted = {(c.type, c.full_name) for c in everything.components}
    assert set(asked) | {m for p in plan for m in p.with_all} == wanted
    assert max(len(package.wanted) for package in plan) <= 5000
    assert packages.plan(everything) == plan


def test_every_published_value_set_is_asked_for():
    """No list has them ("StandardValueSet Names and Standard Picklist Fields")."""
    kind = MetadataType("StandardValueSet", "standardValueSets", "standardValueSet")
    asked = {name for one in packages.plan(Listed(types=(kind,))) for _, name in one.wanted}
    assert {"AccountType", "LeadSource", "AssetRelationshipType", "WorkOrderPriority"} <= asked
    assert len(asked) > 600
    assert all(place.count(".") == 1 for some in standard_value_sets().values() for place in some)
    assert "Account.AccountSource" in standard_value_sets()["LeadSource"]


def test_profiles_meet_every_component_that_they_speak_of():
    everything = listed(CustomObject=3000, Profile=600)
    met = {
        (profile, name)
        for package in packages.plan(everything)
        for kind, name in package.wanted if kind == "CustomObject"
        for other, profile in package.wanted if other == "Profile"
    }  # fmt: skip
    assert len(met) == 3000 * 600


def test_halves_end():
    package = packages.Package("0001", tuple(("A", str(n)) for n in range(7)), (("P", "x"),))
    seen, waiting = [], [package]
    while waiting:
        one = waiting.pop()
        halves = one.halves()
        if not halves:
            assert len(one.wanted) == 1
            seen.append(one.name)
        waiting += halves
    assert len(seen) == len(set(seen)) == 14
    assert set(package.wanted) == {*package.members, ("P", "x")}


def test_the_list_survives_being_stored():
    everything = listed(ApexClass=2, Report=1)
    assert Listed.from_json(json.loads(json.dumps(everything.as_json()))) == everything


def test_an_object_that_only_the_metadata_name_is_told(make_rig: Callable[..., Rig]) -> None:
    """EntityDefinition may be filtered by the user's rights: then metadata are the witness."""
    rig = make_rig(
        rows=400, objects=standard_objects(), doubts=Doubts(definitions_show_hidden=False)
    )
    user = SimulatedUser("Nearly", hidden_objects=("Invoice__c",))
    rig.environment["SFEXIT_ACCESS_TOKEN"] = rig.org.sign_in(user)
    result = rig.run()
    assert result.bag is not None
    line = ledger_of(result.bag.path)["Invoice__c"]
    assert line.outcome == "not_exported" and "listMetadata" in line.evidence
    assert "Read on the object" in line.remedy
    assert problems(result.bag.path) == []
