"""Carrying out single steps: freezing, ending sessions, taking assignments away, deactivating.

Steps of one kind and object travel together, up to 200 in a request. What the org already has as
planned is not asked for again: that makes a second run after a kill harmless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sfexit.errors import DamagedAnswer, OrgRefused, OutcomeUnknown, SfexitError
from sfexit.offboarding import dashboards
from sfexit.offboarding.files import CONTENT, current, deployed
from sfexit.offboarding.journal import Journal
from sfexit.offboarding.looking import by_ids, chunks, text
from sfexit.offboarding.ownership import LOCKED
from sfexit.offboarding.plan import Step
from sfexit.redaction import Secret
from sfexit.salesforce import writing
from sfexit.salesforce.client import Client
from sfexit.salesforce.writing import Outcome

DONE, OPEN, ODD = "done", "open", "odd"
_LOOKS = 3  # how often an unknown outcome is looked after before it counts as failed
_LOCK_TRIES, _LOCK_WAIT = 3, 2.0  # seconds
#: Whom a joining row is about, by which many are found at once.
_JOINED_BY = ("AssigneeId", "UserId", "UserOrGroupId", "MemberId")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT")
#: Deactivations have long consequences each: few in one request.
_FEW = {"User": 25, "Dashboard": dashboards.MOST}


@dataclass(frozen=True)
class Request:
    """What would be sent, for --dry-run. A token is never shown."""

    method: str
    path: str
    body: Any


def state(client: Client, steps: Sequence[Step]) -> dict[str, str]:
    """Of each step (by id): `done` (the org has it so), `open` (as before), `odd` (neither)."""
    out: dict[str, str] = {}
    for (kind, name), group in _grouped(steps):
        out |= _STATES[kind](client, name, group)
    return out


def carry_out(
    client: Client,
    journal: Journal,
    steps: Sequence[Step],
    *,
    check: Callable[[], None],
) -> None:
    """Do the steps in order. `check` is asked before each request; it may raise to stop.

    Every outcome stands in the journal; a refusal of a row is recorded and the rest goes on.
    """
    for (kind, name), group in _grouped(steps):
        for part in chunks(group, _most(kind, name)):
            check()
            _part(client, journal, kind, name, part)
            for _ in range(_LOCK_TRIES):
                locked = [one for one in part if _locked(journal, one)]
                if not locked:
                    break
                client.pause(_LOCK_WAIT)
                _part(client, journal, kind, name, locked)


def requests(client: Client, steps: Sequence[Step]) -> list[Request]:
    """The requests that these steps come to. Only reads. Raises OrgRefused."""
    out = []
    for (kind, name), group in _grouped(steps):
        for part in chunks(group, _most(kind, name)):
            if kind == "deploy":
                out += [
                    Request("POST", "/metadata/deployRequest", {one.record_id: one.after[CONTENT]})
                    for one in part
                ]
            elif kind == "run_as":
                made = dashboards.files(client, part, now=False).values()
                files = {one.path: one.after.decode() for one in made if one.refused is None}
                out += [Request("POST", "/metadata/deployRequest", files)] if files else []
            elif kind == "revoke":
                out += [Request("POST", "/services/oauth2/revoke", "token=(hidden)") for _ in part]
            elif kind == "delete":
                listed = ",".join(one.record_id for one in part)
                out.append(
                    Request("DELETE", f"/composite/sobjects?ids={listed}&allOrNone=false", None)
                )
            else:
                records = [
                    {"attributes": {"type": name}}
                    | ({"id": one.record_id} if kind == "update" else {})
                    | _values(one.after)
                    for one in part
                ]
                method = "PATCH" if kind == "update" else "POST"
                out.append(
                    Request(method, "/composite/sobjects", {"allOrNone": False, "records": records})
                )
    return out


def _most(kind: str, name: str) -> int:
    """Steps of one request. Files go one by one, so that one that is refused stops no other."""
    return 1 if kind == "deploy" else _FEW.get(name, writing.MOST)


def _grouped(steps: Sequence[Step]) -> list[tuple[tuple[str, str], list[Step]]]:
    """Runs of steps of one kind and object, in the order of the plan."""
    return [(key, list(run)) for key, run in groupby(steps, lambda one: (one.kind, one.object))]


def _values(values: dict[str, str | None]) -> dict[str, Any]:
    """Texts as JSON values: booleans are booleans on the wire."""
    known = {"true": True, "false": False}
    return {name: known.get(value or "", value) for name, value in values.items()}


def _part(client: Client, journal: Journal, kind: str, name: str, part: list[Step]) -> None:
    states = state(client, part)
    known, todo = [], []
    for step in part:
        if states[step.id] == DONE:
            known.append(_told(step, Outcome(step.record_id, True), found=True))
        elif states[step.id] == ODD:
            odd = Outcome(
                step.record_id, False, "CHANGED", "the org has another value than planned"
            )
            known.append(_told(step, odd))
        else:
            todo.append(step)
    if known:
        journal.record_all(known)
    if not todo:
        return
    journal.record_all(("intent", _intended(step)) for step in todo)
    try:
        outcomes = _send(client, kind, name, todo)
    except (OutcomeUnknown, DamagedAnswer) as doubt:
        outcomes = _looked_after(client, todo, doubt)
    except OrgRefused as refusal:
        outcomes = [Outcome(one.record_id, False, refusal.code, refusal.reason) for one in todo]
    journal.record_all(_told(*pair) for pair in zip(todo, outcomes, strict=True))


def _intended(step: Step) -> dict[str, Any]:
    return {
        "step": step.id,
        "kind": step.kind,
        "user": step.user_id,
        "object": step.object,
        "record": step.record_id,
        "before": step.before,
        "after": step.after,
    }


def _locked(journal: Journal, step: Step) -> bool:
    told = journal.progress.steps.get(step.id)
    return bool(told and not told["ok"] and told["code"] in LOCKED)


def _told(step: Step, outcome: Outcome, *, found: bool = False) -> tuple[str, dict[str, Any]]:
    """The outcome as an event of the journal."""
    return "outcome", {
        "step": step.id,
        "ok": outcome.ok,
        "code": outcome.code,
        "message": outcome.message,
        "record": outcome.id,
        "found": found,
    }


def _send(client: Client, kind: str, name: str, steps: list[Step]) -> list[Outcome]:
    if kind == "update":
        return writing.update(
            client, name, [{"Id": one.record_id, **_values(one.after)} for one in steps]
        )
    if kind == "create":
        return writing.create(client, name, [_values(one.after) for one in steps])
    if kind == "delete":
        return writing.delete(client, [one.record_id for one in steps])
    if kind == "deploy":
        return [deployed(client, one) for one in steps]
    if kind == "run_as":
        return dashboards.run_as(client, steps)
    return [_revoke(client, one) for one in steps]


def _revoke(client: Client, step: Step) -> Outcome:
    """The token that ends the grant is read at the moment of use and kept nowhere."""
    found = list(by_ids(client, "OauthToken", ["DeleteToken"], [step.record_id]))
    if not found:
        return Outcome(step.record_id, True)
    token = found[0].get("DeleteToken")
    if not isinstance(token, str) or not token:
        return Outcome(step.record_id, False, "NO_TOKEN", "the org does not show how to revoke it")
    try:
        writing.revoke(client, Secret(token))
    except OrgRefused as refusal:
        return Outcome(step.record_id, False, refusal.code, refusal.reason)
    return Outcome(step.record_id, True)


def _looked_after(client: Client, steps: list[Step], doubt: SfexitError) -> list[Outcome]:
    """What a request without a usable answer did, read from the org itself."""
    for _ in range(_LOOKS):
        try:
            states = state(client, steps)
            break
        except DamagedAnswer:
            continue
    else:
        raise doubt
    return [
        Outcome(one.record_id, True)
        if states[one.id] == DONE
        else Outcome(one.record_id, False, "NOT_DONE", "the org gave no answer and did nothing")
        for one in steps
    ]


# ---- what the org has now ---------------------------------------------------------------------


def _updates(client: Client, name: str, steps: list[Step]) -> dict[str, str]:
    fields = sorted({field for one in steps for field in one.after})
    live = {row["Id"]: row for row in by_ids(client, name, fields, (s.record_id for s in steps))}
    out = {}
    for one in steps:
        row = live.get(one.record_id)
        if row is None:
            out[one.id] = ODD
        elif all(text(row.get(k)) == v for k, v in one.after.items()):
            out[one.id] = DONE
        elif all(text(row.get(k)) == v for k, v in one.before.items()):
            out[one.id] = OPEN
        else:
            out[one.id] = ODD
    return out


def _deletes(client: Client, name: str, steps: list[Step]) -> dict[str, str]:
    there = {row["Id"] for row in by_ids(client, name, (), (s.record_id for s in steps))}
    return {one.id: OPEN if one.record_id in there else DONE for one in steps}


def _creates(client: Client, name: str, steps: list[Step]) -> dict[str, str]:
    """A row with the same values is taken for the one that was to be made. Values are compared
    here, not in the query: that needs no literals, and one query tells of many rows."""
    by = next(key for key in (*_JOINED_BY, *sorted(steps[0].after)) if key in steps[0].after)
    fields = sorted({field for one in steps for field in one.after})
    wanted = sorted({str(one.after[by]) for one in steps if one.after.get(by)})
    live = list(by_ids(client, name, fields, wanted, key=by)) if wanted else []
    held = [{field: _plain(row.get(field)) for field in fields} for row in live]
    return {
        one.id: DONE
        if any(
            all(row[k] == _plain(v) for k, v in one.after.items() if v is not None) for row in held
        )
        else OPEN
        for one in steps
    }


def _plain(value: Any) -> str | None:
    """A value to compare by: moments have many spellings (…Z, …+0000, …+00:00)."""
    told = text(value)
    if told is None or not _MOMENT.match(told):
        return told
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        return told
    return moment.astimezone(UTC).isoformat() if moment.tzinfo else told


def _deploys(client: Client, _name: str, steps: list[Step]) -> dict[str, str]:
    live = current(client, steps)
    known = {one.id: (one.before[CONTENT], one.after[CONTENT]) for one in steps}
    return {
        one.id: DONE
        if live.get(one.record_id) == known[one.id][1]
        else OPEN
        if live.get(one.record_id) == known[one.id][0]
        else ODD
        for one in steps
    }


_STATES: dict[str, Callable[[Client, str, list[Step]], dict[str, str]]] = {
    "update": _updates,
    "delete": _deletes,
    "revoke": _deletes,
    "create": _creates,
    "deploy": _deploys,
    "run_as": _updates,
}
