"""Objects that people, their access and their possessions are kept in.

Object Reference: User, UserLogin, AuthSession, OauthToken, PermissionSetGroup,
PermissionSetLicenseAssign, UserPackageLicense, GroupMember, QueueSobject,
UserTerritory2Association, AccountTeamMember, OpportunityTeamMember, CronTrigger,
ProcessInstanceWorkitem, Dashboard, Site, CaseTeamTemplateMember.
"""

from __future__ import annotations

from .permissions import permission_objects
from .schema import READ_ONLY, SObject, make

_JOIN = ("createable", "deletable")
_SETUP = ("createable", "deletable", "updateable")
#: Feature licences on the user, each a flag.
FEATURES = ("MarketingUser", "SupportUser", "KnowledgeUser", "SFContentUser")


def staff_objects(things: int) -> list[SObject]:
    """The objects; ``things`` are custom objects with owners and other lookups to users."""
    return [*_people(), *_access(), *_groups(), *_work(), *_teams(), *_things(things)]


def _people() -> list[SObject]:
    flags = "\n".join(f"UserPermissions{name} boolean" for name in FEATURES)
    return [
        make(
            "User",
            "005",
            "Username string(80) required\nLastName string(80) required\nFirstName string(40)\n"
            "Name string(121) name formula=FirstName~&~LastName\nTitle string(80)\n"
            "Email email(128) required\nAlias string(8) required\nIsActive boolean\n"
            "UserType picklist(user_type)\nTimeZoneSidKey string(40)\nLocaleSidKey string(40)\n"
            "LanguageLocaleKey string(40)\nEmailEncodingKey string(40)\n"
            "FederationIdentifier string(512)\n"
            "ProfileId ref(Profile) required\nUserRoleId ref(UserRole)\nManagerId ref(User)\n"
            "DelegatedApproverId ref(User)\nContactId ref(Contact)\nAccountId ref(Account)\n"
            "IsPortalEnabled boolean\nLastLoginDate datetime\nDepartment string(80)\nPhone phone\n"
            f"Mentor__c ref(User)\n{flags}",
            system="nodelete",
            fixed=0,
            flags=("createable", "layoutable", "replicateable", "searchable", "updateable"),
        ),
        make(
            "UserLogin",
            "0Yw",
            "UserId ref(User) required\nIsFrozen boolean\nIsPasswordLocked boolean",
            system="none",
            fixed=0,
            bulk=False,
            flags=("updateable",),
        ),
        make(
            "AuthSession",
            "0Ak",
            "UsersId ref(User) rel=Users\nLoginType string(40)\nSessionType string(40)\n"
            "SourceIp string(39)\nParentId string(18)\nUserType string(40)\nCreatedDate datetime\n"
            "LastModifiedDate datetime",
            system="none",
            fixed=0,
            bulk=False,
            flags=("deletable",),
        ),
        make(
            "OauthToken",
            "0CQ",
            "AccessToken string(255)\nDeleteToken string(255)\nUserId ref(User) required\n"
            "AppName string(120)\nAppMenuItemId string(18)\nLastUsedDate datetime\nUseCount int\n"
            "CreatedDate datetime",
            system="none",
            fixed=0,
            bulk=False,
            retrieveable=False,
            flags=(),
        ),
        make(
            "LoginHistory",
            "0Ya",
            "UserId ref(User)\nLoginTime datetime\nLoginType string(40)\nApplication string(120)\n"
            "Status string(128)\nSourceIp string(39)\nApiType string(40)",
            system="only_id",
            fixed=0,
            bulk=False,
            flags=(),
        ),
        make(
            "UserRole",
            "00E",
            "Name string(80) required name\nDeveloperName string(80)\nParentRoleId string(18)\n"
            "ForecastUserId ref(User)\nPortalType string(40)",
            system="nodelete",
            fixed=0,
            flags=_SETUP,
        ),
    ]


