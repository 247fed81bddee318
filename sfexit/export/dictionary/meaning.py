"""What only the metadata tell of fields: inactive values, translations, formulas, roll-ups, and
which values a record type allows.

Read out of the ZIPs of the bag, file by file, never unpacked to the disk (Metadata API guide,
"CustomObject", "CustomField", "RecordType", "BusinessProcess", "GlobalValueSet",
"StandardValueSet", "CustomObjectTranslation", "GlobalValueSetTranslation",
"StandardValueSetTranslation").
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
from sfexit.salesforce.value_sets import standard_value_sets

_READ_BYTES = 1 << 16
_MOST_BYTES = 64 << 20  # of one file; an object with 800 fields has about 1 MB
# An object of a package with a namespace: "myCustomObject-Acme__c-de" (CustomObjectTranslation).
_PACKAGED = re.compile(r"(\w+)-([A-Za-z0-9_]+?)(__[a-z]+)")
OBJECT = ""  # in place of a field: the object itself
RECORD_TYPE = "RecordTypeId"
# The values of these are no record type's own: it names a business process, which has them.
_BY_PROCESS = {
    "Opportunity": "StageName", "Case": "Status", "Lead": "Status", "Solution": "Status",
}  # fmt: skip
# The record types of people stand in a file of their own; their rows are accounts.
_ROWS_OF = {"PersonAccount": "Account"}

Values = dict[str, list[str]]  # the texts below an element, by name


@dataclass
class Meaning:
    """Of one field: values out of use (value → label), its formula, by language its label and the
    labels of its values, and by record type (its API name), in words, the values that its rows may
    take."""

    inactive: dict[str, str] = field(default_factory=dict)
    formula: str = ""  # or a roll-up in words
    value_set: str = ""  # the global one that it takes its values from
    labels: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    allowed: dict[str, str] = field(default_factory=dict)

    def take_values(self, other: Meaning) -> None:
        """What is known of the values of `other`; what is known already stays."""
        self.inactive = other.inactive | self.inactive
        for language, told in other.values.items():
            self.values[language] = told | self.values[language]


Meanings = dict[tuple[str, str], Meaning]  # by object and field


@dataclass
class _Found:
    fields: Meanings = field(default_factory=lambda: defaultdict(Meaning))
    shared: dict[str, Meaning] = field(default_factory=lambda: defaultdict(Meaning))
    standard: dict[str, Meaning] = field(default_factory=lambda: defaultdict(Meaning))
    processes: dict[tuple[str, str], str] = field(default_factory=dict)  # by object and name
    by_process: list[tuple[str, str, str]] = field(default_factory=list)  # object, type, process

    def together(self) -> Meanings:
        """The fields, each with what is known of the set that its values are from."""
        for name, told in self.standard.items():
            for place in standard_value_sets().get(name, ()):
                entity, _, column = place.partition(".")
                self.fields[entity, column].take_values(told)
        for meaning in self.fields.values():
            if meaning.value_set:
                meaning.take_values(self.shared[_bare(meaning.value_set)])
        for entity, record_type, process in self.by_process:
            values = self.processes.get((entity, process))
            if values is not None and entity in _BY_PROCESS:
                self.fields[entity, _BY_PROCESS[entity]].allowed[record_type] = values
        return dict(self.fields)


def read(zips: Iterable[Path], go_on: Callable[[], None] = lambda: None) -> Meanings:
    """The meanings in these packages. A file that cannot be read is passed over: it tells of the
    data, but is not the data."""
    found = _Found()
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
    return found.together()


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
    """Takes the records of one file; `name` and `language` are from the file's name."""

    records: tuple[str, ...] = ()

    def __init__(self, found: _Found, name: str, language: str = "") -> None:
        self.found = found
        self.name = name
        self.language = language
        self.waiting: list[tuple[str, Values]] = []  # records inside the one not over yet

    def take(self, path: str, values: Values, /) -> None:
        """A record is over."""
        raise NotImplementedError


class _Objects(_Taker):
    records = (
        "CustomObject/fields",
        "CustomObject/fields/summaryFilterItems",
        "CustomObject/fields/valueSet",
        "CustomObject/fields/valueSet/valueSetDefinition/value",
        "CustomObject/businessProcesses",
        "CustomObject/businessProcesses/values",
        "CustomObject/recordTypes",
        "CustomObject/recordTypes/picklistValues",
        "CustomObject/recordTypes/picklistValues/values",
    )

    def take(self, path: str, values: Values, /) -> None:
        kind = path.removeprefix("CustomObject/")
        if kind == "fields":
            self._field(values)
        elif kind == "businessProcesses":
            name = _first(values, "fullName")
            self.found.processes[self.name, name] = _allowed(one for _, one in self.waiting)
        elif kind == "recordTypes":
            self._record_type(values)
        else:
            self.waiting.append((path, values))
            return
        self.waiting = []

    def _record_type(self, values: Values) -> None:
        record_type, entity = _first(values, "fullName"), _ROWS_OF.get(self.name, self.name)
        if process := _first(values, "businessProcess"):
            self.found.by_process.append((entity, record_type, process))
        inside: list[Values] = []
        for where, one in self.waiting:
            if where.endswith("/values"):
                inside.append(one)
            else:  # the picklist that they belong to is over
                meaning = self.found.fields[entity, _first(one, "picklist")]
                meaning.allowed[record_type], inside = _allowed(inside), []

    def _field(self, values: Values) -> None:
        meaning = self.found.fields[self.name, _first(values, "fullName")]
        inside: dict[str, list[Values]] = defaultdict(list)
        for where, one in self.waiting:
            inside[where.rpartition("/")[2]].append(one)
        meaning.formula = _first(values, "formula") or _rollup(values, inside["summaryFilterItems"])
        for one in inside["valueSet"]:
            meaning.value_set = _first(one, "valueSetName")
        _take_inactive(meaning, inside["value"])


