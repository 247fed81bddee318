"""The archive against itself: is this bag, whole and unchanged, what was sealed?

Needs no org and no network. `verify_offline` opens the bag, makes the checks of a level and
returns what it found as one value; it writes nowhere but into a folder for temporary files.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from sfexit.archive import signing
from sfexit.errors import Blocked, UsageProblem
from sfexit.redaction import printable
from sfexit.verify import bag as bags
from sfexit.verify import lookups, schema
from sfexit.verify.bag import Entry, Manifest
from sfexit.verify.codes import Level, Severity
from sfexit.verify.contents import (
    FILES,
    JOURNAL,
    PACKAGE,
    PAGES,
    UNREADABLE,
    Contents,
    check_sums,
    read_contents,
)
from sfexit.verify.files import Bodies, check_index
from sfexit.verify.finding import Finding
from sfexit.verify.ids import Run, Runs, RunWriter
from sfexit.verify.lookups import Relation
from sfexit.verify.unpack import Broken
from sfexit.verify.verdict import Check, Judgement, Result, judge
from sfexit.verify.work import Done, Item, Memory, carry_out, perform, tasks

#: The checks of each level; a level makes those of the levels before it too.
QUICK = ("names", "tags", "seal", "contents")
NORMAL = (*QUICK, "digests")
DEEP = (*NORMAL, "pages", "ids", "lookups", "files", "schema", "journal")
CHECKS = {Level.QUICK: QUICK, Level.NORMAL: NORMAL, Level.DEEP: DEEP}

_BODY_BYTES = 8 << 20  # work below this is not worth a second process
_MANY_FILES = 5_000
_MOST_TOLD = 1_000  # findings of one code that are kept; the rest is counted


@dataclass(frozen=True)
class Options:
    """How to look. `part` is (n, of): only that share of the files, by a checksum of their names.

    `state` is a folder in which a run that was cut short finds what earlier ones did.
    """

    level: Level = Level.NORMAL
    expect_key: str | None = None
    expect_root: str | None = None
    part: tuple[int, int] = (1, 1)
    max_seconds: float | None = None
    state: Path | None = None
    workers: int = 0  # 0: as many as the machine has processors


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


class Watch:
    """Who wants to know how far it is. Called from one thread."""

    def phase(self, name: str) -> None: ...

    def looked(self, files: int, of: int, size: int, rows: int) -> None: ...


class _Found(list[Finding]):
    """A list of findings that does not grow without end."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}

    def append(self, finding: Finding) -> None:
        self.counts[finding.code] = self.counts.get(finding.code, 0) + 1
        if self.counts[finding.code] <= _MOST_TOLD:
            super().append(finding)

    def extend(self, findings: object) -> None:
        for finding in findings:  # type: ignore[attr-defined]
            self.append(finding)

    def __iadd__(self, findings: object) -> _Found:  # type: ignore[override,misc]
        self.extend(findings)
        return self


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
        self.found = _Found()
        self.checks: list[Check] = []
        self.deep = options.level is Level.DEEP
        self.whole = options.part == (1, 1)
        self.told = Contents()
        self.root = self.fingerprint = ""
        self.signature = "not valid"
        self.manifest: Manifest | None = None
        self.beside: dict[str, int] = {}
        self.payload = [0, 0]  # bytes and files that are there
        self.listed: dict[str, str] = {}  # of the files read for the contents
        self.looked = [0, 0, 0]
        self.read: dict[str, int] = {}
        self.deleted: dict[str, int] = {}
        self.strangers: dict[str, str] = {}
        self.runs: list[Run] = []
        self.relations: dict[str, Relation] = {}
        self.cascading: frozenset[str] = frozenset()
        self.bodies: Bodies | None = None

    # --- the whole

    def verify(self) -> Offline:
        began, started = time.monotonic(), datetime.now(UTC)
        until = None if self.options.max_seconds is None else began + self.options.max_seconds
        self.watch.phase("Reading manifests and seal")
        self.attempt("tags", self.check_tags)
        self.attempt("seal", self.check_seal)
        self.watch.phase("Reading what the archive says it holds")
        self.attempt("contents", self.check_contents)
        self.watch.phase("Looking at the files")
        with tempfile.TemporaryDirectory(prefix="sfexit-verify-") as temp:
            folder = self.options.state or Path(temp)
            if self.bag.resolve() in (folder.resolve(), *folder.resolve().parents):
                raise Blocked(
                    f"{folder} lies inside the archive, where nothing may be written: "
                    "name another folder"
                )
            memory = self.memory()
            self.attempt("names", self.check_files, folder, memory, until)
            if self.deep and self.whole:
                self.watch.phase("Following ids from object to object")
                self.attempt("schema", self.check_schema)
                self.attempt("files", self.check_bodies, folder)
                self.attempt("ids", self.check_ids, folder)
                self.attempt("journal", self.check_journal)
            if self.bodies is not None:
                self.bodies.close()
            if memory is not None:
                memory.forget()
        self.swapped()
        return self.result(started, time.monotonic() - began)

    def attempt(self, check: str, step: Callable[..., None], *given: object) -> None:
        """Make a check. What stops it makes it unknown, or is damage."""
        try:
            step(*given)
        except Broken as broken:
            self.found.append(Finding(broken.code, check, found=broken.found))
        except FileNotFoundError as error:
            name = printable(str(error.filename or ""), 200).removeprefix(f"{self.bag}/")
            self.unmade(check, f"{name} is missing")
        except OSError as error:
            self.unmade(check, f"the file system refused: {error.strerror}")
        except UNREADABLE as error:
            self.unmade(check, f"a file is not of the form it should be: {error!r:.160}")

    def unmade(self, check: str, why: str) -> None:
        self.checks.append(Check(check, Result.UNKNOWN, why=printable(why, 300)))

    def passed(self, check: str, looked_at: str) -> None:
        self.checks.append(Check(check, Result.PASSED, looked_at))

    def result(self, started: datetime, seconds: float) -> Offline:
        failed = {one.kind for one in self.found if one.severity is Severity.DAMAGE}
        unknown = {one.kind for one in self.found if one.severity is Severity.UNKNOWN}
        checks = []
        for check in self.checks:
            result = check.result
            if check.name in failed:
                result = Result.FAILED
            elif check.name in unknown:
                result = Result.UNKNOWN
            checks.append(Check(check.name, result, check.looked_at, check.why))
        names = [check.name for check in checks]
        required = [
            name
            for name in CHECKS[self.options.level]
            if self.whole or name not in ("ids", "lookups", "files", "schema", "journal")
        ]
        # A check that broke off at damage it named failed; it is not merely unmade.
        checks += [Check(n, Result.FAILED) for n in required if n not in names and n in failed]
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
            root_digest=self.root,
            fingerprint=self.fingerprint,
            signature=self.signature,
            judgement=judge(checks, self.found, required=required, offline=True),
            relations=tuple(self.relations[key] for key in sorted(self.relations)),
            files=self.looked[0],
            bytes=self.looked[1],
            rows=self.looked[2],
            objects=len(self.read),
            started=started,
            seconds=seconds,
            more={
                code: count - _MOST_TOLD
                for code, count in self.found.counts.items()
                if count > _MOST_TOLD
            },
        )

    def memory(self) -> Memory | None:
        if self.options.state is None:
            return None
        about = {
            "schema": "sfexit-verify-state/1",
            "root_digest": self.root,
            "level": self.options.level.value,
            "part": list(self.options.part),
        }
        memory = Memory(self.options.state, about)
        self.cleaning.callback(memory.close)
        return memory

    # --- manifests and seal

    def check_tags(self) -> None:
        tags = Manifest(self.bag, bags.TAG_MANIFEST)
        self.root = tags.sha256
        self.found += tags.findings
        listed = dict(tags)
        expected = self.options.expect_root
        if expected is not None and expected.lower() != self.root:
            self.found.append(
                Finding("root-other", "tags", path=bags.TAG_MANIFEST, expected=expected,
                        found=self.root)
            )  # fmt: skip
        try:
            self.manifest = Manifest(self.bag)
            self.found += self.manifest.findings
        except FileNotFoundError:
            pass
        for path in sorted({bags.BAGIT, bags.BAG_INFO, bags.MANIFEST, *listed}):
            try:
                if path == bags.MANIFEST and self.manifest is not None:
                    digest = self.manifest.sha256
                else:
                    content = bags.read_small(self.bag, path)
                    digest = hashlib.sha256(content).hexdigest()
                    if path == bags.BAGIT and content != bags.DECLARATION:
                        self.tag("tag-altered", path, "a BagIt 1.0 declaration", "another text")
            except FileNotFoundError:
                self.tag("tag-missing", path, "a file", "none")
                continue
            except ValueError as error:
                self.tag("tag-altered", path, listed.get(path, ""), str(error))
                continue
            if path not in listed:
                self.tag("tag-altered", bags.TAG_MANIFEST, f"a line for {path}", "none")
            elif digest != listed[path]:
                self.tag("tag-altered", path, listed[path], digest)
        self.passed("tags", f"{len(listed)} tag files, root digest {self.root}")

    def tag(self, code: str, path: str, expected: str, found: str) -> None:
        self.found.append(
            Finding(code, "tags", path=path, expected=expected, found=found,
                    witness=bags.TAG_MANIFEST)
        )  # fmt: skip

    def check_seal(self) -> None:
        result = signing.check_seal(self.bag, self.options.expect_key)
        self.fingerprint = result.fingerprint or ""
        expected = self.options.expect_key
        for told in result.findings:
            path, _, text = told.partition(": ")
            if path == bags.TAG_MANIFEST and text == "is missing":
                self.tag("tag-missing", path, "a file", "none")
            elif expected and text.endswith(f"expected {expected}"):
                self.seal("signer-other", path, expected or "", self.fingerprint)
            elif text == "is missing":
                self.seal("seal-missing", path, "a file", "none")
            else:
                self.seal("seal-invalid", path, "", printable(text, 160))
        if result.valid and expected is None:
            self.signature = "unchanged since it was signed, signer unknown"
        elif result.signer_known:
            self.signature = "unchanged since it was signed, by the expected key"
        elif result.valid:
            self.signature = "unchanged since it was signed, but by another key than expected"
        elif not any(one.kind == "seal" for one in self.found):
            self.seal("seal-invalid", "seal/", "three signatures that hold", "they do not")
        self.passed("seal", self.signature)

    def seal(self, code: str, path: str, expected: str, found: str) -> None:
        self.found.append(Finding(code, "seal", path=path, expected=expected, found=found))

    def check_contents(self) -> None:
        self.told = read_contents(self.bag, self.found)
        self.found += check_sums(self.told)
        previous = self.told.info.get("Sfexit-Previous-Root")
        if previous and self.target.home is not None and self.bag.name.isdigit():
            before = self.bag.with_name(f"{int(self.bag.name) - 1:04d}")
            if before.is_dir() and bags.root_digest(before) != previous:
                self.found.append(
                    Finding("evidence-wrong", "contents", path=bags.BAG_INFO, expected=previous,
                            found=bags.root_digest(before), witness=f"bags/{before.name}",
                            detail="the generation before is another one")
                )  # fmt: skip
        # A whole archive has these; one without them was never sealed by us.
        for path in self.told.missing - {"data/org/sight.json", "data/evidence/jobs.csv"}:
            if not any(one.path == path for one in self.found):
                self.unmade("contents", f"{path} is missing")
        if not any(check.name == "contents" for check in self.checks):
            count = len(self.told.ledger)
            self.passed("contents", f"{count} objects in the ledger, {len(self.told.pages)} pages")

    # --- the files

    def check_files(self, folder: Path, memory: Memory | None, until: float | None) -> None:
        if self.manifest is None:
            self.unmade("names", f"{bags.MANIFEST} is missing")
            self.unmade("digests", f"{bags.MANIFEST} is missing")
            return
        items = self.items(self.manifest)
        if self.options.level is Level.QUICK:
            for _ in items:
                pass
        else:
            self.look(items, folder, memory, until)
            self.passed("digests", f"{self.looked[0]:,} files, {self.looked[1]:,} bytes")
        self.beside_data()
        self.oxum()
        if self.deep:
            self.rows_of_tables()
            self.passed("pages", f"{self.looked[2]:,} rows of {len(self.read)} objects")
        self.passed("names", f"{self.payload[1]:,} files")

    def items(self, manifest: Manifest) -> Iterator[Item]:
        """The files to read, by path; names and sizes are checked on the way."""
        claimed = self.told.claimed()
        columns = {path: one.columns for one in self.told.resources.values() for path in one.paths}
        judged = PACKAGE not in self.told.missing and PAGES not in self.told.missing
        for entry in bags.inventory(self.bag, manifest, self.found, self.beside):
            page = self.told.pages.get(entry.path)
            self.name(entry)
            if judged and entry.path.startswith("data/records/") and entry.path not in claimed:
                self.found.append(
                    Finding("evidence-wrong", "contents", path=entry.path,
                            expected="a table that it belongs to", found="none", witness=PACKAGE)
                )  # fmt: skip
            if page is not None:
                self.compare(entry, page.sha256, page.bytes)
            if entry.path in self.told.digests and entry.digest is not None:
                self.compare(entry, self.told.digests[entry.path], None)
            if entry.size is None or not self.is_mine(entry):
                continue
            if entry.digest is None:
                continue
            body = self.deep and entry.path.startswith("data/files/content/")
            yield Item(entry, page, columns.get(entry.path) if self.deep else None, body)

    def is_mine(self, entry: Entry) -> bool:
        if self.whole:
            return True
        number, of = self.options.part
        # All pages of an object fall into one part, so that its rows can be added up.
        page = self.told.pages.get(entry.path)
        name = page.object if page is not None and self.deep else entry.path
        return zlib.crc32(name.encode()) % of == number - 1

    def name(self, entry: Entry) -> None:
        if entry.size is None:
            self.found.append(
                Finding("file-missing", "names", path=entry.path,
                        object=self.object_of(entry.path), expected="a file", found="none",
                        witness=bags.MANIFEST)
            )  # fmt: skip
            return
        self.payload[0] += entry.size
        self.payload[1] += 1
        if entry.digest is None:
            self.found.append(
                Finding("file-unlisted", "names", path=printable(entry.path, 300),
                        expected="no such file", found=f"{entry.size:,} bytes",
                        witness=bags.MANIFEST)
            )  # fmt: skip

    def object_of(self, path: str) -> str:
        page = self.told.pages.get(path)
        return page.object if page is not None else ""

    def compare(self, entry: Entry, digest: str, size: int | None) -> None:
        """What the evidence says of a file, or what it was when it was read, with the manifest."""
        if size is not None and entry.size is not None and entry.size != size:
            self.found.append(
                Finding("file-size", "names", path=entry.path, object=self.object_of(entry.path),
                        expected=f"{size} bytes", found=f"{entry.size} bytes", witness=PAGES)
            )  # fmt: skip
        if size is None and entry.digest != digest:
            if self.options.level is Level.QUICK:
                self.found.append(
                    Finding("file-altered", "contents", path=entry.path,
                            expected=entry.digest or "", found=digest, witness=bags.MANIFEST)
                )  # fmt: skip
        elif size is not None and entry.digest is not None and entry.digest != digest:
            self.found.append(
                Finding("evidence-wrong", "contents", path=entry.path,
                        object=self.object_of(entry.path), expected=entry.digest, found=digest,
                        witness=PAGES, detail="evidence and manifest name different digests")
            )  # fmt: skip

    def look(
        self, items: Iterator[Item], folder: Path, memory: Memory | None, until: float | None
    ) -> None:
        if self.deep:
            self.bodies = Bodies(folder)
        workers = self.options.workers or os.cpu_count() or 1
        total = self.manifest.files if self.manifest is not None else 0
        job = partial(perform, self.bag, folder if self.deep else None)
        with self.executor(workers, total) as executor:
            for done in carry_out(
                tasks(items),
                job,
                executor=executor,
                at_once=2 * workers,
                memory=memory,
                stop=self.stop,
                until=until,
            ):
                self.take(done)
                self.watch.looked(self.looked[0], total, self.looked[1], self.looked[2])

    def executor(self, workers: int, files: int) -> Executor:
        """Threads hash side by side; rows and very many files are Python's own work, which only
        other processes do side by side."""
        size = sum(page.csv_bytes for page in self.told.pages.values()) if self.deep else 0
        if workers > 1 and (size > _BODY_BYTES or files > _MANY_FILES):
            return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        return ThreadPoolExecutor(workers)

    def take(self, done: Done) -> None:
        self.found += done.findings
        self.strangers |= done.strangers
        self.runs += done.runs
        for name, count in done.rows.items():
            self.read[name] = self.read.get(name, 0) + count
            self.looked[2] += count
        for name, count in done.deleted.items():
            self.deleted[name] = self.deleted.get(name, 0) + count
        if self.bodies is not None and done.bodies:
            self.bodies.add(done.bodies)
        self.looked[0] += done.files
        self.looked[1] += done.bytes

    def beside_data(self) -> None:
        tags = {bags.BAGIT, bags.BAG_INFO, bags.MANIFEST, bags.TAG_MANIFEST}
        for path, size in sorted(self.beside.items()):
            if path not in tags and path not in bags.SEAL_FILES:
                self.found.append(
                    Finding("file-unlisted", "names", path=printable(path, 300),
                            expected="no such file", found=f"{size:,} bytes")
                )  # fmt: skip

    def oxum(self) -> None:
        told = self.told.info.get("Payload-Oxum", "")
        here = f"{self.payload[0]}.{self.payload[1]}"
        if told != here:
            self.found.append(
                Finding("oxum-wrong", "names", path=bags.BAG_INFO, expected=told or "a number",
                        found=here, witness="bytes and number of the files that are there")
            )  # fmt: skip

    def rows_of_tables(self) -> None:
        """Rows that were read against the ledger; a page that cannot be read was named already."""
        spoiled = {
            one.object
            for one in self.found
            if one.object and one.kind in ("pages", "names", "digests")
        }
        for name, resource in self.told.resources.items():
            if name in spoiled or (not self.whole and name not in self.read):
                continue
            if self.read.get(name, 0) != resource.rows:
                self.found.append(
                    Finding("rows-wrong", "pages", object=name, expected=str(resource.rows),
                            found=str(self.read.get(name, 0)), witness=PACKAGE)
                )  # fmt: skip
            told = self.told.ledger.get(name, {}).get("deleted_rows", "")
            if told and told != str(self.deleted.get(name, 0)):
                self.found.append(
                    Finding("ledger-wrong", "pages", object=name, path="data/ledger.csv",
                            expected=f"{told} deleted rows", found=str(self.deleted.get(name, 0)))
                )  # fmt: skip

    # --- deep

    def check_schema(self) -> None:
        self.cascading = schema.check_schema(self.bag, self.told, self.found)
        self.passed("schema", f"{len(self.told.resources)} descriptions")

    def check_bodies(self, folder: Path) -> None:
        if self.bodies is None:
            self.unmade("files", "no file could be read, since the manifest is missing")
            return
        writer = RunWriter(folder / "index.ids")
        (folder / "index.ids").unlink(missing_ok=True)
        lines = check_index(
            self.bag, self.told.files, self.told.bodies(), self.bodies, writer, self.found
        )
        writer.flush()
        self.runs += writer.runs
        self.bodies.close()
        (folder / "bodies.db").unlink(missing_ok=True)
        self.passed("files", f"{lines:,} lines of {FILES}")

    def check_ids(self, folder: Path) -> None:
        if self.manifest is None:
            for check in ("ids", "lookups"):
                self.unmade(check, "no row could be read, since the manifest is missing")
            return
        runs = Runs(folder, self.runs)
        try:
            self.relations = lookups.sweep(runs, self.told, self.cascading, {}, self.found)
        finally:
            runs.close()
        distinct = sum(one.distinct for one in self.relations.values())
        self.passed("ids", f"{self.looked[2]:,} rows")
        self.passed("lookups", f"{len(self.relations)} relations, {distinct:,} different ids")

    def check_journal(self) -> None:
        lines = schema.check_journal(self.bag, self.told, self.found)
        self.passed("journal", f"{lines:,} lines of {JOURNAL}")

    # --- naming what happened

    def swapped(self) -> None:
        """A file with the bytes of another listed file: say whose."""
        if not self.strangers or self.manifest is None:
            return
        wanted = set(self.strangers.values())
        owners: dict[str, str] = {}
        for path, digest in self.manifest:
            if digest in wanted:
                owners.setdefault(digest, path)
        for at, finding in enumerate(self.found):
            owner = owners.get(self.strangers.get(finding.path, ""))
            if finding.code == "file-altered" and owner is not None and finding.kind == "digests":
                self.found[at] = Finding(
                    "file-swapped", finding.kind, path=finding.path, object=finding.object,
                    expected=finding.expected, found=finding.found, witness=finding.witness,
                    detail=f"these are the bytes of {owner}",
                )  # fmt: skip
