"""A small, correct bag made by hand from docs/archive-format.md.

It shares no code with the writer, the signer or the checker, so that they can be tested against
the page and not against each other.
"""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import json
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

REPOSITORY = Path(__file__).resolve().parents[2]
VERIFY = REPOSITORY / "sfexit/archive/tools/verify.py"
README = REPOSITORY / "sfexit/archive/tools/README.txt.in"

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))

LEDGER_COLUMNS = [
    "object",
    "label",
    "outcome",
    "route",
    "rows",
    "deleted_rows",
    "witnesses",
    "fields_exported",
    "fields_not_exported",
    "reason",
    "evidence",
    "remedy",
    "started",
    "finished",
]
PAGE_COLUMNS = [
    "path",
    "object",
    "reading",
    "slice",
    "page",
    "route",
    "wire_encoding",
    "origin",
    "job_id",
    "locator",
    "rows",
    "declared_rows",
    "bytes",
    "sha256",
    "csv_bytes",
    "csv_sha256",
    "fetched",
]
FILE_COLUMNS = [
    "object",
    "record_id",
    "field",
    "title",
    "path",
    "bytes",
    "sha256",
    "salesforce_md5",
    "salesforce_bytes",
    "parent_id",
    "version_number",
    "is_latest",
    "is_deleted",
    "content_type",
]

ACCOUNT_FIELDS = [
    ("Id", "id"),
    ("IsDeleted", "boolean"),
    ("Name", "string"),
    ("Code__c", "string"),
    ("Amount__c", "currency"),
    ("Count__c", "int"),
    ("When__c", "datetime"),
    ("Day__c", "date"),
    ("At__c", "time"),
    ("ParentId", "reference"),
]
INVOICE_FIELDS = [("Id", "id"), ("Name", "string"), ("Text__c", "textarea")]
TYPES = {
    "boolean": "boolean",
    "int": "integer",
    "currency": "number",
    "date": "date",
    "time": "time",
    "datetime": "datetime",
}


def record_id(prefix: str, number: int) -> str:
    """An id whose check characters are right (upper-case letters in all three groups)."""
    id15 = f"{prefix}5G00000{number:05d}"[:10] + f"{number:04d}Z"
    suffix = ""
    for at in (0, 5, 10):
        bits = "".join("1" if c.isupper() else "0" for c in reversed(id15[at : at + 5]))
        suffix += "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[int(bits, 2)]
    return id15 + suffix


def account(
    number: int, name: str = "Acme", code: str = "01234", deleted: str = "false"
) -> list[str]:
    when = f"2026-05-06T11:56:{number % 60:02d}.000Z"
    return [
        record_id("001", number), deleted, name, code, "1.0E7", "-7", when, "2026-02-28",
        "08:30:00.000Z", "",
    ]  # fmt: skip


# A name that looks like the end of a row and a whole row after it, when quotes are not heeded.
FORGED = 'x","y"\n"' + record_id("001", 1) + '","false","twin'
ACCOUNT_PAGES = [
    [account(1, "NA", "01234"), account(2, 'say "hi"', "=1+1"), account(3, FORGED, "null")],
    [
        account(4, "one\ntwo\r\nthree\rfour", " "),
        account(5, "nul\0inside", "None"),
        account(6, "ünï\u2028", "", deleted="true"),
    ],
]
INVOICE_PAGES = [
    [[record_id("a01", n), f"I-{n}", "long " * 40_000 * (n == 1)] for n in range(1, 4)]
]
BODIES = {record_id("068", 1): b"%PDF-1.7 hello", record_id("068", 2): b"\x1f\x8b not really gzip"}


@dataclass
class Plan:
    """What goes into the bag; a test changes it and gets a bag that is sealed all the same."""

    accounts: list[list[list[str]]] = field(
        default_factory=lambda: [list(p) for p in ACCOUNT_PAGES]
    )
    account_header: list[str] = field(default_factory=lambda: [n for n, _ in ACCOUNT_FIELDS])
    invoices: list[list[list[str]]] = field(
        default_factory=lambda: [list(p) for p in INVOICE_PAGES]
    )
    organization: str = "Acme Holding GmbH"


def csv_bytes(rows: list[list[str]]) -> bytes:
    """Rows in the dialect of the format: all quoted, doubled quotes, LF."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8")


METADATA = [
    ["type", "full_name", "packages", "managed", "outcome", "files", "bytes", "reason"],
    ["Flow", "A", "0001", "false", "retrieved", "1", "7", ""],
    ["Layout", "*", "", "false", "failed", "", "", "the org would not list it"],
]


def zipped(*files: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    """A ZIP with these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


def packed(data: bytes, level: int = 6) -> bytes:
    return gzip.compress(data, level, mtime=0)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fingerprint(key: Ed25519PrivateKey = KEY) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(_blob(key)).digest()).decode().rstrip("=")


