"""Live verification in a living and failing world: stops, faults, purges, sign-ins, sight."""

from __future__ import annotations

import csv
import gzip
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from live_rig import LiveRig, chosen, custom, verdict, without_stamps

from sfexit.errors import Blocked, Interrupted, Paused, QuotaSpent, UsageProblem
from sfexit.simulated_org.schema import SObject, make
from sfexit.simulated_org.visibility import SimulatedUser, clerk
from sfexit.verify.live import asking, living
from sfexit.verify.live.results import Options
from sfexit.verify.live.run import live
from sfexit.verify.verdict import Judgement, Verdict

Made = Callable[..., LiveRig]


@pytest.fixture
def make_rig(fast_folder: Path) -> Iterator[Made]:
    rigs: list[LiveRig] = []

    def made(*names: str, extra: list[SObject] | None = None, **org: Any) -> LiveRig:
        objects = [*chosen(*(names or ("Account", "Contact"))), *(extra or ())]
        rigs.append(LiveRig(fast_folder / f"rig{len(rigs)}", objects=objects, **org))
        return rigs[-1]

    yield made
    for rig in rigs:
        rig.close()


def keys(judged: Judgement) -> set[str]:
    return {one.key for one in judged.findings if one.severity != "note"}


# ---- the org lives -------------------------------------------------------------------------------


def test_records_purged_since(make_rig: Made) -> None:
    rig = make_rig(extra=[custom("Thing__c", "a01", rows=40)])
    live = [n for n, row in enumerate(rig.org.truth("Thing__c")) if row["IsDeleted"] == "false"]
    rig.org.delete_rows("Thing__c", [live[3]])
    rig.export()
    rig.org.purge_rows("Thing__c", [live[3]])
    judged = rig.judge()
    assert judged.verdict is Verdict.SAFE, keys(judged)  # it was deleted when it was exported
    assert "purged" in next(one.detail for one in judged.findings if one.object == "Thing__c")
    record = rig.org.tables.tables["Thing__c"].ids.at(live[5])
    rig.org.purge_rows("Thing__c", [live[5]])
    judged = rig.judge()
    assert judged.verdict is Verdict.NOT_SAFE
    assert keys(judged) == {f"row-extra:Thing__c:{record}"}


def test_deleted_and_undeleted_records_are_stale(make_rig: Made) -> None:
    rig = make_rig(extra=[custom("Thing__c", "a01", rows=40)])
    rig.org.delete_rows("Thing__c", [3])
    rig.export()
    [back] = rig.org.undelete_rows("Thing__c", [3])
    [gone] = rig.org.delete_rows("Thing__c", [4])
    judged = rig.judge()
    # The sample of values may draw one of the two.
    rows = [one for one in judged.findings if one.code != "value-differs"]
    assert {(one.code, one.record_id) for one in rows} == {
        ("row-stale", back), ("row-stale", gone),
    }  # fmt: skip
    assert {one.record_id for one in judged.findings} == {back, gone}
    assert all("changed since the export" in one.detail for one in rows)


def test_many_differences_are_a_few_findings_and_a_count(make_rig: Made) -> None:
    rig = make_rig(extra=[custom("Thing__c", "a01", rows=300)])
    rig.export()
    rig.org.insert_rows("Thing__c", 70)
    judged = rig.judge()
    missing = [one for one in judged.findings if one.code == "row-missing"]
    assert sum(one.count for one in missing) == 70
    assert len(missing) == 21
    assert {one.key for one in missing if one.count > 1} == {"row-missing:Thing__c"}


def test_values_that_moved_without_a_stamp_show_in_the_sample(make_rig: Made) -> None:
    rig = make_rig(extra=[custom("Thing__c", "a01", rows=40)])
    rig.export()
    rig.org.give_values("Thing__c", [2], {"Text__c": "moved, and no stamp tells"})
    judged = rig.judge()
    assert judged.verdict is Verdict.NOT_SAFE
    assert {key.rpartition(":")[2] for key in keys(judged)} == {"Text__c"}
    told = rig.look(sample=0)
    assert told.statement.drawn == 0
    full = verdict(rig.look(sample=0, full_values=frozenset({"Thing__c"})))
    assert any(one.object == "Thing__c" and "Text__c" in one.detail for one in full.findings)


# ---- who looks -----------------------------------------------------------------------------------


