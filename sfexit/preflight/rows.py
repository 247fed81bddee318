"""Rows and values that are hidden: what a missing permission, a policy or a rule leaves unseen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sfexit.catalog import Description
from sfexit.preflight.needs import BY_NAME
from sfexit.preflight.questions import Question, Questions, Reply, query, text
from sfexit.preflight.sight import CERTAIN, HELD, LIKELY, MISSING, UNKNOWN, BlindSpot, unknown_spot
from sfexit.redaction import printable

_PRIVATE_REPORTS = ("Report", "Dashboard")
# Events whose policies may block or slow what an export does (Object Reference,
# TransactionSecurityPolicy, EventName).
_POLICY_EVENTS = ("ApiEvent", "BulkApiResultEventStore", "BulkApiResultEvent")
# User types outside the company (Object Reference, User, UserType).
_EXTERNAL_TYPES = ("PowerPartner", "PowerCustomerSuccess", "CustomerSuccess", "CspLitePortal")


def hidden_rows(
    asking: Questions,
    names: set[str],
    states: Mapping[str, str],
    rows: Mapping[str, int] | None,
    described: Mapping[str, Description],
) -> list[BlindSpot]:
    """The blind spots of rows and values; `names` are the objects that this user sees."""
    spots: list[BlindSpot] = []
    _by_permission(names, states, rows, spots)
    external, policies = _extra_questions(asking, names, described)
    if external is not None and states["ViewUserPII"] != HELD:
        _concealed(external, states["ViewUserPII"], spots)
    if policies is not None and states["TransactionSecurityExempt"] != HELD:
        _policies(policies, spots)
    _restriction_rules(asking, states, spots)
    return spots


def _by_permission(
    names: set[str],
    states: Mapping[str, str],
    rows: Mapping[str, int] | None,
    spots: list[BlindSpot],
) -> None:
    def spot(kind: str, api_name: str, what: str, owner: str = "", remedy: str = "") -> None:
        need = BY_NAME[api_name]
        state = states[api_name]
        if state == HELD:
            return
        spots.append(
            BlindSpot(
                kind,
                owner,
                "",
                what,
                need.label,
                remedy or f"give the user {need.label}",
                f"{need.column} is {'false' if state == MISSING else 'unknown'}; {need.source}",
                LIKELY if state == MISSING else UNKNOWN,
            )
        )

    spot("rows_hidden", "ViewAllData", "rows that belong to others and are not shared are hidden")
    for name in ("ContentDocument", "ContentVersion"):
        if name in names and may_have_rows(name, rows):
            spot(
                "files_hidden",
                "QueryAllFiles",
                f"{name}: files in libraries of others and private files of others are hidden",
                name,
                "give the user Query All Files (it needs View All Data beside it)",
            )
    if states["QueryNonVetoedFiles"] == HELD and names.intersection(("ContentDocument",)):
        need = BY_NAME["QueryNonVetoedFiles"]
        spots.append(
            BlindSpot(
                "files_hidden",
                "ContentDocument",
                "",
                "this user sees only public files",
                need.label,
                f"take {need.label} away from the user",
                f"{need.column} is true; {need.source}",
                CERTAIN,
            )
        )
    if states["ModifyAllData"] != HELD:
        spot(
            "metadata_hidden",
            "ModifyMetadata",
            "the org's configuration (metadata) cannot be retrieved",
            "",
            "give the user Modify Metadata Through Metadata API Functions (or Modify All Data) for "
            "the days of the export; it lets its holder change the configuration",
        )
    for name in _PRIVATE_REPORTS:
        if name in names and may_have_rows(name, rows):
            spot(
                "reports_hidden",
                "ManagePvtRptsAndDashbds",
                f"{name}s in private folders of others are hidden",
                name,
            )
    for name in BY_NAME["ModifyAllData"].objects:
        if name in names and may_have_rows(name, rows):
            more = ", and attachments of e-mails" if name == "Attachment" else ""
            spot(
                "private_notes",
                "ModifyAllData",
                f"private {name.lower()}s of others{more} are hidden",
                name,
                "give the user Modify All Data, which lets its holder change everything, for the "
                "days of the export only; or accept that they stay behind",
            )
    for api_name in ("MonitorLoginHistory",):
        for name in BY_NAME[api_name].objects:
            if name in names:
                spot("rows_hidden", api_name, f"{name}: rows of other users are hidden", name)
    if states["ViewAllData"] != HELD and "EventLogFile" in names:
        spot("rows_hidden", "ViewEventLogFiles", "EventLogFile: log files are hidden",
             "EventLogFile")  # fmt: skip
    stores = sorted(names.intersection(BY_NAME["ViewDataLeakageEvents"].objects))
    if stores:
        spot("rows_hidden", "ViewDataLeakageEvents",
             "stored events of Real-Time Event Monitoring are hidden", stores[0])  # fmt: skip
    knowledge = sorted(name for name in names if has_knowledge([name]))
    for name in knowledge:
        if may_have_rows(name, rows):
            spot("knowledge", "ViewDraftArticles", f"{name}: articles in draft are hidden", name)
            spot("knowledge", "ViewArchivedArticles", f"{name}: archived articles are hidden", name)


def _extra_questions(
    asking: Questions, names: set[str], described: Mapping[str, Description]
) -> tuple[Reply | None, Reply | None]:
    """How many users are from outside, and the policies in force; None: nothing to ask."""
    asked: list[Question] = []
    user = described.get("User")
    with_types = user is not None and user.has("UserType")
    if with_types:
        types = ",".join(f"'{one}'" for one in _EXTERNAL_TYPES)
        asked.append(query(f"SELECT COUNT() FROM User WHERE UserType IN ({types})"))  # noqa: S608
    policy = described.get("TransactionSecurityPolicy")
    with_policies = "TransactionSecurityPolicy" in names
    if with_policies:
        columns_ = ["DeveloperName", "MasterLabel", "EventName", "State"]
        chosen = [one for one in columns_ if policy is None or policy.has(one)]
        asked.append(query(f"SELECT {','.join(['Id', *chosen])} FROM TransactionSecurityPolicy"))  # noqa: S608  # noqa: S608
    replies = iter(asking.ask(asked) if asked else ())
    return (
        next(replies) if with_types else None,
        asking.more(next(replies)) if with_policies else None,
    )


def _concealed(reply: Reply, state: str, spots: list[BlindSpot]) -> None:
    need = BY_NAME["ViewUserPII"]
    if reply.ok and not reply.total:
        return
    evidence = f"{reply.total:,} users from outside" if reply.ok else reply.refusal
    spots.append(
        BlindSpot(
            "concealed",
            "User",
            "",
            "User: personal fields of outside users may come back as #N/A",
            need.label,
            f"give the user {need.label}",
            f"{evidence}; {need.column} is {'false' if state == MISSING else 'unknown'}",
            LIKELY if reply.ok and state == MISSING else UNKNOWN,
        )
    )


def _policies(reply: Reply, spots: list[BlindSpot]) -> None:
    need = BY_NAME["TransactionSecurityExempt"]
    if not reply.ok:
        spots.append(
            unknown_spot(
                "policy",
                "whether a transaction security policy blocks reading by the API is unknown",
                need.label,
                f"give the user {need.label}, or look under Setup > Transaction Security Policies",
                f"TransactionSecurityPolicy: {reply.refusal}",
            )
        )
        return
    for row in reply.rows:
        event = text(row, "EventName")
        if row.get("State") not in ("Enabled", None) or event not in _POLICY_EVENTS:
            continue
        name = printable(text(row, "MasterLabel") or text(row, "DeveloperName") or "a policy", 80)
        spots.append(
            BlindSpot(
                "policy",
                "",
                "",
                f"the transaction security policy {name} watches {printable(event, 60)} and may "
                "block or slow the export",
                need.label,
                f"give the user {need.label} for the days of the export",
                "TransactionSecurityPolicy, State = Enabled",
                LIKELY,
            )
        )


def _restriction_rules(
    asking: Questions, states: Mapping[str, str], spots: list[BlindSpot]
) -> None:
    """Rules that may cut rows out.

    Whether they bind users with View All Data is told both ways: "permissions will supersede any
    Restriction Rules" and "Restriction Rules always take precedence" stand in one article
    (Salesforce Help 001484442). So for such a user a rule is named, as unknown, where there is
    one, and nothing is said where none can be listed.
    """
    sees_all = states["ViewAllData"] == HELD
    reply = asking.tooling(
        "SELECT MasterLabel, TargetEntity, EnforcementType, IsActive FROM RestrictionRule"
    )
    need = BY_NAME["ViewRestrictionAndScopingRules"]
    if not reply.ok or (not reply.rows and states.get(need.api_name) != HELD):
        if sees_all:
            return
        spots.append(
            unknown_spot(
                "restriction_rule",
                "whether restriction rules cut rows out for this user is unknown",
                need.label,
                "give the user View All Data",
                reply.refusal or "no rule is listed, and the user may not list them",
            )
        )
        return
    for row in reply.rows:
        if row.get("IsActive") is not True or row.get("EnforcementType") != "Restrict":
            continue
        target = text(row, "TargetEntity")
        spots.append(
            BlindSpot(
                "restriction_rule",
                target,
                "",
                f"{printable(target, 90)}: the restriction rule "
                f"{printable(text(row, 'MasterLabel'), 80)} may hide rows",
                "" if sees_all else "View All Data",
                "switch the rule off for the days of the export, or make sure that its user "
                "criteria leave the export user out"
                if sees_all
                else "give the user View All Data, and switch the rule off for the days of the "
                "export if it binds even then",
                "Tooling RestrictionRule, IsActive = true"
                + ("; whether it binds a user with View All Data is not documented" * sees_all),
                UNKNOWN if sees_all else LIKELY,
            )
        )


def has_knowledge(names: Iterable[str]) -> bool:
    return any(name.endswith("__kav") or name == "KnowledgeArticleVersion" for name in names)


def may_have_rows(name: str, rows: Mapping[str, int] | None) -> bool:
    return rows is None or rows.get(name) != 0
