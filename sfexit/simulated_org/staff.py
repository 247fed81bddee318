"""The people of an org: how many there are of each kind, and what stands in the way of their
leaving.

Salesforce Help, "Considerations for Deactivating Users"; Object Reference as in staff_objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: Why a deactivation is refused, in the words people see (Salesforce Help, 000384586, 000187291).
_NO = "You cannot deactivate this user. This user is "
BLOCKERS: dict[str, str] = {
    "default_case_owner": _NO + "the Default Case Owner.",
    "automated_case_user": _NO + "the Automated Case User.",
    "default_lead_owner": _NO + "the Default Lead Owner.",
    "web_to_lead": "You cannot disable the Web to Lead Default Creator",
    "case_assignment": _NO + "part of a case assignment rule.",
    "lead_assignment": _NO + "part of a lead assignment rule.",
    "auto_response": _NO + "part of an auto-response rule.",
    "escalation": _NO + "part of a case escalation rule.",
    "workflow_alert": _NO + "the only recipient of a workflow email alert.",
    "workflow_task": _NO + "assigned a workflow task.",
    "workflow_field": _NO + "used in a workflow field update.",
    "approval": _NO + "an approver in an approval process.",
    "delegated_approver": _NO + "a delegated approver.",
    "hierarchy_field": _NO + "selected in a custom hierarchy field.",
    "site_owner": _NO + "the default owner of records of guest users.",
    "default_workflow_user": "You cannot deactivate the Default Workflow User",
    "reminder_sender": _NO + "the sender of opportunity update reminders.",
}
#: Those that lie in metadata files: they are gone once the file names somebody else.
FILES: dict[str, tuple[str, str]] = {
    "default_case_owner": ("Settings", "Case"),
    "automated_case_user": ("Settings", "Case"),
    "case_assignment": ("AssignmentRules", "Case"),
    "lead_assignment": ("AssignmentRules", "Lead"),
    "auto_response": ("AutoResponseRules", "Case"),
    "escalation": ("EscalationRules", "Case"),
    "workflow_alert": ("Workflow", "Opportunity"),
    "workflow_task": ("Workflow", "Opportunity"),
    "workflow_field": ("Workflow", "Opportunity"),
    "approval": ("ApprovalProcess", "Opportunity.Discount"),
}
#: Those that no query and no metadata file shows.
UNSEEN = frozenset(
    {"default_lead_owner", "web_to_lead", "default_workflow_user", "reminder_sender"}
)


@dataclass(frozen=True)
class Staff:
    """How many of each kind. ``people`` are ordinary users; administrators come besides the one
    who runs the requests. ``blockers`` and other hazards are put on the first people, in order.
    ``things`` are custom objects with owners."""

    people: int = 30
    administrators: int = 2
    integrations: int = 2
    portal: int = 2
    spare_seats: int = 5
    things: int = 4
    blockers: tuple[str, ...] = tuple(BLOCKERS)
    teams: int = 40
    shares: int = 40
    locked_records: int = 2
    #: Objects that the profile of ordinary people does not let them read.
    unreadable: tuple[str, ...] = ()
    #: Rows of an object that a trigger refuses to change, by object.
    refusing: dict[str, tuple[int, ...]] = field(default_factory=dict)
    #: Every so many rows of a child object is locked the first time it is written; 0 for none.
    lock_every: int = 0


@dataclass
class Employed:
    """Rows of the table User by kind, and what lies on whom: for tests to compare with."""

    administrators: list[int]
    system: list[int]
    integrations: list[int]
    portal: list[int]
    people: list[int]
    blockers: dict[str, int]
