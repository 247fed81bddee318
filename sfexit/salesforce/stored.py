"""Sign-ins kept on this computer: several orgs by alias, their secrets apart from the rest.

`orgs.json` in the configuration folder says which orgs there are and holds no secret. Secrets are
in the system's key ring, or, where there is none, in files of mode 0600 under `sessions/`.

With refresh token rotation each refresh token works once, and using one a second time ends the
whole sign-in at once (Salesforce Help 005316711). So a sign-in is renewed under a lock that all
processes respect, what is stored is read again under that lock, and the new refresh token is on
the disk before the access token that came with it is used (`stored_session`).
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
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sfexit.errors import DiskTrouble, SignInProblem, UsageProblem
from sfexit.redaction import Secret, printable
from sfexit.salesforce import private_file
from sfexit.salesforce.credential import is_token
from sfexit.salesforce.vaults import FileVault, KeyringVault, Vault, VaultTrouble

SCHEMA = "sfexit-orgs/1"
INDEX_FILE = "orgs.json"
FOLDER = "sessions"

Kind = Literal["web", "client-credentials", "jwt"]
Place = Literal["keyring", "file", "none"]

KINDS = ("web", "client-credentials", "jwt")
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,79}")
_KEY = re.compile(r"[0-9a-f]{16}")
_INDEX_LIMIT_BYTES = 1 << 20


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
