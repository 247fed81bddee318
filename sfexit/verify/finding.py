"""A finding: one thing that is not as it should be, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from sfexit.verify.codes import CODES, Severity


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, missing, or could not be checked.

    `kind` is the check that found it (a short name, such as "digests"). `object`, `record_id` and
    `path` say where, each empty when it does not apply. `path` is relative to the bag. `expected`
    and `found` are short texts, `witness` says who else knows: a file of the bag or a question to
    the org. `count`: how many records it speaks of when it is one line for many.

    All texts may hold what strangers wrote: print them through `redaction.printable`.
    """

    code: str
    kind: str
    object: str = ""
    record_id: str = ""
    path: str = ""
    field: str = ""
    expected: str = ""
    found: str = ""
    witness: str = ""
    count: int = 1
    remedy: str = ""
    detail: str = ""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"{self.code!r} is no code of a finding")
        if not self.remedy:
            object.__setattr__(self, "remedy", CODES[self.code].remedy)

    @property
    def severity(self) -> Severity:
        """What it does to the verdict."""
        return CODES[self.code].severity

    @property
    def cost(self) -> int:
        """1 is worst: see `Code.cost`."""
        return CODES[self.code].cost

    @property
    def key(self) -> str:
        """The name by which a waiver means this finding and no other: `code:object:record:field`.

        Parts that do not apply are left out from the end; a path stands in for the object, and
        a check that was not made is named: `check-not-made:check:object`.
        """
        parts = [self.code, self.object or self.path, self.record_id, self.field]
        if self.code == "check-not-made":
            parts.insert(1, self.kind)
        while not parts[-1]:
            parts.pop()
        return ":".join(parts)


def not_made(check: str, why: str, *, remedy: str = "", object: str = "") -> Finding:
    """The finding of a check that could not be made. It never counts as passed."""
    return Finding("check-not-made", check, object=object, found=why, remedy=remedy)


def rank(finding: Finding) -> tuple[int, int, int, str, str]:
    """Sorts findings by what they would cost, worst first; the same order every time."""
    order = (Severity.DAMAGE, Severity.UNKNOWN, Severity.NOTE)
    return (
        order.index(finding.severity),
        finding.cost,
        -finding.count,
        finding.key,
        finding.found,
    )
