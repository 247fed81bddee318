"""Faults of the wire and of the org (numbers of the fault matrix), each injected at the socket.

Whatever the fault does, the archive in the end holds what the org holds, field by field, or its
ledger says of which object it does not.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

import pytest
from rig import Rig, archive_rows, assert_complete, journal_events, ledger_of, no_parts
from rig import problems_of_bag as problems

from sfexit.errors import Paused, QuotaSpent, SessionLost, SignInProblem
from sfexit.export import plan

PAGE = "bulk.results"


def fault_id(case: tuple[Any, ...]) -> str:
    return str(case[0])


# ---- faults that pass: the same run ends complete ------------------------------------------------

PASSING: list[tuple[str, list[tuple[str, str, dict[str, Any]]]]] = [
    ("02-read-timeout", [("hang", PAGE, {"seconds": 1.2, "nth": 2})]),
    ("02-read-timeout-json", [("hang", "queryall", {"seconds": 1.2, "nth": 2})]),
    ("03-reset-after-bytes", [("reset", PAGE, {"nth": 2, "times": 3})]),
    ("03-reset-at-once", [("reset", PAGE, {"after": 0})]),
    ("03-reset-json", [("reset", "query*", {"every": 3, "times": 4})]),
    ("04-content-length-too-long", [("close_short", PAGE, {"nth": 2, "times": 2})]),
    ("04-content-length-too-long-json", [("close_short", "query*", {"every": 4, "times": 3})]),
    ("05-chunk-cut-inside", [("chunk_cut", PAGE, {"where": "inside", "times": 2})]),
    ("05-chunk-cut-at-border", [("chunk_cut", PAGE, {"where": "border", "times": 2})]),
    ("05-chunk-cut-json", [("chunk_cut", "query*", {"every": 3, "times": 3})]),
    ("06-gzip-ends-early", [("gzip_short", PAGE, {"nth": 2, "times": 2})]),
    ("06-gzip-ends-early-json", [("gzip_short", "query*", {"times": 2})]),
    ("07-gzip-no-trailer", [("gzip_no_trailer", PAGE, {"times": 2})]),
    ("07-gzip-bad-crc", [("gzip_bad_crc", PAGE, {"nth": 2})]),
    ("07-bit-flip", [("bit_flip", PAGE, {"share": 0.4, "times": 2})]),
    ("08-text-after-gzip", [("junk_after", PAGE, {"times": 2})]),
    ("08-member-after-gzip", [("junk_after", PAGE, {"what": "member"})]),
    ("09-identity-and-cut", [("identity", PAGE, {"times": 9}), ("reset", PAGE, {"nth": 2})]),
    ("10-html-page", [("html", PAGE, {"nth": 2})]),
    ("10-html-json", [("html", "query*", {"times": 2}), ("html", "describe", {"nth": 2})]),
    ("10-html-maintenance-503", [("html", "*", {"code": 503, "nth": 12, "times": 3})]),
    ("11-empty-body", [("empty", PAGE, {"nth": 1})]),
    ("11-header-only", [("header_only", PAGE, {"nth": 2})]),
    ("12-fewer-rows", [("drop_rows", PAGE, {"nth": 2, "count": 3})]),
    ("12-more-rows", [("extra_rows", PAGE, {"nth": 2, "count": 2})]),
    ("12-wrong-declaration", [("wrong_count", PAGE, {"nth": 1, "delta": -1})]),
    ("12-rest-fewer-rows", [("drop_rows", "query*", {"object": "Memo__c", "nth": 2})]),
    ("12-rest-more-rows", [("extra_rows", "query*", {"object": "Memo__c", "nth": 2})]),
    ("12-rest-wrong-total", [("wrong_count", "query*", {"object": "Memo__c", "nth": 2})]),
    ("12-rest-ends-early", [("short_done", "query*", {"object": "Memo__c", "nth": 2})]),
    ("13-no-header", [("no_header", PAGE, {"nth": 2})]),
    ("13-columns-swapped", [("swap_columns", PAGE, {"nth": 2, "columns": (2, 3)})]),
    ("13-extra-column", [("extra_column", PAGE, {"nth": 2})]),
    ("14-open-quote", [("open_quote", PAGE, {"nth": 2})]),
    ("14-crlf", [("crlf", PAGE, {"nth": 2})]),
    ("14-no-final-newline", [("no_final_newline", PAGE, {"nth": 2})]),
    ("16-total-mismatch-once", [("total_mismatch", "bulk.poll", {"nth": 2, "times": 1})]),
    ("17-duplicate-id-once", [("duplicate_id", PAGE, {"nth": 2})]),
    ("17-rest-duplicate-id-once", [("duplicate_id", "query*", {"object": "Memo__c", "nth": 2})]),
    ("21-429-seconds", [("status", "*", {"code": 429, "retry_after": 30, "every": 5, "times": 4})]),
    ("21-503-seconds", [("status", PAGE, {"code": 503, "retry_after": 7, "times": 3})]),
    ("21-503-date", [("status", PAGE, {"code": 503, "retry_after_date": 40, "times": 2})]),
    ("21-too-many-at-once", [("concurrent", "*", {"nth": 10, "times": 4})]),
    ("22-500", [("status", PAGE, {"code": 500, "nth": 2, "times": 2})]),
    ("22-502-504", [("status", "*", {"code": 502, "every": 6, "times": 4}),
                    ("status", "*", {"code": 504, "every": 7, "times": 4})]),
    ("22-burst", [("status", "*", {"code": 503, "nth": 30, "times": 14})]),
    ("23-job-gone-while-polled", [("job_gone", "bulk.poll", {"nth": 2})]),
    ("23-job-gone-while-read", [("job_gone", PAGE, {"nth": 3})]),
    ("23-rest-cursor-gone", [("locator_lost", "query.more", {"nth": 2})]),
    ("25-aborted-by-somebody", [("job_aborted", "bulk.poll", {"nth": 2})]),
    ("25-failed", [("job_failed", "bulk.poll", {"nth": 2, "message": "INTERNALERROR: oops"})]),
    ("26-lost-answer-of-others", [("lost_answer", "query*", {"every": 4, "times": 3}),
                                  ("lost_answer", "bulk.poll", {}),
                                  ("lost_answer", "describe", {"nth": 2})]),
]  # fmt: skip


@pytest.mark.parametrize("case", PASSING, ids=fault_id)
def test_a_passing_fault_leaves_no_trace_in_the_archive(rig: Rig, case: Any) -> None:
    for kind, endpoint, details in case[1]:
        rig.fail(kind, endpoint, **details)
    result = rig.run(timeouts=(5.0, 0.6))
    for kind, _, _ in case[1]:
        assert rig.fired(kind), f"{kind} never happened"
    assert_complete(rig, result)


# ---- faults that stay: the object fails, the rest does not, a later run heals --------------------

STAYING: list[tuple[str, str, str, str, dict[str, Any], str]] = [
    ("06-gzip-ends-early", "Item__c", "gzip_short", PAGE, {}, "ends before its end mark"),
    ("08-junk-after", "Item__c", "junk_after", PAGE, {}, "bytes after its end"),
    ("10-html", "Item__c", "html", PAGE, {}, "text/html instead of text/csv"),
    ("11-empty", "Item__c", "empty", PAGE, {}, "not even a header"),
    ("12-fewer", "Item__c", "drop_rows", PAGE, {}, "rows, but the org declared"),
    ("12-more", "Item__c", "extra_rows", PAGE, {}, "rows, but the org declared"),
    ("12-declaration", "Item__c", "wrong_count", PAGE, {}, "rows, but the org declared"),
    ("12-rest-fewer", "Memo__c", "drop_rows", "query*", {}, "announced 48 rows, but gave"),
    ("12-rest-more", "Memo__c", "extra_rows", "query*", {}, "announced 48 rows, but gave"),
    ("13-no-header", "Item__c", "no_header", PAGE, {}, "header is not the one asked for"),
    ("13-extra", "Item__c", "extra_column", PAGE, {}, "not asked for: Surprise__c"),
    ("13-order", "Item__c", "swap_columns", PAGE, {"columns": (2, 3)}, "order of the columns"),
    ("14-crlf", "Item__c", "crlf", PAGE, {}, "CR LF"),
    ("14-open-quote", "Item__c", "open_quote", PAGE, {}, "inside a quoted value"),
    ("15-rest-loop", "Memo__c", "locator_loop", "query.more", {}, "repeats a result page"),
    ("15-rest-skip", "Memo__c", "locator_skip", "query*", {}, "announced 48 rows, but gave"),
    ("16-total", "Item__c", "total_mismatch", "bulk.*", {}, "the job says that it has 240 rows"),
    ("17-duplicate", "Item__c", "duplicate_id", PAGE, {}, "came twice (same Id)"),
    ("17-rest-duplicate", "Memo__c", "duplicate_id", "query*", {}, "came twice (same Id)"),
    ("22-always-500", "Item__c", "status", PAGE, {"code": 500}, "kept failing"),
    ("24-wrong-version", "Item__c", "wrong_version", PAGE, {}, "belongs to another one"),
    ("25-aborted-always", "Item__c", "job_aborted", "bulk.poll", {}, "aborted the query job"),
    ("25-unknown-state", "Item__c", "job_unknown_state", "bulk.poll", {}, "state Paused"),
    ("33-bomb", "Item__c", "bomb", PAGE, {"size": 64 << 20}, "unpacks to more than the 1,000,000"),
]  # fmt: skip


@pytest.mark.parametrize("case", STAYING, ids=fault_id)
def test_a_staying_fault_fails_its_object_alone(rig: Rig, case: Any) -> None:
    _, name, kind, endpoint, details, words = case
    rig.fail(kind, endpoint, object=name, times=None, **details)
    result = rig.run(tuning=rig.tuning(page_csv_bytes=1_000_000))
    assert result.bag is not None
    bag = result.bag.path
    assert problems(bag) == []
    lines = ledger_of(bag)
    assert lines[name].outcome == "failed"
    assert words in lines[name].reason + lines[name].evidence
    assert lines[name].remedy
    assert [line.object for line in result.incomplete] == [name]
    for other in set(lines) - {name}:
        assert archive_rows(bag, other) == rig.truth(other)
    no_parts(rig.root)
    assert rig.jobs() == []

    rig.plan.clear()
    assert rig.run().already_sealed
    assert_complete(rig, rig.run(anew=True))


def test_12_whole_pages_of_a_failed_object_are_kept(rig: Rig) -> None:
    rig.fail("drop_rows", PAGE, object="Item__c", nth=2, times=1000)
    rig.plan.faults[0].nth = None
    rig.plan.faults[0].probability = 0.6
    result = rig.run()
    assert result.bag is not None
    line = ledger_of(result.bag.path)["Item__c"]
    kept = archive_rows(result.bag.path, "Item__c")
    assert len(kept) == (line.rows or 0)
    truth = rig.truth("Item__c")
    assert all(row in truth for row in kept)


@pytest.mark.parametrize("kind", ["locator_loop", "locator_skip"])
def test_15_pages_that_follow_each_other(rig: Rig, kind: str, monkeypatch: Any) -> None:
    """Before API 58.0 pages come one after another, by locators."""
    monkeypatch.setattr("sfexit.export.bulk_road.PAGE_ROWS", 50)
    rig.fail(kind, PAGE, object="Item__c", times=None)
    result = rig.run(api_version="57.0")
    assert result.bag is not None
    assert ledger_of(result.bag.path)["Item__c"].outcome == "failed"
    assert problems(result.bag.path) == []
    rig.plan.clear()
    assert_complete(rig, rig.run(api_version="57.0", anew=True))


def test_15_one_loop_is_read_again(rig: Rig, monkeypatch: Any) -> None:
    monkeypatch.setattr("sfexit.export.bulk_road.PAGE_ROWS", 50)
    rig.fail("locator_loop", PAGE, object="Item__c", nth=3, times=1)
    assert_complete(rig, rig.run(api_version="57.0"))


# ---- 1: nobody there -----------------------------------------------------------------------------


def test_01_nobody_answers_at_the_start(rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    rig.environment["SFEXIT_INSTANCE_URL"] = f"http://127.0.0.1:{port}"
    with pytest.raises(SignInProblem, match=r"127\.0\.0\.1.*Nothing was changed"):
        rig.run()
    assert not rig.root.exists()


def test_01_the_org_vanishes_for_a_while_in_mid_run(rig: Rig) -> None:
    """Nothing is sealed with holes only because the line was down for an hour."""
    rig.org.after_calls(28, rig.server.refuse_connections)
    with pytest.raises(Paused, match="does not answer any more"):
        rig.run()
    no_parts(rig.root)
    rig.server.accept_connections()
    result = rig.run()
    assert result.resumed
    assert_complete(rig, result)


# ---- 9, 14: odd but right ------------------------------------------------------------------------


def test_09_identity_is_packed_and_told(rig: Rig) -> None:
    rig.fail("identity", PAGE, times=None)
    result = rig.run()
    assert_complete(rig, result)
    assert result.bag is not None
    notes = (result.bag.path / "data/evidence/notes.csv").read_text("utf-8")
    assert "uncompressed although gzip was asked for" in notes
    pages = (result.bag.path / "data/evidence/pages.csv").read_text("utf-8")
    assert '"identity"' in pages


def test_14_a_byte_order_mark_is_kept_and_told(rig: Rig) -> None:
    rig.fail("bom", PAGE, times=None)
    result = rig.run()
    assert_complete(rig, result)
    assert rig.notes.said("byte-order mark")


def test_14_every_object_of_the_full_catalogue_is_stored_untouched(make_rig: Any) -> None:
    """Text with NUL, CR, quotes, line ends, long fields and all that the org can hold."""
    from sfexit.simulated_org.catalogue import standard_objects

    rig = make_rig(rows=3000, objects=standard_objects(), bulk_page_rows=100, rest_page_rows=50)
    result = rig.run()
    assert result.bag is not None
    bag = result.bag.path
    assert problems(bag) == []
    lines = ledger_of(bag)
    assert set(lines) == set(rig.org.objects)
    assert lines["Legacy_Dirty__c"].route == "bulk"
    read = [line for line in lines.values() if line.outcome == "exported"]
    assert len(read) > 30
    for line in read:
        truth = rig.truth(line.object)
        if line.object == "ContentDocumentLink":
            # This org gives no links of files in the recycle bin, and the line says so.
            gone = {row["Id"] for row in rig.truth("ContentDocument") if row["IsDeleted"] == "true"}
            truth = [row for row in truth if row["ContentDocumentId"] not in gone]
            assert "recycle bin" in line.reason and not line.remedy
        assert archive_rows(bag, line.object) == truth, line.object
    assert {line.outcome for line in lines.values()} <= {
        "exported", "empty", "covered", "no_data", "not_exported",
    }  # fmt: skip
    assert lines["Wide_Rest__mdt"].route == "rest"
    assert rig.jobs() == []


# ---- 18, 19: sessions ----------------------------------------------------------------------------


def test_18_one_renewal_serves_all_threads(rig: Rig) -> None:
    rig.renewable()
    rig.fail("session_expired", PAGE, nth=2)
    result = rig.run()
    assert rig.fired("session_expired") == 1
    tokens = [one for one in rig.server.requests if one.path == "/services/oauth2/token"]
    assert len(tokens) == 2  # signing in, and one renewal
    assert_complete(rig, result)


@pytest.mark.parametrize("endpoint", [PAGE, "queryall", "describe", "bulk.create", "bulk.poll"])
def test_18_a_session_that_cannot_be_renewed_stops_resumable(rig: Rig, endpoint: str) -> None:
    rig.fail("session_expired", endpoint, nth=2 if endpoint not in ("bulk.create",) else 1)
    with pytest.raises(SessionLost, match="Progress is kept"):
        rig.run()
    no_parts(rig.root)
    rig.environment["SFEXIT_ACCESS_TOKEN"] = rig.org.new_session()
    result = rig.run()
    assert result.resumed
    assert_complete(rig, result)


def test_19_a_token_replaced_in_its_file_is_read_again(rig: Rig) -> None:
    path = rig.folder / "token"
    path.write_text(rig.org.access_token)
    path.chmod(0o600)
    rig.environment = {
        "SFEXIT_INSTANCE_URL": rig.server.url,
        "SFEXIT_ACCESS_TOKEN_FILE": str(path),
    }

    def rotate() -> None:
        rig.org.rotate_elsewhere()
        path.write_text(rig.org.access_token)

    rig.org.after_calls(14, rotate)
    assert_complete(rig, rig.run())


# ---- 20-22: quota, pace, bursts ------------------------------------------------------------------


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("endpoint", [PAGE, "query*", "bulk.create"])
def test_20_spent_quota_stops_at_once(rig: Rig, endpoint: str, nth: int) -> None:
    if endpoint == "bulk.create" and nth > 1:
        pytest.skip("there is one job")
    rig.fail("quota", endpoint, object="Memo__c" if endpoint == "query*" else "Item__c", nth=nth)
    with pytest.raises(QuotaSpent, match="used up"):
        rig.run()
    at_fault = rig.org.used()
    refused = [one for one in rig.server.requests if one.status == 403]
    assert len(refused) <= 14, "no storm of calls against a spent quota"
    assert rig.org.used() == at_fault
    no_parts(rig.root)
    with pytest.raises(QuotaSpent):
        rig.run()
    rig.org.restore_quota()
    result = rig.run()
    assert result.resumed
    assert_complete(rig, result)


def test_20_the_own_budget_pauses_before_the_quota(rig: Rig) -> None:
    rig.org.api_daily_limit = 60
    runs = 0
    while True:
        runs += 1
        assert runs < 10
        try:
            result = rig.run(budget_share=0.5)
            break
        except QuotaSpent as paused:
            assert "Progress is kept" in paused.message
            assert rig.org.used() <= 31
            rig.org.restore_quota()
    assert runs > 1
    # When the very last call is spent, none is left to tidy up the query job with.
    assert_complete(rig, result, jobs=rig.org.used() < 29)


def test_21_a_wish_for_patience_is_granted(rig: Rig) -> None:
    rig.fail("status", PAGE, code=503, retry_after=77, nth=1)
    before = rig.time.now
    rig.run()
    assert rig.time.now - before >= 77


def test_22_the_breaker_lets_a_sick_org_rest(rig: Rig) -> None:
    rig.fail("status", "*", code=503, nth=20, times=25)
    with contextlib.suppress(Exception):
        rig.run()
    assert rig.notes.said("all of them pause")
    rig.plan.clear()
    rig.run()
    assert_complete(rig, rig.run(anew=True))


# ---- 23-28: query jobs ---------------------------------------------------------------------------


def test_23_pages_of_two_readings_are_never_mixed(rig: Rig) -> None:
    rig.fail("job_gone", PAGE, nth=4)
    result = rig.run()
    assert_complete(rig, result)
    assert result.bag is not None
    pages = [p.name for p in (result.bag.path / "data/records/Item__c").iterdir()]
    assert pages and all(".g002." in name for name in pages)


@pytest.mark.parametrize(
    ("kind", "endpoint", "details"),
    [
        ("job_failed", "bulk.poll", {"message": "QUERY_TIMEOUT: running for too long."}),
        ("job_failed", "bulk.poll", {"message": "Retried more than 15 times"}),
        ("job_stuck", "bulk.poll", {}),
        ("query_timeout", "bulk.create", {}),
        ("operation_too_large", "bulk.create", {}),
    ],
    ids=["25-timeout", "25-retried", "25-stuck", "27-query-timeout", "27-too-large"],
)
@pytest.mark.parametrize("times", [1, 3])
def test_what_is_too_much_is_divided_by_date(
    rig: Rig, kind: str, endpoint: str, details: dict[str, Any], times: int
) -> None:
    rig.fail(kind, endpoint, object="Item__c", times=times, **details)
    result = rig.run()
    assert_complete(rig, result)
    assert rig.notes.said("divided into")
    line = ledger_of(result.bag.path)["Item__c"]  # type: ignore[union-attr]
    assert line.route == "bulk"
    assert line.witnesses["job_total"] == line.rows


def test_25_rows_on_the_border_of_two_halves_come_once(rig: Rig, monkeypatch: Any) -> None:
    """The split falls exactly on the creation second of a row, and of its neighbours."""
    stamps = sorted({row["CreatedDate"] for row in rig.truth("Item__c")})
    border = stamps[len(stamps) // 2]
    moment = border[:19] + "Z"
    monkeypatch.setattr(
        plan,
        "halves",
        lambda condition, field, **_: (
            (f"{field} < {moment}", f"{field} >= {moment}") if not condition else None
        ),
    )
    rig.fail("query_timeout", "bulk.create", object="Item__c")
    assert_complete(rig, rig.run())


def test_25_what_cannot_be_divided_goes_by_rest(rig: Rig, monkeypatch: Any) -> None:
    monkeypatch.setattr(plan, "halves", lambda *_, **__: None)
    rig.fail("job_stuck", "bulk.poll", object="Item__c", times=None)
    result = rig.run()
    rig.plan.clear()
    assert_complete(rig, result)
    assert ledger_of(result.bag.path)["Item__c"].route == "rest"  # type: ignore[union-attr]


def test_27_rest_pages_before_a_timeout_do_not_come_twice(rig: Rig) -> None:
    """The slice gave pages before it was too much; its halves give those rows again."""
    rig.fail("query_timeout", "query.more", object="Memo__c", nth=2)
    result = rig.run()
    assert rig.notes.said("divided into")
    assert_complete(rig, result)


@pytest.mark.parametrize("later", [False, True], ids=["at-once", "by-the-next-run"])
def test_26_a_job_whose_creation_got_no_answer_is_adopted(rig: Rig, later: bool) -> None:
    rig.fail("lost_answer", "bulk.create")
    if later:  # the list cannot be read either, until the next run
        rig.fail("quota", "bulk.list", really=False)
        with pytest.raises(QuotaSpent):
            rig.run()
    result = rig.run()
    assert rig.org.jobs.made_today() == 1
    assert rig.notes.said("adopted 750")
    assert_complete(rig, result)


def test_26_a_creation_that_never_arrived_is_repeated(rig: Rig) -> None:
    rig.fail("reset", "bulk.create", after=0)
    result = rig.run()
    assert_complete(rig, result)


@pytest.mark.parametrize("endpoint", ["bulk.create", "queryall"])
def test_28_a_field_that_vanishes_is_left_out_and_told(rig: Rig, endpoint: str) -> None:
    name = "Item__c" if endpoint == "bulk.create" else "Memo__c"
    field = "Extra__c" if endpoint == "bulk.create" else "Body__c"
    dropped: list[bool] = []

    def drop() -> None:
        rig.org.drop_field(name, field)
        dropped.append(True)

    # The field goes once describe was answered and before the query is asked.
    original = rig.org.count_call

    def counting() -> None:
        original()
        seen = [one for one in rig.server.requests if one.path.endswith(f"{name}/describe")]
        if seen and not dropped:
            drop()

    rig.org.count_call = counting  # type: ignore[method-assign]
    result = rig.run()
    assert result.bag is not None
    bag = result.bag.path
    assert problems(bag) == []
    line = ledger_of(bag)[name]
    assert line.outcome == "exported"
    assert line.incomplete
    assert "vanished" in line.fields_not_exported[field]
    assert archive_rows(bag, name) == rig.truth(name)  # the org's rows without that field


def test_28_a_field_that_vanishes_under_a_running_job(rig: Rig) -> None:
    rig.org.bulk_job_delay_polls = 2
    original = rig.org.jobs.poll

    def poll(job: Any) -> None:
        rig.org.drop_field("Item__c", "Extra__c")
        original(job)

    rig.org.jobs.poll = poll  # type: ignore[method-assign]
    result = rig.run()
    assert result.bag is not None
    line = ledger_of(result.bag.path)["Item__c"]
    assert (line.outcome, line.route) == ("exported", "bulk")
    assert "Extra__c" in line.fields_not_exported
    assert archive_rows(result.bag.path, "Item__c") == rig.truth("Item__c")
    assert rig.jobs() == []


def test_28_an_object_that_bulk_refuses_goes_by_rest(rig: Rig) -> None:
    rig.fail("bulk_unsupported", "bulk.create", object="Item__c", times=None)
    result = rig.run()
    assert_complete(rig, result)
    assert ledger_of(result.bag.path)["Item__c"].route == "rest"  # type: ignore[union-attr]


def test_28_an_object_that_no_api_gives_is_a_line_of_the_ledger(rig: Rig) -> None:
    rig.fail("bulk_unsupported", "bulk.create", object="Item__c", times=None)
    # The first page is given and the second refused for good: no page may stay in the bag.
    rig.fail(
        "status", "query.more", object="Item__c", times=None, code=400,
        error_code="EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION", message="getting all is not supported",
    )  # fmt: skip
    result = rig.run()
    assert result.bag is not None
    assert problems(result.bag.path) == []
    assert ledger_of(result.bag.path)["Item__c"].outcome == "not_exported"
    assert [line.object for line in result.incomplete] == ["Item__c"]


# ---- 33, 34 --------------------------------------------------------------------------------------


def test_33_a_bomb_takes_no_memory(rig: Rig) -> None:
    import tracemalloc

    rig.fail("bomb", PAGE, object="Item__c", nth=1, size=1 << 28)
    from sfexit.simulated_org import mishaps

    mishaps.bomb(1 << 28, b"A")  # made beforehand: the org's memory is not measured
    tracemalloc.start()
    try:
        result = rig.run(tuning=rig.tuning(page_csv_bytes=200 << 20))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rig.fired("bomb")
    assert peak < 40 << 20
    assert_complete(rig, result)


def test_34_a_dripping_answer_is_given_up(rig: Rig) -> None:
    rig.fail("slow_drip", PAGE, nth=1, rate=40)
    # Time flies: a minute of the watchdog is a tenth of a second.
    result = rig.run(clock=lambda: time.monotonic() * 600)
    assert rig.fired("slow_drip") == 1
    assert rig.notes.said("page 1 of Item__c") or rig.notes.said("of Item__c: network fault")
    assert_complete(rig, result)


# ---- a living org --------------------------------------------------------------------------------


def test_rows_created_while_reading_are_told_not_missed(rig: Rig) -> None:
    original = rig.org.jobs.create

    def create(*given: Any) -> Any:
        rig.org.insert_rows("Item__c", 5)
        return original(*given)

    rig.org.jobs.create = create  # type: ignore[method-assign]
    result = rig.run()
    assert result.bag is not None
    line = ledger_of(result.bag.path)["Item__c"]
    assert line.outcome == "exported"
    assert line.witnesses["count_before"] + 5 == line.witnesses["count_after"] == line.rows
    assert rig.notes.said("the org changed during the reading")
    assert archive_rows(result.bag.path, "Item__c") == rig.truth("Item__c")


def test_rows_that_the_job_never_saw_fail_the_object(rig: Rig, monkeypatch: Any) -> None:
    """Job, pages and declarations agree, but all of them hide rows that COUNT() sees."""
    original = rig.org.jobs.create

    def create(body: dict[str, Any], version: str) -> Any:
        return original({**body, "operation": "query"}, version)

    rig.org.jobs.create = create  # type: ignore[method-assign]
    result = rig.run()
    assert result.bag is not None
    line = ledger_of(result.bag.path)["Item__c"]
    assert line.outcome == "failed"
    assert "the org counts" in line.reason
    assert problems(result.bag.path) == []


def test_an_empty_bulk_result(rig: Rig) -> None:
    """COUNT() is refused, the job has no row."""
    rig.fail("status", "queryall", object="Empty__c", times=None, code=400,
             error_code="MALFORMED_QUERY", message="no count here")  # fmt: skip
    result = rig.run()
    assert result.bag is not None
    line = ledger_of(result.bag.path)["Empty__c"]
    assert (line.outcome, line.route, line.witnesses) == (
        "empty", "bulk", {"job_total": 0, "declared": 0, "counted": 0}
    )  # fmt: skip
    assert problems(result.bag.path) == []


def test_a_page_that_declares_nothing(rig: Rig, monkeypatch: Any) -> None:
    from sfexit.salesforce import bulk

    original = bulk._result_page

    def silent(answer: Any) -> Any:
        page = original(answer)
        return bulk.ResultPage(page.answer, None, page.next_locator)

    monkeypatch.setattr(bulk, "_result_page", silent)
    result = rig.run()
    assert_complete(rig, result)
    line = ledger_of(result.bag.path)["Item__c"]  # type: ignore[union-attr]
    assert "declared" not in line.witnesses
    assert line.witnesses["job_total"] == line.rows


def test_wide_rest_objects_take_two_groups_of_fields(make_rig: Any) -> None:
    from sfexit.simulated_org.catalogue import standard_objects

    keep = {"Organization", "User", "Wide_Rest__mdt", "Account"}
    rig = make_rig(rows=400, objects=[o for o in standard_objects() if o.name in keep])
    result = rig.run()
    assert_complete_except_parts(rig, result)
    queries = [one.query for one in rig.server.requests if "Wide_Rest__mdt" in one.query]
    assert any("Id+IN+" in query for query in queries)


def assert_complete_except_parts(rig: Rig, result: Any) -> None:
    assert problems(result.bag.path) == []
    for line in ledger_of(result.bag.path).values():
        if line.outcome == "exported":
            assert archive_rows(result.bag.path, line.object) == rig.truth(line.object)


# ---- stopping and going on -----------------------------------------------------------------------


def stop_after(rig: Rig, calls: int) -> threading.Event:
    stop = threading.Event()
    rig.org.after_calls(calls, stop.set)
    return stop


@pytest.mark.parametrize("calls", [1, 4, 9, 12, 15, 18, 21, 24])
def test_43_a_stop_finishes_the_units_in_hand(rig: Rig, calls: int) -> None:
    from sfexit.errors import Interrupted

    with pytest.raises(Interrupted):
        rig.run(stop=stop_after(rig, calls))
    no_parts(rig.root)
    result = rig.run()
    assert_complete(rig, result)
    assert result.bag is not None
    seen = [e["path"] for e in journal_events(result.bag.path) if e["event"] == "page"]
    assert len(seen) == len(set(seen)), "a finished page was fetched again"


def test_a_second_export_says_that_it_is_done(rig: Rig) -> None:
    first = rig.run()
    again = rig.run()
    assert again.already_sealed
    assert again.bag == first.bag
    assert [line.cells() for line in again.lines] == [line.cells() for line in first.lines]


def test_anew_makes_the_next_generation(rig: Rig) -> None:
    first = rig.run()
    rig.org.insert_rows("Memo__c", 3)
    second = rig.run(anew=True)
    assert first.bag is not None and second.bag is not None
    assert second.bag.path.name == "0002"
    info = (second.bag.path / "bag-info.txt").read_text()
    assert f"Sfexit-Previous-Root: {first.bag.root_digest}" in info
    assert_complete(rig, second)
    assert problems(first.bag.path) == []


def test_a_selection_must_stay_the_same(rig: Rig) -> None:
    from sfexit.errors import Interrupted, UsageProblem
    from sfexit.export.plan import Selection

    only = Selection(objects=frozenset({"Memo__c"}))
    with pytest.raises(Interrupted):
        rig.run(stop=stop_after(rig, 9), selection=only)
    with pytest.raises(UsageProblem, match="another choice"):
        rig.run()
    result = rig.run(selection=only)
    assert {line.outcome for line in result.lines} == {"exported", "not_exported"}
    with pytest.raises(UsageProblem, match="did you mean Memo__c"):
        rig.run(anew=True, selection=Selection(objects=frozenset({"memo__C"})))
