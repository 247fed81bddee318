"""What an administrator decides about one by one: names that the command line has for it."""

from __future__ import annotations

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
    "dashboards": ("--accept-dashboards",
                   "dashboards that run as a user, and are not let run as another, stop working"),
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
#: Hazards of records that change hands, whoever leaves or stays.
OF_OWNERSHIP = (
    "automation", "skew", "sharing", "teams", "manual_shares", "frozen_successor",
    "successor_access", "portal_account", "interviews", "recurring",
)  # fmt: skip
#: Blockers in metadata files that a deployment lifts.
IN_FILES = frozenset(
    {"default_case_owner", "automated_case_user", "case_assignment", "lead_assignment",
     "auto_response", "escalation", "workflow_alert", "workflow_task", "workflow_field"}
)  # fmt: skip
#: Blockers that sfexit can lift by itself, when they are approved one by one.
LIFTED = ("delegated_approver", "hierarchy_field", *sorted(IN_FILES))
#: Dashboards are no blockers, yet let run as somebody else when that is approved.
DASHBOARDS = "dashboards"
LIFTABLE = (*LIFTED, DASHBOARDS)
