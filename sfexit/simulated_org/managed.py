"""Custom objects of a grown org: two managed packages and what users made themselves."""

from __future__ import annotations

from dataclasses import replace

from .listed import companion_fields, flags_of
from .refusals import refused
from .schema import SObject, make

_RECORD = "cdflmrsuwy"
#: namespace, object, key prefix, fields, rows
_OBJECTS: tuple[tuple[str, str, str, str, int], ...] = (
    (
        "npsp",
        "Allocation",
        "a10",
        "{ns}Opportunity__c ref(Opportunity)\n{ns}Amount__c currency(18,2)\n"
        "{ns}General_Accounting_Unit__c ref({ns}General_Accounting_Unit__c)",
        40,
    ),
    (
        "npsp",
        "General_Accounting_Unit",
        "a11",
        "{ns}Active__c boolean\n{ns}Total_Allocations__c currency(18,2)",
        6,
    ),
    (
        "npsp",
        "Address",
        "a12",
        "{ns}Household_Account__c ref(Account)\n{ns}MailingStreet__c string(255)\n"
        "{ns}MailingCity__c string(255)",
        25,
    ),
    ("npsp", "Batch", "a13", "{ns}Batch_Status__c picklist(generic)", 0),
    ("npsp", "DataImport", "a14", "{ns}Contact1_Lastname__c string(80)", 0),
    ("npsp", "Engagement_Plan", "a15", "{ns}Contact__c ref(Contact)", 0),
    ("npsp", "Error", "a16", "{ns}Stack_Trace__c textarea(32768)", 3),
    ("npsp", "Fund", "a17", "{ns}Active__c boolean", 0),
    ("npsp", "Level", "a18", "{ns}Minimum_Amount__c double(16,2)", 2),
    ("npsp", "Partial_Soft_Credit", "a19", "{ns}Contact__c ref(Contact)", 0),
    ("npsp", "Schedulable", "a1A", "{ns}Class_Name__c string(255)", 4),
    ("npsp", "Trigger_Handler", "a1B", "{ns}Class__c string(255)\n{ns}Active__c boolean", 30),
    ("inksign", "Envelope", "a20", "{ns}Status__c picklist(generic)\n{ns}Sent__c datetime", 12),
    ("inksign", "Recipient", "a21", "{ns}Envelope__c ref({ns}Envelope__c)", 20),
    ("inksign", "Template", "a22", "{ns}Body__c textarea(131072) extra=richtextarea", 0),
    ("inksign", "Log", "a23", "{ns}Message__c textarea(32768)", 0),
    ("", "Vehicle", "a30", "Plate__c string(20)\nDriver__c ref(Contact)", 15),
    ("", "Site_Visit", "a31", "Account__c ref(Account)\nVisited_On__c date", 22),
    ("", "Permit", "a32", "Valid_Until__c date\nScan__c url", 0),
    ("", "Training", "a33", "Attendee__c ref(Contact)\nHours__c double(4,1)", 0),
)


def custom_objects() -> list[SObject]:
    """Objects of packages and of the org itself, with their companions and odd kinds."""
    out: list[SObject] = []
    base = 700_000_000
    for namespace, stem, prefix, text, rows in _OBJECTS:
        ns = f"{namespace}__" if namespace else ""
        name = f"{ns}{stem}__c"
        head = f"OwnerId ref(User,Group) required\nName string(80) gen=seq:{stem[:3]}- name auto\n"
        out.append(
            make(name, prefix, head + text.format(ns=ns), fixed=rows, flags=flags_of(_RECORD))
        )
        for kind, letters in (("Share", "cdqvw"), ("History", "qrv"), ("Feed", "dqrv")):
            if kind == "Feed" and namespace != "npsp":
                continue
            base += 5000
            out.append(
                SObject(
                    name=f"{ns}{stem}__{kind}",
                    prefix="",
                    fields=companion_fields(kind, name),
                    id_prefix={"Share": "02c", "History": "017", "Feed": "0D5"}[kind],
                    id_base=base,
                    fixed=min(rows, 4) if kind == "Share" else 0,
                    flags=flags_of(letters),
                    associate=(kind, name),
                    has_deleted=kind == "History",
                )
            )
        if namespace != "inksign":
            out.append(
                SObject(
                    name=f"{ns}{stem}__ChangeEvent",
                    prefix="",
                    fields=companion_fields("ChangeEvent", name),
                    fixed=0,
                    flags=flags_of("y"),
                    associate=("ChangeEvent", name),
                    queryable=False,
                )
            )
    return [refused(o) for o in out + _odd_kinds()]


