"""What a query would select, without its rows: ``GET /query?q=…&columns=true``.

Not in the REST API guide; the Salesforce CLI asks it for the order of columns (plugin-data,
``retrieveColumns`` of ``sf data query``), and the keys are those it reads.
"""

from __future__ import annotations

from typing import Any

from .select import Selection, select
from .soql import Item
from .visibility import View


def column_list(org: View, text: str, version: str) -> dict[str, Any]:
    """The statement's columns; it is checked as if it were to be run."""
    selection = select(org, text, False, float(version))
    columns: list[dict[str, Any]] = []
    numbered = 0
    for item in selection.query.items:
        if item.kind == "fields":
            columns += [_plain(selection, f.name) for f in selection.sobject.fields]
        elif item.kind == "path":
            _joined(columns, selection, item.path.split("."))
        else:
            columns.append(_computed(item, numbered))
            numbered += not item.alias
    return {
        "columnMetadata": columns,
        "entityName": selection.sobject.name,
        "groupBy": bool(selection.query.group_by),
        "idSelected": any(c["columnName"] == "Id" for c in columns),
        "keyPrefix": selection.sobject.prefix,
    }


def _column(name: str, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "aggregate": False,
        "apexType": None,
        "booleanType": False,
        "columnName": name,
        "custom": name.endswith("__c"),
        "displayName": name,
        "foreignKeyName": None,
        "insertable": False,
        "joinColumns": [],
        "numberType": False,
        "textType": False,
        "updatable": False,
    }
    return {**told, **more}


def _plain(selection: Selection, name: str) -> dict[str, Any]:
    field = selection.sobject.field(name)
    if field is None:
        return _column(name)
    return _column(
        field.name,
        booleanType=field.type == "boolean",
        numberType=field.type in ("int", "double", "currency", "percent"),
        textType=field.type in ("string", "textarea", "picklist", "email", "phone", "url"),
    )


def _joined(columns: list[dict[str, Any]], selection: Selection, steps: list[str]) -> None:
    """Columns of one parent stand together below its name."""
    if len(steps) == 1:
        columns.append(_plain(selection, steps[0]))
        return
    parent = next(
        (c for c in columns if c["columnName"] == steps[0] and c["joinColumns"]),
        None,
    )
    if parent is None:
        parent = _column(steps[0])
        columns.append(parent)
    below: list[dict[str, Any]] = parent["joinColumns"]
    for step in steps[1:-1]:
        found = _column(step)
        below.append(found)
        below = found["joinColumns"]
    below.append(_column(steps[-1]))


def _computed(item: Item, number: int) -> dict[str, Any]:
    shown = f"{item.function}({item.path})" if item.path else "count()"
    return _column(item.alias or f"expr{number}", aggregate=True, displayName=shown)
