"""What a refresh left behind: pages that were rewritten, and the rows by which the bags differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sfexit.redaction import printable
from sfexit.verify.bag import BAG_INFO
from sfexit.verify.contents import LEDGER, PAGES, Contents, number
from sfexit.verify.derived import Derived, derive
from sfexit.verify.finding import Finding
from sfexit.verify.ids import malformed
from sfexit.verify.runs import RunWriter
from sfexit.verify.unpack import Broken, table

KIND = "refresh"
FOLDER = "data/evidence/wire/"
#: Keys of ids on the disk, each with the object's name behind it: rows by which an object differs
#: from the bag before, and those of them that no query finds.
NAMED, GONE = "wire-named", "wire-gone"
_COLUMNS = ["id", "what", "page", "before"]
_WHATS = frozenset({"new", "changed", "calculated", "deleted", "undeleted", "gone", "unsettled"})
_DIGEST = re.compile(r"[0-9a-f]{64}")


class _Say(Protocol):
    def __call__(
        self, path: str, expected: str, found: str, name: str = "", record: str = ""
    ) -> None: ...


def check_refresh(
    bag: Path,
    before: Path | None,
    told: Contents,
    paths: Sequence[str],
    runs: RunWriter,
    findings: list[Finding],
) -> str:
    """Check what archive-format.md says in 2.1 and 4.9 of a bag that a refresh made.

    `before`: the bag before, where it is at hand; then the rewritten pages are derived again.
    `paths`: the files of the bag, as listed. Ids that no query finds go to `runs` under
    `wire-gone:<object>`: they cannot stand in this bag. (A row that differs otherwise may be purged
    before it is read anew, so of those nothing is sure.) Returns what was looked at, in words.
    """

    def find(path: str, expected: str, found: str, name: str = "", record: str = "") -> None:
        findings.append(
            Finding("evidence-wrong", KIND, path=path, object=printable(name, 80),
                    record_id=printable(record, 18), expected=expected,
                    found=printable(found, 120))
        )  # fmt: skip

    rewritten = 0
    refreshed = "Sfexit-Previous-Root" in told.info
    for path, page in sorted(told.pages.items()):
        if page.origin == "rewritten":
            rewritten += 1
            if not refreshed:
                find(path, f"received, since {BAG_INFO} names no bag before", "rewritten",
                     page.object)  # fmt: skip
            if not _DIGEST.fullmatch(page.source) or page.source == page.sha256:
                find(PAGES, "the SHA-256 of the page it came from", page.source or "none",
                     page.object)  # fmt: skip
        elif page.origin != "received":
            find(PAGES, "received or rewritten", page.origin, page.object)
        elif page.source:
            find(PAGES, "no page it came from, since it was received", page.source, page.object)
    for name, line in sorted(told.ledger.items()):
        parts = dict(part.split("=", 1) for part in line["witnesses"].split(";") if "=" in part)
        if "kept" in parts and "fetched" in parts:
            total = number(parts["kept"]) + number(parts["fetched"])
            if total != number(line["rows"]):
                find(LEDGER, f"{line['rows']} rows kept or fetched", str(total), name)
    differ = 0
    for path in paths:
        if not path.startswith(FOLDER):
            continue
        if not refreshed:
            find(path, f"no such file, since {BAG_INFO} names no bag before", "a file")
        try:
            differ += _wire(bag, path, told, runs, find)
        except Broken as broken:
            findings.append(Finding(broken.code, KIND, path=path, found=broken.found))
    derived = derive(bag, before, told, runs, find) if refreshed else Derived()
    looked = f"{rewritten:,} rewritten pages, {differ:,} rows that differ"
    if derived.pages:
        looked += f"; {derived.pages:,} pages derived again, {derived.rows:,} rows unchanged"
    if derived.without:
        looked += f"; {derived.without:,} not derived, for want of the page before"
    return looked


def _wire(bag: Path, path: str, told: Contents, runs: RunWriter, say: _Say) -> int:
    rows = table(bag, path)
    header = next(rows, [])
    if header[: len(_COLUMNS)] != _COLUMNS:
        raise Broken("header-wrong", f"the columns {header[:6]}", ",".join(_COLUMNS))
    name = _object(path, told)
    if name is None:
        say(path, "an object of the ledger", "none of this name")
        return 0
    count, last = 0, ""
    for count, row in enumerate(rows, 1):
        if len(row) != len(header):
            say(path, f"{len(header)} values", f"row {count} has {len(row)}", name)
            continue
        record, what, page, _ = row[:4]
        if what not in _WHATS:
            say(path, "what became of the row", what, name, record)
        elif (what == "new") != (not page):
            say(path, "the page of the bag before, unless it is new", page or "none", name, record)
        if record <= last:
            say(path, "each id once, in order", f"{record} behind {last}", name, record)
        last = record
        if malformed([record]):
            say(path, "an 18-character id", record, name)
            continue
        runs.own_id(f"{NAMED}:{name}", record)
        if what == "gone":
            runs.own_id(f"{GONE}:{name}", record)
    return count


def _object(path: str, told: Contents) -> str | None:
    """Whose rows a file tells of: the same file name as the object's folder of pages."""
    stem = path.removeprefix(FOLDER).removesuffix(".csv.gz")
    for name, resource in told.resources.items():
        if resource.paths and resource.paths[0].split("/")[2] == stem:
            return name
    return stem if stem in told.ledger else None