def _odd_kinds() -> list[SObject]:
    setting = flags_of("cdkqvwr")
    named = "Name string(38) gen=seq:S name\nSetupOwnerId ref(User,Profile,Organization) rel="
    settings = [
        make(
            f"npsp__{name}__c",
            prefix,
            f"{named}\nnpsp__Enabled__c boolean\nnpsp__Value__c string(255)",
            fixed=rows,
            flags=setting,
        )
        for name, prefix, rows in (
            ("Contacts_And_Orgs_Settings", "a40", 1),
            ("Error_Settings", "a41", 1),
            ("Household_Naming_Settings", "a42", 0),
            ("Addr_Verification_Settings", "a43", 0),
        )
    ]
    settings.append(
        make("Integration_Keys__c", "a44", f"{named}\nHost__c string(255)", fixed=2, flags=setting)
    )
    return [
        *settings,
        make(
            "Vehicle__Tag",
            "",
            "ItemId ref(Vehicle__c) rel=Item\nTagDefinitionId string(18)\nName string(255)",
            system="nodelete",
            fixed=0,
            id_prefix="0zt",
            flags=flags_of("cdqv"),
            associate=("Tag", "Vehicle__c"),
        ),
        *(
            make(
                f"{name}__mdt",
                prefix,
                "DeveloperName string(40) gen=seq:Row_ required\nLabel string(40) gen=product\n"
                "MasterLabel string(40) gen=product required\nNamespacePrefix string(15) gen=null\n"
                "QualifiedApiName string(70) gen=seq:Row_ required\nValue__c string(255)",
                system="only_id",
                fixed=rows,
                flags=flags_of("lqv"),
            )
            for name, prefix, rows in (
                ("npsp__Opportunity_Naming", "m10", 3),
                ("inksign__Provider", "m11", 2),
                ("Routing_Rule", "m12", 9),
            )
        ),
        *(
            make(
                f"{name}__e",
                prefix,
                "ReplayId string(1000)\nPayload__c textarea(4000)",
                system="nodelete",
                fixed=0,
                queryable=False,
                retrieveable=False,
                bulk=False,
                flags=flags_of("cy"),
            )
            for name, prefix in (
                ("npsp__DataImportEvent", "e10"),
                ("inksign__Signed", "e11"),
                ("Dispatch", "e12"),
            )
        ),
        make(
            "Telemetry__b",
            "x10",
            "Vehicle__c string(18) gen=seq:V required\nAt__c datetime gen=when required\n"
            "Speed__c double(6,2)",
            system="big",
            fixed=40,
            flags=flags_of("cw"),
            index=("Vehicle__c", "At__c"),
        ),
        replace(
            make(
                "Knowledge__kav",
                "ka1",
                "KnowledgeArticleId ref(KnowledgeArticle) gen=nth:KnowledgeArticle required rel=\n"
                "OwnerId ref(User) required\n"
                "Title string(255) gen=subject name required\n"
                "UrlName string(255) gen=seq:article-\n"
                "Summary textarea(1000)\nArticleNumber string(10) gen=seq:0\n"
                "PublishStatus picklist(publish_status) required\nIsLatestVersion boolean\n"
                "VersionNumber int\nLanguage string(5) gen=each:en_US,de,fr required\n"
                "Answer__c textarea(131072) extra=richtextarea",
                fixed=18,
                flags=flags_of("cdlqrsvwy"),
            ),
            scopes=("everything", "mine"),
        ),
    ]
