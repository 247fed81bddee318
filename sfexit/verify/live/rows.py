"""The set of an object's records in the org, and what the archive has otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sfexit.errors import OrgRefused, Transient
from sfexit.verify.finding import Finding, not_made
from sfexit.verify.ids import id18
from sfexit.verify.live import asking
from sfexit.verify.live.archived import Archived
from sfexit.verify.live.asking import Way
from sfexit.verify.live.keys import (
    ID_BYTES,
    NO_STAMP,
    Difference,
    KeySet,
    differences,
    stamp,
    stamp_text,
)
from sfexit.verify.live.living import LOGS, MOVED_BY_SIGN_IN
from sfexit.verify.live.schema import Shape
from sfexit.verify.live.wire import Wire

CHECK = "rows"
LISTED = 20  # findings with an id of their own, per object and kind; the rest is one with a count
_LOOKED_UP = 2_000  # differing records asked for by id, per object
_IDS_A_QUERY = 150

REFRESH = "bring the archive up to date (sfexit export HOME --refresh), then verify again"


Fields = Mapping[str, Sequence[tuple[str, str, str]]]  # id → (field, in the org, in the archive)


@dataclass(frozen=True)
class Compared:
    """How the records of one object compare. Counts of all, findings of the first of each kind.

    `suspects`: ids (18 characters) whose values should be read to say what differs.
    """

    object: str
    way: str
    org_rows: int = 0
    bag_rows: int = 0
    org_deleted: int = 0
    missing: int = 0
    extra: int = 0
    stale: int = 0
    purged: int = 0  # in the archive as deleted, and since then gone for good
    newer: int = 0  # of the above: written after the archive was made
    logged: int = 0  # rows of a log, written since
    witnesses: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    suspects: tuple[str, ...] = ()
    asked: bool = True

    @property
    def equal(self) -> bool:
        """Whether both sides hold the same records in the same state."""
        return self.asked and not (self.missing or self.extra or self.stale)


def compare(
    wire: Wire,
    one: Archived,
    shape: Shape,
    way: Way,
    org: KeySet,
    bag: KeySet,
    witnesses: Mapping[str, int],
    *,
    fields_of: Fields | None = None,
) -> Compared:
    """Every record that is not the same on both sides, explained by time where it can be.

    `fields_of`: the fields that differ, by id, when the records were read again.
    """
    tally = _Tally(one, way, fields_of or {}, newer_than=_before(one.started))
    for difference in differences(org, bag):
        tally.add(difference)
    _look_up(wire, one, shape, tally)
    findings = tally.findings()
    findings += _count_findings(one, witnesses)
    return Compared(
        object=one.name,
        way=way.told,
        org_rows=org.count,
        bag_rows=bag.count,
        org_deleted=org.deleted,
        missing=tally.counts["missing"],
        extra=tally.counts["extra"],
        stale=tally.counts["stale"],
        purged=tally.counts["purged"],
        newer=tally.newer,
        logged=tally.counts["logged"],
        witnesses={**witnesses, "archive": bag.count},
        findings=tuple(findings),
        suspects=tuple(tally.suspects),
    )


def _count_findings(one: Archived, witnesses: Mapping[str, int]) -> list[Finding]:
    """COUNT() before and after agree with each other and not with the ids that came; or records
    tell of more inside of them than came."""
    told, some = witnesses.get("parents_told", 0), witnesses.get("parents_with", 0)
    if told > some:
        return [
            Finding(
                "count-differs",
                CHECK,
                object=one.name,
                expected=f"{told:,} posts say that they have some",
                found=f"{some:,} posts gave any",
                witness="SELECT COUNT() of the posts that count their own",
                count=told - some,
            )
        ]
    before, after = witnesses.get("count_before"), witnesses.get("count_after")
    got = witnesses.get("by_id")
    if before is None or before != after or got == before:
        return []
    return [
        Finding(
            "count-differs",
            CHECK,
            object=one.name,
            expected=f"{before:,} rows by COUNT(), twice",
            found=f"{got:,} ids",
            witness="SELECT COUNT() with deleted and archived rows, before and after",
            count=abs(before - (got or 0)),
        )
    ]


class _Tally:
    """Counts differences by kind and keeps the first of each."""

    def __init__(self, one: Archived, way: Way, fields_of: Fields, *, newer_than: bytes) -> None:
        self.counts = dict.fromkeys(("missing", "extra", "stale", "purged", "logged", "signed"), 0)
        self.newer = 0
        self.suspects: list[str] = []
        self.kept: dict[str, list[Difference]] = {"missing": [], "extra": [], "stale": []}
        self.created: dict[str, bool] = {}  # id15 → written after the archive was made
        self._one, self._way, self._fields_of = one, way, fields_of
        self._newer_than = newer_than
        self._by_sign_in = MOVED_BY_SIGN_IN.get(one.name, frozenset())

    def add(self, difference: Difference) -> None:
        """Sort one difference in."""
        if difference.bag is None:
            kind = "missing"
        elif difference.org is None:
            # It lay in the recycle bin when it was exported, and the bin was emptied since.
            kind = "purged" if difference.bag[ID_BYTES : ID_BYTES + 1] == b"1" else "extra"
        else:
            kind = self._changed(difference)
        self.counts[kind] += 1
        if kind in ("missing", "stale") and self.is_newer(difference):
            self.newer += 1
        if kind in self.kept and len(self.kept[kind]) < _LOOKED_UP:
            self.kept[kind].append(difference)

    def _changed(self, difference: Difference) -> str:
        """A record that both sides have: changed, or only moved by its user's signing in."""
        if not self._way.has_id:
            return "stale"
        record = id18(difference.id15)
        fields = {name for name, _, _ in self._fields_of.get(record, ())}
        if fields and fields <= self._by_sign_in:
            return "signed"
        if len(self.suspects) < (_LOOKED_UP if self._by_sign_in else LISTED):
            self.suspects.append(record)
        return "stale"

    def is_newer(self, difference: Difference) -> bool:
        """Whether the org's time stamp is later than the reading of the object began."""
        if self._way.content or not self._way.stamp or difference.org is None:
            return False
        return difference.org[ID_BYTES + 1 :] > self._newer_than > NO_STAMP

    def findings(self) -> list[Finding]:
        """One for each of the first records of a kind, and one for the rest."""
        found: list[Finding] = []
        for kind in ("missing", "stale", "extra"):
            kept = self.kept[kind]
            count = self.counts[kind]
            found += [self._finding(kind, one) for one in kept[:LISTED]]
            rest = count - min(len(kept), LISTED)
            if rest > 0:
                found.append(
                    Finding(
                        f"row-{kind}",
                        CHECK,
                        object=self._one.name,
                        expected=f"{count:,} in all; the first {LISTED} stand by id",
                        witness=f"the org's own {self._way.told}",
                        count=rest,
                        remedy=REFRESH,
                    )
                )
        for kind, words in (
            ("purged", "deleted records were purged from the org since; the archive keeps them"),
            ("logged", "rows of a log were written since; signing in writes them"),
            ("signed", "users signed in since, and nothing else of them changed"),
        ):
            if self.counts[kind]:
                found.append(
                    Finding("org-lives", CHECK, object=self._one.name, count=self.counts[kind],
                            detail=words)
                )  # fmt: skip
        return found

    def _finding(self, kind: str, difference: Difference) -> Finding:
        record = id18(difference.id15) if self._way.has_id else ""
        known = difference.id15 in self.created or bool(self._way.stamp)
        newer = self.created.get(difference.id15, self.is_newer(difference))
        since = f"since the export ({self._one.started})"
        if kind == "missing":
            detail = f"written {since}" if newer else (
                f"it was in the org when it was exported ({self._one.started})"
                if known else "the org does not say since when it is there"
            )  # fmt: skip
            expected, got = self._state(difference.org), "not in the archive"
        elif kind == "extra":
            detail = f"deleted for good {since}, or never there: the org does not say which"
            expected, got = "no such record in the org", self._state(difference.bag)
        else:
            detail = f"changed {since}" if newer else "not explained by a change since the export"
            expected, got = self._state(difference.org), self._state(difference.bag)
        fields = self._fields_of.get(record, ()) if kind == "stale" else ()
        if fields:
            detail += f"; fields: {', '.join(name for name, _, _ in fields[:8])}"
            if self._way.content:
                _, expected, got = fields[0]
        return Finding(
            f"row-{kind}",
            CHECK,
            object=self._one.name,
            record_id=record,
            expected=expected,
            found=got,
            witness=f"the org's own {self._way.told}",
            detail=detail,
            remedy=REFRESH if newer or kind == "extra" else "",
        )

    def _state(self, record: bytes | None) -> str:
        if record is None:
            return ""
        gone = ", deleted" if record[ID_BYTES : ID_BYTES + 1] == b"1" else ""
        if self._way.content:
            return f"content {record[ID_BYTES + 1 :].hex()[:12]}{gone}"
        if not self._way.stamp:
            return f"there{gone}"
        return f"{self._way.stamp} {stamp_text(record[ID_BYTES + 1 :])}{gone}"


