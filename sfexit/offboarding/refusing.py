"""Whom nobody may offboard, whatever is asked for: no flag lifts what stands here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from sfexit.offboarding.people import INTEGRATION, PORTAL, SYSTEM, Signs, User, why_integration
from sfexit.offboarding.plan import Refusal
from sfexit.offboarding.wanted import Leaver
from sfexit.redaction import printable


class Asked(Protocol):
    """What was allowed by name."""

    @property
    def include_portal(self) -> bool: ...


def refused_leavers(
    users: Mapping[str, User],
    kinds: Mapping[str, str],
    signs: Mapping[str, Signs],
    runner_id: str,
    included: Collection[str],
    options: Asked,
) -> tuple[list[Refusal], set[str]]:
    """Refusals, and the ids of those who stay because of them. Pure."""
    found: list[Refusal] = []
    staying: set[str] = set()
    for one, user in users.items():
        code, text = "", ""
        if one == runner_id:
            code, text = (
                "running_user",
                ("this is the user who runs sfexit: let another administrator take this one off"),
            )
        elif kinds[one] == SYSTEM:
            code, text = (
                "system_user",
                (
                    "this is a user of the platform itself "
                    f"({printable(user.user_type, 40)}), without whom the org does not work"
                ),
            )
        elif kinds[one] == INTEGRATION and one not in included:
            why = why_integration(user, signs[one])
            code, text = (
                "integration_user",
                (
                    f"this is an integration user: {why}; stop what uses it first, then name it "
                    "with --include-integration"
                ),
            )
        elif kinds[one] == PORTAL and not options.include_portal:
            code, text = (
                "portal_user",
                ("this is a portal user: plan portal users with --include-portal"),
            )
        if code:
            found.append(Refusal(code, user.username, text))
            staying.add(one)
    return found, staying


def too_few_administrators(
    users: Mapping[str, User],
    leavers: Mapping[str, Leaver],
    certain: Collection[str],
    least: int,
) -> tuple[list[Refusal], set[str]]:
    """Refuse all administrators who leave when fewer than `least` would be left. Pure.

    `certain`: ids of the administrators of today. Which of them stays is a person's choice, so
    none is picked.
    """
    going = {one for one in leavers if one in certain}
    left = len(set(certain) - going)
    if not going or left >= max(1, least):
        return [], set()
    text = (
        f"{left} administrators would be left, --min-admins asks for {max(1, least)}: only "
        "Salesforce Support can help an org without one; leave an administrator out of the list, "
        "or make another one first"
    )
    return [Refusal("min_admins", users[one].username, text) for one in sorted(going)], going
