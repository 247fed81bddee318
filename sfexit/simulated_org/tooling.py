"""The Tooling API's reading side (Tooling API guide, REST Resources)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .errors import not_found
from .listed import flags_of, lines
from .schema import SObject

if TYPE_CHECKING:
    from .org import SimulatedOrg
    from .visibility import View

#: Objects the Tooling API answers queries about here.
ANSWERED = frozenset(
    [
        "EntityDefinition",
        "FieldDefinition",
        "EntityParticle",
        "ApexTrigger",
        "RestrictionRule",
        "ValidationRule",
        "PermissionDependency",
        "PermissionSet",
        "PermissionSetAssignment",
        "Profile",
        "User",
        "Organization",
        "UserEntityAccess",
        "UserFieldAccess",
        "PicklistValueInfo",
        "OwnerChangeOptionInfo",
    ]
)


@lru_cache(maxsize=1)
def _listed() -> dict[str, SObject]:
    out = {}
    for name, prefix, letters in lines("tooling_objects.txt"):
        out[name.lower()] = SObject(
            name=name,
            prefix=prefix.replace("-", ""),
            fields=(),
            flags=flags_of(letters),
            queryable="q" in letters,
            retrieveable="v" in letters,
        )
    return out


def _moved(entry: dict[str, Any], version: str) -> dict[str, Any]:
    old, new = f"/v{version}/sobjects/", f"/v{version}/tooling/sobjects/"
    entry["urls"] = {k: u.replace(old, new) for k, u in entry["urls"].items()}
    return entry


def describe_global(org: SimulatedOrg, version: str) -> dict[str, Any]:
    """``GET /tooling/sobjects``: another list than that of ``/sobjects``."""
    objects = dict(_listed())
    for name in ("RestrictionRule", "PermissionDependency"):
        objects[name.lower()] = org.tables.full(name)
    entries = [_moved(o.summary(version), version) for _, o in sorted(objects.items())]
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": entries}


def _find(org: SimulatedOrg, name: str) -> SObject | None:
    known = {n.lower(): n for n in org.tables.tables}
    real = known.get(name.lower())
    return org.tables.full(real) if real in ANSWERED else _listed().get(name.lower())


def describe(org: SimulatedOrg, name: str, version: str) -> bytes:
    """``GET /tooling/sobjects/X/describe``."""
    sobject = _find(org, name)
    if sobject is None:
        raise not_found()
    return sobject.describe_text(version, ())


def query(org: SimulatedOrg, view: View, text: str, version: str, options: str) -> bytes:
    """``GET /tooling/query``."""
    return org.cursors.first(text, False, version, options, org.tooling_view(view))
