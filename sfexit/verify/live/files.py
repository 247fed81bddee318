"""Bodies: everything that holds a file in the org has that file in the archive.

Compared are the org's own MD5 and size of every version with what the index of the archive says;
whether the stored bytes have them is for the offline checks. Where the org keeps no checksum
(attachments, documents) a sample is read again, with `deep` all of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from sfexit.errors import ArchiveProblem, OrgRefused, Transient
from sfexit.verify.finding import Finding, not_made
from sfexit.verify.ids import id18
from sfexit.verify.live import asking
from sfexit.verify.live.archived import Bag
from sfexit.verify.live.keys import (
    DIGEST_BYTES,
    ID_BYTES,
    KeySet,
    differences,
    digest,
    id_key,
)
from sfexit.verify.live.rows import LISTED
from sfexit.verify.live.schema import Shape
from sfexit.verify.live.wire import Wire

CHECK = "bodies"

#: object → columns with the MD5 and the size of its body (Object Reference, each object).
_MD5 = {"ContentVersion": "Checksum"}
_SIZES = ("ContentSizeLong", "ContentSize", "BodyLength", "LogFileLength")
#: What has no bytes in the org: a link, or a file that lies in another system (Object Reference,
#: ContentVersion: ContentLocation, FileType).
_ELSEWHERE = {"ContentLocation": ("E", "L"), "FileType": ("LINK",)}
#: object → column that is filled when the body lies elsewhere (Object Reference, Document: Url).
_LINKS = {"Document": ("Url",), "ContentVersion": ("ContentUrl",)}
_DELETED_ASKED = 5
_PHOTO = "FullPhotoUrl"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
#: Renditions and previews are made from the files, and are none (Object Reference,
#: ContentVersionRenditionContent, ContentBody).
_NO_BODIES = frozenset({"ContentVersionRenditionContent", "ContentBody"})


@dataclass(frozen=True)
class Bodies:
    """How the bodies of one field compare."""

    object: str
    field: str
    org: int = 0
    archive: int = 0
    by_md5: int = 0
    reread: int = 0
    findings: tuple[Finding, ...] = ()


def to_read(bag: Bag, *, sample: int, deep: bool) -> tuple[int, int]:
    """How many bodies without a checksum `compare` will read again, and their bytes, by the index.

    Raises ArchiveProblem when that cannot be read.
    """
    told: dict[tuple[str, str], tuple[int, int]] = {}
    for line in bag.files():
        if not line.get("salesforce_md5") and line.get("path"):
            image = bool(line.get("reference"))
            kind = ("", "") if image else (line.get("object", ""), line.get("field", ""))
            count, size = told.get(kind, (0, 0))
            more = line.get("bytes", "")
            told[kind] = count + 1, size + (int(more) if more.isdecimal() else 0)
    read = {kind: count if deep else min(count, sample) for kind, (count, _) in told.items()}
    return sum(read.values()), sum(
        size * read[kind] // count for kind, (count, size) in told.items()
    )


def compare(
    wire: Wire,
    bag: Bag,
    shapes: Mapping[str, Shape],
    folder: Path,
    *,
    sample: int,
    deep: bool,
    chance: random.Random,
) -> list[Bodies]:
    """Every body of the org against the archive's index. `sample`: bodies to read again."""
    wanted = [
        (shape, name)
        for shape in shapes.values()
        for name in shape.bodies()
        if shape.name not in _NO_BODIES
    ]
    index = _Index(bag, folder, {(shape.name, name) for shape, name in wanted})
    found = []
    for shape, name in wanted:
        try:
            found.append(_one(wire, bag, shape, name, index, folder, sample, deep, chance))
        except (OrgRefused, Transient) as trouble:
            told = not_made(CHECK, f"the org did not list its bodies: {trouble.message}",
                            object=shape.name)  # fmt: skip
            found.append(Bodies(shape.name, name, findings=(told,)))
    index.remove()
    found.append(_images(wire, bag, sample, deep, chance))
    return found


class _Index:
    """The index of the archive as keys on disk, one set for each field that holds bodies."""

    def __init__(self, bag: Bag, folder: Path, fields: set[tuple[str, str]]) -> None:
        self.sets = {
            both: KeySet(folder, f"{both[0]}.{both[1]}.files", DIGEST_BYTES) for both in fields
        }
        for line in bag.files():
            keys = self.sets.get((line.get("object", ""), line.get("field", "")))
            key = id_key(line.get("record_id", ""))
            if keys is not None and key is not None:
                deleted = line.get("is_deleted") == "true"
                keys.add(key, deleted, _payload(line.get("salesforce_md5"), line.get("bytes")))

    def remove(self) -> None:
        for keys in self.sets.values():
            keys.remove()


