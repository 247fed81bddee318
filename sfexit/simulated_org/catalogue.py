"""The objects of the simulated org, in the short notation of ``schema.parse_fields``."""

from __future__ import annotations

from typing import Any

from .definitions import definition_objects
from .dependents import dependent_objects
from .permissions import permission_objects
from .refusals import refused
from .schema import READ_ONLY, Refusal, SObject, make


def standard_objects() -> list[SObject]:
    """Every object of Describe Global."""
    return [
        make(
            "Organization",
            "00D",
            """
            Name string(80) gen=const:Northwater~Trading name required
            Division string(80)
            Address address
            Phone phone
            PrimaryContact string(80) gen=person
            DefaultLocaleSidKey string(40) gen=const:en_US required
            TimeZoneSidKey string(40) gen=const:Europe/Berlin required
            LanguageLocaleKey string(40) gen=const:en_US required
            OrganizationType string(40) gen=const:Enterprise~Edition required
            NamespacePrefix string(15) gen=null
            InstanceName string(5) gen=const:DEU99
            IsSandbox boolean gen=false
            TrialExpirationDate datetime gen=null
            """,
            system="nodelete",
            fixed=1,
            flags=("replicateable", "updateable"),
        ),
        make(
            "User",
            "005",
            """
            Username string(80) gen=username required
            LastName string(80) gen=last required
            FirstName string(40) gen=first
            Name string(121) gen=person name required
            Title string(80) gen=title
            Address address
            Email email(128) gen=email required
            Phone phone
            Alias string(8) gen=short:u required
            IsActive boolean gen=true:7
            UserType picklist(user_type) gen=user_type
            TimeZoneSidKey string(40) gen=const:Europe/Berlin
            LocaleSidKey string(40) gen=const:en_US
            ProfileId ref(Profile) required
            ManagerId ref(User)
            LastLoginDate datetime
            Department string(80)
            """,
            system="nodelete",
            weight=0.004,
            flags=("createable", "layoutable", "replicateable", "searchable", "updateable"),
        ),
        make(
            "Account",
            "001",
            """
            MasterRecordId ref(Account) gen=null
            Name string(255) gen=company name required compound=Name extra=switchablepersonname
            Type picklist(account_type)
            ParentId ref(Account) gen=every:9
            BillingAddress address
            ShippingAddress address
            Phone phone
            AccountNumber string(40) gen=seq:AC-
            Website url
            Industry picklist(industry)
            AnnualRevenue currency(18,0) gen=large
            NumberOfEmployees int
            Description textarea(32000)
            Rating picklist(rating)
            OwnerId ref(User) required
            Customer_Since__c date
            Tier_Score__c double(18,2)
            Name_and_City__c string(1300) formula=Name~&~BillingCity
            Regions__c multipicklist(colours)
            """,
            weight=0.10,
            flags=(
                "createable",
                "deletable",
                "feedEnabled",
                "layoutable",
                "mergeable",
                "mruEnabled",
                "replicateable",
                "searchable",
                "triggerable",
                "undeletable",
                "updateable",
            ),
        ),
        make(
            "Contact",
            "003",
            """
            MasterRecordId ref(Contact) gen=null
            AccountId ref(Account)
            LastName string(80) gen=last required
            FirstName string(40) gen=first
            Salutation picklist(salutation)
            Name string(121) gen=person name required
            MailingAddress address
            Phone phone
            MobilePhone phone
            Email email gen=email
            Title string(128) gen=title
            Department string(80)
            Birthdate date
            ReportsToId ref(Contact) gen=every:13
            LeadSource picklist(lead_source)
            Description textarea(32000)
            OwnerId ref(User) required
            HasOptedOutOfEmail boolean
            Secret_Code__c encryptedstring gen=secret
            """,
            weight=0.18,
        ),
        *_sales(),
        *_service(),
        *_files(),
        *_custom(),
        *_odd(),
    ]


