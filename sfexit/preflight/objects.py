"""Objects that an org defines and that one user's list of objects leaves out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sfexit.catalog import ObjectEntry
from sfexit.preflight.needs import BY_NAME
from sfexit.preflight.sight import CERTAIN, HELD, LIKELY, BlindSpot, HiddenObject
from sfexit.redaction import printable
from sfexit.salesforce.object_rules import rule_for

NAMED_BY = "Tooling EntityDefinition names it; describeGlobal does not"
LISTED_BY = (
    "the Metadata API lists it (listMetadata, CustomObject); describeGlobal and EntityDefinition "
    "do not"
)

_OUTCOMES = {"no_data": "no_data", "covered": "covered"}
_CUSTOM = ("__c", "__mdt", "__b", "__x", "__kav")

# Standard objects that one permission of their own shows (Object Reference, "Special Access
# Rules" of each).
_OWN_PERMISSION = {
    name: need.label for need in BY_NAME.values() if need.api_name != "ViewSetup"
    for name in need.objects
}  # fmt: skip
_GIVE_ACCESS = "switch Chatter on for the export user, then export again"


def is_custom(name: str) -> bool:
    """Whether somebody made this object: such objects have no feature that could be off."""
    return name.endswith(_CUSTOM)


def hidden_objects(
    rows: Iterable[Mapping[str, Any]],
    entries: Iterable[ObjectEntry],
    *,
    tooling: Collection[str] = (),
    view_all_data: str,
) -> tuple[tuple[HiddenObject, ...], tuple[BlindSpot, ...]]:
    """The objects of EntityDefinition that `entries` lacks, and the blind spots among them.

    `tooling` are names that only the Tooling API lists; `view_all_data` is the permission's state.
    """
    seen = {entry.name for entry in entries}
    hidden, spots = [], []
    for row in rows:
        name = row.get("QualifiedApiName")
        if not isinstance(name, str) or not name or name in seen:
            continue
        seen.add(name)
        one, spot = _classify(name, row, name in tooling, view_all_data)
        hidden.append(one)
        if spot is not None:
            spots.append(spot)
    return tuple(hidden), tuple(spots)


def named_by_metadata(
    names: Iterable[str], known: Collection[str], view_all_data: str
) -> tuple[tuple[HiddenObject, ...], tuple[BlindSpot, ...]]:
    """The custom objects `names` of the Metadata API that no other list has, and the blind spots
    among them. `known`: those that describeGlobal or EntityDefinition name."""
    found = [
        _classify(name, {"QualifiedApiName": name}, False, view_all_data)
        for name in sorted(set(names) - set(known))
    ]
    return (
        tuple(replace(one, evidence=LISTED_BY) for one, _ in found),
        tuple(replace(spot, evidence=LISTED_BY) for _, spot in found if spot is not None),
    )


def _classify(
    name: str, row: Mapping[str, Any], tooling: bool, view_all_data: str
) -> tuple[HiddenObject, BlindSpot | None]:
    told = row.get("Label")
    label = printable(told, 120) if isinstance(told, str) else name
    flag = row.get("IsQueryable")
    queryable = flag if isinstance(flag, bool) else None
    shown = printable(name, 90)

    def line(
        outcome: str, reason: str, remedy: str, evidence: str = NAMED_BY
    ) -> tuple[HiddenObject, None]:
        return HiddenObject(name, label, queryable, outcome, reason, evidence, remedy), None

    rule = rule_for(ObjectEntry(name=name, label=label, queryable=queryable is not False))
    if rule is None and queryable is False:
        rule = rule_for(ObjectEntry(name=name, label=label, queryable=False))
    if rule is not None and rule.kind in _OUTCOMES:
        return line(_OUTCOMES[rule.kind], rule.reason, "", rule.source)
    if rule is not None and rule.kind == "by_feed":
        return line("not_exported", rule.reason, _GIVE_ACCESS, f"{NAMED_BY}; {rule.source}")
    if rule is not None and rule.kind in ("by_metadata", "external"):
        return line("not_exported", rule.reason, rule.remedy, rule.source)
    if tooling:
        return line(
            "not_exported",
            "part of the org's configuration: only the Tooling API lists it",
            "take a metadata backup by other means (for example the Salesforce CLI) until sfexit "
            "does it",
            f"{NAMED_BY}; the Tooling API's list does",
        )
    if row.get("IsDeprecatedAndHidden") is True:
        return line(
            "not_exported",
            "retired: the org marks it as unavailable in this API version",
            "export again with an older --api-version that still has it",
            f"{NAMED_BY}; IsDeprecatedAndHidden = true",
        )
    if queryable is False:
        return line(
            "not_exported",
            "the org defines it but lets nobody query it, and no rule explains it",
            "nothing you can do now: report the object, so that a later version of sfexit knows it",
            f"{NAMED_BY}; IsQueryable = false",
        )
    permission, reason, remedy, certainty = _lift(name, row, view_all_data)
    one = HiddenObject(name, label, queryable, "not_exported", reason, NAMED_BY, remedy)
    return one, BlindSpot(
        "object_hidden",
        name,
        "",
        f"the object {shown} is hidden from this user",
        permission,
        remedy,
        NAMED_BY,
        certainty,
    )


def _lift(name: str, row: Mapping[str, Any], view_all_data: str) -> tuple[str, str, str, str]:
    """Permission, reason, remedy and certainty for a hidden object that can be queried."""
    shown = printable(name, 90)
    reason = "this user has no read access to the object"
    if row.get("DeploymentStatus") == "InDevelopment":
        return (
            "Customize Application",
            "the object is still marked as in development, so only administrators see it",
            "give the user Customize Application for the export, or set the object's Deployment "
            f"Status to Deployed (Setup > Object Manager > {shown})",
            CERTAIN,
        )
    if row.get("IsCustomSetting") is True:
        return (
            "View All Custom Settings",
            reason,
            "give the user View All Custom Settings, or this custom setting under Custom Setting "
            "Definitions of a permission set",
            CERTAIN,
        )
    if name.endswith("__mdt"):
        return (
            "Customize Application",
            reason,
            "give the user this type under Custom Metadata Types of a permission set, or Customize "
            "Application; protected types of a package stay hidden from everybody",
            LIKELY,
        )
    if name.endswith("__kav") or name.startswith("Knowledge"):
        return (
            "Knowledge User",
            "Knowledge shows itself only to Knowledge users",
            "tick Knowledge User on the user's record (Setup > Users) and give Read on Knowledge "
            "in a permission set",
            LIKELY,
        )
    if name in _OWN_PERMISSION:
        label = _OWN_PERMISSION[name]
        return label, reason, f"give the user {label}", LIKELY
    if is_custom(name) and view_all_data != HELD:
        return (
            "View All Data",
            reason,
            f"give the user View All Data, or Read and View All Records on {shown} in a "
            "permission set",
            CERTAIN,
        )
    if is_custom(name):
        return (
            f"Read on {shown}",
            reason,
            f"give the user Read and View All Records on {shown} in a permission set (Object "
            "Settings)",
            CERTAIN,
        )
    absent = "if it is not listed there, its feature is off and it holds nothing to see"
    return (
        f"Read on {shown}" if view_all_data == HELD else "View All Data",
        "this user has no read access to the object, or its feature is switched off in this org",
        f"give the user Read and View All Records on {shown} in a permission set (Object "
        f"Settings){'' if view_all_data == HELD else ', or View All Data'}; {absent}",
        LIKELY,
    )
