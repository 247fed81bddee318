"""A plan of an offboarding: as a document for programs, as lines, a page and a table for people."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from sfexit.offboarding.checking import Caps
from sfexit.offboarding.plan import PHASES, Blocker, Hazard, Plan
from sfexit.redaction import printable
from sfexit.reports import html
from sfexit.reports.findings import cell

SCHEMA = "sfexit-offboarding-planned/1"
COLUMNS = (
    "user", "username", "object", "field", "scope", "open", "closed", "archived", "deleted",
    "handed_to",
)  # fmt: skip
_WIDTH = 100
_SHOWN = 20  # lines of a kind on a screen; the page and the plan have all
_PHASES = {
    "contain": "freeze, end sessions, revoke tokens",
    "strip": "take permission sets, licences, groups, queues, territories",
    "blockers": "lift blockers that were approved",
    "ownership": "hand records over",
    "work": "hand over approvals, and dashboards that were approved",
    "deactivate": "deactivate",
}
_KINDS = {
    "person": ("person", "people"),
    "administrator": ("administrator", "administrators"),
    "integration": ("integration user", "integration users"),
    "portal": ("portal user", "portal users"),
}


def pending(plan: Plan) -> bool:
    """Whether there is something to carry out."""
    return bool(plan.steps or plan.transfers)


def document(plan: Plan, path: Path | None) -> dict[str, Any]:
    """For programs: the plan as in its file, where it lies, and its hash."""
    return {
        "schema": SCHEMA,
        "file": str(path) if path is not None else None,
        "digest": plan.digest,
        "changes_pending": pending(plan),
        "unaccepted": list(plan.unaccepted),
        "plan": json.loads(plan.to_bytes()),
    }


def headline(plan: Plan) -> str:
    """One sentence."""
    if not plan.people:
        return f"Nobody can be offboarded: {len(plan.refusals):,} refused."
    records = sum(one.count + one.archived for one in plan.transfers)
    refused = f", {len(plan.refusals):,} refused" if plan.refusals else ""
    people = "One user leaves" if len(plan.people) == 1 else f"{len(plan.people):,} users leave"
    return (
        f"{people} {printable(plan.organization, 80)}{refused}: "
        f"{len(plan.steps):,} steps, {records:,} records change hands."
    )


def summary(plan: Plan, path: Path | None, missing_proof: str = "") -> Iterator[str]:
    """For the terminal."""
    yield from _harmless(_summary(plan, path, missing_proof))


def handing_over(plan: Plan) -> Iterator[str]:
    """For the terminal: what changes hands, and what goes wrong beside it."""
    yield from _harmless(_records(plan))
    yield from _harmless(_hazards(plan))
    yield ""


def _harmless(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        text = line.lstrip(" ")  # what is harmless is also without blanks at its ends
        yield " " * (len(line) - len(text)) + printable(text, 1_000)


def _records(plan: Plan) -> Iterator[str]:
    yield "Records that change hands (children before parents)"
    yield from _capped(
        [f"  {n:>10,}  {name}" for name, n in _moved(plan).items()], "objects and fields"
    )


def _summary(plan: Plan, path: Path | None, missing_proof: str) -> Iterator[str]:
    yield headline(plan)
    names = _names(plan)
    if plan.people:
        yield ""
        kinds = Counter(one.kind for one in plan.people)
        told = ", ".join(f"{n:,} {_KINDS[kind][n > 1]}" for kind, n in sorted(kinds.items()))
        yield f"Who: {told}. Administrators left: {plan.administrators_left:,}."
        yield from _capped(
            [
                f"  wave {one.wave}  {printable(one.username, 60)}  {one.kind}, {_mode(one.mode)}"
                + (f", records to {names.get(one.successor, one.successor)}"
                   if one.successor else "")
                for one in plan.people
            ],
            "users",
        )  # fmt: skip
        yield ""
        yield "What is done, in this order"
        yield from _phases(plan)
    if plan.transfers:
        yield ""
        yield from _records(plan)
    boards = [one for one in plan.steps if one.kind == "run_as"]
    if boards:
        yield ""
        yield "Dashboards that run as another user: whoever opens one sees what that user may see"
        yield from _capped([f"  {one.text}" for one in boards], "dashboards")
    yield from _blockers(plan, names)
    yield from _hazards(plan)
    if plan.refusals:
        yield ""
        yield "Refused: these are not in the plan"
        yield from _capped(
            [f"  {printable(one.user, 60)}: {one.text}" for one in plan.refusals], "refusals"
        )
    if plan.unknown:
        yield ""
        yield "Could not be looked at, so nothing is claimed about it"
        yield from _capped([f"  {one}" for one in plan.unknown], "of these")
    yield ""
    yield from _next(plan, path, missing_proof)


def _phases(plan: Plan) -> Iterator[str]:
    for number, phase in enumerate(PHASES, 1):
        n = len(plan.transfers) if phase == "ownership" else len(plan.phase(phase))
        what = "transfers" if phase == "ownership" else "steps"
        yield f"  {number}. {_PHASES[phase]}: {n:,} {what}"


def _moved(plan: Plan) -> dict[str, int]:
    """Rows by object and field, in the order in which they change hands."""
    found: dict[str, int] = {}
    for one in plan.transfers:
        name = one.object if one.field == "OwnerId" else f"{one.object}.{one.field}"
        found[name] = found.get(name, 0) + one.count + one.archived
    return found


def _blockers(plan: Plan, names: Mapping[str, str]) -> Iterator[str]:
    seen = [one for one in plan.blockers if one.seen]
    if seen:
        lifted = sum(bool(one.step) for one in seen)
        yield ""
        yield (
            f"{len(seen):,} blockers: Salesforce refuses to deactivate until they are lifted "
            f"({lifted:,} by a step of this plan)"
        )
        yield from _capped([_blocker(one, names) for one in seen], "blockers")
    unseen = [one for one in plan.blockers if not one.seen]
    if unseen:
        yield ""
        yield "Look by hand, once: no API shows whether a leaver is named there"
        yield from (f"  {one.label}: {one.setup_path}" for one in unseen)


def _blocker(one: Blocker, names: Mapping[str, str]) -> str:
    done = "this plan lifts it" if one.step else f"{one.fix} ({one.setup_path})"
    return f"  {names.get(one.user_id, one.user_id)}: {printable(one.label, 120)}: {done}"


def _hazards(plan: Plan) -> Iterator[str]:
    if not plan.hazards:
        return
    yield ""
    yield "Hazards, each accepted by its own flag"
    by_flag: dict[str, list[Hazard]] = {}
    for one in plan.hazards:
        by_flag.setdefault(one.flag, []).append(one)
    for flag, listed in sorted(by_flag.items(), key=lambda pair: (pair[0] == "", pair[0])):
        state = "accepted" if flag in plan.accepted else "NOT ACCEPTED"
        yield f"  {flag}: {state}" if flag else "  to know:"
        more = f" (and {len(listed) - 3:,} more: --html and the plan have all)"
        for one in listed[:3]:
            yield from _wrapped(printable(one.text, 400), "    ", "    ")
        if len(listed) > 3:
            yield f"   {more}"


def _next(plan: Plan, path: Path | None, missing_proof: str) -> Iterator[str]:
    if path is None:
        yield "No plan was written: nobody is left to offboard. Nothing was changed."
        return
    yield f"Plan written to {path}"
    yield f"Its hash is {plan.digest}; it holds until {plan.expires}. Nothing was changed."
    if plan.unaccepted:
        yield from _wrapped(
            "Before it can be carried out, plan again with the flags of the hazards that you "
            f"accept: {' '.join(plan.unaccepted)}"
        )
    else:
        yield f"To carry it out: sfexit offboard-users apply {path}{_caps(plan)}"
    if not plan.certificate:
        yield from _wrapped(
            "Carrying it out will ask for a backup that was proven SAFE and is newer than the last "
            f"change{f': {missing_proof}' if missing_proof else ''}"
        )


def _caps(plan: Plan) -> str:
    """The options without which a plan of this size is refused."""
    usual, rows = Caps(), sum(one.count for one in plan.transfers)
    users = f" --max-users {len(plan.people)}" if len(plan.people) > usual.users else ""
    return users + (f" --max-records {rows}" if rows > usual.records else "")


def _wrapped(text: str, first: str = "", later: str = "") -> list[str]:
    return wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=later,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _capped(lines: Sequence[str], what: str) -> Iterator[str]:
    for line in lines[:_SHOWN]:
        yield from _wrapped(line, "", "    ")
    if len(lines) > _SHOWN:
        yield f"  and {len(lines) - _SHOWN:,} more {what}: --html and the plan have all"


def _names(plan: Plan) -> dict[str, str]:
    """What ids are called: leavers, heirs, queues."""
    told = plan.rules.get("names")
    known = {str(k): printable(str(v), 80) for k, v in told.items()} if told else {}
    return known | {one.user_id: printable(one.username, 80) for one in plan.people}


def _mode(mode: str) -> str:
    return "freeze only" if mode == "freeze_only" else mode


def matrix(plan: Plan) -> bytes:
    """Who owns what, for a spreadsheet: a row for each user, object and field."""
    names = _names(plan)
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in plan.owned:
        told = [row["user"], names.get(row["user"], ""), row["object"], row["field"], row["scope"]]
        counts = [row[state] for state in ("open", "closed", "archived", "deleted")]
        writer.writerow([cell(str(one)) for one in (*told, *counts, row["to"])])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def page(plan: Plan, path: Path | None) -> str:
    """All of it as one HTML file."""
    names = _names(plan)
    bad = bool(plan.refusals or plan.unaccepted or [b for b in plan.blockers if not b.step])
    body = [
        f"<h1>Offboarding: {html.text(plan.organization)}</h1>",
        f'<p class="small">Org {html.text(plan.organization_id)}, planned {plan.created} by '
        f"{html.text(plan.runner)}, holds until {plan.expires}. SHA-256 of the plan "
        f"{plan.digest}{f', file {html.text(path)}' if path else ''}.</p>",
        f'<p class="{"alarm" if bad else "calm"}">{html.prose(headline(plan))}</p>',
    ]

    def part(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        if rows:
            body.append(f"<h2>{html.text(title)}</h2>{html.table(heads, rows)}")

    part(
        "Who leaves",
        ("Wave", "User", "Name", "Kind", "Mode", "Records go to", "Last logins"),
        [
            (one.wave, one.username, one.name, one.kind, _mode(one.mode),
             names.get(one.successor, one.successor),
             ", ".join(f"{kind} {moment[:10]}" for kind, moment in one.last_logins.items()))
            for one in plan.people
        ],
    )  # fmt: skip
    part("What they hold", ("User", "Holds"), sorted(_held(plan).items()))
    part(
        "Refused: these are not in the plan",
        ("User", "Why"),
        [(r.user, r.text) for r in plan.refusals],
    )
    part(
        "Blockers of the deactivation",
        ("User", "What", "Where", "Do", "Seen in"),
        [
            (names.get(one.user_id, one.user_id), one.label, one.setup_path,
             "this plan lifts it" if one.step else one.fix, one.evidence)
            for one in plan.blockers
        ],
    )  # fmt: skip
    part(
        "Hazards",
        ("Flag", "State", "What", "Count"),
        [(one.flag or "(to know)", _state(plan, one), one.text, one.count) for one in plan.hazards],
    )
    part(
        "Records that change hands, in this order",
        ("Object", "Field", "Rows", "Archived", "From", "To"),
        [
            (one.object, one.field, one.count, one.archived,
             names.get(one.user_id, one.user_id), names.get(one.to, one.to))
            for one in plan.transfers
        ],
    )  # fmt: skip
    part("Steps", ("Id", "Phase", "What"), [(one.id, one.phase, one.text) for one in plan.steps])
    part("Could not be looked at", ("What",), [(one,) for one in plan.unknown])
    part("Rules", ("Rule", "Value"), _rules(plan))
    return html.page(f"Offboarding {plan.organization}", "\n".join(body))


def _rules(plan: Plan) -> list[tuple[str, str]]:
    """By what the plan was made, in words."""
    return [(key.replace("_", " "), _words(value)) for key, value in sorted(plan.rules.items())]


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        value = [f"{key}: {_words(one)}" for key, one in value.items()]
    if isinstance(value, list | tuple):
        value = "; ".join(map(_words, value))
    return "none" if value in (None, "") else str(value)


def _held(plan: Plan) -> dict[str, str]:
    """What each leaver holds, in one line."""
    names = _names(plan)
    held: dict[str, list[str]] = {}
    for row in plan.owned:
        if row["scope"] == "held":
            n = "" if row["open"] == 1 else f" ({row['open']:,})"
            held.setdefault(names.get(row["user"], row["user"]), []).append(row["object"] + n)
    return {user: ", ".join(listed) for user, listed in held.items()}


def _state(plan: Plan, one: Hazard) -> str:
    return "accepted" if not one.flag or one.flag in plan.accepted else "NOT ACCEPTED"
