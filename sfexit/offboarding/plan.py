"""The plan: everything that will be done, and everything that speaks against it, in one document.

It is canonical JSON (keys sorted, no blanks), bound by its SHA-256: what was reviewed is what is
carried out. It holds ids, names and counts; never a token and no value of a business record.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sfexit.errors import Blocked, UsageProblem

SCHEMA = "sfexit-offboarding-plan/1"
VALID_HOURS = 24
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_LIMIT = 256 << 20

#: The order of an offboarding; steps of one phase are done before the next begins.
PHASES = (
    "contain",  # freeze, end sessions, revoke tokens
    "strip",  # permission sets, groups, licences, queues, territories, delegations
    "blockers",  # what stands in the way of deactivation and was approved one by one
    "ownership",  # transfers: children before parents
    "work",  # approvals, jobs, dashboards
    "deactivate",
)
#: What a step does. `create` and `delete` are of rows that join a user to something.
KINDS = ("update", "create", "delete", "revoke", "deploy", "run_as")


@dataclass(frozen=True)
class Person:
    """A leaver. `kind`: person, administrator, integration, portal. `mode`: full or freeze_only.

    `state` are the values of User as planned: apply refuses when one of them differs.
    """

    user_id: str
    username: str
    name: str
    kind: str
    mode: str
    wave: int
    successor: str
    state: dict[str, str | None]
    last_logins: dict[str, str]


@dataclass(frozen=True)
class Step:
    """One change of one row. `before` and `after` are the values of `fields` that it touches.

    A `delete` holds all that is needed to make the row again in `before`; a `create` has its
    values in `after` and no record id; a `revoke` names a row of OauthToken; a `deploy` has a type
    of metadata as its object, a file's path as its record and the whole file as its `content`; a
    `run_as` gives a dashboard another running user, by its file.
    """

    id: str
    phase: str
    kind: str
    user_id: str
    object: str
    record_id: str
    before: dict[str, str | None]
    after: dict[str, str | None]
    text: str


@dataclass(frozen=True)
class Transfer:
    """Rows whose `field` names the leaver go to `to`. Enumerated when carried out, within `most`.

    `where` narrows it (SOQL, made by us); counts are of the moment of the plan.
    """

    id: str
    user_id: str
    object: str
    field: str
    to: str
    where: str
    count: int
    archived: int
    deleted: int
    most: int
    order: int  # children before parents: lower first


@dataclass(frozen=True)
class Blocker:
    """Why Salesforce would refuse the deactivation. `step` is the id of the step that lifts it,
    empty when a person must do it at `setup_path`. `seen` is false for what no API shows."""

    code: str
    user_id: str
    object: str
    label: str
    setup_path: str
    fix: str
    step: str
    seen: bool
    evidence: str


@dataclass(frozen=True)
class Hazard:
    """What goes wrong beside the change itself. `flag` is the option that accepts it."""

    code: str
    user_id: str
    object: str
    count: int
    text: str
    flag: str


@dataclass(frozen=True)
class Refusal:
    """Why a user is not offboarded, whatever is asked for."""

    code: str
    user: str
    text: str


@dataclass(frozen=True)
class Plan:
    """All of it. Times are UTC. `certificate` is the root digest of the archive that was proven
    SAFE, empty without one. `accepted` are the flags given when planning."""

    organization_id: str
    organization: str
    instance: str
    api_version: str
    runner_id: str
    runner: str
    created: str
    expires: str
    purpose: str  # offboard, reassign, undo
    certificate: str
    rules: dict[str, Any]
    accepted: tuple[str, ...] = ()
    people: tuple[Person, ...] = ()
    steps: tuple[Step, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    hazards: tuple[Hazard, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unknown: tuple[str, ...] = ()
    administrators_left: int = 0
    owned: tuple[dict[str, Any], ...] = ()  # the matrix: user, object, field, open/closed/archived

    def to_bytes(self) -> bytes:
        """The canonical text."""
        told = {"schema": SCHEMA, **asdict(self)}
        text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return text.encode() + b"\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text, lower-case hex."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def phase(self, name: str) -> tuple[Step, ...]:
        """The steps of a phase, in order."""
        return tuple(one for one in self.steps if one.phase == name)

    def expired(self, now: datetime) -> bool:
        """Too old to be carried out."""
        ends = datetime.strptime(self.expires, _TIME).replace(tzinfo=UTC)
        return now.astimezone(UTC) >= ends

    @property
    def unaccepted(self) -> tuple[str, ...]:
        """Flags of hazards that nobody accepted yet."""
        wanted = {one.flag for one in self.hazards if one.flag}
        return tuple(sorted(wanted - set(self.accepted)))


def stamp(moment: datetime) -> str:
    """A moment as plans and journals write it."""
    return moment.astimezone(UTC).strftime(_TIME)


T = TypeVar("T")


def _made(kind: type[T], told: Any) -> T:
    names = {one.name for one in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(told, dict) or set(told) != names:
        raise ValueError(f"no {kind.__name__}")
    return kind(**told)


def _all(kind: type[T], told: Any) -> tuple[T, ...]:
    return tuple(_made(kind, one) for one in told)


def read(data: bytes) -> Plan:
    """The plan in a file's bytes. Raises Blocked when it is none, or was edited."""
    try:
        told: dict[str, Any] = json.loads(data)
        if told.pop("schema") != SCHEMA:
            raise Blocked("the plan was made by another version of sfexit: make a new one")
        plan = _made(Plan, told)
        plan = replace(
            plan,
            accepted=tuple(map(str, told["accepted"])),
            people=_all(Person, told["people"]),
            steps=_all(Step, told["steps"]),
            transfers=_all(Transfer, told["transfers"]),
            blockers=_all(Blocker, told["blockers"]),
            hazards=_all(Hazard, told["hazards"]),
            refusals=_all(Refusal, told["refusals"]),
            unknown=tuple(map(str, told["unknown"])),
            owned=tuple(dict(one) for one in told["owned"]),
        )
        datetime.strptime(plan.expires, _TIME)
        for step in plan.steps:
            if step.phase not in PHASES or step.kind not in KINDS:
                raise ValueError(step.id)
        if plan.to_bytes() != data:
            raise ValueError("not canonical")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Blocked(
            "this is no plan as sfexit writes them, or it was edited: make a new one"
        ) from error
    return plan


def load(path: Path) -> Plan:
    """The plan in a file. Raises UsageProblem when it cannot be read, Blocked when it is none."""
    try:
        if path.stat().st_size > _LIMIT:
            raise UsageProblem(f"{path} is too large for a plan")
        return read(path.read_bytes())
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error


_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


def soql_text(value: str) -> str:
    """A value as a quoted SOQL text (SOQL guide, "Quoted String Escape Sequences")."""
    out = value.replace("\\", "\\\\").replace("'", "\\'")
    for plain, escaped in (
        ("\n", "\\n"),
        ("\r", "\\r"),
        ("\t", "\\t"),
        ("\b", "\\b"),
        ("\f", "\\f"),
    ):
        out = out.replace(plain, escaped)
    return f"'{out}'"


def soql_list(values: Iterable[str]) -> str:
    """Values for IN. Raises ValueError when there is none: IN () is an error, never "all"."""
    shown = [soql_text(one) for one in values]
    if not shown:
        raise ValueError("an empty list")
    return f"({','.join(shown)})"


def is_id(text: str) -> bool:
    """Whether a text has the form of a record id."""
    return _ID.fullmatch(text) is not None
