"""Everything that a contract file tells on a given day, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sfexit.contract.costs import Costs, costs
from sfexit.contract.days import holidays_in
from sfexit.contract.deadlines import Deadline, deadlines, hard_day, missed
from sfexit.contract.laws import Law, laws, switching
from sfexit.contract.terms import Contract
from sfexit.errors import UsageProblem


@dataclass(frozen=True)
class LawOutlook:
    """A law's timeline for a notice given on `notice_on`."""

    law: Law
    notice_on: date
    days: tuple[Deadline, ...]
    stale: bool


@dataclass(frozen=True)
class Outlook:
    """A contract as of `today`. `all_days` are the contract's and the laws' together, in order."""

    contract: Contract
    today: date
    days: tuple[Deadline, ...]
    missed: tuple[Deadline, ...]
    laws: tuple[LawOutlook, ...]
    costs: Costs | None
    export_days: float | None
    in_time: bool | None  # whether an export begun today is finished in time
    options: tuple[str, ...]  # what is left after a missed day
    warnings: tuple[str, ...]

    @property
    def all_days(self) -> tuple[Deadline, ...]:
        law = (day for one in self.laws for day in one.days if day.kind != "switch_notice")
        return tuple(sorted((*self.days, *law), key=lambda one: one.day))

    def day(self, kind: str) -> Deadline:
        """One of the contract's days by its kind."""
        return next(one for one in self.days if one.kind == kind)


def outlook(
    contract: Contract,
    today: date,
    *,
    export_days: float | None = None,
    notice_on: date | None = None,
    notice_sent: bool = False,
    home_org: str | None = None,
) -> Outlook:
    """Deadlines, timelines and costs. Raises UsageProblem when the file is another org's."""
    if contract.org_id and home_org and contract.org_id[:15] != home_org[:15]:
        raise UsageProblem(
            f"contract.toml is of org {contract.org_id}, but this home holds org {home_org}: "
            "correct org_id, or use the home of that org"
        )
    try:
        days = deadlines(contract, today, export_days=export_days, notice_sent=notice_sent)
        known = laws()
        told = tuple(
            LawOutlook(law, on, switching(law, on, today), law.stale(today))
            for law, on in ((known[key], notice_on or today) for key in contract.laws)
        )
    except OverflowError as error:
        raise UsageProblem(f"the days of this contract cannot be counted: {error}") from error
    late = missed(days)
    finished = next(one for one in days if one.kind == "export_finished")
    in_time = None
    if export_days is not None:
        in_time = today + timedelta(days=export_days) <= finished.day
    return Outlook(
        contract,
        today,
        days,
        late,
        told,
        costs(contract, today, missed=bool(late)),
        export_days,
        in_time,
        _options(contract, today) if late else (),
        _warnings(contract, today, told, in_time),
    )


def _options(contract: Contract, today: date) -> tuple[str, ...]:
    """What can still be done when the day for the notice has passed."""
    left = []
    if today <= contract.end:
        left.append(
            "Give notice all the same, today, and ask your account executive in writing to accept "
            "it: a late notice may be accepted, silence never is."
        )
        left.append(
            "Look at Your Account > Manage Renewals: while the change window is open, "
            "'Don't renew' may still be there."
        )
    if contract.laws:
        left.append(
            "EU Data Act: switching may be asked for at any time with at most two months' notice; "
            "early-termination fees stay possible. Have counsel check."
        )
    left.append("Negotiate a shorter renewal, or fewer licences, before the renewal is invoiced.")
    left.append(
        "If it renews: reduce at the next renewal, and put that day into your calendar now "
        "(--ics with the new end in contract.toml)."
    )
    return tuple(left)


def _warnings(
    contract: Contract, today: date, told: tuple[LawOutlook, ...], in_time: bool | None
) -> tuple[str, ...]:
    out = []
    if in_time is False:
        out.append(
            "An export begun today is not finished in time: start it now, and lift what slows it "
            "(sfexit assess names it)."
        )
    notice = contract.notice
    if notice.unit == "days" and notice.count == 30 and not notice.clause.strip():
        out.append("30 days are the standard terms; your order form may say otherwise.")
    if set(notice.forms) == {"email"}:
        out.append(
            "Only e-mail is named as form of the notice: standard terms do not let e-mail suffice "
            "for notices of termination. Check the clause and send a letter too."
        )
    first = min(today, hard_day(contract))
    if not holidays_in(contract.business.holidays, first, contract.end):
        out.append(
            "No holiday of yours lies before the end ([calendar] holidays): days are rolled back "
            "over weekends only."
        )
    if contract.renewal == "manual":
        out.append(
            "Renewal is manual: the contract ends by itself. A written notice is still advised."
        )
    out.extend(
        f"What is known of {one.law.title} is of {one.law.as_of}, more than half a year ago: look "
        "again."
        for one in told
        if one.stale
    )
    if not contract.lines:
        out.append("No [[lines]] in contract.toml: costs cannot be told.")
    if not contract.org_id:
        out.append("No org_id in contract.toml: it cannot be checked against the archive.")
    return tuple(out)
