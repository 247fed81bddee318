"""What the user may see, asked once more before the seal.

A permission that is taken away while records are read, or a restriction rule that is made then,
hides rows without a word: the queries that follow succeed and give fewer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from sfexit.preflight.held import objects_with_all_rows, permissions
from sfexit.preflight.looking import describe_catalogues
from sfexit.preflight.questions import Questions
from sfexit.preflight.rows import hidden_rows
from sfexit.preflight.sight import (
    CERTAIN,
    HELD,
    LIKELY,
    MISSING,
    UNKNOWN,
    BlindSpot,
    Sight,
    unknown_spot,
)
from sfexit.salesforce.client import Client

_SINCE = "it was not so when this export began"


def rights_again(
    client: Client, sight: Sight, names: Collection[str], rows: Mapping[str, int]
) -> Sight:
    """`sight` with what was taken away since: the same object when nothing was.

    `names` are the objects that the org named, `rows` how many of each were read. About five
    calls. What was held and cannot be found out the second time is unknown. Raises what the client
    raises, but no OrgRefused.
    """
    if not sight.permissions:
        return sight  # there was no first look to compare with
    asking = Questions(client)
    there = set(names)
    described = describe_catalogues(asking, there)
    held, _ = permissions(asking, sight.user_id, described)
    states = {one.api_name: one.state for one in held}
    known = {_which(spot) for spot in sight.blind_spots}
    # An object without rows has none that are hidden from who saw all of them before.
    spots = tuple(
        replace(spot, evidence=f"{spot.evidence}; {_SINCE}")
        for spot in hidden_rows(asking, there, states, rows, described)
        if spot.certainty in (CERTAIN, LIKELY) and _which(spot) not in known
    )
    lost = {one.api_name for one in sight.permissions
            if one.state == HELD and states[one.api_name] == MISSING}  # fmt: skip
    untold = sorted(one.label for one in sight.permissions
                    if one.state == HELD and states[one.api_name] == UNKNOWN)  # fmt: skip
    if untold:
        spots += (not_asked_again(f"the org did not tell of {', '.join(untold)}"),)
    if not spots and not lost:
        return sight
    all_rows_of = sight.all_rows_of
    if "ViewAllData" in lost:
        all_rows_of = objects_with_all_rows(asking, sight.user_id)
    return replace(
        sight,
        permissions=tuple(
            replace(one, state=MISSING, evidence=f"{one.evidence}, before the seal; {_SINCE}")
            if one.api_name in lost
            else one
            for one in sight.permissions
        ),
        blind_spots=sight.blind_spots + spots,
        all_rows_of=all_rows_of,
    )


def not_asked_again(why: str) -> BlindSpot:
    """That nobody knows whether something was taken away meanwhile. It must not pass for held."""
    return unknown_spot(
        "rows_hidden",
        "whether permissions were taken away during the export is unknown",
        "View All Data",
        "compare with the org (sfexit verify-backup)",
        f"before the seal: {why}",
    )


def _which(spot: BlindSpot) -> tuple[str, ...]:
    return spot.kind, spot.object, spot.field, spot.permission, spot.what
