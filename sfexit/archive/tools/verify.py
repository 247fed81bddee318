#!/usr/bin/env python3
"""Check an sfexit archive (format sfexit-archive/1) with nothing but Python 3.8 or newer.

    python data/tools/verify.py [BAG] [--quick] [--json] [--object NAME] [--expect-key SHA256:...]

Without BAG it checks the archive that this file lies in. It reads and never writes there;
temporary files (22 bytes for each row of the largest table) go to the system's temporary folder,
see TMPDIR. The last line is INTACT or DAMAGED: n findings; exit code 0 or 8, and 2 when the check
could not be made. Memory: some 300 bytes for each file of the archive, and 150 MB for ids.

A program inside an archive cannot vouch for the archive: whoever can change the one can change
the other. Where that matters, run a copy of this file that you trust, and give the fingerprint of
the signing key, noted elsewhere, with --expect-key. This file is written from the description of
the format and shares no code with the program that writes archives.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # Python looks for modules beside the script first: a file `csv.py` that somebody put there
    # would run instead of Python's own. So that folder is taken off the search path.
    HERE = os.path.abspath(os.path.dirname(__file__))  # noqa: PTH100, PTH120
    sys.path[:] = [p for p in sys.path if os.path.abspath(p) != HERE]  # noqa: PTH100
    sys.dont_write_bytecode = True  # no __pycache__ in the archive

import argparse
import base64
import contextlib
import csv
import hashlib
import io
import json
import re
import shutil
import stat
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TAGMANIFEST, MANIFEST, INFO = "tagmanifest-sha256.txt", "manifest-sha256.txt", "bag-info.txt"
PACKAGE, LEDGER, PAGES = "data/datapackage.json", "data/ledger.csv", "data/evidence/pages.csv"
SOBJECTS, JOURNAL = "data/schema/sobjects.json.gz", "data/evidence/journal.jsonl"
METADATA, PACKAGES = "data/metadata/index.csv", "data/metadata/packages/"
COMPONENTS = ("retrieved", "hidden", "partly", "missing", "failed", "left_out")
UNPACKED = 629_145_600  # bytes that one package of metadata unpacks to at most
FILES, EXCEPTIONS = "data/files/index.csv.gz", "data/evidence/body_exceptions.csv"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
WITH_ROWS = ("exported", "failed")  # a failed reading keeps the rows that did come
OUTCOMES = ("exported", "empty", "covered", "no_data", "not_exported", "failed")
WITNESSES = ("job_total", "declared", "counted", "parsed", "distinct_ids")
SIGNATURES = [TAGMANIFEST + form for form in (".sig", ".minisig", ".sshsig")]
SEAL = ["public-key.pem", "minisign.pub", "allowed_signers", *SIGNATURES]
SPKI = bytes.fromhex("302a300506032b6570032100")  # what stands before an Ed25519 key in a PEM
SAFE = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*")
BODY = re.compile(r"data/files/content/([0-9a-f]{2})/([A-Za-z0-9]{18}(?:~\w+)?)\.[a-z0-9]+", re.A)
STEP = 1 << 20  # bytes read at a time
IDS_IN_MEMORY = 500_000  # ids of one table held at a time; beyond that they go to files
BUCKETS = 1024  # so many files: of a billion rows each gets the ids of a million
NAMED = 20  # findings about one file that are spelled out; the rest is only counted
csv.field_size_limit((1 << 31) - 1)  # a value may have megabytes; this is the most Windows takes

# The last 3 of the 18 characters of an id say which of the first 15 are upper-case letters.
CASE = {c: "1" if chr(c).isupper() else "0" for c in range(128) if chr(c).isalnum()}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
SUFFIX = {"".join(str(n >> i & 1) for i in range(5)): LETTERS[n] for n in range(32)}


# What Python raises when a file is not of the form that the code relies on.
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


class Damage(Exception):
    """A file is not, to its end, what it should be."""


class CannotCheck(Exception):
    """The check itself cannot be made here; that says nothing about the archive."""


class Unpacked(io.RawIOBase):
    """What is inside a .gz file, or any other file itself; both are digested on the way.

    A .gz file must be exactly one whole gzip member. An end that is missing, or something behind
    the end, is damage that most programs pass over in silence.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.file = path.open("rb")
        self.gzip = zlib.decompressobj(31) if path.suffix == ".gz" else None
        self.stored, self.inner = hashlib.sha256(), hashlib.sha256()
        self.waiting = self.last = b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.file.close()
        super().close()

    def read_stored(self, limit: int) -> bytes:
        piece = self.file.read(limit)
        self.stored.update(piece)
        return piece

    def unpack(self, limit: int) -> bytes:
        if self.gzip is None:
            return self.read_stored(limit)
        while not self.gzip.eof:
            fed = self.waiting or self.read_stored(STEP)
            try:
                out = self.gzip.decompress(fed, limit)
            except zlib.error as error:
                raise Damage(f"the gzip data is damaged ({error})") from error
            self.waiting = self.gzip.unconsumed_tail
            if out:
                return out
            if not fed:
                raise Damage("the gzip data ends before its end mark")
        if self.gzip.unused_data or self.read_stored(STEP):
            raise Damage("there is something behind the end of the gzip data")
        return b""

    def readinto(self, buffer: Any) -> int:
        out = self.unpack(len(buffer))
        buffer[: len(out)] = out
        self.inner.update(out)
        self.last = out[-1:] or self.last
        return len(out)

    def rows(self) -> Iterator[list[str]]:
        """The rows of the CSV text inside, header first. Raises Damage."""
        # Lines end at LF alone: a CR is data inside quotes; outside, csv reports it.
        buffer = io.BufferedReader(self, STEP)
        text = io.TextIOWrapper(buffer, "utf-8-sig", newline="\n")
        lines: Iterator[str] = text
        if sys.version_info < (3, 11):  # noqa: UP036 (csv stumbles over NUL before 3.11)
            lines = (line.replace("\0", "\ufffd") for line in text)
        reader = csv.reader(lines, strict=True)
        try:
            yield from reader
        except (csv.Error, UnicodeDecodeError) as error:
            raise Damage(f"near line {reader.line_num} it is not CSV in UTF-8: {error}") from error
        finally:
            with contextlib.suppress(ValueError):  # closed before
                text.detach()  # or they close this object when they are thrown away
                buffer.detach()

    def digest(self) -> str:
        """SHA-256 of the stored file, read to its end whatever was found inside."""
        while self.read_stored(STEP):
            pass
        return self.stored.hexdigest()


