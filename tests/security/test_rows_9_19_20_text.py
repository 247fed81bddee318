"""Rows 9, 19 and 20: values of records in logs, injection into queries, escapes on the terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote_plus

import click
import pytest
from commands.conftest import COMPLETE, Company, Ran
from hypothesis import given
from hypothesis import strategies as st

from sfexit.archive import layout
from sfexit.archive.durable import Disk
from sfexit.archive.journal import Journal
from sfexit.commands.main import COMMANDS, root, run
from sfexit.errors import UsageProblem
from sfexit.export.plan import soql
from sfexit.salesforce.describe import check_api_name
from sfexit.simulated_org import SimulatedOrg, serve
from sfexit.simulated_org.catalogue import standard_objects
from sfexit.simulated_org.schema import SObject, make

from .canaries import contents

Sfexit = Callable[..., Ran]

# ---- row 9: personal data in logs ----------------------------------------------------------------


def personal(company: Company) -> set[str]:
    """Values that stand for a person, long enough not to turn up by chance."""
    found: set[str] = set()
    for row in company.org.truth("Contact"):
        for name in ("Email", "Phone", "LastName", "Name", "Description", "MobilePhone"):
            value = row.get(name)
            if value and len(value) >= 8:
                found.add(value)
    return found


def test_row_9_no_value_of_a_record_is_printed_or_logged(
    sfexit: Sfexit, company: Company, home: Path, tmp_path: Path
) -> None:
    company.server.fail("gzip_short", "queryall", times=4)  # retries, notes, findings
    company.server.fail("drop_rows", "queryall", nth=6, times=2)
    page = tmp_path / "look.html"
    runs = [
        sfexit("export", home, "--verbose", "--json"),
        sfexit("assess", home, "--html", page, "--json"),
    ]
    values = personal(company)
    assert len(values) > 50
    told = [one.out + one.err for one in runs] + [page.read_text("utf-8")]
    for text in told:
        assert not [value for value in values if value in text]
    # In the archive a value stands in the pages of its object and nowhere else.
    for where, data in contents(home):
        if "records" not in where:
            text = data.decode("utf-8", "replace")
            assert not [value for value in values if value in text], where


def test_row_9_no_option_writes_bodies() -> None:
    context = click.Context(root)
    for name in COMMANDS:
        found = root.get_command(context, name)
        assert found is not None
        assert not [o for one in found.params for o in one.opts if re.search("bod|trace|dump", o)]


# ---- row 19: injection ---------------------------------------------------------------------------

HOSTILE = (
    "Account WHERE Id != null",
    "Account' OR Name != '",
    "Account--",
    "Account; DROP TABLE page",
    "../../Account",
    "Account/describe",
    "Account%20LIMIT%201",
    "Аccount",  # a Cyrillic letter
    "A" * 200,
    "",
)


def test_row_19_hostile_names_of_objects_reach_no_query_and_no_path(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [one for one in standard_objects() if one.name in COMPLETE]
    names = [name for name in HOSTILE if name]
    org = SimulatedOrg(seed=7, rows=300, objects=[*chosen, *map(_named, names)])
    with serve(org) as server:
        monkeypatch.setenv("SFEXIT_INSTANCE_URL", server.url)
        monkeypatch.setenv("SFEXIT_ACCESS_TOKEN", org.access_token)
        assert run(["export", str(home), "--json"]) == 3
        asked = [unquote_plus(f"{one.path}?{one.query}") for one in server.requests]
    said = capsys.readouterr().err
    for name in names:
        assert not [one for one in asked if f"FROM {name}" in one or f"sobjects/{name}/" in one]
    bag = next((home / "bags").iterdir())
    ledger = (bag / layout.LEDGER).read_text("utf-8")
    assert ledger.count("its name is no API name") == len(names)
    assert "odd" not in said and "is not the API name" not in said  # nothing else suffered
    for path in home.rglob("*"):
        assert path.resolve().is_relative_to(home.resolve())
        assert "DROP" not in path.name and "WHERE" not in path.name
    assert sorted(one.name for one in tmp_path.iterdir()) == [home.name]


def _named(name: str) -> SObject:
    return replace(make("Hostile__c", "a0Z", "Name string(80) name", fixed=1), name=name)


@given(st.text())
def test_row_19_only_api_names_pass(name: str) -> None:
    try:
        passed = check_api_name(name)
    except UsageProblem:
        return
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,79}", passed)
    assert layout.is_api_name(passed)
    assert soql(passed, ["Id"]) == f"SELECT Id FROM {passed}"


@given(st.text(min_size=1))
def test_row_19_what_the_layout_takes_for_a_name_is_one(name: str) -> None:
    assert not layout.is_api_name(name) or re.fullmatch(r"[A-Za-z0-9_]+", name)


@pytest.mark.parametrize("word", ["Account' OR Name!='", "Account;--", "x" * 300, "\x1b[2J"])
def test_row_19_names_of_the_user_are_checked_too(
    sfexit: Sfexit, company: Company, home: Path, word: str
) -> None:
    ran = sfexit("export", home, "--objects", word)
    assert ran.code == 2 and "\x1b" not in ran.err
    assert not [one for one in company.server.requests if "Name!" in unquote_plus(one.query)]


def test_row_19_names_and_texts_with_quotes_go_through_the_journal(tmp_path: Path) -> None:
    """SQL takes values as parameters: what would end a statement comes back as it went in."""
    text = "x'); DROP TABLE page; --"
    journal = Journal.create(Disk(), tmp_path / "journal.jsonl", tmp_path / "state.db")
    try:
        journal.record("begun", org=text, api_version="66.0", selection=text, made_by=text)
        journal.record("planned", objects=[text, "Account"], hints={text: 1})
        journal.record("note", object=text, kind=text, text=text)
        assert journal.fact("selection") == text
        names = [row["name"] for row in journal.rows("SELECT name FROM object ORDER BY position")]
        assert names == [text, "Account"]
        assert journal.rows("SELECT count(*) AS n FROM page")
    finally:
        journal.close()


# ---- row 20: terminal ----------------------------------------------------------------------------

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b5m\u202etxt.exe\r\nfaked line"


def _with_words_of_the_org(company: Company) -> None:
    """Error texts, warnings and names of the org that would move the cursor."""
    for endpoint in ("describe", "queryall"):
        company.server.fail(
            "status", endpoint, times=None, code=400, error_code="UNKNOWN_EXCEPTION",
            message=f"{ESCAPES}[bold]x[/bold]",
        )  # fmt: skip
    company.server.fail("html", "limits", times=1, body=ESCAPES)


def assert_harmless(text: str) -> None:
    for mark in ("\x1b]0;owned", "\x07", "\x1b[2J", "\x9b", "\u202e"):
        assert mark not in text, repr(text)
    assert not [line for line in text.splitlines() if line.startswith("faked line")]


def test_row_20_escapes_of_the_org_reach_no_terminal(
    sfexit: Sfexit, company: Company, home: Path, tmp_path: Path
) -> None:
    _with_words_of_the_org(company)
    page = tmp_path / "look.html"
    for ran in (
        sfexit("export", home, "--verbose"),
        sfexit("assess", "--html", page),
        sfexit("export", home),
    ):
        assert "\x1b" not in ran.err
        assert_harmless(ran.out + ran.err)
    assert_harmless(page.read_text("utf-8"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pty")
def test_row_20_nor_one_that_is_drawn_on(company: Company, home: Path) -> None:
    import pty

    _with_words_of_the_org(company)
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sfexit", "export", str(home), "--verbose"],
        env={**os.environ, **company.credentials(), "TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    drawn = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not part:
            break
        drawn += part
    os.close(master)
    assert process.wait(30) in (1, 3)
    text = drawn.decode("utf-8", "replace")
    assert "UNKNOWN_EXCEPTION" in text  # the org's words were told
    for mark in ("\x1b]0;owned", "\x07", "\x1b[2J", "\u202e"):
        assert mark not in text
