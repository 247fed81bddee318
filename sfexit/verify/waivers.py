"""Findings that a named person accepts, from a TOML file: one finding, one reason, one person."""

from __future__ import annotations

import tomllib
from pathlib import Path

from sfexit.errors import UsageProblem
from sfexit.redaction import printable
from sfexit.verify.codes import CODES
from sfexit.verify.verdict import Waiver

_KEYS = {"finding", "reason", "person", "at_most"}
_EXAMPLE = '[[waiver]] with finding = "row-missing:Account:001…", reason = "…", person = "R. Roe"'


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """The waivers of a file. Raises UsageProblem for whatever is not understood: a waiver that is
    misread must not pass for one that was given."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageProblem(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageProblem(f"{path} is not valid TOML in UTF-8: {error}") from error
    entries = document.get("waiver")
    if set(document) != {"waiver"} or not isinstance(entries, list) or not entries:
        raise UsageProblem(f"{path} must hold entries such as {_EXAMPLE}, and nothing else")
    waivers: list[Waiver] = []
    for at, entry in enumerate(entries, 1):
        place = f"{path}, waiver {at}"
        unknown = sorted(set(entry) - _KEYS) if isinstance(entry, dict) else ["no table"]
        if unknown:
            raise UsageProblem(f"{place}: unknown key {printable(unknown[0], 40)!r}")
        for key in ("finding", "reason", "person"):
            if not isinstance(entry.get(key), str) or not entry[key].strip():
                raise UsageProblem(f"{place}: {key} is missing; write {_EXAMPLE}")
        at_most = entry.get("at_most", 1)
        if not isinstance(at_most, int) or isinstance(at_most, bool) or at_most < 1:
            raise UsageProblem(f"{place}: at_most must be a number of 1 or more")
        code = entry["finding"].partition(":")[0]
        if code not in CODES:
            raise UsageProblem(
                f"{place}: {printable(code, 40)!r} is no code of a finding: copy the key from "
                "the report (docs/findings.md)"
            )
        if not CODES[code].waivable:
            raise UsageProblem(
                f"{place}: {code} cannot be accepted by anybody, because the archive is not what "
                "was sealed"
            )
        if any(one.finding == entry["finding"] for one in waivers):
            raise UsageProblem(f"{place}: {printable(entry['finding'], 80)} is waived twice")
        waivers.append(Waiver(entry["finding"], entry["reason"], entry["person"], at_most))
    return tuple(waivers)
