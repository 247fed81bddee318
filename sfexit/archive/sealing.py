"""From a finished work folder to a sealed bag.

Order matters: everything that a reader relies on is written and flushed inside work/bag, the
journal says which generation is about to appear, and one rename makes it appear. A kill before
the rename leaves a work folder whose seal begins again; a kill after it leaves a sealed bag and
some litter.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from sfexit.archive import bagit, bodies, datapackage, layout, ledger, signing
from sfexit.archive.durable import Disk, written_anew
from sfexit.archive.earlier import Earlier
from sfexit.archive.journal import Journal
from sfexit.archive.journal_index import RECOVER, Index
from sfexit.archive.layout import HomeLayout
from sfexit.archive.ledger import LedgerLine
from sfexit.archive.page import csv_rows
from sfexit.catalog import Description
from sfexit.errors import ArchiveProblem
from sfexit.gzipped import Gzip, gunzip_all

_PAGE_COLUMNS = (
    "path", "object", "reading", "slice", "page", "route", "wire_encoding", "origin", "job_id",
    "locator", "rows", "declared_rows", "bytes", "sha256", "csv_bytes", "csv_sha256", "fetched",
    "from_sha256",
)  # fmt: skip
_JOB_COLUMNS = (
    "object", "reading", "slice", "job_id", "query", "state", "rows_processed", "created", "note",
)  # fmt: skip
_UNPACKED_LIMIT = 256 << 20  # the client takes no larger JSON document
_NOTE_COLUMNS = ("at", "object", "kind", "text")

# Found in a work folder and not in the journal, these are the rest of a step that was cut short.
_OURS = frozenset(
    [
        layout.README, layout.VERIFY_TOOL, layout.DATAPACKAGE, layout.LEDGER, layout.FILES_INDEX,
        layout.PAGES, layout.JOBS, layout.NOTES, layout.JOURNAL, "bagit.txt", "bag-info.txt",
        "manifest-sha256.txt", "tagmanifest-sha256.txt", layout.SOBJECTS, layout.ORGANIZATION,
        layout.IDENTITY, layout.LIMITS, layout.SIGHT, layout.RUN, layout.BODY_EXCEPTIONS,
    ]
)  # fmt: skip
_FLUSHED_AT_ONCE = 8


@dataclass(frozen=True)
class SealedBag:
    """A sealed bag as it came to be."""

    path: Path
    generation: int
    root_digest: str
    fingerprint: str
    payload_files: int
    payload_bytes: int


def publish_file(
    disk: Disk,
    journal: Journal,
    bag: Path,
    relative: str,
    data: bytes,
    earlier: Earlier | None = None,
) -> None:
    """Publish a payload file that is no page, and journal it. `.gz` names are packed here.

    Where the `earlier` bag has the very same file, that one gets a second name instead.
    """
    if relative.endswith(".gz"):
        packer = Gzip()
        data = packer.feed(data) + packer.finish()
    digest = hashlib.sha256(data).hexdigest()
    before = journal.rows("SELECT sha256 FROM file WHERE path = ?", (relative,))
    if before and before[0]["sha256"] != digest:
        # A kill between replacing the file and recording it must not look like a stranger's hand.
        journal.record("file_lost", path=relative)
    final = layout.within(bag, relative)
    disk.make_folder(final.parent)
    if earlier is None or not earlier.take_file(relative, digest, final):
        write_whole(disk, final, data)
    journal.record("file", path=relative, sha256=digest, bytes=len(data))


def publish_stream(
    disk: Disk, journal: Journal, bag: Path, relative: str, pieces: Iterable[bytes]
) -> None:
    """Publish a payload file of any size, and journal it. `.gz` names are packed here."""
    if journal.rows("SELECT 1 FROM file WHERE path = ?", (relative,)):
        journal.record("file_lost", path=relative)  # see publish_file
    told = _packed(pieces) if relative.endswith(".gz") else pieces
    digest, size = write_stream(disk, bag, relative, told)
    journal.record("file", path=relative, sha256=digest, bytes=size)


def write_stream(disk: Disk, bag: Path, relative: str, pieces: Iterable[bytes]) -> tuple[str, int]:
    """Write a file of any size durably; returns its SHA-256 and bytes."""
    final = layout.within(bag, relative)
    disk.make_folder(final.parent)
    return disk.write_pieces(final, pieces)


def _packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = Gzip()
    for piece in pieces:
        yield packer.feed(piece)
    yield packer.finish()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as handle:
        while piece := handle.read(1 << 20):
            yield piece


def write_whole(disk: Disk, final: Path, data: bytes) -> None:
    """Publish a small file; a fault of the medium is met by writing it anew, a few times."""
    written_anew(lambda: disk.write_whole(final, data))


def stored_file(journal: Journal | Index, bag: Path, relative: str) -> bytes | None:
    """A published file that is no page, unpacked; None unless it is there just as it was written.

    What other programs did to it is never read.
    """
    found = journal.rows("SELECT sha256, bytes FROM file WHERE path = ?", (relative,))
    if not found:
        return None
    try:
        data = layout.within(bag, relative).read_bytes()
    except OSError:
        return None
    if len(data) != found[0]["bytes"] or hashlib.sha256(data).hexdigest() != found[0]["sha256"]:
        return None
    return gunzip_all(data, limit_bytes=_UNPACKED_LIMIT) if relative.endswith(".gz") else data


def sweep(home: HomeLayout, disk: Disk, journal: Journal, *, beginning: bool = False) -> list[str]:
    """Remove what an interrupted run left, set aside what is not ours; returns the latter's names.

    Ours are: temporary files, pages of abandoned readings, pages published but not yet journalled
    (they are fetched again), and what a cut-short seal wrote. At the `beginning` of a run bodies
    that are not journalled stay: some can be proven whole, or gone on with.
    """
    bag = home.work_bag
    if not bag.is_dir():
        return []
    known = {row["path"] for row in journal.rows("SELECT path FROM file")}
    strangers = []
    for path in _files(bag):
        relative = path.relative_to(bag).as_posix()
        if not path.is_symlink():
            if relative in known or _is_current_page(journal, relative):
                continue
            key = layout.body_key(relative.removesuffix(layout.PART_SUFFIX))
            if key is not None and (beginning or _is_stored_body(journal, key, relative)):
                continue
            ours = (
                key is not None
                or relative.endswith(layout.PART_SUFFIX)
                or relative in _OURS
                or relative.startswith("seal/")
                or _is_page_of_ours(journal, relative)
            )
            if ours:
                disk.remove(path)
                continue
        _set_aside(home, disk, path, relative)
        strangers.append(relative)
    prune(bag)
    return strangers


def prune(bag: Path) -> None:
    """Remove folders without a file: a bag has none, and `bagit` programs do not see them."""
    for folder, _, _ in os.walk(bag, topdown=False):
        if Path(folder) not in (bag, bag / layout.DATA):
            with contextlib.suppress(OSError):  # not empty
                Path(folder).rmdir()


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*names, *links):
            yield here / name


def _is_current_page(journal: Journal, relative: str) -> bool:
    found = journal.rows(
        "SELECT 1 FROM page p JOIN object o ON o.name = p.object AND o.reading = p.reading "
        "WHERE p.path = ?",
        (relative,),
    )
    return bool(found)


def _is_stored_body(journal: Journal, key: str, relative: str) -> bool:
    body = bodies.find(journal, key)
    return body is not None and body.path == relative


def _is_page_of_ours(journal: Journal, relative: str) -> bool:
    if journal.rows("SELECT 1 FROM page WHERE path = ?", (relative,)):
        return True
    shape = r"data/records/([A-Za-z0-9_~]+)/\1\.g[0-9]{3,}\.s[0-9]{4,}\.p[0-9]{6,}\.csv\.gz"
    schema = r"data/schema/objects/[A-Za-z0-9_~]+\.json\.gz"
    metadata = r"data/metadata/(packages/[0-9]+(\.[12])*\.(zip|json)|listed\.json\.gz|index\.csv)"
    words = r"data/schema/(dictionary\.(csv|html)|filled\.json\.gz)"
    return any(re.fullmatch(known, relative) for known in (shape, schema, metadata, words))


def _set_aside(home: HomeLayout, disk: Disk, path: Path, relative: str) -> None:
    folder = home.work / layout.WORK_SET_ASIDE
    disk.make_folder(folder)
    leaf = relative.replace("/", "_")[-150:]
    target, number = folder / leaf, 1
    while target.exists() or target.is_symlink():
        number += 1
        target = folder / f"{number}_{leaf}"
    disk.move(path, target)


def damaged_files(home: HomeLayout, journal: Journal) -> list[str]:
    """Published files that are no pages and are gone or not as they were written."""
    return [
        row["path"]
        for row in journal.rows("SELECT path, bytes, sha256 FROM file ORDER BY path")
        if bodies.look(layout.within(home.work_bag, row["path"]), md5=False)
        != bodies.Seen(row["bytes"], row["sha256"])
    ]


def seal(
    home: HomeLayout,
    disk: Disk,
    journal: Journal,
    *,
    generation: int,
    lines: Sequence[LedgerLine],
    named: Iterable[str],
    describe: Callable[[str], Description],
    key: signing.SigningKey,
    labels: Mapping[str, str],
    files: int,
) -> SealedBag:
    """Write ledger, index, evidence, manifests and signature; then give the bag its number.

    `named` are all objects that the org names, `describe` gives an object's description, `labels`
    are facts for people: `organization`, `org_id`, `api_version`, `sealed` (date-time), `software`;
    `files` is how many lines the published index of files has.
    Raises ArchiveProblem when the sums do not hold: then nothing is sealed.
    """
    bag = home.work_bag
    page_rows = {
        row["object"]: int(row["total"])
        for row in journal.rows(
            "SELECT p.object, sum(p.rows) AS total FROM page p JOIN object o "
            "ON o.name = p.object AND o.reading = p.reading GROUP BY p.object"
        )
    }
    wrong = ledger.disagreements(lines, named=named, page_rows=page_rows)
    if wrong:
        raise ArchiveProblem(
            f"the ledger does not add up, so nothing was sealed ({'; '.join(wrong[:5])}): "
            "run the same command again; if it says the same, report it"
        )
    if not journal.is_whole():
        raise ArchiveProblem(f"the journal was changed by another program: {RECOVER}")
    prune(bag)
    payload: list[tuple[str, str, int]] = []
    content = _Counted((one.path, one.sha256, one.bytes) for one in bodies.stored(journal))
    for relative, data in _written(journal, lines, describe, labels, generation, files):
        final = layout.within(bag, relative)
        disk.make_folder(final.parent)
        write_whole(disk, final, data)
        payload.append((relative, hashlib.sha256(data).hexdigest(), len(data)))
    lines_of_journal = _pieces(home.work / layout.WORK_JOURNAL)
    payload.append((layout.JOURNAL, *write_stream(disk, bag, layout.JOURNAL, lines_of_journal)))
    payload += [
        (row["path"], row["sha256"], row["bytes"])
        for row in journal.rows("SELECT path, sha256, bytes FROM file")
    ]
    payload += [(page["path"], page["sha256"], page["bytes"]) for page in journal.pages()]

    info = {
        "Source-Organization": labels["organization"],
        "External-Identifier": labels["org_id"],
        "Bagging-Date": labels["sealed"][:10],
        "Bagging-Software": labels["software"],
        "Sfexit-Archive-Format": layout.FORMAT,
        "Sfexit-Generation": str(generation),
        "Sfexit-Api-Version": labels["api_version"],
        "Sfexit-Signing-Key": key.fingerprint,
    }
    earlier = [number for number in home.generations() if number < generation]
    if earlier:
        info["Sfexit-Previous-Root"] = bagit.root_digest(home.bag(earlier[-1]))
    root = bagit.write_manifests(bag, payload, info, disk=disk, ordered=content)
    signing.seal(bag, key, disk=disk)
    _freeze(bag, disk)
    journal.record("sealing", generation=generation, root=root)
    disk.make_folder(home.bags)
    disk.publish(bag, home.bag(generation))
    journal.record("sealed", generation=generation, root=root)
    return SealedBag(
        path=home.bag(generation),
        generation=generation,
        root_digest=root,
        fingerprint=key.fingerprint,
        payload_files=len(payload) + content.files,
        payload_bytes=sum(size for _, _, size in payload) + content.bytes,
    )


class _Counted:
    """Payload files on their way into the manifest, counted."""

    def __init__(self, entries: Iterator[tuple[str, str, int]]) -> None:
        self._entries = entries
        self.files = 0
        self.bytes = 0

    def __iter__(self) -> Iterator[tuple[str, str, int]]:
        for entry in self._entries:
            self.files += 1
            self.bytes += entry[2]
            yield entry


def _written(
    journal: Journal,
    lines: Sequence[LedgerLine],
    describe: Callable[[str], Description],
    labels: Mapping[str, str],
    generation: int,
    files: int,
) -> Iterator[tuple[str, bytes]]:
    """The files that only the seal can write."""
    with_rows = [line for line in lines if line.has_rows]
    names = layout.safe_names(line.object for line in lines)
    fields = _fields(journal)
    resources_of = (
        datapackage.object_resource(
            describe(line.object),
            fields[line.object],
            names[line.object],
            [page["path"] for page in journal.pages(line.object)],
            line.rows or 0,
        )
        for line in sorted(with_rows, key=lambda one: one.object)
    )
    title = f"Salesforce org {labels['organization']} ({labels['org_id']})"
    yield layout.LEDGER, ledger.to_csv(lines)
    yield (
        layout.DATAPACKAGE,
        datapackage.build(
            resources_of, title=title, created=labels["sealed"], ledger_rows=len(lines), files=files
        ),
    )
    yield layout.PAGES, _pages_csv(journal)
    yield layout.JOBS, _jobs_csv(journal)
    yield layout.NOTES, _notes_csv(journal)
    tools = resources.files("sfexit.archive").joinpath("tools")
    yield layout.VERIFY_TOOL, tools.joinpath("verify.py").read_bytes()
    readme = tools.joinpath("README.txt.in").read_text("utf-8")
    told = {
        **labels,
        "generation": f"{generation:04d}",
        "rows": f"{sum(line.rows or 0 for line in lines):,}",
        "objects": f"{len(with_rows):,}",
    }
    yield layout.README, readme.format(**told).encode("utf-8")


def _fields(journal: Journal) -> dict[str, list[str]]:
    found = journal.rows("SELECT name, fields FROM object WHERE fields IS NOT NULL")
    return {row["name"]: json.loads(row["fields"]) for row in found}


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _pages_csv(journal: Journal) -> bytes:
    rows = ([_cell(page.get(column)) for column in _PAGE_COLUMNS] for page in _told(journal))
    return csv_rows([_PAGE_COLUMNS, *rows])


def _told(journal: Journal) -> Iterator[dict[str, Any]]:
    for page in journal.pages():
        yield {
            "origin": "received",
            **page,
            "path": page["path"].removeprefix(f"{layout.DATA}/"),
        }


def _jobs_csv(journal: Journal) -> bytes:
    found = journal.rows(
        "SELECT s.object, s.reading, s.slice, s.job_id, s.query, s.state, "
        "s.rows AS rows_processed, s.created, "
        "CASE WHEN o.reading = s.reading THEN '' ELSE 'abandoned reading' END AS note "
        "FROM slice s JOIN object o ON o.name = s.object WHERE s.job_id IS NOT NULL "
        "ORDER BY s.object, s.reading, s.slice"
    )
    return csv_rows([_JOB_COLUMNS, *([_cell(row[c]) for c in _JOB_COLUMNS] for row in found)])


def _notes_csv(journal: Journal) -> bytes:
    found = journal.rows("SELECT at, object, kind, text FROM note ORDER BY seq")
    return csv_rows([_NOTE_COLUMNS, *([_cell(row[c]) for c in _NOTE_COLUMNS] for row in found)])


def _freeze(bag: Path, disk: Disk) -> None:
    """Make files read-only and every folder durable; best effort where modes are absent."""
    folders = []
    for folder, _, names in os.walk(bag, topdown=False):
        for name in names:
            with contextlib.suppress(OSError):
                (Path(folder) / name).chmod(0o400)
        folders.append(Path(folder))
    # Side by side: file systems put what comes together into one write.
    with ThreadPoolExecutor(_FLUSHED_AT_ONCE, thread_name_prefix="flush") as pool:
        list(pool.map(disk.sync_folder, folders))


def finish_interrupted(home: HomeLayout, journal: Journal) -> int | None:
    """The generation that a run killed after the rename had just sealed, or None."""
    told = journal.fact("generation")
    if told is None or home.work_bag.exists() or not home.bag(int(told)).is_dir():
        return None
    if bagit.root_digest(home.bag(int(told))) != journal.fact("root"):
        return None
    return int(told)


def drop_abandoned(home: HomeLayout, disk: Disk, journal: Journal, object_name: str) -> int:
    """Delete the pages of an object's earlier readings; returns how many there were."""
    stale = journal.rows(
        "SELECT p.path FROM page p JOIN object o ON o.name = p.object "
        "WHERE p.object = ? AND p.reading < o.reading",
        (object_name,),
    )
    return sum(drop_page(home, disk, row["path"]) for row in stale)


def drop_page(home: HomeLayout, disk: Disk, relative: str) -> bool:
    """Delete the file of a page that does not count any more; True when it was there."""
    path = layout.within(home.work_bag, relative)
    there = path.exists()
    disk.remove(path)
    return there
