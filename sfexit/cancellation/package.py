"""Packages of files in a home: whole or not there, with the digests of all that is in them."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from sfexit.archive.durable import Disk
from sfexit.cancellation.records import FOLDER
from sfexit.errors import ArchiveProblem

SUMS = "SHA256SUMS"
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def sums(files: Mapping[str, bytes]) -> bytes:
    """What `sha256sum -c` reads."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


def publish(
    home: Path, kind: str, made: datetime, files: Mapping[str, bytes], disk: Disk
) -> tuple[Path, str]:
    """Put `files` into HOME/cancellation/<time>-<kind>, all or none, and nothing else changes.

    Returns the folder and the SHA-256 of its SHA256SUMS. Hold `records.writing`. Raises
    DiskTrouble.
    """
    for name in files:
        if not _FILE.fullmatch(name) or name == SUMS:
            raise ValueError(f"no name of a file in a package: {name!r}")
    listed = sums(files)
    above = home / FOLDER
    disk.make_folder(above)
    stem = f"{made.astimezone(UTC):%Y%m%dT%H%M%SZ}-{kind}"
    final, number = above / stem, 1
    while final.exists():
        number += 1
        final = above / f"{stem}-{number}"
    part = above / f".{final.name}.part"
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(part)  # of a run that was killed; the name is ours alone
    disk.make_folder(part)
    try:
        for name, content in {**files, SUMS: listed}.items():
            disk.write_whole(part / name, content)
        disk.sync_folder(part)
        disk.publish(part, final)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return final, hashlib.sha256(listed).hexdigest()


def damage(folder: Path) -> tuple[str, ...]:
    """What of a package is not as it was written; nothing when it is whole."""
    try:
        lines = (folder / SUMS).read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return (f"{SUMS} is missing",)
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    wrong = [f"{one.name} is not listed" for one in folder.iterdir()
             if one.name != SUMS and one.name not in listed]  # fmt: skip
    for name, digest in listed.items():
        path = folder / name
        if not _FILE.fullmatch(name) or path.is_symlink() or not path.is_file():
            wrong.append(f"{name[:100]} is missing")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(f"{name} was changed")
    return tuple(sorted(wrong))


def keep_document(home: Path, source: Path, disk: Disk) -> dict[str, str]:
    """Copy a document into the home under its SHA-256. Raises ArchiveProblem, DiskTrouble."""
    try:
        if source.is_symlink() or not source.is_file():
            raise ArchiveProblem(f"{source} is no file: name the document itself")
        content = source.read_bytes()
    except OSError as error:
        raise ArchiveProblem(f"{source} cannot be read: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    ending = source.suffix.lower() if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", source.suffix) else ".bin"
    folder = home / FOLDER / "documents"
    disk.make_folder(folder)
    stored = folder / f"{digest}{ending}"
    if not stored.exists():
        disk.write_whole(stored, content)
    return {
        "name": source.name[:200],
        "sha256": digest,
        "stored": f"documents/{stored.name}",
    }


def document_is_whole(folder: Path, kept: Mapping[str, str]) -> bool:
    """Whether a document that was kept is there, unchanged."""
    stored = str(kept.get("stored", ""))
    path = folder / stored
    if not re.fullmatch(r"documents/[0-9a-f]{64}\.[a-z0-9]{1,8}", stored) or path.is_symlink():
        return False
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == kept.get("sha256")
    except OSError:
        return False
