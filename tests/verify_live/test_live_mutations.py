"""Damage that only the org can tell: every digest in the bag agrees again, yet it is noticed."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live_rig import ALWAYS, Forger, LiveRig, Row, chosen, custom, without_stamps

from sfexit.verify.ids import id18
from sfexit.verify.verdict import Judgement, Verdict


@pytest.fixture(scope="module")
def rig() -> Iterator[LiveRig]:
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="sfexit-", dir=memory if memory.is_dir() else None))
    objects = [
        *chosen("Account", "Contact", "Task", "AccountChangeEvent", "OauthToken"),
        custom("Thing__c", "a01", rows=150),
        custom("Log__c", "a03", system="history", rows=30),
        without_stamps(custom("Bare__c", "a02", system="nodelete", rows=30)),
    ]
    made = LiveRig(folder, objects=objects, rows=400)
    made.export()
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def forger(rig: LiveRig, fast_folder: Path) -> Forger:
    copy = fast_folder / "bag"
    shutil.copytree(rig.bag, copy)
    return Forger(copy)


def keys(judged: Judgement) -> set[str]:
    return {one.key for one in judged.findings if one.severity != "note"}


def test_the_bag_itself_is_safe_and_a_copy_that_was_only_repacked_too(
    rig: LiveRig, forger: Forger
) -> None:
    assert rig.judge().verdict is Verdict.SAFE
    forger.rows("Account", lambda rows: rows)  # packed anew into one page, in the same order
    assert rig.judge(forger.done()).verdict is Verdict.SAFE
    forger.rows("Account", lambda rows: rows[::-1])
    assert rig.judge(forger.done()).verdict is Verdict.SAFE


Edit = Callable[[list[Row]], list[Row]]


def _set(column: str, value: str | Callable[[str], str]) -> Edit:
    """Change one value, in the first row that has one."""

    def edit(rows: list[Row]) -> list[Row]:
        at = next(at for at, row in enumerate(rows) if row[column])
        rows[at][column] = value if isinstance(value, str) else value(rows[at][column])
        return rows

    return edit


def _drop(column: str) -> Edit:
    return lambda rows: [{k: v for k, v in row.items() if k != column} for row in rows]


def _other_id(identifier: str) -> str:
    """A well-formed id that no row has: the numbers of all rows end otherwise."""
    return id18(identifier[:12] + "zzz")


#: name → object, edit of its rows, and the beginning of a finding's key
ROWS: dict[str, tuple[str, Edit, str]] = {
    "a row less": ("Account", lambda rows: rows[:5] + rows[6:], "row-missing:Account:001"),
    "the last row less": ("Thing__c", lambda rows: rows[:-1], "row-missing:Thing__c:a01"),
    "half the rows": ("Thing__c", lambda rows: rows[::2], "row-missing:Thing__c"),
    "no deleted rows": (
        "Thing__c",
        lambda rows: [row for row in rows if row["IsDeleted"] == "false"],
        "row-missing:Thing__c:a01",
    ),
    "a row without stamps less": ("Bare__c", lambda rows: rows[1:], "row-missing:Bare__c:a02"),
    "a row of a history less": (
        "Log__c", lambda rows: rows[1:], "row-missing:Log__c:a03",
    ),
    "a row more": (
        "Account",
        lambda rows: [*rows, {**rows[0], "Id": _other_id(rows[0]["Id"])}],
        "row-extra:Account:001",
    ),
    "a row of another id": ("Account", _set("Id", _other_id), "row-missing:Account:001"),
    "a row twice instead of another": (
        "Account", lambda rows: [*rows[:-1], rows[0]], "row-missing:Account:001",
    ),
    "an old state of a row": (
        "Account", _set("SystemModstamp", "2011-01-01T00:00:00.000Z"), "row-stale:Account:001",
    ),
    "a time stamp that is none": ("Account", _set("SystemModstamp", ""), "row-stale:Account:001"),
    "a deleted row told as live": (
        "Thing__c",
        lambda rows: [{**row, "IsDeleted": "false"} for row in rows],
        "row-stale:Thing__c:a01",
    ),
    "a value altered": ("Account", _set("Name", "Nobody Ltd"), "value-differs:Account:001"),
    "a value altered where there are no stamps": (
        "Bare__c", _set("Text__c", "something else"), "row-stale:Bare__c:a02",
    ),
    "NA turned into empty": ("Thing__c", _set("Text__c", ""), "value-differs:Thing__c:a01"),
    "a text cut short": (
        "Thing__c", _set("Text__c", lambda text: text[: len(text) // 2]),
        "value-differs:Thing__c:a01",
    ),
    "an umlaut replaced": (
        "Thing__c", _set("Text__c", lambda text: text + "?"), "value-differs:Thing__c:a01",
    ),
    "a number rounded": ("Thing__c", _set("Price__c", "1.0"), "value-differs:Thing__c:a01"),
    "a date moved by a day": ("Thing__c", _set("On__c", "2001-02-03"), "value-differs:Thing__c"),
    "true turned into false": (
        "Thing__c",
        _set("Ticked__c", lambda text: "false" if text == "true" else "true"),
        "value-differs:Thing__c:a01",
    ),
    "two values swapped": (
        "Account",
        lambda rows: [{**rows[0], "Name": rows[1]["Name"]}, {**rows[1], "Name": rows[0]["Name"]},
                      *rows[2:]],
        "value-differs:Account:001",
    ),
    "a field column dropped": ("Account", _drop("Name"), "field-left-out:Account::Name"),
    "the column of time stamps dropped": (
        "Account", _drop("SystemModstamp"), "field-left-out:Account::SystemModstamp",
    ),
    "the column of ids dropped": ("Account", _drop("Id"), "field-left-out:Account::Id"),
    "all rows dropped": ("Account", lambda rows: rows[:0], "row-missing:Account"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_rows(name: str, rig: LiveRig, forger: Forger) -> None:
    object_name, edit, expected = ROWS[name]
    forger.rows(object_name, edit)
    judged = rig.judge(forger.done())
    assert judged.verdict is Verdict.NOT_SAFE
    assert any(key.startswith(expected) for key in keys(judged)), keys(judged)
    assert {one.object for one in judged.findings} == {object_name}


def _as(outcome: str) -> Callable[[Forger], None]:
    def edit(forger: Forger) -> None:
        forger.without_object("Contact")
        forger.ledger(
            "Contact", outcome=outcome, rows="", deleted_rows="", witnesses="", remedy="",
            reason="by design no data", evidence="Object Reference",
        )  # fmt: skip

    return edit


def _empty(forger: Forger) -> None:
    forger.without_object("Contact")
    forger.ledger("Contact", outcome="empty", rows="0", deleted_rows="0", witnesses="")


def _sight(forger: Forger) -> None:
    path = forger.bag / "data/org/sight.json"
    path.write_text(
        json.dumps(
            {
                "schema": "sfexit-sight/1",
                "blind_spots": [
                    {"kind": "rows_hidden", "object": "", "what": "rows of others are hidden",
                     "certainty": "certain", "remedy": "give the user View All Data"}
                ],
            }
        )
    )  # fmt: skip


#: name → what is done, the beginning of a finding's key, the verdict
ELSEWHERE: dict[str, tuple[Callable[[Forger], object], str, Verdict]] = {
    "an object left out": (
        lambda forger: forger.without_object("Contact", line=True), "object-unknown:Contact",
        Verdict.NOT_SAFE,
    ),
    "an object told as empty": (_empty, "row-missing:Contact", Verdict.NOT_SAFE),
    "an object told as no data": (_as("no_data"), "object-left-out:Contact", Verdict.NOT_SAFE),
    "an object told as covered": (_as("covered"), "object-left-out:Contact", Verdict.NOT_SAFE),
    "an object told as not exported": (
        _as("not_exported"), "object-left-out:Contact", Verdict.NOT_SAFE,
    ),
    "an object told as failed": (_as("failed"), "object-incomplete:Contact", Verdict.NOT_SAFE),
    "a line of an outcome that is none": (
        _as("fine"), "object-left-out:Contact", Verdict.NOT_SAFE,
    ),
    "more rows told than there are": (
        lambda forger: forger.ledger("Contact", rows="99999"), "rows-wrong:Contact",
        Verdict.NOT_SAFE,
    ),
    "an exporter that could not see": (_sight, "blind-spot:rows_hidden", Verdict.UNKNOWN),
    "no word of what was hidden": (
        lambda forger: (forger.bag / "data/org/sight.json").unlink(), "check-not-made:sight",
        Verdict.UNKNOWN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ELSEWHERE)
def test_ledger_and_sight(name: str, rig: LiveRig, forger: Forger) -> None:
    edit, expected, verdict = ELSEWHERE[name]
    edit(forger)
    judged = rig.judge(forger.done())
    assert any(key.startswith(expected) for key in keys(judged)), keys(judged)
    assert judged.verdict is verdict


def test_a_page_that_is_not_what_was_sealed_is_not_compared(rig: LiveRig, forger: Forger) -> None:
    page = next(forger.bag.glob("data/records/Account/*.gz"))
    page.write_bytes(page.read_bytes()[:-5] + b"12345")
    judged = rig.judge(forger.bag)
    assert judged.verdict is Verdict.NOT_SAFE
    assert "rows-wrong:Account" in keys(judged)


def test_every_object_is_asked_for_otherwise_than_the_export_asked(rig: LiveRig) -> None:
    start = len(rig.server.requests)
    told = rig.look()
    asked = rig.server.requests[start:]
    assert not [one for one in asked if one.path.endswith("/jobs/query")], "Bulk read it before"
    ways = {one.object: one.way for one in told.compared}
    assert ways["Account"] == "ids and SystemModstamp by REST"
    assert ways["Log__c"] == "ids and content by REST"
    assert set(ways) == {*ALWAYS, "Account", "Contact", "Task", "Log__c", "Thing__c",
                         "Bare__c"} - {
        "EntityDefinition", "FieldDefinition", "EntityParticle", "UserPermissionAccess",
    }  # fmt: skip
