"""What the running user can see of an org and what not, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sfexit.redaction import printable

SCHEMA = "sfexit-sight/1"

HELD, MISSING, UNKNOWN = "held", "missing", "unknown"
CERTAIN, LIKELY = "certain", "likely"  # and UNKNOWN: the check could not be made


@dataclass(frozen=True)
class Permission:
    """A permission of the running user. `state` is held, missing or unknown."""

    api_name: str
    label: str
    shows: str
    objects: tuple[str, ...]
    kind: str
    state: str
    evidence: str


@dataclass(frozen=True)
class BlindSpot:
    """Something that this user does not see, or of which nobody can tell.

    `object` is "" when every object is concerned, `field` is "" when it is not about a field.
    `permission` is a label of Setup, "" when no permission lifts it. `certainty`: "certain" (it
    was seen to be hidden), "likely" (the permission for it is missing), "unknown" (could not be
    checked).
    """

    kind: str
    object: str
    field: str
    what: str
    permission: str
    remedy: str
    evidence: str
    certainty: str


def unknown_spot(kind: str, what: str, permission: str, remedy: str, evidence: str) -> BlindSpot:
    """A check that could not be made, of the whole org."""
    return BlindSpot(kind, "", "", what, permission, remedy, printable(evidence, 300), UNKNOWN)


@dataclass(frozen=True)
class HiddenObject:
    """An object that the org defines and that this user's list of objects leaves out."""

    name: str
    label: str
    queryable: bool | None
    outcome: str  # of its ledger line
    reason: str
    evidence: str
    remedy: str


@dataclass(frozen=True)
class Change:
    """Something of an object that was changed in the org between its reading and the seal.

    `field` is "" when the whole object is concerned. `lost`: the bag lacks values because of it.
    """

    object: str
    field: str
    what: str
    lost: bool = False


@dataclass(frozen=True)
class Sight:
    """The result of a look at an org through one user's eyes."""

    user_id: str
    permissions: tuple[Permission, ...]
    blind_spots: tuple[BlindSpot, ...]
    hidden_objects: tuple[HiddenObject, ...] = ()
    all_rows_of: frozenset[str] = frozenset()  # View All on the object, without View All Data
    fields_checked: frozenset[str] = frozenset()  # objects
    fields_unchecked: Mapping[str, str] = field(default_factory=dict)  # object → why
    fields_later: frozenset[str] = frozenset()  # objects that seemed to be empty, to be looked at
    known_permissions: frozenset[str] = frozenset()  # API names that this org has
    dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()  # found before the seal
    api_calls: int = 0

    @property
    def clear(self) -> bool:
        """True when everything was checked and nothing is hidden."""
        return not self.blind_spots

    def state(self, api_name: str) -> str:
        """held, missing or unknown."""
        return next((p.state for p in self.permissions if p.api_name == api_name), UNKNOWN)

    def of(self, name: str) -> tuple[BlindSpot, ...]:
        """The blind spots that concern exactly this object."""
        return tuple(spot for spot in self.blind_spots if spot.object == name)

    def as_json(self) -> dict[str, Any]:
        """The form in which it is stored; stable within `sfexit-sight/1`."""
        return {
            "schema": SCHEMA,
            "user_id": self.user_id,
            "clear": self.clear,
            "permissions": [asdict(one) for one in self.permissions],
            "blind_spots": [asdict(one) for one in self.blind_spots],
            "hidden_objects": [asdict(one) for one in self.hidden_objects],
            "all_rows_of": sorted(self.all_rows_of),
            "fields_checked": sorted(self.fields_checked),
            "fields_unchecked": dict(sorted(self.fields_unchecked.items())),
            "fields_later": sorted(self.fields_later),
            "known_permissions": sorted(self.known_permissions),
            "dependencies": {k: list(v) for k, v in sorted(self.dependencies.items())},
            "changes": [asdict(one) for one in self.changes],
            "api_calls": self.api_calls,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Sight:
        """Back from the stored form. Raises ValueError for anything else."""
        if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
            raise ValueError(f"not a document of the kind {SCHEMA}")
        try:
            return cls(
                user_id=str(document["user_id"]),
                permissions=tuple(
                    Permission(**{**one, "objects": tuple(one["objects"])})
                    for one in document["permissions"]
                ),
                blind_spots=tuple(BlindSpot(**one) for one in document["blind_spots"]),
                hidden_objects=tuple(HiddenObject(**one) for one in document["hidden_objects"]),
                all_rows_of=frozenset(document["all_rows_of"]),
                fields_checked=frozenset(document["fields_checked"]),
                fields_unchecked=dict(document["fields_unchecked"]),
                fields_later=frozenset(document.get("fields_later", ())),
                known_permissions=frozenset(document["known_permissions"]),
                dependencies={k: tuple(v) for k, v in document["dependencies"].items()},
                changes=tuple(Change(**one) for one in document.get("changes", ())),
                api_calls=int(document["api_calls"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"a damaged document of the kind {SCHEMA}") from error


def refusals_for_strict(sight: Sight) -> list[str]:
    """Why `--strict` must not start: one sentence for each group of blind spots; empty: it may."""
    groups: dict[tuple[str, str, str], list[BlindSpot]] = {}
    for spot in sight.blind_spots:
        groups.setdefault((spot.kind, spot.permission, spot.remedy), []).append(spot)
    sentences = []
    for (_, _, remedy), spots in groups.items():
        first = spots[0]
        doubt = "could not be checked: " if first.certainty == UNKNOWN else ""
        more = f" (and {len(spots) - 1:,} more)" if len(spots) > 1 else ""
        sentences.append(f"{doubt}{first.what}{more}: {remedy}.")
    return sentences
