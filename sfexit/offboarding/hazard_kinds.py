"""What goes wrong beside the change itself: the kinds, each with the one flag that accepts it.

Sources: Salesforce Help 000390190 (account teams), 000384471 (manual shares), 000380795 (jobs),
"Transfer Account Ownership"; Apex guide, "sObjects That Cannot Be Used Together in DML
Operations"; Record Locking Cheat Sheet (ownership skew).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sfexit.offboarding.holdings import Held
from sfexit.offboarding.naming import Mention
from sfexit.offboarding.owned import Estate
from sfexit.offboarding.people import User
from sfexit.offboarding.plan import Hazard, Transfer
from sfexit.redaction import printable

#: Rows of one object that one user should own at most (Record Locking Cheat Sheet).
SKEW = 10_000
#: Code → the flag that accepts it, and what accepting means. Each has an option of its own.
FLAGS: dict[str, tuple[str, str]] = {
    "automation": ("--accept-automation",
                   "triggers and flows will run on the records that change hands"),
    "user_automation": ("--accept-user-automation",
                        "triggers and flows will run on users; one that writes records then fails"),
    "skew": ("--accept-skew", "a successor will own more than 10,000 records of one object"),
    "sharing": ("--accept-sharing", "sharing is calculated anew and may take hours"),
    "teams": ("--accept-teams",
              "Salesforce drops account and opportunity teams; they are saved and put back"),
    "manual_shares": ("--accept-manual-shares",
                      "Salesforce drops manual shares; they are saved and put back"),
    "frozen_successor": ("--accept-frozen-successor", "a successor is frozen and cannot work"),
    "successor_access": ("--accept-successor-access",
                         "a successor may not read an object: those records will be refused"),
    "portal_account": ("--accept-portal-accounts",
                       "a successor without a role gets accounts that have portal users"),
    "identity_provider": ("--accept-identity-provider",
                          "the identity provider may switch a user on again"),
    "last_in_queue": ("--accept-empty-queues", "a queue loses its last member"),
    "jobs": ("--accept-jobs", "scheduled jobs stop without a word"),
    "dashboards": ("--accept-dashboards", "dashboards that run as a user stop working"),
    "tokens": ("--accept-tokens", "connected apps lose their access for good"),
    "approvals": ("--accept-approvals", "pending approvals go to the successor"),
    "interviews": ("--accept-interviews", "paused flow interviews get another owner"),
    "recurring": ("--accept-recurring", "recurring activities change hands one by one"),
    "flow_names_user": ("--accept-flows", "a flow names a user and may fail afterwards"),
    "app_names_user": ("--accept-apps", "a connected app runs as a user and will fail"),
    "left_behind": ("--accept-left-behind",
                    "records that name a user in another field than the owner keep doing so"),
    "private": ("--accept-private", "private reports and dashboards are lost to everybody"),
}  # fmt: skip
#: Handled without anybody's leave, told all the same.
TOLD = frozenset({"mixed_operations", "licences", "recycle_bin", "archived"})


@dataclass(frozen=True)
class Seen:
    """What the hazards are judged by."""

    users: Mapping[str, User]
    leavers: Sequence[User]
    heirs: Mapping[str, str]
    transfers: Sequence[Transfer]
    estate: Estate
    held: Held
    mentions: Sequence[Mention]


def hazard(code: str, text: str, *, user: str = "", name: str = "", count: int = 0) -> Hazard:
    """A hazard with the flag that accepts it."""
    return Hazard(code, user, name, count, text, FLAGS[code][0] if code in FLAGS else "")


def called(seen: Seen, user_id: str) -> str:
    user = seen.users.get(user_id)
    return printable(user.username if user else user_id, 80)


def count_by(
    transfers: Iterable[Transfer], key: Callable[[Transfer], tuple[str, str]]
) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for one in transfers:
        counts[key(one)] = counts.get(key(one), 0) + one.count + one.archived
    return counts
