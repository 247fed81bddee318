"""Objects that are given only in parts: every row that can be given is in the archive."""

from __future__ import annotations

import contextlib
import csv
import gzip
import json
import random
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rig import Rig, archive_rows, journal_events, ledger_of, problems_of_bag, small_objects

from sfexit.archive import layout
from sfexit.archive.journal_index import Index
from sfexit.errors import Interrupted
from sfexit.export import definitions
from sfexit.export.plan import Selection
from sfexit.simulated_org import analytics
from sfexit.simulated_org.analytics import rows_of
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.dependents import dependent_objects
from sfexit.simulated_org.schema import Refusal, SObject, make
from sfexit.simulated_org.visibility import SimulatedUser

DEPENDENT = {one.name for one in dependent_objects()}
FILES = {"ContentDocument", "ContentDocumentLink", "ContentVersion"}


def catalogue(documents: int = 60, more: list[SObject] | None = None) -> list[SObject]:
    named = {one.name: one for one in standard_objects()}
    files = [replace(named[name], weight=0.0, fixed=documents, _index={}) for name in sorted(FILES)]
    return [*small_objects(), *files, *(named[name] for name in sorted(DEPENDENT)), *(more or [])]


@pytest.fixture
def folders(make_rig: Callable[..., Rig]) -> Rig:
    return make_rig(objects=catalogue())


def given_links(rig: Rig) -> list[dict[str, str]]:
    """Links of living files: those of deleted ones are given to nobody (a doubt's default)."""
    links = rig.given("ContentDocumentLink")
    assert 0 < len(links) < len(rig.truth("ContentDocumentLink"))
    return links


def bag_of(result: Any) -> Any:
    assert result.bag is not None
    assert problems_of_bag(result.bag.path) == []
    return result.bag.path


def test_every_row_that_its_parents_give(folders: Rig) -> None:
    bag = bag_of(folders.run())
    lines = ledger_of(bag)
    for name in sorted(DEPENDENT):
        assert archive_rows(bag, name) == folders.truth(name), name
        assert lines[name].outcome == "exported" and not lines[name].incomplete, lines[name]
    links = given_links(folders)
    assert archive_rows(bag, "ContentDocumentLink") == links
    line = lines["ContentDocumentLink"]
    assert (line.route, line.rows) == ("filtered", len(links))
    assert line.witnesses["parents"] == len(folders.truth("ContentDocument"))
    assert "ContentDocumentId IN ContentDocument.Id" in line.evidence
    assert lines["ContentFolderItem"].witnesses["parents"] == len(folders.truth("ContentFolder"))


def test_folders_lie_in_folders_in_folders(folders: Rig) -> None:
    truth = {row["Id"]: row["ParentContentFolderId"] for row in folders.truth("ContentFolder")}

    def depth(one: str) -> int:
        return 1 + depth(truth[one]) if truth[one] else 0

    assert max(map(depth, truth)) >= 2


