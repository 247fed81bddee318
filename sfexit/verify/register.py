"""The register of what is by design no data, as the verifier reads it.

The entries are the shipped data file; this reading of it is the verifier's own. An exporter may
write "no_data" into a ledger as it likes: what counts is whether the register says so too, for an
object that the org describes as the register supposes.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from sfexit.verify.verdict import RegisterEntry

_PACKAGE, _FILE = "sfexit.salesforce", "object_rules.json"
_NO_DATA = ("no_data", "covered")
_METADATA = "by_metadata"


@dataclass(frozen=True)
class _Group:
    kind: str
    reason: str
    source: str
    objects: frozenset[str]
    suffixes: tuple[str, ...]
    only_unqueryable: bool


@functools.cache
def _groups() -> tuple[_Group, ...]:
    told: dict[str, Any] = json.loads(resources.files(_PACKAGE).joinpath(_FILE).read_bytes())
    return tuple(
        _Group(
            str(one.get("kind", "")),
            str(one.get("reason", "")),
            str(one.get("source", "")),
            frozenset(one.get("objects", ())),
            tuple(one.get("suffixes", ())),
            one.get("only_if") == "not_queryable",
        )
        for one in told["groups"]
    )


def entry(
    name: str, *, queryable: bool | None, metadata_here: bool = False
) -> RegisterEntry | None:
    """What the register says of an object; None when it must be in the archive as data.

    `queryable`: what the org says of it now (None: it does not say). `metadata_here`: the archive
    holds the org's metadata, so what belongs to the configuration stands there.
    """
    fitting = [one for one in _groups() if not (one.only_unqueryable and queryable)]
    chosen = next((one for one in fitting if name in one.objects), None) or next(
        (one for one in fitting if one.suffixes and name.endswith(one.suffixes)), None
    )
    if chosen is None:
        return None
    if chosen.kind in _NO_DATA or (chosen.kind == _METADATA and metadata_here):
        # An entry without a source is no entry: nobody could check it.
        return RegisterEntry(name, chosen.reason, chosen.source) if chosen.source else None
    return None
