"""A bag as it lies on the disk: its files, its manifests, its labels. Nothing here is trusted.

Links are never followed, names that lead outside are never opened, lines and small files have a
limit: the folder may be anybody's work.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sfexit.archive.layout import HOME_MARK, HomeLayout
from sfexit.errors import ArchiveProblem, UsageProblem
from sfexit.redaction import printable
from sfexit.verify.finding import Finding

MANIFEST = "manifest-sha256.txt"
TAG_MANIFEST = "tagmanifest-sha256.txt"
BAG_INFO = "bag-info.txt"
BAGIT = "bagit.txt"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
SEAL_FILES = frozenset(
    f"seal/{name}"
    for name in (
        "public-key.pem",
        "minisign.pub",
        "allowed_signers",
        f"{TAG_MANIFEST}.sig",
        f"{TAG_MANIFEST}.minisig",
        f"{TAG_MANIFEST}.sshsig",
    )
)
_TAG_LIMIT = 1 << 20
_LONGEST_LINE = 4096
_SAFE = re.compile(r"[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REPARSE_POINT = 0x400  # Windows: a junction looks like a folder and is a link


@dataclass(frozen=True)
class Target:
    """What is to be verified. `home` is None for a bag that lies in no home."""

    bag: Path
    home: Path | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One payload file. `digest` None: no manifest lists it; `size` None: it is not there."""

    path: str
    size: int | None
    digest: str | None


def find_target(place: Path) -> Target:
    """The bag that is meant by a home (its newest one) or by a bag. Raises UsageProblem."""
    if not place.is_dir():
        raise UsageProblem(f"{place} is no folder: name a home, or a bag below its folder bags")
    if (place / HOME_MARK).is_file() or (place / "bags").is_dir():
        generations = HomeLayout(place).generations()
        if not generations:
            raise UsageProblem(f"{place} holds no sealed archive yet: run sfexit export {place}")
        return Target(HomeLayout(place).bag(generations[-1]), place)
    if not any((place / name).exists() for name in (BAGIT, MANIFEST, "data")):
        raise UsageProblem(f"{place} is neither a home nor an archive of sfexit")
    bags = place.absolute().parent
    in_home = bags.name == "bags" and (bags.parent / HOME_MARK).is_file()
    return Target(place, bags.parent if in_home else None)


