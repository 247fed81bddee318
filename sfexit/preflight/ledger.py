"""From a look at the org to the ledger: lines of hidden objects, and remarks on exported ones."""

from __future__ import annotations

from dataclasses import replace

from sfexit.archive.ledger import LedgerLine
from sfexit.preflight.drift import AGAIN
from sfexit.preflight.sight import HELD, UNKNOWN, Sight

_READ = ("exported", "empty", "failed")
_AGAIN = "then export again into a new bag (`sfexit export HOME --anew`)"


def ledger_lines(sight: Sight) -> tuple[LedgerLine, ...]:
    """One line for each object that only EntityDefinition names."""
    return tuple(
        LedgerLine(
            one.name,
            one.label,
            one.outcome,
            reason=one.reason,
            evidence=one.evidence,
            remedy=one.remedy,
        )
        for one in sight.hidden_objects
    )


def annotate(line: LedgerLine, sight: Sight) -> LedgerLine:
    """`line` with what is hidden of its object: reason, evidence, remedy and fields.

    What is merely unknown is named in the reason and asks for nothing: it must not turn a
    complete line into an incomplete one, nor be passed over.
    """
    if line.outcome not in _READ:
        return line
    return _with_changes(_with_spots(line, sight), sight)


def _with_changes(line: LedgerLine, sight: Sight) -> LedgerLine:
    changes = [one for one in sight.changes if one.object == line.object]
    if not changes:
        return line
    lost = [one for one in changes if one.lost]
    told = [f"{one.field} {one.what}" if one.field else one.what for one in changes]
    return replace(
        line,
        fields_not_exported={
            **line.fields_not_exported,
            **{one.field: one.what for one in lost},
        },
        reason=_joined(line.reason, f"the org was changed during the export: {', '.join(told)}"),
        evidence=_joined(line.evidence, "describe, asked at the start and before the seal"),
        remedy=_joined(line.remedy, AGAIN if lost else ""),
    )


def _with_spots(line: LedgerLine, sight: Sight) -> LedgerLine:
    spots = list(sight.of(line.object))
    if sight.state("ViewAllData") != HELD and line.object not in sight.all_rows_of:
        spots += [s for s in sight.blind_spots if s.kind == "rows_hidden" and not s.object]
    if not spots and line.object not in sight.fields_unchecked:
        return line
    sure = [spot for spot in spots if spot.certainty != UNKNOWN]
    doubts = [f"not checked: {spot.what}" for spot in spots if spot.certainty == UNKNOWN]
    if line.object in sight.fields_unchecked:
        doubts.append(f"hidden fields not checked: {sight.fields_unchecked[line.object]}")
    hidden = {spot.field: "hidden from this user" for spot in sure if spot.kind == "field_hidden"}
    reasons = [spot.what for spot in sure if spot.kind != "field_hidden"]
    if hidden:
        reasons.append(f"{len(hidden):,} fields are hidden from this user")
    remedies = list(dict.fromkeys(spot.remedy for spot in sure))
    if remedies:
        remedies.append(_AGAIN)
    return replace(
        line,
        fields_not_exported={**line.fields_not_exported, **hidden},
        reason=_joined(line.reason, *reasons, *doubts),
        evidence=_joined(line.evidence, *dict.fromkeys(spot.evidence for spot in spots)),
        remedy=_joined(line.remedy, *remedies),
    )


def _joined(*texts: str) -> str:
    return "; ".join(text for text in dict.fromkeys(texts) if text)
