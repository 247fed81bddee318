"""What goes wrong beside a change of people and owners: automation, providers, series, rights.

Object Reference: ApexTrigger, FlowDefinitionView, SamlSsoConfig, Event (IsRecurrence),
ObjectPermissions; Tooling API guide, ValidationRule.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .components import KINDS, component, document
from .schema import SObject, make, parse_fields

if TYPE_CHECKING:
    from .org import SimulatedOrg

#: (trigger, object, status, runs on update)
TRIGGERS = (
    ("OnAccount", "Account", "Active", "true"),
    ("OnUser", "User", "Active", "true"),
    ("OnCaseInsert", "Case", "Active", "false"),
    ("OldOnTask", "Task", "Inactive", "true"),
)
#: (flow, object, active, kind)
FLOWS = (
    ("Opportunity_Saved", "Opportunity", "true", "RecordAfterSave"),
    ("Lead_Nightly", "Lead", "true", "Scheduled"),
    ("Contact_Old", "Contact", "false", "RecordAfterSave"),
)
#: (rule, object, active)
RULES = (("Needs_Reason", "Opportunity", "true"), ("Old_Rule", "Contact", "false"))
NAMING_FLOW = "Route_To_Owner-2"


def hazard_objects() -> list[SObject]:
    """Objects of the data API, and activities that know series."""
    return [
        make(
            "ApexTrigger",
            "01q",
            "Name string(255) name\nTableEnumOrId string(40)\nStatus string(40)\n"
            "UsageBeforeUpdate boolean\nUsageAfterUpdate boolean",
            system="nodelete",
            fixed=0,
            flags=("createable", "deletable", "updateable"),
        ),
        make(
            "FlowDefinitionView",
            "3dd",
            "DurableId string(80)\nApiName string(80)\nLabel string(255) name\nIsActive boolean\n"
            "TriggerType string(40)\nTriggerObjectOrEventLabel string(255)\n"
            "TriggerObjectOrEventId ref(EntityDefinition) rel=TriggerObjectOrEvent",
            system="none",
            fixed=0,
            bulk=False,
            flags=(),
        ),
        make(
            "SamlSsoConfig",
            "0LE",
            "DeveloperName string(80)\nMasterLabel string(80) name\n"
            "OptionsUserProvisioning boolean",
            system="nodelete",
            fixed=0,
            flags=(),
        ),
    ]


def with_series(one: SObject) -> SObject:
    """An activity object that tells heads of series."""
    if one.name not in ("Task", "Event"):
        return one
    return replace(one, fields=(*one.fields, *parse_fields("IsRecurrence boolean")))


def place(org: SimulatedOrg) -> None:
    """Write the rows, and a flow that names somebody."""
    tables = org.tables.tables
    tables["ApexTrigger"].give(
        [
            {
                "Name": name,
                "TableEnumOrId": on,
                "Status": status,
                "UsageBeforeUpdate": "false",
                "UsageAfterUpdate": update,
            }
            for name, on, status, update in TRIGGERS
        ]
    )
    tables["FlowDefinitionView"].give(
        [
            {
                "DurableId": name,
                "ApiName": name,
                "Label": name.replace("_", " "),
                "IsActive": active,
                "TriggerType": kind,
                "TriggerObjectOrEventLabel": on,
                "TriggerObjectOrEventId": on,
            }
            for name, on, active, kind in FLOWS
        ]
    )
    tables["ValidationRule"].give(
        [
            {"ValidationName": name, "EntityDefinitionId": on, "Active": active}
            for name, on, active in RULES
        ]
    )
    tables["SamlSsoConfig"].give(
        [
            {
                "DeveloperName": "Company_Login",
                "MasterLabel": "Company login",
                "OptionsUserProvisioning": "true",
            }
        ]
    )
    assert org.employed is not None
    people = org.employed.people
    if people:
        someone = tables["User"].ids.at(people[len(people) // 2])
        flow = next(kind for kind in KINDS if kind.name == "Flow")
        body = (
            "<assignments><name>Set_owner</name><assignmentItems><value><stringValue>"
            f"{someone[:15]}</stringValue></value></assignmentItems></assignments>"
            "<label>Route to owner</label>"
        )
        org.metadata.components.added.append(component(flow, NAMING_FLOW, document("Flow", body)))