def _access() -> list[SObject]:
    wide = [
        o for o in permission_objects() if o.name in ("PermissionSet", "PermissionSetAssignment")
    ]
    seats = "MasterLabel string(255)\nTotalLicenses int\nUsedLicenses int\nStatus string(40)\n"
    return [
        *wide,
        make(
            "Profile",
            "00e",
            "Name string(255) required name\nUserType picklist(user_type)\n"
            "Description string(255)\nUserLicenseId ref(UserLicense)\n"
            "PermissionsModifyAllData boolean\n"
            "PermissionsManageUsers boolean\nPermissionsViewAllData boolean",
            system="nodelete",
            fixed=0,
            flags=("createable", "deletable", "replicateable"),
        ),
        make(
            "PermissionSetGroup",
            "0PG",
            "DeveloperName string(80) required\nMasterLabel string(80) required\nStatus string(40)",
            system="nodelete",
            fixed=0,
            flags=_SETUP,
        ),
        make(
            "PermissionSetGroupComponent",
            "0PJ",
            "PermissionSetGroupId ref(PermissionSetGroup) required\n"
            "PermissionSetId ref(PermissionSet) required",
            system="nodelete",
            fixed=0,
            flags=_JOIN,
        ),
        make(
            "PermissionSetLicense",
            "0PL",
            f"{seats}DeveloperName string(80)\nPermissionSetLicenseKey string(80)\n"
            "ExpirationDate date",
            system="nodelete",
            fixed=0,
            flags=(),
        ),
        make(
            "PermissionSetLicenseAssign",
            "2LA",
            "PermissionSetLicenseId ref(PermissionSetLicense) required\n"
            "AssigneeId ref(User) required",
            system="nodelete",
            fixed=0,
            flags=_JOIN,
        ),
        make(
            "UserLicense",
            "100",
            f"Name string(255)\n{seats}LicenseDefinitionKey string(40)",
            system="nodelete",
            fixed=0,
            flags=(),
        ),
        make(
            "PackageLicense",
            "050",
            "NamespacePrefix string(15)\nStatus string(40)\nAllowedLicenses int\nUsedLicenses int\n"
            "ExpirationDate datetime",
            system="nodelete",
            fixed=0,
            flags=(),
        ),
        make(
            "UserPackageLicense",
            "051",
            "PackageLicenseId ref(PackageLicense) required\nUserId ref(User) required",
            system="nodelete",
            fixed=0,
            flags=_JOIN,
        ),
    ]


def _groups() -> list[SObject]:
    return [
        make(
            "Group",
            "00G",
            "Name string(40) required name\nDeveloperName string(80)\n"
            "RelatedId ref(User,UserRole) rel=\nType picklist(group_type) required\n"
            "Email email\nDoesSendEmailToMembers boolean",
            system="nodelete",
            fixed=0,
            flags=_SETUP,
        ),
        make(
            "GroupMember",
            "011",
            "GroupId ref(Group) required\nUserOrGroupId ref(User,Group) required rel=",
            system="none",
            fixed=0,
            flags=_JOIN,
        ),
        make(
            "QueueSobject",
            "03g",
            "QueueId ref(Group) required\nSobjectType string(40) required\nCreatedById ref(User)",
            system="none",
            fixed=0,
            flags=_JOIN,
        ),
        make(
            "Territory2",
            "0MI",
            "Name string(80) required name\nDeveloperName string(80)\nForecastUserId ref(User)",
            system="none",
            fixed=0,
            flags=_SETUP,
        ),
        make(
            "UserTerritory2Association",
            "0TY",
            "UserId ref(User) required\nTerritory2Id ref(Territory2) required\nIsActive boolean\n"
            "RoleInTerritory2 string(40)",
            system="none",
            fixed=0,
            flags=_JOIN,
        ),
    ]


def _work() -> list[SObject]:
    return [
        make(
            "CronJobDetail",
            "08a",
            "Name string(255)\nJobType string(40)",
            system="only_id",
            fixed=0,
            flags=(),
        ),
        make(
            "CronTrigger",
            "08e",
            "CronJobDetailId ref(CronJobDetail)\nCronExpression string(255)\nState string(40)\n"
            "NextFireTime datetime\nOwnerId ref(User)\nCreatedById ref(User)\nCreatedDate datetime",
            system="none",
            fixed=0,
            flags=(),
        ),
        make(
            "AsyncApexJob",
            "707",
            "JobType string(40)\nStatus string(40)\nApexClassId string(18)\nCreatedById ref(User)\n"
            "CreatedDate datetime",
            system="none",
            fixed=0,
            flags=(),
        ),
        make(
            "ProcessInstance",
            "04g",
            "TargetObjectId ref(Opportunity,Account) rel=TargetObject\nStatus string(40)\n"
            "SubmittedById ref(User)",
            system="nodelete",
            fixed=0,
            flags=(),
        ),
        make(
            "ProcessInstanceWorkitem",
            "04i",
            "ProcessInstanceId ref(ProcessInstance) required\n"
            "ActorId ref(User,Group) required rel=Actor\n"
            "OriginalActorId ref(User,Group) rel=OriginalActor",
            system="nodelete",
            fixed=0,
            bulk=False,
            flags=("createable", "deletable", "updateable"),
        ),
        make(
            "FlowInterview",
            "0Fo",
            "Name string(255)\nInterviewLabel string(255)\nInterviewStatus string(40)\n"
            "OwnerId ref(User) required",
            fixed=0,
            flags=("deletable", "updateable"),
        ),
        make(
            "Folder",
            "00l",
            "Name string(80) required name\nDeveloperName string(80)\nAccessType string(40)\n"
            "Type string(40)\nIsReadonly boolean",
            system="nodelete",
            fixed=0,
            flags=_SETUP,
        ),
        make(
            "Dashboard",
            "01Z",
            "Title string(80) name\nDeveloperName string(80)\n"
            "FolderId ref(Folder,User) rel=Folder\n"
            "FolderName string(255)\nRunningUserId ref(User)\nType string(40)\n"
            "NamespacePrefix string(15)",
            fixed=0,
            scopes=("everything", "mine", "allPrivate"),
            flags=READ_ONLY,
        ),
        make(
            "Report",
            "00O",
            "Name string(40) name\nDeveloperName string(80)\nFolderName string(255)\n"
            "OwnerId ref(User) rel=Owner\nFormat string(40)",
            fixed=0,
            scopes=("everything", "mine", "allPrivate"),
            flags=READ_ONLY,
        ),
        make(
            "EmailTemplate",
            "00X",
            "Name string(80) required name\nDeveloperName string(80)\nOwnerId ref(User) required\n"
            "IsActive boolean",
            system="nodelete",
            fixed=0,
            flags=_SETUP,
        ),
        make(
            "Site",
            "0DM",
            "Name string(40) name\nMasterLabel string(80)\nStatus string(40)\n"
            "GuestRecordDefaultOwnerId ref(User)\nAdminId ref(User)",
            system="nodelete",
            fixed=0,
            flags=(),
        ),
        make(
            "EntitySubscription",
            "0E8",
            "ParentId ref(Account) rel=Parent\nSubscriberId ref(User) rel=Subscriber\n"
            "CreatedById ref(User)\nIsDeleted boolean",
            system="none",
            fixed=0,
            flags=_JOIN,
        ),
        make(
            "CollaborationGroupMember",
            "0FB",
            "CollaborationGroupId string(18)\nMemberId ref(User) required rel=Member\n"
            "CollaborationRole string(40)",
            system="nodelete",
            fixed=0,
            flags=_SETUP,
        ),
    ]


