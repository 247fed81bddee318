"""PDF statements: words by where they stand on the page; a table by its headings.

Two ways to a table: cells between ruled lines, else words below the heading that they stand under.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sfexit.billing import labels, written
from sfexit.billing.building import Draft
from sfexit.errors import UsageProblem

_MOST_PAGES = 200
_GAP = 0.45  # of the letters' height: a wider gap parts two phrases
_COLUMNS = {"product", "quantity", "unit_price", "service_start", "service_end", "period"}
_COLUMNS |= {"net", "tax", "gross"}
_TOTALS = {"net": "net", "tax": "tax", "gross": "gross", "open_amount": "open_amount"}
_HEAD = ("invoice_no", "contract_no", "issue_date", "due_date", "currency", "credited", "credit_no")


@dataclass(frozen=True)
class _Phrase:
    text: str
    x0: float
    x1: float


_Row = list[_Phrase]


def drafts(raw: bytes, source: str) -> list[Draft]:
    """The document of a PDF. Raises UsageProblem: damaged, encrypted, or pictures only."""
    try:
        import pdfplumber
        from pdfminer.pdfdocument import PDFPasswordIncorrect
    except ImportError as error:
        raise UsageProblem(
            "PDF statements need the extra: pip install 'sfexit[billing]'; CSV needs nothing"
        ) from error
    try:
        with pdfplumber.open(io.BytesIO(raw)) as document:
            pages = document.pages
            if len(pages) > _MOST_PAGES:
                raise UsageProblem(
                    f"{source} has {len(pages)} pages: give the statements one by one"
                )
            read = [(_rows(page), _ruled(page)) for page in pages]
    except UsageProblem:
        raise
    except Exception as error:  # the library's errors on damaged files are of every class
        if isinstance(error, PDFPasswordIncorrect) or isinstance(
            error.__cause__ or (error.args[0] if error.args else None), PDFPasswordIncorrect
        ):
            raise UsageProblem(
                f"{source} is encrypted: save a copy without a password and give that"
            ) from error
        raise UsageProblem(
            f"{source} is a damaged PDF and cannot be read: download it again"
        ) from error
    if not any(row for rows, _ in read for row in rows):
        raise UsageProblem(
            f"{source} holds no text, only pictures: ask the vendor for the original PDF or a CSV"
        )
    return [_draft(read, source)]


# ---- words -------------------------------------------------------------------------------------


def _rows(page: Any) -> list[_Row]:
    """Phrases of a page, from the top down, each row from left to right."""
    words = sorted(page.extract_words(use_text_flow=False), key=lambda w: (w["top"], w["x0"]))
    lines: list[list[Any]] = []
    for word in words:
        middle = (word["top"] + word["bottom"]) / 2
        if lines and lines[-1][0]["top"] <= middle <= lines[-1][0]["bottom"]:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [_phrases(sorted(line, key=lambda w: w["x0"])) for line in lines]


def _phrases(words: Sequence[Any]) -> _Row:
    found: _Row = []
    for word in words:
        height = word["bottom"] - word["top"]
        if found and word["x0"] - found[-1].x1 <= _GAP * height:
            last = found.pop()
            found.append(_Phrase(f"{last.text} {word['text']}", last.x0, word["x1"]))
        else:
            found.append(_Phrase(word["text"], word["x0"], word["x1"]))
    return found


def _ruled(page: Any) -> list[list[list[str]]]:
    """Tables drawn with lines: rows of cells."""
    return [
        [[(cell or "").replace("\n", " ").strip() for cell in row] for row in table]
        for table in page.extract_tables()
    ]


# ---- documents ---------------------------------------------------------------------------------


def _draft(read: list[tuple[list[_Row], list[list[list[str]]]]], source: str) -> Draft:
    draft = Draft(source)
    text = [phrase.text for rows, _ in read for row in rows for phrase in row]
    if any(labels.begins_with(one, "credit_document") for one in text[:12]):
        draft.head["kind"] = "credit memo"
    ruled = [row for _, tables in read for table in tables for row in _table_rows(table)]
    if ruled:
        draft.rows.extend(ruled)
    columns: list[tuple[str, float, float]] = []
    for rows, _ in read:
        inside = False
        for number, row in enumerate(rows):
            heads = _headings(row)
            if heads:
                columns, inside = heads, True
            elif inside and _ends_table(row):
                inside = False
                _totals(draft, row)
            elif inside:
                if not ruled:
                    inside = _table_row(draft, row, columns)
            elif not _totals(draft, row):
                _head(draft, row, rows[number + 1] if number + 1 < len(rows) else [])
            elif columns:
                continue
    if not draft.rows:
        draft.doubt("no table of lines was found", 25)
    return draft


def _headings(row: _Row) -> list[tuple[str, float, float]]:
    """Columns of a heading row: at least three that are known, with an amount among them."""
    found = [(labels.field_of(one.text), one.x0, one.x1) for one in row]
    named = [(name, x0, x1) for name, x0, x1 in found if name in _COLUMNS]
    names = {name for name, _, _ in named}
    if len(names) < 3 or not names & {"net", "gross"}:
        return []
    return [(name or "", x0, x1) for name, x0, x1 in found]


def _table_rows(table: list[list[str]]) -> Iterator[dict[str, str]]:
    """Rows of a ruled table whose headings are known."""
    heads: list[str | None] = []
    for row in table:
        fields = [labels.field_of(cell) for cell in row]
        names = {one for one in fields if one in _COLUMNS}
        if len(names) >= 3 and names & {"net", "gross"}:
            heads = fields
        elif heads and not labels.begins_with(next((c for c in row if c), ""), "sums"):
            cells = {name: cell for name, cell in zip(heads, row, strict=False) if name and cell}
            if cells.get("net") or cells.get("gross"):
                yield cells


def _ends_table(row: _Row) -> bool:
    first = row[0].text
    return labels.begins_with(first, "sums") or (
        len(row) <= 2 and _total_name(first) is not None and _is_amount(row[-1].text)
    )


def _table_row(draft: Draft, row: _Row, columns: list[tuple[str, float, float]]) -> bool:
    """Take a row below the headings. False when the table is over."""
    cells: dict[str, str] = {}
    for phrase in row:
        name = _column(phrase, columns)
        cells[name] = f"{cells[name]} {phrase.text}" if name in cells else phrase.text
    cells.pop("", None)
    if any(name in cells and _is_amount(cells[name]) for name in ("net", "gross")):
        draft.rows.append(cells)
        return True
    if draft.rows and set(cells) <= {"product", "period"}:  # text that went on to a second line
        last = dict(draft.rows[-1])
        for name, text in cells.items():
            last[name] = f"{last[name]} {text}" if name in last else text
        draft.rows[-1] = last
        return True
    return not any(name in cells for name in ("net", "gross")) and len(row) > 1


def _column(phrase: _Phrase, columns: list[tuple[str, float, float]]) -> str:
    """The column that a phrase stands under: the most overlap, else the nearest."""

    def far(column: tuple[str, float, float]) -> float:
        _, x0, x1 = column
        overlap = min(phrase.x1, x1) - max(phrase.x0, x0)
        edges = min(abs(phrase.x0 - x0), abs(phrase.x1 - x1))
        return edges - 1000 if overlap > 0 else -overlap

    return min(columns, key=far)[0]


def _is_amount(text: str) -> bool:
    try:
        written.amount(text)
    except written.Ambiguous:
        return True
    except written.Unreadable:
        return False
    return True


def _total_name(text: str) -> str | None:
    """The total that a label below the table names."""
    plain = re.sub(r"\d+([.,]\d+)?\s*%", "", text).strip(" :")
    for shown in (plain, re.sub(r"^(total|gesamt|summe|suma|razem)\s+", "", plain, flags=re.I)):
        name = labels.field_of(shown)
        if name in _TOTALS:
            return name
    return None


def _totals(draft: Draft, row: _Row) -> bool:
    """Take `Total 1,234.00`. False when the row is something else."""
    text = " ".join(one.text for one in row)
    match = re.match(
        r"(?P<label>[^\d(]*?(?:\([^)]*\))?[^\d(]*?(?:\d+(?:[.,]\d+)?\s*%)?)[\s:]*"
        r"(?P<value>(?:[A-Z]{3}|[€£$])?\s*[-(−]?\s*[€£$]?\s*\d[^%]*)$",
        text,
    )
    if not match or not _is_amount(match["value"]):
        return False
    name = _total_name(match["label"])
    if name is None:
        return False
    if labels.folded(match["label"]) in ("subtotal", "sub total"):
        name = "net"
    draft.head[_TOTALS[name]] = match["value"].strip()
    return True


def _head(draft: Draft, row: _Row, below: _Row) -> None:
    """Take `Invoice number: 123`, side by side or one above the other."""
    for number, phrase in enumerate(row):
        label, value = _label(phrase.text)
        if label is None:
            continue
        if not value and number + 1 < len(row) and _label(row[number + 1].text)[0] is None:
            value = row[number + 1].text
        if not value:
            value = next(
                (
                    one.text
                    for one in below
                    if one.x0 < phrase.x1 and one.x1 > phrase.x0 and not _label(one.text)[0]
                ),
                "",
            )
        if value and _fits(label, value):
            draft.head.setdefault(label, value.strip())


def _label(text: str) -> tuple[str | None, str]:
    """A field and what stands behind its label in the same phrase."""
    before, colon, after = text.partition(":")
    name = labels.field_of(before)
    if colon and name in _HEAD:
        return name, after.strip()
    if labels.field_of(text) in _HEAD:
        return labels.field_of(text), ""
    words = text.split()
    for count in range(min(5, len(words) - 1), 0, -1):
        name = labels.field_of(" ".join(words[:count]))
        if name in _HEAD and _fits(str(name), " ".join(words[count:])):
            return name, " ".join(words[count:])
    return None, ""


def _fits(name: str, value: str) -> bool:
    """A number has a digit and no blank, a date is one, a currency is one."""
    if name.endswith("_date"):
        try:
            written.day(value)
        except written.Ambiguous:
            return True
        except written.Unreadable:
            return False
        return True
    if name == "currency":
        return written.currency_in(value) is not None
    return any(c.isdigit() for c in value) and " " not in value.strip() and len(value) <= 40
