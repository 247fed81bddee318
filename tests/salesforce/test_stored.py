"""Stored sign-ins: where secrets lie, and that a single-use refresh token is never lost."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from sfexit.errors import SignInProblem, UsageProblem
from sfexit.redaction import Secret
from sfexit.salesforce.stored import Grant, Store
from sfexit.salesforce.stored_session import StoredSession

from .keeping import REFRESH, REFRESH_2, Memory, draft, held, keep
from .wire import TOKEN

posix = pytest.mark.skipif(sys.platform == "win32", reason="no such modes")


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