def test_a_user_who_sees_less_makes_it_unknown_and_never_safe(make_rig: Made) -> None:
    rig = make_rig("Account", "Contact", "Opportunity")
    little = rig.org.sign_in(clerk(own_rows_only=("*",)))
    nearly = rig.org.sign_in(
        SimulatedUser(
            "Nearly", view_all_fields=False, hidden_objects=("Opportunity",),
            hidden_fields={"Account": ("Industry",)},
        )
    )  # fmt: skip
    rig.export()
    rig.token = little
    judged = rig.judge()
    assert judged.verdict is not Verdict.SAFE
    assert "blind-spot:View All Data" in keys(judged)
    rig.token = nearly
    judged = rig.judge()
    assert judged.verdict is Verdict.UNKNOWN
    assert "check-not-made:objects:Opportunity" in keys(judged)


def test_what_the_exporting_user_could_not_see_is_found_by_one_who_can(make_rig: Made) -> None:
    rig = make_rig("Account", "Contact", "Opportunity")
    rig.token = rig.org.sign_in(
        SimulatedUser(
            "Nearly", view_all_fields=False, hidden_objects=("Opportunity",),
            hidden_fields={"Account": ("Industry",)},
        )
    )  # fmt: skip
    rig.export()
    rig.token = rig.org.sign_in(SimulatedUser("Sees all"))
    judged = rig.judge()
    assert judged.verdict is Verdict.NOT_SAFE
    assert {"object-left-out:Opportunity", "field-left-out:Account::Industry",
            "object-incomplete:Account"} <= keys(judged)  # fmt: skip


def test_fields_hidden_from_both_users_are_a_blind_spot(make_rig: Made) -> None:
    rig = make_rig("Account", "Contact")
    user = SimulatedUser("Nearly", view_all_fields=False, hidden_fields={"Account": ("Industry",)})
    rig.token = rig.org.sign_in(user)
    rig.export()
    judged = rig.judge()
    assert judged.verdict is not Verdict.SAFE
    assert "blind-spot:Account::Industry" in keys(judged)


def test_without_the_list_of_objects_hidden_ones_stay_unknown(make_rig: Made) -> None:
    rig = make_rig()
    token = rig.org.sign_in(SimulatedUser("No setup", view_setup=False))
    rig.export()
    rig.token = token
    judged = rig.judge()
    assert judged.verdict is Verdict.UNKNOWN
    assert "blind-spot:View Setup and Configuration" in keys(judged)


def test_what_is_new_in_the_org_since(make_rig: Made) -> None:
    rig = make_rig()
    rig.export()
    rig.org.add_field("Account", "New__c string(80)")
    rig.org.add_object(custom("Late__c", "a09", rows=3), 3)
    judged = rig.judge()
    assert {"field-left-out:Account::New__c", "object-unknown:Late__c"} <= keys(judged)
    rig.org.remove_object("Contact")
    assert "check-not-made:objects:Contact" in keys(rig.judge())


# ---- signing in leaves traces --------------------------------------------------------------------


def test_a_log_grows_by_looking_and_that_does_not_count(make_rig: Made) -> None:
    log = make(
        "LoginHistory", "0Ya", "UserId ref(User)\nLoginTime datetime\nStatus string(80)",
        system="bare", fixed=12, id_prefix="0Ya",
    )  # fmt: skip
    log = replace(log, fields=(custom("X__c", "a01").fields[0], *log.fields), _index={})
    rig = make_rig(extra=[log])
    rig.export()
    rig.org.insert_rows("LoginHistory", 2)
    rig.org.give_values("LoginHistory", [12, 13], {"LoginTime": "2099-01-01T00:00:00.000Z"})
    judged = rig.judge()
    assert judged.verdict is Verdict.SAFE, keys(judged)
    assert any("signing in writes them" in one.detail for one in judged.findings)
    rig.org.give_values("LoginHistory", [13], {"LoginTime": "2001-01-01T00:00:00.000Z"})
    assert rig.judge().verdict is Verdict.NOT_SAFE  # an old row that the archive does not have


def test_only_logs_and_last_sign_ins_are_excused() -> None:
    assert set(living.MOVED_BY_SIGN_IN) == {"User"}
    assert all("Event" in name or "Log" in name or name.startswith("Verification")
               for name in living.LOGS)  # fmt: skip


# ---- stops and faults ----------------------------------------------------------------------------


