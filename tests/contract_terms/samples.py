"""Contracts to try things on."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from typing import Any

from sfexit.contract.terms import Contract, read

GOOD: dict[str, Any] = {
    "contract": {
        "number": "C-1",
        "customer": "Acme GmbH",
        "vendor": "Vendor Ltd",
        "start": date(2026, 4, 1),
        "end": date(2027, 3, 31),
        "renewal": "auto",
        "currency": "EUR",
    },
    "notice": {
        "count": 30,
        "clause": "MSA 11.2",
        "forms": ["letter", "portal"],
        "addressees": [{"role": "legal", "address": "1 Some Street"}],
    },
}


def document(**changes: Any) -> dict[str, Any]:
    """The good file with changes: `contract_end=…` sets `[contract] end`; None removes a key."""
    made = deepcopy(GOOD)
    for name, value in changes.items():
        table, _, key = name.partition("_")
        if table not in GOOD or not key:
            made[name] = value
        elif value is None:
            del made[table][key]
        else:
            made.setdefault(table, {})[key] = value
    return made


def contract(**changes: Any) -> Contract:
    """The contract of that file, which must be a good one."""
    made, problems = read(document(**changes))
    assert made is not None, problems
    return made
