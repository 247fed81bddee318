"""Rows read again by the other road, and compared field by field.

What the export read by Bulk is read by REST queries here, what it read by REST by the sObject
Collections resource, which knows no SOQL at all (and deleted rows, which that leaves out, by id).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sfexit.verify.finding import Finding, not_made
from sfexit.verify.live import asking, canonical
from sfexit.verify.live.archived import Archived, Bag
from sfexit.verify.live.asking import Way
from sfexit.verify.live.rows import LISTED
from sfexit.verify.live.scan import RANDOM, Sampled
from sfexit.verify.live.schema import Shape
from sfexit.verify.live.wire import URI_BYTES, Wire

CHECK = "values"
SUSPECT = "differs by the check of records"  # told there, field by field
_IDS_A_QUERY = 100
_NAMES_BYTES = 6_000  # of column names in one question
_SHOWN = 60  # characters of a value in a finding


@dataclass(frozen=True)
class Job:
    """The rows of one object to read again."""

    one: Archived
    shape: Shape
    way: Way
    samples: tuple[Sampled, ...]


@dataclass(frozen=True)
class Reread:
    """What came of reading rows of one object again.

    `drawn`, `drawn_wrong`: of the rows that chance chose; `chosen`: of those that were looked for.
    `moved`: rows that changed since the export, so their values say nothing (the check of rows
    names them). `differing`: field names by id, of every row that differs.
    """

    object: str
    drawn: int = 0
    drawn_wrong: int = 0
    chosen: int = 0
    fields: int = 0
    moved: int = 0
    gone: int = 0
    of_the_moment: int = 0
    findings: tuple[Finding, ...] = ()
    differing: Mapping[str, tuple[tuple[str, str, str], ...]] = field(default_factory=dict)
    unread: str = ""


def reread(wire: Wire, jobs: Sequence[Job]) -> list[Reread]:
    """Read the samples of several objects again, five questions a call."""
    questions: list[tuple[int, Sequence[str], Sequence[str], bool]] = []
    for at, job in enumerate(jobs):
        ids = list(dict.fromkeys(one.id18 for one in job.samples))
        collections = job.one.route != "bulk"
        for columns in _column_groups(_columns(job)):
            for part in _id_groups(ids, columns):
                questions.append((at, part, columns, collections))
    got: list[dict[str, dict[str, Any]]] = [{} for _ in jobs]
    refused: dict[int, str] = {}
    for again in (False, True):
        paths = [_path(wire, jobs[at], ids, cols, coll) for at, ids, cols, coll in questions]
        missing: list[tuple[int, Sequence[str], Sequence[str], bool]] = []
        for question, reply in zip(questions, wire.many(paths), strict=True):
            at, asked, names, collections = question
            if not reply.ok:
                if collections:
                    missing.append((at, asked, names, False))
                else:
                    refused[at] = reply.refusal
                continue
            records = (
                reply.body if collections else [r for p in wire.further(reply) for r in p.rows]
            )
            came = set()
            for record in records if isinstance(records, list) else []:
                if isinstance(record, dict):
                    came.add(str(record.get("Id")))
                    got[at].setdefault(str(record.get("Id")), {}).update(record)
            left = [one for one in asked if one not in came]
            if collections and left:
                missing.append((at, left, names, False))
        questions = missing
        if again or not questions:
            break
    return [
        unread(job, refused[at]) if at in refused else _compare(job, got[at])
        for at, job in enumerate(jobs)
    ]


def by_content(one: Archived, samples: Sequence[Sampled]) -> Reread:
    """Rows that need no second reading: every value of the object was compared with the org's."""
    drawn = sum(sample.why == RANDOM for sample in samples)
    return Reread(one.name, drawn=drawn, chosen=len({s.id18 for s in samples}) - drawn)


def unread(job: Job, why: str) -> Reread:
    """Rows that could not be read again: UNKNOWN, never passed."""
    finding = not_made(CHECK, f"rows could not be read again: {why}", object=job.one.name)
    return Reread(job.one.name, findings=(finding,), unread=why)


def _columns(job: Job) -> list[str]:
    wanted = [
        name
        for name in job.shape.comparable(job.one.columns)
        if name not in canonical.OF_THE_READER and name != "Id"
    ]
    return ["Id", *wanted]


def _column_groups(columns: Sequence[str]) -> Iterator[list[str]]:
    group, size = ["Id"], 3
    for name in columns[1:]:
        if size + len(name) + 1 > _NAMES_BYTES:
            yield group
            group, size = ["Id"], 3
        group.append(name)
        size += len(name) + 1
    yield group


