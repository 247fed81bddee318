# ruff: noqa: E501 - a table is read line by line
"""Damage to an archive, kind by kind: what somebody does, and what must be found.

Four hands do it. `disk`: something went wrong by itself, nothing was recomputed. `folder`: somebody
who holds the whole folder, recomputes every manifest, and has not the key. `stranger`: the same,
and seals with a key of their own. `maker`: the archive was sealed wrong, with the right key.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfexit.archive import signing
from sfexit.verify.codes import Level

QUICK, NORMAL, DEEP = Level.QUICK, Level.NORMAL, Level.DEEP
PAGES, LEDGER, PACKAGE = "data/evidence/pages.csv", "data/ledger.csv", "data/datapackage.json"
INDEX, JOBS = "data/files/index.csv.gz", "data/evidence/jobs.csv"
METADATA, LISTED = "data/metadata/index.csv", "data/metadata/listed.json.gz"
PACKAGE_1 = "data/metadata/packages/0001"
DEFINITIONS, DICTIONARY = "data/definitions/index.csv", "data/schema/dictionary.csv"
FILLED = "data/schema/filled.json.gz"
SIGHT, JOURNAL = "data/org/sight.json", "data/evidence/journal.jsonl"


@dataclass(frozen=True)
class Damage:
    """`code` must be found at `level`, in a finding that names `where` (a part of its text)."""

    name: str
    hand: str
    level: Level
    code: str
    where: str
    do: Callable[[Path], None]

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


# --- helpers: what a person with an editor has


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def page(bag: Path, name: str = "Contact", number: int = 0) -> Path:
    return sorted((bag / "data/records" / name).glob("*.gz"))[number]


def relative(bag: Path, path: Path) -> str:
    return path.relative_to(bag).as_posix()


def flip(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 0x10
    path.write_bytes(data)


def flips(name: str, at: float = 0.5) -> Callable[[Path], None]:
    return lambda bag: flip(bag / name, at)


def read_csv(path: Path) -> list[list[str]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def write_csv(path: Path, rows: list[list[str]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    data = out.getvalue().encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def edit_csv(path: Path, change: Callable[[list[list[str]]], Any]) -> None:
    rows = read_csv(path)
    change(rows)
    write_csv(path, rows)


def edit_json(path: Path, change: Callable[[Any], Any]) -> None:
    packed = path.suffix == ".gz"
    raw = path.read_bytes()
    value = json.loads(gzip.decompress(raw) if packed else raw)
    change(value)
    data = json.dumps(value).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)


def line_of(rows: list[list[str]], column: str, value: str) -> list[str]:
    at = rows[0].index(column)
    return next(row for row in rows[1:] if row[at] == value)


def put(rows: list[list[str]], key: str, value: str, column: str, new: str) -> None:
    line_of(rows, key, value)[rows[0].index(column)] = new


def refresh_page(bag: Path, path: Path, *, rows: int | None = None) -> None:
    """Make evidence/pages.csv tell of a page what it holds now."""
    name = relative(bag, path).removeprefix("data/")
    raw = path.read_bytes()
    text = gzip.decompress(raw)

    def change(lines: list[list[str]]) -> None:
        told = {
            "bytes": len(raw),
            "sha256": sha256(raw),
            "csv_bytes": len(text),
            "csv_sha256": sha256(text),
        }
        if rows is not None:
            told |= {"rows": rows}
        for column, value in told.items():
            put(lines, "path", name, column, str(value))

    edit_csv(bag / PAGES, change)


def count(bag: Path, name: str, rows: int) -> None:
    """Make ledger and package tell another number of rows of an object."""

    def ledger(lines: list[list[str]]) -> None:
        put(lines, "object", name, "rows", str(rows))
        put(lines, "object", name, "witnesses", f"parsed={rows};distinct_ids={rows}")

    edit_csv(bag / LEDGER, ledger)

    def package(told: Any) -> None:
        next(r for r in told["resources"] if r.get("title") == name)["rows"] = rows

    edit_json(bag / PACKAGE, package)


def remanifest(bag: Path) -> None:
    """Recompute every manifest and Payload-Oxum."""
    payload = sorted(p for p in (bag / "data").rglob("*") if p.is_file() and not p.is_symlink())
    names = {relative(bag, path): path for path in payload}
    lines = [f"{sha256(names[name].read_bytes())}  {name}\n" for name in sorted(names)]
    (bag / "manifest-sha256.txt").write_text("".join(lines))
    size = sum(path.stat().st_size for path in payload)
    info = (bag / "bag-info.txt").read_text().splitlines()
    told = [
        f"Payload-Oxum: {size}.{len(payload)}" if x.startswith("Payload-Oxum") else x for x in info
    ]
    (bag / "bag-info.txt").write_text("\n".join(told) + "\n")
    retag(bag)


def retag(bag: Path) -> None:
    names = ("bag-info.txt", "bagit.txt", "manifest-sha256.txt")
    told = "".join(f"{sha256((bag / name).read_bytes())}  {name}\n" for name in names)
    (bag / "tagmanifest-sha256.txt").write_text(told)


def reseal(bag: Path, key: signing.SigningKey) -> None:
    remanifest(bag)
    info = (bag / "bag-info.txt").read_text().splitlines()
    told = [
        f"Sfexit-Signing-Key: {key.fingerprint}" if x.startswith("Sfexit-Signing") else x
        for x in info
    ]
    (bag / "bag-info.txt").write_text("\n".join(told) + "\n")
    retag(bag)
    signing.seal(bag, key)


def edit_rows(
    name: str, change: Callable[[list[list[str]]], Any], number: int = 0
) -> Callable[[Path], None]:
    """Edit the rows of a page and make the evidence fit, but for what the test is about."""

    def do(bag: Path) -> None:
        path = page(bag, name, number)
        edit_csv(path, change)
        refresh_page(bag, path)

    return do


def cell(
    column: str, change: Callable[[str], str], row: int = 1
) -> Callable[[list[list[str]]], None]:
    def do(rows: list[list[str]]) -> None:
        at = rows[0].index(column)
        rows[row][at] = change(rows[row][at])

    return do


def drop_column(rows: list[list[str]], name: str) -> None:
    at = rows[0].index(name)
    for row in rows:
        del row[at]


def edit_ledger(name: str, column: str, value: str) -> Callable[[Path], None]:
    return lambda bag: edit_csv(bag / LEDGER, lambda rows: put(rows, "object", name, column, value))


def resource(told: Any, name: str) -> Any:
    return next(one for one in told["resources"] if one.get("title") == name)


def bodies(bag: Path) -> list[Path]:
    """Those of file versions."""
    return sorted(p for p in (bag / "data/files/content").rglob("068*") if p.is_file())


def version(rows: list[list[str]]) -> list[str]:
    """The first line of a file version in an index."""
    return line_of(rows, "object", "ContentVersion")


def swap(one: Path, other: Path) -> None:
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)


def raw_page(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Edit the text inside a page as bytes; evidence is made to fit."""

    def do(bag: Path) -> None:
        path = page(bag)
        path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes())), mtime=0))
        refresh_page(bag, path)

    return do


