"""data/metadata/index.csv: one line for every component, and what became of it. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sfexit.export.metadata import packages
from sfexit.export.metadata.listing import Listed
from sfexit.export.metadata.packages import FAILED, Member, Package, Told

COLUMNS = ("type", "full_name", "packages", "managed", "outcome", "files", "bytes", "reason")
OUTCOMES = ("retrieved", "hidden", "partly", "missing", "failed", "left_out")
#: Outcomes of which something that the org has is not in the archive and could be.
INCOMPLETE = frozenset({"partly", "missing", "failed", "left_out"})
EVERYTHING = "*"
AGAIN = "export again with --anew"
WITH_RIGHT = (
    "give the user Modify Metadata Through Metadata API Functions (or Modify All Data), then "
    f"{AGAIN}"
)


@dataclass(frozen=True)
class Line:
    """A component. `*` as the name: all of the type; `*` as the type: everything."""

    type: str
    full_name: str
    packages: tuple[str, ...] = ()
    managed: bool = False
    outcome: str = "retrieved"
    files: int = 0
    bytes: int = 0
    reason: str = ""

    def cells(self) -> list[str]:
        """The line's values, in the order of COLUMNS."""
        counts = [str(self.files), str(self.bytes)] if self.packages else ["", ""]
        return [
            self.type,
            self.full_name,
            " ".join(self.packages),
            "true" if self.managed else "false",
            self.outcome,
            *counts,
            self.reason,
        ]


@dataclass(frozen=True)
class Summary:
    """The index in figures. `gaps`: (reason, example) of what is missing, the most frequent first.

    `outcomes` counts components by outcome; `types` are types with at least one component.
    """

    outcomes: dict[str, int] = field(default_factory=dict)
    types: int = 0
    managed: int = 0
    gaps: tuple[tuple[str, str, int], ...] = ()  # reason, example, how many

    @property
    def incomplete(self) -> int:
        """How many lines tell of something missing."""
        return sum(count for word, count in self.outcomes.items() if word in INCOMPLETE)


def nothing(outcome: str, reason: str) -> list[Line]:
    """The index of an export that took no metadata at all."""
    return [Line(EVERYTHING, EVERYTHING, outcome=outcome, reason=reason)]


def lines(listed: Listed, plan: Sequence[Package], told: dict[str, Told]) -> list[Line]:
    """The whole index, ordered by type and name."""
    if listed.refused:
        remedy = AGAIN if listed.passing else WITH_RIGHT
        return nothing("failed", f"{listed.refused.rstrip('.')}; {remedy}")
    in_packages: dict[Member, list[tuple[Package, Told]]] = defaultdict(list)
    for package, outcome in packages.all_leaves(plan, told):
        for member in package.wanted:
            in_packages[member].append((package, outcome))
    found = _Found(told)
    out = [
        Line(
            one.type,
            f"{one.folder}/{EVERYTHING}" if one.folder else EVERYTHING,
            outcome="failed",
            reason=f"the org would not list it: {one.reason}",
        )
        for one in listed.not_listed
    ]
    for member, one in packages.members(listed).items():
        line = found.line(member, in_packages.get(member, []))
        if one is None and line.outcome == "missing":
            continue  # nobody said that this org has it
        managed = one.managed if one is not None else False
        out.append(_with(line, managed))
    return sorted(out, key=lambda line: (line.type, line.full_name))


class _Found:
    """What the packages hold, by component."""

    def __init__(self, told: dict[str, Told]) -> None:
        self.files = {
            name: {(f[0], f[1]): (f[2], f[3]) for f in one.files} for name, one in told.items()
        }
        self.hidden = {name: frozenset(one.hidden) for name, one in told.items()}
        self.problems = {
            name: {(p[0], p[1]): p[2] for p in one.problems} for name, one in told.items()
        }

    def line(self, member: Member, where: list[tuple[Package, Told]]) -> Line:
        kind, name = member
        there: list[str] = []
        reasons: list[str] = []
        files = size = 0
        failed = hidden = False
        for package, told in where:
            if told.outcome == FAILED:
                failed = True
                reasons.append(f"package {package.name} failed: {told.reason}")
                continue
            count, total = self.files[package.name].get(member, (0, 0))
            if count and total:
                there.append(package.name)
                files, size = max(files, count), max(size, total)
                hidden = hidden or member in self.hidden[package.name]
            elif count:
                reasons.append("the org sent its file without content")
            else:
                said = self.problems[package.name].get(member)
                reasons.append(said or "the org named it, but its ZIP does not hold it")
        if there and not reasons:
            outcome = "hidden" if hidden else "retrieved"
            why = "the vendor of its package hides the code" if hidden else ""
            return Line(kind, name, tuple(there), False, outcome, files, size, why)
        reason = reasons[0] if reasons else "it was not asked for; export again"
        if there:
            return Line(kind, name, tuple(there), False, "partly", files, size, reason)
        return Line(kind, name, outcome="failed" if failed else "missing", reason=reason)


def _with(line: Line, managed: bool) -> Line:
    return Line(
        line.type, line.full_name, line.packages, managed, line.outcome, line.files, line.bytes,
        line.reason,
    )  # fmt: skip


def rows(index: Iterable[Line]) -> Iterator[Sequence[str]]:
    """The table, header first."""
    yield COLUMNS
    for line in index:
        yield line.cells()


def summary(table: Iterable[dict[str, str]]) -> Summary:
    """The figures of an index read as dictionaries."""
    outcomes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    examples: dict[str, str] = {}
    types: set[str] = set()
    managed = 0
    for row in table:
        outcome = row["outcome"]
        outcomes[outcome] += 1
        managed += row["managed"] == "true"
        if row["packages"]:
            types.add(row["type"])
        if outcome in INCOMPLETE:
            # Words about one component name it; without the name they are the same for many.
            reason = row["reason"].replace(row["full_name"], "…")
            reasons[reason] += 1
            examples.setdefault(reason, f"{row['type']} {row['full_name']}")
    gaps = tuple((reason, examples[reason], n) for reason, n in reasons.most_common())
    return Summary(dict(outcomes), len(types), managed, gaps)
