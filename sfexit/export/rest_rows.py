"""REST answers as rows of the archive's CSV dialect (docs/archive-format.md, 4.1)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sfexit.catalog import Description


class RowShaper:
    """Turns a record of a REST answer into the cells of a row.

    Records must have been parsed with numbers kept as text, so that no digit changes.
    """

    def __init__(self, description: Description, columns: Sequence[str]) -> None:
        self._columns = [
            (name, (field.type if (field := description.field(name)) is not None else "string"))
            for name in columns
        ]

    def cells(self, record: Mapping[str, Any]) -> list[str]:
        """One cell a column; null is the empty text."""
        return [_cell(record.get(name), kind) for name, kind in self._columns]


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        if kind == "datetime" and value.endswith("+0000"):
            return value[:-5] + "Z"
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
