"""Plans to try things on."""

from __future__ import annotations

from typing import Any

from sfexit.offboarding.plan import Person, Plan, Step, Transfer

LEAVER = "005000000000001AAA"
HEIR = "005000000000002AAA"


def plan(**changes: Any) -> Plan:
    """A small plan with changes."""
    made: dict[str, Any] = {
        "organization_id": "00D000000000001AAA",
        "organization": "Northwater",
        "instance": "https://northwater.my.salesforce.com",
        "api_version": "66.0",
        "runner_id": "005000000000009AAA",
        "runner": "admin@northwater.example",
        "created": "2026-11-22T06:00:00Z",
        "expires": "2026-11-23T06:00:00Z",
        "purpose": "offboard",
        "certificate": "ab" * 32,
        "rules": {"successor": "named"},
        "people": (
            Person(LEAVER, "o'brien@x.example", "O'Brien", "person", "full", 1, HEIR,
                   {"IsActive": "true"}, {"UI": "2026-11-01T00:00:00Z"}),
        ),
        "steps": (
            Step("contain-1", "contain", "update", LEAVER, "UserLogin", "0Yw000000000001AAA",
                 {"IsFrozen": "false"}, {"IsFrozen": "true"}, "Freeze O'Brien"),
        ),
        "transfers": (
            Transfer("ownership-1", LEAVER, "Account", "OwnerId", HEIR, "", 3, 0, 0, 10, 5),
        ),
    }  # fmt: skip
    return Plan(**{**made, **changes})
