"""data/datapackage.json: the index by which a third party finds every table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sfexit.archive import layout, ledger
from sfexit.catalog import Description, Field

FILES_COLUMNS = (
    "object", "record_id", "field", "title", "path", "bytes", "sha256", "salesforce_md5",
    "salesforce_bytes", "parent_id", "version_number", "is_latest", "is_deleted", "content_type",
    "reference", "modified",
)  # fmt: skip

# Validators hold keys in memory (frictionless: 173 MB for 500,000 rows).
MOST_ROWS_WITH_KEY = 1_000_000

_TYPES = {
    "boolean": "boolean",
    "int": "integer",
    "long": "integer",
    "double": "number",
    "currency": "number",
    "percent": "number",
    "date": "date",
    "datetime": "datetime",
    "time": "time",
}
_INTEGERS = {"rows", "deleted_rows", "fields_exported", "bytes", "salesforce_bytes"}


def _dialect() -> dict[str, Any]:
    return {"delimiter": ",", "quoteChar": '"', "doubleQuote": True, "header": True}


def _field(field: Field) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": field.name,
        "title": field.label,
        "type": _TYPES.get(field.type, "string"),
        "sfexit:type": field.type,
    }
    if told["type"] == "boolean":
        told["trueValues"], told["falseValues"] = ["true"], ["false"]
    if field.reference_to:
        told["sfexit:referenceTo"] = list(field.reference_to)
    return told


def object_resource(
    description: Description, columns: Sequence[str], safe_name: str, paths: list[str], rows: int
) -> dict[str, Any]:
    """The resource of an object with rows. `paths` are relative to the bag."""
    by_name = {field.name: field for field in description.fields}
    schema: dict[str, Any] = {"fields": [_field(by_name[name]) for name in columns]}
    if columns[:1] and columns[0] == "Id" and rows <= MOST_ROWS_WITH_KEY:
        schema["primaryKey"] = ["Id"]
    return {
        "name": safe_name.lower(),
        "title": description.name,
        "path": [path.removeprefix(f"{layout.DATA}/") for path in paths],
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "compression": "gz",
        "dialect": _dialect(),
        "rows": rows,
        "schema": schema,
        "sfexit:label": description.label,
        "sfexit:keyPrefix": description.key_prefix,
    }


def _plain_resource(name: str, path: str, columns: Sequence[str], rows: int) -> dict[str, Any]:
    kinds = ((column, "integer" if column in _INTEGERS else "string") for column in columns)
    resource: dict[str, Any] = {
        "name": name,
        "path": path.removeprefix(f"{layout.DATA}/"),
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "dialect": _dialect(),
        "rows": rows,
        "schema": {"fields": [{"name": column, "type": kind} for column, kind in kinds]},
    }
    if path.endswith(".gz"):
        resource["compression"] = "gz"
    return resource


def build(
    resources: Iterable[dict[str, Any]], *, title: str, created: str, ledger_rows: int, files: int
) -> bytes:
    """The whole package, ready to be written."""
    package = {
        "name": "salesforce-archive",
        "title": title,
        "created": created,
        "profile": "data-package",
        "sfexit:format": layout.FORMAT,
        "resources": [
            _plain_resource("ledger", layout.LEDGER, ledger.COLUMNS, ledger_rows),
            _plain_resource("files", layout.FILES_INDEX, FILES_COLUMNS, files),
            *resources,
        ],
    }
    return json.dumps(package, ensure_ascii=False, indent=1).encode() + b"\n"
