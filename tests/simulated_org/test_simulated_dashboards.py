"""Dashboards of the simulated org: the row follows the file, as Salesforce documents it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest

from sfexit.simulated_org import SimulatedOrg, Staff
from sfexit.simulated_org.doubts import Doubts
from sfexit.simulated_org.visibility import SimulatedUser

STAFF = Staff(people=8, things=1, blockers=(), teams=0, shares=0)
FULL = "Board_Room/Sales_Quarter"
PATH = f"dashboards/{FULL}.dashboard"


@pytest.fixture(scope="module")
def unchanged() -> SimulatedOrg:
    return SimulatedOrg(rows=60, staff=STAFF, read_only=False)


def user(org: SimulatedOrg, place: int) -> Mapping[str, Any]:
    assert org.employed is not None
    return list(org.truth("User"))[org.employed.people[place]]


def held(org: SimulatedOrg) -> bytes:
    return dict(org.metadata.truth()["Dashboard", FULL].files)[PATH]


def runner(org: SimulatedOrg) -> str:
    return str(next(iter(org.truth("Dashboard")))["RunningUserId"])


def deploy(org: SimulatedOrg, content: bytes, name: str = FULL, check: bool = False) -> list[str]:
    """Problems, none when it was done."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr("package.xml", (
            '<Package xmlns="http://soap.sforce.com/2006/04/metadata"><types><members>'
            f"{name}</members><name>Dashboard</name></types></Package>"))  # fmt: skip
        out.writestr(f"dashboards/{name}.dashboard", content)
    head = '--B\r\nContent-Disposition: form-data; name="{}"\r\n\r\n'
    options = json.dumps({"deployOptions": {"checkOnly": check, "rollbackOnError": True}})
    body = (head.format("json") + options + "\r\n" + head.format("file")).encode()
    told = org.deploys.begin(
        "multipart/form-data; boundary=B", body + packed.getvalue() + b"\r\n--B--\r\n"
    )
    result = org.deploys.look(told["id"])["deployResult"]
    assert result["done"] and result["success"] == (not result["details"]["componentFailures"])
    return [one["problem"] for one in result["details"]["componentFailures"]]


def renamed(org: SimulatedOrg, to: str) -> bytes:
    old = str(user(org, 0)["Username"]).encode()
    return held(org).replace(b"<runningUser>" + old, b"<runningUser>" + to.encode())


def test_the_row_follows_the_file() -> None:
    org = SimulatedOrg(rows=60, staff=STAFF, read_only=False)
    other = user(org, 3)
    content = renamed(org, str(other["Username"]))
    assert deploy(org, content, check=True) == [] and runner(org) == user(org, 0)["Id"]
    assert deploy(org, content) == []
    assert (runner(org), held(org)) == (other["Id"], content)
    [change] = org.writes.log
    assert (change.action, change.object, change.id[:3]) == ("deploy", "Dashboard", "01Z")


@pytest.mark.parametrize("known", [True, False])
def test_whom_nobody_valid_is_named_it_runs_as_the_deployer(known: bool) -> None:
    org = SimulatedOrg(rows=60, staff=STAFF, read_only=False)
    named = "nobody@northwater.example"
    if known:
        assert org.employed is not None
        org.update_rows("User", [org.employed.people[3]], {"IsActive": "false"})
        named = str(user(org, 3)["Username"])
    assert deploy(org, renamed(org, named)) == []
    assert runner(org) == org.user_id
    assert named.encode() not in held(org)


def test_or_is_refused_where_that_is_doubted() -> None:
    org = SimulatedOrg(
        rows=60, staff=STAFF, read_only=False, doubts=Doubts(unknown_running_user_refused=True)
    )
    [problem] = deploy(org, renamed(org, "nobody@northwater.example"))
    assert "runningUser" in problem and runner(org) == user(org, 0)["Id"]


def test_what_may_not_be_deployed(unchanged: SimulatedOrg) -> None:
    org = unchanged
    assert any("No package.xml" in one for one in deploy(org, held(org), "Board_Room/Nowhere"))
    [problem] = deploy(org, held(org), "Board_Room/vendor__Health")
    assert "managed" in problem
    [problem] = deploy(org, b"not xml")
    assert "well-formed" in problem
    helper = SimulatedUser("Helper", modify_all_data=False, view_all_data=False)
    content = renamed(org, str(user(org, 3)["Username"]))
    with org.acting_as(helper):
        [problem] = deploy(org, content)
    assert "permission to edit this dashboard" in problem
    assert org.writes.log == []


def test_a_deployment_without_the_element_runs_as_the_deployer() -> None:
    org = SimulatedOrg(rows=60, staff=STAFF, read_only=False)
    before, _, rest = held(org).partition(b"    <runningUser>")
    assert deploy(org, before + rest.partition(b"</runningUser>\n")[2]) == []
    assert runner(org) == org.user_id and held(org).count(b"<runningUser>") == 1