def _payload(md5: object, size: object) -> bytes:
    return digest([str(md5 or "").lower(), _bytes(size)])


def _bytes(size: object) -> str:
    """A size as digits: some are doubles, which REST writes `213.0` or `2.8342E7`."""
    text = "" if size is None else str(size)
    with contextlib.suppress(InvalidOperation):
        number = Decimal(text)
        if number.is_finite() and number.adjusted() < 20 and number == int(number):
            return f"{number:.0f}"
    return text


def _one(
    wire: Wire,
    bag: Bag,
    shape: Shape,
    name: str,
    index: _Index,
    folder: Path,
    sample: int,
    deep: bool,
    chance: random.Random,
) -> Bodies:
    md5 = _MD5.get(shape.name, "")
    own = name.replace("Body", "Length")  # AttachmentBody, Manual__Body__s
    size = next((one for one in (own, *_SIZES) if one != name and shape.has(one)), "")
    more = [one for one in (*_ELSEWHERE, *_LINKS.get(shape.name, ())) if shape.has(one)]
    deleted = ["IsDeleted"] if shape.has("IsDeleted") else []
    columns = ["Id", *([md5] if md5 else []), *([size] if size else []), *more, *deleted]
    org = KeySet(folder, f"{shape.name}.{name}.bodies", DIGEST_BYTES)
    drawn: list[str] = []
    unproven = by_md5 = 0
    for page in wire.pages(asking.soql(shape.name, columns)):
        for row in page.rows:
            key = id_key(str(row.get("Id")))
            if key is None or _elsewhere(shape.name, row) or (size and row.get(size) is None):
                continue
            told = row.get(md5) if md5 else None
            org.add(key, row.get("IsDeleted") is True, _payload(told, row.get(size)))
            if told:
                by_md5 += 1
                continue
            unproven += 1
            if deep or len(drawn) < sample:
                drawn.append(str(row["Id"]))
            elif (at := chance.randrange(unproven)) < sample:  # reservoir: each equally likely
                drawn[at] = str(row["Id"])
    here = index.sets[(shape.name, name)]
    findings = _differences(wire, shape.name, name, org, here, md5)
    broken = {one.record_id for one in findings}
    count, more_findings = _read_again(
        wire, bag, shape.name, name, [one for one in drawn if one not in broken]
    )
    org.remove()
    return Bodies(
        shape.name, name, org.count, here.count, by_md5, count, (*findings, *more_findings)
    )


def _elsewhere(name: str, row: Mapping[str, object]) -> bool:
    """Whether the org says that it has no bytes of this body."""
    if any(row.get(one) in values for one, values in _ELSEWHERE.items()):
        return True
    return any(row.get(one) for one in _LINKS.get(name, ()))


def _refused(wire: Wire, path: str) -> bool:
    """Whether the org does not give this body: files of records in the recycle bin are not given
    out."""

    def once() -> bool:
        for _ in wire.body(path):
            return False
        return False

    try:
        return wire.client.retried(once, "asking for a deleted body")
    except OrgRefused:
        return True


def _differences(
    wire: Wire, name: str, column: str, org: KeySet, here: KeySet, md5: str
) -> list[Finding]:
    counts = dict.fromkeys(("body-left-out", "body-differs"), 0)
    found: list[Finding] = []
    binned = asked = 0
    for one in differences(org, here):
        if one.org is None:
            continue  # of a record that was purged since: the rows tell
        if one.bag is not None and one.org[ID_BYTES + 1 :] == one.bag[ID_BYTES + 1 :]:
            continue  # only the deletion mark differs, which is the rows' matter
        if one.bag is None and one.org[ID_BYTES : ID_BYTES + 1] == b"1":
            record = id18(one.org[:ID_BYTES].decode("ascii", "replace"))
            # A few are asked for; when the org gives none of those, it gives none of its kind.
            if asked >= _DELETED_ASKED or _refused(wire, f"/sobjects/{name}/{record}/{column}"):
                asked += 1
                binned += 1
                continue
        code = "body-left-out" if one.bag is None else "body-differs"
        counts[code] += 1
        if counts[code] <= LISTED:
            found.append(
                Finding(
                    code,
                    CHECK,
                    object=name,
                    record_id=id18(one.org[:ID_BYTES].decode("ascii", "replace")),
                    field=column,
                    expected="the body that the org has",
                    found="no body" if one.bag is None else f"another size{' or MD5' * bool(md5)}",
                    witness=f"{name}.{md5 or 'size'} in the org",
                )
            )
    if binned:
        words = "their records are in the recycle bin, and the org gives no files from there"
        found.append(
            Finding("org-lives", CHECK, object=name, field=column, count=binned, detail=words)
        )
    for code, count in counts.items():
        if count > LISTED:
            found.append(
                Finding(code, CHECK, object=name, field=column, count=count - LISTED,
                        expected=f"{count:,} in all; the first {LISTED} stand by id")
            )  # fmt: skip
    return found


