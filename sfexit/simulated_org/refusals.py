"""Which objects refuse a plain query, by which API, and what lifts the refusal.

From the Object Reference ("Special Access Rules" and usage of each object), the SOQL guide
("Object Limits and Implementation Restrictions"), the Tooling API guide ("SOQL Operation
Limitations") and what public clients met.
"""

from __future__ import annotations

from dataclasses import replace

from .schema import Refusal, SObject

_UNSUPPORTED = "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION"

#: 400 INVALIDENTITY in Bulk, fine by REST.
NOT_IN_BULK = frozenset(
    {
        "AcceptedEventRelation",
        "AccountBrandShare",
        "AccountFeed",
        "AssetFeed",
        "AttachedContentNote",
        "CaseStatus",
        "CaseTeamMember",
        "CaseTeamRole",
        "CaseTeamTemplate",
        "CaseTeamTemplateMember",
        "CaseTeamTemplateRecord",
        "ChannelProgramLevelShare",
        "ContractStatus",
        "DeclinedEventRelation",
        "EventWhoRelation",
        "FieldSecurityClassification",
        "KnowledgeArticle",
        "KnowledgeArticleVersion",
        "KnowledgeArticleVersionHistory",
        "KnowledgeArticleViewStat",
        "KnowledgeArticleVoteStat",
        "OrderStatus",
        "PartnerRole",
        "RecentlyViewed",
        "ServiceAppointmentStatus",
        "ShiftStatus",
        "SolutionStatus",
        "TaskPriority",
        "TaskStatus",
        "TaskWhoRelation",
        "UndecidedEventRelation",
        "WorkOrderLineItemStatus",
        "WorkOrderStatus",
        "WorkStepStatus",
    }
)

#: Metadata catalogues, and the columns one of which must be filtered (none: a list works).
REIFIED: dict[str, tuple[str, ...]] = {
    "ApexTypeImplementor": ("InterfaceName", "DurableId"),
    "AppDefinition": (),
    "AppTabMember": ("AppDefinitionId", "DurableId"),
    "ColorDefinition": ("TabDefinitionId", "DurableId"),
    "DataType": (),
    "EntityDefinition": (),
    "EntityParticle": ("EntityDefinitionId", "FieldDefinitionId", "DurableId"),
    "FieldDefinition": ("EntityDefinitionId", "DurableId"),
    "FlowTestView": ("FlowDefinitionViewId", "DurableId"),
    "IconDefinition": ("TabDefinitionId", "DurableId"),
    "OwnerChangeOptionInfo": ("EntityDefinitionId", "DurableId"),
    "PicklistValueInfo": ("EntityParticleId", "DurableId"),
    "Publisher": (),
    "RelatedListColumnDefinition": ("RelatedListDefinitionId", "DurableId"),
    "RelatedListDefinition": ("ParentEntityDefinitionId", "DurableId"),
    "RelationshipDomain": (
        "FieldId",
        "ChildSobjectId",
        "ParentSobjectId",
        "RelationshipInfoId",
        "DurableId",
    ),
    "RelationshipInfo": ("ChildSobjectId", "FieldId", "DurableId"),
    "SearchLayout": ("EntityDefinitionId", "DurableId"),
    "SiteDetail": ("DurableId",),
    "TabDefinition": (),
    "UserEntityAccess": ("UserId", "DurableId"),
    "UserFieldAccess": ("DurableId",),
}


def _restriction(name: str, rest: str, filters: str, single: str = "") -> Refusal:
    return Refusal(
        "MALFORMED_QUERY",
        f"Implementation restriction: {name} {rest}",
        tuple(filters.split()),
        tuple(single.split()),
    )


def _data_dot_com() -> Refusal:
    return Refusal(
        "DATACLOUD_API_DISABLED_EXCEPTION",
        "Your organization doesn't have permission to access the Data.com API",
    )


def _no_type(name: str) -> Refusal:
    return Refusal(
        "EXTERNAL_OBJECT_EXCEPTION", f"{name}: Id value is not valid: the field is of type number"
    )


