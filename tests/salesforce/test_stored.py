"""Stored sign-ins: where secrets lie, and that a single-use refresh token is never lost."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import responses

from sfexit.errors import DiskTrouble, SessionLost, SignInProblem, Transient, UsageProblem
from sfexit.redaction import Secret
from sfexit.salesforce import private_file, stored_session
from sfexit.salesforce.stored import Grant, Store, StoredOrg
from sfexit.salesforce.stored_session import StoredSession
from sfexit.salesforce.vaults import KeyringVault, VaultTrouble
from sfexit.simulated_org import SimulatedOrg, SimulatedServer, serve

from .wire import NEW_TOKEN, ORG, TOKEN, Clock

TOKEN_URL = f"{ORG}/services/oauth2/token"
ORG_ID = "00D5g0000000001EAA"
REFRESH = "5Aep861refreshCANARY1"
REFRESH_2 = "5Aep861refreshCANARY2"
REFRESH_3 = "5Aep861refreshCANARY3"

posix = pytest.mark.skipif(sys.platform == "win32", reason="no such modes")


class Memory:
    """A key ring that can be told to fail."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.broken = False
        self.longest = 1280
        self.puts: list[str] = []

    def put(self, name: str, text: str) -> None:
        if self.broken or len(text) > self.longest:
            raise VaultTrouble("KeyringLocked")
        self.puts.append(name.split("-")[-1])
        self.texts[name] = text

    def get(self, name: str) -> str | None:
        if self.broken:
            raise VaultTrouble("KeyringLocked")
        return self.texts.get(name)

    def drop(self, name: str) -> None:
        self.texts.pop(name, None)


def draft(alias: str = "acme", **changes: Any) -> StoredOrg:
    org = StoredOrg(
        alias=alias, key="", kind="web", place="file", instance_url=ORG, login_url=ORG,
        organization_id=ORG_ID, username="me@acme.example", client_id="3MVG9", stored_at="x",
    )  # fmt: skip
    return replace(org, **changes)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "config", keyring=Memory())


def keep(
    store: Store, alias: str = "acme", *, access: str | None = TOKEN, **more: Any
) -> StoredOrg:
    token = Secret(access) if access else None
    return store.add(draft(alias, **more), Grant(Secret(REFRESH)), access_token=token)


def answered(
    token: str = NEW_TOKEN, refresh: str | None = REFRESH_2, **more: Any
) -> dict[str, Any]:
    answer = {
        "access_token": token,
        "instance_url": ORG,
        "id": f"https://login.salesforce.com/id/{ORG_ID}/0055g000000001AAAQ",
        **more,
    }
    return {**answer, "refresh_token": refresh} if refresh else answer


def refused(org: responses.RequestsMock, words: str = "expired access/refresh token") -> None:
    org.post(TOKEN_URL, status=400, json={"error": "invalid_grant", "error_description": words})


def held(store: Store, alias: str = "acme") -> str:
    found = store.grant(store.find(alias)).refresh_token
    assert found is not None
    return found.reveal()


# --- the index


def test_several_orgs(store: Store) -> None:
    assert store.orgs() == () and store.default is None
    keep(store, "uat")
    keep(store, "Acme")
    assert [org.alias for org in store.orgs()] == ["Acme", "uat"] and store.default == "uat"
    store.set_default("Acme")
    assert store.default == "Acme"
    store.remove(store.find("Acme"))
    assert store.default == "uat"  # the only one left
    with pytest.raises(UsageProblem, match="did you mean uat"):
        store.find("uta")
    with pytest.raises(UsageProblem, match="stored are uat"):
        store.set_default("Acme")
    keep(store, "b")
    keep(store, "c")
    store.remove(store.find("uat"))
    assert store.default is None  # nobody should guess among two
    with pytest.raises(UsageProblem, match="none is stored yet"):
        Store(Path("/nonexistent/sfexit")).find("acme")


def test_an_alias_that_is_taken_is_replaced(store: Store, tmp_path: Path) -> None:
    first = keep(store)
    second = store.add(draft(), Grant(Secret(REFRESH_2)), access_token=None)
    assert first.key != second.key and held(store) == REFRESH_2
    store.remove(first)  # what the command does with the older one
    assert store.find("acme") == second and held(store) == REFRESH_2
    assert store.default == "acme"


@pytest.mark.parametrize("alias", ["", "a/b", "../x", "-a", ".", "a b", "x" * 81, "ä", "a\n"])
def test_aliases_that_cannot_be(store: Store, alias: str) -> None:
    with pytest.raises(UsageProblem, match="cannot be an alias"):
        keep(store, alias)
    assert store.orgs() == ()


def test_no_secret_is_in_the_index(store: Store, tmp_path: Path) -> None:
    org = keep(store)
    index = (tmp_path / "config/orgs.json").read_text()
    document = json.loads(index)
    assert document["schema"] == "sfexit-orgs/1" and document["default"] == "acme"
    for shown in (index, repr(org), repr(store), repr(store.grant(org))):
        assert "CANARY" not in shown and TOKEN not in shown


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        "[]",
        '{"schema": "sfexit-orgs/1"}',
        '{"schema": "sfexit-orgs/1", "orgs": [{"alias": "a"}]}',
        '{"schema": "sfexit-orgs/1", "orgs": [5]}',
    ],
)
def test_a_damaged_index(store: Store, tmp_path: Path, content: str) -> None:
    keep(store)
    (tmp_path / "config/orgs.json").write_text(content)
    with pytest.raises(SignInProblem, match="is damaged"):
        store.orgs()