def _images(wire: Wire, bag: Bag, sample: int, deep: bool, chance: random.Random) -> Bodies:
    """Images in rich text, of which the org states neither size nor checksum: some are read again
    (REST API Developer Guide, "sObject Rich Text Image Get"), with `deep` all."""
    drawn: list[dict[str, str]] = []
    seen = 0
    for line in bag.files():
        if not line.get("reference") or line.get("is_deleted") == "true":
            continue
        if line.get("field") == _PHOTO:
            continue  # no image of a text; its version is in the row's address, which is compared
        seen += 1
        if deep or len(drawn) < sample:
            drawn.append(line)
        elif (at := chance.randrange(seen)) < sample:
            drawn[at] = line
    read, found = 0, []
    for line in drawn:
        name, column = line.get("object", ""), line.get("field", "")
        ids = (line.get("record_id", ""), line.get("reference", ""))
        if not (_NAME.fullmatch(name) and _NAME.fullmatch(column) and all(map(id_key, ids))):
            why = "a line about an image that names no record or no field"
            place = "data/files/index.csv.gz"
            found.append(Finding("evidence-wrong", CHECK, path=place, found=why))
            continue
        path = f"/sobjects/{name}/{ids[0]}/richTextImageFields/{column}/{ids[1]}"
        try:
            there = _digest(wire, path, f"reading an image of {name} again")
            here = bag.body_sha256(line.get("path", ""))
        except OrgRefused as refused:
            # The record or its text is another one by now: rows and values tell.
            if refused.status != 404:
                found.append(not_made(CHECK, refused.message, object=name))
            continue
        except (Transient, ArchiveProblem) as trouble:
            found.append(not_made(CHECK, trouble.message, object=name))
            continue
        read += 1
        if there != here:
            found.append(
                Finding("body-differs", CHECK, object=name, record_id=ids[0], field=column,
                        expected=f"SHA-256 {there[:16]}…", found=f"SHA-256 {here[:16]}…",
                        witness="the image read from the org again")
            )  # fmt: skip
    return Bodies("images in rich text", "", read, seen, 0, read, tuple(found))


def _digest(wire: Wire, path: str, what: str) -> str:
    """SHA-256 of a body, read to its end."""

    def once() -> str:
        told = hashlib.sha256()
        for piece in wire.body(path):
            told.update(piece)
        return told.hexdigest()

    return wire.client.retried(once, what)


def _read_again(
    wire: Wire, bag: Bag, name: str, column: str, ids: Sequence[str]
) -> tuple[int, list[Finding]]:
    """Read bodies from the org again and compare them with the stored ones, byte for byte."""
    wanted = set(ids)
    if not wanted:
        return 0, []
    paths = {
        line["record_id"]: line.get("path", "")
        for line in bag.files()
        if line.get("object") == name and line.get("field") == column
        and line.get("record_id") in wanted
    }  # fmt: skip
    read, found = 0, []
    for record in ids:
        if record not in paths:
            continue
        try:
            path = f"/sobjects/{name}/{record}/{column}"
            there = _digest(wire, path, f"reading a body of {name} again")
            here = bag.body_sha256(paths[record])
        except (OrgRefused, Transient, ArchiveProblem) as trouble:
            found.append(not_made(CHECK, trouble.message, object=name))
            continue
        read += 1
        if there != here:
            found.append(
                Finding("body-differs", CHECK, object=name, record_id=record, field=column,
                        expected=f"SHA-256 {there[:16]}…", found=f"SHA-256 {here[:16]}…",
                        witness="the body read from the org again")
            )  # fmt: skip
    return read, found
