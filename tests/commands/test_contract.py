"""`sfexit contract` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sfexit.commands import main
from sfexit.contract import questions


def run(*words: object, typed: str = "") -> tuple[int, str, str]:
    runner = CliRunner()
    with runner.isolation(input=typed) as (out, err, _):
        code = main.run(["contract", *map(str, words)])
        return code, out.getvalue().decode(), err.getvalue().decode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "contract.toml").write_text(questions.example())
    return tmp_path


def test_show_is_meant_when_nothing_is_named(home: Path) -> None:
    code, out, err = run(home, "--json", "--today", "2026-11-22")
    assert code == 0
    told = json.loads(out)
    assert told["schema"] == "sfexit-contract/1"
    assert {one["kind"] for one in told["deadlines"]} > {"notice_hard", "org_locked", "purge"}
    assert told["costs"]["scenarios"][0]["amount"] == "390709.22"
    assert "EU Data Act" in err and "Have counsel check" in err
    assert run("show", home, "--today", "2026-11-22", "--quiet") == (0, "", "")


def test_a_missed_deadline_is_nine_and_says_what_is_left(home: Path) -> None:
    code, _, err = run(home, "--today", "2031-03-20")
    assert code == 9
    assert err.startswith("MISSED: notice received was due on Fri 2031-02-28, 20 days ago")
    assert "What is left to do" in err and "account executive in writing" in err


def test_files(home: Path) -> None:
    code, _, err = run(home, "--ics", home / "a.ics", "--html", home / "x" / "a.html")
    assert code == 0
    assert (home / "a.ics").read_bytes().startswith(b"BEGIN:VCALENDAR")
    assert "<script" not in (home / "x" / "a.html").read_text()
    assert "Calendar written to" in err


def test_the_export_is_fitted_in(home: Path) -> None:
    look = home / "assessment.json"
    look.write_text(json.dumps({"schema": "sfexit-assess/1", "days": 40.2}))
    code, out, err = run(home, "--assessment", look, "--today", "2031-02-10", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["in_time"] is False
    assert "not finished in time" in err
    start = next(one for one in told["deadlines"] if one["kind"] == "start_export")
    assert start["counted"] == "2031-02-04"


@pytest.mark.parametrize(
    ("content", "told"),
    [("{}", "is no assessment"), ("not json", "is no assessment"), (None, "cannot be read")],
)
def test_what_is_no_assessment(home: Path, content: str | None, told: str) -> None:
    path = home / "a.json"
    if content is not None:
        path.write_text(content)
    code, _, err = run(home, "--assessment", path)
    assert code == 2
    assert told in err


def test_another_orgs_contract_is_refused(home: Path) -> None:
    text = (
        (home / "contract.toml")
        .read_text()
        .replace('# org_id = "00D…"', 'org_id = "00D5g0000000001"')
    )
    (home / "contract.toml").write_text(text)
    (home / "sfexit-home.json").write_text('{"schema":"sfexit-home/1","org":"00D5g0000000002EAA"}')
    code, _, err = run(home)
    assert code == 2
    assert "this home holds org 00D5g0000000002EAA" in err


def test_no_contract_yet(tmp_path: Path) -> None:
    code, _, err = run(tmp_path)
    assert code == 2
    assert "make it with sfexit contract init" in err


ANSWERS = """C-77
Acme "Quoted" GmbH
Vendor Ltd
2026-04-01
31.3.2027
2027-03-31

dollars
usd



7
30

MSA 11.2


legal
Legal
1 Some Street
nonsense
legal@vendor.example
Sales Cloud
40
150.00

"""


def test_init_asks_until_an_answer_is_right(tmp_path: Path) -> None:
    code, _, err = run("init", tmp_path / "new", typed=ANSWERS + "\nyes\n")
    assert code == 0, err
    assert "is not understood" in err
    assert "contract.currency is no ISO 4217 code" in err
    assert "email is no e-mail address" in err
    code, out, _ = run(tmp_path / "new", "--json", "--today", "2026-11-22")
    told = json.loads(out)
    assert code == 0
    assert told["contract"]["customer"] == 'Acme "Quoted" GmbH'
    assert told["costs"]["term_total"] == "72000.00"
    assert told["laws"][0]["key"] == "eu-data-act"


def test_init_never_replaces_and_never_writes_half(home: Path, tmp_path: Path) -> None:
    assert run("init", home)[0] == 2
    code, _, err = run("init", tmp_path / "other", typed="C-77\n")
    assert code == 2
    assert "nothing was written" in err
    assert not (tmp_path / "other" / "contract.toml").exists()
    assert run("init", tmp_path / "third", "--example")[0] == 0