def _sales() -> list[SObject]:
    return [
        make(
            "Lead",
            "00Q",
            """
            MasterRecordId ref(Lead) gen=null
            LastName string(80) gen=last required
            FirstName string(40) gen=first
            Name string(121) gen=person name required
            Title string(128) gen=title
            Company string(255) gen=company required
            Address address
            Phone phone
            Email email gen=email
            Website url
            Description textarea(32000)
            LeadSource picklist(lead_source)
            Status picklist(lead_status) required
            Industry picklist(industry)
            Rating picklist(rating)
            AnnualRevenue currency(18,0) gen=large
            OwnerId ref(User,Group) required
            IsConverted boolean
            ConvertedDate date
            ConvertedAccountId ref(Account) gen=every:6
            """,
            weight=0.09,
        ),
        make(
            "Opportunity",
            "006",
            """
            AccountId ref(Account)
            RecordTypeId ref(RecordType)
            IsPrivate boolean
            Name string(120) gen=product name required
            Description textarea(32000)
            StageName picklist(stage) required
            Amount currency(18,2)
            Probability percent(3,0)
            ExpectedRevenue currency(18,2) formula=Amount~*~Probability
            CloseDate date required
            Type picklist(account_type)
            NextStep string(255)
            LeadSource picklist(lead_source)
            IsClosed boolean
            IsWon boolean
            CampaignId ref(Campaign) gen=every:5
            Pricebook2Id ref(Pricebook2)
            OwnerId ref(User) required
            Discount_Limit__c percent(5,2)
            """,
            weight=0.09,
        ),
        make(
            "OpportunityLineItem",
            "00k",
            """
            OpportunityId ref(Opportunity) required
            PricebookEntryId ref(PricebookEntry)
            Product2Id ref(Product2)
            Name string(376) gen=product name
            Quantity double(12,2) required
            TotalPrice currency(18,2)
            UnitPrice currency(18,2) required
            ServiceDate date
            Description string(255)
            """,
            weight=0.07,
        ),
        make(
            "OpportunityHistory",
            "008",
            """
            OpportunityId ref(Opportunity) required
            StageName picklist(stage)
            Amount currency(18,2)
            ExpectedRevenue currency(18,2)
            CloseDate date
            Probability percent(3,0)
            ForecastCategory picklist(generic)
            SystemModstamp datetime required
            """,
            system="history",
            weight=0.05,
            flags=READ_ONLY,
        ),
        make(
            "OpportunityFieldHistory",
            "",
            """
            OpportunityId ref(Opportunity) required
            Field picklist(field_name) required
            DataType picklist(data_type)
            OldValue anyType
            NewValue anyType
            """,
            system="history",
            weight=0.05,
            flags=READ_ONLY,
            id_prefix="017",
            id_base=300_000_000,
            associate=("History", "Opportunity"),
        ),
        make(
            "Campaign",
            "701",
            """
            Name string(80) gen=product name required
            ParentId ref(Campaign) gen=every:9
            Type picklist(campaign_type)
            Status picklist(campaign_status)
            StartDate date
            EndDate date
            BudgetedCost currency(18,0)
            ActualCost currency(18,0)
            NumberSent double(18,0)
            IsActive boolean
            Description textarea(32000)
            OwnerId ref(User) required
            """,
            weight=0.004,
        ),
        make(
            "CampaignMember",
            "00v",
            """
            CampaignId ref(Campaign) required
            LeadId ref(Lead)
            ContactId ref(Contact)
            Status picklist(generic)
            HasResponded boolean
            FirstRespondedDate date
            Name string(255) gen=person name
            """,
            weight=0.05,
            flags=("createable", "deletable", "layoutable", "replicateable", "updateable"),
        ),
        make(
            "Product2",
            "01t",
            """
            Name string(255) gen=product name required
            ProductCode string(255) gen=seq:P-
            Description textarea(4000)
            IsActive boolean gen=true:9
            Family picklist(product_family)
            QuantityUnitOfMeasure picklist(generic)
            """,
            weight=0.01,
        ),
        make(
            "Pricebook2",
            "01s",
            """
            Name string(255) gen=product name required
            IsActive boolean gen=true
            IsStandard boolean
            Description string(255)
            """,
            fixed=4,
        ),
        make(
            "PricebookEntry",
            "01u",
            """
            Name string(255) gen=product
            Pricebook2Id ref(Pricebook2) required
            Product2Id ref(Product2) required
            UnitPrice currency(18,2) required
            IsActive boolean gen=true:7
            UseStandardPrice boolean
            ProductCode string(255) gen=seq:P-
            """,
            weight=0.02,
        ),
        make(
            "AccountShare",
            "00r",
            """
            AccountId ref(Account) required
            UserOrGroupId ref(User,Group) required
            AccountAccessLevel picklist(access) required
            OpportunityAccessLevel picklist(access)
            RowCause picklist(share_cause)
            LastModifiedDate datetime required
            LastModifiedById ref(User) required
            IsDeleted boolean gen=false required
            """,
            system="none",
            weight=0.05,
            associate=("Share", "Account"),
            flags=("createable", "deletable", "updateable"),
        ),
        make(
            "AccountFeed",
            "",
            """
            ParentId ref(Account) required
            Type picklist(generic)
            Title string(255)
            Body textarea(10000)
            LinkUrl url
            CommentCount int
            LikeCount int gen=likes
            InsertedById ref(User)
            """,
            weight=0.02,
            id_prefix="0D5",
            bulk=False,
            associate=("Feed", "Account"),
            flags=("deletable", "replicateable"),
        ),
    ]


