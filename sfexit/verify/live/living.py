"""What changes in an org merely because somebody signs in and reads. Plain data.

A verification signs in, so such an object is never as it was when it was exported. New rows of a
log, and a user's last sign-in, are told and do not count; rows of it that were there before, and
everything else of a user, count as ever.
"""

from __future__ import annotations

from collections.abc import Mapping

_EVENTS = (
    "ApiEvent", "ApiAnomalyEventStore", "BulkApiResultEventStore", "IdentityProviderEventStore",
    "LightningUriEvent", "ListViewEvent", "LoginAsEvent", "LoginEvent", "LogoutEvent",
    "ReportEvent", "UriEvent",
)  # fmt: skip

#: object → the column that says when a row was written. Sources: Object Reference, LoginHistory,
#: LoginGeo, VerificationHistory, EventLogFile; Platform Events guide, "Real-Time Event Monitoring
#: Objects" (EventDate).
LOGS: Mapping[str, str] = {
    "LoginHistory": "LoginTime",
    "LoginGeo": "LoginTime",
    "VerificationHistory": "VerificationTime",
    "EventLogFile": "CreatedDate",
    **dict.fromkeys(_EVENTS, "EventDate"),
}

#: object → fields that a sign-in moves (Object Reference, User: LastLoginDate, and
#: SystemModstamp, which "also moves when an automated process" touches the record).
MOVED_BY_SIGN_IN: Mapping[str, frozenset[str]] = {
    "User": frozenset(
        {"LastLoginDate", "NumberOfFailedLogins", "SystemModstamp", "LastViewedDate",
         "LastReferencedDate"}
    ),
}  # fmt: skip
