"""What a rehearsal shows is what a run sends, request by request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sfexit.offboarding import finding
from sfexit.offboarding.rehearsing import rehearse
from sfexit.salesforce.client import Client, Verbatim
from tests.offboarding.running import Office, office, plan_for

# What a rehearsal cannot know: what the org drops with an owner, and what is looked after.
_TEAMS = (
    "AccountTeamMember",
    "OpportunityTeamMember",
    "AccountShare",
    "OpportunityShare",
    "ContactShare",
)
Sent = list[tuple[str, str, str]]


class Listening(Client):
    """Keeps what it sends."""

    sent: Sent

    def send_once(self, method: str, path: str, body: Any = None, headers: Any = None) -> Any:
        self.sent.append(_told(method, path, body))
        return super().send_once(method, path, body, headers)


def _told(method: str, path: str, body: Any) -> tuple[str, str, str]:
    if isinstance(body, Verbatim):
        body = body.data.decode()
    if path.startswith("/jobs/ingest/"):
        path = "/jobs/ingest/(its id)" + ("/batches" if path.endswith("/batches") else "")
    if path.endswith("/revoke"):
        path, body = "/services/oauth2/revoke", "token=(hidden)"
    return (method, path, json.dumps(body, sort_keys=True))


@pytest.fixture
def place(tmp_path: Path) -> Any:
    with office(tmp_path, rows=4000) as made:
        yield made


@pytest.mark.parametrize("job_from", [2_000, 12])
def test_a_rehearsal_shows_what_a_run_sends(
    place: Office, monkeypatch: pytest.MonkeyPatch, job_from: int
) -> None:
    monkeypatch.setattr(finding, "JOB_FROM", job_from)
    assert place.org.employed is not None
    people = place.org.employed.people
    plan = plan_for(place, people[:4], people[-1])
    rehearsed = list(rehearse(place.client(), plan, freeze_only=False))
    assert place.org.writes.log == []
    client = place.client(Listening)
    client.sent = []
    assert place.apply(plan, client=client).complete
    expected = [_told(one.method, one.path, one.body) for one in rehearsed]
    sent = [one for one in client.sent if not any(f'"{name}"' in one[2] for name in _TEAMS)]
    expected = [one for one in expected if not any(f'"{name}"' in one[2] for name in _TEAMS)]
    assert [one for one in sent if one not in expected] == []
    assert [one for one in expected if one not in sent] == []
    assert len(sent) == len(expected)
    jobs = sum(one.path == "/jobs/ingest" for one in rehearsed)
    assert bool(jobs) == (job_from == 12)
    assert sum(one.records for one in rehearsed) == sum(one.count for one in plan.transfers)


def test_only_freezing(place: Office) -> None:
    assert place.org.employed is not None
    people = place.org.employed.people
    plan = plan_for(place, people[:2], people[-1])
    shown = list(rehearse(place.client(), plan, freeze_only=True))
    assert shown and {one.phase for one in shown} == {"contain"}
