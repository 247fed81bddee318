"""Objects that need another road than a plain query, and objects that are by design not data.

The knowledge is data (`object_rules.json`, each group with its source); this module only looks it
up. An object without a rule is read the ordinary way, and what the org then says decides.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from sfexit.catalog import ObjectEntry

#: What a rule may say.
#: no_data          by design not data; the register of product section "Trust"
#: covered          its content stands elsewhere in the bag
#: by_metadata      its content belongs to the metadata
#: by_parent        readable only by the values of a field: `field`, `operator`, `parents`
#: by_feed          readable only inside the rows of record feeds: `relationship`
#: external         rows live in another system
#: rest             readable, but not by Bulk API 2.0
#: uncounted        readable, but COUNT() is refused
#: private_folders  readable, but a plain query hides rows in private folders
#: versions         readable, but a plain query may hide versions
KINDS = frozenset(
    {
        "no_data",
        "covered",
        "by_metadata",
        "by_parent",
        "by_feed",
        "external",
        "rest",
        "uncounted",
        "private_folders",
        "versions",
    }
)


@dataclass(frozen=True)
class Rule:
    """What is known in advance of an object."""

    kind: str
    reason: str
    source: str
    remedy: str = ""
    field: str = ""  # what to filter by, for `by_parent` and `versions`
    operator: str = "IN"  # or "=": one value at a time
    parents: tuple[str, ...] = ()  # where the values come from, as `sfexit.export.walks` has it
    condition: str = ""  # what else each query asks for
    caveat: str = ""  # what a reading may lack, for all that is known
    plain: bool = True  # False: a plain query is refused or a server error, so it is not tried
    relationship: str = ""  # by which the parent's rows give it, for `by_feed`


@dataclass(frozen=True)
class _Group:
    rule: Rule
    objects: frozenset[str]
    suffixes: tuple[str, ...]
    only_if: str  # "not_queryable", "managed" (of a package with a namespace), or "" for always

    def speaks_of(self, entry: ObjectEntry) -> bool:
        """True when what the group is limited to is so."""
        if self.only_if == "not_queryable":
            return not entry.queryable
        return self.only_if != "managed" or entry.name.count("__") == 2


@functools.cache
def _groups() -> tuple[_Group, ...]:
    text = resources.files(__package__).joinpath("object_rules.json").read_text("utf-8")
    return tuple(_group(raw) for raw in json.loads(text)["groups"])


def _group(raw: dict[str, Any]) -> _Group:
    kind = raw["kind"]
    if kind not in KINDS:
        raise ValueError(f"unknown kind of object rule: {kind}")
    if raw.get("only_if", "") not in ("", "not_queryable", "managed"):
        raise ValueError(f"unknown limit of an object rule: {raw['only_if']}")
    return _Group(
        rule=Rule(
            kind,
            raw["reason"],
            raw["source"],
            raw.get("remedy", ""),
            raw.get("field", ""),
            raw.get("operator", "IN"),
            tuple(raw.get("parents", ())),
            raw.get("condition", ""),
            raw.get("caveat", ""),
            raw.get("plain", True),
            raw.get("relationship", ""),
        ),
        objects=frozenset(raw.get("objects", ())),
        suffixes=tuple(raw.get("suffixes", ())),
        only_if=raw.get("only_if", ""),
    )


def rule_for(entry: ObjectEntry) -> Rule | None:
    """The rule that applies to an object, or None. A rule for things that cannot be queried does
    not apply when the org says that the object can be: then it is tried."""
    fitting = [group for group in _groups() if group.speaks_of(entry)]
    for group in fitting:
        if entry.name in group.objects:
            return group.rule
    for group in fitting:
        if group.suffixes and entry.name.endswith(group.suffixes):
            return group.rule
    return None
