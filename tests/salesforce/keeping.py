"""A store of sign-ins in a folder of the test, and what the org answers to a renewal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import responses

from sfexit.redaction import Secret
from sfexit.salesforce.stored import Grant, Store, StoredOrg
from sfexit.salesforce.vaults import VaultTrouble

from .wire import NEW_TOKEN, ORG, TOKEN

TOKEN_URL = f"{ORG}/services/oauth2/token"
ORG_ID = "00D5g0000000001EAA"
REFRESH = "5Aep861refreshCANARY1"
REFRESH_2 = "5Aep861refreshCANARY2"
REFRESH_3 = "5Aep861refreshCANARY3"


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