def _service() -> list[SObject]:
    activity = """
            WhoId ref(Contact,Lead) rel=Who
            WhatId ref(Account,Opportunity,Case) rel=What
            Subject combobox(255) gen=subject
            ActivityDate date gen=day
            OwnerId ref(User) required
            Description textarea(32000)
            AccountId ref(Account)
            IsArchived boolean required
    """
    return [
        make(
            "Case",
            "500",
            """
            CaseNumber string(30) gen=seq:0 name auto required
            ContactId ref(Contact)
            AccountId ref(Account)
            ParentId ref(Case) gen=every:11
            SuppliedEmail email
            Type picklist(reason)
            Status picklist(case_status) required
            Origin picklist(case_origin)
            Subject string(255) gen=subject
            Priority picklist(priority)
            Description textarea(32000)
            IsClosed boolean
            ClosedDate datetime
            OwnerId ref(Group,User) required
            """,
            weight=0.07,
        ),
        make(
            "CaseComment",
            "00a",
            """
            ParentId ref(Case) required
            IsPublished boolean
            CommentBody textarea(4000)
            """,
            weight=0.04,
            id_base=2000,
            flags=("createable", "deletable", "replicateable"),
        ),
        make(
            "CaseHistory",
            "",
            """
            CaseId ref(Case) required
            Field picklist(field_name) required
            DataType picklist(data_type)
            OldValue anyType
            NewValue anyType
            """,
            system="history",
            weight=0.06,
            flags=READ_ONLY,
            id_prefix="017",
            associate=("History", "Case"),
        ),
        make(
            "Task",
            "00T",
            activity
            + """
            Status picklist(task_status) required
            Priority picklist(priority) required
            IsHighPriority boolean
            IsClosed boolean
            CallDurationInSeconds int
            CallType picklist(generic)
            ReminderDateTime datetime
            """,
            weight=0.18,
            archived_share=0.05,
        ),
        make(
            "Event",
            "00U",
            activity
            + """
            Location string(255)
            IsAllDayEvent boolean
            ActivityDateTime datetime gen=when
            DurationInMinutes int
            StartDateTime datetime gen=when
            IsPrivate boolean
            Type picklist(generic)
            """,
            weight=0.05,
            archived_share=0.05,
        ),
        make(
            "EmailMessage",
            "02s",
            """
            ParentId ref(Case)
            TextBody textarea(131072)
            HtmlBody textarea(131072)
            Headers textarea(32000)
            Subject string(3000) gen=subject name
            FromName string(1000) gen=person
            FromAddress email(1000)
            ToAddress string(4000)
            Incoming boolean
            HasAttachment boolean
            Status picklist(generic) required
            MessageDate datetime gen=when
            """,
            weight=0.03,
        ),
    ]


