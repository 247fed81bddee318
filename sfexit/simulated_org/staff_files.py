"""Metadata files that name people (Metadata API guide, the types' samples)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .components import KINDS, component, document

if TYPE_CHECKING:
    from .hiring import Hiring

_ROOTS = {("Settings", "Case"): "CaseSettings"}


def place(h: Hiring) -> None:
    """Put the files among the org's components."""
    names = h.tables["User"].column("Username")
    blockers = {kind: names.value(row) for kind, row in h.who.blockers.items()}
    files = _files(blockers)
    components = h.org.metadata.components
    kinds = {kind.name: kind for kind in KINDS}
    for (kind, name), body in files.items():
        root = _ROOTS.get((kind, name), kind)
        components.added.append(component(kinds[kind], name, document(root, body)))


def _files(who: dict[str, str | None]) -> dict[tuple[str, str], str]:
    """Metadata files that name users (Metadata API guide, the types' samples)."""

    def tag(name: str, value: str | None) -> str:
        return f"<{name}>{value}</{name}>" if value is not None else ""

    def has(kind: str, text: str) -> str:
        return text if kind in who else ""

    settings = tag("defaultCaseOwner", who.get("default_case_owner")) + has(
        "default_case_owner", "<defaultCaseOwnerType>User</defaultCaseOwnerType>"
    )
    settings += tag("defaultCaseUser", who.get("automated_case_user"))

    def rules(outer: str, entry: str) -> str:
        return (
            f"<{outer}><fullName>Standard</fullName><active>true</active>{entry}</{outer}>"
            if entry
            else ""
        )

    def assigned(kind: str) -> str:
        user = who.get(kind)
        return (
            user
            and (
                f"<ruleEntry><assignedTo>{user}</assignedTo><assignedToType>User</assignedToType>"
                "</ruleEntry>"
            )
        ) or ""

    alert = who.get("workflow_alert")
    task = who.get("workflow_task")
    update = who.get("workflow_field")
    workflow = (
        (
            "<alerts><fullName>Tell_them</fullName><description>Tell them</description>"
            f"<recipients><recipient>{alert}</recipient><type>user</type></recipients>"
            "<template>unfiled$public/Hello_0</template></alerts>"
            if alert
            else ""
        )
        + (
            "<fieldUpdates><fullName>Hand_over</fullName><field>OwnerId</field>"
            f"<lookupValue>{update}</lookupValue><lookupValueType>User</lookupValueType>"
            "<name>Hand over</name></fieldUpdates>"
            if update
            else ""
        )
        + (
            f"<tasks><fullName>Call</fullName><assignedTo>{task}</assignedTo>"
            "<assignedToType>user</assignedToType><subject>Call</subject></tasks>"
            if task
            else ""
        )
    )
    approver = who.get("approval")
    approval = (
        "<active>true</active><approvalStep><assignedApprover><approver>"
        f"<name>{approver}</name><type>user</type></approver></assignedApprover>"
        "<label>One</label><name>One</name></approvalStep><label>Discount</label>"
        if approver
        else "<active>false</active><label>Discount</label>"
    )
    responder = who.get("auto_response")
    response = responder and (
        f"<ruleEntry><senderEmail>{responder}</senderEmail><senderName>Us</senderName></ruleEntry>"
    )
    escalator = who.get("escalation")
    escalation = escalator and (
        "<ruleEntry><escalationAction><assignedTo>"
        f"{escalator}</assignedTo><assignedToType>User</assignedToType></escalationAction></ruleEntry>"
    )
    return {
        ("Settings", "Case"): settings,
        ("AssignmentRules", "Case"): rules("assignmentRule", assigned("case_assignment")),
        ("AssignmentRules", "Lead"): rules("assignmentRule", assigned("lead_assignment")),
        ("AutoResponseRules", "Case"): rules("autoresponseRule", response or ""),
        ("EscalationRules", "Case"): rules("escalationRule", escalation or ""),
        ("Workflow", "Opportunity"): workflow,
        ("ApprovalProcess", "Opportunity.Discount"): approval,
    }