def test_no_filter_where_the_org_asks_for_none(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(objects=catalogue(), query_all_files=True)
    line = ledger_of(bag_of(rig.run()))["ContentDocumentLink"]
    assert line.route == "rest"
    assert line.rows == len(given_links(rig))


def test_few_calls_for_many_parents(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(objects=catalogue(documents=4_000), rest_page_rows=2000, bulk_page_rows=5000)
    result = rig.run(
        selection=Selection(objects=frozenset({"ContentDocument", "ContentDocumentLink"}))
    )
    bag = bag_of(result)
    assert archive_rows(bag, "ContentDocumentLink") == given_links(rig)
    slices = [one for one in journal_events(bag) if one["event"] == "slice_done"]
    filtered = [one for one in slices if one["object"] == "ContentDocumentLink" and one["slice"]]
    assert 4_000 / 550 <= len(filtered) <= 4_000 / 350  # as many ids as fit into an address
    assert result.calls < 40


def test_parents_that_are_left_out_are_asked_for(folders: Rig) -> None:
    choice = Selection(objects=frozenset({"ContentDocumentLink", "ContentFolderMember"}))
    bag = bag_of(folders.run(selection=choice))
    assert archive_rows(bag, "ContentDocumentLink") == given_links(folders)
    assert {row["Id"] for row in archive_rows(bag, "ContentFolderMember")} < {
        row["Id"] for row in folders.truth("ContentFolderMember")
    }
    line = ledger_of(bag)["ContentFolderMember"]
    assert line.incomplete
    assert "ContentFolderItem.Id" in line.reason


@pytest.mark.parametrize("calls", range(12, 60, 6))
def test_a_run_that_stops_anywhere_goes_on(make_rig: Callable[..., Rig], calls: int) -> None:
    rig = make_rig(objects=catalogue(documents=1_700), rest_page_rows=300)
    stop = threading.Event()
    rig.org.after_calls(calls, stop.set)
    try:
        bag = bag_of(rig.run(stop=stop))
    except Interrupted:
        bag = bag_of(rig.run())
    assert archive_rows(bag, "ContentDocumentLink") == given_links(rig)
    for name in sorted(DEPENDENT):
        assert archive_rows(bag, name) == rig.truth(name), name


def test_a_list_that_was_lost_between_two_runs_is_made_again(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(objects=catalogue(documents=1_700), rest_page_rows=300)
    stop = threading.Event()

    def cut() -> None:
        if list((rig.root / "work/parents").glob("ContentDocumentLink.txt")):
            stop.set()
        else:
            rig.org.after_calls(1, cut)

    rig.org.after_calls(1, cut)
    with pytest.raises(Interrupted):
        rig.run(stop=stop)
    (rig.root / "work/parents/ContentDocumentLink.txt").unlink()
    bag = bag_of(rig.run())
    assert archive_rows(bag, "ContentDocumentLink") == given_links(rig)
    assert not (rig.root / "work/parents").exists()


TOO_LONG = {
    "code": 400,
    "error_code": "MALFORMED_QUERY",
    "message": "SOQL statements cannot be longer than 100000 characters.",
}
URI = {"code": 414, "error_code": "URI_TOO_LONG", "message": "URI Too Long"}


@pytest.mark.parametrize(
    ("kind", "fault"),
    [("query_timeout", {}), ("operation_too_large", {}), ("status", TOO_LONG), ("status", URI)],
)
def test_a_chunk_that_is_too_much_is_divided(
    make_rig: Callable[..., Rig], kind: str, fault: dict[str, Any]
) -> None:
    rig = make_rig(objects=catalogue(documents=900))
    times = 3 if fault else 5
    rig.fail(kind, "query", object="ContentDocumentLink", nth=2, times=times, **fault)
    rig.fail("status", "composite", status=500, times=None, object="ContentDocumentLink")
    bag = bag_of(rig.run(tuning=rig.tuning(scout=False)))
    assert archive_rows(bag, "ContentDocumentLink") == given_links(rig)
    divided = [one for one in journal_events(bag)
               if one["event"] == "slice_split" and one["object"] == "ContentDocumentLink"
               and one["slice"]]  # fmt: skip
    assert divided


# ---- what no rule knows --------------------------------------------------------------------------


def stranger(
    refusal: Refusal, fields: str = "ParentId ref(Memo__c) gen=nth:Memo__c required"
) -> SObject:
    return make("ZephyrLink", "zz0", fields, fixed=70, refusal=refusal)


@pytest.mark.parametrize(
    ("filters", "single"), [(("Id", "ParentId"), ()), ((), ("Id", "ParentId"))]
)
def test_an_object_of_next_year_is_asked_by_what_its_refusal_names(
    make_rig: Callable[..., Rig], filters: tuple[str, ...], single: tuple[str, ...]
) -> None:
    words = "Implementation restriction: ZephyrLink requires a filter by Id or ParentId"
    one = stranger(Refusal("MALFORMED_QUERY", words, filters, single))
    rig = make_rig(objects=catalogue(more=[one]))
    bag = bag_of(rig.run())
    assert archive_rows(bag, "ZephyrLink") == rig.truth("ZephyrLink")
    line = ledger_of(bag)["ZephyrLink"]
    assert (line.outcome, line.route, line.incomplete) == ("exported", "filtered", False)
    assert f"asked by ParentId {'IN' if filters else '='} Memo__c.Id" in line.evidence


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("MALFORMED_QUERY", "ZephyrLink is read along ParentId, one batch of ids at a time"),
        ("FILTER_REQUIRED", "Please restrict ParentId"),
    ],
)
@pytest.mark.parametrize("scout", [True, False])
def test_words_that_nobody_knows_may_still_name_the_field(
    make_rig: Callable[..., Rig], code: str, words: str, scout: bool
) -> None:
    rig = make_rig(objects=catalogue(more=[stranger(Refusal(code, words, ("ParentId",)))]))
    bag = bag_of(rig.run(tuning=rig.tuning(scout=scout)))
    assert archive_rows(bag, "ZephyrLink") == rig.truth("ZephyrLink")
    line = ledger_of(bag)["ZephyrLink"]
    assert (line.outcome, line.route, line.incomplete) == ("exported", "filtered", False)


def test_an_object_that_the_user_may_not_read_says_so(make_rig: Callable[..., Rig]) -> None:
    words = "insufficient access rights on object id: needs Manage Zephyrs"
    refusal = Refusal("INSUFFICIENT_ACCESS_OR_READONLY", words, status=403)
    line = ledger_of(bag_of(make_rig(objects=catalogue(more=[stranger(refusal)])).run()))[
        "ZephyrLink"
    ]
    assert line.outcome == "not_exported"
    assert "Manage Zephyrs" in line.evidence and "give the export user" in line.remedy


def test_one_by_one_what_is_open_is_looked_for_behind_the_last(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """100,000 parents that are asked for singly: looking through all that is done takes hours."""
    words = "Implementation restriction: ZephyrLink requires a filter by a single ParentId"
    one = stranger(Refusal("MALFORMED_QUERY", words, (), ("ParentId",)))
    rig = make_rig(objects=catalogue(more=[replace(one, fixed=90, _index={})]))
    behind: list[int] = []
    real = Index.rows

    def rows(self: Index, sql: str, values: Any = ()) -> Any:
        if "state NOT IN" in sql and "LIMIT 1" in sql and values[0] == "ZephyrLink":
            behind.append(values[2])
        return real(self, sql, values)

    monkeypatch.setattr(Index, "rows", rows)
    bag = bag_of(rig.run())
    parents = ledger_of(bag)["ZephyrLink"].witnesses["parents"]
    assert parents == len(rig.truth("Memo__c")) > 40
    assert len(set(behind)) > parents  # behind another one each time
    assert behind.count(-1) < 10


def test_rows_that_a_guess_cannot_reach_are_named(make_rig: Callable[..., Rig]) -> None:
    words = "Implementation restriction: ZephyrLink requires a filter by ParentId"
    one = stranger(
        Refusal("MALFORMED_QUERY", words, ("ParentId",)), "ParentId ref(Memo__c)\nX__c string(9)"
    )
    rig = make_rig(objects=catalogue(more=[one]))
    bag = bag_of(rig.run())
    line = ledger_of(bag)["ZephyrLink"]
    rows = archive_rows(bag, "ZephyrLink")
    given = {row["Id"] for row in rig.truth("ZephyrLink") if row["ParentId"]}
    assert {row["Id"] for row in rows} <= given
    assert line.incomplete
    assert "rows without ParentId" in line.reason


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("MALFORMED_QUERY", "Implementation restriction: a filter nobody knows"),
        Refusal("EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION", "Getting all ZephyrLinks is unsupported"),
        Refusal("BRAND_NEW_CODE", "Something that nobody has seen before"),
        Refusal("MALFORMED_QUERY", "requires a filter by ParentId", ("Nothing",)),
        Refusal("UNKNOWN_EXCEPTION", "ErrorId: 1 (2)", status=500),
        Refusal("NOT_FOUND", "The requested resource does not exist", status=404),
    ],
)
def test_what_is_truly_impossible_is_named(make_rig: Callable[..., Rig], refusal: Refusal) -> None:
    rig = make_rig(objects=catalogue(more=[stranger(refusal)]))
    bag = bag_of(rig.run())
    line = ledger_of(bag)["ZephyrLink"]
    assert line.outcome in ("not_exported", "failed")
    assert line.reason and line.evidence and line.remedy
    assert refusal.message.split()[0] in line.evidence
    assert archive_rows(bag, "ContentFolderItem") == rig.truth("ContentFolderItem")


