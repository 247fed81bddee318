"""A stored sign-in is renewed once, by whoever comes first, and nothing of it is lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from sfexit.errors import DiskTrouble, SessionLost, SignInProblem, Transient
from sfexit.redaction import Secret
from sfexit.salesforce import private_file, stored_session
from sfexit.salesforce.stored import Grant, Store, StoredOrg
from sfexit.salesforce.stored_session import StoredSession
from sfexit.simulated_org import SimulatedOrg, SimulatedServer, serve

from .keeping import (
    REFRESH,
    REFRESH_2,
    REFRESH_3,
    TOKEN_URL,
    Memory,
    answered,
    draft,
    held,
    keep,
    refused,
)
from .wire import NEW_TOKEN, ORG, TOKEN, Clock

# --- renewing


def test_a_stored_session_is_used_without_asking(store: Store, org: responses.RequestsMock) -> None:
    session = StoredSession(store, keep(store))
    assert session.token().reveal() == TOKEN and str(session.origin) == ORG
    assert session.renewable and not org.calls


def test_the_new_refresh_token_is_durable_before_the_session_is_used(
    store: Store, org: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    write, sync = private_file.write_private, os.fsync

    def writing(path: Path, data: bytes) -> None:
        events.append(f"write {path.name.split('-')[-1]} {b'CANARY2' in data}")
        write(path, data)

    def syncing(descriptor: int) -> None:
        events.append("fsync")
        sync(descriptor)

    kept = keep(store)
    monkeypatch.setattr(private_file, "write_private", writing)
    monkeypatch.setattr(os, "fsync", syncing)
    org.post(TOKEN_URL, json=answered())
    session = StoredSession(store, kept)
    assert session.renew(session.token()).reveal() == NEW_TOKEN
    writes = [event for event in events if event != "fsync"]
    # First the proof that the store can be written, then the grant, then the session.
    assert writes == ["write access.secret False", "write grant.secret True",
                      "write access.secret False"]  # fmt: skip
    assert events[events.index("write grant.secret True") + 1] == "fsync"
    assert held(store) == REFRESH_2
    assert f"refresh_token={REFRESH}" in str(org.calls[0].request.body)


def test_nothing_is_spent_when_the_store_cannot_be_written(
    store: Store, org: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = StoredSession(store, keep(store))
    stale = session.token()

    def full(path: Path, data: bytes) -> None:
        raise DiskTrouble("no room")

    monkeypatch.setattr(private_file, "write_private", full)
    with pytest.raises(DiskTrouble):
        session.renew(stale)
    assert not org.calls and held(store) == REFRESH


def test_a_key_ring_that_fails_at_the_wrong_moment(
    tmp_path: Path, org: responses.RequestsMock
) -> None:
    ring = Memory()
    store = Store(tmp_path, keyring=ring)
    session = StoredSession(store, keep(store, place="keyring"))
    stale = session.token()

    def answer_and_break(_: Any) -> tuple[int, dict[str, str], str]:
        ring.broken = True  # between the proof and the new refresh token
        return 200, {}, json.dumps(answered())

    org.add_callback(responses.POST, TOKEN_URL, answer_and_break)
    assert session.renew(stale).reveal() == NEW_TOKEN
    assert store.find("acme").place == "file" and held(store) == REFRESH_2


def test_a_disk_that_fails_at_the_wrong_moment(
    store: Store, org: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = StoredSession(store, keep(store))
    stale = session.token()
    write = private_file.write_private

    def failing(path: Path, data: bytes) -> None:
        if b"CANARY2" in data:
            raise DiskTrouble("the disk is gone.")
        write(path, data)

    monkeypatch.setattr(private_file, "write_private", failing)
    org.post(TOKEN_URL, json=answered())
    with pytest.raises(DiskTrouble, match="sign in again") as caught:
        session.renew(stale)
    assert "CANARY" not in caught.value.message


def test_an_app_without_rotation(store: Store, org: responses.RequestsMock) -> None:
    org.post(TOKEN_URL, json=answered(refresh=None))
    session = StoredSession(store, keep(store, access=None))
    assert session.token().reveal() == NEW_TOKEN and held(store) == REFRESH
    assert store.access_token(store.find("acme")) == Secret(NEW_TOKEN)


def test_the_secret_goes_along(store: Store, org: responses.RequestsMock) -> None:
    grant = Grant(Secret(REFRESH), Secret("appsecretCANARY"))
    kept = store.add(draft(), grant, access_token=None)
    org.post(TOKEN_URL, json=answered())
    StoredSession(store, kept).token()
    assert "client_secret=appsecretCANARY" in str(org.calls[0].request.body)
    assert store.grant(kept) == Grant(Secret(REFRESH_2), Secret("appsecretCANARY"))


def test_what_another_run_renewed_is_taken(store: Store, org: responses.RequestsMock) -> None:
    kept = keep(store)
    mine, other = StoredSession(store, kept), StoredSession(store, kept)
    stale = mine.token()
    other.token()
    org.post(TOKEN_URL, json=answered())
    assert other.renew(stale).reveal() == NEW_TOKEN
    assert mine.renew(stale).reveal() == NEW_TOKEN and len(org.calls) == 1


def test_a_token_rotated_behind_a_lock_that_does_not_hold_is_read_once_more(
    store: Store, org: responses.RequestsMock
) -> None:
    kept = keep(store, access=None)

    def rotated(_: Any) -> tuple[int, dict[str, str], str]:
        store._vaults["file"].put(f"{kept.key}-grant", json.dumps({"refresh_token": REFRESH_2}))
        words = {"error": "invalid_grant", "error_description": "expired access/refresh token"}
        return 400, {}, json.dumps(words)

    org.add_callback(responses.POST, TOKEN_URL, rotated)
    org.post(TOKEN_URL, json=answered(refresh=REFRESH_3))
    assert StoredSession(store, kept).token().reveal() == NEW_TOKEN
    assert f"refresh_token={REFRESH_2}" in str(org.calls[1].request.body)
    assert held(store) == REFRESH_3


def test_a_sign_in_that_has_ended(store: Store, org: responses.RequestsMock) -> None:
    refused(org)
    session = StoredSession(store, keep(store))
    with pytest.raises(SessionLost, match=r"sfexit login --alias acme.*Progress is kept") as caught:
        session.renew(session.token())
    assert len(org.calls) == 1 and "CANARY" not in caught.value.message


def test_another_refusal_is_not_the_end(store: Store, org: responses.RequestsMock) -> None:
    org.post(TOKEN_URL, status=400, json={"error": "invalid_client", "error_description": "x"})
    session = StoredSession(store, keep(store))
    with pytest.raises(SignInProblem, match="Require secret for Refresh Token Flow") as caught:
        session.renew(session.token())
    assert not isinstance(caught.value, SessionLost)
    org.replace(responses.POST, TOKEN_URL, status=503)
    with pytest.raises(Transient):
        session.renew(session.token())
    org.replace(responses.POST, TOKEN_URL, json=answered())
    assert session.renew(session.token()).reveal() == NEW_TOKEN


def test_an_app_that_gave_no_refresh_token(store: Store) -> None:
    kept = store.add(draft(renewable=False), Grant(), access_token=Secret(TOKEN))
    session = StoredSession(store, kept)
    assert session.token().reveal() == TOKEN and not session.renewable
    with pytest.raises(SessionLost, match="gives no refresh tokens"):
        session.renew(session.token())


def test_removed_while_in_use(store: Store, org: responses.RequestsMock) -> None:
    session = StoredSession(store, keep(store))
    stale = session.token()
    keep(store)  # signed in again under the same alias: another grant
    with pytest.raises(SessionLost, match="removed or replaced"):
        session.renew(stale)
    assert not org.calls


def test_a_token_minted_a_moment_ago_is_not_renewed(
    store: Store, org: responses.RequestsMock
) -> None:
    clock = Clock()
    session = StoredSession(store, keep(store), clock=clock)
    org.post(TOKEN_URL, json=answered())
    fresh = session.renew(session.token())
    clock.now += 9
    assert session.renew(fresh) == fresh and len(org.calls) == 1


def test_an_org_that_moves(store: Store, org: responses.RequestsMock) -> None:
    moved = "https://acme2.my.salesforce.com"
    org.post(TOKEN_URL, json=answered(instance_url=moved))
    session = StoredSession(store, keep(store))
    with pytest.raises(SignInProblem, match="instead of acme"):
        session.renew(session.token())
    again = StoredSession(store, store.find("acme"))  # the same command again
    assert str(again.origin) == moved and again.token().reveal() == NEW_TOKEN
    org.post(TOKEN_URL, json=answered(instance_url=moved))
    fresh = StoredSession(store, keep(store, "b", access=None))
    assert str(fresh.origin) == moved  # nothing had been asked at the old address yet


def test_another_org_behind_the_alias(store: Store, org: responses.RequestsMock) -> None:
    other = "https://login.salesforce.com/id/00D5g0000000009EAA/0055g000000001AAAQ"
    org.post(TOKEN_URL, json=answered(id=other))
    with pytest.raises(SignInProblem, match="leads to the org 00D5g0000000009"):
        StoredSession(store, keep(store, access=None)).token()
    assert held(store) == REFRESH_2  # the new refresh token is not lost for it


@pytest.fixture
def served() -> Iterator[SimulatedServer]:
    with serve(SimulatedOrg(rows=1000)) as server:
        yield server


def keep_of(store: Store, served: SimulatedServer) -> StoredOrg:
    real = served.org
    return store.add(
        draft(
            instance_url=served.url,
            login_url=served.url,
            organization_id=real.organization_id,
            client_id=real.client_id,
        ),
        Grant(Secret(real.refresh_token)),
        access_token=Secret(real.access_token),
    )


def test_many_threads_renew_once(store: Store, served: SimulatedServer) -> None:
    kept = keep_of(store, served)
    sessions = [StoredSession(store, kept) for _ in range(4)]
    stale = sessions[0].token()
    served.org.expire_sessions()
    start = threading.Barrier(8)
    renewed: list[str] = []

    def renew(session: StoredSession) -> None:
        start.wait()
        renewed.append(session.renew(stale).reveal())

    threads = [threading.Thread(target=renew, args=(sessions[n % 4],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = [entry for entry in served.requests if entry.path.endswith("/token")]
    assert len(asked) == 1 and len(set(renewed)) == 1 and len(renewed) == 8
    assert served.org.token_valid(renewed[0]) and held(store) == served.org.refresh_token


RENEW = """
import sys
from pathlib import Path
from sfexit.redaction import Secret
from sfexit.salesforce.stored import Store
from sfexit.salesforce.stored_session import StoredSession
store = Store(Path(sys.argv[1]))
session = StoredSession(store, store.find("acme"))
stale = Secret(sys.stdin.readline().strip())
print("ready", flush=True)
sys.stdin.readline()
for _ in range(3):
    stale = session.renew(stale)
    session._renewed_at = -100
