"""What went wrong, grouped by what the caller should do about it.

SfexitError
├── UsageProblem          the command line, a setting or a name is wrong      → exit 2
├── SignInProblem         no usable session, or a permission is missing       → exit 4
│   ├── SentElsewhere     the org names another address, where no session goes
│   ├── OrgLocked         the org itself is locked, closed or suspended, in its own words
│   └── SessionLost       the session ended in mid-run and cannot be renewed  → exit 4, resumable
├── Blocked               a check before the start said no; nothing changed   → exit 5
├── PlanStale             what a plan rests on is no longer so; nothing changed → exit 7
├── NotConfirmed          nobody said yes to a change; nothing changed        → exit 11
├── Locked                another run holds this home                         → exit 10
├── Paused                quota or disk; run the same command again           → exit 75
│   ├── QuotaSpent
│   └── DiskTrouble
│       └── MediumFault   the disk lost what it was given: write it anew, a few times
├── Interrupted           the user or the system asked us to stop             → exit 130
├── OrgRefused            the org said no to this request: try another road, or record it
├── Transient             worth another try: network, 5xx, throttling
│   ├── OutcomeUnknown    a changing request may or may not have worked: look before repeating
│   └── DamagedAnswer     an answer that fails its own checks; never kept
└── ArchiveProblem        an archive or a journal on disk is not as it should be → exit 1

Every message is one sentence for an administrator: what happened, why, what to do next.
It never holds a token, a header or the body of a record.
"""

from __future__ import annotations


class SfexitError(Exception):
    """Base of all errors that sfexit raises on purpose."""

    @property
    def message(self) -> str:
        return str(self)


class UsageProblem(SfexitError):
    """The command line, a setting or a given name is wrong."""


class SignInProblem(SfexitError):
    """No usable session for the org, or the user may not do this."""


class SentElsewhere(SignInProblem):
    """The org answered with another address, where the session must not go."""


class OrgLocked(SignInProblem):
    """The org says of itself that it is locked, closed or suspended: nobody gets in."""


class SessionLost(SignInProblem):
    """The session ended in mid-run and no new token can be had; progress is kept."""


class Blocked(SfexitError):
    """A check made before the start refused; nothing was changed anywhere."""


class PlanStale(SfexitError):
    """What a plan rests on is no longer so; nothing was changed."""


class NotConfirmed(SfexitError):
    """Nobody said yes to a change; nothing was changed."""


class Locked(SfexitError):
    """Another run works in this home."""


class Paused(SfexitError):
    """The run stopped in good order; the same command goes on later."""


class QuotaSpent(Paused):
    """The org's daily calls, or the share of them given to this run, are used up."""


class DiskTrouble(Paused):
    """The disk is full, read-only or failing; what was published before is whole."""


class MediumFault(DiskTrouble):
    """The disk reported a fault, or gave back other bytes than it was given: what was being
    written is thrown away, and worth writing anew (`archive.durable.written_anew`)."""


class Interrupted(SfexitError):
    """Somebody asked the run to stop; progress is kept."""


class OrgRefused(SfexitError):
    """The org understood the request and said no.

    `status` is the HTTP status, `code` Salesforce's errorCode (empty when the body had none),
    `reason` the org's own words, shortened and stripped of control characters.
    """

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(f"{code or 'HTTP ' + str(status)}: {reason}")
        self.status = status
        self.code = code
        self.reason = reason


class Transient(SfexitError):
    """Worth another try after a while. `retry_after_seconds` is the server's wish, if any."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(Transient):
    """A request that may have changed something got no usable answer."""


class DamagedAnswer(Transient):
    """An answer that is cut short, altered or not what its own headers declare."""


class ArchiveProblem(SfexitError):
    """A bag, a page or the journal on disk is damaged or of an unknown make."""
