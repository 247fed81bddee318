"""EntityDefinition, FieldDefinition and EntityParticle: the schema as rows.

Tooling API guide, "EntityDefinition", "FieldDefinition", "EntityParticle". They tell what the
running user cannot see as well; nothing of them is stored.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING

from .columns import Column, Value
from .schema import COMPOUND, Field, SObject, label_of, make

if TYPE_CHECKING:
    from .data import Tables

_KINDS = {
    "boolean": "Checkbox",
    "int": "Number",
    "long": "Number",
    "double": "Number",
    "currency": "Currency",
    "percent": "Percent",
    "date": "Date",
    "datetime": "Date/Time",
    "time": "Time",
    "phone": "Phone",
    "email": "Email",
    "url": "URL",
    "picklist": "Picklist",
    "multipicklist": "Picklist (Multi-Select)",
    "address": "Address",
    "location": "Geolocation",
    "base64": "Content",
    "id": "Lookup()",
    "combobox": "Picklist",
}


def data_type(f: Field) -> str:
    """A field's type as FieldDefinition words it."""
    if f.formula:
        return f"Formula ({_KINDS.get(f.type, 'Text')})"
    if f.type == "reference":
        return f"Lookup({','.join(f.ref)})"
    if f.auto_number:
        return "Auto Number"
    if f.type == "textarea":
        if f.extra == "richtextarea":
            return f"Rich Text Area({f.length})"
        return f"Long Text Area({f.length})" if f.length > 255 else "Text Area(255)"
    if f.type == "encryptedstring":
        return f"Text (Encrypted)({f.length})"
    if f.type in ("double", "currency", "percent", "int"):
        return f"{_KINDS[f.type]}({f.precision - f.scale or 9}, {f.scale})"
    return _KINDS.get(f.type) or f"Text({f.length or 255})"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _namespace(name: str) -> Value:
    parts = name.split("__")
    return (
        parts[0]
        if len(parts) > 2 or (name.endswith(("__Share", "__History")) and len(parts) > 2)
        else None
    )


def _stem(name: str) -> str:
    parts = name.split("__")
    return parts[1] if _namespace(name) else parts[0]


_ENTITY: dict[str, Callable[[SObject], Value]] = {
    "DurableId": lambda o: o.name,
    "QualifiedApiName": lambda o: o.name,
    "DeveloperName": lambda o: _stem(o.name),
    "NamespacePrefix": lambda o: _namespace(o.name),
    "Label": lambda o: o.label or label_of(o.name),
    "MasterLabel": lambda o: o.label or label_of(o.name),
    "PluralLabel": lambda o: (o.label or label_of(o.name)) + "s",
    "KeyPrefix": lambda o: o.prefix or None,
    "IsQueryable": lambda o: _flag(o.queryable),
    "IsRetrieveable": lambda o: _flag(o.retrieveable),
    "IsCustomSetting": lambda o: _flag("customSetting" in o.flags),
    "IsCustomizable": lambda o: _flag(o.custom or "layoutable" in o.flags),
    "IsDeprecatedAndHidden": lambda o: _flag("deprecatedAndHidden" in o.flags),
    "IsFeedEnabled": lambda o: _flag("feedEnabled" in o.flags),
    "IsLayoutable": lambda o: _flag("layoutable" in o.flags),
    "IsReplicateable": lambda o: _flag("replicateable" in o.flags),
    "IsSearchable": lambda o: _flag("searchable" in o.flags),
    "IsTriggerable": lambda o: _flag("triggerable" in o.flags),
    "IsEverCreatable": lambda o: _flag("createable" in o.flags),
    "IsEverDeletable": lambda o: _flag("deletable" in o.flags),
    "IsEverUpdatable": lambda o: _flag("updateable" in o.flags),
    "IsApexTriggerable": lambda o: _flag("triggerable" in o.flags),
    "IsSubtype": lambda o: _flag("isSubtype" in o.flags),
    "PublisherId": lambda o: _namespace(o.name) or ("<local>" if o.custom else "System"),
}
_FIELD: dict[str, Callable[[SObject, Field], Value]] = {
    "DurableId": lambda o, f: f"{o.name}.{f.name}",
    "FieldDefinitionId": lambda o, f: f"{o.name}.{f.name}",
    "QualifiedApiName": lambda _, f: f.name,
    "DeveloperName": lambda _, f: _stem(f.name),
    "Name": lambda _, f: f.name,
    "NamespacePrefix": lambda _, f: _namespace(f.name),
    "EntityDefinitionId": lambda o, _: o.name,
    "Label": lambda _, f: label_of(f.name),
    "MasterLabel": lambda _, f: label_of(f.name),
    "DataType": lambda _, f: data_type(f),
    "ParticleType": lambda _, f: f.type,
    "ValueTypeId": lambda _, f: f.type,
    "ServiceDataTypeId": lambda _, f: f.type,
    "Length": lambda _, f: str(f.length),
    "Precision": lambda _, f: str(f.precision),
    "Scale": lambda _, f: str(f.scale),
    "IsCalculated": lambda _, f: _flag(f.formula is not None),
    "IsCompound": lambda _, f: _flag(f.type in COMPOUND),
    "IsComponent": lambda _, f: _flag(f.compound is not None and f.compound != f.name),
    "IsNillable": lambda _, f: _flag(f.nillable),
    "IsPermissionable": lambda _, f: _flag(not f.system and f.nillable),
    "IsIndexed": lambda _, f: _flag(f.type in ("id", "reference")),
    "IsApiFilterable": lambda _, f: _flag(f.filterable),
    "IsApiSortable": lambda _, f: _flag(f.sortable),
    "IsDeprecatedAndHidden": lambda _o, _f: "false",
    "RelationshipName": lambda _, f: f.rel,
    "ExtraTypeInfo": lambda _, f: f.extra,
}


