"""What a look at an org came to: as a document for programs, as lines and as a page for people."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sfexit.export import quota
from sfexit.export.assess import START_MARGIN, Assessment
from sfexit.export.estimate import ABOUT, COUNTED
from sfexit.preflight.elsewhere import SEEN
from sfexit.preflight.elsewhere import UNKNOWN as UNTOLD
from sfexit.preflight.sight import HELD, UNKNOWN, refusals_for_strict
from sfexit.redaction import printable
from sfexit.reports import html
from sfexit.reports.blind_spots import Group, groups
from sfexit.reports.figures import moment_of, size

SCHEMA = "sfexit-assess/1"
_SHOWN = 12  # groups on a screen; --json and --html have all
_NAMED = 5

_WORDS = {
    "read": "to read",
    "covered": "covered by the schema",
    "no_data": "by design not data",
    "not_exported": "not readable by this version, or left out",
}


def next_steps(told: Assessment) -> list[str]:
    """What to do, most urgent first."""
    steps = []
    cost, sight = told.estimate, told.sight
    if told.in_time is False:
        steps.append(
            f"The export needs about {quota.spelled(cost.days)} and the contract ends in "
            f"{told.days_left:,} days: start today, and ask Salesforce for more API calls or use a "
            "faster line."
            if cost.bottleneck == "API calls"
            else f"The export needs about {quota.spelled(cost.days)} and the contract ends in "
            f"{told.days_left:,} days: start today, and lift the limit that decides "
            f"({cost.bottleneck})."
        )
    missing = [one.label for one in sight.permissions if one.state != HELD and one.kind == "always"]
    if sight.blind_spots:
        user = printable(told.username, 80) or "the export user"
        which = f" ({', '.join(missing)})" if missing else ""
        steps.append(
            f"Give {user} the missing permissions{which}: sfexit assess --permission-set "
            "sfexit-permissions writes a permission set to deploy and assign; then assess again."
        )
    if told.free_bytes is not None and told.free_bytes < cost.disk_bytes:
        steps.append(
            f"Make room: the archive needs about {size(cost.disk_bytes)} and "
            f"{told.place} has {size(told.free_bytes)} free; name another folder as HOME."
        )
    seen = [sign.place for sign in told.signs if sign.state == SEEN]
    if seen:
        steps.append(
            f"Data lives outside this org: export it where it is ({', '.join(seen[:4])}"
            f"{' …' if len(seen) > 4 else ''})."
        )
    if cost.line_is_assumed:
        steps.append(
            f"Tell the speed of your line (--line-speed): {cost.line_mbit:g} Mbit/s is assumed."
        )
    steps.append(
        "Then run sfexit export HOME."
        if sight.blind_spots
        else "Run sfexit export HOME: this user sees everything that was checked."
    )
    return steps


def document(told: Assessment) -> dict[str, Any]:
    """The look for programs; stable within `sfexit-assess/1`."""
    cost = told.estimate
    return {
        "schema": SCHEMA,
        "taken_at": told.taken_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "organization_id": told.organization_id,
        "organization": dict(told.organization),
        "username": told.username,
        "api_version": told.api_version,
        "api_calls": told.calls,
        "next_steps": next_steps(told),
        "strict_refusals": refusals_for_strict(told.sight),
        "sight": told.sight.as_json(),
        "objects": [asdict(one) for one in cost.objects],
        "outcomes": dict(Counter(one.outcome for one in cost.objects)),
        "rows": cost.rows,
        "rows_known": cost.rows_known,
        "csv_bytes": cost.csv_bytes,
        "wire_bytes": cost.wire_bytes,
        "sampled_rows": cost.calibrated_by,
        "files": [asdict(one) for one in cost.files],
        "file_bytes": cost.file_bytes,
        "calls_needed": {
            "records": cost.calls_records,
            "files": cost.calls_files,
            "metadata": cost.calls_metadata,
            "definitions": cost.calls_definitions,
            "looking": cost.calls_looking,
            "all": cost.calls,
            "bulk_jobs": cost.jobs,
        },
        "quotas": {name: asdict(one) for name, one in cost.quotas.items()},
        "api_budget": cost.share,
        "line_mbit": cost.line_mbit,
        "line_is_assumed": cost.line_is_assumed,
        "days_by_limit": {name: round(days, 4) for name, days in cost.bounds.items()},
        "days": round(cost.days, 4),
        "bottleneck": cost.bottleneck,
        "quota_table": asdict(cost.quota_row) if cost.quota_row else None,
        "contract_end": told.contract_end.isoformat() if told.contract_end else None,
        "days_left": told.days_left,
        "in_time": told.in_time,
        "unchanged": asdict(told.unchanged) if told.unchanged else None,
        "disk": {
            "place": str(told.place),
            "needed_bytes": cost.disk_bytes,
            "free_bytes": told.free_bytes,
        },
        "elsewhere": [asdict(one) for one in told.signs],
        "notes": list(cost.notes),
    }


def summary(told: Assessment, width: int = 100) -> Iterator[str]:
    """The look for an administrator: what is hidden, what to do, then the figures."""
    yield headline(told)
    yield ""
    shown = groups(told.sight.blind_spots)
    for group in shown[:_SHOWN]:
        yield from _spot(group, width)
    if len(shown) > _SHOWN:
        yield f"and {len(shown) - _SHOWN} more: see --json or --html"
    if shown:
        yield ""
    yield "What to do"
    for number, step in enumerate(next_steps(told), 1):
        yield from _wrapped(f"{number}. {step}", width, 3)
    yield ""
    for name, value in figures(told):
        yield from textwrap.wrap(
            f"{name:<9} {value}", width, subsequent_indent=" " * 10, break_long_words=False
        )
    yield ""
    yield "Data that lives elsewhere (no sign does not mean no data)"
    for sign in told.signs:
        if sign.state == SEEN:
            yield from _wrapped(f"{sign.place}: {'; '.join(sign.evidence[:3])}", width, 3)
            yield from _wrapped(f"   do    {sign.action}", width, 9)
    unknown = [sign for sign in told.signs if sign.state == UNTOLD]
    if unknown:
        why = "; ".join(dict.fromkeys(one for sign in unknown for one in sign.evidence))
        places = ", ".join(sign.place for sign in unknown)
        yield from _wrapped(f"Unknown, because {why}: {places}", width, 3)
    absent = [sign.place for sign in told.signs if sign.state not in (SEEN, UNTOLD)]
    if absent:
        yield from _wrapped(f"No sign of {', '.join(absent)}", width, 3)
    yield ""
    yield f"This look took {told.calls:,} API calls and changed nothing."


def headline(told: Assessment) -> str:
    """The verdict in one line."""
    spots = told.sight.blind_spots
    sure = sum(spot.certainty != UNKNOWN for spot in spots)
    if sure:
        return "BLIND SPOTS: this user does not see everything in the org."
    if spots:
        return "UNKNOWN: nothing was found hidden, but something could not be checked."
    return "CLEAR: this user sees everything that was checked."


def figures(told: Assessment) -> Iterator[tuple[str, str]]:
    """The numbers with their names; each says where it comes from."""
    cost = told.estimate
    organization = told.organization
    name = printable(str(organization.get("Name", "")), 60) or "unknown"
    kind = printable(str(organization.get("OrganizationType") or ""), 40)
    yield "Org", f"{name} ({told.organization_id}){', ' + kind if kind else ''}"
    yield "User", f"{printable(told.username, 80) or 'unknown'}, API {told.api_version}"
    if told.unchanged is not None:
        same = told.unchanged
        yield (
            "Archive",
            f"{same.generation:04d} holds what the org held when it was last compared, "
            f"{moment_of(same.looked)}: unchanged since {moment_of(same.since)}",
        )
    outcomes = Counter(one.outcome for one in cost.objects)
    routes = Counter(one.route for one in cost.objects if one.outcome == "read")
    parts = [f"{outcomes[word]:,} {_WORDS[word]}" for word in _WORDS if outcomes[word]]
    divided = routes["filtered"] + routes["nested"]
    in_parts = f", {divided:,} in parts" if divided else ""
    hidden = len(told.sight.hidden_objects)
    more = f"; {hidden:,} more that only EntityDefinition names" if hidden else ""
    yield (
        "Objects",
        f"{len(cost.objects):,}: {', '.join(parts)} ({routes['bulk']:,} by Bulk API, "
        f"{routes['rest']:,} by REST{in_parts}){more}",
    )
    counted = [one for one in cost.objects if one.rows_are == COUNTED]
    about = sum(one.rows or 0 for one in cost.objects if one.rows_are == ABOUT)
    exact = sum(one.rows or 0 for one in counted)
    about_rows = "about" if cost.rows_known else "UNKNOWN, at least"
    yield (
        "Rows",
        f"{about_rows} {cost.rows:,}: {exact:,} counted in {len(counted)} objects, {about:,} by "
        "the org's approximate counts (without deleted and archived ones)",
    )
    basis = (
        f"a sample of {cost.calibrated_by:,} rows" if cost.calibrated_by else "field types alone"
    )
    yield (
        "Size",
        f"{about_rows} {size(cost.csv_bytes)} as CSV, {size(cost.wire_bytes)} packed; estimated "
        f"from {basis}",
    )
    for one in cost.files:
        told_size = f", {size(one.bytes)}" if one.bytes is not None else ""
        count = f"{one.count:,}" if one.count is not None else f"unknown ({one.reason})"
        yield "Files", f"{one.name}: {count}{told_size} (counted; what this user sees)"
    for note in cost.notes:
        yield "Note", note
    daily = cost.quotas["DailyApiRequests"]
    left = (
        f"; {daily.left:,} of {daily.most:,} left today, of which {cost.share:.0%} may be used"
        if daily.left is not None and daily.most is not None
        else "; the org does not tell how many are left"
    )
    yield (
        "Calls",
        f"{about_rows} {cost.calls:,}: {cost.calls_records:,} for records ({cost.jobs:,} Bulk "
        f"jobs), {cost.calls_files:,} for files (one each), {cost.calls_metadata:,} for metadata, "
        f"{cost.calls_definitions:,} for definitions of reports and dashboards (results, if "
        f"wanted, one more for each report), {cost.calls_looking:,} for looking around{left}",
    )
    assumed = ", assumed" if cost.line_is_assumed else ""
    limits = ", ".join(
        f"{name}{f' ({cost.line_mbit:g} Mbit/s{assumed})' if name == 'line speed' else ''}: "
        f"{quota.spelled(days) if days else 'within a day'}"
        for name, days in cost.bounds.items()
    )
    yield (
        "Time",
        f"{about_rows} {quota.spelled(cost.days)}, decided by {cost.bottleneck} ({limits})",
    )
    row = cost.quota_row
    if row is not None:
        yield "Quota", quota.line(row)
    if told.contract_end is not None and told.days_left is not None:
        verdict = {True: "in time", False: "NOT in time", None: "UNKNOWN whether in time"}[
            told.in_time
        ]
        latest = told.days_left - math.ceil(cost.days * START_MARGIN)
        when = f"start within {latest:,} days" if latest > 0 and told.in_time else "start today"
        day = told.contract_end.isoformat()
        ends = f"ends {day}, in {told.days_left:,} days"
        if told.days_left < 0:
            ends = f"ended {day}, {-told.days_left:,} days ago"
        yield (
            "Contract",
            f"{ends}: {verdict}; {when} (estimate and {START_MARGIN - 1:.0%} room)",
        )
    free = size(told.free_bytes) if told.free_bytes is not None else "unknown"
    yield (
        "Disk",
        f"{about_rows} {size(cost.disk_bytes)} needed (archive, work and room); {free} free at "
        f"{told.place}",
    )


def page(told: Assessment) -> str:
    """The look as one HTML file."""
    name = printable(str(told.organization.get("Name", "")), 60) or told.organization_id
    found = groups(told.sight.blind_spots)
    cost = told.estimate
    row = cost.quota_row
    own = (
        quota.taken(row.days_for_own_files)
        if row is not None and row.days_for_own_files is not None
        else "unknown"
    )
    taken = f"Taken {told.taken_at:%Y-%m-%d %H:%M} UTC as {told.username}, {told.calls:,} API calls"
    parts = [
        f"<h1>{html.text('Assessment of ' + name)}</h1>",
        f'<p class="small">{html.text(taken)}</p>',
        f'<p class="{"alarm" if found else "calm"}">{html.prose(headline(told))}</p>',
    ]
    if found:
        parts += [
            "<h2>What this user does not see</h2>",
            html.table(
                ("What", "Which", "Permission in Setup", "What to do", "How sure", "Evidence"),
                [
                    (g.head, ", ".join(g.names), g.permission or "none", g.remedy, g.certainty,
                     g.evidence)
                    for g in found
                ],
            ),
        ]  # fmt: skip
    parts += [
        "<h2>What to do</h2>",
        html.items(next_steps(told), ordered=True),
        "<h2>Permissions</h2>",
        html.table(
            ("Name in Setup", "API name", "Shows", "State"),
            [(one.label, one.api_name, one.shows, one.state) for one in told.sight.permissions],
        ),
        "<h2>Figures</h2>",
        html.table(("", "Estimate"), figures(told)),
    ]
    if row is not None:
        parts += [
            "<h2>Files against the daily calls</h2>",
            html.table(
                ("Calls a day", f"At {row.share:.0%}", "Files a second", "Your files",
                 "Your files take", "1 million files take"),
                [(row.calls_a_day, row.calls_for_us, f"{row.files_a_second:.2g}",
                  row.own_files if row.own_files is not None else "unknown",
                  own,
                  quota.spelled(row.days_for_a_million))],
            ),
        ]  # fmt: skip
    parts += [
        "<h2>Data that lives elsewhere</h2>",
        '<p class="small">Signs only: no sign does not mean no data.</p>',
        html.table(
            ("Place", "Sign", "Evidence", "Holds", "What to do"),
            [(s.place, s.state, "; ".join(s.evidence), s.holds, s.action) for s in told.signs],
        ),
        "<h2>Objects</h2>",
        html.table(
            ("Object", "Label", "Outcome", "By", "Rows", "Rows are", "Bytes a row", "CSV bytes"),
            [
                (o.name, o.label, _WORDS.get(o.outcome, o.outcome), o.route,
                 *((o.rows, o.rows_are, o.row_bytes, o.csv_bytes) if o.rows is not None
                   else ("", o.rows_are, o.row_bytes or "", o.csv_bytes or "")))
                for o in sorted(cost.objects, key=lambda o: (-o.csv_bytes, o.outcome, o.name))
            ],
        ),
    ]  # fmt: skip
    return html.page(f"Assessment of {name}", "\n".join(parts))


def _spot(group: Group, width: int) -> Iterator[str]:
    sure = {"certain": "hidden", "likely": "probably hidden"}.get(group.certainty, "unknown")
    yield from _wrapped(f"{printable(group.permission, 120) or 'No permission'}: {sure}", width, 3)
    yield from _wrapped(f"   what  {printable(group.head, 400)}", width, 9)
    if len(group.names) > 1:
        names = ", ".join(printable(one, 90) for one in group.names[:_NAMED])
        more = f" and {len(group.names) - _NAMED:,} more" if len(group.names) > _NAMED else ""
        yield from _wrapped(f"   which {names}{more}", width, 9)
    yield from _wrapped(f"   do    {printable(group.remedy, 400)}", width, 9)


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=" " * indent, break_long_words=False)
