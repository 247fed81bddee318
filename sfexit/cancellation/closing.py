"""What must be true before an org may go, point by point. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sfexit.cancellation.records import Entry
from sfexit.cancellation.situation import Situation
from sfexit.errors import UsageProblem
from sfexit.preflight.cutover import POINTS, Seen
from sfexit.preflight.elsewhere import PLACES
from sfexit.redaction import printable

FRESH_HOURS = 24
OFFBOARDING = "offboarding"
PROOF, PLACE, CUTOVER = "proof", "place", "cutover"


@dataclass(frozen=True)
class Item:
    """Something that a named person answers for."""

    key: str
    kind: str
    title: str
    action: str


@dataclass(frozen=True)
class Answer:
    """Who answered for an item, and how. `waived`: they go without it."""

    item: str
    person: str
    said: str
    waived: bool


@dataclass(frozen=True)
class Requirement:
    """A point of the gate. `evidence`: by what it is met, or what was seen; `need`: what to do."""

    key: str
    kind: str
    title: str
    met: bool
    evidence: tuple[str, ...]
    need: str


@dataclass(frozen=True)
class Custody:
    """Who keeps what, as the customer's file says; empty texts are gaps on the sheet."""

    copies: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    successor: str = ""
    retention: str = ""
    erasure: str = ""


@dataclass(frozen=True)
class Answers:
    """A file of answers."""

    given: tuple[Answer, ...] = ()
    custody: Custody = field(default_factory=Custody)


def _slug(name: str) -> str:
    short = name.partition("(")[0] if len(name) > 40 else name
    return re.sub(r"[^a-z0-9]+", "-", short.lower()).strip("-")


def items() -> tuple[Item, ...]:
    """Everything to be answered for, place by place and point by point."""
    places = [
        Item(_slug(one.name), PLACE, f"{one.name}: {one.holds}", one.action) for one in PLACES
    ]
    places += [
        Item("sandboxes", PLACE, "Sandboxes: copies of this org and what was made in them",
             "export each sandbox whose data you want to keep, by itself"),
        Item("connected-storage", PLACE, "Connected storage: files and tables the org links to",
             "export them from the system that holds them"),
    ]  # fmt: skip
    points = [Item(one.key, CUTOVER, one.title, one.action) for one in POINTS]
    return (*places, *points)


def answer(item: str, said: str, *, waived: bool) -> Answer:
    """An answer as it is typed: `NAME: what`. Raises UsageProblem."""
    known = {one.key for one in items()} | ({OFFBOARDING} if waived else set())
    if item not in known:
        names = ", ".join(sorted(known))
        raise UsageProblem(f"{printable(item, 60)!r} is nothing to answer for; known are: {names}")
    person, colon, what = (part.strip() for part in printable(said, 2000).partition(":"))
    if not (person and colon and what):
        raise UsageProblem(f"{item}: write it as 'NAME: what was done, or why it is not needed'")
    return Answer(item, person, what, waived)


def read_answers(document: Mapping[str, Any]) -> Answers:
    """Answers from a parsed TOML file. Raises UsageProblem."""
    unknown = set(document) - {"attest", "waive", "custody"}
    if unknown:
        raise UsageProblem(f"the answers hold an unknown table: {', '.join(sorted(unknown))}")
    given = []
    for table, waived in (("attest", False), ("waive", True)):
        entries = document.get(table, {})
        if not isinstance(entries, dict):
            raise UsageProblem(f"[{table}] of the answers must be a table")
        for key, said in entries.items():
            if not isinstance(said, str):
                raise UsageProblem(f"[{table}] {key} of the answers must be a text")
            if said.strip():
                given.append(answer(key, said, waived=waived))
    return Answers(tuple(given), _custody(document.get("custody", {})))


