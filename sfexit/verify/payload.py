"""The files below data/: names, sizes, digests, and with `--deep` every row of every page."""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from sfexit.redaction import printable
from sfexit.verify import bag as bags
from sfexit.verify.bag import Entry, Manifest
from sfexit.verify.codes import Level
from sfexit.verify.contents import PACKAGE, PAGES, Contents
from sfexit.verify.files import Bodies
from sfexit.verify.finding import Finding
from sfexit.verify.options import Options, Watch
from sfexit.verify.record import Record
from sfexit.verify.runs import Run
from sfexit.verify.work import Done, Item, Memory, carry_out, perform, tasks

_BODY_BYTES = 8 << 20  # work below this is not worth a second process
_MANY_FILES = 5_000
#: Small files that are compared with others one by one when all were read.
_NAMED = ("data/metadata/", "data/definitions/", "data/schema/", "data/evidence/wire/")


class Payload:
    """The payload of one bag, and what became known when it was read."""

    def __init__(
        self,
        bag: Path,
        manifest: Manifest | None,
        told: Contents,
        options: Options,
        record: Record,
        watch: Watch,
        stop: threading.Event | None,
    ) -> None:
        self.bag, self.manifest, self.told, self.options = bag, manifest, told, options
        self.record, self.watch, self.stop = record, watch, stop
        self.deep, self.whole = options.level is Level.DEEP, options.whole
        self.beside: dict[str, int] = {}
        self.payload = [0, 0]  # bytes and files that are there
        self.looked = [0, 0, 0]  # files, bytes and rows that were read
        self.read: dict[str, int] = {}  # object → rows
        self.deleted: dict[str, int] = {}
        self.named: list[str] = []  # of _NAMED, what is there
        self.strangers: dict[str, str] = {}
        self.runs: list[Run] = []
        self.bodies: Bodies | None = None

    def check(self, folder: Path, memory: Memory | None, until: float | None) -> None:
        """Look at every file as the level asks; `folder` takes what does not fit into memory."""
        if self.manifest is None:
            self.record.unmade("names", f"{bags.MANIFEST} is missing")
            self.record.unmade("digests", f"{bags.MANIFEST} is missing")
            return
        items = self.items(self.manifest)
        if self.options.level is Level.QUICK:
            for _ in items:
                pass
        else:
            self.look(items, folder, memory, until)
            self.record.passed("digests", f"{self.looked[0]:,} files, {self.looked[1]:,} bytes")
        self.beside_data()
        self.oxum()
        if self.deep:
            self.rows_of_tables()
            self.record.passed("pages", f"{self.looked[2]:,} rows of {len(self.read)} objects")
        self.record.passed("names", f"{self.payload[1]:,} files")

    def items(self, manifest: Manifest) -> Iterator[Item]:
        """The files to read, by path; names and sizes are checked on the way."""
        claimed = self.told.claimed()
        columns = {path: one.columns for one in self.told.resources.values() for path in one.paths}
        judged = PACKAGE not in self.told.missing and PAGES not in self.told.missing
        for entry in bags.inventory(self.bag, manifest, self.record.found, self.beside):
            page = self.told.pages.get(entry.path)
            self.name(entry)
            if self.deep and entry.size is not None and entry.path.startswith(_NAMED):
                self.named.append(entry.path)
            if judged and entry.path.startswith("data/records/") and entry.path not in claimed:
                self.record.found.append(
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
            self.record.found.append(
                Finding("file-missing", "names", path=entry.path,
                        object=self.object_of(entry.path), expected="a file", found="none",
                        witness=bags.MANIFEST)
            )  # fmt: skip
            return
        self.payload[0] += entry.size
        self.payload[1] += 1
        if entry.digest is None:
            self.record.found.append(
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
            self.record.found.append(
                Finding("file-size", "names", path=entry.path, object=self.object_of(entry.path),
                        expected=f"{size} bytes", found=f"{entry.size} bytes", witness=PAGES)
            )  # fmt: skip
        if size is None and entry.digest != digest:
            if self.options.level is Level.QUICK:
                self.record.found.append(
                    Finding("file-altered", "contents", path=entry.path,
                            expected=entry.digest or "", found=digest, witness=bags.MANIFEST)
                )  # fmt: skip
        elif size is not None and entry.digest is not None and entry.digest != digest:
            self.record.found.append(
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
        self.record.found += done.findings
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
                self.record.found.append(
                    Finding("file-unlisted", "names", path=printable(path, 300),
                            expected="no such file", found=f"{size:,} bytes")
                )  # fmt: skip

    def oxum(self) -> None:
        told = self.told.info.get("Payload-Oxum", "")
        here = f"{self.payload[0]}.{self.payload[1]}"
        if told != here:
            self.record.found.append(
                Finding("oxum-wrong", "names", path=bags.BAG_INFO, expected=told or "a number",
                        found=here, witness="bytes and number of the files that are there")
            )  # fmt: skip

    def rows_of_tables(self) -> None:
        """Rows that were read against the ledger; a page that cannot be read was named already."""
        spoiled = {
            one.object
            for one in self.record.found
            if one.object and one.kind in ("pages", "names", "digests")
        }
        for name, resource in self.told.resources.items():
            if name in spoiled or (not self.whole and name not in self.read):
                continue
            if self.read.get(name, 0) != resource.rows:
                self.record.found.append(
                    Finding("rows-wrong", "pages", object=name, expected=str(resource.rows),
                            found=str(self.read.get(name, 0)), witness=PACKAGE)
                )  # fmt: skip
            told = self.told.ledger.get(name, {}).get("deleted_rows", "")
            if told and told != str(self.deleted.get(name, 0)):
                self.record.found.append(
                    Finding("ledger-wrong", "pages", object=name, path="data/ledger.csv",
                            expected=f"{told} deleted rows", found=str(self.deleted.get(name, 0)))
                )  # fmt: skip

    def swapped(self) -> None:
        """A file with the bytes of another listed file: say whose."""
        if not self.strangers or self.manifest is None:
            return
        wanted = set(self.strangers.values())
        owners: dict[str, str] = {}
        for path, digest in self.manifest:
            if digest in wanted:
                owners.setdefault(digest, path)
        for at, finding in enumerate(self.record.found):
            owner = owners.get(self.strangers.get(finding.path, ""))
            if finding.code == "file-altered" and owner is not None and finding.kind == "digests":
                self.record.found[at] = Finding(
                    "file-swapped", finding.kind, path=finding.path, object=finding.object,
                    expected=finding.expected, found=finding.found, witness=finding.witness,
                    detail=f"these are the bytes of {owner}",
                )  # fmt: skip
