"""The days that matter until a contract ends and after it.

Counting: calendar days back from the last day of service; where a contract can be read in two
ways ("at least 30 days before the end"), the earlier day is taken; a day by which somebody must
act rolls *back* to a business day. What Salesforce's own pages state is cited at its rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sfexit.contract.days import BusinessDays, months_before
from sfexit.contract.terms import Contract

SAFE_DAYS = 60  # commonly advised; the standard terms ask for 30
WINDOW_DAYS = 90  # Manage Renewals opens 90 days before the end: help article 005167138
EXPORT_BUFFER_DAYS = 14  # time to verify, repair and refresh before the lock
REQUEST_DAYS = 30  # standard terms: export on request within 30 days after the end
PURGE_DAYS = 120  # help article 000386225; an older version of it says 180
SOON_DAYS = 14

MISSED = "missed"
PAST = "past"
TODAY = "today"
SOON = "soon"
AHEAD = "ahead"


@dataclass(frozen=True)
class Deadline:
    """A day. `counted` is the day before rolling back; `days_left` may be negative.

    `must_act` tells a day by which somebody has to do something from a day on which something
    happens. `state` is `missed` only where acting is then too late.
    """

    kind: str
    title: str
    day: date
    counted: date
    days_left: int
    state: str
    must_act: bool
    rule: str
    source: str
    action: str

    @property
    def rolled(self) -> bool:
        """Whether the counted day was no business day."""
        return self.day != self.counted


def hard_day(contract: Contract) -> date:
    """The last calendar day on which notice is in time, not yet rolled back."""
    notice, end = contract.notice, contract.end
    if notice.unit == "months":
        return months_before(end, notice.count)
    if notice.unit == "weeks":
        return end - timedelta(weeks=notice.count)
    if notice.unit == "business_days":
        return contract.business.before(end, notice.count)
    return end - timedelta(days=notice.count)


def deadlines(
    contract: Contract,
    today: date,
    *,
    export_days: float | None = None,
    notice_sent: bool = False,
) -> tuple[Deadline, ...]:
    """Every day of the contract's end, in order. `export_days` is how long an export takes.

    `notice_sent`: the days of the notice count as kept, whatever the date.
    """
    end, business, notice = contract.end, contract.business, contract.notice
    needed = contract.renewal == "auto"
    hard = hard_day(contract)
    # A term of notice longer than what is commonly advised moves the advice along.
    safe_before = max(timedelta(days=SAFE_DAYS), (end - hard) + timedelta(days=30))
    clause = notice.clause
    told = f"at least {notice.count} {notice.unit.replace('_', ' ')} before the end"
    make = _Maker(today, business, notice_sent=notice_sent)
    days = [
        make.event(
            "window_opens",
            "Renewal can be changed online",
            end - timedelta(days=WINDOW_DAYS),
            f"{WINDOW_DAYS} days before the end",
            "Salesforce help 005167138 (as of 2026-01-20)",
            "Look at Your Account > Manage Renewals (permission Manage Billing): end date, type.",
        ),
        make.act(
            "notice_safe",
            "Notice given in good time",
            end - safe_before,
            f"{safe_before.days} days before the end, advised, not required",
            "common advice; leaves room for a lost letter",
            "Send the notice by this day, so that a confirmation can still be chased.",
            needed=needed,
            advice=True,
        ),
        make.act(
            "notice_hard",
            "Notice received" if needed else "Notice received (renewal is manual: not required)",
            hard,
            told,
            clause,
            f"The notice must have arrived ({', '.join(notice.forms)}).",
            needed=needed,
        ),
        make.act(
            "export_finished",
            "Export finished and proven",
            end - timedelta(days=EXPORT_BUFFER_DAYS),
            f"{EXPORT_BUFFER_DAYS} days before the end",
            "sfexit: time to verify, repair and refresh",
            "Nobody can sign in after the end: finish the export, verify it, refresh it.",
            advice=True,
        ),
        make.event(
            "contract_ends",
            "Last day of service",
            end,
            "as the contract says",
            f"contract {contract.number}",
            "Refresh the archive on this day at the latest.",
        ),
        make.event(
            "org_locked",
            "The org is locked",
            end + timedelta(days=1),
            "the day after the end",
            "Salesforce help 000386225 (as of 2026-04-22)",
            "Nobody can sign in any more; data cannot be taken by API.",
        ),
        make.act(
            "data_request",
            "Last day to ask Salesforce for the data",
            end + timedelta(days=REQUEST_DAYS),
            f"{REQUEST_DAYS} days after the end",
            "standard terms, data portability clause: check yours",
            "A request to Salesforce, not a sign-in. Only if something was forgotten.",
            advice=True,
        ),
        make.event(
            "purge",
            "The data may be deleted",
            end + timedelta(days=PURGE_DAYS),
            f"{PURGE_DAYS} days after the end",
            "Salesforce help 000386225 (as of 2026-04-22; an older version said 180)",
            "Ask for the certificate of deletion.",
        ),
    ]
    posted = [form for form in notice.forms if form in ("letter", "courier")]
    if posted:
        days.append(
            make.act(
                "notice_posted",
                f"Notice posted ({' or '.join(posted)})",
                business.before(hard, notice.delivery_business_days),
                f"{notice.delivery_business_days} business days before it must have arrived",
                "your contract.toml: delivery_business_days",
                "Post it with tracking, and keep the receipt.",
                needed=needed,
                advice=set(posted) != set(notice.forms),
            )
        )
    if export_days is not None:
        days.append(_start(make, contract, export_days))
    return tuple(sorted(days, key=lambda one: (one.day, _ORDER.index(one.kind))))


_ORDER = (
    "window_opens",
    "notice_safe",
    "start_export",
    "notice_posted",
    "notice_hard",
    "export_finished",
    "contract_ends",
    "org_locked",
    "data_request",
    "purge",
)


def missed(days: Iterable[Deadline]) -> tuple[Deadline, ...]:
    """Those whose day has passed and that nobody can make good."""
    return tuple(one for one in days if one.state == MISSED)


def _start(make: _Maker, contract: Contract, export_days: float) -> Deadline:
    finished = contract.business.roll_back(contract.end - timedelta(days=EXPORT_BUFFER_DAYS))
    whole = max(1, -int(-export_days // 1))
    return make.act(
        "start_export",
        "Export started",
        finished - timedelta(days=whole),
        f"{whole} {'day' if whole == 1 else 'days'} of export before it must be finished",
        "sfexit assess",
        "Start the export by this day; earlier is better, a refresh brings it up to date.",
        advice=True,
    )


class _Maker:
    """Makes deadlines as seen from one day."""

    def __init__(self, today: date, business: BusinessDays, *, notice_sent: bool) -> None:
        self._today = today
        self._business = business
        self._sent = notice_sent

    def event(
        self, kind: str, title: str, day: date, rule: str, source: str, action: str
    ) -> Deadline:
        """A day on which something happens by itself."""
        return self._deadline(kind, title, day, day, False, PAST, rule, source, action)

    def act(
        self,
        kind: str,
        title: str,
        counted: date,
        rule: str,
        source: str,
        action: str,
        *,
        needed: bool = True,
        advice: bool = False,
    ) -> Deadline:
        """A day by which somebody must act; `advice` and what is not `needed` are never missed."""
        kept = self._sent and kind.startswith("notice")
        gone = PAST if advice or kept or not needed else MISSED
        day = self._business.roll_back(counted)
        return self._deadline(kind, title, day, counted, True, gone, rule, source, action)

    def _deadline(
        self,
        kind: str,
        title: str,
        day: date,
        counted: date,
        must_act: bool,
        gone: str,
        rule: str,
        source: str,
        action: str,
    ) -> Deadline:
        left = (day - self._today).days
        state = gone if left < 0 else TODAY if left == 0 else SOON if left <= SOON_DAYS else AHEAD
        return Deadline(kind, title, day, counted, left, state, must_act, rule, source, action)