def _gack() -> str:
    return (
        "An unexpected error occurred. Please include this ErrorId if you contact support: "
        "1734509821-48213 (-1204375)"
    )


_RULES: dict[str, Refusal] = {
    "Announcement": _restriction(
        "Announcement",
        "requires a filter by Id, ParentId or FeedItemId",
        "Id ParentId FeedItemId",
    ),
    "CollaborationGroupRecord": _restriction(
        "CollaborationGroupRecord",
        "requires a filter by CollaborationGroupId or RecordId",
        "Id CollaborationGroupId RecordId",
    ),
    "ContentBody": Refusal(
        "INVALID_TYPE_FOR_OPERATION", "entity type ContentBody does not support query"
    ),
    "ContentDocumentLink": _restriction(
        "ContentDocumentLink",
        "requires a filter by a single Id on ContentDocumentId or LinkedEntityId using the equals "
        "operator or multiple Id's using the IN operator.",
        "ContentDocumentId LinkedEntityId",
    ),
    "ContentFolder": _restriction(
        "ContentFolder", "requires a filter by Id using the equals or 'IN' operator", "Id"
    ),
    "ContentFolderItem": _restriction(
        "ContentFolderItem",
        "requires a filter by Id or ParentContentFolderId using the equals or 'IN' operator",
        "Id ParentContentFolderId",
    ),
    "ContentFolderLink": _restriction(
        "ContentFolderLink",
        "requires a filter by Id, ParentEntityId or ContentFolderId using the equals or 'IN' "
        "operator",
        "Id ParentEntityId ContentFolderId",
    ),
    "ContentFolderMember": _restriction(
        "ContentFolderMember",
        "requires a filter by a single Id, ChildRecordId or ParentContentFolderId using the "
        "equals operator",
        "",
        "Id ChildRecordId ParentContentFolderId",
    ),
    "ContentHubItem": _restriction(
        "ContentHubItem",
        "requires a filter by a single Id, ExternalId or ContentHubRepositoryId using the equals "
        "operator",
        "",
        "Id ExternalId ContentHubRepositoryId",
    ),
    "ContentVersionRenditionContent": Refusal(
        "MALFORMED_QUERY",
        "ContentVersionId must be specified in your query.",
        ("ContentVersionId",),
    ),
    "DataStatistics": Refusal(_UNSUPPORTED, "Where clauses should contain StatType", ("StatType",)),
    "DatacloudAddress": Refusal(
        "EXTERNAL_OBJECT_EXCEPTION",
        "SObject - DATACLOUD_ADDRESS : Transient queries are not implemented",
    ),
    "DatacloudCompany": _data_dot_com(),
    "DatacloudContact": _data_dot_com(),
    "DatacloudOwnedEntity": _data_dot_com(),
    "DatacloudPurchaseUsage": _data_dot_com(),
    "DatacloudDandBCompany": Refusal(
        _UNSUPPORTED,
        "Datacloud D&B company is not filterable without a criteria.",
        ("DunsNumber",),
    ),
    "DashboardSnapshotResults": Refusal("UNKNOWN_EXCEPTION", _gack(), status=500),
    "EventBusSubscriber": Refusal(
        _UNSUPPORTED, "COUNT() query could not be processed", counts_only=True
    ),
    "PendingOrderSummary": Refusal(
        _UNSUPPORTED, "COUNT() query could not be processed", counts_only=True
    ),
    "FeedAttachment": _restriction(
        "FeedAttachment", "requires a filter by Id or FeedEntityId", "Id FeedEntityId"
    ),
    "FlexQueueItem": Refusal(
        _UNSUPPORTED,
        "The WHERE clause must contain a JobType field expression.",
        ("JobType",),
    ),
    "IdeaComment": Refusal(
        "MALFORMED_QUERY",
        "Implementation restriction. When querying the Idea Comment object, you must filter using "
        "the following syntax: CommunityId = [single ID], Id = [single ID], IdeaId = [single ID], "
        "Id IN [list of IDs], or IdeaId IN [list of IDs].",
        ("Id", "IdeaId"),
        ("CommunityId",),
    ),
    "ListViewChartInstance": Refusal(
        _UNSUPPORTED,
        "Getting all ListViewChartInstances is unsupported",
        ("ListViewChartId", "SourceEntity", "Id"),
    ),
    "OutgoingEmail": Refusal(
        _UNSUPPORTED, "This query is not supported on the OutgoingEmail object."
    ),
    "OutgoingEmailRelation": Refusal(
        _UNSUPPORTED, "This query is not supported on the OutgoingEmail object."
    ),
    "PlatformAction": Refusal(
        _UNSUPPORTED,
        "Getting all PlatformAction entities is unsupported",
        ("ActionListContext", "SourceEntity"),
    ),
    "PlatformEventUsageMetric": _no_type("PlatformEventUsageMetric"),
    "UserAppMenuItem": _no_type("UserAppMenuItem"),
    "RecordActionHistory": Refusal("UNKNOWN_EXCEPTION", _gack(), ("ParentRecordId",), status=500),
    "RecordRecommendation": _restriction(
        "RecordRecommendation",
        "requires a filter by TargetSobjectType, TargetId or RecordRecommendationId",
        "TargetSobjectType TargetId RecordRecommendationId",
    ),
    "UserRecordAccess": Refusal(
        "INVALID_FIELD",
        "Can select only RecordId, a Has*Access field, and MaxAccessLevel",
        ("UserId",),
    ),
    "Vote": Refusal(
        "MALFORMED_QUERY",
        "Implementation restriction: When querying the Vote object, you must filter using the "
        "following syntax: ParentId = [single ID], Parent.Type = [single Type], Id = [single ID], "
        "or Id IN [list of ID's].",
        ("Id",),
        ("ParentId", "Parent.Type"),
    ),
}
for _name, _limit in (
    ("EntitySubscription", 1000),
    ("FeedItem", 1000),
    ("NewsFeed", 1000),
    ("TopicAssignment", 1100),
    ("UserProfileFeed", 1000),
):
    _RULES[_name] = Refusal(
        "MALFORMED_QUERY",
        f"Implementation restriction: {_name} requires a filter by a single ID or a LIMIT of at "
        f"most {_limit} rows for users without the View All Data permission",
        ("Id", "EntityId", "ParentId", "SubscriberId"),
        limit_instead=_limit,
    )

