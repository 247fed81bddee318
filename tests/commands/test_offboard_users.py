"""`sfexit offboard-users plan` as an administrator meets it."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sfexit.offboarding.flags import FLAGS
from sfexit.offboarding.plan import load
from sfexit.simulated_org import FaultPlan, SimulatedOrg, Staff, serve

from .conftest import Company, Ran

Sfexit = Callable[..., Ran]


@pytest.fixture(scope="module")
def office() -> Iterator[SimulatedOrg]:
    yield SimulatedOrg(rows=1_500, staff=Staff(people=25), read_only=False)


@pytest.fixture
def company(tmp_path: Path, office: SimulatedOrg) -> Iterator[Company]:
    office.metadata.polls = 0
    faults = FaultPlan(seed=1)
    with serve(office, faults) as server:
        yield Company(server, faults, tmp_path)
    assert office.writes.log == []


def names(company: Company, *places: int) -> list[str]:
    users = company.org.tables.tables["User"]
    assert company.org.employed is not None
    people = company.org.employed.people
    return [users.value(users.changes, "Username", people[place]) or "" for place in places]


def test_a_plan_lies_in_the_home_and_says_what_is_missing(
    sfexit: Sfexit, company: Company, home: Path
) -> None:
    ben, heir = names(company, 0, -1)
    ran = sfexit("offboard-users", "plan", home, ben, "--to", heir)
    assert ran.code == 0 and ran.out == ""
    [path] = (home / "offboarding").glob("*-plan.json")
    plan = load(path)
    assert [one.username for one in plan.people] == [ben]
    assert str(path) in ran.err and plan.digest in ran.err
    told = " ".join(ran.err.split())  # lines are broken where the path is long
    assert "proven SAFE" in told and "holds no archive yet" in told
    assert "NOT ACCEPTED" in ran.err and "Default Case Owner" in ran.err
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = sfexit("offboard-users", "plan", home, ben, "--to", heir, "--detailed-exitcode", "-q")
    assert (again.code, again.err) == (6, "")
    assert len(list((home / "offboarding").glob("*-plan.json"))) == 2


def test_json_page_and_table_tell_the_same(
    sfexit: Sfexit, company: Company, home: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "leavers.csv"
    first, second, heir = names(company, 1, 2, -1)
    listed.write_text(f"user,successor,mode\n{first},{heir},\n{second},,freeze_only\n", "utf-8")
    out, page, table = tmp_path / "p.json", tmp_path / "p.html", tmp_path / "p.csv"
    flags = [flag for flag, _ in FLAGS.values()]
    ran = sfexit("offboard-users", "plan", home, "--file", listed, "--out", out, "--html", page,
                 "--csv", table, "--json", *flags)  # fmt: skip
    assert ran.code == 0
    told = json.loads(ran.out)
    assert told["schema"] == "sfexit-offboarding-planned/1"
    assert (told["file"], told["digest"]) == (str(out), load(out).digest)
    assert told["unaccepted"] == [] and told["changes_pending"] is True
    assert {one["mode"] for one in told["plan"]["people"]} == {"full", "freeze_only"}
    assert not home.exists()
    assert first.replace("'", "&#x27;") in page.read_text("utf-8").replace("<wbr>", "")
    rows = list(csv.DictReader(io.StringIO(table.read_text("utf-8-sig"))))
    moved = sum(int(row["open"]) + int(row["closed"]) for row in rows
                if row["handed_to"] and row["field"] == "OwnerId")  # fmt: skip
    assert moved == sum(one["count"] for one in told["plan"]["transfers"])
    assert "NOT ACCEPTED" not in ran.err


def test_nobody_left_is_blocked_and_leaves_no_plan(
    sfexit: Sfexit, company: Company, home: Path
) -> None:
    ran = sfexit("offboard-users", "plan", home, "nobody@x.example", "--to", names(company, 1)[0])
    assert ran.code == 5 and not home.exists()
    assert "no user has this username or id" in ran.err and "No plan was written" in ran.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nobody is named"),
        (["a@x.example", "--to-manager", "--round-robin", "b@x.example"], "only one of"),
        (["a@x.example", "--object-to", "Case"], "is written as"),
        (["a@x.example", "--to", "x' OR Name != '"], "is no user of this org"),
        (["--all-except", "b@x.example"], "there is no user 'b@x.example'"),
        (["--all-except", "@none.txt"], "cannot be read"),
        (["--file", "none.csv"], "cannot be read"),
        (["--waves", "none.toml"], "cannot be read"),
        ([" "], "no username"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    words: list[str], told: str, sfexit: Sfexit, company: Company, home: Path
) -> None:
    ran = sfexit("offboard-users", "plan", home, *words)
    assert ran.code == 2 and told in ran.sentence
    assert not home.exists()


def test_all_except_and_queries_pick_the_company_only(
    sfexit: Sfexit, company: Company, home: Path, tmp_path: Path
) -> None:
    stay, heir = names(company, 3, -1)
    listed = tmp_path / "stay.txt"
    listed.write_text(f"{stay}\n\n", "utf-8")
    ran = sfexit("offboard-users", "plan", home, "--all-except", f"@{listed}", "--to", heir,
                 "--json", "-q")  # fmt: skip
    plan = json.loads(ran.out)["plan"]
    leaving = {one["username"] for one in plan["people"]}
    assert leaving == set(names(company, *range(24))) - {stay}
    refused = {one["code"] for one in plan["refusals"]}
    assert refused == {"running_user", "integration_user", "min_admins"}
    ran = sfexit("offboard-users", "plan", home, "--profile", "Standard User", "--to", heir,
                 "--json", "-q")  # fmt: skip
    assert {one["username"] for one in json.loads(ran.out)["plan"]["people"]} == leaving | {stay}
    ran = sfexit("offboard-users", "plan", home, "--inactive-days", "9000", "--to", heir)
    assert ran.code == 5 and "Nobody can be offboarded" in ran.err


def test_the_home_of_another_org_is_refused(sfexit: Sfexit, company: Company, home: Path) -> None:
    home.mkdir()
    (home / "sfexit-home.json").write_text(
        '{"schema": "sfexit-home/1", "org": "00D000000000009AAA"}', "utf-8"
    )
    ran = sfexit("offboard-users", "plan", home, *names(company, 1), "--to", names(company, -1)[0])
    assert ran.code == 5 and "belongs to the org" in ran.sentence
    assert not (home / "offboarding").exists()
