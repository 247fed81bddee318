"""The value sets of standard picklists, and the fields that take their values from each.

No list of the org names them: they are asked for by their published names (Metadata API guide,
"StandardValueSet Names and Standard Picklist Fields"). Which an org has depends on its features.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType


@functools.cache
def standard_value_sets() -> Mapping[str, tuple[str, ...]]:
    """Names of sets, ordered, each with its fields as `Object.Field`; none where unpublished."""
    text = resources.files(__package__).joinpath("standard_value_sets.txt").read_text("utf-8")
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return MappingProxyType({name: tuple(fields) for name, *fields in lines})