CODES = (
    "MALFORMED_QUERY", "INVALID_FIELD", "INVALID_TYPE", "INVALID_TYPE_FOR_OPERATION", "API_ERROR",
    "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION", "EXTERNAL_OBJECT_EXCEPTION", "UNKNOWN_EXCEPTION",
    "QUERY_TIMEOUT", "OPERATION_TOO_LARGE", "NOT_FOUND", "BIG_OBJECT_UNSUPPORTED_OPERATION",
    "DATACLOUD_API_DISABLED_EXCEPTION", "EXCEEDED_ID_LIMIT", "SOMETHING_NEW", "",
)  # fmt: skip
WORDS = (
    "Implementation restriction: {name} requires a filter by Id or ParentId",
    "{name}: a filter on a reified column is required [ParentId,DurableId]",
    "you must filter using ParentId = [single ID]",
    "Where clauses should contain OtherId",
    "No such column 'ParentId' on entity '{name}'",
    "Entity '{name}' is not supported by the Bulk API.",
    "An unexpected error occurred. Please include this ErrorId: 7 (8)",
    "Getting all {name} is unsupported",
    "exceeded 100000 distinct who/what's",
    "",
    "\x1b[2J\u202e",
)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_refused_never_ends_a_run_nor_goes_unsaid(
    make_rig: Callable[..., Rig], seed: int
) -> None:
    """Objects with refusals at random: each line tells all rows, or that some are missing."""
    rng = random.Random(seed)
    more = []
    for number in range(24):
        name = f"Next{number:02d}"
        filters = rng.choice([(), ("ParentId",), ("Id", "ParentId"), ("OtherId",)])
        single = filters if rng.random() < 0.3 else ()
        known = Refusal("MALFORMED_QUERY", WORDS[0].format(name=name), ("Id", "ParentId"))
        refusal = (
            known
            if rng.random() < 0.4
            else Refusal(
                rng.choice(CODES),
                rng.choice(WORDS).format(name=name),
                () if single else filters,
                single,
                status=rng.choice([400, 400, 400, 403, 404, 500]),
                counts_only=rng.random() < 0.2,
            )
        )
        one = make(
            name,
            f"n{number:02d}",
            "ParentId ref(Memo__c) gen=nth:Memo__c required\nOtherId ref(Item__c) required",
            fixed=rng.choice([0, 7, 150]),
            refusal=refusal,
            bulk=rng.random() < 0.7,
            queryable=rng.random() < 0.9,
        )
        more.append(one)
    rig = make_rig(objects=[*small_objects(), *more])
    bag = bag_of(rig.run())
    lines = ledger_of(bag)
    whole = 0
    for one in more:
        line, truth = lines[one.name], rig.truth(one.name)
        if archive_rows(bag, one.name) == truth and line.outcome in ("exported", "empty"):
            whole += bool(truth)
            continue
        assert line.incomplete, line
        assert line.reason and line.evidence and line.remedy, line
    assert whole > 1
    assert rig.server.crashes == []


