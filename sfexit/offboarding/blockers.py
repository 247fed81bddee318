"""Why Salesforce would refuse a deactivation: every reason of every user at once.

Salesforce Help: "Considerations for Deactivating Users", 000384586, 000187291 (what blocks),
000381030 (site guest record owner). The screen shows one reason at a time; this looks for all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sfexit.catalog import Description
from sfexit.offboarding.asking import Asking, Look, Row, value
from sfexit.offboarding.flags import IN_FILES
from sfexit.offboarding.naming import Mention
from sfexit.offboarding.people import User
from sfexit.offboarding.plan import Blocker, Step
from sfexit.redaction import printable


@dataclass(frozen=True)
class _Kind:
    label: str
    setup_path: str
    fix: str


_DELEGATED, _HIERARCHY, _SITE = "delegated_approver", "hierarchy_field", "site_owner"

_KINDS: dict[str, _Kind] = {
    "default_case_owner": _Kind(
        "Default Case Owner", "Setup > Support Settings > Default Case Owner",
        "choose a queue or another user"),
    "automated_case_user": _Kind(
        "Automated Case User", "Setup > Support Settings > Automated Case User",
        "choose System or another user"),
    "case_assignment": _Kind(
        "Case assignment rule", "Setup > Case Assignment Rules",
        "let the rule entry assign to a queue or another user"),
    "lead_assignment": _Kind(
        "Lead assignment rule", "Setup > Lead Assignment Rules",
        "let the rule entry assign to a queue or another user"),
    "auto_response": _Kind(
        "Auto-response rule", "Setup > Case Auto-Response Rules or Lead Auto-Response Rules",
        "give the rule entry another sender"),
    "escalation": _Kind(
        "Case escalation rule", "Setup > Escalation Rules",
        "let the escalation action assign to and notify somebody else"),
    "workflow_alert": _Kind(
        "Recipient of a workflow email alert", "Setup > Email Alerts",
        "add another recipient, then remove this one"),
    "workflow_task": _Kind(
        "Assignee of a workflow task", "Setup > Workflow > Tasks", "assign it to another user"),
    "workflow_field": _Kind(
        "Value of a workflow field update", "Setup > Field Updates",
        "choose another user as the value"),
    "workflow_rule": _Kind(
        "Criterion of a workflow rule", "Setup > Workflow Rules", "name another user in the rule"),
    "approval": _Kind(
        "Approver in an approval process", "Setup > Approval Processes",
        "name another approver in the step, or deactivate the process"),
    _DELEGATED: _Kind(
        "Delegated approver of another user", "Setup > Users > Edit > Approver Settings",
        "choose another delegated approver"),
    _HIERARCHY: _Kind(
        "Selected in a custom hierarchy field", "Setup > Users > Edit",
        "choose another user or none. A deleted field blocks too until it is erased (Setup > "
        "Object Manager > User > Fields > Deleted Fields)"),
    _SITE: _Kind(
        "Default owner of records that guests create", "Setup > Sites > (site) > Edit",
        "choose another default record owner"),
    "named_in_metadata": _Kind(
        "Named in the org's configuration", "Setup (see the file)",
        "look whether it blocks, and name somebody else"),
}  # fmt: skip

#: Reasons that no API shows (Help as above): to be looked at by a person, once for all users.
_UNSEEN: tuple[tuple[str, str, str], ...] = (
    ("default_lead_owner", "Default Lead Owner", "Setup > Lead Settings > Default Lead Owner"),
    ("web_to_lead", "Web-to-Lead Default Creator", "Setup > Web-to-Lead > Default Lead Creator"),
    ("default_workflow_user", "Default Workflow User",
     "Setup > Process Automation Settings > Default Workflow User"),
    ("reminder_sender", "Sender of opportunity update reminders",
     "Setup > Update Reminders"),
    ("big_deal_alert", "Sender of Big Deal Alerts", "Setup > Big Deal Alert"),
    ("portal_administrator", "Administrator of a classic portal",
     "Setup > Customer Portal Settings, Setup > Partners"),
    ("connection_owner", "Owner of a Salesforce to Salesforce connection",
     "App Launcher > Connections"),
    ("delegated_administrator", "Delegated administrator", "Setup > Delegated Administration"),
)  # fmt: skip

_SETTINGS = {"defaultCaseOwner": "default_case_owner", "defaultCaseUser": "automated_case_user"}
#: By type of metadata, the elements on the way (one of them) and the reason; "" fits all.
_NAMED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "AssignmentRules": (("", "assignment"),),
    "AutoResponseRules": (("", "auto_response"),),
    "EscalationRules": (("", "escalation"),),
    "Workflow": (
        ("alerts", "workflow_alert"), ("tasks", "workflow_task"),
        ("fieldUpdates", "workflow_field"), ("rules", "workflow_rule"),
    ),
    "ApprovalProcess": (("", "approval"),),
    "CustomSite": (("", _SITE),),
}  # fmt: skip


def of_metadata(found: Sequence[Mention]) -> tuple[list[Blocker], list[Mention]]:
    """Reasons that files name; and mentions that block nothing, such as those in flows. Pure."""
    blockers: dict[tuple[str, ...], Blocker] = {}
    others: list[Mention] = []
    for one in found:
        if one.type in ("Flow", "ConnectedApp", "Queue", "Community"):
            others.append(one)
            continue
        code = code_of(one)
        kind = _KINDS[code]
        sole = one.siblings <= 1
        fix = kind.fix
        if code in IN_FILES:
            fix = f"{fix}, or plan with --lift {code}"
        if code == "workflow_alert" and not sole:
            fix = "blocks only when every other recipient is gone; remove this one"
        key = (code, one.user_id, one.file, one.label)
        blockers.setdefault(
            key,
            Blocker(code, one.user_id, _object_of(one), f"{kind.label}: {one.label}".rstrip(": "),
                    kind.setup_path, fix, "", True, _evidence(one)),
        )  # fmt: skip
    return list(blockers.values()), others


def key_of(one: Mention) -> tuple[str, str, str]:
    """What tells the blocker of a mention: its code, the user and the evidence."""
    return (code_of(one), one.user_id, _evidence(one))


def _evidence(one: Mention) -> str:
    return f"{printable(one.file, 120)}: {' > '.join(one.path)}"


def code_of(one: Mention) -> str:
    """The kind of blocker that a mention is."""
    if one.type == "Settings":
        return _SETTINGS.get(one.path[-1] if one.path else "", "named_in_metadata")
    for element, code in _NAMED.get(one.type, ()):
        if not element or element in one.path:
            if code == "assignment":
                return "lead_assignment" if _object_of(one) == "Lead" else "case_assignment"
            return code
    return "named_in_metadata"


def _object_of(one: Mention) -> str:
    name = one.file.rpartition("/")[2]
    return name.partition(".")[0]


def hierarchy_fields(user: Description) -> list[str]:
    """Custom lookups from users to users. Whether one is a hierarchy its describe does not tell,
    so each is taken for one."""
    return [one.name for one in user.fields if one.custom and "User" in one.reference_to]


def of_rows(
    asking: Asking, users: Sequence[User], heirs: Mapping[str, str], lift: Collection[str]
) -> tuple[list[Blocker], list[Step]]:
    """Reasons that lie in rows, and the steps that lift those whose code is in `lift`. The heir
    takes the place, or nobody when it would be the row's own user. `users` are in the order in
    which they leave: one step changes all of a row, when the first of them goes."""
    ids = [one.id for one in users]
    known = asking.described("User")
    fields = ["DelegatedApproverId", *(hierarchy_fields(known) if known else ())]
    looks = [Look("User", ("Username", one), one) for one in fields]
    looks.append(Look("Site", ("Name", "GuestRecordDefaultOwnerId"), "GuestRecordDefaultOwnerId"))
    *found, sites = asking.look(looks, ids)
    blockers: list[Blocker] = []
    steps: dict[str, Step] = {}
    turn = {one: place for place, one in enumerate(ids)}
    for field, rows in zip(fields, found, strict=True):
        code = _DELEGATED if field == "DelegatedApproverId" else _HIERARCHY
        for row in rows or ():
            user, holder = value(row, field) or "", value(row, "Id") or ""
            step = ""
            if code in lift:
                step = _lifting(steps, row, field, user, heirs.get(user, ""), turn)
            kind = _KINDS[code]
            fix = kind.fix if step else f"{kind.fix}, or plan with --lift {code}"
            blockers.append(
                Blocker(code, user, "User", f"{kind.label}: {value(row, 'Username') or holder}",
                        kind.setup_path, fix, step, True, f"User.{field} of {holder}")
            )  # fmt: skip
    kind = _KINDS[_SITE]
    for row in sites or ():
        name = printable(value(row, "Name") or "", 80)
        blockers.append(
            Blocker(_SITE, value(row, "GuestRecordDefaultOwnerId") or "", "Site",
                    f"{kind.label}: {name}", kind.setup_path, kind.fix, "", True,
                    f"Site.GuestRecordDefaultOwnerId of {value(row, 'Id') or ''}")
        )  # fmt: skip
    return blockers, list(steps.values())


def _lifting(
    steps: dict[str, Step], row: Row, field: str, user: str, heir: str, turn: Mapping[str, int]
) -> str:
    """Put the change into the one step of its row, since a request may name a row only once; the
    step's id."""
    holder = value(row, "Id") or ""
    after = heir if heir.startswith("005") and heir != holder else None
    known = steps.get(holder)
    if known is None:
        name = printable(value(row, "Username") or "", 80)
        known = Step(f"blockers-{len(steps) + 1}", "blockers", "update", user, "User", holder,
                     {}, {}, f"Name other people on the user {name}")  # fmt: skip
    first = min(known.user_id, user, key=lambda one: turn.get(one, len(turn)))
    steps[holder] = replace(
        known,
        user_id=first,
        before={**known.before, field: user},
        after={**known.after, field: after},
    )
    return known.id


def unseen() -> list[Blocker]:
    """Reasons to look for by hand: no API shows them. They are of the org, not of one user."""
    fix = "look whether one of the leavers is named there, and choose somebody else"
    return [
        Blocker(code, "", "Organization", label, path, fix, "", False, "no API shows it")
        for code, label, path in _UNSEEN
    ]


def merged(found: Sequence[Blocker]) -> tuple[Blocker, ...]:
    """Each reason once, in order; those that nobody can see stand last."""
    rows = {(one.code, one.user_id, one.label, one.step): one for one in found}
    return tuple(
        replace(one) for one in sorted(
            rows.values(), key=lambda one: (not one.seen, one.user_id, one.code, one.label)
        )
    )  # fmt: skip
