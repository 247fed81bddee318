"""Bars as inline SVG: no script, no style, dark on light on paper, a number at each bar."""

from __future__ import annotations

from collections.abc import Sequence

from sfexit.reports import html

_WIDTH, _LABEL, _BAR, _STEP = 760, 260, 16, 24


def used_of_total(rows: Sequence[tuple[str, int, int]]) -> str:
    """For each (name, used, total) a frame of the total with the used part filled."""
    most = max((max(used, total) for _, used, total in rows), default=0)
    lines = []
    for number, (name, used, total) in enumerate(rows):
        y = number * _STEP + 4
        lines.append(
            _name(name, y)
            + f'<rect x="{_LABEL}" y="{y}" width="{_long(total, most)}" height="{_BAR}" '
            'fill="none" stroke="currentColor"/>'
            f'<rect x="{_LABEL}" y="{y}" width="{_long(used, most)}" height="{_BAR}" '
            'fill="#47a"/>' + _number(f"{used:,} of {total:,}", max(used, total), most, y)
        )
    return _drawing(lines, "Seats given out, of those bought")


def counts(rows: Sequence[tuple[str, int]]) -> str:
    """A bar for each (name, count)."""
    most = max((count for _, count in rows), default=0)
    lines = []
    for number, (name, count) in enumerate(rows):
        y = number * _STEP + 4
        lines.append(
            _name(name, y)
            + f'<rect x="{_LABEL}" y="{y}" width="{_long(count, most)}" height="{_BAR}" '
            'fill="#47a"/>' + _number(f"{count:,}", count, most, y)
        )
    return _drawing(lines, "Counts")


def _long(value: int, most: int) -> int:
    return round(max(0, value) / most * (_WIDTH - _LABEL - 120)) if most else 0


def _name(name: str, y: int) -> str:
    return f'<text x="{_LABEL - 8}" y="{y + 12}" text-anchor="end">{html.text(name, 31)}</text>'


def _number(text: str, value: int, most: int, y: int) -> str:
    return f'<text x="{_LABEL + _long(value, most) + 6}" y="{y + 12}">{html.text(text)}</text>'


def _drawing(lines: Sequence[str], title: str) -> str:
    if not lines:
        return "<p>Nothing to show.</p>"
    height = len(lines) * _STEP + 8
    return (
        f'<div class="wide"><svg viewBox="0 0 {_WIDTH} {height}" width="100%" role="img" '
        f'font-size="13" fill="currentColor"><title>{html.text(title)}</title>'
        f"{''.join(lines)}</svg></div>"
    )