def test_rules_that_are_wrong_do_not_end_in_silence(make_rig: Callable[..., Rig]) -> None:
    """The org wants another field than the rule knows: the road changes, or the line says so."""
    objects = [
        replace(one, refusal=Refusal("MALFORMED_QUERY", "requires a filter by CommentBody",
                                     ("CommentBody",)), _index={})
        if one.name == "IdeaComment" else one
        for one in catalogue()
    ]  # fmt: skip
    rig = make_rig(objects=objects)
    line = ledger_of(bag_of(rig.run()))["IdeaComment"]
    assert line.outcome == "not_exported"
    assert "requires a filter by CommentBody" in line.evidence


# ---- folders of one's own, articles --------------------------------------------------------------


def full(names: set[str], **strange: Any) -> list[SObject]:
    from sfexit.simulated_org.org import shaped
    from sfexit.simulated_org.strange import Strange

    found = [one for one in Strange(**strange).applied(shaped("full")) if one.name in names]
    assert {one.name for one in found} == names
    return found


@pytest.fixture
def private(make_rig: Callable[..., Rig]) -> Rig:
    names = {"Report", "Dashboard", "Folder"}
    return make_rig(objects=[*small_objects(), *full(names, private_reports=True)])


def test_reports_in_private_folders(private: Rig) -> None:
    bag = bag_of(private.run())
    hidden = private.org.private_folders()
    assert hidden
    for name in ("Report", "Dashboard"):
        assert archive_rows(bag, name) == private.truth(name)
        line = ledger_of(bag)[name]
        assert (line.outcome, line.route) == ("exported", "filtered")
        assert not line.incomplete


