"""The preflight inside an export: a look while records are read, or before, and a closer one after.

A look that fails ends as unknown and never stops an export; only `--strict` does, by
`refuse_blind_spots`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from sfexit import preflight
from sfexit.archive.ledger import LedgerLine
from sfexit.catalog import Description, ObjectEntry
from sfexit.errors import (
    Blocked,
    Interrupted,
    OrgRefused,
    Paused,
    SessionLost,
    SfexitError,
    Transient,
)
from sfexit.export.plan import NOT_NAMED, Selection
from sfexit.preflight import Sight
from sfexit.preflight.looking import record_counts
from sfexit.preflight.sight import UNKNOWN
from sfexit.progress import Progress
from sfexit.redaction import printable
from sfexit.salesforce import org as orgs
from sfexit.salesforce.client import Client

CLOSER_CALLS = 60  # about as many; an export of the smallest org takes as much
_STOPS_THE_RUN = (SessionLost, Paused, Interrupted)


def first_look(
    client: Client,
    entries: Sequence[ObjectEntry],
    counts: Mapping[str, int],
    progress: Progress,
) -> Sight:
    """What this user does not see. `counts` are the org's approximate row counts.

    Raises only what ends the run in any case: a lost session, a spent budget, a wish to stop, and
    Transient when the org does not answer anything any more: nothing is to be called unknown
    for good because the line was down for a moment.
    """
    try:
        sight = preflight.look(client, entries, rows=counts)
    except _STOPS_THE_RUN:
        raise
    except Exception as fault:  # an odd answer must not keep anybody from their data
        sight = preflight.not_looked(_why(fault))
        progress.note(f"what is hidden from this user could not be checked: {_why(fault)}")
    if any(spot.certainty == UNKNOWN for spot in sight.blind_spots):
        with suppress(OrgRefused):
            orgs.limits(client)
    return sight


def rough_counts(client: Client) -> dict[str, int]:
    """The org's approximate row counts; empty when it does not tell them."""
    try:
        return dict(record_counts(preflight.Questions(client)) or {})
    except _STOPS_THE_RUN:
        raise
    except Exception:  # an odd answer: they are only hints
        return {}


def closer_look(
    client: Client,
    sight: Sight,
    lines: Iterable[LedgerLine],
    describe: Callable[[str], Description],
    progress: Progress,
) -> Sight:
    """`sight` with the fields of objects that proved to have rows although they seemed empty, with
    what was changed in the org since it was read, and with what the user may not see any more.

    `describe` gives the describe that an object was read by, so nothing is asked for twice.
    """
    lines = list(lines)
    full = sorted((line for line in lines if line.has_rows), key=lambda line: -(line.rows or 0))
    with ThreadPoolExecutor(1, thread_name_prefix="rights") as beside:
        # Some calls one after the other, which need not wait for the others.
        asked = beside.submit(_rights, client, sight, lines, progress)
        seen = _fields_of_the_rest(client, sight, full, describe, progress)
        seen = _changes(client, seen, lines, full, describe, progress)
        rights = asked.result()
    if rights is sight:
        return seen
    return replace(
        seen,
        permissions=rights.permissions,
        all_rows_of=rights.all_rows_of,
        blind_spots=seen.blind_spots + rights.blind_spots[len(sight.blind_spots) :],
    )


def _fields_of_the_rest(
    client: Client,
    sight: Sight,
    full: Sequence[LedgerLine],
    describe: Callable[[str], Description],
    progress: Progress,
) -> Sight:
    wanted = [line.object for line in full if line.object in sight.fields_later]
    if not wanted:
        return sight
    progress.phase("Looking for what is hidden")
    questions = preflight.Questions(client)
    try:
        for name in wanted:
            with suppress(OrgRefused, Transient):
                questions.descriptions[name] = describe(name)
        return preflight.look_closer_within(
            client, sight, wanted, most_calls=CLOSER_CALLS, questions=questions
        )
    except _STOPS_THE_RUN:
        raise
    except Exception as fault:
        progress.note(f"hidden fields of {len(wanted):,} objects were not checked: {_why(fault)}")
        unchecked = {**sight.fields_unchecked, **dict.fromkeys(wanted, _why(fault))}
        return replace(sight, fields_unchecked=unchecked)


def _changes(
    client: Client,
    sight: Sight,
    lines: Sequence[LedgerLine],
    full: Sequence[LedgerLine],
    describe: Callable[[str], Description],
    progress: Progress,
) -> Sight:
    progress.phase("Looking for changes in the org")
    try:
        seen = preflight.look_again(
            client,
            sight,
            [line.object for line in full if line.fields_exported],
            describe,
            {line.object for line in lines},
            new_objects=not any(line.reason == NOT_NAMED for line in lines),
        )
    except _STOPS_THE_RUN:
        raise
    except Exception as fault:
        progress.note(f"whether the org was changed meanwhile was not checked: {_why(fault)}")
        return sight
    return sight if seen == sight else seen


def _rights(client: Client, sight: Sight, lines: Sequence[LedgerLine], progress: Progress) -> Sight:
    try:
        return preflight.rights_again(
            client,
            sight,
            [line.object for line in lines],
            {line.object: line.rows or 0 for line in lines},
        )
    except _STOPS_THE_RUN:
        raise
    except Exception as fault:
        progress.note(f"whether permissions were taken away was not checked: {_why(fault)}")
        if not sight.permissions:
            return sight  # the first look failed already, and says so
        unknown = preflight.not_asked_again(_why(fault))
        return replace(sight, blind_spots=(*sight.blind_spots, unknown))


def ledger(
    lines: Iterable[LedgerLine], sight: Sight, planned: Collection[str]
) -> tuple[LedgerLine, ...]:
    """The whole ledger: what was read, with what is hidden of it, and objects hidden entirely.

    `planned` are the objects that describeGlobal named. One of them that was hidden at the first
    look has been shown since, and its own line tells what became of it.
    """
    named = set(planned)
    told = [preflight.annotate(line, sight) for line in lines]
    told += [line for line in preflight.ledger_lines(sight) if line.object not in named]
    return tuple(sorted(told, key=lambda line: line.object))


def refuse_blind_spots(sight: Sight, selection: Selection, *, begun: bool) -> None:
    """What `--strict` is for. Raises Blocked unless everything was checked and is seen.

    What is hidden of objects that the user does not want anyway is no reason. `begun`: rows were
    already read by a user who does not see all.
    """
    spots = tuple(
        spot
        for spot in sight.blind_spots
        if not spot.object or selection.left_out(spot.object) is None
    )
    wanted = replace(sight, blind_spots=spots)
    refusals = preflight.refusals_for_strict(wanted)
    if not refusals:
        return
    labels = list(dict.fromkeys(printable(s.permission, 100) for s in spots if s.permission))
    lacking = f" (first of all {', '.join(labels[:3])})" if labels else ""
    more = f", and {len(refusals) - 1:,} more" if len(refusals) > 1 else ""
    end = (
        "give the permissions, then remove the folder work in the home to begin anew"
        if begun
        else "nothing was created"
    )
    raise Blocked(
        f"--strict: this user does not see everything{lacking}: {refusals[0].rstrip('.')}{more}; "
        f"`sfexit assess` lists all and writes a permission set; {end}"
    )


def _why(fault: Exception) -> str:
    if isinstance(fault, SfexitError):
        return printable(fault.message, 300)
    return f"an answer that is not understood ({type(fault).__name__})"