def _lose_page(bag: Path) -> None:
    page(bag, "Contact", -1).unlink()


def _left_out(bag: Path, name: str = "Contact") -> None:
    shutil.rmtree(bag / "data/records" / name)
    edit_csv(bag / PAGES, lambda rows: rows.__setitem__(
        slice(1, None), [row for row in rows[1:] if row[1] != name]))  # fmt: skip
    edit_json(bag / PACKAGE, lambda told: told["resources"].remove(resource(told, name)))


def _left_out_of_ledger_too(bag: Path) -> None:
    _left_out(bag)
    edit_csv(bag / LEDGER, lambda rows: rows.remove(line_of(rows, "object", "Contact")))


def _fewer_rows(bag: Path) -> None:
    """A page loses its last row; every count is made to fit."""
    path = page(bag)
    edit_csv(path, lambda rows: rows.pop())
    rows = len(read_csv(path)) - 1
    refresh_page(bag, path, rows=rows)
    total = sum(len(read_csv(one)) - 1 for one in sorted(path.parent.glob("*.gz")))
    count(bag, "Contact", total)


def _twice(rows: list[list[str]]) -> None:
    rows[2] = [rows[1][0], *rows[2][1:]]


def _field_gone(bag: Path) -> None:
    """A column vanishes from pages, package and ledger alike; only the org's words still have it."""
    for path in sorted((bag / "data/records/Contact").glob("*.gz")):
        edit_csv(path, lambda rows: drop_column(rows, "LastName"))
        refresh_page(bag, path)

    def package(told: Any) -> None:
        fields = resource(told, "Contact")["schema"]["fields"]
        fields[:] = [one for one in fields if one["name"] != "LastName"]

    edit_json(bag / PACKAGE, package)
    shown = len(read_csv(page(bag))[0])
    edit_ledger("Contact", "fields_exported", str(shown))(bag)


def _bomb(bag: Path) -> None:
    """A small page that unpacks to far more than the evidence says."""
    path = page(bag)
    head = gzip.decompress(path.read_bytes()).split(b"\n")[0]
    path.write_bytes(gzip.compress(head + b"\n" + bytes(1 << 26), mtime=0))


