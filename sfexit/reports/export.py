"""What an export came to: as a document for programs and as lines for people."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from sfexit.archive.ledger import LedgerLine
from sfexit.export.run import ExportResult
from sfexit.redaction import printable

SCHEMA = "sfexit-export/1"
_SHOWN = 12  # lines of one kind on a screen; the ledger has all

_WORDS = {
    "exported": "exported",
    "empty": "empty",
    "covered": "covered by the schema",
    "no_data": "by design not data",
    "not_exported": "not exported",
    "failed": "failed",
}


def document(result: ExportResult) -> dict[str, Any]:
    """The result for programs; stable within `sfexit-export/1`."""
    bag = result.bag
    return {
        "schema": SCHEMA,
        "home": str(result.home),
        "organization_id": result.organization_id,
        "organization": result.organization,
        "complete": not result.incomplete,
        "already_sealed": result.already_sealed,
        "resumed": result.resumed,
        "bag": None
        if bag is None
        else {
            "path": str(bag.path),
            "generation": bag.generation,
            "root_digest": bag.root_digest,
            "signing_key": bag.fingerprint,
            "files": bag.payload_files,
            "bytes": bag.payload_bytes,
        },
        "objects": len(result.lines),
        "outcomes": dict(Counter(line.outcome for line in result.lines)),
        "rows": sum(line.rows or 0 for line in result.lines),
        "this_run": {
            "rows_read": result.rows_read,
            "csv_bytes_read": result.csv_bytes_read,
            "api_calls": result.calls,
            "seconds": round(result.seconds, 3),
        },
        "set_aside": list(result.set_aside),
        "incomplete": [
            {
                "object": line.object,
                "outcome": line.outcome,
                "rows": line.rows,
                "reason": line.reason,
                "evidence": line.evidence,
                "remedy": line.remedy,
            }
            for line in result.incomplete
        ],
    }


def summary(result: ExportResult, width: int = 100) -> Iterator[str]:
    """The result for an administrator: what is missing and what to do first, then the figures."""
    if result.incomplete:
        yield "INCOMPLETE: the archive is sealed, but something that may be data is not in it."
        yield ""
        yield from _gaps(result.incomplete, width)
    else:
        yield "COMPLETE: everything that the org showed this user is in the archive."
    yield ""
    outcomes = Counter(line.outcome for line in result.lines)
    told = ", ".join(f"{outcomes[word]:,} {_WORDS[word]}" for word in _WORDS if outcomes[word])
    rows = sum(line.rows or 0 for line in result.lines)
    organization = printable(result.organization, 60) or "unknown"
    yield f"Org       {organization} ({result.organization_id})"
    yield f"Objects   {len(result.lines):,}: {told}"
    yield f"Rows      {rows:,}, deleted and archived ones included"
    if result.bag is not None:
        bag = result.bag
        yield f"Archive   {bag.path} ({bag.payload_files:,} files, {_size(bag.payload_bytes)})"
        yield f"Digest    {bag.root_digest}"
        yield f"Signed    {bag.fingerprint}  (keep this fingerprint somewhere else)"
    if result.already_sealed:
        yield "This run  nothing to do: this archive was sealed before. --anew makes the next one."
    else:
        rate = result.rows_read / result.seconds if result.seconds else 0
        yield (
            f"This run  {result.rows_read:,} rows, {result.calls:,} API calls, "
            f"{result.seconds:,.1f} s, {rate:,.0f} rows/s"
        )
    if result.set_aside:
        yield f"Set aside {len(result.set_aside)} files that are not ours, in work/set-aside"


def _gaps(lines: Iterable[LedgerLine], width: int) -> Iterator[str]:
    """Incomplete objects, those with the same reason and remedy together."""
    groups: dict[tuple[str, str, str], list[LedgerLine]] = {}
    for line in lines:
        groups.setdefault((line.outcome, line.reason, line.remedy), []).append(line)
    ordered = sorted(groups.items(), key=lambda one: (_urgency(one[0][0]), -len(one[1])))
    for (outcome, reason, remedy), members in ordered[:_SHOWN]:
        names = ", ".join(line.object for line in members[:5])
        if len(members) > 5:
            names += f" and {len(members) - 5} more"
        word = _WORDS[outcome] if outcome != "exported" else "partly exported"
        yield f"{names}: {word}"
        yield from _wrapped(f"why   {printable(reason, 400)}", width)
        if outcome == "failed" and members[0].evidence:
            yield from _wrapped(f"said  {printable(members[0].evidence, 300)}", width)
        yield from _wrapped(f"do    {printable(remedy, 400)}", width)
    if len(ordered) > _SHOWN:
        yield f"and {len(ordered) - _SHOWN} more reasons: see data/ledger.csv in the archive"


def _urgency(outcome: str) -> int:
    return ("failed", "not_exported", "exported").index(outcome)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="   ", subsequent_indent=" " * 9)


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"
