"""The components of an org's metadata, and the files they are kept in.

Metadata API Developer Guide: describeMetadata(), FileProperties, "Metadata Types", and the sample
definitions there. Everything is made from the org's own schema, so that the same formula stands
in describe and in the file.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from . import record_types
from .schema import Field, SObject, label_of
from .translations import translated

if TYPE_CHECKING:
    from .org import SimulatedOrg

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
HIDDEN = b"(hidden)"  # what code of a managed package looks like
LANGUAGES = ("de", "fr")
LEFT_OVER = "Retired"  # a picklist value that was taken out of use
MANAGED = "vendor"  # the namespace of an installed package


@dataclass(frozen=True)
class Kind:
    """A metadata type as describeMetadata() tells it."""

    name: str
    folder: str
    suffix: str = ""
    in_folder: bool = False
    meta_file: bool = False
    children: tuple[str, ...] = ()


KINDS = (
    Kind("ApexClass", "classes", "cls", meta_file=True),
    Kind("ApexTrigger", "triggers", "trigger", meta_file=True),
    Kind("ApprovalProcess", "approvalProcesses", "approvalProcess"),
    Kind("AssignmentRules", "assignmentRules", "assignmentRules"),
    Kind("AutoResponseRules", "autoResponseRules", "autoResponseRules"),
    Kind("CustomApplication", "applications", "app"),
    Kind("CustomLabels", "labels", "labels", children=("CustomLabel",)),
    Kind(
        "CustomObject",
        "objects",
        "object",
        children=("CustomField", "RecordType", "ValidationRule", "ListView"),
    ),
    Kind("CustomObjectTranslation", "objectTranslations", "objectTranslation"),
    Kind("CustomTab", "tabs", "tab"),
    Kind("Dashboard", "dashboards", "dashboard", in_folder=True),
    Kind("Document", "documents", "", in_folder=True, meta_file=True),
    Kind("EmailTemplate", "email", "email", in_folder=True, meta_file=True),
    Kind("EscalationRules", "escalationRules", "escalationRules"),
    Kind("Flow", "flows", "flow"),
    Kind("GlobalValueSet", "globalValueSets", "globalValueSet"),
    Kind("GlobalValueSetTranslation", "globalValueSetTranslations", "globalValueSetTranslation"),
    Kind("InstalledPackage", "installedPackages", "installedPackage"),
    Kind("Layout", "layouts", "layout"),
    Kind("LightningComponentBundle", "lwc"),
    Kind("PermissionSet", "permissionsets", "permissionset"),
    Kind("Profile", "profiles", "profile"),
    Kind("Report", "reports", "report", in_folder=True),
    Kind("Settings", "settings", "settings"),
    Kind("StandardValueSet", "standardValueSets", "standardValueSet"),
    Kind(
        "StandardValueSetTranslation",
        "standardValueSetTranslations",
        "standardValueSetTranslation",
    ),
    Kind("StaticResource", "staticresources", "resource", meta_file=True),
    Kind("Workflow", "workflows", "workflow"),
)
#: The type to ask listMetadata for, to learn the folders of a type.
FOLDER_TYPES = {
    "ReportFolder": "Report",
    "DashboardFolder": "Dashboard",
    "DocumentFolder": "Document",
    "EmailFolder": "EmailTemplate",
}


@dataclass(frozen=True)
class Component:
    """One component: what listMetadata() says of it, and its files (name, content)."""

    type: str
    full_name: str
    files: tuple[tuple[str, bytes], ...]
    namespace: str = ""
    state: str = "unmanaged"
    folder: str = ""  # the folder it lies in; of a folder, the type of folder
    is_folder: bool = False
    listed: bool = True
    modified: str = "2026-03-01T09:30:00.000Z"
    id: str = ""

    @property
    def file_name(self) -> str:
        """The file FileProperties names: never the -meta.xml."""
        return self.files[0][0]


def document(root: str, body: str) -> bytes:
    """A metadata file."""
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">\n'
    return f"{head}{body}</{root}>\n".encode()


def _tag(name: str, text: object) -> str:
    return f"<{name}>{escape(str(text))}</{name}>"


@dataclass
class Components:
    """All components of an org; tests add to it."""

    org: SimulatedOrg
    added: list[Component] = field(default_factory=list)
    removed: set[tuple[str, str]] = field(default_factory=set)

    @cached_property
    def _made(self) -> list[Component]:
        return list(self._all())

    def __iter__(self) -> Iterator[Component]:
        for c in self._made:
            gone = c.type == "CustomObject" and c.full_name.lower() not in self.org.schema
            if not gone and (c.type, c.full_name) not in self.removed:
                yield c
        yield from (c for c in self.added if (c.type, c.full_name) not in self.removed)

    def add_plain(self, kind: str, count: int, size: int = 60, prefix: str = "More_") -> list[str]:
        """So many more components of a type that is not kept in folders; their names."""
        known = next(k for k in KINDS if k.name == kind)
        names = [f"{prefix}{n:05d}" for n in range(count)]
        for name in names:
            # text that does not pack, so that a ZIP of it has about this size
            content = (name * (size // len(name) + 1)).encode()[:size]
            if size > 10_000:
                content = random.Random(name).randbytes(size)
            self.added.append(component(known, name, content))
        return names

    # -- what there is ------------------------------------------------------------------

    def _all(self) -> Iterator[Component]:
        kinds = {kind.name: kind for kind in KINDS}
        for o in self.org.schema.values():
            if "layoutable" in o.flags or o.custom:
                yield from self._of_object(kinds, o)
        for n in range(12):
            name = f"Invoice_Service_{n}"
            yield component(kinds["ApexClass"], name, f"public class {name} {{}}\n".encode())
        yield component(
            kinds["ApexClass"], f"{MANAGED}__Engine", HIDDEN, namespace=MANAGED, state="installed"
        )
        yield component(
            kinds["InstalledPackage"],
            MANAGED,
            document("InstalledPackage", _tag("versionNumber", "3.14")),
            namespace=MANAGED,
            state="installed",
        )
        for name in ("Admin", "Standard", "Sales Rep"):
            yield component(kinds["Profile"], name, b"")
        for name in ("Invoice_Clerk", "Auditors"):
            yield component(kinds["PermissionSet"], name, document("PermissionSet", ""))
        for name in ("Account", "Security", "Currency"):
            yield component(kinds["Settings"], name, document(f"{name}Settings", ""))
        yield component(kinds["CustomApplication"], "standard__Sales", document("App", ""))
        yield component(
            kinds["CustomLabels"],
            "CustomLabels",
            document("CustomLabels", f"<labels>{_tag('fullName', 'Hello')}</labels>"),
        )
        yield component(kinds["Flow"], "Escalate_Case-3", document("Flow", _tag("label", "x")))
        yield component(kinds["StaticResource"], "Logo", b"\x89PNG not really")
        yield Component(
            "LightningComponentBundle",
            "invoiceList",
            (
                ("lwc/invoiceList/invoiceList.js", b"export default class {}\n"),
                ("lwc/invoiceList/invoiceList.html", b"<template></template>\n"),
                ("lwc/invoiceList/invoiceList.js-meta.xml", document("LightningBundle", "")),
            ),
        )
        yield from self._value_sets(kinds)
        for folder_type, kind in FOLDER_TYPES.items():
            yield from _foldered(kinds[kind], folder_type)

    def _of_object(self, kinds: dict[str, Kind], o: SObject) -> Iterator[Component]:
        parts = o.name.split("__")
        managed: dict[str, Any] = (
            {"namespace": parts[0], "state": "installed"} if len(parts) > 2 else {}
        )
        body = "".join(self._field(f) for f in o.fields if f.custom)
        if o.custom:
            body += _tag("label", o.label or label_of(o.name))
        body += record_types.metadata(self.org, o)
        content = document("CustomObject", body)
        yield component(kinds["CustomObject"], o.name, content, **managed)
        if "layoutable" not in o.flags:
            return
        # listMetadata gives such names with percent signs, and takes them back so
        layout = f"{o.name}-{label_of(o.name)} %28Main%29 Layout"
        yield component(kinds["Layout"], layout, document("Layout", ""), **managed)
        if o.custom:
            tab = document("CustomTab", _tag("customObject", "true"))
            yield component(kinds["CustomTab"], o.name, tab, **managed)
        for language in LANGUAGES if any(f.custom for f in o.fields) else ():
            yield component(
                kinds["CustomObjectTranslation"],
                f"{o.name}-{language}",
                document("CustomObjectTranslation", self._translation(o, language)),
                **managed,
            )

    def _field(self, f: Field) -> str:
        body = _tag("fullName", f.name) + _tag("label", label_of(f.name))
        if f.formula is not None:
            body += _tag("formula", f.formula)
        if f.rollup:
            operation, summed, by, *where = f.rollup
            body += _tag("summarizedField", summed) if operation != "count" else ""
            for one in where:
                words = zip(("field", "operation", "value"), one.split("~"), strict=True)
                items = "".join(_tag(*word) for word in words)
                body += f"<summaryFilterItems>{items}</summaryFilterItems>"
            body += _tag("summaryForeignKey", by) + _tag("summaryOperation", operation)
            return f"<fields>{body}{_tag('type', 'Summary')}</fields>\n"
        if f.value_set:
            inner = _tag("restricted", "true") + _tag("valueSetName", f.value_set)
            body += f"<valueSet>{inner}</valueSet>"
        elif f.values:
            inner = _tag("sorted", "false") + _values("value", f.values)
            inner = f"<valueSetDefinition>{inner}</valueSetDefinition>"
            body += f"<valueSet>{_tag('restricted', 'true')}{inner}</valueSet>"
        return f"<fields>{body}{_tag('type', f.type)}</fields>\n"

    @staticmethod
    def _translation(o: SObject, language: str) -> str:
        out = ""
        for f in o.fields:
            if not f.custom:
                continue
            values = "".join(
                "<picklistValues>"
                + _tag("masterLabel", value)
                + _tag("translation", translated(value, language))
                + "</picklistValues>"
                for value in (() if f.value_set else f.values)
            )
            label = _tag("label", translated(label_of(f.name), language))
            out += f"<fields>{label}{_tag('name', f.name)}{values}</fields>\n"
        return out

    def _value_sets(self, kinds: dict[str, Kind]) -> Iterator[Component]:
        """Standard ones are not listed: the guide has their names ("StandardValueSet Names")."""
        for name, (entity, column) in {
            "Industry": ("Account", "Industry"),
            "LeadSource": ("Lead", "LeadSource"),
            "CaseStatus": ("Case", "Status"),
        }.items():
            o = self.org.schema.get(entity.lower())
            f = o.field(column) if o is not None else None
            if f is None:
                continue
            body = _values("standardValue", f.values)
            content = document("StandardValueSet", body)
            yield component(kinds["StandardValueSet"], name, content, listed=False)
            yield from _set_translations(kinds["StandardValueSetTranslation"], name, f.values)
        named = {f.value_set: f for o in self.org.schema.values() for f in o.fields if f.value_set}
        for name, f in named.items():
            body = _values("customValue", f.values) + _tag("masterLabel", label_of(name))
            yield component(kinds["GlobalValueSet"], name, document("GlobalValueSet", body))
            yield from _set_translations(kinds["GlobalValueSetTranslation"], name, f.values)


def _values(tag: str, values: Iterable[str]) -> str:
    """The values of a picklist, and one that was taken out of use."""
    return "".join(
        f"<{tag}>"
        + _tag("fullName", value)
        + _tag("default", "false")
        + (_tag("isActive", "false") if value == LEFT_OVER else "")
        + _tag("label", value)
        + f"</{tag}>"
        for value in (*values, LEFT_OVER)
    )


def _set_translations(kind: Kind, name: str, values: Iterable[str]) -> Iterator[Component]:
    for language in LANGUAGES:
        body = "".join(
            f"<valueTranslation>{_tag('masterLabel', value)}"
            f"{_tag('translation', translated(value, language))}</valueTranslation>"
            for value in values
        )
        yield component(kind, f"{name}-{language}", document(kind.name, body))


def _foldered(kind: Kind, folder_type: str) -> Iterator[Component]:
    for folder in ("Finance", "Sales"):
        path = f"{kind.folder}/{folder}"
        yield Component(
            kind.name,
            folder,
            ((f"{path}-meta.xml", document(folder_type, _tag("name", folder))),),
            is_folder=True,
            folder=folder_type,
        )
        for n in range(3):
            yield component(
                kind,
                f"{folder}/{kind.name}_{n}",
                document(kind.name, _tag("name", f"{kind.name} {n}")),
                folder=folder,
            )


def component(
    kind: Kind,
    name: str,
    content: bytes,
    *,
    namespace: str = "",
    state: str = "unmanaged",
    folder: str = "",
    listed: bool = True,
) -> Component:
    path = f"{kind.folder}/{name}" + (f".{kind.suffix}" if kind.suffix else ".txt")
    files = [(path, content)]
    if kind.meta_file:
        files.append((f"{path}-meta.xml", document(kind.name, _tag("apiVersion", "66.0"))))
    return Component(kind.name, name, tuple(files), namespace, state, folder, False, listed)