print(stale.reveal())
"""


def test_many_processes_never_spend_a_token_twice(tmp_path: Path, served: SimulatedServer) -> None:
    """The org ends the whole grant when a refresh token comes twice; it must stay alive."""
    store = Store(tmp_path, keyring=Memory())
    keep_of(store, served)
    stale = served.org.access_token
    running = [
        subprocess.Popen(
            [sys.executable, "-c", RENEW, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for one in running:
        assert one.stdin is not None and one.stdout is not None
        one.stdin.write(stale + "\n")
        one.stdin.flush()
        assert one.stdout.readline() == "ready\n"
    told = [one.communicate("go\n", timeout=30)[0].strip() for one in running]
    assert [one.returncode for one in running] == [0] * 4
    assert all(served.org.token_valid(token) for token in told)
    assert held(store) == served.org.refresh_token
    asked = [entry for entry in served.requests if entry.path.endswith("/token")]
    assert 3 <= len(asked) <= 12 and {entry.status for entry in asked} == {200}


def test_killed_after_the_org_rotated(tmp_path: Path, served: SimulatedServer) -> None:
    """A lock dies with its holder, and the next run says what has happened."""
    store = Store(tmp_path, keyring=Memory())
    kept = keep_of(store, served)
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=_die_while_renewing, args=(str(tmp_path),))
    child.start()
    child.join(30)
    assert child.exitcode == 9
    served.org.expire_sessions()
    with pytest.raises(SessionLost, match="sfexit login --alias acme"):
        StoredSession(store, kept).token()


def _die_while_renewing(folder: str) -> None:
    store = Store(Path(folder), keyring=Memory())
    store.keep_renewed = lambda *_: os._exit(9)  # type: ignore[method-assign]
    session = StoredSession(store, store.find("acme"))
    session.renew(session.token())


def test_a_lock_held_too_long(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)

    with (
        private_file.locked(path),
        pytest.raises(Transient, match="try again"),
        private_file.locked(path, wait_seconds=0.02, sleep=wait),
    ):
        pass
    assert waits
    with private_file.locked(path, wait_seconds=0):
        pass


# --- other kinds, and ending


def test_stored_client_credentials(store: Store, org: responses.RequestsMock) -> None:
    kept = store.add(
        draft(kind="client-credentials"),
        Grant(client_secret=Secret("appsecretCANARY")),
        access_token=None,
    )
    org.post(TOKEN_URL, json=answered(refresh=None))
    credential = stored_session.credential(store, kept)
    assert credential.kind == "client credentials"
    assert credential.token().reveal() == NEW_TOKEN
    assert stored_session.revoke(store, kept) is None
    store._vaults["file"].drop(f"{kept.key}-grant")
    with pytest.raises(SignInProblem, match="is gone"):
        stored_session.credential(store, kept)


def test_revoking(store: Store, served: SimulatedServer) -> None:
    kept = keep_of(store, served)
    assert stored_session.revoke(store, kept) is True
    assert not served.org.token_valid(served.org.access_token)
    assert stored_session.revoke(store, kept) is False
    with pytest.raises(SessionLost):
        StoredSession(store, kept).renew(Secret(served.org.access_token))