def _look_up(wire: Wire, one: Archived, shape: Shape, tally: _Tally) -> None:
    """Ask for the differing records by id: when they were written, and whether they are there."""
    if not tally._way.has_id:
        return
    log = LOGS.get(one.name)
    moment = next((name for name in (log, "CreatedDate") if name and shape.has(name)), None)
    wanted = [d for kind in ("missing", "extra") for d in tally.kept[kind]]
    if not wanted:
        return
    there: dict[str, str] = {}
    asked: set[str] = set()
    for ids in _batches([d.id15 for d in wanted], _IDS_A_QUERY):
        quoted = ",".join(f"'{id18(told)}'" for told in ids)
        columns = ["Id", moment] if moment else ["Id"]
        try:
            for page in wire.pages(asking.soql(one.name, columns, f"Id IN ({quoted})")):
                for row in page.rows:
                    there[str(row.get("Id"))[:15]] = str(row.get(moment) or "") if moment else ""
            asked.update(ids)
        except (OrgRefused, Transient):
            continue  # then nothing explains them
    for difference in list(tally.kept["extra"]):
        if difference.id15 in there:
            # It was changed while the org was asked, so neither part of the answer had it.
            tally.kept["extra"].remove(difference)
            tally.counts["extra"] -= 1
    for difference in list(tally.kept["missing"]):
        if difference.id15 in asked and difference.id15 not in there:
            tally.kept["missing"].remove(difference)  # gone again meanwhile
            tally.counts["missing"] -= 1
            continue
        if not there.get(difference.id15):
            continue  # the org does not say since when
        newer = stamp(there[difference.id15]) > _before(one.started) > NO_STAMP
        tally.created[difference.id15] = newer
        if log and newer:
            tally.kept["missing"].remove(difference)
            tally.counts["missing"] -= 1
            tally.counts["logged"] += 1


def _before(started: str) -> bytes:
    """A minute before the reading of an object began: the org's clock may not be this one."""
    packed = stamp(started)
    if packed in (NO_STAMP, stamp("?")):
        return NO_STAMP
    return (int.from_bytes(packed, "big") - 60_000).to_bytes(len(packed), "big")


def _batches(values: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for at in range(0, len(values), size):
        yield values[at : at + size]


def not_asked(one: Archived, why: str) -> Compared:
    """The comparison that could not be made: UNKNOWN, never passed."""
    remedy = "give the user what the org asks for, or wait for a version that knows this object"
    return Compared(
        one.name, "", bag_rows=one.rows, asked=False,
        findings=(not_made(CHECK, why, object=one.name, remedy=remedy),),
    )  # fmt: skip


def all_rows(compared: Iterable[Compared]) -> int:
    """Records that were compared one by one."""
    return sum(max(one.org_rows, one.bag_rows) for one in compared if one.asked)
