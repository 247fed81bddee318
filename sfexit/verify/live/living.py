"""What changes in an org merely because somebody signs in and reads. Plain data.

A verification signs in, so such an object is never as it was when it was exported. New rows of a
log, and a user's last sign-in, are told and do not count; rows of it that were there before, and
everything else of a user, count as ever.
"""

from __future__ import annotations

from collections.abc import Mapping

_EVENTS = (
    "ApiEvent", "ApiAnomalyEventStore", "BulkApiResultEventStore", "CredentialStuffingEventStore",
    "FileEventStore", "IdentityProviderEventStore", "IdentityVerificationEvent",
    "LightningUriEvent", "ListViewEvent", "LoginAsEvent", "LoginEvent", "LogoutEvent",
    "ReportEvent", "SessionHijackingEventStore", "UriEvent",
)  # fmt: skip

#: object → the column that says when a row was written. Sources: Object Reference, LoginHistory,
#: LoginGeo, VerificationHistory, EventLogFile; of events, what signing in, asking and reading files
#: leaves in the objects that
#: https://developer.salesforce.com/docs/atlas.en-us.platform_events.meta/platform_events/platform_events_objects_monitoring.htm
#: lists; each has EventDate.
LOGS: Mapping[str, str] = {
    "LoginHistory": "LoginTime",
    "LoginGeo": "LoginTime",
    "VerificationHistory": "VerificationTime",
    "EventLogFile": "CreatedDate",
    **dict.fromkeys(_EVENTS, "EventDate"),
}

#: object → fields that a sign-in moves: LastLoginDate (Object Reference, User), and with it
#: SystemModstamp, the moment when a user or an automated process last modified the record
#: (https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/system_fields.htm).
#: That a sign-in is such a process is seen in orgs; no page says so.
MOVED_BY_SIGN_IN: Mapping[str, frozenset[str]] = {
    "User": frozenset(
        {"LastLoginDate", "NumberOfFailedLogins", "SystemModstamp", "LastViewedDate",
         "LastReferencedDate"}
    ),
}  # fmt: skip
