"""The index of file bodies against the bodies, flat in memory for millions of them."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from sfexit.redaction import printable
from sfexit.verify import images
from sfexit.verify.contents import EXCEPTIONS, FILES, number
from sfexit.verify.finding import Finding
from sfexit.verify.ids import malformed
from sfexit.verify.runs import RunWriter
from sfexit.verify.unpack import table

KIND = "files"
_NEEDED = ("object", "record_id", "path", "bytes", "sha256", "salesforce_md5", "salesforce_bytes")
_KEY = ("object", "record_id", "field", "reference")
#: Of these every record has exactly one body (REST API Developer Guide, "sObject Blob Get").
EVERY_ROW = frozenset(
    {"Attachment", "ContentVersion", "Document", "EventLogFile", "StaticResource"}
)
UNLISTED = "unlisted"
_LEFT_OUT = re.compile(r"([0-9][0-9,]*) were left out by")


class Bodies:
    """Path → size, SHA-256 and MD5 of what lies in the bag, on the disk."""

    def __init__(self, folder: Path) -> None:
        self._base = sqlite3.connect(folder / "bodies.db", isolation_level=None)
        self._base.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; "
            "DROP TABLE IF EXISTS body; CREATE TABLE body "
            "(path TEXT PRIMARY KEY, bytes INT, sha256 TEXT, md5 TEXT, named INT DEFAULT 0) "
            "WITHOUT ROWID; BEGIN"
        )

    def add(self, bodies: Iterable[tuple[str, int, str, str]]) -> None:
        self._base.executemany(
            "INSERT OR REPLACE INTO body (path, bytes, sha256, md5) VALUES (?, ?, ?, ?)", bodies
        )

    def find(self, path: str) -> tuple[int, str, str] | None:
        found: tuple[int, str, str] | None = self._base.execute(
            "SELECT bytes, sha256, md5 FROM body WHERE path = ?", (path,)
        ).fetchone()
        if found is not None:
            self._base.execute("UPDATE body SET named = 1 WHERE path = ?", (path,))
        return found

    def unnamed(self) -> Iterable[tuple[str]]:
        return self._base.execute("SELECT path FROM body WHERE named = 0 ORDER BY path")

    def close(self) -> None:
        self._base.close()


def left_out(ledger: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """By object, how many bodies are not here by the user's choice, as the ledger says."""
    found = {}
    for name, line in ledger.items():
        told = _LEFT_OUT.search(line["reason"])
        if told:
            found[name] = int(told[1].replace(",", ""))
    return found


def exceptions(bag: Path, runs: RunWriter) -> tuple[set[tuple[str, ...]], Counter[str]]:
    """What the archive itself says of its bodies (archive-format.md, section 5.1).

    The bodies that are kept although they are not what their record says, by object, record,
    field and reference; and how many are not here, by object: their ids go to `runs`. Both empty
    without such a table.
    """
    kept: set[tuple[str, ...]] = set()
    absent: Counter[str] = Counter()
    try:
        told = table(bag, EXCEPTIONS)
        at = {name: place for place, name in enumerate(next(told, []))}
    except FileNotFoundError:
        return kept, absent
    for row in told:
        if row[at["kind"]] == UNLISTED:
            continue  # a document that no record of the bag lists, so no row can lack its body
        if row[at["kept"]] == "true":
            kept.add(tuple(row[at[name]] for name in _KEY))
        else:
            absent[row[at["object"]]] += 1
            _image(row[at["reference"]], runs)
            if not malformed([row[at["record_id"]]]):
                runs.own_id(f"files:{row[at['object']]}", row[at["record_id"]])
    return kept, absent


def _image(reference: str, runs: RunWriter) -> None:
    named = images.full(reference)
    if named:
        runs.own_id(images.NAMED, named)


def check_index(
    bag: Path,
    declared: int | None,
    counts: Mapping[str, Mapping[str, int]],
    unwanted: Mapping[str, int],
    bodies: Bodies,
    runs: RunWriter,
    findings: list[Finding],
) -> int:
    """Compare each line of the index with the body it names; returns how many lines there are.

    The ids of its lines, and of the bodies that are explained, go to `runs` under `files:<object>`,
    so that records without a body can be told. `counts`: by object, what the ledger's witnesses say
    of its bodies; `unwanted`: how many were left out by choice. Raises Broken, OSError, ValueError
    when the index itself cannot be read.
    """
    told = table(bag, FILES)
    kept, absent_bodies = exceptions(bag, runs)
    lines: Counter[str] = Counter()
    header = next(told, [])
    absent = [name for name in _NEEDED if name not in header]
    if absent:
        findings.append(Finding("header-wrong", KIND, path=FILES, found=f"lacks {absent}"))
        return 0
    count = 0

    def find(code: str, line: dict[str, str], expected: str, found: str, witness: str) -> None:
        findings.append(
            Finding(
                code, KIND, object=printable(line["object"], 80),
                record_id=printable(line["record_id"], 20), path=printable(line["path"], 200),
                expected=printable(expected, 80), found=printable(found, 80), witness=witness,
            )
        )  # fmt: skip

    for count, row in enumerate(told, 1):
        if len(row) != len(header):
            text = f"row {count} has {len(row)} values for {len(header)} columns"
            findings.append(Finding("text-broken", KIND, path=FILES, found=text))
            continue
        line = dict(zip(header, row, strict=True))
        lines[line["object"]] += 1
        if tuple(line.get(name, "") for name in _KEY) in kept:
            # The org's own statement does not fit its bytes, and the archive says so.
            line |= {"salesforce_md5": "", "salesforce_bytes": ""}
        if malformed([line["record_id"]]):
            find("id-malformed", line, "an 18-character id", line["record_id"], FILES)
        else:
            runs.own_id(f"files:{line['object']}", line["record_id"])
        _image(line.get("reference", ""), runs)
        if not line["path"]:
            continue  # a body that is not here, and the ledger says so
        body = bodies.find(f"data/{line['path']}")
        if body is None:
            find("body-missing", line, "a body", "none", FILES)
            continue
        size, sha256, md5 = body
        if (size, sha256) != (number(line["bytes"]), line["sha256"]):
            find("body-wrong", line, f"{line['bytes']} bytes, {line['sha256']}",
                 f"{size} bytes, {sha256}", FILES)  # fmt: skip
        if line["salesforce_md5"] and line["salesforce_md5"].lower() != md5:
            find("body-md5", line, line["salesforce_md5"], md5, "Salesforce")
        proven = line["salesforce_md5"].lower() == md5  # outweighs a size that says otherwise
        if line["salesforce_bytes"] and number(line["salesforce_bytes"]) != size and not proven:
            find("body-wrong", line, f"{line['salesforce_bytes']} bytes", str(size), "Salesforce")
    for name, witnesses in counts.items():
        listed = lines[name] + absent_bodies[name] + unwanted.get(name, 0)
        here = {"bodies": lines[name], "bodies_listed": listed}
        for witness, number_of in here.items():
            if witness in witnesses and witnesses[witness] != number_of:
                findings.append(
                    Finding("ledger-wrong", KIND, object=name, path="data/ledger.csv",
                            expected=f"{witness}={witnesses[witness]}", found=str(number_of),
                            witness=FILES)
                )  # fmt: skip
    if declared is not None and declared != count:
        findings.append(
            Finding("rows-wrong", KIND, path=FILES, expected=str(declared), found=str(count),
                    witness="datapackage.json")
        )  # fmt: skip
    for (path,) in bodies.unnamed():
        found = "a body that no line of the index names"
        findings.append(Finding("evidence-wrong", KIND, path=path, found=found, witness=FILES))
    return count
