"""Do ids stand once, and does what refers to a record find it? Each relation by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from dataclasses import dataclass
from dataclasses import field as fields_of

from sfexit.verify.contents import Contents
from sfexit.verify.finding import Finding
from sfexit.verify.ids import Runs
from sfexit.verify.refreshed import FOLDER as WIRE
from sfexit.verify.refreshed import GONE as WIRE_GONE
from sfexit.verify.refreshed import KIND as REFRESH

IDS, LOOKUPS, FILES = "ids", "lookups", "files"
_TOLD = 20
_EXAMPLES = 3

# Why what a row refers to may rightly not be here.
GONE = "deleted for good, or made while the export ran"
ELSEWHERE = "of an object that this org does not name"
NOT_HERE = "of an object that is not in the archive: "


@dataclass
class Relation:
    """One column that refers to other records. Counts are of different ids, not of rows."""

    object: str
    field: str
    distinct: int = 0
    found: int = 0
    explained: dict[str, int] = fields_of(default_factory=dict)  # why → how many
    open: int = 0
    examples: list[str] = fields_of(default_factory=list)  # ids that are not here


def sweep(
    runs: Runs,
    told: Contents,
    cascading: frozenset[str],
    with_bodies: Set[str],
    findings: list[Finding],
) -> dict[str, Relation]:
    """Go through all ids once. Returns what became of each relation, by `Object.Field`.

    `cascading`: relations whose parent takes its children along when it is deleted.
    `with_bodies`: objects whose every row has a line in the index of files, or one that says why
    its body is not here.
    """
    relations: dict[str, Relation] = {}
    twice: Counter[str] = Counter()
    bare: Counter[str] = Counter()
    for found in runs.ranges():
        here: set[str] = set()
        for key, ids in found.items():
            if "." in key or ":" in key:
                continue
            own = set(ids)
            if len(own) != len(ids):
                _twice(key, ids, told, twice, findings)
            here |= own
            _differs(key, own, found, findings)
            if key in with_bodies:
                _bare(key, own - set(found.get(f"files:{key}", ())), bare, findings)
        for key, ids in found.items():
            if "." in key and ":" not in key:
                _resolve(relations, key, set(ids), here, told, cascading)
    for key, relation in sorted(relations.items()):
        if relation.open:
            findings.append(
                Finding(
                    "lookup-open", LOOKUPS, object=relation.object, field=relation.field,
                    expected="the parent of every row, which cannot live without it",
                    found=f"{relation.open} parents are not here", count=relation.open,
                    detail=", ".join(relation.examples), witness=_parents(told, key),
                )
            )  # fmt: skip
        elif relation.explained:
            why = "; ".join(f"{count} {text}" for text, count in sorted(relation.explained.items()))
            findings.append(
                Finding(
                    "lookup-elsewhere", LOOKUPS, object=relation.object, field=relation.field,
                    expected=f"{relation.distinct} records", found=why,
                    count=relation.distinct - relation.found,
                    detail=", ".join(relation.examples),
                )
            )  # fmt: skip
    return relations


def _parents(told: Contents, relation: str) -> str:
    name, _, column = relation.partition(".")
    resource = told.resources.get(name)
    return ", ".join(resource.refers_to.get(column, ())) if resource is not None else ""


def _twice(
    name: str, ids: list[str], told: Contents, twice: Counter[str], findings: list[Finding]
) -> None:
    # That a failed reading has rows twice may be the very reason that its line gives.
    if told.ledger.get(name, {}).get("outcome") == "failed":
        return
    for one, count in Counter(ids).items():
        if count > 1:
            twice[name] += 1
            if twice[name] <= _TOLD:
                findings.append(
                    Finding("id-twice", IDS, object=name, record_id=one, expected="one row",
                            found=f"{count} rows")
                )  # fmt: skip


def _bare(name: str, ids: set[str], bare: Counter[str], findings: list[Finding]) -> None:
    for one in sorted(ids):
        bare[name] += 1
        if bare[name] <= _TOLD:
            findings.append(
                Finding("body-missing", FILES, object=name, record_id=one,
                        expected="a line in the index of files", found="none")
            )  # fmt: skip


def _differs(
    name: str, own: set[str], found: dict[str, list[str]], findings: list[Finding]
) -> None:
    for one in sorted(own & set(found.get(f"{WIRE_GONE}:{name}", ()))):
        findings.append(
            Finding("evidence-wrong", REFRESH, object=name, record_id=one, witness=WIRE,
                    expected="no row, since the org has it no more", found="a row")
        )  # fmt: skip


def _resolve(
    relations: dict[str, Relation],
    key: str,
    ids: set[str],
    here: set[str],
    told: Contents,
    cascading: frozenset[str],
) -> None:
    name, _, column = key.partition(".")
    relation = relations.setdefault(key, Relation(name, column))
    relation.distinct += len(ids)
    away = ids - here
    relation.found += len(ids) - len(away)
    if len(relation.examples) < _EXAMPLES and away:
        relation.examples += sorted(away)[: _EXAMPLES - len(relation.examples)]
    for prefix, count in Counter(one[:3] for one in away).items():
        why = _why(prefix, key, told, cascading)
        if why is None:
            relation.open += count
        else:
            relation.explained[why] = relation.explained.get(why, 0) + count


def _why(prefix: str, relation: str, told: Contents, cascading: frozenset[str]) -> str | None:
    """Why records of this prefix may rightly be absent; None when they should be here."""
    named = told.prefixes.get(prefix, [])
    if not named:
        return ELSEWHERE
    lines = [told.ledger.get(name, {}) for name in named]
    away = [
        name
        for name, line in zip(named, lines, strict=True)
        if line.get("outcome") not in ("exported", "empty") or line.get("remedy")
    ]
    if away:
        return NOT_HERE + ", ".join(sorted(away)[:3])
    if relation in cascading and _read_before(told, relation, lines):
        return None
    return GONE


def _read_before(told: Contents, relation: str, parents: list[dict[str, str]]) -> bool:
    """Whether the children had been read before the reading of their parents began.

    Then no child can be younger than the list of parents that is here.
    """
    finished = told.ledger.get(relation.partition(".")[0], {}).get("finished", "")
    return bool(finished) and all(finished <= line.get("started", "") for line in parents)
