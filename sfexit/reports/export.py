"""What an export came to: as a document for programs and as lines for people."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from sfexit.archive.ledger import LedgerLine
from sfexit.export.metadata.index import Summary
from sfexit.export.result import ExportResult, Refreshed
from sfexit.preflight import BlindSpot, Sight, annotate
from sfexit.preflight.sight import HELD, UNKNOWN
from sfexit.redaction import printable
from sfexit.reports.blind_spots import Group, groups
from sfexit.reports.figures import moment_of, size

SCHEMA = "sfexit-export/1"
_SHOWN = 12  # lines of one kind on a screen; the ledger has all

WORDS = {
    "exported": "exported",
    "empty": "empty",
    "covered": "covered by the schema",
    "no_data": "by design not data",
    "not_exported": "not exported",
    "failed": "failed",
}
# Of lines with a remedy.
_PARTLY = {"exported": "partly exported", "empty": "empty as far as this user sees"}


def document(result: ExportResult) -> dict[str, Any]:
    """The result for programs; stable within `sfexit-export/1`."""
    bag = result.bag
    return {
        "schema": SCHEMA,
        "home": str(result.home),
        "organization_id": result.organization_id,
        "organization": result.organization,
        "complete": result.complete,
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
        "files": dict(zip(("listed", "stored"), _files(result.lines), strict=True)),
        "this_run": {
            "rows_read": result.rows_read,
            "files_fetched": result.files_fetched,
            "file_bytes_fetched": result.file_bytes_fetched,
            "files_taken_over": result.files_taken_over,
            "csv_bytes_read": result.csv_bytes_read,
            "api_calls": result.calls,
            "page_bytes_received": result.page_bytes,
            "seconds": round(result.seconds, 3),
        },
        "refresh": _refresh(result.refreshed),
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
        "metadata": _metadata(result.metadata),
        "sight": _sight(result.sight),
    }


def _metadata(found: Summary | None) -> dict[str, Any] | None:
    """Components by outcome, and what is missing; data/metadata/index.csv has each of them."""
    if found is None:
        return None
    return {
        "outcomes": found.outcomes,
        "types": found.types,
        "managed": found.managed,
        "incomplete": found.incomplete,
        "gaps": [
            {"reason": reason, "example": example, "components": count}
            for reason, example, count in found.gaps[:_SHOWN]
        ],
    }


def _refresh(told: Refreshed | None) -> dict[str, Any] | None:
    """How the org differs from the archive before; None when everything was read."""
    if told is None:
        return None
    return {
        "of_generation": told.generation,
        "unchanged": told.unchanged,
        "unchanged_since": told.since or None,
        "looked": told.looked or None,
        "traces_of_signing_in": list(told.traces),
        "rows": asdict(told.total),
        "rows_kept": told.rows_kept,
        "damaged": told.damaged,
        "objects": {name: asdict(counts) for name, counts in told.counts},
    }


def _sight(sight: Sight | None) -> dict[str, Any] | None:
    """What the user does not see, in short; the archive's data/org/sight.json has all of it."""
    if sight is None:
        return None
    certainties = Counter(spot.certainty for spot in sight.blind_spots)
    return {
        "clear": sight.clear,
        "api_calls": sight.api_calls,
        "not_held": [one.label for one in sight.permissions if one.state != HELD],
        "hidden_objects": len(sight.hidden_objects),
        "blind_spots": {word: certainties[word] for word in ("certain", "likely", "unknown")},
        "groups": [
            {**asdict(group), "names": list(group.names)} for group in groups(sight.blind_spots)
        ],
    }


def summary(result: ExportResult, width: int = 100) -> Iterator[str]:
    """The result for an administrator: what is missing and what to do first, then the figures."""
    spots = result.sight.blind_spots if result.sight is not None else ()
    gaps = [line for line in result.incomplete if not _told_above(line, result.sight)]
    refreshed = result.refreshed
    if refreshed is not None and refreshed.unchanged:
        yield (
            f"UNCHANGED: since {moment_of(refreshed.since)} the org is what archive "
            f"{refreshed.generation:04d} holds. No new archive was made."
        )
        if refreshed.traces:
            yield from _wrapped(
                f"but   what signing in leaves behind: {', '.join(refreshed.traces)}. --anew takes "
                "it into a new archive",
                width,
            )
    if not result.complete:
        yield "INCOMPLETE: the archive is sealed, but something that may be data is not in it."
    elif refreshed is None or not refreshed.unchanged:
        yield "COMPLETE: everything that the org showed this user is in the archive."
    yield ""
    if spots:
        yield from _unseen(spots, width)
        yield ""
    if gaps:
        yield from _gaps(gaps, width)
        yield ""
    if result.metadata is not None and result.metadata.incomplete:
        yield from _metadata_gaps(result.metadata, width)
        yield ""
    outcomes = Counter(line.outcome for line in result.lines)
    told = ", ".join(f"{outcomes[word]:,} {WORDS[word]}" for word in WORDS if outcomes[word])
    rows = sum(line.rows or 0 for line in result.lines)
    organization = printable(result.organization, 60) or "unknown"
    yield f"Org       {organization} ({result.organization_id})"
    yield f"Objects   {len(result.lines):,}: {told}"
    yield f"Rows      {rows:,}, deleted and archived ones included"
    listed, here = _files(result.lines)
    if listed:
        yield f"Files     {here:,} of the {listed:,} that the records name"
    if result.metadata is not None:
        yield f"Metadata  {_metadata_line(result.metadata)}"
    if result.bag is not None:
        bag = result.bag
        yield f"Archive   {bag.path} ({bag.payload_files:,} files, {size(bag.payload_bytes)})"
        yield f"Digest    {bag.root_digest}"
        yield f"Signed    {bag.fingerprint}  (keep this fingerprint somewhere else)"
    if refreshed is not None and not refreshed.unchanged:
        yield from _differences(refreshed, result.files_taken_over, width)
    if result.already_sealed and refreshed is None:
        yield (
            "This run  nothing to do: this archive was sealed before. --refresh brings it up to "
            "date, --anew reads everything again."
        )
    else:
        rate = result.rows_read / result.seconds if result.seconds else 0
        yield (
            f"This run  {result.rows_read:,} rows, {_fetched(result)}{result.calls:,} API calls, "
            f"{result.seconds:,.1f} s, {rate:,.0f} rows/s, {size(result.page_bytes)} of rows"
        )
    if result.set_aside:
        yield f"Set aside {len(result.set_aside)} files that are not ours, in work/set-aside"