def parse_answers(text: str) -> Answers:
    """Answers from a TOML text. Raises UsageProblem."""
    try:
        return read_answers(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageProblem(f"the answers are not valid TOML: {error}") from error


def _custody(told: Any) -> Custody:
    if not isinstance(told, dict) or set(told) - set(Custody.__dataclass_fields__):
        raise UsageProblem(
            f"[custody] of the answers is a table of {', '.join(Custody.__dataclass_fields__)}"
        )
    texts = {key: told.get(key, "") for key in ("successor", "retention", "erasure")}
    lists = {key: told.get(key, []) for key in ("copies", "keys")}
    if not all(isinstance(one, str) for one in texts.values()) or not all(
        isinstance(one, list) and all(isinstance(line, str) for line in one)
        for one in lists.values()
    ):
        raise UsageProblem("[custody] of the answers: copies and keys are lists of texts")
    return Custody(
        tuple(printable(one) for one in lists["copies"]),
        tuple(printable(one) for one in lists["keys"]),
        *(printable(texts[key]) for key in ("successor", "retention", "erasure")),
    )


def template() -> str:
    """An empty file of answers, with every item explained."""
    lines = ['# Answers for the last gate. Write each as "NAME: what was done"; empty is open.']
    lines += ["", "[attest]"]
    for one in items():
        lines += [f"# {one.title}", f"#   {one.action}", f'{one.key} = ""']
    lines += ["", "[waive]", "# By name, with the reason. offboarding can be waived too.",
              f'{OFFBOARDING} = ""', "", "[custody]",
              "copies = []     # place and holder of each copy",
              "keys = []       # who holds which key, and where",
              'successor = ""  # who looks after the archive when you leave',
              'retention = ""  # until when it is kept, and by which rule',
              'erasure = ""    # who erases it then, and how', ""]  # fmt: skip
    return "\n".join(lines)


def answers_on_file(entries: Iterable[Entry]) -> dict[str, Answer]:
    """The newest answer for each item in the records."""
    found = {}
    for one in entries:
        if one.event in ("attested", "waived"):
            item = str(one.data.get("item"))
            found[item] = Answer(item, str(one.data.get("person")), str(one.data.get("said")),
                                 one.event == "waived")  # fmt: skip
    return found


def custody_on_file(entries: Iterable[Entry]) -> Custody:
    """What the records say of custody, the newest word for each part of it."""
    found: dict[str, Any] = {}
    for one in entries:
        if one.event == "custody":
            found |= {key: one.data[key] for key in Custody.__dataclass_fields__ if key in one.data}
    return _custody(found)


def requirements(
    told: Situation,
    given: Mapping[str, Answer],
    seen: Mapping[str, Seen],
    now: datetime,
    *,
    fresh_hours: int = FRESH_HOURS,
) -> tuple[Requirement, ...]:
    """Every point of the gate. `given`: answers by item; `seen`: what the org told of a point."""
    found = [_proof(told, now, fresh_hours), _offboarding(told, given.get(OFFBOARDING))]
    for one in items():
        by = given.get(one.key)
        evidence = list(seen[one.key].evidence + seen[one.key].unknown) if one.key in seen else []
        if by is not None:
            evidence.insert(0, _said(by))
        need = "" if by else f"{one.action}; then --attest {one.key} 'NAME: …'"
        found.append(
            Requirement(one.key, one.kind, one.title, by is not None, tuple(evidence), need)
        )
    return tuple(found)


def _said(by: Answer) -> str:
    return f"{'waived' if by.waived else 'attested'} by {by.person}: {by.said}"


def _proof(told: Situation, now: datetime, fresh_hours: int) -> Requirement:
    title = "The final verification stands and is fresh"
    need = f"sfexit verify-backup {told.home}"
    if told.standing is None:
        return Requirement("verification", PROOF, title, False, (told.standing_problem,), need)
    one = told.standing.certificate
    said = f"{one.title}, {one.made:%Y-%m-%d %H:%M} UTC, root digest {one.root_digest}"
    if now - one.made > timedelta(hours=fresh_hours):
        why = f"it is older than {fresh_hours} hours, and the org may have changed since"
        return Requirement("verification", PROOF, title, False, (said, why), need)
    return Requirement("verification", PROOF, title, True, (said,), "")


def _offboarding(told: Situation, waiver: Answer | None) -> Requirement:
    title = "Users and administrators are offboarded"
    done = told.offboarding.done
    evidence = (told.offboarding.evidence, *([_said(waiver)] if waiver else []))
    met = done or waiver is not None
    need = "" if met else f"carry out the offboarding plan, or --waive {OFFBOARDING} 'NAME: why'"
    return Requirement(OFFBOARDING, OFFBOARDING, title, met, evidence, need)
