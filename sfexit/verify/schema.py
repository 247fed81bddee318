"""Describes, journal: small files that have to fit the rest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sfexit.redaction import printable
from sfexit.verify.bag import open_file
from sfexit.verify.contents import JOURNAL, UNREADABLE, Contents
from sfexit.verify.finding import Finding
from sfexit.verify.unpack import Broken, content

SCHEMA = "schema"
CHAIN = "journal"
_LIMIT = 64 << 20
_LONGEST_EVENT = 16 << 20


@dataclass(frozen=True)
class Described:
    """What the org's descriptions say beyond columns.

    `cascading`: relations (`Child.Field`) whose parents take their children along. `with_bodies`:
    objects that have a field of type base64. `rich`: fields (`Object.Field`) that show images.
    """

    cascading: frozenset[str] = frozenset()
    with_bodies: frozenset[str] = frozenset()
    rich: frozenset[str] = frozenset()


def check_schema(bag: Path, told: Contents, findings: list[Finding]) -> Described:
    """Compare each table's columns with the org's own description of the object."""
    cascading: set[str] = set()
    with_bodies: set[str] = set()
    rich: set[str] = set()
    for name, resource in sorted(told.resources.items()):
        parts = resource.paths[0].split("/") if resource.paths else []
        if len(parts) != 4:
            continue  # no page of ours: that is a finding of its own
        path = f"data/schema/objects/{parts[2]}.json.gz"
        try:
            data, _ = content(bag, path, limit=_LIMIT)
            described = json.loads(data)
            fields = [str(one["name"]) for one in described["fields"]]
            if any(one.get("type") == "base64" for one in described["fields"]):
                with_bodies.add(name)
            rich |= {
                f"{name}.{one['name']}"
                for one in described["fields"]
                if one.get("extraTypeInfo") == "richtextarea"
            }
            for one in described.get("childRelationships") or ():
                if one.get("cascadeDelete"):
                    cascading.add(f"{one.get('childSObject')}.{one.get('field')}")
        except FileNotFoundError:
            findings.append(_wrong(name, path, "the description of the object", "no file"))
            continue
        except Broken as broken:
            findings.append(
                Finding(broken.code, SCHEMA, object=name, path=path, found=broken.found)
            )
            continue
        except UNREADABLE as error:
            findings.append(_wrong(name, path, "a description", printable(repr(error), 120)))
            continue
        findings += _columns(name, path, set(fields), set(resource.columns.names), told)
        if described.get("name") != name:
            other = printable(str(described.get("name")), 80)
            findings.append(_wrong(name, path, name, f"describes {other}"))
    return Described(frozenset(cascading), frozenset(with_bodies), frozenset(rich))


def _wrong(name: str, path: str, expected: str, found: str) -> Finding:
    return Finding("schema-wrong", SCHEMA, object=name, path=path, expected=expected, found=found)


def _columns(
    name: str, path: str, fields: set[str], columns: set[str], told: Contents
) -> Iterator[Finding]:
    line = told.ledger.get(name, {})
    left_out = {
        part.partition(":")[0].strip() for part in line.get("fields_not_exported", "").split(";")
    }
    for one in sorted(fields - columns - left_out)[:20]:
        yield Finding("header-wrong", SCHEMA, object=name, field=one, path=path,
                      expected="a column, or a reason in the ledger", found="neither",
                      witness=path)  # fmt: skip
    for one in sorted(columns - fields)[:20]:
        yield Finding("schema-wrong", SCHEMA, object=name, field=one, path=path,
                      expected="a field that the org describes", found="none")  # fmt: skip


def check_journal(bag: Path, told: Contents, findings: list[Finding]) -> int:
    """Follow the chain of the journal; returns its number of lines.

    And what it says about each page when it was published against evidence/pages.csv.
    """

    def find(text: str, expected: str = "") -> None:
        findings.append(
            Finding("journal-broken", CHAIN, path=JOURNAL, expected=expected, found=text)
        )

    before, at, closing = "0" * 64, 0, True
    pages: dict[str, str] = {}
    with os.fdopen(open_file(bag, JOURNAL), "rb", 1 << 20) as file:
        while line := file.readline(_LONGEST_EVENT):
            at += 1
            closing = line.endswith(b"\n")
            try:
                event = json.loads(line)
                broken = event["prev"] != before or event["seq"] != at or not closing
                if event.get("event") == "page" and "path" in event:
                    pages[str(event["path"])] = str(event.get("sha256", ""))
            except (ValueError, LookupError, TypeError, RecursionError):
                find(f"line {at} is no event")
                return at
            if broken:
                find(f"the chain breaks at line {at}")
                return at
            before = hashlib.sha256(line[:-1]).hexdigest()
    if not at:
        find("no line")
    for path, digest in sorted(pages.items()):
        page = told.pages.get(path)
        if page is not None and digest and page.sha256 != digest and page.origin == "received":
            findings.append(
                Finding("evidence-wrong", CHAIN, path=path, object=page.object, expected=digest,
                        found=page.sha256, witness=JOURNAL)
            )  # fmt: skip
    return at
