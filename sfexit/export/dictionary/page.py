"""data/schema/dictionary.html: the dictionary for people, without script and outside address.

Every text in it came from the org and is taken for hostile.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from sfexit.export.dictionary.entries import FieldLine, ObjectEntry
from sfexit.redaction import printable

_STYLE = """
:root{color-scheme:light dark}
body{font:1rem/1.45 system-ui,sans-serif;max-width:80rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
th,td{border-bottom:1px solid #8886;padding:.25rem .5rem;text-align:left;vertical-align:top}
td{overflow-wrap:anywhere}code{white-space:pre-wrap}summary{cursor:pointer;margin:.4rem 0}
details table{table-layout:fixed}
th.field{width:24%}th.label{width:18%}th.type{width:13%}th.filled{width:12%}
.small{font-size:.85rem;opacity:.8}.n{text-align:right;font-variant-numeric:tabular-nums}
@media print{html{font-size:10px}body{max-width:none;margin:0}
h1,h2,summary{break-after:avoid}tr{break-inside:avoid}.small{opacity:1}}
"""
_LONGEST = 8_000  # characters of one text
_MOST_OPEN = 25  # lines of a small table that is not folded up
_HEADS = ("Field", "Label", "Type", "Filled", "Meaning")


def text(value: object, limit: int = _LONGEST) -> str:
    """Any text, safe inside an element or a quoted attribute."""
    return escape(printable(str(value), limit), quote=True)


def pieces(
    title: str, facts: Mapping[str, str], tables: Mapping[str, Sequence[Sequence[str]]],
    objects: Iterable[ObjectEntry], without_rows: Sequence[str],
) -> Iterator[bytes]:  # fmt: skip
    """The file in pieces: facts of the org, small tables (header first), objects with rows."""
    yield _head(title).encode()
    yield from (part.encode("utf-8", "replace") for part in _org(facts, tables))
    yield b"<h2>Objects with rows</h2>\n"
    for one in objects:
        yield _object(one).encode("utf-8", "replace")
    if without_rows:
        names = ", ".join(text(name) for name in without_rows)
        yield (
            f"<h2>Objects without rows here</h2>\n<p class='small'>{names}</p>\n"
            "<p>Their fields are in dictionary.csv.</p>\n"
        ).encode("utf-8", "replace")
    yield b"</body>\n</html>\n"


def _head(title: str) -> str:
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{text(title)}</h1>\n"
        "<p>What each table and column of this archive means. Made from the archive itself; "
        "the describes under objects/ are the originals.</p>\n"
    )


def _org(facts: Mapping[str, str], tables: Mapping[str, Sequence[Sequence[str]]]) -> Iterator[str]:
    yield "<h2>The org</h2>\n<table>"
    for name, value in facts.items():
        yield f"<tr><th>{text(name)}</th><td>{text(value)}</td></tr>"
    yield "</table>\n"
    for name, rows in tables.items():
        yield f"<h2>{text(name)}</h2>\n"
        if len(rows) > _MOST_OPEN:  # the objects should not stand below ten screens of rates
            yield f"<details><summary>{len(rows) - 1:,} lines</summary>"
        yield "<table>"
        for number, row in enumerate(rows):
            tag = "td" if number else "th"
            yield "<tr>" + "".join(f"<{tag}>{text(cell)}</{tag}>" for cell in row) + "</tr>"
        yield "</table>" + ("</details>\n" if len(rows) > _MOST_OPEN else "\n")


def _object(one: ObjectEntry) -> str:
    rows = "rows unknown" if one.rows is None else f"{one.rows:,} row{'s' * (one.rows != 1)}"
    heads = "".join(f'<th class="{head.lower()}">{head}</th>' for head in _HEADS)
    types = ""
    if one.record_types:
        told = "; ".join(
            f"{label} ({name})" + ("" if active else ", inactive")
            for label, name, active in one.record_types
        )
        types = f"<p class='small'>Record types: {text(told)}</p>"
    if one.translations:
        told = "; ".join(f"{language}: {label}" for language, label in one.translations)
        types += f"<p class='small'>{text(told)}</p>"
    body = "".join(_field(f) for f in one.fields)
    return (
        f'<details id="{text(one.name, 100)}"><summary><b>{text(one.label)}</b> '
        f"<code>{text(one.name)}</code> <span class='small'>{rows}</span></summary>{types}\n"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></details>\n"
    )


def _field(f: FieldLine) -> str:
    size = f"({f.precision},{f.scale})" if f.precision else (f"({f.length})" if f.length else "")
    return (
        f"<tr><td><code>{text(f.name)}</code></td><td>{text(f.label)}</td>"
        f"<td>{text(f.type)}{size}</td><td class='n'>{_filled(f)}</td><td>{_meaning(f)}</td></tr>\n"
    )


def _filled(f: FieldLine) -> str:
    if f.seen is None or f.filled is None:
        return f"<span class='small'>no column{f': {text(f.why_not)}' if f.why_not else ''}</span>"
    if not f.seen:
        return "0"
    share = 100 * f.filled / f.seen
    # Never "100 %" or "0 %" for what is only nearly so.
    if f.filled in (0, f.seen) or 1 <= share <= 99:
        word = f"{share:.0f} %"
    else:
        word = "less than 1 %" if share < 1 else "more than 99 %"
    return f"{f.filled:,} of {f.seen:,}<br><span class='small'>{word}</span>"


def _meaning(f: FieldLine) -> str:
    parts = []
    if f.help:
        parts.append(text(f.help))
    if f.formula:
        parts.append(f"Calculated: <code>{text(f.formula)}</code>")
    if f.refers_to:
        parts.append("Refers to " + ", ".join(text(name) for name in f.refers_to[:20]))
    if f.controlled_by:
        parts.append(f"Which values may be chosen depends on <code>{text(f.controlled_by)}</code>")
    if f.values:
        parts.append("Values: " + "; ".join(_value(*value) for value in f.values))
    for record_type, values in f.allowed:
        parts.append(
            f"<span class='small'>Record type <code>{text(record_type)}</code>: "
            f"{text(values) or 'no value'}</span>"
        )
    for language, words in f.translations:
        parts.append(f"<span class='small'>{text(language)}: {text(words)}</span>")
    return "<br>".join(parts)


def _value(value: str, label: str, active: bool) -> str:
    told = text(value) + (f" = {text(label)}" if label and label != value else "")
    return told if active else f"<s>{told}</s> (inactive)"
