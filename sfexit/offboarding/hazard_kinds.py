"""What goes wrong beside the change itself: the kinds, each with the one flag that accepts it.

Sources: Salesforce Help 000390190 (account teams), 000384471 (manual shares), 000380795 (jobs),
"Transfer Account Ownership"; Apex guide, "sObjects That Cannot Be Used Together in DML
Operations"; Record Locking Cheat Sheet (ownership skew).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sfexit.offboarding.dashboards import Board
from sfexit.offboarding.flags import FLAGS
from sfexit.offboarding.holdings import Held
from sfexit.offboarding.naming import Mention
from sfexit.offboarding.owned import Estate
from sfexit.offboarding.people import User
from sfexit.offboarding.plan import Hazard, Transfer
from sfexit.redaction import printable

#: Rows of one object that one user should own at most (Record Locking Cheat Sheet).
SKEW = 10_000
#: Handled without anybody's leave, told all the same.
TOLD = frozenset({"mixed_operations", "licences", "recycle_bin", "archived", "dashboards_change"})


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
    boards: Sequence[Board] = ()
    full: Collection[str] = ()  # leavers who are more than frozen


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