class EntityColumn(Column):
    """One row for each object."""

    def __init__(self, tables: Tables, what: str) -> None:
        self.objects = tables.everything
        self.read = _ENTITY[what]

    def value(self, i: int) -> Value:
        return self.read(self.objects[i])


def _has_row(name: str, f: Field) -> bool:
    """FieldDefinition knows compound fields, not their parts; EntityParticle knows both."""
    return name == "EntityParticle" or not (f.compound and f.gen.startswith("address:"))


class FieldRows:
    """Which rows are fields of which object."""

    def __init__(self, tables: Tables, name: str) -> None:
        self.fields = [[f for f in o.fields if _has_row(name, f)] for o in tables.everything]
        self.objects = tables.everything
        self.starts: list[int] = []
        self.total = 0
        for fields in self.fields:
            self.starts.append(self.total)
            self.total += len(fields)
        self._places = {o.name.lower(): n for n, o in enumerate(self.objects)}

    def span(self, entity: str) -> range:
        """Rows of one object's fields."""
        n = self._places.get(entity.lower())
        if n is None:
            return range(0)
        return range(self.starts[n], self.starts[n] + len(self.fields[n]))

    def at(self, i: int) -> tuple[SObject, Field]:
        """Object and field of a row."""
        n = bisect_right(self.starts, i) - 1
        while i >= self.starts[n] + len(self.fields[n]):
            n += 1
        return self.objects[n], self.fields[n][i - self.starts[n]]


class FieldColumn(Column):
    """One row for each field of each object."""

    def __init__(self, tables: Tables, name: str, what: str) -> None:
        self.rows = tables.field_rows(name)
        self.read = _FIELD[what]

    def value(self, i: int) -> Value:
        return self.read(*self.rows.at(i))


_FLAGS = ("searchable",)


def definition_objects(refusals: Callable[[SObject], SObject]) -> list[SObject]:
    """The three catalogues."""
    entity = "\n".join(
        f"{name} {'boolean' if name.startswith('Is') else 'string(160)'} gen=entity:{name}"
        for name in _ENTITY
    )

    def fields_of(name: str) -> str:
        own = [n for n in _FIELD if name == "EntityParticle" or n not in _PARTICLE_ONLY]
        lines = []
        for n in own:
            kind = "boolean" if n.startswith("Is") else "string(160)"
            kind = "int" if n in ("Length", "Precision", "Scale") else kind
            more = ""
            if n == "EntityDefinitionId":
                kind, more = "ref(EntityDefinition)", " rel=EntityDefinition"
            if n == "FieldDefinitionId":
                kind, more = "ref(FieldDefinition)", " rel=FieldDefinition"
            lines.append(f"{n} {kind} gen=field:{n}{more}")
        return "\n".join(lines)

    made = [
        make("EntityDefinition", "4ie", entity, system="only_id", retrieveable=False, flags=_FLAGS),
        make(
            "FieldDefinition",
            "4fe",
            fields_of("FieldDefinition"),
            system="only_id",
            retrieveable=False,
            flags=_FLAGS,
        ),
        make(
            "EntityParticle",
            "4fr",
            fields_of("EntityParticle"),
            system="only_id",
            retrieveable=False,
            flags=(),
        ),
    ]
    return [refusals(o) for o in made]


_PARTICLE_ONLY = {"FieldDefinitionId", "Name", "IsComponent", "IsDeprecatedAndHidden"}