def page_name(name: str, page: int) -> str:
    return f"data/records/{name}/{name}.g001.s0000.p{page:06d}.csv.gz"


def make(bag: Path, plan: Plan | None = None, key: Ed25519PrivateKey = KEY) -> Path:
    """Write a whole sealed bag as the folder `bag`."""
    plan = plan or Plan()
    page_lines, resources, ledger, files = [], [], [], {}
    for name, fields, header, pages, route in (
        ("Account", ACCOUNT_FIELDS, plan.account_header, plan.accounts, "bulk"),
        ("Invoice__c", INVOICE_FIELDS, [n for n, _ in INVOICE_FIELDS], plan.invoices, "rest"),
    ):
        paths = []
        for at, rows in enumerate(pages, 1):
            text = csv_bytes([header, *rows])
            stored = packed(text)
            path = page_name(name, at)
            files[path] = stored
            paths.append(path[len("data/") :])
            line = [
                paths[-1], name, 1, 0, at, route, "gzip" if route == "bulk" else "", "received",
                "7505G000000000AQAQ", "", len(rows), len(rows), len(stored), sha256(stored),
                len(text), sha256(text), "2026-11-22T01:02:03Z",
            ]  # fmt: skip
            page_lines.append([str(value) for value in line])
        count = sum(map(len, pages))
        resources.append(_resource(name, fields, paths, count))
        deleted = sum(row[1] == "true" for page in pages for row in page)
        witnesses = ";".join(
            f"{w}={count}"
            for w in ["count_before", "job_total", "declared", "counted", "parsed", "distinct_ids"]
        )
        ledger.append(
            [name, name.upper(), "exported", route, str(count),
             str(deleted) if name == "Account" else "", witnesses, str(len(fields)),
             "", "", "", "", "2026-11-22T01:00:00Z", "2026-11-22T01:02:03Z"]
        )  # fmt: skip
    for name, outcome, rows in (
        ("AccountFeed", "covered", ""),
        ("Broken__c", "failed", ""),
        ("EntityParticle", "no_data", ""),
        ("Event", "empty", "0"),
        ("Secret__c", "not_exported", ""),
    ):
        ledger.append([name, name, outcome, "", rows, *[""] * 4, "because", "", "", "", ""])
    ledger.sort()
    index = []
    for identifier, body in BODIES.items():
        path = f"files/content/{sha256(identifier.encode())[:2]}/{identifier}.gz"
        files[f"data/{path}"] = body
        md5 = hashlib.md5(body).hexdigest()
        index.append(
            ["ContentVersion", identifier, "VersionData", "../../etc/passwd", path,
             str(len(body)), sha256(body), md5, str(len(body)), record_id("069", 1), "1",
             "true", "false", "application/pdf"]
        )  # fmt: skip
    resources.append(_own("ledger", "ledger.csv", LEDGER_COLUMNS, len(ledger)))
    resources.append(_own("files", "files/index.csv.gz", FILE_COLUMNS, len(index)))
    names = [line[0] for line in ledger if line[0] != "EntityParticle"]
    files |= {
        "data/README.txt": b"see docs\n",
        "data/tools/verify.py": VERIFY.read_bytes(),
        "data/datapackage.json": as_json({"name": "acme", "resources": resources}),
        "data/ledger.csv": csv_bytes([LEDGER_COLUMNS, *ledger]),
        "data/files/index.csv.gz": packed(csv_bytes([FILE_COLUMNS, *index])),
        "data/schema/sobjects.json.gz": packed(
            as_json({"sobjects": [{"name": name} for name in names]})
        ),
        "data/schema/objects/Account.json.gz": packed(b'{"name":"Account"}'),
        "data/org/organization.json": as_json({"Name": plan.organization}),
        "data/evidence/pages.csv": csv_bytes([PAGE_COLUMNS, *page_lines]),
        "data/evidence/jobs.csv": csv_bytes([["object", "job_id"]]),
        "data/evidence/notes.csv": csv_bytes([["at", "object", "kind", "text"]]),
        "data/evidence/run.json": as_json({"schema": "sfexit-run/1"}),
        "data/evidence/journal.jsonl": journal("begun", "page", "sealing"),
        "data/metadata/index.csv": csv_bytes(METADATA),
        "data/metadata/packages/0001.json": as_json({"outcome": "retrieved"}),
        "data/metadata/packages/0001.zip": zipped(("flows/A.flow", b"<Flow/>")),
        "data/metadata/packages/0002.json": as_json({"outcome": "failed"}),
    }
    for path, data in files.items():
        write(bag / path, data)
    write(bag / "bagit.txt", b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    reseal(bag, key, plan.organization)
    return bag


def reseal(
    bag: Path, key: Ed25519PrivateKey = KEY, organization: str = "Acme Holding GmbH"
) -> None:
    """Write manifests, bag-info.txt and seal for whatever lies below data/ now."""
    payload = sorted(p for p in (bag / "data").rglob("*") if p.is_file() and not p.is_symlink())
    size = sum(p.stat().st_size for p in payload)
    info = (
        f"Source-Organization: {organization}\nExternal-Identifier: 00D5g0000000001EAA\n"
        "Bagging-Date: 2026-11-22\nBagging-Software: by hand\n"
        "Sfexit-Archive-Format: sfexit-archive/1\nSfexit-Generation: 1\n"
        f"Sfexit-Api-Version: 66.0\nSfexit-Signing-Key: {fingerprint(key)}\n"
        f"Payload-Oxum: {size}.{len(payload)}\nBag-Size: small\n"
    )
    write(bag / "bag-info.txt", info.encode())
    lines = [f"{sha256(p.read_bytes())}  {p.relative_to(bag).as_posix()}\n" for p in payload]
    write(bag / "manifest-sha256.txt", "".join(lines).encode())
    retag(bag)
    sign(bag, key)


def retag(bag: Path) -> None:
    """Write the tag manifest for the tag files as they are now; the seal stays as it is."""
    names = ("bag-info.txt", "bagit.txt", "manifest-sha256.txt")
    lines = [f"{sha256((bag / name).read_bytes())}  {name}\n" for name in names]
    write(bag / "tagmanifest-sha256.txt", "".join(lines).encode())


def sign(bag: Path, key: Ed25519PrivateKey = KEY) -> None:
    """Write the six files of the seal."""
    message = (bag / "tagmanifest-sha256.txt").read_bytes()
    public = key.public_key()
    raw = public.public_bytes_raw()
    packed_key = base64.b64encode(_blob(key)).decode()
    hashed = key.sign(hashlib.blake2b(message).digest())
    comment = b"made by hand"
    signed = b"SSHSIG" + _strings(b"sfexit", b"", b"sha512", hashlib.sha512(message).digest())
    ssh = b"SSHSIG" + struct.pack(">I", 1) + _strings(_blob(key), b"sfexit", b"", b"sha512")
    ssh += _strings(_strings(b"ssh-ed25519", key.sign(signed)))
    text = base64.b64encode(ssh).decode()
    seal = {
        "tagmanifest-sha256.txt.sig": key.sign(message),
        "public-key.pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "minisign.pub": b"untrusted comment: x\n"
        + base64.b64encode(b"Ed" + b"8 bytes." + raw)
        + b"\n",
        "tagmanifest-sha256.txt.minisig": b"untrusted comment: x\n"
        + base64.b64encode(b"ED" + b"8 bytes." + hashed)
        + b"\ntrusted comment: "
        + comment
        + b"\n"
        + base64.b64encode(key.sign(hashed + comment))
        + b"\n",
        "allowed_signers": f'sfexit namespaces="sfexit" ssh-ed25519 {packed_key}\n'.encode(),
        "tagmanifest-sha256.txt.sshsig": (
            "-----BEGIN SSH SIGNATURE-----\n"
            + "\n".join(text[at : at + 70] for at in range(0, len(text), 70))
            + "\n-----END SSH SIGNATURE-----\n"
        ).encode(),
    }
    for name, content in seal.items():
        write(bag / "seal" / name, content)


def journal(*events: str) -> bytes:
    before, lines = "0" * 64, []
    for at, event in enumerate(events, 1):
        line = json.dumps({"seq": at, "at": "2026-11-22", "event": event, "prev": before}).encode()
        before = sha256(line)
        lines.append(line + b"\n")
    return b"".join(lines)


def as_json(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _strings(*values: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(value)) + value for value in values)


def _blob(key: Ed25519PrivateKey) -> bytes:
    return _strings(b"ssh-ed25519", key.public_key().public_bytes_raw())


def _resource(name: str, fields: list[tuple[str, str]], paths: list[str], rows: int) -> Any:
    columns = []
    for column, kind in fields:
        entry = {"name": column, "type": TYPES.get(kind, "string"), "title": column}
        entry["sfexit:type"] = kind
        if kind == "boolean":
            entry |= {"trueValues": ["true"], "falseValues": ["false"]}
        columns.append(entry)
    return {
        "name": name.lower(),
        "title": name,
        "path": paths,
        **_FORM,
        "compression": "gz",
        "rows": rows,
        "schema": {"fields": columns, "primaryKey": ["Id"]},
        "sfexit:label": name,
        "sfexit:keyPrefix": paths[0][:3],
    }


def _own(name: str, path: str, columns: list[str], rows: int) -> Any:
    fields = [{"name": column, "type": "string"} for column in columns]
    more = {"compression": "gz"} if path.endswith(".gz") else {}
    return {"name": name, "path": path, **_FORM, **more, "rows": rows, "schema": {"fields": fields}}


_FORM = {
    "format": "csv",
    "mediatype": "text/csv",
    "encoding": "utf-8",
    "dialect": {"delimiter": ",", "quoteChar": '"', "doubleQuote": True},
}
