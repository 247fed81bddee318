"""What runs as a leaver and stops with them: dashboards, scheduled jobs."""

from __future__ import annotations

from collections.abc import Iterable

from sfexit.offboarding.asking import Asking, Look, value
from sfexit.offboarding.hazard_kinds import Seen, called, hazard
from sfexit.offboarding.plan import Hazard
from sfexit.redaction import printable

#: Object Reference, CronJobDetail (JobType).
_JOBS = {
    "0": "data export", "1": "weekly export", "3": "dashboard refresh", "4": "reporting snapshot",
    "7": "scheduled Apex", "8": "report run", "9": "batch job", "A": "report subscription",
}  # fmt: skip
_SHOWN = 10


def look(asking: Asking, seen: Seen) -> Iterable[Hazard]:
    """Dashboards one by one; jobs by user."""
    yield from _dashboards(seen)
    yield from _jobs(asking, seen)


def _dashboards(seen: Seen) -> Iterable[Hazard]:
    for one in seen.boards:
        what = f"the dashboard {one.title} (folder {one.folder})"
        who = called(seen, one.user_id)
        if one.to:
            text = (
                f"{what} is let run as {called(seen, one.to)} instead of {who}: whoever opens it "
                f"sees what {called(seen, one.to)} may see"
            )
            yield hazard("dashboards_change", text, user=one.user_id, name="Dashboard", count=1)
        else:
            yield hazard("dashboards", f"{what} runs as {who} and stops working: {one.why}",
                         user=one.user_id, name="Dashboard", count=1)  # fmt: skip


def _jobs(asking: Asking, seen: Seen) -> Iterable[Hazard]:
    """The data API only reads jobs (Object Reference, CronTrigger: query, retrieve); Apex ends
    them (System.abortJob), and nothing gives them another owner."""
    fields = ("OwnerId", "CronJobDetail.Name", "CronJobDetail.JobType")
    [rows] = asking.look(
        [Look("CronTrigger", fields, "OwnerId")],
        [one.id for one in seen.leavers if one.id in seen.full],
    )
    jobs: dict[str, list[str]] = {}
    for row in rows or ():
        kind = value(row, "CronJobDetail.JobType") or ""
        name = printable(value(row, "CronJobDetail.Name") or value(row, "Id") or "", 80)
        told = f"{name} ({_JOBS[kind]})" if kind in _JOBS else name
        jobs.setdefault(value(row, "OwnerId") or "", []).append(told)
    for user, listed in jobs.items():
        some = ", ".join(sorted(listed)[:_SHOWN])
        more = f" and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else ""
        yield hazard(
            "jobs",
            f"scheduled jobs of {called(seen, user)} stop: {some}{more}. No API hands a job over: "
            "have somebody else schedule it anew, then delete it (Setup > Scheduled Jobs)",
            user=user, name="CronTrigger", count=len(listed),
        )  # fmt: skip