class Ids:
    """Finds ids that stand twice in a table of any size, in bounded memory.

    Few ids stay in memory. Many are dealt out to files by a checksum, so that equal ids meet in
    one file; at the end each file is small enough to be looked through by itself.
    """

    def __init__(self, folder: Path, twice: Any) -> None:
        self.folder, self.twice = folder, twice  # twice(id, number of its page, of the page before)
        self.seen: dict[str, int] = {}

    def add(self, identifier: str, page: int) -> None:
        if identifier in self.seen:
            self.twice(identifier, page, self.seen[identifier])
        self.seen.setdefault(identifier, page)
        if len(self.seen) >= IDS_IN_MEMORY:
            self.spill()

    def spill(self) -> None:
        dealt: dict[int, list[bytes]] = {}
        for identifier, page in self.seen.items():
            key = identifier.encode("ascii")
            dealt.setdefault(zlib.crc32(key) % BUCKETS, []).append(key + page.to_bytes(4, "big"))
        self.seen = {}
        try:
            for bucket, records in dealt.items():
                with (self.folder / str(bucket)).open("ab") as file:
                    file.write(b"".join(records))
        except OSError as error:
            raise CannotCheck(f"no room for temporary files, set TMPDIR: {error}") from error

    def finish(self) -> None:
        if any(self.folder.iterdir()):
            self.spill()
        for bucket in sorted(self.folder.iterdir()):
            seen: dict[str, int] = {}
            with bucket.open("rb") as file:
                for record in iter(lambda: file.read(22), b""):
                    key, page = record[:18].decode("ascii"), int.from_bytes(record[18:], "big")
                    if key in seen:
                        self.twice(key, page, seen[key])
                    seen.setdefault(key, page)
            bucket.unlink()


def is_id(text: str) -> bool:
    """True for an 18-character id whose check characters are right."""
    if len(text) != 18 or not (text.isascii() and text.isalnum()):
        return False
    case = text[:15].translate(CASE)
    return SUFFIX[case[:5]] + SUFFIX[case[5:10]] + SUFFIX[case[10:]] == text[15:]


def number(text: object) -> int:
    """A count written in digits; -1 for anything else."""
    return int(str(text)) if re.fullmatch("[0-9]{1,18}", str(text)) else -1


