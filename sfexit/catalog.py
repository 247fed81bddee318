"""What an org holds, as plain data: objects and their fields.

Names and flags are Salesforce's own (Object Reference, "sObject Describe"); texts are as the org
sent them, so print them through `redaction.printable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class ObjectEntry:
    """One line of describeGlobal: an object as this user sees it, without its fields."""

    name: str
    label: str
    key_prefix: str | None = None  # three characters; may be shared by several objects
    queryable: bool = False  # says less than it seems: some of these refuse every query
    createable: bool = False
    updateable: bool = False
    deletable: bool = False
    layoutable: bool = False
    custom: bool = False
    custom_setting: bool = False
    deprecated: bool = False  # deprecatedAndHidden
    associate_entity_type: str | None = None  # History, Share, Feed, ChangeEvent, …
    associate_parent_entity: str | None = None  # the object that the associate belongs to


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object. Lengths are in characters."""

    name: str
    label: str
    type: str
    soap_type: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    digits: int = 0
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    extra_type_info: str | None = None
    formula: str | None = None  # calculatedFormula
    picklist_values: tuple[str, ...] = ()
    calculated: bool = False
    custom: bool = False
    filterable: bool = False
    sortable: bool = False
    nillable: bool = False  # not to be trusted on reading
    unique: bool = False
    createable: bool = False
    updateable: bool = False
    deprecated: bool = False


@dataclass(frozen=True)
class ChildRelationship:
    """Another object whose field points at this one."""

    child: str
    field: str
    name: str | None = None  # None: not usable in a query


@dataclass(frozen=True)
class Description:
    """An object with its fields, in the order in which the org lists them."""

    name: str
    label: str
    key_prefix: str | None = None
    fields: tuple[Field, ...] = ()
    supported_scopes: tuple[str, ...] = ()
    custom: bool = False
    custom_setting: bool = False
    queryable: bool = False
    createable: bool = False
    updateable: bool = False
    deletable: bool = False
    deprecated: bool = False

    @cached_property
    def _by_name(self) -> Mapping[str, Field]:
        return {field.name: field for field in self.fields}

    def field(self, name: str) -> Field | None:
        """The field of exactly this API name, or None."""
        return self._by_name.get(name)

    def has(self, *names: str) -> bool:
        """Whether all these fields exist for this user."""
        return all(name in self._by_name for name in names)