# ---- definitions ---------------------------------------------------------------------------------


def definitions_of(bag: Path) -> dict[tuple[str, str], dict[str, str]]:
    with (bag / layout.DEFINITIONS).open(encoding="utf-8", newline="") as handle:
        return {(row["object"], row["id"]): row for row in csv.DictReader(handle)}


def told(bag: Path, path: str) -> Any:
    return json.loads(gzip.decompress((bag / "data" / path).read_bytes()))


def living(rig: Rig, name: str) -> dict[str, dict[str, str]]:
    return {row["Id"]: row for row in rig.truth(name) if row["IsDeleted"] != "true"}


def test_definitions_of_all_reports_and_dashboards(private: Rig) -> None:
    bag = bag_of(private.run())
    index = definitions_of(bag)
    reports, boards = living(private, "Report"), living(private, "Dashboard")
    assert set(index) == {("Report", one) for one in reports} | {
        ("Dashboard", one) for one in boards
    }
    for (name, row_id), row in index.items():
        definition = told(bag, row["definition"])
        if name == "Report":
            assert definition["reportMetadata"]["name"] == reports[row_id]["Name"] == row["title"]
        else:
            assert definition["name"] == boards[row_id]["Title"] == row["title"]
        assert (row["result"], row["result_state"], row["refused"]) == ("", "", "")
    assert ledger_of(bag)["Report"].witnesses["definitions"] == len(reports)


def test_results_only_on_demand_and_marked_where_they_are_cut(private: Rig) -> None:
    bag = bag_of(private.run(selection=Selection(report_results=True)))
    table = private.org.tables.tables["Report"]
    states = set()
    for (name, row_id), row in definitions_of(bag).items():
        if name != "Report":
            continue
        number = table.ids.row(row_id)
        result = told(bag, row["result"])
        assert row["result_state"] == ("complete" if rows_of(number) <= 2000 else "cut at 2,000")
        assert len(result["factMap"]["T!T"]["rows"]) == min(rows_of(number), 2000)
        states.add(row["result_state"])
    assert states == {"complete", "cut at 2,000"}


