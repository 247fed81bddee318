"""Who verifies, and what they may see: asked of the org, judged by `coverage`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sfexit.errors import Blocked
from sfexit.salesforce.client import Client
from sfexit.verify.finding import Finding
from sfexit.verify.live import coverage
from sfexit.verify.live.archived import Bag
from sfexit.verify.live.schema import Shape
from sfexit.verify.live.wire import Wire


def look(
    wire: Wire, shapes: Mapping[str, Shape], with_rows: Sequence[str]
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """What the user who verifies may not see; and the needed permissions that the user holds."""
    masked = any(
        one.type == "encryptedstring" for shape in shapes.values() for one in shape.fields.values()
    )
    held: dict[str, Any] = {}
    unread = ""
    columns = [column for column, _, _ in (*coverage.NEEDED, coverage.HARMFUL)]

    def question(*names: str) -> str:
        soql = f"SELECT {','.join(names)} FROM UserPermissionAccess"  # noqa: S608
        return wire.address(soql, everything=False)

    reply = wire.try_get(question(*columns))
    if reply.ok and reply.rows:
        held = reply.rows[0]
    elif reply.code == "INVALID_FIELD":
        alone = wire.many([question(one) for one in columns])
        for column, answer in zip(columns, alone, strict=True):
            held.update(answer.rows[0] if answer.ok and answer.rows else {})
            if not answer.ok and answer.code == "INVALID_FIELD":
                held.pop(column, None)
    else:
        unread = reply.refusal or "UserPermissionAccess has no row"
    found = coverage.eyes(held, unread, with_rows, masked=masked)
    return found, tuple(label for column, label, _ in coverage.NEEDED if held.get(column) is True)


def who(client: Client, bag: Bag) -> dict[str, str]:
    """Who is signed in to which org. Raises Blocked when it is not the archive's."""
    told = client.get_json("/services/oauth2/userinfo")
    told = told if isinstance(told, dict) else {}
    ours, theirs = str(told.get("organization_id", "")), bag.organization_id[:18]
    if ours[:15] != theirs[:15]:
        raise Blocked(
            f"the archive is of the org {theirs}, but you are signed in to {ours[:18]}: sign in to "
            "the right org, or name its home"
        )
    return {
        "organization_id": ours,
        "user_id": str(told.get("user_id", "")),
        "username": str(told.get("preferred_username", "")),
    }
