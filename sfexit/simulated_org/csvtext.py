"""Bulk API 2.0 result text: every value quoted, quotes doubled, null as an empty value.

Bulk API guide, "Valid CSV Record Rows" and "Get Results for a Query Job".
"""

from __future__ import annotations

from collections.abc import Iterable

DELIMITERS = {
    "BACKQUOTE": "`",
    "CARET": "^",
    "COMMA": ",",
    "PIPE": "|",
    "SEMICOLON": ";",
    "TAB": "\t",
}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}


def cell(value: str | None) -> str:
    """One quoted value."""
    if value is None:
        return '""'
    if '"' in value:
        value = value.replace('"', '""')
    return f'"{value}"'


def line(values: Iterable[str | None], delimiter: str = ",") -> str:
    """One row without its line end."""
    return delimiter.join([cell(value) for value in values])


def split_rows(text: str) -> list[str]:
    """Cut well-formed result text into rows (each with its line end), minding quotes."""
    rows: list[str] = []
    start = 0
    quoted = False
    for position, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif char == "\n" and not quoted:
            rows.append(text[start : position + 1])
            start = position + 1
    if start < len(text):
        rows.append(text[start:])
    return rows


def split_cells(row: str, delimiter: str = ",") -> list[str]:
    """Cut one row (without line end) into its quoted cells."""
    cells: list[str] = []
    start = 0
    quoted = False
    for position, char in enumerate(row):
        if char == '"':
            quoted = not quoted
        elif char == delimiter and not quoted:
            cells.append(row[start:position])
            start = position + 1
    cells.append(row[start:])
    return cells