def test_more_reports_than_an_hour_allows_wait_for_the_next(
    private: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports and Dashboards REST API guide, "Error Codes": so many in 60 minutes."""
    count = len(living(private, "Report"))
    monkeypatch.setattr(analytics, "RUNS_AN_HOUR", count // 2 + 1)
    monkeypatch.setattr(definitions, "_AT_ONCE", 1)  # the clock here adds up what threads sleep
    began = private.org.now()
    private.org.clock = lambda: began + private.time()
    before = private.time()
    bag = bag_of(private.run(selection=Selection(report_results=True)))
    reports = [row for (name, _), row in definitions_of(bag).items() if name == "Report"]
    assert len(reports) == count > 6
    assert all(row["result_state"] and not row["refused"] for row in reports)
    assert private.time() - before > 3600
    # Nothing else waits with them.
    asked = [one.path for one in private.server.requests]
    last = max(n for n, path in enumerate(asked) if "/services/Soap/m/" in path)
    assert last < min(n for n, path in enumerate(asked) if re.search(r"/reports/00O\w+$", path))
    assert private.notes.said("Reports are held back")
    assert ledger_of(bag)["Report"].witnesses["results"] == len(reports)


def test_a_definition_that_is_refused_is_named(private: Rig) -> None:
    private.fail(
        "status", "analytics.describe", times=2, code=403, error_code="FORBIDDEN", message="No"
    )
    bag = bag_of(private.run())
    refused = [row for row in definitions_of(bag).values() if row["refused"]]
    assert len(refused) == 2
    assert all("FORBIDDEN" in row["refused"] and not row["definition"] for row in refused)
    lines = ledger_of(bag)
    incomplete = [name for name in ("Report", "Dashboard") if lines[name].incomplete]
    assert incomplete and all("refused" in lines[name].reason for name in incomplete)


@pytest.mark.parametrize("calls", [45, 60, 75])
def test_definitions_are_asked_for_once(private: Rig, calls: int) -> None:
    stop = threading.Event()
    private.org.after_calls(calls, stop.set)
    with contextlib.suppress(Interrupted):
        private.run(stop=stop)
    bag = bag_of(private.run())
    asked = [one.path for one in private.server.requests if one.path.endswith("/describe")
             and "/analytics/" in one.path]  # fmt: skip
    assert len(asked) == len(set(asked)) == len(definitions_of(bag))


def test_private_folders_stay_shut_without_the_permission(private: Rig) -> None:
    user = SimulatedUser("Exporter", manage_private_reports=False)
    private.environment["SFEXIT_ACCESS_TOKEN"] = private.org.sign_in(user)
    bag = bag_of(private.run())
    hidden = private.org.private_folders()
    shown = [row for row in private.truth("Report") if row["OwnerId"] not in hidden]
    assert archive_rows(bag, "Report") == shown


def test_articles_of_every_status_language_and_age(make_rig: Callable[..., Rig]) -> None:
    names = {"KnowledgeArticle", "KnowledgeArticleVersion", "Knowledge__kav"}
    rig = make_rig(objects=[*small_objects(), *full(names)], rest_page_rows=5)
    bag = bag_of(rig.run())
    for name in sorted(names):
        assert archive_rows(bag, name) == rig.truth(name), name
        assert not ledger_of(bag)[name].incomplete
    rows = archive_rows(bag, "Knowledge__kav")
    assert {row["PublishStatus"] for row in rows} == {"Draft", "Online", "Archived"}
    assert any(r["PublishStatus"] == "Archived" and r["IsLatestVersion"] == "false" for r in rows)
    assert len({row["Language"] for row in rows}) == 3


@pytest.mark.parametrize("calls", range(14, 40, 4))
def test_articles_after_a_stop(make_rig: Callable[..., Rig], calls: int) -> None:
    names = {"KnowledgeArticle", "Knowledge__kav"}
    rig = make_rig(objects=[*small_objects(), *full(names)], rest_page_rows=3)
    stop = threading.Event()
    rig.org.after_calls(calls, stop.set)
    try:
        bag = bag_of(rig.run(stop=stop))
    except Interrupted:
        bag = bag_of(rig.run())
    assert archive_rows(bag, "Knowledge__kav") == rig.truth("Knowledge__kav")


def test_protected_records_of_a_package_are_a_known_gap(make_rig: Callable[..., Rig]) -> None:
    """Object Reference, Custom Metadata Type, isProtected: hidden from REST, SOAP, SOQL, Setup."""
    fields = "DeveloperName string(40)\nMasterLabel string(40)"
    mine = make("Rate__mdt", "m00", fields, fixed=3)
    theirs = make("vendor__Rate__mdt", "m01", fields, fixed=3)
    nothing = make("vendor__Key__mdt", "m02", fields, fixed=0)
    rig = make_rig(objects=[*small_objects(), mine, theirs, nothing])
    bag = bag_of(rig.run())
    lines = ledger_of(bag)
    for one in (mine, theirs, nothing):
        assert archive_rows(bag, one.name) == rig.truth(one.name)
        assert ("protects are shown to nobody" in lines[one.name].reason) == (one is not mine)
        assert not lines[one.name].incomplete


def test_external_objects_only_on_demand(make_rig: Callable[..., Rig]) -> None:
    names = {"Remote__x"}
    rig = make_rig(objects=[*small_objects(), *full(names)])
    line = ledger_of(bag_of(rig.run()))["Remote__x"]
    assert (line.outcome, line.rows) == ("not_exported", None)
    assert "--external" in line.remedy
    bag = bag_of(rig.run(anew=True, selection=Selection(external=True)))
    assert archive_rows(bag, "Remote__x") == rig.truth("Remote__x")
    assert ledger_of(bag)["Remote__x"].outcome == "exported"