@pytest.mark.parametrize(
    "change",
    [{"key": "../../../etc/x"}, {"alias": "../x"}, {"place": "cloud"}, {"kind": "x"}, {"key": 5}],
)
def test_an_index_that_was_tampered_with(
    store: Store, tmp_path: Path, change: dict[str, Any]
) -> None:
    keep(store)
    path = tmp_path / "config/orgs.json"
    document = json.loads(path.read_text())
    document["orgs"][0].update(change)
    path.write_text(json.dumps(document))
    with pytest.raises(SignInProblem, match="is damaged"):
        store.orgs()


def test_an_index_of_a_newer_version(store: Store, tmp_path: Path) -> None:
    keep(store)
    (tmp_path / "config/orgs.json").write_text('{"schema": "sfexit-orgs/2"}')
    with pytest.raises(SignInProblem, match="another version of sfexit"):
        store.orgs()


@posix
def test_modes(store: Store, tmp_path: Path) -> None:
    os.umask(0o022)
    keep(store)
    folder = tmp_path / "config"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "sessions").stat().st_mode) == 0o700
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert not [path for path in files if path.name.endswith(".part")]


@posix
def test_what_others_could_have_read_or_written(store: Store, tmp_path: Path) -> None:
    org = keep(store)
    secret = next((tmp_path / "config/sessions").glob("*-grant.secret"))
    secret.chmod(0o644)
    with pytest.raises(SignInProblem, match="chmod 600"):
        store.grant(org)
    secret.chmod(0o600)
    (tmp_path / "config/orgs.json").chmod(0o666)
    with pytest.raises(SignInProblem, match="chmod 600"):
        store.orgs()
    (tmp_path / "config/orgs.json").chmod(0o600)
    (tmp_path / "config").chmod(0o777)
    with pytest.raises(SignInProblem, match="chmod 700"):
        keep(store, "b")


# --- the key ring


def test_secrets_in_the_key_ring(tmp_path: Path) -> None:
    ring = Memory()
    store = Store(tmp_path, keyring=ring)
    org = keep(store, place="keyring")
    assert org.place == "keyring" and held(store) == REFRESH
    assert store.access_token(org) == Secret(TOKEN)
    on_disk = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"CANARY" not in on_disk
    store.remove(org)
    assert ring.texts == {}


def test_without_a_key_ring_a_file_is_used(tmp_path: Path) -> None:
    ring = Memory()
    ring.broken = True
    store = Store(tmp_path, keyring=ring)
    org = keep(store, place="keyring")
    assert org.place == "file" == store.find("acme").place and held(store) == REFRESH


def test_a_session_too_long_for_the_key_ring(tmp_path: Path) -> None:
    store = Store(tmp_path, keyring=Memory())
    org = keep(store, place="keyring", access="e" * 2000)
    assert org.place == "keyring" and store.access_token(org) is None  # it is minted anew
    alone = store.add(
        draft("b", place="keyring"), Grant(), access_token=Secret("e" * 2000)
    )  # nothing else to be signed in with
    assert alone.place == "file" and store.access_token(alone) == Secret("e" * 2000)


def test_a_key_ring_that_does_not_open(tmp_path: Path) -> None:
    ring = Memory()
    store = Store(tmp_path, keyring=ring)
    org = keep(store, place="keyring")
    ring.broken = True
    with pytest.raises(SignInProblem, match="does not open for the stored sign-in acme"):
        StoredSession(store, org).token()


def test_the_systems_key_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backend import KeyringBackend
    from keyring.backends import fail, null

    class Ring(KeyringBackend):
        priority = 5  # type: ignore[assignment]
        name = "test ring\x1b[31m"  # type: ignore[assignment]
        kept: dict[tuple[str, str], str] = {}  # noqa: RUF012

        def get_password(self, service: str, username: str) -> str | None:
            return self.kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            if len(password) > 1280:
                raise OSError(1783, f"The stub received bad data {password}")
            self.kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.kept[service, username]

    before = keyring.get_keyring()
    try:
        keyring.set_keyring(Ring())
        vault = KeyringVault()
        vault.put("abc-grant", REFRESH)
        vault.put("abc-access", TOKEN)
        assert vault.get("abc-grant") == REFRESH and vault.get("absent") is None
        assert len({service for service, _ in Ring.kept}) == 2  # no two users of one service
        assert vault.name == "test ring[31m"
        with pytest.raises(VaultTrouble) as caught:
            vault.put("abc-grant", "CANARY" * 300)
        assert "CANARY" not in str(caught.value) and caught.value.__suppress_context__
        vault.drop("abc-grant")
        vault.drop("abc-grant")
        assert vault.get("abc-grant") is None
        for useless in (null.Keyring(), fail.Keyring()):
            keyring.set_keyring(useless)
            with pytest.raises(VaultTrouble):
                vault.put("abc-grant", REFRESH)
    finally:
        keyring.set_keyring(before)


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