class _SharedSets(_Taker):
    records = ("GlobalValueSet/customValue",)

    def take(self, _path: str, values: Values, /) -> None:
        _take_inactive(self.found.shared[_bare(self.name)], [values])


class _StandardSets(_Taker):
    records = ("StandardValueSet/standardValue",)

    def take(self, _path: str, values: Values, /) -> None:
        _take_inactive(self.found.standard[self.name], [values])


class _SharedSetTranslations(_Taker):
    records = ("GlobalValueSetTranslation/valueTranslation",)

    def take(self, _path: str, values: Values, /) -> None:
        _take_translation(self.found.shared[_bare(self.name)], self.language, values)


class _StandardSetTranslations(_Taker):
    records = ("StandardValueSetTranslation/valueTranslation",)

    def take(self, _path: str, values: Values, /) -> None:
        _take_translation(self.found.standard[self.name], self.language, values)


class _Translations(_Taker):
    records = (
        "CustomObjectTranslation",
        "CustomObjectTranslation/caseValues",
        "CustomObjectTranslation/fields",
        "CustomObjectTranslation/fields/caseValues",
        "CustomObjectTranslation/fields/picklistValues",
        "CustomObjectTranslation/recordTypes",
    )

    def take(self, path: str, values: Values, /) -> None:
        whole, own_cases, fields, cases, _, record_types = self.records
        packaged = _PACKAGED.fullmatch(self.name)
        name = f"{packaged[2]}__{packaged[1]}{packaged[3]}" if packaged else self.name
        if path == record_types:
            told = self.found.fields[name, RECORD_TYPE].values[self.language]
            told[_first(values, "name")] = _first(values, "label")
        elif path == own_cases:
            self._label(self.found.fields[name, OBJECT], _case(values))
        elif path == whole:
            self._label(self.found.fields[name, "Name"], _first(values, "nameFieldLabel"))
        elif path == fields:
            meaning = self.found.fields[name, _first(values, "name")]
            self._label(meaning, _first(values, "label"))
            for where, one in self.waiting:
                if where == cases:
                    self._label(meaning, _case(one))
                else:
                    _take_translation(meaning, self.language, one)
            self.waiting = []
        else:
            self.waiting.append((path, values))

    def _label(self, meaning: Meaning, label: str) -> None:
        if label:
            meaning.labels.setdefault(self.language, label)


_FILES = tuple(
    (re.compile(rf"(?:.*/)?{pattern}"), taker)
    for pattern, taker in (
        (r"objects/([^/]+)\.object", _Objects),
        (r"objectTranslations/([^/]+)-(\w+)\.objectTranslation", _Translations),
        (r"standardValueSets/([^/]+)\.standardValueSet", _StandardSets),
        (r"globalValueSets/([^/]+)\.globalValueSet", _SharedSets),
        (
            r"standardValueSetTranslations/([^/]+)-(\w+)\.standardValueSetTranslation",
            _StandardSetTranslations,
        ),
        (
            r"globalValueSetTranslations/([^/]+)-(\w+)\.globalValueSetTranslation",
            _SharedSetTranslations,
        ),
    )
)


def _taker(name: str, found: _Found) -> _Taker | None:
    for pattern, taker in _FILES:
        if match := pattern.fullmatch(name):
            return taker(found, *match.groups())
    return None


def _bare(name: str) -> str:
    """A global value set's name: newer ones carry the ending in one place and not in another."""
    return name.removesuffix("__gvs")


def _rollup(values: Values, filters: Iterable[Values]) -> str:
    """A roll-up summary in words, "" for another field (CustomField, "summaryOperation")."""
    operation = _first(values, "summaryOperation")
    if not operation:
        return ""
    summed = _first(values, "summarizedField")
    words = f"roll-up summary: {operation}" + (f" of {summed}" if summed else "")
    words += f" by {_first(values, 'summaryForeignKey')}"
    told = [
        " ".join(_first(one, part) for part in ("field", "operation", "value", "valueField"))
        for one in filters
    ]
    return words + (f", where {' and '.join(one.strip() for one in told)}" if told else "")


def _take_inactive(meaning: Meaning, values: Iterable[Values]) -> None:
    for one in values:
        if _first(one, "isActive") == "false":
            meaning.inactive[_first(one, "fullName")] = _first(one, "label")


def _allowed(values: Iterable[Values]) -> str:
    """The values of a record type or process in words; each is encoded there as in an address."""
    return ", ".join(
        unquote(_first(one, "fullName")) + " (default)" * (_first(one, "default") == "true")
        for one in values
    )


def _take_translation(meaning: Meaning, language: str, values: Values) -> None:
    if _first(values, "translation"):  # one that is not translated is a comment
        told = meaning.values[language]
        told[_first(values, "masterLabel")] = _first(values, "translation")


def _case(values: Values) -> str:
    """The label in this grammatical case; "" for the plural."""
    return "" if _first(values, "plural") == "true" else _first(values, "value")


def _first(values: Values, name: str) -> str:
    return (values.get(name) or [""])[0].strip()
