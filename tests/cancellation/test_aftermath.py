"""`sfexit cancellation status --ask-org`: what the org says of itself, and what nobody says."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sfexit.cancellation import records
from sfexit.salesforce.ids import full_id
from sfexit.simulated_org import (
    Doubts,
    Fault,
    FaultPlan,
    SimulatedOrg,
    SimulatedServer,
    Staff,
    serve,
)

from .samples import run, with_contract

BEFORE, AFTER = "2030-11-22", "2031-04-05"  # the contract of the example ends on 2031-03-31


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = with_contract(tmp_path / "acme-exit")
    run("cancellation", "record", place, "sent", "--channel", "letter", "--today", BEFORE)
    return place


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedServer]:
    org = SimulatedOrg(rows=300, staff=Staff(people=4, portal=1, blockers=()))
    with serve(org, FaultPlan(seed=1)) as served:
        monkeypatch.setenv("SFEXIT_INSTANCE_URL", served.url)
        monkeypatch.setenv("SFEXIT_ACCESS_TOKEN", org.access_token)
        yield served


def asked(home: Path, day: str, *, code: int = 0, org: bool = True) -> dict[str, dict[str, Any]]:
    words = ["--ask-org"] if org else []
    ended, out, err = run("cancellation", "status", home, *words, "--today", day, "--json")
    assert ended == code, err
    return {one["check"]: one for one in json.loads(out)["checks"]}


def answers(told: dict[str, dict[str, Any]]) -> list[str]:
    return [told[key]["answer"] for key in ("sign-in", "locked", "renewal")]


def by_client(server: SimulatedServer, patch: pytest.MonkeyPatch) -> None:
    """Sign in with a client id and secret, so that the token endpoint is asked."""
    patch.delenv("SFEXIT_ACCESS_TOKEN")
    patch.setenv("SFEXIT_CLIENT_ID", server.org.client_id)
    patch.setenv("SFEXIT_CLIENT_SECRET", server.org.client_secret)


def test_before_the_end_one_can_sign_in(home: Path, server: SimulatedServer) -> None:
    told = asked(home, BEFORE)
    assert answers(told) == ["yes", "no", "unknown"]
    assert "no licence in the org runs on" in told["renewal"]["evidence"]
    assert told["sign-in"]["next_action"] == ""


def test_after_the_end_a_sign_in_that_works_is_no_good_sign(
    home: Path, server: SimulatedServer
) -> None:
    assert "ask in writing whether it was renewed" in asked(home, AFTER)["sign-in"]["next_action"]


def test_a_locked_org_says_so_to_a_session(home: Path, server: SimulatedServer) -> None:
    server.org.locked = True
    told = asked(home, AFTER)
    assert answers(told) == ["no", "yes", "yes"]
    assert "ORG_LOCKED" in told["locked"]["evidence"]
    # Locked before the end is a reason to hurry.
    assert "at once" in asked(home, BEFORE)["locked"]["next_action"]


@pytest.mark.parametrize("as_grant", [False, True])
def test_a_locked_org_says_so_to_a_sign_in(
    home: Path, server: SimulatedServer, monkeypatch: pytest.MonkeyPatch, as_grant: bool
) -> None:
    server.org.locked = True
    server.org.doubts = Doubts(locked_is_invalid_grant=as_grant)
    by_client(server, monkeypatch)
    told = asked(home, AFTER)
    assert answers(told) == ["no", "yes", "yes"]
    assert ("invalid_grant" if as_grant else "inactive_org") in told["sign-in"]["evidence"]


@pytest.mark.parametrize("how", ["dead token", "wrong secret", "API disabled", "unreachable"])
def test_what_is_no_word_of_the_org_itself_stays_unknown(
    home: Path, server: SimulatedServer, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "dead token":
        monkeypatch.setenv("SFEXIT_ACCESS_TOKEN", "00D000000000001!dead")
    elif how == "wrong secret":
        by_client(server, monkeypatch)
        monkeypatch.setenv("SFEXIT_CLIENT_SECRET", "another")
    elif how == "API disabled":
        server.faults.add(Fault("status", times=None, code=403, error_code="API_DISABLED_FOR_ORG"))
    else:
        with socket.socket() as taken:  # bound and not listening: every connection is refused
            taken.bind(("127.0.0.1", 0))
            monkeypatch.setenv("SFEXIT_INSTANCE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
            told = asked(home, AFTER)
        assert answers(told) == ["unknown", "unknown", "unknown"]
        assert "no answer" in told["locked"]["evidence"]
        return
    assert answers(asked(home, AFTER)) == ["unknown", "unknown", "unknown"]


def test_licences_that_run_on_are_a_renewal(home: Path, server: SimulatedServer) -> None:
    server.org.update_rows("PermissionSetLicense", [0], {"ExpirationDate": "2032-03-31"})
    told = asked(home, AFTER, code=8)
    assert "runs until 2032-03-31" in told["renewal"]["evidence"]


def test_a_renewal_that_was_billed(home: Path) -> None:
    bills = {"findings": [{"rule": "BILL07", "invoice_no": "7", "why": "a <b>renewal</b>"}]}
    (home / "bills.json").write_text(json.dumps(bills))
    told = asked(home, AFTER, code=8, org=False)
    assert told["renewal"]["answer"] == "no" and "invoice 7" in told["renewal"]["evidence"]
    (home / "bills.json").write_text("[]")
    assert asked(home, AFTER, org=False)["renewal"]["answer"] == "unknown"


def test_the_answer_is_kept(home: Path, server: SimulatedServer) -> None:
    assert asked(home, AFTER, org=False)["locked"]["evidence"].startswith("the org was not asked")
    server.org.locked = True
    asked(home, AFTER)
    entry = records.read(home)[-1]
    assert entry.event == "checked" and entry.data["locked"] == "yes"
    later = asked(home, AFTER, org=False)
    assert answers(later) == ["no", "yes", "yes"] and "asked on 20" in later["locked"]["evidence"]


def test_another_org_is_refused(home: Path, server: SimulatedServer) -> None:
    mark = {"schema": "sfexit-home/1", "org": full_id("00D000000000001")}
    (home / "sfexit-home.json").write_text(json.dumps(mark))
    code, _, err = run("cancellation", "status", home, "--ask-org", "--today", AFTER)
    assert code == 5 and "you are signed in to org" in err
    assert [one.event for one in records.read(home)] == ["sent"]


def test_confirmation_on_file(home: Path, tmp_path: Path) -> None:
    assert asked(home, BEFORE, org=False)["confirmation"]["answer"] == "no"
    answer = tmp_path / "answer.pdf"
    answer.write_bytes(b"%PDF-1.4")
    line = ("cancellation", "record", home)
    run(*line, "confirmed", "--end-date", "2031-03-31", "--today", BEFORE)
    told = asked(home, BEFORE, org=False)["confirmation"]
    assert told["answer"] == "yes" and "in writing" in told["next_action"]
    run(*line, "confirmed", "--end-date", "2032-03-31", "--document", answer, "--today", BEFORE)
    told = asked(home, BEFORE, org=False)["confirmation"]
    assert told["answer"] == "no" and "names 2032-03-31" in told["evidence"]
    run(*line, "confirmed", "--end-date", "2031-03-31", "--document", answer, "--today", BEFORE)
    assert asked(home, BEFORE, org=False)["confirmation"]["next_action"] == ""
