"""Rows that the bag before has and the org does not give any more: what became of them.

A row that was deleted is still told by queryAll, as long as it lies in the recycle bin; such rows
do not come here. What comes here was purged, or is hidden from this user now. Salesforce tells
neither: both are simply not found. So they are asked for once more by id, and what the user saw
then is compared with what he sees now.
"""

from __future__ import annotations

from collections.abc import Sequence

from sfexit.errors import OrgRefused
from sfexit.export.refresh import fetching
from sfexit.preflight import Sight
from sfexit.preflight.sight import HELD, UNKNOWN
from sfexit.salesforce import query
from sfexit.salesforce.client import Client

ASKED_AGAIN = 2_000  # of an object's vanished rows; the full list of live ids is the first witness


def found_again(client: Client, object_name: str, ids: Sequence[str]) -> tuple[int, int] | None:
    """How many of the first `ASKED_AGAIN` ids were asked for by id, and how many were found.

    None when the org refuses the question.
    """
    wanted = list(ids[:ASKED_AGAIN])
    bare = query.uri_length(client, f"SELECT Id FROM {object_name} WHERE Id IN ()")  # noqa: S608
    size = max(1, (query.URI_LIMIT - bare) // fetching.ID_URI_BYTES)
    found = 0
    for start in range(0, len(wanted), size):
        condition = fetching.by_ids(wanted[start : start + size])
        try:
            page = query.first_page(client, f"SELECT Id FROM {object_name} WHERE {condition}")  # noqa: S608
        except OrgRefused:
            return None
        found += page.total_size
    return len(wanted), found


def smaller_sight(before: Sight | None, now: Sight, object_name: str) -> str:
    """What this user saw when the bag before was made and does not see now, as far as it may hide
    rows of the object; empty when there is nothing of that kind."""
    if before is None:
        return ""
    if before.user_id != now.user_id:
        return "another user exports than the one before"
    lost = [
        one.label
        for one in now.permissions
        if one.state != HELD
        and before.state(one.api_name) == HELD
        and (not one.objects or object_name in one.objects)
    ]
    known = {(spot.kind, spot.field) for spot in before.of(object_name)}
    spots = [
        spot.what
        for spot in now.of(object_name)
        if spot.certainty != UNKNOWN and not spot.field and (spot.kind, spot.field) not in known
    ]
    return "; ".join([*(f"the permission {label} was lost" for label in lost), *spots])
