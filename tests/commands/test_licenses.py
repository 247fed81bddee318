"""`sfexit licenses` as it is typed, over an archive written by hand."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from openpyxl import load_workbook

from sfexit.commands import main
from sfexit.licenses.prices import price_book
from tests.billing.invoices import CONTRACT
from tests.licenses.made_bag import company, login, make_bag, record, user


def run(*words: object) -> tuple[int, str, str]:
    runner = CliRunner()
    with runner.isolation() as (out, err, _):
        code = main.run(["licenses", *map(str, words)])
        return code, out.getvalue().decode(), err.getvalue().decode()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return company(tmp_path / "home")


def told(home: Path, *words: object) -> dict[str, Any]:
    code, out, err = run(home, "--json", "--quiet", *words)
    assert code == 0, err
    return dict(json.loads(out))


def test_each_rule_finds_whom_it_should_and_nobody_else(home: Path) -> None:
    found = {(one["rule"], one["user_id"] or one["license"]) for one in told(home)["advice"]}
    assert found == {
        ("LIC01", "0052"), ("LIC01", "0053"), ("LIC02", "0054"), ("LIC03", "0055"),
        ("LIC04", "0058"), ("LIC05", "0058"), ("LIC06", "0056"), ("LIC06", "00512"),
        ("LIC05", "00513"), ("LIC07", "0057"),
        ("LIC08", "0059"), ("LIC09", "Salesforce"), ("LIC09", "Salesforce Platform"),
    }  # fmt: skip


def test_people_integrations_and_passers_by_are_told_apart(home: Path) -> None:
    kinds = {one["id"]: one["kind"] for one in told(home)["users"]}
    assert kinds["0051"] == kinds["0058"] == "person"
    assert kinds["0056"] == kinds["00512"] == "integration"
    assert (kinds["0057"], kinds["00513"]) == ("sso_only", "person")
    assert kinds["0052"] == "no sign-in"


def test_work_is_counted_in_the_window_and_what_is_owned_at_all(home: Path) -> None:
    seen = {one["id"]: one for one in told(home)["users"]}
    assert seen["0058"]["made"] == {"Invoice__c": 1}
    assert (seen["0057"]["made"], seen["0057"]["owned"]) == ({}, {"Invoice__c": 1})


def test_a_longer_window_finds_fewer(home: Path) -> None:
    found = [(one["rule"], one["user_id"]) for one in told(home, "--window", "365")["advice"]]
    assert [one for rule, one in found if rule == "LIC01"] == ["0053"]
    assert ("LIC06", "0056") not in found  # it was used by hand in January


def test_without_a_price_of_the_contract_the_book_says_where_it_is_from(home: Path) -> None:
    savings = {(one["license"], one["instead"]): one for one in told(home)["savings"]}
    full = savings["Salesforce", ""]
    assert full["seats"] == 7  # two who never come, one frozen, one twice, three empty
    assert full["yearly"] == str(Decimal(7 * 165 * 12).quantize(Decimal("0.01")))
    assert "not verified" in full["price"]["source"]


def test_the_contract_wins_and_the_renewal_is_the_day_after_it(home: Path) -> None:
    (home / "contract.toml").write_text(CONTRACT)
    seen = told(home)
    savings = {(one["license"], one["instead"]): one for one in seen["savings"]}
    full = savings["Salesforce", ""]
    assert seen["renewal"] == "2027-01-01"
    assert full["price"]["source"] == "your contract: Sales Cloud Enterprise"
    assert full["yearly"] == "12600.00"  # 7 x 150 x 12
    assert full["stay"] == 2 and full["break_even_percent"] == "350.00"
    platform = savings["Salesforce", "Salesforce Platform"]
    assert platform["seats"] == 2 and platform["yearly"] is None  # priced in dollars only


def test_an_archive_without_these_tables_says_what_it_cannot_know(tmp_path: Path) -> None:
    bare = make_bag(tmp_path / "bare", {"Account": [{"Id": "001"}]})
    code, _, err = run(bare)
    assert code == 0 and "LoginHistory: people and integrations cannot be told apart" in err
    assert "Every seat is used" in err


def test_no_archive_is_one_sentence(tmp_path: Path) -> None:
    code, out, err = run(tmp_path)
    assert (code, out) == (1, "") and err.count("\n") == 1 and "no sealed archive" in err


def test_files_keep_hostile_names_as_text(home: Path) -> None:
    code, _, err = run(
        home, "--csv", home / "u.csv", "--xlsx", home / "u.xlsx", "--html", home / "u.html"
    )
    assert code == 0 and "Have counsel check" in err and "LIC05" in err
    rows = list(csv.DictReader(io.StringIO((home / "u.csv").read_text("utf-8-sig"))))
    assert {"'=1+1<script>"} == {one["Name"] for one in rows if "script" in one["Name"]}
    book = load_workbook(home / "u.xlsx")
    assert book.sheetnames == ["Seats", "Users", "Savings"]
    assert all(cell.data_type != "f" for row in book["Users"] for cell in row)
    assert all(one.freeze_panes == "A2" and one["A1"].font.b for one in book)
    money = [one for one in book["Savings"]["D"][1:] if one.value is not None]
    assert money and all(
        one.data_type == "n" and re.search(r'"[A-Z]{3}"$', one.number_format) for one in money
    )
    page = (home / "u.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    drawings = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(drawings) == 2
    for one in drawings:
        bars = ElementTree.fromstring(one).findall("rect")
        assert bars and all(int(bar.attrib["width"]) >= 0 for bar in bars)


def test_every_price_of_the_book_says_where_and_when() -> None:
    assert all(one.source and one.as_of and not one.verified for one in price_book())


def test_licences_are_known_by_their_keys_and_members_who_seldom_come(tmp_path: Path) -> None:
    keys = {"a": "SFDC", "b": "PID_Customer_Community", "c": "Something_Else"}
    home = make_bag(
        tmp_path / "home",
        {
            "UserLicense": [
                {"Id": key, "Name": name, "LicenseDefinitionKey": name, "Status": "Active",
                 "MasterLabel": "Label", "TotalLicenses": "9", "UsedLicenses": "9"}
                for key, name in keys.items()
            ],
            "Profile": [{"Id": f"00e{key}", "UserLicenseId": key} for key in keys],
            "User": [
                user(1, ProfileId="00ea"),
                user(2, ProfileId="00eb"), user(3, ProfileId="00eb"), user(4, ProfileId="00eb"),
            ],
            "LoginHistory": [
                *[login(1)] * 9, login(2),  # once in 90 days
                *[login(3, day=f"2026-11-{day:02}") for day in range(1, 8)],
            ],
            "Opportunity": [record(1)],
        },
    )  # fmt: skip
    found = told(home)
    assert {one["name"] for one in found["pools"]} == {"Salesforce", "Customer Community", "Label"}
    seldom = [one for one in found["advice"] if one["rule"] == "LIC10"]
    assert [(one["user"], one["instead"]) for one in seldom] == [
        ("Person 2", "Customer Community Login")
    ]
