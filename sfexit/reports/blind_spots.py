"""Blind spots as people are told of them: one entry for all that one permission lifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sfexit.preflight.sight import UNKNOWN, BlindSpot


@dataclass(frozen=True)
class Group:
    """Blind spots with one remedy. `head` names them, `names` are the objects or fields."""

    permission: str
    certainty: str
    head: str
    names: tuple[str, ...]
    remedy: str
    evidence: str


def groups(spots: Sequence[BlindSpot]) -> list[Group]:
    """Blind spots by what lifts them, sure ones first, then those that concern most."""
    found: dict[tuple[str, str, str], list[BlindSpot]] = {}
    for spot in spots:
        key = (spot.kind, spot.permission if spot.field else spot.remedy, spot.certainty)
        found.setdefault(key, []).append(spot)
    told = [_group(members) for members in found.values()]
    return sorted(told, key=lambda one: (one.certainty == UNKNOWN, bool(one.names)))


def _group(members: Sequence[BlindSpot]) -> Group:
    first = members[0]
    names = tuple(
        f"{spot.object}.{spot.field}" if spot.field else spot.object
        for spot in members
        if spot.object
    )
    head = first.what
    if len(members) > 1:
        owners = len({spot.object for spot in members})
        head = {
            "field_hidden": f"{len(members):,} fields of {owners:,} objects are hidden",
            "masked": f"{len(members):,} encrypted fields come masked",
            "object_hidden": f"{len(members):,} objects are hidden",
        }.get(first.kind, "; ".join(dict.fromkeys(spot.what for spot in members)))
    return Group(first.permission, first.certainty, head, names, first.remedy, first.evidence)
