"""The archive against itself: is this bag, whole and unchanged, what was sealed?

Needs no org and no network. `verify_offline` opens the bag, makes the checks of a level and
returns what it found as one value; it writes nowhere but into a folder for temporary files.
"""

from __future__ import annotations

import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sfexit.errors import Blocked, UsageProblem
from sfexit.redaction import printable
from sfexit.verify import bag as bags
from sfexit.verify import images, lookups, schema
from sfexit.verify.codes import Level
from sfexit.verify.contents import FILES, JOURNAL, Contents, check_sums, read_contents
from sfexit.verify.definitions import check_definitions
from sfexit.verify.dictionary import check_dictionary
from sfexit.verify.files import EVERY_ROW, check_index, left_out
from sfexit.verify.finding import Finding
from sfexit.verify.lookups import Relation
from sfexit.verify.metadata import check_metadata
from sfexit.verify.options import Options, Watch
from sfexit.verify.payload import Payload
from sfexit.verify.record import MOST_TOLD, Record
from sfexit.verify.refreshed import check_refresh
from sfexit.verify.runs import Runs, RunWriter
from sfexit.verify.tags import Tags
from sfexit.verify.verdict import Judgement, judge
from sfexit.verify.work import Memory

#: The checks of each level; a level makes those of the levels before it too.
QUICK = ("names", "tags", "seal", "contents")
NORMAL = (*QUICK, "digests")
#: Those that need all of the archive, so that a look at a part leaves them out.
ACROSS = ("ids", "lookups", "files", "schema", "metadata", "refresh", "journal")
DEEP = (*NORMAL, "pages", *ACROSS)
CHECKS = {Level.QUICK: QUICK, Level.NORMAL: NORMAL, Level.DEEP: DEEP}

__all__ = ["CHECKS", "Offline", "Options", "Watch", "verify_offline"]


@dataclass(frozen=True)
class Offline:
    """What an offline verification found."""

    bag: Path
    home: Path | None
    level: Level
    part: tuple[int, int]
    organization: str
    org_id: str
    generation: str
    api_version: str
    sealed: str
    root_digest: str
    fingerprint: str
    signature: str
    judgement: Judgement
    relations: tuple[Relation, ...]
    files: int
    bytes: int
    rows: int
    objects: int
    started: datetime
    seconds: float
    more: dict[str, int] = field(default_factory=dict)  # code → findings not kept


def verify_offline(
    place: Path,
    options: Options | None = None,
    *,
    watch: Watch | None = None,
    stop: threading.Event | None = None,
) -> Offline:
    """Verify the bag that `place` (a home or a bag) means, against itself.

    Raises UsageProblem when there is no bag, ArchiveProblem when the folder for the state is of
    another one, Paused when `max_seconds` are over, Interrupted when `stop` was set.
    """
    options = options or Options()
    number, of = options.part
    if not 1 <= number <= of:
        raise UsageProblem(f"there is no part {number} of {of}: the first is 1, the last {of}")
    target = bags.find_target(place)
    with ExitStack() as cleaning:
        run = _Offline(target, options, watch or Watch(), stop, cleaning)
        return run.verify()


