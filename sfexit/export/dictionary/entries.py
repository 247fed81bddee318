"""A line of the data dictionary for each field, from the describe and what else is known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sfexit.export.dictionary.filling import Filled
from sfexit.export.dictionary.meaning import OBJECT, RECORD_TYPE, Meaning, Meanings

COLUMNS = (
    "object", "object_label", "field", "label", "type", "length", "precision", "scale", "help",
    "formula", "controlled_by", "values", "values_by_record_type", "refers_to", "translations",
    "in_archive", "rows_seen", "filled", "why_not",
)  # fmt: skip
# A cell that begins so is a formula to a spreadsheet (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True)
class FieldLine:
    """A field in words. `seen` and `filled` are None for a field without a column."""

    name: str
    label: str
    type: str
    length: int
    precision: int
    scale: int
    help: str
    formula: str  # or a roll-up in words
    controlled_by: str  # the field whose value says which values may be chosen here
    values: tuple[tuple[str, str, bool], ...]  # value, label, active
    allowed: tuple[tuple[str, str], ...]  # record type, the values that its rows may take
    refers_to: tuple[str, ...]
    translations: tuple[tuple[str, str], ...]  # language, words
    seen: int | None
    filled: int | None
    why_not: str  # in the archive, of a field without a column


@dataclass(frozen=True)
class ObjectEntry:
    """An object in words. `record_types`: (label, API name, active); `translations`: (language,
    label)."""

    name: str
    label: str
    rows: int | None
    record_types: tuple[tuple[str, str, bool], ...]
    translations: tuple[tuple[str, str], ...]
    fields: tuple[FieldLine, ...]


def entry(
    describe: Mapping[str, Any],
    meanings: Meanings,
    filled: Filled | None,
    rows: int | None,
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> ObjectEntry:
    """An object's entry from its describe as the org sent it; `left_out`: fields without a column,
    each with its reason."""
    name = _text(describe, "name")
    fields = [one for one in _list(describe, "fields") if isinstance(one, dict)]
    types = [one for one in _list(describe, "recordTypeInfos") if isinstance(one, dict)]
    own = meanings.get((name, OBJECT)) or Meaning()
    return ObjectEntry(
        name=name,
        label=_text(describe, "label"),
        rows=rows,
        record_types=tuple(
            (_text(one, "name"), _text(one, "developerName"), one.get("active") is not False)
            for one in types
            if one.get("master") is not True
        ),
        translations=tuple(sorted(own.labels.items())),
        fields=tuple(
            _field(
                one,
                meanings.get((name, _text(one, "name"))) or Meaning(),
                filled,
                types,
                left_out.get(_text(one, "name"), ""),
            )
            for one in fields
        ),
    )


def _field(
    one: Mapping[str, Any],
    meaning: Meaning,
    filled: Filled | None,
    types: Iterable[Mapping[str, Any]],
    why_not: str,
) -> FieldLine:
    name = _text(one, "name")
    values = [
        (_text(v, "value"), _text(v, "label"), v.get("active") is not False)
        for v in _list(one, "picklistValues")
        if isinstance(v, dict)
    ]
    if name == RECORD_TYPE:
        # What a row holds is the id of its record type (DescribeSObjectResult, RecordTypeInfo).
        values += [
            (
                _text(t, "recordTypeId"),
                f"{_text(t, 'name')} ({_text(t, 'developerName')})",
                t.get("active") is not False,
            )
            for t in types
        ]
    known = {value for value, _, _ in values}
    values += [(v, label, False) for v, label in meaning.inactive.items() if v not in known]
    there = filled is not None and name in filled.columns
    return FieldLine(
        name=name,
        label=_text(one, "label"),
        type=_text(one, "type"),
        length=_number(one, "length"),
        precision=_number(one, "precision"),
        scale=_number(one, "scale"),
        help=_text(one, "inlineHelpText"),
        formula=_text(one, "calculatedFormula") or meaning.formula,
        controlled_by=_text(one, "controllerName"),
        values=tuple(values),
        allowed=tuple(sorted(meaning.allowed.items())),
        refers_to=tuple(str(name) for name in _list(one, "referenceTo")),
        translations=tuple(_translations(meaning)),
        seen=filled.seen if filled is not None and there else None,
        filled=filled.columns[name] if filled is not None and there else None,
        why_not="" if there else why_not,
    )


def _translations(meaning: Meaning) -> Iterator[tuple[str, str]]:
    for language in sorted({*meaning.labels, *meaning.values}):
        told = [meaning.labels[language]] if language in meaning.labels else []
        values = meaning.values.get(language, {})
        if values:
            told.append("[" + ", ".join(f"{k} = {v}" for k, v in values.items()) + "]")
        yield language, " ".join(told)


def values_in_words(values: Iterable[tuple[str, str, bool]]) -> str:
    """Picklist values as one text."""
    return "; ".join(
        value + (f" = {label}" if label and label != value else "") + ("" if on else " (inactive)")
        for value, label, on in values
    )


def cells(one: ObjectEntry) -> Iterator[Sequence[str]]:
    """The lines of an object in the order of COLUMNS; no cell is a formula to a spreadsheet."""
    for f in one.fields:
        yield [
            shown(value)
            for value in (
                one.name, one.label, f.name, f.label, f.type, str(f.length or ""),
                str(f.precision or ""), str(f.scale or ""), f.help, f.formula, f.controlled_by,
                values_in_words(f.values),
                "; ".join(f"{name}: {values}" for name, values in f.allowed),
                " ".join(f.refers_to),
                "; ".join(f"{language}: {words}" for language, words in f.translations),
                "true" if f.seen is not None else "false",
                "" if f.seen is None else str(f.seen), "" if f.filled is None else str(f.filled),
                f.why_not,
            )
        ]  # fmt: skip


def shown(value: str) -> str:
    """A value that a spreadsheet shows and does not compute."""
    # Half of a surrogate pair, which JSON can smuggle in, has no form in UTF-8.
    value = value.encode("utf-8", "replace").decode("utf-8")
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _number(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _list(values: Mapping[str, Any], name: str) -> list[Any]:
    value = values.get(name)
    return value if isinstance(value, list) else []