def test_a_stopped_run_goes_on_and_comes_to_the_same(make_rig: Made) -> None:
    things = [custom(f"Thing{n}__c", f"a{n:02}", rows=30) for n in range(40)]
    rig = make_rig(extra=things)
    rig.export()
    rig.org.insert_rows("Thing3__c", 1)
    whole = rig.look()
    stop = threading.Event()
    seen: list[str] = []

    class Watch(type(rig.notes)):  # type: ignore[misc]
        def object_finished(self, name: str, outcome: str, rows: int) -> None:
            seen.append(name)
            if len(seen) >= 6:
                stop.set()

    with rig.client(stop=stop) as client, pytest.raises(Interrupted):
        live(client, rig.bag, rig.folder / "v", Options(secret=rig.secret), progress=Watch(),
             stop=stop)  # fmt: skip
    with rig.client() as client:
        again = live(client, rig.bag, rig.folder / "v", Options(secret=rig.secret))
    assert again.taken_over >= 6
    assert {one.key for one in again.findings} == {one.key for one in whole.findings}
    assert again.statement == whole.statement
    assert again.calls < whole.calls
    assert not list((rig.folder / "v").glob("*"))


def test_the_quota_guard_pauses(make_rig: Made) -> None:
    rig = make_rig(extra=[custom(f"T{n}__c", f"a{n:02}", rows=5) for n in range(10)])
    rig.export()
    rig.org.spend_quota(rig.org.api_daily_limit - rig.org.used() - 12)
    with pytest.raises(QuotaSpent), rig.client(budget_share=0.5) as client:
        live(client, rig.bag, rig.folder / "v", Options())


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        ("status", "composite"), ("gzip_short", "composite"), ("bit_flip", "composite"),
        ("status", "queryall"), ("drop_rows", "query.more"), ("locator_lost", "query.more"),
        ("short_done", "query.more"), ("session_expired", "composite"),
    ],
)  # fmt: skip
def test_faults_on_the_wire_change_nothing(kind: str, endpoint: str, make_rig: Made) -> None:
    rig = make_rig(extra=[custom("Thing__c", "a01", rows=90)])
    rig.export()
    rig.server.fail(kind, endpoint, nth=2)
    if kind == "session_expired":
        with pytest.raises(Exception, match="session"):
            rig.look()
        rig.token = rig.org.new_session()
    judged = rig.judge()
    assert judged.verdict is Verdict.SAFE, keys(judged)


def test_an_object_the_org_refuses_is_unknown(make_rig: Made) -> None:
    rig = make_rig(extra=[custom("Thing__c", "a01", rows=20)])
    rig.export()
    for nth in range(1, 60):
        rig.server.fail("status", "queryall", nth=nth, status=500)
    rig.server.fail("status", "composite", nth=4, status=400)
    judged = rig.judge()
    assert judged.verdict is Verdict.UNKNOWN
    assert any(key.startswith("check-not-made:rows:") for key in keys(judged))


def test_an_org_that_falls_silent_pauses_the_run(make_rig: Made) -> None:
    rig = make_rig(extra=[custom("Thing__c", "a01", rows=20)])
    rig.export()
    for nth in range(2, 60):
        rig.server.fail("status", "*", nth=nth, status=503)
    with pytest.raises(Paused, match="does not answer any more"):
        rig.look()


def test_the_bag_of_another_org_is_refused(make_rig: Made) -> None:
    rig, other = make_rig(), make_rig(seed=8)
    rig.export()
    other.bag = rig.bag
    with pytest.raises(Blocked, match="the archive is of the org"):
        other.look()


# ---- large tables --------------------------------------------------------------------------------


def test_large_tables_are_asked_for_by_jobs_over_spans(
    make_rig: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "REST_ROWS", 100)
    monkeypatch.setattr("sfexit.verify.live.scan._CREATED_EVERY", 3)
    rig = make_rig(
        extra=[custom("Thing__c", "a01", rows=300),
               without_stamps(custom("Bare__c", "a02", system="nodelete", rows=150))],
        bulk_page_rows=40,
    )  # fmt: skip
    rig.export()
    start = len(rig.server.requests)
    told = rig.look()
    assert verdict(told).verdict is Verdict.SAFE
    ways = {one.object: one for one in told.compared}
    assert ways["Thing__c"].way == "ids and SystemModstamp by query job in 2 spans of CreatedDate"
    assert ways["Thing__c"].witnesses["count_before"] == 300
    jobs = [one for one in rig.server.requests[start:]
            if one.method == "POST" and one.path.endswith("/jobs/query")]  # fmt: skip
    assert len(jobs) == 3  # two spans, and the one without CreatedDate
    assert not rig.org.jobs._jobs  # tidied up
    rig.org.insert_rows("Thing__c", 1)
    rig.org.update_rows("Thing__c", [7])
    judged = rig.judge()
    assert {one.code for one in judged.findings} == {"row-missing", "row-stale"}