def open_file(bag: Path, relative: str) -> int:
    """A descriptor of an ordinary file of the bag. Raises OSError, ValueError for anything else."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(f"{bag}/{relative}", flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("is not an ordinary file")
    return descriptor


def read_small(bag: Path, relative: str, limit: int = _TAG_LIMIT) -> bytes:
    """A whole small file. Raises OSError, ValueError when it is larger than `limit` bytes."""
    with os.fdopen(open_file(bag, relative), "rb") as handle:
        content = handle.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"is larger than {limit:,} bytes, which no such file is")
    return content


def labels(bag: Path) -> dict[str, str]:
    """The labels of bag-info.txt; the first of equal ones counts."""
    told: dict[str, str] = {}
    for line in read_small(bag, BAG_INFO).decode("utf-8", "replace").split("\n"):
        name, _, value = line.partition(":")
        told.setdefault(name, value.strip())
    return told


class Manifest:
    """manifest-sha256.txt, checked once and then read as often as needed without holding it.

    Programs write it sorted by path. One that is not is held in memory and sorted, so that the
    comparison with the disk works for it too.
    """

    def __init__(self, bag: Path, name: str = MANIFEST) -> None:
        """Raises OSError when it cannot be read."""
        self.findings: list[Finding] = []
        self.files = 0
        self._bag, self._name = bag, name
        self._held: list[tuple[str, str]] | None = None
        digest = hashlib.sha256()
        before, is_sorted = "", True
        for path, _ in self._lines(digest, self.findings):
            self.files += 1
            is_sorted = is_sorted and before < path
            before = path
        self.sha256 = digest.hexdigest()
        if not is_sorted:
            self._held = sorted(self._lines())
            for one, other in zip(self._held, self._held[1:], strict=False):
                if one[0] == other[0]:
                    self.findings.append(
                        Finding("manifest-bad", "names", path=name, found=f"{one[0]} stands twice")
                    )

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """(path, digest) by path."""
        return iter(self._held) if self._held is not None else self._lines()

    def _lines(
        self, digest: hashlib._Hash | None = None, findings: list[Finding] | None = None
    ) -> Iterator[tuple[str, str]]:
        with os.fdopen(open_file(self._bag, self._name), "rb", 1 << 20) as handle:
            at = 0
            while line := handle.readline(_LONGEST_LINE):
                at += 1
                if digest is not None:
                    digest.update(line)
                text = line.decode("ascii", "replace")
                told, path = text[:64], text[66:-1]
                right = text[64:66] == "  " and text[-1:] == "\n"
                if not (right and _DIGEST.fullmatch(told) and is_safe(path)) or (
                    self._name == MANIFEST and not path.startswith("data/")
                ):
                    if findings is not None and len(findings) < 20:
                        findings.append(_bad_line(self._name, at, text))
                else:
                    yield path, told


def _bad_line(name: str, at: int, text: str) -> Finding:
    return Finding(
        "manifest-bad",
        "names",
        path=name,
        expected="a digest, two blanks and a path below data/",
        found=printable(text, 120),
        detail=f"line {at}",
    )


def is_safe(path: str) -> bool:
    """Whether a path of a manifest is one that an archive can have."""
    return bool(_SAFE.fullmatch(path)) and not any(part in (".", "..") for part in path.split("/"))


def walk(bag: Path, findings: list[Finding]) -> Iterator[tuple[str, int]]:
    """All ordinary files with their sizes, in the order of their paths; the rest is a finding."""
    yield from _folder(bag, "", findings)


def _folder(bag: Path, prefix: str, findings: list[Finding]) -> Iterator[tuple[str, int]]:
    def odd(path: str, what: str) -> None:
        findings.append(Finding("name-unsafe", "names", path=printable(path, 200), found=what))

    entries = []
    try:
        with os.scandir(f"{bag}/{prefix}") as found:
            for entry in found:
                status = entry.stat(follow_symlinks=False)
                reparse = getattr(status, "st_file_attributes", 0) & _REPARSE_POINT
                if stat.S_ISLNK(status.st_mode) or reparse:
                    odd(prefix + entry.name, "a link; it was not followed")
                elif stat.S_ISDIR(status.st_mode):
                    entries.append((entry.name + "/", -1))
                elif stat.S_ISREG(status.st_mode):
                    entries.append((entry.name, status.st_size))
                else:
                    odd(prefix + entry.name, "neither a file nor a folder")
    except OSError as error:
        text = f"the folder cannot be read ({error.strerror})"
        findings.append(Finding("file-unreadable", "names", path=prefix or ".", found=text))
        return
    if not entries and prefix:
        findings.append(Finding("file-unlisted", "names", path=prefix, found="an empty folder"))
    entries.sort()
    for name, size in entries:
        if size < 0 and prefix.count("/") > 20:
            odd(prefix + name, "folders nested deeper than any archive has")
        elif size < 0:
            yield from _folder(bag, prefix + name, findings)
        else:
            yield prefix + name, size


def inventory(
    bag: Path, manifest: Manifest, findings: list[Finding], beside: dict[str, int]
) -> Iterator[Entry]:
    """Manifest and disk side by side: every payload file, listed or not, there or not.

    Files that are not below data/ go into `beside` (path → size). Memory does not grow with the
    number of files.
    """
    listed = iter(manifest)
    waiting = next(listed, None)
    for path, size in walk(bag, findings):
        if not path.startswith("data/"):
            beside[path] = size
            continue
        while waiting is not None and waiting[0] < path:
            yield Entry(waiting[0], None, waiting[1])
            waiting = _next(listed, waiting)
        if waiting is not None and waiting[0] == path:
            yield Entry(path, size, waiting[1])
            waiting = _next(listed, waiting)
        else:
            yield Entry(path, size, None)
    while waiting is not None:
        yield Entry(waiting[0], None, waiting[1])
        waiting = _next(listed, waiting)


def _next(listed: Iterator[tuple[str, str]], before: tuple[str, str]) -> tuple[str, str] | None:
    for one in listed:
        if one[0] != before[0]:  # a line that stands twice was named already
            return one
    return None


def root_digest(bag: Path) -> str:
    """SHA-256 of the tag manifest. Raises ArchiveProblem when there is none."""
    with contextlib.suppress(OSError, ValueError):
        return hashlib.sha256(read_small(bag, TAG_MANIFEST)).hexdigest()
    raise ArchiveProblem(f"{bag} has no readable {TAG_MANIFEST}: it is no sealed archive")
