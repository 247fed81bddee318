"""Record types of objects: in describes by id, in the metadata with the values each one allows.

Metadata API guide, "RecordType" and "BusinessProcess"; REST API guide, "sObject Describe",
`recordTypeInfos`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from .schema import SObject

if TYPE_CHECKING:
    from .org import SimulatedOrg

#: Whose values no record type names itself, but its business process.
PROCESSES = {
    "Opportunity": "StageName", "Case": "Status", "Lead": "Status", "Solution": "Status",
}  # fmt: skip


@dataclass(frozen=True)
class RecordType:
    """A row of RecordType."""

    id: str
    name: str
    developer_name: str
    active: bool
    ordinal: int

    def info(self, object_name: str, version: str) -> dict[str, Any]:
        """An entry of ``recordTypeInfos``."""
        layout = f"/services/data/v{version}/sobjects/{object_name}/describe/layouts/{self.id}"
        return {
            "active": self.active,
            "available": self.active,
            "defaultRecordTypeMapping": False,
            "developerName": self.developer_name,
            "master": False,
            "name": self.name,
            "recordTypeId": self.id,
            "urls": {"layout": layout},
        }

    def allowed(self, values: Sequence[str]) -> list[str]:
        """The values of a picklist that rows of this type may take: each type leaves one out."""
        left = self.ordinal % max(len(values), 1)
        return [value for n, value in enumerate(values) if n != left or len(values) == 1]


def of_object(org: SimulatedOrg, name: str) -> list[RecordType]:
    """The record types of an object, as their rows are now."""
    table = org.tables.tables.get("RecordType")
    if table is None:
        return []
    changes = table.changes
    found = []
    for i in range(table.total(changes)):
        if table.value(changes, "SobjectType", i) != name or table.hidden(changes, i):
            continue
        found.append(
            RecordType(
                str(table.value(changes, "Id", i)),
                str(table.value(changes, "Name", i)),
                str(table.value(changes, "DeveloperName", i)),
                table.value(changes, "IsActive", i) == "true",
                i,
            )
        )
    return found


def metadata(org: SimulatedOrg, o: SObject) -> str:
    """The elements of an object's file that tell of its record types. Names of values are encoded
    as in addresses there (``Walk-in %2F phone``)."""
    process, out = PROCESSES.get(o.name, ""), ""
    types = of_object(org, o.name)
    staged = o.field(process) if process else None
    for one in types if staged is not None else ():
        values = "".join(_value(v) for v in one.allowed(staged.values)) if staged else ""
        out += (
            f"<businessProcesses><fullName>{escape(one.developer_name)} process</fullName>"
            f"<isActive>true</isActive>{values}</businessProcesses>\n"
        )
    for one in types:
        body = f"<fullName>{escape(one.developer_name)}</fullName>"
        body += f"<active>{str(one.active).lower()}</active>"
        if staged is not None:
            process_name = f"{escape(one.developer_name)} process"
            body += f"<businessProcess>{process_name}</businessProcess>"
        body += f"<label>{escape(one.name)}</label>"
        for f in o.fields:
            if f.name == process or not f.values or f.type not in ("picklist", "multipicklist"):
                continue
            values = "".join(_value(v, default=n == 0) for n, v in enumerate(one.allowed(f.values)))
            body += f"<picklistValues><picklist>{f.name}</picklist>{values}</picklistValues>"
        out += f"<recordTypes>{body}</recordTypes>\n"
    return out


def _value(value: str, *, default: bool = False) -> str:
    name = escape(quote(value, safe=" "))
    return f"<values><fullName>{name}</fullName><default>{str(default).lower()}</default></values>"