def _id_groups(ids: Sequence[str], columns: Sequence[str]) -> Iterator[Sequence[str]]:
    room = URI_BYTES - 400 - sum(len(name) + 1 for name in columns)
    size = max(1, min(_IDS_A_QUERY, room // 26))
    for at in range(0, len(ids), size):
        yield ids[at : at + size]


def _path(
    wire: Wire, job: Job, ids: Sequence[str], columns: Sequence[str], collections: bool
) -> str:
    if collections:
        told = f"ids={','.join(ids)}&fields={quote(','.join(columns), safe=',')}"
        return f"/composite/sobjects/{job.one.name}?{told}"
    quoted = ",".join(f"'{one}'" for one in ids)
    return wire.address(asking.soql(job.one.name, columns, f"Id IN ({quoted})"))


def _compare(job: Job, got: Mapping[str, Mapping[str, Any]]) -> Reread:
    where = {name: at for at, name in enumerate(job.one.columns)}
    columns = _columns(job)
    stamp = next((n for n in ("SystemModstamp", "LastModifiedDate") if n in columns), "")
    findings: list[Finding] = []
    differing: dict[str, tuple[tuple[str, str, str], ...]] = {}
    tally = dict.fromkeys(("drawn", "wrong", "chosen", "moved", "gone", "moment", "fields"), 0)
    done: dict[str, bool] = {}
    for sample in job.samples:
        record = got.get(sample.id18)
        if record is None:
            tally["gone"] += sample.id18 not in done
            done[sample.id18] = False
            continue
        told = _differences(job, sample, record, columns, where)
        moment = [one for one in told if one[0] in _volatile(job.shape)]
        wrong = tuple(one for one in told if one not in moment)
        if stamp and any(one[0] == stamp for one in wrong):
            differing.setdefault(sample.id18, wrong)
            tally["moved"] += sample.id18 not in done
            done[sample.id18] = False
            continue
        if sample.why == RANDOM:
            tally["drawn"] += 1
            tally["wrong"] += bool(wrong)
        elif sample.id18 not in done:
            tally["chosen"] += sample.why != SUSPECT
        if sample.id18 in done:
            continue
        done[sample.id18] = True
        tally["fields"] += len(columns)
        tally["moment"] += len(moment)
        if wrong:
            differing[sample.id18] = wrong
        if sample.why != SUSPECT:
            findings += [_finding(job, sample, one) for one in wrong]
    listed = findings[:LISTED]
    if len(findings) > LISTED:
        listed.append(
            Finding("value-differs", CHECK, object=job.one.name, count=len(findings) - LISTED)
        )
    return Reread(
        job.one.name,
        drawn=tally["drawn"],
        drawn_wrong=tally["wrong"],
        chosen=tally["chosen"],
        fields=tally["fields"],
        moved=tally["moved"],
        gone=tally["gone"],
        of_the_moment=tally["moment"],
        findings=tuple(listed),
        differing=differing,
    )


def _volatile(shape: Shape) -> frozenset[str]:
    return frozenset(
        one.name for one in shape.fields.values() if canonical.depends_on_the_moment(one)
    )


def _differences(
    job: Job,
    sample: Sampled,
    record: Mapping[str, Any],
    columns: Sequence[str],
    where: Mapping[str, int],
) -> list[tuple[str, str, str]]:
    found = []
    for name in columns:
        kind = job.shape.fields[name].type
        here = canonical.from_cell(sample.cells[where[name]], kind)
        there = canonical.from_json(record.get(name), kind)
        if here != there:
            found.append((name, shown(there, here), shown(here, there)))
    return found


def shown(value: str | None, other: str | None) -> str:
    """A value for people: short, and around the place where it differs from the other."""
    if value is None:
        return "empty"
    if len(value) <= _SHOWN:
        return repr(value)
    at = next((i for i, (a, b) in enumerate(zip(value, other or "", strict=False)) if a != b), 0)
    start = max(0, min(at - 10, len(value) - _SHOWN))
    return f"{value[start : start + _SHOWN]!r} from character {start + 1} of {len(value):,}"


def _finding(job: Job, sample: Sampled, one: tuple[str, str, str]) -> Finding:
    name, expected, found = one
    road = "REST query by id" if job.one.route == "bulk" else "sObject Collections"
    return Finding(
        "value-differs",
        CHECK,
        object=job.one.name,
        record_id=sample.id18,
        field=name,
        expected=expected,
        found=found,
        witness=f"the record read again by {road}",
        detail=f"chosen as: {sample.why}",
    )


def rows_by_id(bag: Bag, one: Archived, ids: frozenset[str], why: str) -> tuple[Sampled, ...]:
    """These rows of the archive, by one more pass over the object's pages."""
    if "Id" not in one.columns:
        return ()
    at = one.columns.index("Id")
    found = [
        Sampled(one.name, cells[at], tuple(cells), why)
        for cells in bag.rows(one)
        if cells[at] in ids
    ]
    return tuple(found)