#: Big objects among the standard ones, with their index.
BIG: dict[str, tuple[str, ...]] = {
    "FieldHistoryArchive": ("FieldHistoryType", "ParentId", "CreatedDate"),
    **dict.fromkeys(
        [
            "ApiAnomalyEventStore",
            "ApiEvent",
            "BulkApiResultEventStore",
            "CredentialStuffingEventStore",
            "FileEventStore",
            "IdentityProviderEventStore",
            "IdentityVerificationEvent",
            "LightningUriEvent",
            "ListViewEvent",
            "LoginAsEvent",
            "LoginEvent",
            "LogoutEvent",
            "PermissionSetEventStore",
            "ReportAnomalyEventStore",
            "ReportEvent",
            "SessionHijackingEventStore",
            "UriEvent",
        ],
        ("EventDate", "EventIdentifier"),
    ),
}


def refused(sobject: SObject) -> SObject:
    """The object with the refusals that go with its name."""
    name = sobject.name
    if name in NOT_IN_BULK or name.endswith(("__mdt", "__x", "__Tag")):
        sobject = replace(sobject, bulk=False, _index={})
    if name in BIG:
        return replace(sobject, index=BIG[name], _index={})
    if name in REIFIED:
        columns = REIFIED[name]
        rule = Refusal(
            "MALFORMED_QUERY",
            f"{name}: a filter on a reified column is required [{','.join(columns)}]",
            columns,
            reified=True,
        )
        return replace(sobject, refusal=rule, bulk=False, _index={})
    if name in _RULES:
        return replace(sobject, refusal=_RULES[name], _index={})
    if sobject.queryable and not sobject.retrieveable:
        return replace(sobject, bulk=False, _index={})
    return sobject
