"""Objects and fields, and the describe answers made from them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from .translations import translated
from .wordlists import VALUES

SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "long": "xsd:long",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "time": "xsd:time",
    "base64": "xsd:base64Binary",
    "address": "urn:address",
    "location": "urn:location",
    "anyType": "xsd:anyType",
}
CUSTOM = ("__c", "__b", "__x", "__e", "__mdt", "__kav")
NUMERIC = frozenset({"int", "long", "double", "currency", "percent"})
COMPOUND = frozenset({"address", "location"})
ADDRESS_PARTS = (
    ("Street", "textarea", 255),
    ("City", "string", 40),
    ("State", "string", 80),
    ("PostalCode", "string", 20),
    ("Country", "string", 80),
    ("Latitude", "double", 0),
    ("Longitude", "double", 0),
    ("GeocodeAccuracy", "picklist", 40),
)


@lru_cache(maxsize=8192)
def label_of(name: str) -> str:
    """A label from an API name."""
    text = re.sub(r"__[a-zA-Z]+$", "", name)
    text = re.sub(r"^[a-z]\w*?__", "", text).replace("_", " ")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).replace(" Id", " ID")


@dataclass(frozen=True)
class Field:
    """One field of an object."""

    name: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    ref: tuple[str, ...] = ()
    rel: str | None = None
    values: tuple[str, ...] = ()
    compound: str | None = None
    extra: str | None = None
    formula: str | None = None
    #: Operation, summed field, master-detail field of the child, and a filter: a roll-up summary.
    rollup: tuple[str, ...] = ()
    #: The global value set that a picklist takes its values from.
    value_set: str = ""
    gen: str = ""
    system: bool = False
    name_field: bool = False
    auto_number: bool = False
    soap: str | None = None
    _texts: dict[str, str] = field(init=False, default_factory=dict, compare=False, repr=False)

    @property
    def custom(self) -> bool:
        """True for ``__c`` fields."""
        return self.name.endswith("__c")

    @property
    def writable(self) -> bool:
        """Can be given a value by the API."""
        calculated = self.formula or self.rollup
        made = self.system or calculated or self.type in COMPOUND or self.auto_number
        return not made and self.name != "Id"

    @property
    def filterable(self) -> bool:
        """Long text, encrypted text and blobs cannot stand in WHERE (SOQL guide, WHERE)."""
        if self.type == "textarea":
            return self.length <= 255
        return self.type not in ("base64", "encryptedstring", "anyType", *COMPOUND)

    @property
    def sortable(self) -> bool:
        """Can stand in ORDER BY."""
        return self.filterable and self.type != "multipicklist"

    @property
    def groupable(self) -> bool:
        """Can stand in GROUP BY."""
        return self.filterable and self.type not in (
            "double",
            "currency",
            "percent",
            "datetime",
            "multipicklist",
            "time",
            "long",
        )

    def describe_text(self, language: str = "en_US") -> str:
        """The field entry as JSON text; made once for all objects that share the field."""
        text = self._texts.get(language)
        if text is None:
            entry = self.describe()
            if language != "en_US":
                entry["label"] = translated(entry["label"], language)
                for value in entry["picklistValues"]:
                    value["label"] = translated(value["label"], language)
            text = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
            self._texts[language] = text
        return text

    def describe(self) -> dict[str, Any]:
        """The field entry of sObject Describe (SOAP API guide, DescribeSObjectResult)."""
        t = self.type
        text = t in (
            "string",
            "textarea",
            "phone",
            "email",
            "url",
            "picklist",
            "multipicklist",
            "combobox",
            "encryptedstring",
        )
        writable = self.writable
        length = self.length if text or t == "base64" else 18 if t in ("id", "reference") else 0
        return {
            "aggregatable": self.filterable and t not in ("boolean", "multipicklist"),
            "aiPredictionField": False,
            "autoNumber": self.auto_number,
            "byteLength": length * 3 if text else length,
            "calculated": self.formula is not None or bool(self.rollup),
            "calculatedFormula": self.formula,
            "cascadeDelete": False,
            "caseSensitive": False,
            "compoundFieldName": self.compound,
            "controllerName": None,
            "createable": writable,
            "custom": self.custom,
            "defaultValue": False if t == "boolean" else None,
            "defaultValueFormula": None,
            "defaultedOnCreate": self.system or t == "boolean",
            "dependentPicklist": False,
            "deprecatedAndHidden": False,
            "digits": 8 if t == "int" else 0,
            "displayLocationInDecimal": t == "location",
            "encrypted": False,
            "externalId": False,
            "extraTypeInfo": self.extra,
            "filterable": self.filterable,
            "filteredLookupInfo": None,
            "formulaTreatNullNumberAsZero": False,
            "groupable": self.groupable,
            "highScaleNumber": False,
            "htmlFormatted": self.extra == "richtextarea",
            "idLookup": t == "id",
            "inlineHelpText": None,
            "label": label_of(self.name),
            "length": length,
            "mask": "*" if t == "encryptedstring" else None,
            "maskType": "lastFour" if t == "encryptedstring" else None,
            "name": self.name,
            "nameField": self.name_field,
            "namePointing": len(self.ref) > 1,
            "nillable": self.nillable,
            "permissionable": not self.system and self.nillable,
            "picklistValues": [
                {"active": True, "defaultValue": n == 0, "label": v, "validFor": None, "value": v}
                for n, v in enumerate(self.values)
            ],
            "polymorphicForeignKey": len(self.ref) > 1,
            "precision": self.precision,
            "queryByDistance": t in COMPOUND,
            "referenceTargetField": None,
            "referenceTo": list(self.ref),
            "relationshipName": self.rel,
            "relationshipOrder": None,
            "restrictedDelete": False,
            "restrictedPicklist": False,
            "scale": self.scale,
            "searchPrefilterable": t == "reference",
            "soapType": self.soap or SOAP_TYPES.get(t, "xsd:string"),
            "sortable": self.sortable,
            "type": t,
            "unique": False,
            "updateable": writable,
            "writeRequiresMasterRead": False,
        }


@dataclass(frozen=True)
class Refusal:
    """Why a plain query over an object is refused, and which filter lifts the refusal."""

    code: str
    message: str
    filters: tuple[str, ...] = ()
    single: tuple[str, ...] = ()
    reified: bool = False
    status: int = 400
    #: Only counting is refused.
    counts_only: bool = False
    #: View All Data lifts the refusal, as does a LIMIT of at most so many rows.
    limit_instead: int | None = None


@dataclass(frozen=True)
class SObject:
    """One object of the org."""

    name: str
    prefix: str
    fields: tuple[Field, ...]
    id_prefix: str = ""
    id_base: int = 1000
    weight: float = 0.0
    fixed: int | None = None
    flags: frozenset[str] = frozenset()
    label: str = ""
    associate: tuple[str, str] | None = None
    queryable: bool = True
    retrieveable: bool = True
    bulk: bool = True
    refusal: Refusal | None = None
    has_deleted: bool = False
    archived_share: float = 0.0
    scopes: tuple[str, ...] = ("everything", "mine")
    #: Index fields of a big object, in order; conditions on others are refused.
    index: tuple[str, ...] = ()
    _index: dict[str, Field] = field(default_factory=dict, compare=False, repr=False)

    @property
    def big(self) -> bool:
        """A big object (``__b``)."""
        return self.name.endswith("__b") or bool(self.index)

    @property
    def external(self) -> bool:
        """An external object (``__x``)."""
        return self.name.endswith("__x")

    @property
    def event(self) -> bool:
        """A message on the event bus: nothing is stored."""
        if self.name.endswith(("__e", "ChangeEvent", "EventStream")):
            return True
        return not (self.queryable or self.retrieveable) and (
            "Event" in self.name
            or self.name in ("AsyncOperationStatus", "OrgLifecycleNotification")
        )

    @property
    def custom(self) -> bool:
        """True for objects made in this org."""
        return self.name.endswith(CUSTOM) or "__" in self.name

    @property
    def page_rows(self) -> int:
        """Rows in a REST page: fewer when rows are wide.

        SOAP API guide / limits: at most 200 with two or more custom long-text fields.
        """
        long_custom = sum(
            1 for f in self.fields if f.custom and f.type == "textarea" and f.length > 255
        )
        if long_custom >= 2:
            return 200
        long_any = any(f.type == "textarea" and f.length >= 32_000 for f in self.fields)
        return 1000 if long_custom or long_any else 2000

    def field(self, name: str) -> Field | None:
        """A field by name, whatever the case."""
        if not self._index:
            self._index.update({f.name.lower(): f for f in self.fields})
        return self._index.get(name.lower())

    def relationship(self, name: str) -> Field | None:
        """The reference field behind a relationship name."""
        wanted = name.lower()
        return next((f for f in self.fields if f.rel and f.rel.lower() == wanted), None)

    def without(self, dropped: Iterable[str]) -> SObject:
        """The same object with some fields gone."""
        names = {name.lower() for name in dropped}
        kept = tuple(f for f in self.fields if f.name.lower() not in names)
        return replace(self, fields=kept, _index={})

    def _urls(self, version: str) -> dict[str, str]:
        base = f"/services/data/v{version}/sobjects/{self.name}"
        urls = {"rowTemplate": f"{base}/{{ID}}", "describe": f"{base}/describe", "sobject": base}
        if self.event:
            urls["eventSchema"] = f"{base}/eventSchema"
        if "layoutable" in self.flags:
            urls["layouts"] = f"{base}/describe/layouts"
            urls["compactLayouts"] = f"{base}/describe/compactLayouts"
        return urls

    def summary(self, version: str, language: str = "en_US") -> dict[str, Any]:
        """The entry of Describe Global."""
        flags = self.flags
        label = self.label or label_of(self.name)
        if language != "en_US":
            label = translated(label, language)
        return {
            "activateable": "activateable" in flags,
            "associateEntityType": self.associate[0] if self.associate else None,
            "associateParentEntity": self.associate[1] if self.associate else None,
            "createable": "createable" in flags,
            "custom": self.custom,
            "customSetting": "customSetting" in flags,
            "deepCloneable": "deepCloneable" in flags,
            "deletable": "deletable" in flags,
            "deprecatedAndHidden": "deprecatedAndHidden" in flags,
            "feedEnabled": "feedEnabled" in flags,
            "hasSubtypes": "hasSubtypes" in flags,
            "isInterface": "isInterface" in flags,
            "isSubtype": "isSubtype" in flags,
            "keyPrefix": self.prefix or None,
            "label": label,
            "labelPlural": label + "s",
            "layoutable": "layoutable" in flags,
            "mergeable": "mergeable" in flags,
            "mruEnabled": "mruEnabled" in flags,
            "name": self.name,
            "queryable": self.queryable,
            "replicateable": "replicateable" in flags,
            "retrieveable": self.retrieveable,
            "searchable": "searchable" in flags,
            "triggerable": "triggerable" in flags,
            "undeletable": "undeletable" in flags,
            "updateable": "updateable" in flags,
            "urls": self._urls(version),
        }

    def describe_text(
        self,
        version: str,
        children: Iterable[str],
        language: str = "en_US",
        record_types: Iterable[dict[str, Any]] = (),
    ) -> bytes:
        """sObject Describe as JSON text; ``children`` and ``record_types`` are finished entries."""
        out = self.describe(version, [], language)
        out["recordTypeInfos"] += record_types
        out["fields"] = out["childRelationships"] = _HOLE
        text = json.dumps(out, separators=(",", ":"), ensure_ascii=False)
        # two holes: childRelationships stands before fields
        head, middle, tail = text.split(f'"{_HOLE}"')
        fields = ",".join([f.describe_text(language) for f in self.fields])
        return f"{head}[{','.join(children)}]{middle}[{fields}]{tail}".encode()

    def describe(
        self, version: str, children: list[dict[str, Any]], language: str = "en_US"
    ) -> dict[str, Any]:
        """sObject Describe, without the fields that ``describe_text`` adds."""
        out = self.summary(version, language)
        out.update(
            actionOverrides=[],
            childRelationships=children,
            compactLayoutable="layoutable" in self.flags,
            defaultImplementation=None,
            extendedBy=None,
            extendsInterfaces=None,
            fields=[],
            implementedBy=None,
            implementsInterfaces=None,
            listviewable=None,
            lookupLayoutable=None,
            namedLayoutInfos=[],
            networkScopeFieldName=None,
            recordTypeInfos=[
                {
                    "active": True,
                    "available": True,
                    "defaultRecordTypeMapping": True,
                    "developerName": "Master",
                    "master": True,
                    "name": "Master",
                    "recordTypeId": "012000000000000AAA",
                    "urls": {
                        "layout": f"/services/data/v{version}/sobjects/{self.name}"
                        "/describe/layouts/012000000000000AAA"
                    },
                }
            ]
            if "layoutable" in self.flags
            else [],
            searchLayoutable="searchable" in self.flags,
            sobjectDescribeOption="FULL",
            supportedScopes=[{"label": s.capitalize(), "name": s} for s in self.scopes],
        )
        return out


_HOLE = "\u2424hole"
_FIELD_LINE = re.compile(r"^(\w+)\s+(\w+)(?:\(([^)]*)\))?\s*(.*)$")


def _reference(name: str) -> str:
    return name[:-3] + "__r" if name.endswith("__c") else name.removesuffix("Id")


def parse_fields(text: str) -> list[Field]:
    """Fields from the short notation of the catalogue: ``Name type(arguments) key=value …``."""
    out: list[Field] = []
    for raw in text.strip().splitlines():
        if not raw.strip():
            continue
        match = _FIELD_LINE.match(raw.strip())
        if match is None:
            raise ValueError(f"bad field line: {raw!r}")
        name, kind, arguments, rest = match.groups()
        given = [a.strip() for a in arguments.split(",")] if arguments else []
        options = dict(o.partition("=")[::2] for o in rest.split())
        out += _expand(name, kind, given, options)
    return out


def _expand(name: str, kind: str, given: list[str], options: dict[str, str]) -> list[Field]:
    gen = options.get("gen", "")
    nillable = "required" not in options
    extra = options.get("extra") or None
    common: dict[str, Any] = {
        "gen": gen,
        "nillable": nillable,
        "extra": extra,
        "name_field": "name" in options,
        "auto_number": "auto" in options,
        "compound": options.get("compound"),
        "formula": options["formula"].replace("~", " ") if "formula" in options else None,
        "rollup": tuple(options["rollup"].split(":")) if "rollup" in options else (),
        "value_set": options.get("set", ""),
    }
    if "soap" in options:
        common["soap"] = options["soap"]
    if kind == "ref":
        rel = options.get("rel", _reference(name))
        return [Field(name, "reference", 18, ref=tuple(given), rel=rel or None, **common)]
    if kind == "address":
        stem = name.removesuffix("Address")
        parts = [
            Field(
                stem + part,
                t,
                n,
                compound=name,
                extra="plaintextarea" if t == "textarea" else None,
                precision=18 if t == "double" else 0,
                scale=15 if t == "double" else 0,
                values=("Address", "Street", "City") if t == "picklist" else (),
                gen=f"address:{part}",
            )
            for part, t, n in ADDRESS_PARTS
        ]
        return [*parts, Field(name, "address", gen=stem)]
    if kind == "location":
        stem = name.removesuffix("__c")
        parts = [
            Field(
                f"{stem}__{part}__s",
                "double",
                compound=name,
                precision=18,
                scale=15,
                gen=f"address:{part}",
            )
            for part in ("Latitude", "Longitude")
        ]
        return [*parts, Field(name, "location", gen=stem)]
    if kind in ("picklist", "multipicklist"):
        return [
            Field(
                name,
                kind,
                255 if kind == "picklist" else 4099,
                values=tuple(VALUES[given[0]]),
                **common,
            )
        ]
    if kind in ("double", "currency", "percent"):
        precision, scale = (int(a) for a in (given or ["18", "2"]))
        return [Field(name, kind, precision=precision, scale=scale, **common)]
    defaults = {
        "string": 255,
        "textarea": 255,
        "phone": 40,
        "email": 80,
        "url": 255,
        "encryptedstring": 175,
        "combobox": 255,
    }
    length = int(given[0]) if given else defaults.get(kind, 0)
    return [Field(name, kind, length, **common)]


def _system(name: str, kind: str, **more: Any) -> Field:
    return Field(name, kind, nillable=False, system=True, **more)


CREATED = (
    _system("CreatedDate", "datetime"),
    _system("CreatedById", "reference", ref=("User",), rel="CreatedBy"),
)
MODIFIED = (
    _system("LastModifiedDate", "datetime"),
    _system("LastModifiedById", "reference", ref=("User",), rel="LastModifiedBy"),
)
MODSTAMP = _system("SystemModstamp", "datetime")
IS_DELETED = _system("IsDeleted", "boolean")
ID = _system("Id", "id")

RECORD = (
    "createable",
    "deletable",
    "layoutable",
    "queryable",
    "replicateable",
    "searchable",
    "triggerable",
    "undeletable",
    "updateable",
    "mruEnabled",
)
READ_ONLY = ("replicateable",)

Maker = Callable[..., SObject]


def make(
    name: str,
    prefix: str,
    text: str,
    *,
    system: str = "full",
    flags: Iterable[str] = RECORD,
    **more: Any,
) -> SObject:
    """An object from the short notation, with the system fields its kind really has."""
    body = parse_fields(text) if text.strip() else []
    fields: list[Field] = [] if system in ("bare", "big") else [ID]
    if system in ("full", "history"):
        fields.append(IS_DELETED)
    fields += body
    if system in ("full", "nodelete"):
        fields += [*CREATED, *MODIFIED, MODSTAMP]
    elif system in ("history", "history_only", "big"):
        fields += [CREATED[1], CREATED[0]]
    id_prefix = more.pop("id_prefix", prefix) or "zzz"
    return SObject(
        name=name,
        prefix=prefix,
        fields=tuple(fields),
        id_prefix=id_prefix,
        flags=frozenset(flags),
        has_deleted=system in ("full", "history"),
        **more,
    )
