"""Reconciling with the ZIPs of Salesforce's own Data Export service.

The one second source that nobody can say we wrote. It supports a verdict and never makes one
alone: it is older than the archive, knows fewer objects, and leaves out what it leaves out.

Documented of it ("Export Backup Data from Salesforce",
https://help.salesforce.com/s/articleView?id=sf.admin_exportdata.htm): one CSV per object, cut over
several ZIPs of about 512 MB; in the encoding that was chosen; "formula and roll-up summary fields
are always excluded"; carriage returns replaced by blanks when that was chosen; of Chatter posts
and comments up to 1,000 characters. Seen in its files and not documented, so that both forms are
read: true and false as 1 and 0, moments as "2026-05-06 11:56:44" in GMT; that LastViewedDate and
LastReferencedDate, which speak of the reader, are left out.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sfexit.errors import UsageProblem
from sfexit.redaction import printable
from sfexit.verify.finding import Finding
from sfexit.verify.ids import id18
from sfexit.verify.live import canonical
from sfexit.verify.live.archived import Archived, Bag
from sfexit.verify.live.keys import (
    DIGEST_BYTES,
    ID_BYTES,
    STAMP_BYTES,
    KeySet,
    differences,
    digest,
    id_key,
    stamp,
)
from sfexit.verify.live.rows import LISTED

CHECK = "weekly export"
_STAMP = "systemmodstamp"
_CHATTER = {("FeedItem", "Body"): 1_000, ("FeedComment", "CommentBody"): 1_000}
_LEFT_OUT = canonical.OF_THE_READER | {"PhotoUrl", "IsCustomerPortal", "IsEmailBounced"}
_MOST_MEMBERS = 100_000
_MOST_BYTES = 64 << 30  # of one table; the service cuts at 512 MB a ZIP
_MOST_RATIO = 1_100  # deflate cannot do more than 1,032
_BLANKS = re.compile(r"[\r\n\t ]+")
_NAME = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,79})\.csv", re.IGNORECASE)
_HEAD_BYTES = 1 << 20


@dataclass(frozen=True)
class Reconciled:
    """One object of the weekly export against the archive; counts of rows."""

    object: str
    rows: int = 0
    equal: int = 0
    newer: int = 0  # changed since the weekly export
    gone: int = 0  # deleted since, as the org itself says
    fields: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Weekly:
    """What the whole comparison came to. `unknown`: tables that are no objects of the archive."""

    objects: tuple[Reconciled, ...] = ()
    unknown: tuple[str, ...] = ()
    zips: int = 0

    @property
    def words(self) -> str:
        """One line for the report."""
        rows = sum(one.rows for one in self.objects)
        equal = sum(one.equal for one in self.objects)
        newer = sum(one.newer + one.gone for one in self.objects)
        wrong = sum(finding.count for one in self.objects for finding in one.findings)
        return (
            f"{rows:,} rows of {len(self.objects)} objects in {self.zips} ZIPs: {equal:,} equal "
            f"field by field, {newer:,} changed or deleted since, {wrong:,} not explained"
        )


def tables(folder: Path) -> tuple[dict[str, list[tuple[Path, str]]], int]:
    """The CSVs of all ZIPs below `folder`, by object; and the number of ZIPs.

    Reads names only. Raises UsageProblem for a folder without ZIPs, and for a ZIP that is none,
    is encrypted, or unpacks to more than any such export has.
    """
    if not folder.is_dir():
        raise UsageProblem(f"{folder} is no folder: name the one that holds the export's ZIPs")
    zips = sorted(one for one in folder.iterdir() if one.suffix.lower() == ".zip")
    if not zips:
        raise UsageProblem(f"{folder} holds no ZIP: put the files of the Data Export page there")
    found: dict[str, list[tuple[Path, str]]] = {}
    for path in zips:
        try:
            with zipfile.ZipFile(path) as opened:
                members = opened.infolist()
        except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
            raise UsageProblem(f"{path} is no whole ZIP: download it once more") from error
        if len(members) > _MOST_MEMBERS * 10:
            raise _hostile(path, "holds more entries than any export")
        for member in members:
            name = _NAME.fullmatch(PurePosixPath(member.filename).name)
            if name is None or member.is_dir():
                continue  # Attachments/, Documents/, ContentVersion/: bodies without an ending
            if member.flag_bits & 1:
                raise _hostile(path, "is encrypted")
            if member.file_size > _MOST_BYTES or (
                member.file_size > _MOST_RATIO * max(member.compress_size, 1)
            ):
                raise _hostile(path, "unpacks to more than such an export can hold")
            found.setdefault(name[1].lower(), []).append((path, member.filename))
    return found, len(zips)


def _hostile(path: Path, what: str) -> UsageProblem:
    return UsageProblem(f"{path} {what}, so it was not read: is it really a Data Export ZIP?")


def _lines(parts: Sequence[tuple[Path, str]]) -> Iterator[tuple[list[str], list[str], str]]:
    """(header, cells, encoding) of all parts of a table."""
    for path, member in parts:
        try:
            with zipfile.ZipFile(path) as opened, opened.open(member) as handle:
                head = handle.read(_HEAD_BYTES)
            encoding = _encoding(head)
            with zipfile.ZipFile(path) as opened, opened.open(member) as handle:
                text = io.TextIOWrapper(handle, encoding, errors="strict", newline="")
                rows = csv.reader(text, strict=True)
                header = [one.strip() for one in next(rows, [])]
                total = 0
                for cells in rows:
                    total += sum(map(len, cells))
                    if total > _MOST_BYTES:
                        raise _hostile(path, "unpacks to more than such an export can hold")
                    if len(cells) == len(header):
                        yield header, cells, encoding
                    elif cells:
                        raise UsageProblem(
                            f"{printable(member, 80)} in {path} has a row of {len(cells)} cells in "
                            f"{len(header)} columns: download the ZIP once more"
                        )
        except (zipfile.BadZipFile, csv.Error, UnicodeDecodeError, OSError, EOFError) as error:
            raise UsageProblem(
                f"{printable(member, 80)} in {path} cannot be read ({type(error).__name__}): "
                "download the ZIP once more"
            ) from error


def _encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=False)
    except UnicodeDecodeError:
        return "iso-8859-1"
    return "utf-8-sig"


def reconcile(
    bag: Bag,
    folder: Path,
    work: Path,
    *,
    there: Callable[[str, Sequence[str]], frozenset[str] | None] | None = None,
    equal: Collection[str] = (),
) -> Weekly:
    """Compare every table of the weekly export with the archive's, by Id and field by field.

    `there` tells which of some ids of an object the org still has; None when it cannot say.
    `equal`: objects whose records were proven to be as the org has them now. There no archived
    record can be older than a weekly one: the clocks differ, not the records.
    """
    found, zips = tables(folder)
    names = {name.lower(): one for name, one in bag.objects.items()}
    done, unknown = [], []
    for lower, parts in sorted(found.items()):
        one = names.get(lower)
        if one is None or not one.columns or "Id" not in one.columns:
            unknown.append(parts[0][1])
            continue
        done.append(_one(bag, one, parts, work, there, proven=one.name in equal))
    return Weekly(tuple(done), tuple(unknown), zips)


@dataclass
class _Columns:
    """The columns both have, in one order, and how each is read."""

    common: list[str] = field(default_factory=list)
    at: dict[str, int] = field(default_factory=dict)


def _one(
    bag: Bag,
    one: Archived,
    parts: Sequence[tuple[Path, str]],
    work: Path,
    there: Callable[[str, Sequence[str]], frozenset[str] | None] | None,
    *,
    proven: bool,
) -> Reconciled:
    size = STAMP_BYTES + DIGEST_BYTES
    weekly = KeySet(work, f"{one.name}.weekly", size)
    archive = KeySet(work, f"{one.name}.weekly-bag", size)
    exact = {name.lower(): name for name in one.columns}
    columns = _Columns()
    encoding = "utf-8-sig"
    for header, cells, told in _lines(parts):
        encoding = told
        lower = [name.lower() for name in header]
        if not columns.at:
            columns.common = [
                exact[name] for name in lower if name in exact and exact[name] not in _LEFT_OUT
            ]
        columns.at = {exact[name]: at for at, name in enumerate(lower) if name in exact}
        if "Id" not in columns.at:
            break
        key = id_key(cells[columns.at["Id"]])
        if key is None:
            continue
        weekly.add(key, False, _payload(one, columns, cells, columns.at, "", weekly=True))
    where = {name: at for at, name in enumerate(one.columns)}
    if "Id" in columns.at:
        for cells in bag.rows(one):
            key = id_key(cells[where["Id"]])
            if key is not None:
                archive.add(
                    key, False, _payload(one, columns, cells, where, encoding, weekly=False)
                )
    result = _differences(one, columns, weekly, archive, there, proven=proven)
    weekly.remove()
    archive.remove()
    return result


def _payload(
    one: Archived,
    columns: _Columns,
    cells: Sequence[str],
    where: Mapping[str, int],
    encoding: str,
    *,
    weekly: bool,
) -> bytes:
    told = []
    moment = b"\x00" * STAMP_BYTES
    for name in columns.common:
        at = where.get(name)
        text = cells[at] if at is not None else ""
        if name.lower() == _STAMP:
            moment = stamp(_seconds(text))
            continue
        told.append(_value(one, name, text, encoding, weekly=weekly))
    return moment + digest(told)


def _seconds(text: str) -> str:
    """A moment without its milliseconds, in the form of the API."""
    return f"{text[:10]}T{text[11:19]}.000Z" if len(text) >= 19 else text


def _value(one: Archived, name: str, text: str, encoding: str, *, weekly: bool) -> str | None:
    """A value as the weekly export would have it."""
    if text == "":
        return None
    kind = one.types.get(name, "string")
    if kind == "boolean":
        return {"1": "true", "0": "false"}.get(text, text.lower())
    if kind == "datetime":
        return _seconds(text)
    if kind == "time":
        return text[:8]
    if kind in ("int", "long", "double", "currency", "percent"):
        return canonical.from_cell(text, kind)
    if not weekly and encoding == "iso-8859-1":
        text = text.encode("iso-8859-1", "replace").decode("iso-8859-1")
    most = _CHATTER.get((one.name, name))
    told = _BLANKS.sub(" ", text).strip()
    return (told[:most].strip() if most else told) or None


def _differences(
    one: Archived,
    columns: _Columns,
    weekly: KeySet,
    archive: KeySet,
    there: Callable[[str, Sequence[str]], frozenset[str] | None] | None,
    *,
    proven: bool,
) -> Reconciled:
    missing: list[str] = []
    wrong: list[tuple[str, str]] = []
    missed = newer = differing = 0
    body = slice(ID_BYTES + 1, ID_BYTES + 1 + STAMP_BYTES)
    for difference in differences(weekly, archive):
        if difference.org is None:
            continue  # written since, or not part of a weekly export
        if difference.bag is None:
            missed += 1
            if len(missing) < 2_000:
                missing.append(id18(difference.id15))
        elif difference.bag[body] > difference.org[body] or (
            proven and difference.bag[body] != difference.org[body]
        ):
            newer += 1
        else:
            differing += 1
            if len(wrong) < LISTED:
                same = difference.bag[body] == difference.org[body]
                wrong.append((id18(difference.id15), "same time stamp, other content" if same
                              else "older than in the weekly export"))  # fmt: skip
    known = there(one.name, missing) if there is not None and missing else None
    gone = 0 if known is None else sum(record not in known for record in missing)
    left = [record for record in missing if known is None or record in known]
    missed -= gone
    witness = "Salesforce's Data Export service"
    findings = [
        Finding("weekly-differs", CHECK, object=one.name, record_id=record, expected="this record",
                found="not in the archive", witness=witness)
        for record in left[:LISTED]
    ] + [
        Finding("weekly-differs", CHECK, object=one.name, record_id=record,
                expected=f"the same in {len(columns.common)} fields", found=what, witness=witness)
        for record, what in wrong
    ]  # fmt: skip
    rest = missed + differing - len(findings)
    if rest > 0:
        findings.append(
            Finding("weekly-differs", CHECK, object=one.name, count=rest, witness=witness)
        )
    return Reconciled(
        one.name,
        rows=weekly.count,
        equal=weekly.count - missed - gone - newer - differing,
        newer=newer,
        gone=gone,
        fields=len(columns.common),
        findings=tuple(findings),
    )
