"""A full export and a refresh together are a full export on the last day."""

from __future__ import annotations

import csv
import gzip
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rig import (
    Rig,
    archive_rows,
    files_below,
    journal_events,
    ledger_of,
    problems_of_bag,
    small_objects,
)

from sfexit.archive import bagit, layout
from sfexit.archive.journal import Journal
from sfexit.archive.journal_index import Index
from sfexit.errors import ArchiveProblem, Interrupted
from sfexit.export import seeing
from sfexit.export.means import Means
from sfexit.export.recover import recover
from sfexit.export.result import ExportResult
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.schema import make
from sfexit.simulated_org.visibility import SimulatedUser

ITEM = "Item__c"  # scanned
LOG = "Log__c"  # no stamp, read whole
MEMO = "Memo__c"  # read by REST


def objects() -> list[Any]:
    found = [one for one in small_objects() if one.name != ITEM]
    item = make(
        ITEM,
        "a01",
        "Name string(80) gen=seq:I- name\nPrice__c currency(18,2)\n"
        "Text__c textarea(32768) gen=dirty:long\nWhen__c datetime\n"
        "Extra__c string(80) gen=title\nGross__c currency(18,2) formula=Price__c~*~1.19",
        weight=1.0,
    )
    log = make(LOG, "a07", "Name string(80) name\nBody__c textarea(3000)", system="history",
               fixed=150)  # fmt: skip
    return [*found, item, log]


class Clock:
    """The org's clock: it stands where it is put."""

    def __init__(self) -> None:
        self.now = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rig(make_rig: Callable[..., Rig], clock: Clock) -> Rig:
    return make_rig(rows=700, objects=objects(), clock=clock, session_seconds=10**9)


def go(rig: Rig, **more: Any) -> ExportResult:
    return rig.run(tuning=rig.tuning(scan_from_bytes=1), **more)


def later(clock: Clock, hours: float = 5.0) -> None:
    clock.now += hours * 3600


def bag_of(result: ExportResult) -> Path:
    assert result.bag is not None
    return result.bag.path


def assert_is_the_org(rig: Rig, result: ExportResult) -> None:
    """The bag is valid alone and holds exactly what the org holds now."""
    bag = bag_of(result)
    assert problems_of_bag(bag) == []
    assert set(ledger_of(bag)) == set(rig.org.objects)
    for name, line in ledger_of(bag).items():
        expected = rig.truth(name)
        assert line.outcome == ("exported" if expected else "empty"), line
        assert archive_rows(bag, name) == expected, name


