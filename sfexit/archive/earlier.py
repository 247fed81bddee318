"""The sealed bag that the next one builds on: what it holds, and how its files are taken over.

Nothing of it is believed before its seal, its tag manifest and the digest of its journal agree;
the journal then tells the digest of every other file, and each is checked before it is taken over.
So no damage of an older bag comes under the seal of a newer one.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sfexit.archive import bagit, layout, signing
from sfexit.archive.audit import check_bytes
from sfexit.archive.durable import Disk
from sfexit.archive.journal import replayed
from sfexit.archive.journal_events import Event
from sfexit.archive.layout import HomeLayout
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.stored_rows import PageDamaged
from sfexit.errors import ArchiveProblem, DiskTrouble

_STEP = 1 << 20


@dataclass(frozen=True)
class EarlierObject:
    """An object as the earlier bag has it. `read_since` is the org's clock before its query job
    was made, None when no query job read it."""

    line: LedgerLine
    fields: tuple[str, ...]
    reading: int
    read_since: datetime | None


class Earlier:
    """A sealed bag, opened to build the next one on it. Methods may be called from any thread."""

    def __init__(self, home: HomeLayout, disk: Disk, generation: int) -> None:
        """Raises ArchiveProblem when the bag is not what was sealed."""
        self.bag = home.bag(generation)
        self.generation = generation
        self.root = bagit.root_digest(self.bag)
        self._disk = disk
        _insist(self.bag)
        self.index = replayed(disk, self.bag / layout.JOURNAL, home.work / layout.WORK_EARLIER)

    def close(self) -> None:
        """Let go of the index."""
        self.index.close()

    def names(self) -> set[str]:
        """Every object that the bag's ledger has a line for by reading or rule."""
        return {row["name"] for row in self.index.rows("SELECT name FROM object")}

    def object(self, name: str) -> EarlierObject | None:
        """What the bag has of an object; None when it never came to an outcome."""
        found = self.index.rows("SELECT * FROM object WHERE name = ?", (name,))
        if not found or found[0]["outcome"] is None:
            return None
        row = found[0]
        jobs = self.index.rows(
            "SELECT min(since) AS since FROM slice WHERE object = ? AND since IS NOT NULL "
            "AND (reading = ? OR (reading = 0 AND ?))",
            (name, row["reading"], self.index.told("compared", name) is not None),
        )
        since = jobs[0]["since"]
        return EarlierObject(
            LedgerLine.from_event(json.loads(row["outcome"])),
            tuple(json.loads(row["fields"] or "[]")),
            row["reading"],
            datetime.fromisoformat(since) if since else None,
        )

    def pages(self, name: str) -> Iterator[Event]:
        """The page events of an object, in order."""
        return self.index.pages(name)

    def page_like(self, name: str, csv_sha256: str) -> Event | None:
        """A page of the object with exactly this text; None: there is none."""
        found = self.index.rows(
            "SELECT p.event FROM page p JOIN object o ON o.name = p.object "
            "AND o.reading = p.reading WHERE p.object = ? AND "
            "json_extract(p.event, '$.csv_sha256') = ? LIMIT 1",
            (name, csv_sha256),
        )
        return json.loads(found[0]["event"]) if found else None

    def file(self, relative: str) -> tuple[str, int] | None:
        """SHA-256 and size of a file of the bag that is no page; None: it has none such."""
        found = self.index.rows("SELECT sha256, bytes FROM file WHERE path = ?", (relative,))
        return (found[0]["sha256"], found[0]["bytes"]) if found else None

    def payload(self) -> Iterator[tuple[str, str]]:
        """Path in the bag and SHA-256 of every file that was sealed. Raises ArchiveProblem."""
        return _digests(self.bag / bagit.MANIFEST)

    def take_page(self, page: Event, final: Path) -> None:
        """Put a page of the bag into place as `final`. Raises PageDamaged, DiskTrouble."""
        source = layout.within(self.bag, page["path"])
        check_bytes(source, page)
        self._place(source, final)

    def take_file(self, relative: str, sha256: str, final: Path) -> bool:
        """Put a file of the bag into place as `final`; False when it has none with this digest."""
        known = self.file(relative)
        if known is None or known[0] != sha256:
            return False
        source = layout.within(self.bag, relative)
        try:
            check_bytes(source, {"sha256": known[0], "bytes": known[1]})
        except PageDamaged:
            return False
        self._place(source, final)
        return True

    def take_same(
        self, relative: str, sha256: str, arrived: Path, final: Path
    ) -> tuple[str, int] | None:
        """Put a file of the bag into place of one that `arrived` and holds the same.

        Digest and size of what is in place now; None when the bag has nothing of the kind. A ZIP
        that holds the same is the same: the platform packs it anew, with the time of day, for
        every retrieve.
        """
        known = self.file(relative)
        if known is None:
            return None
        if known[0] != sha256:
            source = layout.within(self.bag, relative)
            if not relative.endswith(".zip") or _members(source) != _members(arrived):
                return None
        return known if self.take_file(relative, known[0], final) else None

    def _place(self, source: Path, final: Path) -> None:
        self._disk.make_folder(final.parent)
        if not self._disk.link(source, final):
            _copy(self._disk, source, final)


def _members(path: Path) -> list[tuple[str, int, int]] | None:
    """Names, checksums and sizes of what a ZIP holds; None when it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted((one.filename, one.CRC, one.file_size) for one in archive.infolist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return None


def _copy(disk: Disk, source: Path, final: Path) -> None:
    def pieces() -> Iterator[bytes]:
        try:
            with source.open("rb") as original:
                while piece := original.read(_STEP):
                    yield piece
        except OSError as error:
            raise DiskTrouble(f"{source} cannot be read: {error.strerror}") from error

    disk.write_pieces(final, pieces())


def _insist(bag: Path) -> None:
    """Seal, tag manifest, manifest and journal agree. Raises ArchiveProblem."""
    seal = signing.check_seal(bag)
    if not seal.valid:
        raise _not_sealed(bag, "; ".join(seal.findings[:2]) or "its seal is not valid")
    tags = dict(_digests(bag / bagit.TAG_MANIFEST))
    for name in ("bagit.txt", "bag-info.txt", bagit.MANIFEST):
        if _digest(bag / name) != tags.get(name):
            raise _not_sealed(bag, f"{name} is not what was sealed")
    listed = next(
        (digest for path, digest in _digests(bag / bagit.MANIFEST) if path == layout.JOURNAL), None
    )
    if _digest(bag / layout.JOURNAL) != listed:
        raise _not_sealed(bag, f"{layout.JOURNAL} is not what was sealed")


def _not_sealed(bag: Path, what: str) -> ArchiveProblem:
    return ArchiveProblem(
        f"{bag} is damaged ({what}), so nothing can be built on it: put it back from a copy, or "
        "make a whole new archive with --anew"
    )


def _digests(manifest: Path) -> Iterator[tuple[str, str]]:
    try:
        with manifest.open("r", encoding="utf-8") as handle:
            for line in handle:
                digest, _, path = line.rstrip("\n").partition("  ")
                yield path, digest
    except (OSError, UnicodeDecodeError) as error:
        raise ArchiveProblem(f"{manifest} cannot be read: the archive is damaged") from error


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as handle:
            while piece := handle.read(_STEP):
                digest.update(piece)
    except OSError as error:
        raise ArchiveProblem(f"{path} cannot be read: the archive is damaged") from error
    return digest.hexdigest()