def _files(lines: Iterable[LedgerLine]) -> tuple[int, int]:
    """Files that the records name, and those of them in the archive."""
    told = [line.witnesses for line in lines]
    return sum(one.get("bodies_listed", 0) for one in told), sum(
        one.get("bodies", 0) for one in told
    )


def _fetched(result: ExportResult) -> str:
    if not result.files_fetched:
        return ""
    return f"{result.files_fetched:,} files ({size(result.file_bytes_fetched)}), "


def _differences(told: Refreshed, files: int, width: int) -> Iterator[str]:
    """What a refresh found, the objects with most of it first."""
    words = told.total.words() or "no rows differ"
    taken = f"{told.rows_kept:,} rows" + (f" and {files:,} files" if files else "")
    yield f"Since     archive {told.generation:04d}: {words}; {taken} taken over"
    if told.damaged:
        yield from _wrapped(
            f"      {told.damaged:,} of its files are not what was sealed. Here they are whole: "
            "keep this archive, and find out what touched the other",
            width,
        )
    ordered = sorted(told.counts, key=lambda one: -sum(asdict(one[1]).values()))
    for name, counts in ordered[:_SHOWN]:
        yield from _wrapped(f"      {name}: {counts.words()}", width)
    if len(ordered) > _SHOWN:
        more = len(ordered) - _SHOWN
        yield f"   and {more:,} more objects: see data/evidence/wire in the archive"


def _unseen(spots: Sequence[BlindSpot], width: int) -> Iterator[str]:
    """Blind spots by the permission that lifts them, those seen for sure first."""
    by_permission: dict[str, list[Group]] = {}
    for group in groups(spots):
        by_permission.setdefault(group.permission, []).append(group)
    sure = any(spot.certainty != UNKNOWN for spot in spots)
    yield "What this user cannot see" if sure else "What could not be checked"
    for permission, members in list(by_permission.items())[:_SHOWN]:
        yield f"   {printable(permission, 100) or 'No permission lifts this'}"
        for group in members[:_SHOWN]:
            yield from _wrapped(f"   {_spot(group)}", width)
    if len(by_permission) > _SHOWN:
        yield f"   and {len(by_permission) - _SHOWN} more: see data/org/sight.json in the archive"
    if sure:
        yield from _wrapped(
            "do    `sfexit assess` writes a permission set that lifts this; then export again with "
            "--anew. data/ledger.csv names every object concerned",
            width,
        )


def _spot(group: Group) -> str:
    names = ", ".join(printable(name, 90) for name in group.names[:5])
    more = f" and {len(group.names) - 5:,} more" if len(group.names) > 5 else ""
    named = "" if all(name in group.head for name in group.names) else f": {names}{more}"
    return f"{'unknown: ' if group.certainty == UNKNOWN else ''}{group.head}{named}"


def _told_above(line: LedgerLine, sight: Sight | None) -> bool:
    """Whether all that is to be said of a gap is said by the blind spots."""
    if sight is None:
        return False
    if line.outcome == "not_exported":
        return any(spot.kind == "object_hidden" for spot in sight.of(line.object))
    bare = replace(line, reason="", evidence="", remedy="", fields_not_exported={})
    return line.outcome != "failed" and annotate(bare, sight).remedy == line.remedy


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
        word = _PARTLY.get(outcome, WORDS[outcome])
        yield f"{names}: {word}"
        yield from _wrapped(f"why   {printable(reason, 400)}", width)
        if outcome == "failed" and members[0].evidence:
            yield from _wrapped(f"said  {printable(members[0].evidence, 300)}", width)
        yield from _wrapped(f"do    {printable(remedy, 400)}", width)
    if len(ordered) > _SHOWN:
        yield f"and {len(ordered) - _SHOWN} more reasons: see data/ledger.csv in the archive"


def _metadata_line(found: Summary) -> str:
    there = sum(found.outcomes.get(word, 0) for word in ("retrieved", "hidden", "partly"))
    told = f"{there:,} components of {found.types:,} types"
    if found.outcomes.get("hidden"):
        told += f", of {found.outcomes['hidden']:,} the vendor hides the code"
    if found.incomplete:
        told += f"; {found.incomplete:,} gaps"
    return told


def _metadata_gaps(found: Summary, width: int) -> Iterator[str]:
    yield "Missing of the org's configuration (metadata)"
    for reason, example, count in found.gaps[:_SHOWN]:
        more = f" and {count - 1:,} more" if count > 1 else ""
        yield from _wrapped(f"   {printable(example, 120)}{more}: {printable(reason, 300)}", width)
    if len(found.gaps) > _SHOWN:
        yield f"   and {len(found.gaps) - _SHOWN} more reasons"
    yield from _wrapped("do    data/metadata/index.csv in the archive names each of them", width)


def _urgency(outcome: str) -> int:
    return ("failed", "not_exported", "exported", "empty").index(outcome)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="   ", subsequent_indent=" " * 9)
