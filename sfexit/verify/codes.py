"""Every code that a finding can have: the one table (docs/findings.md shows the same).

Codes are for programs and waivers, so they never change their meaning and are never used twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Severity(StrEnum):
    """What a finding does to the verdict."""

    DAMAGE = "damage"  # something is wrong or missing: NOT SAFE, DAMAGED
    UNKNOWN = "unknown"  # something could not be checked: UNKNOWN
    NOTE = "note"  # worth reading; changes nothing


class Level(StrEnum):
    """How deep one must look to notice it."""

    QUICK = "quick"  # names, sizes, signature: no payload file is read
    NORMAL = "default"  # and every digest
    DEEP = "deep"  # and every row
    LIVE = "live"  # only against the org


@dataclass(frozen=True)
class Code:
    """One kind of finding.

    `cost` ranks what it would cost to cancel the contract over it: 1 data is gone for good,
    2 data may be gone, 3 the proof does not hold, 4 a part of the proof is missing, 5 untidy.
    `waivable`: may a named person accept it? Never when the archive itself is not what was sealed.
    """

    code: str
    severity: Severity
    level: Level
    cost: int
    waivable: bool
    meaning: str
    remedy: str


_AGAIN = "restore the archive from another copy, or export again"
_EXPORT = "export once more into the same home, then verify again"
_D, _U, _N = Severity.DAMAGE, Severity.UNKNOWN, Severity.NOTE
_Q, _M, _X, _L = Level.QUICK, Level.NORMAL, Level.DEEP, Level.LIVE

_TABLE = (
    # the archive is not what was sealed
    Code("root-other", _D, _Q, 3, False, "the root digest is not the expected one", _AGAIN),
    Code("seal-missing", _D, _Q, 3, False, "a file of the seal is not there", _AGAIN),
    Code("seal-invalid", _D, _Q, 3, False, "a signature does not hold", _AGAIN),
    Code("signer-other", _D, _Q, 3, False, "signed with another key than expected", _AGAIN),
    Code("tag-missing", _D, _Q, 3, False, "a tag file of the bag is not there", _AGAIN),
    Code("tag-altered", _D, _Q, 3, False, "a tag file is not what the seal covers", _AGAIN),
    Code("manifest-bad", _D, _Q, 3, False, "a manifest line is malformed or leads outside", _AGAIN),
    Code("oxum-wrong", _D, _Q, 3, False, "Payload-Oxum is not what is there", _AGAIN),
    Code("file-missing", _D, _Q, 1, False, "a listed file is not there", _AGAIN),
    Code("file-size", _D, _Q, 1, False, "a file has another size than recorded", _AGAIN),
    Code("file-unlisted", _D, _Q, 3, False, "a file is there that no manifest lists", _AGAIN),
    Code("name-unsafe", _D, _Q, 3, False, "a link, a device or a name that no archive has", _AGAIN),
    Code("format-unknown", _D, _Q, 3, False, "a format that this version does not know",
         "verify with a newer sfexit"),
    Code("file-altered", _D, _M, 1, False, "the bytes of a file are not those that were sealed",
         _AGAIN),
    Code("file-swapped", _D, _M, 1, False, "a file holds the bytes of another one", _AGAIN),
    Code("file-repacked", _D, _M, 3, False, "same content, packed anew: not the sealed bytes",
         _AGAIN),
    Code("file-unreadable", _U, _M, 2, False, "the file system could not read a file",
         "look at the disk, then verify again"),
    Code("gzip-broken", _D, _X, 1, False, "gzip data is cut, damaged or has something behind it",
         _AGAIN),
    Code("bomb", _D, _X, 3, False, "unpacks to more than it declares, or a value is absurdly long",
         _AGAIN),
    # the archive contradicts itself
    Code("text-broken", _D, _X, 1, False, "a page is not CSV in UTF-8", _AGAIN),
    Code("header-wrong", _D, _X, 1, False, "columns are not those of the schema", _EXPORT),
    Code("rows-wrong", _D, _X, 1, False, "another number of rows than the evidence says", _EXPORT),
    Code("value-malformed", _D, _X, 1, False, "a value is not of its column's type", _EXPORT),
    Code("id-malformed", _D, _X, 1, False, "a record id that Salesforce never made", _EXPORT),
    Code("id-twice", _D, _X, 1, False, "one id stands twice in an object", _EXPORT),
    Code("lookup-open", _D, _X, 2, True, "rows refer to records that should be here and are not",
         _EXPORT),
    Code("lookup-elsewhere", _N, _X, 5, True, "rows refer to records that are explained", ""),
    Code("body-missing", _D, _X, 1, True, "a file version has no body here", _EXPORT),
    Code("body-wrong", _D, _X, 1, False, "a body has another size or digest than its line says",
         _EXPORT),
    Code("body-md5", _D, _X, 1, False, "a body has not the MD5 that Salesforce gave", _EXPORT),
    Code("metadata-wrong", _D, _X, 2, False, "the metadata is not what its index says", _EXPORT),
    Code("ledger-wrong", _D, _Q, 2, False, "the ledger does not add up with the rest", _EXPORT),
    Code("evidence-wrong", _D, _Q, 3, False, "the evidence does not fit the archive", _EXPORT),
    Code("schema-wrong", _D, _Q, 3, False, "the schema does not fit the archive", _EXPORT),
    Code("journal-broken", _D, _X, 3, False, "the chain of the journal is broken", _AGAIN),
    Code("sight-wrong", _D, _Q, 3, False, "org/sight.json does not fit the ledger", _EXPORT),
    # what the archive itself says is not here
    Code("object-left-out", _D, _L, 1, True, "an object with data is not in the archive",
         "grant what the ledger names and export again"),
    Code("object-incomplete", _D, _L, 1, True, "an object is here in part",
         "grant what the ledger names and export again"),
    Code("blind-spot", _U, _L, 2, True, "the exporting user could not see this",
         "give the permission that is named and export again"),
    # the archive against the org
    Code("object-unknown", _D, _L, 1, True, "the org names an object that the archive does not",
         _EXPORT),
    Code("field-left-out", _D, _L, 1, True, "a field of the org is not in the archive", _EXPORT),
    Code("row-missing", _D, _L, 1, True, "a record of the org is not in the archive", _EXPORT),
    Code("row-extra", _D, _L, 2, True, "the archive has a record that the org never had", _EXPORT),
    Code("row-stale", _D, _L, 1, True, "a record changed since it was exported", _EXPORT),
    Code("count-differs", _D, _L, 1, True, "an independent count disagrees", _EXPORT),
    Code("value-differs", _D, _L, 1, True, "a value in the org is not that in the archive",
         _EXPORT),
    Code("body-left-out", _D, _L, 1, True, "a body of the org is not in the archive", _EXPORT),
    Code("body-differs", _D, _L, 1, True, "a body in the org is not that in the archive", _EXPORT),
    Code("metadata-left-out", _D, _L, 2, True,
         "a component of the org's configuration is not in the archive",
         "export once more into the same home; what the org does not give, copy from Setup by hand "
         "and waive it"),
    Code("metadata-differs", _D, _L, 2, True,
         "the org's configuration is not that in the archive", _EXPORT),
    Code("org-other", _D, _L, 1, False, "the archive is of another org", "name the right org"),
    Code("weekly-differs", _D, _L, 2, True, "Salesforce's own export has something else",
         _EXPORT),
    Code("org-lives", _N, _L, 5, True, "somebody worked in the org since the export", _EXPORT),
    # what could not be found out
    Code("check-not-made", _U, _L, 2, True, "a check could not be made", "verify again"),
)  # fmt: skip

#: code → what it means
CODES: Mapping[str, Code] = MappingProxyType({one.code: one for one in _TABLE})