def _files() -> list[SObject]:
    return [
        make(
            "Note",
            "002",
            """
            ParentId ref(Account,Contact,Opportunity) required rel=Parent
            Title string(80) gen=subject name required
            IsPrivate boolean
            Body textarea(32000)
            OwnerId ref(User) required
            """,
            weight=0.01,
        ),
        make(
            "Attachment",
            "00P",
            """
            ParentId ref(Account,Case) required rel=Parent
            Name string(255) gen=product name required
            IsPrivate boolean
            ContentType string(120) gen=const:application/pdf
            BodyLength int gen=body:size
            Body base64 required
            OwnerId ref(User) required
            Description string(500)
            """,
            weight=0.005,
        ),
        make(
            "Document",
            "015",
            """
            FolderId ref(User) required rel=Folder
            Name string(255) gen=product name required
            DeveloperName string(80) gen=seq:Doc_ required
            ContentType string(120) gen=const:image/png
            Type string(40) gen=const:png
            IsPublic boolean
            BodyLength int gen=body:size
            Body base64
            Url url(1000) gen=null
            AuthorId ref(User) required
            """,
            weight=0.002,
        ),
        make(
            "ContentDocument",
            "069",
            """
            Title string(255) gen=file:title name required
            PublishStatus picklist(publish) required
            LatestPublishedVersionId ref(ContentVersion) gen=file:latest_id
            FileType string(20) gen=file:type
            FileExtension string(40) gen=file:extension
            ContentSize int gen=file:size
            IsArchived boolean required
            OwnerId ref(User) required
            """,
            weight=0.01,
            archived_share=0.05,
        ),
        make(
            "ContentVersion",
            "068",
            """
            ContentDocumentId ref(ContentDocument) gen=file:document required
            IsLatest boolean gen=file:is_latest
            VersionNumber string(20) gen=file:number
            Title string(255) gen=file:title name required
            PathOnClient string(500) gen=file:path
            ContentUrl url(1300) gen=file:url
            ContentLocation string(40) gen=file:location
            Checksum string(50) gen=body:md5
            FileType string(20) gen=file:type
            FileExtension string(40) gen=file:extension
            ContentSize int gen=body:size
            ContentSizeLong long gen=body:long
            VersionData base64
            OwnerId ref(User) required
            """,
            weight=0.013,
            flags=("createable", "layoutable", "searchable", "updateable"),
        ),
        make(
            "ContentDocumentLink",
            "06A",
            """
            LinkedEntityId ref(Account,Case) required rel=LinkedEntity
            ContentDocumentId ref(ContentDocument) required
            IsDeleted boolean gen=false required
            SystemModstamp datetime required
            ShareType picklist(access)
            Visibility picklist(generic)
            """,
            system="none",
            weight=0.01,
            flags=("createable", "deletable", "updateable"),
            refusal=Refusal(
                "MALFORMED_QUERY",
                "Implementation restriction: ContentDocumentLink requires a filter by a single Id "
                "on ContentDocumentId or LinkedEntityId using the equals operator or multiple "
                "Id's using the IN operator.",
                ("ContentDocumentId", "LinkedEntityId"),
            ),
        ),
    ]