def _teams() -> list[SObject]:
    def share(name: str, parent: str, prefix: str) -> SObject:
        return make(
            name,
            prefix,
            f"{parent}Id ref({parent}) required\nUserOrGroupId ref(User,Group) required rel=\n"
            f"{parent}AccessLevel picklist(access) required\n"
            + ("OpportunityAccessLevel picklist(access)\n" if parent == "Account" else "")
            + "RowCause picklist(share_cause)\nLastModifiedDate datetime\nIsDeleted boolean",
            system="none",
            fixed=0,
            associate=("Share", parent),
            flags=_SETUP,
        )

    return [
        make(
            "AccountTeamMember",
            "01M",
            "AccountId ref(Account) required\nUserId ref(User) required\n"
            "TeamMemberRole string(40)\nAccountAccessLevel string(40)\n"
            "OpportunityAccessLevel string(40)\n"
            "CaseAccessLevel string(40)\nContactAccessLevel string(40)",
            fixed=0,
            flags=_SETUP,
        ),
        make(
            "OpportunityTeamMember",
            "00q",
            "OpportunityId ref(Opportunity) required\nUserId ref(User) required\n"
            "TeamMemberRole string(40)\nOpportunityAccessLevel string(40)",
            fixed=0,
            flags=_SETUP,
        ),
        make(
            "UserAccountTeamMember",
            "01D",
            "OwnerId ref(User) required\nUserId ref(User) required\nTeamMemberRole string(40)",
            system="nodelete",
            fixed=0,
            flags=_SETUP,
        ),
        make(
            "UserTeamMember",
            "01C",
            "OwnerId ref(User) required\nUserId ref(User) required\nTeamMemberRole string(40)",
            system="nodelete",
            fixed=0,
            flags=_SETUP,
        ),
        make(
            "CaseTeamTemplate",
            "0B4",
            "Name string(80) required name\nDescription string(255)",
            system="nodelete",
            fixed=0,
            flags=_SETUP,
        ),
        make(
            "CaseTeamRole",
            "0B7",
            "Name string(80) required name\nAccessLevel string(40)",
            system="nodelete",
            fixed=0,
            flags=("createable", "updateable"),
        ),
        make(
            "CaseTeamTemplateMember",
            "0B6",
            "TeamTemplateId ref(CaseTeamTemplate) required\nMemberId ref(User,Contact) required "
            "rel=Member\nTeamRoleId ref(CaseTeamRole) required",
            system="nodelete",
            fixed=0,
            flags=_SETUP,
        ),
        share("AccountShare", "Account", "00r"),
        share("OpportunityShare", "Opportunity", "00t"),
        share("ContactShare", "Contact", "03s"),
    ]


def _things(count: int) -> list[SObject]:
    """Custom objects: each has an owner, every third another lookup to a user besides."""
    return [
        make(
            f"Thing_{n:02d}__c",
            f"a{n // 10}{chr(ord('A') + n % 10)}",
            "OwnerId ref(User,Group) required\nName string(80) gen=product name required\n"
            + ("Responsible__c ref(User) gen=every:4\n" if n % 3 == 0 else "")
            + "Account__c ref(Account)\nNote__c string(255)",
            weight=0.02,
        )
        for n in range(count)
    ]
