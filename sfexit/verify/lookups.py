"""Do ids stand once, and does what refers to a record find it? Each relation by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass
from dataclasses import field as fields_of

import numpy as np

from sfexit.verify.contents import Contents
from sfexit.verify.derived import KEPT, LEFT
from sfexit.verify.finding import Finding
from sfexit.verify.grid import Places
from sfexit.verify.ids import Keys, changes, text
from sfexit.verify.images import NAMED as IMAGES
from sfexit.verify.refreshed import FOLDER as WIRE
from sfexit.verify.refreshed import GONE, NAMED
from sfexit.verify.refreshed import KIND as REFRESH
from sfexit.verify.runs import Runs

IDS, LOOKUPS, FILES = "ids", "lookups", "files"
_TOLD = 20
_EXAMPLES = 3
_NONE = np.empty(0, np.int64)

# Why what a row refers to may rightly not be here.
PURGED = "deleted for good, or made while the export ran"
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
    rich: Set[str],
    findings: list[Finding],
) -> dict[str, Relation]:
    """Go through all ids once. Returns what became of each relation, by `Object.Field`.

    `cascading`: relations whose parent takes its children along when it is deleted.
    `with_bodies`: objects whose every row has a line in the index of files, or one that says why
    its body is not here. `rich`: fields (`Object.Field`) whose images must be among the files.
    """
    relations: dict[str, Relation] = {}
    twice: Counter[str] = Counter()
    bare: Counter[str] = Counter()
    for found in runs.ranges():
        everything, places = _ranked(found)
        here = np.zeros(len(everything), np.bool_)
        for key, own in places.items():
            if "." in key or ":" in key:
                continue
            here[own] = True
            once, counts = _each_once(own)
            if len(once) != len(own):
                more = counts > 1
                _twice(key, everything[once[more]], counts[more], told, twice, findings)
            gone = once[np.isin(once, places.get(f"{GONE}:{key}", _NONE))]
            _differs(
                everything[gone], key, "no row, since the org has it no more", "a row", findings
            )
            if key in with_bodies:
                without = once[~np.isin(once, places.get(f"files:{key}", _NONE))]
                _bare(key, everything[without], bare, findings)
        for key, left in places.items():
            kind, _, name = key.partition(":")
            named = places.get(f"{NAMED}:{name}", _NONE)
            if kind == LEFT:
                lost = np.setdiff1d(left[~here[left]], named)
                _differs(everything[lost], name, "a row, or a line that says why it left its page",
                         "neither", findings)  # fmt: skip
            elif f"{kind}:" == IMAGES and name in rich:
                lost = np.setdiff1d(left, places.get(IMAGES, _NONE))
                _unshown(everything[lost], name, bare, findings)
            elif kind == KEPT:
                _differs(everything[np.intersect1d(left, named)], name,
                         "no row in a page taken over, since it differs", "a row",
                         findings)  # fmt: skip
        for key, referred in places.items():
            if "." in key and ":" not in key:
                once, _ = _each_once(referred)
                away = everything[once[~here[once]]]
                _resolve(relations, key, len(once), away, told, cascading)
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


def _each_once(places: Places) -> tuple[Places, Places]:
    """The different places, sorted, and how often each is there. By sorting: the hash table of
    `np.unique` took most of the time of this step."""
    found = np.sort(places)
    starts = np.flatnonzero(np.concatenate(([True], found[1:] != found[:-1]))[: len(found)])
    return found[starts], np.diff(starts, append=len(found))


def _ranked(found: Mapping[str, Keys]) -> tuple[Keys, dict[str, Places]]:
    """The different keys of a range, sorted, and by name the places there of each one's keys."""
    together = np.concatenate(list(found.values())) if found else np.empty((0, 2), np.uint64)
    order = np.lexsort((together[:, 1], together[:, 0]))
    together = together[order]
    new = changes(together)
    places = np.empty(len(order), np.int64)
    places[order] = np.cumsum(new) - 1
    ends = np.cumsum([len(keys) for keys in found.values()])[:-1]
    return together[new], dict(zip(found, np.split(places, ends), strict=True))


def _parents(told: Contents, relation: str) -> str:
    name, _, column = relation.partition(".")
    resource = told.resources.get(name)
    return ", ".join(resource.refers_to.get(column, ())) if resource is not None else ""


def _twice(
    name: str,
    keys: Keys,
    counts: Places,
    told: Contents,
    twice: Counter[str],
    findings: list[Finding],
) -> None:
    # That a failed reading has rows twice may be the very reason that its line gives.
    if told.ledger.get(name, {}).get("outcome") == "failed":
        return
    for key, count in zip(keys[: max(_TOLD - twice[name], 0)], counts, strict=False):
        findings.append(
            Finding("id-twice", IDS, object=name, record_id=text(key), expected="one row",
                    found=f"{count} rows")
        )  # fmt: skip
    twice[name] += len(keys)


def _bare(name: str, keys: Keys, bare: Counter[str], findings: list[Finding]) -> None:
    for key in keys[: max(_TOLD - bare[name], 0)]:
        findings.append(
            Finding("body-missing", FILES, object=name, record_id=text(key),
                    expected="a line in the index of files", found="none")
        )  # fmt: skip
    bare[name] += len(keys)


def _unshown(keys: Keys, field: str, bare: Counter[str], findings: list[Finding]) -> None:
    name, _, column = field.partition(".")
    for key in keys[: max(_TOLD - bare[field], 0)]:
        findings.append(
            Finding("body-missing", FILES, object=name, field=column, found="none",
                    expected=f"a line in the index of files for the image {text(key)}")
        )  # fmt: skip
    bare[field] += len(keys)


def _differs(keys: Keys, name: str, expected: str, found: str, findings: list[Finding]) -> None:
    for key in keys[:_TOLD]:
        findings.append(
            Finding("evidence-wrong", REFRESH, object=name, record_id=text(key), witness=WIRE,
                    expected=expected, found=found)
        )  # fmt: skip


def _resolve(
    relations: dict[str, Relation],
    key: str,
    distinct: int,
    away: Keys,
    told: Contents,
    cascading: frozenset[str],
) -> None:
    """Add what a range shows of a relation: how many ids it refers to, and those not here."""
    name, _, column = key.partition(".")
    relation = relations.setdefault(key, Relation(name, column))
    relation.distinct += distinct
    relation.found += distinct - len(away)
    for one in away[: max(_EXAMPLES - len(relation.examples), 0)]:
        relation.examples.append(text(one))
    prefixes, counts = np.unique(away[:, 0] >> np.uint64(40), return_counts=True)
    for prefix, count in zip(prefixes.tolist(), counts.tolist(), strict=True):
        why = _why(prefix.to_bytes(3, "big").decode("ascii"), key, told, cascading)
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
    return PURGED


def _read_before(told: Contents, relation: str, parents: list[dict[str, str]]) -> bool:
    """Whether the children had been read before the reading of their parents began.

    Then no child can be younger than the list of parents that is here.
    """
    finished = told.ledger.get(relation.partition(".")[0], {}).get("finished", "")
    return bool(finished) and all(finished <= line.get("started", "") for line in parents)