def _custom() -> list[SObject]:
    wide = "\n".join(
        f"Measurement_Of_Production_Line_{n:03d}_Value__c {kind}"
        for n in range(1, 788)
        for kind in (("double(18,2)", "string(80)", "date", "boolean", "picklist(generic)")[n % 5],)
    )
    narrow = "\n".join(
        f"Configuration_Of_Regional_Parameter_{n:03d}_Text__c string(255)" for n in range(1, 420)
    )
    return [
        make(
            "Invoice__c",
            "a00",
            """
            OwnerId ref(User,Group) required
            Name string(80) gen=seq:INV- name auto required
            Account__c ref(Account) required
            Opportunity__c ref(Opportunity)
            Amount__c currency(18,2) required
            Due__c date
            Paid_At__c datetime
            Cut_Off__c time
            Tax_Rate__c percent(5,2)
            Place__c location
            Tags__c multipicklist(colours)
            Remark__c textarea(32768) extra=richtextarea gen=rich
            Gross__c currency(18,2) formula=Amount__c~*~1.19
            """,
            weight=0.06,
        ),
        make(
            "Legacy_Dirty__c",
            "a01",
            """
            OwnerId ref(User) required
            Name string(80) gen=seq:LD- name auto required
            Short_Text__c string(255) gen=dirty:short
            Second_Text__c textarea(255) gen=dirty:short
            Long_Text__c textarea(131072) gen=dirty:long
            """,
            fixed=150,
        ),
        make(
            "Wide__c",
            "a02",
            "Name string(80) gen=seq:W- name auto required\n" + wide,
            weight=0.012,
        ),
        make(
            "Wide_Rest__mdt",
            "m01",
            "DeveloperName string(40) gen=seq:Region_ required\n"
            "MasterLabel string(40) gen=product required\n" + narrow,
            system="only_id",
            fixed=40,
            bulk=False,
            flags=("layoutable",),
        ),
        make(
            "Setting__mdt",
            "m00",
            """
            DeveloperName string(40) gen=seq:Setting_ required
            MasterLabel string(40) gen=product required
            QualifiedApiName string(70) gen=seq:Setting_ required
            Enabled__c boolean
            Threshold__c double(18,2)
            """,
            system="only_id",
            fixed=25,
            bulk=False,
            flags=("layoutable",),
        ),
        make(
            "Sensor__b",
            "x00",
            """
            Device__c string(40) gen=seq:D- required
            Measured__c datetime gen=when required
            Reading__c double(18,4)
            """,
            system="big",
            fixed=60,
            flags=("createable", "updateable"),
        ),
        make(
            "Remote__x",
            "x01",
            """
            ExternalId string(255) gen=seq:R- required
            DisplayUrl url
            Label__c string(80)
            """,
            system="only_id",
            fixed=20,
            bulk=False,
            flags=(),
        ),
        make("Empty__c", "a03", "Name string(80) name\nNote__c textarea(32768)", fixed=0),
        make("Unused_Project__c", "a04", "Name string(80) name\nBudget__c currency(18,2)", fixed=0),
        make(
            "Solution",
            "501",
            "SolutionName string(255) name required\nStatus picklist(generic)",
            fixed=0,
        ),
    ]


def _unsupported(name: str, prefix: str, text: str, **more: Any) -> SObject:
    return make(name, prefix, text, system="only_id", bulk=False, flags=(), **more)


def _stream(name: str, prefix: str, **more: Any) -> SObject:
    return make(
        name,
        prefix,
        "ReplayId string(255)",
        system="bare",
        fixed=0,
        queryable=False,
        bulk=False,
        **{"flags": (), **more},
    )


def _catalogue(name: str, prefix: str, text: str, columns: str, **more: Any) -> SObject:
    refusal = None
    if columns:
        refusal = Refusal(
            "MALFORMED_QUERY",
            f"{name}: a filter on a reified column is required [{columns}]",
            tuple(columns.split(",")),
            reified=True,
        )
    return make(
        name,
        prefix,
        text,
        system="only_id",
        retrieveable=False,
        bulk=False,
        flags=("searchable",),
        refusal=refusal,
        **more,
    )


