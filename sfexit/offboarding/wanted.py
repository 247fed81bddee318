"""Who is to leave, as the administrator says it: names, a CSV, a query, waves in TOML.

Pure: nothing here asks the org. Names stay as written; `people.py` finds the users.
"""

from __future__ import annotations

import csv
import io
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfexit.errors import UsageProblem
from sfexit.offboarding.successors import Rules
from sfexit.redaction import printable

FULL, FREEZE_ONLY = "full", "freeze_only"
MODES = (FULL, FREEZE_ONLY)
_MOST_BYTES = 64 << 20
_MOST_NAME = 255  # a username has at most 80 characters, an id 18


@dataclass(frozen=True)
class Leaver:
    """A line of a list: a username or an id, and what is special about this one."""

    name: str
    successor: str = ""
    mode: str = FULL
    wave: int = 1
    source: str = ""


@dataclass(frozen=True)
class Query:
    """Users picked by what they are. `profile` names profiles; `all_except` are those who stay."""

    everybody: bool = False
    all_except: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    inactive_days: int | None = None

    @property
    def empty(self) -> bool:
        """Nothing was asked for."""
        return not (self.everybody or self.profiles or self.inactive_days is not None)


@dataclass(frozen=True)
class Wanted:
    """All that was asked for."""

    leavers: tuple[Leaver, ...] = ()
    query: Query = field(default_factory=Query)
    mode: str = FULL


def from_csv(data: bytes, source: str, *, wave: int = 1) -> tuple[Leaver, ...]:
    """Lines of `user,successor,mode`; only `user` is needed. Comma or semicolon, UTF-8.

    Raises UsageProblem that names the line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageProblem(f"{source} is not UTF-8: save it as CSV UTF-8") from error
    head = text.partition("\n")[0]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in head else ",")
    try:
        return tuple(_lines(lines, source, wave))
    except csv.Error as error:
        raise UsageProblem(f"{source}, line {lines.line_num}: {error}") from error


def _lines(lines: Any, source: str, wave: int) -> Any:
    heads = [one.strip().casefold() for one in next(lines, [])]
    unknown = sorted(set(heads) - {"user", "successor", "mode", ""})
    if "user" not in heads or unknown:
        shown = printable(", ".join(heads), 80)
        raise UsageProblem(
            f"{source} must begin with the line user,successor,mode (only user is needed); it "
            f"begins with {shown!r}"
        )
    for cells in lines:
        if not any(one.strip() for one in cells):
            continue
        if len(cells) > len(heads):
            raise UsageProblem(
                f"{source}, line {lines.line_num} has {len(cells)} cells, its head {len(heads)}: "
                "put a cell with a comma into quotes"
            )
        told = dict(zip(heads, (one.strip() for one in cells), strict=False))
        mode = (told.get("mode") or FULL).casefold().replace("-", "_")
        if mode not in MODES:
            raise UsageProblem(
                f"{source}, line {lines.line_num}: the mode is full or freeze_only, not "
                f"{printable(mode, 40)!r}"
            )
        where = f"{source}, line {lines.line_num}"
        yield Leaver(name(told["user"], where), told.get("successor", ""), mode, wave, where)


def from_toml(data: bytes, source: str, folder: Path) -> tuple[Wanted, Rules | None]:
    """Waves, and successor rules if the file has some. Raises UsageProblem.

    ```toml
    [successors]
    rule = "manager"                 # named, manager, round-robin
    fallback = "anna@acme.example"
    [successors.objects]
    Case = "queue:Case_Queue"
    [[waves]]
    users = ["ben@acme.example"]     # and: file, successor, mode
    ```
    """
    try:
        told = tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageProblem(f"{source} is no TOML: {error}") from error
    _only(told, {"waves", "successors"}, source)
    waves = told.get("waves")
    if not isinstance(waves, list) or not waves:
        raise UsageProblem(f"{source} has no [[waves]]: write one for each group that leaves")
    leavers: list[Leaver] = []
    for number, wave in enumerate(waves, 1):
        where = f"{source}, wave {number}"
        if not isinstance(wave, dict):
            raise UsageProblem(f"{where} is no table: write [[waves]]")
        _only(wave, {"name", "users", "file", "successor", "mode"}, where)
        mode = _text(wave, "mode", where) or FULL
        if mode not in MODES:
            raise UsageProblem(f"{where}: mode is full or freeze_only")
        successor = _text(wave, "successor", where)
        users = wave.get("users", [])
        if not isinstance(users, list) or not all(isinstance(one, str) for one in users):
            raise UsageProblem(f"{where}: users is a list of texts")
        leavers += [Leaver(name(one, where), successor, mode, number, where) for one in users]
        if file := _text(wave, "file", where):
            path = folder / file
            listed = from_csv(read(path), str(path), wave=number)
            leavers += [
                Leaver(one.name, one.successor or successor, one.mode, number, one.source)
                for one in listed
            ]
    rules = told.get("successors")
    return Wanted(tuple(leavers)), _rules(rules, source) if rules is not None else None


def _rules(told: Any, source: str) -> Rules:
    where = f"{source}, [successors]"
    if not isinstance(told, dict):
        raise UsageProblem(f"{where} is no table")
    _only(told, {"rule", "fallback", "users", "objects"}, where)
    users, objects = told.get("users", []), told.get("objects", {})
    if not isinstance(users, list) or not all(isinstance(one, str) for one in users):
        raise UsageProblem(f"{where}: users is a list of texts")
    if not isinstance(objects, dict) or not all(isinstance(v, str) for v in objects.values()):
        raise UsageProblem(f"{where}: objects is a table of object and successor")
    return Rules(
        rule=_text(told, "rule", where) or "named",
        fallback=_text(told, "fallback", where),
        pool=tuple(users),
        objects=dict(objects),
    )


def _only(told: dict[str, Any], known: set[str], where: str) -> None:
    for one in sorted(set(told) - known):
        raise UsageProblem(
            f"{where}: {printable(one, 40)!r} is not known; known are {', '.join(sorted(known))}"
        )


def _text(told: dict[str, Any], key: str, where: str) -> str:
    found = told.get(key, "")
    if not isinstance(found, str):
        raise UsageProblem(f"{where}: {key} is a text")
    return found


def name(text: str, where: str) -> str:
    """A username or id as written, without blanks around it. Raises UsageProblem."""
    found = text.strip()
    if not found or len(found) > _MOST_NAME or not found.isprintable():
        raise UsageProblem(f"{where}: {printable(text, 40)!r} is no username and no id")
    return found


def read(path: Path) -> bytes:
    """A file of the administrator's. Raises UsageProblem."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageProblem(f"{path} is too large for a list of users")
        return path.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error
