"""Sign-ins kept on this computer: several orgs by alias, their secrets apart from the rest.

`orgs.json` in the configuration folder says which orgs there are and holds no secret. Secrets are
in the system's key ring, or, where there is none, in files of mode 0600 under `sessions/`.

With refresh token rotation each refresh token works once, and using one a second time ends the
whole sign-in at once (Salesforce Help 005316711). So a sign-in is renewed under a lock that all
processes respect, what is stored is read again under that lock, and the new refresh token is on
the disk before the access token that came with it is used.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
import secrets
import stat
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import requests

from sfexit.errors import DiskTrouble, SessionLost, SignInProblem, UsageProblem
from sfexit.redaction import Secret, printable
from sfexit.salesforce import private_file
from sfexit.salesforce.credential import SETTLE_SECONDS, Credential, is_token, moved
from sfexit.salesforce.jwt_bearer import JwtBearer
from sfexit.salesforce.login import ClientCredentials
from sfexit.salesforce.origin import Origin
from sfexit.salesforce.token_endpoint import COMMON_CAUSES, Cause, GrantRefused, TokenEndpoint
from sfexit.salesforce.transport import new_session

SCHEMA = "sfexit-orgs/1"
INDEX_FILE = "orgs.json"
FOLDER = "sessions"

Kind = Literal["web", "client-credentials", "jwt"]
Place = Literal["keyring", "file", "none"]

KINDS = ("web", "client-credentials", "jwt")
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,79}")
_KEY = re.compile(r"[0-9a-f]{16}")
_INDEX_LIMIT_BYTES = 1 << 20
_KEYRING_SERVICE = "sfexit"


@dataclass(frozen=True)
class StoredOrg:
    """One line of the index. Never a secret: this is shown and printed.

    `instance_url` is where the org is, `login_url` where its sign-in is renewed. `place` says
    where the secrets are ("none": this kind has none of its own, as a JWT key in its own file).
    """

    alias: str
    key: str
    kind: str
    place: str
    instance_url: str
    login_url: str
    organization_id: str
    username: str
    client_id: str
    stored_at: str
    organization_name: str = ""
    key_file: str = ""
    audience: str = ""
    renewable: bool = True


@dataclass(frozen=True)
class Grant:
    """The secrets of one sign-in that outlive a session."""

    refresh_token: Secret | None = None
    client_secret: Secret | None = None

    def __bool__(self) -> bool:
        return self.refresh_token is not None or self.client_secret is not None


class VaultTrouble(Exception):
    """A place for secrets cannot be used; the text names the reason without any secret."""


class Vault(Protocol):
    """A place for secrets: texts by name."""

    def put(self, name: str, text: str) -> None:
        """Keep it for good; what `get` gives from now on. Raises VaultTrouble, DiskTrouble."""

    def get(self, name: str) -> str | None:
        """None when there is none. Raises VaultTrouble, SignInProblem."""

    def drop(self, name: str) -> None:
        """Forget it, if it is there. Raises VaultTrouble, DiskTrouble."""


class KeyringVault:
    """The key ring of the system: Keychain, Credential Manager, Secret Service, KWallet.

    Each text has a service name of its own: on Windows keyring moves an older entry of the same
    service to another name when a second user name comes, and 2,560 bytes (1,280 characters) is
    the most that one entry holds there (CRED_MAX_CREDENTIAL_BLOB_SIZE, keyring #540).
    """

    @property
    def name(self) -> str:
        """What the key ring calls itself."""
        return printable(str(self._call(lambda ring: getattr(ring, "name", "key ring"))), 60)

    def put(self, name: str, text: str) -> None:
        self._call(lambda ring: ring.set_password(f"{_KEYRING_SERVICE}:{name}", name, text))
        # Some backends take everything and keep nothing (keyring.backends.null).
        if self.get(name) != text:
            raise VaultTrouble("it did not keep what it was given")

    def get(self, name: str) -> str | None:
        found = self._call(lambda ring: ring.get_password(f"{_KEYRING_SERVICE}:{name}", name))
        return found if isinstance(found, str) else None

    def drop(self, name: str) -> None:
        if self.get(name) is not None:
            self._call(lambda ring: ring.delete_password(f"{_KEYRING_SERVICE}:{name}", name))

    def _call(self, use: Callable[[Any], object]) -> object:
        try:
            import keyring

            return use(keyring.get_keyring())
        except Exception as error:
            # Backends raise whatever their system library raises, and may quote the secret in it.
            raise VaultTrouble(type(error).__name__) from None


class FileVault:
    """Files of mode 0600 in a folder of mode 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, text: str) -> None:
        private_file.make_folder(self._folder)
        private_file.write_private(self._path(name), text.encode())

    def get(self, name: str) -> str | None:
        path = self._path(name)
        if not path.exists():
            return None
        return private_file.read_private(path, "the stored sign-in").decode("utf-8", "replace")

    def drop(self, name: str) -> None:
        private_file.remove(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.secret"


class Store:
    """The stored sign-ins of one user. Safe for several processes."""

    def __init__(self, folder: Path, *, keyring: Vault | None = None) -> None:
        """`folder` is the configuration folder; it is made when something is stored."""
        self._folder = folder
        self._vaults: dict[str, Vault] = {
            "keyring": keyring if keyring is not None else KeyringVault(),
            "file": FileVault(folder / FOLDER),
        }

    # --- which orgs there are ---

    def orgs(self) -> tuple[StoredOrg, ...]:
        """All of them, by alias. Raises SignInProblem when the index cannot be read."""
        return tuple(sorted(self._read()[1].values(), key=lambda org: org.alias.lower()))

    @property
    def default(self) -> str | None:
        """The alias used when none is named."""
        return self._read()[0]

    def find(self, alias: str) -> StoredOrg:
        """The org of that alias. Raises UsageProblem that names what is there."""
        known = self._read()[1]
        if alias in known:
            return known[alias]
        close = difflib.get_close_matches(alias, known, n=1, cutoff=0.5)
        if close:
            told = f"did you mean {close[0]}?"
        elif known:
            told = f"stored are {', '.join(sorted(known))}"
        else:
            told = "none is stored yet; sfexit login stores one"
        raise UsageProblem(f"No org is stored as {printable(alias, 60)}: {told}.")

    def set_default(self, alias: str) -> None:
        """Use `alias` when no org is named. Raises UsageProblem."""
        self.find(alias)
        with self._changing() as index:
            index.default = alias

    def add(
        self, org: StoredOrg, grant: Grant, *, access_token: Secret | None, default: bool = False
    ) -> StoredOrg:
        """Keep a sign-in; an older one of that alias is replaced. The first is the default.

        `org.place` is the wish; without a working key ring it becomes "file", see what is
        returned. Raises DiskTrouble, UsageProblem.
        """
        check_alias(org.alias)
        private_file.make_folder(self._folder)
        private_file.make_folder(self._folder / FOLDER)
        org = replace(org, key=secrets.token_hex(8))
        with self.lock(org):
            org = replace(org, place=self._keep_all(org, grant, access_token))
            with self._changing() as index:
                index.orgs[org.alias] = org
                if default or index.default not in index.orgs:
                    index.default = org.alias
        return org

    def remove(self, org: StoredOrg) -> None:
        """Forget a sign-in and its secrets. Raises DiskTrouble, VaultTrouble."""
        with self.lock(org):
            with self._changing() as index:
                if index.orgs.get(org.alias, org).key == org.key:
                    index.orgs.pop(org.alias, None)
                if index.default not in index.orgs:
                    # With one org left nobody can be in doubt; with more, nobody should guess.
                    index.default = next(iter(index.orgs)) if len(index.orgs) == 1 else None
            self.forget_secrets(org)
        with contextlib.suppress(DiskTrouble):  # an empty file; Windows may still hold it
            private_file.remove(self._lock_path(org))

    def forget_secrets(self, org: StoredOrg) -> None:
        """Remove the secrets of an org that is not in the index any more."""
        if org.place != "none":
            for name in (_grant_name(org), _access_name(org)):
                self._vaults[org.place].drop(name)

    def update(self, org: StoredOrg) -> None:
        """Write down a change to an org that is still stored."""
        with self._changing() as index:
            if index.orgs.get(org.alias) and index.orgs[org.alias].key == org.key:
                index.orgs[org.alias] = org

    # --- their secrets ---

    def lock(self, org: StoredOrg) -> contextlib.AbstractContextManager[None]:
        """Held by whoever renews or changes this sign-in, over all processes."""
        return private_file.locked(self._lock_path(org))

    def grant(self, org: StoredOrg) -> Grant:
        """The lasting secrets as they are now. Raises SignInProblem."""
        found = self._get(org, _grant_name(org))
        return Grant(
            **{
                name: Secret(value) if isinstance(value := found.get(name), str) and value else None
                for name in ("refresh_token", "client_secret")
            }
        )

    def access_token(self, org: StoredOrg) -> Secret | None:
        """The newest session, which may have ended."""
        token = self._get(org, _access_name(org)).get("access_token")
        return Secret(token) if isinstance(token, str) and is_token(token) else None

    def prove_writable(self, org: StoredOrg) -> None:
        """Write once where the next refresh token will have to go, before the only good one is
        spent. Raises SignInProblem, DiskTrouble."""
        try:
            self._vaults[org.place].put(_access_name(org), "{}")
        except VaultTrouble as trouble:
            raise SignInProblem(
                f"The key ring of this computer cannot be written ({trouble}), so the stored "
                f"sign-in {org.alias} was not renewed; unlock the key ring, or store it in a file "
                "with sfexit login --store file."
            ) from None

    def keep_renewed(self, org: StoredOrg, grant: Grant) -> StoredOrg:
        """Make a renewed grant durable; into a file when the key ring fails now of all times."""
        place = self._keep(org, grant)
        if place != org.place:
            org = replace(org, place=place)
            self.update(org)
        return org

    def keep_access(self, org: StoredOrg, token: Secret) -> None:
        """Let other runs use the session too. No harm when it cannot be kept."""
        self._keep_access(org, token)

    # --- inside ---

    def _keep_all(self, org: StoredOrg, grant: Grant, access_token: Secret | None) -> str:
        """Keep what a sign-in brought; says where it is."""
        if not grant and access_token is None:
            return "none"
        org = replace(org, place=self._keep(org, grant))
        self._keep_access(org, access_token)
        if not grant and self.access_token(org) is None:  # nothing else to be signed in with
            org = replace(org, place="file")
            self._keep_access(org, access_token)
        return org.place

    def _keep(self, org: StoredOrg, grant: Grant) -> str:
        text = json.dumps(
            {
                name: value.reveal()
                for name in ("refresh_token", "client_secret")
                if (value := getattr(grant, name)) is not None
            }
        )
        if org.place == "keyring":
            try:
                self._vaults["keyring"].put(_grant_name(org), text)
                return "keyring"
            except VaultTrouble:
                with contextlib.suppress(VaultTrouble):  # perhaps it took half of it
                    self._vaults["keyring"].drop(_grant_name(org))
        self._vaults["file"].put(_grant_name(org), text)
        return "file"

    def _keep_access(self, org: StoredOrg, token: Secret | None) -> None:
        if token is None:
            return
        text = json.dumps({"access_token": token.reveal()})
        # A session of JSON Web Token form may be longer than a key ring entry can be.
        with contextlib.suppress(VaultTrouble, DiskTrouble):
            self._vaults[org.place].put(_access_name(org), text)

    def _get(self, org: StoredOrg, name: str) -> dict[str, Any]:
        if org.place == "none":
            return {}
        try:
            text = self._vaults[org.place].get(name)
        except VaultTrouble as trouble:
            raise SignInProblem(
                f"The key ring of this computer does not open for the stored sign-in {org.alias} "
                f"({trouble}); unlock it, or sign in again with sfexit login --store file."
            ) from None
        try:
            found = json.loads(text) if text else {}
        except (ValueError, RecursionError):
            found = {}
        return found if isinstance(found, dict) else {}

    def _lock_path(self, org: StoredOrg) -> Path:
        return self._folder / FOLDER / f"{org.key}.lock"

    def _read(self) -> tuple[str | None, dict[str, StoredOrg]]:
        path = self._folder / INDEX_FILE
        try:
            with path.open("rb") as file:
                about = os.fstat(file.fileno())
                data = file.read(_INDEX_LIMIT_BYTES)
        except FileNotFoundError:
            return None, {}
        except OSError as error:
            raise SignInProblem(f"{path} cannot be read ({error.strerror}).") from None
        # Who can write it could send a session elsewhere.
        if sys.platform != "win32" and (
            about.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or about.st_uid not in (os.getuid(), 0)
        ):
            raise SignInProblem(
                f"{path} can be changed by other users of this computer; run chmod 600 on it and "
                "see that it is yours."
            )
        try:
            document = json.loads(data)
            if document["schema"] != SCHEMA:
                raise SignInProblem(
                    f"{path} was written by another version of sfexit "
                    f"({printable(str(document['schema']), 40)}); use that one, or move the file "
                    "away and sign in again."
                )
            orgs = {entry["alias"]: _org_from(entry) for entry in document["orgs"]}
            default = document.get("default")
        except (ValueError, KeyError, TypeError, RecursionError):
            raise SignInProblem(
                f"{path} is damaged; move it away and sign in again with sfexit login."
            ) from None
        return (default if default in orgs else None), orgs

    @contextlib.contextmanager
    def _changing(self) -> Iterator[_Index]:
        """Read, change and write the index, alone."""
        private_file.make_folder(self._folder)
        with private_file.locked(self._folder / f"{INDEX_FILE}.lock"):
            index = _Index(*self._read())
            yield index
            entries = [asdict(org) for _, org in sorted(index.orgs.items())]
            document = {"schema": SCHEMA, "default": index.default, "orgs": entries}
            private_file.write_private(
                self._folder / INDEX_FILE, json.dumps(document, indent=1).encode() + b"\n"
            )


@dataclass
class _Index:
    default: str | None
    orgs: dict[str, StoredOrg]


def _org_from(entry: dict[str, Any]) -> StoredOrg:
    """Raises ValueError, KeyError, TypeError."""
    known = {one.name: one.type for one in fields(StoredOrg)}
    org = StoredOrg(**{name: value for name, value in entry.items() if name in known})
    for name, kind in known.items():
        if not isinstance(getattr(org, name), bool if kind == "bool" else str):
            raise TypeError(name)
    # These become names of files and of key ring entries.
    if not _ALIAS.fullmatch(org.alias) or not _KEY.fullmatch(org.key):
        raise ValueError(org.alias)
    if org.kind not in KINDS or org.place not in ("keyring", "file", "none"):
        raise ValueError(org.kind)
    return org


def _grant_name(org: StoredOrg) -> str:
    return f"{org.key}-grant"


def _access_name(org: StoredOrg) -> str:
    return f"{org.key}-access"


def check_alias(alias: str) -> None:
    """Raise UsageProblem when `alias` cannot be one."""
    if not _ALIAS.fullmatch(alias):
        raise UsageProblem(
            f"{printable(alias, 60)} cannot be an alias: letters, digits and _ . @ + - are "
            "allowed, 80 at most, beginning with a letter or digit."
        )


def now() -> str:
    """This moment, for `StoredOrg.stored_at`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- being signed in with what is stored

_CAUSES = (
    Cause("invalid_grant", "", "the sign-in has ended"),
    Cause(
        "invalid_client",
        "",
        "the app wants its secret for renewals; sign in again with SFEXIT_CLIENT_SECRET set, or "
        "untick 'Require secret for Refresh Token Flow' in the app",
    ),
    *COMMON_CAUSES,
)


class StoredSession:
    """A person's sign-in from the store, renewed with its refresh token."""

    kind = "stored sign-in"

    def __init__(
        self,
        store: Store,
        org: StoredOrg,
        *,
        allow_hosts: Collection[str] = (),
        http: Callable[[], requests.Session] = new_session,
        ca_bundle: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Sends nothing yet, and opens no key ring. Raises UsageProblem."""
        self._store = store
        self._org = org
        self._endpoint = TokenEndpoint(
            Origin.parse(org.login_url, allow_hosts=allow_hosts),
            allow_hosts=allow_hosts,
            http=http,
            ca_bundle=ca_bundle,
        )
        self._origin = Origin.parse(org.instance_url, allow_hosts=allow_hosts)
        self._used = False  # whether somebody has been told the origin
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Secret | None = None
        self._renewed_at = -SETTLE_SECONDS

    @property
    def renewable(self) -> bool:
        return self._org.renewable

    @property
    def origin(self) -> Origin:
        self.token()
        return self._origin

    def token(self) -> Secret:
        with self._lock:
            if self._token is None:
                self._token = self._store.access_token(self._current())
            if self._token is None:
                self._token = self._renewed(None)
            self._used = True
            return self._token

    def renew(self, stale: Secret) -> Secret:
        with self._lock:
            if self._token is not None:
                if self._token != stale:
                    return self._token
                if self._clock() - self._renewed_at < SETTLE_SECONDS:
                    return self._token
            self._token = self._renewed(stale)
            return self._token

    def _current(self) -> StoredOrg:
        """The org as it is stored now: another run may have changed where its secrets are."""
        try:
            found = self._store.find(self._org.alias)
        except UsageProblem:
            found = None
        if found is None or found.key != self._org.key:
            raise SessionLost(
                f"The stored sign-in {self._org.alias} was removed or replaced while it was in "
                "use; run the same command again. Progress is kept."
            )
        self._org = found
        return found

    def _renewed(self, stale: Secret | None) -> Secret:
        with self._store.lock(self._org):
            org = self._current()
            found = self._store.access_token(org)
            if found is not None and found != stale:
                return found  # another run renewed it in the meantime
            return self._refresh(org)

    def _refresh(self, org: StoredOrg) -> Secret:
        """Trade the refresh token for a session. The lock is held."""
        grant = self._store.grant(org)
        if grant.refresh_token is None:
            raise self._ended("the app gives no refresh tokens, or its key ring entry is gone")
        self._store.prove_writable(org)
        try:
            answer = self._endpoint.ask(_form(org, grant), causes=_CAUSES)
        except GrantRefused as refused:
            if refused.code != "invalid_grant":
                raise
            # On a disk whose locks are worth nothing another run may have been faster: look once.
            again = self._store.grant(org)
            if again.refresh_token in (None, grant.refresh_token):
                raise self._ended(refused.reason) from None
            grant = again
            try:
                answer = self._endpoint.ask(_form(org, grant), causes=_CAUSES)
            except GrantRefused as second:
                raise self._ended(second.reason) from None
        if answer.refresh_token is not None and answer.refresh_token != grant.refresh_token:
            # First the new refresh token, for good; only then the session that came with it.
            try:
                org = self._org = self._store.keep_renewed(
                    org, replace(grant, refresh_token=answer.refresh_token)
                )
            except DiskTrouble as trouble:  # it was proved writable a moment ago
                raise DiskTrouble(
                    f"{trouble.message.rstrip('.')}; with it went the stored sign-in {org.alias}, "
                    "whose old refresh token is spent: sign in again with sfexit login."
                ) from None
        if answer.organization_id not in ("", org.organization_id):
            raise SignInProblem(
                f"The stored sign-in {org.alias} leads to the org {answer.organization_id} "
                f"instead of {org.organization_id}; sign in again."
            )
        self._store.keep_access(org, answer.access_token)
        self._renewed_at = self._clock()
        if answer.origin != self._origin:
            before, self._origin = self._origin, answer.origin
            self._org = replace(org, instance_url=str(answer.origin))
            self._store.update(self._org)
            if self._used:
                raise moved(before, answer.origin)
        return answer.access_token

    def _ended(self, reason: str) -> SessionLost:
        return SessionLost(
            f"The stored sign-in {self._org.alias} has ended ({reason}); run sfexit login --alias "
            f"{self._org.alias} and then the same command again. Progress is kept."
        )


def _form(org: StoredOrg, grant: Grant) -> dict[str, str | Secret]:
    assert grant.refresh_token is not None
    form: dict[str, str | Secret] = {
        "grant_type": "refresh_token",
        "refresh_token": grant.refresh_token,
        "client_id": org.client_id,
    }
    if grant.client_secret is not None:
        form["client_secret"] = grant.client_secret
    return form


def credential(
    store: Store,
    org: StoredOrg,
    *,
    allow_hosts: Collection[str] = (),
    http: Callable[[], requests.Session] = new_session,
    ca_bundle: str | None = None,
) -> Credential:
    """The way to be signed in to a stored org. Raises SignInProblem, UsageProblem."""
    if org.kind == "web":
        return StoredSession(store, org, allow_hosts=allow_hosts, http=http, ca_bundle=ca_bundle)
    endpoint = TokenEndpoint(
        Origin.parse(org.login_url, allow_hosts=allow_hosts),
        allow_hosts=allow_hosts,
        http=http,
        ca_bundle=ca_bundle,
    )
    if org.kind == "jwt":
        return JwtBearer(
            endpoint,
            org.client_id,
            org.username,
            Path(org.key_file),
            audience=org.audience or None,
            expected=Origin.parse(org.instance_url, allow_hosts=allow_hosts),
        )
    secret = store.grant(org).client_secret
    if secret is None:
        raise SignInProblem(
            f"The secret of the stored sign-in {org.alias} is gone; run sfexit login --method "
            f"client-credentials --alias {org.alias} again."
        )
    return ClientCredentials(endpoint, org.client_id, secret)


def revoke(
    store: Store,
    org: StoredOrg,
    *,
    allow_hosts: Collection[str] = (),
    http: Callable[[], requests.Session] = new_session,
    ca_bundle: str | None = None,
) -> bool | None:
    """End a stored sign-in in the org itself, with all sessions that came from it.

    None when this kind leaves nothing there to end; False when it had ended already. Raises
    SignInProblem, Transient.
    """
    with store.lock(org):
        token = store.grant(org).refresh_token or store.access_token(org)
        if token is None:
            return None
        endpoint = TokenEndpoint(
            Origin.parse(org.login_url, allow_hosts=allow_hosts),
            allow_hosts=allow_hosts,
            http=http,
            ca_bundle=ca_bundle,
        )
        return endpoint.revoke(token)


__all__ = [
    "KINDS",
    "Grant",
    "KeyringVault",
    "Store",
    "StoredOrg",
    "StoredSession",
    "Vault",
    "VaultTrouble",
    "check_alias",
    "credential",
    "now",
    "revoke",
]