def plain(text: object) -> str:
    """Names and values come from strangers: none of them may steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(text))


class Check:
    """One check of one archive. All paths are relative to it and written with `/`."""

    def __init__(self, bag: Path, temp: Path, options: argparse.Namespace) -> None:
        self.bag, self.temp, self.options = bag, temp, options
        self.findings: list[tuple[str, str]] = []  # (path, what is wrong with it)
        self.count: dict[str, int] = {}  # path → how many findings
        self.not_checked: list[str] = []
        self.on_disk: dict[str, int] = {}  # ordinary files → bytes; no other file is ever opened
        self.manifest: dict[str, str] = {}
        self.digests: dict[str, str] = {}  # payload files read so far, with the digests they have
        self.repacked: set[str] = set()  # pages whose CSV is right, but not the gzip around it
        self.info: dict[str, str] = {}
        self.pages: dict[str, dict[str, str]] = {}
        self.ledger: dict[str, dict[str, str]] = {}
        self.rows_read = 0
        self.fingerprint = self.root = ""
        self.signature = "NOT VALID"

    def find(self, path: str, text: str) -> None:
        path, text = plain(path), plain(text)
        if path in self.count and (path, text) in self.findings:
            return
        self.count[path] = self.count.get(path, 0) + 1
        if self.count[path] <= NAMED:
            self.findings.append((path, text))

    def attempt(self, path: str, step: Any, *given: Any) -> Any:
        """Run a step; what stops it becomes a finding about `path`."""
        try:
            return step(*given)
        except Damage as damage:
            self.find(path, str(damage))
        except UNREADABLE as error:
            self.find(path, f"cannot be read as what it should be: {error!r:.200}")
        return None

    def open(self, path: str) -> Unpacked:
        if path not in self.on_disk:
            raise Damage("is missing")
        return Unpacked(self.bag / path)

    def content(self, path: str) -> bytes:
        with self.open(path) as raw:
            return raw.readall() or b""

    def run(self) -> None:
        self.attempt("./", self.walk)
        self.attempt(INFO, self.read_info)
        self.attempt(TAGMANIFEST, self.check_tags)
        self.attempt(MANIFEST, self.read_manifest)
        self.attempt("seal/public-key.pem", self.check_seal)
        self.attempt(LEDGER, self.read_ledger)
        self.attempt(SOBJECTS, self.compare_sobjects)
        self.attempt(PAGES, self.read_pages)
        self.attempt(JOURNAL, self.check_journal)
        self.attempt(METADATA, self.check_metadata)
        self.attempt(PACKAGE, self.check_tables)
        self.attempt(FILES, self.check_bodies)
        self.read_the_rest()
        self.compare_digests()

    # --- BagIt: which files there are, and their digests

    def walk(self) -> None:
        """List what is there. Links are named and never followed."""
        waiting = [""]
        for folder in waiting:  # grows while it is walked
            for entry in sorted(os.scandir(self.bag / folder), key=lambda entry: entry.name):
                path, status = folder + entry.name, entry.stat(follow_symlinks=False)
                # A junction of Windows looks like a folder and is a link: a "reparse point".
                reparse = getattr(status, "st_file_attributes", 0) & 0x400 and entry.is_dir()
                if entry.is_symlink() or reparse:
                    self.find(path, "is a link; it was not followed")
                elif entry.is_dir():
                    waiting.append(path + "/")
                elif entry.is_file():
                    self.on_disk[path] = status.st_size
                else:
                    self.find(path, "is neither a file nor a folder")

    def read_info(self) -> None:
        for line in self.content(INFO).decode("utf-8").split("\n"):
            self.info.setdefault(line.partition(":")[0], line.partition(":")[2].strip())
        if not re.fullmatch(r"sfexit-archive/1(\.\d+)*", self.info["Sfexit-Archive-Format"]):
            raise Damage("names a format that this program does not know")

    def digests_in(self, path: str) -> dict[str, str]:
        """path → digest. Refuses what could lead out of the archive."""
        digests: dict[str, str] = {}
        for at, line in enumerate(self.content(path).decode("utf-8").split("\n"), 1):
            digest, _, name = line.partition("  ")
            ok = re.fullmatch("[0-9a-f]{64}", digest) and SAFE.fullmatch(name)
            if ok and name not in digests and not {".", ".."} & set(name.split("/")):
                digests[name] = digest
            elif line:
                self.find(path, f"line {at} is no entry, is unsafe or stands twice: {line:.200}")
        return digests

    def check_tags(self) -> None:
        listed = self.digests_in(TAGMANIFEST)  # raises Damage when there is no tag manifest
        self.root = hashlib.sha256(self.content(TAGMANIFEST)).hexdigest()
        for path in {"bagit.txt", INFO, MANIFEST, *listed}:
            found = hashlib.sha256(self.attempt(path, self.content, path) or b"").hexdigest()
            if path in self.on_disk and found != listed.get(path):
                self.find(path, f"differs from what {TAGMANIFEST} says")
        if self.content("bagit.txt") != DECLARATION:
            self.find("bagit.txt", "does not declare a BagIt 1.0 bag in UTF-8")
        for path in set(self.on_disk) - set(listed) - {TAGMANIFEST}:
            if not path.startswith(("data/", "seal/")):
                self.find(path, f"lies beside data/ and is not listed in {TAGMANIFEST}")

    def read_manifest(self) -> None:
        self.manifest = self.digests_in(MANIFEST)
        for path in self.manifest:
            if not path.startswith("data/"):
                self.find(MANIFEST, f"lists {path}, which is not below data/")

    def read_the_rest(self) -> None:
        """Digests of the payload files that no table made us read; gzip where it is ours."""
        skipped = 0
        for path in self.on_disk:
            if path.startswith("data/") and path not in self.digests:
                bulky = path.startswith(("data/records/", "data/files/content/"))
                if self.options.object and bulky:
                    skipped += 1
                else:
                    self.attempt(path, self.read_file, path)
        if skipped:
            self.not_checked.append(f"{skipped} files of other tables (--object)")

    def read_file(self, path: str) -> None:
        with self.open(path) as raw:
            try:
                # A body from the org that happens to end in .gz is whatever its owner made it.
                if not self.options.quick and not path.startswith("data/files/content/"):
                    while raw.read(STEP):
                        pass
            finally:
                self.digests[path] = raw.digest()

    def compare_digests(self) -> None:
        """Name what is missing, extra or altered, and whose content stands elsewhere."""
        missing = [p for p in self.manifest if p not in self.on_disk]
        wrong = {p: d for p, d in self.digests.items() if self.manifest.get(p) != d}
        homes = {self.manifest[p]: p for p in [*missing, *wrong] if p in self.manifest}
        found = {digest: path for path, digest in wrong.items()}
        for path in missing:
            there = found.get(self.manifest[path])
            self.find(path, "is missing" + (f"; renamed: it is now {there}" if there else ""))
        for path, digest in wrong.items():
            if path in self.repacked:
                self.find(path, "content equal, container differs: it was compressed anew")
                continue
            what = "differs from the manifest" if path in self.manifest else "is an extra file"
            hint = f"; renamed or swapped: this is {homes[digest]}" if digest in homes else ""
            self.find(path, what + hint)

    # --- the evidence beside the tables

    def table(self, path: str, columns: str) -> Iterator[dict[str, str]]:
        """The lines of a small table of ours; columns that we do not know are passed over."""
        with self.open(path) as raw:
            rows = raw.rows()
            header = next(rows, [])
            if set(columns.split()) - set(header):
                raise Damage(f"lacks columns: {set(columns.split()) - set(header)}")
            for at, row in enumerate(rows, 1):
                if len(row) != len(header):
                    raise Damage(f"row {at} has {len(row)} values for {len(header)} columns")
                yield dict(zip(header, row))  # noqa: B905 (3.8 has no strict=)

    def read_ledger(self) -> None:
        for line in self.table(
            LEDGER, "object outcome rows deleted_rows witnesses fields_exported"
        ):
            name, outcome, rows = line["object"], line["outcome"], line["rows"]
            if name in self.ledger:
                self.find(LEDGER, f"{name} stands twice")
            self.ledger[name] = line
            if outcome not in OUTCOMES:
                self.find(LEDGER, f"{name}: nobody knows the outcome {outcome!r}")
            free = outcome in WITH_ROWS  # the other outcomes say how many rows by themselves
            if not free and rows != ("0" if outcome == "empty" else ""):
                self.find(LEDGER, f"{name}: is {outcome}, yet has rows {rows!r}")
            witnesses = dict(word.partition("=")[::2] for word in line["witnesses"].split(";"))
            for witness in WITNESSES if outcome == "exported" else ():
                if number(witnesses.get(witness, rows)) != number(rows):
                    text = f"witness {witness} has {witnesses[witness]}"
                    self.find(LEDGER, f"{name}: {rows} rows, but the {text}")

    def compare_sobjects(self) -> None:
        names = {entry["name"] for entry in json.loads(self.content(SOBJECTS))["sobjects"]}
        for name in names - set(self.ledger):
            self.find(LEDGER, f"has no line for {name}, which {SOBJECTS} names")
        more = len(set(self.ledger) - names)
        if more:  # named by the Tooling API alone; this file is the answer of describeGlobal
            self.not_checked.append(f"if the org had the {more} objects that only the ledger names")

    def read_pages(self) -> None:
        needed = "path object route origin rows declared_rows sha256 csv_sha256"
        for line in self.table(PAGES, needed):
            path, received = "data/" + line["path"], line["origin"] == "received"
            if path in self.pages:
                self.find(PAGES, f"{path} stands twice")
            self.pages[path] = line
            if self.manifest.get(path) != line["sha256"]:
                self.find(PAGES, f"{path}: its sha256 is not that of {MANIFEST}")
            if (
                received
                and line["route"] == "bulk"
                and line["declared_rows"] not in ("", line["rows"])
            ):
                self.find(PAGES, f"{path}: rows are not as many as Salesforce declared")

    def check_journal(self) -> None:
        before, raw = "0" * 64, self.open(JOURNAL)
        for at, line in enumerate(io.BufferedReader(raw, STEP), 1):
            event = json.loads(line)
            if event["prev"] != before or event["seq"] != at or line[-1:] != b"\n":
                raise Damage(f"the chain is broken at line {at}")
            before = hashlib.sha256(line[:-1]).hexdigest()

    # --- the metadata

    def check_metadata(self) -> None:
        if METADATA not in self.on_disk:
            return  # an archive from before metadata were kept
        retrieved, named = set(), set()
        for path in sorted(self.on_disk):
            if path.startswith(PACKAGES) and path.endswith(".json"):
                told = self.attempt(path, lambda path=path: json.loads(self.content(path)))
                if isinstance(told, dict) and told.get("outcome") == "retrieved":
                    retrieved.add(path[len(PACKAGES) : -5])
        zips = {
            p[len(PACKAGES) : -4] for p in self.on_disk if re.fullmatch(PACKAGES + r".*\.zip", p)
        }
        for name in retrieved ^ zips:
            lacks = "its ZIP" if name in retrieved else "what the org said of it"
            self.find(f"{PACKAGES}{name}.zip", f"lacks {lacks}")
        seen: set[tuple[str, str]] = set()
        for line in self.table(METADATA, "type full_name packages managed outcome"):
            key, packages = (line["type"], line["full_name"]), line["packages"].split()
            if key in seen:
                self.find(METADATA, f"{' '.join(key)} stands twice")
            seen.add(key)
            named.update(packages)
            if line["outcome"] not in COMPONENTS:
                self.find(METADATA, f"nobody knows the outcome {line['outcome']!r}")
            if (line["outcome"] in ("retrieved", "hidden", "partly")) != bool(packages):
                self.find(METADATA, f"{' '.join(key)}: {line['outcome']} and packages disagree")
        for name in named - zips:
            self.find(METADATA, f"names the package {name}, which is not there")
        for name in sorted(zips) if not self.options.quick else ():
            self.attempt(f"{PACKAGES}{name}.zip", self.check_zip, f"{PACKAGES}{name}.zip")

    def check_zip(self, path: str) -> None:
        """A ZIP must be whole, and safe for whoever unpacks it."""
        try:
            with zipfile.ZipFile(self.bag / path) as archive:
                entries, seen = archive.infolist(), set()
                if sum(entry.file_size for entry in entries) > UNPACKED:
                    raise Damage("unpacks to more than Salesforce ever sends")
                for entry in entries:
                    name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
                    if (
                        {".", ".."} & set(name.split("/"))
                        or re.match(r"/|[A-Za-z]:", name)
                        or re.search(r"[\x00-\x1f\\]", name)
                        or kind not in (0, stat.S_IFREG, stat.S_IFDIR)
                        or entry.flag_bits & 1
                        or name.rstrip("/") in seen
                    ):
                        raise Damage(f"has an entry that must not be unpacked: {name!r:.100}")
                    seen.add(name.rstrip("/"))
                    with archive.open(entry) as content:
                        while content.read(STEP):
                            pass
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise Damage(f"is no whole ZIP ({error})") from error

    # --- the tables

    def check_tables(self) -> None:
        wanted = self.options.object
        names: set[str] = set()
        claimed: set[str] = set()
        for resource in json.loads(self.content(PACKAGE))["resources"]:
            own = resource["name"] in ("ledger", "files")  # no table of the org
            name = resource["name"] if own else resource["title"]
            paths = resource["path"] if isinstance(resource["path"], list) else [resource["path"]]
            paths = ["data/" + path for path in paths]
            if name in names or claimed & set(paths) or len(set(paths)) != len(paths):
                self.find(PACKAGE, f"{name}, or a page of it, stands twice")
            names.add(name)
            claimed.update(paths)
            if not own:
                self.check_sums(name, resource["rows"], paths)
            if wanted in (None, name) and not self.options.quick:
                self.attempt(PACKAGE, self.read_table, name, resource, paths, own)
        if not {"ledger", "files"} <= names:
            self.find(PACKAGE, "lacks the resource `ledger` or `files`")
        if wanted and wanted not in names:
            raise CannotCheck(f"this archive has no table {wanted}")
        for name, line in self.ledger.items():
            kept = line["outcome"] == "failed" and number(line["rows"]) > 0
            if (line["outcome"] == "exported" or kept) and name not in names:
                text = f"{name} is {line['outcome']}, yet {PACKAGE} has no table of it"
                self.find(LEDGER, text)
        records = {path for path in self.on_disk if path.startswith("data/records/")}
        for path in (records | set(self.pages)) - claimed:
            self.find(path, f"belongs to no table of {PACKAGE}")
        if wanted or self.options.quick:
            left = "rows and ids of all tables" if self.options.quick else "tables but this one"
            self.not_checked.append(left)

    def check_sums(self, name: str, rows: int, paths: list[str]) -> None:
        """The sums of section 4.3, as far as they are written down."""
        line = self.ledger.get(name, {"outcome": ""})
        if line["outcome"] not in WITH_ROWS:
            self.find(LEDGER, f"has no line with rows for {name}, of which there is a table")
        elif number(line["rows"]) != rows:
            self.find(LEDGER, f"{name}: {line['rows']} rows, {PACKAGE} declares {rows}")
        lines = [self.pages[path] for path in paths if path in self.pages]
        if len(lines) != len(paths) or any(line["object"] != name for line in lines):
            self.find(PAGES, f"does not have exactly the pages of {name}")
        elif sum(number(line["rows"]) for line in lines) != rows:
            self.find(PAGES, f"{name}: the rows do not add up to {rows}")

    def read_table(self, name: str, resource: Any, paths: list[str], own: bool) -> None:
        fields = [field["name"] for field in resource["schema"]["fields"]]
        with tempfile.TemporaryDirectory(dir=str(self.temp)) as folder:
            # That a failed reading has rows twice may be the very reason that its line gives.
            known = self.ledger.get(name, {}).get("outcome") == "failed"
            ids = Ids(
                Path(folder),
                lambda i, page, first: (
                    None if known else self.find(paths[page], f"{i} stands also in {paths[first]}")
                ),
            )
            counts = [
                self.attempt(path, self.read_page, path, at, fields, ids, own)
                for at, path in enumerate(paths)
            ]
            ids.finish()
        if None in counts:
            return  # a page that cannot be read was named; wrong sums would only say it again
        rows, deleted = sum(c[0] for c in counts), sum(c[1] for c in counts)
        if rows != resource["rows"]:
            self.find(PACKAGE, f"{name}: {resource['rows']} rows declared, {rows} are there")
        if not own and name in self.ledger:
            self.rows_read += rows
            told = {"rows": rows, "fields_exported": len(fields)}
            told.update({"deleted_rows": deleted} if "IsDeleted" in fields else {})
            for column, count in told.items():
                if number(self.ledger[name][column]) != count:
                    text = f"{column} is {self.ledger[name][column]!r}, the pages have {count}"
                    self.find(LEDGER, f"{name}: {text}")

    def read_page(
        self, path: str, at: int, fields: list[str], ids: Ids, own: bool
    ) -> tuple[int, int] | None:
        """Read a page to its end. Returns its rows, and how many have IsDeleted = true."""
        if path in self.manifest and path not in self.on_disk:
            return None  # `compare_digests` names it
        id_at = fields.index("Id") if "Id" in fields and not own else -1
        deleted_at = fields.index("IsDeleted") if "IsDeleted" in fields and not own else -1
        count, deleted, line = 0, 0, self.pages.get(path)
        with self.open(path) as raw:
            try:
                rows = raw.rows()
                if next(rows, None) != fields:
                    self.find(path, f"its header is not that of the table in {PACKAGE}")
                for count, row in enumerate(rows, 1):
                    if len(row) != len(fields):
                        text = f"row {count} has {len(row)} values for {len(fields)} columns"
                        self.find(path, text)
                        continue
                    deleted += deleted_at >= 0 and row[deleted_at] == "true"
                    if id_at >= 0 and is_id(row[id_at]):
                        ids.add(row[id_at], at)
                    elif id_at >= 0:
                        self.find(path, f"row {count}: {row[id_at]!r:.40} is not a record id")
                if raw.last != b"\n":
                    self.find(path, "does not end with a line end")
            finally:  # also of a page that breaks off
                self.digests[path] = raw.digest()
            if line and line["csv_sha256"] != raw.inner.hexdigest():
                self.find(path, f"its CSV does not have the csv_sha256 of {PAGES}")
            elif line and self.digests[path] != self.manifest.get(path):
                self.repacked.add(path)
            if line and number(line["rows"]) != count:
                self.find(path, f"has {count} rows, {line['rows']} in {PAGES}")
        return count, deleted

    # --- the files

    def check_bodies(self) -> None:
        """Section 5: every line of the index has its bytes, and every file has a line."""
        odd = set()  # bodies that the writer kept and named as not what Salesforce says
        if EXCEPTIONS in self.on_disk:
            for line in self.table(EXCEPTIONS, "object record_id field reference kept"):
                if line["kept"] == "true":
                    odd.add((line["object"], line["record_id"], line["field"], line["reference"]))
        lines: dict[str, int] = {}
        seen: set[str] = set()
        deep = not self.options.quick and not self.options.object
        needed = "object record_id field path bytes sha256 salesforce_md5 salesforce_bytes"
        for at, line in enumerate(self.table(FILES, needed), 1):
            path, where = "data/" + line["path"], f"line {at} ({line['record_id']:.30})"
            lines[line["object"]] = lines.get(line["object"], 0) + 1
            found = BODY.fullmatch(path)
            key = found.group(2) if found else ""
            if not found or hashlib.sha256(key[:18].encode()).hexdigest()[:2] != found.group(1):
                self.find(FILES, f"{where}: {path:.100} is no name of a body")
                continue
            if key[:18] not in (line["record_id"], line.get("reference")):
                self.find(FILES, f"{where}: its path has another id")
            if self.manifest.get(path) != line["sha256"]:
                self.find(FILES, f"{where}: {path} does not have its sha256 in {MANIFEST}")
            elif self.on_disk.get(path, number(line["bytes"])) != number(line["bytes"]):
                self.find(FILES, f"{where}: {path} does not have the size it tells")
            first = path not in seen
            seen.add(path)
            told = (line["object"], line["record_id"], line["field"], line.get("reference") or "")
            same, proven = told in odd, False
            if line["salesforce_md5"] and deep and first and path in self.on_disk:
                proven = self.attempt(path, self.md5, path) == line["salesforce_md5"]
                if not proven and not same:
                    self.find(path, f"does not have the MD5 that Salesforce states in {FILES}")
            size = line["salesforce_bytes"]
            if size and size != line["bytes"] and not line["salesforce_md5"] and not same:
                self.find(FILES, f"{where}: {line['bytes']} bytes, Salesforce states {size}")
        for path in self.on_disk:
            if path.startswith("data/files/content/") and path not in seen:
                self.find(path, f"belongs to no line of {FILES}")
        for name, line in self.ledger.items():
            witnesses = dict(word.partition("=")[::2] for word in line["witnesses"].split(";"))
            if number(witnesses.get("bodies", lines.get(name, 0))) != lines.get(name, 0):
                text = f"{witnesses['bodies']} bodies, {FILES} has {lines.get(name, 0)}"
                self.find(LEDGER, f"{name}: {text}")

    def md5(self, path: str) -> str:
        """MD5 of a file; its SHA-256 is kept for the comparison with the manifest."""
        sha256, md5 = hashlib.sha256(), hashlib.new("md5")  # noqa: S324 (Salesforce's checksum)
        with (self.bag / path).open("rb") as file:
            for piece in iter(lambda: file.read(STEP), b""):
                sha256.update(piece)
                md5.update(piece)
        self.digests[path] = sha256.hexdigest()
        return md5.hexdigest()

    # --- the seal

    def check_seal(self) -> None:
        absent = [name for name in SEAL if "seal/" + name not in self.on_disk]
        for name in absent:
            self.find("seal/" + name, "is missing")
        if absent:
            return
        key = self.second_line("seal/public-key.pem")
        if len(key) != 44 or not key.startswith(SPKI):
            raise Damage("is not an Ed25519 public key")
        key = key[len(SPKI) :]
        blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + key  # OpenSSH's form of the key
        digest = hashlib.sha256(blob).digest()
        self.fingerprint = "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
        if self.info.get("Sfexit-Signing-Key") != self.fingerprint:
            self.find(INFO, "names another signing key than seal/public-key.pem")
        if self.options.expect_key not in (None, self.fingerprint):
            self.find("seal/public-key.pem", f"is not the key {self.options.expect_key}")
        # The same key must stand in the other two forms, or their signatures prove nothing.
        signers = self.content("seal/allowed_signers")
        ssh = [b"ssh-ed25519", base64.b64encode(blob)]
        if signers.split()[-2:] != ssh or signers.count(b"\n") != 1:
            self.find("seal/allowed_signers", "has another key than seal/public-key.pem")
        if self.second_line("seal/minisign.pub")[10:] != key:
            self.find("seal/minisign.pub", "has another key than seal/public-key.pem")
        file, seal = str(self.bag / TAGMANIFEST), str(self.bag / "seal") + os.sep
        sig = seal + TAGMANIFEST
        openssl = ["-pubin", "-inkey", seal + "public-key.pem", "-rawin", "-in", file, "-sigfile"]
        keygen = ["-f", seal + "allowed_signers", "-I", "sfexit", "-n", "sfexit", "-s"]
        answers = {
            self.ask(".sig", file, "openssl", "pkeyutl", "-verify", *openssl, sig + ".sig"),
            self.ask(".sshsig", file, "ssh-keygen", "-Y", "verify", *keygen, sig + ".sshsig"),
            self.ask(".minisig", file, "minisign", "-Vm", file, "-x", sig + ".minisig",
                     "-p", seal + "minisign.pub"),
        }  # fmt: skip
        if answers == {None} and self.options.expect_key:
            raise CannotCheck("--expect-key needs openssl 3, ssh-keygen or minisign")
        if answers == {None}:
            self.signature = "not checked here"
        elif False not in answers:
            known = "signer as expected" if self.options.expect_key else "signer unknown"
            self.signature = f"unchanged since it was signed, {known}"

    def second_line(self, path: str) -> bytes:
        """The base64 in the second line of a key file; empty when it is none."""
        try:
            return base64.b64decode(self.content(path).split(b"\n")[1], validate=True)
        except (ValueError, IndexError):
            return b""

    def ask(self, form: str, file: str, program: str, *arguments: str) -> bool | None:
        """Have one form of the signature checked by a program of others. None: not here."""
        found = shutil.which(program)
        if found:
            with Path(file).open("rb") as given:
                done = subprocess.run(  # noqa: S603
                    [found, *arguments], stdin=given, capture_output=True
                )
            if done.returncode == 0:
                return True
            # LibreSSL, OpenSSL 1 and OpenSSH before 8.1 do not know this kind of signature.
            if not re.search(rb"(?i)usage|unknown option|unrecognized", done.stdout + done.stderr):
                self.find("seal/" + TAGMANIFEST + form, f"is not valid, says {program}")
                return False
        self.not_checked.append(f"the signature's form {form} (no {program} here that can)")
        return None


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Check an sfexit archive.")
    parser.add_argument("bag", nargs="?", help="folder of the archive (default: around this file)")
    parser.add_argument("--quick", action="store_true", help="digests and sums; no row is read")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--object", metavar="NAME", help="read the rows of this table only")
    parser.add_argument("--expect-key", metavar="SHA256:...", help="fingerprint of the signer")
    options = parser.parse_args(arguments)
    bag = Path(options.bag or Path(__file__).resolve().parents[2]).resolve()
    if not any((bag / name).exists() for name in ("bagit.txt", MANIFEST, PACKAGE)):
        parser.error(f"{plain(bag)} is not an archive")
    try:
        with tempfile.TemporaryDirectory() as temp:
            if bag in Path(temp).resolve().parents:
                raise CannotCheck("the folder for temporary files is in the archive: set TMPDIR")
            check = Check(bag, Path(temp), options)
            check.run()
    except CannotCheck as error:
        print(f"not checked: {plain(error)}", file=sys.stderr)
        return 2
    total = sum(check.count.values())
    verdict = f"DAMAGED: {total} finding{'s' * (total != 1)}" if total else "INTACT"
    report = {
        "schema": "sfexit-verify/1",
        "archive": str(bag),
        "organization": check.info.get("Source-Organization", ""),
        "org_id": check.info.get("External-Identifier", ""),
        "generation": check.info.get("Sfexit-Generation", ""),
        "root_digest": check.root,
        "signing_key": check.fingerprint,
        "signature": check.signature,
        "files": len(check.digests),
        "rows_read": check.rows_read,
        "not_checked": check.not_checked,
        "findings": [{"path": path, "text": text} for path, text in check.findings],
        "verdict": verdict,
    }
    if options.json:
        print(json.dumps(report, indent=2))
        return 8 if total else 0
    for key, value in report.items():
        if key not in ("schema", "not_checked", "findings", "verdict"):
            print(f"{key.replace('_', ' ') + ':':<14}{plain(value)}")
    for text in check.not_checked:
        print(f"not checked here: {plain(text)}")
    for path, text in check.findings:
        print(f"DAMAGE  {path}: {text}")
    if total > len(check.findings):
        print(f"and {total - len(check.findings)} more findings about the same files")
    print(verdict)
    return 8 if total else 0


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):  # a console that cannot show every letter
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())
