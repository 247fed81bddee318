"""The long tail: every object a real org lists, most of them empty, with fields by kind.

Names, key prefixes and capabilities stand in ``standard_objects.txt``; fields are made up here in
the way the Object Reference describes each kind (history, sharing and feed companions, change
events, event stores, setup objects). Objects of one kind share their ``Field`` values, so that
1,300 describes cost little memory.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files

from .feeds import feed_children
from .refusals import BIG, NOT_IN_BULK, refused
from .schema import (
    CREATED,
    ID,
    IS_DELETED,
    MODIFIED,
    MODSTAMP,
    Field,
    SObject,
    parse_fields,
)

FLAGS = {
    "a": "activateable",
    "c": "createable",
    "d": "deletable",
    "e": "deepCloneable",
    "f": "feedEnabled",
    "g": "mergeable",
    "h": "deprecatedAndHidden",
    "i": "isInterface",
    "k": "customSetting",
    "l": "layoutable",
    "m": "mruEnabled",
    "p": "hasSubtypes",
    "r": "replicateable",
    "s": "searchable",
    "t": "isSubtype",
    "u": "undeletable",
    "w": "updateable",
    "y": "triggerable",
}

#: Objects of features a bare Developer org has switched off; a customer's org lists them.
FEATURES = """\
AccountBrandShare - cdqvw Share:AccountBrand
ActivityMetric - qv
ActivityMetricRollup - qv
AttachedContentNote - -
ChannelProgramLevelShare - cdqvw Share:ChannelProgramLevel
ContentHubItem - qv
ContentHubRepository - qv
ContentNote - cdqvwr
ContentVersionRenditionContent - qv
DatasetExportEvent - y
EventWhoRelation 0RE cdqrvw
FieldHistoryArchive - qv
KnowledgeArticle kA0 qvr
KnowledgeArticleVersion ka0 qvrs
KnowledgeArticleVersionHistory - qv
KnowledgeArticleViewStat kA1 qv
KnowledgeArticleVoteStat kA2 qv
NetworkUserHistoryRecent 0DY qv
NewsFeed - qv
QuoteDocument 0QD cdqv
RecordRecommendation 0pW qv
StandardAction - q
TaskWhoRelation 0RT cdqrvw
TwoFactorInfo 12T cdqvw
UserProfileFeed - qv
"""


@lru_cache(maxsize=512)
def _one(line: str) -> Field:
    return parse_fields(line)[0]


def _some(lines: Iterable[str]) -> tuple[Field, ...]:
    return tuple(_one(line) for line in lines)


_USER = "ref(User)"
_HISTORY = _some(
    [
        "Field picklist(field_name) required",
        "DataType picklist(data_type)",
        "OldValue anyType",
        "NewValue anyType",
    ]
)
_SHARE = _some(
    [
        "UserOrGroupId ref(User,Group) required",
        "RowCause picklist(share_cause) required",
    ]
)
_SHARE_TAIL = (*MODIFIED, IS_DELETED)
_FEED = (
    *_some(["Type picklist(generic)"]),
    CREATED[1],
    CREATED[0],
    IS_DELETED,
    MODIFIED[0],
    MODSTAMP,
    *_some(
        [
            "CommentCount int",
            "LikeCount int gen=likes",
            "Title string(255)",
            "Body textarea(10000)",
            "LinkUrl url(1000)",
            "IsRichText boolean",
            "RelatedRecordId ref(ContentVersion) rel=",
            f"InsertedById {_USER}",
            "BestCommentId string(18)",
        ]
    ),
)
_STREAM = _some(["ReplayId string(1000)", "EventUuid string(36)"])
_CHANGE = _some(
    [
        "ReplayId string(1000)",
        "ChangeEventHeader complexvalue soap=urn:ChangeEventHeader",
        "Name string(255)",
    ]
)
_EVENT_STORE = _some(
    [
        "EventIdentifier string(36) gen=hash required",
        f"UserId {_USER} rel=",
        "Username string(80) gen=username",
        "EventDate datetime gen=when required",
        "RelatedEventIdentifier string(36)",
        "SessionKey string(24)",
        "LoginKey string(24)",
        "SourceIp string(39) gen=const:192.0.2.7",
        "PolicyId string(18) gen=null",
        "PolicyOutcome string(40)",
        "EvaluationTime double(18,0)",
    ]
)
_LOCALIZED = _some(
    ["ParentId string(18)", "Language picklist(generic) required", "Value string(765)"]
)
_SETUP = _some(
    [
        "DeveloperName string(80) gen=seq:Item_ required",
        "Language picklist(generic)",
        "MasterLabel string(80) gen=subject required",
        "NamespacePrefix string(15) gen=null",
    ]
)
_NAMED = _one("Name string(255) gen=product name required")
_OWNED = _one("OwnerId ref(User,Group) required")
_VIEWED = _some(["LastViewedDate datetime gen=null", "LastReferencedDate datetime gen=null"])
#: What else an object may hold; a few of these each.
_POOL = _some(
    [
        "Description textarea(32000)",
        "ShortDescription textarea(255)",
        "Status picklist(task_status)",
        "Type picklist(generic)",
        "Category picklist(generic)",
        "SubType string(40)",
        "SortOrder int",
        "Priority picklist(priority)",
        "IsActive boolean",
        "IsDefault boolean",
        "IsProtected boolean",
        "StartDate date",
        "EndDate date",
        "StartTime datetime",
        "EndTime datetime",
        "EffectiveStartDate datetime",
        "Amount currency(18,2)",
        "TotalAmount currency(18,2)",
        "Quantity double(18,2)",
        "DurationInMinutes double(9,2)",
        "Percentage percent(5,2)",
        "ExternalReference string(255)",
        "ReferenceNumber string(80)",
        "Url url(1000)",
        "Email email",
        "Phone phone",
        "ErrorMessage textarea(4000)",
        "Comments textarea(4000)",
        "AccountId ref(Account)",
        "ContactId ref(Contact)",
        "CaseId ref(Case)",
        "OpportunityId ref(Opportunity)",
        "Product2Id ref(Product2)",
        "UserId ref(User)",
        "RelatedRecordId ref(Account,Contact,Case,Opportunity) rel=RelatedRecord",
        "RecordTypeId ref(RecordType)",
        "Version string(40)",
        "Locale string(40)",
        "TimeZone string(40)",
        "Score double(18,4)",
        "UsageType picklist(generic)",
        "LastSyncedAt datetime",
        "AttemptCount int",
        "VisibilityScope picklist(access)",
    ]
)
#: Fields that must be there, by object.
_SPECIAL: dict[str, str] = {
    "Asset": "Address address",
    "Contract": "BillingAddress address\nStartDate date\nContractTerm int",
    "ContactPointAddress": "Address address",
    "Location": "Location location",
    "Order": "BillingAddress address\nShippingAddress address\nEffectiveDate date required",
    "Quote": "BillingAddress address\nShippingAddress address",
    "ResourceAbsence": "Address address",
    "ServiceAppointment": "Address address",
    "ServiceTerritory": "Address address",
    "WorkOrder": "Address address",
    "Announcement": "ParentId ref(CollaborationGroup) gen=nth:CollaborationGroup rel=\n"
    "FeedItemId ref(FeedItem)",
    "AppTabMember": "AppDefinitionId string(80)",
    "ApexTypeImplementor": "InterfaceName string(255)",
    "AuthSession": f"UsersId {_USER} rel=\nLoginType string(40)\nSourceIp string(39)",
    "CollaborationGroupRecord": "CollaborationGroupId ref(CollaborationGroup) "
    "gen=nth:CollaborationGroup required\n"
    "RecordId ref(Account,Case) rel=Record",
    "ColorDefinition": "TabDefinitionId string(80)",
    "ContentHubItem": "ContentHubRepositoryId ref(ContentHubRepository) "
    "gen=nth:ContentHubRepository required rel=\nExternalId string(255)",
    "ContentNote": "Title string(255)\nContent base64\nContentSize int gen=body:size",
    "ContentVersionRenditionContent": "ContentVersionId ref(ContentVersion)",
    "DataStatistics": "StatType string(40)",
    "DatacloudDandBCompany": "DunsNumber string(9)",
    "DatedConversionRate": "IsoCode string(3)\nConversionRate double(18,6)\nStartDate date\n"
    "NextStartDate date",
    "EntityParticle": "EntityDefinitionId ref(EntityDefinition)",
    "EntitySubscription": "ParentId ref(Account,Case) rel=Parent\n"
    f"SubscriberId {_USER} rel=Subscriber",
    "EventBusSubscriber": "ExternalId string(18)\nTopic string(80)\nPosition int",
    "EventLogFile": "EventType string(40)\nLogDate datetime\nLogFile base64 required\n"
    "LogFileLength double(18,0) gen=body:double\nInterval string(40)",
    "FeedAttachment": "FeedEntityId ref(FeedItem,FeedComment) gen=nth:FeedItem required rel=\n"
    "Type picklist(generic)\nRecordId string(18)",
    "FeedItem": "ParentId ref(Account,Case,User) rel=Parent\nBody textarea(10000)\n"
    "RelatedRecordId ref(ContentVersion) rel=",
    "FieldHistoryArchive": "FieldHistoryType string(120)\nParentId string(18)\n"
    "CreatedDate datetime\nField string(255)\nOldValue textarea(32000)\nNewValue textarea(32000)",
    "FlexQueueItem": "JobType string(40)\nAsyncApexJobId string(18)\nJobPosition int",
    "FlowTestView": "FlowDefinitionViewId string(80)",
    "IconDefinition": "TabDefinitionId string(80)",
    "KnowledgeArticleVersion": "KnowledgeArticleId ref(KnowledgeArticle) "
    "gen=nth:KnowledgeArticle required\n"
    "PublishStatus picklist(publish_status) required\nIsLatestVersion boolean\nTitle string(255)\n"
    "Language picklist(generic)",
    "ListViewChartInstance": "ListViewChartId string(18)\nSourceEntity string(40)",
    "LoginHistory": f"UserId {_USER}\nLoginTime datetime\nLoginType string(40)\n"
    "Application string(120)\nStatus string(128)\nSourceIp string(39)",
    "MailmergeTemplate": "Name string(80)\nFilename string(255)\nBodyLength int gen=body:size\n"
    "Body base64 required",
    "OwnerChangeOptionInfo": "EntityDefinitionId ref(EntityDefinition)\nName string(255)\n"
    "Label string(255)",
    "PlatformAction": "ActionListContext string(40)\nSourceEntity string(40)",
    "QuoteDocument": "QuoteId ref(Quote)\nName string(80)\nDocument base64",
    "RecordAction": "RecordId ref(Account,Case) required rel=Record",
    "RecordActionHistory": "ParentRecordId string(18) gen=copy:RecordAction.RecordId required\n"
    "LoggedTime datetime gen=when required\nRecordActionId string(18)",
    "RecordRecommendation": "TargetSobjectType string(40) gen=const:Account required\n"
    "TargetId string(18)",
    "RelatedListColumnDefinition": "RelatedListDefinitionId string(80)",
    "RelatedListDefinition": "ParentEntityDefinitionId ref(EntityDefinition)",
    "RelationshipDomain": "FieldId string(80)\nChildSobjectId string(80)\n"
    "ParentSobjectId string(80)\nRelationshipInfoId string(80)",
    "RelationshipInfo": "ChildSobjectId string(80)\nFieldId string(80)\nIsCascadeDelete boolean",
    "Scontrol": "Binary base64\nHtmlWrapper textarea(131072)",
    "SearchLayout": "EntityDefinitionId ref(EntityDefinition)\nLayoutType string(40)\n"
    "FieldsDisplayed complexvalue soap=urn:SearchLayoutFieldsDisplayed\n"
    "ButtonsDisplayed complexvalue soap=urn:SearchLayoutButtonsDisplayed",
    "StaticResource": "Name string(255) name\nContentType string(120)\n"
    "BodyLength int gen=body:size\nBody base64\nDescription textarea(4000)",
    "TopicAssignment": "TopicId ref(Topic)\nEntityId ref(Account,Case,Task) rel=Entity",
    "TwoFactorInfo": f"UserId {_USER}\nSharedSecret encryptedstring",
    "UserEntityAccess": f"UserId {_USER}\nEntityDefinitionId ref(EntityDefinition)",
    "UserPermissionAccess": "LastCacheUpdate datetime",
}
#: Rows of objects that are seldom empty; the others hold none.
_ROWS = {
    "ApexClass": 9,
    "AppMenuItem": 14,
    "AsyncApexJob": 7,
    "AuthSession": 4,
    "BusinessHours": 1,
    "Calendar": 3,
    "Community": 1,
    "CollaborationGroup": 4,
    "CollaborationGroupRecord": 9,
    "Announcement": 4,
    "ContentHubRepository": 2,
    "ContentHubItem": 7,
    "FeedAttachment": 13,
    "FeedComment": 5,
    "Question": 3,
    "CronTrigger": 5,
    "CustomObjectUserLicenseMetrics": 2,
    "EmailTemplate": 11,
    "EntitySubscription": 6,
    "EventBusSubscriber": 2,
    "EventLogFile": 3,
    "FeedItem": 8,
    "FiscalYearSettings": 1,
    "Folder": 6,
    "GroupMember": 9,
    "KnowledgeArticle": 6,
    "KnowledgeArticleVersion": 11,
    "ListView": 23,
    "LoginEvent": 12,
    "LoginHistory": 30,
    "LoginIp": 5,
    "Order": 12,
    "OrderItem": 19,
    "Contract": 7,
    "Asset": 14,
    "Quote": 5,
    "Topic": 6,
    "TopicAssignment": 9,
    "PermissionSetLicense": 3,
    "QueueSobject": 3,
    "RecordAction": 3,
    "RecordActionHistory": 11,
    "RecordRecommendation": 4,
    "SetupAuditTrail": 25,
    "StaticResource": 4,
    "TabDefinition": 8,
    "UserLicense": 4,
    "UserLogin": 12,
    "UserRole": 6,
    "UserPreference": 9,
    "WebLink": 3,
    "ContactHistory": 21,
    "AccountHistory": 18,
    "LeadHistory": 11,
    "ContactShare": 15,
    "CaseShare": 12,
    "LeadShare": 9,
    "OpportunityShare": 12,
    "CaseFeed": 7,
    "ContactFeed": 4,
    "CampaignHistory": 3,
}
#: What a kind of companion can, by the calls that it supports (Object Reference,
#: StandardObjectNameHistory, …Feed, …Share; Change Data Capture Developer Guide; Localization).
_OF_KIND = {
    "ChangeEvent": "vy",
    "Feed": "dqrv",
    "History": "qrv",
    "Localization": "cdqrvw",
    "Share": "cdqvw",
}
_OWN_ID = {
    "Account",
    "Campaign",
    "Case",
    "Contact",
    "Lead",
    "Opportunity",
    "User",
    "Asset",
    "Order",
}


def lines(name: str) -> list[list[str]]:
    """The entries of one of the lists beside this module."""
    text = (files(__package__) / name).read_text("ascii")
    entries = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    for words in entries:
        if words[2] == "=":
            words[2] = _OF_KIND[words[3].partition(":")[0]]
    return entries


def parent_field(parent: str, companion: str) -> Field:
    """How a history or share row names its record: ``AccountId``, or ``ParentId``."""
    own = parent in _OWN_ID or (companion == "History" and "__" not in parent)
    if own:
        return _one(f"{parent}Id ref({parent}) required rel={parent}")
    return _one(f"ParentId ref({parent}) required rel=Parent")


def companion_fields(kind: str, parent: str) -> tuple[Field, ...]:
    """Fields of a companion object (Object Reference, StandardObjectNameHistory, …Share, …Feed)."""
    if kind == "History":
        link = parent_field(parent, kind)
        return (ID, IS_DELETED, link, CREATED[1], CREATED[0], *_HISTORY)
    if kind == "Share":
        link = parent_field(parent, kind)
        level = f"{parent}AccessLevel" if link.name != "ParentId" else "AccessLevel"
        access = _one(f"{level} picklist(access) required")
        return (ID, link, _SHARE[0], access, _SHARE[1], *_SHARE_TAIL)
    if kind == "Feed":
        return (ID, _one(f"ParentId ref({parent}) required rel=Parent"), *_FEED)
    return (ID, *_CHANGE, *CREATED, *MODIFIED)


def _fields(name: str, flags: frozenset[str], queryable: bool, kind: str, parent: str) -> object:
    if kind in ("History", "Share", "Feed", "ChangeEvent"):
        return companion_fields(kind, parent)
    if name in BIG and name != "FieldHistoryArchive":
        return (ID, CREATED[0], *_EVENT_STORE)
    if kind == "Localization":
        return (ID, *_LOCALIZED, *CREATED, *MODIFIED, MODSTAMP)
    if not queryable:
        return (*CREATED, *_STREAM)
    rng = random.Random(zlib.crc32(name.encode()))
    fields: list[Field] = [ID]
    if "replicateable" in flags and ("undeletable" in flags or "deletable" in flags):
        fields.append(IS_DELETED)
    if name == "FieldHistoryArchive":
        fields = []
    special = parse_fields(_SPECIAL[name]) if name in _SPECIAL else []
    known = {f.name for f in special}
    if "undeletable" in flags and "searchable" in flags and "createable" in flags:
        fields.append(_OWNED)
    if "Name" not in known:
        if "layoutable" in flags or "mruEnabled" in flags or "undeletable" in flags:
            fields.append(_NAMED)
        elif "replicateable" not in flags:
            fields += _SETUP
    fields += special
    if "DurableId" not in known and "retrieveable" not in flags and "createable" not in flags:
        fields.append(_one("DurableId string(160) gen=durable required"))
        known.add("DurableId")
    taken = known | {f.name for f in fields}
    wanted = rng.randint(2, 18) if "createable" in flags else rng.randint(1, 9)
    fields += [f for f in rng.sample(_POOL, wanted) if f.name not in taken]
    if "createable" in flags or "retrieveable" in flags:
        have = {f.name for f in fields}
        tail = (*CREATED, *MODIFIED, MODSTAMP)
        fields += [f for f in tail if f.name not in have]
    if "mruEnabled" in flags:
        fields += _VIEWED
    return tuple(fields)


def _made(number: int, words: list[str]) -> SObject:
    name, prefix, letters = words[0], words[1].replace("-", ""), words[2]
    kind, _, parent = words[3].partition(":") if len(words) > 3 else ("", "", "")
    flags = frozenset(FLAGS[c] for c in letters if c in FLAGS)
    queryable, retrieveable = "q" in letters, "v" in letters
    hint = flags | ({"retrieveable"} if retrieveable else set())
    fields = _fields(name, hint, queryable, kind, parent)
    assert isinstance(fields, tuple)
    shared = {"History": "017", "Share": "02c", "Feed": "0D5"}.get(kind, "0zz")
    made = SObject(
        name=name,
        prefix=prefix,
        fields=fields,
        id_prefix=prefix or shared,
        id_base=1000 if prefix else 500_000_000 + 2000 * number,
        fixed=_ROWS.get(name, 0) if queryable else 0,
        flags=flags,
        associate=(kind, parent) if kind else None,
        queryable=queryable,
        retrieveable=retrieveable,
        has_deleted=IS_DELETED in fields and kind not in ("Share", "Feed"),
    )
    return refused(made)


def flags_of(letters: str) -> frozenset[str]:
    """Capabilities written as letters."""
    return frozenset(FLAGS[c] for c in letters if c in FLAGS)


def with_features(objects: list[SObject], *, features: bool = True) -> list[SObject]:
    """Every object of a real org: the given ones keep fields and rows but get the real flags."""
    known = {o.name: o for o in objects}
    rows = lines("standard_objects.txt")
    feeds = [words[0] for words in rows if words[3:] and words[3].startswith("Feed:")]
    known |= {o.name: o for o in feed_children([*feeds, "FeedItem"])}
    if features:
        rows = sorted(rows + [line.split() for line in FEATURES.splitlines()])
    out: list[SObject] = []
    for number, words in enumerate(rows):
        mine = known.pop(words[0], None)
        if mine is None:
            out.append(_made(number, words))
            continue
        kind, _, parent = words[3].partition(":") if len(words) > 3 else ("", "", "")
        out.append(
            replace(
                mine,
                prefix=words[1].replace("-", "") or mine.prefix,
                flags=flags_of(words[2]),
                queryable="q" in words[2],
                retrieveable="v" in words[2],
                associate=(kind, parent) if kind else None,
                bulk=mine.bulk and words[0] not in NOT_IN_BULK,
                _index={},
            )
        )
    return out + list(known.values())