def test_full_values_go_by_the_other_road(make_rig: Made) -> None:
    rig = make_rig(extra=[custom("Thing__c", "a01", rows=60)])
    rig.export()
    start = len(rig.server.requests)
    told = rig.look(full_values=frozenset({"Thing__c"}))
    assert verdict(told).verdict is Verdict.SAFE
    way = next(one.way for one in told.compared if one.object == "Thing__c")
    assert (
        way == "ids and content by query job in 2 spans of CreatedDate"
    )  # the export read 60 rows by REST
    assert any(one.path.endswith("/jobs/query") for one in rig.server.requests[start:])


def test_calls_and_bytes_are_said_beforehand_and_are_about_right(make_rig: Made) -> None:
    rig = make_rig(extra=[custom(f"T{n}__c", f"a{n:02}", rows=25) for n in range(20)])
    rig.export()
    told = rig.look()
    assert told.expected.calls / 2 <= told.calls <= told.expected.calls * 2
    assert told.wire_bytes <= told.expected.bytes * 2


# ---- bodies --------------------------------------------------------------------------------------


@pytest.fixture
def with_files(make_rig: Made) -> LiveRig:
    rig = make_rig(
        "Account", "ContentDocument", "ContentVersion", "ContentDocumentLink", "Attachment",
        rows=900, query_all_files=True,
    )  # fmt: skip
    rig.export()
    return rig


def test_bodies_of_a_healthy_org_are_compared(with_files: LiveRig) -> None:
    told = with_files.look()
    assert verdict(told).verdict is Verdict.SAFE, keys(verdict(told))
    by_object = {one.object: one for one in told.bodies}
    assert by_object["ContentVersion"].by_md5 == by_object["ContentVersion"].org > 0
    assert by_object["Attachment"].reread > 0


def test_a_new_version_and_a_missing_body_are_found(with_files: LiveRig) -> None:
    with_files.org.new_versions([0])
    assert any(
        key.startswith("body-left-out:ContentVersion:068") for key in keys(with_files.judge())
    )


def _index(bag: Path, edit: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
    path = bag / "data/files/index.csv.gz"
    rows = list(csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines()))
    header = list(rows[0])
    rows = edit(rows)
    lines = [header, *([row[name] for name in header] for row in rows)]
    path.write_bytes(
        gzip.compress(
            "".join(",".join(f'"{one}"' for one in line) + "\n" for line in lines).encode()
        )
    )


