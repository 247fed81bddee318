"""Did anybody work in the org since the archive was made? Supporting evidence, never decisive.

Web forms, inbound mail and batch jobs write without a sign-in, so silence here proves nothing;
the comparison of records does.
"""

from __future__ import annotations

from dataclasses import dataclass

from sfexit.verify.finding import Finding
from sfexit.verify.live.wire import Wire

CHECK = "freeze"


@dataclass(frozen=True)
class Freeze:
    """Since `since` (UTC): changed records, sign-ins of others, changes in Setup. None: unread."""

    since: str
    changed: int
    sign_ins: int | None = None
    sign_ins_unread: str = ""
    setup_changes: int | None = None
    setup_unread: str = ""

    @property
    def quiet(self) -> bool:
        """Whether all of it was read, and nothing happened."""
        return self.changed == 0 and self.sign_ins == 0 and self.setup_changes == 0

    @property
    def lines(self) -> tuple[str, ...]:
        """The evidence in words."""
        return (
            f"records changed since {self.since}: {self.changed:,}",
            "sign-ins of other users since: "
            + (f"{self.sign_ins:,}" if self.sign_ins is not None else self.sign_ins_unread),
            "changes in Setup since: "
            + (f"{self.setup_changes:,}" if self.setup_changes is not None else self.setup_unread),
        )

    @property
    def findings(self) -> tuple[Finding, ...]:
        """A note when somebody signed in or changed the setup."""
        happened = (self.sign_ins or 0) + (self.setup_changes or 0)
        if not happened:
            return ()
        return (
            Finding("org-lives", CHECK, count=happened, detail="; ".join(self.lines),
                    witness="LoginHistory, SetupAuditTrail"),
        )  # fmt: skip


def look(wire: Wire, since: str, changed: int, user_id: str) -> Freeze:
    """Ask LoginHistory and SetupAuditTrail, by one call. `since`: UTC, as in the ledger."""
    moment = f"{since[:19]}Z"
    others = f" AND UserId != '{user_id}'" if user_id.isalnum() else ""
    soql = (
        f"SELECT COUNT() FROM LoginHistory WHERE LoginTime > {moment}{others}",  # noqa: S608
        f"SELECT COUNT() FROM SetupAuditTrail WHERE CreatedDate > {moment}",  # noqa: S608
    )
    logins, setup = wire.many([wire.address(one, everything=False) for one in soql])
    return Freeze(
        since,
        changed,
        logins.total if logins.ok else None,
        f"not readable ({logins.code or logins.status})",
        setup.total if setup.ok else None,
        f"not readable ({setup.code or setup.status})",
    )
