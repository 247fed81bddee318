"""The stage that keeps what the org says of itself, of the user and of its allowances."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from sfexit.archive import layout
from sfexit.errors import OrgRefused, Transient
from sfexit.export.means import Means
from sfexit.export.stage import Stage
from sfexit.salesforce import org as orgs
from sfexit.salesforce.client import Client


class Organization(Stage):
    """The row of Organization (`row`, once read back), the identity, the limits before reading."""

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        self.row: dict[str, Any] = {}
        self._asking: Future[None] | None = None

    def take(self) -> None:
        self._asking = self.means.aside(self._ask)

    def read_back(self) -> bool:
        if self._asking is not None:
            self._asking.result()
        self.means.insist()
        return True

    def _ask(self) -> None:
        means = self.means
        stored = means.stored_json(layout.ORGANIZATION)
        if stored is None:
            stored = orgs.organization(means.client)
            means.publish_json(layout.ORGANIZATION, stored)
        self.row = stored
        if means.stored_json(layout.IDENTITY) is None:
            identity = means.identity
            means.publish_json(
                layout.IDENTITY,
                {
                    "organization_id": identity.organization_id,
                    "user_id": identity.user_id,
                    "username": identity.username,
                },
            )
        if means.stored_json(layout.LIMITS) is None:
            means.publish_json(layout.LIMITS, {"before": limits(means.client)})


def limits(client: Client) -> dict[str, Any]:
    """The org's allowances; empty when it does not tell them."""
    with suppress(OrgRefused, Transient):
        return orgs.limits(client)
    return {}
