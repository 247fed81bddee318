"""Taking an offboarding back: a plan of the reverse, made from the journal of what was done.

Only what still has the value that was given is changed (compare and swap). People become active
first, since licences and permission sets cannot be given to who is inactive; they are unfrozen
last, when they have everything back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sfexit.errors import Blocked
from sfexit.offboarding import journal as journals
from sfexit.offboarding.journal import Event, Place
from sfexit.offboarding.plan import VALID_HOURS, Person, Plan, Step, Transfer, stamp

#: Rows of these are gone for good, or nobody else can make them.
_FOR_GOOD = {
    "AuthSession": "ended sessions: people sign in again",
    "OauthToken": "revoked tokens: integrations must be authorised anew",
}
#: What must be there before others can be given.
_FIRST = ("PermissionSetLicenseAssign", "UserPackageLicense")
ALWAYS = (
    "history rows, mails that were sent, and flows that ran when owners changed",
    "default teams, delegated administration and territories that a deactivation took away, where "
    "no step of the plan did",
)


@dataclass(frozen=True)
class Back:
    """The reversing plan, and what it cannot bring back."""

    plan: Plan
    not_undone: tuple[str, ...]


@dataclass
class _Read:
    begun: Event = field(default_factory=dict)
    intents: dict[str, Event] = field(default_factory=dict)
    done: dict[str, Event] = field(default_factory=dict)
    columns: dict[str, tuple[str, str]] = field(default_factory=dict)  # transfer → object, field
    moved: dict[str, int] = field(default_factory=dict)
    open: dict[tuple[str, int], int] = field(default_factory=dict)  # rows without an outcome


def plan_back(path: Path, done: Plan, now: datetime, runner: tuple[str, str]) -> Back:
    """The plan that takes back what the journal at `path` says of the plan `done`.

    `runner`: user id and name of who will carry it out. Raises Blocked when the two do not belong
    together, ArchiveProblem when the journal was changed.
    """
    read = _read(journals.read(path))
    if read.begun.get("plan") != done.digest:
        raise Blocked(f"{path} is not the journal of this plan: name the plan that it was made by")
    steps, lost = _steps(read, done, now)
    transfers, names = _transfers(read, done)
    return Back(
        Plan(
            organization_id=done.organization_id,
            organization=done.organization,
            instance=done.instance,
            api_version=done.api_version,
            runner_id=runner[0],
            runner=runner[1],
            created=stamp(now),
            expires=stamp(now + timedelta(hours=VALID_HOURS)),
            purpose="undo",
            certificate=done.certificate,
            rules={"journal": str(path), "journal_sha256": _digest(path), "transfers": names},
            people=tuple(_person(one) for one in done.people),
            steps=tuple(steps),
            transfers=tuple(transfers),
        ),
        (*sorted(lost), *ALWAYS),
    )


def fits(plan: Plan, path: Path, now: datetime) -> bool:
    """Whether an undo that was planned before can still be carried out: not too old, and nothing
    was added to the journal since."""
    known = path.exists() and plan.rules.get("journal_sha256") == _digest(path)
    return known and not plan.expired(now)


class Given:
    """What an undo gives back: rows by the batches in which they were given. One pass over the
    journal remembers where the batches stand, so that only one of them is held at a time.

    Raises Blocked when the journal changed since the undo was planned.
    """

    def __init__(self, plan: Plan) -> None:
        self._path = Path(plan.rules["journal"])
        if _digest(self._path) != plan.rules["journal_sha256"]:
            raise Blocked(f"{self._path} changed since the undo was planned: plan it again")
        self._names: dict[str, str] = plan.rules["transfers"]
        self._batches: dict[str, list[Place]] = {}
        self._refused: dict[str, set[str]] = {}
        for event, place in journals.read_places(self._path):
            if "transfer" not in event:
                continue
            if event["event"] == "intent":
                self._batches.setdefault(event["transfer"], []).append(place)
            elif event["event"] == "outcome":
                refused = self._refused.setdefault(event["transfer"], set())
                refused.update(row[0] for row in event["failed"])
                refused.difference_update(event.get("went", ()))

    def batches(self, one: Transfer) -> Iterator[dict[str, tuple[str, str]]]:
        """Id → who was given it and who had it. A row that was tried twice comes twice: once it
        is back it no longer has the value that was given, and is left alone."""
        name = self._names[one.id]
        refused = self._refused.get(name, set())
        for intent in journals.read_at(self._path, self._batches.get(name, ())):
            yield {
                row: (after, before)
                for before, after, ids in intent["moves"]
                for row in ids
                if row not in refused
            }


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _read(events: Iterable[Event]) -> _Read:
    read = _Read()
    for event in events:
        kind = event["event"]
        if kind == "begun":
            read.begun = event
        elif kind == "intent" and "step" in event:
            read.intents[event["step"]] = event
        elif kind == "intent":
            name = event["transfer"]
            read.columns.setdefault(name, (event["object"], event["field"]))
            read.open[name, event["batch"]] = sum(len(ids) for _, _, ids in event["moves"])
        elif kind == "outcome" and "step" in event:
            if event["ok"] and event["step"] in read.intents:
                read.done[event["step"]] = event
        elif kind == "outcome":
            name = event["transfer"]
            read.open.pop((name, event["batch"]), None)
            read.moved[name] = read.moved.get(name, 0) + event["done"]
    return read


def _steps(read: _Read, done: Plan, now: datetime) -> tuple[list[Step], set[str]]:
    out: list[Step] = []
    lost: set[str] = set()
    for step in reversed(done.steps):
        told = read.done.get(step.id)
        if told is None:
            continue
        if step.object in _FOR_GOOD or step.kind == "revoke":
            lost.add(_FOR_GOOD.get(step.object, step.text))
            continue
        ends = step.before.get("ExpirationDate")
        if ends is not None and datetime.fromisoformat(ends) <= now:
            lost.add(f"{step.text} (it would have ended on {ends[:10]} anyway)")
            continue
        out.append(_reversed(step, str(told.get("record") or step.record_id)))
    out.sort(key=_place)
    return out, lost


def _reversed(step: Step, record_id: str) -> Step:
    text = f"Take back: {step.text}"
    same = (f"undo-{step.id}", _phase(step))
    if step.kind in ("update", "deploy", "run_as"):
        return Step(
            *same, step.kind, step.user_id, step.object, record_id, step.after, step.before, text
        )
    if step.kind == "delete":
        return Step(*same, "create", step.user_id, step.object, "", {}, step.before, text)
    return Step(*same, "delete", step.user_id, step.object, record_id, step.after, {}, text)


def _phase(step: Step) -> str:
    if step.object == "User" and "IsActive" in step.after:
        return "contain"
    if step.object == "UserLogin":
        return "deactivate"
    return {"contain": "strip", "deactivate": "strip"}.get(step.phase, step.phase)


def _place(step: Step) -> tuple[int, str]:
    """Licences before what needs them; steps of one object together."""
    return (0 if step.object in _FIRST else 1, step.object)


def _transfers(read: _Read, done: Plan) -> tuple[list[Transfer], dict[str, str]]:
    """One for each object and field, parents before children; and the names they had."""
    orders = {(one.object, one.field): one.order for one in done.transfers}
    out, names = [], {}
    for (name, _), rows in read.open.items():  # nobody knows: they are looked at one by one
        read.moved[name] = read.moved.get(name, 0) + rows
    for number, (name, (about, column)) in enumerate(sorted(read.columns.items())):
        rows = read.moved.get(name, 0)
        if rows <= 0:
            continue
        order = -orders.get((about, column), 0)
        one = Transfer(f"undo-{number}", "", about, column, "", "", rows, 0, 0, rows, order)
        out.append(one)
        names[one.id] = name
    return out, names


def _person(one: Person) -> Person:
    return Person(
        one.user_id,
        one.username,
        one.name,
        one.kind,
        "full",
        1,
        one.successor,
        {},
        one.last_logins,
    )