def _odd() -> list[SObject]:
    status = """
        MasterLabel string(255) gen=subject name
        ApiName string(255) gen=seq:Status_
        SortOrder int gen=size
        IsDefault boolean
        IsClosed boolean
    """
    return [
        make(
            "Group",
            "00G",
            """
            Name string(40) gen=product name required
            DeveloperName string(80) gen=seq:Queue_
            RelatedId ref(User) gen=null
            Type picklist(group_type) required
            Email email gen=null
            DoesSendEmailToMembers boolean
            """,
            system="nodelete",
            fixed=12,
            flags=("createable", "deletable", "replicateable", "searchable", "updateable"),
        ),
        make(
            "Profile",
            "00e",
            """
            Name string(255) gen=product name required
            UserType picklist(user_type)
            Description string(255)
            """,
            system="nodelete",
            fixed=8,
            flags=("createable", "deletable", "replicateable"),
        ),
        make(
            "RecordType",
            "012",
            """
            Name string(80) gen=product name required
            DeveloperName string(80) gen=seq:RT_ required
            SobjectType string(40) gen=const:Opportunity required
            IsActive boolean gen=true
            """,
            system="nodelete",
            fixed=6,
            flags=("createable", "replicateable", "updateable"),
        ),
        _stream(
            "AccountChangeEvent", "", flags=("triggerable",), associate=("ChangeEvent", "Account")
        ),
        _stream("LoginEventStream", "0Ll", retrieveable=False),
        _stream(
            "Order_Event__e",
            "e00",
            retrieveable=False,
        ),
        _stream("ActivityHistory", "", retrieveable=False),
        _stream("CombinedAttachment", "", retrieveable=False),
        _stream("AggregateResult", "", retrieveable=False),
        *dependent_objects(),
        *definition_objects(refused),
        *permission_objects(),
        _catalogue(
            "PicklistValueInfo",
            "4pv",
            """
            DurableId string(160) gen=durable:Account.Industry. required
            EntityParticleId string(80) gen=durable:Account.P
            Value string(255)
            Label string(255)
            IsActive boolean
            """,
            "EntityParticleId,DurableId",
            fixed=40,
        ),
        _catalogue(
            "UserFieldAccess",
            "4fp",
            """
            DurableId string(160) gen=durable:005.Account. required
            IsAccessible boolean gen=true
            IsUpdatable boolean
            """,
            "DurableId",
            fixed=30,
        ),
        _unsupported("CaseStatus", "", status, fixed=4, id_prefix="01J"),
        _unsupported("TaskPriority", "", status, fixed=3, id_prefix="01J", id_base=200_000_000),
        _unsupported("TaskStatus", "", status, fixed=5, id_prefix="01J", id_base=400_000_000),
        _unsupported(
            "AcceptedEventRelation",
            "",
            "RelationId ref(Contact,User) rel=Relation required\nEventId ref(Event) required\n"
            "RespondedDate datetime\nResponse string(255)",
            fixed=25,
            id_prefix="0RE",
        ),
        _unsupported(
            "RecentlyViewed",
            "",
            "Name string(255) gen=product\nType string(40) gen=const:Account\n"
            "LastViewedDate datetime",
            fixed=5,
            id_prefix="0RV",
            retrieveable=False,
        ),
        _unsupported(
            "UserRecordAccess",
            "",
            "RecordId string(18)\nHasReadAccess boolean gen=true\nMaxAccessLevel picklist(access)",
            fixed=0,
            id_prefix="0RA",
            retrieveable=False,
            refusal=Refusal(
                "INVALID_FIELD", "Can select only RecordId, a Has*Access field, and MaxAccessLevel"
            ),
        ),
        _unsupported(
            "OutgoingEmail",
            "0Q1",
            "Subject string(255)",
            fixed=0,
            retrieveable=False,
            refusal=Refusal(
                "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION",
                "This query is not supported on the OutgoingEmail object.",
            ),
        ),
        _unsupported(
            "OauthToken",
            "0CQ",
            "AccessToken string(255) gen=hash\nUserId ref(User) required\n"
            "AppName string(120) gen=product\nDeleteToken string(255) gen=hash\nUseCount int",
            fixed=6,
            retrieveable=False,
        ),
    ]
