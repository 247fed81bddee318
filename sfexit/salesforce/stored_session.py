"""Being signed in with what `stored` keeps: renewed under its lock, or ended in the org."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import requests

from sfexit.errors import DiskTrouble, SessionLost, SignInProblem, UsageProblem
from sfexit.redaction import Secret
from sfexit.salesforce.credential import SETTLE_SECONDS, Credential, moved
from sfexit.salesforce.jwt_bearer import JwtBearer
from sfexit.salesforce.login import ClientCredentials
from sfexit.salesforce.origin import Origin
from sfexit.salesforce.stored import Grant, Store, StoredOrg
from sfexit.salesforce.token_endpoint import COMMON_CAUSES, Cause, GrantRefused, TokenEndpoint
from sfexit.salesforce.transport import new_session

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