def stand_alone_check(bag: Path) -> str:
    """verify.py of the bag itself."""
    told = subprocess.run(
        [sys.executable, str(bag / "data/tools/verify.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.splitlines()[-1]


def scanned(bag: Path) -> set[str]:
    """Objects that were compared by the list of their live ids."""
    return {event["object"] for event in journal_events(bag) if event["event"] == "adopted"}


DEEDS: dict[str, Callable[[Rig, Random], object]] = {
    "insert": lambda rig, some: [rig.org.insert_rows(name, 3) for name in (ITEM, MEMO, LOG)],
    "update": lambda rig, some: [
        rig.org.update_rows(name, rows(rig, some, name)) for name in (ITEM, MEMO, "User")
    ],
    "delete": lambda rig, some: [
        rig.org.delete_rows(name, rows(rig, some, name)) for name in (ITEM, MEMO, LOG)
    ],
    "undelete": lambda rig, some: [
        rig.org.undelete_rows(name, [106, 207, 5, 409, *rows(rig, some, name)])
        for name in (ITEM, MEMO)
    ],
    "purge": lambda rig, some: [
        rig.org.purge_rows(name, rows(rig, some, name)) for name in (ITEM, MEMO, LOG)
    ],
    "formula": lambda rig, some: rig.org.give_values(
        ITEM, rows(rig, some, ITEM), {"Gross__c": f"{some.randrange(9999)}.5"}
    ),
    "no stamp": lambda rig, some: rig.org.give_values(
        LOG, rows(rig, some, LOG), {"Body__c": f"told again {some.random()}"}
    ),
}


def rows(rig: Rig, some: Random, name: str) -> list[int]:
    table = rig.org.tables.tables[name]
    total = table.total(table.changes)
    return sorted(k for k in some.sample(range(total), 4) if not table.changes.gone(k))


@pytest.mark.parametrize("seed", range(3))
def test_full_and_refresh_are_full(rig: Rig, clock: Clock, seed: int) -> None:
    some = Random(seed)
    first = go(rig)
    assert_is_the_org(rig, first)
    for generation in (2, 3):
        later(clock)
        for _ in range(3 if seed else 1):
            for deed in DEEDS.values() if seed else [DEEDS[some.choice(list(DEEDS))]]:
                later(clock, 0.01)
                deed(rig, some)
        result = go(rig, refresh=True)
        assert result.bag is not None and result.bag.generation == generation
        assert_is_the_org(rig, result)
        assert stand_alone_check(bag_of(result)) == "INTACT"
        assert ITEM in scanned(bag_of(result))
    assert rig.jobs() == []
    whole = rig.run(root=rig.folder / "whole")
    for name in rig.org.objects:
        assert archive_rows(bag_of(whole), name) == archive_rows(bag_of(result), name)
    # The older bags are what they were.
    assert problems_of_bag(bag_of(first)) == []


@pytest.mark.parametrize("deed", DEEDS)
def test_every_kind_of_change_is_named(rig: Rig, clock: Clock, deed: str) -> None:
    go(rig)
    later(clock)
    DEEDS[deed](rig, Random(1))
    result = go(rig, refresh=True)
    assert_is_the_org(rig, result)
    assert result.refreshed is not None and result.refreshed.total
    counts = dict(result.refreshed.counts)
    told = {
        "insert": counts.get(ITEM) and counts[ITEM].new == 3,
        "update": counts.get(ITEM) and counts[ITEM].changed == 4,
        "delete": counts.get(ITEM) and counts[ITEM].deleted > 0,
        "undelete": counts.get(ITEM) and counts[ITEM].undeleted > 0,
        "purge": counts.get(ITEM) and counts[ITEM].gone == 4,
        "formula": counts.get(ITEM) and counts[ITEM].calculated == 4,
        "no stamp": counts.get(LOG) and counts[LOG].changed + counts[LOG].calculated == 4,
    }
    assert told[deed], counts


def test_a_quiet_org_makes_no_bag(rig: Rig, clock: Clock) -> None:
    first = go(rig)
    for _ in range(2):
        later(clock)
        result = go(rig, refresh=True)
        assert result.refreshed is not None and result.refreshed.unchanged
        assert result.refreshed.looked == "2026-05-29T" + result.refreshed.looked[11:]
        assert bag_of(result) == bag_of(first)
        assert [one.name for one in (rig.root / "bags").iterdir()] == ["0001"]
        assert not (rig.root / "work/bag").exists()
    note = (rig.root / layout.UNCHANGED).read_text()
    assert bagit.root_digest(bag_of(first)) in note


def test_rows_stamped_in_the_last_minutes_are_asked_for_again(rig: Rig, clock: Clock) -> None:
    """A row may change twice within one second, the second time after it was read."""
    rig.org.update_rows(ITEM, [3, 4], {"Name": "before"})
    go(rig)
    rig.org.update_rows(ITEM, [3], {"Name": "after, in the same second"})
    later(clock)
    result = go(rig, refresh=True)
    assert_is_the_org(rig, result)
    assert result.refreshed is not None
    assert dict(result.refreshed.counts)[ITEM].changed == 1
    later(clock)
    again = go(rig, refresh=True)
    assert again.refreshed is not None and again.refreshed.unchanged


def test_what_did_not_change_costs_no_disk(rig: Rig, clock: Clock) -> None:
    first = bag_of(go(rig))
    later(clock)
    rig.org.update_rows(ITEM, [0])
    second = bag_of(go(rig, refresh=True))
    pages = {p.name: p for p in files_below(second / "data/records")}
    shared = {name for name, page in pages.items() if page.stat().st_nlink == 2}
    before = {p.name for p in files_below(first / "data/records")}
    assert len(before - shared) == 1  # the page with the row that changed
    assert len(pages) == len(before) + 1
    describes = list(files_below(second / "data/schema/objects"))
    assert describes and all(one.stat().st_nlink == 2 for one in describes)


def test_without_links_the_files_are_copied(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(rig)
    later(clock)
    rig.org.update_rows(ITEM, [0])

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    result = go(rig, refresh=True)
    assert_is_the_org(rig, result)
    assert all(one.stat().st_nlink == 1 for one in files_below(bag_of(result)))


def test_a_page_of_the_bag_before_is_found_among_many(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100,000 parents asked for singly are as many pages: looking through all of them for each
    takes hours."""
    go(rig)
    later(clock)
    plans: list[str] = []
    real = Index.rows

    def rows(self: Index, sql: str, values: Any = ()) -> Any:
        if "csv_sha256" in sql:
            plan = real(self, f"EXPLAIN QUERY PLAN {sql}", values)
            plans.append(" ".join(row["detail"] for row in plan))
        return real(self, sql, values)

    monkeypatch.setattr(Index, "rows", rows)
    go(rig, refresh=True)
    assert plans
    assert all("page_text" in plan for plan in plans), plans[0]


def test_rewritten_pages_name_what_they_came_from(rig: Rig, clock: Clock) -> None:
    first = bag_of(go(rig))
    later(clock)
    rig.org.update_rows(ITEM, [0])
    rig.org.purge_rows(ITEM, [1])
    second = bag_of(go(rig, refresh=True))

    def lines(bag: Path) -> dict[str, dict[str, str]]:
        with (bag / layout.PAGES).open(encoding="utf-8", newline="") as handle:
            return {line["path"]: line for line in csv.DictReader(handle)}

    old, new = lines(first), lines(second)
    rewritten = [line for line in new.values() if line["origin"] == "rewritten"]
    assert len(rewritten) == 1
    assert rewritten[0]["from_sha256"] == old[rewritten[0]["path"]]["sha256"]
    assert (rewritten[0]["rows"], rewritten[0]["declared_rows"]) == ("58", "")
    info = (second / "bag-info.txt").read_text()
    assert f"Sfexit-Previous-Root: {bagit.root_digest(first)}" in info
    told = gzip.decompress((second / layout.differences_path(ITEM)).read_bytes()).decode()
    assert [line.split(",")[1] for line in told.splitlines()] == ['"what"', '"changed"', '"gone"']
    line = ledger_of(second)[ITEM]
    assert line.witnesses["live_ids"] == line.rows
    assert line.witnesses["kept"] + line.witnesses["fetched"] == line.rows


def test_schema_drift(rig: Rig, clock: Clock) -> None:
    go(rig)
    later(clock)
    rig.org.add_field(ITEM, "Fresh__c string(80) gen=seq:F- required")
    rig.org.drop_field(MEMO, "Body__c")
    rig.org.add_object(make("Later__c", "aZ9", "Name string(80) gen=seq:L- name"), 30)
    rig.org.remove_object(LOG)
    result = go(rig, refresh=True)
    assert_is_the_org(rig, result)
    assert rig.notes.said("new fields: Fresh__c")
    assert rig.notes.said("fields that are gone: Body__c")
    assert rig.notes.said(f"{LOG}: the org names it no more; its 150 rows stand in bag 0001")


def test_a_field_of_another_type_has_other_values(rig: Rig, clock: Clock) -> None:
    """The rows are not stamped anew when a field is converted, or made again by the same name."""
    go(rig)
    later(clock)
    rig.org.alter_field(ITEM, "Extra__c string(40) gen=null")
    result = go(rig, refresh=True)
    assert_is_the_org(rig, result)
    assert rig.notes.said("fields of another kind than before: Extra__c")


def test_values_that_the_platform_keeps_by_itself(
    make_rig: Callable[..., Rig], clock: Clock
) -> None:
    """Of a standard object: what no user may write, and a contact's address in its cases."""
    fields = "Subject string(80)\nContactEmail email(80)\nIsEscalatedYet boolean auto"
    case = make("Case", "500", fields, weight=1.0)
    rig = make_rig(rows=500, objects=[*objects(), case], clock=clock, session_seconds=10**9)
    go(rig)
    later(clock)
    rig.org.give_values("Case", [5], {"ContactEmail": "moved@example.com"})
    rig.org.give_values("Case", [7], {"IsEscalatedYet": "true"})
    rig.org.give_values("Case", [8], {"IsEscalatedYet": "false"})
    result = go(rig, refresh=True)
    assert "Case" in scanned(bag_of(result))
    assert_is_the_org(rig, result)


SEEING = (
    "Organization", "User", "Contact", "Account", "Profile", "EntityDefinition", "FieldDefinition",
    "PermissionSet", "PermissionSetAssignment", "UserPermissionAccess", "ObjectPermissions",
    "FieldPermissions", "EntityParticle", "TransactionSecurityPolicy",
)  # fmt: skip


@pytest.mark.parametrize("lacks", ["view_encrypted", "view_personal_data"])
def test_values_that_came_masked_come_again(
    make_rig: Callable[..., Rig], clock: Clock, lacks: str
) -> None:
    """With the permission for them the same rows hold other values, and no stamp tells of it."""
    listed = [one for one in standard_objects() if one.name in SEEING]
    rig = make_rig(objects=listed, rows=900, clock=clock, session_seconds=10**9)
    name = "Contact" if lacks == "view_encrypted" else "User"
    user = SimulatedUser("Export", 3, **{lacks: False})
    token = rig.environment["SFEXIT_ACCESS_TOKEN"] = rig.org.sign_in(user)
    tuning = rig.tuning(scan_from_bytes=1, bulk_from_rows=1)
    first = bag_of(rig.run(tuning=tuning))
    assert archive_rows(first, name) != rig.truth(name)
    later(clock)
    rig.org.change_user(token, replace(user, **{lacks: True}))
    result = rig.run(tuning=tuning, refresh=True)
    assert archive_rows(bag_of(result), name) == rig.truth(name)
    assert not ledger_of(bag_of(result))[name].incomplete


def test_too_much_change_is_read_whole(rig: Rig, clock: Clock) -> None:
    go(rig)
    later(clock)
    rig.org.recalculate(ITEM, "Gross__c")
    result = go(rig, refresh=True)
    assert_is_the_org(rig, result)
    assert scanned(bag_of(result)) == set()
    assert result.refreshed is not None
    assert dict(result.refreshed.counts)[ITEM].calculated > 300


@pytest.mark.parametrize("calls", range(4, 40, 4))
def test_an_org_that_changes_meanwhile(rig: Rig, clock: Clock, calls: int) -> None:
    """Every row is as it was at some moment of the run; the next refresh has the rest."""
    go(rig)
    later(clock)
    rig.org.update_rows(ITEM, [1, 2, 3])
    before = {name: {r["Id"]: r for r in rig.truth(name)} for name in (ITEM, MEMO, LOG)}
    some = Random(calls)

    def all_deeds() -> None:
        later(clock, 0.001)
        for deed in DEEDS.values():
            deed(rig, some)

    rig.org.after_calls(calls, all_deeds)
    result = go(rig, refresh=True)
    bag = bag_of(result)
    assert problems_of_bag(bag) == []
    for name in before:
        after = {row["Id"]: row for row in rig.truth(name)}
        found = {row["Id"]: row for row in archive_rows(bag, name)}
        assert set(found) >= set(before[name]) & set(after), name
        for identifier, row in found.items():
            assert row in (before[name].get(identifier), after.get(identifier)), name
    later(clock)
    final = go(rig, refresh=True)
    assert_is_the_org(rig, final)


def test_a_refresh_that_is_cut_off_goes_on(
    rig: Rig, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(rig)
    later(clock)
    some = Random(4)
    for deed in DEEDS.values():
        deed(rig, some)
    record = Journal.record
    for last in ("job", "page", "compared", "slice_done", "adopted"):
        stop = threading.Event()

        def stopping(
            journal: Journal,
            event: str,
            *,
            last: str = last,
            stop: threading.Event = stop,
            **data: Any,
        ) -> Any:
            recorded = record(journal, event, **data)
            if event == last and data.get("object") == ITEM:
                stop.set()
            return recorded

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "record", stopping)
            with pytest.raises(Interrupted):
                go(rig, refresh=True, stop=stop)
        assert stop.is_set(), last
    result = go(rig)  # as it was begun, without saying so again
    assert result.resumed
    assert_is_the_org(rig, result)
    assert result.refreshed is not None


def test_a_damaged_page_of_the_bag_before_is_not_taken_over(rig: Rig, clock: Clock) -> None:
    first = bag_of(go(rig))
    later(clock)
    rig.org.update_rows(MEMO, [0])
    page = next(iter(sorted(files_below(first / f"data/records/{ITEM}"))))
    page.chmod(0o600)
    data = bytearray(page.read_bytes())
    data[len(data) // 2] ^= 1
    page.write_bytes(bytes(data))
    result = go(rig, refresh=True)
    assert_is_the_org(rig, result)
    assert rig.notes.said("the object is read whole")


@pytest.mark.parametrize("what", [f"records/{ITEM}", f"records/{LOG}", "ledger.csv", "schema"])
def test_a_quiet_day_finds_what_was_damaged_since(rig: Rig, clock: Clock, what: str) -> None:
    """Else the home would hold a damaged archive, and the word that nothing needs to be done."""
    first = bag_of(go(rig))
    later(clock)
    some = min(one for one in files_below(first / "data") if what in one.as_posix())
    some.chmod(0o600)
    data = bytearray(some.read_bytes())
    data[len(data) // 2] ^= 1
    some.write_bytes(bytes(data))
    result = go(rig, refresh=True)
    assert result.refreshed is not None and not result.refreshed.unchanged
    assert result.refreshed.damaged == 1 and not result.refreshed.total
    assert_is_the_org(rig, result)
    assert stand_alone_check(bag_of(result)) == "INTACT"
    later(clock)
    again = go(rig, refresh=True)
    assert again.refreshed is not None and again.refreshed.unchanged


def test_what_cannot_be_compared_is_no_quiet_day(rig: Rig, clock: Clock) -> None:
    first = bag_of(go(rig))
    later(clock)
    rig.org.give_values(LOG, [3], {"Body__c": "told otherwise"})
    page = min(files_below(first / f"data/records/{LOG}"))
    page.chmod(0o600)
    page.write_bytes(page.read_bytes()[:-1])
    result = go(rig, refresh=True)
    assert rig.notes.said("not compared with the bag before: a page is damaged")
    assert result.refreshed is not None and not result.refreshed.unchanged
    assert_is_the_org(rig, result)


def test_a_damaged_seal_is_refused(rig: Rig, clock: Clock) -> None:
    first = bag_of(go(rig))
    later(clock)
    info = first / "bag-info.txt"
    info.chmod(0o600)
    info.write_text(info.read_text().replace("Northwater", "Southwater"))
    with pytest.raises(ArchiveProblem, match="nothing can be built on it"):
        go(rig, refresh=True)


def test_a_refresh_of_an_empty_home_is_a_first_export(rig: Rig) -> None:
    result = go(rig, refresh=True)
    assert result.refreshed is None
    assert result.bag is not None and result.bag.generation == 1
    assert_is_the_org(rig, result)


def test_lost_sight_is_no_purge(make_rig: Callable[..., Rig], clock: Clock) -> None:
    names = (
        "Organization", "User", "Account", "Profile", "EntityDefinition", "FieldDefinition",
        "PermissionSet", "PermissionSetAssignment", "UserPermissionAccess", "ObjectPermissions",
        "FieldPermissions", "EntityParticle", "TransactionSecurityPolicy",
    )  # fmt: skip
    listed = [one for one in standard_objects() if one.name in names]
    rig = make_rig(objects=listed, rows=400, clock=clock, session_seconds=10**9)
    go(rig)
    before = len(rig.truth("Account"))
    later(clock)
    clerk = SimulatedUser("Clerk", view_all_data=False, modify_all_data=False,
                          own_rows_only=("Account",))  # fmt: skip
    rig.environment["SFEXIT_ACCESS_TOKEN"] = rig.org.sign_in(clerk)
    result = go(rig, refresh=True)
    line = ledger_of(bag_of(result))["Account"]
    assert result.refreshed is not None
    counts = dict(result.refreshed.counts)["Account"]
    assert counts.gone == 0
    assert counts.out_of_sight == before - (line.rows or 0) > 0
    assert f"{counts.out_of_sight:,} rows that bag 0001 has are not seen any more" in line.reason
    assert "View All Data" in line.reason
    assert line.incomplete


def test_a_permission_lost_in_mid_run_is_no_purge(
    make_rig: Callable[..., Rig], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (
        "Organization", "User", "Account", "Profile", "EntityDefinition", "FieldDefinition",
        "PermissionSet", "PermissionSetAssignment", "UserPermissionAccess", "ObjectPermissions",
        "FieldPermissions", "EntityParticle", "TransactionSecurityPolicy",
    )  # fmt: skip
    listed = [one for one in standard_objects() if one.name in names]
    rig = make_rig(objects=listed, rows=400, clock=clock, session_seconds=10**9)
    user = SimulatedUser("Export", 3)
    token = rig.environment["SFEXIT_ACCESS_TOKEN"] = rig.org.sign_in(user)
    go(rig)
    before = len(rig.truth("Account"))
    later(clock)
    looked = seeing.first_look

    def look_and_lose(*given: Any) -> Any:
        sight = looked(*given)
        rig.org.change_user(token, replace(user, view_all_data=False, modify_all_data=False,
                                           own_rows_only=("Account",)))  # fmt: skip
        return sight

    def at_once(_: Means, work: Callable[[], None]) -> Future[None]:
        work()
        done: Future[None] = Future()
        done.set_result(None)
        return done

    monkeypatch.setattr(seeing, "first_look", look_and_lose)
    monkeypatch.setattr(Means, "aside", at_once)
    result = go(rig, refresh=True)
    line = ledger_of(bag_of(result))["Account"]
    assert result.refreshed is not None
    counts = dict(result.refreshed.counts)["Account"]
    assert (counts.gone, counts.out_of_sight) == (0, before - (line.rows or 0))
    assert counts.out_of_sight > 0 and line.incomplete
    assert "the permission View All Data was lost" in line.reason


def test_files_are_linked_and_new_versions_fetched(make_rig: Callable[..., Rig]) -> None:
    """Renamed, replaced, new and purged files; a body that did not change costs no call."""
    names = {"Organization", "User", "Profile", "Account", "ContentDocument", "ContentVersion",
             "Attachment"}  # fmt: skip
    rig = make_rig(rows=1500, objects=[one for one in standard_objects() if one.name in names])
    first = go(rig)
    assert first.files_fetched
    bodies = {p.name: p for p in files_below(bag_of(first) / "data/files/content")}
    rig.org.update_rows("ContentVersion", [4], {"Title": "Renamed"})
    new = {*rig.org.new_versions([1, 2]), *rig.org.new_files(2)}
    purged = set(rig.org.purge_rows("Attachment", [0, 1]))
    before = len(rig.server.requests)
    rig.notes.costs.clear()
    result = go(rig, refresh=True)
    # What is taken over costs no call: those that are asked for are the ones that were told.
    [told] = re.findall(r"About (\d+) files", " ".join(rig.notes.costs))
    bodies_asked = [one.path for one in rig.server.requests[before:]
                    if one.path.endswith(("/VersionData", "/Body"))]  # fmt: skip
    assert int(told) == len(set(bodies_asked)) >= len(new)
    given = [one.path for one in rig.server.requests[before:] if one.status == 200]
    asked = [path for path in given if path.endswith("/VersionData")]
    assert {path.split("/")[-2] for path in asked} == new
    assert result.files_fetched == len(new)
    assert result.files_taken_over == first.files_fetched - len(purged)
    second = bag_of(result)
    assert problems_of_bag(second) == []
    assert stand_alone_check(second) == "INTACT"
    with gzip.open(second / layout.FILES_INDEX, "rt", encoding="utf-8", newline="") as handle:
        index = {(line["object"], line["record_id"]): line for line in csv.DictReader(handle)}
    found = {p.name: p for p in files_below(second / "data/files/content")}
    for name, record_id, _, _, whole in rig.org.body_truth():
        line = index.get((name, record_id))
        if line is not None:
            assert (second / "data" / line["path"]).read_bytes() == whole()
    assert any(line["title"] == "Renamed" for line in index.values())
    assert len(new & {record for _, record in index}) == 4
    assert not purged & {record for _, record in index}
    kept = set(bodies) & set(found)
    assert kept and all(found[name].stat().st_nlink == 2 for name in kept)
    again = go(rig, refresh=True)
    assert again.refreshed is not None and again.refreshed.unchanged
    assert again.files_fetched == 0
    rotten = min(one for one in found.values() if one.stat().st_size)
    rotten.chmod(0o600)
    rotten.write_bytes(rotten.read_bytes()[:-1] + b"?")
    healed = go(rig, refresh=True)
    assert healed.refreshed is not None and healed.refreshed.damaged == healed.files_fetched == 1
    assert rig.notes.said("of the bag before is damaged; it is fetched anew")
    assert stand_alone_check(bag_of(healed)) == "INTACT"


def test_a_refresh_whose_index_is_lost_is_recovered(rig: Rig, clock: Clock) -> None:
    go(rig)
    later(clock)
    some = Random(9)
    for deed in DEEDS.values():
        deed(rig, some)
    stop = threading.Event()
    rig.org.after_calls(34, stop.set)
    with pytest.raises(Interrupted):
        go(rig, refresh=True, stop=stop)
    (rig.root / "work" / layout.WORK_STATE).unlink()
    recover(rig.root)
    result = go(rig)
    assert_is_the_org(rig, result)
    assert result.refreshed is not None and result.refreshed.total
