"""What only the metadata tell of fields: inactive values, translations, formulas.

Read out of the ZIPs of the bag, file by file, never unpacked to the disk (Metadata API guide,
"CustomObject", "CustomField", "StandardValueSet", "CustomObjectTranslation").
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from sfexit.errors import DamagedAnswer
from sfexit.salesforce.soap import Reader

_READ_BYTES = 1 << 16
_MOST_BYTES = 64 << 20  # of one file; an object with 800 fields has about 1 MB
_OBJECT = re.compile(r"(?:.*/)?objects/([^/]+)\.object")
_TRANSLATION = re.compile(r"(?:.*/)?objectTranslations/([^/]+)-(\w+)\.objectTranslation")
_VALUE_SET = re.compile(r"(?:.*/)?standardValueSets/([^/]+)\.standardValueSet")
# "StandardValueSet Names and Standard Picklist Fields", those whose field has another name.
_FIELDS_OF = {
    "AccountType": ("Account.Type",), "AccountRating": ("Account.Rating", "Lead.Rating"),
    "AccountOwnership": ("Account.Ownership",),
    "Industry": ("Account.Industry", "Lead.Industry"),
    "LeadSource": ("Lead.LeadSource", "Contact.LeadSource", "Opportunity.LeadSource"),
    "LeadStatus": ("Lead.Status",), "CaseOrigin": ("Case.Origin",),
    "CasePriority": ("Case.Priority",), "CaseReason": ("Case.Reason",),
    "CaseStatus": ("Case.Status",), "CaseType": ("Case.Type",),
    "CampaignStatus": ("Campaign.Status",), "CampaignType": ("Campaign.Type",),
    "ContractStatus": ("Contract.Status",), "AssetStatus": ("Asset.Status",),
    "OpportunityStage": ("Opportunity.StageName",), "OpportunityType": ("Opportunity.Type",),
    "OrderStatus": ("Order.Status",), "OrderType": ("Order.Type",),
    "Product2Family": ("Product2.Family",), "QuoteStatus": ("Quote.Status",),
    "Salutation": ("Contact.Salutation", "Lead.Salutation"),
    "SolutionStatus": ("Solution.Status",), "TaskPriority": ("Task.Priority",),
    "TaskStatus": ("Task.Status",), "TaskType": ("Task.Type",), "EventType": ("Event.Type",),
}  # fmt: skip


@dataclass
class Meaning:
    """Of one field: values out of use (value → label), its formula, and, by language, its label
    and the labels of its values."""

    inactive: dict[str, str] = field(default_factory=dict)
    formula: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))


Meanings = dict[tuple[str, str], Meaning]  # by object and field


def read(zips: Iterable[Path], go_on: Callable[[], None] = lambda: None) -> Meanings:
    """The meanings in these packages. A file that cannot be read is passed over: it tells of the
    data, but is not the data."""
    found: Meanings = defaultdict(Meaning)
    for path in zips:
        go_on()
        try:
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    taker = _taker(unquote(entry.filename), found)
                    if taker is not None and entry.file_size <= _MOST_BYTES:
                        _feed(archive, entry, taker)
        except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error):
            continue
    return dict(found)


def _feed(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, taker: _Taker) -> None:
    reader = Reader(taker.records, taker.take, what="A file of the metadata")
    with archive.open(entry) as content:
        try:
            while piece := content.read(_READ_BYTES):
                reader.feed(piece)
            reader.finish()
        except DamagedAnswer:
            return


class _Taker:
    """Takes the records of one file."""

    records: tuple[str, ...] = ()

    def __init__(self, name: str, language: str, found: Meanings) -> None:
        self.name = name
        self.language = language
        self.found = found
        self.waiting: list[dict[str, list[str]]] = []  # records inside the one not over yet

    def take(self, _path: str, values: dict[str, list[str]], /) -> None:
        """A record is over."""
        raise NotImplementedError


class _Objects(_Taker):
    records = ("CustomObject/fields", "CustomObject/fields/valueSet/valueSetDefinition/value")

    def take(self, path: str, values: dict[str, list[str]], /) -> None:
        if path != self.records[0]:
            self.waiting.append(values)
            return
        meaning = self.found[self.name, _first(values, "fullName")]
        meaning.formula = _first(values, "formula")
        _take_inactive(meaning, self.waiting)
        self.waiting = []


class _ValueSets(_Taker):
    records = ("StandardValueSet/standardValue",)

    def take(self, _path: str, values: dict[str, list[str]], /) -> None:
        for place in _FIELDS_OF.get(self.name, ()):
            name, _, column = place.partition(".")
            _take_inactive(self.found[name, column], [values])


class _Translations(_Taker):
    records = (
        "CustomObjectTranslation/fields",
        "CustomObjectTranslation/fields/picklistValues",
    )

    def take(self, path: str, values: dict[str, list[str]], /) -> None:
        if path != self.records[0]:
            self.waiting.append(values)
            return
        meaning = self.found[self.name, _first(values, "name")]
        label = _first(values, "label")
        if label:
            meaning.labels[self.language] = label
        for one in self.waiting:
            if _first(one, "translation"):
                told = meaning.values[self.language]
                told[_first(one, "masterLabel")] = _first(one, "translation")
        self.waiting = []


def _taker(name: str, found: Meanings) -> _Taker | None:
    if match := _OBJECT.fullmatch(name):
        return _Objects(match[1], "", found)
    if match := _TRANSLATION.fullmatch(name):
        return _Translations(match[1], match[2], found)
    if match := _VALUE_SET.fullmatch(name):
        return _ValueSets(match[1], "", found)
    return None


def _take_inactive(meaning: Meaning, values: Iterable[dict[str, list[str]]]) -> None:
    for one in values:
        if _first(one, "isActive") == "false":
            meaning.inactive[_first(one, "fullName")] = _first(one, "label")


def _first(values: dict[str, list[str]], name: str) -> str:
    return (values.get(name) or [""])[0].strip()
