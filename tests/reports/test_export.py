"""The result of an export as a document and as lines for people."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from sfexit.archive.ledger import LedgerLine
from sfexit.archive.sealing import SealedBag
from sfexit.export.result import ExportResult
from sfexit.preflight import BlindSpot, Permission, Sight, annotate
from sfexit.reports import export as report

BAG = SealedBag(Path("acme/bags/0001"), 1, "ab" * 32, "SHA256:key", 12, 3_456_789)


def line(name: str, outcome: str, **more: object) -> LedgerLine:
    return LedgerLine(name, name, outcome, **more)  # type: ignore[arg-type]


def result(*lines: LedgerLine, **more: object) -> ExportResult:
    given = {
        "home": Path("acme"),
        "organization_id": "00D000000000001EAA",
        "organization": "Acme",
        "bag": BAG,
        "rows_read": 100,
        "csv_bytes_read": 5_000,
        "calls": 7,
        "seconds": 2.0,
        "resumed": False,
        "set_aside": (),
        **more,
    }
    return ExportResult(lines=lines, **given)  # type: ignore[arg-type]


GOOD = line("Account", "exported", rows=100)
VIEW = line("AccountChangeEvent", "no_data", reason="a stream", evidence="the guide")
GAP = line("Vote", "not_exported", reason="needs its parents", remedy="take it by Data Loader")
FAILED = line("Case", "failed", reason="kept failing", evidence="HTTP 503", remedy="again")


def test_complete() -> None:
    told = report.document(result(GOOD, VIEW))
    assert told["complete"] is True
    assert told["incomplete"] == []
    assert told["outcomes"] == {"exported": 1, "no_data": 1}
    assert told["rows"] == 100
    first, *rest = report.summary(result(GOOD, VIEW))
    assert first.startswith("COMPLETE: ")
    text = "\n".join(rest)
    assert "Acme (00D000000000001EAA)" in text
    assert "2: 1 exported, 1 by design not data" in text
    assert "12 files, 3.5 MB" in text
    assert "7 API calls, 2.0 s, 50 rows/s" in text
    assert "keep this fingerprint somewhere else" in text


def test_gaps_come_first_and_failures_before_all() -> None:
    lines = list(report.summary(result(GOOD, GAP, FAILED)))
    assert lines[0].startswith("INCOMPLETE: ")
    text = "\n".join(lines)
    assert text.index("Case: failed") < text.index("Vote: not exported") < text.index("Org ")
    assert "said  HTTP 503" in text
    assert "do    take it by Data Loader" in text


def test_same_reason_is_told_once() -> None:
    many = [dataclasses.replace(GAP, object=f"Vote{n}__c") for n in range(8)]
    text = "\n".join(report.summary(result(*many)))
    assert text.count("needs its parents") == 1
    assert "and 3 more: not exported" in text


def test_only_a_screenful_of_reasons() -> None:
    many = [dataclasses.replace(GAP, object=f"V{n}", reason=f"reason {n}") for n in range(30)]
    text = "\n".join(report.summary(result(*many)))
    assert "and 18 more reasons: see data/ledger.csv" in text


def test_exported_with_a_remedy_is_partly_exported() -> None:
    partly = line("Attachment", "exported", rows=3, reason="bodies are not here", remedy="later")
    told = result(partly)
    assert "Attachment: partly exported" in "\n".join(report.summary(told))
    assert report.document(told)["incomplete"][0] == {
        "object": "Attachment",
        "outcome": "exported",
        "rows": 3,
        "reason": "bodies are not here",
        "evidence": "",
        "remedy": "later",
    }


def test_nothing_to_do() -> None:
    text = "\n".join(report.summary(result(GOOD, already_sealed=True)))
    assert "nothing to do" in text
    assert "--anew" in text


def test_strangers_are_counted() -> None:
    text = "\n".join(report.summary(result(GOOD, set_aside=("a", "b"))))
    assert "2 files that are not ours" in text


def test_words_of_the_org_are_cleaned() -> None:
    evil = "Acme\x1b[31m\r\nINCOMPLETE"
    lines = list(
        report.summary(result(dataclasses.replace(FAILED, evidence=evil), organization=evil))
    )
    assert not any(mark in text for text in lines for mark in "\x1b\r\n")


def test_document_is_json() -> None:
    told = report.document(result(GOOD, GAP))
    assert json.loads(json.dumps(told)) == told
    assert told["schema"] == "sfexit-export/1"
    assert told["bag"] == {
        "path": str(BAG.path),
        "generation": 1,
        "root_digest": "ab" * 32,
        "signing_key": "SHA256:key",
        "files": 12,
        "bytes": 3_456_789,
    }
    assert told["this_run"] == {
        "files_fetched": 0, "file_bytes_fetched": 0, "files_taken_over": 0,
        "rows_read": 100, "csv_bytes_read": 5_000, "api_calls": 7,
        "page_bytes_received": 0, "seconds": 2.0,
    }  # fmt: skip


def test_no_bag() -> None:
    assert report.document(result(GOOD, bag=None))["bag"] is None


# ---- what the user cannot see --------------------------------------------------------------------


def sight(*spots: BlindSpot) -> Sight:
    return Sight("005", (Permission("X", "View X", "x", (), "always", "missing", ""),), spots)


def spot(kind: str, owner: str, field: str = "", **more: str) -> BlindSpot:
    given = {"permission": "View X", "remedy": "give View X", "certainty": "certain", **more}
    what = f"{owner}.{field} is hidden" if field else f"{owner} is hidden"
    return BlindSpot(kind, owner, field, what, evidence="seen", **given)


def test_no_look_and_a_clear_look() -> None:
    assert report.document(result(GOOD))["sight"] is None
    told = report.document(result(GOOD, sight=sight()))["sight"]
    assert told == {
        "clear": True, "api_calls": 0, "not_held": ["View X"], "hidden_objects": 0,
        "blind_spots": {"certain": 0, "likely": 0, "unknown": 0}, "groups": [],
    }  # fmt: skip
    assert "cannot see" not in "\n".join(report.summary(result(GOOD, sight=sight())))


def test_blind_spots_stand_on_top_by_their_permission_and_once() -> None:
    seen = sight(
        spot("field_hidden", "Account", "A__c"),
        spot("field_hidden", "Account", "B__c"),
        spot("object_hidden", "Hidden__c", remedy="give Read", permission="Read on Hidden__c"),
        spot("policy", "", certainty="unknown", permission="Exempt"),
    )
    hidden = line("Hidden__c", "not_exported", reason="no access", remedy="give Read")
    lines = list(report.summary(result(annotate(GOOD, seen), hidden, GAP, sight=seen)))
    text = "\n".join(lines)
    assert lines[0].startswith("INCOMPLETE: ")
    assert lines[2] == "What this user cannot see"
    assert text.index("   View X") < text.index("Vote: not exported") < text.index("Org ")
    assert "2 fields of 1 objects are hidden: Account.A__c, Account.B__c" in text
    assert "unknown: " in text
    assert text.count("Hidden__c is hidden") == 1
    assert "partly exported" not in text
    assert "no access" not in text
    assert "sfexit assess" in text


def test_unknown_alone_leaves_the_archive_complete() -> None:
    seen = sight(spot("policy", "", certainty="unknown"))
    lines = list(report.summary(result(GOOD, sight=seen)))
    assert lines[0].startswith("COMPLETE: ")
    assert lines[2] == "What could not be checked"


def test_other_gaps_of_a_half_seen_object_are_told() -> None:
    seen = sight(spot("field_hidden", "Account", "A__c"))
    partly = annotate(line("Account", "exported", rows=1, remedy="take the files"), seen)
    failed = annotate(dataclasses.replace(FAILED, object="Account"), seen)
    for one in (partly, failed):
        assert "Account: " in "\n".join(report.summary(result(one, sight=seen)))


def test_an_empty_object_with_a_remedy() -> None:
    empty = line("Case", "empty", rows=0, remedy="give View All Data")
    assert "Case: empty as far as this user sees" in "\n".join(report.summary(result(empty)))


def test_words_of_the_org_are_cleaned_in_blind_spots() -> None:
    evil = spot("object_hidden", "A\x1b[31m", permission="P\x1b[31m\nQ")
    lines = list(report.summary(result(GOOD, sight=sight(evil, evil))))
    assert not any(mark in text for text in lines for mark in "\x1b\r\n")