def test_an_index_that_lies(with_files: LiveRig, fast_folder: Path) -> None:
    import shutil

    from live_rig import Forger

    forger = Forger(Path(shutil.copytree(with_files.bag, fast_folder / "forged")))
    gone: list[str] = []

    def edit(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        versions = [row for row in rows if row["object"] == "ContentVersion"]
        gone.append(versions[0]["record_id"])
        versions[1]["salesforce_md5"] = "0" * 32
        gone.append(versions[1]["record_id"])
        attachment = next(row for row in rows if row["object"] == "Attachment")
        body = forger.bag / "data" / attachment["path"]
        body.write_bytes(b"?" * body.stat().st_size)
        gone.append(attachment["record_id"])
        return [row for row in rows if row is not versions[0]]

    _index(forger.bag, edit)
    judged = with_files.judge(forger.done(), deep=True)
    assert {
        f"body-left-out:ContentVersion:{gone[0]}:VersionData",
        f"body-differs:ContentVersion:{gone[1]}:VersionData",
        f"body-differs:Attachment:{gone[2]}:Body",
    } <= keys(judged)


# ---- the weekly export ---------------------------------------------------------------------------


def weekly(
    rig: LiveRig, folder: Path, edit: Callable[[dict[str, str]], None] | None = None
) -> Path:
    """ZIPs as the Data Export service makes them, of what the org holds now."""
    folder.mkdir()
    for number, name in enumerate(("Account", "Thing__c"), 1):
        rows = [{k: v or "" for k, v in row.items()} for row in rig.org.truth(name)]
        rows = [row for row in rows if row.get("IsDeleted") != "true"]
        fields = {one.name: one for one in rig.org.sobject(name).fields}
        names = [k for k in rows[0] if not fields[k].formula and not k.startswith("LastViewed")]
        lines = [",".join(f'"{one.upper()}"' for one in names)]
        for row in rows:
            if edit is not None:
                edit(row)
            cells = []
            for one in names:
                text = row[one]
                if fields[one].type == "boolean":
                    text = {"true": "1", "false": "0"}[text]
                elif fields[one].type == "datetime" and text:
                    text = f"{text[:10]} {text[11:19]}"
                text = text.replace("\r", " ").replace("\n", " ")
                cells.append('"' + text.replace('"', '""') + '"')
            lines.append(",".join(cells))
        half = len(lines) // 2
        for part, some in enumerate((lines[:half], [lines[0], *lines[half:]])):
            with zipfile.ZipFile(folder / f"WE_00D_{number}{part}.ZIP", "w", 8) as made:
                made.writestr(f"{name}.csv", "\r\n".join(some).encode("utf-8"))
                made.writestr("Attachments/00P000000000001", b"bytes")
    return folder


def test_the_weekly_export_agrees(make_rig: Made, tmp_path: Path) -> None:
    rig = make_rig(extra=[custom("Thing__c", "a01", rows=60)])
    folder = weekly(rig, tmp_path / "zips")
    rig.org.update_rows("Thing__c", [2])
    rig.org.insert_rows("Account", 2)
    rig.org.delete_rows("Thing__c", [4])
    live = [n for n, row in enumerate(rig.org.truth("Thing__c")) if row["IsDeleted"] == "false"]
    rig.org.purge_rows("Thing__c", [live[-1]])
    rig.export()
    told = rig.look(weekly=folder)
    assert verdict(told).verdict is Verdict.SAFE, keys(verdict(told))
    assert told.weekly is not None
    by_object = {one.object: one for one in told.weekly.objects}
    assert by_object["Account"].equal == by_object["Account"].rows > 0
    assert (by_object["Thing__c"].newer, by_object["Thing__c"].gone) == (2, 1)
    assert by_object["Thing__c"].fields > 8


def test_the_weekly_export_has_something_else(make_rig: Made, tmp_path: Path) -> None:
    rig = make_rig(extra=[custom("Thing__c", "a01", rows=60)])
    victim = rig.org.tables.tables["Thing__c"].ids.at(7)

    def edit(row: dict[str, str]) -> None:
        if row["Id"] == victim:
            row["Text__c"] = "what Salesforce itself says"

    folder = weekly(rig, tmp_path / "zips", edit)
    rig.export()
    judged = rig.judge(weekly=folder)
    assert judged.verdict is Verdict.NOT_SAFE
    assert keys(judged) == {f"weekly-differs:Thing__c:{victim}"}


@pytest.mark.parametrize(
    "what", ["no folder", "empty", "no zip", "cut", "bomb", "encrypted", "csv"]
)
def test_hostile_zips_are_refused(what: str, make_rig: Made, tmp_path: Path) -> None:
    rig = make_rig()
    rig.export()
    folder = tmp_path / "zips"
    if what != "no folder":
        folder.mkdir()
    path = folder / "WE_1.ZIP"
    if what == "no zip":
        path.write_bytes(b"<html>sign in first</html>")
    elif what in ("cut", "bomb", "csv", "encrypted"):
        text = {"bomb": b"Id\n" + b"0" * 30_000_000, "csv": b'"Id","Name"\n"1"\n'}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("../../Account.csv", text.get(what, b'"Id"\n"001"\n'))
        data = bytearray(path.read_bytes())
        if what == "cut":
            data = data[:-20]
        if what == "encrypted":
            data[6] |= 1
            data[data.rindex(b"PK\1\2") + 8] |= 1
        if what == "bomb":  # claims to be smaller than it is packed down to
            at = data.rindex(b"PK\1\2") + 24
            data[at : at + 4] = (2**32 - 2).to_bytes(4, "little")
        path.write_bytes(data)
    with pytest.raises(UsageProblem) as told:
        rig.look(weekly=folder)
    assert "Traceback" not in told.value.message
    assert not (tmp_path.parent / "Account.csv").exists()


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        ("drop_rows", "bulk.results"), ("extra_rows", "bulk.results"),
        ("open_quote", "bulk.results"), ("gzip_short", "bulk.results"),
        ("swap_columns", "bulk.results"), ("job_failed", "bulk.poll"),
        ("locator_loop", "bulk.results"), ("total_mismatch", "bulk.poll"),
    ],
)  # fmt: skip
def test_faults_of_query_jobs_change_nothing(
    kind: str, endpoint: str, make_rig: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "REST_ROWS", 50)
    rig = make_rig(extra=[custom("Thing__c", "a01", rows=90)])
    rig.export()
    rig.server.fail(kind, endpoint, nth=1)
    judged = rig.judge()
    assert kind in {one.kind for one in rig.plan.fired}
    assert judged.verdict is Verdict.SAFE, [one.found for one in judged.findings]