class _Offline:
    def __init__(
        self,
        target: bags.Target,
        options: Options,
        watch: Watch,
        stop: threading.Event | None,
        cleaning: ExitStack,
    ) -> None:
        self.target, self.options, self.watch, self.stop = target, options, watch, stop
        self.bag = target.bag
        self.cleaning = cleaning
        self.record = Record(self.bag)
        self.told = Contents()
        self.tags = Tags(self.bag, self.record, root=options.expect_root, key=options.expect_key)
        self.relations: dict[str, Relation] = {}
        self.described = schema.Described()

    # --- the whole

    def verify(self) -> Offline:
        began, started = time.monotonic(), datetime.now(UTC)
        until = None if self.options.max_seconds is None else began + self.options.max_seconds
        self.watch.phase("Reading manifests and seal")
        self.record.attempt("tags", self.tags.check_tags)
        self.record.attempt("seal", self.tags.check_seal)
        self.watch.phase("Reading what the archive says it holds")
        self.record.attempt("contents", self.check_contents)
        self.watch.phase("Looking at the files")
        with tempfile.TemporaryDirectory(prefix="sfexit-verify-") as temp:
            folder = self.options.state or Path(temp)
            if self.bag.resolve() in (folder.resolve(), *folder.resolve().parents):
                raise Blocked(
                    f"{folder} lies inside the archive, where nothing may be written: "
                    "name another folder"
                )
            memory = self.memory()
            self.payload = Payload(
                self.bag, self.tags.manifest, self.told, self.options, self.record, self.watch,
                self.stop,
            )  # fmt: skip
            self.record.attempt("names", self.payload.check, folder, memory, until)
            if self.options.level is Level.DEEP and self.options.whole:
                self.watch.phase("Following ids from object to object")
                self.record.attempt("schema", self.check_schema)
                self.record.attempt("metadata", self.check_metadata)
                self.record.attempt("files", self.check_bodies, folder)
                self.record.attempt("refresh", self.check_refresh, folder)
                self.record.attempt("ids", self.check_ids, folder)
                self.record.attempt("journal", self.check_journal)
            if self.payload.bodies is not None:
                self.payload.bodies.close()
            if memory is not None:
                memory.forget()
        self.payload.swapped()
        return self.result(started, time.monotonic() - began)

    def result(self, started: datetime, seconds: float) -> Offline:
        required = [
            name for name in CHECKS[self.options.level] if self.options.whole or name not in ACROSS
        ]
        checks = self.record.judged(required)
        read = self.payload.looked
        info = self.told.info
        return Offline(
            bag=self.bag,
            home=self.target.home,
            level=self.options.level,
            part=self.options.part,
            organization=printable(info.get("Source-Organization", ""), 120),
            org_id=printable(info.get("External-Identifier", ""), 18),
            generation=printable(info.get("Sfexit-Generation", ""), 12),
            api_version=printable(info.get("Sfexit-Api-Version", ""), 12),
            sealed=printable(info.get("Bagging-Date", ""), 20),
            root_digest=self.tags.root,
            fingerprint=self.tags.fingerprint,
            signature=self.tags.signature,
            judgement=judge(checks, self.record.found, required=required, offline=True),
            relations=tuple(self.relations[key] for key in sorted(self.relations)),
            files=read[0],
            bytes=read[1],
            rows=read[2],
            objects=len(self.payload.read),
            started=started,
            seconds=seconds,
            more={
                code: count - MOST_TOLD
                for code, count in self.record.found.counts.items()
                if count > MOST_TOLD
            },
        )

    def memory(self) -> Memory | None:
        if self.options.state is None:
            return None
        about = {
            "schema": "sfexit-verify-state/2",
            "root_digest": self.tags.root,
            "level": self.options.level.value,
            "part": list(self.options.part),
        }
        memory = Memory(self.options.state, about)
        self.cleaning.callback(memory.close)
        return memory

    def check_contents(self) -> None:
        self.told = read_contents(self.bag, self.record.found)
        self.record.found += check_sums(self.told)
        self.check_before()
        # A whole archive has these; one without them was never sealed by us.
        for path in self.told.missing - {"data/org/sight.json", "data/evidence/jobs.csv"}:
            if not any(one.path == path for one in self.record.found):
                self.record.unmade("contents", f"{path} is missing")
        if not any(check.name == "contents" for check in self.record.checks):
            count = len(self.told.ledger)
            self.record.passed(
                "contents", f"{count} objects in the ledger, {len(self.told.pages)} pages"
            )

    def check_before(self) -> None:
        """That the bag before, where it is at hand, is the one that this bag was made from."""
        previous = self.told.info.get("Sfexit-Previous-Root")
        before = self.before()
        if previous and before is not None and bags.root_digest(before) != previous:
            self.record.found.append(
                Finding("evidence-wrong", "contents", path=bags.BAG_INFO, expected=previous,
                        found=bags.root_digest(before), witness=f"bags/{before.name}",
                        detail="the generation before is another one")
            )  # fmt: skip

    def before(self) -> Path | None:
        """The bag before this one in its home; None where it is not there."""
        if self.target.home is None or not self.bag.name.isdigit():
            return None
        before = self.bag.with_name(f"{int(self.bag.name) - 1:04d}")
        return before if before.is_dir() else None

    # --- deep

    def check_schema(self) -> None:
        self.described = schema.check_schema(self.bag, self.told, self.record.found)
        fields = check_dictionary(self.bag, self.told, self.payload.named, self.record.found)
        looked = f"{len(self.told.resources)} descriptions, {fields:,} fields in the dictionary"
        self.record.passed("schema", looked)

    def check_metadata(self) -> None:
        named, found = self.payload.named, self.record.found
        components = check_metadata(self.bag, named, found)
        definitions = check_definitions(self.bag, self.told, named, found)
        looked = f"{components:,} components, {definitions:,} reports and dashboards"
        self.record.passed("metadata", looked)

    def check_bodies(self, folder: Path) -> None:
        if self.payload.bodies is None:
            self.record.unmade("files", "no file could be read, since the manifest is missing")
            return
        writer = RunWriter(folder / "index.ids")
        (folder / "index.ids").unlink(missing_ok=True)
        lines = check_index(
            self.bag,
            self.told.files,
            self.told.bodies(),
            left_out(self.told.ledger),
            self.payload.bodies,
            writer,
            self.record.found,
        )
        writer.flush()
        self.payload.runs += writer.runs
        self.payload.bodies.close()
        (folder / "bodies.db").unlink(missing_ok=True)
        self.record.passed("files", f"{lines:,} lines of {FILES}")

    def check_refresh(self, folder: Path) -> None:
        writer = RunWriter(folder / "wire.ids")
        (folder / "wire.ids").unlink(missing_ok=True)
        looked = check_refresh(
            self.bag, self.before(), self.told, self.payload.named, writer, self.record.found
        )
        writer.flush()
        self.payload.runs += writer.runs
        self.record.passed("refresh", looked)

    def with_images(self) -> frozenset[str]:
        """Fields all of whose images should be among the files."""
        if not any(check.name == "files" and check.looked_at for check in self.record.checks):
            return frozenset()
        unwanted = left_out(self.told.ledger)
        return frozenset(
            field
            for field in self.described.rich
            if (name := field.partition(".")[0]) not in images.WITHOUT and name not in unwanted
        )

    def with_bodies(self) -> frozenset[str]:
        """Objects whose every row should be among the files; none where those are unread."""
        if not any(check.name == "files" and check.looked_at for check in self.record.checks):
            return frozenset()
        unwanted = left_out(self.told.ledger)  # nobody named these one by one
        return frozenset(
            name
            for name in EVERY_ROW & self.described.with_bodies - set(unwanted)
            if self.told.ledger.get(name, {}).get("outcome") == "exported"
        )

    def check_ids(self, folder: Path) -> None:
        if self.tags.manifest is None:
            for check in ("ids", "lookups"):
                self.record.unmade(check, "no row could be read, since the manifest is missing")
            return
        runs = Runs(folder, self.payload.runs)
        try:
            self.relations = lookups.sweep(
                runs,
                self.told,
                self.described.cascading,
                self.with_bodies(),
                self.with_images(),
                self.record.found,
            )
        finally:
            runs.close()
        distinct = sum(one.distinct for one in self.relations.values())
        self.record.passed("ids", f"{self.payload.looked[2]:,} rows")
        self.record.passed(
            "lookups", f"{len(self.relations)} relations, {distinct:,} different ids"
        )

    def check_journal(self) -> None:
        lines = schema.check_journal(self.bag, self.told, self.record.found)
        self.record.passed("journal", f"{lines:,} lines of {JOURNAL}")
