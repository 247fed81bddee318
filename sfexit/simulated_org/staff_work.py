"""What goes on: sessions, tokens, logins; jobs, approvals, sites; teams and shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import datetime_text
from .data import AS_OF

if TYPE_CHECKING:
    from .columns import Value
    from .hiring import Hiring

    Row = dict[str, Value]


def place(h: Hiring) -> None:
    """Write these rows."""
    _signed_in(h)
    _work(h)
    _teams(h)


def _signed_in(h: Hiring) -> None:
    h.give(
        "AuthSession",
        [
            {
                "UsersId": h.id("User", n),
                "LoginType": "Application",
                "SessionType": "UI" if n % 3 else "Oauth2",
                "SourceIp": "192.0.2.9",
                "UserType": "Standard",
                "CreatedDate": datetime_text(AS_OF - 600 * n),
            }
            for n in range(h.total)
            if h.kind(n) != "system" and n % 2 == 0
        ],
    )
    apps = [n for n in range(h.total) if h.kind(n) == "integration" or n % 7 == 0]
    h.give(
        "OauthToken",
        [
            {
                "AccessToken": f"acc-{n}",
                "DeleteToken": f"del-{h.org.seed}-{n}",
                "UserId": h.id("User", n),
                "AppName": "Sync" if h.kind(n) == "integration" else "Mobile",
                "LastUsedDate": datetime_text(AS_OF - 60 * n),
                "UseCount": str(n),
            }
            for n in apps
            if h.kind(n) != "system"
        ],
    )
    h.give(
        "LoginHistory",
        [
            {
                "UserId": h.id("User", n),
                "LoginTime": datetime_text(AS_OF - 3600 * (n + 1)),
                "LoginType": "Remote Access 2.0" if kind == "integration" else "Application",
                "Application": "Sync" if kind == "integration" else "Browser",
                "Status": "Success",
                "SourceIp": "192.0.2.9",
                "ApiType": "REST API" if kind == "integration" else None,
            }
            for n in range(h.total)
            if (kind := h.kind(n)) != "system"
        ],
    )


def _work(h: Hiring) -> None:
    people = h.who.people
    jobs = (("Nightly clean-up", "7"), ("Weekly report", "8"), ("Refresh board", "3"))
    h.give("CronJobDetail", [{"Name": n, "JobType": t} for n, t in jobs])
    h.give(
        "CronTrigger",
        [
            {
                "CronJobDetailId": h.id("CronJobDetail", k),
                "CronExpression": "0 0 1 * * ?",
                "State": "WAITING",
                "NextFireTime": datetime_text(AS_OF + 86_400),
                "OwnerId": h.id("User", people[k]),
                "CreatedById": h.id("User", people[k]),
            }
            for k in range(min(len(jobs), len(people)))
        ],
    )
    h.give(
        "AsyncApexJob",
        [
            {
                "JobType": "BatchApex",
                "Status": "Queued",
                "CreatedById": h.id("User", people[0]),
            }
        ],
    )
    locked = range(h.staff.locked_records)
    h.give(
        "ProcessInstance",
        [
            {
                "TargetObjectId": h.id("Opportunity", k),
                "Status": "Pending",
                "SubmittedById": h.id("User", people[0]),
            }
            for k in locked
        ],
    )
    h.give(
        "ProcessInstanceWorkitem",
        [
            {
                "ProcessInstanceId": h.id("ProcessInstance", k),
                "ActorId": h.id("User", people[k % len(people)]),
                "OriginalActorId": h.id("User", people[k % len(people)]),
            }
            for k in locked
        ],
    )
    h.give(
        "FlowInterview",
        [
            {
                "Name": "Paused",
                "InterviewLabel": "Paused",
                "InterviewStatus": "Paused",
                "OwnerId": h.id("User", people[0]),
            }
        ],
    )
    h.give(
        "Report",
        [
            {"Name": f"Mine {k}", "DeveloperName": f"Mine_{k}", "FolderName": "Private Reports",
             "OwnerId": h.id("User", people[k])}
            for k in range(min(3, len(people)))
        ],
    )  # fmt: skip
    h.give(
        "EmailTemplate",
        [
            {"Name": f"Hello {k}", "DeveloperName": f"Hello_{k}", "IsActive": "true",
             "OwnerId": h.id("User", people[k])}
            for k in range(min(2, len(people)))
        ],
    )  # fmt: skip
    owner = h.who.blockers.get("site_owner", 0)
    h.give(
        "Site",
        [
            {
                "Name": "Help",
                "MasterLabel": "Help",
                "Status": "Active",
                "GuestRecordDefaultOwnerId": h.id("User", owner),
                "AdminId": h.id("User", 0),
            }
        ],
    )
    h.give(
        "EntitySubscription",
        [
            {
                "ParentId": h.id("Account", k),
                "SubscriberId": h.id("User", people[k]),
                "IsDeleted": "false",
            }
            for k in range(min(4, len(people)))
        ],
    )


def _teams(h: Hiring) -> None:
    people = h.who.people
    pick = h.rng.choice

    def user() -> str:
        return h.id("User", pick(people))

    accounts, opportunities = h.tables["Account"].rows, h.tables["Opportunity"].rows
    h.give(
        "AccountTeamMember",
        [
            {
                "AccountId": h.id("Account", k % accounts),
                "UserId": user(),
                "TeamMemberRole": "Account Manager",
                "AccountAccessLevel": "Edit",
                "OpportunityAccessLevel": "Read",
                "CaseAccessLevel": "None",
                "ContactAccessLevel": "None",
            }
            for k in range(h.staff.teams)
        ],
    )
    h.give(
        "OpportunityTeamMember",
        [
            {
                "OpportunityId": h.id("Opportunity", k % opportunities),
                "UserId": user(),
                "TeamMemberRole": "Sales Rep",
                "OpportunityAccessLevel": "Edit",
            }
            for k in range(h.staff.teams)
        ],
    )
    h.give(
        "AccountShare",
        [
            {
                "AccountId": h.id("Account", k % accounts),
                "UserOrGroupId": user(),
                "AccountAccessLevel": "Edit",
                "OpportunityAccessLevel": "None",
                "RowCause": ("Manual", "Team", "Rule")[k % 3],
                "IsDeleted": "false",
            }
            for k in range(h.staff.shares)
        ],
    )
    h.give(
        "OpportunityShare",
        [
            {
                "OpportunityId": h.id("Opportunity", k % opportunities),
                "UserOrGroupId": user(),
                "OpportunityAccessLevel": "Edit",
                "RowCause": ("Manual", "Team")[k % 2],
                "IsDeleted": "false",
            }
            for k in range(h.staff.shares)
        ],
    )
    h.give(
        "ContactShare",
        [
            {"ContactId": h.id("Contact", k), "UserOrGroupId": user(),
             "ContactAccessLevel": "Edit", "RowCause": ("Manual", "Rule")[k % 2],
             "IsDeleted": "false"}
            for k in range(min(h.staff.shares, h.tables["Contact"].rows))
        ],
    )  # fmt: skip
    h.give("CaseTeamTemplate", [{"Name": "Escalations"}])
    h.give("CaseTeamRole", [{"Name": "Expert", "AccessLevel": "Edit"}])
    h.give(
        "CaseTeamTemplateMember",
        [
            {
                "TeamTemplateId": h.id("CaseTeamTemplate", 0),
                "MemberId": h.id("User", n),
                "TeamRoleId": h.id("CaseTeamRole", 0),
            }
            for n in people[:2]
        ],
    )
    for name in ("UserAccountTeamMember", "UserTeamMember"):
        h.give(
            name,
            [
                {"OwnerId": h.id("User", owner), "UserId": member, "TeamMemberRole": "Rep"}
                for owner, member in (
                    (people[0], user()),
                    (people[-1], h.id("User", people[0])),
                )
            ],
        )
