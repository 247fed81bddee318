"""The result of an export as a document and as lines for people."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from sfexit.archive.ledger import LedgerLine
from sfexit.archive.sealing import SealedBag
from sfexit.export.run import ExportResult
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


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (2_500_000_000, "2.5 GB")],
)
def test_sizes(count: int, words: str) -> None:
    assert report._size(count) == words


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
        "rows_read": 100, "csv_bytes_read": 5_000, "api_calls": 7, "seconds": 2.0,
    }  # fmt: skip


def test_no_bag() -> None:
    assert report.document(result(GOOD, bag=None))["bag"] is None
