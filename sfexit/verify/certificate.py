"""The statement that gates later steps: what was verified, when, by whom, with which result.

It names one archive by its root digest and speaks of no other. It is signed with the key of the
archive's seal, in the same three forms, and lies in the home: `proofs/<root digest>/<time>/`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sfexit.archive import signing
from sfexit.archive.durable import Disk
from sfexit.archive.signing import SigningKey
from sfexit.errors import ArchiveProblem, Blocked
from sfexit.verify.verdict import Check, RegisterEntry, Result, Verdict, Waiver

SCHEMA = "sfexit-certificate/1"
NAME = "certificate.json"
PROOFS = "proofs"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_FOLDER_TIME = "%Y%m%dT%H%M%SZ"
_FOLDER = re.compile(r"[0-9]{8}T[0-9]{6}Z(?:-[0-9]+)?")
_LIMIT = 64 << 20


@dataclass(frozen=True)
class Witnessed:
    """How many rows an object has, by each witness."""

    object: str
    outcome: str
    rows: int | None
    witnesses: Mapping[str, int]


@dataclass(frozen=True)
class Certificate:
    """What a verification against the org came to. All times are UTC.

    `expires`: the answer holds until then. `previous`: SHA-256 of the certificate before this
    one in the home, empty in the first, so that the history shows a gap.
    """

    verdict: Verdict
    title: str
    made: datetime
    expires: datetime
    organization_id: str
    organization: str
    user_id: str
    username: str
    permissions: tuple[str, ...]
    api_version: str
    snapshot_started: datetime
    snapshot_finished: datetime
    root_digest: str
    generation: int
    signing_key: str
    made_by: str
    objects: tuple[Witnessed, ...] = ()
    checks: tuple[Check, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    register: tuple[RegisterEntry, ...] = ()
    previous: str = ""

    def to_bytes(self) -> bytes:
        """The text that is signed: JSON by key, so that equal statements are equal bytes."""
        told = asdict(self)
        for name, value in told.items():
            if isinstance(value, datetime):
                told[name] = value.astimezone(UTC).strftime(_TIME)
        told["schema"] = SCHEMA
        return (json.dumps(told, indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Certificate:
        """Raises ArchiveProblem for anything that is no certificate of this version."""
        try:
            told: dict[str, Any] = json.loads(data)
            if told.pop("schema") != SCHEMA:
                raise ArchiveProblem(
                    "the certificate was made by another version of sfexit: verify again"
                )
            known = {one.name for one in fields(cls)}
            told = {name: value for name, value in told.items() if name in known}
            for name in ("made", "expires", "snapshot_started", "snapshot_finished"):
                told[name] = datetime.strptime(told[name], _TIME).replace(tzinfo=UTC)
            told["verdict"] = Verdict(told["verdict"])
            told["permissions"] = tuple(map(str, told["permissions"]))
            told["objects"] = tuple(Witnessed(**one) for one in told["objects"])
            told["checks"] = tuple(
                Check(**{**one, "result": Result(one["result"])}) for one in told["checks"]
            )
            told["waivers"] = tuple(Waiver(**one) for one in told["waivers"])
            told["register"] = tuple(RegisterEntry(**one) for one in told["register"])
            for name in ("root_digest", "signing_key", "organization_id", "title"):
                if not isinstance(told[name], str):
                    raise TypeError(name)
            return cls(**told)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArchiveProblem(
                "the certificate cannot be read as one: verify the archive again"
            ) from error


def issue(
    home: Path,
    certificate: Certificate,
    key: SigningKey,
    others: Mapping[str, bytes],
    *,
    disk: Disk | None = None,
) -> Path:
    """Sign a certificate and publish it with `others` (file name → content: reports, waivers).

    Returns the folder below `proofs/`. It appears whole, by one rename; no older one is touched.
    Raises Blocked when the key is not that of the archive's seal; DiskTrouble.
    """
    if key.fingerprint != certificate.signing_key:
        raise Blocked(
            f"the archive was sealed with {certificate.signing_key} and your key is "
            f"{key.fingerprint}: let the one who sealed it verify it, or export again with your key"
        )
    disk = disk or Disk()
    message = certificate.to_bytes()
    files = {**others, NAME: message, **signing.signatures(key, NAME, message)}
    return publish(home, certificate.root_digest, certificate.made, files, disk=disk)


def publish(
    home: Path, root_digest: str, made: datetime, files: Mapping[str, bytes], *, disk: Disk
) -> Path:
    """Put the files of one proof in place: all of them or none. Raises DiskTrouble."""
    above = home / PROOFS / root_digest
    disk.make_folder(above)
    name, number = made.astimezone(UTC).strftime(_FOLDER_TIME), 1
    final = above / name
    while final.exists():
        number += 1
        final = above / f"{name}-{number}"
    part = above / f".{final.name}.part"
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(part)  # of a run that was killed; the name is ours alone
    disk.make_folder(part)
    for file, content in files.items():
        if "/" in file or "\\" in file or file in ("", ".", ".."):
            raise ValueError(f"no name of a file in a proof: {file!r}")
        disk.write_whole(part / file, content)
    disk.sync_folder(part)
    disk.publish(part, final)
    return final


def folder_name(certificate: Certificate) -> str:
    """How the folder of a certificate begins: the time when it was made."""
    return certificate.made.astimezone(UTC).strftime(_FOLDER_TIME)


def history(home: Path, root_digest: str) -> list[Path]:
    """The folders of all proofs for one archive, oldest first."""
    above = home / PROOFS / root_digest
    if not re.fullmatch(r"[0-9a-f]{64}", root_digest) or above.is_symlink() or not above.is_dir():
        return []
    found = [one for one in above.iterdir() if _FOLDER.fullmatch(one.name)]
    return sorted(found, key=lambda one: (one.name[:16], int(one.name[17:] or 1)))


def last_digest(home: Path) -> str:
    """SHA-256 of the newest certificate in a home, whatever archive it is of; empty: none yet."""
    newest: tuple[str, Path] | None = None
    for above in (home / PROOFS).glob("*"):
        for folder in history(home, above.name):
            path = folder / NAME
            if path.is_file() and (newest is None or folder.name >= newest[0]):
                newest = (folder.name, path)
    return hashlib.sha256(newest[1].read_bytes()).hexdigest() if newest is not None else ""