def _long_value(bag: Path) -> None:
    path = page(bag)
    text = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(text + b'"' + b"x" * (66 << 20), 1, mtime=0))
    refresh_page(bag, path)


def _journal_edited(bag: Path) -> None:
    path = bag / JOURNAL
    path.write_bytes(re.sub(rb'"rows":[0-9]+', b'"rows":987654', path.read_bytes(), count=1))


def _journal_cut(bag: Path) -> None:
    path = bag / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5] + lines[6:]))


def _orphan(bag: Path) -> None:
    (bag / "data/records/Contact/Contact.g009.s0000.p000001.csv.gz").write_bytes(
        page(bag).read_bytes()
    )


def _parents_gone(bag: Path) -> None:
    """Cases that have comments are gone, and a comment cannot live without its case."""
    name = "Case"
    edit_json(
        bag / f"data/schema/objects/{name}.json.gz",
        lambda told: told.update(
            childRelationships=[
                {"childSObject": "CaseComment", "field": "ParentId", "cascadeDelete": True}
            ]
        ),
    )
    for path in sorted((bag / "data/records" / name).glob("*.gz")):
        edit_csv(path, lambda rows: rows.__delitem__(slice(2, None)))
        refresh_page(bag, path, rows=1)
    total = len(list((bag / "data/records" / name).glob("*.gz")))
    count(bag, name, total)
    edit_ledger(name, "deleted_rows", "")(bag)
    edit_ledger("CaseComment", "finished", "2026-01-01T00:00:00.000Z")(bag)
    edit_ledger(name, "started", "2026-01-02T00:00:00.000Z")(bag)


def _index(change: Callable[[list[list[str]]], Any]) -> Callable[[Path], None]:
    return lambda bag: edit_csv(bag / INDEX, change)


def _index_cell(column: str, value: str) -> Callable[[Path], None]:
    return _index(lambda rows: version(rows).__setitem__(rows[0].index(column), value))


def _of_another_size(rows: list[list[str]]) -> None:
    """Where there is no checksum; a right one outweighs a size."""
    line = version(rows)
    line[rows[0].index("salesforce_md5")] = ""
    line[rows[0].index("salesforce_bytes")] = "1"


def _old_bag(bag: Path) -> None:
    """Tag manifest and seal of an older archive of the same key, laid over this one."""
    (bag / "tagmanifest-sha256.txt").write_text(f"{'0' * 64}  bag-info.txt\n")


def _link(bag: Path) -> None:
    path = page(bag)
    other = bag.parent / "elsewhere.gz"
    other.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(other)


def _linked_folder(bag: Path) -> None:
    folder = bag / "data/records/Contact"
    folder.rename(bag.parent / "Contact")
    folder.symlink_to(bag.parent / "Contact")


def _line(name: str, text: str) -> Callable[[Path], None]:
    def do(bag: Path) -> None:
        with (bag / name).open("a") as file:
            file.write(text)

    return do


def _unsign(bag: Path) -> None:
    shutil.rmtree(bag / "seal")


def _blind(told: Any) -> None:
    told["blind_spots"] = [
        {"kind": "rows_hidden", "object": "Contact", "field": "", "certainty": "certain",
         "what": "", "permission": "", "remedy": "", "evidence": ""}
    ]  # fmt: skip


def _hide(told: Any) -> None:
    told["hidden_objects"] = [{"name": "Secret__c", "label": "Secret"}]


def _drop_jobs(bag: Path) -> None:
    edit_csv(bag / LEDGER, lambda rows: put(rows, "object", "Contact", "witnesses", "job_total=1"))


def _zero(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))


def _wrong_suffix(value: str) -> str:
    return value[:17] + ("A" if value[17] != "A" else "B")


def _zip_entry(bag: Path, change: Callable[[dict[str, bytes]], Any]) -> None:
    """Write a package anew with other entries."""
    path = bag / f"{PACKAGE_1}.zip"
    with zipfile.ZipFile(path) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in entries.items():
            new.writestr(name, data)


def zipped(change: Callable[[dict[str, bytes]], Any]) -> Callable[[Path], None]:
    return lambda bag: _zip_entry(bag, change)


def _component(entries: dict[str, bytes]) -> str:
    return next(name for name in entries if name.endswith(".cls"))


