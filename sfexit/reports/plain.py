"""Results as plain values for JSON: amounts keep every digit, days are ISO 8601."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any


def plain(value: Any) -> Any:
    """`value` with amounts and dates as texts and tuples as lists, at every depth."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, date) else value
