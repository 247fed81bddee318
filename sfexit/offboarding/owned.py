"""What users own: every lookup to User that can be changed, counted per user and field.

The list of objects comes from their describes, never from a table. One query counts a field for
200 users, with open, closed, archived and deleted records told apart where the object knows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sfexit.catalog import Description, ObjectEntry
from sfexit.offboarding.asking import Asking, Look, number, value

OWNER = "OwnerId"
_STATES = ("IsDeleted", "IsArchived", "IsClosed")
#: Rows that join users to something: taken away or saved with their owner, never handed over.
JOINS = frozenset(
    {"User", "UserLogin", "UserRole", "AuthSession", "GroupMember", "PermissionSetAssignment",
     "PermissionSetLicenseAssign", "UserPackageLicense", "UserTerritory2Association",
     "AccountTeamMember", "OpportunityTeamMember", "CaseTeamMember", "UserTeamMember",
     "UserAccountTeamMember", "CaseTeamTemplateMember", "EntitySubscription",
     "CollaborationGroupMember",
     "ContentWorkspaceMember", "ProcessInstanceWorkitem", "ProcessInstance", "QueueSobject"}
)  # fmt: skip
#: What follows another record by itself (Object Reference, ContentVersion: its owner is that of
#: the document).
_FOLLOWING = frozenset({"ContentVersion"})
#: Not found by an updateable lookup, yet somebody's: counted, never moved by the API.
_MORE = (
    Look("Report", ("OwnerId",), "OwnerId", count=True),
    Look("Report", ("OwnerId",), "OwnerId", scope="allPrivate", count=True),
    Look("Dashboard", ("RunningUserId",), "RunningUserId", count=True),
    Look("Dashboard", ("CreatedById",), "CreatedById", scope="allPrivate", count=True),
    Look("CronTrigger", ("OwnerId",), "OwnerId", count=True),
    Look("AsyncApexJob", ("CreatedById",), "CreatedById", count=True,
         where="Status IN ('Holding','Queued','Preparing','Processing')"),
    Look("ProcessInstanceWorkitem", ("ActorId",), "ActorId", count=True),
    Look("ListView", ("CreatedById",), "CreatedById", count=True),
    Look("Folder", ("CreatedById",), "CreatedById", count=True),
    Look("AccountTeamMember", ("UserId",), "UserId", count=True),
    Look("OpportunityTeamMember", ("UserId",), "UserId", count=True),
    Look("UserTeamMember", ("OwnerId",), "OwnerId", count=True),
    Look("UserAccountTeamMember", ("OwnerId",), "OwnerId", count=True),
    Look("CaseTeamMember", ("MemberId",), "MemberId", count=True),
    Look("CollaborationGroupMember", ("MemberId",), "MemberId", count=True),
    Look("ContentWorkspaceMember", ("MemberId",), "MemberId", count=True),
    Look("EntitySubscription", ("SubscriberId",), "SubscriberId", count=True),
    Look("UserRole", ("ForecastUserId",), "ForecastUserId", count=True),
    Look("User", ("ManagerId",), "ManagerId", count=True, where="IsActive = true"),
    Look("AccountShare", ("UserOrGroupId",), "UserOrGroupId", count=True,
         where="RowCause = 'Manual'"),
    Look("OpportunityShare", ("UserOrGroupId",), "UserOrGroupId", count=True,
         where="RowCause = 'Manual'"),
)  # fmt: skip


@dataclass(frozen=True)
class Owned:
    """Records of one object that name a user in one field. `movable`: the field can be changed;
    `counted` is false where the org gave no count by state, so all stand in `open`."""

    user_id: str
    object: str
    field: str
    open: int = 0
    closed: int = 0
    archived: int = 0
    deleted: int = 0
    movable: bool = True
    scope: str = ""

    @property
    def alive(self) -> int:
        """Neither in the recycle bin nor archived."""
        return self.open + self.closed

    @property
    def total(self) -> int:
        """All that can be moved."""
        return self.alive + self.archived


@dataclass(frozen=True)
class Estate:
    """Everything that is owned, and what an order of transfers is made from."""

    rows: tuple[Owned, ...]
    parents: Mapping[str, frozenset[str]] = field(default_factory=dict)
    queues: frozenset[str] = frozenset()  # objects that a queue may own
    fields: tuple[tuple[str, str], ...] = ()  # all that was counted


def candidates(entries: Mapping[str, ObjectEntry]) -> list[str]:
    """Objects that may hold a lookup to User which can be changed."""
    return sorted(
        name for name, one in entries.items()
        if one.queryable and one.updateable and not one.deprecated
        and name not in JOINS and one.associate_entity_type is None
    )  # fmt: skip


def user_fields(known: Description) -> list[str]:
    """Fields of an object that name users and that the API may change, the owner first."""
    found = [
        one.name for one in known.fields
        if one.updateable and one.filterable and "User" in one.reference_to and one.name != "Id"
    ]  # fmt: skip
    return sorted(found, key=lambda name: (name != OWNER, name))


def count(asking: Asking, ids: Sequence[str]) -> Estate:
    """Count everything that these users own."""
    names = candidates(asking.entries)
    asking.learn(names)
    looks: list[Look] = []
    parents: dict[str, frozenset[str]] = {}
    queues = set()
    for name in names:
        known = asking.described(name)
        if known is None:
            asking.note(f"{name} could not be described, so its owners are not counted")
            continue
        owned = user_fields(known)
        if not owned:
            continue
        parents[name] = frozenset(to for one in known.fields for to in one.reference_to)
        owner = known.field(OWNER)
        if owner is not None and "Group" in owner.reference_to:
            queues.add(name)
        states = tuple(one for one in _STATES if known.has(one))
        looks += [
            Look(name, (one, *states), one, all_rows=bool(set(states) - {"IsClosed"}), count=True)
            for one in owned
        ]
    looks += _MORE
    rows = [
        one
        for look, found in zip(looks, asking.look(looks, ids), strict=True)
        for one in _summed(
            look, found or (), movable=look not in _MORE and look.object not in _FOLLOWING
        )
    ]
    return Estate(
        tuple(sorted(rows, key=lambda one: (one.user_id, one.object, one.field, one.scope))),
        parents,
        frozenset(queues),
        tuple(sorted({(one.object, one.key) for one in looks})),
    )


def _summed(look: Look, found: Sequence[Mapping[str, object]], *, movable: bool) -> Iterator[Owned]:
    sums: dict[str, dict[str, int]] = {}
    for told in found:
        row = dict(told)
        user, n = value(row, look.key), number(row)
        if user is None or not n:
            continue
        if value(row, "IsDeleted") == "true":
            state = "deleted"
        elif value(row, "IsArchived") == "true":
            state = "archived"
        else:
            state = "closed" if value(row, "IsClosed") == "true" else "open"
        mine = sums.setdefault(user, {})
        mine[state] = mine.get(state, 0) + n
    for user, states in sums.items():
        yield Owned(user, look.object, look.key, **states, movable=movable, scope=look.scope)