def _zip_twice(bag: Path) -> None:
    path = bag / f"{PACKAGE_1}.zip"
    with zipfile.ZipFile(path, "a") as archive:
        name = archive.namelist()[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive.writestr(name, b"another")


def _zip_rotten(bag: Path) -> None:
    """The bytes of one file in a ZIP are others than its checksum says."""
    path = bag / f"{PACKAGE_1}.zip"
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
        at = first.header_offset + 30 + len(first.filename) + first.compress_size // 2
    data = bytearray(path.read_bytes())
    data[at] ^= 0x55
    path.write_bytes(data)


def edit(path: str, change: Callable[[list[list[str]]], Any]) -> Callable[[Path], None]:
    return lambda bag: edit_csv(bag / path, change)


def one_cell(path: str, column: str, value: str, row: int = 1) -> Callable[[Path], None]:
    return edit(path, lambda rows: rows[row].__setitem__(rows[0].index(column), value))


def _definition_of_another(bag: Path) -> None:
    """Two reports have each other's definition."""
    folder = bag / "data/definitions/Report"
    swap(*sorted(folder.glob("*.json.gz"))[:2])


def _no_definitions(bag: Path) -> None:
    shutil.rmtree(bag / "data/definitions")


def _version_missing(bag: Path) -> None:
    """A file version loses its body and its line, and every count is made to fit."""
    told = read_csv(bag / INDEX)
    columns, lines = told[0], told[1:]
    of, where = columns.index("object"), columns.index("path")
    lost = next(line for line in lines if line[of] == "ContentVersion")
    _without_body(bag, lost[where])
    _without_line(bag, lost)


def _image_missing(bag: Path) -> None:
    """An image of a rich text loses its body and its lines, and every count is made to fit."""
    told = read_csv(bag / INDEX)
    columns, lines = told[0], told[1:]
    image, where = columns.index("reference"), columns.index("path")
    lost = next(line for line in lines if line[image])
    _without_body(bag, lost[where])
    for line in lines:
        if line[image] == lost[image]:
            _without_line(bag, line)


def _without_body(bag: Path, path: str) -> None:
    (bag / "data" / path).unlink()
    for folder in (bag / "data" / path).parents:
        if any(folder.iterdir()):
            break
        folder.rmdir()


def _without_line(bag: Path, lost: list[str]) -> None:
    edit_csv(bag / INDEX, lambda rows: rows.remove(lost))

    def package(told: Any) -> None:
        files = next(r for r in told["resources"] if r["name"] == "files")
        files["rows"] -= 1

    edit_json(bag / PACKAGE, package)

    def ledger(rows: list[list[str]]) -> None:
        line = line_of(rows, "object", lost[0])
        at = rows[0].index("witnesses")
        line[at] = re.sub(r"(bodies\w*)=(\d+)", lambda m: f"{m[1]}={int(m[2]) - 1}", line[at])

    edit_csv(bag / LEDGER, ledger)


def _version_twice(rows: list[list[str]]) -> None:
    """Another version's line in place of a version's: no count changes."""
    of = rows[0].index("object")
    mine = [at for at, row in enumerate(rows) if row[of] == "ContentVersion"]
    rows[mine[0]] = rows[mine[1]]


CONTACT = "Contact"
DAMAGES = [
    # --- the disk, a sync client, a careless hand
    Damage("bit flip in a page", "disk", NORMAL, "file-altered", "records/Contact", lambda b: flip(page(b))),
    Damage("bit flip in the end of a page", "disk", NORMAL, "file-altered", "records/Contact", lambda b: flip(page(b), 0.999)),
    Damage("bit flip in a file body", "disk", NORMAL, "file-altered", "files/content", lambda b: flip(bodies(b)[-1])),
    Damage("bit flip in the index of files", "disk", NORMAL, "file-altered", INDEX, flips(INDEX)),
    Damage("bit flip in a describe", "disk", NORMAL, "file-altered", "schema/objects", flips("data/schema/objects/Contact.json.gz")),
    Damage("bit flip in sobjects", "disk", QUICK, "gzip-broken", "sobjects", flips("data/schema/sobjects.json.gz")),
    Damage("bit flip in the ledger", "disk", NORMAL, "file-altered", LEDGER, flips(LEDGER)),
    Damage("bit flip in the package", "disk", QUICK, "file-altered", PACKAGE, flips(PACKAGE, 0.01)),
    Damage("bit flip in pages.csv", "disk", NORMAL, "file-altered", PAGES, flips(PAGES)),
    Damage("bit flip in the journal", "disk", NORMAL, "file-altered", JOURNAL, flips(JOURNAL)),
    Damage("bit flip in the checker", "disk", NORMAL, "file-altered", "tools/verify.py", flips("data/tools/verify.py")),
    Damage("bit flip in the README", "disk", NORMAL, "file-altered", "README", flips("data/README.txt")),
    Damage("bit flip in the organization", "disk", NORMAL, "file-altered", "organization.json", flips("data/org/organization.json")),
    Damage("bit flip in the manifest", "disk", QUICK, "tag-altered", "manifest-sha256.txt", flips("manifest-sha256.txt")),
    Damage("bit flip in bag-info", "disk", QUICK, "tag-altered", "bag-info.txt", flips("bag-info.txt")),
    Damage("bit flip in bagit.txt", "disk", QUICK, "tag-altered", "bagit.txt", flips("bagit.txt")),
    Damage("bit flip in the tag manifest", "disk", QUICK, "seal-invalid", "seal/", flips("tagmanifest-sha256.txt")),
    Damage("bit flip in the raw signature", "disk", QUICK, "seal-invalid", ".sig", flips("seal/tagmanifest-sha256.txt.sig")),
    Damage("bit flip in the minisign signature", "disk", QUICK, "seal-invalid", ".minisig", flips("seal/tagmanifest-sha256.txt.minisig", 0.3)),
    Damage("bit flip in the ssh signature", "disk", QUICK, "seal-invalid", ".sshsig", flips("seal/tagmanifest-sha256.txt.sshsig")),
    Damage("bit flip in the public key", "disk", QUICK, "seal-invalid", "public-key.pem", flips("seal/public-key.pem")),
    Damage("a lost page", "disk", QUICK, "file-missing", "records/Contact", _lose_page),
    Damage("a lost describe", "disk", QUICK, "file-missing", "schema/objects/Contact", lambda b: (b / "data/schema/objects/Contact.json.gz").unlink()),
    Damage("a lost body", "disk", QUICK, "file-missing", "files/content", lambda b: bodies(b)[0].unlink()),
    Damage("a lost ledger", "disk", QUICK, "file-missing", LEDGER, lambda b: (b / LEDGER).unlink()),
    Damage("a lost manifest", "disk", QUICK, "tag-missing", "manifest-sha256.txt", lambda b: (b / "manifest-sha256.txt").unlink()),
    Damage("a lost tag manifest", "disk", QUICK, "tag-missing", "tagmanifest", lambda b: (b / "tagmanifest-sha256.txt").unlink()),
    Damage("a lost bag-info", "disk", QUICK, "tag-missing", "bag-info", lambda b: (b / "bag-info.txt").unlink()),
    Damage("a lost signature", "disk", QUICK, "seal-missing", ".sig", lambda b: (b / "seal/tagmanifest-sha256.txt.sig").unlink()),
    Damage("a lost seal", "folder", QUICK, "seal-missing", "seal/", _unsign),
    Damage("a page cut short", "disk", QUICK, "file-size", "records/Contact", lambda b: os.truncate(page(b), 500)),
    Damage("an empty page", "disk", QUICK, "file-size", "records/Contact", lambda b: os.truncate(page(b), 0)),
    Damage("half a page of zeros after a crash", "disk", NORMAL, "file-altered", "records/Contact", lambda b: _zero(page(b))),
    Damage("a body cut short", "disk", QUICK, "oxum-wrong", "bag-info", lambda b: os.truncate(bodies(b)[-1], 3)),
    Damage("two pages swapped", "disk", NORMAL, "file-swapped", "records/Contact", lambda b: swap(page(b), page(b, "Account"))),
    Damage("two bodies swapped", "disk", NORMAL, "file-swapped", "files/content", lambda b: swap(*bodies(b)[-2:])),
    Damage("a page of another object under its name", "disk", NORMAL, "file-swapped", "records/Contact", lambda b: page(b).write_bytes(page(b, "Account").read_bytes())),
    Damage("a page packed anew", "disk", NORMAL, "file-repacked", "records/Contact", lambda b: page(b).write_bytes(gzip.compress(gzip.decompress(page(b).read_bytes()), 1))),
    Damage("something behind the end of a page", "disk", NORMAL, "file-altered", "records/Contact", lambda b: page(b).write_bytes(page(b).read_bytes() + b"more")),
    Damage("an extra file in data", "folder", QUICK, "file-unlisted", "data/notes.txt", lambda b: (b / "data/notes.txt").write_text("x")),
    Damage("an extra file beside data", "folder", QUICK, "file-unlisted", "desktop.ini", lambda b: (b / "desktop.ini").write_text("x")),
    Damage("an extra file in the seal", "folder", QUICK, "file-unlisted", "seal/more.pem", lambda b: (b / "seal/more.pem").write_text("x")),
    Damage("an empty folder", "folder", QUICK, "file-unlisted", "records/Nothing", lambda b: (b / "data/records/Nothing").mkdir()),
    Damage("a page that is a link", "folder", QUICK, "name-unsafe", "records/Contact", _link),
    Damage("a folder that is a link", "folder", QUICK, "name-unsafe", "records/Contact", _linked_folder),
    Damage("a pipe for a page", "folder", QUICK, "name-unsafe", "pipe", lambda b: os.mkfifo(b / "data/pipe")),
    Damage("a manifest line that leads outside", "folder", QUICK, "manifest-bad", "manifest-sha256.txt", _line("manifest-sha256.txt", f"{'0' * 64}  data/../../outside\n")),
    Damage("a manifest line that stands twice", "folder", QUICK, "manifest-bad", "stands twice", _line("manifest-sha256.txt", f"{'0' * 64}  data/README.txt\n")),
    Damage("a manifest line of megabytes", "folder", QUICK, "manifest-bad", "manifest-sha256.txt", _line("manifest-sha256.txt", "x" * 5_000_000)),
    Damage("a tag file of an older archive", "folder", QUICK, "tag-altered", "tagmanifest", _old_bag),
    # --- somebody who holds the folder and recomputes all manifests
    Damage("a value altered", "folder", QUICK, "seal-invalid", "seal/", edit_rows(CONTACT, cell("LastName", lambda v: v + "x"))),
    Damage("a row removed", "folder", QUICK, "seal-invalid", "seal/", _fewer_rows),
    Damage("a row added", "folder", QUICK, "seal-invalid", "seal/", edit_rows(CONTACT, lambda rows: rows.append(rows[-1]))),
    Damage("a ledger line edited", "folder", QUICK, "seal-invalid", "seal/", edit_ledger(CONTACT, "reason", "all is well")),
    Damage("an object left out", "folder", QUICK, "seal-invalid", "seal/", _left_out_of_ledger_too),
    Damage("a body replaced", "folder", QUICK, "seal-invalid", "seal/", lambda b: bodies(b)[-1].write_bytes(b"forged")),
    Damage("an extra file, listed", "folder", QUICK, "seal-invalid", "seal/", lambda b: (b / "data/notes.txt").write_text("x")),
    Damage("the checker replaced", "folder", QUICK, "seal-invalid", "seal/", lambda b: (b / "data/tools/verify.py").write_text("print('INTACT')")),
    Damage("another generation claimed", "folder", QUICK, "seal-invalid", "seal/", lambda b: (b / "bag-info.txt").write_text((b / "bag-info.txt").read_text().replace("Generation: 1", "Generation: 2"))),
    Damage("a stale page of an older archive", "folder", QUICK, "seal-invalid", "seal/", edit_rows(CONTACT, cell("SystemModstamp", lambda v: v.replace("20", "19", 1)))),
    # --- and seals with a key of their own
    Damage("all of it sealed by a stranger", "stranger", QUICK, "signer-other", "public-key.pem", edit_rows(CONTACT, cell("LastName", lambda v: v + "x"))),
    Damage("rows removed and sealed by a stranger", "stranger", QUICK, "signer-other", "public-key.pem", _fewer_rows),
    Damage("unchanged but sealed by a stranger", "stranger", QUICK, "signer-other", "public-key.pem", lambda b: None),
    # --- sealed wrong: the digests and the signature are right
    Damage("an object without a table", "maker", QUICK, "ledger-wrong", CONTACT, _left_out),
    Damage("an object without a line", "maker", QUICK, "ledger-wrong", CONTACT, _left_out_of_ledger_too),
    Damage("a ledger with other rows", "maker", QUICK, "ledger-wrong", CONTACT, edit_ledger(CONTACT, "rows", "7")),
    Damage("a witness that disagrees", "maker", QUICK, "ledger-wrong", CONTACT, edit_ledger(CONTACT, "witnesses", "counted=1")),
    Damage("a job that disagrees", "maker", QUICK, "ledger-wrong", CONTACT, _drop_jobs),
    Damage("an outcome nobody knows", "maker", QUICK, "ledger-wrong", CONTACT, edit_ledger(CONTACT, "outcome", "fine")),
    Damage("an empty object with a table", "maker", QUICK, "ledger-wrong", CONTACT, edit_ledger(CONTACT, "outcome", "empty")),
    Damage("a page of no table", "maker", QUICK, "evidence-wrong", "g009", _orphan),
    Damage("a page that declares more rows than it has", "maker", QUICK, "evidence-wrong", "records/", lambda b: edit_csv(b / PAGES, lambda rows: rows[1].__setitem__(rows[0].index("declared_rows"), "999"))),
    Damage("a hidden object that the ledger does not name", "maker", QUICK, "sight-wrong", "Secret__c", lambda b: edit_json(b / SIGHT, _hide)),
    Damage("a blind spot that the ledger does not tell", "maker", QUICK, "sight-wrong", CONTACT, lambda b: edit_json(b / SIGHT, _blind)),
    Damage("a format of the future", "maker", QUICK, "format-unknown", "bag-info", lambda b: (b / "bag-info.txt").write_text((b / "bag-info.txt").read_text().replace("archive/1", "archive/9"))),
    Damage("a row missing in a page", "maker", DEEP, "rows-wrong", CONTACT, edit_rows(CONTACT, lambda rows: rows.pop())),
    Damage("an id twice", "maker", DEEP, "id-twice", CONTACT, edit_rows(CONTACT, _twice)),
    Damage("an id of 15 characters", "maker", DEEP, "id-malformed", CONTACT, edit_rows(CONTACT, cell("Id", lambda v: v[:15]))),
    Damage("an id with wrong check characters", "maker", DEEP, "id-malformed", CONTACT, edit_rows(CONTACT, cell("Id", _wrong_suffix))),
    Damage("a column dropped in one page", "maker", DEEP, "header-wrong", CONTACT, edit_rows(CONTACT, lambda rows: drop_column(rows, "LastName"))),
    Damage("two columns in another order", "maker", DEEP, "header-wrong", CONTACT, edit_rows(CONTACT, lambda rows: rows[0].__setitem__(slice(3, 5), rows[0][4:2:-1]))),
    Damage("a field dropped everywhere", "maker", DEEP, "header-wrong", "LastName", _field_gone),
    Damage("a row with a value too many", "maker", DEEP, "text-broken", CONTACT, edit_rows(CONTACT, lambda rows: rows[1].append("more"))),
    Damage("a page that is not UTF-8", "maker", DEEP, "text-broken", CONTACT, raw_page(lambda t: t[:-2] + b"\xff" + t[-2:])),
    Damage("a stray quote", "maker", DEEP, "text-broken", CONTACT, raw_page(lambda t: t.replace(b'","', b'"x","', 1))),
    Damage("a page without its last line end", "maker", DEEP, "text-broken", CONTACT, raw_page(lambda t: t[:-1])),
    Damage("a date in words", "maker", DEEP, "value-malformed", CONTACT, edit_rows(CONTACT, cell("CreatedDate", lambda v: "1.7e12"))),
    Damage("a boolean that is a number", "maker", DEEP, "value-malformed", CONTACT, edit_rows(CONTACT, cell("IsDeleted", lambda v: "0"))),
    Damage("gzip cut short and sealed so", "maker", DEEP, "gzip-broken", CONTACT, lambda b: page(b).write_bytes(page(b).read_bytes()[:-4])),
    Damage("two gzip members", "maker", DEEP, "gzip-broken", CONTACT, lambda b: page(b).write_bytes(page(b).read_bytes() + gzip.compress(b"x"))),
    Damage("a bomb", "maker", DEEP, "bomb", CONTACT, _bomb),
    Damage("a value of 66 MB", "maker", DEEP, "bomb", CONTACT, _long_value),
    Damage("a describe of another object", "maker", DEEP, "schema-wrong", CONTACT, lambda b: shutil.copyfile(b / "data/schema/objects/Account.json.gz", b / "data/schema/objects/Contact.json.gz")),
    Damage("a journal line edited", "maker", DEEP, "journal-broken", JOURNAL, _journal_edited),
    Damage("a journal line taken out", "maker", DEEP, "journal-broken", JOURNAL, _journal_cut),
    Damage("a body with other bytes than its line says", "maker", DEEP, "body-wrong", "ContentVersion", lambda b: bodies(b)[-1].write_bytes(b"%PDF-1.7 another")),
    Damage("a body that is not what Salesforce has", "maker", DEEP, "body-md5", "ContentVersion", _index_cell("salesforce_md5", "0" * 32)),
    Damage("a body of another size than Salesforce has", "maker", DEEP, "body-wrong", "ContentVersion", _index(_of_another_size)),
    Damage("a line without its body", "maker", DEEP, "body-missing", "ContentVersion", _index_cell("path", "files/content/00/none.pdf")),
    Damage("a body without a line", "maker", DEEP, "evidence-wrong", "files/content", _index(lambda rows: rows.pop())),
    Damage("a file version missing, all counts made to fit", "maker", DEEP, "body-missing", "ContentVersion", _version_missing),
    Damage("an image of a rich text missing, all counts made to fit", "maker", DEEP, "body-missing", "image", _image_missing),
    Damage("a file version told twice in place of another", "maker", DEEP, "body-missing", "ContentVersion", _index(_version_twice)),
    Damage("metadata without a component that the org listed", "maker", DEEP, "metadata-wrong", METADATA, edit(METADATA, lambda rows: rows.pop(1))),
    Damage("a component that stands twice", "maker", DEEP, "metadata-wrong", METADATA, edit(METADATA, lambda rows: rows.append(rows[1]))),
    Damage("a component of a package that is not here", "maker", DEEP, "metadata-wrong", METADATA, one_cell(METADATA, "packages", "0077")),
    Damage("a component with an outcome nobody knows", "maker", DEEP, "metadata-wrong", METADATA, one_cell(METADATA, "outcome", "fine")),
    Damage("a missing component that is said to be there", "maker", DEEP, "metadata-wrong", METADATA, one_cell(METADATA, "packages", "")),
    Damage("a component of another size", "maker", DEEP, "metadata-wrong", METADATA, one_cell(METADATA, "bytes", "7")),
    Damage("no index of the metadata", "maker", DEEP, "metadata-wrong", METADATA, lambda b: (b / METADATA).unlink()),
    Damage("no list of the metadata", "maker", DEEP, "metadata-wrong", LISTED, lambda b: (b / LISTED).unlink()),
    Damage("a ZIP of metadata that is not here", "maker", DEEP, "metadata-wrong", PACKAGE_1, lambda b: (b / f"{PACKAGE_1}.zip").unlink()),
    Damage("a ZIP of metadata that nobody noted", "maker", DEEP, "metadata-wrong", PACKAGE_1, lambda b: (b / f"{PACKAGE_1}.json").unlink()),
    Damage("a ZIP of metadata cut short", "maker", DEEP, "metadata-wrong", PACKAGE_1, lambda b: os.truncate(b / f"{PACKAGE_1}.zip", 900)),
    Damage("a ZIP with a rotten file", "maker", DEEP, "metadata-wrong", PACKAGE_1, _zip_rotten),
    Damage("a ZIP with a name twice", "maker", DEEP, "metadata-wrong", PACKAGE_1, _zip_twice),
    Damage("a ZIP that leads outside", "maker", DEEP, "metadata-wrong", PACKAGE_1, zipped(lambda e: e.update({"../../x": b""}))),
    Damage("a ZIP without a class", "maker", DEEP, "metadata-wrong", ".cls", zipped(lambda e: e.pop(_component(e)))),
    Damage("a ZIP with another class under its name", "maker", DEEP, "metadata-wrong", PACKAGE_1, zipped(lambda e: e.update({_component(e): b"another"}))),
    Damage("a report without its definition", "maker", DEEP, "metadata-wrong", "Report", edit(DEFINITIONS, lambda rows: rows.pop())),
    Damage("a definition of a report that is not here", "maker", DEEP, "metadata-wrong", "00O000000000001AAA", one_cell(DEFINITIONS, "id", "00O000000000001AAA")),
    Damage("a definition without its file", "maker", DEEP, "metadata-wrong", "definitions/", one_cell(DEFINITIONS, "definition", "definitions/Report/none.json.gz")),
    Damage("the definition of another report", "maker", DEEP, "metadata-wrong", "Report", _definition_of_another),
    Damage("no definitions at all", "maker", DEEP, "metadata-wrong", DEFINITIONS, _no_definitions),
    Damage("a dictionary without a field", "maker", DEEP, "schema-wrong", DICTIONARY, edit(DICTIONARY, lambda rows: rows.pop(3))),
    Damage("a dictionary without an object", "maker", DEEP, "schema-wrong", DICTIONARY, edit(DICTIONARY, lambda rows: rows.__setitem__(slice(None), [row for row in rows if row[0] != CONTACT]))),
    Damage("a field of another type in the dictionary", "maker", DEEP, "schema-wrong", DICTIONARY, one_cell(DICTIONARY, "type", "double")),
    Damage("a column that the dictionary does not know", "maker", DEEP, "schema-wrong", DICTIONARY, one_cell(DICTIONARY, "in_archive", "false")),
    Damage("a field filled more often than there are rows", "maker", DEEP, "schema-wrong", DICTIONARY, one_cell(DICTIONARY, "filled", "999999")),
    Damage("a dictionary that counts otherwise", "maker", DEEP, "schema-wrong", DICTIONARY, lambda b: edit_json(b / FILLED, lambda t: t["objects"][CONTACT]["columns"].update(Id=1))),
    Damage("no counts of the dictionary", "maker", DEEP, "schema-wrong", FILLED, lambda b: (b / FILLED).unlink()),
    Damage("a parent that cannot be absent", "maker", DEEP, "lookup-open", "CaseComment", _parents_gone),
]  # fmt: skip
