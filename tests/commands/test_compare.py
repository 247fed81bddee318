"""`sfexit compare` as it is typed, over an archive written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sfexit.commands import main
from sfexit.compare.alternatives import RATINGS, alternatives
from sfexit.compare.needs import feature_titles
from tests.licenses.made_bag import make_bag

EXAMPLE = Path(__file__).parents[2] / "config/weights.toml"
LEDGER = """object,label,outcome,rows,deleted_rows
Account,Account,exported,120,20
Lead,Lead,exported,5,5
Case,Case,exported,7,
Task,Task,not_exported,,
Invoice__c,<script>,exported,900,0
Empty__c,Empty,empty,0,
Report,Report,exported,3,
"""
INDEX = """type,full_name,managed,outcome
Flow,Route,false,retrieved
Flow,Vendor__Flow,true,hidden
ConnectedApp,ERP,false,retrieved
ApexClass,*,false,missing
"""


def run(*words: object) -> tuple[int, str, str]:
    runner = CliRunner()
    with runner.isolation() as (out, err, _):
        code = main.run(["compare", *map(str, words)])
        return code, out.getvalue().decode(), err.getvalue().decode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    files = {"ledger.csv": LEDGER, "metadata/index.csv": INDEX}
    return make_bag(tmp_path / "home", {}, **files)


def told(*words: object) -> dict[str, Any]:
    code, out, err = run("--json", "--quiet", *words)
    assert code == 0, err
    return dict(json.loads(out))


def test_only_what_is_used_is_a_requirement(home: Path) -> None:
    found = {one["feature"]: one for one in told(home)["requirements"]}
    assert set(found) == {"sales", "cases", "custom", "automations", "integrations", "reports"}
    assert found["sales"]["count"] == 100  # deleted rows are no use
    assert found["custom"]["evidence"] == {"Invoice__c": 900}
    assert found["automations"]["evidence"] == {"Flow": 1}  # a vendor's flow is not theirs
    assert found["reports"]["rebuilt"] and not found["cases"]["rebuilt"]


def test_what_is_not_known_counts_nothing_and_is_told(home: Path) -> None:
    rows = {one["key"]: one for one in told(home)["alternatives"]}
    assert rows["zoho"]["score_percent"] == 100
    assert (rows["hubspot"]["score_percent"], rows["hubspot"]["known_percent"]) == (67, 67)
    assert (rows["pipedrive"]["score_percent"], rows["pipedrive"]["known_percent"]) == (33, 67)
    assert all(one["source"] and one["as_of"] and not one["verified"] for one in rows.values())
    assert {one["yearly"] for one in rows.values()} == {None}


def test_the_customers_file_wins(home: Path) -> None:
    seen = told(home, "--weights", EXAMPLE)["alternatives"]
    rows = {one["key"]: one for one in seen}
    # weights: sales 3, cases 2, custom 1; custom only half since it was tried
    assert rows["zoho"]["score_percent"] == 92
    assert rows["zoho"]["yearly"] == "19200.00" and rows["zoho"]["in_budget"] is True
    assert rows["zoho"]["partner"].startswith("Example Consulting")
    assert rows["in-house"]["score_percent"] == 25


def test_over_the_budget_stands_last(home: Path, tmp_path: Path) -> None:
    dear = tmp_path / "w.toml"
    dear.write_text(EXAMPLE.read_text().replace('"40.00"', '"400.00"'))
    assert told(home, "--weights", dear)["alternatives"][-1]["key"] == "zoho"


def test_a_wrong_file_is_refused_field_by_field(home: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "w.toml"
    wrong.write_text('[weights]\nsails = 1\n[budget]\namount = -1\n[[alternatives]]\nkey = "x"\n')
    code, _, err = run(home, "--weights", wrong)
    assert code == 2 and err.count("\n") == 1
    assert "weights.sails is unknown; did you mean sales" in err
    assert "budget.amount" in err and "alternatives[1].key is none of" in err


def test_page_and_lines(home: Path) -> None:
    code, _, err = run(home, "--html", home / "c.html")
    assert code == 0 and "Have counsel check" in err and "not which product is better" in err
    page = (home / "c.html").read_text()
    assert "<script" not in page and "rebuilt by hand" in page and "archive of 2026-11-22" in page


def test_the_list_names_only_known_features() -> None:
    for one in alternatives().values():
        assert set(one.ratings) <= set(feature_titles())
        assert set(one.ratings.values()) <= set(RATINGS)
