"""Calls of an export beside rows and files: the configuration, reports, and looking around.

The figures follow what the export does: a listMetadata call names three types or folders, five
queries travel in one call, each definition is a call of its own. What cannot be known before is
an estimate from what a few calls tell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sfexit.catalog import ObjectEntry
from sfexit.errors import OrgRefused, Transient
from sfexit.export.metadata import listing, packages
from sfexit.preflight.questions import Question, Reply, query
from sfexit.redaction import printable
from sfexit.salesforce import metadata_api
from sfexit.salesforce.client import Client
from sfexit.salesforce.composite import MOST_QUERIES
from sfexit.salesforce.metadata_api import Component
from sfexit.salesforce.object_rules import Rule

# Signing in, versions, limits, the list of objects, what is hidden, and the last look at changes;
# between 30 and 60 in simulated orgs of all kinds.
LOOKING = 45
CALLS_A_RETRIEVE = 6  # asked for once, looked at with growing pauses, fetched once
IDS_A_QUERY = 480  # that fit into the address of a query beside an object's columns
_SAMPLE = ("CustomObject", "ApexClass", "Layout")  # the most numerous types, in one call
_OTHER_TYPES = 2  # all other types weigh about as much as those
_PAGE_ROWS = 2_000
DEFINED = ("Report", "Dashboard")


@dataclass(frozen=True)
class Configured:
    """What a few calls tell of the org's configuration. `objects`: the custom objects that the
    Metadata API lists; `weight` as `packages.plan` counts it; `refused`: the org's words when it
    lets this user see no metadata."""

    listing_calls: int = 0
    weight: int = 0
    objects: frozenset[str] = frozenset()
    refused: str = ""

    def calls(self, reports: int) -> int:
        """Calls to list and to retrieve everything; `reports`: reports and dashboards there are."""
        if self.refused:
            return 1
        weight = self.weight * _OTHER_TYPES + reports
        retrieves = max(1, math.ceil(weight / packages.MOST_WEIGHT))
        return self.listing_calls + retrieves * CALLS_A_RETRIEVE


def configured(client: Client) -> Configured:
    """Ask for the types, the folders and the most numerous components: some five calls."""
    try:
        types = metadata_api.describe(client)
        kinds = {one.name: one for one in types}
        foldered = [one.folder_type for one in types if one.in_folder]
        folders = _listed(client, foldered)
        some = _listed(client, [name for name in _SAMPLE if name in kinds])
    except (OrgRefused, Transient) as refusal:
        return Configured(refused=printable(str(refusal), 300))
    unfiled = sum(name in kinds for name in listing.UNFILED)
    queries = len(types) - len(foldered) + len(folders) + unfiled
    return Configured(
        listing_calls=1 + _calls(len(foldered)) + _calls(queries),
        weight=sum(packages.weight_of((one.type, one.full_name), kinds) for one in some),
        objects=frozenset(listing.custom_objects(some)),
    )


def _calls(queries: int) -> int:
    return math.ceil(queries / metadata_api.MOST_QUERIES)


def _listed(client: Client, types: Sequence[str]) -> list[Component]:
    found: list[Component] = []
    step = metadata_api.MOST_QUERIES
    for at in range(0, len(types), step):
        found += metadata_api.list_components(client, [(one, "") for one in types[at : at + step]])
    return found


def definition_questions(scopes: Mapping[str, Iterable[str]]) -> list[Question]:
    """How many reports and dashboards there are, in public folders and in private ones. `scopes`:
    those that each of them supports; only objects that are there are named."""
    asked = []
    for name, supported in scopes.items():
        asked.append(query(f"SELECT COUNT() FROM {name}"))  # noqa: S608
        if "allprivate" in {one.lower() for one in supported}:
            asked.append(query(f"SELECT COUNT() FROM {name} USING SCOPE allPrivate"))  # noqa: S608
    return asked


def definitions(replies: Iterable[Reply]) -> int | None:
    """How many definitions there are; None when the org would not count them."""
    counts = [reply.total if reply.ok else None for reply in replies]
    known = [count for count in counts if count is not None]
    return sum(known) if known or not counts else None


def filtered(
    rule: Rule, entries: Sequence[ObjectEntry], rows: Callable[[str], int], own: int
) -> int:
    """Calls of an object that is given only in parts: `rows` tells how many an object has, `own`
    how many this one has."""
    if rule.kind == "by_feed":
        feeds = [one.name for one in entries if one.associate_entity_type == "Feed"]
        return 1 + sum(rows(name) // _PAGE_ROWS for name in feeds)
    parents = sum(rows(source.partition(".")[0]) for source in rule.parents)
    queries = math.ceil(parents / (1 if rule.operator == "=" else IDS_A_QUERY))
    queries += {"private_folders": 2, "versions": 3}.get(rule.kind, 0)
    return max(1, math.ceil(queries / MOST_QUERIES)) + own // _PAGE_ROWS
