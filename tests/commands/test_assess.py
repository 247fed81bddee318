"""`sfexit assess` as an administrator meets it."""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sfexit.simulated_org import FaultPlan, SimulatedOrg, serve
from sfexit.simulated_org.visibility import SimulatedUser, clerk

from .conftest import Company, Ran

Sfexit = Callable[..., Ran]


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """An org with all its catalogues."""
    faults = FaultPlan(seed=1)
    with serve(SimulatedOrg(seed=7, rows=300), faults) as server:
        yield Company(server, faults, tmp_path)


@pytest.fixture
def everything(company: Company) -> dict[str, str]:
    """Variables of a user who holds every permission."""
    return {"SFEXIT_ACCESS_TOKEN": company.org.sign_in(SimulatedUser("All"))}


@pytest.fixture
def little(company: Company) -> dict[str, str]:
    """Variables of a user who does not."""
    user = SimulatedUser("Little", view_all_fields=False, hidden_fields={"Account": ("Industry",)})
    return {"SFEXIT_ACCESS_TOKEN": company.org.sign_in(user)}


def test_clear(sfexit: Sfexit, everything: dict[str, str]) -> None:
    ran = sfexit("assess", **everything)
    assert (ran.code, ran.out) == (0, "")
    assert ran.sentences[0].startswith("CLEAR: ")
    assert "changed nothing" in ran.err
    assert "\x1b" not in ran.err
    assert sfexit("assess", "--strict", "-q", **everything).code == 0


def test_blind_spots_are_0_and_5_with_strict(sfexit: Sfexit, little: dict[str, str]) -> None:
    ran = sfexit("assess", **little)
    assert ran.code == 0
    assert ran.sentences[0].startswith("BLIND SPOTS: ")
    assert "View All Fields (Global)" in ran.err
    assert sfexit("assess", "--strict", "-q", **little) == Ran(5, "", "")


def test_user_who_sees_next_to_nothing(sfexit: Sfexit, company: Company) -> None:
    user = clerk(hidden_objects=("Opportunity",), own_rows_only=("*",))
    ran = sfexit("assess", SFEXIT_ACCESS_TOKEN=company.org.sign_in(user))
    assert ran.code == 0
    for label in ("View All Data", "View All Fields (Global)", "Query All Files"):
        assert label in ran.err
    assert "Opportunity" in ran.err


def test_document(sfexit: Sfexit, company: Company, little: dict[str, str]) -> None:
    options = ("--line-speed", "50", "--contract-end", "2031-01-31")
    ran = sfexit("assess", "acme-exit", "--json", "--quiet", *options, **little)
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert told["schema"] == "sfexit-assess/1"
    assert told["organization_id"] == company.org.organization_id
    assert told["line_mbit"] == 50
    assert told["contract_end"] == "2031-01-31"
    assert told["in_time"] is True
    assert told["disk"]["place"] == "acme-exit"
    assert told["disk"]["free_bytes"] > 0
    assert 0 < told["api_calls"] < 25
    hidden = [(s["object"], s["field"]) for s in told["sight"]["blind_spots"]]
    assert ("Account", "Industry") in hidden


def test_nothing_is_made_but_what_was_asked_for(
    sfexit: Sfexit, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(company.folder)
    assert sfexit("assess", "acme-exit", "-q").code == 0
    assert list(company.folder.iterdir()) == []
    posted = {one.path for one in company.server.requests if one.method != "GET"}
    # The lists of the Metadata API are SOAP, where every question is a POST.
    assert all(path.endswith("/composite") or "/services/Soap/m/" in path for path in posted)


def test_page(sfexit: Sfexit, tmp_path: Path) -> None:
    target = tmp_path / "acme.html"
    assert sfexit("assess", "-q", "--html", target).code == 0
    text = target.read_text("utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "What to do" in text
    if os.name != "nt":
        assert stat.S_IMODE(target.stat().st_mode) & 0o077 == 0


def test_permission_set_as_folder_zip_and_file(sfexit: Sfexit, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    ran = sfexit("assess", "--permission-set", folder)
    assert "sf project deploy start --metadata-dir" in ran.err
    made = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert made == {"package.xml", "permissionsets/sfexit_Export.permissionset"}
    document = (folder / "permissionsets/sfexit_Export.permissionset").read_bytes()
    assert b"<name>ViewAllData</name>" in document
    assert b"ModifyAllData" not in document

    packed = tmp_path / "set.zip"
    assert sfexit("assess", "-q", "--permission-set", packed).code == 0
    with zipfile.ZipFile(io.BytesIO(packed.read_bytes())) as archive:
        assert set(archive.namelist()) == made
        assert archive.read("permissionsets/sfexit_Export.permissionset") == document

    alone = tmp_path / "sfexit_Export.permissionset-meta.xml"
    assert sfexit("assess", "-q", "--permission-set", alone).code == 0
    assert alone.read_bytes() == document


def test_modify_all_data_has_its_own_name(sfexit: Sfexit, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    sfexit("assess", "-q", "--permission-set", folder, "--modify-all-data")
    [made] = (folder / "permissionsets").iterdir()
    assert made.name == "sfexit_Export_Modify_All.permissionset"
    assert b"<name>ModifyAllData</name>" in made.read_bytes()


def test_modify_all_data_alone_is_2(sfexit: Sfexit) -> None:
    ran = sfexit("assess", "--modify-all-data")
    assert ran.code == 2
    assert "--permission-set" in ran.sentence


@pytest.mark.parametrize(
    "arguments",
    [["--contract-end", "soon"], ["--line-speed", "0"], ["--line-speed", "fast"]],
)
def test_usage(sfexit: Sfexit, arguments: list[str]) -> None:
    assert sfexit("assess", *arguments).code == 2


def test_place_that_cannot_be_written_is_2(sfexit: Sfexit, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = sfexit("assess", "--html", tmp_path / "file" / "a.html")
    assert ran.code == 2
    assert "cannot be written" in ran.err


def test_wrong_token_is_4(sfexit: Sfexit) -> None:
    ran = sfexit("assess", SFEXIT_ACCESS_TOKEN="00D000000000001!wrongwrongwrong")
    assert (ran.code, ran.out) == (4, "")
    assert "wrongwrong" not in ran.err


def test_blocked_by_a_policy_is_4_and_names_the_permission(
    sfexit: Sfexit, company: Company
) -> None:
    company.org.blocking_policies.append("ApiEvent")
    ran = sfexit("assess")
    assert ran.code == 4
    assert "Exempt from Transaction Security" in ran.sentence


def test_no_credential_is_written(sfexit: Sfexit, company: Company, tmp_path: Path) -> None:
    ran = sfexit("assess", "--json", "--verbose", "--html", tmp_path / "a.html")
    secret = company.org.access_token.rpartition("!")[2]
    assert secret not in ran.out + ran.err + (tmp_path / "a.html").read_text("utf-8")
